"""The administrator's pages, one's own page, and the languages of both."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.access import Role
from fieldops.accounts import queries, service
from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from tests.people import make_person, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def test_an_administrator_adds_a_person(client: FlaskClient, session: Session) -> None:
    """The new one stands in the list, with the role's Chinese name."""
    page = sign_in(client, session, Role.ADMIN)
    fields = {"login": "li.na", "name": "李娜", "roles": ["planner", "crew"], "password": ""}
    answer = client.post("/people", data=fields, headers=page)
    found = queries.read_account_of_login(session, "li.na")

    assert answer.status_code == 302
    assert found is not None
    assert found.roles == (Role.CREW, Role.PLANNER)
    text = client.get("/people").text
    assert "李娜" in text
    assert "规划员" in text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": "x", "name": "李娜", "roles": "crew"}, "登录名为 2 至 64 个"),
        ({"login": "li na", "name": "李娜", "roles": "crew"}, "登录名为 2 至 64 个"),
        ({"login": "demo-x", "name": "李娜", "roles": "crew"}, "仅供演示使用"),
        ({"login": "li.na", "name": "李\u202e娜", "roles": "crew"}, "可显示的字符"),
        ({"login": "li.na", "name": "李娜"}, "请至少选择一个角色"),
        ({"login": "li.na", "name": "", "roles": "crew"}, "请填写"),
        ({"login": "li.na", "name": "李娜", "roles": "crew", "password": "short"}, "密码需为"),
        ({"login": "TAKEN", "name": "李娜", "roles": "crew"}, "已被使用"),
    ],
)
def test_what_will_not_do_is_refused_with_a_reason(
    client: FlaskClient, session: Session, fields: dict[str, str], message: str
) -> None:
    """And what was filled in stays in the form."""
    make_person(session, Role.CREW, login="taken")
    page = sign_in(client, session, Role.ADMIN)
    before = len(queries.list_accounts(session))
    answer = client.post("/people", data=fields, headers=page)

    assert answer.status_code in {400, 409}
    assert message in answer.text
    assert f'value="{fields["login"]}"' in answer.text
    assert len(queries.list_accounts(session)) == before


def test_names_are_shown_and_not_run(client: FlaskClient, session: Session) -> None:
    """A name is text, whatever it holds."""
    page = sign_in(client, session, Role.ADMIN)
    name = "<script>alert(1)</script>"
    client.post("/people", data={"login": "li.na", "name": name, "roles": "crew"}, headers=page)

    text = client.get("/people").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_last_administrator_stays_one(client: FlaskClient, session: Session) -> None:
    """Neither disabled nor stripped of the role; with a second one it goes through."""
    first = make_person(session, Role.ADMIN)
    page = sign_in_as(client, session, first)
    fields = {"name": "王芳", "roles": "crew", "is_active": "y"}
    refused = client.post(f"/people/{first}", data=fields, headers=page)
    with pytest.raises(ConflictError):
        service.change_person(session, first, name="王芳", roles=[Role.ADMIN], is_active=False)
    make_person(session, Role.ADMIN)
    session.commit()
    done = client.post(f"/people/{first}", data=fields, headers=page)

    assert (refused.status_code, done.status_code) == (409, 302)
    assert client.get("/people").status_code == 403


def test_a_token_is_shown_once(client: FlaskClient, session: Session) -> None:
    """On the page that makes it, and on none after."""
    page = sign_in(client, session, Role.ADMIN)
    machine = make_person(session, Role.PLANNER)
    session.commit()
    made = client.post(
        f"/people/{machine}/tokens", data={"name": "SCADA", "days": "30"}, headers=page
    )
    secret = made.text.split('class="secret">')[1].split("<")[0]
    after = client.get(f"/people/{machine}")
    (token,) = queries.list_tokens(session, machine)
    revoke = f"/people/{machine}/tokens/{token.id}/revoke"

    assert made.headers["Cache-Control"] == "no-store"
    assert secret.startswith("fo_")
    assert secret not in after.text
    assert "SCADA" in after.text
    assert client.post(revoke, headers=page).status_code == 302
    assert client.post(revoke, headers=page).status_code == 404


def test_a_token_does_not_live_for_ever(session: Session) -> None:
    """Three years at most, and it needs a name."""
    machine = make_person(session, Role.PLANNER)
    now = dt.datetime.now(dt.UTC)
    for name, days in (("SCADA", 0), ("SCADA", 2000), ("", 30)):
        with pytest.raises(FieldopsError):
            service.make_token(session, machine, name, days, now)


def test_a_reset_password_works_and_signs_out(client: FlaskClient, session: Session) -> None:
    """The administrator gives it; the person comes in with it."""
    crew = make_person(session, Role.CREW, login="zhou")
    tablet = client.application.test_client()
    sign_in_as(tablet, session, crew)
    page = sign_in(client, session, Role.ADMIN)
    answer = client.post(
        f"/people/{crew}/password", data={"new": "阀门井的新钥匙8号门"}, headers=page
    )

    assert answer.status_code == 302
    assert tablet.get("/api/v1/me").status_code == 401
    assert service.check_password(session, "zhou", "阀门井的新钥匙8号门", "10.0.0.1") == crew


def test_there_is_no_page_of_nobody(client: FlaskClient, session: Session) -> None:
    """404, in words."""
    sign_in(client, session, Role.ADMIN)

    answer = client.get("/people/987654")
    assert answer.status_code == 404
    assert "没有编号为 987654 的人员。" in answer.text


def test_nobody_can_be_found_by_a_name_that_is_not_there(session: Session) -> None:
    """The command line says which name."""
    with pytest.raises(NotFoundError, match="zhou"):
        service.find_account_of_login(session, "zhou")


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "expected"),
    [
        ("", "", "", "zh-CN"),
        ("", "", "en-GB,en;q=0.9", "en"),
        ("", "", "de,en;q=0.9", "zh-CN"),
        ("", "zh_CN", "en", "zh-CN"),
        ("?lang=en", "zh_CN", "", "en"),
        ("?lang=xx", "en", "", "en"),
    ],
)
def test_the_page_speaks_the_language_asked_for(
    client: FlaskClient, query: str, cookie: str, accept: str, expected: str
) -> None:
    """The address before the cookie, the cookie before the browser, Chinese before all else."""
    if cookie:
        client.set_cookie("lang", cookie)
    text = client.get(f"/login{query}", headers={"Accept-Language": accept}).text

    assert f'<html lang="{expected}">' in text
    assert ("<h1>登录</h1>" if expected == "zh-CN" else "<h1>Sign in</h1>") in text


def test_a_language_once_asked_for_stays(client: FlaskClient) -> None:
    """On the pages that follow, too."""
    client.get("/login?lang=en")

    assert '<html lang="en">' in client.get("/login").text


def test_a_chosen_language_goes_with_the_person(client: FlaskClient, session: Session) -> None:
    """To the next browser."""
    person_id = make_person(session, Role.CREW)
    page = sign_in_as(client, session, person_id)
    answer = client.post("/language", data={"language": "en", "next": "/me"}, headers=page)
    tablet = client.application.test_client()
    sign_in_as(tablet, session, person_id)

    assert answer.headers["Location"] == "/me"
    assert '<html lang="en">' in tablet.get("/me").text


def test_the_menu_shows_what_the_person_may_open(client: FlaskClient, session: Session) -> None:
    """Only an administrator is shown the people."""
    sign_in(client, session, Role.CREW)
    crew = client.get("/me").text
    sign_in(client, session, Role.ADMIN)

    assert 'href="/people"' not in crew
    assert 'href="/people"' in client.get("/me").text
