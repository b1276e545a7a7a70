-- Districts, and what tablets fetch of them.

CREATE TABLE district (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_district PRIMARY KEY,
    id text GENERATED ALWAYS AS ('district-' || key) STORED CONSTRAINT uq_district_id UNIQUE,
    name text NOT NULL CONSTRAINT uq_district_name UNIQUE
        CONSTRAINT ck_district_name_not_empty CHECK (name <> ''),
    area geometry(MultiPolygon, 4326) NOT NULL,
    drawn_at timestamptz NOT NULL,
    drawn_by text NOT NULL
);

-- The last pack of each district, and of the whole network where there is none. Files lie on the
-- disk under their hashes; this tells which are current.
CREATE TABLE pack (
    district text NOT NULL CONSTRAINT pk_pack PRIMARY KEY,
    geometry_revision bigint NOT NULL,
    revision bigint NOT NULL,
    drawn_at timestamptz,
    baked_at timestamptz NOT NULL,
    files jsonb NOT NULL
);
