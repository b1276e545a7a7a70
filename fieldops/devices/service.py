"""Tablets: signed in for a shift, heard of now and then, revoked when lost."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fieldops.accounts import service as accounts
from fieldops.devices import queries
from fieldops.devices.queries import Device
from fieldops.errors import FieldopsError, ForbiddenError, NotFoundError, UnauthenticatedError
from fieldops.events.service import Actor, append_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person

__all__ = ["Device"]

SHIFT = dt.timedelta(hours=16)
"""So long a sign-in lasts: a shift, the way there and back, and an emergency after it."""
SEEN_STEP = dt.timedelta(minutes=1)
"""That a tablet was heard of is written down at most so often: reading must not mean writing."""
TOKEN_PREFIX = "fd_"  # noqa: S105 - lets a scanner of leaked secrets know what it found
WIPES = ("keep-unsent", "all")
NAMES = range(1, 61)


class TokenExpiredError(UnauthenticatedError):
    """A shift's token is over, or its holder has signed out."""

    code: ClassVar[str] = "token-expired"


class DeviceRevokedError(UnauthenticatedError):
    """The tablet was revoked; `wipe` says what it is to clear."""

    code: ClassVar[str] = "device-revoked"

    def __init__(self, device: Device) -> None:
        """Keep what the tablet is to clear."""
        super().__init__(
            "%(device)s was revoked by %(name)s.", device=device.name, name=device.revoked_by
        )
        self.device_id = device.id
        self.wipe = device.wipe


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A tablet on which somebody has signed in; `token` can be read this once."""

    token: str
    expires_at: dt.datetime
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a tablet tells of itself."""

    unsent: int
    photos: int = 0
    parked: int
    pack_revision: int | None = None
    version: str | None = None


def sign_in(
    session: Session,
    person: Person,
    *,
    name: str | None,
    device_id: str | None,
    last_token: str | None,
    now: dt.datetime,
) -> SignedIn:
    """
    Sign a person in on a tablet for a shift; whoever had it before is signed out of it.

    A tablet is the one it says it is only if it shows a token that it once had; else it is a new
    one, for with the id comes the key of its release codes.

    Raises
    ------
    DeviceRevokedError
        If the tablet was revoked: it has to be cleared first.
    FieldopsError
        If a new tablet has no name that can be shown.
    """
    device = _find_own(session, device_id, last_token)
    if device is not None and device.is_revoked:
        raise DeviceRevokedError(device)
    wanted = (name or "").strip() or (device.name if device else person.name)
    if len(wanted) not in NAMES or not wanted.isprintable():
        raise FieldopsError("A tablet's name has 1 to 60 characters that can be printed.")
    if device is None:
        device_id = queries.insert_device(
            session,
            name=wanted,
            person_id=person.id,
            secret=secrets.token_bytes(32),
            made_at=now,
            signed_in_at=now,
            seen_at=now,
        )
    else:
        queries.end_tokens(session, device.key, now)
        queries.update_device(
            session, device.key, name=wanted, person_id=person.id, signed_in_at=now, seen_at=now
        )
        device_id = device.id
    device = find_device(session, device_id)
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    queries.insert_token(
        session,
        device_key=device.key,
        person_id=person.id,
        token_hash=accounts.hash_secret(token),
        made_at=now,
        ends_at=now + SHIFT,
    )
    return SignedIn(token=token, expires_at=now + SHIFT, device=device)


def _find_own(session: Session, device_id: str | None, last_token: str | None) -> Device | None:
    if not device_id or not last_token:
        return None
    device = queries.fetch_device(session, device_id, is_locking=True)
    if device is None:
        return None
    is_own = queries.is_token_of(session, accounts.hash_secret(last_token), device.key)
    return device if is_own else None


def find_device(session: Session, device_id: str) -> Device:
    """
    Give a tablet.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    device = queries.fetch_device(session, device_id)
    if device is None:
        raise NotFoundError("There is no tablet %(device)s.", device=device_id)
    return device


def find_shown(
    session: Session, token: str, now: dt.datetime, *, is_demo: bool
) -> tuple[Person, Device] | None:
    """
    Find as whom a tablet's token acts, and note now and then that the tablet was heard of.

    Raises
    ------
    DeviceRevokedError
        If the tablet was revoked, whether its token is over or not.
    TokenExpiredError
        If the shift is over, somebody has signed in anew, or its holder may not act any more.
    """
    shown = queries.fetch_shown(session, accounts.hash_secret(token), is_demo=is_demo)
    if shown is None:
        return None
    if shown.device.is_revoked:
        raise DeviceRevokedError(shown.device)
    if shown.ended_at is not None or shown.ends_at <= now or shown.person is None:
        raise TokenExpiredError("The sign-in on this tablet is over. Sign in again.")
    if shown.device.seen_at < now - SEEN_STEP:
        queries.update_device(session, shown.device.key, seen_at=now)
    return shown.person, shown.device


def accept_name(
    session: Session,
    device: Device,
    named: str,
    person: Person,
    now: dt.datetime,
    *,
    op_id: str | None = None,
) -> None:
    """
    Hold the tablet that a record names against the one that sends it.

    A tablet that was revoked, or has forgotten who it is, gets another id when it is signed in on
    anew, and what it had not sent names the old one. So whoever was signed in there may send it
    from here, and that this tablet said so is kept.

    Raises
    ------
    ForbiddenError
        If the record is of another tablet, on which this person never was.
    """
    if named == device.id:
        return
    if not queries.has_held(session, named, person.id):
        raise ForbiddenError(
            "This names %(named)s as the tablet it was recorded on, but it came from %(device)s,"
            " and %(person)s was never signed in on %(named)s. Nothing was done."
            " Sent again, it counts as recorded on %(device)s.",
            named=named,
            device=device.id,
            person=person.name,
        )
    append_event(
        session,
        "device.named_another",
        ("device", device.key),
        by=Actor.of(person, device=device.id),
        now=now,
        op_id=op_id,
        body={"id": device.id, "name": device.name, "named": named},
    )


def note_cleared(session: Session, device_id: str, now: dt.datetime) -> None:
    """Note that a revoked tablet has heard of it, at its first contact."""
    queries.update_cleared(session, device_id, now)


def sign_out(session: Session, device: Device, now: dt.datetime) -> None:
    """End the sign-in on a tablet."""
    queries.end_tokens(session, device.key, now)


def record_contact(session: Session, device: Device, told: Contact, now: dt.datetime) -> None:
    """Keep what a tablet tells of itself."""
    queries.update_device(
        session,
        device.key,
        seen_at=now,
        told_at=now,
        unsent=told.unsent,
        photos_unsent=told.photos,
        parked=told.parked,
        pack_revision=told.pack_revision,
        page_version=told.version,
    )


def holds_tablet(session: Session, person_ids: Sequence[int], now: dt.datetime) -> bool:
    """Tell whether one of these people is signed in on a tablet, be it heard of or not."""
    return bool(person_ids) and queries.is_held_by(session, person_ids, now)


def list_devices(session: Session) -> list[Device]:
    """Give every tablet, those that work first."""
    return queries.fetch_devices(session)


def list_districts(session: Session) -> list[tuple[str, str]]:
    """Give the districts that a tablet can be of, as id and name."""
    return queries.fetch_districts(session)


def revoke(session: Session, device_id: str, wipe: str, actor: Actor, now: dt.datetime) -> None:
    """
    Revoke a lost tablet; it clears itself as told at its next contact.

    It may be revoked again, more thoroughly, as long as it has not been heard of.

    Raises
    ------
    NotFoundError
        If there is no such tablet.
    FieldopsError
        If there is no such way to clear it, or it has heard of it already.
    """
    device = _lock(session, device_id)
    if wipe not in WIPES:
        raise FieldopsError("A tablet is cleared of everything, or of all but what is unsent.")
    if device.cleared_at is not None:
        raise FieldopsError("%(device)s is revoked and cleared already.", device=device.name)
    queries.update_device(session, device.key, revoked_at=now, revoked_by=actor.name, wipe=wipe)
    queries.end_tokens(session, device.key, now)
    _tell(session, "revoked", device, actor, now, wipe=wipe, unsent=device.unsent)


def reassign(
    session: Session,
    device_id: str,
    *,
    name: str,
    district: str | None,
    is_signed_out: bool,
    actor: Actor,
    now: dt.datetime,
) -> None:
    """
    Give a tablet another name or district, and sign its holder out so that another signs in.

    Raises
    ------
    NotFoundError
        If there is no such tablet, or no such district.
    FieldopsError
        If it is revoked, or the name cannot be shown.
    """
    device = _lock(session, device_id)
    if device.is_revoked:
        raise FieldopsError("%(device)s is revoked. Sign in on it anew.", device=device.name)
    name = name.strip()
    if len(name) not in NAMES or not name.isprintable():
        raise FieldopsError("A tablet's name has 1 to 60 characters that can be printed.")
    if district is not None and district not in dict(queries.fetch_districts(session)):
        raise NotFoundError("There is no district %(district)s.", district=district)
    queries.update_device(session, device.key, name=name, district=district)
    if is_signed_out:
        queries.end_tokens(session, device.key, now)
    _tell(session, "reassigned", device, actor, now, to=name, district=district)


def _lock(session: Session, device_id: str) -> Device:
    device = queries.fetch_device(session, device_id, is_locking=True)
    if device is None:
        raise NotFoundError("There is no tablet %(device)s.", device=device_id)
    return device


def _tell(
    session: Session, verb: str, device: Device, actor: Actor, now: dt.datetime, **said: object
) -> None:
    append_event(
        session,
        f"device.{verb}",
        ("device", device.key),
        by=actor,
        now=now,
        body={"id": device.id, "name": device.name, "holder": device.person_name, **said},
    )
