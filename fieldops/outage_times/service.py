"""The forecast of a job: its valves in order, its stages, and every customer's own interval."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fieldops.outage_times import queries
from gis.intervals import intervals_of_job
from gis.lines import metres_per_degree
from gis.restoration import DurationModel
from gis.roads import Roads
from gis.timeline import MOST_UNCROSSED, Stages, ValveTask, plan_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.outage_questions.queries import Device
    from fieldops.outage_questions.service import Case
    from gis.isolation import Isolation
    from gis.restoration import Quantiles
    from gis.rulings import Ruling
    from gis.timeline import Timeline


NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
"""When a valve that will not open again is opened."""
ROADS_AROUND_M = 1000.0
"""A way between valves may lead so far out of their box."""
MOST_ROADS = 2500
"""Where there are more roads about, looking for ways would keep the dispatcher waiting."""


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
class Course:
    """
    How a job under way has gone so far, and the durations by which the rest is forecast.

    `closed_at` and `reopened_at` are by device row; a device that will never open again is
    reopened at None.
    """

    aware_at: dt.datetime
    dispatched_at: dt.datetime | None = None
    on_site_at: dt.datetime | None = None
    water_stopped_at: dt.datetime | None = None
    repaired_at: dt.datetime | None = None
    flushed_at: dt.datetime | None = None
    restored_at: dt.datetime | None = None
    begins_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    closed_at: Mapping[int, dt.datetime] = field(default_factory=dict)
    reopened_at: Mapping[int, dt.datetime | None] = field(default_factory=dict)
    model: DurationModel = field(default_factory=DurationModel)

    def stages(self, now: dt.datetime) -> Stages:
        """Tell the course in hours since the report."""

        def hours(moment: dt.datetime | None) -> float | None:
            return None if moment is None else self.hours(moment)

        return Stages(
            now_h=max(self.hours(now), 0.0),
            dispatched_h=hours(self.dispatched_at),
            on_site_h=hours(self.on_site_at),
            water_stopped_h=hours(self.water_stopped_at),
            repaired_h=hours(self.repaired_at),
            flushed_h=hours(self.flushed_at),
            restored_h=hours(self.restored_at),
            begins_h=hours(self.begins_at),
            ends_h=hours(self.ends_at),
            closed_h={row: self.hours(at) for row, at in self.closed_at.items()},
            reopened_h={
                row: math.inf if at is None else self.hours(at)
                for row, at in self.reopened_at.items()
            },
        )

    def hours(self, moment: dt.datetime) -> float:
        """Give the hours from the report to a moment."""
        return (moment - self.aware_at) / dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The times of a job; None where there is no water to stop."""

    water_stopped: Moments | None
    restored: Moments | None
    steps: list[ValveStep]
    intervals: list[Interval]
    is_by_road: bool = False
    """Whether ways between valves follow recorded roads, and not straight lines."""
    timeline: Timeline | None = None
    """The same in hours since the report, with the stages between."""


def forecast_job(
    case: Case,
    ruling: Ruling,
    devices: Mapping[int, Device],
    now: dt.datetime,
    course: Course | None = None,
) -> Forecast:
    """
    Plan the crew's round and tell when things happen; `devices` are those to close, by row.

    A job under way is forecast from the `course` it has taken, any other as reported now.
    """
    if not ruling.has_water_to_stop:
        return Forecast(water_stopped=None, restored=None, steps=[], intervals=[])
    course = course or Course(aware_at=now)
    since = course.aware_at
    timeline, is_by_road = _plan_round(
        case.session, ruling.isolation, devices, (course.stages(now), course.model)
    )
    steps = [
        ValveStep(number, devices[row], moments(since, closed), moments(since, reopened))
        for number, (row, closed, reopened) in enumerate(
            zip(timeline.order, timeline.closed, timeline.reopened, strict=True), start=1
        )
    ]
    return Forecast(
        water_stopped=moments(since, timeline.water_stopped),
        restored=moments(since, timeline.restored),
        steps=steps,
        intervals=_intervals(case, ruling, timeline, since) if case.question.with_intervals else [],
        is_by_road=is_by_road,
        timeline=timeline,
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


def _plan_round(
    session: Session,
    isolation: Isolation,
    devices: Mapping[int, Device],
    course: tuple[Stages, DurationModel],
) -> tuple[Timeline, bool]:
    """Order the valves and forecast the job's stages, in hours; tell if by road."""
    stages, model = course
    rows = sorted(isolation.valves_to_close.tolist(), key=lambda row: devices[row].id)
    if not rows:
        return plan_times([], stages=stages, model=model), False
    lon_lat = np.array([(devices[row].lon, devices[row].lat) for row in rows])
    scale = np.concatenate(metres_per_degree(lon_lat[:1, 1]))
    x_m, y_m = ((lon_lat - lon_lat[0]) * scale).T
    tasks = [
        ValveTask(row, float(x), float(y), devices[row].turns)
        for row, x, y in zip(rows, x_m, y_m, strict=True)
    ]
    travel_min = _travel_min(session, lon_lat, scale)
    timeline = plan_times(tasks, stages=stages, model=model, travel_min=travel_min)
    return timeline, travel_min is not None


def _travel_min(
    session: Session, lon_lat: NDArray[np.float64], scale: NDArray[np.float64]
) -> list[list[float]] | None:
    """Give the minutes from each valve to each other by road; None where roads do not join all."""
    if not 1 < len(lon_lat) <= MOST_UNCROSSED:
        return None
    margin = ROADS_AROUND_M / scale
    box = (*(lon_lat.min(axis=0) - margin).tolist(), *(lon_lat.max(axis=0) + margin).tolist())
    found = queries.fetch_roads(session, box, MOST_ROADS)
    if found is None:
        return None
    roads = Roads.of_lines(
        (found.lon_lat - lon_lat[0]) * scale,
        found.road,
        speed_kmh=found.speed_kmh,
        is_one_way=found.is_one_way,
        is_closed=found.is_closed,
    )
    minutes = roads.travel_min(*((lon_lat - lon_lat[0]) * scale).T)
    return None if np.isnan(minutes).any() else minutes.tolist()


def moments(since: dt.datetime, hours: Quantiles) -> Moments:
    """Tell as moments what is forecast in hours since the report; the last moment for never."""
    return Moments(*(_moment(since, value) or NEVER for value in (hours.p10, hours.p50, hours.p90)))


def _moment(now: dt.datetime, hours: float) -> dt.datetime | None:
    return now + dt.timedelta(hours=hours) if math.isfinite(hours) else None
