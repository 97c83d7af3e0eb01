"""NATS: the untrusted relay between gateways. The only importer of `nats`; bytes in, bytes out."""
