-- Crews, their skills, shifts and places; stock.

-- Depots come and go with imports of the network, so nothing refers to them by constraint: a crew
-- whose depot is gone has none until somebody gives it another.
CREATE TABLE crew (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_crew PRIMARY KEY,
    id text NOT NULL CONSTRAINT uq_crew_id UNIQUE,
    name text NOT NULL,
    contractor text,
    depot_key bigint,
    vehicle text,
    phone text,
    is_active boolean NOT NULL DEFAULT true,
    lon double precision,
    lat double precision,
    position_at timestamptz,
    position_accuracy_m double precision,
    is_position_doubted boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    changed_in jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_crew_id_not_empty CHECK (id <> ''),
    CONSTRAINT ck_crew_name_not_empty CHECK (name <> ''),
    CONSTRAINT ck_crew_position_whole CHECK (
        (lon IS NULL) = (lat IS NULL) AND (lon IS NULL) = (position_at IS NULL)
    ),
    CONSTRAINT ck_crew_on_earth CHECK (lon BETWEEN -180 AND 180 AND lat BETWEEN -90 AND 90)
);

-- Members without an account are known by name alone.
CREATE TABLE crew_member (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_crew_member PRIMARY KEY,
    crew_key bigint NOT NULL CONSTRAINT fk_crew_member_crew_key REFERENCES crew (key),
    person_id bigint CONSTRAINT fk_crew_member_person_id REFERENCES person (id),
    name text NOT NULL CONSTRAINT ck_crew_member_name_not_empty CHECK (name <> ''),
    phone text,
    is_leader boolean NOT NULL DEFAULT false,
    is_active boolean NOT NULL DEFAULT true
);
CREATE INDEX ix_crew_member_crew_key ON crew_member (crew_key);
CREATE UNIQUE INDEX uq_crew_member_person_id ON crew_member (person_id) WHERE is_active;

-- valid_until is the last day; null: no end.
CREATE TABLE crew_skill (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_crew_skill PRIMARY KEY,
    crew_key bigint NOT NULL CONSTRAINT fk_crew_skill_crew_key REFERENCES crew (key),
    member_key bigint CONSTRAINT fk_crew_skill_member_key REFERENCES crew_member (key),
    skill text NOT NULL CONSTRAINT ck_crew_skill_known CHECK (skill IN (
        'valve', 'general', 'excavation', 'welding_pe', 'leak_detection', 'traffic_control',
        'confined_space')),
    valid_until date
);
CREATE INDEX ix_crew_skill_crew_key ON crew_skill (crew_key);

-- Where a crew has equipment for a skill, the skill counts only while a piece of it is valid.
CREATE TABLE crew_equipment (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_crew_equipment PRIMARY KEY,
    crew_key bigint NOT NULL CONSTRAINT fk_crew_equipment_crew_key REFERENCES crew (key),
    name text NOT NULL CONSTRAINT ck_crew_equipment_name_not_empty CHECK (name <> ''),
    for_skill text CONSTRAINT ck_crew_equipment_skill_known CHECK (for_skill IN (
        'valve', 'general', 'excavation', 'welding_pe', 'leak_detection', 'traffic_control',
        'confined_space')),
    valid_until date
);
CREATE INDEX ix_crew_equipment_crew_key ON crew_equipment (crew_key);

CREATE TABLE shift (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_shift PRIMARY KEY,
    crew_key bigint NOT NULL CONSTRAINT fk_shift_crew_key REFERENCES crew (key),
    kind text NOT NULL CONSTRAINT ck_shift_kind_known CHECK (kind IN ('shift', 'on_call')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    rank integer,
    CONSTRAINT ck_shift_in_order CHECK (starts_at < ends_at),
    CONSTRAINT ck_shift_on_call_ranked
        CHECK ((kind = 'on_call') = (rank IS NOT NULL) AND rank >= 1)
);
CREATE INDEX ix_shift_crew_key_ends_at ON shift (crew_key, ends_at);
CREATE INDEX ix_shift_ends_at ON shift (ends_at);

-- Limits of the utility's own, for all crews; one row.
CREATE TABLE crew_policy (
    is_only boolean DEFAULT true NOT NULL,
    position_stale_min integer NOT NULL DEFAULT 15,
    clock_ahead_s integer NOT NULL DEFAULT 120,
    expiring_days integer NOT NULL DEFAULT 30,
    CONSTRAINT pk_crew_policy PRIMARY KEY (is_only),
    CONSTRAINT ck_crew_policy_is_only CHECK (is_only),
    CONSTRAINT ck_crew_policy_positive
        CHECK (position_stale_min > 0 AND clock_ahead_s >= 0 AND expiring_days >= 0)
);
INSERT INTO crew_policy DEFAULT VALUES;

-- A van belongs to a crew, a store to a depot.
CREATE TABLE stock_place (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_stock_place PRIMARY KEY,
    id text GENERATED ALWAYS AS ('SP-' || key) STORED CONSTRAINT uq_stock_place_id UNIQUE,
    kind text NOT NULL CONSTRAINT ck_stock_place_kind_known CHECK (kind IN ('van', 'depot')),
    name text NOT NULL CONSTRAINT ck_stock_place_name_not_empty CHECK (name <> ''),
    crew_key bigint CONSTRAINT fk_stock_place_crew_key REFERENCES crew (key),
    depot_key bigint,
    is_active boolean NOT NULL DEFAULT true,
    CONSTRAINT ck_stock_place_one_owner
        CHECK ((kind = 'van') = (crew_key IS NOT NULL) AND (kind = 'depot' OR depot_key IS NULL))
);
CREATE UNIQUE INDEX uq_stock_place_crew_key ON stock_place (crew_key);
CREATE UNIQUE INDEX uq_stock_place_depot_key ON stock_place (depot_key);

-- What a clamp grips or a pipe is: nominal and outside diameter, material; null fits any.
CREATE TABLE stock_item (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_stock_item PRIMARY KEY,
    id text GENERATED ALWAYS AS ('SI-' || key) STORED CONSTRAINT uq_stock_item_id UNIQUE,
    code text NOT NULL CONSTRAINT uq_stock_item_code UNIQUE,
    name text NOT NULL CONSTRAINT ck_stock_item_name_not_empty CHECK (name <> ''),
    kind text NOT NULL CONSTRAINT ck_stock_item_kind_known
        CHECK (kind IN ('clamp', 'pipe', 'coupling', 'valve', 'other')),
    unit text NOT NULL CONSTRAINT ck_stock_item_unit_known CHECK (unit IN ('piece', 'm')),
    dn integer CONSTRAINT ck_stock_item_dn_positive CHECK (dn > 0),
    de_from_mm double precision,
    de_to_mm double precision,
    material text,
    CONSTRAINT ck_stock_item_range CHECK (
        (de_from_mm IS NULL) = (de_to_mm IS NULL) AND de_from_mm > 0 AND de_from_mm <= de_to_mm)
);
CREATE INDEX ix_stock_item_dn ON stock_item (dn);

CREATE TABLE stock_level (
    place_key bigint NOT NULL CONSTRAINT fk_stock_level_place_key REFERENCES stock_place (key),
    item_key bigint NOT NULL CONSTRAINT fk_stock_level_item_key REFERENCES stock_item (key),
    quantity numeric(12, 2) NOT NULL
        CONSTRAINT ck_stock_level_not_negative CHECK (quantity >= 0),
    low_at numeric(12, 2) NOT NULL DEFAULT 0
        CONSTRAINT ck_stock_level_low_not_negative CHECK (low_at >= 0),
    CONSTRAINT pk_stock_level PRIMARY KEY (place_key, item_key)
);
CREATE INDEX ix_stock_level_item_key ON stock_level (item_key);

-- What moved, from where, to where, and for which work order. Never changed, never deleted.
CREATE TABLE stock_movement (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_stock_movement PRIMARY KEY,
    kind text NOT NULL CONSTRAINT ck_stock_movement_kind_known
        CHECK (kind IN ('issue', 'return', 'restock', 'transfer', 'count')),
    item_key bigint NOT NULL CONSTRAINT fk_stock_movement_item_key REFERENCES stock_item (key),
    from_place_key bigint
        CONSTRAINT fk_stock_movement_from_place_key REFERENCES stock_place (key),
    to_place_key bigint CONSTRAINT fk_stock_movement_to_place_key REFERENCES stock_place (key),
    quantity numeric(12, 2) NOT NULL
        CONSTRAINT ck_stock_movement_quantity_positive CHECK (quantity > 0),
    order_id text,
    person_id bigint CONSTRAINT fk_stock_movement_person_id REFERENCES person (id),
    person_name text NOT NULL,
    note text,
    at timestamptz NOT NULL,
    CONSTRAINT ck_stock_movement_somewhere
        CHECK (from_place_key IS NOT NULL OR to_place_key IS NOT NULL),
    CONSTRAINT ck_stock_movement_order
        CHECK ((kind IN ('issue', 'return')) = (order_id IS NOT NULL))
);
CREATE INDEX ix_stock_movement_item_key ON stock_movement (item_key, key);
CREATE INDEX ix_stock_movement_order_id ON stock_movement (order_id);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON stock_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON stock_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event();
