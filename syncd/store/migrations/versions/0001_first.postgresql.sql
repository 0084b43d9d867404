CREATE TABLE app (
    id SMALLSERIAL NOT NULL,
    name TEXT NOT NULL,
    fingerprint TEXT,
    cursor TEXT,
    covered SMALLINT DEFAULT '0' NOT NULL,
    listing BYTEA,
    read_ms BIGINT DEFAULT '0' NOT NULL,
    listed_ms BIGINT DEFAULT '0' NOT NULL,
    failed_ms BIGINT DEFAULT '0' NOT NULL,
    error TEXT,
    error_kind TEXT,
    paused SMALLINT DEFAULT '0' NOT NULL,
    fields BYTEA,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE consent_log (
    id BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    channel TEXT NOT NULL,
    subject BYTEA NOT NULL,
    state TEXT NOT NULL,
    app SMALLINT NOT NULL,
    doc BYTEA,
    PRIMARY KEY (id)
);

CREATE OR REPLACE FUNCTION syncd_only_grows() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''%% only grows'', TG_TABLE_NAME; END' LANGUAGE plpgsql;

CREATE TRIGGER consent_log_no_update BEFORE UPDATE ON consent_log FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER consent_log_no_delete BEFORE DELETE ON consent_log FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TABLE contact (
    id BIGSERIAL NOT NULL,
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

CREATE TABLE identity (
    key BYTEA NOT NULL,
    app SMALLINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (key, app, record)
);

CREATE TABLE inbox (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    contact BIGINT NOT NULL,
    app SMALLINT NOT NULL,
    field TEXT DEFAULT '' NOT NULL,
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
    record TEXT,
    sent_ms BIGINT,
    doc BYTEA,
    PRIMARY KEY (app, kind, contact),
    CONSTRAINT kind CHECK (kind BETWEEN 0 AND 3),
    CONSTRAINT sent CHECK (sent = 0 OR sent_ms IS NOT NULL)
);

CREATE INDEX intent_sent ON intent (contact) WHERE sent = 1;

CREATE TABLE journal (
    id BIGSERIAL NOT NULL,
    run BIGINT NOT NULL,
    contact BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    doc BYTEA NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX journal_contact ON journal (contact);

CREATE INDEX journal_run ON journal (run);

CREATE OR REPLACE FUNCTION syncd_only_grows() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''%% only grows'', TG_TABLE_NAME; END' LANGUAGE plpgsql;

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal FOR EACH STATEMENT EXECUTE FUNCTION syncd_only_grows();

CREATE TABLE latch (
    channel TEXT NOT NULL,
    subject BYTEA NOT NULL,
    out_ms BIGINT NOT NULL,
    in_ms BIGINT NOT NULL,
    app SMALLINT NOT NULL,
    doc BYTEA,
    PRIMARY KEY (channel, subject)
);

CREATE TABLE listed (
    app SMALLINT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE meta (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE record (
    app SMALLINT NOT NULL,
    id TEXT NOT NULL,
    contact BIGINT,
    version TEXT,
    digest BYTEA,
    at_ms BIGINT NOT NULL,
    misses SMALLINT DEFAULT '0' NOT NULL,
    missed_run BIGINT DEFAULT '0' NOT NULL,
    problem TEXT,
    flawed SMALLINT DEFAULT '0' NOT NULL,
    doc BYTEA,
    seen BYTEA
);

CREATE UNIQUE INDEX record_id ON record (app, id);

CREATE INDEX record_missed ON record (app) WHERE misses > 0;

CREATE UNIQUE INDEX record_one_link ON record (contact, app) WHERE contact IS NOT NULL;

CREATE INDEX record_parked ON record (app) WHERE problem IS NOT NULL OR flawed = 1;

CREATE INDEX record_seen ON record (app, id) WHERE seen IS NOT NULL;

CREATE TABLE run (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    outcome TEXT,
    doc BYTEA,
    PRIMARY KEY (id)
);
