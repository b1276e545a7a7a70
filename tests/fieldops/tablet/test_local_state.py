"""The job as the tablet reckons it from the day and what was recorded on it since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fieldops.tablet.jobs import OTHERS, OURS, Device, deed, job, list_steps, op, valve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.fieldops.tablet.jobs import Json

WAY = ("accept", "depart", "arrive")


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    """Start node once."""
    made = Device()
    yield made
    made.close()


@pytest.fixture
def steps(session: Session) -> list[Json]:
    """Give the steps of the preset process."""
    return list_steps(session)


def test_each_record_leads_on_and_the_next_main_step_with_it(
    device: Device, steps: list[Json]
) -> None:
    """One main step a state, from the offer to the supply that is back."""
    ops: list[Json] = []
    seen = []
    for record in (
        op("accept"),
        op("depart"),
        op("arrive", arrival_distance_m=12.5),
        op("start", safety_briefing=True),
        deed("confirm_valve", valve="V1", result="closed_tight", tag="7"),
        deed("confirm_valve", valve="V2", result="passing", accept_passing=True),
        op("finish", cause="corrosion", repair="哈夫节", material="DN200"),
        deed("reopen_valve", valve="V2", result="reopened", repaired=True),
        deed("reopen_valve", valve="V1", result="reopened", tag="7", repaired=True),
        op("restore", flushed=True),
    ):
        now = device.ask("withOps", job(steps, valve(1), valve(2)), ops)
        seen.append(device.ask("moves", now, [OURS])["main"])
        ops.append(record)
    assert seen == [
        "accept", "depart", "arrive", "start", "close V1", "close V2", "finish", "open V2",
        "open V1", "restore",
    ]  # fmt: skip
    now = device.ask("withOps", job(steps, valve(1), valve(2)), ops)
    assert (now["state"], now["data"]["arrival_distance_m"]) == ("restored", 12.5)
    stages = now["outage"]["stages"]
    assert stages.keys() == {
        "aware", "dispatched", "on_site", "water_stopped", "repaired", "flushed",
    }  # fmt: skip
    assert stages["water_stopped"] == ops[5]["occurred_at"]
    assert [one["tag"] for one in now["outage"]["valves"]] == [None, None]


def test_what_the_server_has_answered_counts_until_the_day_tells_it(
    device: Device, steps: list[Json]
) -> None:
    """Between the answer and the next day the job does not fall back, and nothing counts twice."""
    answered = {"state": "confirmed", "answer": {"status": "applied", "version": 6}}
    ops = [op("accept", **answered), op("depart")]
    assert device.ask("withOps", job(steps), ops)["state"] == "en_route"
    fresh = job(steps, state="accepted", version=6)
    assert device.ask("withOps", fresh, ops)["state"] == "en_route"
    gone_on = job(steps, state="triaged", crew=None, version=9)
    assert device.ask("withOps", gone_on, ops[:1])["state"] == "triaged"


def test_what_was_refused_changes_nothing_and_stays_to_be_seen(
    device: Device, steps: list[Json]
) -> None:
    """Of what was applied with a conflict, the fields of somebody else stand."""
    refused = op("accept", state="needs_you", answer={"status": "illegal", "version": 5})
    now = device.ask("withOps", job(steps), [refused])
    assert (now["state"], len(now["records"])) == ("assigned", 1)
    both = {"status": "applied_with_conflict", "version": 6, "conflicts": {"material": {}}}
    body = {"repair": "哈夫节", "material": "PE"}
    partly = op("finish", state="needs_you", answer=both, **body)
    working = job(steps, state="working", data={"material": "DI"})
    now = device.ask("withOps", working, [partly])
    assert (now["state"], now["data"]) == ("work_done", {"material": "DI", "repair": "哈夫节"})


def test_what_does_not_fit_the_state_is_passed_over(device: Device, steps: list[Json]) -> None:
    """A lost answer leaves a record on the device that the server has carried out."""
    now = device.ask("withOps", job(steps, state="en_route"), [op("accept"), op("arrive")])
    assert now["state"] == "on_site"


def test_a_hold_ends_where_it_began(device: Device, steps: list[Json]) -> None:
    """And a job that was given away offers nothing."""
    held = op("hold", reason="等材料", resume_by="2026-03-05T00:00:00Z")
    now = device.ask("withOps", job(steps, state="working"), [held])
    assert (now["state"], now["is_on_hold"], now["hold_reason"]) == ("on_hold", True, "等材料")
    assert device.ask("moves", now, [OURS])["main"] == "resume"
    now = device.ask("withOps", job(steps, state="working"), [held, op("resume")])
    assert (now["state"], now["is_on_hold"]) == ("working", False)
    for away in (op("hand_over", crew=OTHERS, open_work="沟槽敞开"), op("decline", reason="泵坏")):
        now = device.ask("withOps", job(steps), [away])
        assert device.ask("moves", now, [OURS]) == {"main": None, "others": []}


def test_a_stuck_valve_is_not_waited_for_once_the_device_has_a_ring(
    device: Device, steps: list[Json]
) -> None:
    """The new valves join the list, marked; the water stops when all of the ring is shut."""
    working = job(steps, valve(1), valve(2), valve(3), state="working")
    stuck = deed("confirm_valve", valve="V2", result="will_not_close")
    ring = deed("device_ring", stuck="V2", valves=["V1", "V8", "V9"])
    now = device.ask("withOps", working, [stuck, ring])
    assert device.ask("toClose", now) == ["V1", "V8", "V9"]
    marked = {one["valve"]: one.get("is_from_device", False) for one in now["outage"]["valves"]}
    assert marked == {"V1": False, "V2": False, "V3": False, "V8": True, "V9": True}
    closed = [deed("confirm_valve", valve=each, result="closed_tight") for each in ("V1", "V8")]
    now = device.ask("withOps", working, [stuck, ring, *closed])
    assert "water_stopped" not in now["outage"]["stages"]
    last = deed("confirm_valve", valve="V9", result="closed_tight")
    now = device.ask("withOps", working, [stuck, ring, *closed, last])
    assert now["outage"]["stages"]["water_stopped"] == last["occurred_at"]


def test_the_device_takes_up_an_optional_valve_that_its_ring_wants(
    device: Device, steps: list[Json]
) -> None:
    """With what the ring knows of the valves that the plan had not."""
    working = job(steps, valve(1), valve(2, role="optional"), state="working")
    stuck = deed("confirm_valve", valve="V1", result="not_found")
    wanted = [
        {"valve": "V2", "table": "valve", "role": "close"},
        {"valve": "P7", "table": "pump", "role": "pump"},
    ]
    now = device.ask("withOps", working, [stuck, deed("device_ring", stuck="V1", valves=wanted)])
    roles = {one["valve"]: (one["role"], one["table"]) for one in now["outage"]["valves"]}
    assert roles == {"V1": ("stuck", "valve"), "V2": ("close", "valve"), "P7": ("pump", "pump")}
    assert device.ask("toClose", now) == ["V2", "P7"]


def test_what_the_ring_rests_on_being_shut_is_asked_for_last(
    device: Device, steps: list[Json]
) -> None:
    """It is looked at, and never opened again by this job."""
    working = job(steps, valve(1), state="working")
    stuck = deed("confirm_valve", valve="V1", result="not_found")
    wanted = [
        {"valve": "V8", "table": "valve", "role": "verify_shut"},
        {"valve": "V9", "table": "valve", "role": "close"},
    ]
    ring = deed("device_ring", stuck="V1", valves=wanted)
    now = device.ask("withOps", working, [stuck, ring])
    assert device.ask("toClose", now) == ["V9", "V8"]
    shut = [deed("confirm_valve", valve=each, result="closed_tight") for each in ("V9", "V8")]
    now = device.ask("withOps", working, [stuck, ring, *shut])
    assert device.ask("shutBy", now) == ["V9"]


def test_a_valve_that_passes_is_shut_only_where_somebody_accepts_it(
    device: Device, steps: list[Json]
) -> None:
    """By name."""
    working = job(steps, valve(1), state="working")
    for accepts, stages in ((False, False), (True, True)):
        passing = deed("confirm_valve", valve="V1", result="passing", accept_passing=accepts)
        now = device.ask("withOps", working, [passing])
        assert ("water_stopped" in now["outage"]["stages"]) is stages
        assert now["outage"]["valves"][0]["accepted_by"] == ("王芳" if accepts else None)
        assert device.ask("shutBy", now) == ["V1"]


def test_a_part_opens_its_valves_and_a_valve_that_will_not_open_stays_shut(
    device: Device, steps: list[Json]
) -> None:
    """The water of a part is back when all its valves are open."""
    shut = [valve(each, state="closed_tight", tag=str(each)) for each in (1, 2)]
    done = job(steps, *shut, state="work_done")
    stuck = deed("reopen_valve", valve="V1", result="will_not_reopen", repaired=True)
    now = device.ask("withOps", done, [stuck])
    assert [one["tag"] for one in now["outage"]["valves"]] == ["1", "2"]
    assert device.ask("shutBy", now) == ["V2"]
    now = device.ask("withOps", done, [deed("restore_part", part="all", tags={"V1": "1"})])
    assert [one["state"] for one in now["outage"]["valves"]] == ["reopened", "reopened"]


def test_who_hands_over_tells_what_is_shut_tagged_and_still_to_close(
    device: Device, steps: list[Json]
) -> None:
    """With what was recorded a minute ago and is on this device alone."""
    working = job(steps, valve(1), valve(2), valve(3, state="will_not_reopen"), state="working")
    shut = deed("confirm_valve", valve="V1", result="passing", tag="7")
    left = device.ask("leftOpen", device.ask("withOps", working, [shut]))
    assert left == {"valves_shut": ["V1", "V3"], "tags": ["7"], "waiting": ["V2"]}
    # With no isolation to go by, nobody knows; that is not "none".
    left = device.ask("leftOpen", {**working, "outage": None})
    assert left == {"valves_shut": None, "tags": None, "waiting": None}


def test_where_the_server_has_heard_of_no_shut_valve_each_is_a_part_of_unknown_size(
    device: Device, steps: list[Json]
) -> None:
    """The last one shut comes first; what the server has told stands before that."""
    working = job(steps, valve(1), valve(2), valve(3, role="surplus"), state="working")
    assert device.ask("parts", working) == [["all", 9]]
    working["outage"]["parts"] = []
    shut = [deed("confirm_valve", valve=each, result="closed_tight") for each in ("V1", "V2")]
    now = device.ask("withOps", working, shut)
    assert device.ask("parts", now) == [["valve:V2", None], ["valve:V1", None], ["all", None]]
    opened = deed("reopen_valve", valve="V2", result="reopened", repaired=True)
    now = device.ask("withOps", working, [*shut, opened])
    assert device.ask("parts", now) == [["valve:V2", None], ["valve:V1", None]]


def test_the_second_crew_works_the_valves_and_leaves_the_steps_to_the_first(
    device: Device, steps: list[Json]
) -> None:
    """It hands nothing over either."""
    both = job(steps, valve(1), state="working", crew=OTHERS, second_crew=OURS)
    found = device.ask("moves", both, [OURS])
    assert found["main"] == "close V1"
    assert "hand_over" not in found["others"]
    far = job(steps, valve(1), state="en_route", crew=OTHERS, second_crew=OURS)
    assert device.ask("moves", far, [OURS])["main"] is None
    assert device.ask("moves", far, ["C-9"]) == {"main": None, "others": []}


def test_needs_are_those_of_the_job_as_it_is_and_what_is_known_is_not_asked_again(
    device: Device, steps: list[Json]
) -> None:
    """A permit or a reason for none; the briefing is held anew each time."""
    working = job(steps, state="working")
    asked = device.ask("needs", working, "dig", {})
    assert asked == ["owners_asked", "road_permit", "permit_later_reason", "permit_due_at"]
    assert device.ask("needs", working, "dig", {"road_permit": "占 17"}) == [
        "owners_asked",
        "road_permit",
    ]
    dug = op("dig", owners_asked=["gas", "power", "telecom"], road_permit="占 17")
    now = device.ask("withOps", working, [dug])
    assert now["needs_excavation"] is True
    assert "owners_asked" in device.ask("needs", now, "finish", {})
    known = device.ask("known", now, "finish")
    assert (known["owners_asked"], known["cause"]) == (["gas", "power", "telecom"], None)
    site = job(steps, state="on_site", data={"safety_briefing": True})
    assert device.ask("known", site, "start") == {"safety_briefing": None}
    safe = job(steps, state="working", kind="make_safe")
    assert device.ask("needs", safe, "finish", {}) == ["result"]
