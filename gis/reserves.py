"""What it costs that a crew is away when the next customer calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gis.network import Flags, Numbers

NEAR_FUTURE_S = 3600.0
"""So long the crews' present places say who would be near a call; then all has changed."""
MOST_LATER_S = 600.0
"""One crew fewer makes no call wait longer than this: by then another one is free."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calls:
    """
    Jobs that nobody has reported yet, by kinds.

    Attributes
    ----------
    per_s
        How many of a kind are expected a second, from the utility's own records. Shape (kinds,).
    weight
        Their usual weight, from `job_weight`. Shape (kinds,).
    usual_wait_s
        From the report until a crew is there, from the same records. Shape (kinds,).
    is_fit
        Whether a crew can serve a kind. Shape (crews, kinds).
    travel_s
        From where each crew is, or will be when free, to places where calls may
        come from, such as those of earlier jobs. Shape (crews, spots).
    """

    per_s: Numbers
    weight: Numbers
    usual_wait_s: Numbers
    is_fit: Flags
    travel_s: Numbers


def absence_costs(calls: Calls, free_in_s: Numbers, away_s: Numbers) -> Numbers:
    """
    Give what being away costs those who will call meanwhile.

    Parameters
    ----------
    calls
        What is expected.
    free_in_s
        When each crew can leave where it is. Shape (crews,).
    away_s
        How long each crew would be away on each job, the way included. Shape (crews, jobs).

    Returns
    -------
    Numbers
        In customer-seconds, as the costs of waiting are. Shape (crews, jobs).

    Notes
    -----
    Two parts. For the near future, the seconds by which the next crew would
    be later than this one, over the places where this one would be first.
    Beyond it, that the wait for the nearest of n crews falls about as the
    square root of n, so that one fewer adds 1 / (2 n) of it (Kolesar and
    Blum, Management Science 19, 1973).
    """
    crews = free_in_s.size
    near, long = np.zeros(crews), np.zeros(crews)
    arrive_s = free_in_s[:, None] + np.where(np.isfinite(calls.travel_s), calls.travel_s, 1e6)
    for kind in range(calls.per_s.size):
        fit = np.flatnonzero(calls.is_fit[:, kind])
        if fit.size == 0:
            continue
        worth = calls.per_s[kind] * calls.weight[kind]
        long[fit] += worth * calls.usual_wait_s[kind] / (2 * fit.size)
        if fit.size == 1:
            continue
        of_fit = arrive_s[fit]
        first, second = np.partition(of_fit, 1, axis=0)[:2]
        is_first = of_fit == first
        near[fit] += worth * np.where(is_first, np.minimum(second - first, MOST_LATER_S), 0.0).mean(
            axis=1
        )
    soon_s = np.minimum(away_s, NEAR_FUTURE_S)
    costs: Numbers = near[:, None] * soon_s + long[:, None] * away_s
    return costs
