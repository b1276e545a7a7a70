"""What a device may send, and what a screen may ask for."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from pydantic import (
    UUID7,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from fieldops.errors import FieldopsError
from fieldops.events.service import Operation

MOST_OPERATIONS = 200
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


def describe(error: ValidationError) -> str:
    """Name the field that is wrong, and how."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
