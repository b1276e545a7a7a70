"""A simulated day through the real services, and what must hold whatever happens in it."""

from __future__ import annotations

import datetime as dt
import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.access import Person, Role
from fieldops.crews.service import list_crews
from fieldops.db import make_sessions
from fieldops.devices import service as devices
from fieldops.dispatch.service import assign
from fieldops.events.queries import fetch_chain
from fieldops.events.service import SYSTEM, Actor, Operation
from fieldops.network_files.service import import_features
from fieldops.played_crews.service import TICK_MIN, Play, act
from fieldops.rosters import queries as rosters
from fieldops.simulation.service import Player, Wish
from fieldops.work_orders.service import OrderDraft, apply_operation, find_order, open_order
from gis import towns
from gis.formats.geojson import parse_geojson
from tests import databases
from tests.fieldops.dispatch.boards import (
    MINUTE,
    NOW,
    dispatcher,
    open_job,
    place_crew,
    step,
)
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.simulation.service import Summary

pytestmark = pytest.mark.slow
START = NOW
HOURS = 3.0
CREWS = 3
FASTEST_KMH = 130.0


@dataclass(frozen=True)
class Played:
    """A day that was played, and where."""

    sessions: sessionmaker[Session]
    summary: Summary


def settle(session: Session) -> None:
    """Import a small town, and put crews with every skill into it."""
    town = towns.make_town(250, 5, 200)
    features = parse_geojson("\n".join(towns.feature_lines(town)).encode())
    import_features(session, features, by="测试")
    place = session.execute(
        text(
            "SELECT ST_X(c), ST_Y(c) FROM (SELECT ST_Centroid(ST_Collect(geometry)) FROM node) a(c)"
        )
    ).one()
    for number in range(CREWS):
        crew_key = session.execute(
            text(
                "INSERT INTO crew (id, name, lon, lat, position_at)"
                " VALUES (:id, :id, :lon, :lat, :at) RETURNING key"
            ),
            {
                "id": f"C-{number}",
                "lon": place[0] + number * 0.0005,
                "lat": place[1],
                "at": START,
            },
        ).scalar_one()
        session.execute(
            text(
                "INSERT INTO crew_skill (crew_key, skill) SELECT :key, unnest(ARRAY['valve',"
                " 'general', 'excavation', 'welding_pe', 'leak_detection', 'traffic_control',"
                " 'confined_space'])"
            ),
            {"key": crew_key},
        )
        session.execute(
            text(
                "INSERT INTO shift (crew_key, kind, starts_at, ends_at)"
                " VALUES (:key, 'shift', :start, :end)"
            ),
            {"key": crew_key, "start": START - dt.timedelta(hours=1),
             "end": START + dt.timedelta(hours=11)},
        )  # fmt: skip


@pytest.fixture(scope="module")
def days() -> Iterator[list[Played]]:
    """Play the same day in two databases."""
    with ExitStack() as stack:
        played = []
        for _ in range(2):
            sessions = make_sessions(stack.enter_context(databases.clone()))
            stack.callback(sessions.kw["bind"].dispose)
            with sessions.begin() as session:
                settle(session)
            kinds = ("burst", "visible_leak", "low_pressure")
            wish = Wish(seed=106, start=START, hours=HOURS, kinds=kinds)
            played.append(Played(sessions, Player(sessions, wish).run()))
        yield played


@pytest.fixture
def day(days: list[Played]) -> Iterator[Session]:
    """Look at the first of them."""
    with days[0].sessions() as session:
        yield session


def test_the_same_seed_gives_the_same_events(days: list[Played]) -> None:
    """To the last body and the last second."""
    told = []
    for played in days:
        with played.sessions() as session:
            rows = session.execute(
                text(
                    "SELECT kind, subject_kind, subject_key, body::text, received_at"
                    " FROM event ORDER BY position"
                )
            )
            told.append([tuple(row) for row in rows])
    assert len(told[0]) > 100
    assert told[0] == told[1]
    assert days[0].summary == days[1].summary


def test_the_day_gets_somewhere(days: list[Played]) -> None:
    """Crews arrive, orders are closed, customers lose minutes, and no step is refused."""
    summary = days[0].summary
    assert summary.happenings == 3
    assert summary.closed >= 2
    assert summary.burst_arrival_p95_min is not None
    assert summary.burst_arrival_p95_min < 60
    assert summary.customer_minutes > 0
    assert summary.refused == []


def test_the_chain_of_the_log_holds(day: Session) -> None:
    """However fast it was written."""
    assert fetch_chain(day).broken_at is None


def test_no_crew_is_at_two_orders_at_once(day: Session) -> None:
    """Followed through every event of the orders."""
    busy_states = {"assigned", "accepted", "en_route", "on_site", "working"}
    where: dict[str, str] = {}
    rows = day.execute(
        text(
            "SELECT body ->> 'id', body ->> 'state', body ->> 'crew' FROM event"
            " WHERE subject_kind = 'work_order' AND body ? 'state' ORDER BY position"
        )
    )
    for order, state, crew in rows:
        for other in [each for each, at in where.items() if at == order]:
            del where[other]
        if crew and state in busy_states:
            assert crew not in where, (crew, order, where)
            where[crew] = order


def test_no_crew_is_faster_than_its_van(day: Session) -> None:
    """It drives along the streets, and never jumps."""
    rows = day.execute(
        text(
            "SELECT subject_key, occurred_at, ST_SetSRID(ST_MakePoint("
            " (body ->> 'lon')::float, (body ->> 'lat')::float), 4326)::geography AS place,"
            " ST_Distance(ST_SetSRID(ST_MakePoint((body ->> 'lon')::float,"
            " (body ->> 'lat')::float), 4326)::geography, lag(ST_SetSRID(ST_MakePoint("
            " (body ->> 'lon')::float, (body ->> 'lat')::float), 4326)::geography)"
            " OVER (PARTITION BY subject_key ORDER BY position)) AS metres"
            " FROM event WHERE kind = 'crew.moved' ORDER BY subject_key, position"
        )
    ).all()
    for before, after in itertools.pairwise(rows):
        if before.subject_key == after.subject_key:
            hours = (after.occurred_at - before.occurred_at).total_seconds() / 3600
            assert after.metres / 1000 <= FASTEST_KMH * max(hours, 0) + 0.05


def test_every_customer_has_water_when_the_outage_is_closed(day: Session) -> None:
    """No interval stays open behind it, and none ends before it began."""
    over = day.execute(
        text(
            "SELECT count(*) FROM outage_interval i JOIN outage o ON o.key = i.outage_key"
            " WHERE o.status = 'closed' AND i.lost_at IS NOT NULL"
        )
    ).scalar_one()
    assert over > 0
    wrong = day.execute(
        text(
            "SELECT count(*) FROM outage_interval i JOIN outage o ON o.key = i.outage_key"
            " WHERE (o.status = 'closed' AND i.lost_at IS NOT NULL AND i.restored_at IS NULL)"
            " OR i.restored_at < i.lost_at"
        )
    ).scalar_one()
    assert wrong == 0


def test_orders_go_through_their_stages_in_order(day: Session) -> None:
    """Nobody digs before the valves are closed."""
    wrong = day.execute(
        text(
            "SELECT count(*) FROM work_order w JOIN work_order b ON b.key = w.after_order_key"
            " WHERE w.started_at < coalesce(b.finished_at, 'infinity')"
        )
    ).scalar_one()
    assert wrong == 0


def send_somewhere(session: Session) -> str:
    """Send the first crew to the other end of the town, as a visitor does, and give the order."""
    lon, lat = session.execute(
        text(
            "SELECT ST_XMin(box), ST_YMin(box)"
            " FROM (SELECT ST_Extent(geometry) AS box FROM pipe) AS town"
        )
    ).one()
    draft = OrderDraft(kind="check", severity="leak", lon=lon, lat=lat, is_triaged=True)
    order = open_order(session, draft, SYSTEM, START)
    assert assign(session, order.id, "C-0", dispatcher(session), START).status == "applied"
    return order.id


def test_crews_go_on_with_what_a_visitor_sends_them_to(database: str) -> None:
    """In real time, or a hundred times faster; nothing new happens by itself."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        settle(session)
        order = send_somewhere(session)
    wish = Wish(seed=1, start=START, hours=0.5, is_quiet=True)
    summary = Player(sessions, wish, speed=600.0, has_dispatcher=False).run()
    with sessions() as session:
        assert find_order(session, order).arrived_at is not None
    assert summary.reports == 0
    sessions.kw["bind"].dispose()


def test_an_order_that_somebody_real_has_in_hand_is_left_to_them(session: Session) -> None:
    """A visitor who plays a crew is not overtaken by the machine."""
    person_id = make_person(session, "crew")
    crew_key = place_crew(session, "C-1", 0.0)
    rosters.insert_member(session, crew_key, name="周师傅", is_leader=True, person_id=person_id)
    order = open_job(session, 0.01)
    step(session, order.id, "assign", crew="C-1")
    visitor = Actor(name="周师傅", person_id=person_id, roles=frozenset({"crew"}))
    accept = Operation(subject_kind="work_order", subject_id=order.id, action="accept")
    assert apply_operation(session, accept, visitor, NOW).status == "applied"
    session.commit()
    (crew,) = list_crews(session, NOW)
    act(session, Play(seed=1), crew, NOW + MINUTE)
    assert find_order(session, order.id).state == "accepted"


def test_a_crew_that_holds_a_tablet_is_not_played(session: Session) -> None:
    """Nobody can tell what a visitor has recorded on it until there is a signal again."""
    person_id = make_person(session, "crew")
    crew_key = place_crew(session, "C-1", 0.0)
    rosters.insert_member(session, crew_key, name="周师傅", is_leader=True, person_id=person_id)
    order = open_job(session, 0.01)
    step(session, order.id, "assign", crew="C-1")
    visitor = Person(id=person_id, login="zhou", name="周师傅", roles=frozenset({Role.CREW}))
    signed_in = devices.sign_in(
        session, visitor, name="平板 1", device_id=None, last_token=None, now=NOW
    )
    session.commit()
    (crew,) = list_crews(session, NOW)
    assert act(session, Play(seed=1), crew, NOW + MINUTE) == TICK_MIN
    assert find_order(session, order.id).state == "assigned"
    devices.sign_out(session, signed_in.device, NOW + MINUTE)
    assert act(session, Play(seed=1), crew, NOW + 2 * MINUTE) != TICK_MIN
