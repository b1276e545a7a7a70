"""One answer has all that a crew needs of its day, and nothing of anybody else's."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.devices.queries import update_device
from fieldops.language import LANGUAGES
from fieldops.order_book.queries import update_order
from fieldops.settings import CHECKOUT
from fieldops.work_orders.service import find_order
from tests.fieldops.live_outages.jobs import at
from tests.fieldops.tablet.days import begin_day, sign_tablet_in
from tests.fieldops.work_orders.orders import act, make_crew, make_order
from tests.people import make_person

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

URL = "/api/v1/tablet/day"
SCRIPT = CHECKOUT / "fieldops/static/js/tablet/day.js"


def ask(client: FlaskClient, headers: dict[str, str]) -> dict[str, Any]:
    """Ask for the day."""
    answer = client.get(URL, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    said: dict[str, Any] = answer.get_json()
    return said


def test_a_crew_gets_its_job_with_the_valves_in_closing_order(
    client: FlaskClient, session: Session
) -> None:
    """And its own job alone, although another waits."""
    morning = begin_day(session)
    make_order(session, at(0))
    day = ask(client, morning.tablet.headers)
    assert [job["id"] for job in day["jobs"]] == [morning.order]
    assert [crew["id"] for crew in day["crews"]] == [morning.cast.crew_id]
    outage = day["jobs"][0]["outage"]
    assert outage["id"] == morning.outage.id
    assert outage["critical"] == []
    cards = [card for card in outage["valves"] if card["role"] == "close"]
    assert [(card["valve"], card["number"]) for card in cards] == [("V2", 1)]
    card = cards[0]
    assert (card["turns_recorded"], card["closes"], card["is_boundary"]) == (20, "unknown", False)
    assert isinstance(card["lon"], float)


def test_who_must_not_be_dry_is_named(client: FlaskClient, session: Session) -> None:
    """A larger ring takes the hospital's water."""
    morning = begin_day(session)
    morning.outage.must("confirm_valve", 5, valve="V2", result="not_found")
    morning.outage.must("confirm_valve", 6, valve="V1", result="not_found")
    outage = ask(client, morning.tablet.headers)["jobs"][0]["outage"]
    assert outage["critical"] == [{"customer": "C1"}]
    states = {card["valve"]: card["state"] for card in outage["valves"]}
    assert (states["V0"], states["V1"]) == ("to_close", "not_found")


def test_an_order_younger_than_its_outage_tells_the_outages_customers(
    client: FlaskClient, session: Session
) -> None:
    """How many are without water is known, although the order itself was not told."""
    morning = begin_day(session)
    assert find_order(session, morning.order).customers_out is None
    job = ask(client, morning.tablet.headers)["jobs"][0]
    assert job["customers_out"] == job["outage"]["properties_out"] > 0


def test_a_job_that_was_closed_stays_in_sight_for_a_shift(
    client: FlaskClient, session: Session
) -> None:
    """The crew's own alone; what has gone without a word looks lost."""
    morning, now = begin_day(session), dt.datetime.now(dt.UTC)
    cast = morning.cast
    for crew_id, hours in ((cast.crew_id, 1), (cast.other_crew_id, 1), (cast.crew_id, 17)):
        query = text("SELECT key FROM crew WHERE id = :id")
        update_order(
            session,
            make_order(session, at(0)).key,
            state="closed",
            is_open=False,
            crew_key=session.execute(query, {"id": crew_id}).scalar_one(),
            closed_at=now - dt.timedelta(hours=hours),
        )
    session.commit()
    day = ask(client, morning.tablet.headers)
    assert [job["id"] for job in day["jobs"]] == [morning.order]
    assert [job["state"] for job in day["done"]] == ["closed"]


def test_what_may_come_next_is_told_for_every_state(client: FlaskClient, session: Session) -> None:
    """With no signal nobody can be asked what a step leads to, and needs."""
    morning = begin_day(session)
    steps = ask(client, morning.tablet.headers)["jobs"][0]["steps"]
    ways = {(step["action"], state): step["to"] for step in steps for state in step["from"]}
    assert ways["accept", "assigned"] == "accepted"
    assert ways["arrive", "en_route"] == "on_site"
    assert ways["finish", "working"] == "work_done"
    finish = next(step for step in steps if step["action"] == "finish")
    assert "photo_before_backfill" in {need["field"] for need in finish["needs"]}
    assert all("crew" in step["who"] for step in steps)
    assert "verify" not in {step["action"] for step in steps}


def test_every_code_of_the_day_has_its_words_in_both_languages(
    client: FlaskClient, session: Session
) -> None:
    """No code stands bare on a screen, whichever language the crew turns to with no signal."""
    morning = begin_day(session)
    day = ask(client, morning.tablet.headers)
    job, names = day["jobs"][0], day["names"]
    wanted = {("kind", job["kind"]), ("severity", job["severity"])}
    wanted |= {("state", state) for state in job["stages"]}
    wanted |= {("material", "DI"), ("material", "AC")}
    wanted |= {("action", step["action"]) for step in job["steps"]}
    for step in job["steps"]:
        for need in step["needs"]:
            wanted |= {("field", need["field"])}
            wanted |= {("choice", code) for code in need.get("choices", ())}
    for card in job["outage"]["valves"]:
        wanted |= {("valve_role", card["role"]), ("valve_state", card["state"])}
    bare = [
        (kind, code)
        for kind, code in wanted
        if set(names.get(kind, {}).get(code, {})) != set(LANGUAGES)
    ]
    assert bare == []
    assert names["state"]["on_site"]["zh_CN"] != names["state"]["on_site"]["en"]


def test_the_same_day_is_not_sent_twice(client: FlaskClient, session: Session) -> None:
    """Only what has changed is worth a crew's signal, and what has not is not worked out again."""
    morning = begin_day(session)
    first = client.get(URL, headers=morning.tablet.headers)
    again = {**morning.tablet.headers, "If-None-Match": first.headers["ETag"]}
    assert client.get(URL, headers=again).status_code == 304
    make_order(session, at(0))
    session.commit()
    second = client.get(URL, headers=again)
    assert second.status_code == 304, "another crew's job is none of the day"
    again["If-None-Match"] = second.headers["ETag"]
    assert client.get(URL, headers=again).status_code == 304
    act(session, morning.order, "accept", morning.cast.crew, at(3))
    session.commit()
    third = client.get(URL, headers=again)
    assert third.status_code == 200
    assert third.get_json()["jobs"][0]["state"] == "accepted"


def test_somebody_elses_tag_is_worth_nothing(client: FlaskClient, session: Session) -> None:
    """Whoever takes over the tablet gets the own day."""
    morning = begin_day(session)
    first = client.get(URL, headers=morning.tablet.headers)
    assert morning.cast.other_crew.person_id is not None
    other = sign_tablet_in(session, morning.cast.other_crew.person_id)
    answer = client.get(URL, headers={**other.headers, "If-None-Match": first.headers["ETag"]})
    assert answer.status_code == 200
    assert answer.get_json()["jobs"] == []


def test_the_caller_is_told_to_the_crew_of_the_job_and_to_nobody_else(
    client: FlaskClient, session: Session
) -> None:
    """A contractor's crew sees no job, no crew and no caller but its own."""
    morning = begin_day(session)
    _, stranger = make_crew(session, contractor="江北市政")
    assert stranger.person_id is not None
    other = sign_tablet_in(session, stranger.person_id)
    day = ask(client, other.headers)
    assert (day["jobs"], day["other_crews"]) == ([], [])
    assert morning.order not in str(day)
    own = ask(client, morning.tablet.headers)
    assert len(own["other_crews"]) >= 1


def test_a_job_of_two_crews_is_in_the_day_of_both(client: FlaskClient, session: Session) -> None:
    """The second crew works the same valves."""
    morning = begin_day(session)
    both = {"crew": morning.cast.crew_id, "second_crew": morning.cast.other_crew_id}
    act(session, morning.order, "withdraw", morning.cast.dispatcher, at(3))
    outcome = act(session, morning.order, "assign", morning.cast.dispatcher, at(4), body=both)
    assert outcome.status == "applied", outcome
    assert morning.cast.other_crew.person_id is not None
    second = sign_tablet_in(session, morning.cast.other_crew.person_id)
    assert [job["id"] for job in ask(client, second.headers)["jobs"]] == [morning.order]


def test_a_tablet_is_told_of_its_own_district_alone(client: FlaskClient, session: Session) -> None:
    """One of none has the pack of the whole network; one that moves hears of it with the day."""
    tablet = begin_day(session).tablet
    assert ask(client, tablet.headers)["districts"] == ["whole"]
    update_device(session, tablet.device.key, district="district-7")
    session.commit()
    day = ask(client, tablet.headers)
    assert (day["districts"], day["device"]["district"]) == (["district-7"], "district-7")


def test_somebody_of_no_crew_has_an_empty_day(client: FlaskClient, session: Session) -> None:
    """Which is another thing than one that could not be had."""
    tablet = sign_tablet_in(session, make_person(session, "dispatcher"))
    day = ask(client, tablet.headers)
    assert (day["jobs"], day["crews"]) == ([], [])


@pytest.mark.parametrize("kind", ["Day", "Job", "Outage", "Plan", "ValveCard", "Step"])
def test_the_script_and_the_answer_name_the_same_things(
    client: FlaskClient, session: Session, kind: str
) -> None:
    """What the tablet's scripts are typed by is what the server says."""
    typedef = re.search(
        rf"@typedef {{object}} {kind}\n(.*?)\*/", SCRIPT.read_text("utf-8"), re.DOTALL
    )
    assert typedef is not None
    wanted = set(re.findall(r"@property {.+} (\w+)", typedef.group(1)))
    day = ask(client, begin_day(session).tablet.headers)
    job = day["jobs"][0]
    told = {
        "Day": day,
        "Job": job,
        "Outage": job["outage"],
        "Plan": job["outage"]["plan"],
        "ValveCard": job["outage"]["valves"][0],
        "Step": job["steps"][0],
    }[kind]
    assert wanted - set(told) == set()
