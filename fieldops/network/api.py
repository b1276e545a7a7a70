"""HTTP answers about the network as recorded, and the recording of valves' facts."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.network import service
from fieldops.network.forms import read_facts_wish, read_since

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

network_api = Blueprint("network_api", __name__, url_prefix="/api/v1")


@network_api.get("/network")
@access.allow(*STAFF)
def show_network() -> ResponseReturnValue:
    """Tell how much of everything there is, where, and at which revisions."""
    with db.transaction() as session:
        return service.describe_network(session)


@network_api.get("/pipes/<path:pipe>", merge_slashes=False)
@access.allow(*STAFF)
def show_pipe(pipe: str) -> ResponseReturnValue:
    """Tell all that is recorded of a pipe."""
    with db.transaction() as session:
        return service.describe_pipe(session, pipe)


@network_api.get("/valves/facts")
@access.allow(*STAFF)
def list_facts() -> ResponseReturnValue:
    """Tell which facts of valves changed since a revision."""
    with db.transaction() as session:
        return service.list_facts(session, read_since(request.args))


@network_api.get("/valves/<path:valve>", merge_slashes=False)
@access.allow(*STAFF)
def show_valve(valve: str) -> ResponseReturnValue:
    """Tell all that is recorded of a valve."""
    with db.transaction() as session:
        return service.describe_valve(session, valve)


@network_api.post("/valves/<path:valve>/facts", merge_slashes=False)
@access.allow("dispatcher", "planner")
def change_facts(valve: str) -> ResponseReturnValue:
    """Record facts of a valve, unless somebody changed them meanwhile."""
    wish = read_facts_wish(request.get_json())
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    with db.transaction() as session:
        facts = service.change_valve_facts(
            session, valve, wish, by=person.name, now=dt.datetime.now(dt.UTC)
        )
    answer = asdict(facts)
    del answer["is_position_known"]
    with db.transaction() as session:
        # The number is given at commit, so only another transaction can tell it.
        return answer | {"id": valve, "revision": service.current_revision(session)}
