"""The doors for tablets: signing in for a shift, being heard of, signing out."""

from __future__ import annotations

import base64
import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, g, request
from flask_babel import gettext

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.accounts import queries as people
from fieldops.accounts import service as accounts
from fieldops.accounts.views import find_by_request
from fieldops.crews.service import crews_of_person
from fieldops.devices import service
from fieldops.devices.forms import (
    crews_as_json,
    device_as_json,
    person_as_json,
    read_contact,
    read_sign_in,
)
from fieldops.devices.service import TOKEN_PREFIX, DeviceRevokedError
from fieldops.errors import ForbiddenError, UnauthenticatedError, answer_problem

if TYPE_CHECKING:
    from flask import Flask, Request
    from flask.typing import ResponseReturnValue

    from fieldops.devices.forms import SignInBody
    from fieldops.devices.service import Device

devices_api = Blueprint("devices_api", __name__, url_prefix="/api/v1/devices")


def init_app(app: Flask) -> None:
    """Let a tablet's token stand for its holder wherever any token does."""
    app.login_manager.request_loader(find_by_any_token)  # type: ignore[attr-defined]

    @app.errorhandler(DeviceRevokedError)
    def answer_revoked(error: DeviceRevokedError) -> ResponseReturnValue:
        detail = gettext(error.msgid, **error.params)
        answer = answer_problem(error.status, error.code, error.title, detail, error.headers)
        if isinstance(answer, tuple) and isinstance(answer[0], dict):
            answer[0]["wipe"] = error.wipe
        return answer


def find_by_any_token(request: Request) -> access.Person | None:
    """Find as whom a tablet's token acts; any other is looked up as before."""
    token = access.bearer_token()
    if token is None or not token.startswith(TOKEN_PREFIX):
        return find_by_request(request)
    try:
        with db.transaction() as session:
            found = service.find_shown(session, token, _now(), is_demo=_is_demo())
    except DeviceRevokedError as error:
        _note_cleared(error)
        raise
    if found is None:
        return None
    person, g.device = found
    return person


def current_device() -> Device | None:
    """Give the tablet that asks; None for a browser or another machine."""
    access.current_person()
    device: Device | None = g.get("device")
    return device


def _note_cleared(error: DeviceRevokedError) -> None:
    with db.transaction() as session:
        service.note_cleared(session, error.device_id, _now())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _is_demo() -> bool:
    return bool(current_app.extensions["fieldops.settings"].is_demo)


def _own_device() -> Device:
    device = current_device()
    if device is None:
        raise ForbiddenError("Only a tablet that is signed in may do this.")
    return device


@devices_api.get("/sign-in")
@access.public
def list_demo_people() -> ResponseReturnValue:
    """Name the people as whom anybody may sign in: those of the demo, and none elsewhere."""
    if not access.is_demo_open():
        return {"demo": []}
    with db.transaction() as session:
        found = [one for one in people.list_accounts(session) if one.is_demo and one.is_active]
    return {
        "demo": [
            {"login": one.login, "name": one.name, "roles": [str(role) for role in one.roles]}
            for one in found
        ]
    }


@devices_api.post("/sign-in")
@access.cookieless
@access.public
def sign_in() -> ResponseReturnValue:
    """Check name and password, and give a token for a shift."""
    asked = read_sign_in(request.get_json())
    now = _now()
    person = _find_demo_person(asked) if asked.demo_login else _check_password(asked, now)
    try:
        with db.transaction() as session:
            signed_in = service.sign_in(
                session,
                person,
                name=asked.name,
                device_id=asked.device_id,
                last_token=asked.last_token,
                now=now,
            )
            crews = crews_of_person(session, person.id)
    except DeviceRevokedError as error:
        _note_cleared(error)
        raise
    secret = base64.b64encode(signed_in.device.secret).decode()
    answer = {
        "token": signed_in.token,
        "expires_at": signed_in.expires_at.isoformat(),
        "device": device_as_json(signed_in.device) | {"secret": secret},
        "person": person_as_json(person),
        "crews": crews_as_json(crews),
    }
    return answer, 201, {"Cache-Control": "no-store"}


def _check_password(asked: SignInBody, now: dt.datetime) -> access.Person:
    """Check a password. The attempt is counted and committed before it is looked at."""
    address = request.remote_addr or "?"
    with db.transaction() as session:
        accounts.admit_sign_in(session, asked.login, address, now)
    with db.transaction() as session:
        person_id = accounts.check_password(session, asked.login, asked.password, address)
        account = people.read_account(session, person_id) if person_id else None
    if account is None:
        raise UnauthenticatedError("The name or the password is not right.")
    return _as_person(account)


def _find_demo_person(asked: SignInBody) -> access.Person:
    account = None
    if access.is_demo_open():
        with db.transaction() as session:
            account = people.read_account_of_login(session, asked.demo_login or "")
    if account is None or not account.is_demo or not account.is_active:
        raise UnauthenticatedError("There is no demo here.")
    return _as_person(account)


def _as_person(account: people.Account) -> access.Person:
    return access.Person(
        id=account.id,
        name=account.name,
        roles=frozenset(account.roles),
        login=account.login,
        language=account.language,
        is_demo=account.is_demo,
    )


@devices_api.post("/contact")
@access.allow(*STAFF)
def record_contact() -> ResponseReturnValue:
    """Keep what a tablet tells of itself, and tell it which district is its own."""
    device, told = _own_device(), read_contact(request.get_json())
    with db.transaction() as session:
        service.record_contact(session, device, told, _now())
    answer: dict[str, Any] = device_as_json(device)
    return answer | {"is_revoked": False}


@devices_api.post("/sign-out")
@access.allow(*STAFF)
def sign_out() -> ResponseReturnValue:
    """End the sign-in on this tablet."""
    with db.transaction() as session:
        service.sign_out(session, _own_device(), _now())
    return {}
