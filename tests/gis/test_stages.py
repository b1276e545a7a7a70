"""The rest of a job, forecast from the stages behind it."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.timeline import Stages, ValveTask, plan_times

LINE = [ValveTask(k, 100.0 * k, 0.0, 20) for k in range(4)]
"""Four valves along a street."""


def test_valves_already_closed_keep_their_times_and_the_rest_goes_on_from_them() -> None:
    """The round continues at the last valve worked."""
    plan = plan_times(LINE, stages=Stages(now_h=1.5, on_site_h=1, closed_h={2: 1.2, 3: 1.4}))

    assert plan.order[:2] == (2, 3)
    assert plan.order[2:] == (1, 0)
    assert [q.p10 for q in plan.closed[:2]] == [q.p90 for q in plan.closed[:2]] == [1.2, 1.4]
    assert all(q.p10 >= 1.5 for q in plan.closed[2:])
    assert plan.water_stopped == plan.closed[-1]


def test_after_the_repair_only_refilling_and_reopening_are_left() -> None:
    """However long the whole job was taken to last."""
    shut = dict.fromkeys(range(4), 1.0)
    before = plan_times(LINE, stages=Stages(now_h=5, water_stopped_h=1, closed_h=shut))
    after = plan_times(LINE, stages=Stages(now_h=5, water_stopped_h=1, repaired_h=5, closed_h=shut))
    flushed = plan_times(
        LINE,
        stages=Stages(now_h=6, water_stopped_h=1, repaired_h=5, flushed_h=6, closed_h=shut),
    )

    assert after.restored.p90 < before.restored.p50
    assert after.repaired.p10 == after.repaired.p90 == 5
    assert 5 < after.flushed.p50 < after.restored.p50
    assert flushed.restored.p90 - 6 < after.restored.p90 - 5


def test_a_valve_that_never_opens_again_is_reopened_at_infinity() -> None:
    """And the others are not kept waiting for it."""
    shut = dict.fromkeys(range(4), 1.0)
    stages = Stages(
        now_h=7, water_stopped_h=1, repaired_h=5, closed_h=shut, reopened_h={0: 6.5, 3: math.inf}
    )
    plan = plan_times(LINE, stages=stages)
    at = dict(zip(plan.order, plan.reopened, strict=True))

    assert at[0].p50 == 6.5
    assert at[3].p50 == math.inf
    assert all(7 <= at[k].p50 < math.inf for k in (1, 2))


def test_a_planned_job_shuts_nothing_before_and_takes_until_it_was_announced() -> None:
    """Unless it has run late already."""
    planned = plan_times(LINE, stages=Stages(begins_h=4, ends_h=9))
    late = plan_times(LINE, stages=Stages(now_h=10, begins_h=4, ends_h=9))

    assert all(q.p10 > 4 for q in planned.closed)
    assert planned.restored.p50 == 9
    assert late.restored.p10 >= 10


def test_a_crew_on_its_way_is_there_sooner_than_one_that_nobody_sent() -> None:
    """Dispatch is a stage of its own."""
    sent = plan_times(LINE, stages=Stages(now_h=0.1, dispatched_h=0.1))
    unsent = plan_times(LINE, stages=Stages(now_h=0.1))

    assert sent.on_site.p50 < unsent.on_site.p50
    assert sent.water_stopped.p50 < unsent.water_stopped.p50


@given(
    now_h=st.floats(0, 50),
    closings=st.lists(st.floats(0, 50), max_size=4),
    is_repaired=st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_to_come_is_forecast_for_the_past(
    *, now_h: float, closings: list[float], is_repaired: bool
) -> None:
    """Each stage after the one before, at every level."""
    closed_h = {device: min(at, now_h) for device, at in enumerate(closings)}
    repaired_h = now_h if is_repaired and len(closed_h) == 4 else None
    plan = plan_times(LINE, stages=Stages(now_h=now_h, closed_h=closed_h, repaired_h=repaired_h))

    for level in ("p10", "p50", "p90"):
        told = [getattr(plan.flushed, level), getattr(plan.restored, level)]
        assert told == sorted(told)
        assert told[0] >= getattr(plan.repaired, level)
        assert getattr(plan.restored, level) >= now_h
    for device, closed in zip(plan.order, plan.closed, strict=True):
        assert device in closed_h or closed.p10 >= now_h
    assert plan.restored.p10 <= plan.restored.p50 <= plan.restored.p90
