"""What keeps the processes of `fieldops serve` alive, and ends them together."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from threading import Event
from typing import TYPE_CHECKING, Self

from fieldops.embedded_postgres import Cluster
from fieldops.errors import FieldopsError
from fieldops.settings import make_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fieldops.settings import Settings

PULSE_S = 0.25
GRACE_S = 15.0
"""How long a process may take to end what it is at."""
LONGEST_PAUSE_S = 10.0
"""Between two starts of a process that keeps dying."""
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """A process that is started again whenever it ends."""

    def __init__(self, name: str, command: list[str]) -> None:
        """Say what to run; `keep_alive` runs it."""
        self.name = name
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.pause_s = 0.0

    def keep_alive(self) -> None:
        """Start the process unless it runs; one that dies at once waits longer each time."""
        if self.process is not None and self.process.poll() is None:
            return
        now = time.monotonic()
        if self.process is not None:
            if now - self.started_at < self.pause_s:
                return
            has_lasted = now - self.started_at > LONGEST_PAUSE_S
            self.pause_s = 0.0 if has_lasted else min(2 * self.pause_s + 0.5, LONGEST_PAUSE_S)
            say(f"{self.name} ended ({self.process.returncode}); starting it again")
        self.started_at = now
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command,
            stdin=subprocess.DEVNULL,
            # A Ctrl-C in the terminal is for us alone, who then end them in order.
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - there are no threads here
        )

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait until it has ended, and end whatever is left of it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(f"{self.name} does not end; killing it")
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


class Supervisor:
    """Holds the home for itself while it runs the web process, the worker and the database."""

    def __init__(self, settings: Settings, cert: Path | None, key: Path | None) -> None:
        """Name the processes; nothing is started yet."""
        self.settings = settings
        self.is_told_to_stop = Event()
        self.cluster = None if settings.database_url else Cluster(settings.home)
        web = [sys.executable, "-m", "gunicorn", "-c", "python:fieldops.cli.web"]
        if cert and key:
            web += ["--certfile", str(cert), "--keyfile", str(key)]
        fieldops = [sys.executable, "-c", "from fieldops.cli import main; main()"]
        web.append("fieldops:create_app()")
        self.web = Child("the web process", web)
        # It has loaded everything, and serves in the moment in which the first is killed; which
        # of the two serves is settled by a lock.
        self.standby = Child("the standby of the web process", web)
        self.children = [self.web, Child("the worker", [*fieldops, "worker"])]
        host = settings.host if settings.host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if cert else ''}://{host}:{settings.port}/"

    def play(self) -> None:
        """Have the demo's crews do what visitors send them to."""
        fieldops = [sys.executable, "-c", "from fieldops.cli import main; main()"]
        play = [*fieldops, "simulate", "crews", "--hours", "336"]
        self.children.append(Child("the demo's crews", play))

    def __enter__(self) -> Self:
        """Take the home, so that nobody else serves it."""
        make_home(self.settings.home)
        self.lock = lock_file(self.settings.home).open("a+")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FieldopsError(
                "fieldops already serves %(home)s", home=self.settings.home
            ) from None
        self.lock.truncate(0)
        self.lock.write(str(os.getpid()))
        self.lock.flush()
        self.guard()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.is_told_to_stop.set())
        return self

    def __exit__(self, *_: object) -> None:
        """End everything, the database last."""
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + GRACE_S
        for child in self.children:
            child.wait(deadline)
        if self.cluster is not None:
            self.cluster.stop()
            os.write(self.alarm, b"all is well")
        self.lock.close()

    def run(self, tell: Callable[[str], None]) -> None:
        """Keep everything alive until told to stop, and tell the address once it answers."""
        is_ready = False
        while not self.is_told_to_stop.wait(PULSE_S):
            self.keep_database_alive()
            for child in self.children:
                child.keep_alive()
            if not is_ready and answers(self.url):
                is_ready = True
                tell(self.url)
                self.children.append(self.standby)

    def keep_database_alive(self) -> None:
        """Start the private database again if it is gone; try for half a minute, then go on."""
        if self.cluster is None or self.cluster.postmaster() is not None:
            return
        say("the database ended; starting it again")
        try:
            self.cluster.start()
        except FieldopsError as error:
            say(str(error))

    def guard(self) -> None:
        """Leave a process behind that stops the database if we are killed."""
        if self.cluster is None:
            return
        killed = os.getpid()
        heard, self.alarm = os.pipe()
        if os.fork() > 0:
            os.close(heard)
            return
        os.setsid()
        os.close(self.alarm)
        self.lock.close()
        try:
            # Nothing is heard, but the pipe's end, if whoever held the other end was killed.
            if not os.read(heard, 1) and self.is_home_orphaned(killed):
                self.cluster.stop()
        finally:
            os._exit(0)

    def is_home_orphaned(self, killed: int) -> bool:
        """Tell whether nobody else has begun to serve the home of a killed supervisor."""
        # The system may take a moment to let go of the lock after it closed the pipe.
        while (supervisor := find_supervisor(self.settings.home)) == killed:
            time.sleep(0.05)
        return supervisor is None


def say(text: str) -> None:
    """Write a line to the log."""
    print(f"fieldops: {text}", file=sys.stderr, flush=True)  # noqa: T201


def die_with_parent(by: signal.Signals = signal.SIGTERM) -> None:
    """Have this process end when the one that started it does, even if that is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, by)


def wait_for_turn(home: Path) -> None:
    """Wait until no other web process serves the home; the turn lasts as long as this process."""
    lock = os.open(web_lock_file(home), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def answers(url: str) -> bool:
    """Tell whether the application is healthy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # our own certificate may name another host
    try:
        with urllib.request.urlopen(f"{url}healthz", timeout=2, context=context):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def lock_file(home: Path) -> Path:
    """Give the file that whoever serves a home holds, with its process id in it."""
    return home / "serve.lock"


def web_lock_file(home: Path) -> Path:
    """Give the file that the serving web process holds, with its process id in it."""
    return home / "web.lock"


def find_supervisor(home: Path) -> int | None:
    """Give the process id of whoever serves a home."""
    try:
        with lock_file(home).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(lock_file(home).read_text() or 0) or None
    except FileNotFoundError:
        pass
    return None


def stop_supervisor(home: Path) -> bool:
    """Have whoever serves a home stop, wait until it has, and tell whether there was anybody."""
    pid = find_supervisor(home)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 2 * GRACE_S
    while find_supervisor(home) == pid:
        if time.monotonic() > deadline:
            raise FieldopsError("Process %(pid)s does not stop", pid=pid)
        time.sleep(0.1)
    return True
