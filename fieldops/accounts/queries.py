"""SQL of people, sessions and tokens."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, or_, select, text, true, update

from fieldops.access import STAFF, Person, Role
from fieldops.accounts.models import ApiToken, FailedSignIn, PersonSession
from fieldops.accounts.models import Person as PersonRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

LAST_USE_STEP = dt.timedelta(minutes=10)
"""A token's last use is written down at most so often: reading must not mean writing."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person as an administrator sees one."""

    id: int
    login: str
    name: str
    roles: tuple[Role, ...]
    language: str | None
    is_active: bool
    is_demo: bool
    has_password: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    id: int
    person_id: int
    name: str
    made_at: dt.datetime
    ends_at: dt.datetime
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password is checked against."""

    person_id: int
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed sign-ins inside a window."""

    count: int
    oldest_at: dt.datetime | None


def _may_act(*, is_demo: bool) -> ColumnElement[bool]:
    """Tell in SQL who may act at all: nobody disabled, and demo people only in the demo."""
    return PersonRow.is_active & or_(~PersonRow.is_demo, true() if is_demo else ~true())


def _person_of(row: PersonRow, session_key: str = "") -> Person:
    return Person(
        id=row.id,
        name=row.name,
        roles=frozenset(Role(role) for role in row.roles),
        login=row.login,
        language=row.language,
        is_demo=row.is_demo,
        session_key=session_key,
    )


def _account_of(row: PersonRow) -> Account:
    return Account(
        id=row.id,
        login=row.login,
        name=row.name,
        roles=tuple(role for role in STAFF if role in row.roles),
        language=row.language,
        is_active=row.is_active,
        is_demo=row.is_demo,
        has_password=row.password_hash is not None,
    )


def read_session_person(
    session: Session, key: str, key_hash: bytes, now: dt.datetime, *, is_demo: bool
) -> Person | None:
    """Read who is signed in with this key."""
    query = (
        select(PersonRow)
        .join(PersonSession, PersonSession.person_id == PersonRow.id)
        .where(
            PersonSession.key_hash == key_hash,
            PersonSession.ends_at > now,
            _may_act(is_demo=is_demo),
        )
    )
    row = session.scalars(query).one_or_none()
    return _person_of(row, key) if row else None


def read_token_person(
    session: Session, token_hash: bytes, now: dt.datetime, *, is_demo: bool
) -> tuple[Person, int, bool] | None:
    """Read as whom a token acts, the token's id, and whether its last use is long ago."""
    query = (
        select(PersonRow, ApiToken.id, ApiToken.last_used_at)
        .join(ApiToken, ApiToken.person_id == PersonRow.id)
        .where(
            ApiToken.token_hash == token_hash,
            ApiToken.revoked_at.is_(None),
            ApiToken.ends_at > now,
            _may_act(is_demo=is_demo),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, token_id, used_at = found
    return _person_of(row), token_id, used_at is None or used_at < now - LAST_USE_STEP


def read_demo_person(session: Session, role: Role) -> Person | None:
    """Read the demo's person of a role."""
    query = (
        select(PersonRow)
        .where(PersonRow.is_demo, PersonRow.is_active, PersonRow.roles.contains([role]))
        .order_by(PersonRow.id)
        .limit(1)
    )
    row = session.scalars(query).one_or_none()
    return _person_of(row) if row else None


def read_credentials(session: Session, login: str) -> Credentials | None:
    """Read what somebody's password is checked against; demo people have no password."""
    query = select(PersonRow.id, PersonRow.password_hash).where(
        PersonRow.login == login, PersonRow.is_active, ~PersonRow.is_demo
    )
    row = session.execute(query).one_or_none()
    return Credentials(*row) if row else None


def _one_account(session: Session, query: Select[PersonRow]) -> Account | None:
    row = session.scalars(query).one_or_none()
    return _account_of(row) if row else None


def read_account(session: Session, person_id: int) -> Account | None:
    """Read one person by id."""
    return _one_account(session, select(PersonRow).where(PersonRow.id == person_id))


def read_account_of_login(session: Session, login: str) -> Account | None:
    """Read one person by sign-in name."""
    return _one_account(session, select(PersonRow).where(PersonRow.login == login))


def list_accounts(session: Session) -> list[Account]:
    """Read everybody, those who may act first."""
    query = select(PersonRow).order_by(PersonRow.is_active.desc(), PersonRow.login)
    return [_account_of(row) for row in session.scalars(query)]


def lock_people(session: Session) -> None:
    """Make whoever else changes people wait, so that the last administrator is counted right."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("fieldops.person"))))


def count_other_admins(session: Session, person_id: int) -> int:
    """Count the administrators that may act, besides one."""
    query = select(func.count()).where(
        PersonRow.id != person_id,
        PersonRow.is_active,
        ~PersonRow.is_demo,
        PersonRow.roles.contains([Role.ADMIN]),
    )
    return session.execute(query).scalar_one()


def count_real_people(session: Session) -> int:
    """Count the people that are not of the demo."""
    return session.execute(select(func.count()).where(~PersonRow.is_demo)).scalar_one()


def insert_person(
    session: Session,
    *,
    login: str,
    name: str,
    roles: tuple[Role, ...],
    password_hash: str | None,
    is_demo: bool = False,
) -> int:
    """Write a new person and give the id."""
    row = PersonRow(
        login=login, name=name, roles=list(roles), password_hash=password_hash, is_demo=is_demo
    )
    session.add(row)
    session.flush()
    return row.id


def update_person(session: Session, person_id: int, **values: object) -> None:
    """Write some columns of a person."""
    session.execute(update(PersonRow).where(PersonRow.id == person_id).values(**values))


def insert_session(
    session: Session,
    key_hash: bytes,
    person_id: int,
    *,
    began_at: dt.datetime,
    ends_at: dt.datetime,
) -> None:
    """Write down that a browser is signed in, and forget those whose time is over."""
    session.execute(delete(PersonSession).where(PersonSession.ends_at < began_at))
    session.execute(
        insert(PersonSession).values(
            key_hash=key_hash, person_id=person_id, began_at=began_at, ends_at=ends_at
        )
    )


def delete_session(session: Session, key_hash: bytes) -> None:
    """Sign one browser out."""
    session.execute(delete(PersonSession).where(PersonSession.key_hash == key_hash))


def delete_sessions(session: Session, person_id: int) -> None:
    """Sign a person out everywhere."""
    session.execute(delete(PersonSession).where(PersonSession.person_id == person_id))


def end_tablets(session: Session, person_id: int) -> None:
    """
    Sign a person out of every tablet.

    The tokens stay, ended: they prove which tablet asks. Tablets are a feature above this one, so
    their table is named and not imported.
    """
    session.execute(
        text(
            "UPDATE device_token SET ended_at = now()"
            " WHERE person_id = :person AND ended_at IS NULL"
        ),
        {"person": person_id},
    )


def lock_sign_ins(session: Session, *names: str) -> None:
    """Let attempts on one name or from one address be counted one after the other."""
    for name in sorted(names):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))


def count_failures(
    session: Session, since: dt.datetime, *, login: str | None = None, address: str | None = None
) -> Failures:
    """Count failed sign-ins with a name, or from an address, since a moment."""
    query = select(func.count(), func.min(FailedSignIn.at)).where(FailedSignIn.at > since)
    if login is not None:
        query = query.where(FailedSignIn.login == login)
    if address is not None:
        query = query.where(FailedSignIn.address == address)
    count, oldest_at = session.execute(query).one()
    return Failures(count, oldest_at)


def insert_failure(session: Session, login: str, address: str, at: dt.datetime) -> int:
    """Write down a failed sign-in and give the row's id."""
    query = insert(FailedSignIn).values(login=login, address=address, at=at)
    return session.execute(query.returning(FailedSignIn.id)).scalar_one()


def delete_failures(session: Session, *, login: str, address: str) -> None:
    """Forget what failed with a name from an address: its owner has just signed in there."""
    session.execute(
        delete(FailedSignIn).where(FailedSignIn.login == login, FailedSignIn.address == address)
    )


def prune_failures(session: Session, before: dt.datetime) -> None:
    """Forget failed sign-ins that no window reaches any more."""
    session.execute(delete(FailedSignIn).where(FailedSignIn.at < before))


def insert_token(
    session: Session,
    person_id: int,
    name: str,
    token_hash: bytes,
    *,
    made_at: dt.datetime,
    ends_at: dt.datetime,
) -> int:
    """Write a token and give its id."""
    row = ApiToken(
        person_id=person_id, name=name, token_hash=token_hash, made_at=made_at, ends_at=ends_at
    )
    session.add(row)
    session.flush()
    return row.id


def list_tokens(session: Session, person_id: int) -> list[Token]:
    """Read a person's tokens, the newest first."""
    query = (
        select(
            ApiToken.id,
            ApiToken.person_id,
            ApiToken.name,
            ApiToken.made_at,
            ApiToken.ends_at,
            ApiToken.revoked_at,
            ApiToken.last_used_at,
        )
        .where(ApiToken.person_id == person_id)
        .order_by(ApiToken.made_at.desc(), ApiToken.id.desc())
    )
    return [Token(*row) for row in session.execute(query)]


def revoke_token(session: Session, person_id: int, token_id: int, at: dt.datetime) -> bool:
    """End a token of a person; False if there is none that works."""
    query = (
        update(ApiToken)
        .where(
            ApiToken.id == token_id, ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None)
        )
        .values(revoked_at=at)
        .returning(ApiToken.id)
    )
    return session.execute(query).one_or_none() is not None


def touch_token(session: Session, token_id: int, at: dt.datetime) -> None:
    """Write down that a token was used."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=at))
