"""Crews: who may do what, when they work, and where they were last."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.access import Role
from fieldops.crews import queries
from fieldops.crews.queries import Crew, CrewReference, Member
from fieldops.errors import NotFoundError
from fieldops.events.service import Actor, Operation, Outcome, append_event
from fieldops.language import TIMEZONE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.crews.queries import LockedCrew

__all__ = ["Crew", "CrewReference", "Member", "apply_operation", "list_crews", "record_position"]

BY_PHONE = frozenset({"dispatcher", "manager", "admin"})
"""Roles that may record what a crew says on the phone."""


class PositionBody(BaseModel):
    """Where a device says it is."""

    model_config = ConfigDict(extra="forbid")

    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    at: AwareDatetime
    accuracy_m: float | None = Field(default=None, ge=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place that a crew's device told, when, and how exactly."""

    lon: float
    lat: float
    at: dt.datetime
    accuracy_m: float | None = None


def local_day(now: dt.datetime) -> dt.date:
    """Give the day that a moment belongs to where the utility is."""
    return now.astimezone(ZoneInfo(TIMEZONE)).date()


def list_crews(session: Session, now: dt.datetime) -> list[Crew]:
    """Give every active crew as it stands."""
    return queries.fetch_crews(session, now, local_day(now))


def list_visible_crews(session: Session, person: Person, now: dt.datetime) -> list[Crew]:
    """Give the crews that a person may see: those of a contractor's crew see their own alone."""
    if person.roles - {Role.CREW}:
        return list_crews(session, now)
    own = queries.fetch_crews(session, now, local_day(now), person_id=person.id)
    if not own or any(crew.contractor for crew in own):
        return own
    return list_crews(session, now)


def may_see_crew(session: Session, person: Person, crew_id: str) -> bool:
    """Tell whether a person may see a crew: those of a contractor's crew see their own alone."""
    if person.roles - {Role.CREW}:
        return True
    own = queries.fetch_crews_of_person(session, person.id)
    is_in_house = bool(own) and not any(crew.contractor for crew in own)
    return is_in_house or crew_id in {crew.id for crew in own}


def find_crew(session: Session, crew_id: str, now: dt.datetime) -> Crew:
    """
    Give one crew as it stands, active or not.

    Raises
    ------
    NotFoundError
        If there is no such crew.
    """
    found = queries.fetch_crews(session, now, local_day(now), crew_id=crew_id, is_everybody=True)
    if not found:
        raise NotFoundError("There is no crew %(crew)s.", crew=crew_id)
    return found[0]


def list_on_call(session: Session, now: dt.datetime) -> list[Crew]:
    """Give the crews on call at a moment, the first to be called first."""
    on_call = [crew for crew in list_crews(session, now) if crew.on_call_rank is not None]
    return sorted(on_call, key=lambda crew: (crew.on_call_rank or 0, crew.id))


def crews_of_person(session: Session, person_id: int) -> list[CrewReference]:
    """Give the active crews that somebody belongs to."""
    return queries.fetch_crews_of_person(session, person_id)


def lock_crew(session: Session, crew_id: str) -> CrewReference:
    """
    Hold a crew's row until the transaction ends, so that two dispatchers send it one by one.

    Raises
    ------
    NotFoundError
        If there is no such active crew.
    """
    crew = queries.lock_crew(session, crew_id, None)
    if crew is None or not crew.is_active:
        raise NotFoundError("There is no crew %(crew)s.", crew=crew_id)
    return CrewReference(key=crew.key, id=crew.id, name=crew.name, contractor=crew.contractor)


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do what a device asks of a crew: it can tell its position, and nothing else."""
    if operation.action != "position":
        return Outcome(
            status="illegal",
            message="A crew has no action %(action)s.",
            params={"action": operation.action},
        )
    claimed = {"at": operation.occurred_at, **operation.body}
    try:
        body = PositionBody.model_validate(claimed)
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        return Outcome(
            status="illegal",
            message="The position cannot be read: %(fields)s.",
            params={"fields": ", ".join(wrong)},
        )
    position = Position(**body.model_dump())
    return record_place(session, operation.subject_id, position, actor, now, op_id=operation.op_id)


def record_position(
    session: Session,
    crew_id: str,
    lon: float,
    lat: float,
    at: dt.datetime,
    accuracy_m: float | None,
    actor: Actor,
    now: dt.datetime,
) -> Outcome:
    """Record where a crew says it is; see `record_place`."""
    position = Position(lon=lon, lat=lat, at=at, accuracy_m=accuracy_m)
    return record_place(session, crew_id, position, actor, now)


def record_place(
    session: Session,
    crew_id: str,
    position: Position,
    actor: Actor,
    now: dt.datetime,
    *,
    op_id: str | None = None,
) -> Outcome:
    """
    Record where a crew says it is, unless something newer is known.

    An older place is kept as a fact and moves nothing. A clock that runs ahead is not believed:
    its place counts as of now, marked as doubted, and only where nothing better is known.
    """
    crew = queries.lock_crew(session, crew_id, actor.person_id)
    if crew is None or not crew.is_active:
        return Outcome(
            status="illegal", message="There is no crew %(crew)s.", params={"crew": crew_id}
        )
    if not may_tell_position(crew, actor):
        return Outcome(
            status="forbidden",
            message="Only the crew %(crew)s itself tells its position, or a dispatcher by phone.",
            params={"crew": crew.name},
        )
    if not crew.is_member and actor.by_phone_for is None and "system" not in actor.roles:
        actor = replace(actor, by_phone_for=crew.name)
    policy = queries.fetch_policy(session)
    is_doubted = position.at > now + dt.timedelta(seconds=policy.clock_ahead_s)
    at = min(position.at, now)
    if is_superseded(crew, at, now, policy.position_stale_min, is_doubted=is_doubted):
        tell_position(session, "crew.position_kept", crew, position, is_doubted, actor, now, op_id)
        return Outcome(
            status="applied",
            version=crew.version,
            message="A newer position of the crew is known; this one is kept, and moves nothing.",
            is_kept_as_fact=True,
        )
    queries.update_crew(
        session,
        crew.key,
        lon=position.lon,
        lat=position.lat,
        position_at=at,
        position_accuracy_m=position.accuracy_m,
        is_position_doubted=is_doubted,
    )
    tell_position(session, "crew.moved", crew, position, is_doubted, actor, now, op_id)
    return Outcome(status="applied", version=crew.version)


def may_tell_position(crew: LockedCrew, actor: Actor) -> bool:
    """Tell whether somebody may say where the crew is."""
    return crew.is_member or "system" in actor.roles or bool(actor.roles & BY_PHONE)


def is_superseded(
    crew: LockedCrew, at: dt.datetime, now: dt.datetime, stale_min: int, *, is_doubted: bool
) -> bool:
    """Tell whether what is known of a crew's place is better than what has come."""
    if crew.position_at is None:
        return False
    if is_doubted and not crew.is_position_doubted:
        return now - crew.position_at < dt.timedelta(minutes=stale_min)
    if crew.is_position_doubted and not is_doubted:
        # A time that was only guessed never outdoes one that was told, unless it is long past.
        return at < crew.position_at - dt.timedelta(minutes=stale_min)
    return at <= crew.position_at


def tell_position(
    session: Session,
    kind: str,
    crew: LockedCrew,
    position: Position,
    is_doubted: bool,  # noqa: FBT001
    actor: Actor,
    now: dt.datetime,
    op_id: str | None,
) -> None:
    """Append where a crew says it is to the log."""
    body: dict[str, Any] = {
        "id": crew.id,
        "lon": round(position.lon, 7),
        "lat": round(position.lat, 7),
        "at": min(position.at, now).isoformat(),
        "accuracy_m": position.accuracy_m,
        "is_doubted": is_doubted,
    }
    if is_doubted:
        body["claimed_at"] = position.at.isoformat()
    append_event(
        session,
        kind,
        ("crew", crew.key),
        by=actor,
        now=now,
        body=body,
        occurred_at=position.at,
        op_id=op_id,
    )
