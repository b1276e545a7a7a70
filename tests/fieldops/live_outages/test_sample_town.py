"""A break in the sample network, where plan, re-feed and boundary valves are all at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from fieldops.db import make_engine
from fieldops.live_outages.service import list_choices, show_outage
from fieldops.settings import CHECKOUT
from gis.formats.geojson import read_geojson
from tests import databases
from tests.fieldops.live_outages.jobs import Job, at
from tests.fieldops.outages.planting import plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


@pytest.fixture(scope="module")
def sample() -> Iterator[Engine]:
    """Give a database with the sample network in it."""
    with databases.clone() as url:
        engine = make_engine(url)
        with Session(engine, info={"kept": {}}) as session, session.begin():
            plant(session, read_geojson(CHECKOUT / "sample_network.geojson"))
        yield engine
        engine.dispose()


@pytest.fixture
def town(sample: Engine) -> Iterator[Session]:
    """Give a session that forgets what a test does to the sample network."""
    with sample.connect() as connection, connection.begin() as outer:
        with Session(
            connection, join_transaction_mode="create_savepoint", info={"kept": {}}
        ) as session:
            yield session
        outer.rollback()


def test_a_break_with_re_feed_and_boundary_is_worked_to_its_end(town: Session) -> None:
    """Somebody gets water from the next zone while the pipe is still open."""
    job = Job(town, "P166")
    roles = {role for role, _ in job.states.values()}
    assert {"close", "verify_shut", "refeed"} <= roles
    before = job.now.outage.connections

    minute = 10.0
    for valve, (role, _) in job.states.items():
        if role in {"close", "verify_shut"}:
            job.close_valve(valve, minute)
            minute += 5
    assert job.now.outage.customers_out == before
    assert job.now.outage.water_stopped_at is not None

    optional = [valve for valve, (role, _) in job.states.items() if role == "optional"]
    early = job.do("restore_part", 58, part="refeed:V149")
    assert early.params == {"valve": "V149", "valves": ", ".join(optional)}
    for valve in optional:
        job.close_valve(valve, 59)
    refeed = next(valve for valve, (role, _) in job.states.items() if role == "refeed")
    parts = {part.id: part for part in show_outage(town, job.id, at(60)).parts}
    gained = parts[f"refeed:{refeed}"].connections
    job.must("restore_part", 60, part=f"refeed:{refeed}")
    assert gained > 0
    assert job.now.outage.customers_out == before - gained
    ended = [name for name, (_, back) in job.dry.items() if back == 60]
    assert len(ended) == gained
    drawn = show_outage(town, job.id, at(61), with_keys=True).keys
    assert drawn is not None
    assert drawn["parts_restored"]
    assert len(drawn["customers_restored"]) == gained

    job.must("stage", 200, stage="repaired")
    for valve, (role, state) in job.states.items():
        if role in {"close", "optional"} and state == "closed_tight":
            job.open_valve(valve, 220)
    assert job.now.outage.customers_out == 0
    refused = job.do("close", 230)
    assert refused.params == {"valves": refeed}
    job.must("confirm_valve", 225, valve=refeed, result="closed_tight").must("close", 240)
    assert job.now.status == "closed"


def test_the_choices_differ_or_are_not_offered(town: Session) -> None:
    """Fewest customers opens a valve from elsewhere, and says so."""
    job = Job(town, "P166")
    choices = {one.wish.kind: one for one in list_choices(town, job.id, at(1))}

    assert "nearest" in choices
    for kind, one in choices.items():
        if kind == "fewest":
            assert one.properties < choices["nearest"].properties
            assert one.wish.opened
        if kind == "fastest":
            assert one.water_stopped is not None
            assert choices["nearest"].water_stopped is not None
            assert one.water_stopped.p50 < choices["nearest"].water_stopped.p50


def test_what_is_shown_for_the_map_is_the_previews_and_what_is_back(town: Session) -> None:
    """Parts and customers as the tiles number them."""
    job = Job(town, "P166")
    keys = show_outage(town, job.id, at(1), with_keys=True).keys

    assert keys is not None
    assert {"parts_shut", "parts_cut_off", "valves_to_close", "customers_shut"} <= set(keys)
    assert len(keys["customers_shut"]) + len(keys["customers_cut_off"]) == (
        job.now.outage.connections
    )
    assert keys["parts_restored"] == []
