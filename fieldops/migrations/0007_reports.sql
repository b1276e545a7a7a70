-- Photos, incidents and reports. A report is what somebody told, an incident one thing that is
-- wrong: many reports are linked to one incident, and none is ever merged into another.

-- The bytes stand here, so that one backup holds all. `original` is evidence and stays inside;
-- `published` was drawn anew from its pixels and carries nothing else.
CREATE TABLE photo (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_photo PRIMARY KEY,
    sha256 text NOT NULL CONSTRAINT uq_photo_sha256 UNIQUE,
    media_type text NOT NULL,
    original bytea NOT NULL,
    published bytea NOT NULL,
    width_px integer NOT NULL,
    height_px integer NOT NULL,
    claimed_at timestamptz,
    claimed_lon double precision,
    claimed_lat double precision,
    received_at timestamptz NOT NULL,
    person_id bigint CONSTRAINT fk_photo_person_id REFERENCES person (id),
    CONSTRAINT ck_photo_sha256_is_hex CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

-- Pieces of a photo whose sending was cut off, until the rest comes.
CREATE TABLE photo_piece (
    sha256 text NOT NULL,
    first_byte bigint NOT NULL,
    total_bytes bigint NOT NULL,
    data bytea NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT pk_photo_piece PRIMARY KEY (sha256, first_byte)
);
CREATE INDEX ix_photo_piece_received_at ON photo_piece (received_at);

CREATE TABLE incident (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_incident PRIMARY KEY,
    id text GENERATED ALWAYS AS ('I-'::text || key::text) STORED CONSTRAINT uq_incident_id UNIQUE,
    kind text NOT NULL,
    status text DEFAULT 'open' NOT NULL,
    is_planned boolean DEFAULT false NOT NULL,
    is_drill boolean DEFAULT false NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    geometry geometry(Point, 4326)
        GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED,
    address text,
    pipe_key bigint,
    at_m double precision,
    -- The isolation segment: its pipes, and its parts of pipes as the map's tiles number them.
    zone_pipe_keys bigint[] DEFAULT '{}' NOT NULL,
    zone_parts bigint[] DEFAULT '{}' NOT NULL,
    zone_lock text,
    danger boolean DEFAULT false NOT NULL,
    is_spreading boolean DEFAULT false NOT NULL,
    score integer DEFAULT 0 NOT NULL,
    score_parts jsonb DEFAULT '[]' NOT NULL,
    -- NULL is "not known yet" in all of these, and never "none".
    properties_out integer,
    people_out integer,
    critical_out integer,
    critical_ids text[],
    hydrants_dry integer,
    diameter_mm double precision,
    road_name text,
    road_kmh double precision,
    fire_service_told_at timestamptz,
    fire_service_told_by text,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    opened_by_id bigint CONSTRAINT fk_incident_opened_by_id REFERENCES person (id),
    closed_at timestamptz,
    closed_by text,
    version bigint DEFAULT 1 NOT NULL,
    changed_in jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT ck_incident_status CHECK (status IN ('open', 'closed')),
    CONSTRAINT ck_incident_closed CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
-- Two who open at the same moment what is one burst: the second is refused by this.
CREATE UNIQUE INDEX ix_incident_zone_lock ON incident (zone_lock) WHERE status = 'open';
-- Without its list of pending entries, which every search would have to read through.
CREATE INDEX ix_incident_zone_parts ON incident USING gin (zone_parts) WITH (fastupdate = off)
    WHERE status = 'open';
CREATE INDEX ix_incident_geometry ON incident USING gist (geometry) WHERE status = 'open';
CREATE INDEX ix_incident_opened_at ON incident (status, opened_at);

CREATE TABLE report (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_report PRIMARY KEY,
    id text GENERATED ALWAYS AS ('R-'::text || key::text) STORED CONSTRAINT uq_report_id UNIQUE,
    kind text NOT NULL,
    contact text DEFAULT 'fault' NOT NULL,
    channel text NOT NULL,
    words text DEFAULT '' NOT NULL,
    danger boolean DEFAULT false NOT NULL,
    is_drill boolean DEFAULT false NOT NULL,
    name text,
    phone text,
    lon double precision,
    lat double precision,
    geometry geometry(Point, 4326)
        GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED,
    address text,
    pipe_key bigint,
    at_m double precision,
    part_key bigint,
    customer_key bigint,
    incident_key bigint CONSTRAINT fk_report_incident_key REFERENCES incident (key),
    link_kind text,
    linked_by text,
    -- Incidents from which somebody parted this report: never linked to them again by itself.
    parted_from bigint[] DEFAULT '{}' NOT NULL,
    outage_key bigint,
    promise jsonb,
    status text DEFAULT 'open' NOT NULL,
    first_contact_id bigint CONSTRAINT fk_report_first_contact_id REFERENCES person (id),
    first_contact_by text,
    received_at timestamptz NOT NULL,
    ended_at timestamptz,
    photo_sha256 text[] DEFAULT '{}' NOT NULL,
    client_id text CONSTRAINT uq_report_client_id UNIQUE,
    token text CONSTRAINT uq_report_token UNIQUE,
    version bigint DEFAULT 1 NOT NULL,
    changed_in jsonb DEFAULT '{}' NOT NULL,
    CONSTRAINT ck_report_status
        CHECK (status IN ('open', 'linked', 'callback_due', 'answered', 'closed')),
    CONSTRAINT ck_report_linked CHECK ((incident_key IS NULL) = (link_kind IS NULL))
);
CREATE INDEX ix_report_incident_key ON report (incident_key) WHERE incident_key IS NOT NULL;
CREATE INDEX ix_report_geometry ON report USING gist (geometry) WHERE status = 'open';
CREATE INDEX ix_report_part_key ON report (part_key) WHERE status = 'open';
CREATE INDEX ix_report_status ON report (status, received_at);
CREATE INDEX ix_report_phone ON report (phone) WHERE phone IS NOT NULL;

-- Tries to call somebody back; a report ends with one that reached, or with enough that failed.
CREATE TABLE call_back (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_call_back PRIMARY KEY,
    report_key bigint NOT NULL CONSTRAINT fk_call_back_report_key REFERENCES report (key),
    result text NOT NULL,
    note text DEFAULT '' NOT NULL,
    at timestamptz NOT NULL,
    person_id bigint CONSTRAINT fk_call_back_person_id REFERENCES person (id),
    person_name text NOT NULL,
    CONSTRAINT ck_call_back_result
        CHECK (result IN ('reached', 'not_back', 'complaint', 'no_answer', 'message'))
);
CREATE INDEX ix_call_back_report_key ON call_back (report_key);

-- Who sent something to the public page, as a keyed hash of the address, for as long as it counts.
CREATE TABLE public_post (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_public_post PRIMARY KEY,
    sender text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX ix_public_post_sender ON public_post (sender, at);

-- Policy: rows that a manager may change.
CREATE TABLE report_policy (
    name text NOT NULL CONSTRAINT pk_report_policy PRIMARY KEY,
    value double precision NOT NULL,
    note text NOT NULL
);
INSERT INTO report_policy (name, value, note) VALUES
    ('duplicate_distance_m', 250, 'a report so near may be of the same thing'),
    ('duplicate_age_h', 48, 'a record so young may be of the same thing'),
    ('duplicates_shown', 3, 'candidates shown at most'),
    ('reopening_h', 24, 'discoloured water so soon after a reopening comes from it'),
    ('nearest_pipe_m', 150, 'farther from every pipe, a place is of no segment'),
    ('quiet_from_h', 21, 'no calls from this hour on, local time'),
    ('quiet_until_h', 8, 'no calls before this hour, local time'),
    ('call_back_tries', 3, 'so many tries without an answer count as called back'),
    ('call_back_apart_min', 30, 'tries without an answer that lie nearer together count as one'),
    ('public_posts_most', 5, 'reports from one address on the public page'),
    ('public_posts_min', 10, 'within so many minutes');

-- points = least(most, points * value / per); where nothing is counted, points as they stand.
CREATE TABLE incident_weight (
    part text NOT NULL CONSTRAINT pk_incident_weight PRIMARY KEY,
    rank smallint NOT NULL,
    points double precision NOT NULL,
    per double precision NOT NULL,
    most double precision NOT NULL,
    note text NOT NULL
);
INSERT INTO incident_weight (part, rank, points, per, most, note) VALUES
    ('danger', 1, 30, 1, 30, 'people or traffic in danger'),
    ('customers_out', 2, 1, 10, 40, 'properties without water'),
    ('critical', 3, 15, 1, 45, 'critical customers without water'),
    ('diameter', 4, 5, 100, 25, 'millimetres of diameter'),
    ('road', 5, 2, 10, 12, 'km/h of the road it lies in'),
    ('spreading', 6, 15, 1, 15, 'it grows'),
    ('hydrants_dry', 7, 1, 1, 10, 'hydrants without water');

-- Which orders an incident of a kind begins with, in this order.
CREATE TABLE stage_policy (
    incident_kind text NOT NULL,
    rank smallint NOT NULL,
    order_kind text NOT NULL,
    severity text NOT NULL,
    skills text[] NOT NULL,
    expected_work_min double precision NOT NULL,
    needs_excavation boolean NOT NULL,
    crews_needed smallint NOT NULL,
    CONSTRAINT pk_stage_policy PRIMARY KEY (incident_kind, rank)
);
INSERT INTO stage_policy VALUES
    ('burst', 1, 'make_safe', 'burst', '{valve}', 60, false, 1),
    ('burst', 2, 'repair', 'burst', '{general,excavation}', 240, true, 1),
    ('third_party_damage', 1, 'make_safe', 'burst', '{valve}', 60, false, 1),
    ('third_party_damage', 2, 'repair', 'burst', '{general,excavation}', 240, true, 1),
    ('collapse', 1, 'make_safe', 'danger', '{valve,traffic_control}', 60, false, 1),
    ('collapse', 2, 'repair', 'burst', '{general,excavation}', 300, true, 1),
    ('surfacing', 1, 'check', 'leak', '{leak_detection}', 60, false, 1),
    ('surfacing', 2, 'repair', 'leak', '{general,excavation}', 180, true, 1),
    ('visible_leak', 1, 'repair', 'leak', '{general,excavation}', 180, true, 1),
    ('leak', 1, 'check', 'leak', '{leak_detection}', 60, false, 1),
    ('leak', 2, 'repair', 'leak', '{general,excavation}', 180, true, 1),
    ('frost', 1, 'repair', 'leak', '{general}', 120, false, 1),
    ('valve_fault', 1, 'repair', 'leak', '{valve,confined_space}', 120, false, 1),
    ('cover_defect', 1, 'make_safe', 'danger', '{general}', 30, false, 1),
    ('no_water', 1, 'check', 'leak', '{valve}', 45, false, 1),
    ('low_pressure', 1, 'check', 'routine', '{valve}', 45, false, 1),
    ('discoloured', 1, 'flush', 'routine', '{general}', 60, false, 1),
    ('odour', 1, 'check', 'leak', '{general}', 45, false, 1),
    ('planned_work', 1, 'repair', 'routine', '{general}', 240, true, 1),
    ('other', 1, 'check', 'routine', '{general}', 30, false, 1);

-- What a repair of a material asks of a crew besides.
CREATE TABLE material_skill (
    material text NOT NULL CONSTRAINT pk_material_skill PRIMARY KEY,
    skill text NOT NULL
);
INSERT INTO material_skill (material, skill) VALUES
    ('PE', 'welding_pe'), ('HDPE', 'welding_pe'), ('SRPE', 'welding_pe');
