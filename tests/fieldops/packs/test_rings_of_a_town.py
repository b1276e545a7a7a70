"""What a tablet works out from the pack that it has fetched, and what the server says of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from fieldops.db import make_engine
from fieldops.events.queries import DRAFTS
from fieldops.live_outages.forms import picture_as_json, question_as_json
from fieldops.live_outages.service import show_outage
from fieldops.network.queries import load_network
from fieldops.order_process.service import read_policy
from fieldops.packs import service
from fieldops.settings import CHECKOUT
from gis.formats.geojson import read_geojson
from gis.formats.pack import write_pack
from gis.packing import topology_of
from gis.world import World
from tests import databases
from tests.fieldops.live_outages.jobs import CREW, Job, at
from tests.fieldops.outages.planting import plant
from tests.fieldops.packs.drawn_towns import ring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    Json = dict[str, Any]

PIPES = ("P309", "P400")


@pytest.fixture(scope="module")
def sample() -> Iterator[tuple[Engine, str]]:
    """Give a database with the sample network, and the topology of its pack."""
    with databases.clone() as url:
        engine = make_engine(url)
        with Session(engine, info={"kept": {}}) as session, session.begin():
            plant(session, read_geojson(CHECKOUT / "sample_network.geojson"))
        with Session(engine, info={"kept": {}}) as session, session.begin():
            network, keys = load_network(session)
            topology = topology_of(World.of(network))
            kept = service._keys_of(topology, keys)
            # As it is baked, but for the drawing, which takes long and is not computed with.
            pack = service._describe(
                session, service.list_offers(session)[0], topology, kept, at(0)
            )
        yield engine, base64.b64encode(write_pack(pack)).decode()
        engine.dispose()


@pytest.fixture
def town(sample: tuple[Engine, str]) -> Iterator[Session]:
    """Give a session that forgets what a test does to the sample network."""
    with sample[0].connect() as connection, connection.begin() as outer:
        with Session(
            connection, join_transaction_mode="create_savepoint", info={"kept": {}}
        ) as session:
            yield session
        outer.rollback()


def as_of_day(session: Session, job: Job) -> Json:
    """Give the outage as the tablet's day has it."""
    picture = show_outage(session, job.id, at(5))
    shown, live = picture_as_json(picture), picture.live
    before = {(one.device_table, one.device_key): one.position_before for one in live.valves}
    valves = [
        one | {"position_before": before[one["table"], one["key"]]} for one in shown["valves"]
    ]
    return shown | {"question": question_as_json(live.outage, live.plan), "valves": valves}


@pytest.mark.parametrize("pipe", PIPES)
def test_the_server_confirms_the_rings_of_a_fresh_pack(
    town: Session, sample: tuple[Engine, str], pipe: str
) -> None:
    """One valve after the other will not close: ring after ring is the server's own."""
    work_with_stuck_valves(town, sample[1], pipe)


def test_the_size_that_a_crew_may_close_by_itself_is_in_the_policy(town: Session) -> None:
    """The day takes all of the policy along; without it every valve would ask for dispatch."""
    assert read_policy(town)["tablet_max_diameter_mm"] == 600


@pytest.mark.long
def test_the_server_confirms_the_rings_of_many_pipes(
    town: Session, sample: tuple[Engine, str]
) -> None:
    """The same at every ninth pipe of the town."""
    pipes = town.scalars(text("SELECT id FROM pipe ORDER BY key")).all()
    for pipe in pipes[::9]:
        with town.begin_nested() as forgotten:
            work_with_stuck_valves(town, sample[1], pipe)
            forgotten.rollback()
        town.info["kept"].clear()


def work_with_stuck_valves(session: Session, pack: str, pipe: str) -> None:
    """Find valve after valve stuck, have the tablet work out the next, and the server judge it."""
    job = Job(session, pipe)
    day = as_of_day(session, job)
    states: dict[str, str] = {}
    for turn, result in enumerate(("will_not_close", "not_found", "passing")):
        to_close = [
            valve
            for valve, (role, state) in job.states.items()
            if role == "close" and state == "to_close"
        ]
        if not to_close:
            break
        stuck = to_close[0]
        states[stuck] = result
        known = {one["valve"]: one for one in day["valves"]}
        fresh = {"table": "valve", "role": "close", "position_before": "open", "accepted_by": None}
        tried = [
            (known.get(name) or fresh) | {"valve": name, "state": state}
            for name, state in states.items()
        ]
        others = [one for one in day["valves"] if one["valve"] not in states]
        found = ring(pack, day | {"valves": [*others, *tried]}, stuck)
        assert "error" not in found, found

        job.must("confirm_valve", 10 + 2 * turn, valve=stuck, result=result)
        parts = [
            {"valve": one["valve"], "table": one["table"]}
            for one in [*found["close"], *found["pumps"]]
        ]
        outcome = job.do(
            "device_ring",
            11 + 2 * turn,
            CREW,
            stuck=stuck,
            valves=parts,
            properties=found["properties"],
            critical=len(found["critical"]),
        )
        assert outcome.status == "applied"
        told = [event for _, event in session.info[DRAFTS] if event.kind == "outage.device_ring"]
        assert told[-1].body["verdict"] == "confirmed", dict(told[-1].body)
