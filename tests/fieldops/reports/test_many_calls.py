"""Many calls about one burst, and many open records: one incident, and the indexes hold."""

from __future__ import annotations

import datetime as dt
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.duplicates import queries
from fieldops.live_outages.service import OutageDraft, open_outage
from fieldops.reports import service
from fieldops.reports.service import ReportDraft
from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import NOW, SYSTEM, at, call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

CALLS = 200
DESKS = 4
OPEN_REPORTS = 20_000


@pytest.fixture
def offices(database: str) -> Iterator[sessionmaker[Session]]:
    """Lay the street where commits are real."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        street().plant(session)
    with sessions.begin() as session:
        call(session, "P1", now=NOW - dt.timedelta(days=9))
    yield sessions
    sessions.kw["bind"].dispose()


def take(sessions: sessionmaker[Session], number: int) -> float:
    """Take the call of one of many; only who hears of a burst opens anything."""
    pipe = ("P2", "P2", "P2", "P3")[number % 4]
    kind = ("burst", "no_water", "low_pressure", "surfacing")[number % 4 if pipe == "P2" else 1]
    lon, lat = at(pipe, 0.05 + number % 89 / 99)
    now = NOW + dt.timedelta(seconds=3 * number)
    draft = ReportDraft(kind=kind, lon=lon, lat=lat, phone=f"138{number:08}")
    begun = time.perf_counter()
    with sessions.begin() as session:
        told = service.register_report(session, draft, SYSTEM, now)
    took_s = time.perf_counter() - begun
    if told.linked_incident is not None:
        return took_s
    if kind in {"burst", "surfacing"}:
        open_all(sessions, told.report.id, now)
    return took_s


def open_all(sessions: sessionmaker[Session], report: str, now: dt.datetime) -> None:
    """Open the incident of a report, and its outage, as one who hears of a burst."""
    with sessions.begin() as session:
        opening = service.open_incident_for(session, report, SYSTEM, now)
    if opening.is_new:
        with sessions.begin() as session:
            draft = OutageDraft(pipe="P2", at_m=50, incident_id=opening.incident.id)
            open_outage(session, draft, SYSTEM, now)


@pytest.mark.slow
def test_two_hundred_calls_about_one_burst_are_one_incident(
    offices: sessionmaker[Session],
) -> None:
    """Taken at four desks at a time; each stays a report of its own."""
    with ThreadPoolExecutor(DESKS) as desks:
        took_s = sorted(desks.map(lambda number: take(offices, number), range(CALLS)))
    with offices.begin() as session:
        opened = session.execute(text("SELECT count(*) FROM incident")).scalar_one()
        linked = session.execute(
            text("SELECT count(*) FROM report WHERE incident_key IS NOT NULL")
        ).scalar_one()
        orders = session.execute(text("SELECT count(*) FROM work_order")).scalar_one()
    assert (opened, linked, orders) == (1, CALLS, 2)
    assert took_s[CALLS * 95 // 100] < 0.2 * DESKS


def test_two_first_calls_at_the_same_moment_open_one_incident(
    offices: sessionmaker[Session],
) -> None:
    """Whoever comes second is linked to what the first one opened."""
    barrier = Barrier(DESKS)
    lon, lat = at("P2")

    def take_one(number: int) -> str:
        draft = ReportDraft(kind="burst", lon=lon, lat=lat, phone=str(number))
        with offices.begin() as session:
            barrier.wait()
            report = service.register_report(session, draft, SYSTEM, NOW).report
        barrier.wait()
        with offices.begin() as session:
            if service.find_report(session, report.id).incident is None:
                service.open_incident_for(session, report.id, SYSTEM, NOW)
        return report.id

    with ThreadPoolExecutor(DESKS) as desks:
        reports = list(desks.map(take_one, range(DESKS)))
    with offices.begin() as session:
        linked = {service.find_report(session, one).incident for one in reports}
        opened = session.execute(text("SELECT count(*) FROM incident")).scalar_one()
    assert len(linked) == 1
    assert None not in linked
    assert opened == 1


def test_a_call_and_an_opening_at_the_same_moment_find_each_other(
    offices: sessionmaker[Session],
) -> None:
    """Whichever commits first."""
    lon, lat = at("P2")
    draft = ReportDraft(kind="no_water", lon=lon, lat=lat)
    for _ in range(5):
        with offices.begin() as session:
            first = service.register_report(session, draft, SYSTEM, NOW).report.id
        barrier = Barrier(2)

        def open_it(report: str = first, barrier: Barrier = barrier) -> str:
            with offices.begin() as session:
                barrier.wait()
                return service.open_incident_for(session, report, SYSTEM, NOW).incident.id

        def tell(barrier: Barrier = barrier) -> str:
            with offices.begin() as session:
                barrier.wait()
                return service.register_report(session, draft, SYSTEM, NOW).report.id

        with ThreadPoolExecutor(2) as desks:
            incident, second = desks.submit(open_it), desks.submit(tell)
        with offices.begin() as session:
            assert service.find_report(session, second.result()).incident == incident.result()
            session.execute(
                text("UPDATE incident SET status = 'closed', closed_at = :now"), {"now": NOW}
            )


def test_candidates_are_found_by_index_among_many_open_records(session: Session) -> None:
    """No table is read through, and the fastest of many tries is far below 5 ms."""
    session.execute(text("SELECT setseed(0.5)"))
    session.execute(
        text(
            "INSERT INTO report (kind, channel, lon, lat, part_key, received_at) SELECT 'no_water',"
            " 'phone', 117 + random() * 0.2, 31 + random() * 0.2, (random() * 400000)::bigint,"
            " CAST(:now AS timestamptz) - random() * interval '10 days'"
            " FROM generate_series(1, :count)"
        ),
        {"now": NOW, "count": OPEN_REPORTS},
    )
    session.execute(
        text(
            "INSERT INTO incident (kind, lon, lat, zone_parts, opened_at, opened_by)"
            " SELECT 'burst', 117 + random() * 0.2, 31 + random() * 0.2,"
            " ARRAY(SELECT g * 50 + one FROM generate_series(1, 40) one), :now, 'test'"
            " FROM generate_series(1, 2000) g"
        ),
        {"now": NOW},
    )
    session.execute(text("ANALYZE report"))
    session.execute(text("ANALYZE incident"))
    zone = list(range(50_001, 50_041))
    limits = (250.0, NOW - dt.timedelta(hours=48))
    values = queries.candidate_values((117.1, 31.1), zone[0], zone, limits)
    plan = session.execute(text(f"EXPLAIN (FORMAT JSON) {queries.CANDIDATES}"), values).scalar()
    said = json.dumps(plan)
    assert "Seq Scan" not in said
    for index in ("zone_parts", "geometry", "part_key"):
        assert index in said
    took_ms = []
    for _ in range(20):
        begun = time.perf_counter()
        found = queries.fetch_candidates(session, (117.1, 31.1), zone[0], zone, limits)
        took_ms.append((time.perf_counter() - begun) * 1000)
    assert any(one.is_in_zone and one.subject == "incident" for one in found)
    assert min(took_ms) < 5
