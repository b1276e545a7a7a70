"""The extended isolation that a tablet has worked out without a signal, held to the network's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldops.events.queries import DRAFTS
from fieldops.live_outages.service import show_outage
from tests.fieldops.live_outages.jobs import CREW, Job, at
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from typing import Any

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.events.service import Outcome


def stuck_at_v2(session: Session) -> Job:
    """Open a job on the third pipe of four, and find that its valve will not close."""
    three_in_a_row().plant(session)
    return Job(session, "P3").must("confirm_valve", 10, valve="V2", result="will_not_close")


def told(session: Session) -> dict[str, Any]:
    """Give the last event of a tablet's ring."""
    events = [event for _, event in session.info[DRAFTS]]
    return dict([one for one in events if one.kind == "outage.device_ring"][-1].body)


def say(outcome: Outcome) -> str:
    """Give what the tablet is told."""
    return outcome.message % dict(outcome.params)


def test_a_ring_that_the_network_gives_too_is_confirmed(session: Session) -> None:
    """The valves and the number of properties are the same; the plan stays as it was made."""
    job = stuck_at_v2(session)
    plan = job.now.plan.number

    outcome = job.do(
        "device_ring",
        20,
        CREW,
        stuck="V2",
        result="will_not_close",
        valves=[
            {"valve": "V1", "turns_recorded": 20},
            {"valve": "S1", "table": "source", "role": "source"},
        ],
        properties=3,
        critical=0,
        geometry_revision=7,
        revision=9,
    )

    assert outcome.status == "applied"
    assert say(outcome) == (
        "The server confirms the extended isolation: 3 properties without water."
    )
    body = told(session)
    assert (body["verdict"], body["ring"]["valves"], body["ring"]["revision"]) == (
        "confirmed",
        ["V1"],
        9,
    )
    assert outcome.conflicts == {}
    assert job.now.plan.number == plan


def test_what_a_tablets_ring_lacks_and_has_too_much_is_told(session: Session) -> None:
    """Its pack was old: another valve is there, and more customers."""
    job = stuck_at_v2(session)

    outcome = job.do(
        "device_ring", 20, CREW, stuck="V2", valves=["V0", "V3"], properties=2, critical=1
    )

    assert outcome.status == "applied"
    assert say(outcome) == (
        "The server corrects the extended isolation: add V1, leave out V0, V3;"
        " 3 properties without water."
    )
    body = told(session)
    names = ("verdict", "valves_added", "valves_removed", "properties_added", "critical_added")
    assert [body[name] for name in names] == ["corrected", ["V1"], ["V0", "V3"], 1, -1]
    assert outcome.conflicts == {"ring": {"mine": ["V0", "V3"], "theirs": ["V1"]}}


def test_a_pump_that_the_network_does_not_stop_is_a_correction(session: Session) -> None:
    """Pumps and valves may have the same ids."""
    job = stuck_at_v2(session)
    ring = [{"valve": "V1"}, {"valve": "U1", "table": "pump"}]
    outcome = job.do("device_ring", 20, CREW, stuck="V2", valves=ring, properties=3)

    assert told(session)["pumps_removed"] == ["U1"]
    assert say(outcome).startswith("The server corrects the extended isolation: leave out U1")


def test_other_numbers_alone_are_a_correction_too(session: Session) -> None:
    """A customer has come since the pack was baked."""
    job = stuck_at_v2(session)
    outcome = job.do("device_ring", 20, CREW, stuck="V2", valves=["V1"], properties=2)

    assert say(outcome) == (
        "The valves are right. The server corrects who loses supply: 3 properties without water."
    )


def test_unknown_numbers_are_not_taken_for_other_ones(session: Session) -> None:
    """Where the tablet could not count, the server does not say that it counted wrong."""
    job = stuck_at_v2(session)
    outcome = job.do("device_ring", 20, CREW, stuck="V2", valves=["V1"], properties=None)

    assert told(session)["verdict"] == "confirmed"
    assert "3 properties" in say(outcome)


def test_what_only_has_to_be_seen_to_be_shut_is_no_part_of_the_ring(session: Session) -> None:
    """The tablet keeps it for its crew; the network closes nothing there."""
    job = stuck_at_v2(session)
    seen = {"valve": "V9", "role": "verify_shut"}
    job.do("device_ring", 20, CREW, stuck="V2", valves=["V1", seen], properties=3)

    assert told(session)["verdict"] == "confirmed"
    assert told(session)["ring"]["valves"] == ["V1"]


def test_a_ring_is_judged_by_the_tablets_question(session: Session) -> None:
    """The valve's own record may be parked, or taken back: the ring supposes that it is stuck."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")

    job.do("device_ring", 20, CREW, stuck="V2", valves=["V1"], properties=3)

    assert told(session)["verdict"] == "confirmed"
    assert job.states["V2"] == ("close", "to_close")


def test_who_authorised_it_is_kept_and_shown(session: Session) -> None:
    """The dispatcher was called, for the hospital is inside."""
    three_in_a_row().plant(session)
    job = Job(session, "P2").must("confirm_valve", 10, valve="V1", result="not_found")
    job.must(
        "device_ring",
        20,
        stuck="V1",
        result="not_found",
        valves=["V0"],
        properties=4,
        critical=1,
        reasons=["critical"],
        authorised_by="王芳",
    )
    session.commit()

    (ring,) = show_outage(session, job.id, at(21)).device_rings
    assert ring.body["ring"]["authorised_by"] == "王芳"
    assert ring.body["ring"]["reasons"] == ["critical"]


def test_what_cannot_be_read_is_refused(session: Session) -> None:
    """A ring without its valves is none."""
    job = stuck_at_v2(session)
    assert job.do("device_ring", 20, CREW, stuck="V2").status == "missing"


def test_a_code_by_which_a_valve_was_released_is_kept_with_its_opening(session: Session) -> None:
    """Whoever gave the code is found by it."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10).must("stage", 60, stage="repaired")
    job.open_valve("V2", 70, release_code="12345678")

    events = [event for _, event in session.info[DRAFTS]]
    reopened = [one for one in events if one.kind == "outage.valve_reopened"]
    assert reopened[-1].body["release_code"] == "12345678"


def test_the_outages_page_shows_both_and_who_authorised_it(
    client: FlaskClient, session: Session
) -> None:
    """In the dispatcher's own language; the console reads the same from the interface."""
    job = stuck_at_v2(session)
    reasons = {"reasons": ["critical", "boundary"], "authorised_by": "王芳"}
    since = "2026-03-02T01:30:00Z"
    job.do(
        "device_ring", 20, CREW, stuck="V2", valves=["V0"], others_unknown_since=since, **reasons
    )
    session.commit()
    told = client.get(
        f"/api/v1/outages/{job.id}",
        headers=bearer(session, "dispatcher") | {"Accept-Language": "en"},
    ).get_json()
    sign_in(client, session, "dispatcher")
    page = client.get(f"/outages/{job.id}?lang=en", headers={"Accept-Language": "en"}).text

    (ring,) = told["device_rings"]
    words = (
        "The server corrects the extended isolation: add V1, leave out V0;"
        " 3 properties without water."
    )
    assert ring["words"] == words
    assert ring["because"] == "Valve V2 will not close."
    assert ring["reasons"][0] == "a critical customer is inside"
    assert (ring["valves"], ring["authorised_by"], ring["by"]) == (["V0"], "王芳", "李强")
    for shown in (words, "a critical customer is inside", "王芳", "09:30"):
        assert shown in page
