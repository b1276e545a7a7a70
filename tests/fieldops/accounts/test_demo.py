"""The demo's people: for a visitor of this machine in the demo, and for nobody else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fieldops import create_app
from fieldops.access import STAFF, Role
from fieldops.accounts import queries, service
from fieldops.errors import ConflictError
from tests.people import make_person, sign_in_as

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.settings import Settings


@pytest.fixture
def demo(settings: Settings, sessions: sessionmaker[Session], session: Session) -> Flask:
    """Give an app in demo mode, with its people."""
    app = create_app(replace(settings, is_demo=True))
    app.testing = True
    app.extensions["fieldops.sessions"] = sessions
    service.add_demo_people(session)
    session.commit()
    return app


@pytest.fixture
def visitor(demo: Flask) -> FlaskClient:
    """Come to the demo for the first time."""
    return demo.test_client()


def token_of(text: str) -> dict[str, str]:
    """Read the token that a page gives its writes."""
    return {"X-CSRFToken": text.split('name="csrf-token" content="')[1].split('"', 1)[0]}


def test_a_visitor_is_the_demos_dispatcher(visitor: FlaskClient) -> None:
    """With a session of his own from the first page on, and a banner that says so."""
    text = visitor.get("/me").text

    assert "林晓" in text
    assert "虚构城镇" in text
    with visitor.session_transaction() as cookies:
        assert "_user_id" in cookies


def test_a_program_may_read_without_a_session(visitor: FlaskClient) -> None:
    """And leaves none behind."""
    answer = visitor.get("/api/v1/me")

    assert answer.json is not None
    assert answer.json["roles"] == ["dispatcher"]
    with visitor.session_transaction() as cookies:
        assert "_user_id" not in cookies


def test_a_write_needs_a_page_in_the_demo_too(visitor: FlaskClient) -> None:
    """Any site that the visitor has open could post to this machine."""
    assert visitor.post("/demo/person", data={"role": "admin"}).status_code == 400
    page = visitor.get("/me").text
    answer = visitor.post("/demo/person", data={"role": "admin"}, headers=token_of(page))

    assert answer.status_code == 302
    assert visitor.get("/people").status_code == 200


@pytest.mark.parametrize("role", STAFF)
def test_every_role_is_one_click_away(visitor: FlaskClient, role: Role) -> None:
    """One person a role."""
    page = visitor.get("/me").text
    visitor.post("/demo/person", data={"role": role}, headers=token_of(page))
    answer = visitor.get("/api/v1/me")

    assert answer.json is not None
    assert answer.json["roles"] == [role]


@pytest.mark.parametrize(
    ("role", "wanted", "given"),
    [
        ("dispatcher", "/dispatch", "/dispatch"),
        ("crew", "/dispatch", "/"),
        ("dispatcher", "//elsewhere.example/", "/"),
        ("dispatcher", "/no/such/page", "/"),
        ("dispatcher", "", "/"),
    ],
)
def test_whoever_chooses_a_role_comes_to_the_page_they_wanted(
    visitor: FlaskClient, role: str, wanted: str, given: str
) -> None:
    """Unless there is none, or the role may not open it."""
    page = visitor.get("/me").text
    form = {"role": role, "next": wanted}
    answer = visitor.post("/demo/person", data=form, headers=token_of(page))
    assert answer.headers["Location"] == given


@pytest.mark.parametrize(
    ("headers", "environ"),
    [
        ({}, {"REMOTE_ADDR": "192.0.2.7"}),
        ({"Host": "rebound.example"}, {}),
        ({"X-Forwarded-For": "192.0.2.7"}, {}),
        ({"Forwarded": "for=192.0.2.7"}, {}),
    ],
)
def test_who_comes_from_elsewhere_is_nobody(
    visitor: FlaskClient, headers: dict[str, str], environ: dict[str, str]
) -> None:
    """From another machine, by another name, or through a proxy."""
    assert visitor.get("/me", headers=headers, environ_base=environ).status_code == 302
    refused = visitor.get("/api/v1/me", headers=headers, environ_base=environ)

    assert refused.status_code == 401


def test_a_server_open_to_the_network_is_no_demo(
    settings: Settings, sessions: sessionmaker[Session], session: Session
) -> None:
    """HOST=0.0.0.0 with FIELDOPS_DEMO=1 opens nothing."""
    app = create_app(replace(settings, is_demo=True, host="0.0.0.0"))  # noqa: S104
    app.extensions["fieldops.sessions"] = sessions
    service.add_demo_people(session)
    session.commit()

    assert app.test_client().get("/api/v1/me").status_code == 401


@pytest.mark.usefixtures("demo")
def test_without_the_setting_demo_people_are_nobody(client: FlaskClient, session: Session) -> None:
    """Their rows may be there: no session, no token, no password and no switch works."""
    found = queries.read_account_of_login(session, "demo-admin")
    assert found is not None
    page = sign_in_as(client, session, found.id)
    token = service.make_token(session, found.id, "x", 1, dt.datetime.now(dt.UTC))
    session.commit()

    assert client.get("/api/v1/me").status_code == 401
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert client.post("/demo/person", data={"role": "admin"}, headers=page).status_code == 404
    assert "虚构城镇" not in client.get("/login").text
    with pytest.raises(ConflictError):
        service.set_password(session, found.id, "阀门井的新钥匙8号门")


def test_demo_people_are_not_added_among_real_ones(session: Session) -> None:
    """FIELDOPS_DEMO=1 on the utility's own database must not open it."""
    make_person(session, Role.ADMIN)

    with pytest.raises(ConflictError):
        service.add_demo_people(session)


def test_adding_demo_people_twice_adds_none(session: Session) -> None:
    """./run demo runs it each time, even when a visitor has added somebody."""
    first = service.add_demo_people(session)
    make_person(session, Role.CREW)

    assert (first, service.add_demo_people(session)) == (len(STAFF), 0)
