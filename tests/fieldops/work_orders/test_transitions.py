"""Every step of the process: which is legal where, what it needs, and who may."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fieldops.events import queries as events
from fieldops.events.service import SYSTEM, Actor
from fieldops.order_process.service import find_process, newest_version
from fieldops.work_orders.service import count_first_time_right, find_order
from tests.fieldops.work_orders.orders import (
    BODIES,
    NOW,
    act,
    lead_to,
    make_actor,
    make_cast,
    make_order,
    walk,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.work_orders.service import WorkOrder
    from tests.fieldops.work_orders.orders import Cast

MINUTE = dt.timedelta(minutes=1)
ANY = "new triaged assigned accepted en_route on_site working on_hold work_done restored verified"
LEGAL = {
    "triage": {"new": "triaged"},
    "assign": dict.fromkeys(("new", "triaged", "assigned", "accepted", "en_route"), "assigned"),
    "accept": {"assigned": "accepted"},
    "decline": {"assigned": "triaged", "accepted": "triaged"},
    "withdraw": dict.fromkeys(("assigned", "accepted", "en_route"), "triaged"),
    "depart": {"accepted": "en_route"},
    "arrive": {"en_route": "on_site"},
    "start": {"on_site": "working"},
    "enter_chamber": {"on_site": "on_site", "working": "working"},
    "dig": {"working": "working"},
    "hold": dict.fromkeys(
        ("triaged", "assigned", "accepted", "en_route", "on_site", "working", "work_done"),
        "on_hold",
    ),
    "resume": {"on_hold": "working"},
    "finish": {"working": "work_done"},
    "restore": {"work_done": "restored"},
    "verify": {"restored": "verified"},
    "close": {"verified": "closed"},
    "send_back": {
        "triaged": "new",
        "work_done": "working",
        "restored": "work_done",
        "verified": "work_done",
    },
    "transfer": dict.fromkeys(
        ("assigned", "accepted", "en_route", "on_site", "working", "on_hold", "work_done"),
        "assigned",
    ),
    "hand_over": dict.fromkeys(
        ("assigned", "accepted", "en_route", "on_site", "working", "on_hold", "work_done"),
        "assigned",
    ),
    "cancel": dict.fromkeys(
        ("new", "triaged", "assigned", "accepted", "en_route", "on_site", "working", "on_hold"),
        "cancelled",
    ),
    "reopen": {"closed": "triaged", "cancelled": "triaged"},
    "set": {state: state for state in ANY.split()},
    "note": {state: state for state in (ANY + " closed cancelled").split()},
}
STATES = [*ANY.split(), "closed", "cancelled"]


def test_what_is_legal_is_done_and_all_else_is_refused_with_a_reason(session: Session) -> None:
    """Each action tried in each state, for a repair."""
    cast = make_cast(session)
    order, given_up = make_order(session), make_order(session)
    lead_to(session, given_up, cast, "cancelled")
    seen = {"cancelled"}
    try_all(session, given_up, cast, "cancelled")
    for state in walk(session, order, cast):
        if state != "resumed":
            try_all(session, order, cast, state)
            seen.add(state)
    assert seen == set(STATES)


def try_all(session: Session, order: WorkOrder, cast: Cast, state: str) -> None:
    """Try each action in a state, and take it back."""
    before = find_order(session, order.id)
    for action, ways in LEGAL.items():
        body = {**BODIES.get(action, {})}
        if action in {"assign", "transfer", "hand_over"}:
            body |= {"crew": cast.other_crew_id, "reason": "更近"}
        with session.begin_nested() as tried:
            outcome = act(session, order, action, SYSTEM, body=body, base_version=before.version)
            after = find_order(session, order.id)
            tried.rollback()
        if state in ways:
            assert (outcome.status, outcome.state) == ("applied", ways[state]), (state, action)
            assert after.version == before.version + 1
        else:
            assert (outcome.status, outcome.state) == ("illegal", state), (state, action)
            assert outcome.message
            assert after == before


def test_the_table_names_every_action_of_this_test(session: Session) -> None:
    """A step that is added to the preset is tried above, too."""
    assert set(find_process(session, newest_version(session)).actions) == set(LEGAL)


LACKING: list[tuple[str, str, set[str]]] = [
    ("triaged", "assign", {"crew"}),
    ("assigned", "decline", {"reason"}),
    ("on_site", "start", {"safety_briefing"}),
    (
        "working",
        "enter_chamber",
        {
            "oxygen_percent",
            "explosive_percent_lel",
            "hydrogen_sulphide_ppm",
            "carbon_monoxide_ppm",
            "ventilated",
            "second_person",
        },
    ),
    (
        "working",
        "dig",
        {"owners_asked", "road_permit", "permit_later_reason", "permit_due_at"},
    ),
    ("working", "hold", {"reason", "resume_by"}),
    (
        "working",
        "finish",
        {"cause", "repair", "material", "photo_before_backfill", "photo_after"},
    ),
    (
        "work_done",
        "restore",
        {"supply_back_at", "flushed", "sample_point", "turbidity_ntu", "chlorine_mg_l"},
    ),
    ("work_done", "send_back", {"reason"}),
    ("verified", "close", {"work_report"}),
    ("working", "transfer", {"crew", "reason"}),
    ("closed", "reopen", {"reason"}),
    ("new", "note", {"text"}),
]


def test_a_step_that_lacks_something_is_refused_and_lists_it(session: Session) -> None:
    """All of it at once, and nothing is changed."""
    cast = make_cast(session)
    order = make_order(session)
    tried = 0
    for reached in walk(session, order, cast):
        for _, action, lacking in (case for case in LACKING if case[0] == reached):
            before = find_order(session, order.id)
            outcome = act(session, order, action, SYSTEM, body={}, base_version=before.version)
            assert outcome.status == "missing", (reached, action)
            assert set(outcome.missing) == lacking
            assert find_order(session, order.id) == before
            tried += 1
    assert tried == len(LACKING)


WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("working", "enter_chamber", {"oxygen_percent": 18.0}),
    ("working", "enter_chamber", {"explosive_percent_lel": 25}),
    ("working", "dig", {"owners_asked": ["gas", "power"]}),
    ("working", "hold", {"resume_by": (NOW - MINUTE).isoformat()}),
    ("working", "hold", {"resume_by": "tomorrow"}),
    ("working", "hold", {"resume_by": "9999-12-31T23:59:59-10:00"}),
    ("working", "finish", {"cause": "weather"}),
    ("working", "finish", {"photo_after": "no photo"}),
    ("work_done", "restore", {"turbidity_ntu": 3}),
    ("work_done", "restore", {"chlorine_mg_l": float("nan")}),
    ("work_done", "restore", {"flushed": False}),
    ("work_done", "restore", {"sample_point": "  "}),
]


def test_what_is_outside_its_limits_counts_as_missing(session: Session) -> None:
    """Nobody gets into a chamber by writing down bad air."""
    cast = make_cast(session)
    order = make_order(session)
    tried = 0
    for reached in walk(session, order, cast):
        for _, action, wrong in (case for case in WRONG if case[0] == reached):
            outcome = act(session, order, action, cast.crew, body={**BODIES[action], **wrong})
            assert outcome.status == "missing", (reached, action, wrong)
            assert outcome.missing == tuple(wrong)
            tried += 1
    assert tried == len(WRONG)


def test_a_permit_may_follow_but_not_after_the_closing(session: Session) -> None:
    """Dig first, permit after: with reason and due time, and no closing without it."""
    cast = make_cast(session)
    order = make_order(session, needs_excavation=True)
    lead_to(session, order, cast, "working")
    assert act(session, order, "finish", cast.crew).missing == ("owners_asked", "road_permit")
    later = {
        "owners_asked": ["gas", "power", "telecom"],
        "permit_later_reason": "夜间爆管",
        "permit_due_at": (NOW + dt.timedelta(days=1)).isoformat(),
    }
    assert act(session, order, "dig", cast.crew, body=later).status == "applied"
    for action, actor in (
        ("finish", cast.crew),
        ("restore", cast.crew),
        ("verify", cast.dispatcher),
    ):
        assert act(session, order, action, actor).status == "applied", action
    assert act(session, order, "close", cast.dispatcher).missing == ("road_permit",)
    closing = {**BODIES["close"], "road_permit": "占道 2026-18"}
    assert act(session, order, "close", cast.dispatcher, body=closing).status == "applied"


def test_work_waits_for_the_crew_that_makes_it_safe(session: Session) -> None:
    """Stages: the second crew may drive and arrive, but not begin."""
    cast = make_cast(session)
    first = make_order(session, kind="make_safe")
    second = make_order(session, after_order_key=first.key)
    lead_to(session, second, cast, "on_site")
    outcome = act(session, second, "start", cast.crew)
    assert outcome.status == "illegal"
    assert outcome.params["before"] == first.id
    act(session, first, "assign", cast.dispatcher, body={"crew": cast.other_crew_id})
    for action in ("accept", "depart", "arrive", "start", "finish"):
        assert act(session, first, action, cast.other_crew).status == "applied", action
    assert act(session, second, "start", cast.crew).status == "applied"


def test_an_order_without_water_to_restore_is_verified_at_once(session: Session) -> None:
    """Making safe restores nothing."""
    cast = make_cast(session)
    order = make_order(session, kind="make_safe")
    lead_to(session, order, cast, "work_done")
    assert act(session, order, "restore", cast.crew).status == "illegal"
    assert act(session, order, "verify", cast.dispatcher).status == "applied"


def test_a_crew_does_only_its_own(session: Session) -> None:
    """Another crew's order, and a dispatcher's steps, are not its own."""
    cast = make_cast(session)
    order = make_order(session)
    assert act(session, order, "triage", cast.crew).status == "forbidden"
    lead_to(session, order, cast, "assigned")
    assert act(session, order, "accept", cast.other_crew).status == "forbidden"
    outcome = act(session, order, "withdraw", cast.crew)
    assert outcome.status == "forbidden"
    assert act(session, order, "accept", cast.crew).status == "applied"


def test_a_dispatcher_records_a_crews_step_by_phone_with_both_names(session: Session) -> None:
    """Never as if the crew had done it itself; with the time it happened."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    assert act(session, order, "accept", cast.dispatcher).status == "forbidden"
    by_phone = Actor(
        name="赵敏",
        person_id=cast.dispatcher.person_id,
        roles=frozenset({"dispatcher"}),
        by_phone_for="王芳",
    )
    later = NOW + 10 * MINUTE
    outcome = act(session, order, "accept", by_phone, later, occurred_at=NOW + 4 * MINUTE)
    assert outcome.status == "applied"
    session.commit()
    last = events.fetch_events_of(session, "work_order", [order.key])[-1]
    assert (last.kind, last.person_name, last.by_phone_for) == (
        "work_order.accepted",
        "赵敏",
        "王芳",
    )
    assert (last.occurred_at, last.received_at) == (NOW + 4 * MINUTE, later)
    assert find_order(session, order.id).accepted_at == NOW + 4 * MINUTE


def test_a_clock_two_days_off_changes_no_order_of_things(session: Session) -> None:
    """The claim is kept in the log; the order's own times are the server's."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    later = NOW + 10 * MINUTE
    act(session, order, "accept", cast.crew, later, occurred_at=NOW - dt.timedelta(days=2))
    assert find_order(session, order.id).accepted_at == later
    session.commit()
    last = events.fetch_events_of(session, "work_order", [order.key])[-1]
    assert last.occurred_at == NOW - dt.timedelta(days=2)


def test_nobody_verifies_the_own_work(session: Session) -> None:
    """Somebody who is not of the crew looks at it."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "restored")
    both = Actor(
        name="王芳", person_id=cast.crew.person_id, roles=frozenset({"crew", "dispatcher"})
    )
    assert act(session, order, "verify", both).status == "forbidden"
    assert act(session, order, "verify", cast.manager).status == "applied"


def test_what_is_sent_back_counts_against_who_handed_it_over(session: Session) -> None:
    """First-time-right: of two things handed over, one came back."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "work_done")
    assert act(session, order, "send_back", cast.dispatcher).status == "applied"
    assert find_order(session, order.id).finished_at is None
    assert act(session, order, "finish", cast.crew).status == "applied"
    rates = {each.name: each for each in count_first_time_right(session, NOW, NOW + MINUTE)}
    assert (rates["王芳"].handed_over, rates["王芳"].sent_back) == (2, 1)
    assert rates["王芳"].rate == 0.5


def test_a_hold_goes_back_to_where_it_was(session: Session) -> None:
    """With its reason and its end told while it lasts."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "en_route")
    act(session, order, "hold", cast.crew)
    held = find_order(session, order.id)
    assert (held.state, held.is_on_hold, held.hold_reason) == ("on_hold", True, "等材料")
    assert held.resume_by == NOW + dt.timedelta(days=1)
    act(session, order, "resume", cast.crew)
    after = find_order(session, order.id)
    assert (after.state, after.is_on_hold, after.resume_by) == ("en_route", False, None)


def test_a_held_order_is_not_resumed_while_its_crew_is_elsewhere(session: Session) -> None:
    """The crew was sent on meanwhile."""
    cast = make_cast(session)
    held, other = make_order(session), make_order(session)
    lead_to(session, held, cast, "on_hold")
    lead_to(session, other, cast, "assigned")
    outcome = act(session, held, "resume", cast.crew)
    assert outcome.status == "conflict"
    assert outcome.params["other"] == other.id


def test_work_is_not_sent_back_to_a_crew_that_is_elsewhere(session: Session) -> None:
    """Done with one, it was sent to another; the first can be transferred."""
    cast = make_cast(session)
    done, other = make_order(session), make_order(session)
    lead_to(session, done, cast, "work_done")
    lead_to(session, other, cast, "assigned")
    outcome = act(session, done, "send_back", cast.dispatcher)
    assert (outcome.status, outcome.params["other"]) == ("conflict", other.id)
    body = {"crew": cast.other_crew_id, "reason": "原队在别处"}
    assert act(session, done, "transfer", cast.dispatcher, body=body).status == "applied"


def test_reopening_gives_the_order_back_to_the_dispatcher(session: Session) -> None:
    """Closed and not fixed: no crew, and the way lies ahead again."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "closed")
    outcome = act(session, order, "reopen", make_actor(session, "service_agent"))
    after = find_order(session, order.id)
    assert (outcome.status, after.state, after.crew_id) == ("applied", "triaged", None)
    assert after.is_open
    assert after.closed_at is None


def test_going_back_and_forth_is_noted_by_itself(session: Session) -> None:
    """A, B, A."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    ways = (cast.other_crew_id, cast.crew_id)
    for minute, crew in enumerate(ways, 1):
        body = {"crew": crew, "reason": "更近"}
        now = NOW + minute * MINUTE
        assert act(session, order, "transfer", cast.dispatcher, now, body=body).status == "applied"
    session.commit()
    kinds = events.fetch_events_of(session, "work_order", [order.key])
    notes = [each.body["note"] for each in kinds if "supervision" in each.kind]
    assert notes == ["ping_pong"]


def test_three_transfers_are_noted_by_themselves(session: Session) -> None:
    """Four crews have had it."""
    cast, more = make_cast(session), make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    ways = (cast.other_crew_id, more.crew_id, more.other_crew_id)
    for minute, crew in enumerate(ways, 1):
        body = {"crew": crew, "reason": "更近"}
        act(session, order, "transfer", cast.dispatcher, NOW + minute * MINUTE, body=body)
    session.commit()
    kinds = events.fetch_events_of(session, "work_order", [order.key])
    notes = [each.body["note"] for each in kinds if "supervision" in each.kind]
    assert notes == ["many_transfers"]
