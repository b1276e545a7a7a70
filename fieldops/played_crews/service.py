"""
What a crew does next, by the state of its order: accept, drive, close valves, repair, restore.

Nothing is remembered but the way it drives, so that a day may begin with crews under way.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from fieldops.crews.service import Position, record_place
from fieldops.devices.service import holds_tablet
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor, Operation, Outcome
from fieldops.incidents.service import close_incident, find_incident
from fieldops.live_outages import service as live_outages
from fieldops.photos.service import draw_photo, keep_photo
from fieldops.played_crews import queries
from fieldops.scenarios.service import WORK_MIN, Happening, class_of, draw_valve
from fieldops.stock.service import issue, who_carries
from fieldops.street_times.service import Way, find_way
from fieldops.work_orders import service as work_orders
from fieldops.work_orders.service import Filter, WorkOrder

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.crews.service import Crew
    from fieldops.live_outages.service import LiveOutage
    from fieldops.live_supply.queries import WorkedValve

TICK_MIN = 1.0
"""So often a tablet tells its place under way."""
IDLE_MIN = 7.0
"""and so often at a stand: before it counts as old."""
SILENT = 0.05
"""Crews that do not see an order come in."""
PATIENCE_MIN = 10.0
"""So long a valve crew waits for the dispatcher to open the outage."""
WORTH_CLOSING = frozenset({"close", "pump", "source"})
SHUT = frozenset({"closed_tight", "passing"})
DETOUR = 1.4
CAUSES = ("corrosion", "fracture", "joint_leak", "third_party_damage")

DESK = Actor(name="模拟调度", roles=frozenset({"dispatcher", "manager"}))


@dataclass(slots=True)
class Drive:
    """A way that a crew drives to an order."""

    order_id: str
    way: Way
    departed_at: dt.datetime


@dataclass(slots=True)
class Play:
    """What the crews of a simulated day share; `stories` tells what broke, by incident."""

    seed: int
    is_drill: bool = False
    stories: dict[str, Happening] = field(default_factory=dict)
    drives: dict[int, Drive] = field(default_factory=dict)
    photo: str | None = None
    refused: list[str] = field(default_factory=list)

    def lot(self, *words: object) -> Random:
        """Give the lot for one thing: the same words, the same draws."""
        return Random(" ".join(map(str, (self.seed, *words))))  # noqa: S311 - no secret

    def minutes(self, least: float, most: float, *words: object) -> float:
        """Draw some minutes."""
        return self.lot(*words).uniform(least, most)


def act(session: Session, play: Play, crew: Crew, now: dt.datetime) -> float:
    """Have a crew do its next step, and give the minutes until the one after."""
    people = [each.person_id for each in crew.members if each.person_id is not None]
    if holds_tablet(session, people, now):
        # What somebody real records without a signal is not heard of until much later.
        return TICK_MIN
    order = _find_order(session, crew)
    if order is None:
        return _idle(session, play, crew, now)
    if order.crew_key != crew.key:
        # The second crew of two goes along with the first, which leads.
        _tell_place(session, crew, order.lon, order.lat, now)
        return IDLE_MIN
    if people and queries.is_led_by(session, order.key, people):
        # Somebody real of the crew has it in hand: a visitor of the demo, or a trainee.
        return TICK_MIN
    step = _STEPS.get(order.state)
    return IDLE_MIN if step is None else step(session, play, crew, order, now)


def _find_order(session: Session, crew: Crew) -> WorkOrder | None:
    wanted = Filter(crew_keys=[crew.key], limit=50)
    busy = [each for each in work_orders.list_orders(session, wanted) if each.is_crew_busy]
    return busy[0] if busy else None


def _idle(session: Session, play: Play, crew: Crew, now: dt.datetime) -> float:
    play.drives.pop(crew.key, None)
    if not crew.on_shift and crew.on_call_rank is None:
        return 2 * IDLE_MIN
    place = crew.depot if crew.lon is None else crew
    if place is not None and place.lon is not None and place.lat is not None:
        _tell_place(session, crew, place.lon, place.lat, now)
    return IDLE_MIN


def place_of(
    session: Session, play: Play, crew: Crew, now: dt.datetime
) -> tuple[float, float] | None:
    """Give where a crew is by what it does; None where nothing says so."""
    order = _find_order(session, crew)
    if order is not None and order.state in {"on_site", "working"}:
        return order.lon, order.lat
    drive = play.drives.get(crew.key)
    if drive is not None:
        return drive.way.at((now - drive.departed_at).total_seconds() / 60)
    return None if crew.lon is None or crew.lat is None else (crew.lon, crew.lat)


def actor_of(crew: Crew) -> Actor:
    """Give whoever speaks for a played crew: nobody's account, in its leader's name."""
    return Actor(name=crew.leader, roles=frozenset({"system", "crew"}))


def _tell_place(session: Session, crew: Crew, lon: float, lat: float, now: dt.datetime) -> None:
    position = Position(lon=lon, lat=lat, at=now, accuracy_m=6.0)
    record_place(session, crew.id, position, actor_of(crew), now)


def _do(
    session: Session, play: Play, who: Actor, subject: tuple[str, str], action: str, **body: object
) -> Outcome:
    """Ask for a step, and keep what was refused for the summary."""
    now = body.pop("now")
    assert isinstance(now, dt.datetime)  # noqa: S101 - always handed in
    operation = Operation(subject_kind=subject[0], subject_id=subject[1], action=action, body=body)
    doors = {"work_order": work_orders.apply_operation, "outage": live_outages.apply_operation}
    outcome = doors[subject[0]](session, operation, who, now)
    if not outcome.status.startswith("applied"):
        said = outcome.message % outcome.params if outcome.message else outcome.status
        play.refused.append(f"{subject[1]} {action}: {said} {' '.join(outcome.missing)}".strip())
    return outcome


def _step_order(
    session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime, action: str,
    **body: object,
) -> bool:  # fmt: skip
    subject = ("work_order", order.id)
    outcome = _do(session, play, actor_of(crew), subject, action, now=now, **body)
    return outcome.status.startswith("applied")


def _accept(session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime) -> float:
    lot = play.lot("accept", order.id, crew.id, order.version)
    if lot.random() < SILENT:
        return IDLE_MIN
    _step_order(session, play, crew, order, now, "accept")
    return lot.uniform(0.5, 2.0)


def _depart(session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime) -> float:
    start = (crew.lon, crew.lat) if crew.lon is not None else None
    if start is not None and start[1] is not None:
        # Where it is told once more, the trip is known to begin here.
        _tell_place(session, crew, start[0], start[1], now)
    _step_order(session, play, crew, order, now, "depart")
    return TICK_MIN


def _drive(session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime) -> float:
    drive = play.drives.get(crew.key)
    if drive is None or drive.order_id != order.id:
        goal = (order.lon, order.lat)
        start = goal if crew.lon is None or crew.lat is None else (crew.lon, crew.lat)
        way = find_way(session, start, goal, DETOUR)
        departed_at = max(order.departed_at or now, crew.position_at or now)
        drive = play.drives[crew.key] = Drive(order.id, way, min(departed_at, now))
    driven_min = (now - drive.departed_at).total_seconds() / 60
    left_min = drive.way.minutes[-1] - driven_min
    lon, lat = drive.way.at(driven_min)
    _tell_place(session, crew, lon, lat, now)
    if left_min > 0.05:
        return max(min(left_min, TICK_MIN), 0.05)
    del play.drives[crew.key]
    _step_order(session, play, crew, order, now, "arrive")
    return play.minutes(1.0, 4.0, "park", order.id)


def _start(session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime) -> float:
    before = order.after_order_id
    if before and work_orders.find_order(session, before).finished_at is None:
        return 3.0
    _step_order(session, play, crew, order, now, "start", safety_briefing=True)
    return play.minutes(2.0, 6.0, "begin", order.id)


def _work(session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime) -> float:
    _tell_place(session, crew, order.lon, order.lat, now)
    outages = _outages_of(session, order)
    if order.kind == "make_safe":
        return _make_safe(session, play, crew, order, outages, now)
    if order.kind == "repair" and "owners_asked" not in order.data:
        # Where no valve crew came before, whoever repairs closes the valves.
        pause_min = _close_next(session, play, crew, outages, now)
        if pause_min is not None:
            return pause_min
    begun_at = order.started_at or now
    left_min = _work_min(play, order) - (now - begun_at).total_seconds() / 60
    if order.needs_excavation and "owners_asked" not in order.data:
        owners = ["gas", "power", "telecom"]
        permit = f"占道 {order.id}"
        _step_order(session, play, crew, order, now, "dig", owners_asked=owners, road_permit=permit)
    if left_min > 0.05:
        return min(left_min, IDLE_MIN)
    if order.kind == "repair":
        for outage in outages:
            pause_min = _give_water_back(session, play, crew, order, outage, now)
            if pause_min is not None:
                return pause_min
    _hand_over(session, play, crew, order, now)
    return play.minutes(2.0, 5.0, "pack", order.id)


def _work_min(play: Play, order: WorkOrder) -> float:
    """Give how long the work really takes."""
    story = play.stories.get(order.incident_id or "")
    if story is not None and order.kind == "repair":
        return story.work_min
    lot = play.lot("work", order.id)
    median_min, spread = WORK_MIN["routine" if story is None else class_of(story.kind)]
    if order.kind != "repair":
        median_min = order.expected_work_min * 0.8
    return median_min * math.exp(lot.gauss(0.0, spread))


def _outages_of(session: Session, order: WorkOrder) -> list[LiveOutage]:
    if order.incident_id is None:
        return []
    return [
        each for each in live_outages.list_open(session) if each.incident_id == order.incident_id
    ]


def _make_safe(
    session: Session, play: Play, crew: Crew, order: WorkOrder, outages: list[LiveOutage],
    now: dt.datetime,
) -> float:  # fmt: skip
    """Close one valve more; with none left the place is safe."""
    story = play.stories.get(order.incident_id or "")
    begun_min = (now - (order.started_at or now)).total_seconds() / 60
    if not outages and story is not None and story.needs_outage and begun_min < PATIENCE_MIN:
        return 2.0
    pause_min = _close_next(session, play, crew, outages, now)
    if pause_min is not None:
        return pause_min
    if not outages and begun_min < order.expected_work_min / 2:
        return min(order.expected_work_min / 2 - begun_min + 0.05, IDLE_MIN)
    _hand_over(session, play, crew, order, now)
    return play.minutes(2.0, 5.0, "pack", order.id)


def _close_next(
    session: Session, play: Play, crew: Crew, outages: list[LiveOutage], now: dt.datetime
) -> float | None:
    """Close one valve more, and give the minutes that takes; None when none is left."""
    for outage in outages:
        waiting = sorted(
            (each for each in outage.valves if _is_to_close(each)),
            key=lambda each: (each.number or 0, each.valve),
        )
        if waiting:
            _close_valve(session, play, crew, outage, waiting[0], now)
            return play.minutes(4.0, 11.0, "valve", outage.id, waiting[0].valve)
    return None


def _is_to_close(valve: WorkedValve) -> bool:
    return valve.role in WORTH_CLOSING and valve.state == "to_close"


def _close_valve(
    session: Session, play: Play, crew: Crew, outage: LiveOutage, valve: WorkedValve,
    now: dt.datetime,
) -> None:  # fmt: skip
    result = draw_valve(play.seed, valve.valve) if valve.role == "close" else "closed_tight"
    body: dict[str, Any] = {"valve": valve.valve, "result": result}
    if valve.turns_recorded and result in SHUT:
        body["turns"] = valve.turns_recorded
    if result == "passing":
        body["accept_passing"] = True
    if result in SHUT and valve.role == "close":
        body |= {"tag": f"G{valve.key}", "photo": _photo(session, play, now)}
    _do(session, play, actor_of(crew), ("outage", outage.id), "confirm_valve", now=now, **body)


def _give_water_back(
    session: Session, play: Play, crew: Crew, order: WorkOrder, outage: LiveOutage,
    now: dt.datetime,
) -> float | None:  # fmt: skip
    """Open one valve more, and give the minutes that takes; None when all are open."""
    subject, who = ("outage", outage.id), actor_of(crew)
    if outage.outage.repaired_at is None:
        _do(session, play, who, subject, "stage", now=now, stage="repaired")
        return play.minutes(3.0, 8.0, "tidy", order.id)
    shut = sorted(
        (each for each in outage.valves if each.state in SHUT and each.role != "verify_shut"),
        key=lambda each: (each.number or 0, each.valve),
    )
    for valve in shut:
        body: dict[str, Any] = {"valve": valve.valve, "turns": valve.turns_recorded}
        hanging = next(
            (
                each
                for each in outage.tags
                if each.taken_off_at is None and each.valve == valve.valve
            ),
            None,
        )
        if hanging is not None:
            body |= {"tag": hanging.number, "photo": _photo(session, play, now)}
        for result in ("reopened", "handed_over"):
            outcome = _do(
                session, play, who, subject, "reopen_valve", now=now, result=result, **body
            )
            if outcome.status == "applied":
                return play.minutes(3.0, 7.0, "open", outage.id, valve.valve)
    return 5.0 if shut else None


def _photo(session: Session, play: Play, now: dt.datetime) -> str:
    """Draw one photo for the whole day: what is shown is a grey wall with a number."""
    if play.photo is None:
        image = Image.new("RGB", (160, 120), (150, 150, 145))
        ImageDraw.Draw(image).text((20, 50), f"#{play.seed}", fill=(40, 40, 40))
        written = BytesIO()
        image.save(written, "JPEG")
        drawing = draw_photo(written.getvalue())
        play.photo = keep_photo(session, drawing, person_id=None, now=now).sha256
    return play.photo


def _hand_over(
    session: Session, play: Play, crew: Crew, order: WorkOrder, now: dt.datetime
) -> None:
    """Finish, tell of the water, and have the desk verify, close, and end what is over."""
    lot = play.lot("papers", order.id)
    body: dict[str, Any] = {"result": "正常"}
    if order.kind in {"repair", "reinstate"}:
        body["photo_after"] = _photo(session, play, now)
    if order.kind == "repair":
        body |= {
            "cause": lot.choice(CAUSES),
            "repair": "哈夫节抢修",
            "material": _take_material(session, crew, order, now),
            "photo_before_backfill": body["photo_after"],
            "owners_asked": ["gas", "power", "telecom"],
        }
    if not _step_order(session, play, crew, order, now, "finish", **body):
        return
    if order.kind in {"repair", "flush"}:
        _step_order(
            session, play, crew, order, now, "restore",
            supply_back_at=now.isoformat(), flushed=True, sample_point="末端消火栓",
            turbidity_ntu=round(lot.uniform(0.2, 0.8), 2),
            chlorine_mg_l=round(lot.uniform(0.1, 0.5), 2),
        )  # fmt: skip
    subject = ("work_order", order.id)
    _do(session, play, DESK, subject, "verify", now=now)
    _do(session, play, DESK, subject, "close", now=now, work_report="已完成")
    _end_all(session, play, order, now)


def _take_material(session: Session, crew: Crew, order: WorkOrder, now: dt.datetime) -> str:
    """Take what fits from the van; what it does not carry was brought from a store."""
    if order.diameter_mm is not None:
        for carried in who_carries(session, order.diameter_mm, None, None, "clamp"):
            if carried.place.crew_id == crew.id and carried.quantity >= 1:
                try:
                    with session.begin_nested():
                        issue(
                            session, carried.place.id, carried.item.id, Decimal(1), order.id,
                            actor_of(crew), now,
                        )  # fmt: skip
                except FieldopsError:
                    break
                return carried.item.name
    return "仓库领用"


def _end_all(session: Session, play: Play, order: WorkOrder, now: dt.datetime) -> None:
    """Close the outages that are over, and the incident when nothing of it is left."""
    if order.incident_id is None:
        return
    for outage in _outages_of(session, order):
        if outage.status == "restored" or outage.outage.repaired_at is not None:
            _do(session, play, DESK, ("outage", outage.id), "close", now=now)
    left = Filter(incident_id=order.incident_id, limit=1)
    if work_orders.list_orders(session, left) or _outages_of(session, order):
        return
    if find_incident(session, order.incident_id).is_open:
        close_incident(session, order.incident_id, DESK, now)


_STEPS = {
    "assigned": _accept,
    "accepted": _depart,
    "en_route": _drive,
    "on_site": _start,
    "working": _work,
}
