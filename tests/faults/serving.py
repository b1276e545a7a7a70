"""A whole installation that is served, and whose processes are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.homes import empty_folder, processes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 60.0
"""For a machine that others work on, too."""


@dataclass(frozen=True)
class Served:
    """A running `fieldops serve`."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    def is_healthy(self) -> bool:
        """Tell whether /healthz answers well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as got:
                return bool(json.load(got)["status"] == "ok")
        except (urllib.error.URLError, OSError):
            return False

    def find(self, *words: str) -> list[int]:
        """Find the processes of this home whose command has all the words."""
        return [
            pid for pid in sorted(processes_of(self.home)) if all(w in command(pid) for w in words)
        ]

    def web_process(self) -> int:
        """Give the web process that serves, 0 while none does."""
        held = self.home / "web.lock"
        pid = int(held.read_text() or 0) if held.exists() else 0
        return pid if "gunicorn" in command(pid) else 0

    def web_workers(self) -> list[int]:
        """Find what the web process that serves has answer requests."""
        return children_of(self.web_process())

    def is_covered(self) -> bool:
        """Tell whether a standby has loaded everything and waits for its turn."""
        waiting = [
            line.split()
            for line in Path("/proc/locks").read_text().splitlines()
            if "-> FLOCK" in line
        ]
        return any(int(words[5]) in self.find("gunicorn") for words in waiting)

    def kill(self, pid: int) -> float:
        """Kill a process at once, and give the moment at which it and its own are gone."""
        # The database's own end when they notice, which is part of what is waited for.
        own = children_of(pid) if "gunicorn" in command(pid) else []
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(command(each) for each in [pid, *own]), every_s=0.01)
        return time.monotonic()


def children_of(pid: int) -> list[int]:
    """Find the processes that a process has started."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command(pid: int) -> str:
    """Give the command line of a process, empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def wait_until(happens: Callable[[], object], every_s: float = 0.1) -> None:
    """Wait for something, for a while at most."""
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(every_s)


@contextmanager
def serving() -> Iterator[Served]:
    """Serve a new home, and leave nothing of it."""
    with empty_folder() as folder:
        served = start(folder / "home")
        try:
            wait_until(served.is_healthy)
            yield served
        finally:
            served.process.terminate()
            code = served.process.wait(60)
        assert code == 0
        assert processes_of(served.home) == set()


def start(home: Path, log_name: str = "serve.log") -> Served:
    """Start `fieldops serve` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIELDOPS_")}
    with (home.parent / log_name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from fieldops.cli import main; main()", "serve"],
            env=environment | {"FIELDOPS_HOME": str(home), "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    return Served(home, port, process)
