"""PostGIS, and the queue in a schema of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None

# As Procrastinate 3.10 ships it. A newer library brings its own changes, which then become a
# revision of ours; this one must make the same tables for ever.
QUEUE = Path(__file__).parents[1] / "procrastinate_3_10.sql"


def upgrade() -> None:
    """Make what every later revision stands on."""
    connection = op.get_bind()
    connection.execute(text("SET LOCAL client_min_messages = warning"))
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
    connection.execute(text("CREATE SCHEMA procrastinate"))
    connection.execute(text("SET LOCAL search_path = procrastinate"))
    # Not through SQLAlchemy, which would read the % in it as placeholders.
    connection.connection.cursor().execute(QUEUE.read_text())
    connection.execute(text("SET LOCAL search_path = public, procrastinate"))
