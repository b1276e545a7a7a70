"""Words to search the network by."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE search_text (
    kind text NOT NULL,
    key bigint NOT NULL,
    id text NOT NULL,
    label text COLLATE "C" NOT NULL,
    words text NOT NULL,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    CONSTRAINT pk_search_text PRIMARY KEY (kind, key)
);
CREATE INDEX ix_search_text_label ON search_text (label);
CREATE INDEX ix_search_text_words ON search_text USING gin (words gin_trgm_ops);

CREATE TABLE search_state (
    is_only boolean DEFAULT true NOT NULL,
    geometry_revision bigint NOT NULL,
    CONSTRAINT pk_search_state PRIMARY KEY (is_only),
    CONSTRAINT ck_search_state_is_only CHECK (is_only)
);
"""


def upgrade() -> None:
    """Make the tables that the worker fills."""
    op.execute(TABLES)
