"""Valves put where they really are: the arrays, the drawing and the history say the same."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.errors import ConflictError, NotFoundError
from fieldops.network.queries import read_state
from fieldops.network.service import (
    add_valve,
    correct_feature,
    current_network,
    describe_valve,
    mark_valve_absent,
    move_valve,
)
from tests.fieldops.network.towns import land, street

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
METRE = 1 / 111_320
"""So many degrees along the equator's street."""


@pytest.fixture
def real(database: str) -> Iterator[sessionmaker[Session]]:
    """Give sessions whose commits are real, on a street with V1 in the middle of P2."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        land(session, street())
    yield sessions
    sessions.kw["bind"].dispose()


def blocks(session: Session) -> int:
    """Count the segments of the network as the science divides it."""
    return int(current_network(session).world.blocks.count)


def cuts(session: Session, pipe: str) -> list[float] | None:
    """Read where a pipe is divided."""
    found = session.execute(text("SELECT cuts_m FROM pipe WHERE id = :id"), {"id": pipe}).scalar()
    return None if found is None else [round(float(cut), 1) for cut in found]


def test_a_moved_valve_divides_the_pipe_where_it_stands_now(real: sessionmaker[Session]) -> None:
    """On the pipe, beside the point that was told; both numbers rise in the same transaction."""
    with real() as session:
        before = read_state(session)
        (was,) = cuts(session, "P2") or []
    with real.begin() as session:
        place = move_valve(session, "V1", 100.0015 + 20 * METRE, 3 * METRE, by="李敏", now=NOW)
        assert (place.pipe, round(place.distance_m)) == ("P2", 3)
        assert place.lat == pytest.approx(0.0, abs=1e-9)
    with real() as session:
        after = read_state(session)
        assert after.geometry_revision > before.geometry_revision
        (cut,) = cuts(session, "P2") or []
        assert cut == pytest.approx(was + 20, abs=0.2)
        record = describe_valve(session, "V1")
        assert (record["recorded"]["by"], record["pipe"]) == ("李敏", "P2")
        last = record["history"][0]
        assert dt.datetime.fromisoformat(last["at"]) == NOW
        assert last["was"]["at_m"] == pytest.approx(was, abs=0.1)
        assert blocks(session) == 2


def test_a_valve_moved_to_another_pipe_divides_that_one_alone(real: sessionmaker[Session]) -> None:
    """Its own pipe is whole again."""
    with real.begin() as session:
        place = move_valve(session, "V1", 100.0005, 0.0, by="李敏", now=NOW)
        assert place.pipe == "P1"
    with real() as session:
        assert cuts(session, "P2") is None
        assert len(cuts(session, "P1") or []) == 1


def test_a_valve_moves_to_no_place_without_a_pipe(real: sessionmaker[Session]) -> None:
    """Nor to a pipe that does not run there; nothing is changed then."""
    with real() as session:
        before = read_state(session)
    for lat, pipe in ((40 * METRE, None), (0.0, "P1")):
        with real() as session, pytest.raises(ConflictError):
            move_valve(session, "V1", 100.0018, lat, pipe=pipe, by="李敏", now=NOW)
    with real() as session, pytest.raises(NotFoundError):
        move_valve(session, "V9", 100.0018, 0.0, by="李敏", now=NOW)
    with real() as session:
        assert read_state(session) == before


def test_an_absent_valve_shuts_nothing_and_is_there_again_once_found(
    real: sessionmaker[Session],
) -> None:
    """Even where the record said that it was closed."""
    with real.begin() as session:
        session.execute(text("UPDATE valve SET position = 'closed', is_position_assumed = false"))
    with real() as session:
        before = read_state(session)
    with real.begin() as session:
        mark_valve_absent(session, "V1", by="李敏", now=NOW)
    with real() as session:
        assert read_state(session).geometry_revision > before.geometry_revision
        facts = current_network(session).network.facts
        assert (facts.position[0], facts.operability[0], facts.reachable[0]) == (0, 1, False)
        assert describe_valve(session, "V1")["extra"]["absent"] is True
    with real.begin() as session:
        move_valve(session, "V1", 100.0016, 0.0, by="李敏", now=NOW)
    with real() as session:
        found = describe_valve(session, "V1")
        assert (found["operability"], found["reachable"]) == ("unknown", True)
        assert "absent" not in found["extra"]


def test_a_valve_that_nobody_had_drawn_divides_its_pipe(real: sessionmaker[Session]) -> None:
    """Of its state nothing is known, and it says so; no second valve gets its number."""
    with real.begin() as session:
        was = blocks(session)
        add_valve(session, "V7", 100.0005, METRE, by="李敏", now=NOW)
    with real() as session:
        assert blocks(session) == was + 1
        added = describe_valve(session, "V7")
        assert (added["operability"], added["is_position_assumed"]) == ("unknown", True)
        assert len(cuts(session, "P1") or []) == 1
        with pytest.raises(ConflictError):
            add_valve(session, "V7", 100.0005, METRE, by="李敏", now=NOW)


def test_only_what_may_be_corrected_is(real: sessionmaker[Session]) -> None:
    """The turns of a valve and the diameter of a pipe, but no key and no name."""
    with real.begin() as session:
        correct_feature(session, "valve", "V1", {"turns": 24, "id": "X"}, by="李敏", now=NOW)
        correct_feature(session, "pipe", "P2", {"diameter_mm": 150}, by="李敏", now=NOW)
        with pytest.raises(NotFoundError):
            correct_feature(session, "pipe", "P9", {"diameter_mm": 150}, by="李敏", now=NOW)
    with real() as session:
        assert describe_valve(session, "V1")["turns"] == 24
        query = text("SELECT diameter_mm FROM pipe WHERE id = 'P2'")
        assert session.execute(query).scalar() == 150
