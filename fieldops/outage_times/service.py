"""The forecast of a job: its valves in order, its stages, and every customer's own interval."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gis.intervals import intervals_of_job
from gis.lines import metres_per_degree
from gis.timeline import ValveTask, plan_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fieldops.outage_questions.queries import Device
    from fieldops.outage_questions.service import Case
    from gis.isolation import Isolation
    from gis.restoration import Quantiles
    from gis.rulings import Ruling
    from gis.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Moments:
    """A forecast moment: one in ten is before p10, half before p50, one in ten after p90."""

    p10: dt.datetime
    p50: dt.datetime
    p90: dt.datetime


@dataclass(frozen=True, slots=True)
class ValveStep:
    """A valve to close, in the order of work from 1."""

    number: int
    device: Device
    closed: Moments
    reopened: Moments


@dataclass(frozen=True, slots=True)
class Interval:
    """One customer's own outage; None where it could not be told."""

    customer: str
    mains_off: dt.datetime | None
    tap_dry: dt.datetime | None
    restored: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The times of a job; None where there is no water to stop."""

    water_stopped: Moments | None
    restored: Moments | None
    steps: list[ValveStep]
    intervals: list[Interval]


def forecast_job(
    case: Case, ruling: Ruling, devices: Mapping[int, Device], now: dt.datetime
) -> Forecast:
    """Plan the crew's round and tell when things happen; `devices` are those to close, by row."""
    if not ruling.has_water_to_stop:
        return Forecast(water_stopped=None, restored=None, steps=[], intervals=[])
    timeline = _plan_round(ruling.isolation, devices)
    steps = [
        ValveStep(number, devices[row], _moments(now, closed), _moments(now, reopened))
        for number, (row, closed, reopened) in enumerate(
            zip(timeline.order, timeline.closed, timeline.reopened, strict=True), start=1
        )
    ]
    return Forecast(
        water_stopped=_moments(now, timeline.water_stopped),
        restored=_moments(now, timeline.restored),
        steps=steps,
        intervals=_intervals(case, ruling, timeline, now) if case.question.with_intervals else [],
    )


def _intervals(case: Case, ruling: Ruling, timeline: Timeline, now: dt.datetime) -> list[Interval]:
    """Give every customer who loses supply an interval, by the middle forecast."""
    rows, off, dry, back = intervals_of_job(ruling.world, ruling.isolation, timeline)
    intervals = [
        Interval(case.rows.id("customer", row), _moment(now, a), _moment(now, b), _moment(now, c))
        for row, a, b, c in zip(
            rows.tolist(), off.tolist(), dry.tolist(), back.tolist(), strict=True
        )
    ]
    return sorted(intervals, key=lambda one: one.customer)


def _plan_round(isolation: Isolation, devices: Mapping[int, Device]) -> Timeline:
    """Order the valves and forecast the job's stages, in hours from now."""
    rows = sorted(isolation.valves_to_close.tolist(), key=lambda row: devices[row].id)
    if not rows:
        return plan_times([])
    lon = np.array([devices[row].lon for row in rows])
    lat = np.array([devices[row].lat for row in rows])
    east, north = metres_per_degree(lat[:1])
    x_m, y_m = (lon - lon[0]) * east, (lat - lat[0]) * north
    return plan_times(
        [
            ValveTask(row, float(x), float(y), devices[row].turns)
            for row, x, y in zip(rows, x_m, y_m, strict=True)
        ]
    )


def _moments(now: dt.datetime, hours: Quantiles) -> Moments:
    return Moments(
        *(now + dt.timedelta(hours=value) for value in (hours.p10, hours.p50, hours.p90))
    )


def _moment(now: dt.datetime, hours: float) -> dt.datetime | None:
    return now + dt.timedelta(hours=hours) if math.isfinite(hours) else None
