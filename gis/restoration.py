"""How long a repair takes: recorded history shrunk to a prior, and held to what it promised."""

from __future__ import annotations

import heapq
import math
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRIOR_MEDIAN_H = 16.0
"""From report to all normal; 104 real events of one city."""
PRIOR_SIGMA = 0.56
"""Standard deviation of the logarithm of the hours, of the same events."""
PRIOR_RECORDS = 5.0
"""How many records of a utility's own the prior is worth."""
LEVELS = (0.1, 0.5, 0.9)
AIMS = (0.06, 0.5, 0.895)
"""
Shares of repairs that shall be over by P10, P50 and P90.

Of a hundred repairs a fair forecast of 80 % misses more than twenty every other time. Three in a
hundred more are held at the short end, where they cost an hour of width; at the long end they
would cost six. These aims, and the three numbers below, were chosen on invented histories.
"""
MEMORY = 0.995
"""Weight of a record against the one after it: crews and habits change over the years."""
TRUST_RECORDS = 100
"""How many records of its own it takes until they say as much about the levels as the model."""
CORRECTIONS = (0.04, 0.01)
"""How far a miss moves the level of P10, and that of P90."""
CORRECTED = ((0.005, 0.45), (0.05, 0.95), (0.55, 0.995))
"""Bounds of the levels, however often it missed."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A forecast: one in ten is below p10, half below p50, one in ten above p90."""

    p10: float
    p50: float
    p90: float

    def plus(self, other: Quantiles) -> Quantiles:
        """
        Add another forecast, as if both came out low, middling or high together.

        For stages of one job, whose delays share their causes, that errs
        towards an interval that is too wide.
        """
        return Quantiles(self.p10 + other.p10, self.p50 + other.p50, self.p90 + other.p90)


@dataclass(frozen=True, slots=True)
class DurationModel:
    """
    A log-normal duration, with a Student t's tails while records are few.

    Attributes
    ----------
    log_median, sigma
        Of the logarithm of the hours.
    records
        Records it rests on, those of the prior included.
    levels
        Where the distribution is read for P10, P50 and P90, ascending.
    """

    log_median: float = math.log(PRIOR_MEDIAN_H)
    sigma: float = PRIOR_SIGMA
    records: float = PRIOR_RECORDS
    levels: tuple[float, float, float] = LEVELS

    @classmethod
    def of(cls, hours: Sequence[float], prior: DurationModel | None = None) -> DurationModel:
        """
        Shrink recorded durations to a prior.

        Parameters
        ----------
        hours
            Recorded durations, all above 0.
        prior
            By default the prior for a utility with no records of its own.

        Raises
        ------
        ValueError
            If a duration is not above 0.

        Notes
        -----
        The conjugate normal model of the logarithms with the prior's variance
        worth as many records as its mean (Gelman et al., Bayesian Data
        Analysis, 3rd ed., section 3.3).
        """
        prior = prior or cls()
        if any(not h > 0 for h in hours):
            raise ValueError("a duration must be above 0 hours")
        logs = [math.log(h) for h in hours]
        if not logs:
            return prior
        count = len(logs)
        records = prior.records + count
        own_mean = sum(logs) / count
        mean = (prior.records * prior.log_median + count * own_mean) / records
        spread = sum((x - own_mean) ** 2 for x in logs)
        between = prior.records * count / records * (own_mean - prior.log_median) ** 2
        variance = (prior.records * prior.sigma**2 + spread + between) / records
        return cls(mean, math.sqrt(variance), records)

    def forecast(self, *, elapsed_h: float = 0.0) -> Quantiles:
        """
        Forecast the whole duration in hours, given that `elapsed_h` are gone and it is not over.

        Raises
        ------
        ValueError
            If `elapsed_h` is negative.
        """
        if elapsed_h < 0:
            raise ValueError("no time can have passed before the start")
        gone = self._share_below(elapsed_h)
        levels = [gone + (1 - gone) * level for level in self.levels]
        return Quantiles(*(max(elapsed_h, self._quantile(level)) for level in levels))

    def share_over(self, hours: float) -> float:
        """Give the probability that a repair is over within so many hours."""
        return self._share_below(hours)

    def _scale(self) -> float:
        """Widen for not knowing the median exactly."""
        return self.sigma * math.sqrt(1 + 1 / self.records)

    def _quantile(self, level: float) -> float:
        if self.records == PRIOR_RECORDS:
            # The prior is stated as a log-normal forecast; nothing is estimated yet.
            return math.exp(self.log_median + self.sigma * float(ndtri(level)))
        return math.exp(self.log_median + self._scale() * float(stdtrit(self.records, level)))

    def _share_below(self, hours: float) -> float:
        if hours <= 0:
            return 0.0
        distance = math.log(hours) - self.log_median
        if self.records == PRIOR_RECORDS:
            return float(ndtr(distance / self.sigma))
        return float(stdtr(self.records, distance / self._scale()))


@dataclass(slots=True)
class RepairHistory:
    """
    Repairs as they end, and a model that has been held to its own forecasts.

    Notes
    -----
    The conjugate model with exponential forgetting gives a distribution. The
    shares of it at which past repairs really ended are conformal scores
    (distributional conformal prediction: Chernozhukov, Wüthrich and Zhu, PNAS
    2021), here shrunk to even ones while records are few. What is then still
    missed moves the levels, which keeps the coverage whatever the repairs do
    (adaptive conformal inference: Gibbs and Candès, NeurIPS 2021). A model
    costs as much as there are records.
    """

    weight: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    """Weighted sum, mean and squared deviations of the logarithms."""
    shares: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """By how much the outer levels have been corrected."""

    def model(self) -> DurationModel:
        """Give the forecast of a repair that begins now."""
        records = PRIOR_RECORDS + self.weight
        prior_mean = math.log(PRIOR_MEDIAN_H)
        mean = (PRIOR_RECORDS * prior_mean + self.weight * self.mean) / records
        between = PRIOR_RECORDS * self.weight / records * (self.mean - prior_mean) ** 2
        variance = (PRIOR_RECORDS * PRIOR_SIGMA**2 + self.spread + between) / records
        if not self.weight:
            return DurationModel()
        low, middle, high = self._levels().tolist()
        wanted = (low + self.moved[0], middle, high + self.moved[1])
        levels = [
            min(max(level, least), most)
            for level, (least, most) in zip(wanted, CORRECTED, strict=True)
        ]
        return DurationModel(mean, math.sqrt(variance), records, (levels[0], levels[1], levels[2]))

    def add(self, hours: float, told: DurationModel) -> None:
        """
        Learn from a repair that is over, and from what was told about it when it began.

        Raises
        ------
        ValueError
            If `hours` is not above 0.
        """
        if not hours > 0:
            raise ValueError("a duration must be above 0 hours")
        share = told.share_over(hours)
        self.moved[0] += CORRECTIONS[0] * (AIMS[0] - (share < told.levels[0]))
        self.moved[1] -= CORRECTIONS[1] * ((1 - AIMS[2]) - (share > told.levels[2]))
        insort(self.shares, share)
        log, old = math.log(hours), self.mean
        self.weight = MEMORY * self.weight + 1
        self.mean += (log - old) / self.weight
        self.spread = MEMORY * self.spread + (log - old) * (log - self.mean)

    def _levels(self) -> NDArray[np.float64]:
        """Give the shares below which each aim of the past and of as many even scores lie."""
        count = len(self.shares)
        shares = np.concatenate([[0.0], self.shares, [1.0]])
        below = TRUST_RECORDS * shares + np.arange(count + 2)
        levels: NDArray[np.float64] = np.interp(np.array(AIMS) * below[-1], below, shares)
        return levels


def learn_in_turn(
    begun_h: Sequence[float] | NDArray[np.float64], ended_h: Sequence[float] | NDArray[np.float64]
) -> tuple[DurationModel, NDArray[np.float64]]:
    """
    Forecast each repair from those that had ended when it began.

    Parameters
    ----------
    begun_h, ended_h
        Hours on any one clock, in any order.

    Returns
    -------
    DurationModel
        For the next repair.
    ndarray of shape (repairs, 3)
        P10, P50 and P90 of each repair's duration in hours, in the order given.

    Raises
    ------
    ValueError
        If a repair ends no later than it begins.
    """
    history = RepairHistory()
    forecasts = np.empty((len(begun_h), 3))
    under_way: list[tuple[float, int, DurationModel]] = []
    for row in np.argsort(np.asarray(begun_h, dtype=float), kind="stable").tolist():
        while under_way and under_way[0][0] <= begun_h[row]:
            ended, other, told = heapq.heappop(under_way)
            history.add(ended - begun_h[other], told)
        told = history.model()
        told_h = told.forecast()
        forecasts[row] = told_h.p10, told_h.p50, told_h.p90
        heapq.heappush(under_way, (ended_h[row], row, told))
    while under_way:
        ended, other, told = heapq.heappop(under_way)
        history.add(ended - begun_h[other], told)
    return history.model(), forecasts


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """How well intervals held: share inside, their width and their pinball loss, in hours."""

    count: int
    coverage: float
    width_h: float
    pinball_h: float


def score_forecasts(forecasts: NDArray[np.float64], hours: NDArray[np.float64]) -> ForecastScore:
    """
    Hold forecasts against what happened.

    Parameters
    ----------
    forecasts
        Shape (repairs, 3): P10, P50 and P90 in hours.
    hours
        Shape (repairs,): how long each really took.

    Raises
    ------
    ValueError
        If there is no repair.

    Notes
    -----
    The pinball loss is the mean over the three levels (Koenker and Bassett, 1978).
    """
    if not len(hours):
        raise ValueError("there is no repair to hold the forecasts against")
    over = hours[:, None] - forecasts
    levels = np.asarray(LEVELS)
    loss = np.maximum(levels * over, (levels - 1) * over)
    inside = (forecasts[:, 0] <= hours) & (hours <= forecasts[:, 2])
    width = forecasts[:, 2] - forecasts[:, 0]
    return ForecastScore(len(hours), float(inside.mean()), float(width.mean()), float(loss.mean()))
