"""What a crew tells from the tablet with its steps, and how it hands over at shift end."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.events.queries import fetch_events_of
from fieldops.offers.service import list_open as list_offers
from fieldops.work_orders.service import find_order
from tests.fieldops.work_orders.orders import (
    BODIES,
    HASH,
    NOW,
    act,
    lead_to,
    make_cast,
    make_order,
)
from tests.people import sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

HOUR = dt.timedelta(hours=1)


def test_the_distance_on_arrival_is_kept_with_the_order(session: Session) -> None:
    """It is a claim of the device: where it lies beyond the earth, it is refused."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "en_route")
    far: dict[str, Any] = {"arrival_distance_m": 1e12}
    assert act(session, order, "arrive", cast.crew, body=far).status == "illegal"
    told = {"arrival_distance_m": 34.5, "arrival_accuracy_m": 8.0}
    assert act(session, order, "arrive", cast.crew, body=told).status == "applied"
    assert find_order(session, order.id).data["arrival_distance_m"] == 34.5
    assert (
        act(session, order, "note", cast.crew, body={"text": "x", "parts": []}).status == "illegal"
    )


def test_parts_come_with_the_repair_and_photos_with_a_note(session: Session) -> None:
    """Each finding keeps its own photos in the log."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    for number in ("1", "2"):
        body = {"text": f"发现 {number}", "photos": [HASH[:-1] + number]}
        assert act(session, order, "note", cast.crew, body=body).status == "applied"
    session.commit()
    events = fetch_events_of(session, "work_order", [order.key])
    noted = [each.body for each in events if each.kind == "work_order.noted"]
    found = {each["text"]: each["photos"] for each in noted}
    assert found == {"发现 1": [HASH[:-1] + "1"], "发现 2": [HASH[:-1] + "2"]}
    parts = [{"name": "DN200 哈夫节", "quantity": 1}]
    wrong = {**BODIES["finish"], "parts": [{"name": "螺栓", "quantity": -4}]}
    assert act(session, order, "finish", cast.crew, body=wrong).params["fields"] == "parts"
    right = {**BODIES["finish"], "parts": parts}
    assert act(session, order, "finish", cast.crew, body=right).status == "applied"
    assert find_order(session, order.id).data["parts"] == parts


def test_a_crew_asks_for_a_second_one(session: Session) -> None:
    """Whoever stands there knows best."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    body = {"crews_needed": 2}
    assert act(session, order, "set", cast.crew, body=body).status == "applied"
    assert find_order(session, order.id).crews_needed == 2


@pytest.mark.parametrize("state", ["assigned", "working", "on_hold", "work_done"])
def test_at_shift_end_the_next_crew_gets_the_order_and_what_is_open(
    session: Session, state: str
) -> None:
    """The next one accepts it as any other; what is shut and tagged stands in its papers."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, state)
    body = {
        "crew": cast.other_crew_id,
        "open_work": "沟槽敞开",
        "handed_over_to": "李雷",
        "valves_shut": ["V1", "V2"],
        "tags": ["17"],
    }
    later = NOW + HOUR
    outcome = act(session, order, "hand_over", cast.crew, later, body=body)
    assert (outcome.status, outcome.state) == ("applied", "assigned")
    after = find_order(session, order.id)
    assert (after.crew_id, after.arrived_at, after.is_on_hold) == (cast.other_crew_id, None, False)
    assert (after.data["valves_shut"], after.data["tags"]) == (["V1", "V2"], ["17"])
    assert [each.order_id for each in list_offers(session)] == [order.id]
    assert act(session, order, "accept", cast.other_crew, later).status == "applied"
    late = act(session, order, "note", cast.crew, later)
    assert late.is_kept_as_fact


def test_only_who_leads_the_order_hands_it_over_and_never_without_words(session: Session) -> None:
    """The second crew stays when the first goes home."""
    cast = make_cast(session)
    order = make_order(session, crews_needed=2)
    lead_to(session, order, cast, "accepted")
    both = {"second_crew": cast.other_crew_id}
    assert act(session, order, "set", cast.dispatcher, body=both).status == "applied"
    third = make_cast(session)
    body = {"crew": third.crew_id, "open_work": "阀已关"}
    assert act(session, order, "hand_over", cast.other_crew, body=body).status == "illegal"
    silent = {"crew": third.crew_id}
    assert act(session, order, "hand_over", cast.crew, body=silent).missing == ("open_work",)
    own = {**body, "crew": cast.crew_id}
    assert act(session, order, "hand_over", cast.crew, body=own).status == "illegal"
    assert act(session, order, "hand_over", cast.crew, body=body).status == "applied"
    after = find_order(session, order.id)
    assert (after.crew_id, after.second_crew_id) == (third.crew_id, cast.other_crew_id)


def test_a_crew_that_is_busy_takes_nothing_over(session: Session) -> None:
    """The one that goes home is told on which order it is."""
    cast = make_cast(session)
    order, other = make_order(session), make_order(session)
    lead_to(session, order, cast, "working")
    body = {"crew": cast.other_crew_id}
    act(session, other, "triage", cast.dispatcher)
    assert act(session, other, "assign", cast.dispatcher, body=body).status == "applied"
    given = {**body, "open_work": "沟槽敞开"}
    refused = act(session, order, "hand_over", cast.crew, body=given)
    assert (refused.status, refused.params["other"]) == ("conflict", other.id)


def test_the_order_s_page_shows_parts_and_the_photos_of_each_finding(
    client: FlaskClient, session: Session
) -> None:
    """As people read them, and where they were told."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    found = {"text": "管底锈穿", "photos": [HASH]}
    assert act(session, order, "note", cast.crew, body=found).status == "applied"
    body = {**BODIES["finish"], "parts": [{"name": "螺栓 M16", "quantity": 8}]}
    assert act(session, order, "finish", cast.crew, body=body).status == "applied"
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders/{order.id}?lang=en").text
    assert "螺栓 M16 \N{MULTIPLICATION SIGN} 8" in page
    _, _, history = page.partition('id="history"')
    assert f'src="/api/v1/photos/{HASH}"' in history
