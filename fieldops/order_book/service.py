"""Work orders: opened, found by those who may see them, and told of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fieldops.clocks import service as clocks
from fieldops.clocks.service import ClockView, Criteria, Note, Subject
from fieldops.crews.service import crews_of_person
from fieldops.errors import ConflictError, NotFoundError
from fieldops.events.service import SYSTEM, Actor, Event, Operation, append_event
from fieldops.order_book import queries
from fieldops.order_book.queries import Filter, FirstTimeRight, HolderSum, WorkOrder
from fieldops.order_process.service import Process, find_process, newest_version

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.crews.service import CrewReference

__all__ = ["Filter", "FirstTimeRight", "OrderDraft", "WorkOrder", "find_order", "open_order"]

WORK_MIN = {
    "make_safe": 45,
    "repair": 240,
    "reinstate": 180,
    "flush": 60,
    "check": 40,
    "routine": 60,
}
"""What a job of a kind is taken to last where nobody said it."""


MOST_TRANSFERS = 3
DONE_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """A job to be done; what is None is not known."""

    kind: str
    severity: str
    lon: float
    lat: float
    incident_key: int | None = None
    outage_key: int | None = None
    task: str | None = None
    address: str | None = None
    area_class: str | None = None
    pipe_key: int | None = None
    at_m: float | None = None
    diameter_mm: float | None = None
    crews_needed: int = 1
    skills: Sequence[str] = ()
    needs_excavation: bool = False
    customers_out: int | None = None
    critical_out: int | None = None
    weight_floor: float = 0.0
    expected_work_min: float | None = None
    release_at: dt.datetime | None = None
    after_order_key: int | None = None
    reported_at: dt.datetime | None = None
    is_triaged: bool = False
    is_drill: bool = False


def open_order(session: Session, draft: OrderDraft, actor: Actor, now: dt.datetime) -> WorkOrder:
    """Open an order, start the clocks that begin with the report, and tell of it."""
    values = asdict(draft)
    is_triaged = values.pop("is_triaged")
    process = find_process(session, newest_version(session))
    stage = process.stages["triaged" if is_triaged else "new"]
    values |= {
        "skills": list(draft.skills),
        "expected_work_min": draft.expected_work_min or WORK_MIN.get(draft.kind, 60),
        "release_at": draft.release_at or now,
        "reported_at": draft.reported_at or now,
    }
    order_id = queries.insert_order(
        session,
        **values,
        state=stage.state,
        state_since=now,
        is_open=stage.is_open,
        is_crew_busy=stage.is_crew_busy,
        opened_at=now,
        opened_by=actor.name,
        triaged_at=now if is_triaged else None,
        process_version=process.version,
    )
    order = find_order(session, order_id)
    take_turn(session, order, process, now)
    for moment, at in (("reported", order.reported_at), ("aware", now), ("located", now)):
        if moment != "located" or is_triaged:
            start_clocks(session, order, moment, at)
    keep_dues(session, order)
    order = find_order(session, order_id)
    tell(session, order, "opened", actor, now, {"kind": order.kind, "severity": order.severity})
    return order


def find_order(session: Session, order_id: str) -> WorkOrder:
    """
    Give one order.

    Raises
    ------
    NotFoundError
        If there is no such order.
    """
    order = queries.fetch_order(session, order_id)
    if order is None:
        raise NotFoundError("There is no work order %(order)s.", order=order_id)
    return order


def list_open(session: Session) -> list[WorkOrder]:
    """Give every open order, the oldest first."""
    return queries.fetch_orders(session, Filter(limit=5000))


def list_orders(session: Session, wanted: Filter, person: Person | None = None) -> list[WorkOrder]:
    """Give orders; to somebody of a crew alone, none but those of the own crew."""
    own = own_crews_only(session, person) if person is not None else None
    if own is not None:
        wanted = Filter(**{**_shallow(wanted), "crew_keys": own})
    return queries.fetch_orders(session, wanted)


def _shallow(wanted: Filter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Filter.__slots__}


def own_crews_only(session: Session, person: Person) -> list[int] | None:
    """Give the crews whose orders are all that a person may see; None: all may be seen."""
    if {str(role) for role in person.roles} - {"crew"}:
        return None
    return [crew.key for crew in crews_of_person(session, person.id)]


def find_visible_order(
    session: Session, order_id: str, person: Person, *, is_late_too: bool = False
) -> WorkOrder:
    """
    Give one order, if the person may see it: somebody of a crew sees its own alone.

    With `is_late_too` also one that the crew had once, so that what it did is heard.

    Raises
    ------
    NotFoundError
        If there is no such order, or it is another crew's.
    """
    order = find_order(session, order_id)
    own = own_crews_only(session, person)
    is_seen = own is None or bool({order.crew_key, order.second_crew_key} & set(own))
    if not is_seen and is_late_too:
        is_seen = bool(crews_that_had(session, order, person.id))
    if not is_seen:
        raise NotFoundError("There is no work order %(order)s.", order=order_id)
    return order


def list_own_jobs(session: Session, person_id: int) -> list[WorkOrder]:
    """Give the open orders of somebody's own crews."""
    keys = [crew.key for crew in crews_of_person(session, person_id)]
    return queries.fetch_orders(session, Filter(crew_keys=keys))


def list_own_done(session: Session, person_id: int, since: dt.datetime) -> list[WorkOrder]:
    """Give the orders of somebody's own crews that were closed since, the last one first."""
    keys = [crew.key for crew in crews_of_person(session, person_id)]
    return queries.fetch_done(session, keys, since, DONE_SHOWN)


def list_late(session: Session, now: dt.datetime) -> list[tuple[ClockView, WorkOrder]]:
    """Give the clocks past their limit with their orders, the worst first; held ones, no drills."""
    late = clocks.list_overdue(session, "work_order", now)
    orders = {
        order.key: order
        for order in queries.fetch_orders(
            session, Filter(is_open=None, keys={each.subject_key for each in late})
        )
    }
    found = [(each, orders[each.subject_key]) for each in late if each.subject_key in orders]
    return [(each, order) for each, order in found if not order.is_drill]


def list_notes(session: Session) -> list[Note]:
    """Give what those who supervise should look at, the newest first."""
    return clocks.list_notes(session)


def sum_holders(session: Session, since: dt.datetime, until: dt.datetime) -> list[HolderSum]:
    """Give how long each holder had work orders, those that had them longest first."""
    return queries.fetch_holder_sums(session, since, until)


def count_first_time_right(
    session: Session, since: dt.datetime, until: dt.datetime
) -> list[FirstTimeRight]:
    """Count for each sender what was handed over, and what of it came back."""
    return queries.fetch_first_time_right(session, since, until)


def set_effect(
    session: Session,
    incident_key: int,
    customers_out: int | None,
    critical_out: int | None,
    now: dt.datetime,
) -> None:
    """Give an incident's open orders the customers that are without water by it now."""
    for order_id in queries.fetch_open_of_incident(session, incident_key, is_locked=True):
        order = find_order(session, order_id)
        if (order.customers_out, order.critical_out) == (customers_out, critical_out):
            continue
        version = order.version + 1
        changed = {"customers_out": customers_out, "critical_out": critical_out}
        queries.update_order(
            session,
            order.key,
            **changed,
            version=version,
            changed_in={**order.changed_in, **dict.fromkeys(changed, version)},
        )
        after = find_order(session, order_id)
        tell(session, after, "effect_changed", SYSTEM, now, changed)


def join_outage(
    session: Session, incident_key: int, outage_key: int, now: dt.datetime, *, pipe_key: int | None
) -> None:
    """Give an incident's open orders that have no outage this one; `pipe_key` None: all of them."""
    for order_id in queries.fetch_open_of_incident(session, incident_key, is_locked=True):
        order = find_order(session, order_id)
        if order.outage_key is not None or pipe_key not in {None, order.pipe_key}:
            continue
        version = order.version + 1
        queries.update_order(session, order.key, outage_key=outage_key, version=version)
        after = find_order(session, order_id)
        tell(session, after, "effect_changed", SYSTEM, now, {"outage": f"O-{outage_key}"})


def facts_of(order: WorkOrder) -> dict[str, Any]:
    """Give all that is known of an order by name, as needs and merges ask for it."""
    own = {name: getattr(order, name) for name in WorkOrder.__slots__ if name != "data"}
    return {
        **order.data,
        **own,
        "skills": list(order.skills),
        "had_crew_keys": list(order.had_crew_keys),
        "crew": order.crew_id,
        "second_crew": order.second_crew_id,
    }


def crews_that_had(session: Session, order: WorkOrder, person_id: int) -> list[CrewReference]:
    """Give those of a person's crews that have or had an order, as the first or the second."""
    had = {order.crew_key, order.second_crew_key, *order.had_crew_keys}
    return [crew for crew in crews_of_person(session, person_id) if crew.key in had]


def subject_of(order: WorkOrder) -> Subject:
    return Subject("work_order", order.key, order.id)


def case_of(order: WorkOrder) -> Criteria:
    return Criteria(
        work_kind=order.kind,
        severity=order.severity,
        diameter_mm=order.diameter_mm,
        area_class=order.area_class,
    )


def start_clocks(session: Session, order: WorkOrder, moment: str, at: dt.datetime) -> None:
    clocks.start_clocks(
        session,
        subject_of(order),
        case_of(order),
        starts_at=moment,
        at=at,
        # Whoever comes second was not promised for a time: the first has arrived by then.
        without=("arrive",) if order.after_order_key is not None else (),
    )


def keep_dues(session: Session, order: WorkOrder) -> None:
    """Keep with the order when its clocks are due."""
    dues = clocks.read_dues(session, subject_of(order))
    arrive = dues.pop("arrive", None)
    dues.pop("accept", None)
    due = min(dues.values(), default=None)
    if (due, arrive) != (order.due_at, order.arrive_due_at):
        queries.update_order(session, order.key, due_at=due, arrive_due_at=arrive)


def take_turn(session: Session, order: WorkOrder, process: Process, at: dt.datetime) -> None:
    """Note who has the order from now on, and whether it goes round in circles."""
    holder = process.stages[order.state].holder
    subject = subject_of(order)
    if holder == "crew" and order.crew_id is not None:
        clocks.begin_turn(session, subject, at, "crew", order.crew_id, order.crew_name or "")
        _note_ping_pong(session, order, at)
    elif holder == "nobody":
        clocks.begin_turn(session, subject, at, "nobody", "", "")
    else:
        department = "dispatch" if holder == "crew" else holder
        clocks.begin_turn(session, subject, at, "department", department, department)


def _note_ping_pong(session: Session, order: WorkOrder, now: dt.datetime) -> None:
    """Raise a note if an order came back to a crew that had given it away, or was moved thrice."""
    crews: list[str] = []
    for turn in clocks.list_turns(session, subject_of(order), now):
        if turn.holder_kind == "crew" and crews[-1:] != [turn.holder_id]:
            crews.append(turn.holder_id)
    body = {"crews": crews}
    if any(crews[at] == crews[at + 2] for at in range(len(crews) - 2)):
        clocks.raise_note(session, subject_of(order), "ping_pong", body, now)
    if len(crews) > MOST_TRANSFERS:
        clocks.raise_note(session, subject_of(order), "many_transfers", body, now)


def face_of(order: WorkOrder) -> dict[str, Any]:
    """Give what a screen needs to patch its row of this order."""
    return {
        "id": order.id,
        "state": order.state,
        "version": order.version,
        "crew": order.crew_id,
        "incident": order.incident_id,
    }


def tell(
    session: Session,
    order: WorkOrder,
    verb: str,
    actor: Actor,
    now: dt.datetime,
    body: Mapping[str, Any],
    operation: Operation | None = None,
) -> None:
    append_event(
        session,
        f"work_order.{verb}",
        ("work_order", order.key),
        by=actor,
        now=now,
        occurred_at=operation.occurred_at if operation is not None else None,
        op_id=operation.op_id if operation is not None else None,
        body={**face_of(order), **body},
    )


def _keep_incident_open(session: Session, event: Event) -> None:
    """Refuse to close an incident while work on it is open."""
    still = queries.fetch_open_of_incident(session, event.subject_key)
    if still:
        raise ConflictError(
            "These work orders are still open: %(orders)s.", orders=", ".join(still)
        )


def _follow_calendar(session: Session, event: Event) -> None:  # noqa: ARG001 - a handler's form
    queries.update_all_dues(session)


HANDLERS = {
    "incident.closing": _keep_incident_open,
    "clock.calendar_changed": _follow_calendar,
}
