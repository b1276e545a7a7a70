"""The hash of a photo before a tablet made it smaller."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"

TABLES = Path(__file__).parents[1] / "0016_photo_originals.sql"


def upgrade() -> None:
    """Make the column."""
    # Not through SQLAlchemy, which would read the % and : in it as placeholders.
    op.get_bind().connection.cursor().execute(TABLES.read_text())
