"""The answer over HTTP, and the files to take away."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from tests.fieldops.outages.towns import Town, street
from tests.people import bearer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.test import TestResponse

NASTY = '<img src=x onerror="alert(1)">{{7*7}}</script>'


@pytest.fixture
def get(client: FlaskClient, session: Session) -> Get:
    """Give a way to ask as the dispatcher."""
    headers = bearer(session, "dispatcher") | {"Accept-Language": "en"}
    return lambda path: client.get(path, headers=headers)


if TYPE_CHECKING:
    from collections.abc import Callable

    Get = Callable[[str], TestResponse]


def test_a_machine_is_answered_in_the_format_of_the_command(session: Session, get: Get) -> None:
    """Ids and numbers."""
    street().plant(session)
    answer = get("/api/v1/pipes/P2/outage?customers=1&inoperable=V2").json

    assert answer is not None
    assert answer["valves_to_close"] == ["V1"]
    assert answer["customers"]["shut"] == ["C102", "C103"]
    assert "keys" not in answer


def test_ids_with_slashes_and_chinese_are_found(session: Session, get: Get) -> None:
    """Whatever a utility calls its pipes."""
    Town().pipe("莲阳路/一//1", "AB").source("S1", "A").plant(session)

    assert (
        get("/api/v1/pipes/%E8%8E%B2%E9%98%B3%E8%B7%AF%2F%E4%B8%80%2F%2F1/outage").json[  # type: ignore[index]
            "pipe"
        ]
        == "莲阳路/一//1"
    )


def test_an_unknown_pipe_is_a_problem_that_names_it(get: Get) -> None:
    """As RFC 9457 has it."""
    answer = get("/api/v1/pipes/P99/outage")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["detail"] == "There is no pipe P99."


@pytest.mark.parametrize("query", ["at_m=101", "at_m=nan", "at_m=x", "lon=117", "lon=a&lat=31"])
def test_a_place_that_is_none_is_a_problem(session: Session, get: Get, query: str) -> None:
    """Nothing is guessed from it."""
    street().plant(session)
    answer = get(f"/api/v1/pipes/P2/outage?{query}")

    assert answer.status_code == 400
    assert answer.json is not None
    assert ("100 m long" in answer.json["detail"]) == (query == "at_m=101")


def test_a_point_on_the_map_is_a_place_on_the_pipe(session: Session, get: Get) -> None:
    """A click beside the pipe, a quarter of its way along."""
    street().plant(session)
    answer = get("/api/v1/pipes/P2/outage?lon=117.00125&lat=31.0001&keys=1").json

    assert answer is not None
    assert answer["at_m"] == pytest.approx(25, abs=0.01)
    assert answer["keys"]["valves_to_close"][0]["number"] == 1


def test_the_longest_question_keeps_to_its_statements(session: Session, get: Get) -> None:
    """Two valves with roads about, a place by its point, and everything told: see `app`."""
    street().source("S2", "D").plant(session)
    everything = "customers=1&keys=1&intervals=1&lon=117.0015&lat=31"
    answer = get(f"/api/v1/pipes/P2/outage?{everything}").json or {}

    assert (answer["at_m"], answer["valves_to_close"]) == (pytest.approx(50), ["V1", "V2"])


def test_the_reason_can_be_asked_for(session: Session, get: Get) -> None:
    """Of a customer or of a valve."""
    street().plant(session)
    customer = get("/api/v1/pipes/P2/outage/why?customer=C103").json
    valve = get("/api/v1/pipes/P2/outage/why?valve=V1").json

    assert customer is not None
    assert customer["feeds"][0]["parted_by"] == ["V2"]
    assert valve is not None
    assert valve["why"]["source"] == "S1"
    assert get("/api/v1/pipes/P2/outage/why?customer=C9").status_code == 404


def test_remarks_are_in_the_readers_language(session: Session, get: Get) -> None:
    """Codes are for machines, texts for people."""
    street().plant(session)
    answer = get("/api/v1/pipes/P2/outage?lang=zh_CN").json

    assert answer is not None
    assert "直线" in answer["remarks"][0]["text"]


def test_the_plan_is_one_file_that_asks_nobody(session: Session, get: Get) -> None:
    """It may run its own scripts, and nothing else."""
    street().plant(session)
    answer = get("/outages/plan.html?pipe=P2")
    page = answer.get_data(as_text=True)

    assert answer.headers["Content-Security-Policy"] == "sandbox allow-scripts"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "<script src" not in page
    assert "<link" not in page
    assert not re.search(r"url\(|@import", page.split("<script>")[0])
    assert "default-src 'none'" in page
    assert "C102" in page


def test_names_with_html_are_harmless_in_the_plan(session: Session, get: Get) -> None:
    """Neither the browser nor the template engine runs them."""
    Town().pipe(NASTY, "AB", material=NASTY).valve(f"V{NASTY}", NASTY, 100).source(
        "S1", "B"
    ).customer(f"C{NASTY}", NASTY, critical=NASTY, name="张三", phone="138").plant(session)
    page = get(f"/outages/plan.html?pipe={NASTY.replace('/', '%2F')}").get_data(as_text=True)

    assert "<img src=x" not in page
    assert "49</script>" not in page
    assert "&lt;img src=x" in page
    assert "张三" not in page


def test_the_sheet_lists_valves_in_the_order_of_work(session: Session, get: Get) -> None:
    """With turns, direction, fixed points, and what it costs if one fails."""
    town = street().valve(
        "V3",
        "P2",
        40,
        turns=27,
        closes="clockwise",
        fixed_points=[{"name": "路灯杆", "distance_m": 1.2}],
    )
    town.customer("C120", "P2", 20, name="张三", phone="13800000000").plant(session)
    answer = get("/outages/valve-sheet.pdf?pipe=P2&at_m=70")
    pages = PdfReader(io.BytesIO(answer.data)).pages
    text = " ".join(pages[0].extract_text().split())

    assert answer.mimetype == "application/pdf"
    assert [round(float(side)) for side in pages[0].mediabox[2:]] == [595, 842]
    for words in ("V3", "27 turns", "closes clockwise", "路灯杆 1.2 m", "+ valves: V1"):
        assert words in text
    assert "+ 1 connections" in text
    assert "张三" not in text
    assert "138" not in text


def test_plan_and_sheet_of_a_closed_pipe_have_no_times(session: Session, get: Get) -> None:
    """It drains alone."""
    street().pipe("P9", "Bb", status="closed").plant(session)
    plan = get("/outages/plan.html?pipe=P9").get_data(as_text=True)
    sheet = PdfReader(io.BytesIO(get("/outages/valve-sheet.pdf?pipe=P9").data)).pages[0]

    assert plan.count("does not apply: the pipe is closed") == 2
    assert sheet.extract_text().count("does not apply") == 2


def test_a_sheet_of_many_valves_runs_over_pages(session: Session, get: Get) -> None:
    """Every page says which plan it is of."""
    town = Town().pipe("P0", "AB")
    for number in range(30):
        town.pipe(f"Q{number:02}", "BC").valve(f"V{number:02}", f"Q{number:02}", 1)
    town.source("S1", "C").plant(session)
    pages = PdfReader(io.BytesIO(get("/outages/valve-sheet.pdf?pipe=P0").data)).pages

    assert len(pages) >= 3
    assert all("Network revision" in page.extract_text() for page in pages)


def test_a_plan_of_an_unknown_pipe_is_not_found(get: Get) -> None:
    """A page says so, to a person."""
    assert get("/outages/plan.html?pipe=P99").status_code == 404
    assert get("/outages/valve-sheet.pdf").status_code == 400


def test_a_plan_too_large_for_a_browser_says_what_it_leaves_out(
    session: Session, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shut is drawn before what is cut off."""
    monkeypatch.setattr("fieldops.isolation_plans.service.MOST_FEATURES", 4)
    street().plant(session)
    page = get("/outages/plan.html?pipe=P2").get_data(as_text=True)

    assert "3 more things are not drawn" in page
    assert "Pipe P2 " in page
    assert "Customer C102" not in page
