"""Two people at one order: fields are merged, races have one winner, late facts are kept."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fieldops.db import make_sessions
from fieldops.events import queries as events
from fieldops.events.service import SYSTEM
from fieldops.incidents.service import IncidentDraft, open_incident
from fieldops.work_orders.service import find_order, list_open, set_effect
from tests.fieldops.work_orders.orders import NOW, act, lead_to, make_cast, make_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.events.service import Outcome
    from tests.fieldops.work_orders.orders import Cast

MINUTE = dt.timedelta(minutes=1)
RACES = 200


def test_fields_that_two_changed_differently_are_a_conflict_and_the_others_apply(
    session: Session,
) -> None:
    """Both values are named; nothing is silently lost."""
    cast = make_cast(session)
    order = make_order(session)
    seen = order.version
    first = {"address": "中山路 1 号", "crews_needed": 2}
    act(session, order, "set", cast.dispatcher, body=first, base_version=seen)
    second = {"address": "中山路 9 号", "severity": "danger"}
    outcome = act(session, order, "set", cast.manager, body=second, base_version=seen)
    assert outcome.status == "applied_with_conflict"
    assert outcome.conflicts == {"address": {"mine": "中山路 9 号", "theirs": "中山路 1 号"}}
    after = find_order(session, order.id)
    assert (after.address, after.severity, after.crews_needed) == ("中山路 1 号", "danger", 2)
    assert after.version == outcome.version == seen + 2


def test_a_conflict_in_everything_changes_nothing(session: Session) -> None:
    """The same field, another value, and no other field."""
    cast = make_cast(session)
    order = make_order(session)
    seen = order.version
    act(session, order, "set", cast.dispatcher, body={"task": "挖开"}, base_version=seen)
    outcome = act(session, order, "set", cast.manager, body={"task": "等"}, base_version=seen)
    assert outcome.status == "conflict"
    assert find_order(session, order.id).version == seen + 1


def test_data_of_a_step_are_merged_like_fields(session: Session) -> None:
    """The office corrected the cause while the crew was without a network."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    seen = find_order(session, order.id).version
    act(session, order, "set", cast.dispatcher, body={"cause": "frost"}, base_version=seen)
    outcome = act(session, order, "finish", cast.crew, base_version=seen)
    assert outcome.status == "applied_with_conflict"
    assert outcome.conflicts["cause"] == {"mine": "corrosion", "theirs": "frost"}
    after = find_order(session, order.id)
    assert (after.state, after.data["cause"]) == ("work_done", "frost")


def test_fields_of_its_own_are_not_set(session: Session) -> None:
    """Neither the state by the back door, nor the place by a crew."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    for actor, body in (
        (cast.dispatcher, {"state": "closed"}),
        (cast.dispatcher, {"version": 1}),
        (cast.dispatcher, {"crews_needed": 7}),
        (cast.dispatcher, {"release_at": None}),
        (cast.dispatcher, {"release_at": "9999-12-31T23:59:59-10:00"}),
        (cast.dispatcher, {"lon": float("inf")}),
        (cast.crew, {"severity": "danger"}),
    ):
        outcome = act(session, order, "set", actor, body=body)
        assert (outcome.status, *outcome.params["fields"].split()) == ("illegal", *body), body
    assert act(session, order, "set", cast.crew, body={"depth_m": 1.4}).status == "applied"
    assert find_order(session, order.id).data["depth_m"] == 1.4


def test_what_a_crew_did_on_an_order_it_had_once_is_kept_as_a_fact(session: Session) -> None:
    """It arrived; meanwhile the order went to another crew."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "en_route")
    body = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, NOW + MINUTE, body=body)
    outcome = act(session, order, "arrive", cast.crew, NOW + 2 * MINUTE, occurred_at=NOW)
    assert (outcome.status, outcome.is_kept_as_fact) == ("illegal", True)
    after = find_order(session, order.id)
    assert (after.state, after.crew_id) == ("assigned", cast.other_crew_id)
    session.commit()
    last = events.fetch_events_of(session, "work_order", [order.key])[-1]
    assert (last.kind, last.body["action"]) == ("work_order.late_fact", "arrive")
    assert last.body["of_crew"] == cast.crew_id


def test_a_second_dispatcher_learns_who_was_first(session: Session) -> None:
    """One that had seen the order without a crew does not overwrite the first's choice."""
    cast = make_cast(session)
    order = make_order(session)
    act(session, order, "assign", cast.dispatcher, body={"crew": cast.crew_id})
    for version in (order.version, None):
        body = {"crew": cast.other_crew_id}
        outcome = act(session, order, "assign", cast.manager, body=body, base_version=version)
        assert outcome.status == "conflict"
        assert outcome.params["by"] == "赵敏"
    assert find_order(session, order.id).crew_id == cast.crew_id


def test_two_crews_for_one_job_are_both_at_work(session: Session) -> None:
    """Neither may be sent elsewhere."""
    cast = make_cast(session)
    order, other = make_order(session, crews_needed=2), make_order(session)
    body = {"crew": cast.crew_id, "second_crew": cast.other_crew_id}
    assert act(session, order, "assign", cast.dispatcher, body=body).status == "applied"
    for crew in (cast.crew_id, cast.other_crew_id):
        outcome = act(session, other, "assign", cast.dispatcher, body={"crew": crew})
        assert (outcome.status, outcome.params["other"]) == ("conflict", order.id)
    same = {"crew": cast.crew_id, "second_crew": cast.crew_id}
    third = make_order(session)
    assert act(session, third, "assign", cast.dispatcher, body=same).status == "illegal"


def test_the_customers_of_an_incident_are_those_of_its_orders(session: Session) -> None:
    """Open orders only, and told only when it changes."""
    cast = make_cast(session)
    draft = IncidentDraft(kind="burst", lon=118.8, lat=32.0)
    incident = open_incident(session, draft, cast.dispatcher, NOW)
    order = make_order(session, incident_key=incident.key)
    assert find_order(session, order.id).customers_out is None
    set_effect(session, incident.key, 120, 2, NOW)
    set_effect(session, incident.key, 120, 2, NOW)
    after = find_order(session, order.id)
    assert (after.customers_out, after.critical_out, after.version) == (120, 2, order.version + 1)
    assert order.id in {each.id for each in list_open(session)}


def race(
    sessions: sessionmaker[Session], pool: ThreadPoolExecutor, cast: Cast, pairs: list[list[str]]
) -> list[Outcome]:
    """Let two dispatchers assign at the same instant, each with a connection of its own."""
    gate = threading.Barrier(2)

    def assign(pair: list[str]) -> Outcome:
        order, crew = pair
        with sessions.begin() as session:
            gate.wait()
            return act(session, order, "assign", cast.dispatcher, body={"crew": crew})

    return list(pool.map(assign, pairs))


@pytest.mark.slow
@pytest.mark.parametrize("races", [30, pytest.param(RACES, marks=pytest.mark.long)])
def test_of_two_dispatchers_at_once_one_wins_and_the_other_sees_why(
    database: str, races: int
) -> None:
    """Half the races are for one crew, half for one order."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        cast = make_cast(session)
        one, two = make_order(session).id, make_order(session).id
    for_crew = [[one, cast.crew_id], [two, cast.crew_id]]
    for_order = [[one, cast.crew_id], [one, cast.other_crew_id]]
    with ThreadPoolExecutor(2) as pool:
        for number in range(races):
            pairs = for_order if number % 2 else for_crew
            outcomes = race(sessions, pool, cast, pairs)
            assert sorted(each.status for each in outcomes) == ["applied", "conflict"]
            loser = next(each for each in outcomes if each.status == "conflict")
            assert loser.message
            assert loser.params["by"] == "赵敏"
            with sessions.begin() as session:
                given = [each for each in (one, two) if find_order(session, each).crew_id]
                assert len(given) == 1
                act(session, given[0], "withdraw", SYSTEM)
    sessions.kw["bind"].dispose()
