"""When to shut water off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.slots import is_in_window, overlap_hours, weighted_hours

FACTORS = st.lists(st.floats(0.1, 3), min_size=24, max_size=24)


@given(FACTORS, st.integers(-2000, 4000), st.integers(0, 3000))
def test_weighted_hours_are_the_sum_over_the_minutes(
    factors: list[float], start_min: int, length_min: int
) -> None:
    """Minute by minute, the same."""
    minutes = range(start_min, start_min + length_min)
    expected = sum(factors[minute // 60 % 24] for minute in minutes) / 60

    found = weighted_hours([start_min / 60], length_min / 60, factors)[0]

    assert found == pytest.approx(expected, abs=1e-6)


@given(
    st.integers(0, 300),
    st.integers(1, 60),
    st.integers(0, 23),
    st.integers(0, 23),
    st.sets(st.integers(1, 7)),
    st.integers(1, 7),
)
def test_a_window_is_touched_if_any_hour_of_the_work_lies_in_it(
    start: int, length: int, begins: int, ends: int, weekdays: set[int], first: int
) -> None:
    """Hour by hour; a window over midnight belongs to the day on which it begins."""
    lasts = (ends - begins) % 24 or 24
    closed = {
        day * 24 + begins + hour
        for day in range(-2, 20)
        if (first - 1 + day) % 7 + 1 in weekdays
        for hour in range(lasts)
    }
    expected = bool(closed & set(range(start, start + length)))

    found = is_in_window([start], length, begins, ends, sorted(weekdays), first)

    assert found.tolist() == [expected]


def test_spans_that_only_touch_do_not_overlap() -> None:
    """And one without an end overlaps for the whole length."""
    assert overlap_hours([0.0, 2.0, 5.0], 2.0, 2.0, 5.0).tolist() == [0.0, 2.0, 0.0]
    assert overlap_hours([0.0], 2.0, -np.inf, np.inf).tolist() == [2.0]


def test_refuses_a_day_of_23_hours() -> None:
    """A factor too few would shift the night into the evening peak."""
    with pytest.raises(ValueError, match="24 factors"):
        weighted_hours([0.0], 1.0, [1.0] * 23)
