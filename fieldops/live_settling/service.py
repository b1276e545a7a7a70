"""All that follows from something done to an outage: who is dry, stages, forecasts, events."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fieldops.errors import ConflictError, NotFoundError
from fieldops.events.service import Actor, append_event
from fieldops.incidents import service as incidents
from fieldops.live_plans import service as plans
from fieldops.live_supply import queries
from fieldops.live_supply.service import Situation, is_shut
from fieldops.network.service import FactsWish, change_valve_facts
from fieldops.work_orders import service as work_orders

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.live_plans.service import Judged
    from fieldops.live_supply.queries import Outage, Regained, WorkedValve
    from fieldops.live_supply.service import SupplyChange


@dataclass(slots=True, eq=False)
class Deed:
    """An operation on its way: what is known, and what has to be told at the end."""

    session: Session
    situation: Situation
    outage: Outage
    actor: Actor
    now: dt.datetime
    at: dt.datetime
    body: Any
    op_id: str | None
    events: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    facts: list[tuple[str, FactsWish]] = field(default_factory=list)
    stages: dict[str, dt.datetime] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Whoever did it, also where somebody else records it from a call."""
        return self.actor.by_phone_for or self.actor.name

    def tell(self, verb: str, body: Mapping[str, Any], outage_key: int | None = None) -> None:
        """Keep what happened, by default to this outage, to be told when all is written."""
        self.events.append((verb, dict(body), outage_key or self.outage.key))

    def valve(
        self, name: str, roles: Sequence[str] | None = None, table: str | None = None
    ) -> WorkedValve:
        """Find a valve of the outage by its id; `table` parts it from a pump of the same id."""
        found = self._find_valve(name, roles, table)
        if found is None:
            raise self._not_in_plan(name)
        return found

    def worked_valve(self, name: str, table: str | None = None) -> WorkedValve:
        """Find a valve that a crew has worked, and take it in where no plan holds it."""
        found = self._find_valve(name, None, table)
        found = found or plans.take_in_valve(self.situation, self.outage, name, table)
        if found is None:
            raise self._not_in_plan(name)
        return found

    def _find_valve(
        self, name: str, roles: Sequence[str] | None, table: str | None
    ) -> WorkedValve | None:
        for valve in self.situation.valves[self.outage.key].values():
            is_meant = valve.valve == name and table in {None, valve.device_table}
            if is_meant and (roles is None or valve.role in roles):
                return valve
        return None

    def _not_in_plan(self, name: str) -> ConflictError:
        return ConflictError(
            "%(valve)s is not in the plan of %(outage)s. Extend the plan first.",
            valve=name,
            outage=self.outage.id,
        )

    def stage(self, name: str, at: dt.datetime) -> None:
        """Record that a stage has happened, if it has not before."""
        if getattr(self.outage, f"{name}_at") is None:
            self.stages.setdefault(f"{name}_at", at)


def plausible(claimed: dt.datetime | None, outage: Outage, now: dt.datetime) -> dt.datetime:
    """Take a device's time only where it lies between the report and now."""
    return claimed if claimed is not None and outage.aware_at <= claimed <= now else now


def shut_by(situation: Situation, outage: Outage) -> list[WorkedValve]:
    """List what a job keeps shut and has to open again."""
    return [
        valve
        for valve in situation.valves[outage.key].values()
        if (is_shut(valve) or valve.state == "passing")
        and valve.role != "verify_shut"
        and valve.state != "will_not_reopen"
    ]


def settle(deed: Deed, *, plan: Judged | None) -> None:
    """Work out all that follows: who is dry, what stages that makes, forecasts, guards; tell it."""
    change = deed.situation.write_supply(deed.outage.key, deed.at)
    _find_stages(deed)
    version = deed.outage.version + 1
    is_closing = "closed_at" in deed.stages
    values: dict[str, Any] = {
        "version": version,
        "changed_in": deed.outage.changed_in | dict.fromkeys(deed.changed, version),
        **deed.stages,
    }
    if is_closing:
        numbers = ("connections", "customers_out", "properties_out", "people_out", "critical_out")
        values |= {"status": "closed", "closed_by": deed.who, "forecast": {}}
        values |= dict.fromkeys(numbers, 0) | {"promised_by": None, "next_news_at": None}
    deed.outage = queries.update_outage(deed.session, deed.outage.key, values)
    deed.situation.add(deed.outage)
    if not is_closing:
        # A plan that was put in force a moment ago has drawn its forecasts already.
        if plan is None or deed.stages or change.lost or change.regained:
            _redraw(deed, plan)
        _find_end(deed, change)
    else:
        del deed.situation.outages[deed.outage.key]
        deed.situation.valves.pop(deed.outage.key)
    if _settle_others(deed, change) and not is_closing:
        deed.outage = plans.recount(deed.situation, deed.outage)
    _tell_all(deed, change)
    _record_effects(deed)
    _record_facts(deed)


def _redraw(deed: Deed, plan: Judged | None) -> None:
    wish = plan.wish if plan else plans.wish_in_force(deed.situation, deed.outage)
    fresh = plans.try_judge(deed.situation, deed.outage, wish, deed.now)
    if fresh is not None:
        deed.outage = plans.redraw(deed.situation, deed.outage, fresh, deed.now)


def _find_stages(deed: Deed) -> None:
    """Note that the water is stopped, and the plan carried out, once the trench is dry."""
    situation, outage = deed.situation, deed.outage
    valves = [
        one
        for one in situation.valves[outage.key].values()
        if one.role in {"close", "pump", "source"}
    ]
    if not valves or not all(is_shut(one) for one in valves):
        return
    number = outage.plan_number
    known = queries.fetch_plans(deed.session, [outage.key])
    current = next(plan for plan in known if plan.number == number)
    if current.status != "executed":
        queries.supersede_plans(deed.session, outage.key, ["executed", "approved"])
        queries.update_plan(
            deed.session,
            outage.key,
            number,
            {"status": "executed", "executed_at": _carried_out_at(deed, valves)},
        )
        deed.tell("plan_executed", {"plan": number})
    if situation.is_trench_dry(outage.key) and outage.water_stopped_at is None:
        deed.stage("water_stopped", situation.dry_trench_since(outage.key, deed.at))


def _carried_out_at(deed: Deed, valves: Sequence[WorkedValve]) -> dt.datetime:
    times = [one.closed_at for one in valves if one.closed_at is not None]
    return max([deed.at, *times])


def _find_end(deed: Deed, change: SupplyChange) -> None:
    """Note that all have their water back, or that somebody has lost it again."""
    found = queries.tally(deed.session, deed.outage.key)
    waiting = [
        one
        for one in deed.situation.valves[deed.outage.key].values()
        if one.role in {"close", "pump", "source"} and one.state == "to_close"
    ]
    has_begun = deed.outage.water_stopped_at is not None or found.is_anybody_lost
    is_over = (
        has_begun
        and not found.customers_out
        and not shut_by(deed.situation, deed.outage)
        and not waiting
    )
    if is_over and deed.outage.status == "open":
        queries.delete_never_lost(deed.session, deed.outage.key)
        values = {
            "status": "restored",
            "restored_at": max(_opened_at(deed)),
            "forecast": {},
            "promised_by": None,
            "next_news_at": None,
        }
        deed.tell("restored", {"regained": len(change.regained)})
    elif deed.outage.status == "restored" and (found.customers_out or waiting):
        values = {"status": "open", "restored_at": None}
    else:
        return
    deed.outage = queries.update_outage(deed.session, deed.outage.key, values)
    deed.situation.add(deed.outage)


def _opened_at(deed: Deed) -> list[dt.datetime]:
    """List when the valves were opened, as far as that was before now: some is told late."""
    times = [one.reopened_at for one in deed.situation.valves[deed.outage.key].values()]
    return [deed.at, *(at for at in times if at is not None and at <= deed.now)]


def _settle_others(deed: Deed, change: SupplyChange) -> bool:
    """
    Look at what the jobs under way do together, and which valves keep whose trench dry.

    Tells whether this job's own number of customers has changed by it.
    """
    situation, own = deed.situation, deed.outage.key
    before = queries.fetch_joint_keys(deed.session, list(situation.outages))
    joint = plans.write_joint(situation, before, deed.now)
    is_own_changed = False
    for key in sorted(situation.outages):
        was, after = before.get(key, set()), set(joint.get(key, ()))
        if key == own:
            is_own_changed = after != was
        elif after != was or key in change.touched:
            plans.recount(situation, situation.outages[key], is_changed=True)
        else:
            continue
        if key != own or is_own_changed:
            told = {
                "customers": len(after),
                "customers_added": len(after - was),
                "with": [one.id for other, one in situation.outages.items() if other < key],
            }
            deed.tell("joint_effect", told, key)
    situation.write_guards()
    return is_own_changed


def _tell_all(deed: Deed, change: SupplyChange) -> None:
    outage = deed.outage
    if change.regained:
        deed.tell("part_restored", _told_of_regained(change.regained))
    if outage.status == "closed":
        deed.tell("closed", {})
    for verb, body, key in deed.events:
        about = outage if key == outage.key else deed.situation.outages[key]
        append_event(
            deed.session,
            f"outage.{verb}",
            ("outage", key),
            by=deed.actor,
            now=deed.now,
            occurred_at=deed.at,
            op_id=deed.op_id,
            body={**face(about), **body},
        )


def _told_of_regained(regained: Sequence[Regained]) -> dict[str, Any]:
    return {
        "customers_regained": len({one.customer_key for one in regained}),
        "properties_regained": sum({one.customer_key: one.properties for one in regained}.values()),
        "critical_regained": sorted({one.customer for one in regained if one.is_critical}),
    }


def face(outage: Outage, plan_status: str | None = None) -> dict[str, Any]:
    """Give what a screen needs to patch its row of this outage."""
    stages = ("aware", "dispatched", "on_site", "water_stopped", "repaired", "flushed", "restored")
    times = {name: getattr(outage, f"{name}_at") for name in stages}
    return {
        "id": outage.id,
        "version": outage.version,
        "status": outage.status,
        "incident": outage.incident_id,
        "is_planned": outage.is_planned,
        "is_drill": outage.is_drill,
        "plan_version": outage.plan_number,
        **({"plan_status": plan_status} if plan_status else {}),
        "connections": outage.connections,
        "customers_out": outage.customers_out,
        "properties_out": outage.properties_out,
        "critical_out": outage.critical_out,
        "restored": outage.forecast.get("restored"),
        "stages": {name: at.isoformat() for name, at in times.items() if at is not None},
    }


def _record_effects(deed: Deed) -> None:
    """Let the incident and its orders know who is concerned."""
    outage = deed.outage
    if outage.incident_key is None or outage.incident_id is None:
        return
    open_ones = queries.fetch_of_incident(deed.session, outage.incident_key)
    concerned = queries.fetch_concerned(deed.session, [one.key for one in open_ones])
    known = queries.fetch_plans(deed.session, [one.key for one in open_ones])
    numbers = {one.key: one.plan_number for one in open_ones}
    hydrants = {
        hydrant
        for plan in known
        if plan.number == numbers[plan.outage_key]
        for hydrant in plan.answer["hydrants_dry"]
    }
    is_back = all(one.status == "restored" for one in open_ones)
    incidents.record_effect(
        deed.session,
        outage.incident_id,
        incidents.IncidentEffect(
            properties_out=concerned.properties,
            people_out=concerned.people,
            critical_ids=concerned.critical,
            hydrants_dry=0 if is_back else len(hydrants),
        ),
        deed.now,
        deed.actor,
    )
    work_orders.set_effect(
        deed.session,
        outage.incident_key,
        concerned.properties,
        len(concerned.critical),
        deed.now,
    )


def _record_facts(deed: Deed) -> None:
    """Write facts of valves last: arrays in memory are of the network before this transaction."""
    for valve, wish in deed.facts:
        # An import may have taken the valve away; what was done to it stays with the outage.
        with suppress(NotFoundError):
            change_valve_facts(deed.session, valve, wish, by=deed.actor.name, now=deed.now)
