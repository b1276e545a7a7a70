"""Who belongs to a crew, what it may do, and when it works."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fieldops.accounts.service import find_account_of_login
from fieldops.crews.queries import fetch_policy, lock_crew, update_crew
from fieldops.crews.service import local_day
from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import append_event, merge_fields
from fieldops.rosters import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.crews.queries import LockedCrew, Policy
    from fieldops.events.service import Actor
    from fieldops.rosters.queries import PlannedShift, Qualification

FACTS = ("name", "contractor", "vehicle", "phone", "depot_key", "is_active")
LONGEST_SHIFT = dt.timedelta(hours=24)
LONGEST_PLAN_DAYS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewDraft:
    """A crew to add."""

    id: str
    name: str
    contractor: str | None = None
    depot_key: int | None = None
    vehicle: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDraft:
    """Somebody to join a crew; `login` links an account."""

    name: str
    login: str | None = None
    phone: str | None = None
    is_leader: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftDraft:
    """A time of work, or of being on call with a rank, repeated for some days."""

    kind: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    rank: int | None = None
    days: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewRecord:
    """What the page of a crew shows besides the crew itself."""

    qualifications: list[Qualification]
    shifts: list[PlannedShift]
    policy: Policy
    today: dt.date

    def state_of(self, qualification: Qualification) -> str:
        """Tell whether it is valid, soon over, or over."""
        until = qualification.valid_until
        if until is None:
            return "valid"
        if until < self.today:
            return "expired"
        is_soon = until <= self.today + dt.timedelta(days=self.policy.expiring_days)
        return "expiring" if is_soon else "valid"


def add_crew(session: Session, draft: CrewDraft, actor: Actor, now: dt.datetime) -> int:
    """
    Add a crew and give its key.

    Raises
    ------
    ConflictError
        If the id is taken.
    """
    key = queries.insert_crew(session, **asdict(draft))
    if key is None:
        raise ConflictError("There is a crew %(crew)s already.", crew=draft.id)
    body = asdict(draft) | {"version": 1}
    append_event(session, "crew.added", ("crew", key), by=actor, now=now, body=body)
    return key


def change_crew(
    session: Session,
    crew_id: str,
    wanted: Mapping[str, Any],
    base_version: int | None,
    actor: Actor,
    now: dt.datetime,
) -> None:
    """
    Change facts of a crew.

    Raises
    ------
    ConflictError
        If somebody else has changed one of them meanwhile to something else; nothing changes.
    """
    crew = _lock(session, crew_id)
    current = {name: getattr(crew, name) for name in FACTS}
    merged = merge_fields(current, crew.changed_in, base_version, wanted)
    if merged.conflicts:
        name, values = next(iter(merged.conflicts.items()))
        raise ConflictError(
            'Somebody else has changed "%(field)s" of the crew meanwhile to %(theirs)s.'
            " Look at it again before you change it.",
            field=name,
            theirs=values["theirs"],
        )
    changed = {name: value for name, value in merged.applied.items() if current[name] != value}
    if not changed:
        return
    _tell(session, crew, actor, now, change="facts", **changed)
    version = crew.version + 1
    update_crew(
        session,
        crew.key,
        **changed,
        version=version,
        changed_in={**crew.changed_in, **dict.fromkeys(changed, version)},
    )


def add_member(
    session: Session, crew_id: str, draft: MemberDraft, actor: Actor, now: dt.datetime
) -> int:
    """
    Let somebody join a crew and give the member's key.

    Raises
    ------
    ConflictError
        If the account belongs to another crew.
    """
    crew = _lock(session, crew_id)
    person_id = find_account_of_login(session, draft.login).id if draft.login else None
    if person_id is not None:
        where = queries.fetch_member_crew_of(session, person_id)
        if where is not None:
            raise ConflictError(
                "%(name)s belongs to the crew %(crew)s already.", name=draft.login, crew=where
            )
    key = queries.insert_member(
        session,
        crew.key,
        name=draft.name,
        phone=draft.phone,
        is_leader=draft.is_leader,
        person_id=person_id,
    )
    _bump(session, crew, actor, now, change="member_added", name=draft.name)
    return key


def end_member(
    session: Session, crew_id: str, member_key: int, actor: Actor, now: dt.datetime
) -> None:
    """Take somebody out of a crew; personal skills go along."""
    crew = _lock(session, crew_id)
    name = queries.end_member(session, crew.key, member_key)
    _bump(session, crew, actor, now, change="member_left", name=_found(name))


def add_skill(
    session: Session,
    crew_id: str,
    skill: str,
    valid_until: dt.date | None,
    actor: Actor,
    now: dt.datetime,
    *,
    member_key: int | None = None,
) -> None:
    """Give a crew, or one of its people, a skill up to a last day."""
    crew = _lock(session, crew_id)
    if member_key is not None and not queries.is_member(session, crew.key, member_key):
        raise NotFoundError("There is nothing of that kind with this crew any more.")
    queries.insert_skill(
        session, crew.key, skill=skill, valid_until=valid_until, member_key=member_key
    )
    _bump(session, crew, actor, now, change="skill_added", name=skill)


def add_equipment(
    session: Session,
    crew_id: str,
    name: str,
    valid_until: dt.date | None,
    actor: Actor,
    now: dt.datetime,
    *,
    for_skill: str | None = None,
) -> None:
    """Give a crew equipment, inspected up to a last day; perhaps what a skill needs."""
    crew = _lock(session, crew_id)
    queries.insert_equipment(
        session, crew.key, name=name, valid_until=valid_until, for_skill=for_skill
    )
    _bump(session, crew, actor, now, change="equipment_added", name=name)


def remove_qualification(
    session: Session, crew_id: str, kind: str, key: int, actor: Actor, now: dt.datetime
) -> None:
    """Take a skill or a piece of equipment away."""
    crew = _lock(session, crew_id)
    name = queries.delete_qualification(session, crew.key, kind, key)
    _bump(session, crew, actor, now, change=f"{kind}_removed", name=_found(name))


def plan_shifts(
    session: Session, crew_id: str, draft: ShiftDraft, actor: Actor, now: dt.datetime
) -> None:
    """
    Plan when a crew works or is on call, the same on each of some days.

    Raises
    ------
    ConflictError
        If the crew is planned then already, or another has that rank on call.
    FieldopsError
        If the times are senseless.
    """
    crew = _lock(session, crew_id)
    if not dt.timedelta(0) < draft.ends_at - draft.starts_at <= LONGEST_SHIFT:
        raise FieldopsError("A shift ends after it starts, and within 24 hours.")
    if not 1 <= draft.days <= LONGEST_PLAN_DAYS:
        raise FieldopsError("A shift is planned for 1 to %(most)s days.", most=LONGEST_PLAN_DAYS)
    if (draft.kind == "on_call") != (draft.rank is not None):
        raise FieldopsError("A crew on call has a rank, and only a crew on call.")
    days = [dt.timedelta(days=day) for day in range(draft.days)]
    spans = [(draft.starts_at + later, draft.ends_at + later) for later in days]
    clash = queries.fetch_clash(session, crew.key, draft.kind, draft.rank, spans)
    if clash is not None:
        raise ConflictError(
            "The crew %(crew)s is planned for that time already (%(start)s).",
            crew=clash[0],
            start=clash[1].isoformat(timespec="minutes"),
        )
    same = {"crew_key": crew.key, "kind": draft.kind, "rank": draft.rank}
    queries.insert_shifts(
        session, [{**same, "starts_at": start, "ends_at": end} for start, end in spans]
    )
    _bump(session, crew, actor, now, change="shift_planned", kind=draft.kind)


def remove_shift(
    session: Session, crew_id: str, shift_key: int, actor: Actor, now: dt.datetime
) -> None:
    """Take a planned time away."""
    crew = _lock(session, crew_id)
    kind = _found(queries.delete_shift(session, crew.key, shift_key))
    _bump(session, crew, actor, now, change="shift_removed", kind=kind)


def change_policy(session: Session, policy: Policy, actor: Actor, now: dt.datetime) -> None:
    """Set the utility's own limits about crews."""
    queries.update_policy(session, policy)
    body = {"id": "policy", **asdict(policy)}
    append_event(session, "crew.policy_changed", ("crew", 0), by=actor, now=now, body=body)


def describe_crew(session: Session, crew_key: int, now: dt.datetime) -> CrewRecord:
    """Give what is kept of a crew, and its times of the coming fortnight."""
    return CrewRecord(
        qualifications=queries.fetch_qualifications(session, crew_key),
        shifts=queries.fetch_shifts(session, now, now + dt.timedelta(days=14), crew_key),
        policy=fetch_policy(session),
        today=local_day(now),
    )


def _lock(session: Session, crew_id: str) -> LockedCrew:
    crew = lock_crew(session, crew_id, None)
    if crew is None:
        raise NotFoundError("There is no crew %(crew)s.", crew=crew_id)
    return crew


def _found(name: str | None) -> str:
    if name is None:
        raise NotFoundError("There is nothing of that kind with this crew any more.")
    return name


def _bump(
    session: Session, crew: LockedCrew, actor: Actor, now: dt.datetime, **body: object
) -> None:
    update_crew(session, crew.key, version=crew.version + 1)
    _tell(session, crew, actor, now, **body)


def _tell(
    session: Session, crew: LockedCrew, actor: Actor, now: dt.datetime, **body: object
) -> None:
    told = {"id": crew.id, "version": crew.version + 1, **body}
    append_event(session, "crew.changed", ("crew", crew.key), by=actor, now=now, body=told)
