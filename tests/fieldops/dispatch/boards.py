"""A drawn town with streets, crews and jobs."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from fieldops.crews.models import SKILLS
from fieldops.crews.service import record_position
from fieldops.events.service import SYSTEM, Actor, Operation, Outcome
from fieldops.incidents.service import IncidentDraft, open_incident
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
ASKED = (
    "pipes",
    "valves",
    "nodes",
    "hydrants",
    "closed",
    "inoperable",
    "unreachable",
    "opened",
)

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


def close_valves(session: Session, *widths_mm: tuple[float | None, ...]) -> list[int]:
    """Have incidents whose outages close valves of some widths, and give their keys."""
    draft = IncidentDraft(kind="burst", lon=LON, lat=LAT, is_separate=True)
    incidents = [open_incident(session, draft, SYSTEM, NOW) for _ in widths_mm]
    ends = [[LON, LAT], [LON + 0.001, LAT]]
    nodes = [draw("node", f"N-{at}", "Point", end, {}) for at, end in enumerate(ends)]
    joins = {"start_node": "N-0", "end_node": "N-1", "diameter_mm": 100}
    valves = [
        draw(
            "valve",
            f"V-{incident.id}-{at}",
            "Point",
            [LON + 0.0005, LAT],
            {"pipe": "P-0"} | ({"diameter_mm": width} if width else {}),
        )
        for incident, widths in zip(incidents, widths_mm, strict=True)
        for at, width in enumerate(widths)
    ]
    land(session, [*nodes, draw("pipe", "P-0", "LineString", ends, joins), *valves])
    for incident in incidents:
        outage = session.execute(
            text(
                "INSERT INTO outage (incident_key, question, aware_at, opened_at, opened_by)"
                " VALUES (:key, CAST(:asked AS jsonb), :now, :now, '王芳') RETURNING key"
            ),
            {
                "key": incident.key,
                "now": NOW,
                "asked": json.dumps({key: [] for key in ASKED} | {"pipes": [["P-0", None]]}),
            },
        ).scalar_one()
        session.execute(
            text(
                "INSERT INTO outage_valve"
                " (outage_key, device_table, device_key, valve, role, state)"
                " SELECT :outage, 'valve', key, id, 'close', 'to_close' FROM valve"
                " WHERE id LIKE :ids"
            ),
            {"outage": outage, "ids": f"V-{incident.id}-%"},
        )
    return [incident.key for incident in incidents]


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
