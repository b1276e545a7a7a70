"""Crews, their skills, shifts and places; stock."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = Path(__file__).parents[1] / "0006_crews.sql"


def upgrade() -> None:
    """Make the tables."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
