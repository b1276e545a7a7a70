"""Policies for a burst day: three to beat, and that of the application."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.burst_day import (
    CLASSES,
    CUSTOMERS_MEDIAN,
    CUSTOMERS_SIGMA,
    DAY_H,
    HIDDEN_SHARE,
    HOUR_S,
    MOST_OF_LEAK,
    Skill,
    rate_of_hour,
)
from gis.assignment import Board, Calls, decide, job_weight, late_weight

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.burst_day import City, Crew, Policy, State

    Cost = Callable[[State, Crew, int], float]
    Rank = Callable[[State, int], tuple[float, float]]

SPOTS = 150
"""Places from which calls are expected, spread by chance over the city."""
USUAL_WAIT_MIN = (4.0, 6.0, 9.0), (12.0, 21.0, 38.0)
"""How long bursts wait by jobs an hour, where the nearest crew is sent: what records would say."""
DIVERSION_S = 150.0
"""Of each of both jobs: 300 s between equal ones."""


def greedy(rank: Rank, cost: Cost) -> Policy:
    """
    Send the crew that costs least among those free and fit to the job that ranks first.

    And so on while a job waits and a crew is free. Whoever is under way goes on.
    """

    def policy(state: State) -> dict[int, int | None]:
        orders: dict[int, int | None] = {}
        going = {crew.job for crew in state.crews if not crew.is_on_site}
        free = {row for row, crew in enumerate(state.crews) if crew.job is None}
        waiting = {job for job in state.open_jobs if job not in going}
        while True:
            pairs = [
                (rank(state, job), cost(state, state.crews[row], job), job, row)
                for job in waiting
                for row in free
                if state.is_fit(state.crews[row], job)
            ]
            if not pairs:
                return orders
            _, _, job, row = min(pairs)
            orders[row] = job
            free.discard(row)
            waiting.discard(job)

    return policy


def by_road(state: State, crew: Crew, job: int) -> float:
    """Cost the time to drive there."""
    return state.travel_s(crew, job)


def by_straight_line(state: State, crew: Crew, job: int) -> float:
    """Cost the metres as the crow flies."""
    corners = state.day.city.streets.roads.corner_m
    east_m, north_m = corners[crew.at] - corners[state.day.jobs[job].at]
    return float(np.hypot(east_m, north_m))


def by_class_and_age(state: State, job: int) -> tuple[float, float]:
    """Rank bursts first, then leaks; within a class the oldest."""
    found = state.day.jobs[job]
    return CLASSES.index(found.kind), found.reported_s


def by_class(state: State, job: int) -> tuple[float, float]:
    """Rank bursts first, then leaks; within a class the nearest pair of job and crew decides."""
    return CLASSES.index(state.day.jobs[job].kind), 0.0


def by_age(state: State, job: int) -> tuple[float, float]:
    """Rank the oldest first."""
    return state.day.jobs[job].reported_s, 0.0


def weighted(state: State) -> dict[int, int | None]:
    """Decide as the application does, by `gis.assignment`."""
    if not state.open_jobs:
        return {}
    crew_job = decide(board_of(state)).crew_job.tolist()
    return {
        row: None if job < 0 else state.open_jobs[job]
        for row, (job, crew) in enumerate(zip(crew_job, state.crews, strict=True))
        if not crew.is_on_site
    }


POLICIES: dict[str, Policy] = {
    "nearest by straight line": greedy(by_class_and_age, by_straight_line),
    "nearest by road": greedy(by_class_and_age, by_road),
    "nearest pair by road": greedy(by_class, by_road),
    "first come, first served": greedy(by_age, by_road),
    "fieldops": weighted,
}


def board_of(state: State) -> Board:
    """Put on a board what a policy may know."""
    jobs = [state.day.jobs[row] for row in state.open_jobs]
    column = {job.row: k for k, job in enumerate(jobs)}
    at = np.array([crew.at for crew in state.crews])
    places = np.concatenate([at, [job.at for job in jobs]])
    minutes = np.array([state.day.fields[job.row].minutes[places] for job in jobs])
    ways_s = minutes.T.astype(np.float64) * 60
    free_in_s = np.array([_free_in_s(state, crew) for crew in state.crews])
    rest_s = np.array([max(crew.ready_s - state.now_s, 0.0) for crew in state.crews])
    current = [
        column[crew.job] if crew.job is not None and not crew.is_on_site else -1
        for crew in state.crews
    ]
    is_fit = [[state.is_fit(crew, job.row) for job in jobs] for crew in state.crews]
    crews = len(state.crews)
    return Board(
        travel_s=ways_s[:crews] + rest_s[:, None],
        weight=np.array(
            [
                job_weight(
                    job.customers,
                    0,
                    job.kind.severity,
                    state.now_s - job.reported_s,
                    job.kind.limit_h * HOUR_S,
                )
                for job in jobs
            ]
        ),
        is_fit=np.array(is_fit, dtype=np.bool_),
        crews_needed=np.ones(len(jobs), dtype=np.int32),
        release_s=np.zeros(len(jobs)),
        work_s=np.array([job.kind.mean_work_s for job in jobs]),
        due_s=np.array([job.due_s - state.now_s for job in jobs]),
        current=np.array(current, dtype=np.int32),
        is_divertible=np.ones(crews, dtype=np.bool_),
        free_in_s=free_in_s,
        pinned=np.full(crews, -1, dtype=np.int32),
        between_s=ways_s[crews:],
        late=np.array([late_weight(job.kind.severity) for job in jobs]),
        calls=_calls(state, at),
        diversion_s=DIVERSION_S,
    )


def _free_in_s(state: State, crew: Crew) -> float:
    """Guess when a crew on a site is done, from the kind of its job and how long it is there."""
    if not crew.is_on_site or crew.job is None:
        return 0.0
    return state.day.jobs[crew.job].kind.left_s(state.now_s - crew.arrived_s)


@cache
def _minutes_to_spots(city: City) -> NDArray[np.float64]:
    corners = city.streets.roads.corner_m
    spots = np.random.default_rng(0).choice(city.sites, SPOTS)
    return np.array(
        [city.streets.minutes_to(*corners[spot].tolist()).minutes for spot in spots],
        dtype=np.float64,
    )


def _calls(state: State, at: NDArray[np.int64]) -> Calls:
    """Expect what the utility's records tell: jobs of the hour, usual waits, anywhere alike."""
    load, hour = state.day.jobs_an_hour, int(state.now_s / HOUR_S) % DAY_H
    per_s = load * rate_of_hour(hour) / HOUR_S
    usual_wait_s = np.interp(load, *USUAL_WAIT_MIN) * 60
    burst, leak, routine = CLASSES
    customers = CUSTOMERS_MEDIAN * np.exp(CUSTOMERS_SIGMA**2 / 2)
    kinds = (
        (burst, burst.share, customers, Skill.EXCAVATION),
        (leak, leak.share * HIDDEN_SHARE, MOST_OF_LEAK / 2, Skill.DETECTION),
        (leak, leak.share * (1 - HIDDEN_SHARE), MOST_OF_LEAK / 2, None),
        (routine, routine.share, 0.0, None),
    )
    return Calls(
        per_s=np.array([per_s * share for _, share, _, _ in kinds]),
        weight=np.array(
            [job_weight(out, 0, kind.severity, 0, np.inf) for kind, _, out, _ in kinds]
        ),
        usual_wait_s=np.full(len(kinds), usual_wait_s),
        is_fit=np.array(
            [[skill is None or skill in crew.skills for *_, skill in kinds] for crew in state.crews]
        ),
        travel_s=_minutes_to_spots(state.day.city)[:, at].T * 60,
    )
