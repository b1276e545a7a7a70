"""People for tests: by token, or signed in with a browser's session."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

from itsdangerous import URLSafeTimedSerializer

from fieldops.access import Role
from fieldops.accounts import queries, service

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def make_person(session: Session, *roles: Role | str, login: str | None = None) -> int:
    """Add a person without a password and give the id."""
    return queries.insert_person(
        session,
        login=login or f"person-{secrets.token_hex(4)}",
        name="王芳",
        roles=tuple(Role(role) for role in roles),
        password_hash=None,
    )


def bearer(session: Session, *roles: Role | str) -> dict[str, str]:
    """Add a person and give the headers with which a machine acts as that person."""
    now = dt.datetime.now(dt.UTC)
    token = service.make_token(session, make_person(session, *roles), "test", 1, now)
    session.commit()
    return {"Authorization": f"Bearer {token}"}


def sign_in(client: FlaskClient, session: Session, *roles: Role | str) -> dict[str, str]:
    """Sign a new person in with this client, and give the header that a write of a page carries."""
    return sign_in_as(client, session, make_person(session, *roles))


def sign_in_as(client: FlaskClient, session: Session, person_id: int) -> dict[str, str]:
    """Sign somebody in with this client, and give the header that a write of a page carries."""
    key = service.begin_session(session, person_id, dt.datetime.now(dt.UTC))
    session.commit()
    raw = secrets.token_hex(20)
    with client.session_transaction() as cookies:
        cookies.update({"_user_id": key, "_fresh": True, "csrf_token": raw})
    secret = client.application.secret_key
    assert isinstance(secret, str)
    signer = URLSafeTimedSerializer(secret, salt="wtf-csrf-token")
    token = signer.dumps(raw)
    return {"X-CSRFToken": token if isinstance(token, str) else token.decode()}
