"""
A day of bursts, leaks and routine work in a city, event by event.

The day: 20 crews from four depots, all able to work valves and do general
work, 60 % able to excavate, 30 % to detect leaks. Jobs arrive as a Poisson
process, 2.8 times as many an hour from 08 to 12 as at other times: 18 % bursts
(customers log-normal about 100, repair log-normal with median 3 h, a crew
within 60 minutes, excavation), 42 % leaks (0 to 60 customers, 1.5 h, within
4 h), 40 % routine (45 minutes, within 24 h). A policy sees classes, customers
and means, never the true times of repair. Crews drive the fastest ways over the
streets, can turn at any corner and wait where they finished. The day ends when
every job is done.

What is left open by that stands below as constants. They were chosen by what
comes of sending the nearest crew by road, so that it is near the measurements
that set the targets (a burst waits 12, 22 and 50 minutes in the mean at 4, 6
and 9 jobs an hour).

Customer-outage-hours are counted from the report until the repair ends. What
the repair itself takes is the floor that no dispatcher can avoid; customers
times hours until a crew arrives are what can be avoided.
"""

from __future__ import annotations

import csv
import heapq
import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.special import ndtr

from gis.assignment import Severity
from gis.streets import Streets
from gis.towns.streets import Rank, lay_streets

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from gis.streets import Field

    Numbers = NDArray[np.float64]

CREWS, DEPOTS = 20, 4
EXCAVATION_SHARE, DETECTION_SHARE = 0.6, 0.3
PEAK, PEAK_FROM_H, PEAK_UNTIL_H, DAY_H = 2.8, 8, 12, 24
CUSTOMERS_MEDIAN, CUSTOMERS_SIGMA = 100.0, 0.8
MOST_OF_LEAK = 60
"""Customers out: of a burst log-normal, of a leak from none to so many."""
WORK_SIGMA = 0.7
"""Of the logarithm of every time on site."""
HIDDEN_SHARE = 0.5
"""Of the leaks: they have to be detected first."""
PIPES_OF_CITY = 40_000
"""The size of the invented city: some 14 by 12 km with a river and few bridges."""
RUSH = 0.55
"""Speed over that allowed, for traffic and lights."""
HOUR_S = 3600.0


class Skill(IntEnum):
    """What a crew can do besides valves and general work."""

    EXCAVATION = 0
    DETECTION = 1


@dataclass(frozen=True, slots=True)
class JobClass:
    """What is known of a class of jobs."""

    severity: Severity
    share: float
    median_h: float
    limit_h: float

    @property
    def mean_work_s(self) -> float:
        """The mean of the log-normal time on site."""
        return self.median_h * math.exp(WORK_SIGMA**2 / 2) * HOUR_S

    def left_s(self, worked_s: float) -> float:
        """Give the mean time left on site after some: the log-normal's, cut off below."""
        if worked_s <= 0:
            return self.mean_work_s
        z = (math.log(worked_s / HOUR_S) - math.log(self.median_h)) / WORK_SIGMA
        beyond = float(ndtr(-z))
        if beyond < 1e-9:
            return 0.2 * worked_s
        return self.mean_work_s * float(ndtr(WORK_SIGMA - z)) / beyond - worked_s


CLASSES = (
    JobClass(Severity.BURST, 0.18, 3.0, 1.0),
    JobClass(Severity.LEAK, 0.42, 1.5, 4.0),
    JobClass(Severity.ROUTINE, 0.40, 0.75, 24.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """Streets, and the corners where depots lie and jobs happen."""

    streets: Streets
    depots: NDArray[np.int64]
    sites: NDArray[np.int64]
    ways: list[list[tuple[int, float, float]]]
    """From each corner: the next corners, minutes and metres."""

    @classmethod
    def invented(cls, seed: int = 1, pipes: int = PIPES_OF_CITY) -> City:
        """Lay out an invented city: arterial roads at 50 km/h, others at 30, less the rush."""
        rng = np.random.default_rng(seed)
        laid = lay_streets(pipes, rng)
        is_road = ~laid.is_over_river | laid.has_pipe
        ends = laid.ends[is_road]
        places = np.stack(
            [laid.crossing_xy[ends[:, 0]], laid.bend_xy[is_road], laid.crossing_xy[ends[:, 1]]],
            axis=1,
        )
        is_main = laid.rank[is_road] == Rank.ARTERIAL
        row = np.arange(len(ends))
        streets = Streets.of_lines(
            places.reshape(-1, 2),
            np.repeat(row, 3),
            speed_kmh=np.where(is_main, 50.0, 30.0) * RUSH,
            is_one_way=(row % 37 == 5) & ~is_main,
            is_closed=np.zeros(len(ends), dtype=np.bool_),
        )
        return cls.of_streets(streets)

    @classmethod
    def of_register(cls, path: Path) -> City:
        """
        Read a street register: a CSV with a straight piece of street in each row.

        Its columns are STARTX, STARTY, ENDX, ENDY in metres, FLOW_DIRECTION
        (FromTo, ToFrom, anything else is both ways) and "Speed Limit Km".
        """
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["STARTX"] and row["ENDX"]]
        ends = np.array(
            [[float(row[name]) for name in ("STARTX", "STARTY", "ENDX", "ENDY")] for row in rows]
        )
        flow = np.array([row["FLOW_DIRECTION"] for row in rows])
        ends[flow == "ToFrom"] = ends[flow == "ToFrom"][:, [2, 3, 0, 1]]
        return cls.of_streets(
            Streets.of_lines(
                np.round(ends.reshape(-1, 2)),
                np.repeat(np.arange(len(rows)), 2),
                speed_kmh=np.array([float(row["Speed Limit Km"] or 50) for row in rows]) * RUSH,
                is_one_way=(flow == "FromTo") | (flow == "ToFrom"),
                is_closed=np.zeros(len(rows), dtype=np.bool_),
            )
        )

    @classmethod
    def of_streets(cls, streets: Streets) -> City:
        """Put depots into the four quarters; jobs happen wherever all depots can come and go."""
        corners = streets.roads.corner_m
        center = np.median(corners, axis=0)
        spread = np.quantile(corners, 0.75, axis=0) - np.quantile(corners, 0.25, axis=0)
        fields = [streets.minutes_to(*center.tolist())]
        reached = np.isfinite(fields[0].minutes)
        quarters = [
            center + spread * np.array(sign) / 2 for sign in ((-1, -1), (-1, 1), (1, -1), (1, 1))
        ]
        usable = np.flatnonzero(reached)
        depots = []
        for quarter in quarters:
            far = np.hypot(*(corners[usable] - quarter).T)
            depots.append(int(usable[far.argmin()]))
        for depot in depots:
            reached &= np.isfinite(streets.minutes_to(*corners[depot].tolist()).minutes)
        # From the depots as well, or a one-way street could lead nowhere.
        reached &= np.isfinite(
            dijkstra(csr_array(streets.reversed_graph.T), indices=[depots[0]])[0]
        )
        return cls(streets, np.array(depots), np.flatnonzero(reached), _ways(streets))


def _ways(streets: Streets) -> list[list[tuple[int, float, float]]]:
    corners = streets.roads.corner_m
    ways: list[list[tuple[int, float, float]]] = [[] for _ in corners]
    graph = streets.reversed_graph.tocoo()
    head, tail = graph.coords
    length_m = np.hypot(*(corners[head] - corners[tail]).T)
    for at, to, minutes, metres in zip(
        tail.tolist(), head.tolist(), graph.data.tolist(), length_m.tolist(), strict=True
    ):
        ways[at].append((to, minutes, metres))
    return ways


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A job of the day; `work_s` is the truth that no policy sees."""

    row: int
    kind: JobClass
    at: int
    customers: float
    reported_s: float
    work_s: float
    needs: Skill | None

    @property
    def due_s(self) -> float:
        """When a crew must have arrived."""
        return self.reported_s + self.kind.limit_h * HOUR_S


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """All that chance decides, and the ways to each job: the same for every policy."""

    city: City
    jobs_an_hour: float
    jobs: tuple[Job, ...]
    skills: tuple[frozenset[Skill], ...]
    fields: tuple[Field, ...]

    @classmethod
    def drawn(cls, city: City, jobs_an_hour: float, seed: int) -> Day:
        """Draw a day with so many jobs an hour in the mean of 24 hours."""
        rng = np.random.default_rng([seed, round(jobs_an_hour * 1000)])
        jobs = tuple(
            _draw_job(rng, city, row, at_s)
            for row, at_s in enumerate(_arrivals_s(rng, jobs_an_hour))
        )
        corners = city.streets.roads.corner_m
        fields = tuple(city.streets.minutes_to(*corners[job.at].tolist()) for job in jobs)
        return cls(city, jobs_an_hour, jobs, _draw_skills(rng), fields)

    def starts(self) -> list[int]:
        """Give the corner of each crew's depot."""
        return [int(self.city.depots[crew % DEPOTS]) for crew in range(CREWS)]


def rate_of_hour(hour: int) -> float:
    """Give how many times as many jobs an hour brings as the mean hour of the day."""
    hours = PEAK_UNTIL_H - PEAK_FROM_H
    plain = DAY_H / (DAY_H - hours + hours * PEAK)
    return plain * (PEAK if PEAK_FROM_H <= hour < PEAK_UNTIL_H else 1.0)


def _arrivals_s(rng: Generator, jobs_an_hour: float) -> list[float]:
    at: list[float] = []
    for hour in range(DAY_H):
        count = rng.poisson(jobs_an_hour * rate_of_hour(hour))
        at += (hour * HOUR_S + rng.uniform(0, HOUR_S, count)).tolist()
    return sorted(at)


def _draw_job(rng: Generator, city: City, row: int, at_s: float) -> Job:
    kind = CLASSES[int(rng.choice(len(CLASSES), p=[one.share for one in CLASSES]))]
    customers, needs = 0.0, None
    if kind.severity == Severity.BURST:
        customers = CUSTOMERS_MEDIAN * math.exp(CUSTOMERS_SIGMA * rng.standard_normal())
        needs = Skill.EXCAVATION
    elif kind.severity == Severity.LEAK:
        customers = float(rng.integers(0, MOST_OF_LEAK + 1))
        needs = Skill.DETECTION if rng.random() < HIDDEN_SHARE else None
    work_s = kind.median_h * HOUR_S * math.exp(WORK_SIGMA * rng.standard_normal())
    at = int(rng.choice(city.sites))
    return Job(row, kind, at, customers, at_s, work_s, needs)


def _draw_skills(rng: Generator) -> tuple[frozenset[Skill], ...]:
    shares = {Skill.EXCAVATION: EXCAVATION_SHARE, Skill.DETECTION: DETECTION_SHARE}
    have = {
        skill: set(rng.permutation(CREWS)[: round(share * CREWS)].tolist())
        for skill, share in shares.items()
    }
    return tuple(
        frozenset(skill for skill in Skill if crew in have[skill]) for crew in range(CREWS)
    )


@dataclass(slots=True)
class Crew:
    """
    A crew as the day goes on.

    It stands at corner `at` from `ready_s` on: a crew that drives is, for
    others, at the next corner of its way.
    """

    skills: frozenset[Skill]
    at: int
    ready_s: float = 0.0
    job: int | None = None
    is_on_site: bool = False
    arrived_s: float = 0.0
    order: int = 0
    """Counts orders, so that the arrival of one that was taken back is not taken for news."""
    way: list[tuple[float, int, float]] = field(default_factory=list)
    """Corners ahead: when it is there, the corner, and the metres to it from the last."""
    driven_m: float = 0.0


class Policy(Protocol):
    """Says where crews that are not on a site go now."""

    def __call__(self, state: State) -> dict[int, int | None]:
        """Give crews and the job each is to drive to, None to stop; others go on as they do."""


@dataclass(slots=True)
class State:
    """What a policy may see, but for the times of repair in `day.jobs`."""

    day: Day
    now_s: float
    crews: list[Crew]
    open_jobs: list[int]
    """Reported, and nobody has arrived."""

    def travel_s(self, crew: Crew, job: int) -> float:
        """Give how long a crew would drive to a job from the next corner, the rest included."""
        minutes = float(self.day.fields[job].minutes[crew.at])
        return max(crew.ready_s - self.now_s, 0.0) + minutes * 60

    def is_fit(self, crew: Crew, job: int) -> bool:
        """Whether the crew has the skill."""
        needs = self.day.jobs[job].needs
        return needs is None or needs in crew.skills


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What became of a day."""

    avoidable_h: float
    burst_min: Numbers
    km: float
    limits_missed: int
    orders: int
    wait_s: Numbers


def play(day: Day, policy: Policy) -> Result:
    """Play a day under a policy until every job is done."""
    crews = [Crew(skills, at) for skills, at in zip(day.skills, day.starts(), strict=True)]
    state = State(day, 0.0, crews, [])
    heap: list[tuple[float, int, str, int, int]] = []
    for job in day.jobs:
        heapq.heappush(heap, (job.reported_s, len(heap), "reported", job.row, 0))
    wait_s = np.full(len(day.jobs), np.nan)
    number = len(heap)
    while heap:
        state.now_s, _, event, row, order = heapq.heappop(heap)
        if event == "reported":
            state.open_jobs.append(row)
        elif event == "arrived":
            crew = crews[row]
            if crew.order != order or crew.job is None:
                continue
            _follow(crew, state.now_s)
            job = day.jobs[crew.job]
            state.open_jobs.remove(job.row)
            wait_s[job.row] = state.now_s - job.reported_s
            crew.is_on_site, crew.arrived_s = True, state.now_s
            number += 1
            heapq.heappush(heap, (state.now_s + job.work_s, number, "done", row, 0))
            continue
        else:
            crews[row].job, crews[row].is_on_site = None, False
            crews[row].ready_s = state.now_s
        for crew in crews:
            _follow(crew, state.now_s)
        for row_of_crew, ordered in policy(state).items():
            crew = crews[row_of_crew]
            if crew.is_on_site or ordered == crew.job:
                continue
            _send(state, crew, ordered)
            if ordered is not None:
                number += 1
                there_s = crew.way[-1][0] if crew.way else max(crew.ready_s, state.now_s)
                heapq.heappush(heap, (there_s, number, "arrived", row_of_crew, crew.order))
    return _result(day, crews, wait_s)


def _follow(crew: Crew, now_s: float) -> None:
    """Move a crew to the first corner of its way that it has not passed yet."""
    while crew.way and crew.ready_s < now_s - 1e-6:
        crew.ready_s, crew.at, length_m = crew.way.pop(0)
        crew.driven_m += length_m


def _send(state: State, crew: Crew, job: int | None) -> None:
    crew.order += 1
    crew.job = job
    crew.way = []
    if job is None:
        return
    at_s = max(crew.ready_s, state.now_s)
    crew.ready_s = at_s
    minutes, at = state.day.fields[job].minutes, crew.at
    while at != state.day.jobs[job].at:
        step_min, at, length_m = min(
            (step + float(minutes[to]), to, length) for to, step, length in state.day.city.ways[at]
        )
        step_s = (step_min - float(minutes[at])) * 60
        at_s += step_s
        crew.way.append((at_s, at, length_m))


def _result(day: Day, crews: list[Crew], wait_s: Numbers) -> Result:
    customers = np.array([job.customers for job in day.jobs])
    is_burst = np.array([job.kind.severity == Severity.BURST for job in day.jobs])
    limit_s = np.array([job.kind.limit_h * HOUR_S for job in day.jobs])
    return Result(
        avoidable_h=float((customers * wait_s).sum() / HOUR_S),
        burst_min=wait_s[is_burst] / 60,
        km=sum(crew.driven_m for crew in crews) / 1000,
        limits_missed=int((wait_s > limit_s).sum()),
        orders=sum(crew.order for crew in crews),
        wait_s=wait_s,
    )
