"""The stages of a job: when each valve is closed, the water stopped and all restored."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gis.restoration import DurationModel, Quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """

    now_h: float = 0.0
    on_site_h: float | None = None
    water_stopped_h: float | None = None
    repaired_h: float | None = None
    restored_h: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Hours since the report: each valve closed, water stopped, each valve reopened, restored."""

    order: tuple[int, ...]
    closed: tuple[Quantiles, ...]
    water_stopped: Quantiles
    reopened: tuple[Quantiles, ...]
    restored: Quantiles


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
    ways = travel_min or straight_min(tasks)
    order = route(tasks, start, travel_min)
    ways_min = [_first_min(tasks, start)[order[0]]] if order else []
    ways_min += [ways[a][b] for a, b in itertools.pairwise(order)]
    work = _work_hours([tasks[k] for k in order], ways_min)
    at_first = _at_least(stages.now_h, _hours(SET_OUT_MIN))
    if stages.on_site_h is not None:
        at_first = Quantiles(stages.on_site_h, stages.on_site_h, stages.on_site_h)
    closed = _running(at_first, work)
    stopped = closed[-1] if closed else at_first
    if stages.water_stopped_h is not None:
        stopped = Quantiles(*[stages.water_stopped_h] * 3)
        closed = [_at_most(stages.water_stopped_h, q) for q in closed]
    elif stages.on_site_h is not None or stages.now_h:
        closed = [_at_least(stages.now_h, q) for q in closed]
        stopped = _at_least(stages.now_h, stopped)
    restored = model.forecast(elapsed_h=stages.now_h)
    reopening = sum(q.p50 for q in work)
    restored = _after(restored, stopped, reopening)
    if stages.restored_h is not None:
        restored = Quantiles(*[stages.restored_h] * 3)
    reopened = _backwards(restored, work, stages.repaired_h)
    return Timeline(
        order=tuple(tasks[k].device for k in order),
        closed=tuple(closed),
        water_stopped=stopped,
        reopened=tuple(reopened),
        restored=restored,
    )


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


def _backwards(
    restored: Quantiles, work: Sequence[Quantiles], repaired_h: float | None
) -> list[Quantiles]:
    """Reopening ends when all is restored; each valve before the last is that much earlier."""
    times = []
    behind = 0.0
    for step in reversed(work):
        times.append(Quantiles(restored.p10 - behind, restored.p50 - behind, restored.p90 - behind))
        behind += step.p50
    floor = repaired_h if repaired_h is not None else 0.0
    return [_at_least(floor, q) for q in reversed(times)]
