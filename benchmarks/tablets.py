"""A tablet and a server for it, which can be stopped and started."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chaos import Tablet
from benchmarks.served import CHECKOUT, FIELDOPS, temporary_home, wait_until_served
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from gis.towns import feature_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserType
    from sqlalchemy.orm import Session, sessionmaker

    from benchmarks.served import Home
    from fieldops.access import Role
    from gis.towns import Town

LOGIN, PASSWORD = "bench", "durch-dick-und-duenn"


@dataclass
class ServedHome:
    """`fieldops serve` on a home, at a port that stays."""

    home: Home
    _process: subprocess.Popen[bytes] | None = field(default=None)
    _sessions: sessionmaker[Session] | None = field(default=None)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.home.port

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Give sessions on its database."""
        if self._sessions is None:
            self._sessions = make_sessions(Cluster(self.home.folder).url())
        return self._sessions

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.home.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*FIELDOPS, "serve"], cwd=CHECKOUT, env=self.home.environ, stdout=log, stderr=log
            )
        wait_until_served(self.home, self._process)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        self._process = None

    def end(self) -> None:
        """Stop it for good."""
        self.stop()
        if self._sessions is not None:
            self._sessions.kw["bind"].dispose()


@contextmanager
def served_home(town: Town | None = None) -> Iterator[ServedHome]:
    """Serve a home of its own, with a town in it, until the end."""
    with temporary_home() as home:
        home.run("db", "migrate")
        if town is not None:
            file = home.folder / "town.geojson"
            with file.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(f"{line}\n" for line in feature_lines(town))
            home.run("import", str(file), "--format", "json")
            file.unlink()
        served = ServedHome(home)
        try:
            yield served
        finally:
            served.end()


@contextmanager
def opened_tablet(chromium: BrowserType, program: str, port: int) -> Iterator[Tablet]:
    """Give a tablet with an empty folder, and leave nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="fieldops-tablet-"))
    tablet = Tablet(chromium, program, folder, f"http://127.0.0.1:{port}")
    try:
        yield tablet
    finally:
        tablet.kill()
        shutil.rmtree(folder, ignore_errors=True)


def make_person(session: Session, *roles: Role) -> int:
    """Add the one who works on the tablet."""
    person = insert_person(session, login=LOGIN, name="李强", roles=roles, password_hash=None)
    set_password(session, person, PASSWORD)
    return person
