"""A way between tablet and server that loses requests and answers, as a cellar's network does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

SENDS_WORK = (b"POST /api/v1/ops", b"PUT /api/v1/photos")
PIECE_BYTES = 65_536

Quality = Literal["good", "lossy", "off"]


@dataclass
class LossyWay:
    """
    Relays connections to a server's port.

    Where it is "lossy", what carries work is lost on the way there or, done by the server, on the
    way back; where it is "off", nobody is reached.
    """

    target: int
    chance: random.Random
    quality: Quality = "good"
    lost_requests: int = 0
    lost_answers: int = 0
    _is_first: bool = True
    _listener: socket.socket = field(default_factory=socket.socket)
    _open: set[socket.socket] = field(default_factory=set)

    def start(self) -> LossyWay:
        """Listen on a free port."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    @property
    def port(self) -> int:
        """Where the tablet has to go."""
        port: int = self._listener.getsockname()[1]
        return port

    def become(self, quality: Quality) -> None:
        """Change how good the way is; what is under way as it ends is cut off."""
        self.quality, self._is_first = quality, True
        if quality == "off":
            for line in list(self._open):
                cut(line)

    def stop(self) -> None:
        """Listen no more."""
        self.become("off")
        cut(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(line,), daemon=True).start()

    def _relay(self, tablet: socket.socket) -> None:
        server = socket.socket()
        try:
            if self.quality == "off":
                return
            server.connect(("127.0.0.1", self.target))
            self._open |= {tablet, server}
            is_answer_lost = threading.Event()
            back = threading.Thread(
                target=pump, args=(server, tablet, self._lose_answer(is_answer_lost)), daemon=True
            )
            back.start()
            pump(tablet, server, self._lose_request(is_answer_lost))
            back.join(60)
        except OSError:
            pass
        finally:
            self._open -= {tablet, server}
            cut(tablet)
            cut(server)

    def _lose_request(self, is_answer_lost: threading.Event) -> Callable[[bytes], bool]:
        def is_lost(piece: bytes) -> bool:
            if self.quality != "lossy" or not piece.startswith(SENDS_WORK):
                return False
            # The first answer is always lost, so that no run is spared.
            luck = 0.3 if self._is_first else self.chance.random()
            self._is_first = False
            if luck < 0.15:
                self.lost_requests += 1
                return True
            if luck < 0.5:
                is_answer_lost.set()
            return False

        return is_lost

    def _lose_answer(self, is_answer_lost: threading.Event) -> Callable[[bytes], bool]:
        def is_lost(_piece: bytes) -> bool:
            if is_answer_lost.is_set():
                # By now the server has done it all.
                self.lost_answers += 1
                return True
            return False

        return is_lost


def pump(source: socket.socket, target: socket.socket, is_lost: Callable[[bytes], bool]) -> None:
    """Hand on what comes, until one of both hangs up or something is lost."""
    with suppress(OSError):
        while (piece := source.recv(PIECE_BYTES)) and not is_lost(piece):
            target.sendall(piece)
    cut(source)
    cut(target)


def cut(line: socket.socket) -> None:
    """Hang up, whoever waits."""
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
