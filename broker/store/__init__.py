"""The gateway's disk: outbox, inbox, deliveries, receipts and audit in one SQLite file, sealed at rest."""
