"""
Sending crews: by a dispatcher, by time where nobody answers, or within limits by itself.

Two dispatchers who want one crew at once are served one by one, and the second learns who won.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fieldops.candidates.service import Settings, current_picture, fetch_settings, update_settings
from fieldops.crews.service import find_crew, lock_crew
from fieldops.dispatch import queries
from fieldops.errors import ConflictError, NotFoundError
from fieldops.events.service import SYSTEM, Operation, Outcome, append_event
from fieldops.language import TIMEZONE
from fieldops.offers import service as offers
from fieldops.order_book.queries import WorkOrder, fetch_busy, lock_order
from fieldops.street_times.service import learn_straight_factor
from fieldops.suggestions.service import (
    CandidateView,
    Proposal,
    Reason,
    Suggestion,
    propose,
    suggest,
    why,
)
from fieldops.work_orders.service import apply_operation, find_order

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from fieldops.candidates.service import Job
    from fieldops.crews.service import Crew
    from fieldops.events.service import Actor, Event
    from fieldops.offers.service import Offer

__all__ = [
    "CandidateView",
    "Proposal",
    "Reason",
    "Suggestion",
    "answer_by_phone",
    "assign",
    "change_settings",
    "learn",
    "propose",
    "run_automatic",
    "suggest",
    "sweep_offers",
    "why",
]

COMING = frozenset({"assigned", "accepted", "en_route"})
NO_ANSWER = "未接单"
DECLINED_BY_PHONE = "电话拒单"
LEAST_CHANGE = 0.01
"""A factor learnt anew that differs by less is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """
    A wish to send a crew to an order.

    `base_version` is the order's version that the dispatcher saw: without it, an order that has a
    crew keeps it. `instead_of` names the orders that the crews are taken off, where they have any.
    """

    order_id: str
    crew_id: str
    second_crew_id: str | None = None
    pin_reason: str | None = None
    base_version: int | None = None
    instead_of: Collection[str] = ()
    op_id: str | None = None

    @property
    def crew_ids(self) -> list[str]:
        """Name the crews, in the order in which everybody locks them."""
        return sorted({self.crew_id} | ({self.second_crew_id} if self.second_crew_id else set()))


def assign(
    session: Session,
    order_id: str,
    crew_id: str,
    actor: Actor,
    now: dt.datetime,
    pin_reason: str | None = None,
) -> Outcome:
    """Send a crew to an order; see `send`."""
    wish = Sending(order_id=order_id, crew_id=crew_id, pin_reason=pin_reason)
    return send(session, wish, actor, now)


def send(session: Session, wish: Sending, actor: Actor, now: dt.datetime) -> Outcome:
    """
    Send a crew to an order, unless somebody was quicker: then say who, and when.

    Skills and equipment that are lacking or expired are refused; a crew off its shift and not on
    call is sent only with a reason.

    Raises
    ------
    NotFoundError
        If there is no such order or crew.
    """
    # Orders before crews and each in order, as everybody else does: nobody waits in a circle.
    orders = {}
    for order_id in sorted({wish.order_id, *wish.instead_of}):
        orders[order_id] = lock_order(session, order_id)
        if orders[order_id] is None:
            raise NotFoundError("There is no work order %(order)s.", order=order_id)
    keys = [lock_crew(session, crew_id).key for crew_id in wish.crew_ids]
    order = orders[wish.order_id]
    assert order is not None  # noqa: S101 - refused above
    refused = (
        _check_order(session, wish, order)
        or _check_busy(session, wish, order, keys)
        or _check_crews(session, wish, order, now)
    )
    if refused is not None:
        return refused
    for order_id in sorted(set(wish.instead_of)):
        reason = {"reason": f"→ {wish.order_id}"}
        taken = _operate(session, order_id, "withdraw", reason, actor, now)
        if not taken.status.startswith("applied"):
            return taken
    # Whoever is on the way already stays so when another joins.
    is_joined = order.crew_id == wish.crew_id and order.second_crew_id is None
    is_joined = is_joined and order.state in COMING and wish.second_crew_id is not None
    body = {} if is_joined else {"crew": wish.crew_id}
    if wish.second_crew_id:
        body["second_crew"] = wish.second_crew_id
    if wish.pin_reason:
        body["pin_reason"] = wish.pin_reason
    operation = Operation(
        subject_kind="work_order",
        subject_id=wish.order_id,
        action="set" if is_joined else "assign",
        body=body,
        base_version=order.version,
        op_id=wish.op_id,
    )
    return apply_operation(session, operation, actor, now)


def _operate(
    session: Session,
    order_id: str,
    action: str,
    body: dict[str, Any],
    actor: Actor,
    now: dt.datetime,
) -> Outcome:
    operation = Operation(subject_kind="work_order", subject_id=order_id, action=action, body=body)
    return apply_operation(session, operation, actor, now)


def _refuse(order: WorkOrder, message: str, **params: object) -> Outcome:
    return Outcome(
        status="conflict",
        version=order.version,
        state=order.state,
        message=message,
        params={"order": order.id, **params},
    )


def _check_order(session: Session, wish: Sending, order: WorkOrder) -> Outcome | None:
    """Refuse where the order has a crew that the dispatcher has not seen, or a pinned one."""
    if order.crew_id is None or order.state not in COMING:
        return None
    if order.is_pinned and not wish.pin_reason and order.crew_id != wish.crew_id:
        return _refuse(
            order,
            "%(crew)s is pinned to %(order)s: %(reason)s. Give a reason to change that.",
            crew=order.crew_name,
            reason=order.pin_reason,
        )
    if wish.base_version == order.version:
        return None
    act = queries.fetch_last_act(session, order.key)
    return _refuse(
        order,
        "%(order)s was given to %(crew)s by %(by)s at %(at)s.",
        crew=order.crew_name,
        by=act.person_name if act else "?",
        at=_clock(act.at) if act else "?",
    )


def _check_busy(
    session: Session, wish: Sending, order: WorkOrder, keys: list[int]
) -> Outcome | None:
    """Refuse crews that are on other orders, unless they are to be taken off exactly those."""
    for key in keys:
        busy = fetch_busy(session, [key], order.key)
        if busy is None:
            continue
        may_leave = busy.state in COMING and (not busy.is_pinned or bool(wish.pin_reason))
        if busy.id not in wish.instead_of or not may_leave:
            return _refuse_busy(session, order, busy)
    return None


def _refuse_busy(session: Session, order: WorkOrder, busy: WorkOrder) -> Outcome:
    act = queries.fetch_last_act(session, busy.key)
    return _refuse(
        order,
        "%(crew)s was sent to %(other)s by %(by)s at %(at)s.",
        crew=busy.crew_name,
        other=busy.id,
        by=act.person_name if act else "?",
        at=_clock(act.at) if act else "?",
    )


def _check_crews(
    session: Session, wish: Sending, order: WorkOrder, now: dt.datetime
) -> Outcome | None:
    """Refuse crews that lack what the order needs, or that do not work now."""
    for crew_id in wish.crew_ids:
        crew = find_crew(session, crew_id, now)
        missing = _find_missing(crew, order)
        if missing:
            return _refuse(
                order,
                "%(crew)s may not do %(order)s: %(skills)s lacking or expired.",
                crew=crew.name,
                skills=", ".join(missing),
            )
        if not wish.pin_reason and not _is_at_work(crew, order):
            return _refuse(
                order,
                "%(crew)s is off its shift. Give a reason to send it all the same.",
                crew=crew.name,
            )
    return None


def keep_unfit_away(session: Session, event: Event) -> None:
    """
    Refuse crews that lack what an order needs or do not work, by whatever door they are sent.

    Raises
    ------
    ConflictError
        If a skill or equipment is lacking or expired, or a crew is off its shift and nobody gave a
        reason.
    """
    order = find_order(session, str(event.body["id"]))
    has_reason = bool(event.body.get("pin_reason") or event.body.get("reason"))
    # Those who go home know who comes, and may tell it before the shift begins.
    has_reason = has_reason or event.kind == "work_order.handed_over"
    crew_ids = [order.crew_id, order.second_crew_id]
    if event.kind == "work_order.changed":
        is_new = order.changed_in.get("second_crew") == order.version
        crew_ids = [order.second_crew_id] if is_new else []
    for crew_id in crew_ids:
        if crew_id is None:
            continue
        crew = find_crew(session, crew_id, event.received_at)
        if not has_reason and not _is_at_work(crew, order):
            raise ConflictError(
                "%(crew)s is off its shift. Give a reason to send it all the same.",
                crew=crew.name,
                order=order.id,
            )
        missing = _find_missing(crew, order)
        if missing:
            raise ConflictError(
                "%(crew)s may not do %(order)s: %(skills)s lacking or expired.",
                crew=crew.name,
                order=order.id,
                skills=", ".join(missing),
            )


HANDLERS = {
    "work_order.assigned": keep_unfit_away,
    "work_order.changed": keep_unfit_away,
    "work_order.transferred": keep_unfit_away,
    "work_order.handed_over": keep_unfit_away,
}


def _find_missing(crew: Crew, order: WorkOrder) -> list[str]:
    return sorted(set(order.skills) - crew.skills)


def _is_at_work(crew: Crew, order: WorkOrder) -> bool:
    is_emergency = order.severity in {"danger", "burst"}
    return crew.on_shift or (is_emergency and crew.on_call_rank is not None)


def _clock(at: dt.datetime) -> str:
    """Say a moment as the people of the utility do."""
    return at.astimezone(ZoneInfo(TIMEZONE)).strftime("%H:%M")


def sweep_offers(session: Session, now: dt.datetime) -> int:
    """Go on with what nobody answered in time, and tell how many offers that were."""
    due = offers.take_due(session, now)
    for offer in due:
        if offer.kind == "ordered" or offer.is_pinned:
            offers.ask_to_phone(session, offer, now)
        else:
            pass_on(session, offer, now)
    return len(due)


def pass_on(session: Session, offer: Offer, now: dt.datetime) -> None:
    """
    Offer a job to the next crew; where there is none, it waits for the dispatcher.

    So does what nobody but a person may send somebody to.
    """
    offers.let_lapse(session, offer, now)
    order = find_order(session, offer.order_id)
    if order.crew_key != offer.crew_key or order.state != "assigned":
        return
    picture = current_picture(session, now)
    row = picture.job_row(order.id)
    is_for_person = (
        row is None or why_not_automatic(picture.jobs[row], picture.settings) is not None
    )
    free = {
        picture.crews[row].id
        for row in range(len(picture.crews))
        if picture.board.current[row] < 0 and row not in picture.present
    }
    able = [
        each.crew_id
        for each in why(session, offer.order_id, now)
        if each.can_go and each.crew_id in free
    ]
    if able and order.crews_needed == 1 and not is_for_person:
        wish = Sending(order_id=order.id, crew_id=able[0], base_version=order.version)
        if send(session, wish, SYSTEM, now).status.startswith("applied"):
            return
    _operate(session, order.id, "withdraw", {"reason": NO_ANSWER}, SYSTEM, now)


def answer_by_phone(
    session: Session, order_id: str, answer: str, note: str, actor: Actor, now: dt.datetime
) -> Outcome:
    """
    Record what a crew that did not answer said on the phone; `actor.by_phone_for` is the crew.

    Raises
    ------
    ConflictError
        If the crew has answered meanwhile.
    """
    order = find_order(session, order_id)
    offer = offers.record_phone_answer(session, order.key, answer, note, actor, now)
    if answer == "no_answer":
        return Outcome(status="applied", version=order.version, state=order.state)
    told = replace(actor, by_phone_for=offer.crew_name)
    if answer == "accepted":
        outcome = _operate(session, order.id, "accept", {}, told, now)
    else:
        reason = {"reason": note or DECLINED_BY_PHONE}
        outcome = _operate(session, order.id, "decline", reason, told, now)
    if not outcome.status.startswith("applied"):
        raise ConflictError(outcome.message, **outcome.params)
    return outcome


def run_automatic(session: Session, now: dt.datetime) -> list[Suggestion]:
    """Send the crews that may go without a dispatcher, if that is switched on, and name them."""
    if fetch_settings(session).mode != "automatic":
        return []
    picture = current_picture(session, now)
    jobs = {job.id: job for job in picture.jobs}
    sent = []
    for each in propose(session, now).suggestions:
        job = jobs[each.order_id]
        is_bound = bool(each.diverts) or bool(job.crew_keys)
        if is_bound or why_not_automatic(job, picture.settings) is not None:
            continue
        wish = Sending(
            order_id=each.order_id, crew_id=each.crew_id, second_crew_id=each.second_crew_id
        )
        if send(session, wish, SYSTEM, now).status.startswith("applied"):
            sent.append(each)
    return sent


def why_not_automatic(job: Job, settings: Settings) -> str | None:
    """Say why a person must send somebody: danger, digging, or a valve too wide or not known."""
    if job.severity == "danger":
        return "danger"
    if job.needs_excavation or "excavation" in job.skills:
        return "excavation"
    if job.kind == "make_safe" or "valve" in job.skills:
        # Valves on a narrow main's ends may be those of the wide main that feeds it.
        if job.widest_valve_mm is None:
            return "diameter_unknown"
        if job.widest_valve_mm > settings.automatic_max_diameter_mm:
            return "diameter"
    return None


def change_settings(
    session: Session,
    changes: dict[str, Any],
    base_version: int,
    actor: Actor,
    now: dt.datetime,
) -> Settings:
    """
    Change what a manager may set.

    Raises
    ------
    ConflictError
        If somebody else changed the settings meanwhile.
    """
    before = fetch_settings(session, is_locked=True)
    if before.version != base_version:
        raise ConflictError(
            "The settings were changed meanwhile by %(by)s. Look at them again.",
            by=before.changed_by or "?",
        )
    was = asdict(before)
    changes = {name: value for name, value in changes.items() if was[name] != value}
    if not changes:
        return before
    stamp = {"version": before.version + 1, "changed_at": now, "changed_by": actor.name}
    update_settings(session, changes | stamp)
    append_event(
        session,
        "dispatch.settings_changed",
        ("dispatch", 1),
        by=actor,
        now=now,
        body={"id": "dispatch", "changed": changes, "was": {name: was[name] for name in changes}},
    )
    return fetch_settings(session)


def learn(session: Session, now: dt.datetime) -> float | None:
    """Learn the straight line's factor from the newest trips, and give it if it changed."""
    settings = fetch_settings(session, is_locked=True)
    learnt = learn_straight_factor(session)
    if settings.is_straight_factor_fixed or learnt is None:
        return None
    factor, trips = round(learnt[0], 3), learnt[1]
    if abs(factor - settings.straight_factor) < LEAST_CHANGE and trips == settings.straight_trips:
        return None
    update_settings(session, {"straight_factor": factor, "straight_trips": trips})
    append_event(
        session,
        "dispatch.factor_learnt",
        ("dispatch", 1),
        by=SYSTEM,
        now=now,
        body={"id": "dispatch", "straight_factor": factor, "trips": trips},
    )
    return factor
