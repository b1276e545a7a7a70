"""A drawn town with streets, crews and jobs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fieldops.crews.models import SKILLS
from fieldops.crews.service import record_position
from fieldops.events.service import SYSTEM, Actor, Operation, Outcome
from fieldops.rosters import queries as rosters
from fieldops.work_orders.service import OrderDraft, WorkOrder, apply_operation, open_order
from tests.fieldops.network.towns import draw, land
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 7, 1, 2, 0, tzinfo=dt.UTC)
"""Ten in the morning where the utility is."""
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
LON, LAT = 116.0, 30.0

STREETS: dict[str, list[tuple[float, float]]] = {
    "R-南岸": [(0.0, 0.0), (0.01, 0.0), (0.03, 0.0)],
    "R-北岸": [(0.0, 0.005), (0.01, 0.005), (0.03, 0.005)],
    "R-东桥": [(0.03, 0.0), (0.03, 0.005)],
    "R-西桥": [(0.0, 0.0), (0.0, 0.005)],
}
"""Two banks of a river, half a kilometre apart, with a bridge at each end."""


def lay_streets(session: Session, *left_out: str) -> None:
    """Import the streets."""
    land(
        session,
        [
            draw(
                "road",
                name,
                "LineString",
                [[LON + x, LAT + y] for x, y in corners],
                {"name": name[2:], "speed_kmh": 30},
            )
            for name, corners in STREETS.items()
            if name not in left_out
        ],
    )


def dispatcher(session: Session, name: str = "王芳") -> Actor:
    """Make a dispatcher."""
    person_id = make_person(session, "dispatcher")
    return Actor(name=name, person_id=person_id, roles=frozenset({"dispatcher"}))


def place_crew(
    session: Session,
    crew_id: str,
    x: float | None,
    y: float = 0.0,
    *,
    skills: tuple[str, ...] = SKILLS,
    age: dt.timedelta = MINUTE,
    on_call: int | None = None,
    shift_left: dt.timedelta = 8 * HOUR,
    **values: object,
) -> int:
    """Make a crew that works now and was seen at a place a minute ago, and give its key."""
    key = rosters.insert_crew(session, id=crew_id, **{"name": f"{crew_id}班", **values})
    assert key is not None
    for skill in skills:
        rosters.insert_skill(session, key, skill=skill)
    kind = "shift" if on_call is None else "on_call"
    span = {"starts_at": NOW - 2 * HOUR, "ends_at": NOW + shift_left}
    rosters.insert_shifts(session, [{"crew_key": key, "kind": kind, "rank": on_call, **span}])
    if x is not None:
        move(session, crew_id, x, y, NOW - age)
    return key


def move(session: Session, crew_id: str, x: float, y: float, at: dt.datetime) -> None:
    """Have a crew's tablet tell its place."""
    record_position(session, crew_id, LON + x, LAT + y, at, 5.0, SYSTEM, max(at, NOW))


def open_job(session: Session, x: float, y: float = 0.0, **facts: Any) -> WorkOrder:  # noqa: ANN401
    """Open an order that waits for a crew."""
    draft = {
        "kind": "check",
        "severity": "leak",
        "is_triaged": True,
        "reported_at": NOW - 10 * MINUTE,
        "expected_work_min": 30,
    }
    opened = OrderDraft(lon=LON + x, lat=LAT + y, **{**draft, **facts})
    return open_order(session, opened, SYSTEM, NOW)


def step(
    session: Session, order_id: str, action: str, now: dt.datetime = NOW, **body: object
) -> Outcome:
    """Take an order a step further, in the system's name."""
    operation = Operation(subject_kind="work_order", subject_id=order_id, action=action, body=body)
    outcome = apply_operation(session, operation, SYSTEM, now)
    assert outcome.status == "applied", outcome
    return outcome
