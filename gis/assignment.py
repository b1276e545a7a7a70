"""
Which crew goes to which job: weighted waiting first, travel second, pins and skills always.

What decides is one cost, in customer-seconds: for each job its weight times the
time until a crew is there, more for every second past its limit, a charge for
taking a crew off its way, and what the crew's absence costs those who call
meanwhile. Each crew has a queue; the jobs that come next are matched with the
crews so that no other matching costs less (`gis.queues`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np

from gis.job_weights import DANGER_WEIGHT, Severity, job_weight, late_weight
from gis.queues import Legs, Queues, matching_costs, plan
from gis.reserves import Calls, absence_costs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers, Rows

__all__ = [
    "Board",
    "Calls",
    "Candidate",
    "Decision",
    "Hindrance",
    "Ranking",
    "Severity",
    "decide",
    "explain",
    "job_weight",
    "late_weight",
]

NONE = -1
"""No job."""
DAY_S = 86400.0
EARLY_S = 300.0
"""No crew sets out to wait longer than this on the site, for a permit or for another crew."""
MARGIN_S = 1800.0
"""Lateness is counted from so long before the limit, for nobody knows how long work takes."""
WITNESSES = 16
"""So many crews' ways tell how far jobs are apart where `between_s` is not given."""


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
    late
        What each second past the limit costs besides, from `late_weight`; where None,
        the weight once more. Shape (jobs,).
    calls
        What may be reported next, so that no crew is spent lightly; None to leave it out.
    diversion_s
        Gain, in seconds of waiting of both jobs, below which no crew is diverted from one
        to the other.
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
    late: Numbers | None = None
    calls: Calls | None = None
    diversion_s: float = 300.0


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
        The cost of everything planned, in customer-seconds.
    """

    crew_job: Rows
    queues: list[list[int]]
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A crew considered for a job, and what sending it next costs.

    Attributes
    ----------
    crew
        Row of the crew.
    travel_s, arrive_s
        Its way, and when it could begin; inf for never.
    weight
        Of the job.
    hindrance
        Why it cannot go now, if so.
    slack_s
        From its arrival to the limit; below 0 too late.
    diversion_s
        What is charged for taking it off its present job.
    waiting, lateness, diversion, absence, behind
        The parts of the cost, in customer-seconds: until it is there, past the limit, for
        the diversion, for those who call meanwhile, and for the jobs that it would do later.
    cost
        Their sum, as compared by `decide`; inf where it cannot go.
    rank
        1 for the cheapest; crews that cannot go follow by travel.
    is_chosen
        Whether the decision sends it now.
    """

    crew: int
    travel_s: float
    arrive_s: float
    weight: float
    hindrance: Hindrance
    slack_s: float
    diversion_s: float
    waiting: float
    lateness: float
    diversion: float
    absence: float
    behind: float
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

    Returns
    -------
    Decision
        A job gets all the crews it needs or, where there are too few that are fit, none but
        those pinned to it. A crew whose next job it would reach too early stays where it is.

    Notes
    -----
    Assignment on weighted times with look-ahead, after every event anew
    (Bertsimas and van Ryzin, Operations Research 39, 1991; matching as
    Crouse, IEEE Trans. Aerosp. Electron. Syst. 52, 2016).
    """
    places = _Places.of(board)
    if places.job.size == 0:
        crews = board.free_in_s.size
        return Decision(
            crew_job=np.full(crews, NONE, dtype=np.int32),
            queues=[[] for _ in range(crews)],
            total=0.0,
        )
    legs, queues = places.legs, places.queues()
    total = plan(legs, queues)
    together_s = _together_s(board, legs, queues)
    if (together_s > legs.release_s).any():
        changed = np.zeros(board.free_in_s.size, dtype=np.bool_)
        for crew in range(changed.size):
            place = queues.place[crew, : queues.size[crew]]
            changed[crew] = (together_s > legs.release_s)[place].any()
        legs = legs._replace(release_s=together_s)
        total = plan(legs, queues, changed)
    return _decision(board, legs, queues, total)


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
    return Ranking.of(board, decision).candidates(job)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """
    One place for each crew that a job needs.

    Attributes
    ----------
    job
        Of each place. Shape (places,).
    legs
        What queues of them cost.
    starts
        The place that each crew has before anything is planned, -1 for none. Shape (crews,).
    """

    job: NDArray[np.int64]
    legs: Legs
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, board: Board) -> _Places:
        """Give each job its places; a job for which too few crews are fit has only pinned ones."""
        jobs = board.weight.size
        is_possible, kept = _is_possible(board), _kept(board)
        pinned = np.bincount(kept[kept != NONE], minlength=jobs)
        asked = np.maximum(board.crews_needed.astype(np.int64), pinned)
        count = np.where(is_possible.sum(axis=0) >= asked, asked, pinned)
        job = np.repeat(np.arange(jobs), count)
        first_place = np.concatenate([[0], np.cumsum(count)[:-1]]) if jobs else count
        is_bound = np.zeros(job.size, dtype=np.bool_)
        starts = np.full(board.free_in_s.size, NONE, dtype=np.int64)
        used = np.zeros(jobs, dtype=np.int64)
        for crew in np.argsort(kept == NONE, kind="stable").tolist():
            at = int(kept[crew]) if kept[crew] != NONE else int(board.current[crew])
            if at == NONE or used[at] == count[at] or not is_possible[crew, at]:
                continue
            starts[crew] = first_place[at] + used[at]
            is_bound[starts[crew]] = kept[crew] != NONE
            used[at] += 1
        return cls(job, _legs(board, job, is_bound, is_possible), starts)

    def place_of(self, job: int) -> int:
        """Give the first place of a job that has any."""
        return int(np.searchsorted(self.job, job))

    def queues(self) -> Queues:
        """Give the queues from which planning begins."""
        place = np.zeros((self.starts.size, self.job.size), dtype=np.int64)
        size = (self.starts != NONE).astype(np.int64)
        place[:, 0] = np.maximum(self.starts, 0)
        return Queues(place, size)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """
    Who costs how much for which job, as decided: made once, asked for one job after the other.

    Attributes
    ----------
    arrive_s, charged_s, waiting, lateness, diversion, absence
        When each crew could begin each job, what is charged for its diversion, and the parts of
        the cost in customer-seconds. Shape (crews, jobs).
    can_go
        Whether a crew may be sent to a job. Shape (crews, jobs).
    """

    board: Board
    decision: Decision
    arrive_s: Numbers
    charged_s: Numbers
    waiting: Numbers
    lateness: Numbers
    diversion: Numbers
    absence: Numbers
    can_go: Flags
    _places: _Places
    _queues: Queues
    _after: dict[int, list[int]]
    """The crews in whose queue a job stands behind another."""

    @classmethod
    def of(cls, board: Board, decision: Decision) -> Ranking:
        """Work out all that is the same for every job."""
        arrive_s = _arrive_s(board)
        comes = np.isfinite(arrive_s)
        early_s = board.due_s - np.where(comes, arrive_s, 0.0)
        late = _late(board) * np.maximum(MARGIN_S - np.where(comes, early_s, -np.inf), 0.0)
        kept = _kept(board)[:, None]
        is_free = (kept == NONE) | (kept == np.arange(board.weight.size))
        places = _Places.of(board)
        after: dict[int, list[int]] = {}
        for crew, jobs in enumerate(decision.queues):
            for job in jobs:
                after.setdefault(job, []).append(crew)
        return cls(
            board=board,
            decision=decision,
            arrive_s=arrive_s,
            charged_s=_diversion_s(board),
            waiting=board.weight * arrive_s,
            lateness=late,
            diversion=_diversions(board),
            absence=_absence(board),
            can_go=_is_possible(board) & is_free & comes,
            _places=places,
            _queues=_lines(decision, places),
            _after=after,
        )

    def costs(self, job: int) -> Numbers:
        """Give what a job adds to each crew's cost, inf where it cannot go. Shape (crews,)."""
        return np.where(self.can_go[:, job], self._added(job, self._alone(job)), np.inf)

    def runner_up(self, job: int) -> int | None:
        """Give the crew that costs least of those that the job was not given to."""
        costs = np.where(self.decision.crew_job == job, np.inf, self.costs(job))
        best = int(np.lexsort([self.board.travel_s[:, job], costs])[0]) if costs.size else NONE
        return best if best != NONE and np.isfinite(costs[best]) else None

    def candidates(self, job: int) -> list[Candidate]:
        """List every crew for a job, the cheapest first."""
        board, decision = self.board, self.decision
        alone, cost = self._alone(job), self.costs(job)
        arrive_s = self.arrive_s[:, job]
        comes = np.isfinite(arrive_s)
        slack_s = np.where(comes, board.due_s[job] - np.where(comes, arrive_s, 0.0), -np.inf)
        hindrances = _hindrances(board, job)
        order = np.lexsort([board.travel_s[:, job], cost])
        return [
            Candidate(
                crew=crew,
                travel_s=float(board.travel_s[crew, job]),
                arrive_s=float(self.arrive_s[crew, job]),
                weight=float(board.weight[job]),
                hindrance=hindrances[crew],
                slack_s=float(slack_s[crew]),
                diversion_s=float(self.charged_s[crew, job]),
                waiting=float(self.waiting[crew, job]),
                lateness=float(self.lateness[crew, job]),
                diversion=float(self.diversion[crew, job]),
                absence=float(self.absence[crew, job]),
                behind=float(cost[crew] - alone[crew]) if np.isfinite(cost[crew]) else 0.0,
                cost=float(cost[crew]),
                rank=rank,
                is_chosen=bool(decision.crew_job[crew] == job),
            )
            for rank, crew in enumerate(order.tolist(), start=1)
        ]

    def _alone(self, job: int) -> Numbers:
        parts = (self.waiting, self.lateness, self.diversion, self.absence)
        found: Numbers = sum(part[:, job] for part in parts)  # type: ignore[assignment]
        return found

    def _added(self, job: int, alone: Numbers) -> Numbers:
        """Give what a job adds to each crew's cost when it comes first, its queue behind."""
        of_job = np.flatnonzero(self._places.job == job)
        if of_job.size == 0:
            return alone
        queues = Queues(self._queues.place.copy(), self._queues.size.copy())
        now = self.decision.crew_job
        queues.place[(now == NONE) | (now == job), 0] = of_job[0]
        for crew in self._after.get(job, ()):
            behind = [self._places.place_of(o) for o in self.decision.queues[crew] if o != job]
            queues.place[crew, 1 : 1 + len(behind)] = behind
            queues.size[crew] = 1 + len(behind)
        costs = matching_costs(self._places.legs, queues, of_job[:1])
        # A shared job's place has its share of the cost.
        return (costs[:, 0] - costs[:, 1]) * of_job.size


def _lines(decision: Decision, places: _Places) -> Queues:
    """Give each crew's queue; first stands its job, or room for the one that is asked about."""
    # One place more than there are: whoever is asked about comes before all the others.
    place = np.zeros((places.starts.size, places.job.size + 1), dtype=np.int64)
    queues = Queues(place, np.zeros(places.starts.size, dtype=np.int64))
    for crew, after in enumerate(decision.queues):
        now = int(decision.crew_job[crew])
        line = [0 if now == NONE else places.place_of(now), *map(places.place_of, after)]
        queues.place[crew, : len(line)] = line
        queues.size[crew] = len(line)
    return queues


def _legs(board: Board, job: NDArray[np.int64], is_bound: Flags, is_possible: Flags) -> Legs:
    share = 1.0 / np.maximum(np.bincount(job, minlength=board.weight.size), 1)[job]
    charge = _diversions(board) + _absence(board)
    return Legs(
        free_s=board.free_in_s.astype(np.float64),
        # A pin holds where no street leads; the planning goes on as if it took a day.
        first_s=np.where(np.isfinite(board.travel_s), board.travel_s, DAY_S)[:, job],
        between_s=np.ascontiguousarray(_between_s(board)[np.ix_(job, job)]),
        work_s=board.work_s[job].astype(np.float64),
        release_s=board.release_s[job].astype(np.float64),
        due_s=board.due_s[job].astype(np.float64) - MARGIN_S,
        weight=board.weight[job] * share,
        late=_late(board)[job] * share,
        charge=charge[:, job] * share,
        job=job,
        is_fit=is_possible[:, job],
        is_bound=is_bound,
    )


def _decision(board: Board, legs: Legs, queues: Queues, total: float) -> Decision:
    crews = board.free_in_s.size
    crew_job = np.full(crews, NONE, dtype=np.int32)
    after: list[list[int]] = []
    for crew in range(crews):
        place = queues.place[crew, : queues.size[crew]]
        jobs = legs.job[place].tolist()
        if jobs and board.free_in_s[crew] <= 0:
            is_going = board.current[crew] == jobs[0] or legs.is_bound[place[0]]
            early_s = legs.release_s[place[0]] - legs.first_s[crew, place[0]]
            if is_going or early_s <= EARLY_S:
                crew_job[crew] = jobs.pop(0)
        after.append(jobs)
    return Decision(crew_job=crew_job, queues=after, total=total)


def _together_s(board: Board, legs: Legs, queues: Queues) -> Numbers:
    """Give when work on each place can begin: with the last crew, but danger waits for none."""
    begins_s = np.full(legs.weight.size, -np.inf)
    for crew in range(queues.size.size):
        clock, last = float(legs.free_s[crew]), NONE
        for place in queues.place[crew, : queues.size[crew]].tolist():
            way_s = legs.first_s[crew, place] if last == NONE else legs.between_s[last, place]
            clock = max(clock + float(way_s), float(legs.release_s[place]))
            begins_s[place] = clock
            clock, last = clock + float(legs.work_s[place]), place
    last_s = np.full(board.weight.size, -np.inf)
    np.maximum.at(last_s, legs.job, begins_s)
    is_shared = (np.bincount(legs.job, minlength=last_s.size) > 1) & (board.weight < DANGER_WEIGHT)
    return np.maximum(legs.release_s, np.where(is_shared, last_s, -np.inf)[legs.job])


def _arrive_s(board: Board) -> Numbers:
    """Give when each crew could begin each job; inf for never."""
    there = board.free_in_s[:, None] + board.travel_s
    return np.maximum(there, board.release_s[None, :])


def _diversion_s(board: Board) -> Numbers:
    """Give what is charged for taking a crew off its present job."""
    job = np.arange(board.weight.size)
    is_other = (board.current != NONE)[:, None] & (board.current[:, None] != job)
    return np.where(is_other, board.diversion_s, 0.0)


def _diversions(board: Board) -> Numbers:
    """Give the same in customer-seconds: those of the new job, and of the one that was promised."""
    weight = np.append(board.weight, 0.0)
    both: Numbers = board.weight + weight[board.current][:, None]
    return _diversion_s(board) * both


def _late(board: Board) -> Numbers:
    return board.weight if board.late is None else board.late


def _absence(board: Board) -> Numbers:
    """Give what a crew's absence costs those who call meanwhile."""
    if board.calls is None:
        return np.zeros(board.travel_s.shape)
    way_s = np.where(np.isfinite(board.travel_s), board.travel_s, 0.0)
    return absence_costs(board.calls, board.free_in_s, way_s + board.work_s)


def _between_s(board: Board) -> Numbers:
    """Give the ways from job to job; where unknown, the most by which any crew's ways differ."""
    if board.between_s is not None:
        return board.between_s.astype(np.float64)
    ways = np.where(np.isfinite(board.travel_s), board.travel_s, 0.0)[:WITNESSES]
    found = np.zeros((board.weight.size, board.weight.size))
    for way in ways:
        np.maximum(found, np.abs(way[:, None] - way[None, :]), out=found)
    return found


def _kept(board: Board) -> Rows:
    """Give the job that each crew is pinned or bound to; -1 for none."""
    is_bound = (board.current != NONE) & ~board.is_divertible
    return np.where(board.pinned != NONE, board.pinned, np.where(is_bound, board.current, NONE))


def _is_possible(board: Board) -> Flags:
    """Tell which crew may be sent to which job; a pin stands whatever speaks against it."""
    job = np.arange(board.weight.size)
    kept = _kept(board)[:, None]
    is_possible: Flags = (board.is_fit & np.isfinite(board.travel_s)) | (kept == job)
    return is_possible


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
