"""Crews, people and orders for tests."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldops.crews.models import CrewMember, CrewRow, Shift
from fieldops.events.service import Actor, Operation, Outcome
from fieldops.photos.queries import insert_photo
from fieldops.work_orders.service import OrderDraft, WorkOrder, apply_operation, open_order
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 3, 4, 5, 0, tzinfo=dt.UTC)
NUMBERS = itertools.count(1)
HASH = "0f" * 32

BODIES: dict[str, dict[str, Any]] = {
    "decline": {"reason": "泵坏了"},
    "withdraw": {"reason": "改派"},
    "start": {"safety_briefing": True},
    "enter_chamber": {
        "oxygen_percent": 20.8,
        "explosive_percent_lel": 0,
        "hydrogen_sulphide_ppm": 0,
        "carbon_monoxide_ppm": 2,
        "ventilated": True,
        "second_person": "李雷",
    },
    "dig": {"owners_asked": ["gas", "power", "telecom"], "road_permit": "占道 2026-17"},
    "hold": {"reason": "等材料", "resume_by": (NOW + dt.timedelta(days=1)).isoformat()},
    "finish": {
        "cause": "corrosion",
        "repair": "哈夫节",
        "material": "DN200 哈夫节 1 只",
        "photo_before_backfill": HASH,
        "photo_after": HASH,
        "result": "已关阀",
    },
    "restore": {
        "supply_back_at": NOW.isoformat(),
        "flushed": True,
        "sample_point": "12 号楼前消火栓",
        "turbidity_ntu": 0.4,
        "chlorine_mg_l": 0.3,
    },
    "close": {"work_report": "完成"},
    "send_back": {"reason": "照片不清"},
    "cancel": {"reason": "重复"},
    "reopen": {"reason": "又漏了"},
    "note": {"text": "路窄"},
    "hand_over": {"open_work": "沟槽敞开,两阀已关"},
}
"""What each step needs."""

CREWS_STEPS = ("accept", "depart", "arrive", "start", "finish", "restore")


@dataclass(frozen=True, slots=True)
class Cast:
    """Somebody for each part."""

    dispatcher: Actor
    manager: Actor
    crew: Actor
    other_crew: Actor
    crew_id: str
    other_crew_id: str


def make_crew(session: Session, contractor: str | None = None) -> tuple[str, Actor]:
    """Add a crew of one and give its id, and its member."""
    crew_id = f"T-{next(NUMBERS)}"
    crew = CrewRow(id=crew_id, name=f"{crew_id} 班", contractor=contractor)
    session.add(crew)
    session.flush()
    always = {
        "starts_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        "ends_at": dt.datetime(2100, 1, 1, tzinfo=dt.UTC),
    }
    session.add(Shift(crew_key=crew.key, kind="shift", **always))
    person_id = make_person(session, "crew")
    session.add(CrewMember(crew_key=crew.key, person_id=person_id, name="王芳"))
    session.flush()
    return crew_id, Actor(name="王芳", person_id=person_id, roles=frozenset({"crew"}))


def make_actor(session: Session, *roles: str, name: str = "赵敏") -> Actor:
    """Add a person and give it as somebody who acts."""
    return Actor(name=name, person_id=make_person(session, *roles), roles=frozenset(roles))


def keep_photo(session: Session, sha256: str) -> None:
    """Keep a photo of this hash, whatever it shows."""
    values = {"media_type": "image/jpeg", "original": b"", "published": b""}
    size = {"width_px": 1, "height_px": 1}
    insert_photo(session, {"sha256": sha256, "received_at": NOW, **values, **size})


def make_cast(session: Session) -> Cast:
    """Add somebody for each part, and the photo that all of them send."""
    keep_photo(session, HASH)
    crew_id, crew = make_crew(session)
    other_id, other = make_crew(session)
    return Cast(
        dispatcher=make_actor(session, "dispatcher"),
        manager=make_actor(session, "manager", name="钱经理"),
        crew=crew,
        other_crew=other,
        crew_id=crew_id,
        other_crew_id=other_id,
    )


def make_order(session: Session, now: dt.datetime = NOW, **values: object) -> WorkOrder:
    """Open an order, a repair of a burst unless said otherwise."""
    draft: dict[str, Any] = {"kind": "repair", "severity": "burst", "lon": 118.8, "lat": 32.0}
    actor = make_actor(session, "dispatcher")
    return open_order(session, OrderDraft(**{**draft, **values}), actor, now)


def act(
    session: Session,
    order: WorkOrder | str,
    action: str,
    actor: Actor,
    now: dt.datetime = NOW,
    **more: Any,  # noqa: ANN401 - any field of an operation
) -> Outcome:
    """Do a step with what it needs, unless `body` says otherwise."""
    order_id = order if isinstance(order, str) else order.id
    more.setdefault("body", BODIES.get(action, {}))
    operation = Operation(subject_kind="work_order", subject_id=order_id, action=action, **more)
    return apply_operation(session, operation, actor, now)


WAY = (
    "triage",
    "assign",
    "accept",
    "depart",
    "arrive",
    "start",
    "hold",
    "resume",
    "finish",
    "restore",
    "verify",
    "close",
)
STATE_AFTER = {
    "triage": "triaged",
    "assign": "assigned",
    "accept": "accepted",
    "depart": "en_route",
    "arrive": "on_site",
    "start": "working",
    "hold": "on_hold",
    "resume": "resumed",
    "finish": "work_done",
    "restore": "restored",
    "verify": "verified",
    "close": "closed",
    "cancel": "cancelled",
}


def walk(
    session: Session, order: WorkOrder, cast: Cast, way: tuple[str, ...] = WAY
) -> Iterator[str]:
    """Take an order by legal steps through its states, and tell each."""
    yield "new"
    for action in way:
        body = {"crew": cast.crew_id} if action == "assign" else {**BODIES.get(action, {})}
        if action == "hold":
            body["resume_by"] = (order.opened_at + dt.timedelta(days=1)).isoformat()
        if action == "restore":
            body["supply_back_at"] = order.opened_at.isoformat()
        actor = cast.crew if action in (*CREWS_STEPS, "hold", "resume") else cast.dispatcher
        outcome = act(session, order, action, actor, order.opened_at, body=body)
        assert outcome.status == "applied", (action, outcome)
        yield STATE_AFTER[action]


def lead_to(session: Session, order: WorkOrder, cast: Cast, state: str) -> None:
    """Take an order by legal steps to a state."""
    way: tuple[str, ...] = ("cancel",)
    if state != "cancelled":
        is_held = state == "on_hold"
        way = tuple(each for each in WAY if is_held or each not in {"hold", "resume"})
    for reached in walk(session, order, cast, way):
        if reached == state:
            return
