"""Who may sign in, and what an administrator may change."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import secrets
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from fieldops.access import STAFF, Role
from fieldops.accounts import queries
from fieldops.errors import ConflictError, FieldopsError, NotFoundError, TooManyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.accounts.queries import Account, Failures

HASHER = PasswordHasher()

SESSION_LENGTH = dt.timedelta(hours=14)
"""A long shift with its handover."""

WINDOW = dt.timedelta(minutes=15)
FAILURES_PER_LOGIN = 10
FAILURES_PER_ADDRESS = 50
"""An office often has one address, and Monday morning many tired fingers."""
FAILURES_KEPT = dt.timedelta(days=1)

PASSWORD_LENGTHS = range(10, 201)
LOGIN = re.compile(r"[\w.@-]{2,64}")
NAME_LENGTHS = range(1, 101)
TOKEN_DAYS = range(1, 1097)
TOKEN_PREFIX = "fo_"  # noqa: S105 - lets a scanner of leaked secrets know what it found

DEMO_PEOPLE = (
    ("demo-crew", "周师傅", Role.CREW),
    ("demo-dispatcher", "林晓", Role.DISPATCHER),
    ("demo-planner", "何工", Role.PLANNER),
    ("demo-service", "吴敏", Role.SERVICE_AGENT),
    ("demo-manager", "赵主任", Role.MANAGER),
    ("demo-admin", "管理员小陈", Role.ADMIN),
)
DEMO_PREFIX = "demo-"


def hash_secret(secret: str) -> bytes:
    """Hash a long random key; it needs no slow hash, for nobody can guess it."""
    return hashlib.sha256(secret.encode()).digest()


def tidy_login(login: str) -> str:
    """Write a sign-in name the one way it is kept: full-width and capital letters are the same."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def tidy_password(password: str) -> str:
    """Write a password the one way it is hashed, whatever the input method made of it."""
    return unicodedata.normalize("NFKC", password)


@lru_cache(maxsize=1)
def _stand_in_hash() -> str:
    """Give the hash that is checked when there is nobody by that name: it takes as long."""
    return HASHER.hash(secrets.token_urlsafe(16))


def admit_sign_in(session: Session, login: str, address: str, now: dt.datetime) -> None:
    """
    Count an attempt before its password is looked at; commit it, whatever comes of it.

    Raises
    ------
    TooManyError
        If too many failed of late, with this name or from this address.
    """
    login = tidy_login(login)[:64]
    queries.lock_sign_ins(session, f"login {login}", f"address {address}")
    since = now - WINDOW
    for failures, limit in (
        (queries.count_failures(session, since, login=login), FAILURES_PER_LOGIN),
        (queries.count_failures(session, since, address=address), FAILURES_PER_ADDRESS),
    ):
        if failures.count >= limit:
            raise _locked(failures, now)
    queries.prune_failures(session, now - FAILURES_KEPT)
    queries.insert_failure(session, login, address, now)


def _locked(failures: Failures, now: dt.datetime) -> TooManyError:
    assert failures.oldest_at is not None  # noqa: S101 - there are some
    wait_s = math.ceil((failures.oldest_at + WINDOW - now).total_seconds())
    return TooManyError(
        "Signing in failed too often. Wait %(minutes)s min, or ask an administrator for a new"
        " password.",
        retry_after_s=max(wait_s, 1),
        minutes=max(math.ceil(wait_s / 60), 1),
    )


def check_password(session: Session, login: str, password: str, address: str) -> int | None:
    """
    Give the id of the person with this name and password, or None.

    It takes as long whether the name exists or not. A success takes its own count back.
    """
    login = tidy_login(login)[:64]
    password = tidy_password(password)
    if len(password) not in PASSWORD_LENGTHS:
        password = ""
    found = queries.read_credentials(session, login)
    known = found.password_hash if found and found.password_hash else _stand_in_hash()
    try:
        HASHER.verify(known, password)
    except (Argon2Error, InvalidHashError):
        return None
    if found is None or found.password_hash is None:
        return None
    if HASHER.check_needs_rehash(known):
        queries.update_person(session, found.person_id, password_hash=HASHER.hash(password))
    queries.delete_failures(session, login=login, address=address)
    return found.person_id


def begin_session(session: Session, person_id: int, now: dt.datetime) -> str:
    """Sign a person in and give the key that the browser will show."""
    key = secrets.token_urlsafe(32)
    queries.insert_session(
        session, hash_secret(key), person_id, began_at=now, ends_at=now + SESSION_LENGTH
    )
    return key


def end_session(session: Session, key: str) -> None:
    """Sign one browser out."""
    queries.delete_session(session, hash_secret(key))


def find_session_person(
    session: Session, key: str, now: dt.datetime, *, is_demo: bool
) -> Person | None:
    """Find who is signed in with this key."""
    return queries.read_session_person(session, key, hash_secret(key), now, is_demo=is_demo)


def find_token_person(
    session: Session, token: str, now: dt.datetime, *, is_demo: bool
) -> Person | None:
    """Find as whom a token acts, and note now and then that it was used."""
    found = queries.read_token_person(session, hash_secret(token), now, is_demo=is_demo)
    if found is None:
        return None
    person, token_id, is_use_old = found
    if is_use_old:
        queries.touch_token(session, token_id, now)
    return person


def find_account(session: Session, person_id: int) -> Account:
    """
    Find one person.

    Raises
    ------
    NotFoundError
        If there is none with this number.
    """
    account = queries.read_account(session, person_id)
    if account is None:
        raise NotFoundError("There is no person number %(id)s.", id=person_id)
    return account


def find_account_of_login(session: Session, login: str) -> Account:
    """
    Find one person by sign-in name.

    Raises
    ------
    NotFoundError
        If there is none by that name.
    """
    account = queries.read_account_of_login(session, tidy_login(login))
    if account is None:
        raise NotFoundError("There is nobody with the sign-in name %(login)s.", login=login)
    return account


def check_new_password(password: str, login: str) -> str:
    """
    Give a password as it will be hashed.

    Raises
    ------
    FieldopsError
        If it is too short, too long, or what anybody would try first.
    """
    password = tidy_password(password)
    if len(password) not in PASSWORD_LENGTHS:
        raise FieldopsError(
            "A password needs %(least)s to %(most)s characters.",
            least=PASSWORD_LENGTHS[0],
            most=PASSWORD_LENGTHS[-1],
        )
    plain = password.casefold()
    if login in plain or len(set(plain)) < 5 or plain in "0123456789012345678901234567890":
        raise FieldopsError(
            "This password is guessed at once: it holds the sign-in name, or nearly the same"
            " character throughout, or counts. Choose another."
        )
    return password


def add_person(
    session: Session,
    *,
    login: str,
    name: str,
    roles: Iterable[Role],
    password: str | None,
    is_demo: bool = False,
) -> int:
    """
    Add a person and give the id. Without a password only tokens can be used.

    Raises
    ------
    FieldopsError
        If the name, the roles or the password will not do.
    ConflictError
        If the sign-in name is taken.
    """
    login, name = tidy_login(login), name.strip()
    if not LOGIN.fullmatch(login):
        raise FieldopsError(
            "A sign-in name has 2 to 64 letters, digits or . @ - _; %(login)s will not do.",
            login=login or "''",
        )
    if login.startswith(DEMO_PREFIX) and not is_demo:
        raise FieldopsError("Sign-in names beginning with demo- are kept for the demo.")
    check_name(name)
    wanted = check_roles(roles)
    queries.lock_people(session)
    if queries.read_account_of_login(session, login) is not None:
        raise ConflictError("The sign-in name %(login)s is taken. Choose another.", login=login)
    return queries.insert_person(
        session,
        login=login,
        name=name,
        roles=wanted,
        password_hash=None
        if password is None
        else HASHER.hash(check_new_password(password, login)),
        is_demo=is_demo,
    )


def check_name(name: str) -> None:
    """
    Hold a person's name to what a page can show.

    Raises
    ------
    FieldopsError
        If it is empty, too long, or has characters that do not print.
    """
    if len(name) not in NAME_LENGTHS or not name.isprintable():
        raise FieldopsError("A name has 1 to 100 characters that can be printed.")


def check_roles(roles: Iterable[Role]) -> tuple[Role, ...]:
    """
    Give roles in their order.

    Raises
    ------
    FieldopsError
        If there is none.
    """
    wanted = set(roles)
    if not wanted:
        raise FieldopsError("Choose at least one role.")
    return tuple(role for role in STAFF if role in wanted)


def change_person(
    session: Session, person_id: int, *, name: str, roles: Iterable[Role], is_active: bool
) -> None:
    """
    Change a person's name and roles, or whether the person may act; disabling signs out at once.

    Whoever is of no crew any more is signed out of the tablets: what they hold is a crew's.

    Raises
    ------
    ConflictError
        If nobody would be left who can administer.
    """
    account = find_account(session, person_id)
    name = name.strip()
    check_name(name)
    wanted = check_roles(roles)
    queries.lock_people(session)
    is_losing_admin = (
        not account.is_demo
        and account.is_active
        and Role.ADMIN in account.roles
        and not (is_active and Role.ADMIN in wanted)
    )
    if is_losing_admin and not queries.count_other_admins(session, person_id):
        raise ConflictError(
            "%(name)s is the only administrator left. Make somebody else one first.",
            name=account.name,
        )
    queries.update_person(session, person_id, name=name, roles=list(wanted), is_active=is_active)
    if not is_active:
        queries.delete_sessions(session, person_id)
    if not is_active or (Role.CREW in account.roles and Role.CREW not in wanted):
        queries.end_tablets(session, person_id)


def set_password(session: Session, person_id: int, password: str) -> None:
    """
    Give a person a new password; whoever is signed in with the old one, tablets too, is out.

    Raises
    ------
    ConflictError
        If it is a person of the demo, who has none.
    """
    account = find_account(session, person_id)
    if account.is_demo:
        raise ConflictError("People of the demo have no password.")
    hashed = HASHER.hash(check_new_password(password, account.login))
    queries.update_person(session, person_id, password_hash=hashed)
    queries.delete_sessions(session, person_id)
    queries.end_tablets(session, person_id)


def change_own_password(
    session: Session, person: Person, *, old: str, new: str, address: str
) -> None:
    """
    Change one's own password, knowing the old one.

    Raises
    ------
    FieldopsError
        If the old password is wrong.
    """
    if check_password(session, person.login, old, address) != person.id:
        raise FieldopsError("The present password is not right.")
    set_password(session, person.id, new)


def choose_language(session: Session, person: Person, language: str) -> None:
    """Keep the language a person reads; the demo's people are shared, so their browser keeps it."""
    if not person.is_demo:
        queries.update_person(session, person.id, language=language)


def make_token(session: Session, person_id: int, name: str, days: int, now: dt.datetime) -> str:
    """
    Make a token and give its secret, which nobody can read again.

    Raises
    ------
    FieldopsError
        If it has no name, or would live for too long.
    """
    name = name.strip()
    check_name(name)
    if days not in TOKEN_DAYS:
        raise FieldopsError(
            "A token lives for %(least)s to %(most)s days.",
            least=TOKEN_DAYS[0],
            most=TOKEN_DAYS[-1],
        )
    find_account(session, person_id)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    queries.insert_token(
        session,
        person_id,
        name,
        hash_secret(secret),
        made_at=now,
        ends_at=now + dt.timedelta(days=days),
    )
    return secret


def revoke_token(session: Session, person_id: int, token_id: int, now: dt.datetime) -> None:
    """
    End a token.

    Raises
    ------
    NotFoundError
        If the person has no such token, or it has ended already.
    """
    if not queries.revoke_token(session, person_id, token_id, now):
        raise NotFoundError("There is no such token, or it is revoked already.")


def add_demo_people(session: Session) -> int:
    """
    Add the demo's people, one a role, and give how many were new.

    Raises
    ------
    ConflictError
        If real people were there first: whoever comes to the demo may be any of its people.
    """
    queries.lock_people(session)
    is_demo_there = queries.read_demo_person(session, Role.DISPATCHER) is not None
    if not is_demo_there and queries.count_real_people(session):
        raise ConflictError(
            "This database has real people, and is no place for a demo. Use another FIELDOPS_HOME."
        )
    new = 0
    for login, name, role in DEMO_PEOPLE:
        if queries.read_account_of_login(session, login) is None:
            queries.insert_person(
                session, login=login, name=name, roles=(role,), password_hash=None, is_demo=True
            )
            new += 1
    return new
