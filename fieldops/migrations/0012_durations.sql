-- Repairs that are over, whoever recorded them, and planned shutdowns.
CREATE TABLE repair_record (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_repair_record PRIMARY KEY,
    outage_key bigint CONSTRAINT uq_repair_record_outage_key UNIQUE,
    source text NOT NULL
        CONSTRAINT ck_repair_record_source_known CHECK (source IN ('outage', 'file')),
    reported_at timestamptz NOT NULL,
    dispatched_at timestamptz,
    on_site_at timestamptz,
    water_stopped_at timestamptz,
    repaired_at timestamptz,
    restored_at timestamptz NOT NULL,
    extra jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_repair_record_takes_time CHECK (restored_at > reported_at),
    CONSTRAINT uq_repair_record_reported_at UNIQUE (reported_at, restored_at, source)
);

CREATE TABLE blackout (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_blackout PRIMARY KEY,
    customer_key bigint NOT NULL
        CONSTRAINT fk_blackout_customer_key REFERENCES customer (key) ON DELETE CASCADE,
    weekdays smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}',
    from_time time NOT NULL,
    until_time time NOT NULL,
    reason text NOT NULL
);
CREATE INDEX ix_blackout_customer_key ON blackout (customer_key);

CREATE TABLE demand_hour (
    hour smallint NOT NULL CONSTRAINT pk_demand_hour PRIMARY KEY,
    factor double precision NOT NULL,
    CONSTRAINT ck_demand_hour_hour_of_a_day CHECK (hour BETWEEN 0 AND 23),
    CONSTRAINT ck_demand_hour_factor_positive CHECK (factor > 0)
);
-- What a minute without water weighs by the hour; the mean is 1. A guess: low at night, two peaks.
INSERT INTO demand_hour (hour, factor) VALUES
    (0, 0.35), (1, 0.25), (2, 0.25), (3, 0.25), (4, 0.3), (5, 0.6), (6, 1.3), (7, 1.7), (8, 1.5),
    (9, 1.15), (10, 1.05), (11, 1.3), (12, 1.3), (13, 1.05), (14, 0.95), (15, 0.95), (16, 1.05),
    (17, 1.35), (18, 1.7), (19, 1.7), (20, 1.5), (21, 1.25), (22, 0.75), (23, 0.45);

CREATE TABLE shutdown (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_shutdown PRIMARY KEY,
    id text GENERATED ALWAYS AS ('S-' || key) STORED CONSTRAINT uq_shutdown_id UNIQUE,
    reason text NOT NULL,
    question jsonb NOT NULL,
    work_min integer NOT NULL,
    status text NOT NULL DEFAULT 'requested' CONSTRAINT ck_shutdown_status_known
        CHECK (status IN ('requested', 'approved', 'opened', 'done', 'cancelled')),
    starts_at timestamptz,
    ends_at timestamptz,
    approval_no text,
    approved_by text,
    outage_key bigint,
    incident_key bigint CONSTRAINT fk_shutdown_incident_key REFERENCES incident (key),
    properties_out integer NOT NULL,
    critical_out integer NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT ck_shutdown_work_takes_time CHECK (work_min > 0),
    CONSTRAINT ck_shutdown_in_order CHECK (starts_at < ends_at),
    CONSTRAINT ck_shutdown_approved_with_slot CHECK (
        status IN ('requested', 'cancelled')
        OR (starts_at IS NOT NULL AND ends_at IS NOT NULL AND approval_no IS NOT NULL))
);
CREATE INDEX ix_shutdown_coming ON shutdown (starts_at) WHERE status IN ('approved', 'opened');
CREATE INDEX ix_shutdown_incident_key ON shutdown (incident_key) WHERE incident_key IS NOT NULL;
