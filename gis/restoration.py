"""How long a repair takes: recorded history shrunk to a prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import ndtr, ndtri, stdtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIOR_MEDIAN_H = 16.0
"""From report to all normal; 104 real events of one city."""
PRIOR_SIGMA = 0.56
"""Standard deviation of the logarithm of the hours, of the same events."""
PRIOR_RECORDS = 5.0
"""How many records of a utility's own the prior is worth."""


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
    """

    log_median: float = math.log(PRIOR_MEDIAN_H)
    sigma: float = PRIOR_SIGMA
    records: float = PRIOR_RECORDS

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
        levels = [gone + (1 - gone) * level for level in (0.1, 0.5, 0.9)]
        return Quantiles(*(max(elapsed_h, self._quantile(level)) for level in levels))

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
