"""The board, for the console's scripts and for machines."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint

from fieldops import access, db
from fieldops.console.forms import as_json
from fieldops.console.service import read_board, read_late_fact
from fieldops.events.service import Actor

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

console_api = Blueprint("console_api", __name__, url_prefix="/api/v1")


@console_api.get("/board")
@access.allow("dispatcher", "manager")
def show_board() -> ResponseReturnValue:
    """Tell every open incident, work order and outage, every crew, and who should go where."""
    with db.transaction() as session:
        board = read_board(session, dt.datetime.now(dt.UTC))
    return as_json(board)


@console_api.post("/late-facts/<int:position>/read")
@access.allow("dispatcher", "manager")
def mark_read(position: int) -> ResponseReturnValue:
    """Note that somebody has read a fact that came late; a second time changes nothing."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    with db.transaction() as session:
        read_late_fact(session, position, Actor.of(person), dt.datetime.now(dt.UTC))
    return {"position": position}
