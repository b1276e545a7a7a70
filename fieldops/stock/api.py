"""HTTP answers about stock: who carries what fits, and the issue of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.events.service import Actor
from fieldops.stock import service
from fieldops.stock.forms import carried_as_json, read_asked_pipe, read_issue

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

stock_api = Blueprint("stock_api", __name__, url_prefix="/api/v1")


@stock_api.get("/stock")
@access.allow(*STAFF)
def find_stock() -> ResponseReturnValue:
    """Tell who carries what fits a pipe: ?dn=100&de=118&material=DI&kind=clamp."""
    pipe = read_asked_pipe(request.args)
    with db.transaction() as session:
        found = service.who_carries(session, pipe.dn, pipe.de_mm, pipe.material, pipe.kind)
    return {"stock": [carried_as_json(carried) for carried in found]}


@stock_api.post("/stock/issue")
@access.allow("crew", "dispatcher", "manager")
def issue() -> ResponseReturnValue:
    """Issue material to a work order."""
    body = read_issue(request.get_json())
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    with db.transaction() as session:
        left = service.issue(
            session,
            body.place,
            body.item,
            body.quantity,
            body.order,
            Actor.of(person),
            dt.datetime.now(dt.UTC),
        )
    return {"place": body.place, "item": body.item, "left": float(left)}
