"""What tablets say, and how they are told to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fieldops.devices.service import Contact
from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fieldops.access import Person
    from fieldops.crews.queries import CrewReference
    from fieldops.devices.service import Device

WIPE_NAMES = {
    "keep-unsent": _l("Clear all but what is unsent"),
    "all": _l("Clear everything"),
}

Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=300)]
Count = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class SignInBody(BaseModel):
    """Who signs in on which tablet."""

    model_config = ConfigDict(extra="forbid")

    login: Words = ""
    password: Words = ""
    demo_login: Words | None = None
    name: Words | None = None
    device_id: Words | None = None
    last_token: Words | None = None


class ContactBody(BaseModel):
    """What a tablet tells of itself."""

    model_config = ConfigDict(extra="ignore")

    unsent: Count
    photos: Count = 0
    parked: Count = 0
    pack_revision: Annotated[int, Field(ge=0, lt=2**63, strict=True)] | None = None
    version: Annotated[str, StringConstraints(pattern=r"^[\w.+-]*$", max_length=80)] | None = None


def read_sign_in(body: object) -> SignInBody:
    """
    Read who signs in.

    Raises
    ------
    FieldopsError
        If it cannot be read.
    """
    try:
        return SignInBody.model_validate(body)
    except ValidationError as error:
        raise _unreadable(error) from error


def read_contact(body: object) -> Contact:
    """
    Read what a tablet tells of itself.

    Raises
    ------
    FieldopsError
        If it cannot be read.
    """
    try:
        return Contact(**ContactBody.model_validate(body).model_dump())
    except ValidationError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValidationError) -> FieldopsError:
    names = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
    return FieldopsError("This cannot be read: %(fields)s.", fields=names)


def person_as_json(person: Person) -> dict[str, Any]:
    """Tell a tablet who holds it."""
    return {
        "id": person.id,
        "name": person.name,
        "roles": sorted(str(role) for role in person.roles),
        "language": person.language,
    }


def device_as_json(device: Device) -> dict[str, Any]:
    """Tell a tablet which one it is, without its secret."""
    return {"id": device.id, "name": device.name, "district": device.district}


def crews_as_json(crews: Sequence[CrewReference]) -> list[dict[str, Any]]:
    """Name crews."""
    return [{"id": crew.id, "name": crew.name} for crew in crews]
