"""Every route, every role: let through exactly as the route declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from werkzeug.routing import AnyConverter

from fieldops.access import STAFF, Role, allow
from tests.people import bearer, sign_in

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.routing import Rule
    from werkzeug.test import TestResponse


def example_of(app: Flask, rule: Rule) -> str:
    """Fill in an address of a rule."""
    for word in ("1", "V-1", "1.5", "a/b"):
        words: dict[str, object] = {
            name: min(converter.items) if isinstance(converter, AnyConverter) else word
            for name, converter in rule._converters.items()
        }
        try:
            built = rule.build(words, append_unknown=False)
        except ValueError:
            continue
        if built and app.url_map.bind("localhost").test(built[1], next(iter(rule.methods or ""))):
            return built[1]
    message = f"no example of {rule.rule} is known"
    raise AssertionError(message)


@pytest.fixture
def gated(app: Flask) -> Flask:
    """Keep each route's declaration, and put in place of its work an empty answer."""

    def stand_in(allowed: frozenset[Role] | None) -> object:
        def answer(**_values: object) -> tuple[str, int]:
            return "", 204

        answer.allowed_roles = allowed  # type: ignore[attr-defined]
        return answer

    app.view_functions = {
        endpoint: stand_in(view.allowed_roles)  # type: ignore[misc,union-attr]
        for endpoint, view in app.view_functions.items()
    }
    return app


def every_call(app: Flask) -> list[tuple[str, str, frozenset[Role] | None]]:
    """List method, address and declaration of every route."""
    return [
        (method, example_of(app, rule), app.view_functions[rule.endpoint].allowed_roles)  # type: ignore[union-attr]
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
        if method not in {"HEAD", "OPTIONS"}
    ]


def call(
    client: FlaskClient, method: str, path: str, headers: dict[str, str] | None = None
) -> TestResponse:
    """Call a route as a program does."""
    return client.open(
        path, method=method, headers={"Accept": "application/json"} | (headers or {})
    )


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    """A route that says nothing is a hole, so it must not exist."""
    silent = [
        endpoint
        for endpoint, view in app.view_functions.items()
        if not hasattr(view, "allowed_roles")
    ]

    assert silent == []


@pytest.mark.parametrize("role", STAFF)
def test_a_role_reaches_what_it_may_and_nothing_else(
    gated: Flask, session: Session, role: Role
) -> None:
    """204 is the stand-in behind the gate, 403 the gate."""
    client = gated.test_client()
    page = sign_in(client, session, role)
    calls = every_call(gated)
    wrong = [
        (method, path)
        for method, path, allowed in calls
        if call(client, method, path, page).status_code
        != (204 if allowed is None or role in allowed else 403)
    ]

    assert len(calls) > 10
    assert wrong == []


@pytest.mark.parametrize("role", STAFF)
def test_a_token_reaches_what_its_persons_role_may(
    gated: Flask, session: Session, role: Role
) -> None:
    """A token needs no page's header, for no browser sends it by itself."""
    client = gated.test_client()
    token = bearer(session, role)
    wrong = [
        (method, path)
        for method, path, allowed in every_call(gated)
        if call(client, method, path, token).status_code
        != (204 if allowed is None or role in allowed else 403)
    ]

    assert wrong == []


def test_nobody_reaches_only_what_is_public(gated: Flask) -> None:
    """Public writes come from a page too: without its token they are refused."""
    client = gated.test_client()
    wrong = []
    for method, path, allowed in every_call(gated):
        expected = 401 if allowed is not None else 204 if method == "GET" else 400
        if call(client, method, path).status_code != expected:
            wrong.append((method, path))

    assert wrong == []


def test_no_write_passes_on_a_cookie_alone(gated: Flask, session: Session) -> None:
    """The matrix again, for somebody who may do everything, from another site's page."""
    client = gated.test_client()
    sign_in(client, session, *STAFF)
    wrong = [
        (method, path)
        for method, path, _ in every_call(gated)
        if method != "GET" and call(client, method, path).status_code != 400
    ]

    assert wrong == []


def test_an_undeclared_route_answers_nobody(app: Flask, session: Session) -> None:
    """Even an administrator; in a test it is an error that cannot be overlooked."""
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    client = app.test_client()
    sign_in(client, session, *STAFF)

    with pytest.raises(LookupError, match="forgotten"):
        client.get("/forgotten")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = client.get("/forgotten")
    assert (answer.status_code, b"secret" in answer.data) == (500, False)


def test_a_role_that_does_not_exist_cannot_be_declared() -> None:
    """A slip of the pen would otherwise lock everybody out, or nobody."""
    with pytest.raises(ValueError, match="dispacher"):
        allow("dispacher")
