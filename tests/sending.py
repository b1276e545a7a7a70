"""Operations as a tablet sends them."""

from __future__ import annotations

import datetime as dt
import itertools
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask.testing import FlaskClient

_sequence = itertools.count(1)


def uuid7() -> str:
    """Make an op_id: the time in milliseconds, then chance."""
    millis = time.time_ns() // 1_000_000
    value = millis << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def operation(subject: str, action: str, **more: object) -> dict[str, Any]:
    """Make an operation of this moment."""
    return {
        "op_id": uuid7(),
        "device": "tablet-1",
        "sequence": next(_sequence),
        "subject": subject,
        "action": action,
        "base_version": None,
        "body": {},
        "occurred_at": dt.datetime.now(dt.UTC).isoformat(),
    } | more


def send(
    client: FlaskClient,
    headers: dict[str, str],
    *operations: dict[str, Any],
    sent_at: dt.datetime | None = None,
) -> list[dict[str, Any]]:
    """Send operations and give their answers."""
    body: dict[str, Any] = {"ops": list(operations)}
    if sent_at is not None:
        body["sent_at"] = sent_at.isoformat()
    answer = client.post("/api/v1/ops", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.get_json()["results"]
    return results
