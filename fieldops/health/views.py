"""Answers to whoever watches over this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from fieldops import access, db
from fieldops.health.service import check_health

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

health = Blueprint("health", __name__)


@health.get("/healthz")
@access.public
def show_health() -> ResponseReturnValue:
    """Answer 200 while the database answers and fits, 503 otherwise."""
    with db.transaction() as session:
        return {"status": "ok", "database_revision": check_health(session)}
