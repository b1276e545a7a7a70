"""
How long customers wait for a crew under several policies, and how fast one decides.

    ./run bench dispatch                        12 days at 4, 6 and 9 jobs an hour (some minutes)
    ./run bench dispatch --days 4 --loads 6     fewer
    ./run bench dispatch --streets roads.csv    over the streets of a register, not an invented city
    ./run bench dispatch --json                 one object for machines; progress goes to stderr

The days are those of `benchmarks.burst_day`. Every policy gets the same days:

- nearest by straight line, and by road: bursts before leaks before routine work,
  in a class the oldest first, and each gets the nearest free crew that is fit;
- nearest pair by road: the same, but in a class the nearest pair of job and
  crew comes first, which drives less and starves what is far;
- first come, first served: the oldest job of all gets the nearest free crew;
- fieldops: `gis.assignment`, called as the application calls it, with what the
  utility's own records would tell it of calls to come.

What was tuned in the last, the weights of classes and of lateness and the worth of
crews kept for calls to come, was tuned on days 100 and above. The days
reported here are 1 to 12.

A ratio is the mean over the days of what was avoidable under one policy over
what was avoidable by the nearest crew by road. Quantiles are over the bursts
of all days together.

Decisions are timed with 100 crews, a third on sites, and 500 open jobs over an
invented city of over 200,000 stretches of street: from the crews' places to
the decision, the fields of the jobs and the ways between them being kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.burst_day import City, Day, play
from benchmarks.dispatch_policies import DIVERSION_S, POLICIES, SPOTS
from benchmarks.measure import Benchmark, quantile, times_ms
from gis.assignment import Board, Calls, decide

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from benchmarks.burst_day import Result
    from gis.streets import Field, Streets

DAYS = 12
LOADS = (4, 6, 9)
MOST_RATIO = {4: 0.81, 6: 0.68, 9: 0.55}
OURS, PEER = "fieldops", "nearest by road"
CREWS, JOBS, PIPES = 100, 500, 180_000
DECISIONS = 30


@dataclass(frozen=True, slots=True)
class Task:
    """A day to be played under every policy."""

    streets: Path | None
    load: int
    day: int


def main() -> int:
    """Run what was asked for; the exit code tells whether every promise is kept."""
    options = _options()
    bench = Benchmark("dispatch", counted="jobs/h")
    with ProcessPoolExecutor(options.workers) as pool:
        for load in options.loads:
            tasks = [Task(options.streets, load, day) for day in range(1, options.days + 1)]
            report_load(bench, load, list(pool.map(play_day, tasks)))
    speed = Benchmark("dispatch", counted="jobs")
    if options.speed:
        measure_speed(speed)
    checks = [*bench.checks, *speed.checks]
    bench.checks.clear()
    if options.json:
        bench.rows += speed.rows
        bench.checks += checks
        print(bench.as_json())
    else:
        speed.checks[:] = checks
        print(bench.as_table().rstrip(), speed.as_table(), sep="\n\n")
    return 0 if all(check.ok for check in checks) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench dispatch")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument(
        "--loads", type=lambda text: [int(load) for load in text.split(",")], default=LOADS
    )
    parser.add_argument("--streets", type=Path)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-speed", dest="speed", action="store_false")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@cache
def _city(path: Path | None) -> City:
    return City.invented() if path is None else City.of_register(path)


def play_day(task: Task) -> dict[str, Result]:
    """Play one day under every policy."""
    day = Day.drawn(_city(task.streets), task.load, task.day)
    return {name: play(day, policy) for name, policy in POLICIES.items()}


def report_load(bench: Benchmark, load: int, days: list[dict[str, Result]]) -> None:
    """Add the numbers of one load, and hold them against what was promised."""
    for name in POLICIES:
        played = [day[name] for day in days]
        against = [day[PEER] for day in days]
        ratios = [a.avoidable_h / b.avoidable_h for a, b in zip(played, against, strict=True)]
        arrivals = np.concatenate([result.burst_min for result in played])
        for text, value, unit in (
            ("avoidable customer-outage-hours", _mean(r.avoidable_h for r in played), "h"),
            ("avoidable, ratio to nearest by road", _mean(ratios), "x"),
            ("burst arrival, mean", float(arrivals.mean()), "min"),
            ("burst arrival, p95", float(np.quantile(arrivals, 0.95)), "min"),
            ("driven", _mean(r.km for r in played), "km"),
            ("limits missed", _mean(r.limits_missed for r in played), "a day"),
            ("orders", _mean(r.orders for r in played), "a day"),
        ):
            bench.add(f"{name}: {text}", load, value, unit)
    _check_load(bench, load)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _check_load(bench: Benchmark, load: int) -> None:
    def value(name: str, measure: str) -> float:
        return bench.value(f"{name}: {measure}", load) or 0.0

    if load in MOST_RATIO:
        ratio = value(OURS, "avoidable, ratio to nearest by road")
        bench.check(f"mean ratio of avoidable hours at {load} an hour", ratio, MOST_RATIO[load])
    for measure in ("burst arrival, p95", "limits missed"):
        text = f"{measure} at {load} an hour, nearest by road"
        bench.check(text, value(OURS, measure), value(PEER, measure))


def measure_speed(bench: Benchmark) -> None:
    """Time decisions, and the field of a new job."""
    streets = City.invented(pipes=PIPES).streets
    rng = np.random.default_rng(0)
    corners = streets.roads.corner_m
    job_m, spot_m = (corners[rng.integers(0, len(corners), size)] for size in (JOBS, SPOTS))
    fields: list[Field] = []
    spots = [streets.minutes_to(*place) for place in spot_m.tolist()]

    def find_field(job: int) -> None:
        fields.append(streets.minutes_to(*job_m[job].tolist()))

    found_ms = times_ms(find_field, range(JOBS))
    between_s = streets.minutes_between(fields, job_m[:, 0], job_m[:, 1]) * 60
    boards = _Boards(streets, fields, spots, between_s)
    boards.decide(0)
    taken_ms = times_ms(boards.decide, range(1, DECISIONS + 1))
    remark = f"{CREWS} crews, {streets.road.size:,} stretches of street"
    bench.add("decision, median", JOBS, quantile(taken_ms, 0.5), "ms", remark)
    bench.add("decision, p95", JOBS, quantile(taken_ms, 0.95), "ms")
    bench.add("field of a new job, median", JOBS, quantile(found_ms, 0.5), "ms")
    bench.check("decision, median ms", quantile(taken_ms, 0.5), 50)
    bench.check("stretches of street", float(streets.road.size), 200_000, is_floor=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Boards:
    """Draws the crews' places and facts again and again, and decides."""

    streets: Streets
    fields: list[Field]
    spots: list[Field]
    between_s: NDArray[np.float64]

    def decide(self, seed: int) -> None:
        """Look the ways up and decide."""
        rng = np.random.default_rng(seed)
        corners = self.streets.roads.corner_m
        x_m, y_m = corners[rng.integers(0, len(corners), CREWS)].T
        can = rng.random((CREWS, 2)) < (0.6, 0.3)
        needs = rng.random((JOBS, 2)) < (0.18, 0.2)
        on_site = rng.random(CREWS) < 1 / 3
        under_way = ~on_site & (rng.random(CREWS) < 1 / 2)
        travel_s = self.streets.minutes_between(self.fields, x_m, y_m) * 60
        board = Board(
            travel_s=travel_s,
            weight=rng.lognormal(3, 1, JOBS),
            is_fit=np.all(can[:, None, :] | ~needs, axis=2),
            crews_needed=np.where(rng.random(JOBS) < 0.02, 2, 1).astype(np.int32),
            release_s=np.zeros(JOBS),
            work_s=rng.uniform(2700, 13800, JOBS),
            due_s=rng.uniform(-3600, 86400, JOBS),
            current=np.where(under_way, rng.permutation(JOBS)[:CREWS], -1).astype(np.int32),
            is_divertible=np.ones(CREWS, dtype=np.bool_),
            free_in_s=np.where(on_site, rng.uniform(0, 14400, CREWS), 0.0),
            pinned=np.full(CREWS, -1, dtype=np.int32),
            between_s=self.between_s,
            late=rng.choice([1.0, 12.0, 200.0], JOBS),
            calls=Calls(
                per_s=np.array([0.5, 1.0]) / 3600,
                weight=np.array([140.0, 30.0]),
                usual_wait_s=np.array([1800.0, 3600.0]),
                is_fit=can,
                travel_s=self.streets.minutes_between(self.spots, x_m, y_m) * 60,
            ),
            diversion_s=DIVERSION_S,
        )
        decide(board)


if __name__ == "__main__":
    sys.exit(main())
