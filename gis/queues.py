"""What every crew does next and after that: queues of least weighted waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.network import Flags, Numbers

    Ids = NDArray[np.int64]

ROUNDS = 2
"""Local search and matching take turns at most so often."""
PASSES, EFFORT = 6, 1000
"""Of the local search over all places, at most; and fewer where passes times places is more."""
CLOSE = 1e-9
"""Gains below this share of a queue's cost are rounding."""


class Legs(NamedTuple):
    """
    All that the cost of a queue is made of; a place is one crew's share of a job.

    Attributes
    ----------
    free_s
        When each crew can leave. Shape (crews,).
    first_s
        Its way to each place. Shape (crews, places).
    between_s
        From place to place. Shape (places, places).
    work_s, release_s, due_s
        Time on site, earliest beginning and limit of arrival. Shape (places,).
    weight, late
        Cost of a second of waiting, and of one past the limit besides. Shape (places,).
    charge
        Added where the place comes first in the crew's queue. Shape (crews, places).
    job
        The job that each place belongs to; no crew has two places of one job. Shape (places,).
    is_fit
        Whether the crew may take the place. Shape (crews, places).
    is_bound
        Places that stay first with the crew that has them. Shape (places,).
    """

    free_s: Numbers
    first_s: Numbers
    between_s: Numbers
    work_s: Numbers
    release_s: Numbers
    due_s: Numbers
    weight: Numbers
    late: Numbers
    charge: Numbers
    job: Ids
    is_fit: Flags
    is_bound: Flags


class Queues(NamedTuple):
    """The places of each crew in order: `place[crew, : size[crew]]`."""

    place: Ids
    size: Ids


class Times(NamedTuple):
    """
    When each crew begins and finishes the places of its queue, for trying changes fast.

    Attributes
    ----------
    begin_s, finish_s
        By position in the queue. Shape (crews, places + 1).
    wait
        What the waiting for each costs, limits counted. Shape (crews, places + 1).
    behind
        The weight of that position and all after it. Shape (crews, places + 1).
    cost
        Of each queue. Shape (crews,).
    has_pause
        Whether a crew waits for a release in between, so that a delay may cost nothing.
    is_new
        Whether the queue has changed since its places were last tried. Shape (crews,).
    holder
        The crew that has each place, -1 for none. Shape (places,).
    """

    begin_s: Numbers
    finish_s: Numbers
    wait: Numbers
    behind: Numbers
    cost: Numbers
    has_pause: Flags
    is_new: Flags
    holder: Ids


def plan(legs: Legs, queues: Queues, changed: Flags | None = None) -> float:
    """
    Put all places into queues so that their cost is small, and the first ones in it exactly.

    Parameters
    ----------
    legs
        The parts of the costs.
    queues
        Where the bound places, and any others, already are. Changed in place.
    changed
        Crews whose queues are to be looked at; None for all. Shape (crews,).

    Returns
    -------
    float
        The cost of all queues.

    Notes
    -----
    A place is put where it costs least, then single places are moved and
    pairs exchanged while that pays. In turn, what comes first in all queues
    is matched anew with the crews, which is exact for given tails: no other
    way to hand out the same next jobs costs less.
    """
    times = _times(legs, queues)
    if changed is not None:
        times.is_new[:] = changed
    effort = EFFORT if changed is None else EFFORT // 2
    for _ in range(ROUNDS if changed is None else 1):
        _improve(legs, queues, times, effort)
        effort //= 2
        if not _rematch(legs, queues, times):
            break
    return float(times.cost.sum())


def _times(legs: Legs, queues: Queues) -> Times:
    crews, places = legs.first_s.shape
    begin_s, finish_s, wait, behind = np.zeros((4, crews, places + 1))
    times = Times(
        begin_s=begin_s,
        finish_s=finish_s,
        wait=wait,
        behind=behind,
        cost=np.zeros(crews),
        has_pause=np.zeros(crews, dtype=np.bool_),
        is_new=np.ones(crews, dtype=np.bool_),
        holder=np.full(places, -1, dtype=np.int64),
    )
    for crew in range(crews):
        _retime(legs, queues, times, crew)
    return times


def matching_costs(legs: Legs, queues: Queues, places: Ids) -> Numbers:
    """
    Give what each crew's queue costs with each place first and its tail behind.

    Parameters
    ----------
    legs, queues
        The queues, of which the first places are left out.
    places
        Places that are to be handed out; no row has one of them in its tail.

    Returns
    -------
    Numbers
        The last column is for nothing put first; inf where a crew cannot.
        Shape (crews, places + 1).
    """
    return np.asarray(_matching_costs(legs, queues, places), dtype=np.float64)


def _rematch(legs: Legs, queues: Queues, times: Times) -> bool:
    """Match what comes first with the crews anew; whether that paid."""
    has_first = queues.size > 0
    first = np.where(has_first, queues.place[:, 0], 0)
    is_loose = has_first & ~legs.is_bound[first]
    crews = np.flatnonzero(is_loose | ~has_first)
    places = first[is_loose]
    if places.size == 0:
        return False
    costs = matching_costs(legs, queues, places)[crews]
    # Rows more than places are crews that get none; the difference is what the place costs.
    added = costs[:, :-1] - costs[:, -1:]
    never = 1e6 * (1 + np.abs(added[np.isfinite(added)]).max())
    row, column = linear_sum_assignment(np.where(np.isfinite(added), added, never))
    now = added[np.searchsorted(crews, np.flatnonzero(is_loose)), np.arange(places.size)]
    if added[row, column].sum() >= now.sum() - CLOSE * np.abs(now).sum():
        return False
    gets = dict(zip(crews[row].tolist(), places[column].tolist(), strict=True))
    for crew in crews.tolist():
        had = int(first[crew]) if has_first[crew] else None
        if had == gets.get(crew):
            continue
        if had is not None:
            _take_out(queues, crew, 0)
        if crew in gets:
            _put_in(queues, crew, 0, gets[crew])
        _retime(legs, queues, times, crew)
    return True


@njit(cache=True, nogil=True)
def _cost(legs: Legs, crew: int, row: Ids, size: int, skip: int, put: int, at: int) -> float:
    """Cost a queue without its position `skip`, and with `put` at position `at` of the rest."""
    total = 0.0
    clock = legs.free_s[crew]
    last = -1
    taken = 0
    k = 0
    while True:
        if taken == at:
            place = put
        else:
            if k == skip:
                k += 1
            if k >= size:
                break
            place = row[k]
            k += 1
        taken += 1
        if last < 0:
            clock += legs.first_s[crew, place]
            total += legs.charge[crew, place]
        else:
            clock += legs.between_s[last, place]
        clock = max(clock, legs.release_s[place])
        total += legs.weight[place] * clock
        if clock > legs.due_s[place]:
            total += legs.late[place] * (clock - legs.due_s[place])
        clock += legs.work_s[place]
        last = place
    return total


@njit(cache=True, nogil=True)
def _begin(legs: Legs, crew: int, after_s: float, last: int, place: int) -> float:
    """Give when a crew begins a place after another one, or -1 for first of all."""
    way_s = legs.first_s[crew, place] if last < 0 else legs.between_s[last, place]
    return float(max(after_s + way_s, legs.release_s[place]))


@njit(cache=True, nogil=True)
def _waiting(legs: Legs, place: int, begin_s: float) -> float:
    cost = legs.weight[place] * begin_s
    if begin_s > legs.due_s[place]:
        cost += legs.late[place] * (begin_s - legs.due_s[place])
    return float(cost)


@njit(cache=True, nogil=True)
def _retime(legs: Legs, queues: Queues, times: Times, crew: int) -> None:
    """Write down a changed queue's times."""
    size = queues.size[crew]
    row = queues.place[crew]
    clock = legs.free_s[crew]
    last = -1
    cost = 0.0
    has_pause = False
    for k in range(size):
        place = row[k]
        begin = _begin(legs, crew, clock, last, place)
        has_pause |= k > 0 and begin == legs.release_s[place]
        if k == 0:
            cost += legs.charge[crew, place]
        times.begin_s[crew, k] = begin
        times.wait[crew, k] = _waiting(legs, place, begin)
        cost += times.wait[crew, k]
        clock = begin + legs.work_s[place]
        times.finish_s[crew, k] = clock
        times.holder[place] = crew
        last = place
    times.behind[crew, size] = 0.0
    for k in range(size - 1, -1, -1):
        times.behind[crew, k] = times.behind[crew, k + 1] + legs.weight[row[k]]
    times.cost[crew] = cost
    times.has_pause[crew] = has_pause
    times.is_new[crew] = True


@njit(cache=True, nogil=True)
def _holds(legs: Legs, row: Ids, size: int, place: int, skip: int) -> bool:
    """Tell whether a queue has, but for position `skip`, another place of the same job."""
    for k in range(size):
        if k != skip and row[k] != place and legs.job[row[k]] == legs.job[place]:
            return True
    return False


@njit(cache=True, nogil=True)
def _matching_costs(legs: Legs, queues: Queues, places: Ids) -> Numbers:
    crews = queues.size.size
    found = np.full((crews, places.size + 1), np.inf)
    for crew in range(crews):
        size = queues.size[crew]
        row = queues.place[crew]
        found[crew, places.size] = _cost(legs, crew, row, size, 0, -1, -1)
        for k in range(places.size):
            place = places[k]
            if legs.is_fit[crew, place] and not _holds(legs, row, size, place, 0):
                found[crew, k] = _cost(legs, crew, row, size, 0, place, 0)
    return found


@njit(cache=True, nogil=True)
def _improve(legs: Legs, queues: Queues, times: Times, effort: int) -> None:
    """Move and exchange places while that pays, looking again only at queues that changed."""
    order = np.argsort(-legs.weight)
    for _ in range(max(1, min(PASSES, effort // max(order.size, 1)))):
        look = times.is_new.copy()
        times.is_new[:] = False
        moved = 0
        for place in order:
            holder = times.holder[place]
            if not legs.is_bound[place] and (holder < 0 or look[holder] or times.is_new[holder]):
                moved += _move(legs, queues, times, place)
        for place in order:
            holder = times.holder[place]
            if holder < 0 or legs.is_bound[place]:
                continue
            if look[holder] or times.is_new[holder]:
                moved += _exchange(legs, queues, times, place)
        if moved == 0:
            break


@njit(cache=True, nogil=True)
def _position(queues: Queues, crew: int, place: int) -> int:
    for k in range(queues.size[crew]):
        if queues.place[crew, k] == place:
            return k
    return -1


@njit(cache=True, nogil=True)
def _take_out(queues: Queues, crew: int, at: int) -> None:
    for k in range(at, queues.size[crew] - 1):
        queues.place[crew, k] = queues.place[crew, k + 1]
    queues.size[crew] -= 1


@njit(cache=True, nogil=True)
def _put_in(queues: Queues, crew: int, at: int, place: int) -> None:
    for k in range(queues.size[crew], at, -1):
        queues.place[crew, k] = queues.place[crew, k - 1]
    queues.place[crew, at] = place
    queues.size[crew] += 1


@njit(cache=True, nogil=True)
def _move(legs: Legs, queues: Queues, times: Times, place: int) -> int:
    """Move a place to where it costs least; 1 if that was elsewhere."""
    giver = times.holder[place]
    at = -1
    home = -1
    least = np.inf
    if giver >= 0:
        at = _position(queues, giver, place)
        without = _cost(legs, giver, queues.place[giver], queues.size[giver], at, -1, -1)
        least = times.cost[giver] - without - CLOSE * (1.0 + abs(times.cost[giver]))
        home, least = _best_at_home(legs, queues, giver, place, at, without, least)
    taker, to, _ = _best_abroad(legs, queues, times, place, giver, least)
    if taker < 0 and home >= 0:
        taker, to = giver, home
    if taker < 0:
        return 0
    if giver >= 0:
        _take_out(queues, giver, at)
        _retime(legs, queues, times, giver)
    _put_in(queues, taker, to, place)
    _retime(legs, queues, times, taker)
    return 1


@njit(cache=True, nogil=True)
def _best_at_home(
    legs: Legs, queues: Queues, crew: int, place: int, at: int, without: float, least: float
) -> tuple[int, float]:
    """Find a cheaper position of a place in its own queue; -1 for none."""
    best = -1
    row, size = queues.place[crew], queues.size[crew]
    for k in range(1 if legs.is_bound[row[0]] else 0, size):
        added = _cost(legs, crew, row, size, at, place, k) - without
        if added < least:
            least, best = added, k
    return best, least


@njit(cache=True, nogil=True)
def _best_abroad(
    legs: Legs, queues: Queues, times: Times, place: int, giver: int, least: float
) -> tuple[int, int, float]:
    """Find the crew and the position in its queue where a place adds less; -1 for none."""
    # Taken out of their tuples once: in the loop that would cost more than the sums.
    sizes, rows, is_fit, is_bound = queues.size, queues.place, legs.is_fit, legs.is_bound
    free_s, first_s, between_s = legs.free_s, legs.first_s, legs.between_s
    charge, begin_s, finish_s = legs.charge, times.begin_s, times.finish_s
    behind, has_pause = times.behind, times.has_pause
    weight, late = legs.weight[place], legs.late[place]
    due_s, release_s, work_s = legs.due_s[place], legs.release_s[place], legs.work_s[place]
    taker, to = -1, -1
    for crew in range(sizes.size):
        if crew == giver or not is_fit[crew, place]:
            continue
        size = sizes[crew]
        for k in range(1 if size > 0 and is_bound[rows[crew, 0]] else 0, size + 1):
            if k == 0:
                begin = free_s[crew] + first_s[crew, place]
                bound = charge[crew, place]
            else:
                after_s = finish_s[crew, k - 1]
                if weight * after_s >= least:
                    break
                begin = after_s + between_s[rows[crew, k - 1], place]
                bound = 0.0
            begin = max(begin, release_s)
            bound += weight * begin + late * max(begin - due_s, 0.0)
            if k < size and not has_pause[crew]:
                delayed = begin + work_s + between_s[place, rows[crew, k]]
                bound += (delayed - begin_s[crew, k]) * behind[crew, k]
                if k == 0:
                    bound -= charge[crew, rows[crew, 0]]
            if bound >= least or _holds(legs, rows[crew], size, place, -1):
                continue
            added = _cost(legs, crew, rows[crew], size, -1, place, k) - times.cost[crew]
            if added < least:
                least, taker, to = added, crew, k
    return taker, to, least


@njit(cache=True, nogil=True)
def _exchange(legs: Legs, queues: Queues, times: Times, place: int) -> int:  # noqa: C901, PLR0912, PLR0915
    """Exchange a place with one of another crew, where that pays first; 1 if it did."""
    # Limits of what comes behind are left out of the estimate; the swap itself counts them.
    sizes, rows, is_fit, is_bound = queues.size, queues.place, legs.is_fit, legs.is_bound
    free_s, first_s, between_s = legs.free_s, legs.first_s, legs.between_s
    charge, begin_s, finish_s = legs.charge, times.begin_s, times.finish_s
    behind, has_pause, weight, wait = times.behind, times.has_pause, legs.weight, times.wait
    late, due_s, release_s, work_s = legs.late, legs.due_s, legs.release_s, legs.work_s
    crew = times.holder[place]
    at = _position(queues, crew, place)
    last = -1 if at == 0 else rows[crew, at - 1]
    after_s = free_s[crew] if at == 0 else finish_s[crew, at - 1]
    following = rows[crew, at + 1] if at + 1 < sizes[crew] else -1
    for other in range(sizes.size):
        if other == crew or not is_fit[other, place]:
            continue
        for k in range(sizes[other]):
            swap = rows[other, k]
            if is_bound[swap] or not is_fit[crew, swap]:
                continue
            way_s = first_s[crew, swap] if last < 0 else between_s[last, swap]
            there_s = max(after_s + way_s, release_s[swap])
            if k == 0:
                here_s = free_s[other] + first_s[other, place]
            else:
                here_s = finish_s[other, k - 1] + between_s[rows[other, k - 1], place]
            here_s = max(here_s, release_s[place])
            more = weight[place] * here_s + late[place] * max(here_s - due_s[place], 0.0)
            more += weight[swap] * there_s + late[swap] * max(there_s - due_s[swap], 0.0)
            more -= wait[crew, at] + wait[other, k]
            if at == 0:
                more += charge[crew, swap] - charge[crew, place]
            if k == 0:
                more += charge[other, place] - charge[other, swap]
            if following >= 0:
                delay_s = there_s + work_s[swap] + between_s[swap, following]
                delay_s -= begin_s[crew, at + 1]
                if delay_s < 0 or not has_pause[crew]:
                    more += delay_s * behind[crew, at + 1]
            if k + 1 < sizes[other]:
                delay_s = here_s + work_s[place] + between_s[place, rows[other, k + 1]]
                delay_s -= begin_s[other, k + 1]
                if delay_s < 0 or not has_pause[other]:
                    more += delay_s * behind[other, k + 1]
            if more < 0 and _swap(legs, queues, times, crew, at, other, k):
                return 1
    return 0


@njit(cache=True, nogil=True)
def _swap(legs: Legs, queues: Queues, times: Times, crew: int, at: int, other: int, k: int) -> bool:
    """Exchange two places if that costs less."""
    row, other_row = queues.place[crew], queues.place[other]
    size, other_size = queues.size[crew], queues.size[other]
    place, swap = row[at], other_row[k]
    if _holds(legs, row, size, swap, at) or _holds(legs, other_row, other_size, place, k):
        return False
    before = times.cost[crew] + times.cost[other]
    after = _cost(legs, crew, row, size, at, swap, at)
    after += _cost(legs, other, other_row, other_size, k, place, k)
    if after >= before - CLOSE * (1.0 + abs(before)):
        return False
    row[at], other_row[k] = swap, place
    _retime(legs, queues, times, crew)
    _retime(legs, queues, times, other)
    return True
