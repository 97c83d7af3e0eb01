"""The gateway's tables: the scripts by which each version of the store becomes the next.

Free text of a bulletin never stands in a column: what could hold some (content, persons, notes, reasons) is in a
``*_sealed`` blob under the agency's storage key. Columns hold what lists and deadlines need. Times are milliseconds
since the epoch, UTC; ids are 16 bytes. Tables with blobs keep their rowid: a wide row in the key's own tree makes every
look-up read it (sqlite.org/withoutrowid.html).
"""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE bulletins (
        agency TEXT NOT NULL,              -- whose copy this is
        id BLOB NOT NULL,                  -- the bulletin's UUID
        role TEXT NOT NULL CHECK (role IN ('originator', 'recipient')),
        sender TEXT NOT NULL,
        envelope BLOB NOT NULL,            -- the 16 bytes of the clear header
        header_hash BLOB NOT NULL,
        body_digest BLOB NOT NULL,
        control_number TEXT NOT NULL,
        kind TEXT NOT NULL,
        product TEXT,
        precedence TEXT NOT NULL,
        status TEXT NOT NULL,
        portions TEXT NOT NULL,            -- JSON array of the portion ids held
        created INTEGER NOT NULL,
        arrived INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        due INTEGER,
        rules INTEGER NOT NULL,
        directory INTEGER NOT NULL,
        header BLOB NOT NULL,
        body BLOB,                         -- NULL once purged
        keyring_sealed BLOB,               -- NULL once purged: nothing else opens the body
        record_sealed BLOB,                -- originator: the submission's own fields; recipient: terms
        storage_key TEXT NOT NULL,         -- class and month of the storage key the blobs are under
        rung TEXT,                         -- recipient: the highest rung this agency has climbed
        receipts INTEGER NOT NULL DEFAULT 0,
        recalled INTEGER,
        superseded_by BLOB,
        supersedes BLOB,
        in_reply_to BLOB,
        PRIMARY KEY (agency, id)
    );
    CREATE INDEX bulletins_by_header ON bulletins (header_hash, agency);
    CREATE INDEX bulletins_superseding ON bulletins (agency, supersedes) WHERE supersedes IS NOT NULL;
    CREATE INDEX bulletins_by_arrival ON bulletins (agency, role, arrived);

    CREATE TABLE deliveries (
        agency TEXT NOT NULL,              -- the originator
        id BLOB NOT NULL,
        recipient TEXT NOT NULL,
        gateway TEXT NOT NULL,
        rank INTEGER NOT NULL,             -- 3 FLASH .. 0 ROUTINE
        portions TEXT NOT NULL,
        rules TEXT NOT NULL,               -- JSON array of the rules that granted it
        state TEXT NOT NULL,               -- queued, relayed, a rung, refused, withdrawn
        notice BLOB,                       -- made once: a retry sends the same bytes
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt INTEGER,              -- NULL: nothing more to send
        created INTEGER NOT NULL,
        relayed INTEGER, stored INTEGER, fetched INTEGER, read INTEGER, acknowledged INTEGER, acted INTEGER,
        purged INTEGER, refused INTEGER,
        code TEXT,
        person_sealed BLOB,
        due INTEGER,
        escalated INTEGER,
        PRIMARY KEY (agency, id, recipient),
        FOREIGN KEY (agency, id) REFERENCES bulletins (agency, id)
    );
    CREATE INDEX deliveries_waiting ON deliveries (rank, next_attempt, created, agency, id)
        WHERE next_attempt IS NOT NULL;
    CREATE INDEX deliveries_due ON deliveries (due)
        WHERE due IS NOT NULL AND acknowledged IS NULL AND escalated IS NULL;
    CREATE INDEX deliveries_late ON deliveries (agency, due) WHERE due IS NOT NULL AND acknowledged IS NULL;
    CREATE INDEX deliveries_refused ON deliveries (agency, refused) WHERE state = 'refused' AND acknowledged IS NULL;

    CREATE TABLE replay (
        sender TEXT NOT NULL,
        envelope BLOB NOT NULL,
        recipient TEXT NOT NULL,
        body_digest BLOB NOT NULL,
        id BLOB,
        forget INTEGER NOT NULL,
        PRIMARY KEY (sender, envelope, recipient)
    ) WITHOUT ROWID;
    CREATE INDEX replay_forget ON replay (forget);

    CREATE TABLE held (                    -- envelopes that wait for a release or a clock
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        gateway TEXT NOT NULL,             -- who put it on the relay
        reason TEXT NOT NULL,
        since INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        raw BLOB NOT NULL                  -- sealed, as it came
    );
    CREATE INDEX held_due ON held (next_attempt);
    CREATE INDEX held_of ON held (gateway);

    CREATE TABLE refusals (                -- verified senders' envelopes that were refused and answered
        sender TEXT NOT NULL,
        envelope BLOB NOT NULL,
        recipient TEXT NOT NULL,
        body_digest BLOB NOT NULL,
        forget INTEGER NOT NULL,
        PRIMARY KEY (sender, envelope, recipient, body_digest)
    ) WITHOUT ROWID;
    CREATE INDEX refusals_to_forget ON refusals (forget);

    CREATE TABLE contradictions (          -- second bodies under one envelope id
        sender TEXT NOT NULL,
        envelope BLOB NOT NULL,
        recipient TEXT NOT NULL,
        body_digest BLOB NOT NULL,
        at INTEGER NOT NULL,
        raw BLOB NOT NULL,                 -- sealed, as it came
        PRIMARY KEY (sender, recipient, envelope, body_digest)
    );

    CREATE TABLE tombstones (
        agency TEXT NOT NULL,
        sender TEXT NOT NULL,
        id BLOB NOT NULL,
        digest BLOB,
        at INTEGER NOT NULL,
        PRIMARY KEY (agency, sender, id)
    ) WITHOUT ROWID;

    CREATE TABLE claims (                  -- receipts this gateway owes
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: one may be on its way when it is replaced
        agency TEXT NOT NULL,
        originator TEXT NOT NULL,
        id BLOB NOT NULL,
        rung TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        urgent INTEGER NOT NULL,
        words_sealed BLOB,
        storage_key TEXT NOT NULL,
        payload BLOB,                      -- made in advance, where the keyring it needs was about to be destroyed
        not_before INTEGER NOT NULL DEFAULT 0,
        sent INTEGER
    );
    CREATE INDEX claims_unsent ON claims (urgent, not_before, number) WHERE sent IS NULL;
    CREATE INDEX claims_sent ON claims (sent) WHERE sent IS NOT NULL;
    CREATE INDEX claims_of ON claims (agency, id);

    CREATE TABLE evidence (                -- signed receipts as they came, for whoever must be shown
        digest BLOB PRIMARY KEY,
        agency TEXT NOT NULL,
        signer TEXT NOT NULL,
        at INTEGER NOT NULL,
        document_sealed BLOB NOT NULL,
        storage_key TEXT NOT NULL
    );
    CREATE INDEX evidence_at ON evidence (at);

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        agency TEXT NOT NULL,
        event TEXT NOT NULL,
        id BLOB,
        at INTEGER NOT NULL,
        detail TEXT NOT NULL,
        words_sealed BLOB,
        storage_key TEXT
    );
    CREATE INDEX events_of ON events (agency, seq);
    CREATE INDEX events_about ON events (agency, id);
    CREATE INDEX events_at ON events (at);

    CREATE TABLE subscribers (
        token TEXT NOT NULL,
        agency TEXT NOT NULL,
        confirmed INTEGER NOT NULL,
        PRIMARY KEY (token, agency)
    ) WITHOUT ROWID;

    CREATE TABLE idempotency (
        agency TEXT NOT NULL,
        key TEXT NOT NULL,
        request BLOB NOT NULL,
        status INTEGER NOT NULL,
        answer TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (agency, key)
    );
    CREATE INDEX idempotency_at ON idempotency (at);

    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        agency TEXT NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        id BLOB,
        peer TEXT,
        detail TEXT NOT NULL,
        previous BLOB NOT NULL,
        hash BLOB NOT NULL
    );
    CREATE INDEX audit_about ON audit (agency, id);
    CREATE TRIGGER audit_is_append_only_1 BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
    CREATE TRIGGER audit_is_append_only_2 BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    -- A body is some 10 KB, and every look at its row and every rung climbed read and wrote it with the row.
    CREATE TABLE bodies (                  -- no row once purged
        agency TEXT NOT NULL,
        id BLOB NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (agency, id)
    );
    INSERT INTO bodies SELECT agency, id, body FROM bulletins WHERE body IS NOT NULL;
    CREATE TABLE bulletins_without_body (
        agency TEXT NOT NULL,
        id BLOB NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('originator', 'recipient')),
        sender TEXT NOT NULL,
        envelope BLOB NOT NULL,
        header_hash BLOB NOT NULL,
        body_digest BLOB NOT NULL,
        control_number TEXT NOT NULL,
        kind TEXT NOT NULL,
        product TEXT,
        precedence TEXT NOT NULL,
        status TEXT NOT NULL,
        portions TEXT NOT NULL,
        created INTEGER NOT NULL,
        arrived INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        due INTEGER,
        rules INTEGER NOT NULL,
        directory INTEGER NOT NULL,
        header BLOB NOT NULL,
        keyring_sealed BLOB,
        record_sealed BLOB,
        storage_key TEXT NOT NULL,
        rung TEXT,
        receipts INTEGER NOT NULL DEFAULT 0,
        recalled INTEGER,
        superseded_by BLOB,
        supersedes BLOB,
        in_reply_to BLOB,
        PRIMARY KEY (agency, id)
    );
    INSERT INTO bulletins_without_body SELECT
        agency, id, role, sender, envelope, header_hash, body_digest, control_number, kind, product, precedence,
        status, portions, created, arrived, expires, due, rules, directory, header, keyring_sealed, record_sealed,
        storage_key, rung, receipts, recalled, superseded_by, supersedes, in_reply_to
        FROM bulletins;
    DROP TABLE bulletins;
    ALTER TABLE bulletins_without_body RENAME TO bulletins;
    CREATE INDEX bulletins_by_header ON bulletins (header_hash, agency);
    CREATE INDEX bulletins_superseding ON bulletins (agency, supersedes) WHERE supersedes IS NOT NULL;
    CREATE INDEX bulletins_by_arrival ON bulletins (agency, role, arrived);
    """,
    """
    CREATE TABLE sessions (                -- set up by other agencies; needed for what they send under them
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- in order of arrival
        agency TEXT NOT NULL,
        sender TEXT NOT NULL,
        id BLOB NOT NULL,                  -- follows from the secret
        secret_sealed BLOB NOT NULL,
        storage_key TEXT NOT NULL,
        forget INTEGER NOT NULL,
        UNIQUE (agency, sender, id)
    );
    CREATE INDEX sessions_forget ON sessions (forget);
    """,
    """
    CREATE TABLE recordings (              -- what the rules saw of each own submission, never its text: for replay
        number INTEGER PRIMARY KEY,
        agency TEXT NOT NULL,
        id BLOB NOT NULL,
        control_number TEXT NOT NULL,
        at INTEGER NOT NULL,
        precedence TEXT NOT NULL,          -- as submitted
        portions_sealed BLOB NOT NULL,     -- whom it protects and names is among the attributes
        storage_key TEXT NOT NULL
    );
    CREATE INDEX recordings_of ON recordings (agency, at);
    CREATE INDEX recordings_at ON recordings (at);
    """,
    """
    ALTER TABLE bulletins ADD COLUMN own INTEGER NOT NULL DEFAULT 0;  -- number of the originator's own rules

    CREATE TABLE trials (                  -- how many portions rules on trial have decided beside those in force
        agency TEXT NOT NULL,
        trial INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        bulletins INTEGER NOT NULL,
        portions INTEGER NOT NULL,
        skipped INTEGER NOT NULL,          -- bulletins, when the gateway had better to do
        PRIMARY KEY (agency, trial)
    ) WITHOUT ROWID;
    CREATE INDEX trials_last ON trials (last);

    CREATE TABLE trial_differences (       -- the portions that they would have shared otherwise; never their text
        number INTEGER PRIMARY KEY,
        agency TEXT NOT NULL,
        trial INTEGER NOT NULL,
        at INTEGER NOT NULL,
        control_number TEXT NOT NULL,
        portion TEXT NOT NULL,
        precedence TEXT NOT NULL,
        marking TEXT NOT NULL,
        directory INTEGER NOT NULL,        -- whose agencies, in order of their ids, the sets are over
        gained BLOB NOT NULL,
        lost BLOB NOT NULL,
        loosened BLOB NOT NULL,
        tightened BLOB NOT NULL,
        rules TEXT NOT NULL
    );
    CREATE INDEX trial_differences_of ON trial_differences (agency, trial, number);
    CREATE INDEX trial_differences_at ON trial_differences (at);
    """,
)
