"""The water network, its revisions and its history."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = Path(__file__).parents[1] / "0003_network.sql"


def upgrade() -> None:
    """Make the tables, and the triggers that number their changes."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
