"""What a crew saw to be otherwise than drawn: kept at once, changed only by another person."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.accounts.service import make_token
from fieldops.events.queries import fetch_events_after, fetch_head
from fieldops.map_proposals.service import list_outcomes
from fieldops.network.service import describe_valve, move_valve
from tests.fieldops.outages.towns import street
from tests.fieldops.sync.rescues import of_person, take_in, write_rescue
from tests.fieldops.tablet.days import begin_day
from tests.people import bearer, make_person, sign_in, sign_in_as
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.test import TestResponse

METRE = 1 / 95_500
"""So many degrees along the street at 31 degrees north."""
SPOT = {"lon": 117.001 + 30 * METRE, "lat": 31.00002}


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street: V1 stands where P2 begins."""
    street().plant(session)
    return session


@pytest.fixture
def crew(town: Session) -> int:
    """Add somebody of a crew."""
    return make_person(town, "crew")


def head_of(session: Session, person_id: int) -> dict[str, str]:
    """Give the headers of a person's device."""
    token = make_token(session, person_id, "tablet", 1, dt.datetime.now(dt.UTC))
    session.commit()
    return {"Authorization": f"Bearer {token}"}


def propose(
    client: FlaskClient, session: Session, person_id: int, **body: object
) -> dict[str, Any]:
    """Send a proposal from a person's tablet and give the answer."""
    wish = operation(f"map_proposal:{uuid.uuid4()}", "propose", body=body)
    (answer,) = send(client, head_of(session, person_id), wish)
    return answer


def decide(
    client: FlaskClient, session: Session, proposal: str, decision: str, **form: str
) -> TestResponse:
    """Let a planner decide on the page."""
    head = sign_in(client, session, "planner")
    path = f"/map-proposals/{proposal}/{decision}"
    return client.post(path, data=form, headers={**head, "Accept": "text/html"})


def test_an_approved_move_changes_the_map_and_the_proposer_hears_of_it(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """By whom and when; until then the map stays as it was."""
    answer = propose(client, town, crew, kind="moved", feature="V1", note="在路口东侧", **SPOT)
    assert (answer["status"], answer["state"]) == ("applied", "open")
    assert describe_valve(town, "V1")["at_m"] == 0
    assert [one["status"] for one in list_outcomes(town, crew)] == ["open"]

    page = client.get(f"/map-proposals/{answer['id']}", headers=bearer(town, "dispatcher"))
    assert page.status_code == 200
    assert "30.1 m" in page.text or "30.0 m" in page.text
    assert '<circle class="plan-was"' in page.text

    done = decide(client, town, answer["id"], "approve", pipe="P2")
    assert done.status_code == 302, done.text
    valve = describe_valve(town, "V1")
    assert (valve["pipe"], round(valve["at_m"])) == ("P2", 31)
    (told,) = list_outcomes(town, crew)
    assert (told["status"], told["decided_by"], told["feature"]) == ("approved", "王芳", "V1")
    day = client.get("/api/v1/tablet/day", headers=head_of(town, crew)).get_json()
    assert day["map_proposals"] == [told]
    again = decide(client, town, answer["id"], "approve", pipe="P2")
    assert again.status_code == 409


def test_a_valve_that_an_outage_counts_on_is_changed_only_with_a_second_yes(
    client: FlaskClient, session: Session
) -> None:
    """The page names the outages; one that has begun since it was drawn is asked about anew."""
    morning = begin_day(session)
    assert morning.cast.crew.person_id is not None
    crew, outage = morning.cast.crew.person_id, morning.outage.id
    facts = {"turns": 18}
    made = propose(client, session, crew, kind="wrong_fact", feature="V2", facts=facts)["id"]
    head = bearer(session, "planner") | {"Accept-Language": "en"}
    page = client.get(f"/map-proposals/{made}", headers=head).text
    assert f'name="outages" value="{outage}" required' in page
    asked = decide(client, session, made, "approve")
    assert (asked.status_code, asked.location) == (302, f"/map-proposals/{made}")
    decide(client, session, made, "approve", outages="O-0")
    assert describe_valve(session, "V2")["turns"] != 18
    decide(client, session, made, "approve", outages=outage)
    assert describe_valve(session, "V2")["turns"] == 18

    # Words alone change no map; and of a valve in no plan nothing is asked.
    said = {"kind": "wrong_fact", "feature": "V2", "note": "井盖下是另一种阀门"}
    made = propose(client, session, crew, **said)["id"]
    assert 'name="outages"' not in client.get(f"/map-proposals/{made}", headers=head).text


def test_a_rejection_needs_a_reason_and_tells_it(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """The map stays."""
    made = propose(client, town, crew, kind="not_there", feature="V1")["id"]
    assert decide(client, town, made, "reject", reason="  ").status_code == 400
    assert decide(client, town, made, "reject", reason="在沥青下面").status_code == 302
    (told,) = list_outcomes(town, crew)
    assert (told["status"], told["reason"]) == ("rejected", "在沥青下面")
    assert describe_valve(town, "V1")["operability"] == "operable"


def test_what_was_changed_since_somebody_looked_is_looked_at_again(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """Two people may say two things of one valve."""
    made = propose(client, town, crew, kind="moved", feature="V1", **SPOT)["id"]
    now = dt.datetime.now(dt.UTC)
    move_valve(town, "V1", 117.001 + 50 * METRE, 31.0, by="李敏", now=now)
    town.commit()
    assert decide(client, town, made, "approve").status_code == 409
    assert round(describe_valve(town, "V1")["at_m"]) == 52


def test_nobody_approves_what_they_proposed_themselves(client: FlaskClient, town: Session) -> None:
    """Four eyes."""
    person = make_person(town, "crew", "planner")
    made = propose(client, town, person, kind="not_there", feature="V1")["id"]
    head = sign_in_as(client, town, person)
    answer = client.post(f"/map-proposals/{made}/approve", headers=head)
    assert answer.status_code == 403
    assert describe_valve(town, "V1")["reachable"] is True


def test_a_manager_reads_and_a_crew_decides_nothing(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """The one has no buttons, the other no page."""
    made = propose(client, town, crew, kind="not_there", feature="V1")["id"]
    read = client.get(f"/map-proposals/{made}", headers=bearer(town, "manager"))
    assert (read.status_code, "/approve" in read.text) == (200, False)
    head = sign_in(client, town, "crew")
    assert client.get("/map-proposals", headers=head).status_code == 403
    assert client.post(f"/map-proposals/{made}/approve", headers=head).status_code == 403


def test_wrong_facts_are_corrected(client: FlaskClient, town: Session, crew: int) -> None:
    """Those of the day and those of the valve itself."""
    facts = {"turns": 18, "closes": "anticlockwise", "operability": "inoperable"}
    made = propose(client, town, crew, kind="wrong_fact", feature="V2", facts=facts)["id"]
    page = client.get(f"/map-proposals/{made}", headers=bearer(town, "planner"))
    assert "anticlockwise" in page.text or "逆时针" in page.text
    assert decide(client, town, made, "approve").status_code == 302
    valve = describe_valve(town, "V2")
    assert {name: valve[name] for name in facts} == facts


def test_what_is_only_said_in_words_is_never_called_a_change_of_the_map(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """Approving it changes nothing, and whoever proposed it must not think so."""
    said = {"kind": "wrong_fact", "feature": "V2", "note": "井盖下是另一种阀门"}
    made = propose(client, town, crew, **said)["id"]
    # The street was laid in this same transaction, which is none of the planner's.
    town.execute(text("SELECT set_config('fieldops.edit', '', true)"))
    town.commit()
    assert decide(client, town, made, "approve").status_code == 302
    (told,) = list_outcomes(town, crew)
    assert (told["status"], told["is_map_changed"]) == ("approved", False)
    page = client.get(f"/map-proposals/{made}", headers=bearer(town, "planner"))
    assert "图未更改" in page.text or "map unchanged" in page.text


def test_a_valve_nobody_had_drawn_gets_a_number_from_whoever_approves(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """Not from the crew."""
    made = propose(client, town, crew, kind="missing", **SPOT)["id"]
    assert decide(client, town, made, "approve").status_code == 400
    assert decide(client, town, made, "approve", valve="V77").status_code == 302
    assert describe_valve(town, "V77")["pipe"] == "P2"


def test_a_valve_unknown_to_the_map_is_no_reason_to_lose_what_was_seen(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """The tablet's map may be of yesterday."""
    answer = propose(client, town, crew, kind="not_there", feature="V404")
    assert answer["status"] == "applied"
    page = client.get(f"/map-proposals/{answer['id']}", headers=bearer(town, "planner"))
    assert "V404" in page.text
    assert decide(client, town, answer["id"], "approve").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "moved", "feature": "V1"},
        {"kind": "moved", **SPOT},
        {"kind": "missing", "feature": "V1", **SPOT},
        {"kind": "wrong_fact", "feature": "V1"},
        {"kind": "wrong_fact", "feature": "V1", "facts": {"id": "V2"}},
        {"kind": "wrong_fact", "feature": "P1", "feature_kind": "pipe", "facts": {"turns": 9}},
        {"kind": "wrong_fact", "feature": "V1", "facts": {"turns": 9, "material": "PE"}},
        {"kind": "moved", "feature": "P1", "feature_kind": "pipe", **SPOT},
        {"kind": "gone", "feature": "V1"},
        {"kind": "not_there", "feature": "V1", "lon": 117},
    ],
)
def test_half_a_proposal_is_refused_for_good(
    client: FlaskClient, town: Session, crew: int, body: dict[str, object]
) -> None:
    """It waits on the tablet under what needs a person."""
    assert propose(client, town, crew, **body)["status"] == "illegal"


def test_the_same_proposal_sent_again_is_the_same(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """The answer may have been lost; and one's own may be taken back."""
    subject = f"map_proposal:{uuid.uuid4()}"
    wish = operation(subject, "propose", body={"kind": "not_there", "feature": "V1"})
    head = head_of(town, crew)
    assert send(client, head, wish) == send(client, head, wish)
    assert len(list_outcomes(town, crew)) == 1
    (other,) = send(client, bearer(town, "crew"), operation(subject, "withdraw"))
    assert other["status"] == "forbidden"
    (own,) = send(client, head, operation(subject, "withdraw"))
    assert (own["status"], own["state"]) == ("applied", "withdrawn")


def test_a_photo_may_follow_its_proposal(client: FlaskClient, town: Session, crew: int) -> None:
    """Data come before photos."""
    answer = propose(
        client, town, crew, kind="not_there", feature="V1", photo_sha256=["a" * 64]
    )  # fmt: skip
    assert answer["status"] == "applied"
    head = bearer(town, "planner") | {"Accept-Language": "en"}
    page = client.get(f"/map-proposals/{answer['id']}", headers=head)
    assert "Photo 1 has not come yet" in page.text


def test_the_lists_show_what_waits_and_what_was_decided(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """And an empty list says so."""
    head = bearer(town, "dispatcher")
    empty = client.get("/map-proposals", headers=head | {"Accept-Language": "en"}).text
    assert "Nothing waits." in empty
    made = propose(client, town, crew, kind="not_there", feature="V1")["id"]
    assert f"/map-proposals/{made}" in client.get("/map-proposals", headers=head).text


def test_what_a_rescue_file_brings_tells_who_read_it_in(
    client: FlaskClient, town: Session, crew: int
) -> None:
    """Proposals and tracks get their numbers only here, and are told of by them."""
    before = fetch_head(town)
    wish = {"kind": "wrong_fact", "feature": "V1", "note": "手轮缺失"}
    points = [[117.001, 31.0, None], [117.002, 31.0, None]]
    track = {"name": "巡线", "parts": 2, "points": points}
    proposal_id, track_id = f"map_proposal:{uuid.uuid4()}", f"track:{uuid.uuid4()}"
    wanted = [
        operation(proposal_id, "propose", body=wish),
        operation(track_id, "import", body={**track, "part": 0}),
        operation(track_id, "import", body={**track, "part": 1}),
        operation(proposal_id, "withdraw"),
    ]
    file = write_rescue([of_person(each, crew) for each in wanted])
    take_in(client, sign_in(client, town, "dispatcher"), file)
    told = [one for one in fetch_events_after(town, before) if one.kind.endswith(".imported")]
    assert [one.op_id for one in told] == [each["op_id"] for each in wanted]
    assert [one.kind.split(".")[0] for one in told] == [
        "map_proposal",
        "track",
        "track",
        "map_proposal",
    ]
    assert [str(one.body["id"]).split("-")[0] for one in told] == ["MP", "T", "T", "MP"]
    assert all(one.person_id not in {None, crew} for one in told)
