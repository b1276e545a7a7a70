"""Errors and headers: what a person, a program and a browser are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from flask import request

from fieldops import access, create_app
from fieldops.access import Role
from tests.people import sign_in

if TYPE_CHECKING:
    from typing import NoReturn

    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.settings import Settings


@pytest.fixture
def broken(app: Flask) -> FlaskClient:
    """Give an app with a fault in it, as it runs in service."""

    @access.public
    def fail() -> NoReturn:
        message = "secret detail"
        raise RuntimeError(message)

    app.add_url_rule("/broken", "broken", fail)
    app.add_url_rule("/api/v1/broken", "broken_api", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


def test_a_fault_is_a_page_without_a_traceback(
    broken: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It says a number, under which the log has the rest."""
    answer = broken.get("/broken")
    number = answer.text.split("编号 ")[1][:8]

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert number in caplog.text
    assert "secret detail" in caplog.text


def test_a_fault_is_a_problem_for_a_program(broken: FlaskClient) -> None:
    """With the members of RFC 9457."""
    answer = broken.get("/api/v1/broken?lang=en")

    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert set(answer.json) == {"type", "title", "status", "detail"}
    assert answer.json["status"] == 500
    assert answer.json["title"] == "Something went wrong here"


@pytest.mark.parametrize(
    ("path", "accept", "is_problem"),
    [
        ("/nowhere", "text/html,*/*;q=0.8", False),
        ("/nowhere", "*/*", False),
        ("/nowhere", "application/json", True),
        ("/api/v1/nowhere", "text/html", True),
        ("/tiles/nowhere", "*/*", True),
    ],
)
def test_a_page_for_people_and_a_problem_for_programs(
    client: FlaskClient, path: str, accept: str, *, is_problem: bool
) -> None:
    """What is under /api/ is for programs, whatever a browser says it takes."""
    answer = client.get(path, headers={"Accept": accept})

    assert answer.status_code == 404
    assert (answer.content_type == "application/problem+json") == is_problem
    assert ("<h1>未找到</h1>" in answer.text) != is_problem


def test_the_wrong_method_is_told_the_right_one(client: FlaskClient) -> None:
    """405 with Allow."""
    answer = client.delete("/login")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_an_address_is_shown_and_not_run(client: FlaskClient) -> None:
    """Percent signs and tags in an address are text."""
    answer = client.get("/%3Cscript%3E%25(path)s%25d")

    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_the_wrong_role_is_told_the_right_one(client: FlaskClient, session: Session) -> None:
    """In the person's language, as a page and as a problem."""
    sign_in(client, session, Role.CREW)
    page = client.get("/people")
    problem = client.get("/people?lang=en", headers={"Accept": "application/json"})

    assert page.status_code == problem.status_code == 403
    assert "需要以下角色之一" in page.text
    assert "系统管理员" in page.text
    assert problem.json is not None
    assert "Administrator" in problem.json["detail"]


def test_a_browser_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    """The policy has no exception for what stands in the page itself, and needs none."""
    answer = client.get("/login")
    policy = answer.headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Referrer-Policy" in answer.headers
    assert "Strict-Transport-Security" not in answer.headers
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
def test_cookies_travel_by_https_alone_once_it_is_there(
    client: FlaskClient, scheme: str, *, is_secure: bool
) -> None:
    """No script reads the session, and no other site sends it along."""
    answer = client.get("/login?lang=en", base_url=f"{scheme}://localhost")

    assert ("Strict-Transport-Security" in answer.headers) == is_secure
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) == is_secure


@pytest.mark.parametrize(
    ("proxies", "address", "is_secure"), [(0, "10.0.0.9", False), (1, "203.0.113.5", True)]
)
def test_only_a_proxy_that_is_set_is_believed(
    settings: Settings, proxies: int, address: str, *, is_secure: bool
) -> None:
    """Else anybody could claim another address for each guess at a password."""
    app = create_app(replace(settings, proxies=proxies))
    seen: list[tuple[str | None, bool]] = []

    @access.public
    def look() -> str:
        seen.append((request.remote_addr, request.is_secure))
        return ""

    app.add_url_rule("/look", "look", look)
    app.test_client().get(
        "/look",
        headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.5", "X-Forwarded-Proto": "https"},
        environ_base={"REMOTE_ADDR": "10.0.0.9"},
    )

    assert seen == [(address, is_secure)]
