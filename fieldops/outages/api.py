"""HTTP answers about outages: ids and numbers, never shapes; the map has those in its tiles."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.outage_reasons.service import explain_supply
from fieldops.outages.forms import as_json, read_question
from fieldops.outages.service import preview_outage

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

outages_api = Blueprint("outages_api", __name__, url_prefix="/api/v1")


@outages_api.get("/pipes/<path:pipe>/outage", merge_slashes=False)
@access.allow(*STAFF)
def show_outage(pipe: str) -> ResponseReturnValue:
    """Tell who loses supply if this pipe breaks, and which valves to close."""
    question = read_question(pipe, request.args)
    with db.transaction() as session:
        answer = preview_outage(session, question, dt.datetime.now(dt.UTC))
    return as_json(answer)


@outages_api.get("/pipes/<path:pipe>/outage/why", merge_slashes=False)
@access.allow(*STAFF)
def show_reason(pipe: str) -> ResponseReturnValue:
    """Tell why a customer has water or none, or why a valve has to be closed."""
    question = read_question(pipe, request.args)
    customer, valve = request.args.get("customer"), request.args.get("valve")
    with db.transaction() as session:
        return explain_supply(session, question, customer=customer, valve=valve)
