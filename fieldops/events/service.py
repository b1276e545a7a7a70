"""What happened is told once, here; whoever has to do something about it has said so before."""

from __future__ import annotations

import datetime as dt
import pkgutil
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import fieldops
from fieldops.events import queries
from fieldops.events.queries import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from fieldops.access import Person

    Handler = Callable[[Session, Event], None]

__all__ = ["Actor", "Event", "Merged", "Operation", "Outcome", "append_event", "merge_fields"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """
    Whoever does something; `person_id` is None for the system itself.

    `by_phone_for` names the one who did it, where somebody else records it from a call.
    """

    name: str
    person_id: int | None = None
    roles: frozenset[str] = frozenset()
    by_phone_for: str | None = None
    device: str | None = None

    @classmethod
    def of(
        cls, person: Person, *, by_phone_for: str | None = None, device: str | None = None
    ) -> Actor:
        """Make the actor of a person who is signed in."""
        return cls(
            name=person.name,
            person_id=person.id,
            roles=frozenset(str(role) for role in person.roles),
            by_phone_for=by_phone_for,
            device=device,
        )


SYSTEM = Actor(name="fieldops", roles=frozenset({"system"}))
"""Time, rules and the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    What somebody wants done to one subject, as `work.md` has it.

    `subject` is "kind:id", as in "work_order:W-12"; `op_id` is None where a page of ours asks.
    `skew_s`: so far the device's clock is ahead of ours, None where it did not tell.
    `own_versions`: those that earlier operations of the same device made after `base_version`;
    whoever wrote this one knew them, though no answer had come yet.
    """

    subject_kind: str
    subject_id: str
    action: str
    body: Mapping[str, Any] = field(default_factory=dict)
    base_version: int | None = None
    occurred_at: dt.datetime | None = None
    op_id: str | None = None
    device: str | None = None
    sequence: int | None = None
    skew_s: float | None = None
    own_versions: frozenset[int] = frozenset()

    @property
    def done_at(self) -> dt.datetime | None:
        """Give when it was done as the device claims, by our clock as far as the skew is known."""
        if self.occurred_at is None:
            return None
        return self.occurred_at - dt.timedelta(seconds=self.skew_s or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What became of an operation.

    `status`: applied, applied_with_conflict, conflict, missing, illegal or forbidden.
    `message` and `params` say why, to be translated; `missing` lists the needs not met, by name;
    `conflicts` gives {field: {"mine":, "theirs":}}; `version` and `state` those after it.
    `id`: the number that the server gave to what the operation has made.
    """

    status: str
    id: str | None = None
    version: int | None = None
    state: str | None = None
    message: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    conflicts: Mapping[str, Any] = field(default_factory=dict)
    is_kept_as_fact: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """What of an operation's fields applies, and which somebody else changed meanwhile."""

    applied: dict[str, Any]
    conflicts: dict[str, dict[str, Any]]


def append_event(
    session: Session,
    kind: str,
    subject: tuple[str, int],
    *,
    by: Actor,
    now: dt.datetime,
    body: Mapping[str, Any] | None = None,
    occurred_at: dt.datetime | None = None,
    op_id: str | None = None,
) -> Event:
    """
    Tell that something happened, and let those who asked for it act in the same transaction.

    `kind` is "subject.verb" in the past, as in "work_order.assigned"; `subject` its kind and key;
    `body` must be JSON, with the subject's text id under "id".
    """
    event = Event(
        kind=kind,
        subject_kind=subject[0],
        subject_key=subject[1],
        body=dict(body or {}),
        occurred_at=occurred_at or now,
        received_at=now,
        person_id=by.person_id,
        person_name=by.name,
        by_phone_for=by.by_phone_for,
        device=by.device,
        op_id=op_id,
    )
    queries.draft_event(session, event)
    for handle in handlers().get(kind, ()):
        handle(session, event)
    return event


@cache
def handlers() -> dict[str, list[Handler]]:
    """
    Give who acts on which kind of event.

    A feature asks by a mapping `HANDLERS = {"incident.closed": function}` in its service.py; so
    nothing lower has to import it.
    """
    found: dict[str, list[Handler]] = defaultdict(list)
    features = sorted(each.name for each in pkgutil.iter_modules(fieldops.__path__) if each.ispkg)
    for feature in features:
        name = f"fieldops.{feature}.service"
        if find_spec(name) is not None:
            for kind, handle in getattr(import_module(name), "HANDLERS", {}).items():
                found[kind].append(handle)
    return dict(found)


def merge_fields(
    current: Mapping[str, Any],
    changed_in: Mapping[str, int],
    base_version: int | None,
    wanted: Mapping[str, Any],
    own_versions: frozenset[int] = frozenset(),
) -> Merged:
    """
    Merge what somebody wants into what is there, field by field.

    A field that changed after `base_version`, and to another value, is a conflict; the others
    apply. `changed_in` tells in which version each field last changed; what one has changed
    by oneself, in one of `own_versions`, is no conflict.
    """
    applied, conflicts = {}, {}
    for name, value in wanted.items():
        there = current.get(name)
        last = changed_in.get(name, 0)
        is_newer = base_version is not None and last > base_version and last not in own_versions
        if is_newer and there != value:
            conflicts[name] = {"mine": value, "theirs": there}
        else:
            applied[name] = value
    return Merged(applied, conflicts)
