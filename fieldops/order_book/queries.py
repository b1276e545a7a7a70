"""SQL of work orders."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, or_, select, text, update
from sqlalchemy.orm import aliased

from fieldops.crews.models import CrewMember, CrewRow
from fieldops.crews.queries import CrewReference
from fieldops.incidents.models import IncidentRow
from fieldops.network.models import Pipe
from fieldops.order_book.models import HandOver, WorkOrderRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """
    A job as it stands.

    `customers_out` and `critical_out` are None while nobody knows; `data` is what the steps
    asked for: cause, material, photos and so on.
    """

    key: int
    id: str
    incident_key: int | None
    incident_id: str | None
    outage_key: int | None
    kind: str
    severity: str
    task: str | None
    state: str
    state_since: dt.datetime
    is_open: bool
    is_crew_busy: bool
    is_on_hold: bool
    held_from: str | None
    hold_reason: str | None
    resume_by: dt.datetime | None
    crew_key: int | None
    crew_id: str | None
    crew_name: str | None
    second_crew_key: int | None
    second_crew_id: str | None
    had_crew_keys: tuple[int, ...]
    crews_needed: int
    skills: tuple[str, ...]
    lon: float
    lat: float
    address: str | None
    area_class: str | None
    pipe_key: int | None
    pipe_id: str | None
    at_m: float | None
    diameter_mm: float | None
    needs_excavation: bool
    customers_out: int | None
    critical_out: int | None
    weight_floor: float
    expected_work_min: float
    release_at: dt.datetime
    due_at: dt.datetime | None
    arrive_due_at: dt.datetime | None
    after_order_key: int | None
    after_order_id: str | None
    reported_at: dt.datetime
    opened_at: dt.datetime
    opened_by: str
    triaged_at: dt.datetime | None
    assigned_at: dt.datetime | None
    accepted_at: dt.datetime | None
    departed_at: dt.datetime | None
    arrived_at: dt.datetime | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    restored_at: dt.datetime | None
    verified_at: dt.datetime | None
    closed_at: dt.datetime | None
    is_pinned: bool
    pin_reason: str | None
    process_version: int
    data: Mapping[str, Any]
    is_drill: bool
    version: int
    changed_in: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which orders somebody wants to see; None and empty mean any."""

    is_open: bool | None = True
    states: Collection[str] = ()
    kinds: Collection[str] = ()
    severities: Collection[str] = ()
    crew_keys: Collection[int] | None = None
    keys: Collection[int] | None = None
    crew_id: str | None = None
    incident_id: str | None = None
    is_overdue_at: dt.datetime | None = None
    words: str = ""
    limit: int = 500


@dataclass(frozen=True, slots=True)
class FirstTimeRight:
    """How often what somebody handed over was right the first time."""

    name: str
    handed_over: int
    sent_back: int

    @property
    def rate(self) -> float:
        """Give the share that was not sent back."""
        return 1 - self.sent_back / self.handed_over


CREW, SECOND, BEFORE = aliased(CrewRow), aliased(CrewRow), aliased(WorkOrderRow)
COLUMNS = {column.name for column in WorkOrderRow.__table__.columns}
OWN = [field.name for field in fields(WorkOrder) if field.name in COLUMNS]


def _select() -> Select[Any]:
    return (
        select(
            *(getattr(WorkOrderRow, name) for name in OWN),
            IncidentRow.id.label("incident_id"),
            CREW.id.label("crew_id"),
            CREW.name.label("crew_name"),
            SECOND.id.label("second_crew_id"),
            Pipe.id.label("pipe_id"),
            BEFORE.id.label("after_order_id"),
        )
        .outerjoin(IncidentRow, IncidentRow.key == WorkOrderRow.incident_key)
        .outerjoin(CREW, CREW.key == WorkOrderRow.crew_key)
        .outerjoin(SECOND, SECOND.key == WorkOrderRow.second_crew_key)
        .outerjoin(BEFORE, BEFORE.key == WorkOrderRow.after_order_key)
        .outerjoin(Pipe, Pipe.key == WorkOrderRow.pipe_key)
    )


def _as_order(row: Mapping[Any, Any]) -> WorkOrder:
    values: dict[str, Any] = {
        name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
        for name, value in row.items()
    }
    lists = {name: tuple(row[name]) for name in ("skills", "had_crew_keys")}
    return WorkOrder(**{**values, **lists})


def fetch_order(session: Session, order_id: str) -> WorkOrder | None:
    """Read one order."""
    if "\0" in order_id:
        return None
    row = session.execute(_select().where(WorkOrderRow.id == order_id)).mappings().first()
    return _as_order(row) if row is not None else None


def lock_order(session: Session, order_id: str) -> WorkOrder | None:
    """Read one order and hold its row until the transaction ends."""
    if "\0" in order_id:
        return None
    # First the lock: what is read with it may be older than what the wait was for.
    locked = select(WorkOrderRow.key).where(WorkOrderRow.id == order_id).with_for_update()
    if session.execute(locked).first() is None:
        return None
    return fetch_order(session, order_id)


def fetch_orders(session: Session, wanted: Filter) -> list[WorkOrder]:
    """Read orders, the oldest open ones first, closed ones by when they were closed."""
    query = _select()
    if wanted.is_open is not None:
        query = query.where(WorkOrderRow.is_open.is_(wanted.is_open))
    for column, values in (
        (WorkOrderRow.state, wanted.states),
        (WorkOrderRow.kind, wanted.kinds),
        (WorkOrderRow.severity, wanted.severities),
    ):
        if values:
            query = query.where(column.in_(values))
    if wanted.crew_keys is not None:
        keys = list(wanted.crew_keys)
        query = query.where(
            or_(WorkOrderRow.crew_key.in_(keys), WorkOrderRow.second_crew_key.in_(keys))
        )
    if wanted.keys is not None:
        query = query.where(WorkOrderRow.key.in_(wanted.keys))
    if wanted.crew_id is not None:
        query = query.where(or_(CREW.id == wanted.crew_id, SECOND.id == wanted.crew_id))
    if wanted.incident_id is not None:
        query = query.where(IncidentRow.id == wanted.incident_id)
    if wanted.is_overdue_at is not None:
        now = wanted.is_overdue_at
        query = query.where(
            or_(
                WorkOrderRow.due_at < now,
                WorkOrderRow.arrive_due_at < now,
                WorkOrderRow.resume_by < now,
            )
        )
    if wanted.words:
        like = f"%{wanted.words}%"
        query = query.where(
            or_(
                WorkOrderRow.id == wanted.words.upper(),
                WorkOrderRow.address.ilike(like),
                WorkOrderRow.task.ilike(like),
            )
        )
    query = query.order_by(WorkOrderRow.closed_at.desc(), WorkOrderRow.key).limit(wanted.limit)
    return [_as_order(row) for row in session.execute(query).mappings()]


def fetch_done(
    session: Session, crew_keys: Collection[int], since: dt.datetime, limit: int
) -> list[WorkOrder]:
    """Read the orders of some crews that were closed since, the last one first."""
    query = (
        _select()
        .where(WorkOrderRow.closed_at >= since, WorkOrderRow.is_open.is_(False))
        .where(
            or_(WorkOrderRow.crew_key.in_(crew_keys), WorkOrderRow.second_crew_key.in_(crew_keys))
        )
        .order_by(WorkOrderRow.closed_at.desc(), WorkOrderRow.key)
        .limit(limit)
    )
    return [_as_order(row) for row in session.execute(query).mappings()]


def insert_order(session: Session, **values: object) -> str:
    """Add an order and give its id."""
    return session.execute(
        insert(WorkOrderRow).values(**values).returning(WorkOrderRow.id)
    ).scalar_one()


def update_order(session: Session, key: int, **values: object) -> None:
    """Change an order."""
    session.execute(update(WorkOrderRow).where(WorkOrderRow.key == key).values(**values))


def fetch_busy(session: Session, crew_keys: Sequence[int], but: int) -> WorkOrder | None:
    """Read another order that one of these crews is at work on, if there is one."""
    row = (
        session.execute(
            _select()
            .where(WorkOrderRow.is_crew_busy, WorkOrderRow.key != but)
            .where(
                or_(
                    WorkOrderRow.crew_key.in_(crew_keys),
                    WorkOrderRow.second_crew_key.in_(crew_keys),
                )
            )
            .limit(1)
        )
        .mappings()
        .first()
    )
    return _as_order(row) if row is not None else None


def fetch_crews_named(session: Session, words: Collection[str]) -> list[CrewReference]:
    """Read the crews that go by one of these words: an id, a name, or somebody of the crew."""
    member = (
        select(CrewMember.key)
        .where(CrewMember.crew_key == CrewRow.key, CrewMember.is_active)
        .where(CrewMember.name.in_(words))
        .exists()
    )
    query = select(CrewRow.key, CrewRow.id, CrewRow.name, CrewRow.contractor).where(
        or_(CrewRow.id.in_(words), CrewRow.name.in_(words), member)
    )
    return [CrewReference(**row) for row in session.execute(query.order_by(CrewRow.key)).mappings()]


def is_done(session: Session, key: int) -> bool:
    """Tell whether an order's work is done, or will never be."""
    query = select(
        or_(WorkOrderRow.finished_at.is_not(None), WorkOrderRow.is_open.is_(False))
    ).where(WorkOrderRow.key == key)
    return bool(session.execute(query).scalar_one())


def fetch_open_of_incident(
    session: Session, incident_key: int, *, is_locked: bool = False
) -> list[str]:
    """Name the open orders of an incident, and hold their rows if asked to."""
    query = (
        select(WorkOrderRow.id)
        .where(WorkOrderRow.incident_key == incident_key, WorkOrderRow.is_open)
        .order_by(WorkOrderRow.key)
    )
    return list(session.scalars(query.with_for_update() if is_locked else query))


def insert_hand_over(session: Session, **values: object) -> None:
    """Note what one stage gives to the next."""
    session.execute(insert(HandOver).values(**values))


def update_sent_back(
    session: Session, order_key: int, *, at: dt.datetime, by: str, reason: str
) -> None:
    """Note that the last thing handed over was not right."""
    last = (
        select(func.max(HandOver.key))
        .where(HandOver.order_key == order_key, HandOver.sent_back_at.is_(None))
        .scalar_subquery()
    )
    session.execute(
        update(HandOver)
        .where(HandOver.key == last)
        .values(sent_back_at=at, sent_back_by=by, reason=reason)
    )


def fetch_first_time_right(
    session: Session, since: dt.datetime, until: dt.datetime
) -> list[FirstTimeRight]:
    """Count for each sender what was handed over, and what of it was sent back."""
    rows = session.execute(
        select(HandOver.person_name, func.count(), func.count(HandOver.sent_back_at))
        .join(WorkOrderRow, WorkOrderRow.key == HandOver.order_key)
        .where(HandOver.at >= since, HandOver.at < until, ~WorkOrderRow.is_drill)
        .group_by(HandOver.person_name)
        .order_by(HandOver.person_name)
    )
    return [FirstTimeRight(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class HolderSum:
    """How long a holder had orders, in all, and how many."""

    holder_kind: str
    holder_id: str
    holder_name: str
    orders: int
    minutes: float


def fetch_holder_sums(session: Session, since: dt.datetime, until: dt.datetime) -> list[HolderSum]:
    """Sum the turns of each holder that lie in a span; drills count for nobody."""
    rows = session.execute(
        text(
            """
            WITH turns AS (
                SELECT subject_key, holder_kind, holder_id, holder_name, holder_turn.started_at,
                    coalesce(lead(holder_turn.started_at) OVER later, :until) AS ended_at
                FROM holder_turn JOIN work_order ON work_order.key = subject_key
                WHERE subject_kind = 'work_order' AND NOT is_drill
                    AND holder_turn.started_at < :until
                WINDOW later AS (PARTITION BY subject_key ORDER BY holder_turn.started_at)
            )
            SELECT holder_kind, holder_id, max(holder_name), count(DISTINCT subject_key),
                sum(extract(epoch FROM ended_at - greatest(started_at, :since)))::float / 60
            FROM turns WHERE holder_kind <> 'nobody' AND ended_at > :since
            GROUP BY holder_kind, holder_id ORDER BY 5 DESC, 2 LIMIT 100
            """
        ),
        {"since": since, "until": until},
    )
    return [HolderSum(*row) for row in rows]


def update_all_dues(session: Session) -> None:
    """Keep with every open order when its clocks are due, after a calendar was changed."""
    session.execute(
        text(
            """
            UPDATE work_order SET due_at = dues.due_at, arrive_due_at = dues.arrive_due_at
            FROM (
                SELECT subject_key,
                    min(due_at) FILTER (WHERE kind NOT IN ('arrive', 'accept')) AS due_at,
                    min(due_at) FILTER (WHERE kind = 'arrive') AS arrive_due_at
                FROM clock WHERE subject_kind = 'work_order' AND stopped_at IS NULL
                GROUP BY subject_key
            ) AS dues
            WHERE work_order.key = dues.subject_key AND is_open
            """
        )
    )
