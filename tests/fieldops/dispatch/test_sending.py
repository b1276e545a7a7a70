"""Sending crews: who wins, what is refused, who is asked again, and what goes by itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fieldops import jobs
from fieldops.candidates.service import fetch_settings
from fieldops.dispatch import tasks
from fieldops.dispatch.service import (
    Sending,
    answer_by_phone,
    assign,
    change_settings,
    learn,
    run_automatic,
    send,
    suggest,
    sweep_offers,
)
from fieldops.errors import ConflictError
from fieldops.events.service import Operation, Outcome
from fieldops.offers.service import list_open
from fieldops.street_times.service import SHORTEST_TRIP_M
from fieldops.work_orders.service import apply_operation, find_order
from tests.fieldops.dispatch.boards import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    close_valves,
    dispatcher,
    move,
    open_job,
    place_crew,
    step,
)

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.orm import Session, sessionmaker


def set_mode(session: Session, **changes: Any) -> None:  # noqa: ANN401
    """Change settings as a manager does."""
    manager = replace(dispatcher(session), roles=frozenset({"manager"}))
    change_settings(session, changes, fetch_settings(session).version, manager, NOW)


def said(outcome: object) -> str:
    """Give what an outcome says."""
    return outcome.message % outcome.params  # type: ignore[attr-defined,no-any-return]


def test_the_second_dispatcher_learns_who_won_the_crew_and_when(session: Session) -> None:
    """One crew, two orders."""
    place_crew(session, "C-1", 0.0)
    mine, yours = open_job(session, 0.01), open_job(session, 0.02)
    assert assign(session, mine.id, "C-1", dispatcher(session), NOW).status == "applied"
    session.commit()
    lost = assign(session, yours.id, "C-1", dispatcher(session, "李强"), NOW + MINUTE)
    assert lost.status == "conflict"
    assert said(lost) == f"C-1班 was sent to {mine.id} by 王芳 at 10:00."
    assert find_order(session, yours.id).crew_id is None


def test_the_second_dispatcher_learns_who_won_the_order(session: Session) -> None:
    """One order, two crews; who has seen the first may change it."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.01)
    job = open_job(session, 0.01)
    first = assign(session, job.id, "C-1", dispatcher(session), NOW)
    session.commit()
    lost = assign(session, job.id, "C-2", dispatcher(session, "李强"), NOW + MINUTE)
    assert said(lost) == f"{job.id} was given to C-1班 by 王芳 at 10:00."
    wish = Sending(order_id=job.id, crew_id="C-2", base_version=first.version)
    assert send(session, wish, dispatcher(session, "李强"), NOW + MINUTE).status == "applied"
    assert find_order(session, job.id).crew_id == "C-2"


def test_a_crew_is_taken_off_exactly_the_order_that_was_named(session: Session) -> None:
    """The other waits for a crew again."""
    place_crew(session, "C-1", 0.0)
    leak, burst = open_job(session, 0.02), open_job(session, 0.01, severity="burst")
    assign(session, leak.id, "C-1", dispatcher(session), NOW)
    wish = Sending(order_id=burst.id, crew_id="C-1", instead_of=[leak.id])
    assert send(session, wish, dispatcher(session), NOW).status == "applied"
    assert find_order(session, burst.id).crew_id == "C-1"
    after = find_order(session, leak.id)
    assert (after.state, after.crew_id) == ("triaged", None)


def test_both_crews_of_a_job_are_taken_off_what_they_go_to(session: Session) -> None:
    """As it is suggested; the second joins one that is under way without calling it back."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.0005)
    first, second = (open_job(session, 0.02, severity="routine") for _ in range(2))
    assign(session, first.id, "C-1", dispatcher(session), NOW)
    assign(session, second.id, "C-2", dispatcher(session), NOW)
    big = open_job(session, 0.001, severity="burst", crews_needed=2, customers_out=5000)
    found = next(each for each in suggest(session, NOW) if each.order_id == big.id)
    assert found.diverts == (first.id, second.id)
    wish = Sending(
        order_id=big.id,
        crew_id=found.crew_id,
        second_crew_id=found.second_crew_id,
        base_version=found.version,
        instead_of=found.diverts,
    )
    assert send(session, wish, dispatcher(session), NOW).status == "applied"
    other = open_job(session, 0.03, severity="danger", crews_needed=2)
    place_crew(session, "C-3", 0.03)
    place_crew(session, "C-4", 0.03)
    assign(session, other.id, "C-3", dispatcher(session), NOW)
    step(session, other.id, "accept")
    joined = Sending(
        order_id=other.id,
        crew_id="C-3",
        second_crew_id="C-4",
        base_version=find_order(session, other.id).version,
    )
    assert send(session, joined, dispatcher(session), NOW).state == "accepted"
    assert find_order(session, other.id).second_crew_id == "C-4"


def test_nobody_takes_back_what_another_has_sent_since(session: Session) -> None:
    """Undo is refused, and says whose it is."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.02)
    job = open_job(session, 0.01)
    mine = assign(session, job.id, "C-1", dispatcher(session), NOW)
    theirs = Sending(order_id=job.id, crew_id="C-2", base_version=mine.version)
    send(session, theirs, dispatcher(session, "李强"), NOW)

    def undo(seen: int | None) -> Outcome:
        operation = Operation(
            subject_kind="work_order",
            subject_id=job.id,
            action="withdraw",
            body={"reason": "误派"},
            base_version=seen,
        )
        return apply_operation(session, operation, dispatcher(session), NOW)

    assert "李强" in said(undo(mine.version))
    assert undo(find_order(session, job.id).version).status == "applied"


def test_a_pin_is_changed_only_with_a_reason(session: Session) -> None:
    """Whoever does it is asked to say why."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.01)
    job, other = open_job(session, 0.02), open_job(session, 0.0, severity="burst")
    pinned = assign(session, job.id, "C-1", dispatcher(session), NOW, pin_reason="熟悉此处")
    wish = Sending(order_id=job.id, crew_id="C-2", base_version=pinned.version)
    refused = send(session, wish, dispatcher(session), NOW)
    assert "熟悉此处" in said(refused)
    away = Sending(order_id=other.id, crew_id="C-1", instead_of=[job.id])
    assert send(session, away, dispatcher(session), NOW).status == "conflict"
    again = replace(wish, pin_reason="C-1 车坏了")
    assert send(session, again, dispatcher(session), NOW).status == "applied"


def test_a_crew_without_the_skill_is_refused_and_one_off_shift_needs_a_reason(
    session: Session,
) -> None:
    """Skills are hard; a shift is a matter of judgement that is written down."""
    place_crew(session, "C-1", 0.0, skills=("general",))
    place_crew(session, "C-2", 0.0, on_call=1)
    job = open_job(session, 0.01, skills=["excavation"])
    refused = assign(session, job.id, "C-1", dispatcher(session), NOW, pin_reason="就近")
    assert "excavation" in said(refused)
    assert assign(session, job.id, "C-2", dispatcher(session), NOW).status == "conflict"
    sent = assign(session, job.id, "C-2", dispatcher(session), NOW, pin_reason="无人在班")
    assert sent.status == "applied"


def test_no_door_leads_around_a_skill(session: Session) -> None:
    """Nor does a tablet's operation or the order's own page."""
    place_crew(session, "C-1", 0.0, skills=("general",))
    job = open_job(session, 0.01, skills=["excavation"])
    with pytest.raises(ConflictError, match="excavation"):
        step(session, job.id, "assign", crew="C-1")


def test_no_door_leads_around_a_pin_a_shift_or_the_second_crews_skill(session: Session) -> None:
    """What a tablet or the order's own page sends is held to the same as the console."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.0, skills=("general",))
    place_crew(session, "C-3", 0.0, shift_left=-HOUR)
    job, other = open_job(session, 0.01), open_job(session, 0.01, skills=["excavation"])
    assign(session, job.id, "C-1", dispatcher(session), NOW, pin_reason="熟悉此处")
    seen = find_order(session, job.id).version

    def operate(order_id: str, action: str, version: int, **body: object) -> Outcome:
        operation = Operation(
            subject_kind="work_order",
            subject_id=order_id,
            action=action,
            body=body,
            base_version=version,
        )
        return apply_operation(session, operation, dispatcher(session, "李强"), NOW)

    assert "熟悉此处" in said(operate(job.id, "assign", seen, crew="C-2"))
    assert operate(job.id, "set", seen, is_pinned=False).status == "illegal"
    assert operate(job.id, "assign", seen, crew="C-2", pin_reason="车坏").status == "applied"
    with pytest.raises(ConflictError, match="off its shift"):
        operate(other.id, "assign", other.version, crew="C-3")


def test_a_second_crew_added_to_an_order_needs_its_skills(session: Session) -> None:
    """As the first does."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.0, skills=("general",))
    job = open_job(session, 0.01, skills=["excavation"], crews_needed=2)
    step(session, job.id, "assign", crew="C-1")
    step(session, job.id, "set", task="先探管")
    with pytest.raises(ConflictError, match="excavation"):
        step(session, job.id, "set", second_crew="C-2")


def test_an_unanswered_routine_job_goes_to_the_next_crew(session: Session) -> None:
    """After five minutes, and after a night's downtime as well."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.01)
    job = open_job(session, 0.0)
    assign(session, job.id, "C-1", dispatcher(session), NOW)
    assert sweep_offers(session, NOW + 4 * MINUTE) == 0
    move(session, "C-2", 0.01, 0.0, NOW + 6 * MINUTE)
    assert sweep_offers(session, NOW + 6 * MINUTE) == 1
    assert find_order(session, job.id).crew_id == "C-2"
    assert [each.crew_id for each in list_open(session)] == ["C-2"]
    # Nobody is left to be asked: the dispatcher has it again, and nobody is asked twice.
    assert sweep_offers(session, NOW + 3 * HOUR) == 1
    after = find_order(session, job.id)
    assert (after.state, after.crew_id) == ("triaged", None)
    assert suggest(session, NOW + 3 * HOUR) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"skills": ["excavation"]},
        {"needs_excavation": True},
        {"kind": "make_safe", "skills": ["valve"], "diameter_mm": 100.0},
    ],
)
def test_what_a_person_sends_for_is_not_passed_on_by_itself(
    session: Session, facts: dict[str, Any]
) -> None:
    """Unanswered, it waits for the dispatcher, though another crew could go."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.01)
    job = open_job(session, 0.0, **facts)
    assign(session, job.id, "C-1", dispatcher(session), NOW)
    sweep_offers(session, NOW + 6 * MINUTE)
    after = find_order(session, job.id)
    assert (after.state, after.crew_id) == ("triaged", None)


def test_a_pinned_offer_is_phoned_after_and_never_passed_on(session: Session) -> None:
    """A dispatcher's reason stands."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.01)
    job = open_job(session, 0.0)
    assign(session, job.id, "C-1", dispatcher(session), NOW, pin_reason="熟悉此处")
    sweep_offers(session, NOW + 6 * MINUTE)
    assert find_order(session, job.id).crew_id == "C-1"
    assert list_open(session)[0].phone_asked_at is not None


def test_an_unanswered_emergency_is_phoned_after(session: Session) -> None:
    """The dispatcher records what the crew says; nobody answering is asked again."""
    place_crew(session, "C-1", 0.0, phone="555-0101")
    burst = open_job(session, 0.0, severity="burst")
    assign(session, burst.id, "C-1", dispatcher(session), NOW)
    assert sweep_offers(session, NOW + MINUTE) == 0
    assert sweep_offers(session, NOW + 3 * MINUTE) == 1
    assert sweep_offers(session, NOW + 4 * MINUTE) == 0
    offer = list_open(session)[0]
    assert (offer.kind, offer.phone) == ("ordered", "555-0101")
    assert offer.phone_asked_at == NOW + 3 * MINUTE
    who = dispatcher(session)
    answer_by_phone(session, burst.id, "no_answer", "", who, NOW + 5 * MINUTE)
    assert sweep_offers(session, NOW + 8 * MINUTE) == 1
    outcome = answer_by_phone(session, burst.id, "accepted", "马上走", who, NOW + 9 * MINUTE)
    assert outcome.state == "accepted"
    assert list_open(session) == []
    with pytest.raises(ConflictError):
        answer_by_phone(session, burst.id, "accepted", "", who, NOW + 9 * MINUTE)


def test_a_crew_that_declines_by_phone_is_not_suggested_again(session: Session) -> None:
    """For this order."""
    place_crew(session, "C-1", 0.0)
    place_crew(session, "C-2", 0.02)
    burst = open_job(session, 0.0, severity="burst")
    assign(session, burst.id, "C-1", dispatcher(session), NOW)
    answer_by_phone(session, burst.id, "declined", "车坏了", dispatcher(session), NOW)
    assert [each.crew_id for each in suggest(session, NOW)] == ["C-2"]


def test_an_accepted_offer_waits_for_nothing(session: Session) -> None:
    """Nor does one whose order is taken back."""
    place_crew(session, "C-1", 0.0)
    job = open_job(session, 0.0)
    assign(session, job.id, "C-1", dispatcher(session), NOW)
    step(session, job.id, "withdraw", reason="误派")
    assert list_open(session) == []
    assign(session, job.id, "C-1", dispatcher(session), NOW)
    step(session, job.id, "accept")
    assert list_open(session) == []
    assert sweep_offers(session, NOW + HOUR) == 0


def test_nothing_goes_by_itself_until_that_is_switched_on(session: Session) -> None:
    """And then neither danger, nor digging, nor a wide valve, nor one of unknown width."""
    place_crew(session, "C-1", 0.0)
    plain = open_job(session, 0.0)
    assert run_automatic(session, NOW) == []
    set_mode(session, mode="automatic")
    assert [each.order_id for each in run_automatic(session, NOW)] == [plain.id]
    assert find_order(session, plain.id).crew_id == "C-1"
    for number in range(2, 8):
        place_crew(session, f"C-{number}", 0.0)
    shut: dict[str, Any] = {"kind": "make_safe", "diameter_mm": 100.0, "skills": ["valve"]}
    wide, unknown, known = close_valves(session, (100, 300), (100, None), (100, 150))
    kept = [
        open_job(session, 0.0, severity="danger"),
        open_job(session, 0.0, needs_excavation=True),
        open_job(session, 0.0, **shut, incident_key=wide),
        open_job(session, 0.0, **shut, incident_key=unknown),
        open_job(session, 0.0, **shut),
    ]
    narrow = open_job(session, 0.0, **shut, incident_key=known)
    assert [each.order_id for each in run_automatic(session, NOW)] == [narrow.id]
    assert {find_order(session, each.id).crew_id for each in kept} == {None}


def test_settings_are_not_overwritten_unseen(session: Session) -> None:
    """The second manager is told."""
    version = fetch_settings(session).version
    who = dispatcher(session)
    assert change_settings(session, {"diversion_s": 450.0}, version, who, NOW).diversion_s == 450
    with pytest.raises(ConflictError):
        change_settings(session, {"diversion_s": 900.0}, version, who, NOW)


def test_the_straight_line_learns_from_trips(session: Session) -> None:
    """Twenty trips at half the speed make the factor twice what the line alone gives."""
    place_crew(session, "C-1", 0.0)
    at = NOW
    metres = 0.02 * 96_486  # a degree of longitude at 30 degrees north
    assert metres > SHORTEST_TRIP_M
    for _ in range(20):
        move(session, "C-1", 0.0, 0.0, at)
        job = open_job(session, 0.02, severity="burst")
        step(session, job.id, "assign", at, crew="C-1")
        step(session, job.id, "accept", at)
        step(session, job.id, "depart", at)
        # 30 km/h straight would be metres / 500 minutes.
        at += MINUTE * (2 * metres / 500)
        step(session, job.id, "arrive", at)
        step(session, job.id, "cancel", at, reason="演练")
        at += MINUTE
    assert learn(session, at) == pytest.approx(2.0, abs=0.02)
    assert fetch_settings(session).straight_trips == 20
    assert learn(session, at) is None


def test_the_worker_goes_on_with_what_nobody_answered(
    session: Session, sessions: sessionmaker[Session]
) -> None:
    """Its tasks take the time from the clock."""
    place_crew(session, "C-1", 0.0, shift_left=10_000 * DAY)
    job = open_job(session, 0.0)
    step(session, job.id, "assign", dt.datetime.now(dt.UTC) - HOUR, crew="C-1")
    session.commit()
    with jobs.working_on(sessions):
        tasks.sweep(0)
        tasks.learn(0)
    session.expire_all()
    assert find_order(session, job.id).state == "triaged"
    assert {"dispatch.sweep", "dispatch.learn"} <= set(jobs.known_tasks())
