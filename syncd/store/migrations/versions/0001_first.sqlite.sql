CREATE TABLE app (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    fingerprint TEXT,
    cursor TEXT,
    covered INTEGER DEFAULT '0' NOT NULL,
    listing BLOB,
    read_ms INTEGER DEFAULT '0' NOT NULL,
    listed_ms INTEGER DEFAULT '0' NOT NULL,
    failed_ms INTEGER DEFAULT '0' NOT NULL,
    error TEXT,
    error_kind TEXT,
    paused INTEGER DEFAULT '0' NOT NULL,
    fields BLOB,
    PRIMARY KEY (id),
    UNIQUE (name)
)
 STRICT;

CREATE TABLE consent_log (
    id INTEGER NOT NULL,
    run INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    channel TEXT NOT NULL,
    subject BLOB NOT NULL,
    state TEXT NOT NULL,
    app INTEGER NOT NULL,
    doc BLOB,
    PRIMARY KEY (id)
)
 STRICT;

CREATE TRIGGER consent_log_no_update BEFORE UPDATE ON consent_log BEGIN SELECT RAISE(ABORT, 'consent_log only grows'); END;

CREATE TRIGGER consent_log_no_delete BEFORE DELETE ON consent_log BEGIN SELECT RAISE(ABORT, 'consent_log only grows'); END;

CREATE TABLE contact (
    id INTEGER NOT NULL,
    review INTEGER DEFAULT '0' NOT NULL,
    held INTEGER DEFAULT '0' NOT NULL,
    refused INTEGER DEFAULT '0' NOT NULL,
    secret BLOB NOT NULL,
    doc BLOB NOT NULL,
    PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX contact_held ON contact (id) WHERE held = 1;

CREATE INDEX contact_refused ON contact (id) WHERE refused = 1;

CREATE INDEX contact_review ON contact (id) WHERE review = 1;

CREATE TABLE dirty (
    contact INTEGER NOT NULL,
    PRIMARY KEY (contact)
)
 STRICT;

CREATE TABLE hint (
    app INTEGER NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    found INTEGER NOT NULL,
    PRIMARY KEY (app, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE hook (
    app INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    silent INTEGER NOT NULL,
    PRIMARY KEY (app)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE identity (
    "key" BLOB NOT NULL,
    app INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY ("key", app, record)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX identity_alias ON identity (record) WHERE app = -1;

CREATE INDEX identity_gone ON identity (record) WHERE app = -2;

CREATE TABLE inbox (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    contact INTEGER NOT NULL,
    app INTEGER NOT NULL,
    field TEXT DEFAULT '' NOT NULL,
    opened_ms INTEGER NOT NULL,
    run INTEGER NOT NULL,
    resolved_ms INTEGER,
    doc BLOB NOT NULL,
    PRIMARY KEY (id)
)
 STRICT;

CREATE UNIQUE INDEX inbox_open ON inbox (contact, kind, field, app) WHERE resolved_ms IS NULL;

CREATE TABLE intent (
    app INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    sent INTEGER DEFAULT '0' NOT NULL,
    flags INTEGER DEFAULT '0' NOT NULL,
    record TEXT,
    sent_ms INTEGER,
    doc BLOB,
    PRIMARY KEY (app, kind, contact),
    CONSTRAINT kind CHECK (kind BETWEEN 0 AND 3),
    CONSTRAINT sent CHECK (sent = 0 OR sent_ms IS NOT NULL)
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX intent_contact ON intent (contact);

CREATE TABLE journal (
    id INTEGER NOT NULL,
    run INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    doc BLOB NOT NULL,
    PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX journal_contact ON journal (contact);

CREATE INDEX journal_run ON journal (run, contact);

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'journal only grows'); END;

CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'journal only grows'); END;

CREATE TABLE latch (
    subject BLOB NOT NULL,
    channel TEXT NOT NULL,
    out_ms INTEGER NOT NULL,
    in_ms INTEGER NOT NULL,
    app INTEGER NOT NULL,
    doc BLOB,
    PRIMARY KEY (subject, channel)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE listed (
    app INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (app, id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE login (
    app TEXT NOT NULL,
    doc BLOB NOT NULL,
    PRIMARY KEY (app)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE meta (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE record (
    app INTEGER NOT NULL,
    id TEXT NOT NULL,
    contact INTEGER,
    version TEXT,
    digest BLOB,
    at_ms INTEGER NOT NULL,
    misses INTEGER DEFAULT '0' NOT NULL,
    missed_run INTEGER DEFAULT '0' NOT NULL,
    problem TEXT,
    flawed INTEGER DEFAULT '0' NOT NULL,
    doc BLOB,
    seen BLOB
)
 STRICT;

CREATE UNIQUE INDEX record_id ON record (app, id);

CREATE INDEX record_missed ON record (app, id) WHERE misses > 0;

CREATE UNIQUE INDEX record_one_link ON record (contact, app) WHERE contact IS NOT NULL;

CREATE INDEX record_parked ON record (app, id) WHERE problem IS NOT NULL OR flawed IN (1, 3, 4);

CREATE INDEX record_to_match ON record (app, id) WHERE contact IS NULL AND seen IS NOT NULL;

CREATE INDEX record_to_merge ON record (contact, app) WHERE contact IS NOT NULL AND seen IS NOT NULL;

CREATE TABLE run (
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    outcome TEXT,
    doc BLOB,
    PRIMARY KEY (id)
)
 STRICT;
