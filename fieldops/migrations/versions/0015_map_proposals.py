"""Proposals to the map, and tracks."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"

TABLES = Path(__file__).parents[1] / "0015_map_proposals.sql"


def upgrade() -> None:
    """Make the tables."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
