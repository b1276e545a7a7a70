"""SQL of dispatch: its settings, who sends whom, and what happened since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from fieldops.dispatch.models import DispatchSetting
from fieldops.events.models import EventRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session

CREW_LOCK = 731
"""The first half of the advisory lock by which two dispatchers cannot both send one crew."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a manager may set."""

    mode: str
    diversion_s: float
    offer_s: float
    phone_after_s: float
    automatic_max_diameter_mm: float
    stale_penalty_min: float
    straight_factor: float
    straight_trips: int
    is_straight_factor_fixed: bool
    version: int
    changed_at: dt.datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class LastAct:
    """Who did something to a subject last, and when."""

    person_name: str
    at: dt.datetime


_SETTING_COLUMNS = [getattr(DispatchSetting, name) for name in Settings.__dataclass_fields__]


def fetch_settings(session: Session, *, is_locked: bool = False) -> Settings:
    """Read the settings."""
    query = select(*_SETTING_COLUMNS)
    row = session.execute(query.with_for_update() if is_locked else query).one()
    return Settings(*row)


def update_settings(session: Session, changes: dict[str, Any]) -> None:
    """Change settings."""
    session.execute(update(DispatchSetting).values(**changes))


def lock_crews(session: Session, crew_keys: Collection[int]) -> None:
    """Wait until nobody else is sending these crews; held until the transaction ends."""
    for key in sorted(crew_keys):
        session.execute(
            text("SELECT pg_advisory_xact_lock(:kind, hashint8(:key))"),
            {"kind": CREW_LOCK, "key": key},
        )


def fetch_last_act(session: Session, subject: tuple[str, int], kind: str) -> LastAct | None:
    """Tell who did something to a subject last, and when."""
    row = session.execute(
        select(EventRow.person_name, EventRow.received_at)
        .where(
            EventRow.subject_kind == subject[0],
            EventRow.subject_key == subject[1],
            EventRow.kind == kind,
        )
        .order_by(EventRow.position.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else LastAct(row[0] or "?", row[1])


def fetch_events_since(
    session: Session, position: int, kinds: Sequence[str], limit: int
) -> list[tuple[int, str, dict[str, Any]]]:
    """Read the position, kind and body of events of some kinds after a position, in order."""
    rows = session.execute(
        select(EventRow.position, EventRow.kind, EventRow.body)
        .where(EventRow.position > position, EventRow.kind.in_(kinds))
        .order_by(EventRow.position)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]
