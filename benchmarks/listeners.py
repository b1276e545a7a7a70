"""Hundreds of screens that listen, in one process of their own that does little else."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PATIENCE_S = 60.0


@dataclass(slots=True)
class Screen:
    """One connection, and when each position came over it."""

    line: socket.socket
    rest: bytes = b""
    status: int = 0
    head: str = ""
    heard: list[tuple[float, int]] = field(default_factory=list)
    count: int = 0

    def read(self) -> bool:
        """Take in what has come; False once the server has hung up."""
        try:
            chunk = self.line.recv(1 << 16)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        now = time.time()
        self.rest += chunk
        if not self.status:
            head, found, rest = self.rest.partition(b"\r\n\r\n")
            if not found:
                return True
            self.head = head.decode()
            self.status, self.rest = int(self.head.split()[1]), rest
        end = self.rest.rfind(b"\n\n") + 2
        if end >= 2:
            whole, self.rest = self.rest[:end], self.rest[end:]
            begin = whole.rfind(b"\nid: ")
            if begin >= 0:
                self.count += whole.count(b"\nid: ")
                self.heard.append((now, int(whole[begin + 5 :].split(b"\n", 1)[0])))
        return True


@dataclass(frozen=True, slots=True)
class Heard:
    """What all screens heard: for each the moments at which it knew up to a position."""

    screens: list[list[tuple[float, int]]]
    counts: list[int]
    refused: list[tuple[int, str | None, float]]
    lost: int


def listen(port: int, token: str, count: int, too_many: int, control: Connection) -> None:
    """Connect so many screens, then some too many; tell when it is done; end when told to."""
    screens = [connect(port, token) for _ in range(count)]
    selector = selectors.DefaultSelector()
    for screen in screens:
        selector.register(screen.line, selectors.EVENT_READ, screen)
    deadline = time.monotonic() + PATIENCE_S
    lost = 0
    while any(not screen.count and not screen.status for screen in screens):
        if time.monotonic() > deadline:
            break
        lost += take(selector, 0.2)
    refused = [refuse(port, token) for _ in range(too_many)]
    control.send([screen.status for screen in screens])
    while not control.poll():
        lost += take(selector, 0.2)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        lost += take(selector, 0.2)
    control.send(
        Heard([each.heard for each in screens], [each.count for each in screens], refused, lost)
    )


def connect(port: int, token: str) -> Screen:
    """Ask for the stream."""
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(
        b"GET /api/v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    line.settimeout(0)
    return Screen(line)


def take(selector: selectors.BaseSelector, patience_s: float) -> int:
    """Read from whoever has something, and give how many were hung up on."""
    gone = 0
    for key, _ in selector.select(patience_s):
        if not key.data.read():
            selector.unregister(key.fileobj)
            gone += 1
    return gone


def refuse(port: int, token: str) -> tuple[int, str | None, float]:
    """Be one too many: give the status, what Retry-After says, and how long it took in ms."""
    begun_s = time.perf_counter()
    screen = connect(port, token)
    screen.line.settimeout(PATIENCE_S)
    while not screen.status and screen.read():
        pass
    screen.line.close()
    headers = dict(line.split(": ", 1) for line in screen.head.split("\r\n")[1:])
    took_ms = (time.perf_counter() - begun_s) * 1e3
    return screen.status, headers.get("Retry-After"), took_ms


class Listening:
    """The process with the screens."""

    def __init__(self, port: int, token: str, count: int, too_many: int) -> None:
        """Start it, and wait until every screen is answered."""
        context = get_context("spawn")
        self.control, other = context.Pipe()
        self.process = context.Process(target=listen, args=(port, token, count, too_many, other))
        self.process.start()
        self.statuses: list[int] = self.control.recv()

    def end(self) -> Heard:
        """Stop listening, and give what was heard."""
        self.control.send("end")
        heard: Heard = self.control.recv()
        self.process.join()
        return heard
