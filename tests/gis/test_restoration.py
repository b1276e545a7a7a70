"""How long a repair takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.restoration import PRIOR_RECORDS, PRIOR_SIGMA, DurationModel

HOURS = st.floats(0.1, 200)


def test_with_no_records_the_forecast_is_the_published_prior() -> None:
    """Log-normal, median 16 h, sigma 0.56: nine in ten are over by 16 x e^(0.56 x 1.2816)."""
    forecast = DurationModel.of([]).forecast()

    assert forecast.p50 == pytest.approx(16.0)
    assert forecast.p90 == pytest.approx(16 * math.exp(PRIOR_SIGMA * 1.281552), rel=1e-5)
    assert forecast.p10 == pytest.approx(16 * math.exp(-PRIOR_SIGMA * 1.281552), rel=1e-5)


def test_as_many_own_records_as_the_prior_is_worth_move_the_median_half_way() -> None:
    """Half way between 16 h and 4 h on the scale of logarithms is 8 h."""
    model = DurationModel.of([4.0] * int(PRIOR_RECORDS))

    assert model.forecast().p50 == pytest.approx(8.0)


def test_many_records_leave_nothing_of_the_prior() -> None:
    """A thousand repairs of 3 to 5 hours forecast 4 hours, give or take a good hour."""
    forecast = DurationModel.of([3.0, 4.0, 5.0] * 333).forecast()

    assert 3.8 < forecast.p50 < 4.2
    assert 2.7 < forecast.p10 < forecast.p90 < 5.5


@given(st.lists(HOURS, max_size=8), st.floats(0, 500))
def test_a_job_that_goes_on_is_never_forecast_to_have_ended(
    hours: list[float], elapsed: float
) -> None:
    """Given that `elapsed` hours are gone, every quantile lies beyond, in order."""
    forecast = DurationModel.of(hours).forecast(elapsed_h=elapsed)

    assert elapsed <= forecast.p10 <= forecast.p50 <= forecast.p90


@given(st.lists(HOURS, min_size=1, max_size=8))
def test_the_order_of_the_records_does_not_matter(hours: list[float]) -> None:
    """The same jobs in another order give the same forecast."""
    there, back = DurationModel.of(hours), DurationModel.of(hours[::-1])

    assert there.log_median == pytest.approx(back.log_median)
    assert there.sigma == pytest.approx(back.sigma)


def test_refuses_a_repair_that_took_no_time() -> None:
    """Restored before reported is a fault of the record, not a fast crew."""
    with pytest.raises(ValueError, match="above 0"):
        DurationModel.of([3.0, 0.0])
