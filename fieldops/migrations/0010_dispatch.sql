-- Offers, trips and the settings of dispatch. Orders and crews are never deleted, so keys alone
-- refer to them; pins stand in the order itself.

CREATE TABLE dispatch_setting (
    is_only boolean DEFAULT true NOT NULL,
    mode text NOT NULL DEFAULT 'suggest',
    diversion_s double precision NOT NULL DEFAULT 300,
    offer_s double precision NOT NULL DEFAULT 300,
    phone_after_s double precision NOT NULL DEFAULT 120,
    automatic_max_diameter_mm double precision NOT NULL DEFAULT 200,
    stale_penalty_min double precision NOT NULL DEFAULT 10,
    call_out_min double precision NOT NULL DEFAULT 15,
    straight_factor double precision NOT NULL DEFAULT 1.4,
    straight_trips integer NOT NULL DEFAULT 0,
    is_straight_factor_fixed boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    changed_at timestamptz,
    changed_by text,
    CONSTRAINT pk_dispatch_setting PRIMARY KEY (is_only),
    CONSTRAINT ck_dispatch_setting_is_only CHECK (is_only),
    CONSTRAINT ck_dispatch_setting_mode_known CHECK (mode IN ('suggest', 'automatic')),
    CONSTRAINT ck_dispatch_setting_diversion_not_negative CHECK (diversion_s >= 0),
    CONSTRAINT ck_dispatch_setting_times_positive CHECK (offer_s > 0 AND phone_after_s > 0),
    CONSTRAINT ck_dispatch_setting_limit_positive CHECK (automatic_max_diameter_mm >= 0),
    CONSTRAINT ck_dispatch_setting_penalty_not_negative CHECK (stale_penalty_min >= 0),
    CONSTRAINT ck_dispatch_setting_call_out_not_negative CHECK (call_out_min >= 0),
    CONSTRAINT ck_dispatch_setting_factor_possible CHECK (straight_factor >= 1)
);
INSERT INTO dispatch_setting (is_only) VALUES (true);

-- What a crew was offered (routine) or ordered to do (emergency), and what came of it.
CREATE TABLE dispatch_offer (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_dispatch_offer PRIMARY KEY,
    id text GENERATED ALWAYS AS ('D-' || key) STORED CONSTRAINT uq_dispatch_offer_id UNIQUE,
    order_key bigint NOT NULL,
    crew_key bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    made_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    phone_asked_at timestamptz,
    phoned_at timestamptz,
    phone_answer text,
    phone_note text,
    phoned_by text,
    ended_at timestamptz,
    CONSTRAINT ck_dispatch_offer_kind_known CHECK (kind IN ('offered', 'ordered')),
    CONSTRAINT ck_dispatch_offer_status_known
        CHECK (status IN ('open', 'accepted', 'declined', 'lapsed', 'withdrawn')),
    CONSTRAINT ck_dispatch_offer_phone_answer_known
        CHECK (phone_answer IN ('accepted', 'declined', 'no_answer')),
    CONSTRAINT ck_dispatch_offer_ended CHECK ((status = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX ix_dispatch_offer_open ON dispatch_offer (order_key) WHERE status = 'open';
CREATE INDEX ix_dispatch_offer_due_at ON dispatch_offer (due_at) WHERE status = 'open';
CREATE INDEX ix_dispatch_offer_order_key ON dispatch_offer (order_key, made_at);

-- How long our crews really drove: the straight-line estimate learns its factor from these.
CREATE TABLE dispatch_trip (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_dispatch_trip PRIMARY KEY,
    order_key bigint NOT NULL,
    crew_key bigint NOT NULL,
    straight_m double precision NOT NULL,
    departed_at timestamptz NOT NULL,
    arrived_at timestamptz,
    is_drill boolean NOT NULL DEFAULT false,
    CONSTRAINT ck_dispatch_trip_straight_m_not_negative CHECK (straight_m >= 0),
    CONSTRAINT ck_dispatch_trip_forwards CHECK (arrived_at >= departed_at)
);
CREATE UNIQUE INDEX ix_dispatch_trip_open ON dispatch_trip (order_key, crew_key)
    WHERE arrived_at IS NULL;
CREATE INDEX ix_dispatch_trip_arrived_at ON dispatch_trip (arrived_at)
    WHERE arrived_at IS NOT NULL;
