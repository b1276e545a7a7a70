"""SQL of the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text

from fieldops.order_process.models import OrderPolicy, OrderProcess, OrderStage, OrderTransition

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

ANY_STATE = "@any"
SAME = "@same"
BEFORE_HOLD = "@before_hold"


@dataclass(frozen=True, slots=True)
class Stage:
    """A state in which an order can be, and who has it then."""

    state: str
    position: float
    title: str | None
    holder: str
    is_open: bool
    is_crew_busy: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """What may be done: from where to where, by whom, only when, and what it needs."""

    key: int
    position: float
    action: str
    from_states: tuple[str, ...]
    to_state: str
    only_when: Mapping[str, Any]
    may: frozenset[str]
    is_not_for_own_crew: bool
    needs: tuple[Mapping[str, Any], ...]
    title: str | None


@dataclass(frozen=True, slots=True)
class Process:
    """One version of the process, whole."""

    version: int
    made_at: dt.datetime
    made_by: str
    note: str
    stages: Mapping[str, Stage]
    transitions: tuple[Transition, ...]

    @property
    def actions(self) -> list[str]:
        """Name every action, in the order of the process."""
        return list(dict.fromkeys(each.action for each in self.transitions))


def fetch_newest_version(session: Session) -> int:
    """Give the version with which an order begins now."""
    return session.execute(select(func.max(OrderProcess.version))).scalar_one()


def fetch_versions(session: Session) -> list[tuple[int, dt.datetime, str, str]]:
    """Give all versions, the newest first."""
    rows = session.scalars(select(OrderProcess).order_by(OrderProcess.version.desc()))
    return [(row.version, row.made_at, row.made_by, row.note) for row in rows]


def fetch_process(session: Session, version: int) -> Process | None:
    """Read one version."""
    head = session.get(OrderProcess, version)
    if head is None:
        return None
    stages = session.scalars(
        select(OrderStage)
        .where(OrderStage.process_version == version)
        .order_by(OrderStage.position, OrderStage.state)
    )
    transitions = session.scalars(
        select(OrderTransition)
        .where(OrderTransition.process_version == version)
        .order_by(OrderTransition.position, OrderTransition.key)
    )
    return Process(
        version=version,
        made_at=head.made_at,
        made_by=head.made_by,
        note=head.note,
        stages={row.state: _as_stage(row) for row in stages},
        transitions=tuple(_as_transition(row) for row in transitions),
    )


def _as_stage(row: OrderStage) -> Stage:
    return Stage(row.state, row.position, row.title, row.holder, row.is_open, row.is_crew_busy)


def _as_transition(row: OrderTransition) -> Transition:
    return Transition(
        key=row.key,
        position=row.position,
        action=row.action,
        from_states=tuple(row.from_states),
        to_state=row.to_state or SAME,
        only_when=row.only_when,
        may=frozenset(row.may),
        is_not_for_own_crew=row.is_not_for_own_crew,
        needs=tuple(row.needs),
        title=row.title,
    )


def fetch_policy(session: Session) -> dict[str, float]:
    """Read the numbers of the policy."""
    return {row.name: row.value for row in session.scalars(select(OrderPolicy))}


def lock_processes(session: Session) -> None:
    """Let one person at a time add a version."""
    session.execute(text("LOCK TABLE order_process IN SHARE ROW EXCLUSIVE MODE"))


def insert_process(
    session: Session,
    head: tuple[dt.datetime, str, str],
    stages: Sequence[Stage],
    transitions: Sequence[Transition],
) -> int:
    """Add a version and give its number."""
    made_at, made_by, note = head
    version = session.execute(
        insert(OrderProcess)
        .values(made_at=made_at, made_by=made_by, note=note)
        .returning(OrderProcess.version)
    ).scalar_one()
    session.execute(
        insert(OrderStage),
        [
            {
                "process_version": version,
                "state": stage.state,
                "position": stage.position,
                "title": stage.title,
                "holder": stage.holder,
                "is_open": stage.is_open,
                "is_crew_busy": stage.is_crew_busy,
            }
            for stage in stages
        ],
    )
    session.execute(
        insert(OrderTransition),
        [
            {
                "process_version": version,
                "position": each.position,
                "action": each.action,
                "from_states": list(each.from_states),
                "to_state": each.to_state,
                "only_when": dict(each.only_when),
                "may": sorted(each.may),
                "is_not_for_own_crew": each.is_not_for_own_crew,
                "needs": [dict(need) for need in each.needs],
                "title": each.title,
            }
            for each in transitions
        ],
    )
    return version
