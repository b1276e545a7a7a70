"""The door for operations."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from flask import Blueprint, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.devices.api import current_device
from fieldops.errors import FieldopsError, ForbiddenError
from fieldops.order_process.forms import say_message
from fieldops.sync import queries, service
from fieldops.sync.forms import LONGEST_REQUEST_BYTES, read_operation, read_operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue

    from fieldops.sync.forms import SentOperation

logger = logging.getLogger(__name__)

sync_api = Blueprint("sync_api", __name__, url_prefix="/api/v1")

ATTEMPTS = 5


class DatabaseAwayError(FieldopsError):
    """The database has gone, for a moment."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "database-away"

    @property
    def headers(self) -> Mapping[str, str]:
        """Say when to come back."""
        return {"Retry-After": "2"}


@sync_api.post("/ops")
@access.allow(*STAFF)
def take_operations() -> ResponseReturnValue:
    """Do each operation in a transaction of its own, and answer one by one, in the same order."""
    request.max_content_length = LONGEST_REQUEST_BYTES
    sent = read_operations(request.get_json())
    received_at = dt.datetime.now(dt.UTC)
    skew_s = (sent.sent_at - received_at).total_seconds() if sent.sent_at else None
    return {
        "results": [_answer(each, skew_s) for each in sent.ops],
        "received_at": received_at.isoformat(),
        "skew_s": skew_s,
    }


def _answer(sent: object, skew_s: float | None) -> dict[str, Any]:
    """Do one operation; whatever is wrong with it does not block the next."""
    op_id = sent.get("op_id") if isinstance(sent, dict) else None
    try:
        operation = read_operation(sent)
        op_id = str(operation.op_id)
        result = _carry_out(operation, skew_s)
    except DatabaseAwayError:
        raise
    except FieldopsError as error:
        status = "forbidden" if isinstance(error, ForbiddenError) else "illegal"
        result = {"status": status, "message": error.msgid, "params": error.params}
    told = {name: value for name, value in result.items() if name != "params"}
    message = result["message"]
    told["message"] = say_message(message, result["params"]) if message else ""
    return {"op_id": op_id} | told


def _carry_out(sent: SentOperation, skew_s: float | None) -> Mapping[str, Any]:
    """Do it in one transaction; one that loses against another is tried again."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    device = current_device()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with db.transaction() as session:
                return service.carry_out(
                    session,
                    sent.as_operation(),
                    person,
                    by_phone_for=sent.by_phone_for,
                    skew_s=skew_s,
                    sent_from=device,
                    now=dt.datetime.now(dt.UTC),
                )
        except FieldopsError:
            raise
        except Exception as error:
            if queries.is_outage_of_database(error):
                # Whatever was done before is answered again when the device sends it again.
                raise DatabaseAwayError(
                    "The database is not answering; nothing is lost. Send the operations again."
                ) from error
            if not queries.is_contention(error) or attempt == ATTEMPTS:
                logger.exception("operation %s of %s failed", sent.op_id, sent.subject)
                break
    # No answer for good: the device keeps it, and the others are not held up.
    return {
        "status": "failed",
        "message": "A fault in fieldops itself; the operation is not lost. Send it again later.",
        "params": {},
    }
