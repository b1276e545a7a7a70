"""The log of everything people did."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = Path(__file__).parents[1] / "0005_events.sql"


def upgrade() -> None:
    """Make the log, and what keeps it from being changed."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
