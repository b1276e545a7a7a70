-- Tablets, who is signed in on them, and the codes that release a valve by phone.

-- The key of a tablet's release codes has to be known here as well as there, so it is kept whole.
-- `district` names no row: a tablet keeps its word where districts are drawn anew.
CREATE TABLE device (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_device PRIMARY KEY,
    id text GENERATED ALWAYS AS ('D-' || key) STORED CONSTRAINT uq_device_id UNIQUE,
    name text NOT NULL CONSTRAINT ck_device_name_not_empty CHECK (name <> ''),
    district text,
    person_id bigint NOT NULL CONSTRAINT fk_device_person_id REFERENCES person (id),
    secret bytea NOT NULL CONSTRAINT ck_device_secret_long CHECK (octet_length(secret) = 32),
    made_at timestamptz NOT NULL,
    signed_in_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    told_at timestamptz,
    unsent integer CONSTRAINT ck_device_unsent_not_negative CHECK (unsent >= 0),
    photos_unsent integer CONSTRAINT ck_device_photos_unsent_not_negative
        CHECK (photos_unsent >= 0),
    parked integer CONSTRAINT ck_device_parked_not_negative CHECK (parked >= 0),
    pack_revision bigint,
    page_version text,
    revoked_at timestamptz,
    revoked_by text,
    wipe text CONSTRAINT ck_device_wipe_known CHECK (wipe IN ('keep-unsent', 'all')),
    cleared_at timestamptz,
    CONSTRAINT ck_device_revoked_whole CHECK (
        (revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (wipe IS NULL)
        AND (revoked_at IS NOT NULL OR cleared_at IS NULL))
);
CREATE INDEX ix_device_person_id ON device (person_id);

-- Kept when its time is over: it still proves that a tablet is the one it says it is, and lets a
-- revoked one be told so.
CREATE TABLE device_token (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_device_token PRIMARY KEY,
    device_key bigint NOT NULL CONSTRAINT fk_device_token_device_key REFERENCES device (key),
    person_id bigint NOT NULL CONSTRAINT fk_device_token_person_id REFERENCES person (id),
    token_hash bytea NOT NULL CONSTRAINT uq_device_token_token_hash UNIQUE,
    made_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX ix_device_token_device_key ON device_token (device_key);
CREATE INDEX ix_device_token_person_id ON device_token (person_id);

-- A code that a dispatcher gave by phone: for one tablet, outage, valve and span of ten minutes.
CREATE TABLE release_code (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_release_code PRIMARY KEY,
    device_key bigint NOT NULL CONSTRAINT fk_release_code_device_key REFERENCES device (key),
    outage_key bigint NOT NULL CONSTRAINT fk_release_code_outage_key REFERENCES outage (key),
    valve text NOT NULL,
    window_number bigint NOT NULL,
    asked_by text NOT NULL CONSTRAINT ck_release_code_asked_by_not_empty CHECK (asked_by <> ''),
    given_at timestamptz NOT NULL,
    given_by text NOT NULL,
    given_by_id bigint NOT NULL CONSTRAINT fk_release_code_given_by_id REFERENCES person (id),
    effect jsonb NOT NULL,
    used_at timestamptz,
    used_by text,
    CONSTRAINT ck_release_code_used_by_somebody CHECK ((used_at IS NULL) = (used_by IS NULL))
);
CREATE INDEX ix_release_code_device_key ON release_code (device_key, outage_key, valve);
CREATE INDEX ix_release_code_outage_key ON release_code (outage_key);

INSERT INTO order_policy (name, value, note) VALUES
    ('tablet_max_diameter_mm', 600, 'a ring found on a tablet with a larger valve asks dispatch');
