"""Signing in and out, one's own page, and the administrator's pages of people."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, session
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import LoginManager, login_user

from fieldops import access, db, language
from fieldops.access import STAFF, Role
from fieldops.accounts import queries, service
from fieldops.accounts.forms import (
    ChangePersonForm,
    LanguageForm,
    NewPasswordForm,
    NewPersonForm,
    NewTokenForm,
    OwnPasswordForm,
    SignInForm,
)
from fieldops.errors import FieldopsError, NotFoundError, TooManyError, is_for_machines

if TYPE_CHECKING:
    from flask import Flask, Request
    from flask.typing import ResponseReturnValue
    from flask_wtf import FlaskForm

accounts = Blueprint("accounts", __name__)


def init_app(app: Flask) -> None:
    """Find out who is asking: by token alone if there is one, else by session, else the demo."""
    manager = LoginManager(app)
    # The session is a row of ours; a browser's changing address says nothing about it.
    manager.session_protection = None
    manager.user_loader(find_by_session)
    manager.request_loader(find_by_request)
    app.before_request_funcs.setdefault(None, []).insert(0, begin_demo_session)


def find_by_session(key: str) -> access.Person | None:
    """Find who is signed in, unless a token came along, which then counts alone."""
    if access.bearer_token() is not None:
        return None
    with db.transaction() as transaction:
        return service.find_session_person(transaction, key, _now(), is_demo=access.is_demo_open())


def find_by_request(request: Request) -> access.Person | None:  # noqa: ARG001 - Flask-Login's
    """Find as whom a token acts; a visitor of the demo without a name is its dispatcher."""
    token = access.bearer_token()
    if token is None and not access.is_demo_open():
        return None
    with db.transaction() as transaction:
        if token is None:
            return queries.read_demo_person(transaction, Role.DISPATCHER)
        return service.find_token_person(transaction, token, _now(), is_demo=_is_demo())


def begin_demo_session() -> None:
    """Sign a visitor of the demo in as its dispatcher on the first page that needs somebody."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "allowed_roles", None) or not access.is_demo_open():
        return
    if request.method != "GET" or is_for_machines():
        return
    person = access.current_person()
    if person is not None and person.is_demo and not person.session_key:
        _sign_in(person)


@accounts.get("/login")
@access.public
def show_sign_in() -> ResponseReturnValue:
    """Show the form."""
    return _sign_in_page(SignInForm(next=request.args.get("next")))


@accounts.post("/login")
@access.public
def sign_in() -> ResponseReturnValue:
    """Check name and password. The attempt is counted and committed before they are looked at."""
    form = SignInForm()
    if not form.validate():
        return _sign_in_page(form), 400
    address = request.remote_addr or "?"
    login, password = str(form.login.data), str(form.password.data)
    try:
        with db.transaction() as transaction:
            service.admit_sign_in(transaction, login, address, _now())
    except TooManyError as error:
        flash(_(error.msgid, **error.params), "error")
        return _sign_in_page(form), error.status, dict(error.headers)
    before = access.current_person()
    with db.transaction() as transaction:
        person_id = service.check_password(transaction, login, password, address)
        key = service.begin_session(transaction, person_id, _now()) if person_id else ""
        person = (
            service.find_session_person(transaction, key, _now(), is_demo=False) if key else None
        )
        if person is not None and before is not None:
            service.end_session(transaction, before.session_key)
    if person is None:
        flash(_("The name or the password is not right."), "error")
        return _sign_in_page(form), 400
    _remember(person)
    return redirect(access.safe_next(form.next.data))


@accounts.post("/logout")
@access.public
def sign_out() -> ResponseReturnValue:
    """Forget the session, here and in the browser."""
    person = access.current_person()
    if person is not None and person.session_key:
        with db.transaction() as transaction:
            service.end_session(transaction, person.session_key)
    session.clear()
    return redirect(url("accounts.show_sign_in"))


@accounts.post("/language")
@access.public
def choose_language() -> ResponseReturnValue:
    """Keep the language in the browser, and with the person if somebody is signed in."""
    form = LanguageForm()
    if not form.validate():
        raise FieldopsError("There is no such language; choose one of the list.")
    person = access.current_person()
    if person is not None:
        with db.transaction() as transaction:
            service.choose_language(transaction, person, form.language.data)
    response = redirect(access.safe_next(form.next.data))
    language.set_cookie(response, form.language.data)  # type: ignore[arg-type]
    return response


@accounts.post("/demo/person")
@access.public
def switch_demo_person() -> ResponseReturnValue:
    """
    Become another person of the demo.

    Raises
    ------
    NotFoundError
        If this is no demo, the visitor is not at this machine, or nobody has the role.
    """
    role = request.form.get("role", "")
    if not access.is_demo_open() or role not in STAFF:
        raise NotFoundError("There is no demo here.")
    with db.transaction() as transaction:
        person = queries.read_demo_person(transaction, Role(role))
    if person is None:
        raise NotFoundError("There is no demo here.")
    _sign_in(person)
    wanted = access.safe_next(request.form.get("next"))
    return redirect(wanted if access.may_open(wanted, Role(role)) else "/")


@accounts.get("/me")
@access.allow(*STAFF)
def show_me() -> ResponseReturnValue:
    """Show one's own page."""
    return _my_page(OwnPasswordForm())


@accounts.post("/me/password")
@access.allow(*STAFF)
def change_my_password() -> ResponseReturnValue:
    """Change one's own password; every other browser is signed out."""
    form = OwnPasswordForm()
    person = _me()
    if not form.validate():
        return _my_page(form), 400
    address = request.remote_addr or "?"
    try:
        service.check_new_password(form.new.data, person.login)
        with db.transaction() as transaction:
            service.admit_sign_in(transaction, person.login, address, _now())
        with db.transaction() as transaction:
            service.change_own_password(
                transaction, person, old=form.old.data, new=form.new.data, address=address
            )
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")
        return _my_page(form), error.status, dict(error.headers)
    _sign_in(person)
    flash(_("The password is changed; other browsers are signed out."), "done")
    return redirect(url("accounts.show_me"))


@accounts.get("/people")
@access.allow(Role.ADMIN, menu=_l("People"))
def list_people() -> ResponseReturnValue:
    """Show everybody, and the form to add somebody."""
    return _people_page(NewPersonForm())


@accounts.post("/people")
@access.allow(Role.ADMIN)
def add_person() -> ResponseReturnValue:
    """Add somebody."""
    form = NewPersonForm()
    if not form.validate():
        return _people_page(form), 400
    try:
        with db.transaction() as transaction:
            service.add_person(
                transaction,
                login=form.login.data,
                name=form.name.data,
                roles=form.roles.data,
                password=form.password.data or None,
            )
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")
        return _people_page(form), error.status
    flash(_("%(name)s is added.", name=form.name.data.strip()), "done")
    return redirect(url("accounts.list_people"))


@accounts.get("/people/<int:person_id>")
@access.allow(Role.ADMIN)
def show_person(person_id: int) -> ResponseReturnValue:
    """Show one person and what may be changed."""
    return _person_page(person_id)


@accounts.post("/people/<int:person_id>")
@access.allow(Role.ADMIN)
def change_person(person_id: int) -> ResponseReturnValue:
    """Change name, roles, and whether the person may act."""
    form = ChangePersonForm()
    if not form.validate():
        return _person_page(person_id, change=form), 400
    try:
        with db.transaction() as transaction:
            service.change_person(
                transaction,
                person_id,
                name=form.name.data,
                roles=form.roles.data,
                is_active=form.is_active.data,
            )
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")
        return _person_page(person_id, change=form), error.status
    flash(_("Saved."), "done")
    return redirect(url("accounts.show_person", person_id=person_id))


@accounts.post("/people/<int:person_id>/password")
@access.allow(Role.ADMIN)
def set_password(person_id: int) -> ResponseReturnValue:
    """Give a person a new password."""
    form = NewPasswordForm()
    if not form.validate():
        return _person_page(person_id, password=form), 400
    try:
        with db.transaction() as transaction:
            service.set_password(transaction, person_id, form.new.data)
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")
        return _person_page(person_id, password=form), error.status
    flash(_("The new password is set; the person is signed out everywhere."), "done")
    return redirect(url("accounts.show_person", person_id=person_id))


@accounts.post("/people/<int:person_id>/tokens")
@access.allow(Role.ADMIN)
def make_token(person_id: int) -> ResponseReturnValue:
    """Make a token and show it this once."""
    form = NewTokenForm()
    if not form.validate():
        return _person_page(person_id, token=form), 400
    try:
        with db.transaction() as transaction:
            secret = service.make_token(
                transaction, person_id, form.name.data, form.days.data, _now()
            )
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")
        return _person_page(person_id, token=form), error.status
    return _person_page(person_id, secret=secret)


@accounts.post("/people/<int:person_id>/tokens/<int:token_id>/revoke")
@access.allow(Role.ADMIN)
def revoke_token(person_id: int, token_id: int) -> ResponseReturnValue:
    """End a token."""
    with db.transaction() as transaction:
        service.revoke_token(transaction, person_id, token_id, _now())
    flash(_("The token no longer works."), "done")
    return redirect(url("accounts.show_person", person_id=person_id))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _is_demo() -> bool:
    return bool(current_app.extensions["fieldops.settings"].is_demo)


def _me() -> access.Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    return person


def _sign_in(person: access.Person) -> None:
    with db.transaction() as transaction:
        if person.session_key:
            service.end_session(transaction, person.session_key)
        key = service.begin_session(transaction, person.id, _now())
    _remember(replace(person, session_key=key))


def _remember(person: access.Person) -> None:
    """Begin the browser's session anew, so that one planted before signing in is worth nothing."""
    session.clear()
    g.pop("csrf_token", None)
    login_user(person)


def _sign_in_page(form: SignInForm) -> str:
    return render_template("accounts/sign_in.html", form=form)


def _my_page(form: OwnPasswordForm) -> str:
    return render_template("accounts/me.html", form=form, me=_me())


def _people_page(form: NewPersonForm) -> str:
    with db.transaction() as transaction:
        people = queries.list_accounts(transaction)
    return render_template("accounts/people.html", form=form, people=people)


def _person_page(
    person_id: int,
    *,
    change: FlaskForm | None = None,
    password: FlaskForm | None = None,
    token: FlaskForm | None = None,
    secret: str | None = None,
) -> str:
    with db.transaction() as transaction:
        account = service.find_account(transaction, person_id)
        tokens = queries.list_tokens(transaction, person_id)
    if change is None:
        change = ChangePersonForm(
            formdata=None, name=account.name, roles=account.roles, is_active=account.is_active
        )
    return render_template(
        "accounts/person.html",
        account=account,
        tokens=tokens,
        change=change,
        password=password or NewPasswordForm(formdata=None),
        token=token or NewTokenForm(formdata=None),
        secret=secret,
        now=_now(),
    )
