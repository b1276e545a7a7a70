"""Who should go where, and why."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.dispatch.service import propose, suggest, why
from fieldops.errors import ConflictError
from fieldops.events.service import SYSTEM
from fieldops.rosters import queries as rosters
from fieldops.street_times.service import close_road
from tests.fieldops.dispatch.boards import (
    DAY,
    HOUR,
    LAT,
    LON,
    MINUTE,
    NOW,
    dispatcher,
    lay_streets,
    move,
    open_job,
    place_crew,
    step,
)
from tests.fieldops.network.towns import draw, land

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.dispatch.service import CandidateView, Suggestion


def sent(session: Session, now: dt.datetime = NOW) -> dict[str, str]:
    """Give which crew each order is to have."""
    return {each.order_id: each.crew_id for each in suggest(session, now)}


def only(session: Session) -> Suggestion:
    """Give the one suggestion there is."""
    found = suggest(session, NOW)
    assert len(found) == 1
    return found[0]


def codes(suggestion: Suggestion) -> set[str]:
    """Name what is said of a suggestion."""
    return {each.code for each in suggestion.reasons}


def candidate(session: Session, order_id: str, crew_id: str) -> CandidateView:
    """Give a crew as it is compared for an order."""
    return next(each for each in why(session, order_id, NOW) if each.crew_id == crew_id)


def against(session: Session, order_id: str, crew_id: str) -> set[str]:
    """Name what stands against a crew."""
    return {each.code for each in candidate(session, order_id, crew_id).against}


def test_the_way_counts_and_not_the_distance(session: Session) -> None:
    """The crew just across the river has two bridges to go around by."""
    lay_streets(session)
    place_crew(session, "C-对岸", 0.012, 0.005)
    place_crew(session, "C-同岸", 0.022, 0.0)
    job = open_job(session, 0.012, 0.0)
    found = only(session)
    assert (found.order_id, found.crew_id) == (job.id, "C-同岸")
    assert not found.is_straight_line
    assert found.runner_up is not None
    assert found.runner_up.crew_id == "C-对岸"
    assert found.runner_up.eta_min > found.eta_min


def test_without_streets_the_straight_line_answers_and_says_so(session: Session) -> None:
    """Then the crew across the river looks nearest, and nobody is told that it is a fact."""
    place_crew(session, "C-对岸", 0.012, 0.005)
    place_crew(session, "C-同岸", 0.022, 0.0)
    open_job(session, 0.012, 0.0)
    found = only(session)
    assert found.crew_id == "C-对岸"
    assert found.is_straight_line
    assert "straight_line" in codes(found)


def test_a_closed_street_changes_the_answer_and_says_so(session: Session) -> None:
    """The west bridge closes, and the other crew is nearer; for itself it is a detour."""
    lay_streets(session)
    place_crew(session, "C-西", 0.0, 0.005)
    place_crew(session, "C-东", 0.025, 0.0)
    job = open_job(session, 0.004, 0.0)
    assert sent(session) == {job.id: "C-西"}
    before_min = candidate(session, job.id, "C-西").travel_min
    close_road(session, "R-西桥", is_closed=True, actor=dispatcher(session), now=NOW)
    assert sent(session) == {job.id: "C-东"}
    after_min = candidate(session, job.id, "C-西").travel_min
    assert before_min is not None
    assert after_min is not None
    assert after_min > before_min + 5
    close_road(session, "R-东桥", is_closed=True, actor=dispatcher(session), now=NOW)
    assert "no_way" in against(session, job.id, "C-西")
    close_road(session, "R-西桥", is_closed=False, actor=dispatcher(session), now=NOW)
    assert sent(session) == {job.id: "C-西"}


def test_a_detour_is_told_of_whoever_has_to_drive_it(session: Session) -> None:
    """The only crew goes around, and the dispatcher learns what the closed street costs."""
    lay_streets(session)
    place_crew(session, "C-西", 0.0, 0.005)
    open_job(session, 0.004, 0.0)
    assert "detour" not in codes(only(session))
    close_road(session, "R-西桥", is_closed=True, actor=dispatcher(session), now=NOW)
    reason = next(each for each in only(session).reasons if each.code == "detour")
    assert reason.params["minutes"] > 5


def test_customers_without_water_weigh_more_than_the_way(session: Session) -> None:
    """The only crew goes to the far burst, and not to the leak beside it."""
    lay_streets(session)
    place_crew(session, "C-1", 0.0)
    open_job(session, 0.001)
    burst = open_job(session, 0.02, severity="burst", customers_out=400)
    found = only(session)
    assert found.order_id == burst.id
    assert {"customers_out", "only_one"} <= codes(found)
    assert propose(session, NOW).short


def test_danger_outranks_any_number_of_customers(session: Session) -> None:
    """A road that caves in comes first."""
    place_crew(session, "C-1", 0.0)
    open_job(session, 0.001, severity="burst", customers_out=50_000, critical_out=9)
    danger = open_job(session, 0.03, severity="danger")
    assert sent(session) == {danger.id: "C-1"}


def test_an_expired_skill_is_no_skill(session: Session) -> None:
    """The near crew's welding ran out yesterday."""
    near = place_crew(session, "C-近", 0.0, skills=("general",))
    today = (NOW + 8 * HOUR).date()
    rosters.insert_skill(
        session, near, skill="welding_pe", valid_until=today - dt.timedelta(days=1)
    )
    place_crew(session, "C-远", 0.02)
    job = open_job(session, 0.0, skills=["welding_pe"])
    assert sent(session) == {job.id: "C-远"}
    assert "lacks_skills" in against(session, job.id, "C-近")


def test_a_crew_on_call_comes_for_an_emergency_alone(session: Session) -> None:
    """A routine job waits for the shift."""
    place_crew(session, "C-1", 0.0, on_call=1)
    leak = open_job(session, 0.0)
    assert sent(session) == {}
    assert "off_shift" in against(session, leak.id, "C-1")
    burst = open_job(session, 0.02, severity="burst")
    assert sent(session) == {burst.id: "C-1"}
    assert "on_call" in codes(only(session))


def test_a_job_that_outlasts_the_shift_is_for_another_crew(session: Session) -> None:
    """Routine work ends before the shift does; an emergency only has to be reached."""
    place_crew(session, "C-近", 0.0, shift_left=20 * MINUTE)
    place_crew(session, "C-远", 0.02)
    leak = open_job(session, 0.0)
    assert sent(session) == {leak.id: "C-远"}
    assert "shift_ends" in against(session, leak.id, "C-近")
    step(session, leak.id, "cancel", reason="误报")
    burst = open_job(session, 0.0, severity="burst")
    assert sent(session) == {burst.id: "C-近"}


def test_an_old_position_is_distrusted_and_marked(session: Session) -> None:
    """Nobody knows whether that crew is still so near."""
    place_crew(session, "C-旧", 0.0, age=2 * HOUR)
    place_crew(session, "C-新", 0.02)
    job = open_job(session, 0.0)
    assert sent(session) == {job.id: "C-新"}
    assert "position_old" in against(session, job.id, "C-旧")
    assert candidate(session, job.id, "C-旧").place == "old_position"
    move(session, "C-旧", 0.0, 0.0, NOW)
    assert sent(session) == {job.id: "C-旧"}


def test_a_crew_without_any_place_is_no_candidate_and_says_why(session: Session) -> None:
    """Unknown is not near."""
    place_crew(session, "C-1", None)
    job = open_job(session, 0.0)
    assert sent(session) == {}
    assert "place_unknown" in against(session, job.id, "C-1")


def test_a_crew_under_way_is_diverted_only_for_a_real_gain(session: Session) -> None:
    """A leak nearer by does not turn it around, a burst does."""
    place_crew(session, "C-1", 0.0)
    first = open_job(session, 0.006)
    step(session, first.id, "assign", crew="C-1")
    open_job(session, 0.001)
    assert sent(session) == {}
    burst = open_job(session, 0.002, severity="burst", customers_out=500)
    found = only(session)
    assert (found.order_id, found.divert_from) == (burst.id, first.id)
    assert "divert" in codes(found)


def test_a_pin_is_never_undone(session: Session) -> None:
    """The dispatcher has a reason; the burst gets nobody."""
    place_crew(session, "C-1", 0.0)
    first = open_job(session, 0.03)
    step(session, first.id, "assign", crew="C-1", pin_reason="记者在场")
    burst = open_job(session, 0.002, severity="burst", customers_out=5000)
    assert sent(session) == {}
    assert "pinned" in against(session, burst.id, "C-1")
    assert propose(session, NOW).short == {burst.id: 1}


def test_a_job_for_two_crews_gets_two(session: Session) -> None:
    """Or it is told that one is lacking."""
    place_crew(session, "C-1", 0.0)
    job = open_job(session, 0.0, crews_needed=2)
    assert propose(session, NOW).short[job.id] >= 1
    place_crew(session, "C-2", 0.01)
    found = only(session)
    assert {found.crew_id, found.second_crew_id} == {"C-1", "C-2"}


def test_the_valve_crew_goes_first_and_the_repair_follows(session: Session) -> None:
    """Who repairs is not sent while nobody is there to close the valves."""
    place_crew(session, "C-阀", 0.0, skills=("valve", "general"))
    place_crew(session, "C-修", 0.0)
    safe = open_job(session, 0.02, kind="make_safe", severity="burst", skills=["valve"])
    repair = open_job(
        session,
        0.02,
        kind="repair",
        severity="burst",
        skills=["excavation"],
        after_order_key=safe.key,
    )
    assert repair.id not in sent(session)
    assert propose(session, NOW).blocked == {repair.id: safe.id}
    with pytest.raises(ConflictError):
        why(session, repair.id, NOW)
    step(session, safe.id, "assign", crew="C-阀")
    for action in ("accept", "depart", "arrive"):
        step(session, safe.id, action)
    later = NOW + 20 * MINUTE
    assert sent(session, later) == {repair.id: "C-修"}


def test_a_permit_that_is_not_valid_yet_keeps_a_job_waiting(session: Session) -> None:
    """It is on the board in time for the way there."""
    place_crew(session, "C-1", 0.0)
    job = open_job(session, 0.01, release_at=NOW + DAY)
    assert sent(session) == {}
    assert propose(session, NOW).blocked == {job.id: ""}


def test_a_crew_at_work_has_a_queue(session: Session) -> None:
    """What comes after is expected, and nobody is sent for it yet."""
    place_crew(session, "C-1", 0.0)
    first = open_job(session, 0.0)
    step(session, first.id, "assign", crew="C-1")
    for action in ("accept", "depart", "arrive"):
        step(session, first.id, action)
    second = open_job(session, 0.01)
    assert sent(session) == {}
    assert propose(session, NOW).queues == {"C-1": [second.id]}
    assert "at_work" in against(session, second.id, "C-1")


def test_the_answer_is_kept_until_something_matters(session: Session) -> None:
    """A few metres do not, another job does, and so does a minute."""
    place_crew(session, "C-1", 0.0)
    open_job(session, 0.01)
    session.commit()
    first = propose(session, NOW)
    move(session, "C-1", 0.0005, 0.0, NOW)
    session.commit()
    assert propose(session, NOW) is first
    move(session, "C-1", 0.005, 0.0, NOW + dt.timedelta(seconds=9))
    session.commit()
    second = propose(session, NOW)
    assert second is not first
    assert propose(session, NOW + MINUTE) is not second


def test_a_drill_takes_no_crew_from_a_real_job(session: Session) -> None:
    """However grave it is played."""
    place_crew(session, "C-1", 0.0)
    open_job(session, 0.0, severity="danger", customers_out=9000, is_drill=True)
    real = open_job(session, 0.02, severity="routine", kind="routine")
    assert sent(session) == {real.id: "C-1"}


def test_why_shows_every_part_of_the_decision(session: Session) -> None:
    """The same matrix, each crew once, the best first."""
    lay_streets(session)
    for number in range(4):
        place_crew(session, f"C-{number}", 0.007 * number)
    job = open_job(session, 0.0, severity="burst", customers_out=80)
    found = why(session, job.id, NOW)
    assert [each.rank for each in found] == [1, 2, 3, 4]
    assert [each.crew_id for each in found] == ["C-0", "C-1", "C-2", "C-3"]
    assert [each.is_chosen for each in found] == [True, False, False, False]
    first, second = found[0], found[1]
    assert first.weight >= 80
    assert first.cost is not None
    assert second.cost is not None
    assert first.cost < second.cost
    assert first.slack_min is not None
    assert second.slack_min is not None
    assert first.slack_min > second.slack_min


def test_nobody_is_compared_for_an_order_that_is_done(session: Session) -> None:
    """Asking is answered in words."""
    place_crew(session, "C-1", 0.0)
    job = open_job(session, 0.0)
    step(session, job.id, "cancel", reason="误报")
    with pytest.raises(ConflictError):
        why(session, job.id, NOW)
    assert SYSTEM.person_id is None


def test_what_was_reported_in_the_weeks_before_is_expected_again(session: Session) -> None:
    """A crew with a rare skill is dearer to send, for somebody may need it soon."""
    place_crew(session, "C-稀", 0.0)
    place_crew(session, "C-常", 0.0, skills=("general",))
    for number in range(30):
        past = open_job(
            session, 0.001 * number, skills=["leak_detection"], reported_at=NOW - 3 * DAY
        )
        step(session, past.id, "cancel", reason="误报")
    job = open_job(session, 0.01, skills=["general"], severity="routine")
    parts = {each.crew_id: each.parts for each in why(session, job.id, NOW)}
    assert parts["C-稀"]["absence"] > parts["C-常"]["absence"]
    assert sent(session) == {job.id: "C-常"}


def test_the_runner_up_is_whom_the_panel_ranks_next(session: Session) -> None:
    """And whoever is to go elsewhere says so."""
    for number, x in enumerate((0.0, 0.004, 0.012, 0.02), start=1):
        place_crew(session, f"C-{number}", x)
    kinds = ("leak", "burst", "routine", "burst", "leak")
    for at, severity in enumerate(kinds):
        open_job(session, 0.006 * at, severity=severity, customers_out=100 * (at % 3))
    found = suggest(session, NOW)
    assert len(found) == 4
    for each in found:
        ranked = why(session, each.order_id, NOW)
        others = [one for one in ranked if not one.is_chosen and one.cost is not None]
        assert (each.runner_up and each.runner_up.crew_id) == (
            others[0].crew_id if others else None
        )
        for one in ranked:
            places = [
                reason.params["order"] for reason in one.against if reason.code == "elsewhere"
            ]
            sent = [mine.order_id for mine in found if mine.crew_id == one.crew_id]
            assert places == [order for order in sent if order != each.order_id]


def test_a_road_closed_elsewhere_takes_no_straight_line_away(session: Session) -> None:
    """Where the record has a gap, a straight line still answers, whatever else is closed."""
    lay_streets(session, "R-东桥", "R-西桥")
    place_crew(session, "C-1", 0.01, 0.0)
    place_crew(session, "C-2", 0.02, 0.0)
    job = open_job(session, 0.015, 0.005, severity="burst")
    gap = why(session, job.id, NOW)
    close_road(session, "R-南岸", is_closed=True, actor=SYSTEM, now=NOW)
    assert [one.travel_min for one in why(session, job.id, NOW)] == [one.travel_min for one in gap]
    assert all(one.is_straight_line for one in gap)


def test_crews_on_call_need_time_to_set_out_and_go_in_their_order(session: Session) -> None:
    """A quarter of an hour, unless a manager says otherwise."""
    place_crew(session, "C-1", 0.0, on_call=2)
    place_crew(session, "C-2", 0.0, on_call=1)
    job = open_job(session, 0.01, severity="burst")
    found = suggest(session, NOW)[0]
    assert found.crew_id == "C-2"
    assert found.eta_min > 15
    assert "same_time" in {each.code for each in found.reasons}
    place_crew(session, "C-3", 0.03)
    assert suggest(session, NOW)[0].crew_id == "C-3"
    assert why(session, job.id, NOW)[1].crew_id == "C-2"


def test_an_old_position_is_doubted_the_more_the_older_it_is(session: Session) -> None:
    """And after hours the crew is taken to be at its depot."""
    land(session, [draw("depot", "D-1", "Point", [LON + 0.5, LAT], {"name": "东站"})])
    depot = rosters.list_depots(session)[0][0]
    for number, minutes in enumerate((1, 20, 60, 300), start=1):
        place_crew(session, f"C-{number}", 0.0, age=minutes * MINUTE, depot_key=depot)
    job = open_job(session, 0.01)
    found = {one.crew_id: one for one in why(session, job.id, NOW)}
    places = [found[f"C-{number}"].place for number in range(1, 5)]
    assert places == ["position", "old_position", "old_position", "depot"]
    late_min = [(found[f"C-{n}"].travel_min or 0) - (found["C-1"].travel_min or 0) for n in (2, 3)]
    assert late_min == pytest.approx([10 / 6, 5], abs=0.01)
