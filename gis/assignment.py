"""Which crew goes to which job: weighted waiting first, travel second, pins and skills always."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from gis.job_weights import Severity, job_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows

__all__ = [
    "Board",
    "Candidate",
    "Decision",
    "Hindrance",
    "Severity",
    "decide",
    "explain",
    "job_weight",
]

NONE = -1
"""No job."""
POSTPONED_S = 48 * 3600.0
"""What leaving a job to nobody counts as, in seconds of its waiting; sending anybody is better."""


class Hindrance(IntFlag):
    """Why a crew cannot take a job now."""

    NONE = 0
    UNFIT = 1
    """Lacks a skill, equipment or time left in the shift."""
    NO_WAY = 2
    """No street leads there."""
    PINNED = 4
    """A dispatcher has pinned the crew to another job."""
    AT_WORK = 8
    """Is on a site, and free later."""
    UNDER_WAY = 16
    """Is on its way to another job and may not be diverted."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Board:
    """
    Crews and open jobs at one moment; all times in seconds from now.

    Jobs are those that still need crews to arrive. A crew at work on a job
    that needs nobody else has no `current` but a `free_in_s`.

    Attributes
    ----------
    travel_s
        From where the crew is, or will be when it is free, to the job; inf where there is no way.
        Shape (crews, jobs).
    weight
        Customers out that a second of waiting is worth, from `job_weight`. Shape (jobs,).
    is_fit
        Whether the crew has what the job needs. Shape (crews, jobs).
    crews_needed
        Crews that must come, 1 or more. Shape (jobs,).
    release_s
        When work may begin (permits, earlier stages); not above 0 for now. Shape (jobs,).
    work_s
        Expected time on site. Shape (jobs,).
    due_s
        When a crew must have arrived; below 0 where that is past, inf for no limit. Shape (jobs,).
    current
        The job that a crew is ordered to, -1 for none. Shape (crews,).
    is_divertible
        Whether the crew may be ordered away from it. Shape (crews,).
    free_in_s
        Until the crew can leave where it is, 0 for now. Shape (crews,).
    pinned
        The job that a dispatcher has pinned the crew to, -1 for none. Shape (crews,).
    between_s
        From job to job, for queues; where None, guessed from `travel_s`. Shape (jobs, jobs).
    diversion_s
        Gain, in seconds of a job's waiting, below which no crew under way is diverted.
    """

    travel_s: Numbers
    weight: Numbers
    is_fit: Flags
    crews_needed: Rows
    release_s: Numbers
    work_s: Numbers
    due_s: Numbers
    current: Rows
    is_divertible: Flags
    free_in_s: Numbers
    pinned: Rows
    between_s: Numbers | None = None
    diversion_s: float = 600.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decision:
    """
    Who goes where.

    Attributes
    ----------
    crew_job
        The job that each crew goes to now, or stays with; -1 for none. Shape (crews,).
    queues
        For each crew the jobs expected after that, in order.
    total
        The weighted waiting of the immediate assignment, in customer-seconds.
    """

    crew_job: Rows
    queues: list[list[int]]
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A crew considered for a job, and what sending it costs.

    Attributes
    ----------
    crew
        Row of the crew.
    travel_s, arrive_s
        Its way, and when it would be there; inf for never.
    weight
        Of the job.
    hindrance
        Why it cannot go, if so.
    slack_s
        From its arrival to the limit; below 0 too late.
    diversion_s
        What is charged for taking it off its present job.
    cost
        In customer-seconds, as compared by `decide`; inf where it cannot go.
    rank
        1 for the cheapest; crews that cannot go follow by travel.
    is_chosen
        Whether the decision sends it.
    """

    crew: int
    travel_s: float
    arrive_s: float
    weight: float
    hindrance: Hindrance
    slack_s: float
    diversion_s: float
    cost: float
    rank: int
    is_chosen: bool


def decide(board: Board) -> Decision:
    """
    Assign crews to jobs so that weighted waiting is least.

    Parameters
    ----------
    board
        Crews and open jobs.

    Notes
    -----
    Rectangular assignment by shortest augmenting paths (Crouse, IEEE
    Trans. Aerosp. Electron. Syst. 52, 2016), as scipy has it.
    """
    crews, jobs = board.travel_s.shape
    cost = np.where(np.isfinite(_costs(board)), _costs(board), np.inf)
    place = np.repeat(np.arange(jobs), board.crews_needed)
    nobody = np.where(np.eye(place.size, dtype=np.bool_), board.weight[place] * POSTPONED_S, 1e300)
    crew_job = np.full(crews, NONE, dtype=np.int32)
    if place.size == 0:
        return Decision(crew_job=crew_job, queues=[[] for _ in range(crews)], total=0.0)
    matrix = np.hstack([np.minimum(cost[:, place].T, 1e300), nobody])
    row, column = linear_sum_assignment(matrix)
    total = float(matrix[row, column].sum())
    queues: list[list[int]] = [[] for _ in range(crews)]
    for at, crew in zip(row.tolist(), column.tolist(), strict=True):
        if crew >= crews or not np.isfinite(cost[crew, place[at]]):
            continue
        if board.free_in_s[crew] > 0:
            queues[crew].append(int(place[at]))
        else:
            crew_job[crew] = place[at]
    return Decision(crew_job=crew_job, queues=queues, total=total)


def explain(board: Board, decision: Decision, job: int) -> list[Candidate]:
    """
    List every crew for a job with the parts of its cost, the cheapest first.

    Parameters
    ----------
    board, decision
        As decided; the costs are those that decided.
    job
        Row of the job.
    """
    arrive = _arrive_s(board)[:, job]
    cost = _costs(board)[:, job]
    charged = _diversion_s(board)[:, job]
    hindrances = _hindrances(board, job)
    order = np.lexsort([board.travel_s[:, job], cost])
    return [
        Candidate(
            crew=crew,
            travel_s=float(board.travel_s[crew, job]),
            arrive_s=float(arrive[crew]),
            weight=float(board.weight[job]),
            hindrance=hindrances[crew],
            slack_s=float(board.due_s[job] - arrive[crew]),
            diversion_s=float(charged[crew]),
            cost=float(cost[crew]),
            rank=rank,
            is_chosen=bool(decision.crew_job[crew] == job),
        )
        for rank, crew in enumerate(order.tolist(), start=1)
    ]


def _arrive_s(board: Board) -> Numbers:
    """Give when each crew could begin each job; inf for never."""
    there = board.free_in_s[:, None] + board.travel_s
    return np.maximum(there, board.release_s[None, :])


def _diversion_s(board: Board) -> Numbers:
    """Give what is charged for taking a crew off its present job, or a job from its crew."""
    job = np.arange(board.weight.size)
    is_other = (board.current != NONE)[:, None] & (board.current[:, None] != job)
    return np.where(is_other, board.diversion_s, 0.0)


def _costs(board: Board) -> Numbers:
    """Give what sending each crew to each job costs; inf where it cannot go."""
    job = np.arange(board.weight.size)
    is_bound = (board.current != NONE) & ~board.is_divertible
    only = np.where(board.pinned != NONE, board.pinned, np.where(is_bound, board.current, NONE))
    cost = board.weight * (_arrive_s(board) + _diversion_s(board))
    cost = np.where(board.is_fit | (only[:, None] == job), cost, np.inf)
    cost = np.where((only[:, None] != NONE) & (only[:, None] != job), np.inf, cost)
    # What is bound or pinned stays so, before anything else is weighed.
    return np.where(only[:, None] == job, np.minimum(cost, 0.0) - 1e15, cost)


def _hindrances(board: Board, job: int) -> list[Hindrance]:
    is_other = (board.current != NONE) & (board.current != job)
    reasons: list[tuple[NDArray[np.bool_], Hindrance]] = [
        (~board.is_fit[:, job], Hindrance.UNFIT),
        (~np.isfinite(board.travel_s[:, job]), Hindrance.NO_WAY),
        ((board.pinned != NONE) & (board.pinned != job), Hindrance.PINNED),
        (board.free_in_s > 0, Hindrance.AT_WORK),
        (is_other & ~board.is_divertible, Hindrance.UNDER_WAY),
    ]
    found = [Hindrance.NONE] * board.current.size
    for applies, reason in reasons:
        for crew in np.flatnonzero(applies).tolist():
            found[crew] |= reason
    return found
