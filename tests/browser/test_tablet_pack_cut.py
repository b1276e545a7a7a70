"""The server dies while a tablet fetches its map: only the piece that was cut comes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fieldops.settings import CHECKOUT
from tests.browser.tablet import Tablet

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from fieldops.settings import Settings
    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SERVER = """
import json, sys, time
from pathlib import Path
from werkzeug.serving import make_server
from fieldops import create_app
from fieldops.settings import Settings

home, database, port, stops_at = sys.argv[1:]
app = create_app(Settings(home=Path(home), database_url=database, secret_key="test"))
inner, asked = app.wsgi_app, []

def half(body):
    data = b"".join(body)
    yield data[:len(data) // 2]
    print(json.dumps("half"), flush=True)
    time.sleep(600)

def serve(environ, begin):
    if "/files/" not in environ["PATH_INFO"]:
        return inner(environ, begin)
    names = "PATH_INFO", "HTTP_RANGE", "HTTP_IF_RANGE"
    asked.append([environ.get(name) for name in names])
    print(json.dumps(asked[-1]), flush=True)
    body = inner(environ, begin)
    return half(body) if len(asked) == int(stops_at) else body

app.wsgi_app = serve
server = make_server("127.0.0.1", int(port), app, threaded=True)
print(json.dumps(server.server_port), flush=True)
server.serve_forever()
"""
CUT = 2
"""The piece that is under way as the server dies."""
CHUNKS = 'm.open().then((db) => db.count("chunks"))'


@dataclass
class Mortal:
    """A server in a process of its own; it tells which pieces it was asked for."""

    settings: Settings
    port: int = 0
    asked: list[tuple[str, ...]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self, stops_at: int = 0) -> None:
        """Answer; at that piece give half of it, and wait for death."""
        database = self.settings.database_url or ""
        words = [str(self.settings.home), database, str(self.port), str(stops_at)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *words],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = json.loads(self.process.stdout.readline())

    def die_at_half(self) -> None:
        """Be killed as half of the piece is on its way."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if said == "half":
                break
            self.asked.append(tuple(said))
        self.stop()

    def stop(self) -> None:
        """Die, and leave what was still to be told."""
        if self.process is not None:
            self.process.kill()
            rest = self.process.communicate()[0]
            self.asked += [tuple(json.loads(line)) for line in rest.splitlines()]
            self.process = None


def test_a_map_goes_on_after_the_server_was_killed(shift: Shift, browser: Browser) -> None:
    """Each piece is asked for by Range and If-Range, and none twice but the one that was cut."""
    mortal = Mortal(shift.site.app.extensions["fieldops.settings"])
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    try:
        mortal.start(stops_at=CUT)
        tablet = Tablet.open(context, f"http://127.0.0.1:{mortal.port}")
        # A small map is fetched without being asked for.
        tablet.sign_in()
        mortal.die_at_half()
        assert len(mortal.asked) == CUT
        tablet.page.wait_for_timeout(300)
        assert tablet.ask("db", CHUNKS) == CUT - 1
        assert tablet.ask("pack", "m.packState()") is None
        mortal.start()
        state = tablet.ask("pack", "m.downloadPack()")
        assert state["is_complete"]
        assert tablet.ask("pack", "m.topology().then((pack) => pack.about.counts.pipes > 100)")
        assert tablet.faults == []
    finally:
        context.close()
        mortal.stop()
    asked = mortal.asked
    assert all(part for piece in asked for part in piece), "without Range or If-Range"
    once = asked[: CUT - 1] + asked[CUT:]
    assert asked[CUT - 1] == asked[CUT]
    assert len(set(once)) == len(once)
    assert sum(map(size_of, once)) == state["bytes"]


def size_of(piece: tuple[str, ...]) -> int:
    """Count the bytes of a piece by its Range."""
    first, last = piece[1].removeprefix("bytes=").split("-")
    return int(last) - int(first) + 1
