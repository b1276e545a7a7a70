"""`fieldops accounts`: people and tokens from the command line."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click
from flask_babel import gettext as _

from fieldops.access import ROLE_NAMES, Role
from fieldops.cli import open_sessions
from fieldops.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

ROLES = click.Choice([role.value for role in Role])


def _sessions() -> sessionmaker[Session]:
    return open_sessions(Settings.from_environ())


def _read_password(*, is_from_stdin: bool) -> str:
    if is_from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt(_("Password"), hide_input=True, confirmation_prompt=True, err=True))


@click.group("accounts")
def accounts() -> None:
    """Add people, give them roles, passwords and tokens."""


@accounts.command("add")
@click.argument("login")
@click.option("--name", help="The name others see; without it the sign-in name.")
@click.option("--role", "roles", type=ROLES, multiple=True, required=True, help="May be repeated.")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@click.option("--no-password", is_flag=True, help="For a machine that only uses tokens.")
def add(
    login: str,
    name: str | None,
    roles: tuple[str, ...],
    *,
    password_stdin: bool,
    no_password: bool,
) -> None:
    """Add the person LOGIN."""
    from fieldops.accounts import service

    password = None if no_password else _read_password(is_from_stdin=password_stdin)
    with _sessions().begin() as session:
        service.add_person(
            session,
            login=login,
            name=name or login,
            roles=[Role(role) for role in roles],
            password=password,
        )
    click.echo(_("%(name)s is added.", name=name or login), err=True)


@accounts.command("list")
def list_people() -> None:
    """List everybody: sign-in name, name, roles."""
    from fieldops.accounts import queries

    with _sessions().begin() as session:
        people = queries.list_accounts(session)
    for person in people:
        roles = ", ".join(str(ROLE_NAMES[role]) for role in person.roles)
        note = "" if person.is_active else f"\t{_('disabled')}"
        click.echo(f"{person.login}\t{person.name}\t{roles}{note}")


@accounts.command("roles")
@click.argument("login")
@click.argument("roles", type=ROLES, nargs=-1, required=True)
def set_roles(login: str, roles: tuple[str, ...]) -> None:
    """Give LOGIN these ROLES and no others."""
    _change(login, roles=roles)


@accounts.command("disable")
@click.argument("login")
def disable(login: str) -> None:
    """Keep LOGIN from acting, at once and by token too."""
    _change(login, is_active=False)


@accounts.command("enable")
@click.argument("login")
def enable(login: str) -> None:
    """Let LOGIN act again."""
    _change(login, is_active=True)


def _change(
    login: str, *, roles: tuple[str, ...] | None = None, is_active: bool | None = None
) -> None:
    from fieldops.accounts import service

    with _sessions().begin() as session:
        account = service.find_account_of_login(session, login)
        service.change_person(
            session,
            account.id,
            name=account.name,
            roles=account.roles if roles is None else [Role(role) for role in roles],
            is_active=account.is_active if is_active is None else is_active,
        )
    click.echo(_("Saved."), err=True)


@accounts.command("password")
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
def set_password(login: str, *, password_stdin: bool) -> None:
    """Give LOGIN a new password and sign the person out everywhere."""
    from fieldops.accounts import service

    password = _read_password(is_from_stdin=password_stdin)
    with _sessions().begin() as session:
        account = service.find_account_of_login(session, login)
        service.set_password(session, account.id, password)
    click.echo(_("The new password is set; the person is signed out everywhere."), err=True)


@accounts.command("token")
@click.argument("login")
@click.option("--name", required=True, help="What it is for.")
@click.option("--days", type=int, default=365, show_default=True, help="How long it works.")
def make_token(login: str, name: str, days: int) -> None:
    """Make a token with which a machine acts as LOGIN, and print it this once."""
    from fieldops.accounts import service

    with _sessions().begin() as session:
        account = service.find_account_of_login(session, login)
        secret = service.make_token(session, account.id, name, days, dt.datetime.now(dt.UTC))
    click.echo(secret)


@accounts.command("tokens")
@click.argument("login")
def list_tokens(login: str) -> None:
    """List the tokens of LOGIN: number, name, last day, whether revoked."""
    from fieldops.accounts import queries, service

    with _sessions().begin() as session:
        account = service.find_account_of_login(session, login)
        tokens = queries.list_tokens(session, account.id)
    for token in tokens:
        note = f"\t{_('revoked')}" if token.revoked_at else ""
        click.echo(f"{token.id}\t{token.name}\t{token.ends_at:%Y-%m-%d}{note}")


@accounts.command("revoke")
@click.argument("login")
@click.argument("number", type=int)
def revoke_token(login: str, number: int) -> None:
    """End the token NUMBER of LOGIN."""
    from fieldops.accounts import service

    with _sessions().begin() as session:
        account = service.find_account_of_login(session, login)
        service.revoke_token(session, account.id, number, dt.datetime.now(dt.UTC))
    click.echo(_("The token no longer works."), err=True)


@accounts.command("demo")
def add_demo_people() -> None:
    """Add the demo's people, who can act only while FIELDOPS_DEMO=1 and from this machine."""
    from fieldops.accounts import service

    with _sessions().begin() as session:
        new = service.add_demo_people(session)
    click.echo(_("People of the demo: %(new)s new.", new=new), err=True)


commands = [accounts]
