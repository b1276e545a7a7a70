"""Numbers of the network: every edit raises them, in the order in which edits become visible."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.errors import ConflictError, NotFoundError
from fieldops.network.queries import read_state
from fieldops.network.service import (
    FactsWish,
    change_valve_facts,
    current_network,
    describe_pipe,
    describe_valve,
    list_facts,
)
from tests.fieldops.network.towns import land, street
from tests.people import bearer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session, sessionmaker
    from werkzeug.test import TestResponse

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


@pytest.fixture
def real(database: str) -> Iterator[sessionmaker[Session]]:
    """Give sessions whose commits are real, on a street."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        land(session, street(position="open"))
    yield sessions
    sessions.kw["bind"].dispose()


def numbers(sessions: sessionmaker[Session]) -> tuple[int, int]:
    """Read both numbers."""
    with sessions() as session:
        state = read_state(session)
        return state.revision, state.geometry_revision


def edit(sessions: sessionmaker[Session], statement: str) -> None:
    """Send one statement in a transaction of its own."""
    with sessions.begin() as session:
        session.execute(text(statement))


def test_each_kind_of_edit_raises_what_depends_on_it(real: sessionmaker[Session]) -> None:
    """Facts and figures raise the revision; shape and existence both numbers; nothing, none."""
    seen = [numbers(real)]
    for statement in (
        "UPDATE valve SET reachable = false WHERE id = 'V1'",
        "UPDATE customer SET people = 4 WHERE id = 'C1'",
        "UPDATE node SET geometry = ST_Translate(geometry, 1e-12, 0) WHERE id = 'N3'",
        "UPDATE valve SET reachable = true WHERE id = 'no such valve'",
        "DELETE FROM hydrant",
        "DELETE FROM hydrant",
    ):
        edit(real, statement)
        seen.append(numbers(real))

    assert seen == [(1, 1), (2, 1), (3, 1), (4, 4), (4, 4), (5, 5), (5, 5)]


def test_a_number_is_never_used_again(real: sessionmaker[Session]) -> None:
    """What was rolled back leaves no number behind that a later edit could take."""
    with real() as session:
        session.execute(text("UPDATE valve SET reachable = false"))
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        assert read_state(session).revision == 2
        session.rollback()
    assert numbers(real) == (1, 1)
    edit(real, "UPDATE valve SET reachable = false")
    assert numbers(real) == (3, 1)


def test_one_transaction_has_one_number(real: sessionmaker[Session]) -> None:
    """However many statements it sends, and whatever savepoints it rolls back."""
    with real.begin() as session:
        savepoint = session.begin_nested()
        session.execute(text("DELETE FROM hydrant"))
        savepoint.rollback()
        session.execute(text("UPDATE valve SET reachable = false"))
        session.execute(text("UPDATE customer SET people = 9"))
    assert numbers(real) == (2, 1)


def test_a_long_transaction_blocks_nobody(real: sessionmaker[Session]) -> None:
    """Another valve is edited, numbered and seen while the first edit is still open."""
    with real() as slow:
        slow.execute(text("UPDATE customer SET people = 9 WHERE id = 'C1'"))
        with real.begin() as quick:
            quick.execute(text("SET LOCAL lock_timeout = '2s'"))
            quick.execute(text("UPDATE valve SET reachable = false"))
        assert numbers(real) == (2, 1)
        slow.commit()
    assert numbers(real) == (3, 1)


def test_numbers_become_visible_in_their_order(real: sessionmaker[Session]) -> None:
    """Who is about to commit a number holds back the next one, so that no reader skips an edit."""
    with real() as first:
        first.execute(text("UPDATE customer SET people = 9 WHERE id = 'C1'"))
        first.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        seen: list[tuple[int, int]] = []

        def follow() -> None:
            edit(real, "UPDATE valve SET reachable = false")
            seen.append(numbers(real))

        thread = threading.Thread(target=follow)
        thread.start()
        thread.join(0.5)
        assert (thread.is_alive(), seen) == (True, [])
        first.commit()
        thread.join(10)
    assert seen == [(3, 1)]


def test_an_edited_valve_needs_no_new_reading(
    real: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its facts arrive as changes, through every process's own kept arrays."""
    with real() as session:
        before = current_network(session)
    edit(real, "UPDATE valve SET position = 'closed', operability = 'inoperable'")
    monkeypatch.setattr("fieldops.network.queries.load_network", None)
    with real() as session:
        after = current_network(session)

    assert after.revision == 2
    assert np.array_equal(after.world.facts.position, [1])
    assert np.array_equal(after.world.facts.operability, [1])
    assert np.array_equal(before.world.facts.position, [0])
    assert after.network is before.network


def test_anything_else_is_read_anew(real: sessionmaker[Session]) -> None:
    """A pipe that was closed conducts nothing in the next answer."""
    with real() as session:
        assert current_network(session).network.pipe_is_open.all()
    edit(real, "UPDATE pipe SET status = 'closed' WHERE id = 'P2'")
    with real() as session:
        assert not current_network(session).network.pipe_is_open.all()


def test_an_open_edit_is_seen_by_its_own_transaction_alone(real: sessionmaker[Session]) -> None:
    """And is never kept for others."""
    with real() as session:
        session.execute(text("UPDATE valve SET position = 'closed'"))
        assert current_network(session).world.facts.position.tolist() == [1]
        with real() as other:
            assert current_network(other).world.facts.position.tolist() == [0]
        session.rollback()
        assert current_network(session).world.facts.position.tolist() == [0]


def test_many_readers_at_once_do_not_wait_for_each_other_for_ever(
    real: sessionmaker[Session],
) -> None:
    """All connections of the pool may be taken by readers who wait for one of them to read."""
    with real() as session:
        current_network(session)
    edit(real, "UPDATE pipe SET status = 'closed'")
    start = threading.Barrier(real.kw["bind"].pool.size())
    seen: list[int] = []

    def look() -> None:
        with real() as session:
            read_state(session)
            start.wait(20)
            seen.append(current_network(session).revision)

    threads = [threading.Thread(target=look) for _ in range(start.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == [2] * start.parties


def test_recording_facts_keeps_who_and_when(real: sessionmaker[Session]) -> None:
    """The history says how it was before."""
    with real.begin() as session:
        change_valve_facts(session, "V1", FactsWish(position="closed"), by="王芳", now=NOW)
    with real() as session:
        valve = describe_valve(session, "V1")

    assert (valve["position"], valve["is_position_assumed"]) == ("closed", False)
    assert valve["recorded"]["by"] == "王芳"
    assert [(old["revision"], old["was"]["position"]) for old in valve["history"]] == [(2, "open")]
    assert dt.datetime.fromisoformat(valve["history"][0]["at"]) == NOW


def test_two_people_do_not_write_over_each_other(real: sessionmaker[Session]) -> None:
    """The later one is told both values; another fact, or the same value, is no conflict."""
    with real.begin() as session:
        change_valve_facts(session, "V1", FactsWish(position="closed"), by="王芳", now=NOW)
    with real.begin() as session:
        late = FactsWish(position="unknown", base_revision=1)
        with pytest.raises(ConflictError, match='王芳: it is now "closed", and you sent "unknown"'):
            change_valve_facts(session, "V1", late, by="李强", now=NOW)
        for wish in (
            FactsWish(position="closed", base_revision=1),
            FactsWish(reachable=False, base_revision=1),
            FactsWish(position="open", base_revision=2),
        ):
            change_valve_facts(session, "V1", wish, by="李强", now=NOW)


def test_a_valve_that_is_not_there_is_named(session: Session) -> None:
    """So is a pipe."""
    with pytest.raises(NotFoundError, match="no valve V9"):
        change_valve_facts(session, "V9", FactsWish(position="open"), by="王芳", now=NOW)
    with pytest.raises(NotFoundError, match="no pipe P/9"):
        describe_pipe(session, "P/9")


def test_a_map_learns_only_what_changed(real: sessionmaker[Session]) -> None:
    """At first every valve that is not simply open, then the edits since."""
    with real() as session:
        assert list_facts(session, 0)["valves"] == []
    edit(real, "UPDATE valve SET position = 'unknown'")
    edit(real, "UPDATE valve SET position = 'open'")
    with real() as session:
        assert list_facts(session, 3)["valves"] == []
        assert [v["position"] for v in list_facts(session, 1)["valves"]] == ["open"]
    edit(real, "UPDATE valve SET operability = 'inoperable'")
    with real() as session:
        first = list_facts(session, 0)
    assert (first["revision"], first["geometry_revision"]) == (4, 1)
    assert [v["operability"] for v in first["valves"]] == ["inoperable"]


def test_the_database_refuses_facts_that_do_not_exist(session: Session) -> None:
    """Checks stand in the tables, whoever writes."""
    land(session, street())
    for statement in (
        "UPDATE valve SET position = 'half'",
        "UPDATE valve SET pipe_key = NULL",
        "UPDATE pipe SET diameter_mm = 0",
        "UPDATE customer SET people = -1",
        "UPDATE hydrant SET at_m = 1",
    ):
        with pytest.raises(Exception, match="violates check") as caught, session.begin_nested():
            session.execute(text(statement))
        assert isinstance(caught.value.__cause__, psycopg.errors.CheckViolation)


def call(client: FlaskClient, session: Session, role: str, body: object) -> TestResponse:
    """Post facts of V1."""
    return client.post("/api/v1/valves/V1/facts", json=body, headers=bearer(session, role))


def test_a_dispatcher_records_a_stuck_valve(client: FlaskClient, session: Session) -> None:
    """The answer holds the facts and the number of the network."""
    land(session, street())
    answer = call(client, session, "dispatcher", {"operability": "inoperable", "base_revision": 0})

    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["operability"] == "inoperable"
    assert call(client, session, "service_agent", {"reachable": True}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"position": "half"},
        {"reachable": 1},
        {"position": ["open"]},
        {"base_revision": 3},
        {"position": "open", "base_revision": "3"},
        {"position": "open", "colour": "red"},
    ],
)
def test_facts_that_cannot_be_meant_are_refused(
    client: FlaskClient, session: Session, body: object
) -> None:
    """With a sentence, never with a traceback."""
    land(session, street())
    answer = call(client, session, "dispatcher", body)

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"


def test_pages_of_machines_tell_what_is_recorded(client: FlaskClient, session: Session) -> None:
    """Unknown properties too, under ids with anything in them."""
    features = street()
    features[5]["properties"]["id"] = "P/2 东?"
    features[6]["properties"]["pipe"] = "P/2 东?"
    land(session, features)
    headers = bearer(session, "crew")
    pipe = client.get("/api/v1/pipes/P%2F2%20%E4%B8%9C%3F", headers=headers).json
    network = client.get("/api/v1/network", headers=headers).json
    valve = client.get("/api/v1/valves/V1", headers=headers).json

    assert pipe is not None
    assert network is not None
    assert valve is not None
    assert (pipe["extra"], pipe["zone"], pipe["start_node"]) == ({"colour": "蓝"}, "东区", "N2")
    assert "geometry" not in pipe
    assert valve["pipe"] == "P/2 东?"
    assert network["counts"]["pipe"] == 2
    assert network["bbox"] == [100.0, 0.0, 100.002, 0.0]
    assert network["assumed_positions"] == 1
