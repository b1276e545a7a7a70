"""People, their sessions and tokens, and the sign-ins that failed."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE person (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_person PRIMARY KEY,
    login text NOT NULL CONSTRAINT uq_person_login UNIQUE,
    name text NOT NULL,
    roles text[] NOT NULL,
    password_hash text,
    language text,
    is_active boolean NOT NULL DEFAULT true,
    is_demo boolean NOT NULL DEFAULT false,
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ck_person_roles_known CHECK (
        roles <@ ARRAY['crew','dispatcher','planner','service_agent','manager','admin']),
    CONSTRAINT ck_person_language_known CHECK (language IN ('zh_CN', 'en')),
    CONSTRAINT ck_person_demo_no_password CHECK (NOT (is_demo AND password_hash IS NOT NULL))
);

CREATE TABLE person_session (
    key_hash bytea NOT NULL CONSTRAINT pk_person_session PRIMARY KEY,
    person_id bigint NOT NULL
        CONSTRAINT fk_person_session_person_id REFERENCES person (id),
    began_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX ix_person_session_person_id ON person_session (person_id);
CREATE INDEX ix_person_session_ends_at ON person_session (ends_at);

CREATE TABLE failed_sign_in (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_failed_sign_in PRIMARY KEY,
    login text NOT NULL,
    address text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX ix_failed_sign_in_login_at ON failed_sign_in (login, at);
CREATE INDEX ix_failed_sign_in_address_at ON failed_sign_in (address, at);
CREATE INDEX ix_failed_sign_in_at ON failed_sign_in (at);

CREATE TABLE api_token (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_api_token PRIMARY KEY,
    person_id bigint NOT NULL
        CONSTRAINT fk_api_token_person_id REFERENCES person (id),
    name text NOT NULL,
    token_hash bytea NOT NULL CONSTRAINT uq_api_token_token_hash UNIQUE,
    made_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX ix_api_token_person_id ON api_token (person_id);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(TABLES)
