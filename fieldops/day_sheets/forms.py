"""How a crew's day is told to a tablet, in codes with their words in both languages."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from flask_babel import force_locale

from fieldops.crews.forms import SKILL_NAMES
from fieldops.incidents.forms import KIND_NAMES as REPORT_KIND_NAMES
from fieldops.language import LANGUAGES
from fieldops.live_outages.forms import (
    KINDS,
    PLAN_STATUSES,
    ROLES,
    STAGES,
    STATES,
    STATUSES,
    because,
    picture_as_json,
    question_as_json,
    remarks_of,
)
from fieldops.maps.forms import WORDS
from fieldops.order_process.forms import (
    ACTION_NAMES,
    CHOICE_NAMES,
    FIELD_NAMES,
    HOLDER_NAMES,
    KIND_NAMES,
    SEVERITY_NAMES,
    STATE_NAMES,
)
from fieldops.outages.forms import utc
from fieldops.release_codes.service import AROUND, DIGITS, WINDOW_S
from fieldops.work_orders.forms import order_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fieldops.crews.queries import Crew
    from fieldops.day_sheets.queries import WorkedDevice
    from fieldops.day_sheets.service import Day, Job, Worked
    from fieldops.live_outages.service import Picture
    from fieldops.live_supply.queries import Plan
    from fieldops.order_book.queries import WorkOrder
    from fieldops.order_process.service import Transition
    from fieldops.report_records.queries import Report

Json = dict[str, Any]

NAMES: Mapping[str, Mapping[str, object]] = {
    "state": STATE_NAMES,
    "action": ACTION_NAMES,
    "field": FIELD_NAMES,
    "choice": CHOICE_NAMES,
    "kind": KIND_NAMES,
    "severity": SEVERITY_NAMES,
    "holder": HOLDER_NAMES,
    "skill": SKILL_NAMES,
    "report_kind": REPORT_KIND_NAMES,
    "valve_state": STATES,
    "valve_role": ROLES,
    "outage_status": STATUSES,
    "outage_stage": STAGES,
    "plan_status": PLAN_STATUSES,
    "plan_kind": KINDS,
    "material": {
        name.removeprefix("material."): text
        for name, text in WORDS.items()
        if name.startswith("material.")
    },
}
PLACES = ("chamber", "location", "road", "notes")
"""Properties beyond the format that tell where to look; nobody's name or telephone."""
HASH_DIGITS = frozenset("0123456789abcdef")


@cache
def all_names() -> dict[str, dict[str, dict[str, str]]]:
    """Give every code's word in every language, by kind of code."""
    found: dict[str, dict[str, dict[str, str]]] = {
        kind: {code: {} for code in words} for kind, words in NAMES.items()
    }
    for language in LANGUAGES:
        with force_locale(language):
            for kind, words in NAMES.items():
                for code, word in words.items():
                    found[kind][code][language] = str(word)
    return found


def day_as_json(day: Day) -> Json:
    """Write the day as static/js/tablet/day.js reads it."""
    device = day.device
    return {
        "now": utc(day.now),
        "position": day.position,
        "person": {
            "id": day.person.id,
            "name": day.person.name,
            "roles": sorted(str(role) for role in day.person.roles),
            "language": day.person.language,
        },
        "device": device and {"id": device.id, "name": device.name, "district": device.district},
        "crews": [_crew(one) for one in day.crews],
        "other_crews": [{"id": one.id, "name": one.name} for one in day.other_crews],
        "names": all_names(),
        "policy": dict(day.policy),
        "jobs": [_job(one, day) for one in day.jobs],
        "done": [_done(one) for one in day.done],
        "districts": day.districts,
        "map_proposals": day.map_proposals,
        "release": {"digits": DIGITS, "window_s": WINDOW_S, "around": AROUND},
    }


def _crew(crew: Crew) -> Json:
    return {
        "id": crew.id,
        "name": crew.name,
        "contractor": crew.contractor,
        "phone": crew.phone,
        "vehicle": crew.vehicle,
        "shift_ends_at": crew.shift_ends_at and utc(crew.shift_ends_at),
        "members": [
            {"name": one.name, "phone": one.phone, "is_leader": one.is_leader}
            for one in crew.members
        ],
    }


def _job(job: Job, day: Day) -> Json:
    outages = [_outage(one, day.worked) for one in job.outages]
    crews = {crew.id: crew.name for crew in (*day.crews, *day.other_crews)}
    second = job.order.second_crew_id
    own = job.outage
    return {
        **order_as_json(job.order),
        "customers_out": job.properties_out,
        "second_crew_name": second and crews.get(second, second),
        "steps": [_step(one) for one in job.steps],
        "stages": {
            state: {
                "title": stage.title,
                "holder": stage.holder,
                "is_open": stage.is_open,
                "is_crew_busy": stage.is_crew_busy,
            }
            for state, stage in job.process.stages.items()
        },
        "outages": outages,
        "outage": next((one for one in outages if own and one["id"] == own.live.id), None),
        "contacts": [_contact(one) for one in job.reports],
        "photos": _photos(job),
    }


DONE_SAME = (
    "id",
    "kind",
    "severity",
    "state",
    "address",
    "pipe",
    "diameter_mm",
    "closed_at",
    "is_drill",
)


def _done(order: WorkOrder) -> Json:
    """Write a job that is over: enough to be sure that it is, and nobody's telephone."""
    shown = order_as_json(order)
    return {name: shown[name] for name in DONE_SAME}


def _step(step: Transition) -> Json:
    return {
        "action": step.action,
        "from": list(step.from_states),
        "to": step.to_state,
        "who": sorted(step.may),
        "is_mine": True,
        "is_not_for_own_crew": step.is_not_for_own_crew,
        "only_when": dict(step.only_when),
        "needs": [dict(need) for need in step.needs if "field" in need],
        "title": step.title,
    }


def _contact(report: Report) -> Json:
    return {
        "report": report.id,
        "kind": report.kind,
        "name": report.name,
        "phone": report.phone,
        "address": report.address,
        "words": report.words,
        "received_at": utc(report.received_at),
    }


def _photos(job: Job) -> list[str]:
    """List the photos of a job once each: the callers' and the crew's own."""
    told = [one for report in job.reports for one in report.photo_sha256]
    return list(dict.fromkeys([*told, *_hashes(job.order.data.values())]))


def _hashes(values: Iterable[object]) -> list[str]:
    return [
        one
        for value in values
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, str) and len(one) == 64 and set(one) <= HASH_DIGITS
    ]


OUTAGE_SAME = (
    "id",
    "version",
    "status",
    "is_planned",
    "is_drill",
    "pipe",
    "at_m",
    "lon",
    "lat",
    "reason",
    "customers_out",
    "properties_out",
    "people_out",
    "forecast",
    "stages",
    "promised_by",
    "next_news_at",
)


def _outage(picture: Picture, worked: Worked) -> Json:
    shown, live = picture_as_json(picture), picture.live
    proposed = live.proposed
    return {
        **{name: shown[name] for name in OUTAGE_SAME},
        "question": question_as_json(live.outage, live.plan),
        "critical": [{"customer": customer} for customer in shown["critical"]],
        # What is confirmed in two steps says how many connections were shown in the first.
        "customers": shown["connections"],
        "plan": _plan(live.plan),
        "proposed": _plan(proposed) if proposed else None,
        "valves": [
            _valve(
                card,
                worked.get((card["table"], card["key"])),
                valve.position_before,
                live.outage.changed_in.get(f"valve:{valve.valve}", 0),
            )
            for card, valve in zip(shown["valves"], live.valves, strict=True)
        ],
        "parts": [
            {name: part[name] for name in ("id", "valves", "connections", "properties")}
            for part in shown["parts"]
        ],
    }


def _plan(plan: Plan) -> Json:
    reasons, remarks = {}, {}
    for language in LANGUAGES:
        with force_locale(language):
            reasons[language], remarks[language] = because(plan), remarks_of(plan)
    return {
        "number": plan.number,
        "kind": plan.kind,
        "status": plan.status,
        "because": reasons,
        "because_code": plan.because.get("code"),
        "is_isolated": plan.answer["isolated"],
        "difference": plan.difference,
        "remarks": remarks,
        "made_at": utc(plan.made_at),
        "made_by": plan.made_by,
    }


def _valve(card: Json, device: WorkedDevice | None, position_before: str, changed_in: int) -> Json:
    """Write a valve's card: how it stands in the job, and what is recorded of it."""
    return {
        **card,
        "position_before": position_before,
        "changed_in": changed_in,
        "lon": device and device.lon,
        "lat": device and device.lat,
        "closes": device and device.closes,
        "diameter_mm": device and device.diameter_mm,
        "valve_type": device and device.valve_type,
        "operability": device and device.operability,
        "reachable": device and device.is_reachable,
        "is_boundary": device and device.is_boundary,
        "last_exercised_on": device and device.last_exercised_on,
        "is_position_assumed": device and device.is_position_assumed,
        "where": _where(device.extra) if device else {},
    }


def _where(extra: Mapping[str, Any]) -> dict[str, str]:
    told = {name: extra[name] for name in PLACES if isinstance(extra.get(name), str)}
    points = extra.get("fixed_points")
    if isinstance(points, str):
        told["fixed_points"] = points
    elif isinstance(points, list):
        read = [
            f"{one['name']} {one['distance_m']:g} m"
            for one in points
            if isinstance(one, dict)
            and isinstance(one.get("name"), str)
            and isinstance(one.get("distance_m"), int | float)
        ]
        if read:
            told["fixed_points"] = "; ".join(read)
    return told
