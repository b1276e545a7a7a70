"""The question as a browser or a machine puts it, and the answer as it is read."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask_babel import format_datetime, to_user_timezone
from flask_babel import lazy_gettext as _l

from fieldops.errors import FieldopsError
from fieldops.outage_questions.service import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.datastructures import MultiDict

    from fieldops.outage_remarks.service import Remark
    from fieldops.outage_times.service import Interval, Moments
    from fieldops.outages.service import Effect, OutageAnswer

Json = dict[str, Any]

REMARKS: Mapping[str, object] = {
    "pipe-recorded-closed": _l(
        "The pipe %(id)s is recorded as closed: it drains alone, and nobody loses supply by it."
    ),
    "whole-pipe": _l(
        "The whole pipe %(id)s counts as broken; valves divide it into %(count)s parts."
        " Give the place of the break for a smaller plan."
    ),
    "source-on-segment": _l(
        "The source %(id)s lies on the segment: closing valves and stopping pumps does not stop"
        " the water until %(id)s is shut. The answer is given as if it were."
    ),
    "no-source": _l(
        "No source is recorded: who is cut off beyond the segment could not be judged."
    ),
    "valve-inoperable": _l("Valve %(id)s cannot be worked; the segment reaches past it."),
    "valve-unreachable": _l("Valve %(id)s cannot be reached; the segment reaches past it."),
    "position-unknown": _l(
        "Whether valve %(id)s is open or closed is unknown; it is taken as open."
    ),
    "position-assumed": _l("The position of %(id)s is not recorded; it is taken as open."),
    "assumed-valve-layer": _l(
        "Valve %(id)s is assumed, not recorded: the file had no isolation valves."
    ),
    "valve-never-exercised": _l(
        "Valve %(id)s was last exercised: never, as far as recorded. It counts as operable."
    ),
    "operability-unknown": _l(
        "Whether valve %(id)s can be worked is unknown (last exercised %(date)s);"
        " it counts as operable."
    ),
    "tank-fed": _l(
        "%(count)s connections live on the tank %(tanks)s alone; full, it lasts %(hours)s hours."
    ),
    "tank-fed-unknown": _l(
        "%(count)s connections live on the tank %(tanks)s alone; for how long is unknown, because"
        " its volume or their demand is not recorded."
    ),
    "refeed-crosses-boundary": _l(
        "Opening valve %(id)s joins two zones: pressure or quality may differ."
    ),
    "people-unknown": _l(
        "How many people live behind %(count)s of the connections is not recorded, so there is"
        " no sum of people."
    ),
    "customer-guessed": _l(
        "%(count)s of the connections name no pipe and were put on the nearest one."
    ),
    "travel-estimated": _l(
        "Ways between valves are estimated from straight lines, and the repair from other"
        " utilities' records."
    ),
    "travel-by-road": _l(
        "Ways between valves follow the recorded roads; the repair is estimated from other"
        " utilities' records."
    ),
    "low-pressure-not-judged": _l(
        "Low pressure was not judged: those who keep a way to a source may still have little."
    ),
}
"""What each remark says."""


def remark_text(remark: Remark) -> str:
    """Say a remark in the language of whoever reads it."""
    code = remark.params.get("form", remark.code)
    return str(REMARKS[code]) % {"id": remark.id, **remark.params}


def remark_texts(remarks: Sequence[Remark]) -> list[str]:
    """Say remarks, those that say the same of several things in one sentence."""
    groups: dict[tuple[str, str], list[Remark]] = {}
    for remark in remarks:
        groups.setdefault((remark.code, repr(remark.params)), []).append(remark)
    return [
        remark_text(replace(group[0], id=", ".join(one.id for one in group if one.id)))
        for group in groups.values()
    ]


def read_question(pipe: str, args: MultiDict[str, str]) -> Question:
    """
    Read what a request asks about a pipe.

    Raises
    ------
    FieldopsError
        If a number is none.
    """
    lon, lat = read_number(args, "lon"), read_number(args, "lat")
    if (lon is None) != (lat is None):
        raise FieldopsError("Give both lon and lat, or neither.")
    return Question(
        pipes=[(pipe, read_number(args, "at_m"))],
        inoperable=args.getlist("inoperable"),
        unreachable=args.getlist("unreachable"),
        closed=args.getlist("closed"),
        opened=args.getlist("opened"),
        place=None if lon is None or lat is None else (lon, lat),
        with_customers=args.get("customers") == "1",
        with_intervals=args.get("intervals") == "1",
        with_keys=args.get("keys") == "1",
    )


def read_question_of_page(args: MultiDict[str, str]) -> Question:
    """
    Read a question whose pipes stand in the query.

    Raises
    ------
    FieldopsError
        If a number is none.
    """
    pipes = args.getlist("pipe")
    at_m = read_number(args, "at_m")
    question = read_question("", args)
    return Question(
        pipes=[(pipe, at_m if number == 0 else None) for number, pipe in enumerate(pipes)],
        valves=args.getlist("valve"),
        nodes=args.getlist("node"),
        hydrants=args.getlist("hydrant"),
        inoperable=question.inoperable,
        unreachable=question.unreachable,
        closed=question.closed,
        opened=question.opened,
        place=question.place,
    )


def read_number(args: MultiDict[str, str], name: str) -> float | None:
    """
    Read a number of the query; None where it is not given.

    Raises
    ------
    FieldopsError
        If it is no number.
    """
    text = args.get(name)
    if text is None or not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FieldopsError("%(name)s is %(text)r, which is no number.", name=name, text=text)
    return number


def as_json(answer: OutageAnswer) -> Json:
    """Write an answer as `design/network-format.md` has it, texts in the reader's language."""
    question = answer.question
    head = _head(answer)
    shown: Json = {
        **head,
        **_effect(answer.effect, with_customers=question.with_customers),
        "times": {
            "water_stopped": _moments(answer.water_stopped),
            "restored": _moments(answer.restored),
        },
        "if_unknown_closed": None,
        "customers_differ": answer.customers_differ,
        "remarks": [
            {"code": remark.code, "id": remark.id, "text": remark_text(remark)}
            for remark in answer.remarks
        ],
    }
    if answer.if_unknown_closed is not None:
        shown["if_unknown_closed"] = {
            **head,
            **_effect(answer.if_unknown_closed, with_customers=question.with_customers),
        }
    if question.with_intervals:
        shown["intervals"] = [_interval(one) for one in answer.intervals]
    if question.with_keys:
        shown["keys"] = answer.keys
    return shown


def _head(answer: OutageAnswer) -> Json:
    """Name what is broken: one pipe as the format has it, anything else besides under `broken`."""
    question = answer.question
    is_one_pipe = len(question.pipes) == 1
    head: Json = {
        "pipe": question.pipes[0][0] if is_one_pipe else None,
        "at_m": answer.at_m if is_one_pipe else None,
        "network_revision": answer.network_revision,
    }
    others = {
        "valves": sorted(question.valves),
        "nodes": sorted(question.nodes),
        "hydrants": sorted(question.hydrants),
        "closed": sorted(question.closed),
        "opened": sorted(question.opened),
    }
    if not is_one_pipe or any(others.values()):
        pipes = [{"pipe": pipe, "at_m": at_m} for pipe, at_m in question.pipes]
        head["broken"] = {"pipes": pipes, **others}
    return head


def _effect(effect: Effect, *, with_customers: bool) -> Json:
    lost = effect.customers
    customers: Json = {
        "connections": lost.connections,
        "properties": lost.properties,
        "people": lost.people,
        "critical": lost.critical,
        "guessed": lost.guessed,
    }
    if with_customers:
        customers |= {"shut": lost.shut, "cut_off": lost.cut_off}
    customers["already_dry"] = lost.already_dry
    return {
        "isolated": effect.isolated,
        "valves_to_close": effect.valves_to_close,
        "valves_optional": effect.valves_optional,
        "valves_verify_shut": effect.valves_verify_shut,
        "pumps_to_stop": effect.pumps_to_stop,
        "sources_shut": effect.sources_shut,
        "pipes_shut": effect.pipes_shut,
        "pipes_cut_off": effect.pipes_cut_off,
        "customers": customers,
        "hydrants_dry": effect.hydrants_dry,
        "refeed": None
        if effect.refeed is None
        else [
            {
                "valve": one.valve,
                "properties_regained": one.properties_regained,
                "crosses_boundary": one.crosses_boundary,
            }
            for one in effect.refeed
        ],
    }


def _moments(moments: Moments | None) -> Json | None:
    if moments is None:
        return None
    return {"p10": utc(moments.p10), "p50": utc(moments.p50), "p90": utc(moments.p90)}


def _interval(one: Interval) -> Json:
    return {
        "customer": one.customer,
        "mains_off": one.mains_off and utc(one.mains_off),
        "tap_dry": one.tap_dry and utc(one.tap_dry),
        "restored": one.restored and utc(one.restored),
    }


def utc(moment: dt.datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(moment: dt.datetime, beside: dt.datetime | None) -> str:
    """Write a moment on the local clock, without the day where it is that of the one beside it."""
    if beside is not None and to_user_timezone(moment).date() == to_user_timezone(beside).date():
        return str(format_datetime(moment, "HH:mm"))
    return str(format_datetime(moment, "yyyy-MM-dd HH:mm" if beside is None else "MM-dd HH:mm"))


def file_name(what: str, question: Question, ending: str) -> str:
    """Write the header that names a download after what is broken, in letters that are safe."""
    first = [pipe for pipe, _ in question.pipes] + [
        *question.valves,
        *question.nodes,
        *question.hydrants,
    ]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", first[0])[:60].strip("._") if first else ""
    return f'attachment; filename="{what}{"-" if safe else ""}{safe}.{ending}"'
