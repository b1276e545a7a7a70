-- The night desk: handovers, call-outs, receipts, emergency levels with their phone trees and reports.

-- Who outside was told what, by whom and how, and what they answered. Never changed.
CREATE TABLE receipt (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_receipt PRIMARY KEY,
    party text NOT NULL CONSTRAINT ck_receipt_party_known
        CHECK (party IN ('fire_service', 'control_room')),
    topic text NOT NULL CONSTRAINT ck_receipt_topic_known
        CHECK (topic IN ('hydrants_dry', 'hydrants_back', 'outage', 'outage_over', 'pump_stop')),
    incident_id text,
    outage_id text,
    pump_id text,
    answer text NOT NULL CONSTRAINT ck_receipt_answer_known
        CHECK (answer IN ('informed', 'confirmed', 'refused')),
    how text NOT NULL CONSTRAINT ck_receipt_how_known
        CHECK (how IN ('phone', 'radio', 'in_person', 'message')),
    told_to text NOT NULL CONSTRAINT ck_receipt_told_to_not_empty CHECK (told_to <> ''),
    told_at timestamptz NOT NULL,
    person_id bigint CONSTRAINT fk_receipt_person_id REFERENCES person (id),
    person_name text NOT NULL,
    note text,
    is_drill boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT ck_receipt_about_something CHECK (incident_id IS NOT NULL OR outage_id IS NOT NULL),
    CONSTRAINT ck_receipt_pump CHECK (
        (topic = 'pump_stop') = (pump_id IS NOT NULL)
        AND (topic <> 'pump_stop' OR (party = 'control_room' AND outage_id IS NOT NULL
            AND answer <> 'informed')))
);
CREATE INDEX ix_receipt_incident_id ON receipt (incident_id);
CREATE INDEX ix_receipt_outage_id ON receipt (outage_id, pump_id);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON receipt
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON receipt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event();

-- One row a shift's end; signed by the leaving dispatcher when made, then by the coming one.
CREATE TABLE shift_handover (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_shift_handover PRIMARY KEY,
    id text GENERATED ALWAYS AS ('H-' || key) STORED CONSTRAINT uq_shift_handover_id UNIQUE,
    leaving_person_id bigint NOT NULL
        CONSTRAINT fk_shift_handover_leaving_person_id REFERENCES person (id),
    leaving_name text NOT NULL,
    leaving_signed_at timestamptz NOT NULL,
    coming_person_id bigint
        CONSTRAINT fk_shift_handover_coming_person_id REFERENCES person (id),
    coming_name text,
    coming_signed_at timestamptz,
    coming_remarks text,
    withdrawn_at timestamptz,
    snapshot jsonb NOT NULL,
    position bigint NOT NULL,
    remarks text,
    CONSTRAINT ck_shift_handover_two_people CHECK (leaving_person_id <> coming_person_id),
    CONSTRAINT ck_shift_handover_signed_whole CHECK (
        (coming_person_id IS NULL) = (coming_signed_at IS NULL)
        AND (coming_signed_at IS NULL OR withdrawn_at IS NULL))
);
CREATE UNIQUE INDEX uq_shift_handover_open ON shift_handover ((true))
    WHERE coming_signed_at IS NULL AND withdrawn_at IS NULL;

-- What somebody signed stays as it was.
CREATE FUNCTION keep_signed_handover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.coming_signed_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL
        OR (NEW.snapshot, NEW.remarks, NEW.leaving_person_id, NEW.leaving_signed_at, NEW.position)
            IS DISTINCT FROM
            (OLD.snapshot, OLD.remarks, OLD.leaving_person_id, OLD.leaving_signed_at, OLD.position)
    THEN
        RAISE EXCEPTION 'a signed handover is never changed'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_signed BEFORE UPDATE ON shift_handover
    FOR EACH ROW EXECUTE FUNCTION keep_signed_handover();
CREATE TRIGGER refuse_delete BEFORE DELETE ON shift_handover
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();

-- Attempts to call a crew on call out, in turn or not.
CREATE TABLE call_out (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_call_out PRIMARY KEY,
    crew_key bigint NOT NULL CONSTRAINT fk_call_out_crew_key REFERENCES crew (key),
    rank integer,
    incident_id text,
    result text NOT NULL CONSTRAINT ck_call_out_result_known
        CHECK (result IN ('coming', 'declined', 'no_answer')),
    spoke_with text,
    note text,
    is_out_of_turn boolean NOT NULL,
    is_drill boolean NOT NULL DEFAULT false,
    person_id bigint CONSTRAINT fk_call_out_person_id REFERENCES person (id),
    person_name text NOT NULL,
    called_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT ck_call_out_reason CHECK (NOT is_out_of_turn OR note <> '')
);
CREATE INDEX ix_call_out_called_at ON call_out (called_at);
CREATE INDEX ix_call_out_crew_key ON call_out (crew_key);

-- The times of each emergency level; I is the worst.
CREATE TABLE emergency_level (
    level smallint NOT NULL CONSTRAINT ck_emergency_level_known CHECK (level BETWEEN 1 AND 4),
    duty_leader text NOT NULL,
    first_within_min integer NOT NULL,
    follow_up_every_min integer NOT NULL,
    final_within_min integer NOT NULL,
    CONSTRAINT pk_emergency_level PRIMARY KEY (level),
    CONSTRAINT ck_emergency_level_times
        CHECK (first_within_min > 0 AND follow_up_every_min > 0 AND final_within_min > 0)
);
INSERT INTO emergency_level VALUES
    (1, '总经理', 30, 60, 1440),
    (2, '分管副总经理', 30, 120, 1440),
    (3, '管网部主任', 60, 240, 2880),
    (4, '值班主任', 120, 480, 4320);

-- When an incident is an emergency: value at least the threshold, and so many properties out.
CREATE TABLE emergency_policy (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_emergency_policy PRIMARY KEY,
    level smallint NOT NULL
        CONSTRAINT fk_emergency_policy_level REFERENCES emergency_level (level),
    measure text NOT NULL CONSTRAINT ck_emergency_policy_measure_known
        CHECK (measure IN ('customers', 'diameter', 'hospital', 'road', 'forecast')),
    threshold double precision NOT NULL
        CONSTRAINT ck_emergency_policy_threshold_positive CHECK (threshold > 0),
    least_properties integer NOT NULL DEFAULT 0
        CONSTRAINT ck_emergency_policy_least_not_negative CHECK (least_properties >= 0),
    incident_kinds text[],
    is_active boolean NOT NULL DEFAULT true
);
INSERT INTO emergency_policy (level, measure, threshold, least_properties, incident_kinds) VALUES
    (1, 'customers', 30000, 0, NULL),
    (2, 'customers', 10000, 0, NULL),
    (3, 'customers', 3000, 0, NULL),
    (4, 'customers', 1000, 0, NULL),
    (2, 'diameter', 1000, 0, '{burst,third_party_damage,collapse,frost}'),
    (3, 'diameter', 600, 0, '{burst,third_party_damage,collapse,frost}'),
    (4, 'diameter', 400, 0, '{burst,third_party_damage,collapse,frost}'),
    (2, 'hospital', 3, 0, NULL),
    (3, 'hospital', 1, 0, NULL),
    (3, 'road', 60, 0, '{collapse}'),
    (4, 'road', 40, 0, '{collapse}'),
    (3, 'forecast', 24, 500, NULL),
    (4, 'forecast', 12, 500, NULL);

-- Who is called at a level, in which order; a worse level calls those of the milder ones, too.
CREATE TABLE phone_tree_entry (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_phone_tree_entry PRIMARY KEY,
    level smallint NOT NULL
        CONSTRAINT fk_phone_tree_entry_level REFERENCES emergency_level (level),
    rank integer NOT NULL CONSTRAINT ck_phone_tree_entry_rank_positive CHECK (rank > 0),
    post text NOT NULL CONSTRAINT ck_phone_tree_entry_post_not_empty CHECK (post <> ''),
    name text NOT NULL CONSTRAINT ck_phone_tree_entry_name_not_empty CHECK (name <> ''),
    phone text NOT NULL CONSTRAINT ck_phone_tree_entry_phone_not_empty CHECK (phone <> ''),
    person_id bigint CONSTRAINT fk_phone_tree_entry_person_id REFERENCES person (id),
    is_duty_leader boolean NOT NULL DEFAULT false,
    within_min integer NOT NULL DEFAULT 15
        CONSTRAINT ck_phone_tree_entry_within_positive CHECK (within_min > 0),
    is_active boolean NOT NULL DEFAULT true
);
CREATE INDEX ix_phone_tree_entry_level ON phone_tree_entry (level);

CREATE TABLE emergency (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_emergency PRIMARY KEY,
    id text GENERATED ALWAYS AS ('E-' || key) STORED CONSTRAINT uq_emergency_id UNIQUE,
    incident_key bigint NOT NULL,
    incident_id text NOT NULL,
    address text,
    level smallint NOT NULL CONSTRAINT fk_emergency_level REFERENCES emergency_level (level),
    worst_level smallint NOT NULL,
    status text NOT NULL DEFAULT 'open'
        CONSTRAINT ck_emergency_status_known CHECK (status IN ('open', 'stood_down', 'closed')),
    reasons jsonb NOT NULL,
    duty_leader text,
    is_drill boolean NOT NULL,
    begun_at timestamptz NOT NULL,
    level_at timestamptz NOT NULL,
    level_by text NOT NULL,
    level_note text,
    stood_down_at timestamptz,
    stood_down_by text,
    stand_down_note text,
    closed_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT ck_emergency_stood_down CHECK ((status = 'open') = (stood_down_at IS NULL)),
    CONSTRAINT ck_emergency_closed CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX uq_emergency_incident_key ON emergency (incident_key) WHERE status = 'open';
CREATE INDEX ix_emergency_begun_at ON emergency (begun_at);

-- The phone tree as it stood when the level was reached, with its acknowledgements.
CREATE TABLE emergency_call (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_emergency_call PRIMARY KEY,
    emergency_key bigint NOT NULL
        CONSTRAINT fk_emergency_call_emergency_key REFERENCES emergency (key),
    entry_key bigint NOT NULL
        CONSTRAINT fk_emergency_call_entry_key REFERENCES phone_tree_entry (key),
    level smallint NOT NULL,
    rank integer NOT NULL,
    post text NOT NULL,
    name text NOT NULL,
    phone text NOT NULL,
    person_id bigint CONSTRAINT fk_emergency_call_person_id REFERENCES person (id),
    is_duty_leader boolean NOT NULL,
    due_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    last_tried_at timestamptz,
    last_tried_by text,
    acknowledged_at timestamptz,
    acknowledged_by text,
    note text,
    is_overdue_told boolean NOT NULL DEFAULT false,
    CONSTRAINT uq_emergency_call_emergency_key UNIQUE (emergency_key, entry_key)
);
CREATE INDEX ix_emergency_call_due_at ON emergency_call (due_at)
    WHERE acknowledged_at IS NULL AND NOT is_overdue_told;

CREATE TABLE emergency_report (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_emergency_report PRIMARY KEY,
    emergency_key bigint NOT NULL
        CONSTRAINT fk_emergency_report_emergency_key REFERENCES emergency (key),
    kind text NOT NULL CONSTRAINT ck_emergency_report_kind_known
        CHECK (kind IN ('first', 'follow_up', 'final')),
    number integer NOT NULL,
    starts_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    sent_by text,
    sent_to text,
    text text,
    cancelled_at timestamptz,
    is_overdue_told boolean NOT NULL DEFAULT false,
    CONSTRAINT uq_emergency_report_emergency_key UNIQUE (emergency_key, number),
    CONSTRAINT ck_emergency_report_sent_whole CHECK (
        (sent_at IS NULL) = (sent_by IS NULL) AND (sent_at IS NULL) = (text IS NULL)
        AND (sent_at IS NULL OR cancelled_at IS NULL))
);
CREATE INDEX ix_emergency_report_due_at ON emergency_report (due_at)
    WHERE sent_at IS NULL AND cancelled_at IS NULL AND NOT is_overdue_told;
