"""Rescue files as a tablet writes them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse


def of_person(operation: dict[str, Any], person_id: int, name: str = "王芳") -> dict[str, Any]:
    """Say whose an operation is."""
    return operation | {"person_id": person_id, "person_name": name, "answer": None}


def photo_of(data: bytes, person_id: int, **more: object) -> dict[str, Any]:
    """Write a photo as a tablet does."""
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "person_id": person_id,
        "person_name": "王芳",
        "kept_at": dt.datetime.now(dt.UTC).isoformat(),
        "bytes": len(data),
        "data": base64.b64encode(data).decode(),
    } | more


def write_rescue(
    ops: list[dict[str, Any]], photos: list[dict[str, Any]] | None = None, **more: object
) -> bytes:
    """Write a file with the hash that it has."""
    content = json.dumps(
        {
            "exported_at": dt.datetime.now(dt.UTC).isoformat(),
            "part": 1,
            "parts": 1,
            "device": {"id": "tablet-1", "name": "一号平板"},
            "skew_s": None,
            "ops": ops,
            "photos": photos or [],
        }
        | more
    )
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    file = {"format": "fieldops-rescue", "version": 1, "sha256": sha256, "content": content}
    return json.dumps(file).encode()


def choose(client: FlaskClient, headers: dict[str, str], data: bytes) -> TestResponse:
    """Send a file as the page does."""
    # By hand: the test client would leave a file of its own open for one this large.
    edge = b"--edge\r\nContent-Disposition: form-data; name="
    body = b"".join(
        [
            edge + b'"csrf_token"\r\n\r\n' + headers["X-CSRFToken"].encode() + b"\r\n",
            edge + b'"file"; filename="rescue.json"\r\n\r\n' + data + b"\r\n",
            b"--edge--\r\n",
        ]
    )
    return client.post("/rescue/", data=body, content_type="multipart/form-data; boundary=edge")


def take_in(client: FlaskClient, headers: dict[str, str], data: bytes) -> str:
    """Choose a file, confirm it, and give the page that tells what became of it."""
    shown = choose(client, headers, data)
    assert shown.status_code == 303, shown.text
    answer = client.post(f"{shown.location}/import", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text
