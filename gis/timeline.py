"""The stages of a job: when each valve is closed, the water stopped and all restored."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gis.restoration import DurationModel, Quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Minutes = Sequence[Sequence[float]]

STREET_SPEED_KMH = 30.0
"""Between valves in a town, parking included. A guess until a utility records its own."""
DETOUR = 1.3
"""Street length over straight line, where no streets are recorded. A guess, usual in cities."""
SECONDS_A_TURN = 4.0
"""Two people at a key. A guess until recorded."""
TURNS_UNKNOWN = 25
"""Where no turns are recorded."""
FIND_AND_OPEN_MIN = Quantiles(3.0, 6.0, 15.0)
"""Finding the chamber, lifting the cover, setting the key. A guess until recorded."""
MOST_UNCROSSED = 40
"""More valves than anybody closes on one shift are not put into a better order."""
SET_OUT_MIN = Quantiles(15.0, 35.0, 75.0)
"""From the report to a crew at the first valve, with no crew assigned. A guess."""
DRIVE_MIN = Quantiles(8.0, 20.0, 45.0)
"""From dispatch to a crew at the first valve, with no way known. A guess until recorded."""
REFILL_MIN = Quantiles(20.0, 45.0, 120.0)
"""Refilling, venting and flushing before anybody gets water again. A guess until recorded."""


@dataclass(frozen=True, slots=True)
class ValveTask:
    """A valve to work: its place in metres on any flat map, and its turns."""

    device: int
    x_m: float
    y_m: float
    turns: float | None = None


@dataclass(frozen=True, slots=True)
class Stages:
    """
    Stages of a job that have happened, in hours since the report.

    A stage that is None has not; the rest of the job is forecast from here.

    Attributes
    ----------
    closed_h, reopened_h
        Devices already worked. One that will never open again is reopened at infinity.
    begins_h, ends_h
        What was announced of a planned job: nothing is shut before the one, and it
        takes until the other.
    """

    now_h: float = 0.0
    dispatched_h: float | None = None
    on_site_h: float | None = None
    water_stopped_h: float | None = None
    repaired_h: float | None = None
    flushed_h: float | None = None
    restored_h: float | None = None
    closed_h: Mapping[int, float] = field(default_factory=dict)
    reopened_h: Mapping[int, float] = field(default_factory=dict)
    begins_h: float | None = None
    ends_h: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Hours since the report: each valve closed, water stopped, each valve reopened, restored."""

    order: tuple[int, ...]
    closed: tuple[Quantiles, ...]
    water_stopped: Quantiles
    reopened: tuple[Quantiles, ...]
    restored: Quantiles
    on_site: Quantiles
    repaired: Quantiles
    flushed: Quantiles


def route(
    tasks: Sequence[ValveTask],
    start: tuple[float, float] | None = None,
    travel_min: Minutes | None = None,
) -> list[int]:
    """
    Order valves into a short round: nearest next, then crossings undone.

    Parameters
    ----------
    tasks
        The valves to work.
    start
        Where the crew comes from; None begins at the first valve.
    travel_min
        Minutes from each valve to each other; by default along straight lines.

    Returns
    -------
    list[int]
        Positions in `tasks`, in the order of work. Ties go to the earlier.

    Notes
    -----
    Nearest neighbour and 2-opt (Croes, 1958): rings have few valves. Ways by
    road may differ there and back; then single valves are moved besides (Or, 1976).
    """
    if not tasks:
        return []
    ways = travel_min or straight_min(tasks)
    first = _first_min(tasks, start)
    left = list(range(len(tasks)))
    order = [min(left, key=lambda k: first[k]) if start else 0]
    left.remove(order[0])
    while left:
        here = ways[order[-1]]
        nearest = min(left, key=lambda k: here[k])
        left.remove(nearest)
        order.append(nearest)
    order = _uncross(order, ways, first)
    return order if travel_min is None else _resettle(order, ways, first)


def straight_min(tasks: Sequence[ValveTask]) -> Minutes:
    """Give the minutes from each valve to each other, where no streets are known."""
    return [[_drive_min((a.x_m, a.y_m), (b.x_m, b.y_m)) for b in tasks] for a in tasks]


def _first_min(tasks: Sequence[ValveTask], start: tuple[float, float] | None) -> list[float]:
    """Give the minutes to each valve as the first one; none where the crew begins there."""
    return [_drive_min(start, (task.x_m, task.y_m)) if start else 0.0 for task in tasks]


def _drive_min(here: tuple[float, float], there: tuple[float, float]) -> float:
    return math.dist(here, there) * DETOUR / (STREET_SPEED_KMH * 1000 / 60)


def _length_min(order: list[int], ways: Minutes, first: Sequence[float]) -> float:
    return first[order[0]] + sum(ways[a][b] for a, b in itertools.pairwise(order))


def _uncross(order: list[int], ways: Minutes, first: Sequence[float]) -> list[int]:
    """Turn stretches of a round while that shortens it."""
    if len(order) > MOST_UNCROSSED:
        return order
    best, improved = _length_min(order, ways, first), True
    while improved:
        improved = False
        for i in range(len(order) - 1):
            for j in range(i + 1, len(order)):
                turned = order[:i] + order[i : j + 1][::-1] + order[j + 1 :]
                if (shorter := _length_min(turned, ways, first)) < best - 1e-9:
                    order, best, improved = turned, shorter, True
    return order


def _resettle(order: list[int], ways: Minutes, first: Sequence[float]) -> list[int]:
    """Move single valves within a round while that shortens it: one-way streets need that."""
    if len(order) > MOST_UNCROSSED:
        return order
    best, improved = _length_min(order, ways, first), True
    while improved:
        improved = False
        for valve in sorted(order):
            others = [one for one in order if one != valve]
            for at in range(len(order)):
                moved = [*others[:at], valve, *others[at:]]
                if (shorter := _length_min(moved, ways, first)) < best - 1e-9:
                    order, best, improved = moved, shorter, True
    return order


def plan_times(
    tasks: Sequence[ValveTask],
    *,
    stages: Stages | None = None,
    model: DurationModel | None = None,
    start: tuple[float, float] | None = None,
    travel_min: Minutes | None = None,
) -> Timeline:
    """
    Forecast a job: each valve closed in turn, the repair, each valve reopened in turn.

    Parameters
    ----------
    tasks
        The valves to close.
    stages
        What has happened so far; by default nothing but the report.
    model
        Durations from report to all normal; by default the prior.
    start
        Where the crew is, on the same flat map.
    travel_min
        Minutes from each valve to each other; by default along straight lines.

    Returns
    -------
    Timeline
        Hours since the report, never before what has happened, in the order of work.
    """
    stages, model = stages or Stages(), model or DurationModel()
    done = [k for k, task in enumerate(tasks) if task.device in stages.closed_h]
    done.sort(key=lambda k: stages.closed_h[tasks[k].device])
    order, ways_min = _round(tasks, done, start, travel_min)
    work = _work_hours([tasks[k] for k in order], ways_min)
    on_site = _on_site(stages)
    closed = _closing(tasks, (order, done, work), stages, on_site)
    stopped = closed[-1] if closed else on_site
    if stages.water_stopped_h is not None:
        stopped = Quantiles(*[stages.water_stopped_h] * 3)
        closed = [_at_most(stages.water_stopped_h, q) for q in closed]
    elif stages.on_site_h is not None or stages.now_h:
        stopped = _at_least(stages.now_h, stopped)
    left = [
        step
        for k, step in zip(order, work, strict=True)
        if tasks[k].device not in stages.reopened_h
    ]
    reopening = sum(q.p50 for q in left)
    restored = _restoring(stages, model, stopped, reopening)
    flushed = _happened(stages.flushed_h) or _earlier(restored, reopening, stopped)
    repaired = _happened(stages.repaired_h) or _earlier(flushed, REFILL_MIN.p50 / 60, stopped)
    soonest = stages.repaired_h if stages.repaired_h is not None else 0.0
    if done:
        soonest = max(soonest, stages.now_h)
    return Timeline(
        order=tuple(tasks[k].device for k in order),
        closed=tuple(closed),
        water_stopped=stopped,
        reopened=tuple(_reopening([tasks[k] for k in order], work, stages, restored, soonest)),
        restored=restored,
        on_site=on_site,
        repaired=repaired,
        flushed=flushed,
    )


def _round(
    tasks: Sequence[ValveTask],
    done: list[int],
    start: tuple[float, float] | None,
    travel_min: Minutes | None,
) -> tuple[list[int], list[float]]:
    """Order the valves, those done first; the round goes on from the last of them."""
    ways = travel_min or straight_min(tasks)
    left = [k for k in range(len(tasks)) if k not in set(done)]
    if done:
        start = (tasks[done[-1]].x_m, tasks[done[-1]].y_m)
    among = None if travel_min is None else [[ways[a][b] for b in left] for a in left]
    order = [left[k] for k in route([tasks[k] for k in left], start, among)]
    if done and order:
        first_min = [ways[done[-1]][order[0]]]
    else:
        first_min = [_first_min(tasks, start)[order[0]]] if order else []
    # What is done costs its work once more at the end, when it is opened again.
    ways_min = [ways[a][b] for a, b in itertools.pairwise(order)]
    around = [0.0] * len(done)
    return done + order, around + first_min + ways_min


def _on_site(stages: Stages) -> Quantiles:
    """Tell when a crew stands at the first valve."""
    if stages.on_site_h is not None:
        return Quantiles(*[stages.on_site_h] * 3)
    begin = _hours(SET_OUT_MIN)
    if stages.dispatched_h is not None:
        begin = Quantiles(*[stages.dispatched_h] * 3).plus(_hours(DRIVE_MIN))
    return _at_least(max(stages.now_h, stages.begins_h or 0.0), begin)


def _closing(
    tasks: Sequence[ValveTask],
    plan: tuple[list[int], list[int], list[Quantiles]],
    stages: Stages,
    on_site: Quantiles,
) -> list[Quantiles]:
    """Give the closing of each valve in order: what is done has its time, the rest goes on."""
    order, done, work = plan
    closed = [Quantiles(*[stages.closed_h[tasks[k].device]] * 3) for k in done]
    begin = on_site if stages.begins_h is None else _at_least(stages.begins_h, on_site)
    if closed:
        begin = _at_least(closed[-1].p50, begin) if stages.on_site_h is None else closed[-1]
    pending = _running(begin, work[len(done) : len(order)])
    if stages.on_site_h is not None or stages.now_h:
        pending = [_at_least(stages.now_h, q) for q in pending]
    return closed + pending


def _restoring(
    stages: Stages, model: DurationModel, stopped: Quantiles, reopening: float
) -> Quantiles:
    """Forecast when all is normal again: from the model, or from the stages already behind."""
    if stages.restored_h is not None:
        return Quantiles(*[stages.restored_h] * 3)
    if stages.flushed_h is not None:
        behind = Quantiles(*[max(stages.flushed_h, stages.now_h)] * 3)
        return behind.plus(Quantiles(reopening, reopening, 2 * reopening))
    if stages.repaired_h is not None:
        behind = Quantiles(*[stages.repaired_h] * 3).plus(_hours(REFILL_MIN))
        behind = behind.plus(Quantiles(reopening, reopening, 2 * reopening))
        return _at_least(stages.now_h + reopening, behind)
    if stages.ends_h is not None:
        announced = Quantiles(*[max(stages.ends_h, stages.now_h)] * 3)
        return _after(announced, stopped, reopening)
    return _after(model.forecast(elapsed_h=stages.now_h), stopped, reopening)


def _happened(moment_h: float | None) -> Quantiles | None:
    return None if moment_h is None else Quantiles(*[moment_h] * 3)


def _earlier(q: Quantiles, gap: float, floor: Quantiles) -> Quantiles:
    """Pull a forecast `gap` hours forward, never before an earlier stage."""
    return Quantiles(
        max(q.p10 - gap, floor.p10), max(q.p50 - gap, floor.p50), max(q.p90 - gap, floor.p90)
    )


def _reopening(
    tasks: Sequence[ValveTask],
    work: Sequence[Quantiles],
    stages: Stages,
    restored: Quantiles,
    soonest: float,
) -> list[Quantiles]:
    """Give the reopening of each valve in order; what is open again, or never will be, is known."""
    left = [k for k, task in enumerate(tasks) if task.device not in stages.reopened_h]
    coming = _backwards(restored, [work[k] for k in left], soonest)
    found = [Quantiles(*[stages.reopened_h.get(task.device, 0.0)] * 3) for task in tasks]
    for k, q in zip(left, coming, strict=True):
        found[k] = q
    return found


def _work_hours(tasks: Sequence[ValveTask], ways_min: Sequence[float]) -> list[Quantiles]:
    """Hours for each valve: the way there from the one before, finding it, and its turns."""
    found = []
    for task, way_min in zip(tasks, ways_min, strict=True):
        turns_min = (task.turns or TURNS_UNKNOWN) * SECONDS_A_TURN / 60
        minutes = FIND_AND_OPEN_MIN.plus(
            Quantiles(way_min + 0.7 * turns_min, way_min + turns_min, 2 * way_min + 2.5 * turns_min)
        )
        found.append(_hours(minutes))
    return found


def _hours(minutes: Quantiles) -> Quantiles:
    return Quantiles(minutes.p10 / 60, minutes.p50 / 60, minutes.p90 / 60)


def _running(first: Quantiles, steps: Sequence[Quantiles]) -> list[Quantiles]:
    found = []
    for step in steps:
        first = first.plus(step)
        found.append(first)
    return found


def _at_least(floor: float, q: Quantiles) -> Quantiles:
    return Quantiles(max(floor, q.p10), max(floor, q.p50), max(floor, q.p90))


def _at_most(roof: float, q: Quantiles) -> Quantiles:
    return Quantiles(min(roof, q.p10), min(roof, q.p50), min(roof, q.p90))


def _after(q: Quantiles, earlier: Quantiles, gap: float) -> Quantiles:
    """Push a forecast behind an earlier stage by at least `gap` hours."""
    return Quantiles(
        max(q.p10, earlier.p10 + gap), max(q.p50, earlier.p50 + gap), max(q.p90, earlier.p90 + gap)
    )


def _backwards(restored: Quantiles, work: Sequence[Quantiles], soonest: float) -> list[Quantiles]:
    """Reopening ends when all is restored; each valve before the last is that much earlier."""
    times = []
    behind = 0.0
    for step in reversed(work):
        times.append(Quantiles(restored.p10 - behind, restored.p50 - behind, restored.p90 - behind))
        behind += step.p50
    return [_at_least(soonest, q) for q in reversed(times)]
