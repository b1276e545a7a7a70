"""What devices send is done once, however often the network has them send it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fieldops.access import Person, Role
from fieldops.accounts.service import find_account
from fieldops.devices.service import accept_name
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events import queries as events
from fieldops.events.queries import Answered
from fieldops.events.service import Actor, Operation, Outcome, append_event
from fieldops.photos.service import list_missing
from fieldops.sync import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.devices.service import Device

    Apply = Callable[[Session, Operation, Actor, dt.datetime], Outcome]

FEATURES = {
    "work_order": "work_orders",
    "outage": "live_outages",
    "crew": "crews",
    "report": "reports",
    "incident": "incidents",
    "map_proposal": "map_proposals",
    "track": "tracks",
}
"""Which feature applies the operations on which kind of subject."""

MAY_RECORD_CALLS = frozenset({Role.DISPATCHER, Role.MANAGER, Role.SERVICE_AGENT, Role.ADMIN})


@cache
def appliers() -> dict[str, Apply]:
    """Give who applies operations on which kind of subject."""
    found = {}
    for kind, feature in FEATURES.items():
        name = f"fieldops.{feature}.service"
        if find_spec(name) is not None:
            apply = getattr(import_module(name), "apply_operation", None)
            if apply is not None:
                found[kind] = apply
    return found


def carry_out(
    session: Session,
    operation: Operation,
    person: Person,
    *,
    by_phone_for: str | None = None,
    skew_s: float | None = None,
    sent_from: Device | None = None,
    imported_by: Person | None = None,
    now: dt.datetime,
) -> Mapping[str, Any]:
    """
    Do an operation and keep the answer; one that was answered before is only answered again.

    The answer's `message` is a msgid with `params`, so that whoever asks again reads it in the
    own language. `sent_from` is the tablet by whose token it came. `imported_by` read it in from
    a rescue file, for the person who did it.

    Raises
    ------
    ConflictError
        If its number stands for another operation.
    ForbiddenError
        If it names a tablet that it cannot be of. No answer is kept, so that the very same may
        still come from that tablet, or by a rescue file.
    """
    assert operation.op_id is not None  # noqa: S101 - devices always send one
    subject = f"{operation.subject_kind}:{operation.subject_id}"
    events.lock_operation(session, operation.op_id)
    answered = events.fetch_answer(session, operation.op_id)
    digest = _digest(operation, by_phone_for)
    if answered is not None:
        if answered.digest != digest:
            raise ConflictError(
                "This op_id already stands for another operation: %(action)s of %(subject)s.",
                action=answered.action,
                subject=answered.subject,
            )
        return answered.result
    if sent_from is not None:
        named = operation.device or ""
        accept_name(session, sent_from, named, person, now, op_id=operation.op_id)
    actor = Actor.of(person, by_phone_for=by_phone_for, device=operation.device)
    known = replace(operation, skew_s=skew_s, own_versions=_own_versions(session, operation))
    outcome = _attempt(session, known, actor, now)
    if outcome.status == "illegal" and outcome.state and not outcome.is_kept_as_fact:
        # Only where something has a state can one be too late for it.
        outcome = _keep_as_fact(session, operation, actor, outcome, now)
    result = _as_result(_name_others(session, operation, outcome), now)
    if imported_by is not None:
        result["imported_by"] = imported_by.name
        _tell_import(session, operation, outcome, Actor.of(imported_by), person, now)
    events.insert_answer(
        session,
        Answered(
            op_id=operation.op_id,
            device=operation.device or "",
            sequence=operation.sequence,
            subject=subject,
            action=operation.action,
            digest=digest,
            result=result,
            person_id=person.id,
            occurred_at=operation.occurred_at or now,
            received_at=now,
            skew_s=skew_s,
        ),
    )
    return result


def _own_versions(session: Session, operation: Operation) -> frozenset[int]:
    """Give the versions that this device made since the one that it had last heard of."""
    if operation.base_version is None or not operation.device:
        return frozenset()
    return events.fetch_own_versions(
        session,
        device=operation.device,
        subject=f"{operation.subject_kind}:{operation.subject_id}",
        after=operation.base_version,
    )


def _digest(operation: Operation, by_phone_for: str | None) -> bytes:
    """Tell operations apart: by all that the device said, but not by who carries the device now."""
    at = operation.occurred_at
    said = [
        operation.device,
        operation.sequence,
        operation.subject_kind,
        operation.subject_id,
        operation.action,
        operation.base_version,
        at and at.astimezone(dt.UTC).isoformat(),
        by_phone_for,
        operation.body,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).digest()


def _attempt(session: Session, operation: Operation, actor: Actor, now: dt.datetime) -> Outcome:
    """Let the feature do it; what it refuses by raising leaves nothing behind."""
    apply = appliers().get(operation.subject_kind)
    if apply is None:
        return Outcome(
            status="illegal",
            message="Nothing of the kind %(kind)s can be changed by an operation.",
            params={"kind": operation.subject_kind},
        )
    if actor.by_phone_for is not None and not MAY_RECORD_CALLS & actor.roles:
        return Outcome(
            status="forbidden", message="Only who takes calls may record a step for somebody else."
        )
    try:
        with session.begin_nested():
            return apply(session, operation, actor, now)
    except FieldopsError as error:
        return Outcome(status=_status_of(error), message=error.msgid, params=error.params)
    except Exception as error:
        if not queries.is_unkeepable(error):
            raise
        # Else the device would send it for ever.
        return Outcome(status="illegal", message="A value is not of the kind that belongs there.")


def _status_of(error: FieldopsError) -> str:
    if isinstance(error, ForbiddenError):
        return "forbidden"
    return "conflict" if isinstance(error, ConflictError) else "illegal"


def _keep_as_fact(
    session: Session, operation: Operation, actor: Actor, outcome: Outcome, now: dt.datetime
) -> Outcome:
    """Keep what happened out there although it can no longer change anything: nothing is lost."""
    key = events.fetch_key(session, operation.subject_kind, operation.subject_id)
    if key is None:
        return outcome
    append_event(
        session,
        f"{operation.subject_kind}.late_fact",
        (operation.subject_kind, key),
        by=actor,
        now=now,
        occurred_at=operation.occurred_at,
        op_id=operation.op_id,
        body={
            "id": operation.subject_id,
            "state": outcome.state,
            "version": outcome.version,
            "action": operation.action,
            "body": dict(operation.body),
            "message": outcome.message,
            "params": _plain(outcome.params),
        },
    )
    return replace(outcome, is_kept_as_fact=True)


def _name_others(session: Session, operation: Operation, outcome: Outcome) -> Outcome:
    """Say beside each value that stands against one's own who wrote it, and when."""
    if not outcome.conflicts:
        return outcome
    key = events.fetch_key(session, operation.subject_kind, operation.subject_id)
    named = {}
    for field, values in outcome.conflicts.items():
        change = queries.fetch_last_change(session, operation.subject_kind, key, field)
        by = change and (change.by_phone_for or change.person_name)
        named[field] = {**values, "by": by, "at": change and change.occurred_at.isoformat()}
    return replace(outcome, conflicts=named)


def _tell_import(
    session: Session,
    operation: Operation,
    outcome: Outcome,
    by: Actor,
    person: Person,
    now: dt.datetime,
) -> None:
    """Write down who read an operation in, beside what it has done."""
    kind = operation.subject_kind
    # What the operation itself has made goes by the number that it got here.
    subject_id = outcome.id or operation.subject_id
    key = events.fetch_key(session, kind, subject_id) if kind in FEATURES else None
    if key is None:
        return
    append_event(
        session,
        f"{kind}.imported",
        (kind, key),
        by=by,
        now=now,
        occurred_at=operation.occurred_at,
        op_id=operation.op_id,
        body={"id": subject_id, "action": operation.action, "person": person.name},
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rescue file holds, and what of it is known already."""

    known_ops: frozenset[str]
    known_photos: frozenset[str]
    people: Mapping[int, Person | None]


def preview_rescue(
    session: Session, op_ids: Sequence[str], photos: Sequence[str], people: Iterable[int]
) -> Preview:
    """Look what of a rescue file is known already, and whose it is."""
    missing = set(list_missing(session, photos))
    return Preview(
        known_ops=queries.fetch_answered(session, op_ids),
        known_photos=frozenset(one for one in photos if one not in missing),
        people={each: find_author(session, each) for each in sorted(set(people))},
    )


def find_author(session: Session, person_id: int) -> Person | None:
    """Give who recorded something, also one who may no longer sign in; None if there is nobody."""
    try:
        account = find_account(session, person_id)
    except NotFoundError:
        return None
    return Person(id=account.id, name=account.name, roles=frozenset(account.roles))


def import_operation(
    session: Session,
    operation: Operation,
    person: Person,
    importer: Person,
    *,
    by_phone_for: str | None,
    skew_s: float | None,
    now: dt.datetime,
) -> Mapping[str, Any]:
    """
    Do an operation of a rescue file as the one who recorded it.

    A file may say anything: nobody gets more done by it than a crew or the importer may.
    """
    roles = person.roles & (importer.roles | {Role.CREW})
    return carry_out(
        session,
        operation,
        replace(person, roles=roles),
        by_phone_for=by_phone_for,
        skew_s=skew_s,
        imported_by=importer,
        now=now,
    )


def _as_result(outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "id": outcome.id,
        "version": outcome.version,
        "state": outcome.state,
        "message": outcome.message,
        "params": _plain(outcome.params),
        "missing": list(outcome.missing),
        "conflicts": _plain(outcome.conflicts),
        "is_kept_as_fact": outcome.is_kept_as_fact,
        "received_at": now.isoformat(),
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what JSON can hold; a translated word is kept as it stands."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain
