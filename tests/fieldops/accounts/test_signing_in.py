"""Signing in and out: what a name, a password, a cookie and a token are worth."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher, Type
from sqlalchemy import func, select, update

from fieldops.access import Role, safe_next
from fieldops.accounts import queries, service
from fieldops.accounts.models import ApiToken, FailedSignIn, Person, PersonSession
from fieldops.errors import FieldopsError, TooManyError
from tests.people import bearer, make_person, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.test import TestResponse

PASSWORD = "水表井盖2024年一号"  # noqa: S105 - of nobody
NOW = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
SERVED = service.HASHER
"""Tests hash faster: this is what they put another one in the place of."""
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def wang(session: Session) -> int:
    """Add a dispatcher with a password."""
    person_id = service.add_person(
        session, login="Wang.Fang", name="王芳", roles=[Role.DISPATCHER], password=PASSWORD
    )
    session.commit()
    return person_id


def page_token(client: FlaskClient) -> str:
    """Read the token of the sign-in page."""
    text = client.get("/login").text
    return text.split('name="csrf-token" content="')[1].split('"')[0]


def try_to_sign_in(
    client: FlaskClient, login: str = "wang.fang", password: str = PASSWORD, **fields: str
) -> TestResponse:
    """Fill in the form and send it."""
    fields |= {"login": login, "password": password, "csrf_token": page_token(client)}
    return client.post("/login", data=fields)


@pytest.mark.usefixtures("wang")
def test_name_and_password_sign_in(client: FlaskClient) -> None:
    """And the page asked for at first is the page shown."""
    asked = client.get("/me?x=1")
    answer = try_to_sign_in(client, next="/me?x=1")

    assert asked.headers["Location"] == "/login?next=%2Fme%3Fx%3D1"
    assert (answer.status_code, answer.headers["Location"]) == (302, "/me?x=1")
    assert "王芳" in client.get("/me").text


@pytest.mark.usefixtures("wang")
@pytest.mark.parametrize("login", ["WANG.FANG", " wang.fang ", "wang.fang"])
def test_the_input_method_does_not_matter(client: FlaskClient, login: str) -> None:
    """Capital and full-width letters are the same name."""
    assert try_to_sign_in(client, login).status_code == 302


@pytest.mark.usefixtures("wang")
@pytest.mark.parametrize(
    ("login", "password"), [("wang.fang", "wrong"), ("nobody", PASSWORD), ("nobody", "x" * 900)]
)
def test_a_wrong_name_and_a_wrong_password_read_the_same(
    client: FlaskClient, login: str, password: str
) -> None:
    """Nobody learns by trying who works here."""
    answer = try_to_sign_in(client, login, password)

    assert answer.status_code == 400
    assert "登录名或密码不正确。" in answer.text
    assert client.get("/me").status_code == 302


def test_an_unknown_name_costs_a_hash_too(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the time it takes would tell which names exist."""
    checked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
            checked.append(str(hash))
            return QUICK.verify(hash, password)

    monkeypatch.setattr(service, "HASHER", Counting(1, 8, 1))
    service._stand_in_hash.cache_clear()

    assert service.check_password(session, "nobody", PASSWORD, "10.0.0.1") is None
    assert len(checked) == 1


def test_a_hash_is_as_slow_as_is_recommended() -> None:
    """By RFC 9106 for where memory is short."""
    assert SERVED.type is Type.ID
    assert SERVED.memory_cost >= 64 * 1024
    assert (SERVED.time_cost, SERVED.parallelism) == (3, 4)


def test_a_hash_of_weaker_settings_is_renewed(
    session: Session, wang: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argon2's settings grow with the years; who signs in gets the new ones."""
    stronger = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    monkeypatch.setattr(service, "HASHER", stronger)
    assert service.check_password(session, "wang.fang", PASSWORD, "10.0.0.1") == wang

    found = queries.read_credentials(session, "wang.fang")
    assert found is not None
    assert found.password_hash is not None
    assert not stronger.check_needs_rehash(found.password_hash)


def test_signing_in_makes_a_new_session(client: FlaskClient, session: Session, wang: int) -> None:
    """A session planted in the browser beforehand is worth nothing afterwards."""
    planted = page_token(client)
    with client.session_transaction() as cookies:
        cookies["planted"] = "yes"
    try_to_sign_in(client)

    with client.session_transaction() as cookies:
        assert "planted" not in cookies
        first = cookies["_user_id"]
    assert client.post("/logout", headers={"X-CSRFToken": planted}).status_code == 400
    try_to_sign_in(client)
    with client.session_transaction() as cookies:
        assert cookies["_user_id"] != first
    assert session.scalar(select(func.count()).where(PersonSession.person_id == wang)) == 1


def test_signing_out_ends_the_session_for_a_copied_cookie(
    client: FlaskClient, session: Session
) -> None:
    """The row is gone, so the cookie is worth nothing wherever it lies."""
    page = sign_in(client, session, Role.CREW)
    with client.session_transaction() as cookies:
        copied = dict(cookies)
    assert client.get("/api/v1/me").status_code == 200
    client.post("/logout", headers=page)
    with client.session_transaction() as cookies:
        cookies.update(copied)

    assert client.get("/api/v1/me").status_code == 401


def test_a_disabled_person_is_out_at_once(client: FlaskClient, session: Session) -> None:
    """By session and by token."""
    person_id = make_person(session, Role.CREW)
    sign_in_as(client, session, person_id)
    token = {
        "Authorization": "Bearer "
        + service.make_token(session, person_id, "scada", 9, dt.datetime.now(dt.UTC))
    }
    assert client.get("/api/v1/me").status_code == 200
    assert client.get("/api/v1/me", headers=token).status_code == 200
    service.change_person(session, person_id, name="王芳", roles=[Role.CREW], is_active=False)
    session.commit()

    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me", headers=token).status_code == 401


def test_a_disabled_person_cannot_sign_in(client: FlaskClient, session: Session, wang: int) -> None:
    """The right password does not help."""
    service.change_person(session, wang, name="王芳", roles=[Role.CREW], is_active=False)
    session.commit()

    assert try_to_sign_in(client).status_code == 400


def test_a_new_password_signs_every_other_browser_out(
    client: FlaskClient, session: Session, wang: int
) -> None:
    """Who changes it stays signed in; who stole the old one does not."""
    thief = client.application.test_client()
    sign_in_as(thief, session, wang)
    try_to_sign_in(client)
    token = client.get("/me").text.split('name="csrf-token" content="')[1].split('"')[0]
    answer = client.post(
        "/me/password", data={"old": PASSWORD, "new": "新的阀门钥匙99号井", "csrf_token": token}
    )

    assert answer.status_code == 302
    assert client.get("/api/v1/me").status_code == 200
    assert thief.get("/api/v1/me").status_code == 401


def test_ones_own_password_needs_the_old_one(
    client: FlaskClient, session: Session, wang: int
) -> None:
    """An unlocked screen is not enough to take somebody's account over."""
    page = sign_in_as(client, session, wang)
    answer = client.post(
        "/me/password", data={"old": "wrong", "new": "新的阀门钥匙99号井"}, headers=page
    )

    assert answer.status_code == 400
    assert "当前密码不正确。" in answer.text


def test_a_session_ends_after_a_shift(client: FlaskClient, session: Session) -> None:
    """Even if nobody signs out."""
    sign_in(client, session, Role.CREW)
    session.execute(update(PersonSession).values(ends_at=NOW))
    session.commit()

    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.usefixtures("wang")
def test_too_many_failures_lock_a_name_and_say_for_how_long(client: FlaskClient) -> None:
    """Then even the right password is refused, until the window has moved on."""
    for _ in range(service.FAILURES_PER_LOGIN):
        assert try_to_sign_in(client, password="wrong").status_code == 400  # noqa: S106
    answer = try_to_sign_in(client)

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= service.WINDOW.total_seconds()
    assert "登录失败次数过多" in answer.text


def test_failures_are_counted_by_name_and_by_address(session: Session) -> None:
    """One address trying many names is stopped, and so are many addresses trying one name."""
    for number in range(service.FAILURES_PER_ADDRESS):
        service.admit_sign_in(session, f"name-{number}", "10.0.0.1", NOW)
    for number in range(service.FAILURES_PER_LOGIN):
        service.admit_sign_in(session, "wang", f"10.0.1.{number}", NOW)

    with pytest.raises(TooManyError):
        service.admit_sign_in(session, "fresh-name", "10.0.0.1", NOW)
    with pytest.raises(TooManyError):
        service.admit_sign_in(session, "WANG", "10.0.2.1", NOW)
    service.admit_sign_in(session, "fresh-name", "10.0.2.1", NOW)


def test_a_lock_opens_when_its_window_has_passed(session: Session) -> None:
    """Attempts while locked do not lengthen it, and old rows are forgotten."""
    for minute in range(service.FAILURES_PER_LOGIN):
        service.admit_sign_in(session, "wang", "10.0.0.1", NOW + dt.timedelta(minutes=minute))
    with pytest.raises(TooManyError) as locked:
        service.admit_sign_in(session, "wang", "10.0.0.1", NOW + dt.timedelta(minutes=12))
    assert locked.value.retry_after_s == 3 * 60
    service.admit_sign_in(session, "wang", "10.0.0.1", NOW + dt.timedelta(minutes=15))
    service.admit_sign_in(session, "wang", "10.0.0.1", NOW + dt.timedelta(days=2))

    assert session.scalar(select(func.count()).select_from(FailedSignIn)) == 1


@pytest.mark.usefixtures("wang")
def test_signing_in_takes_back_ones_own_failures(client: FlaskClient, session: Session) -> None:
    """A tired finger in the morning does not add up over the day."""
    try_to_sign_in(client, password="wrong")  # noqa: S106
    try_to_sign_in(client)

    assert session.scalar(select(func.count()).select_from(FailedSignIn)) == 0


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/people?x=1", "/people?x=1"),
        ("/管网", "/管网"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\n/evil.example", "/"),
        ("people", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_signing_in_leads_to_no_other_site(target: str | None, expected: str) -> None:
    """A link that looks like ours must not end elsewhere."""
    assert safe_next(target) == expected


def test_a_token_acts_as_its_person_until_revoked(client: FlaskClient, session: Session) -> None:
    """It is kept as a hash alone."""
    headers = bearer(session, Role.PLANNER)
    token = session.scalars(select(ApiToken)).one()
    assert headers["Authorization"].split()[1].encode() not in token.token_hash
    answer = client.get("/api/v1/me", headers=headers)
    assert answer.json is not None
    assert answer.json["roles"] == ["planner"]
    session.refresh(token)
    assert token.last_used_at is not None
    service.revoke_token(session, token.person_id, token.id, NOW)
    session.commit()

    refused = client.get("/api/v1/me", headers=headers)
    assert refused.status_code == 401
    assert refused.content_type == "application/problem+json"
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_expires(client: FlaskClient, session: Session) -> None:
    """Whether or not anybody thinks of it."""
    headers = bearer(session, Role.PLANNER)
    session.execute(update(ApiToken).values(ends_at=NOW))
    session.commit()

    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_a_token_counts_alone(client: FlaskClient, session: Session) -> None:
    """A bad token with a good cookie is refused: else a cookie could write without a page."""
    sign_in(client, session, Role.ADMIN)

    for authorization in ("Bearer nonsense", "Bearer "):
        answer = client.post("/people", headers={"Authorization": authorization})
        assert answer.status_code in {400, 401}
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert client.get("/healthz", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_a_page_of_somebody_costs_one_statement_more(
    client: FlaskClient, session: Session, statements: list[str]
) -> None:
    """Session and person come together."""
    sign_in(client, session, Role.CREW)
    statements.clear()
    client.get("/api/v1/me")

    assert len([sent for sent in statements if "SELECT" in sent]) == 1


@pytest.mark.parametrize(
    "password", ["short", "x" * 201, "1234567890", "aaaaaaaaaaaaaa", "wang.fang-2024"]
)
def test_passwords_that_are_guessed_at_once_are_refused(password: str) -> None:
    """Length and a little sense; no rules about capitals and signs."""
    with pytest.raises(FieldopsError):
        service.check_new_password(password, "wang.fang")


def test_nobody_is_signed_in_by_an_old_cookie_of_a_deleted_home(client: FlaskClient) -> None:
    """A key that no row knows is nobody's."""
    with client.session_transaction() as cookies:
        cookies["_user_id"] = "from-before"

    assert client.get("/me").status_code == 302
    assert client.get("/login").status_code == 200


def test_the_database_keeps_no_key_in_the_clear(client: FlaskClient, session: Session) -> None:
    """Who reads a backup cannot become anybody."""
    sign_in(client, session, Role.CREW)
    with client.session_transaction() as cookies:
        key = cookies["_user_id"]

    assert session.scalars(select(PersonSession.key_hash)).one() == service.hash_secret(key)
    assert session.scalars(select(Person.password_hash)).one() is None
