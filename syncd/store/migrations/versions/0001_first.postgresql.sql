CREATE OR REPLACE FUNCTION syncd_only_grows() RETURNS trigger AS 'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || '' only grows''; END' LANGUAGE plpgsql;

CREATE TABLE app (
    id SMALLINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C",
    cursor TEXT COLLATE "C",
    covered SMALLINT DEFAULT '0' NOT NULL,
    listing BYTEA,
    read_ms BIGINT DEFAULT '0' NOT NULL,
    listed_ms BIGINT DEFAULT '0' NOT NULL,
    failed_ms BIGINT DEFAULT '0' NOT NULL,
    error TEXT COLLATE "C",
    error_kind TEXT COLLATE "C",
    paused SMALLINT DEFAULT '0' NOT NULL,
    fields BYTEA,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE consent_log (
    id BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    subject BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    app SMALLINT NOT NULL,
    doc BYTEA,
    PRIMARY KEY (id)
);

CREATE TRIGGER consent_log_no_update BEFORE UPDATE ON consent_log FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER consent_log_no_delete BEFORE DELETE ON consent_log FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER consent_log_no_truncate BEFORE TRUNCATE ON consent_log FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TABLE contact (
    id BIGINT NOT NULL,
    review SMALLINT DEFAULT '0' NOT NULL,
    held SMALLINT DEFAULT '0' NOT NULL,
    refused SMALLINT DEFAULT '0' NOT NULL,
    secret BYTEA NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX contact_held ON contact (id) WHERE held = 1;

CREATE INDEX contact_refused ON contact (id) WHERE refused = 1;

CREATE INDEX contact_review ON contact (id) WHERE review = 1;

CREATE TABLE dirty (
    contact BIGINT NOT NULL,
    PRIMARY KEY (contact)
);

CREATE TABLE hint (
    app SMALLINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    found SMALLINT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE hook (
    app SMALLINT NOT NULL,
    last_ms BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    missed BIGINT NOT NULL,
    silent BIGINT NOT NULL,
    PRIMARY KEY (app)
);

CREATE TABLE identity (
    key BYTEA NOT NULL,
    app SMALLINT NOT NULL,
    record TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (key, app, record)
);

CREATE INDEX identity_alias ON identity (record) WHERE app = -1;

CREATE INDEX identity_gone ON identity (record) WHERE app = -2;

CREATE TABLE inbox (
    id BIGSERIAL NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    contact BIGINT NOT NULL,
    app SMALLINT NOT NULL,
    field TEXT COLLATE "C" DEFAULT '' NOT NULL,
    opened_ms BIGINT NOT NULL,
    run BIGINT NOT NULL,
    resolved_ms BIGINT,
    doc BYTEA NOT NULL,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX inbox_open ON inbox (contact, kind, field, app) WHERE resolved_ms IS NULL;

CREATE TABLE intent (
    app SMALLINT NOT NULL,
    kind SMALLINT NOT NULL,
    contact BIGINT NOT NULL,
    sent SMALLINT DEFAULT '0' NOT NULL,
    flags SMALLINT DEFAULT '0' NOT NULL,
    record TEXT COLLATE "C",
    sent_ms BIGINT,
    doc BYTEA,
    PRIMARY KEY (app, kind, contact),
    CONSTRAINT kind CHECK (kind BETWEEN 0 AND 3),
    CONSTRAINT sent CHECK (sent = 0 OR sent_ms IS NOT NULL)
);

CREATE INDEX intent_contact ON intent (contact);

CREATE TABLE journal (
    id BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX journal_contact ON journal (contact);

CREATE INDEX journal_run ON journal (run, contact);

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TABLE latch (
    subject BYTEA NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    out_ms BIGINT NOT NULL,
    in_ms BIGINT NOT NULL,
    app SMALLINT NOT NULL,
    doc BYTEA,
    PRIMARY KEY (subject, channel)
);

CREATE TABLE listed (
    app SMALLINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE login (
    app TEXT COLLATE "C" NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (app)
);

CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE record (
    app SMALLINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    contact BIGINT,
    version TEXT COLLATE "C",
    digest BYTEA,
    at_ms BIGINT NOT NULL,
    misses SMALLINT DEFAULT '0' NOT NULL,
    missed_run BIGINT DEFAULT '0' NOT NULL,
    problem TEXT COLLATE "C",
    flawed SMALLINT DEFAULT '0' NOT NULL,
    doc BYTEA,
    seen BYTEA
);

CREATE UNIQUE INDEX record_id ON record (app, id);

CREATE INDEX record_missed ON record (app, id) WHERE misses > 0;

CREATE UNIQUE INDEX record_one_link ON record (contact, app) WHERE contact IS NOT NULL;

CREATE INDEX record_parked ON record (app, id) WHERE problem IS NOT NULL OR flawed IN (1, 3, 4);

CREATE INDEX record_to_match ON record (app, id) WHERE contact IS NULL AND seen IS NOT NULL;

CREATE INDEX record_to_merge ON record (contact, app) WHERE contact IS NOT NULL AND seen IS NOT NULL;

CREATE TABLE run (
    id BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    at_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    outcome TEXT COLLATE "C",
    doc BYTEA,
    PRIMARY KEY (id)
);
