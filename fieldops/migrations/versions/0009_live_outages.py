"""Outages under way."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = Path(__file__).parents[1] / "0009_live_outages.sql"


def upgrade() -> None:
    """Make the tables."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
