"""What the database says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def fetch_revision(session: Session) -> str:
    """Read which migration the database stands at."""
    return str(session.execute(text("SELECT version_num FROM public.alembic_version")).scalar_one())
