"""A board as the server would tell it, for tests of the console's own behaviour."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route


def at(minutes: float) -> str:
    """Give a moment so many minutes from now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)).isoformat()


def incident(number: int, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON has it
    """Make an incident."""
    return {
        "id": f"I-{number}", "kind": "burst", "status": "open", "is_planned": False,
        "is_drill": False, "lon": 117.3576, "lat": 31.1250, "address": "长江路 18 号",
        "pipe": "P160", "at_m": 30.0, "danger": False, "score": 61,
        "score_parts": [
            {"code": "customers_out", "points": 43, "text": "停水 172 户"},
            {"code": "critical", "points": 18, "text": "重点用户 1"},
            {"code": "hydrants_dry", "points": 0, "text": "无水消火栓未知"},
        ],
        "properties_out": 172, "people_out": None, "critical_out": 1, "hydrants_dry": 0,
        "opened_at": at(-12), "version": 3, "reports": 1,
    } | facts  # fmt: skip


def order(number: int, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a work order."""
    return {
        "id": f"W-{number}", "incident": None, "outage": None, "kind": "make_safe",
        "severity": "burst", "state": "triaged", "is_on_hold": False, "hold_reason": None,
        "resume_by": None, "crew": None, "second_crew": None, "crews_needed": 1,
        "skills": ["valve"], "lon": 117.3576, "lat": 31.1250, "address": "长江路 18 号",
        "pipe": "P160", "customers_out": 172, "critical_out": 1, "release_at": None,
        "due_at": at(200), "arrive_due_at": at(8), "after_order": None, "opened_at": at(-12),
        "assigned_at": None, "is_pinned": False, "pin_reason": None,
        "escalated": None, "is_drill": False,
        "version": 2,
    } | facts  # fmt: skip


def crew(number: int, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a crew."""
    return {
        "id": f"C-{number}", "name": f"抢修{number}队", "contractor": None,
        "lon": 117.3566 + number / 1500, "lat": 31.1240, "position_at": at(-2),
        "is_position_stale": False, "skills": ["valve", "general"], "on_shift": True,
        "on_call_rank": None, "shift_ends_at": at(180), "phone": "13900000000",
    } | facts  # fmt: skip


def board(**facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a board with two incidents, a routine job and three crews."""
    return {
        "position": 7, "last_event_at": at(-1), "now": dt.datetime.now(dt.UTC).isoformat(),
        "incidents": [
            incident(3),
            incident(4, kind="leak", lon=117.3590, lat=31.1262, address="解放路 7 号", score=8,
                     properties_out=None, critical_out=None, opened_at=at(-95)),
        ],
        "orders": [
            order(12, incident="I-3", escalated={"clock": "arrive", "percent": 80}),
            order(13, incident="I-3", kind="repair", after_order="W-12", arrive_due_at=None,
                  skills=["excavation"]),
            order(14, incident="I-4", kind="repair", severity="leak", state="en_route", crew="C-2",
                  customers_out=None, arrive_due_at=at(-6),
                  escalated={"clock": "arrive", "percent": 100}),
            order(15, kind="routine", severity="routine", address="檀溪路 2 号", customers_out=0,
                  is_on_hold=True, hold_reason="等待物资", resume_by=at(90), critical_out=0),
        ],
        "outages": [],
        "offers": [
            {"order": "W-14", "crew": "C-2", "crew_name": "抢修2队", "phone": "13900000000",
             "kind": "ordered", "due_at": at(-1), "is_phone_asked": True},
        ],
        "late_facts": [late_fact(5, "W-7"), late_fact(6, "O-2", incident="I-4")],
        "emergencies": [
            {"id": "EM-1", "level": 2, "level_name": "Ⅱ级响应", "incident": "I-3",
             "address": "长江路 18 号", "status": "open", "is_drill": False, "unacknowledged": 3,
             "report_due_at": at(20)},
        ],
        "crews": [crew(1), crew(2), crew(3, is_position_stale=True, position_at=at(-40))],
        "suggestions": [
            {"order": "W-12", "version": 2, "crew": "C-1", "crew_name": "抢修1队",
             "second_crew": None, "eta_min": 6.2, "is_straight_line": True, "divert_from": None,
             "runner_up": "C-3", "reasons": [
                 {"code": "customers_out", "text": "172 户停水"},
                 {"code": "fastest", "text": "最先到达"}]},
        ],
    } | facts  # fmt: skip


def late_fact(position: int, subject: str, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a fact that came late."""
    return {
        "position": position, "subject": subject, "incident": None, "what": "到场", "by": "李强",
        "occurred_at": at(-70), "received_at": at(-1),
    } | facts  # fmt: skip


def candidate(number: int, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a crew for an order."""
    return {
        "crew": f"C-{number}", "crew_name": f"抢修{number}队", "contractor": None, "rank": number,
        "is_chosen": False, "can_go": True, "travel_min": 6.2, "eta_min": 6.2,
        "is_straight_line": True, "weight": 187.0, "slack_min": 2.0, "diversion_min": 0.0,
        "cost_customer_min": 1160.0, "place": "position", "position_at": at(-2), "carries": None,
        "against": [{"code": "straight_line", "text": "直线估算"}],
    } | facts  # fmt: skip


WHY = {
    "candidates": [
        candidate(1, is_chosen=True),
        candidate(3, travel_min=9.0, slack_min=-1.0, cost_customer_min=1683.0, against=[
            {"code": "position_old", "text": "位置是 40 分钟前的"}]),
        candidate(2, travel_min=3.0, can_go=False, cost_customer_min=None, diversion_min=10.0,
                  against=[{"code": "pinned", "text": "已锁定在 W-14"}]),
    ],
}  # fmt: skip


def stub(page: Page, path: str, answer: Callable[[Route], Any]) -> None:
    """Answer a path of the API from here; None leaves the request to the server."""

    def fulfil(route: Route) -> None:
        found = answer(route)
        if isinstance(found, tuple):
            status, body = found
            route.fulfill(status=status, json=body)
        elif found is None:
            route.continue_()
        else:
            route.fulfill(json=found)

    page.route(path, fulfil)


def stream(*events: dict[str, Any]) -> str:
    """Write events as the stream sends them."""
    return ": heartbeat\n\n" + "".join(
        f"id: {event['position']}\nevent: {event['kind']}\n"
        f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in events
    )
