-- What is said to be drawn wrong on the map, and tracks that crews walked.

-- One row a thing that somebody saw to be otherwise; the map changes only when a person approves.
CREATE TABLE map_proposal (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_map_proposal PRIMARY KEY,
    id text GENERATED ALWAYS AS ('MP-' || key) STORED CONSTRAINT uq_map_proposal_id UNIQUE,
    client_id text NOT NULL CONSTRAINT uq_map_proposal_client_id UNIQUE,
    kind text NOT NULL CONSTRAINT ck_map_proposal_kind_known
        CHECK (kind IN ('moved', 'missing', 'not_there', 'wrong_fact')),
    feature_kind text NOT NULL CONSTRAINT ck_map_proposal_feature_kind_known
        CHECK (feature_kind IN ('valve', 'pipe')),
    feature_id text,
    lon double precision,
    lat double precision,
    accuracy_m double precision,
    was_lon double precision,
    was_lat double precision,
    facts jsonb NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    photo_sha256 text[] NOT NULL DEFAULT '{}',
    order_id text,
    geometry_revision bigint,
    device text,
    proposed_by_id bigint CONSTRAINT fk_map_proposal_proposed_by_id REFERENCES person (id),
    proposed_by text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'open' CONSTRAINT ck_map_proposal_status_known
        CHECK (status IN ('open', 'approved', 'rejected', 'withdrawn')),
    decided_by_id bigint CONSTRAINT fk_map_proposal_decided_by_id REFERENCES person (id),
    decided_by text,
    decided_at timestamptz,
    reason text,
    edit_key bigint,
    CONSTRAINT ck_map_proposal_feature CHECK ((kind = 'missing') = (feature_id IS NULL)),
    CONSTRAINT ck_map_proposal_place CHECK (
        (lon IS NULL) = (lat IS NULL) AND (kind NOT IN ('moved', 'missing') OR lon IS NOT NULL)
        AND (was_lon IS NULL) = (was_lat IS NULL)),
    CONSTRAINT ck_map_proposal_decided CHECK (
        (status = 'open') = (decided_at IS NULL) AND (status = 'open') = (decided_by IS NULL)
        AND (status <> 'rejected' OR reason IS NOT NULL))
);
CREATE INDEX ix_map_proposal_status ON map_proposal (status, received_at);
CREATE INDEX ix_map_proposal_proposed_by_id ON map_proposal (proposed_by_id, received_at);

-- A way that somebody went, from a file of their device; it comes in parts, and counts when all came.
CREATE TABLE track (
    key bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_track PRIMARY KEY,
    id text GENERATED ALWAYS AS ('T-' || key) STORED CONSTRAINT uq_track_id UNIQUE,
    client_id text NOT NULL CONSTRAINT uq_track_client_id UNIQUE,
    name text NOT NULL,
    part_count integer NOT NULL CONSTRAINT ck_track_part_count_positive CHECK (part_count > 0),
    person_id bigint CONSTRAINT fk_track_person_id REFERENCES person (id),
    person_name text NOT NULL,
    device text,
    received_at timestamptz NOT NULL,
    is_complete boolean NOT NULL DEFAULT false,
    point_count integer,
    length_m double precision,
    begins_at timestamptz,
    ends_at timestamptz,
    CONSTRAINT ck_track_complete CHECK (
        NOT is_complete OR (point_count IS NOT NULL AND length_m IS NOT NULL))
);
CREATE INDEX ix_track_received_at ON track (received_at);
CREATE INDEX ix_track_person_id ON track (person_id);

-- Points as [longitude, latitude, second since 1970 or null]; null where the track begins anew.
CREATE TABLE track_part (
    track_key bigint NOT NULL CONSTRAINT fk_track_part_track_key
        REFERENCES track (key) ON DELETE CASCADE,
    part integer NOT NULL,
    points jsonb NOT NULL,
    CONSTRAINT pk_track_part PRIMARY KEY (track_key, part)
);
