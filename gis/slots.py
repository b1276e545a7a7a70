"""When to shut water off: what each possible beginning costs the customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.float64]
    Flags = NDArray[np.bool_]

HOURS_A_DAY = 24


def weighted_hours(starts_h: ArrayLike, length_h: ArrayLike, factors: Sequence[float]) -> Numbers:
    """
    Weigh spans of time by what an hour without water costs at that time of day.

    Parameters
    ----------
    starts_h
        Shape (spans,): beginnings in hours since any local midnight, also below 0.
    length_h
        Shape (spans,) or one number: lengths in hours, at least 0.
    factors
        24 weights, that of the hour from 0 to 1 first.

    Returns
    -------
    ndarray of shape (spans,)
        Hours, each weighed by its factor.

    Raises
    ------
    ValueError
        If there are not 24 factors, or a length is negative.
    """
    if len(factors) != HOURS_A_DAY:
        raise ValueError("a day has 24 factors")
    starts = np.asarray(starts_h, dtype=float)
    length = np.asarray(length_h, dtype=float)
    if (length < 0).any():
        raise ValueError("a length must not be negative")
    summed = np.concatenate([[0.0], np.cumsum(factors)])

    def until(hours: Numbers) -> Numbers:
        days = np.floor(hours / HOURS_A_DAY)
        within = np.interp(hours - days * HOURS_A_DAY, np.arange(HOURS_A_DAY + 1), summed)
        weighted: Numbers = days * summed[-1] + within
        return weighted

    return until(starts + length) - until(starts)


def overlap_hours(starts_h: ArrayLike, length_h: float, from_h: float, until_h: float) -> Numbers:
    """
    Give how long spans of one length overlap another span, in hours.

    Parameters
    ----------
    starts_h
        Shape (spans,): beginnings in hours.
    length_h
        The length of each.
    from_h, until_h
        The other span; infinite ends are allowed.
    """
    starts = np.asarray(starts_h, dtype=float)
    both = np.minimum(starts + length_h, until_h) - np.maximum(starts, from_h)
    overlap: Numbers = np.maximum(both, 0.0)
    return overlap


def is_in_window(
    starts_h: ArrayLike,
    length_h: float,
    from_hour: float,
    until_hour: float,
    weekdays: Sequence[int],
    first_weekday: int,
) -> Flags:
    """
    Tell which spans touch hours that come back on some days of the week.

    Parameters
    ----------
    starts_h
        Shape (spans,): beginnings in hours since a local midnight.
    length_h
        The length of each.
    from_hour, until_hour
        Hours of the day; a window that ends no later than it begins ends the day after.
    weekdays
        Days on which the window begins, 1 for Monday to 7.
    first_weekday
        The day of the week of that midnight.
    """
    starts = np.asarray(starts_h, dtype=float)
    touched = np.zeros(starts.shape, dtype=np.bool_)
    if not starts.size:
        return touched
    lasts_h = until_hour - from_hour + (HOURS_A_DAY if until_hour <= from_hour else 0)
    first = int(np.floor(starts.min() / HOURS_A_DAY)) - 1
    last = int(np.floor((starts.max() + length_h) / HOURS_A_DAY))
    for day in range(first, last + 1):
        if (first_weekday - 1 + day) % 7 + 1 in weekdays:
            begins = day * HOURS_A_DAY + from_hour
            touched |= overlap_hours(starts, length_h, begins, begins + lasts_h) > 0
    return touched
