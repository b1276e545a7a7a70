"""What happened, and what happens, as JSON and as a stream."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, current_app, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.devices.api import current_device
from fieldops.errors import ForbiddenError
from fieldops.streams import service
from fieldops.streams.forms import read_limit, read_position, read_subject
from fieldops.streams.queries import open_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from flask import Flask
    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.streams.service import Listener, Live

streams_api = Blueprint("streams_api", __name__, url_prefix="/api/v1/events")

SEND_BUFFER_BYTES = 64 * 2**10
LONGEST_WRITE_S = 10.0
"""A reader that takes longer to make room is sent away; its thread serves somebody else."""


def init_app(app: Flask) -> None:
    """Make what tells this process's screens; it connects when the first one listens."""
    engine = app.extensions["fieldops.sessions"].kw["bind"]
    url = engine.url.render_as_string(hide_password=False)
    most = app.extensions["fieldops.settings"].streams
    app.extensions["fieldops.live"] = service.Live(lambda: open_feed(url), most)


@streams_api.get("")
@access.allow(*STAFF)
def list_events() -> ResponseReturnValue:
    """Tell what happened after a position, or to one subject; `next` is where to go on."""
    limit = read_limit(request.args)
    subject = request.args.get("subject")
    with db.transaction() as session:
        crews = service.crews_to_hear_of(session, _me())
        if subject is not None:
            found = service.list_events_of(session, *read_subject(subject), limit, crews)
            return {"events": [service.as_told(event) for event in found]}
        after = read_position(request.args.get("after")) or 0
        page = service.list_events_after(session, after, limit, crews)
        return {
            "events": [service.as_told(event) for event in page.heard],
            "next": page.next,
            "head": page.head,
        }


@streams_api.get("/stream")
@access.allow(*STAFF)
def stream_events() -> ResponseReturnValue:
    """
    Tell what happens as it happens, after what was missed since the last id.

    Raises
    ------
    ForbiddenError
        If a tablet asks: it may be revoked at any time, and a stream that runs would go on.
    """
    if current_device() is not None:
        raise ForbiddenError("A tablet is told its day when it asks for it, and no stream.")
    after = read_position(request.headers.get("Last-Event-ID") or request.args.get("after"))
    live: Live = current_app.extensions["fieldops.live"]
    with db.transaction() as session:
        crews = service.crews_to_hear_of(session, _me())
    listener = live.join(crews, line_of(request.environ))
    sessions: sessionmaker[Session] = current_app.extensions["fieldops.sessions"]
    response = Response(
        _tell(sessions.begin, listener, after),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(lambda: live.leave(listener))
    return response


def _tell(
    begin: Callable[[], AbstractContextManager[Session]], listener: Listener, after: int | None
) -> Iterator[bytes]:
    """Tell what was missed, page by page and without a connection between, then what comes."""
    yield b"retry: 1000\n" + service.heartbeat(listener.start)
    if after is not None and after > listener.start:
        # This log has never been so long: the screen knows another database, and begins anew.
        yield f'event: reset\ndata: {{"position":{listener.start}}}\n\n'.encode()
        after = None
    while after is not None and after < listener.start:
        with begin() as session:
            page = service.list_events_after(session, after, service.PAGE, listener.crews)
        missed = [event for event in page.heard if (event.position or 0) <= listener.start]
        yield b"".join(service.as_message(event) for event in missed)
        after = page.next
    yield from listener.bundles()


class ChunkedLine:
    """A connection of HTTP/1.1 whose answer goes in chunks, written to past gunicorn."""

    def __init__(self, line: socket.socket) -> None:
        """Prepare the connection to notice soon that its reader is slow."""
        self.line = line
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        line.settimeout(LONGEST_WRITE_S)

    def send(self, bundle: bytes) -> bytes:
        """Send what fits at once, and give the rest of it."""
        chunk = b"%x\r\n%b\r\n" % (len(bundle), bundle)
        try:
            # The socket's own `send` would wait; the number is -1 once it is closed.
            return chunk[os.write(self.line.fileno(), chunk) :]
        except BlockingIOError:
            return chunk

    def send_rest(self, rest: bytes) -> None:
        """Send a rest, and wait until it is gone."""
        self.line.sendall(rest)

    def is_closed(self) -> bool:
        """Tell whether the reader has hung up; nothing is ever sent by one that has not."""
        try:
            readable = select.poll()
            readable.register(self.line, select.POLLIN)
            return bool(readable.poll(0)) and self.line.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True


def line_of(environ: Mapping[str, Any]) -> ChunkedLine | None:
    """Give the reader's connection where it may be written to directly: without TLS or HTTP/2."""
    line = environ.get("gunicorn.socket")
    if type(line) is not socket.socket or environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return None
    return ChunkedLine(line)


def _me() -> access.Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    return person
