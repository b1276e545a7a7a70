"""Forecasts that are held to what they promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.restoration import (
    DurationModel,
    RepairHistory,
    learn_in_turn,
    score_forecasts,
)

TOWNS = {
    "as the prior": lambda rng, count: 16 * np.exp(0.56 * rng.standard_normal(count)),
    "quick": lambda rng, count: 6 * np.exp(0.8 * rng.standard_normal(count)),
    "no log-normal": lambda rng, count: 19 * rng.weibull(1.8, count) + 0.3,
    "getting faster": lambda rng, count: (
        np.linspace(22, 11, count) * np.exp(0.5 * rng.standard_normal(count))
    ),
}


@pytest.mark.parametrize("town", TOWNS)
def test_four_in_five_repairs_end_within_what_was_told_whatever_the_town(town: str) -> None:
    """Forty towns' first hundred repairs: on the average no less, and hardly a town much less."""
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hours = TOWNS[town](rng, 104)
        begun = np.cumsum(rng.exponential(30, 104))
        _, forecasts = learn_in_turn(begun, begun + hours)
        shares.append(score_forecasts(forecasts, hours).coverage)

    assert np.mean(shares) >= 0.8
    assert np.quantile(shares, 0.1) >= 0.77


def test_an_interval_is_hardly_wider_than_the_true_one() -> None:
    """Where repairs are as the prior says, the true 80 % interval is 25.0 hours wide."""
    rng = np.random.default_rng(5)
    hours = TOWNS["as the prior"](rng, 2000)
    begun = np.cumsum(rng.exponential(30, 2000))

    _, forecasts = learn_in_turn(begun, begun + hours)

    assert score_forecasts(forecasts, hours).width_h < 28


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0.1, 100)), min_size=2, max_size=12))
def test_a_forecast_rests_only_on_repairs_that_were_over(
    jobs: list[tuple[float, float]],
) -> None:
    """What ends after a repair began, and what begins after it, change nothing of its forecast."""
    begun = np.array([begin for begin, _ in jobs])
    ended = begun + np.array([hours for _, hours in jobs])
    _, forecasts = learn_in_turn(begun, ended)
    first = int(np.argmin(begun))
    for row in range(len(jobs)):
        known = [other for other in range(len(jobs)) if ended[other] <= begun[row]]
        kept = [*known, row]
        _, alone = learn_in_turn(begun[kept], ended[kept])
        assert alone[-1] == pytest.approx(forecasts[row])
    prior = DurationModel().forecast()
    assert forecasts[first] == pytest.approx([prior.p10, prior.p50, prior.p90])


@given(st.lists(st.floats(0.05, 400), max_size=30), st.floats(0, 300))
def test_what_is_told_stays_in_order_and_ahead_of_the_clock(
    hours: list[float], elapsed: float
) -> None:
    """Whatever was learned, P10 <= P50 <= P90, and none before now."""
    history = RepairHistory()
    for one in hours:
        history.add(one, history.model())
    told = history.model().forecast(elapsed_h=elapsed)

    assert elapsed <= told.p10 <= told.p50 <= told.p90


def test_misses_widen_the_interval() -> None:
    """Ten repairs in a row that took longer than told raise the level that P90 is read at."""
    history = RepairHistory()
    for _ in range(30):
        history.add(10.0, history.model())
    before = history.model()
    for _ in range(10):
        told = history.model()
        history.add(told.forecast().p90 * 1.5, told)

    assert history.model().levels[2] > before.levels[2]


def test_the_score_is_that_of_its_definition() -> None:
    """Two repairs by hand: one inside, one above."""
    score = score_forecasts(np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]), np.array([3.0, 6.0]))

    inside = (0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3
    above = (0.1 * 5 + 0.5 * 4 + 0.9 * 2) / 3
    assert score.coverage == 0.5
    assert score.width_h == 3.0
    assert score.pinball_h == pytest.approx((inside + above) / 2)
    with pytest.raises(ValueError, match="no repair"):
        score_forecasts(np.empty((0, 3)), np.empty(0))
