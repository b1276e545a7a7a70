"""What requests about outages under way say, and how outages are told."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError
from fieldops.live_outages.service import OutageDraft, face, is_turns_short, verdict_of
from fieldops.live_supply.queries import LONG_H
from fieldops.outage_questions.service import Question
from fieldops.outage_remarks.service import Remark
from fieldops.outages.forms import clock, remark_texts, utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.datastructures import MultiDict

    from fieldops.events.service import Event, Outcome
    from fieldops.live_outages.service import MinutesLost, Outage, Part, Picture
    from fieldops.live_plans.service import Choice, Promise
    from fieldops.live_supply.queries import CustomerInterval, Plan, Tag, WorkedValve

Json = dict[str, Any]

BECAUSE = {
    "opened": _l("The first plan."),
    "will-not-close": _l("Valve %(valve)s will not close."),
    "not-found": _l("Valve %(valve)s was not found."),
    "will-not-reopen": _l("Valve %(valve)s will not reopen."),
    "passing": _l("Valve %(valve)s is closed but passing."),
    "closed-after-all": _l("Valve %(valve)s is closed after all."),
    "chosen": _l("Chosen: %(kind)s."),
}
KINDS = {
    "nearest": _l("nearest ring of valves"),
    "fewest": _l("fewest customers"),
    "fastest": _l("fastest to close"),
    "own": _l("valves named by hand"),
}
PLAN_STATUSES = {
    "proposed": _l("proposed"),
    "approved": _l("approved"),
    "executed": _l("executed"),
    "superseded": _l("superseded"),
}
STATUSES = {"open": _l("under way"), "restored": _l("supply restored"), "closed": _l("ended")}
STATES = {
    "to_close": _l("to close"),
    "to_open": _l("to open"),
    "closed_tight": _l("closed tight"),
    "passing": _l("closed but passing"),
    "will_not_close": _l("will not close"),
    "not_found": _l("not found"),
    "opened": _l("opened"),
    "reopened": _l("reopened"),
    "handed_over": _l("left shut for another job"),
    "will_not_reopen": _l("will not reopen"),
}
ROLES = {
    "close": _l("must close"),
    "optional": _l("optional"),
    "verify_shut": _l("verify shut"),
    "pump": _l("stop the pump"),
    "source": _l("shut the source"),
    "refeed": _l("re-feed"),
    "surplus": _l("no longer needed"),
    "stuck": _l("cannot be used"),
}
UNWORKED = {
    "optional": _l("may stay open"),
    "verify_shut": _l("to be checked"),
    "pump": _l("to be stopped"),
    "source": _l("to be stopped"),
}
"""What nobody has worked yet, and is not to be closed as the others are."""
RING_SAID = (
    *("stuck", "result", "valves", "pumps", "properties", "critical", "geometry_revision"),
    *("revision", "facts_at", "others_unknown_since", "reasons", "authorised_by"),
)
RING_VERDICT = (
    *("verdict", "valves_added", "valves_removed", "pumps_added", "pumps_removed"),
    *("properties_added", "critical_added"),
)
RING_REASONS = {
    "critical": _l("a critical customer is inside"),
    "boundary": _l("a boundary valve is in the ring of valves"),
    "pump": _l("a pump has to be stopped"),
    "large": _l("a valve is larger than a crew may close by itself"),
    "source": _l("a source is on the isolation segment"),
    "pack_edge": _l("it may go on beyond the district on this tablet"),
    "no_sources": _l("no source is recorded: who is cut off is not known"),
    "size_unknown": _l("the size of a valve is not known"),
}
"""Why a crew had to call dispatch."""
CAUSES = {
    "shut": _l("on the shut segment"),
    "cut_off": _l("cut off"),
    "joint": _l("by several jobs together"),
    "unforeseen": _l("not foreseen by the plan"),
}
STAGES = {
    "aware": _l("reported"),
    "dispatched": _l("dispatched"),
    "on_site": _l("on site"),
    "water_stopped": _l("water stopped"),
    "repaired": _l("repaired"),
    "flushed": _l("refilled and flushed"),
    "restored": _l("supply restored"),
}


class OpenBody(BaseModel):
    """What somebody wants opened."""

    model_config = ConfigDict(extra="forbid")

    pipe: str | None = None
    at_m: float | None = Field(default=None, allow_inf_nan=False)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    valves: list[str] = Field(default_factory=list, max_length=200)
    nodes: list[str] = Field(default_factory=list, max_length=200)
    hydrants: list[str] = Field(default_factory=list, max_length=200)
    closed: list[str] = Field(default_factory=list, max_length=200)
    inoperable: list[str] = Field(default_factory=list, max_length=200)
    unreachable: list[str] = Field(default_factory=list, max_length=200)
    incident: str | None = None
    planned: bool = False
    drill: bool = False
    reason: str | None = Field(default=None, max_length=500)
    planned_from: AwareDatetime | None = None
    planned_until: AwareDatetime | None = None
    kind: str = Field(default="nearest", pattern="^(nearest|fewest|fastest)$")
    customers: int | None = Field(default=None, ge=0)


def say_state(role: str, state: str) -> str:
    """Say how a valve of a plan stands."""
    said = UNWORKED.get(role) if state == "to_close" else None
    return str(said or STATES[state])


def read_open(body: object) -> OutageDraft:
    """
    Read what is to be opened.

    Raises
    ------
    FieldopsError
        If it cannot be read.
    """
    try:
        wish = OpenBody.model_validate(body)
    except ValidationError as error:
        names = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
        raise FieldopsError("This cannot be read: %(fields)s.", fields=names) from error
    has_place = wish.lon is not None and wish.lat is not None
    return OutageDraft(
        pipe=wish.pipe,
        at_m=wish.at_m,
        question=Question(
            valves=wish.valves,
            nodes=wish.nodes,
            hydrants=wish.hydrants,
            closed=wish.closed,
            inoperable=wish.inoperable,
            unreachable=wish.unreachable,
            place=(wish.lon or 0.0, wish.lat or 0.0) if has_place else None,
        ),
        incident_id=wish.incident,
        is_planned=wish.planned,
        is_drill=wish.drill,
        reason=wish.reason,
        planned_from=wish.planned_from,
        planned_until=wish.planned_until,
        kind=wish.kind,
        customers=wish.customers,
    )


def read_period(args: MultiDict[str, str], now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """
    Read a period of two moments, by default the last thirty days.

    Raises
    ------
    FieldopsError
        If a moment cannot be read.
    """
    until = _read_moment(args, "to") or now
    return _read_moment(args, "from") or until - dt.timedelta(days=30), until


def _read_moment(args: MultiDict[str, str], name: str) -> dt.datetime | None:
    words = args.get(name)
    if not words:
        return None
    try:
        # A plus sign in an address means a space.
        moment = dt.datetime.fromisoformat(words.replace(" ", "+"))
    except ValueError as error:
        raise FieldopsError(
            "%(name)s is %(text)r, which is no moment.", name=name, text=words
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def answer_outcome(outcome: Outcome) -> Json:
    """
    Tell a page what became of an action.

    Raises
    ------
    ForbiddenError
        If the person may not.
    ConflictError
        If it cannot be done as things are.
    FieldopsError
        If something is missing.
    """
    if outcome.status == "forbidden":
        raise ForbiddenError(outcome.message, **outcome.params)
    if outcome.status in {"illegal", "conflict"}:
        raise ConflictError(outcome.message, **outcome.params)
    if outcome.status == "missing":
        raise FieldopsError(outcome.message, **outcome.params)
    return {
        "status": outcome.status,
        "state": outcome.state,
        "version": outcome.version,
        "conflicts": dict(outcome.conflicts),
    }


def picture_as_json(picture: Picture) -> Json:
    """Write an outage as its screen shows it."""
    live, outage = picture.live, picture.live.outage
    pipes = outage.question["pipes"]
    properties = picture.minutes.properties
    shown: Json = {
        **face(outage, live.plan.status),
        "pipe": pipes[0][0] if pipes else None,
        "at_m": outage.at_m,
        "lon": outage.lon,
        "lat": outage.lat,
        "reason": outage.reason,
        "opened_at": utc(outage.opened_at),
        "opened_by": outage.opened_by,
        "closed_at": _utc(outage.closed_at),
        "people_out": outage.people_out,
        "critical": picture.tally.critical,
        "customers_restored": picture.tally.restored,
        "forecast": outage.forecast,
        **_promise(picture.promise),
        "minutes_lost": round(picture.minutes.property_minutes, 1),
        "minutes_lost_per_customer": round(picture.minutes.property_minutes / properties, 1)
        if properties
        else 0,
        "plan": plan_as_json(live.plan),
        "proposed": plan_as_json(live.proposed) if live.proposed else None,
        "valves": [valve_as_json(one, live.tags) for one in live.valves],
        "parts": [_part(one) for one in picture.parts],
        "device_rings": [ring_as_json(one) for one in picture.device_rings],
    }
    if picture.keys is not None:
        shown["keys"] = picture.keys
    return shown


def _promise(promise: Promise) -> Json:
    return {
        "promised_by": _utc(promise.by),
        "next_news_at": _utc(promise.next_news_at),
        "may_call_from": utc(promise.may_call_from),
    }


def plan_as_json(plan: Plan) -> Json:
    """Write a version of a plan."""
    return {
        "number": plan.number,
        "kind": plan.kind,
        "status": plan.status,
        "because": because(plan),
        "because_code": plan.because.get("code"),
        "valves_to_close": plan.answer["valves_to_close"],
        "customers": plan.answer["customers"],
        "isolated": plan.answer["isolated"],
        "difference": plan.difference,
        "remarks": remarks_of(plan),
        "made_at": utc(plan.made_at),
        "made_by": plan.made_by,
        "approved_at": _utc(plan.approved_at),
        "approved_by": plan.approved_by,
        "executed_at": _utc(plan.executed_at),
    }


def question_as_json(outage: Outage, plan: Plan) -> Json:
    """Write what a plan asks of the network, so that a tablet can ask it without a signal."""
    asked, wish = outage.question, plan.wish

    def ids(name: str, wished: str) -> list[str]:
        return sorted({*asked[name], *wish.get(wished, ())})

    return {
        **{name: asked[name] for name in ("pipes", "valves", "nodes", "hydrants", "unreachable")},
        "closed": ids("closed", "closed"),
        "inoperable": ids("inoperable", "skipped"),
        "opened": ids("opened", "opened"),
    }


def ring_as_json(event: Event) -> Json:
    """Write what a tablet has worked out, and what the network says of it."""
    ring: Json = event.body["ring"]
    verdict = {name: event.body[name] for name in RING_VERDICT}
    return {
        **{name: ring[name] for name in RING_SAID},
        "reasons": [str(RING_REASONS.get(one, one)) for one in ring["reasons"]],
        **verdict,
        "by": event.by_phone_for or event.person_name,
        "at": utc(event.occurred_at),
        "received_at": utc(event.received_at),
        "because": because_of_ring(event),
        "words": say_ring(event),
    }


def because_of_ring(event: Event) -> str:
    """Say at which valve a tablet had to work out the next ones."""
    ring = event.body["ring"]
    code = (ring["result"] or "will_not_close").replace("_", "-")
    return str(BECAUSE[code]) % {"valve": ring["stuck"]}


def say_ring(event: Event) -> str:
    """Say what the network says of a tablet's extended isolation."""
    msgid, params = verdict_of(event.body)
    return str(_(msgid) % params)


def because(plan: Plan) -> str:
    """Say why a version was made."""
    params = {name: str(value) for name, value in plan.because.items()}
    params["kind"] = str(KINDS.get(params.get("kind", ""), ""))
    return str(BECAUSE[plan.because["code"]]) % params


def remarks_of(plan: Plan) -> list[str]:
    """Say what was remarked on a version."""
    return remark_texts([Remark(**one) for one in plan.answer["remarks"]])


def valve_as_json(valve: WorkedValve, tags: Sequence[Tag]) -> Json:
    """Write how a valve stands."""
    tag = hanging_tag(valve, tags)
    return {
        "valve": valve.valve,
        "table": valve.device_table,
        "key": valve.device_key,
        "role": valve.role,
        "number": valve.number,
        "state": valve.state,
        "turns_recorded": valve.turns_recorded,
        "turns_counted": valve.turns_counted,
        "is_turns_short": is_turns_short(valve),
        "is_gland_leaking": valve.is_gland_leaking,
        "accepted_by": valve.accepted_by,
        "tag": tag.number if tag else None,
        "expected_closed_at": _utc(valve.expected_closed_at),
        "expected_reopened_at": _utc(valve.expected_reopened_at),
        "closed_at": _utc(valve.closed_at),
        "closed_by": valve.closed_by,
        "reopened_at": _utc(valve.reopened_at),
        "reopened_by": valve.reopened_by,
    }


def hanging_tag(valve: WorkedValve, tags: Sequence[Tag]) -> Tag | None:
    """Find the tag that hangs on a valve."""
    for tag in tags:
        is_there = (tag.device_table, tag.device_key) == valve.place
        if is_there and tag.taken_off_at is None:
            return tag
    return None


def _part(part: Part) -> Json:
    kind = part.id.partition(":")[0]
    names = ", ".join(part.valves)
    label = _("Re-feed by %(valves)s") if kind == "refeed" else _("Open %(valves)s")
    return {
        "id": part.id,
        "label": label % {"valves": names},
        "valves": part.valves,
        "connections": part.connections,
        "properties": part.properties,
    }


def choice_as_json(choice: Choice) -> Json:
    """Write one way to stop the water."""
    stopped = choice.water_stopped
    return {
        "kind": choice.wish.kind,
        "label": str(KINDS[choice.wish.kind]),
        "valves_to_close": choice.valves,
        "opened": sorted(choice.wish.opened),
        "properties": choice.properties,
        "connections": choice.connections,
        "critical": choice.critical,
        "isolated": choice.is_isolated,
        "water_stopped": stopped
        and {"p10": utc(stopped.p10), "p50": utc(stopped.p50), "p90": utc(stopped.p90)},
    }


def interval_as_json(one: CustomerInterval) -> Json:
    """Write one customer's own outage."""
    tap_dry = None if kept_running(one) else tap_dry_at(one)
    return {
        "customer": one.customer,
        "properties": one.properties,
        "people": one.people,
        "critical": one.is_critical,
        "cause": one.cause,
        "lost_at": _utc(one.lost_at),
        "tap_dry_at": _utc(tap_dry),
        "restored_at": _utc(one.restored_at),
        "expected_lost_at": _utc(one.expected_lost_at),
        "expected_restored": None
        if one.restored_at or not one.restored_p50_at
        else {
            "p10": _utc(one.restored_p10_at),
            "p50": _utc(one.restored_p50_at),
            "p90": _utc(one.restored_p90_at),
        },
        "is_forecast": one.lost_at is None,
    }


def tap_dry_at(one: CustomerInterval) -> dt.datetime | None:
    """Give when the building's tank is empty, too; None where its draw is not recorded."""
    off = one.lost_at or one.expected_lost_at
    if off is None or one.tank_lasts_h is None:
        return None
    return off + dt.timedelta(hours=min(one.tank_lasts_h, 24 * 3650))


def minutes_as_json(found: MinutesLost, since: dt.datetime, until: dt.datetime) -> Json:
    """Write minutes lost in a period, with what they are made of."""
    unplanned = found.property_minutes_unplanned
    return {
        "from": utc(since),
        "to": utc(until),
        "customer_minutes": round(found.customer_minutes, 1),
        "customer_minutes_unplanned": round(found.customer_minutes_unplanned, 1),
        "customer_minutes_planned": round(
            found.customer_minutes - found.customer_minutes_unplanned, 1
        ),
        "property_minutes": round(found.property_minutes, 1),
        "property_minutes_unplanned": round(unplanned, 1),
        "property_minutes_planned": round(found.property_minutes - unplanned, 1),
        "people_minutes": None if found.people_minutes is None else round(found.people_minutes, 1),
        "customers": found.customers,
        "properties": found.properties,
        "interruptions": found.interruptions,
        "interruptions_long": found.interruptions_long,
        "long_h": LONG_H,
        "share_long": found.interruptions_long / found.interruptions
        if found.interruptions
        else None,
        "property_minutes_long": round(found.property_minutes_long, 1),
    }


def intervals_as_csv(rows: Sequence[CustomerInterval]) -> str:
    """Write the customers of an outage as a table, with a mark that tells Excel it is UTF-8."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(
        str(name)
        for name in (
            _l("customer"),
            _l("properties"),
            _l("people"),
            _l("cause"),
            _l("mains off"),
            _l("tap dry"),
            _l("restored"),
            _l("expected back (P90)"),
            _l("minutes lost"),
        )
    )
    for one in rows:
        writer.writerow(
            [
                _safe(one.customer),
                one.properties,
                "" if one.people is None else one.people,
                str(CAUSES[one.cause]),
                _utc(one.lost_at) or "",
                "" if kept_running(one) or not one.lost_at else _utc(tap_dry_at(one)) or "",
                _utc(one.restored_at) or "",
                "" if one.restored_at else _utc(one.restored_p90_at) or "",
                "" if (lost := minutes_of(one)) is None else round(lost, 1),
            ]
        )
    return "\ufeff" + file.getvalue()


def _safe(words: str) -> str:
    """Keep a spreadsheet from taking an id for a formula."""
    return f"'{words}" if words[:1] in {"=", "+", "-", "@"} else words


def minutes_of(one: CustomerInterval) -> float | None:
    """Give the minutes that a customer's taps were dry; None while it lasts."""
    if one.lost_at is None or one.restored_at is None:
        return None
    return _minutes_until(one, one.restored_at)


def minutes_so_far(one: CustomerInterval, now: dt.datetime) -> float | None:
    """Give the minutes that the taps have been dry by now; None where they are not, or not yet."""
    if one.lost_at is None or one.restored_at is not None or one.lost_at > now:
        return None
    return _minutes_until(one, now)


def _minutes_until(one: CustomerInterval, end: dt.datetime) -> float:
    """Count from the moment when the building's tank was empty, too."""
    since = tap_dry_at(one) or one.lost_at or end
    return max((end - since) / dt.timedelta(minutes=1), 0.0)


def kept_running(one: CustomerInterval) -> bool:
    """Tell whether the building's tank lasted until the mains were back."""
    dry = tap_dry_at(one)
    return dry is not None and one.restored_at is not None and one.restored_at <= dry


def local_of(text: str) -> str:
    """Write a moment that an event keeps as text."""
    return local(dt.datetime.fromisoformat(text))


def local(moment: dt.datetime | None) -> str:
    """Write a moment on the local clock."""
    return "" if moment is None else clock(moment, None)


def _utc(moment: dt.datetime | None) -> str | None:
    return None if moment is None else utc(moment)


def stage_rows(picture: Picture) -> list[Mapping[str, str]]:
    """List the stages of a job with their times, or the forecast of those to come."""
    outage = picture.live.outage
    rows: list[Mapping[str, str]] = []
    for stage, name in STAGES.items():
        at = getattr(outage, f"{stage}_at")
        told = outage.forecast.get(stage)
        quantiles = {
            level: local(dt.datetime.fromisoformat(told[level])) if told and at is None else ""
            for level in ("p10", "p50", "p90")
        }
        rows.append({"stage": stage, "name": str(name), "at": local(at), **quantiles})
    return rows
