"""What a device may send, and what a screen may ask for."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from pydantic import (
    UUID7,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from fieldops.errors import FieldopsError
from fieldops.events.service import Operation
from fieldops.order_process.forms import name_action

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_OPERATIONS = 200
MOST_RESCUED = 2000
LARGEST_RESCUE_BYTES = 64 * 2**20
LONGEST_REQUEST_BYTES = 2 * 2**20
LONGEST_BODY_BYTES = 64 * 2**10

NUL = r"\u0000"
"""What JSON writes for the one letter that PostgreSQL keeps nowhere."""

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=100)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$", max_length=60)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]


class SentOperation(BaseModel):
    """One operation as a device sends it."""

    model_config = ConfigDict(extra="forbid")

    op_id: UUID7
    device: Name
    sequence: Count | None = None
    subject: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*:[^\s\x00]+$", max_length=200)]
    action: Word
    base_version: Count | None = None
    body: dict[str, Any] = {}
    occurred_at: AwareDatetime
    by_phone_for: Name | None = None

    @field_validator("body")
    @classmethod
    def fits(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is too long to keep, and what PostgreSQL cannot keep."""
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        if len(text.encode()) > LONGEST_BODY_BYTES:
            message = f"longer than {LONGEST_BODY_BYTES} bytes"
            raise ValueError(message)
        if NUL in text:
            message = "holds a character that no text may hold"
            raise ValueError(message)
        return body

    def as_operation(self) -> Operation:
        """Give it as the features take it."""
        kind, _, subject_id = self.subject.partition(":")
        return Operation(
            subject_kind=kind,
            subject_id=subject_id,
            action=self.action,
            body=self.body,
            base_version=self.base_version,
            occurred_at=self.occurred_at.astimezone(dt.UTC),
            op_id=str(self.op_id),
            device=self.device,
            sequence=self.sequence,
        )


class RescuedOperation(SentOperation):
    """One operation as a rescue file holds it: with whoever recorded it."""

    person_id: Annotated[int, Field(gt=0, lt=2**31, strict=True)]
    person_name: Annotated[str, StringConstraints(max_length=200)] = ""
    answer: str | None = None


class RescuedPhoto(BaseModel):
    """One photo as a rescue file holds it."""

    model_config = ConfigDict(extra="ignore")

    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    person_id: Annotated[int, Field(gt=0, lt=2**31, strict=True)]
    data: Base64Bytes
    original_sha256: str | None = None
    taken_at: AwareDatetime | None = None
    lon: float | None = None
    lat: float | None = None


class RescuedDevice(BaseModel):
    """The tablet that wrote a rescue file."""

    id: Name
    name: Annotated[str, StringConstraints(max_length=200)] | None = None


class Rescue(BaseModel):
    """What a rescue file holds; its operations are read one by one, as those that are sent."""

    model_config = ConfigDict(extra="ignore")

    exported_at: AwareDatetime
    part: int = 1
    parts: int = 1
    device: RescuedDevice | None = None
    skew_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    ops: Annotated[list[Any], Field(max_length=MOST_RESCUED)]
    photos: Annotated[list[Any], Field(max_length=MOST_RESCUED)] = []


class RescueFile(BaseModel):
    """The file itself: the content as one text, with the hash that it has."""

    format: Literal["fieldops-rescue"]
    version: Literal[1]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    content: str


class SentOperations(BaseModel):
    """What a device sends at once; `sent_at` is its clock as it sends."""

    model_config = ConfigDict(extra="forbid")

    ops: Annotated[list[Any], Field(max_length=MOST_OPERATIONS)]
    sent_at: AwareDatetime | None = None


def read_operations(body: object) -> SentOperations:
    """
    Read the list; each operation is read later, so that a faulty one does not block the next.

    Raises
    ------
    FieldopsError
        If it is no such list.
    """
    try:
        return SentOperations.model_validate(body)
    except ValidationError as error:
        raise FieldopsError(
            'Send a JSON object with "ops", a list of at most %(most)s operations, and "sent_at",'
            " the time of the device (%(fault)s).",
            most=MOST_OPERATIONS,
            fault=describe(error),
        ) from error


def read_operation(sent: object) -> SentOperation:
    """
    Read one operation.

    Raises
    ------
    FieldopsError
        If it is none.
    """
    try:
        return SentOperation.model_validate(sent)
    except ValidationError as error:
        raise FieldopsError(
            "This is no operation that can be read: %(fault)s.", fault=describe(error)
        ) from error


def read_rescue(data: bytes) -> tuple[str, Rescue]:
    """
    Read a rescue file, and give it with its hash.

    Raises
    ------
    FieldopsError
        If it is none, of another version, or not as it was written.
    """
    try:
        file = RescueFile.model_validate_json(data)
    except ValidationError as error:
        raise FieldopsError(
            "This is no rescue file of a tablet that can be read: %(fault)s.", fault=describe(error)
        ) from error
    if hashlib.sha256(file.content.encode()).hexdigest() != file.sha256:
        raise FieldopsError(
            "The file is not as the tablet wrote it: it was cut off or changed on its way."
            " Save it on the tablet once more."
        )
    try:
        return file.sha256, Rescue.model_validate_json(file.content)
    except ValidationError as error:
        raise FieldopsError(
            "This is no rescue file of a tablet that can be read: %(fault)s.", fault=describe(error)
        ) from error


def read_rescued(sent: object) -> RescuedOperation:
    """
    Read one operation of a rescue file.

    Raises
    ------
    FieldopsError
        If it is none.
    """
    try:
        return RescuedOperation.model_validate(sent)
    except ValidationError as error:
        raise FieldopsError(
            "This is no operation that can be read: %(fault)s.", fault=describe(error)
        ) from error


def read_rescued_photo(sent: object) -> RescuedPhoto:
    """
    Read one photo of a rescue file.

    Raises
    ------
    FieldopsError
        If it is none.
    """
    try:
        return RescuedPhoto.model_validate(sent)
    except ValidationError as error:
        raise FieldopsError(
            "This is no photo that can be read: %(fault)s.", fault=describe(error)
        ) from error


class RescueForm(FlaskForm):  # type: ignore[misc]
    """A rescue file, as a dispatcher chooses it."""

    file = FileField(
        _l("Rescue file"),
        validators=[FileRequired(_l("Choose a file."))],
        description=_l("As the outbox of a tablet has saved it, ending in .json."),
    )


def describe(error: ValidationError) -> str:
    """Name the field that is wrong, and how."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


STEP_NAMES = {
    "register": _l("Register what was seen"),
    "propose": _l("Propose a change to the map"),
    "import": _l("Track"),
    "confirm_valve": _l("valve confirmed"),
    "reopen_valve": _l("valve reopened"),
    "restore_part": _l("water back in a part"),
    "refeed": _l("re-feed"),
    "tag": _l("valve tag hung"),
    "device_ring": _l("extended isolation worked out on a tablet"),
}


def name_step(action: str) -> str:
    """Say what a tablet recorded, in the reader's language."""
    return str(STEP_NAMES.get(action) or name_action(action))


def name_subject(subject: str, body: Mapping[str, object]) -> str:
    """Say what a record is of: a number made on the tablet tells nobody anything."""
    kind, _, number = subject.partition(":")
    if number.startswith("new-"):
        return str(gettext("new report"))
    told = {"track": "name", "map_proposal": "feature"}.get(kind)
    if told:
        return str(body.get(told) or "-")
    valve = body.get("valve") or body.get("stuck")
    return f"{valve} · {number}" if valve else number
