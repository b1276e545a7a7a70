"""Planned shutdowns: who would be dry, which slot harms the fewest, approval and opening."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import append_event
from fieldops.incidents.service import IncidentDraft, open_incident
from fieldops.language import TIMEZONE
from fieldops.live_outages.service import OutageDraft, list_open, open_outage
from fieldops.outages.service import Question, judge_outage
from fieldops.shutdowns import queries
from gis.slots import is_in_window, overlap_hours, weighted_hours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event
    from fieldops.shutdowns.queries import BlackoutHours, CrewShift, PlannedShutdown

STEP = dt.timedelta(minutes=30)
LONGEST_SEARCH = dt.timedelta(days=60)
SHOWN = 12
ZONE = ZoneInfo(TIMEZONE)
LONGEST_WORK_MIN = 7 * 24 * 60
EARLIEST = dt.timedelta(minutes=30)
"""Customers were told a time: nobody is shut off long before it."""
DEFAULT_OUTAGE = dt.timedelta(hours=24)
"""How long an outage without a forecast is taken to last."""


class NotApprovableError(ConflictError):
    """A slot that must not be used."""

    code = "slot-refused"


@dataclass(frozen=True, slots=True)
class Other:
    """Another closure that may be under way: its id, when, and what breaks in it."""

    id: str
    begins_at: dt.datetime
    ends_at: dt.datetime
    question: Question
    is_planned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """
    A time at which the water could be off.

    `harm_property_h` weighs each property's hour by the time of day, and counts who is dry
    through another closure anyway only once. `jointly_dry` are properties that either closure
    alone would leave with water. `critical_refused` says whose blackout hours it touches.
    """

    starts_at: dt.datetime
    ends_at: dt.datetime
    harm_property_h: float
    jointly_dry: int
    overlaps: tuple[str, ...]
    critical_refused: tuple[str, ...]
    crews: int

    @property
    def is_allowed(self) -> bool:
        """Whether it may be approved."""
        return not self.critical_refused and self.crews > 0


@dataclass(frozen=True, slots=True)
class Slots:
    """The best slots, and how many were refused for which reason."""

    best: list[Slot]
    tried: int
    refused_blackout: int
    refused_crews: int


@dataclass(frozen=True, slots=True)
class Dry:
    """Customers without water through some closures: their keys and properties."""

    keys: NDArray[np.int64]
    properties: NDArray[np.int64]
    critical: int

    @property
    def total(self) -> int:
        """All properties."""
        return int(self.properties.sum())


def request_shutdown(
    session: Session, question: Question, reason: str, work_min: int, actor: Actor, now: dt.datetime
) -> PlannedShutdown:
    """
    Ask for the water to be shut off around some pipes or valves, for work of so many minutes.

    Raises
    ------
    FieldopsError
        If nothing is named, no reason is given, or the work takes no time or over a week.
    UnknownThingError
        If something named is not in the network.
    """
    if not reason.strip():
        raise FieldopsError("Say what the shutdown is for.")
    if not 0 < work_min <= LONGEST_WORK_MIN:
        raise FieldopsError("The work must take between 1 minute and 7 days.")
    dry = _who_is_dry(session, [question], now)
    shutdown = queries.insert_shutdown(
        session,
        {
            "reason": reason.strip(),
            "question": _as_stored(question),
            "work_min": work_min,
            "properties_out": dry.total,
            "critical_out": dry.critical,
            "requested_at": now,
            "requested_by": actor.name,
        },
    )
    _tell(session, "requested", shutdown, actor, now)
    return shutdown


def find_shutdown(session: Session, shutdown_id: str) -> PlannedShutdown:
    """
    Find a planned shutdown.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    return _found(queries.fetch_shutdown(session, shutdown_id), shutdown_id)


def _found(shutdown: PlannedShutdown | None, shutdown_id: str) -> PlannedShutdown:
    if shutdown is None:
        raise NotFoundError("There is no planned shutdown %(id)s.", id=shutdown_id)
    return shutdown


def find_slots(
    session: Session,
    shutdown: PlannedShutdown,
    begin: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
) -> Slots:
    """
    Rank the times at which a shutdown could begin between two moments.

    Raises
    ------
    FieldopsError
        If the span is empty, lies in the past or is longer than two months.
    """
    work = dt.timedelta(minutes=shutdown.work_min)
    begin = max(begin, now)
    if end - work < begin:
        raise FieldopsError("The work does not fit between these two times.")
    if end - begin > LONGEST_SEARCH:
        raise FieldopsError("Search at most %(days)s days at once.", days=LONGEST_SEARCH.days)
    first = _next_step(begin)
    count = max(0, int((end - work - first) / STEP) + 1)
    slots = _judge_slots(session, shutdown, [first + k * STEP for k in range(count)], now)
    allowed = sorted(
        (slot for slot in slots if slot.is_allowed),
        key=lambda slot: (slot.harm_property_h, slot.starts_at),
    )
    return Slots(
        allowed[:SHOWN],
        len(slots),
        sum(bool(slot.critical_refused) for slot in slots),
        sum(slot.crews == 0 and not slot.critical_refused for slot in slots),
    )


def judge_slot(
    session: Session, shutdown: PlannedShutdown, starts_at: dt.datetime, now: dt.datetime
) -> Slot:
    """Judge one time at which a shutdown could begin."""
    return _judge_slots(session, shutdown, [starts_at], now)[0]


def approve_shutdown(
    session: Session,
    shutdown_id: str,
    starts_at: dt.datetime,
    approval_no: str,
    actor: Actor,
    now: dt.datetime,
) -> PlannedShutdown:
    """
    Give a shutdown its slot and the number of its approval.

    Raises
    ------
    NotApprovableError
        If it is past that stage, or the slot touches somebody's blackout hours or has no crew.
    FieldopsError
        If the number is missing or the slot lies in the past.
    """
    shutdown = _lock(session, shutdown_id)
    if shutdown.status not in {"requested", "approved"}:
        raise NotApprovableError(
            "The shutdown %(id)s has begun, is over or was given up.", id=shutdown.id
        )
    if not approval_no.strip():
        raise FieldopsError("Give the number of the approval.")
    if starts_at <= now:
        raise FieldopsError("The slot lies in the past.")
    slot = judge_slot(session, shutdown, starts_at, now)
    if slot.critical_refused:
        raise NotApprovableError(
            "In this slot %(customers)s must have water.",
            customers=", ".join(slot.critical_refused),
        )
    if not slot.crews:
        raise NotApprovableError("No crew that may work valves is on shift in this slot.")
    approved = queries.update_shutdown(
        session,
        shutdown.key,
        {
            "status": "approved",
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "approval_no": approval_no.strip(),
            "approved_by": actor.name,
        },
    )
    _tell(session, "approved", approved, actor, now)
    return approved


def open_shutdown(
    session: Session, shutdown_id: str, actor: Actor, now: dt.datetime
) -> PlannedShutdown:
    """
    Begin the work: an incident of its own, and a planned outage whose valves can be confirmed.

    Raises
    ------
    NotApprovableError
        If it was not approved, or it is not the time of its slot.
    NotFoundError
        If the network has changed, and nothing of it is left.
    """
    shutdown = _lock(session, shutdown_id)
    if shutdown.status != "approved":
        raise NotApprovableError(
            "Only an approved shutdown can begin, and %(id)s is not.", id=shutdown.id
        )
    if (
        shutdown.starts_at is None
        or shutdown.ends_at is None
        or not (shutdown.starts_at - EARLIEST <= now < shutdown.ends_at)
    ):
        raise NotApprovableError(
            "%(id)s may begin only in its slot, or %(min)s minutes before: approve another slot.",
            id=shutdown.id,
            min=EARLIEST // dt.timedelta(minutes=1),
        )
    question = as_question(shutdown)
    place = queries.fetch_place(
        session, [pipe for pipe, _ in question.pipes], [*question.valves, *question.closed]
    )
    if place is None:
        raise NotFoundError("What %(id)s isolates is no longer in the network.", id=shutdown.id)
    incident = open_incident(
        session,
        IncidentDraft(
            kind="planned_work",
            is_planned=True,
            is_separate=True,
            lon=place[0],
            lat=place[1],
        ),
        actor,
        now,
    )
    outage = open_outage(
        session,
        OutageDraft(
            question=question,
            incident_id=incident.id,
            is_planned=True,
            reason=shutdown.reason,
            planned_from=shutdown.starts_at,
            planned_until=shutdown.ends_at,
        ),
        actor,
        now,
    )
    opened = queries.update_shutdown(
        session,
        shutdown.key,
        {"status": "opened", "outage_key": outage.key, "incident_key": incident.key},
    )
    _tell(session, "opened", opened, actor, now)
    return opened


def cancel_shutdown(
    session: Session, shutdown_id: str, actor: Actor, now: dt.datetime
) -> PlannedShutdown:
    """
    Give a shutdown up before it begins.

    Raises
    ------
    NotApprovableError
        If it has begun or is over.
    """
    shutdown = _lock(session, shutdown_id)
    if shutdown.status not in {"requested", "approved"}:
        raise NotApprovableError(
            "The shutdown %(id)s has begun, is over or was given up.", id=shutdown.id
        )
    cancelled = queries.update_shutdown(session, shutdown.key, {"status": "cancelled"})
    _tell(session, "cancelled", cancelled, actor, now)
    return cancelled


def end_shutdown(session: Session, event: Event) -> None:
    """Note that a shutdown is over when its outage is closed."""
    shutdown = queries.fetch_by_outage(session, event.subject_key)
    if shutdown is not None and shutdown.status == "opened":
        queries.update_shutdown(session, shutdown.key, {"status": "done"})


HANDLERS = {"outage.closed": end_shutdown}


def add_blackout(
    session: Session,
    customer: str,
    weekdays: Sequence[int],
    from_time: dt.time,
    until_time: dt.time,
    reason: str,
) -> None:
    """
    Note hours in which a customer must have water.

    Raises
    ------
    NotFoundError
        If there is no such customer.
    FieldopsError
        If no day or no reason is given.
    """
    key = queries.fetch_customer_key(session, customer.strip())
    if key is None:
        raise NotFoundError("There is no customer %(id)s.", id=customer)
    if not weekdays or not set(weekdays) <= set(range(1, 8)):
        raise FieldopsError("Choose at least one day of the week.")
    if not reason.strip():
        raise FieldopsError("Give a reason.")
    queries.insert_blackout(
        session,
        key,
        {
            "weekdays": sorted(set(weekdays)),
            "from_time": from_time,
            "until_time": until_time,
            "reason": reason.strip(),
        },
    )


def list_blackouts(
    session: Session, shutdown: PlannedShutdown, now: dt.datetime
) -> list[BlackoutHours]:
    """List the blackout hours of those whom a shutdown leaves dry."""
    dry = _who_is_dry(session, [as_question(shutdown)], now)
    return queries.fetch_blackouts(session, dry.keys.tolist())


def _judge_slots(
    session: Session, shutdown: PlannedShutdown, starts: Sequence[dt.datetime], now: dt.datetime
) -> list[Slot]:
    if not starts:
        return []
    work = dt.timedelta(minutes=shutdown.work_min)
    midnight = starts[0].astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = np.array([(start - midnight).total_seconds() / 3600 for start in starts])
    length_h = shutdown.work_min / 60
    factors = queries.fetch_factors(session)
    dry = _who_is_dry(session, [as_question(shutdown)], now)
    harm = dry.total * weighted_hours(hours, length_h, factors)
    end = starts[-1] + work
    jointly = np.zeros(len(starts), dtype=np.int64)
    overlaps: list[list[str]] = [[] for _ in starts]
    planned = np.zeros(len(starts), dtype=np.int64)
    refused = _refusals(session, dry.keys, hours, length_h, midnight)
    for other in _others(session, shutdown, starts[0], end, now):
        lasts = [(at - midnight).total_seconds() / 3600 for at in (other.begins_at, other.ends_at)]
        both_h = overlap_hours(hours, length_h, *lasts)
        added, only_both = _joint(session, shutdown, other, dry, now)
        share = np.divide(both_h, length_h)
        harm += (added - dry.total) * weighted_hours(hours, length_h, factors) * share
        jointly += np.where(both_h > 0, only_both.total, 0)
        planned += (both_h > 0) & other.is_planned
        also = _refusals(session, only_both.keys, hours, length_h, midnight)
        for number in np.flatnonzero(both_h > 0).tolist():
            overlaps[number].append(other.id)
            refused[number] = tuple(dict.fromkeys(refused[number] + also[number]))
    shifts = queries.fetch_valve_shifts(session, starts[0], end)
    return [
        Slot(
            starts_at=start.astimezone(dt.UTC),
            ends_at=(start + work).astimezone(dt.UTC),
            harm_property_h=float(harm[number]),
            jointly_dry=int(jointly[number]),
            overlaps=tuple(overlaps[number]),
            critical_refused=refused[number],
            # Each planned shutdown at the same time has need of a crew, too.
            crews=max(0, _crews(shifts, start) - int(planned[number])),
        )
        for number, start in enumerate(starts)
    ]


def _refusals(
    session: Session,
    customer_keys: NDArray[np.int64],
    hours: NDArray[np.float64],
    length_h: float,
    midnight: dt.datetime,
) -> list[tuple[str, ...]]:
    """Say for each slot whose blackout hours it touches."""
    refused: list[list[str]] = [[] for _ in hours]
    blackouts = (
        queries.fetch_blackouts(session, customer_keys.tolist()) if len(customer_keys) else []
    )
    for each in blackouts:
        touched = is_in_window(
            hours,
            length_h,
            _hour(each.from_time),
            _hour(each.until_time),
            each.weekdays,
            midnight.isoweekday(),
        )
        for number in np.flatnonzero(touched).tolist():
            refused[number].append(f"{each.customer} ({each.reason})")
    return [tuple(dict.fromkeys(names)) for names in refused]


def _hour(time: dt.time) -> float:
    return time.hour + time.minute / 60


def _crews(shifts: Sequence[CrewShift], start: dt.datetime) -> int:
    """Count the crews that can close the valves when the slot begins."""
    day = start.astimezone(ZONE).date()
    return len(
        {
            each.crew_key
            for each in shifts
            if each.starts_at <= start < each.ends_at
            and (each.valid_until is None or each.valid_until >= day)
        }
    )


def _others(
    session: Session,
    shutdown: PlannedShutdown,
    begin: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
) -> list[Other]:
    """Find the closures that may be under way in a span of time."""
    planned = [
        Other(other.id, other.starts_at, other.ends_at, as_question(other), is_planned=True)
        for other in queries.fetch_approved_between(session, begin, end, but=shutdown.key)
        if other.starts_at and other.ends_at
    ]
    live = [
        Other(
            outage.id,
            outage.opened_at,
            outage.expected_until or now + DEFAULT_OUTAGE,
            outage.question,
            is_planned=False,
        )
        for outage in list_open(session)
        if outage.key != shutdown.outage_key and not outage.outage.is_drill
    ]
    return planned + [each for each in live if each.begins_at < end and each.ends_at > begin]


def _joint(
    session: Session, shutdown: PlannedShutdown, other: Other, dry: Dry, now: dt.datetime
) -> tuple[int, Dry]:
    """Give the properties that this closure adds to another, and who is dry only under both."""
    others = _who_is_dry(session, [other.question], now)
    both = _who_is_dry(session, [as_question(shutdown), other.question], now)
    is_only = ~np.isin(both.keys, np.concatenate([dry.keys, others.keys]))
    only_both = Dry(both.keys[is_only], both.properties[is_only], 0)
    return both.total - others.total, only_both


def _who_is_dry(session: Session, questions: Sequence[Question], now: dt.datetime) -> Dry:
    """Find who has no water while all these are isolated together."""
    first = questions[0]
    joined = replace(
        first,
        pipes=[pipe for each in questions for pipe in each.pipes],
        valves=[valve for each in questions for valve in each.valves],
        nodes=[node for each in questions for node in each.nodes],
        hydrants=[hydrant for each in questions for hydrant in each.hydrants],
        closed=[valve for each in questions for valve in each.closed],
    )
    judged = judge_outage(session, joined, now)
    lost = judged.ruling.isolation.premises_lost
    network = judged.case.world.network
    return Dry(
        judged.case.stored.keys.customers[lost],
        network.premises_properties[lost].astype(np.int64),
        int(network.premises_is_critical[lost].sum()),
    )


def as_question(shutdown: PlannedShutdown) -> Question:
    """Give what a shutdown isolates."""
    stored = shutdown.question
    return Question(
        pipes=[(pipe, at_m) for pipe, at_m in stored.get("pipes", ())],
        valves=stored.get("valves", ()),
        closed=stored.get("closed", ()),
    )


def _as_stored(question: Question) -> dict[str, Any]:
    return {
        "pipes": [list(each) for each in question.pipes],
        "valves": list(question.valves),
        "closed": list(question.closed),
    }


def _lock(session: Session, shutdown_id: str) -> PlannedShutdown:
    return _found(queries.fetch_shutdown(session, shutdown_id, for_update=True), shutdown_id)


def _next_step(moment: dt.datetime) -> dt.datetime:
    """Give the next full half hour on the local clock."""
    local = moment.astimezone(ZONE)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -((midnight - local) // STEP) * STEP


def _tell(
    session: Session, verb: str, shutdown: PlannedShutdown, actor: Actor, now: dt.datetime
) -> None:
    body = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(shutdown).items()
        if name in {"id", "status", "reason", "starts_at", "ends_at", "properties_out", "version"}
    }
    append_event(
        session, f"shutdown.{verb}", ("shutdown", shutdown.key), by=actor, now=now, body=body
    )
