"""SQL of outages under way: who is dry and since when, which valves stand how, minutes lost."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from fieldops.live_supply.models import (
    OutageForecastRow,
    OutageGuardRow,
    OutageIntervalRow,
    OutagePlanRow,
    OutageRow,
    OutageValveRow,
    ValveTagRow,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

Record = TypeVar("Record")
Place = tuple[str, int]
"""A device: its table and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage as it stands."""

    key: int
    id: str
    incident_key: int | None
    is_planned: bool
    is_drill: bool
    status: str
    reason: str | None
    question: dict[str, Any]
    pipe_key: int | None
    at_m: float | None
    lon: float | None
    lat: float | None
    zone_pipe_keys: list[int]
    plan_number: int
    planned_from: dt.datetime | None
    planned_until: dt.datetime | None
    aware_at: dt.datetime
    dispatched_at: dt.datetime | None
    on_site_at: dt.datetime | None
    water_stopped_at: dt.datetime | None
    repaired_at: dt.datetime | None
    flushed_at: dt.datetime | None
    restored_at: dt.datetime | None
    forecast: dict[str, Any]
    promised_by: dt.datetime | None
    next_news_at: dt.datetime | None
    promised_at: dt.datetime | None
    connections: int
    customers_out: int
    properties_out: int
    people_out: int | None
    critical_out: int
    opened_at: dt.datetime
    opened_by: str
    closed_at: dt.datetime | None
    closed_by: str | None
    version: int
    changed_in: dict[str, int]

    @property
    def incident_id(self) -> str | None:
        """The incident's id."""
        return None if self.incident_key is None else f"I-{self.incident_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One version of a plan."""

    outage_key: int
    number: int
    kind: str
    status: str
    because: dict[str, Any]
    wish: dict[str, Any]
    answer: dict[str, Any]
    difference: dict[str, Any] | None
    made_at: dt.datetime
    made_by: str
    approved_at: dt.datetime | None
    approved_by: str | None
    executed_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedValve:
    """A valve, pump or source of an outage, and how it stands."""

    key: int
    outage_key: int
    device_table: str
    device_key: int
    valve: str
    role: str
    number: int | None
    state: str
    position_before: str
    turns_recorded: float | None
    turns_counted: float | None
    accepted_by: str | None
    is_gland_leaking: bool
    expected_closed_at: dt.datetime | None
    expected_reopened_at: dt.datetime | None
    closed_at: dt.datetime | None
    closed_by: str | None
    reopened_at: dt.datetime | None
    reopened_by: str | None

    @property
    def place(self) -> Place:
        """The device's table and key."""
        return self.device_table, self.device_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A numbered tag on a valve."""

    key: int
    outage_key: int
    device_table: str
    device_key: int
    valve: str
    number: str
    hung_at: dt.datetime
    hung_by: str
    hung_photo: str | None
    taken_off_at: dt.datetime | None
    taken_off_by: str | None
    taken_off_photo: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Another job that a valve must stay shut for: by tag, plan or trench."""

    outage: str
    why: str
    tag: str | None


REFUSALS = frozenset(
    {
        "valve_held_by_another_job",
        "ix_valve_tag_one_place",
        "ix_valve_tag_one_a_job",
        "outage_not_over",
    }
)
"""What the database refuses for good reasons that a person should hear."""


class RefusedByDatabaseError(Exception):
    """The database holds a rule against what was asked."""

    def __init__(self, constraint: str, detail: str | None) -> None:
        """Keep which rule it was, and the job that it names."""
        super().__init__(constraint)
        self.constraint = constraint
        self.detail = detail


@contextmanager
def all_or_nothing(session: Session) -> Iterator[None]:
    """
    Undo all that the block did if it fails.

    Raises
    ------
    RefusedByDatabaseError
        If a rule that the database holds speaks against it.
    """
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        name = str(getattr(diagnosis, "constraint_name", None))
        if name not in REFUSALS:
            raise
        raise RefusedByDatabaseError(name, getattr(diagnosis, "message_detail", None)) from error


def lock_valve_work(session: Session) -> None:
    """Let nobody else open, close or tag a valve until this transaction ends."""
    session.execute(text("SELECT lock_valve_work()"))


def try_lock_valve_work(session: Session) -> bool:
    """Do the same without waiting; False where somebody else is at it."""
    return bool(session.execute(text("SELECT try_lock_valve_work()")).scalar_one())


def insert_outage(session: Session, values: Mapping[str, Any]) -> Outage:
    """Write a new outage."""
    row = session.execute(insert(OutageRow).values(**values).returning(OutageRow)).scalar_one()
    return _as(Outage, row)


def fetch_outage(session: Session, outage: str, *, is_locking: bool = False) -> Outage | None:
    """Read an outage by its id, and hold it if asked to."""
    query = select(OutageRow).where(OutageRow.id == outage)
    query = query.with_for_update() if is_locking else query
    row = session.execute(_fresh(query)).scalar_one_or_none()
    return None if row is None else _as(Outage, row)


def fetch_live(session: Session, *, is_drill: bool | None = None) -> list[Outage]:
    """Read every outage that is not closed, in the order of opening."""
    query = select(OutageRow).where(OutageRow.status != "closed").order_by(OutageRow.key)
    if is_drill is not None:
        query = query.where(OutageRow.is_drill == is_drill)
    return [_as(Outage, row) for row in session.scalars(_fresh(query))]


def fetch_of_incident(session: Session, incident_key: int) -> list[Outage]:
    """Read the outages of an incident that are not closed."""
    query = select(OutageRow).where(
        OutageRow.incident_key == incident_key, OutageRow.status != "closed"
    )
    return [_as(Outage, row) for row in session.scalars(_fresh(query.order_by(OutageRow.key)))]


def fetch_overtaken(session: Session, now: dt.datetime) -> list[str]:
    """Name the outages under way of which a forecast stage was more likely than not over by now."""
    query = text(
        "SELECT id FROM outage WHERE status = 'open' AND EXISTS (SELECT FROM"
        " jsonb_each(forecast) AS each WHERE (each.value ->> 'p50')::timestamptz < :now)"
        " ORDER BY key"
    )
    return list(session.scalars(query, {"now": now}))


def fetch_latest(session: Session, limit: int) -> list[Outage]:
    """Read the newest outages, those under way first."""
    query = select(OutageRow).order_by(OutageRow.status == "closed", OutageRow.key.desc())
    return [_as(Outage, row) for row in session.scalars(_fresh(query.limit(limit)))]


def fetch_live_of_customers(session: Session, customer_keys: Sequence[int]) -> list[Outage]:
    """Read the outages under way that concern any of these customers."""
    concerned = select(OutageIntervalRow.outage_key).where(
        OutageIntervalRow.customer_key.in_(customer_keys), OutageIntervalRow.restored_at.is_(None)
    )
    query = select(OutageRow).where(OutageRow.status != "closed", OutageRow.key.in_(concerned))
    return [_as(Outage, row) for row in session.scalars(_fresh(query.order_by(OutageRow.key)))]


def fetch_live_of_pipe(session: Session, pipe_key: int) -> list[Outage]:
    """
    Read the outages under way on whose segment, or behind it, a pipe lies.

    One that has given all customers of the pipe their water back is no longer under way there.
    """
    keys = session.execute(
        text(
            "SELECT o.key FROM outage o LEFT JOIN LATERAL (SELECT bool_and(i.restored_at IS NOT"
            " NULL) AS is_over FROM outage_interval i JOIN customer_feed f"
            " ON f.customer_key = i.customer_key AND f.pipe_key = :pipe"
            " WHERE i.outage_key = o.key) AS there ON true"
            " WHERE o.status = 'open' AND o.zone_pipe_keys @> ARRAY[CAST(:pipe AS bigint)]"
            " AND NOT coalesce(there.is_over, false)"
        ),
        {"pipe": pipe_key},
    ).scalars()
    query = select(OutageRow).where(OutageRow.key.in_(list(keys)))
    return [_as(Outage, row) for row in session.scalars(_fresh(query.order_by(OutageRow.key)))]


def update_outage(session: Session, key: int, values: Mapping[str, Any]) -> Outage:
    """Change an outage, and give it as it is now."""
    row = session.execute(
        update(OutageRow)
        .where(OutageRow.key == key)
        .values(**values)
        .returning(OutageRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).scalar_one()
    return _as(Outage, row)


def fetch_plans(session: Session, keys: Collection[int]) -> list[Plan]:
    """Read all versions of the plans of some outages, in order."""
    query = select(OutagePlanRow).where(OutagePlanRow.outage_key.in_(keys))
    query = query.order_by(OutagePlanRow.outage_key, OutagePlanRow.number)
    return [_as(Plan, row) for row in session.scalars(_fresh(query))]


def insert_plan(session: Session, values: Mapping[str, Any]) -> Plan:
    """Write a new version of a plan."""
    statement = insert(OutagePlanRow).values(**values).returning(OutagePlanRow)
    return _as(Plan, session.execute(statement).scalar_one())


def supersede_plans(session: Session, outage_key: int, statuses: Sequence[str]) -> None:
    """Put the plans in these states aside."""
    session.execute(
        update(OutagePlanRow)
        .where(OutagePlanRow.outage_key == outage_key, OutagePlanRow.status.in_(statuses))
        .values(status="superseded")
    )


def update_plan(session: Session, outage_key: int, number: int, values: Mapping[str, Any]) -> None:
    """Change one version of a plan."""
    session.execute(
        update(OutagePlanRow)
        .where(OutagePlanRow.outage_key == outage_key, OutagePlanRow.number == number)
        .values(**values)
    )


def fetch_valves(session: Session, keys: Collection[int]) -> list[WorkedValve]:
    """Read the valves of some outages, in the order of work."""
    query = select(OutageValveRow).where(OutageValveRow.outage_key.in_(keys))
    query = query.order_by(OutageValveRow.outage_key, OutageValveRow.number, OutageValveRow.valve)
    return [_as(WorkedValve, row) for row in session.scalars(_fresh(query))]


def insert_valves(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write valves that have come into a plan."""
    if rows:
        session.execute(insert(OutageValveRow), list(rows))


def update_valve(session: Session, key: int, values: Mapping[str, Any]) -> None:
    """Change how a valve stands, or its part in the plan."""
    session.execute(
        update(OutageValveRow)
        .where(OutageValveRow.key == key)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def update_valves(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change the parts of several valves in a plan; each row names its key and the same columns."""
    if rows:
        session.execute(update(OutageValveRow), [dict(row) for row in rows])


def delete_valves(session: Session, keys: Collection[int]) -> None:
    """Forget valves that nobody has touched and no plan names any more."""
    if keys:
        session.execute(delete(OutageValveRow).where(OutageValveRow.key.in_(keys)))


def fetch_tags(session: Session, keys: Collection[int]) -> list[Tag]:
    """Read all tags of some outages."""
    query = select(ValveTagRow).where(ValveTagRow.outage_key.in_(keys)).order_by(ValveTagRow.key)
    return [_as(Tag, row) for row in session.scalars(_fresh(query))]


def fetch_hanging_tag(session: Session, number: str) -> tuple[Tag, str] | None:
    """Read the tag of a number that hangs somewhere, and its outage's id."""
    row = session.execute(
        select(ValveTagRow, OutageRow.id)
        .join(OutageRow, OutageRow.key == ValveTagRow.outage_key)
        .where(ValveTagRow.number == number, ValveTagRow.taken_off_at.is_(None))
    ).one_or_none()
    return None if row is None else (_as(Tag, row[0]), str(row[1]))


def insert_tag(session: Session, values: Mapping[str, Any]) -> None:
    """Write that a tag hangs."""
    session.execute(insert(ValveTagRow).values(**values))


def take_off_tag(session: Session, key: int, values: Mapping[str, Any]) -> None:
    """Write that a tag was taken off."""
    session.execute(update(ValveTagRow).where(ValveTagRow.key == key).values(**values))


def fetch_holders(session: Session, outage_key: int, place: Place) -> list[Holder]:
    """Read which other jobs need a valve shut."""
    rows = session.execute(
        text(
            "SELECT o.id, n.why, n.tag FROM outages_needing_valve(:own, :of_table, :of_key) n"
            " JOIN outage o ON o.key = n.outage_key ORDER BY o.key, n.why"
        ),
        {"own": outage_key, "of_table": place[0], "of_key": place[1]},
    )
    return [Holder(*row) for row in rows]


def replace_guards(session: Session, guards: Mapping[int, Collection[Place]]) -> None:
    """Write, for each outage, which closed valves keep its trench dry."""
    session.execute(delete(OutageGuardRow).where(OutageGuardRow.outage_key.in_(list(guards))))
    rows = [
        {"outage_key": key, "device_table": table, "device_key": device}
        for key, places in guards.items()
        for table, device in places
    ]
    if rows:
        session.execute(insert(OutageGuardRow), rows)


@dataclass(frozen=True, slots=True)
class OpenRow:
    """An interval that has not ended: of a customer who is dry, or expected to be."""

    key: int
    outage_key: int
    customer_key: int
    cause: str
    forecast_number: int | None
    is_lost: bool


def fetch_open_rows(session: Session, outage_keys: Sequence[int]) -> list[OpenRow]:
    """Read the intervals of some outages that have not ended."""
    rows = session.execute(
        text(
            "SELECT key, outage_key, customer_key, cause, forecast_number, lost_at IS NOT NULL"
            " FROM outage_interval WHERE outage_key = ANY(:outages) AND restored_at IS NULL"
        ),
        {"outages": list(outage_keys)},
    )
    return [OpenRow(*row) for row in rows.all()]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRows:
    """Intervals to be written for customers, as equally long columns."""

    customer_keys: Sequence[int]
    causes: Sequence[str]
    tank_lasts_h: Sequence[float | None]
    numbers: Sequence[int | None]

    @classmethod
    def of(cls, customer_keys: Sequence[int], cause: str, number: int | None = None) -> NewRows:
        """Make rows of customers that are all alike."""
        count = len(customer_keys)
        return cls(
            customer_keys=list(customer_keys),
            causes=[cause] * count,
            tank_lasts_h=[None] * count,
            numbers=[number] * count,
        )


def insert_intervals(
    session: Session, outage_key: int, rows: NewRows, lost_at: dt.datetime | None = None
) -> None:
    """Write intervals of customers, expected ones or such as have begun."""
    if not rows.customer_keys:
        return
    session.execute(
        text(
            "INSERT INTO outage_interval (outage_key, customer_key, customer, properties, people,"
            " is_critical, cause, tank_lasts_h, forecast_number, lost_at)"
            " SELECT :outage, c.key, c.id, c.properties, c.people, c.critical IS NOT NULL,"
            " u.cause, u.tank_lasts_h, u.number, :lost_at"
            " FROM unnest(CAST(:keys AS bigint[]), CAST(:causes AS text[]),"
            " CAST(:tanks AS double precision[]), CAST(:numbers AS integer[]))"
            " AS u (key, cause, tank_lasts_h, number) JOIN customer c ON c.key = u.key"
        ),
        {
            "outage": outage_key,
            "lost_at": lost_at,
            "keys": list(rows.customer_keys),
            "causes": list(rows.causes),
            "tanks": list(rows.tank_lasts_h),
            "numbers": list(rows.numbers),
        },
    )


def update_expected(
    session: Session, keys: Sequence[int], causes: Sequence[str], numbers: Sequence[int | None]
) -> None:
    """Change the cause and the forecast of some intervals."""
    if keys:
        session.execute(
            text(
                "UPDATE outage_interval i SET cause = u.cause, forecast_number = u.number"
                " FROM unnest(CAST(:keys AS bigint[]), CAST(:causes AS text[]),"
                " CAST(:numbers AS integer[])) AS u (key, cause, number) WHERE i.key = u.key"
            ),
            {"keys": list(keys), "causes": list(causes), "numbers": list(numbers)},
        )


def delete_intervals(session: Session, keys: Sequence[int]) -> None:
    """Forget intervals that were expected and never began."""
    if keys:
        session.execute(
            text("DELETE FROM outage_interval WHERE key = ANY(:keys) AND lost_at IS NULL"),
            {"keys": list(keys)},
        )


Times = tuple[
    "dt.datetime | None", "dt.datetime | None", "dt.datetime | None", "dt.datetime | None"
]
"""When supply is expected to be lost, and to be back at P10, P50 and P90."""


def replace_forecasts(session: Session, outage_key: int, times: Mapping[int, Times]) -> None:
    """Write an outage's own forecasts, by number, in place of those before."""
    session.execute(
        delete(OutageForecastRow).where(
            OutageForecastRow.outage_key == outage_key, OutageForecastRow.number > 0
        )
    )
    if times:
        session.execute(
            insert(OutageForecastRow),
            [
                {
                    "outage_key": outage_key,
                    "number": number,
                    "expected_lost_at": lost,
                    "restored_p10_at": p10,
                    "restored_p50_at": p50,
                    "restored_p90_at": p90,
                }
                for number, (lost, p10, p50, p90) in times.items()
            ],
        )


def write_joint_forecast(session: Session, outage_key: int, jobs: Sequence[int]) -> None:
    """Write the forecast of several jobs: from the last of them, until the first is over."""
    session.execute(
        text(
            "INSERT INTO outage_forecast (outage_key, number, expected_lost_at, restored_p10_at,"
            " restored_p50_at, restored_p90_at) SELECT :outage, 0,"
            " max(coalesce(water_stopped_at, (forecast #>> '{water_stopped,p50}')::timestamptz)),"
            " min((forecast #>> '{restored,p10}')::timestamptz),"
            " min((forecast #>> '{restored,p50}')::timestamptz),"
            " min((forecast #>> '{restored,p90}')::timestamptz)"
            " FROM outage WHERE key = ANY(:jobs)"
            " ON CONFLICT (outage_key, number) DO UPDATE SET"
            " expected_lost_at = excluded.expected_lost_at,"
            " restored_p10_at = excluded.restored_p10_at,"
            " restored_p50_at = excluded.restored_p50_at,"
            " restored_p90_at = excluded.restored_p90_at"
        ),
        {"outage": outage_key, "jobs": list(jobs)},
    )


def fetch_over(session: Session, outage_key: int) -> set[int]:
    """Read the customers who had their water back from an outage."""
    rows = session.execute(
        text(
            "SELECT customer_key FROM outage_interval"
            " WHERE outage_key = :outage AND restored_at IS NOT NULL"
        ),
        {"outage": outage_key},
    )
    return {row[0] for row in rows}


def fetch_expected_keys(
    session: Session, outage_key: int
) -> tuple[list[int], list[int], list[str]]:
    """
    Read the customers of an outage's own plan.

    Gives all that it ever concerned, those that are dry or expected to be, and the ids of the
    critical ones among these.
    """
    row = session.execute(
        text(
            "SELECT coalesce(array_agg(customer_key), '{}'),"
            " coalesce(array_agg(customer_key) FILTER (WHERE restored_at IS NULL), '{}'),"
            " coalesce(array_agg(customer) FILTER (WHERE is_critical AND restored_at IS NULL),"
            " '{}') FROM outage_interval WHERE outage_key = :outage AND cause <> 'joint'"
        ),
        {"outage": outage_key},
    ).one()
    return row[0], row[1], row[2]


def mark_lost(session: Session, keys: Sequence[int], at: dt.datetime) -> None:
    """Write that the customers of these intervals are dry from now on."""
    if keys:
        session.execute(
            text("UPDATE outage_interval SET lost_at = :at WHERE key = ANY(:keys)"),
            {"at": at, "keys": list(keys)},
        )


@dataclass(frozen=True, slots=True)
class Regained:
    """Somebody whose water is back."""

    customer_key: int
    customer: str
    properties: int
    is_critical: bool
    outage_key: int


def mark_restored(session: Session, keys: Sequence[int], at: dt.datetime) -> list[Regained]:
    """End these intervals, and tell whose they are."""
    if not keys:
        return []
    rows = session.execute(
        text(
            "UPDATE outage_interval SET restored_at = greatest(:at, lost_at)"
            " WHERE key = ANY(:keys)"
            " RETURNING customer_key, customer, properties, is_critical, outage_key"
        ),
        {"at": at, "keys": list(keys)},
    )
    return [Regained(*row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many are concerned by an outage and have not got their water back."""

    connections: int
    customers_out: int
    properties_out: int
    people_out: int | None
    critical_out: int
    critical: list[str]
    is_anybody_lost: bool
    restored: int


def tally(session: Session, outage_key: int) -> Tally:
    """Count who is dry or expected to be; people None where those of some are not known."""
    row = session.execute(
        text(
            "SELECT count(*) FILTER (WHERE restored_at IS NULL) AS connections,"
            " count(*) FILTER (WHERE restored_at IS NULL AND lost_at IS NOT NULL) AS customers_out,"
            " coalesce(sum(properties) FILTER (WHERE restored_at IS NULL), 0) AS properties_out,"
            " CASE WHEN bool_or(people IS NULL) FILTER (WHERE restored_at IS NULL) THEN NULL"
            " ELSE coalesce(sum(people) FILTER (WHERE restored_at IS NULL), 0) END AS people_out,"
            " count(*) FILTER (WHERE restored_at IS NULL AND is_critical) AS critical_out,"
            " coalesce(array_agg(customer ORDER BY customer)"
            "  FILTER (WHERE restored_at IS NULL AND is_critical), '{}') AS critical,"
            " count(*) FILTER (WHERE lost_at IS NOT NULL) > 0 AS is_anybody_lost,"
            " count(DISTINCT customer_key) FILTER (WHERE restored_at IS NOT NULL) AS restored"
            " FROM outage_interval WHERE outage_key = :outage"
        ),
        {"outage": outage_key},
    ).one()
    return Tally(**row._mapping)  # noqa: SLF001 - its public name


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """Whom several outages concern together, nobody twice."""

    properties: int
    people: int | None
    critical: list[str]


def fetch_concerned(session: Session, outage_keys: Sequence[int]) -> Concerned:
    """Count who is dry, or expected to be, by any of some outages; people None if not known."""
    row = session.execute(
        text(
            "WITH own AS (SELECT customer_key, max(customer) AS customer,"
            " max(properties) AS properties, bool_or(is_critical) AS is_critical,"
            " CASE WHEN bool_or(people IS NULL) THEN NULL ELSE max(people) END AS people"
            " FROM outage_interval WHERE outage_key = ANY(:outages) AND restored_at IS NULL"
            " GROUP BY customer_key)"
            " SELECT coalesce(sum(properties), 0) AS properties,"
            " CASE WHEN bool_or(people IS NULL) THEN NULL ELSE coalesce(sum(people), 0) END"
            " AS people, coalesce(array_agg(customer ORDER BY customer)"
            " FILTER (WHERE is_critical), '{}') AS critical FROM own"
        ),
        {"outages": list(outage_keys)},
    ).one()
    return Concerned(**row._mapping)  # noqa: SLF001 - its public name


def delete_never_lost(session: Session, outage_key: int) -> None:
    """Forget who was expected to be dry and never was."""
    session.execute(
        delete(OutageIntervalRow).where(
            OutageIntervalRow.outage_key == outage_key, OutageIntervalRow.lost_at.is_(None)
        )
    )


def fetch_joint_keys(session: Session, outage_keys: Sequence[int]) -> dict[int, set[int]]:
    """Read who is dry, or expected to be, by several jobs together only."""
    found: dict[int, set[int]] = {}
    rows = session.execute(
        select(OutageIntervalRow.outage_key, OutageIntervalRow.customer_key).where(
            OutageIntervalRow.outage_key.in_(outage_keys),
            OutageIntervalRow.cause == "joint",
            OutageIntervalRow.restored_at.is_(None),
        )
    )
    for outage, customer in rows:
        found.setdefault(outage, set()).add(customer)
    return found


def fetch_restored_keys(session: Session, outage_key: int) -> list[int]:
    """Read the customers of an outage who have their water back."""
    rows = session.execute(
        text(
            "SELECT customer_key FROM outage_interval WHERE outage_key = :outage"
            " GROUP BY customer_key HAVING bool_and(restored_at IS NOT NULL)"
        ),
        {"outage": outage_key},
    )
    return [row[0] for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerInterval:
    """One customer's own outage, as far as it has happened, and the forecast of the rest."""

    customer: str
    customer_key: int
    properties: int
    people: int | None
    is_critical: bool
    cause: str
    tank_lasts_h: float | None
    lost_at: dt.datetime | None
    restored_at: dt.datetime | None
    expected_lost_at: dt.datetime | None
    restored_p10_at: dt.datetime | None
    restored_p50_at: dt.datetime | None
    restored_p90_at: dt.datetime | None


def fetch_intervals(
    session: Session, outage_key: int, *, limit: int | None = None, offset: int = 0
) -> list[CustomerInterval]:
    """Read the intervals of an outage, critical customers first, then by id."""
    names = [field.name for field in fields(CustomerInterval)]
    query = (
        select(
            *(
                getattr(OutageForecastRow, name, None) or getattr(OutageIntervalRow, name)
                for name in names
            )
        )
        .outerjoin(
            OutageForecastRow,
            (OutageForecastRow.outage_key == OutageIntervalRow.outage_key)
            & (OutageForecastRow.number == OutageIntervalRow.forecast_number),
        )
        .where(OutageIntervalRow.outage_key == outage_key)
        .order_by(
            OutageIntervalRow.is_critical.desc(), OutageIntervalRow.customer, OutageIntervalRow.key
        )
        .offset(offset)
        .limit(limit)
    )
    return [CustomerInterval(**row._mapping) for row in session.execute(query)]  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Minutes:
    """What one outage has cost so far."""

    property_minutes: float
    properties: int


def sum_minutes(
    session: Session, outage_keys: Sequence[int], now: dt.datetime
) -> dict[int, Minutes]:
    """Sum the minutes of dry taps of each outage until now, by property; nobody counts twice."""
    rows = session.execute(
        text(
            "WITH own AS (SELECT outage_key, customer_key, max(properties) AS properties,"
            " range_agg(tstzrange(lost_at, greatest(lost_at, coalesce(restored_at, :now)))) AS off,"
            # What the building's tank lasts; nothing where its draw is not recorded.
            " make_interval(secs => 3600 * least(coalesce(max(tank_lasts_h), 0), 87600)) AS tank"
            " FROM outage_interval WHERE outage_key = ANY(:outages) AND lost_at <= :now"
            " GROUP BY outage_key, customer_key)"
            " SELECT outage_key, coalesce(sum(properties * (SELECT sum(extract(epoch FROM"
            " upper(one) - lower(one) - own.tank)) FROM unnest(off) AS one"
            " WHERE lower(one) + own.tank < upper(one))) / 60, 0), sum(properties)"
            " FROM own GROUP BY outage_key"
        ),
        {"outages": list(outage_keys), "now": now},
    )
    return {row[0]: Minutes(float(row[1]), int(row[2])) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class MinutesLost:
    """Minutes without water in a period. Nothing counts twice; drills count nothing."""

    customer_minutes: float
    customer_minutes_unplanned: float
    property_minutes: float
    property_minutes_unplanned: float
    people_minutes: float | None
    customers: int
    properties: int
    interruptions: int
    """Of properties; one that several outages made without a break is one."""
    interruptions_long: int
    """Of three hours or more."""
    property_minutes_long: float


LONG_H = 3


def sum_minutes_lost(session: Session, since: dt.datetime, until: dt.datetime) -> MinutesLost:
    """Sum what every customer lost between two moments, as the union of her intervals."""
    row = session.execute(
        text(
            "WITH own AS (SELECT i.customer_key, max(i.properties) AS properties,"
            " CASE WHEN bool_or(i.people IS NULL) THEN NULL ELSE max(i.people) END AS people,"
            " range_agg(tstzrange(i.lost_at, greatest(i.lost_at, least(:until,"
            " coalesce(i.restored_at, :until))))) AS off,"
            " range_agg(tstzrange(i.lost_at, greatest(i.lost_at, least(:until,"
            " coalesce(i.restored_at, :until))))) FILTER (WHERE NOT o.is_planned) AS unplanned,"
            # What the building's tank lasts; nothing where its draw is not recorded.
            " make_interval(secs => 3600 * least(coalesce(max(tank_lasts_h), 0), 87600)) AS tank"
            " FROM outage_interval i JOIN outage o ON o.key = i.outage_key"
            " WHERE NOT o.is_drill"
            " AND coalesce(o.closed_at, 'infinity') >= :since AND i.lost_at < :until"
            " AND coalesce(i.restored_at, :until) > :since GROUP BY i.customer_key),"
            " period AS (SELECT tstzmultirange(tstzrange(:since, :until)) AS span),"
            # Mains off without a break is one draw on the building's tank, by however many jobs.
            " taps AS (SELECT own.*, coalesce((SELECT range_agg(tstzrange(lower(one) + own.tank,"
            " upper(one))) FROM unnest(own.off) AS one WHERE lower(one) + own.tank < upper(one)),"
            " '{}') AS dry FROM own),"
            " cut AS (SELECT taps.properties, taps.people, taps.dry * period.span AS dry,"
            " coalesce(taps.unplanned, '{}') * taps.dry * period.span AS unplanned"
            " FROM taps, period),"
            " each AS (SELECT cut.properties, cut.people,"
            " (SELECT sum(extract(epoch FROM upper(one) - lower(one))) FROM unnest(cut.dry) one)"
            "  / 60 AS minutes,"
            " coalesce((SELECT sum(extract(epoch FROM upper(one) - lower(one)))"
            "  FROM unnest(cut.unplanned) one) / 60, 0) AS unplanned,"
            " (SELECT count(*) FROM unnest(cut.dry) one) AS interruptions,"
            " (SELECT count(*) FROM unnest(cut.dry) one"
            "  WHERE upper(one) - lower(one) >= :long) AS long_ones,"
            " coalesce((SELECT sum(extract(epoch FROM upper(one) - lower(one)))"
            "  FROM unnest(cut.dry) one WHERE upper(one) - lower(one) >= :long) / 60, 0)"
            "  AS long_min"
            " FROM cut WHERE NOT isempty(cut.dry))"
            " SELECT coalesce(sum(minutes), 0)::float8 AS customer_minutes,"
            " coalesce(sum(unplanned), 0)::float8 AS customer_minutes_unplanned,"
            " coalesce(sum(minutes * properties), 0)::float8 AS property_minutes,"
            " coalesce(sum(unplanned * properties), 0)::float8 AS property_minutes_unplanned,"
            " CASE WHEN bool_or(people IS NULL) THEN NULL"
            "  ELSE coalesce(sum(minutes * people), 0)::float8 END AS people_minutes,"
            " count(*) AS customers, coalesce(sum(properties), 0) AS properties,"
            " coalesce(sum(interruptions * properties), 0)::bigint AS interruptions,"
            " coalesce(sum(long_ones * properties), 0)::bigint AS interruptions_long,"
            " coalesce(sum(long_min * properties), 0)::float8 AS property_minutes_long FROM each"
        ),
        {"since": since, "until": until, "long": dt.timedelta(hours=LONG_H)},
    ).one()
    return MinutesLost(**row._mapping)  # noqa: SLF001 - its public name


def fetch_place_of_pipe(
    session: Session, pipe_key: int, at_m: float | None
) -> tuple[float, float] | None:
    """Find where on the map a place on a pipe is; the middle where no metre is given."""
    row = session.execute(
        text(
            "SELECT ST_X(point), ST_Y(point) FROM (SELECT ST_LineInterpolatePoint(geometry,"
            " CASE WHEN length_m > 0 THEN least(1, greatest(0,"
            " coalesce(:at_m / length_m, 0.5))) ELSE 0 END) AS point"
            " FROM pipe WHERE key = :key) AS found"
        ),
        {"key": pipe_key, "at_m": at_m},
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def _fresh(query: Any) -> Any:  # noqa: ANN401 - any select of rows
    """Read rows as they are in the database, whatever this session has read before."""
    return query.execution_options(populate_existing=True)


def _as(kind: type[Record], row: object) -> Record:
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})  # type: ignore[arg-type]
