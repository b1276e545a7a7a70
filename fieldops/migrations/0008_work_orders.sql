-- Calendars, limits, clocks and work orders.

-- Calendars: when a clock runs. Days that are not listed are workdays from Monday to Friday.
CREATE TABLE calendar (
    id text NOT NULL CONSTRAINT pk_calendar PRIMARY KEY,
    is_always boolean DEFAULT false NOT NULL,
    timezone text DEFAULT 'Asia/Shanghai' NOT NULL
);
CREATE TABLE working_hours (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_working_hours PRIMARY KEY,
    calendar_id text NOT NULL CONSTRAINT fk_working_hours_calendar_id REFERENCES calendar (id),
    opens time NOT NULL,
    closes time NOT NULL,
    CONSTRAINT ck_working_hours_in_order CHECK (opens < closes)
);
CREATE TABLE calendar_day (
    calendar_id text NOT NULL CONSTRAINT fk_calendar_day_calendar_id REFERENCES calendar (id),
    day date NOT NULL,
    is_workday boolean NOT NULL,
    title text,
    is_edited boolean DEFAULT false NOT NULL,
    CONSTRAINT pk_calendar_day PRIMARY KEY (calendar_id, day)
);
CREATE TABLE time_class (
    id text NOT NULL CONSTRAINT pk_time_class PRIMARY KEY,
    starts time NOT NULL,
    ends time NOT NULL
);
INSERT INTO calendar (id, is_always) VALUES ('always', true), ('office', false);
INSERT INTO working_hours (calendar_id, opens, closes)
VALUES ('office', '08:30', '12:00'), ('office', '13:30', '17:30');
INSERT INTO time_class VALUES ('day', '08:00', '20:00'), ('night', '20:00', '08:00');

CREATE FUNCTION calendar_ranges(calendar_id text, from_at timestamptz, to_at timestamptz)
RETURNS tstzmultirange LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN NOT from_at < to_at THEN '{}'::tstzmultirange
        WHEN calendar.is_always THEN tstzmultirange(tstzrange(from_at, to_at))
        ELSE tstzmultirange(tstzrange(from_at, to_at)) * coalesce((
            SELECT range_agg(tstzrange(
                (dates.day + hours.opens) AT TIME ZONE calendar.timezone,
                (dates.day + hours.closes) AT TIME ZONE calendar.timezone))
            FROM (
                SELECT first + number AS day
                FROM (SELECT (from_at AT TIME ZONE calendar.timezone)::date AS first,
                             (to_at AT TIME ZONE calendar.timezone)::date AS last) AS ends,
                     generate_series(0, last - first) AS number) AS dates
            JOIN working_hours AS hours ON hours.calendar_id = calendar.id
            LEFT JOIN calendar_day AS known
                ON known.calendar_id = calendar.id AND known.day = dates.day
            WHERE coalesce(known.is_workday, extract(isodow FROM dates.day) < 6)
        ), '{}'::tstzmultirange)
    END
    FROM calendar WHERE calendar.id = $1
$$;

CREATE FUNCTION multirange_s(ranges tstzmultirange) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(one) - lower(one))), 0)::double precision
    FROM unnest(ranges) AS one
$$;

-- The open span, where the calendar lets it count, without the holds.
CREATE FUNCTION clock_elapsed_s(
    calendar_id text, from_at timestamptz, to_at timestamptz, holds tstzmultirange
) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT multirange_s(calendar_ranges(calendar_id, from_at, to_at) - holds)
$$;

-- The instant at which so much has elapsed; NULL if the calendar has no such hour in 20 years.
CREATE FUNCTION clock_due(
    calendar_id text, from_at timestamptz, limit_s double precision, holds tstzmultirange
) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    width interval := make_interval(secs => limit_s + multirange_s(holds) + 1);
    due timestamptz;
BEGIN
    WHILE width < interval '20 years' LOOP
        SELECT lower(one) + make_interval(secs => limit_s - before) INTO due
        FROM (
            SELECT one, sum(len) OVER (ORDER BY one) - len AS before, len
            FROM (
                SELECT one, extract(epoch FROM upper(one) - lower(one)) AS len
                FROM unnest(calendar_ranges(calendar_id, from_at, from_at + width) - holds) AS one
            ) AS lengths
        ) AS sums
        WHERE before + len >= limit_s ORDER BY one LIMIT 1;
        IF due IS NOT NULL THEN
            RETURN due;
        END IF;
        width := width * 3 + interval '3 days';
    END LOOP;
    RETURN NULL;
END
$$;

-- What was promised, to whom, from which document on.
CREATE TABLE clock_limit (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_clock_limit PRIMARY KEY,
    clock_kind text NOT NULL,
    work_kind text,
    severity text,
    diameter_from_mm double precision,
    diameter_to_mm double precision,
    area_class text,
    time_class text CONSTRAINT fk_clock_limit_time_class REFERENCES time_class (id),
    limit_s bigint NOT NULL,
    starts_at text NOT NULL,
    calendar_id text DEFAULT 'always' NOT NULL
        CONSTRAINT fk_clock_limit_calendar_id REFERENCES calendar (id),
    is_external boolean NOT NULL,
    is_stopped_by_holds boolean DEFAULT true NOT NULL,
    source text NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    CONSTRAINT ck_clock_limit_positive CHECK (limit_s > 0),
    CONSTRAINT ck_clock_limit_start_known
        CHECK (starts_at IN ('reported', 'aware', 'located', 'assigned', 'arrived')),
    CONSTRAINT ck_clock_limit_dates_in_order CHECK (valid_to >= valid_from),
    CONSTRAINT ck_clock_limit_diameters_in_order CHECK (diameter_from_mm <= diameter_to_mm)
);
CREATE INDEX ix_clock_limit_clock_kind ON clock_limit (clock_kind);

-- A subject is named by its kind and key, as in the log: clocks know nothing of what they time.
-- `pauses`: spans of this clock alone that never count, whatever holds may stop.
CREATE TABLE clock (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_clock PRIMARY KEY,
    subject_kind text NOT NULL,
    subject_key bigint NOT NULL,
    subject_id text NOT NULL,
    kind text NOT NULL,
    is_external boolean NOT NULL,
    limit_key bigint CONSTRAINT fk_clock_limit_key REFERENCES clock_limit (key),
    limit_s bigint NOT NULL,
    calendar_id text NOT NULL CONSTRAINT fk_clock_calendar_id REFERENCES calendar (id),
    is_stopped_by_holds boolean NOT NULL,
    started_at timestamptz NOT NULL,
    stopped_at timestamptz,
    pauses tstzmultirange DEFAULT '{}' NOT NULL,
    due_80_at timestamptz,
    due_at timestamptz,
    due_150_at timestamptz,
    escalated_percent smallint DEFAULT 0 NOT NULL,
    next_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN stopped_at IS NOT NULL THEN NULL
             WHEN escalated_percent < 80 THEN due_80_at
             WHEN escalated_percent < 100 THEN due_at
             WHEN escalated_percent < 150 THEN due_150_at END) STORED
);
CREATE INDEX ix_clock_subject_kind ON clock (subject_kind, subject_key);
CREATE UNIQUE INDEX ix_clock_running ON clock (subject_kind, subject_key, kind, is_external)
    WHERE stopped_at IS NULL;
CREATE INDEX ix_clock_due_at ON clock (due_at) WHERE stopped_at IS NULL;
CREATE INDEX ix_clock_next_at ON clock (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE clock_hold (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_clock_hold PRIMARY KEY,
    subject_kind text NOT NULL,
    subject_key bigint NOT NULL,
    from_at timestamptz NOT NULL,
    excused_until timestamptz NOT NULL,
    ended_at timestamptz,
    reason text NOT NULL,
    CONSTRAINT ck_clock_hold_in_order CHECK (excused_until >= from_at AND ended_at >= from_at)
);
CREATE INDEX ix_clock_hold_subject_kind ON clock_hold (subject_kind, subject_key);
CREATE UNIQUE INDEX ix_clock_hold_open ON clock_hold (subject_kind, subject_key)
    WHERE ended_at IS NULL;

-- A hold excuses until it ends, and never longer than it was said to last.
CREATE FUNCTION clock_holds(of_kind text, of_key bigint) RETURNS tstzmultirange
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        range_agg(tstzrange(from_at, least(excused_until, ended_at))), '{}'::tstzmultirange)
    FROM clock_hold WHERE subject_kind = of_kind AND subject_key = of_key
$$;

CREATE TABLE clock_escalation (
    clock_key bigint NOT NULL CONSTRAINT fk_clock_escalation_clock_key REFERENCES clock (key),
    percent smallint NOT NULL,
    due_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    CONSTRAINT pk_clock_escalation PRIMARY KEY (clock_key, percent)
);

-- Who had it: a turn lasts until the next begins, so every minute belongs to exactly one.
CREATE TABLE holder_turn (
    subject_kind text NOT NULL,
    subject_key bigint NOT NULL,
    started_at timestamptz NOT NULL,
    holder_kind text NOT NULL,
    holder_id text NOT NULL,
    holder_name text NOT NULL,
    CONSTRAINT pk_holder_turn PRIMARY KEY (subject_kind, subject_key, started_at),
    CONSTRAINT ck_holder_turn_kind_known
        CHECK (holder_kind IN ('crew', 'department', 'person', 'nobody'))
);

CREATE TABLE supervision_note (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_supervision_note PRIMARY KEY,
    subject_kind text NOT NULL,
    subject_key bigint NOT NULL,
    subject_id text NOT NULL,
    kind text NOT NULL,
    body jsonb NOT NULL,
    raised_at timestamptz NOT NULL,
    CONSTRAINT uq_supervision_note_subject_kind UNIQUE (subject_kind, subject_key, kind)
);

-- The process of a work order as data. A new version is added; an order keeps its own.
CREATE TABLE order_process (
    version bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_order_process PRIMARY KEY,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    note text NOT NULL
);
CREATE TABLE order_stage (
    process_version bigint NOT NULL
        CONSTRAINT fk_order_stage_process_version REFERENCES order_process (version),
    state text NOT NULL,
    position double precision NOT NULL,
    title text,
    holder text NOT NULL,
    is_open boolean NOT NULL,
    is_crew_busy boolean NOT NULL,
    CONSTRAINT pk_order_stage PRIMARY KEY (process_version, state),
    CONSTRAINT ck_order_stage_holder_known
        CHECK (holder IN ('crew', 'dispatch', 'service', 'supervision', 'nobody'))
);
CREATE TABLE order_transition (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_order_transition PRIMARY KEY,
    process_version bigint NOT NULL
        CONSTRAINT fk_order_transition_process_version REFERENCES order_process (version),
    position double precision NOT NULL,
    action text NOT NULL,
    from_states text[] NOT NULL,
    to_state text,
    only_when jsonb DEFAULT '{}' NOT NULL,
    may text[] NOT NULL,
    is_not_for_own_crew boolean DEFAULT false NOT NULL,
    needs jsonb DEFAULT '[]' NOT NULL,
    title text
);
CREATE INDEX ix_order_transition_process_version ON order_transition (process_version, position);

CREATE TABLE order_policy (
    name text NOT NULL CONSTRAINT pk_order_policy PRIMARY KEY,
    value double precision NOT NULL CONSTRAINT ck_order_policy_positive CHECK (value > 0),
    note text NOT NULL
);
INSERT INTO order_policy (name, value, note) VALUES
    ('crew_hold_most_h', 24, 'a crew holds an order no longer; whoever sends crews may');

CREATE TABLE work_order (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_work_order PRIMARY KEY,
    id text GENERATED ALWAYS AS ('W-' || key) STORED CONSTRAINT uq_work_order_id UNIQUE,
    incident_key bigint CONSTRAINT fk_work_order_incident_key REFERENCES incident (key),
    outage_key bigint,
    kind text NOT NULL,
    severity text NOT NULL,
    task text,
    state text NOT NULL,
    state_since timestamptz NOT NULL,
    is_open boolean NOT NULL,
    is_crew_busy boolean NOT NULL,
    is_on_hold boolean DEFAULT false NOT NULL,
    held_from text,
    hold_reason text,
    resume_by timestamptz,
    crew_key bigint CONSTRAINT fk_work_order_crew_key REFERENCES crew (key),
    second_crew_key bigint CONSTRAINT fk_work_order_second_crew_key REFERENCES crew (key),
    had_crew_keys bigint[] DEFAULT '{}' NOT NULL,
    crews_needed integer DEFAULT 1 NOT NULL,
    skills text[] DEFAULT '{}' NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    address text,
    area_class text,
    pipe_key bigint,
    at_m double precision,
    diameter_mm double precision,
    needs_excavation boolean DEFAULT false NOT NULL,
    customers_out integer,
    critical_out integer,
    weight_floor double precision DEFAULT 0 NOT NULL,
    expected_work_min double precision NOT NULL,
    release_at timestamptz NOT NULL,
    due_at timestamptz,
    arrive_due_at timestamptz,
    after_order_key bigint CONSTRAINT fk_work_order_after_order_key REFERENCES work_order (key),
    reported_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    triaged_at timestamptz,
    assigned_at timestamptz,
    accepted_at timestamptz,
    departed_at timestamptz,
    arrived_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    restored_at timestamptz,
    verified_at timestamptz,
    closed_at timestamptz,
    is_pinned boolean DEFAULT false NOT NULL,
    pin_reason text,
    process_version bigint NOT NULL
        CONSTRAINT fk_work_order_process_version REFERENCES order_process (version),
    data jsonb DEFAULT '{}' NOT NULL,
    is_drill boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    changed_in jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT ck_work_order_kind_known CHECK (
        kind IN ('make_safe', 'repair', 'reinstate', 'flush', 'check', 'routine')),
    CONSTRAINT ck_work_order_severity_known CHECK (
        severity IN ('danger', 'burst', 'leak', 'routine')),
    CONSTRAINT ck_work_order_hold_has_reason CHECK (
        NOT is_on_hold OR (hold_reason IS NOT NULL AND resume_by IS NOT NULL)),
    CONSTRAINT ck_work_order_two_crews_differ CHECK (crew_key <> second_crew_key),
    CONSTRAINT ck_work_order_crews_needed_one_or_two CHECK (crews_needed BETWEEN 1 AND 2)
);
CREATE INDEX ix_work_order_open ON work_order (key) WHERE is_open;
CREATE INDEX ix_work_order_incident_key ON work_order (incident_key);
CREATE INDEX ix_work_order_crew_key ON work_order (crew_key);
CREATE INDEX ix_work_order_second_crew_key ON work_order (second_crew_key);
CREATE INDEX ix_work_order_after_order_key ON work_order (after_order_key);
-- A crew is in one place at a time, whoever sends it.
CREATE UNIQUE INDEX ix_work_order_busy_crew ON work_order (crew_key) WHERE is_crew_busy;

-- What one stage gave to the next; sent back, it was not right the first time.
CREATE TABLE hand_over (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_hand_over PRIMARY KEY,
    order_key bigint NOT NULL CONSTRAINT fk_hand_over_order_key REFERENCES work_order (key),
    action text NOT NULL,
    crew_key bigint CONSTRAINT fk_hand_over_crew_key REFERENCES crew (key),
    person_id bigint CONSTRAINT fk_hand_over_person_id REFERENCES person (id),
    person_name text NOT NULL,
    at timestamptz NOT NULL,
    sent_back_at timestamptz,
    sent_back_by text,
    reason text
);
CREATE INDEX ix_hand_over_order_key ON hand_over (order_key, key);

INSERT INTO order_process (made_at, made_by, note)
VALUES ('2026-01-01T00:00Z', 'fieldops', 'preset');
INSERT INTO order_stage
    (process_version, state, position, holder, is_open, is_crew_busy)
VALUES
    (1, 'new', 1, 'service', true, false),
    (1, 'triaged', 2, 'dispatch', true, false),
    (1, 'assigned', 3, 'crew', true, true),
    (1, 'accepted', 4, 'crew', true, true),
    (1, 'en_route', 5, 'crew', true, true),
    (1, 'on_site', 6, 'crew', true, true),
    (1, 'working', 7, 'crew', true, true),
    (1, 'on_hold', 8, 'crew', true, false),
    (1, 'work_done', 9, 'crew', true, false),
    (1, 'restored', 10, 'supervision', true, false),
    (1, 'verified', 11, 'dispatch', true, false),
    (1, 'closed', 12, 'nobody', false, false),
    (1, 'cancelled', 13, 'nobody', false, false);
INSERT INTO order_transition
    (process_version, position, action, from_states, to_state, only_when, may,
     is_not_for_own_crew, needs)
VALUES
(1, 1, 'triage', '{new}', 'triaged', '{}', '{dispatcher,service_agent,manager}', false, '[]'),
(1, 2, 'assign', '{new,triaged,assigned,accepted,en_route}', 'assigned', '{}',
 '{dispatcher,manager}', false, '[{"field": "crew", "kind": "crew"}]'),
(1, 3, 'accept', '{assigned}', 'accepted', '{}', '{crew}', false, '[]'),
(1, 4, 'decline', '{assigned,accepted}', 'triaged', '{}', '{crew}', false,
 '[{"field": "reason", "kind": "text"}]'),
(1, 5, 'withdraw', '{assigned,accepted,en_route}', 'triaged', '{}',
 '{dispatcher,manager}', false, '[{"field": "reason", "kind": "text"}]'),
(1, 6, 'depart', '{accepted}', 'en_route', '{}', '{crew}', false, '[]'),
(1, 7, 'arrive', '{en_route}', 'on_site', '{}', '{crew}', false, '[]'),
(1, 8, 'start', '{on_site}', 'working', '{}', '{crew}', false,
 '[{"field": "safety_briefing", "kind": "yes", "is_fresh": true},
   {"kind": "predecessor"}]'),
(1, 9, 'enter_chamber', '{on_site,working}', '@same', '{}', '{crew}', false,
 '[{"field": "oxygen_percent", "kind": "number", "min": 19.5, "max": 23.5, "is_fresh": true},
   {"field": "explosive_percent_lel", "kind": "number", "min": 0, "max": 10, "is_fresh": true},
   {"field": "hydrogen_sulphide_ppm", "kind": "number", "min": 0, "max": 7, "is_fresh": true},
   {"field": "carbon_monoxide_ppm", "kind": "number", "min": 0, "max": 16, "is_fresh": true},
   {"field": "ventilated", "kind": "yes", "is_fresh": true},
   {"field": "second_person", "kind": "text", "is_fresh": true}]'),
(1, 10, 'dig', '{working}', '@same', '{}', '{crew}', false,
 '[{"field": "owners_asked", "kind": "all", "choices": ["gas", "power", "telecom"]},
   {"field": "road_permit", "kind": "text", "unless": "permit_later_reason"},
   {"field": "permit_later_reason", "kind": "text", "unless": "road_permit"},
   {"field": "permit_due_at", "kind": "later", "unless": "road_permit"}]'),
(1, 11, 'hold', '{triaged,assigned,accepted,en_route,on_site,working,work_done}', 'on_hold', '{}',
 '{crew,dispatcher,manager}', false,
 '[{"field": "reason", "kind": "text"}, {"field": "resume_by", "kind": "later"}]'),
(1, 12, 'resume', '{on_hold}', '@before_hold', '{}', '{crew,dispatcher,manager}', false, '[]'),
(1, 13, 'finish', '{working}', 'work_done', '{}', '{crew}', false,
 '[{"field": "cause", "kind": "choice", "when": {"kind": ["repair"]},
    "choices": ["fracture", "corrosion", "joint_leak", "seepage", "valve_fault", "frost",
                "third_party_damage", "water_hammer", "overpressure", "other"]},
   {"field": "repair", "kind": "text", "when": {"kind": ["repair"]}},
   {"field": "material", "kind": "text", "when": {"kind": ["repair"]}},
   {"field": "owners_asked", "kind": "all", "choices": ["gas", "power", "telecom"],
    "when": {"kind": ["repair"], "needs_excavation": [true]}},
   {"field": "road_permit", "kind": "text", "unless": "permit_later_reason",
    "when": {"kind": ["repair"], "needs_excavation": [true]}},
   {"field": "photo_before_backfill", "kind": "photo", "when": {"kind": ["repair"]}},
   {"field": "photo_after", "kind": "photo", "when": {"kind": ["repair", "reinstate"]}},
   {"field": "result", "kind": "text",
    "when": {"kind": ["make_safe", "reinstate", "flush", "check", "routine"]}}]'),
(1, 14, 'restore', '{work_done}', 'restored', '{"kind": ["repair", "flush"]}',
 '{crew,dispatcher}', false,
 '[{"field": "supply_back_at", "kind": "time", "since": "reported_at", "is_past": true},
   {"field": "flushed", "kind": "yes"},
   {"field": "sample_point", "kind": "text"},
   {"field": "turbidity_ntu", "kind": "number", "min": 0, "max": 1},
   {"field": "chlorine_mg_l", "kind": "number", "min": 0.05, "max": 2}]'),
(1, 15, 'verify', '{restored}', 'verified', '{}', '{dispatcher,planner,manager}', true, '[]'),
(1, 16, 'verify', '{work_done}', 'verified',
 '{"kind": ["make_safe", "reinstate", "check", "routine"]}',
 '{dispatcher,planner,manager}', true, '[]'),
(1, 17, 'close', '{verified}', 'closed', '{}', '{dispatcher,manager}', false,
 '[{"field": "work_report", "kind": "text", "when": {"kind": ["repair"]}},
   {"field": "material", "kind": "text", "when": {"kind": ["repair"]}},
   {"field": "photo_after", "kind": "photo", "when": {"kind": ["repair", "reinstate"]}},
   {"field": "road_permit", "kind": "text", "when": {"permit_later_reason": ["@given"]}},
   {"field": "road_permit", "kind": "text",
    "when": {"kind": ["repair"], "needs_excavation": [true]}}]'),
(1, 18, 'send_back', '{triaged}', 'new', '{}', '{dispatcher,manager}', false,
 '[{"field": "reason", "kind": "text"}]'),
(1, 19, 'send_back', '{work_done}', 'working', '{}', '{dispatcher,planner,manager}', false,
 '[{"field": "reason", "kind": "text"}]'),
(1, 20, 'send_back', '{restored}', 'work_done', '{}', '{dispatcher,planner,manager}', false,
 '[{"field": "reason", "kind": "text"}]'),
(1, 21, 'send_back', '{verified}', 'work_done', '{}', '{dispatcher,manager}', false,
 '[{"field": "reason", "kind": "text"}]'),
(1, 22, 'transfer', '{assigned,accepted,en_route,on_site,working,on_hold,work_done}', 'assigned',
 '{}', '{dispatcher,manager}', false,
 '[{"field": "crew", "kind": "crew"}, {"field": "reason", "kind": "text"}]'),
(1, 23, 'cancel',
 '{new,triaged,assigned,accepted,en_route,on_site,working,on_hold}', 'cancelled', '{}',
 '{dispatcher,manager}', false, '[{"field": "reason", "kind": "text"}]'),
(1, 24, 'reopen', '{closed,cancelled}', 'triaged', '{}',
 '{dispatcher,service_agent,manager}', false, '[{"field": "reason", "kind": "text"}]'),
(1, 25, 'set', '{new,triaged,assigned,accepted,en_route,on_site,working,on_hold,work_done,restored,verified}',
 '@same', '{}', '{crew,dispatcher,service_agent,manager}', false, '[]'),
(1, 26, 'note', '{@any}', '@same', '{}', '{crew,dispatcher,planner,service_agent,manager}', false,
 '[{"field": "text", "kind": "text"}]'),
-- A shift ends before the work does; whoever comes is told what is open, shut and tagged.
(1, 22.5, 'hand_over', '{assigned,accepted,en_route,on_site,working,on_hold,work_done}',
 'assigned', '{}', '{crew}', false,
 '[{"field": "crew", "kind": "crew"},
   {"field": "open_work", "kind": "text", "is_fresh": true}]'),
-- What was played is over with its drill, however far it had come.
(1, 27, 'cancel', '{work_done,restored,verified}', 'cancelled', '{"is_drill": [true]}', '{}',
 false, '[{"field": "reason", "kind": "text"}]');

-- Presets as utilities publish them; rows to be edited, never constants.
INSERT INTO clock_limit
    (clock_kind, work_kind, severity, diameter_from_mm, diameter_to_mm, area_class, time_class,
     limit_s, starts_at, is_external, is_stopped_by_holds, source, valid_from)
VALUES
    ('accept', NULL, NULL, NULL, NULL, NULL, NULL, 600, 'assigned', false, true,
     'preset', '2026-01-01'),
    ('arrive', NULL, NULL, NULL, NULL, NULL, NULL, 5400, 'reported', true, true,
     'preset', '2026-01-01'),
    ('arrive', NULL, 'burst', NULL, NULL, NULL, NULL, 3600, 'reported', true, false,
     'preset', '2026-01-01'),
    ('arrive', NULL, 'danger', NULL, NULL, NULL, NULL, 1800, 'reported', true, false,
     'preset', '2026-01-01'),
    ('arrive', NULL, 'burst', NULL, NULL, 'city', 'day', 1800, 'reported', true, false,
     'preset', '2026-01-01'),
    ('arrive', NULL, 'burst', NULL, NULL, 'city', 'night', 2700, 'reported', true, false,
     'preset', '2026-01-01'),
    ('arrive', NULL, 'burst', NULL, NULL, 'suburb', NULL, 5400, 'reported', true, false,
     'preset', '2026-01-01'),
    ('arrive', 'routine', 'routine', NULL, NULL, NULL, NULL, 172800, 'reported', true, true,
     'preset', '2026-01-01'),
    ('stop_water', 'make_safe', NULL, NULL, 300, NULL, NULL, 7200, 'reported', false, false,
     'preset', '2026-01-01'),
    ('stop_water', 'make_safe', NULL, 300.001, NULL, NULL, NULL, 14400, 'reported', false, false,
     'preset', '2026-01-01'),
    ('repair', 'repair', NULL, NULL, 100, NULL, NULL, 86400, 'reported', true, true,
     'preset', '2026-01-01'),
    ('repair', 'repair', NULL, 100.001, 600, NULL, NULL, 129600, 'reported', true, true,
     'preset', '2026-01-01'),
    ('repair', 'repair', NULL, 600.001, NULL, NULL, NULL, 172800, 'reported', true, true,
     'preset', '2026-01-01'),
    ('repair', 'repair', NULL, NULL, NULL, NULL, NULL, 129600, 'reported', true, true,
     'preset', '2026-01-01'),
    ('restore', 'repair', NULL, NULL, NULL, NULL, NULL, 86400, 'reported', true, false,
     'preset', '2026-01-01'),
    ('restore', 'repair', NULL, NULL, 600, NULL, NULL, 86400, 'reported', true, false,
     'preset', '2026-01-01'),
    ('restore', 'repair', NULL, 600.001, NULL, NULL, NULL, 172800, 'reported', true, false,
     'preset', '2026-01-01');
-- Two, five and seven workdays of 7.5 office hours each.
INSERT INTO clock_limit
    (clock_kind, work_kind, limit_s, starts_at, calendar_id, is_external, source, valid_from)
VALUES
    ('close', 'check', 54000, 'reported', 'office', true, 'preset', '2026-01-01'),
    ('close', 'routine', 135000, 'reported', 'office', true, 'preset', '2026-01-01'),
    ('close', 'reinstate', 189000, 'reported', 'office', false, 'preset', '2026-01-01');
