"""A tablet is signed in for a shift, stays the one it is, and is cleared once it was lost."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.access import Role
from fieldops.accounts.service import add_person, admit_sign_in, change_person, set_password
from fieldops.devices import service
from fieldops.devices.queries import fetch_device
from fieldops.events.queries import fetch_answer, fetch_events_after, fetch_head
from fieldops.events.service import Actor
from tests.fieldops.tablet.days import sign_tablet_in
from tests.fieldops.work_orders.orders import make_crew
from tests.people import bearer, make_person, sign_in
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

PASSWORD = "长江水 2026 检修"  # noqa: S105 - of a test
URL = "/api/v1/devices/sign-in"
MANAGER = Actor(name="赵主任", roles=frozenset({"manager"}))


def now() -> dt.datetime:
    """Give the present moment."""
    return dt.datetime.now(dt.UTC)


def add_wang(session: Session) -> int:
    """Add somebody of a crew who has a password."""
    person_id = add_person(
        session,
        login="wang",
        name="王师傅",
        roles=[Role.CREW],
        password=PASSWORD,
    )
    session.commit()
    return person_id


def test_a_sign_in_gives_a_token_for_a_shift(client: FlaskClient, session: Session) -> None:
    """No cookie and no forgery token is asked for; the token counts wherever one does."""
    add_wang(session)
    answer = client.post(URL, json={"login": "Wang", "password": PASSWORD, "name": "平板 7"})
    said = answer.get_json()
    assert answer.status_code == 201
    assert "Set-Cookie" not in answer.headers
    assert (said["person"]["name"], said["device"]["name"]) == ("王师傅", "平板 7")
    lasts = dt.datetime.fromisoformat(said["expires_at"]) - now()
    assert dt.timedelta(hours=15, minutes=59) < lasts <= dt.timedelta(hours=16)
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {said['token']}"})
    assert me.get_json()["login"] == "wang"


def test_a_tablet_gets_no_stream_that_would_outlive_its_revocation(
    client: FlaskClient, session: Session
) -> None:
    """A stream that runs is not asked again who it is; a tablet asks for its day instead."""
    add_wang(session)
    said = client.post(URL, json={"login": "wang", "password": PASSWORD, "name": "x"}).get_json()
    head = {"Authorization": f"Bearer {said['token']}"}
    assert client.get("/api/v1/events/stream", headers=head).status_code == 403
    assert client.get("/api/v1/events", headers=head).status_code == 200


def test_a_wrong_password_gives_nothing_and_is_counted(
    client: FlaskClient, session: Session
) -> None:
    """Guessing at the tablet's door is held to the same limits as at the page's."""
    add_wang(session)
    wrong = {"login": "wang", "password": "falsch-falsch", "name": "x"}
    assert client.post(URL, json=wrong).status_code == 401
    for _ in range(9):
        admit_sign_in(session, "wang", "127.0.0.1", now())
    session.commit()
    answer = client.post(URL, json=wrong)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_a_tablet_stays_the_one_it_is_only_with_a_token_of_its_own(
    client: FlaskClient, session: Session
) -> None:
    """Its number alone would give anybody the key of its release codes."""
    add_wang(session)
    body = {"login": "wang", "password": PASSWORD, "name": "平板 7"}
    first = client.post(URL, json=body).get_json()
    own = {"device_id": first["device"]["id"], "last_token": first["token"]}
    again = client.post(URL, json=body | own).get_json()
    stranger = client.post(
        URL, json=body | {"device_id": first["device"]["id"], "last_token": "fd_falsch"}
    ).get_json()
    assert again["device"] == first["device"]
    assert stranger["device"]["id"] != first["device"]["id"]
    assert stranger["device"]["secret"] != first["device"]["secret"]
    old = client.get("/api/v1/me", headers={"Authorization": f"Bearer {first['token']}"})
    assert (old.status_code, old.get_json()["type"]) == (401, "urn:fieldops:problem:token-expired")


def test_after_a_shift_the_token_is_over_and_says_so(client: FlaskClient, session: Session) -> None:
    """The page then goes on recording, and only sending waits."""
    person_id = make_person(session, "crew")
    tablet = sign_tablet_in(session, person_id, now=now() - dt.timedelta(hours=16, seconds=1))
    answer = client.post("/api/v1/ops", json={"ops": []}, headers=tablet.headers)
    assert answer.status_code == 401
    assert answer.get_json()["type"] == "urn:fieldops:problem:token-expired"


@pytest.mark.parametrize("wipe", ["keep-unsent", "all"])
def test_a_revoked_tablet_is_told_what_to_clear(
    client: FlaskClient, session: Session, wipe: str
) -> None:
    """At its next contact, whichever that is, and although its token is over by then, too."""
    tablet = sign_tablet_in(session, make_person(session, "crew"))
    service.revoke(session, tablet.device.id, wipe, MANAGER, now())
    session.commit()
    answer = client.get("/api/v1/me", headers=tablet.headers)
    problem = answer.get_json()
    assert answer.status_code == 401
    assert (problem["type"], problem["wipe"]) == ("urn:fieldops:problem:device-revoked", wipe)
    after = fetch_device(session, tablet.device.id)
    assert after is not None
    assert after.cleared_at is not None


def test_a_revoked_tablet_lets_nobody_sign_in_before_it_is_cleared(
    client: FlaskClient, session: Session
) -> None:
    """Else whoever found it would make it good again."""
    add_wang(session)
    body = {"login": "wang", "password": PASSWORD, "name": "平板 7"}
    first = client.post(URL, json=body).get_json()
    service.revoke(session, first["device"]["id"], "all", MANAGER, now())
    session.commit()
    own = {"device_id": first["device"]["id"], "last_token": first["token"]}
    answer = client.post(URL, json=body | own)
    assert (answer.status_code, answer.get_json()["wipe"]) == (401, "all")


@pytest.mark.parametrize("change", ["password", "disabled", "roles"])
def test_who_loses_what_a_sign_in_stood_on_is_signed_out_of_the_tablet(
    client: FlaskClient, session: Session, change: str
) -> None:
    """The code makes the page wait for a sign-in; nothing that was sent meanwhile is answered."""
    person_id = make_person(session, "crew", "planner")
    tablet = sign_tablet_in(session, person_id)
    change_person(session, person_id, name="王", roles=[Role.CREW], is_active=True)
    session.commit()
    assert client.get("/api/v1/me", headers=tablet.headers).status_code == 200
    if change == "password":
        set_password(session, person_id, PASSWORD)
    elif change == "disabled":
        change_person(session, person_id, name="王", roles=[Role.CREW], is_active=False)
        session.commit()
        change_person(session, person_id, name="王", roles=[Role.CREW], is_active=True)
    else:
        change_person(session, person_id, name="王", roles=[Role.PLANNER], is_active=True)
    session.commit()
    body = {"ops": [operation("track:1", "do", device=tablet.device.id)]}
    answer = client.post("/api/v1/ops", json=body, headers=tablet.headers)
    assert answer.status_code == 401
    assert answer.get_json()["type"] == "urn:fieldops:problem:token-expired"
    assert fetch_answer(session, body["ops"][0]["op_id"]) is None


def test_the_page_shows_what_a_tablet_told_and_never_none_for_unknown(
    client: FlaskClient, session: Session
) -> None:
    """Nothing told yet is not "0 unsent"."""
    _, member = make_crew(session)
    assert member.person_id is not None
    silent = sign_tablet_in(session, make_person(session, "crew"), name="无声平板")
    told = sign_tablet_in(session, member.person_id, name="平板 9")
    body = {"unsent": 12, "photos": 3, "parked": 1, "pack_revision": 4, "version": "abc"}
    answer = client.post("/api/v1/devices/contact", json=body, headers=told.headers)
    assert answer.get_json() == {
        "id": told.device.id,
        "name": "平板 9",
        "district": None,
        "is_revoked": False,
    }
    sign_in(client, session, "manager")
    page = client.get("/devices", headers={"Accept-Language": "en"}).get_data(as_text=True)
    rows = {line for line in page.split("<tr") if "平板" in line}
    own = next(row for row in rows if told.device.id in row)
    other = next(row for row in rows if silent.device.id in row)
    assert "12" in own
    assert "not told yet" in other
    assert "not told yet" not in own


def test_a_manager_revokes_and_a_crew_may_not(client: FlaskClient, session: Session) -> None:
    """By the page's form, with its token."""
    tablet = sign_tablet_in(session, make_person(session, "crew"))
    url = f"/devices/{tablet.device.id}/revoke"
    crew = sign_in(client, session, "crew")
    assert client.post(url, data={"wipe": "all"}, headers=crew).status_code == 403
    manager = sign_in(client, session, "manager")
    assert client.post(url, data={"wipe": "all"}, headers=manager).status_code == 302
    after = fetch_device(session, tablet.device.id)
    assert after is not None
    assert (after.wipe, after.is_revoked) == ("all", True)


def test_a_tablet_given_to_another_signs_its_holder_out(
    client: FlaskClient, session: Session
) -> None:
    """Its name and district are changed with it."""
    tablet = sign_tablet_in(session, make_person(session, "crew"))
    manager = sign_in(client, session, "dispatcher")
    url = f"/devices/{tablet.device.id}/reassign"
    data = {"name": "备用平板", "district": "", "sign_out": "yes"}
    assert client.post(url, data=data, headers=manager).status_code == 302
    after = fetch_device(session, tablet.device.id)
    assert after is not None
    assert after.name == "备用平板"
    answer = client.get("/api/v1/me", headers=tablet.headers)
    assert answer.get_json()["type"] == "urn:fieldops:problem:token-expired"


def test_signing_out_ends_the_token(client: FlaskClient, session: Session) -> None:
    """A machine's token is no tablet's, and has nothing to sign out of."""
    tablet = sign_tablet_in(session, make_person(session, "crew"))
    url = "/api/v1/devices/sign-out"
    assert client.post(url, headers=tablet.headers).status_code == 200
    assert client.get("/api/v1/me", headers=tablet.headers).status_code == 401
    assert client.post(url, headers=bearer(session, "crew")).status_code == 403


def test_nobody_is_a_demo_person_where_there_is_no_demo(
    client: FlaskClient, session: Session
) -> None:
    """Neither listed nor let in."""
    add_wang(session)
    assert client.get(URL).get_json() == {"demo": []}
    assert client.post(URL, json={"demo_login": "wang", "name": "x"}).status_code == 401


def test_a_record_has_to_name_the_tablet_that_sends_it(
    client: FlaskClient, session: Session
) -> None:
    """Nobody's work is put down to another's tablet; refused, it may still come from its own."""
    mine = sign_tablet_in(session, make_person(session, "crew"))
    other = sign_tablet_in(session, make_person(session, "crew"), name="平板二")
    wanted = operation("track:1", "do", device=other.device.id)
    [refused] = send(client, mine.headers, wanted)
    assert refused["status"] == "forbidden"
    assert mine.device.id in refused["message"]
    assert other.device.id in refused["message"]
    [answered] = send(client, other.headers, wanted)
    assert answered["status"] == "illegal"
    assert answered["received_at"]


def test_work_of_before_a_revocation_may_come_from_the_tablet_signed_in_on_anew(
    client: FlaskClient, session: Session
) -> None:
    """Cleared, it is a new tablet to us; what it had kept unsent names the old one."""
    person_id = make_person(session, "crew")
    lost = sign_tablet_in(session, person_id)
    service.revoke(session, lost.device.id, "keep-unsent", MANAGER, now())
    session.commit()
    found = sign_tablet_in(session, person_id)
    before = fetch_head(session)
    wanted = operation("track:1", "do", device=lost.device.id)
    [first], [again] = send(client, found.headers, wanted), send(client, found.headers, wanted)
    assert first["status"] == again["status"] == "illegal"
    [told] = fetch_events_after(session, before)
    assert (told.kind, told.device) == ("device.named_another", found.device.id)
    assert (told.body["named"], told.op_id) == (lost.device.id, wanted["op_id"])
    [known] = send(client, found.headers, operation("track:1", "do", device=found.device.id))
    assert known["status"] == "illegal"
    assert len(fetch_events_after(session, before)) == 1
