-- Outages under way: what is shut, by which plan, which valves stand how, and every customer's
-- own interval. Valves and customers are named by key and by id: a row outlives what it names.
CREATE TABLE outage (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outage PRIMARY KEY,
    id text GENERATED ALWAYS AS ('O-' || key) STORED CONSTRAINT uq_outage_id UNIQUE,
    incident_key bigint,
    is_planned boolean NOT NULL DEFAULT false,
    is_drill boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'open'
        CONSTRAINT ck_outage_status_known CHECK (status IN ('open', 'restored', 'closed')),
    reason text,
    question jsonb NOT NULL,
    pipe_key bigint,
    at_m double precision,
    lon double precision,
    lat double precision,
    zone_pipe_keys bigint[] NOT NULL DEFAULT '{}',
    plan_number integer NOT NULL DEFAULT 0,
    planned_from timestamptz,
    planned_until timestamptz,
    aware_at timestamptz NOT NULL,
    dispatched_at timestamptz,
    on_site_at timestamptz,
    water_stopped_at timestamptz,
    repaired_at timestamptz,
    flushed_at timestamptz,
    restored_at timestamptz,
    forecast jsonb NOT NULL DEFAULT '{}',
    promised_by timestamptz,
    next_news_at timestamptz,
    promised_at timestamptz,
    connections integer NOT NULL DEFAULT 0,
    customers_out integer NOT NULL DEFAULT 0,
    properties_out integer NOT NULL DEFAULT 0,
    people_out integer,
    critical_out integer NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    closed_at timestamptz,
    closed_by text,
    version bigint NOT NULL DEFAULT 1,
    changed_in jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_outage_closed_by_somebody CHECK (
        (status = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL)
    ),
    CONSTRAINT ck_outage_planned_in_order CHECK (planned_from < planned_until)
);
CREATE INDEX ix_outage_open ON outage (key) WHERE status <> 'closed';
CREATE INDEX ix_outage_incident_key ON outage (incident_key) WHERE incident_key IS NOT NULL;
CREATE INDEX ix_outage_opened_at ON outage (opened_at);

CREATE TABLE outage_plan (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outage_plan PRIMARY KEY,
    outage_key bigint NOT NULL CONSTRAINT fk_outage_plan_outage_key REFERENCES outage (key),
    number integer NOT NULL,
    kind text NOT NULL DEFAULT 'nearest' CONSTRAINT ck_outage_plan_kind_known
        CHECK (kind IN ('nearest', 'fewest', 'fastest', 'own')),
    status text NOT NULL CONSTRAINT ck_outage_plan_status_known
        CHECK (status IN ('proposed', 'approved', 'executed', 'superseded')),
    because jsonb NOT NULL DEFAULT '{}',
    wish jsonb NOT NULL DEFAULT '{}',
    answer jsonb NOT NULL,
    difference jsonb,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    approved_at timestamptz,
    approved_by text,
    executed_at timestamptz,
    CONSTRAINT uq_outage_plan_outage_key UNIQUE (outage_key, number)
);
-- One of each at a time: whoever approves a plan knows that there is no other.
CREATE UNIQUE INDEX ix_outage_plan_live ON outage_plan (outage_key, status)
    WHERE status <> 'superseded';

CREATE TABLE outage_valve (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outage_valve PRIMARY KEY,
    outage_key bigint NOT NULL CONSTRAINT fk_outage_valve_outage_key REFERENCES outage (key),
    device_table text NOT NULL CONSTRAINT ck_outage_valve_device_table_known
        CHECK (device_table IN ('valve', 'control_valve', 'pump', 'source')),
    device_key bigint NOT NULL,
    valve text NOT NULL,
    role text NOT NULL CONSTRAINT ck_outage_valve_role_known CHECK (
        role IN ('close', 'optional', 'verify_shut', 'pump', 'source', 'refeed', 'surplus', 'stuck')
    ),
    number integer,
    state text NOT NULL CONSTRAINT ck_outage_valve_state_known CHECK (
        state IN ('to_close', 'to_open', 'closed_tight', 'passing', 'will_not_close', 'not_found',
                  'opened', 'reopened', 'handed_over', 'will_not_reopen')
    ),
    position_before text NOT NULL DEFAULT 'open',
    turns_recorded double precision,
    turns_counted double precision
        CONSTRAINT ck_outage_valve_turns_not_negative CHECK (turns_counted >= 0),
    accepted_by text,
    is_gland_leaking boolean NOT NULL DEFAULT false,
    expected_closed_at timestamptz,
    expected_reopened_at timestamptz,
    closed_at timestamptz,
    closed_by text,
    reopened_at timestamptz,
    reopened_by text,
    CONSTRAINT uq_outage_valve_outage_key UNIQUE (outage_key, device_table, device_key),
    CONSTRAINT ck_outage_valve_accepted_if_passing CHECK (accepted_by IS NULL OR state <> 'to_close')
);
CREATE INDEX ix_outage_valve_device_key ON outage_valve (device_key, device_table);

-- A numbered tag on a valve: it says whose trench the valve keeps dry.
CREATE TABLE valve_tag (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_valve_tag PRIMARY KEY,
    outage_key bigint NOT NULL CONSTRAINT fk_valve_tag_outage_key REFERENCES outage (key),
    device_table text NOT NULL,
    device_key bigint NOT NULL,
    valve text NOT NULL,
    number text NOT NULL,
    hung_at timestamptz NOT NULL,
    hung_by text NOT NULL,
    hung_photo text,
    taken_off_at timestamptz,
    taken_off_by text,
    taken_off_photo text,
    CONSTRAINT ck_valve_tag_taken_off_by_somebody
        CHECK ((taken_off_at IS NULL) = (taken_off_by IS NULL)),
    CONSTRAINT ck_valve_tag_photos_are_hashes
        CHECK (hung_photo ~ '^[0-9a-f]{64}$' AND taken_off_photo ~ '^[0-9a-f]{64}$')
);
CREATE INDEX ix_valve_tag_outage_key ON valve_tag (outage_key);
CREATE UNIQUE INDEX ix_valve_tag_one_a_job ON valve_tag (device_table, device_key, outage_key)
    WHERE taken_off_at IS NULL;
CREATE UNIQUE INDEX ix_valve_tag_one_place ON valve_tag (number) WHERE taken_off_at IS NULL;

-- Closed valves any one of which, opened now, lets water into an outage's trench.
CREATE TABLE outage_guard (
    outage_key bigint NOT NULL CONSTRAINT fk_outage_guard_outage_key REFERENCES outage (key),
    device_table text NOT NULL,
    device_key bigint NOT NULL,
    CONSTRAINT pk_outage_guard PRIMARY KEY (outage_key, device_table, device_key)
);
CREATE INDEX ix_outage_guard_device_key ON outage_guard (device_key, device_table);

-- What is forecast for all customers behind the same valves; drawn anew at every event, so that
-- the rows of thousands of customers need not be written each time.
CREATE TABLE outage_forecast (
    outage_key bigint NOT NULL CONSTRAINT fk_outage_forecast_outage_key REFERENCES outage (key),
    number integer NOT NULL,
    expected_lost_at timestamptz,
    restored_p10_at timestamptz,
    restored_p50_at timestamptz,
    restored_p90_at timestamptz,
    CONSTRAINT pk_outage_forecast PRIMARY KEY (outage_key, number)
);

-- A customer's own outage: expected, then lost, then restored. What was never lost is deleted.
CREATE TABLE outage_interval (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outage_interval PRIMARY KEY,
    outage_key bigint NOT NULL CONSTRAINT fk_outage_interval_outage_key REFERENCES outage (key),
    customer_key bigint NOT NULL,
    customer text NOT NULL,
    properties integer NOT NULL,
    people integer,
    is_critical boolean NOT NULL,
    cause text NOT NULL CONSTRAINT ck_outage_interval_cause_known
        CHECK (cause IN ('shut', 'cut_off', 'joint', 'unforeseen')),
    tank_lasts_h double precision,
    lost_at timestamptz,
    restored_at timestamptz,
    forecast_number integer,
    CONSTRAINT ck_outage_interval_lost_before_restored CHECK (lost_at <= restored_at),
    CONSTRAINT ck_outage_interval_restored_if_lost CHECK (restored_at IS NULL OR lost_at IS NOT NULL)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX ix_outage_interval_live ON outage_interval (outage_key, customer_key)
    WHERE restored_at IS NULL;
CREATE INDEX ix_outage_interval_outage_key ON outage_interval (outage_key);
CREATE INDEX ix_outage_interval_customer_key ON outage_interval (customer_key);

-- Whatever opens, closes or tags a valve does so one after the other, so that no two
-- transactions each miss what the other is about to say.
CREATE FUNCTION lock_valve_work() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(7305790909)
$$;
CREATE FUNCTION try_lock_valve_work() RETURNS boolean LANGUAGE sql AS $$
    SELECT pg_try_advisory_xact_lock(7305790909)
$$;

-- Which other open outages a valve serves: by their tag, by their plan, or by their dry trench.
CREATE FUNCTION outages_needing_valve(own bigint, of_table text, of_key bigint)
RETURNS TABLE (outage_key bigint, why text, tag text) LANGUAGE sql STABLE AS $$
    SELECT t.outage_key, 'tag', t.number
    FROM valve_tag t
    WHERE t.device_table = of_table AND t.device_key = of_key AND t.taken_off_at IS NULL
        AND t.outage_key <> own
    UNION ALL
    SELECT v.outage_key, 'plan', NULL
    FROM outage_valve v JOIN outage o ON o.key = v.outage_key
    WHERE v.device_table = of_table AND v.device_key = of_key AND v.outage_key <> own
        AND v.role IN ('close', 'pump', 'source') AND v.state IN ('closed_tight', 'passing')
        AND o.status <> 'closed'
        AND o.is_drill = (SELECT is_drill FROM outage WHERE key = own)
    UNION ALL
    SELECT g.outage_key, 'trench', NULL
    FROM outage_guard g JOIN outage o ON o.key = g.outage_key
    WHERE g.device_table = of_table AND g.device_key = of_key AND g.outage_key <> own
        AND o.status <> 'closed'
        AND o.is_drill = (SELECT is_drill FROM outage WHERE key = own)
$$;

CREATE FUNCTION refuse_refilling() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    job text;
    what text;
BEGIN
    PERFORM lock_valve_work();
    IF NEW.state IN ('reopened', 'opened') AND (TG_OP = 'INSERT' OR OLD.state <> NEW.state) THEN
        SELECT o.id, n.why INTO job, what
        FROM outages_needing_valve(NEW.outage_key, NEW.device_table, NEW.device_key) n
        JOIN outage o ON o.key = n.outage_key
        ORDER BY o.key LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'valve % must stay shut for % (%)', NEW.valve, job, what
                USING ERRCODE = 'integrity_constraint_violation',
                      CONSTRAINT = 'valve_held_by_another_job', DETAIL = job;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_refilling BEFORE INSERT OR UPDATE OF state ON outage_valve
    FOR EACH ROW EXECUTE FUNCTION refuse_refilling();

CREATE FUNCTION lock_before_tagging() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_valve_work();
    IF TG_OP = 'INSERT' AND (SELECT status FROM outage WHERE key = NEW.outage_key) = 'closed' THEN
        RAISE EXCEPTION 'a closed outage hangs no tag'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'tag_of_closed_outage';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER lock_before_tagging BEFORE INSERT OR UPDATE ON valve_tag
    FOR EACH ROW EXECUTE FUNCTION lock_before_tagging();

-- An outage ends when nobody is dry by it, no tag of it hangs, and no valve waits to be opened.
CREATE FUNCTION refuse_closing_outage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'closed' AND OLD.status <> 'closed' THEN
        IF EXISTS (SELECT FROM outage_interval
                   WHERE outage_key = NEW.key AND restored_at IS NULL AND lost_at IS NOT NULL)
            OR EXISTS (SELECT FROM valve_tag WHERE outage_key = NEW.key AND taken_off_at IS NULL)
            OR EXISTS (SELECT FROM outage_valve WHERE outage_key = NEW.key
                       AND state IN ('closed_tight', 'passing', 'opened')
                       AND role <> 'verify_shut')
        THEN
            RAISE EXCEPTION 'outage % still keeps somebody dry, a tag or a valve', NEW.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'outage_not_over';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_closing BEFORE UPDATE OF status ON outage
    FOR EACH ROW EXECUTE FUNCTION refuse_closing_outage();
