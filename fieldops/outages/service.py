"""Who loses supply if something breaks: the one answer behind map, command line, file and paper."""

from __future__ import annotations

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.network.service import current_network
from fieldops.outage_questions import queries
from fieldops.outage_questions.service import Case, Question, keys_of
from fieldops.outage_remarks.service import Doubts, Remark, list_remarks
from fieldops.outage_times.service import (
    Course,
    Forecast,
    Interval,
    Moments,
    ValveStep,
    forecast_job,
)
from gis.rulings import Ruling

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.network.service import StoredNetwork
    from fieldops.outage_questions.queries import Device
    from gis.isolation import Isolation
    from gis.network import Rows

__all__ = [
    "Course",
    "CustomersLost",
    "Effect",
    "Interval",
    "JudgedOutage",
    "Moments",
    "OutageAnswer",
    "Question",
    "RefeedBy",
    "Remark",
    "ValveStep",
    "judge_outage",
    "preview_outage",
    "warm_up",
]

SEARCHES = BoundedSemaphore(2)
"""More searches at once than this would take the processors from everybody else's requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersLost:
    """Who loses supply; `shut` and `cut_off` only if asked for, None also where not judged."""

    connections: int
    properties: int
    people: int | None
    critical: list[str]
    guessed: int
    already_dry: int | None
    shut: list[str] | None
    cut_off: list[str] | None


@dataclass(frozen=True, slots=True)
class RefeedBy:
    """A closed valve whose opening would bring water back."""

    valve: str
    properties_regained: int
    crosses_boundary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What isolating the break does. None where it could not be judged."""

    isolated: bool
    valves_to_close: list[str]
    valves_optional: list[str]
    valves_verify_shut: list[str]
    pumps_to_stop: list[str]
    sources_shut: list[str]
    pipes_shut: list[str]
    pipes_cut_off: list[str] | None
    customers: CustomersLost
    hydrants_dry: list[str]
    refeed: list[RefeedBy] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageAnswer:
    """Ids, numbers and times; nothing drawn, nobody named."""

    question: Question
    at_m: float | None
    network_revision: int
    effect: Effect
    water_stopped: Moments | None
    restored: Moments | None
    if_unknown_closed: Effect | None
    customers_differ: list[str]
    remarks: list[Remark]
    steps: list[ValveStep]
    devices: Mapping[str, list[Device]]
    """Other devices by what they are in the plan: optional, verify_shut, pump, refeed, stuck."""
    intervals: list[Interval]
    keys: dict[str, Any]
    """Keys for the map: always as the map wants them, empty unless asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOutage:
    """An answer together with the rows and hours that it was made from."""

    case: Case
    ruling: Ruling
    forecast: Forecast
    answer: OutageAnswer


def preview_outage(session: Session, question: Question, now: dt.datetime) -> OutageAnswer:
    """
    Tell who loses supply if these things break, which valves to close, and until when.

    Nothing is stored: a dispatcher may look at as many pipes as she likes.

    Raises
    ------
    UnknownThingError
        If something named is not in the network.
    PlaceError
        If a place is not on its pipe.
    FieldopsError
        If nothing is said to break.
    """
    return judge_outage(session, question, now).answer


def judge_outage(
    session: Session,
    question: Question,
    now: dt.datetime,
    *,
    stored: StoredNetwork | None = None,
    course: Course | None = None,
) -> JudgedOutage:
    """
    Answer as `preview_outage`, for a state of the network and the course of a job under way.

    Raises
    ------
    FieldopsError
        As `preview_outage` does.
    """
    case = Case.of(session, question, stored)
    with SEARCHES:
        return _judge(case, now, course)


def warm_up(session: Session, now: dt.datetime) -> None:
    """Read the network and let a first answer compile the searches, before anybody waits for it."""
    stored = current_network(session)
    if stored.network.pipe_count == 0:
        return
    key = int(stored.keys.pipes[0])
    pipe = queries.fetch_ids(session, {"pipe": [key]})["pipe"][key]
    preview_outage(session, Question(pipes=[(pipe, None)], with_intervals=True), now)


def _judge(case: Case, now: dt.datetime, course: Course | None) -> JudgedOutage:
    ruling = Ruling.of(case.world, case.broken)
    other = _if_unknown_closed(case, ruling)
    differ = _differ(ruling, other)
    doubts = Doubts.of(ruling, other)
    for one in (ruling, other) if other else (ruling,):
        _want(case, one)
    case.rows.want("customer", differ)
    doubts.want(case.rows)
    case.rows.fetch()
    border = np.concatenate([ruling.border, other.border if other else ruling.border[:0]])
    refeeding = [one.device for one in ruling.refeeds]
    devices = case.rows.devices({*border.tolist(), *doubts.stuck.tolist(), *refeeding})
    forecast = forecast_job(case, ruling, devices, now, course)
    roles = {
        "optional": ruling.isolation.valves_optional.tolist(),
        "verify_shut": ruling.isolation.valves_verify_shut.tolist(),
        "pump": ruling.isolation.pumps_to_stop.tolist(),
        "refeed": refeeding,
        "stuck": doubts.stuck.tolist(),
    }
    answer = OutageAnswer(
        question=case.question,
        at_m=case.broken.pipes[0][1] if case.broken.pipes else None,
        network_revision=case.stored.revision,
        effect=_effect(case, ruling),
        water_stopped=forecast.water_stopped,
        restored=forecast.restored,
        if_unknown_closed=_effect(case, other) if other else None,
        customers_differ=case.rows.sorted_ids("customer", differ),
        remarks=list_remarks(case, ruling, devices, doubts, is_by_road=forecast.is_by_road),
        steps=forecast.steps,
        devices={
            role: sorted((devices[row] for row in rows), key=lambda one: one.id)
            for role, rows in roles.items()
        },
        intervals=forecast.intervals,
        keys=_keys(case, ruling, forecast.steps) if case.question.with_keys else {},
    )
    return JudgedOutage(case, ruling, forecast, answer)


def _if_unknown_closed(case: Case, ruling: Ruling) -> Ruling | None:
    """Answer again with all valves of unknown position closed; None where that is the same."""
    world = case.world_if_unknown_closed()
    if world is None:
        return None
    other = Ruling.of(world, case.broken)
    return None if other.says_the_same_as(ruling) else other


def _differ(ruling: Ruling, other: Ruling | None) -> Rows:
    if other is None:
        return ruling.isolation.premises_lost[:0]
    return np.setxor1d(ruling.isolation.premises_lost, other.isolation.premises_lost)


def _want(case: Case, ruling: Ruling) -> None:
    """Note every row whose id the answer names."""
    found, lost, want = ruling.isolation, ruling.isolation.premises_lost, case.rows.want
    want("device", ruling.border.tolist())
    want("device", [each.device for each in ruling.refeeds])
    want("source", found.sources_shut)
    want("pipe", found.pipes_shut)
    want("pipe", found.pipes_cut_off)
    want("hydrant", found.hydrants_dry)
    asks_all = case.question.with_customers or case.question.with_intervals
    want("customer", lost if asks_all else lost[case.world.network.premises_is_critical[lost]])


def _effect(case: Case, ruling: Ruling) -> Effect:
    found, ids = ruling.isolation, case.rows.sorted_ids
    judged = found.has_sources
    return Effect(
        isolated=found.is_isolated,
        valves_to_close=ids("device", found.valves_to_close),
        valves_optional=ids("device", found.valves_optional),
        valves_verify_shut=ids("device", found.valves_verify_shut),
        pumps_to_stop=ids("device", found.pumps_to_stop),
        sources_shut=ids("source", found.sources_shut),
        pipes_shut=ids("pipe", found.pipes_shut),
        pipes_cut_off=ids("pipe", found.pipes_cut_off) if judged else None,
        customers=_customers(case, found),
        hydrants_dry=ids("hydrant", found.hydrants_dry),
        refeed=[
            RefeedBy(
                case.rows.id("device", one.device),
                one.properties_regained,
                one.crosses_boundary,
            )
            for one in ruling.refeeds
        ]
        if judged
        else None,
    )


def _customers(case: Case, found: Isolation) -> CustomersLost:
    network, lost = case.world.network, found.premises_lost
    people = network.premises_people[lost]
    ids = case.rows.sorted_ids
    names = case.question.with_customers
    return CustomersLost(
        connections=lost.size,
        properties=int(network.premises_properties[lost].sum()),
        people=None if (people < 0).any() else int(people.sum()),
        critical=ids("customer", lost[network.premises_is_critical[lost]]),
        guessed=int(network.premises_is_guessed[lost].sum()),
        already_dry=found.premises_already_dry.size if found.has_sources else None,
        shut=ids("customer", found.premises_shut) if names else None,
        cut_off=ids("customer", found.premises_cut_off) if names and found.has_sources else None,
    )


def _keys(case: Case, ruling: Ruling, steps: list[ValveStep]) -> dict[str, Any]:
    """Give what the map recolours, as the feature ids of its tiles."""
    found = ruling.isolation

    def keys(kind: str, rows: Rows) -> list[int]:
        return sorted(keys_of(case.stored, kind)[rows].tolist())

    return {
        "parts_shut": case.tile_ids(found.parts_shut),
        "parts_cut_off": case.tile_ids(found.parts_cut_off),
        "valves_to_close": [
            {
                "key": step.device.key,
                "number": step.number,
                "id": step.device.id,
                "table": step.device.table,
            }
            for step in steps
        ],
        "valves_optional": keys("device", found.valves_optional),
        "valves_verify_shut": keys("device", found.valves_verify_shut),
        "pumps_to_stop": keys("device", found.pumps_to_stop),
        "customers_shut": keys("customer", found.premises_shut),
        "customers_cut_off": keys("customer", found.premises_cut_off),
        "hydrants_dry": keys("hydrant", found.hydrants_dry),
        "sources_shut": keys("source", found.sources_shut),
        "refeed": [case.rows.key("device", one.device) for one in ruling.refeeds],
    }
