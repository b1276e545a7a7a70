"""Who goes where: against brute force on small boards, and rule by rule."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.assignment import (
    MARGIN_S,
    Board,
    Calls,
    Hindrance,
    Severity,
    decide,
    explain,
    job_weight,
    late_weight,
)

if TYPE_CHECKING:
    from gis.assignment import Decision

INF = float("inf")
MIN = 60.0


def board(travel_min: list[list[float]], **facts: Any) -> Board:  # noqa: ANN401 - arrays of any kind
    """Lay out a board of crews (rows) and jobs (columns), all alike but for what is said."""
    travel_s = np.array(travel_min, dtype=np.float64).reshape(len(travel_min), -1) * MIN
    crews, jobs = travel_s.shape
    plain: dict[str, Any] = {
        "weight": np.full(jobs, 10.0),
        "is_fit": np.ones((crews, jobs), dtype=np.bool_),
        "crews_needed": np.ones(jobs, dtype=np.int32),
        "release_s": np.zeros(jobs),
        "work_s": np.full(jobs, 60 * MIN),
        "due_s": np.full(jobs, INF),
        "current": np.full(crews, -1, dtype=np.int32),
        "is_divertible": np.ones(crews, dtype=np.bool_),
        "free_in_s": np.zeros(crews),
        "pinned": np.full(crews, -1, dtype=np.int32),
    }
    given_facts = {
        name: np.asarray(value, plain[name].dtype) for name, value in facts.items() if name in plain
    }
    rest = {name: value for name, value in facts.items() if name not in plain}
    return Board(travel_s=travel_s, **plain | given_facts, **rest)


def sent(travel_min: list[list[float]], **facts: Any) -> list[int]:  # noqa: ANN401 - as above
    """Give the job that each crew is sent to."""
    found: list[int] = decide(board(travel_min, **facts)).crew_job.tolist()
    return found


def lines(decision: Decision) -> list[list[int]]:
    """Give all jobs of each crew in order, the present one first."""
    return [
        [now, *after] if now >= 0 else after
        for now, after in zip(decision.crew_job.tolist(), decision.queues, strict=True)
    ]


def line_cost(drawn: Board, crew: int, line: list[int]) -> float:
    """Cost a crew's jobs in order, straight from the definition."""
    assert drawn.between_s is not None
    assert drawn.late is not None
    clock, total, last = float(drawn.free_in_s[crew]), 0.0, -1
    for job in line:
        clock += drawn.travel_s[crew, job] if last < 0 else drawn.between_s[last, job]
        clock = max(clock, drawn.release_s[job])
        total += drawn.weight[job] * clock
        total += drawn.late[job] * max(clock + MARGIN_S - drawn.due_s[job], 0.0)
        current = int(drawn.current[crew])
        if last < 0 and current not in {-1, job}:
            total += drawn.diversion_s * (drawn.weight[job] + drawn.weight[current])
        clock += drawn.work_s[job]
        last = job
    return total


@st.composite
def boards(draw: st.DrawFn, crews_needed: int = 1) -> Board:
    """Draw up to four crews and five jobs."""
    crews, jobs = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    crew_at, job_at = rng.uniform(0, 1800, (crews, 2)), rng.uniform(0, 1800, (jobs, 2))
    travel_s = np.hypot(*(crew_at[:, None] - job_at).transpose(2, 0, 1))
    travel_s[rng.random((crews, jobs)) < 0.1] = np.inf
    current = np.where(rng.random(crews) < 0.4, rng.integers(0, jobs, crews), -1)
    pinned = np.where(rng.random(crews) < 0.1, rng.integers(0, jobs, crews), -1)
    busy = rng.random(crews) < 0.3
    return Board(
        travel_s=travel_s,
        weight=rng.choice([1.0, 5.0, 20.0, 100.0, 500.0], jobs),
        is_fit=rng.random((crews, jobs)) < 0.8,
        crews_needed=rng.integers(1, crews_needed + 1, jobs).astype(np.int32),
        release_s=np.where(rng.random(jobs) < 0.2, rng.uniform(0, 7200, jobs), 0.0),
        work_s=rng.uniform(600, 14400, jobs),
        due_s=np.where(rng.random(jobs) < 0.7, rng.uniform(-1800, 7200, jobs), np.inf),
        current=np.where(busy, -1, current).astype(np.int32),
        is_divertible=rng.random(crews) < 0.8,
        free_in_s=np.where(busy, rng.uniform(1, 7200, crews), 0.0),
        pinned=pinned.astype(np.int32),
        between_s=np.hypot(*(job_at[:, None] - job_at).transpose(2, 0, 1)),
        late=rng.choice([1.0, 30.0], jobs),
        diversion_s=float(rng.choice([0.0, 300.0, 900.0])),
    )


def unbound(drawn: Board) -> Board:
    """Take pins away, and let everybody be diverted."""
    return replace(
        drawn,
        pinned=np.full_like(drawn.pinned, -1),
        is_divertible=np.ones_like(drawn.is_divertible),
    )


@settings(max_examples=80, deadline=None)
@given(boards())
def test_its_total_is_what_its_queues_cost_by_definition(drawn: Board) -> None:
    """Nothing is counted that is not defined, and nothing left out."""
    drawn = unbound(drawn)
    decision = decide(drawn)
    cost = sum(line_cost(drawn, crew, line) for crew, line in enumerate(lines(decision)))
    assert decision.total == pytest.approx(cost)


@settings(max_examples=80, deadline=None)
@given(boards())
def test_no_other_way_to_hand_out_the_next_jobs_costs_less(drawn: Board) -> None:
    """Every other way is tried, each crew's later jobs as they are."""
    drawn = unbound(drawn)
    decision = decide(drawn)
    all_lines = lines(decision)
    firsts = [line[0] for line in all_lines if line]
    tails = [line[1:] for line in all_lines]
    can = drawn.is_fit & np.isfinite(drawn.travel_s)
    for crews in itertools.permutations(range(len(all_lines)), len(firsts)):
        if not all(can[crew, job] for crew, job in zip(crews, firsts, strict=True)):
            continue
        given_to = dict(zip(crews, firsts, strict=True))
        cost = sum(
            line_cost(drawn, crew, [given_to[crew], *tail] if crew in given_to else tail)
            for crew, tail in enumerate(tails)
        )
        assert decision.total <= cost * (1 + 1e-6) + 1e-6


@settings(max_examples=80, deadline=None)
@given(boards())
def test_every_single_job_that_somebody_can_do_is_planned_once(drawn: Board) -> None:
    """None is forgotten and none doubled."""
    drawn = unbound(drawn)
    planned = sorted(job for line in lines(decide(drawn)) for job in line)
    can = (drawn.is_fit & np.isfinite(drawn.travel_s)).any(axis=0)
    assert planned == np.flatnonzero(can).tolist()


@settings(max_examples=80, deadline=None)
@given(boards(crews_needed=3))
def test_pins_are_kept_and_nobody_unfit_is_sent(drawn: Board) -> None:
    """A pinned crew goes where it is pinned, any other only where it may and can."""
    decision = decide(drawn)
    for crew, line in enumerate(lines(decision)):
        pin, current = int(drawn.pinned[crew]), int(drawn.current[crew])
        kept = pin if pin >= 0 else current if not drawn.is_divertible[crew] else -1
        if kept >= 0:
            assert line[0] == kept
        for job in line:
            can = drawn.is_fit[crew, job] and np.isfinite(drawn.travel_s[crew, job])
            assert can or job == kept


@settings(max_examples=80, deadline=None)
@given(boards(crews_needed=3))
def test_a_job_has_all_the_crews_it_needs_or_none(drawn: Board) -> None:
    """Different ones, and never more."""
    drawn = unbound(drawn)
    planned = lines(decide(drawn))
    can = drawn.is_fit & np.isfinite(drawn.travel_s)
    for job, needed in enumerate(drawn.crews_needed.tolist()):
        crews = [crew for crew, line in enumerate(planned) if job in line]
        assert len(crews) == (needed if can[:, job].sum() >= needed else 0)
        assert all(planned[crew].count(job) == 1 for crew in crews)


@settings(max_examples=60, deadline=None)
@given(boards())
def test_one_crew_does_its_jobs_in_the_best_of_all_orders(drawn: Board) -> None:
    """Of up to three jobs."""
    drawn = unbound(drawn)
    can = np.flatnonzero(drawn.is_fit[0] & np.isfinite(drawn.travel_s[0]))[:3]
    drawn = _cut(drawn, can)
    if can.size == 0:
        return
    best = min(
        line_cost(drawn, 0, list(order)) for order in itertools.permutations(range(can.size))
    )
    assert decide(drawn).total == pytest.approx(best)


def _cut(drawn: Board, jobs: np.ndarray[Any, np.dtype[np.int64]]) -> Board:
    """Leave the first crew and some jobs."""
    assert drawn.between_s is not None
    assert drawn.late is not None
    by_job = ("weight", "crews_needed", "release_s", "work_s", "due_s", "late")
    current = int(drawn.current[0])
    return replace(
        drawn,
        **{name: getattr(drawn, name)[jobs] for name in by_job},
        **{name: getattr(drawn, name)[:1, jobs] for name in ("travel_s", "is_fit")},
        **{name: getattr(drawn, name)[:1] for name in ("is_divertible", "free_in_s", "pinned")},
        current=np.array(
            [jobs.tolist().index(current) if current in jobs.tolist() else -1], dtype=np.int32
        ),
        between_s=drawn.between_s[np.ix_(jobs, jobs)],
    )


def test_the_nearest_crew_is_not_sent_where_another_job_waits_for_it() -> None:
    """One minute longer for one job spares the other ten."""
    assert sent([[5, 6], [6, 17]]) == [1, 0]


def test_more_customers_are_served_first() -> None:
    """By the only crew, though the other job is nearer."""
    assert sent([[5, 15]], weight=[10, 200]) == [1]


@pytest.mark.parametrize(("farther_min", "goes_to"), [(9.5, 0), (11.5, 1)])
def test_a_crew_is_diverted_only_above_the_threshold(farther_min: float, goes_to: int) -> None:
    """Two equal jobs, and another crew for either: with 600 s the gain must be over 20 minutes."""
    travel = [[farther_min, 0], [0, farther_min]]
    decided = sent(travel, current=[0, -1], diversion_s=600.0)
    assert decided[0] == goes_to


def test_a_crew_that_may_not_be_diverted_goes_on() -> None:
    """Whatever else is reported."""
    facts = {"current": [0], "is_divertible": [False], "weight": [1, 1000]}
    assert sent([[30, 1]], **facts) == [0]


def test_a_pin_stands_against_everything() -> None:
    """Unfit, far and busy with better things to do."""
    facts = {"pinned": [0, -1], "is_fit": [[False, True], [True, True]], "weight": [1, 1000]}
    assert sent([[INF, 1], [1, 30]], **facts) == [0, 1]


def test_danger_to_people_outranks_any_number_of_customers() -> None:
    """Ten million customers, nearer, and long past their limit."""
    danger = job_weight(0, 0, Severity.DANGER, 0, 3600)
    many = job_weight(1e7, 20, Severity.BURST, 1e6, 3600)
    late = [late_weight("danger"), late_weight("burst")]
    facts = {"weight": [danger, many], "due_s": [3600, -1e6], "late": np.array(late)}
    assert sent([[40, 1]], **facts) == [0]


def test_a_near_crew_that_is_free_soon_is_waited_for() -> None:
    """Rather than sending one from the other end of the city."""
    decision = decide(board([[40], [2]], free_in_s=[0, 5 * MIN]))
    assert decision.crew_job.tolist() == [-1, -1]
    assert decision.queues == [[], [0]]


def test_two_crews_are_sent_where_two_are_needed() -> None:
    """The two nearest that are fit."""
    facts = {"crews_needed": [2], "is_fit": [[True], [False], [True]]}
    assert sent([[9], [1], [5]], **facts) == [0, -1, 0]


def test_one_crew_is_not_sent_where_two_are_needed() -> None:
    """It could do nothing."""
    assert sent([[9], [1]], crews_needed=[2], is_fit=[[True], [False]]) == [-1, -1]


def test_a_crew_does_not_wait_long_on_the_site_for_the_other_one() -> None:
    """It does something short meanwhile; to danger it goes at once."""
    facts = {"crews_needed": [2, 1], "free_in_s": [0, 120 * MIN], "work_s": [30 * MIN, 10 * MIN]}
    facts["is_fit"] = [[True, True], [True, False]]
    travel = [[5.0, 5.0], [5.0, 5.0]]
    decision = decide(board(travel, weight=[10, 1], **facts))
    assert decision.crew_job.tolist() == [1, -1]
    assert decision.queues == [[0], [0]]
    assert sent(travel, weight=[1e8, 1], **facts) == [0, -1]


def test_nobody_sets_out_long_before_work_may_begin() -> None:
    """The permit holds from in two hours."""
    assert sent([[10]], release_s=[120 * MIN]) == [-1]
    assert sent([[10]], release_s=[14 * MIN]) == [0]


def test_a_scarce_crew_is_spared_for_those_who_will_call() -> None:
    """The crew that can excavate is nearer, and yet the other goes to a routine job."""
    calls = Calls(
        per_s=np.array([1 / 3600]),
        weight=np.array([140.0]),
        usual_wait_s=np.array([1800.0]),
        is_fit=np.array([[True], [False]]),
        travel_s=np.array([[600.0], [600.0]]),
    )
    assert sent([[5], [15]], weight=[1]) == [0, -1]
    assert sent([[5], [15]], weight=[1], calls=calls) == [-1, 0]


def test_without_jobs_or_crews_nothing_is_decided() -> None:
    """And nothing breaks."""
    assert sent([[], []]) == [-1, -1]
    nobody = board([[1.0]])
    empty = replace(
        nobody,
        **{name: getattr(nobody, name)[:0] for name in ("travel_s", "is_fit", "current")},
        **{name: getattr(nobody, name)[:0] for name in ("is_divertible", "free_in_s", "pinned")},
    )
    assert decide(empty).queues == []


@settings(max_examples=60, deadline=None)
@given(boards(crews_needed=2))
def test_the_parts_of_every_candidate_add_up_to_the_cost_that_ranks_it(drawn: Board) -> None:
    """Whoever can go comes first, the cheapest first of all."""
    decision = decide(drawn)
    for job in range(drawn.weight.size):
        found = explain(drawn, decision, job)
        assert sorted(one.crew for one in found) == list(range(drawn.free_in_s.size))
        assert [one.cost for one in found] == sorted(one.cost for one in found)
        for one in found:
            parts = one.waiting + one.lateness + one.diversion + one.absence + one.behind
            assert one.cost == pytest.approx(parts) or not np.isfinite(one.cost)
            assert one.is_chosen == (decision.crew_job[one.crew] == job)
            if one.is_chosen and np.isfinite(one.travel_s):
                assert np.isfinite(one.cost)


@settings(max_examples=60, deadline=None)
@given(boards())
def test_a_single_job_goes_to_the_candidate_that_is_ranked_first(drawn: Board) -> None:
    """The costs that explain are those that decide."""
    drawn = replace(_first_job(unbound(drawn)), release_s=np.zeros(1))
    decision = decide(drawn)
    best = explain(drawn, decision, 0)[0]
    if np.isfinite(best.cost):
        line = lines(decision)[best.crew]
        assert line == [0]
        assert decision.total == pytest.approx(best.cost)


def _first_job(drawn: Board) -> Board:
    assert drawn.between_s is not None
    assert drawn.late is not None
    by_job = ("weight", "crews_needed", "release_s", "work_s", "due_s", "late")
    return replace(
        drawn,
        **{name: getattr(drawn, name)[:1] for name in by_job},
        **{name: getattr(drawn, name)[:, :1] for name in ("travel_s", "is_fit")},
        current=np.where(drawn.current == 0, 0, -1).astype(np.int32),
        between_s=drawn.between_s[:1, :1],
    )


def test_each_hindrance_is_named() -> None:
    """And such a candidate costs too much to count, unless it is only at work."""
    drawn = board(
        [[5, 5], [INF, 5], [5, 5], [5, 5], [5, 5]],
        is_fit=[[False, True]] + [[True, True]] * 4,
        current=[-1, -1, -1, 1, -1],
        is_divertible=[True, True, True, False, True],
        pinned=[-1, -1, 1, -1, -1],
        free_in_s=[0, 0, 0, 0, 600],
    )
    found = {one.crew: one for one in explain(drawn, decide(drawn), 0)}
    assert [found[crew].hindrance for crew in range(5)] == [
        Hindrance.UNFIT,
        Hindrance.NO_WAY,
        Hindrance.PINNED,
        Hindrance.UNDER_WAY,
        Hindrance.AT_WORK,
    ]
    assert [np.isfinite(found[crew].cost) for crew in range(5)] == [False] * 4 + [True]


def test_weights_rise_with_customers_critical_ones_class_and_age() -> None:
    """Each alone, and a limit that is far away makes nothing urgent."""
    plain = job_weight(50, 0, "leak", 0, 3600)
    assert job_weight(60, 0, "leak", 0, 3600) > plain
    assert job_weight(50, 1, "leak", 0, 3600) > plain
    assert job_weight(50, 0, "burst", 0, 3600) > plain
    assert job_weight(50, 0, "leak", 1800, 3600) > plain
    assert job_weight(50, 0, "leak", 1800, INF) == plain
    assert job_weight(0, 0, "routine", 0, INF) > 0


def test_a_small_burst_ages_until_it_is_served() -> None:
    """Past its limit it goes before a leak with more customers that is just as far."""
    young = [job_weight(5, 0, "burst", 0, 3600), job_weight(30, 0, "leak", 0, 4 * 3600)]
    facts = {"late": np.array([late_weight("burst"), late_weight("leak")])}
    assert sent([[10, 10]], weight=young, due_s=[3600 * 2, 4 * 3600], **facts) == [1]
    old = [job_weight(5, 0, "burst", 3700, 3600), young[1]]
    assert sent([[10, 10]], weight=old, due_s=[-100, 4 * 3600], **facts) == [0]
