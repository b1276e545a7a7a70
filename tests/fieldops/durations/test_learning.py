"""The utility's own repairs: imported, remembered, learned from, published."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from fieldops.durations import queries, service
from fieldops.errors import FieldopsError
from fieldops.events.service import SYSTEM, append_event
from gis.restoration import DurationModel
from tests.people import sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

CHINA = ZoneInfo("Asia/Shanghai")
FILE = """reported_at,restored_at,repaired_at,dn
2025-03-01 08:00,2025-03-01 12:00,2025-03-01 11:00,100
2025/03/02 08:00,2025/03/02 11:00,,200
2025-03-03T08:00+08:00,,2025-03-03 11:00,200
2025-03-04 08:00,2025-03-04 07:00,,200
"""
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_rows_with_both_moments_are_added_once_and_the_others_are_named(session: Session) -> None:
    """Sent again, nothing changes."""
    found = service.import_repairs(session, FILE.encode(), CHINA)
    again = service.import_repairs(session, FILE.encode("utf-8-sig"), CHINA)

    assert (found.added, found.known) == (2, 0)
    assert [line for line, _ in found.faults] == [4, 5]
    assert (again.added, again.known) == (0, 2)
    repairs = queries.fetch_repairs(session, 10)
    assert [repair.hours for repair in repairs] == [4.0, 3.0]
    assert repairs[0].reported_at == dt.datetime(2025, 3, 1, 0, 0, tzinfo=dt.UTC)


def test_a_file_without_the_columns_is_refused_by_name(session: Session) -> None:
    """It says what is missing and what is there."""
    with pytest.raises(FieldopsError) as caught:
        service.import_repairs(session, b"begin,end\n1,2\n", CHINA)
    assert caught.value.params == {"name": "reported_at", "columns": "begin, end"}


def test_the_model_learns_as_soon_as_a_repair_is_over(session: Session) -> None:
    """No restart, and no reading of what did not change."""
    assert service.current_model(session) == DurationModel()
    begun = NOW - dt.timedelta(days=40)
    for day in range(30):
        at = begun + dt.timedelta(days=day)
        repair = queries.Repair(reported_at=at, restored_at=at + dt.timedelta(hours=3 + day % 3))
        queries.insert_repairs(session, [repair])

    assert 3 < service.current_model(session).forecast().p50 < 6


def test_an_outage_that_is_over_is_remembered_with_its_stages(session: Session) -> None:
    """Planned work and drills are not."""
    stages = {
        "aware": "2026-01-01T00:00:00+00:00",
        "on_site": "2026-01-01T01:00:00+00:00",
        "water_stopped": None,
        "restored": "2026-01-01T06:00:00+00:00",
    }
    for key, flags in enumerate(({}, {"is_planned": True}, {"is_drill": True}), start=1):
        append_event(
            session,
            "outage.closed",
            ("outage", key),
            by=SYSTEM,
            now=NOW,
            body={"id": f"O-{key}", "stages": stages, **flags},
        )

    repair = queries.fetch_repairs(session, 10)[0]
    assert len(queries.fetch_repairs(session, 10)) == 1
    assert repair.hours == 6.0
    assert repair.on_site_at == dt.datetime(2026, 1, 1, 1, tzinfo=dt.UTC)
    assert repair.water_stopped_at is None


def test_the_page_says_that_it_knows_nothing_yet(client: FlaskClient, session: Session) -> None:
    """The prior is named as what it is."""
    sign_in(client, session, "dispatcher")

    page = client.get("/durations/?lang=en").text

    assert "No repair is recorded yet" in page
    assert "16.0" in page


def test_a_planner_adds_a_file_and_sees_its_coverage(client: FlaskClient, session: Session) -> None:
    """In Chinese, with the rows that were left out."""
    headers = sign_in(client, session, "planner")
    sent = client.post(
        "/durations/",
        data={"file": (io.BytesIO(FILE.encode()), "repairs.csv")},
        headers=headers,
        follow_redirects=True,
    )

    assert sent.status_code == 200
    assert "已添加 2 条" in sent.text
    assert "第 4, 5 行" in sent.text
    assert "no, sooner" not in sent.text
