"""SQL of tablets and of who is signed in on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, exists, insert, or_, select, text, true, update

from fieldops.access import Person, Role
from fieldops.accounts.models import Person as PersonRow
from fieldops.devices.models import DeviceRow, DeviceToken

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A tablet as it stands; None is "never told", never "none"."""

    key: int
    id: str
    name: str
    district: str | None
    person_id: int
    person_name: str
    secret: bytes
    made_at: dt.datetime
    signed_in_at: dt.datetime
    seen_at: dt.datetime
    told_at: dt.datetime | None
    unsent: int | None
    photos_unsent: int | None
    parked: int | None
    pack_revision: int | None
    page_version: str | None
    revoked_at: dt.datetime | None
    revoked_by: str | None
    wipe: str | None
    cleared_at: dt.datetime | None

    @property
    def is_revoked(self) -> bool:
        """Whether somebody has revoked it."""
        return self.revoked_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a token that a tablet showed stands for; `person` is None where nobody may act by it."""

    device: Device
    token_key: int
    ends_at: dt.datetime
    ended_at: dt.datetime | None
    person: Person | None


COLUMNS = [
    column
    for column in DeviceRow.__table__.columns
    if column.name in set(Device.__dataclass_fields__)
]


def _select() -> Select[tuple[object, ...]]:
    return select(*COLUMNS, PersonRow.name.label("person_name")).join(
        PersonRow, PersonRow.id == DeviceRow.person_id
    )


def fetch_device(session: Session, device: str, *, is_locking: bool = False) -> Device | None:
    """Read a tablet by its id, and hold it if asked to."""
    query = _select().where(DeviceRow.id == device)
    query = query.with_for_update(of=DeviceRow) if is_locking else query
    row = session.execute(query).mappings().one_or_none()
    return None if row is None else Device(**row)


def fetch_devices(session: Session) -> list[Device]:
    """Read every tablet, those that work first, the latest heard of first."""
    query = _select().order_by(DeviceRow.revoked_at.is_not(None), DeviceRow.seen_at.desc())
    return [Device(**row) for row in session.execute(query).mappings()]


def insert_device(session: Session, **values: object) -> str:
    """Write a new tablet and give its id."""
    return session.execute(insert(DeviceRow).values(**values).returning(DeviceRow.id)).scalar_one()


def update_device(session: Session, key: int, **values: object) -> None:
    """Change a tablet."""
    session.execute(update(DeviceRow).where(DeviceRow.key == key).values(**values))


def update_cleared(session: Session, device: str, at: dt.datetime) -> None:
    """Note that a revoked tablet was heard of, the first time."""
    session.execute(
        update(DeviceRow)
        .where(
            DeviceRow.id == device,
            DeviceRow.revoked_at.is_not(None),
            DeviceRow.cleared_at.is_(None),
        )
        .values(cleared_at=at, seen_at=at)
    )


def insert_token(session: Session, **values: object) -> None:
    """Write a token down."""
    session.execute(insert(DeviceToken).values(**values))


def end_tokens(session: Session, device_key: int, at: dt.datetime) -> None:
    """End the tokens of a tablet that still work."""
    session.execute(
        update(DeviceToken)
        .where(DeviceToken.device_key == device_key, DeviceToken.ended_at.is_(None))
        .values(ended_at=at)
    )


def is_token_of(session: Session, token_hash: bytes, device_key: int) -> bool:
    """Tell whether a token was ever one of this tablet's."""
    query = select(DeviceToken.key).where(
        DeviceToken.token_hash == token_hash, DeviceToken.device_key == device_key
    )
    return session.execute(query).first() is not None


def has_held(session: Session, device: str, person_id: int) -> bool:
    """Tell whether somebody was ever signed in on a tablet."""
    query = (
        select(DeviceToken.key)
        .join(DeviceRow, DeviceRow.key == DeviceToken.device_key)
        .where(DeviceRow.id == device, DeviceToken.person_id == person_id)
    )
    return session.execute(query.limit(1)).first() is not None


def is_held_by(session: Session, person_ids: Sequence[int], now: dt.datetime) -> bool:
    """Tell whether one of these people is signed in on a tablet."""
    return bool(
        session.execute(
            select(
                exists().where(
                    DeviceToken.person_id.in_(person_ids),
                    DeviceToken.ended_at.is_(None),
                    DeviceToken.ends_at > now,
                )
            )
        ).scalar_one()
    )


def fetch_shown(session: Session, token_hash: bytes, *, is_demo: bool) -> Shown | None:
    """Read which tablet a token is of, and as whom it acts."""
    holder = PersonRow.__table__.alias("holder")
    may_act = PersonRow.is_active & or_(~PersonRow.is_demo, true() if is_demo else ~true())
    row = (
        session.execute(
            select(
                *COLUMNS,
                holder.c.name.label("person_name"),
                DeviceToken.key.label("token_key"),
                DeviceToken.ends_at,
                DeviceToken.ended_at,
                PersonRow.id.label("acts_id"),
                PersonRow.name.label("acts_name"),
                PersonRow.roles,
                PersonRow.login,
                PersonRow.language,
                PersonRow.is_demo,
                case((may_act, True), else_=False).label("may_act"),
            )
            .join(DeviceToken, DeviceToken.device_key == DeviceRow.key)
            .join(holder, holder.c.id == DeviceRow.person_id)
            .join(PersonRow, PersonRow.id == DeviceToken.person_id)
            .where(DeviceToken.token_hash == token_hash)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    person = Person(
        id=row["acts_id"],
        name=row["acts_name"],
        roles=frozenset(Role(role) for role in row["roles"]),
        login=row["login"],
        language=row["language"],
        is_demo=row["is_demo"],
    )
    return Shown(
        device=Device(**{name: row[name] for name in Device.__dataclass_fields__}),
        token_key=row["token_key"],
        ends_at=row["ends_at"],
        ended_at=row["ended_at"],
        person=person if row["may_act"] else None,
    )


def fetch_districts(session: Session) -> list[tuple[str, str]]:
    """List the districts, as id and name; none where the network is one."""
    rows = session.execute(text("SELECT id, name FROM district ORDER BY name, id"))
    return [(str(row.id), row.name) for row in rows]
