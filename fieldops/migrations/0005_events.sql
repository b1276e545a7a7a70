-- Everything people did, in the order in which it was committed. A row is only ever inserted, by
-- append_events(), which every transaction calls as its last statement: the head's lock is held
-- only from then to the commit, so positions have no gaps and follow the order of the commits.
CREATE TABLE event (
    position bigint NOT NULL CONSTRAINT pk_event PRIMARY KEY,
    kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_key bigint NOT NULL,
    body jsonb NOT NULL,
    person_id bigint CONSTRAINT fk_event_person_id REFERENCES person (id),
    person_name text,
    by_phone_for text,
    device text,
    op_id uuid,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX ix_event_subject_kind ON event (subject_kind, subject_key, position);
CREATE INDEX ix_event_kind ON event (kind, position);

CREATE TABLE event_head (
    is_only boolean DEFAULT true NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_event_head PRIMARY KEY (is_only),
    CONSTRAINT ck_event_head_is_only CHECK (is_only)
);
INSERT INTO event_head (position, hash) VALUES (0, '\x');

-- What the chain covers: all that a row says, each value told apart from its neighbours.
CREATE FUNCTION event_hash(
    previous bytea, at_position bigint, kind text, subject_kind text, subject_key bigint, body jsonb,
    person_id bigint, person_name text, by_phone_for text, device text, op_id uuid,
    occurred_at timestamptz, received_at timestamptz
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
        at_position, kind, subject_kind, subject_key, body, person_id, person_name, by_phone_for,
        device, op_id, extract(epoch FROM occurred_at)::text, extract(epoch FROM received_at)::text
    )::text, 'UTF8'))
$$;

CREATE FUNCTION append_events(drafts jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    here bigint;
    chain bytea;
    draft record;
BEGIN
    SELECT position, hash INTO here, chain FROM event_head FOR UPDATE;
    FOR draft IN
        SELECT * FROM jsonb_to_recordset(drafts) AS d (
            kind text, subject_kind text, subject_key bigint, body jsonb, person_id bigint,
            person_name text, by_phone_for text, device text, op_id uuid,
            occurred_at timestamptz, received_at timestamptz)
    LOOP
        here := here + 1;
        chain := event_hash(
            chain, here, draft.kind, draft.subject_kind, draft.subject_key, draft.body,
            draft.person_id, draft.person_name, draft.by_phone_for, draft.device, draft.op_id,
            draft.occurred_at, draft.received_at);
        INSERT INTO event VALUES (
            here, draft.kind, draft.subject_kind, draft.subject_key, draft.body,
            draft.person_id, draft.person_name, draft.by_phone_for, draft.device, draft.op_id,
            draft.occurred_at, draft.received_at, chain);
    END LOOP;
    UPDATE event_head SET position = here, hash = chain;
    -- An id only: who listens reads the rest from the table.
    PERFORM pg_notify('event', here::text);
    RETURN here;
END
$$;

CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or deleted (% on %)', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_event();
REVOKE UPDATE, DELETE, TRUNCATE ON event FROM CURRENT_USER;

-- The answer to each operation that was ever sent, told again word for word if it comes again.
CREATE TABLE operation (
    op_id uuid NOT NULL CONSTRAINT pk_operation PRIMARY KEY,
    device text NOT NULL,
    sequence bigint,
    subject text NOT NULL,
    action text NOT NULL,
    digest bytea NOT NULL,
    result jsonb NOT NULL,
    person_id bigint NOT NULL CONSTRAINT fk_operation_person_id REFERENCES person (id),
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    skew_s double precision
);
CREATE INDEX ix_operation_device ON operation (device, sequence);
