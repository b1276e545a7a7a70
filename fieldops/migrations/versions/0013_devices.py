"""Tablets and release codes."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = Path(__file__).parents[1] / "0013_devices.sql"


def upgrade() -> None:
    """Make the tables."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
