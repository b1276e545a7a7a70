"""Nothing that a tablet has recorded is lost or done twice, whatever breaks meanwhile."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser  # noqa: TC002 - a fixture's type
from werkzeug.serving import BaseWSGIServer, make_server

from benchmarks.chaos import Chaos, Plan, Tablet
from benchmarks.lossy import LossyWay
from fieldops import create_app
from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.events.service import SYSTEM
from fieldops.settings import Settings
from fieldops.work_orders.service import OrderDraft, open_order
from tests import databases
from tests.browser.conftest import CHROMIUM, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from sqlalchemy.orm import Session, sessionmaker

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOGIN, PASSWORD = "chaos", "durch-dick-und-duenn"


@dataclass
class Here:
    """The application in this process, stopped and started at one port."""

    app: Flask
    port: int = 0
    _server: BaseWSGIServer | None = None
    _thread: threading.Thread | None = field(default=None)

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Give sessions on its database."""
        found: sessionmaker[Session] = self.app.extensions["fieldops.sessions"]
        return found

    def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = make_server(
            "127.0.0.1", self.port, self.app, threaded=True, request_handler=Quiet
        )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up."""
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Here]:
    """Serve an order and somebody who works on it, from a database of their own."""
    with databases.clone() as url:
        app = create_app(Settings(home=tmp_path, database_url=url, secret_key="test"))  # noqa: S106
        server = Here(app)
        with server.sessions.begin() as session:
            roles = (Role.CREW, Role.DISPATCHER)
            person = insert_person(
                session, login=LOGIN, name="李强", roles=roles, password_hash=None
            )
            set_password(session, person, PASSWORD)
            draft = OrderDraft(kind="repair", severity="leak", lon=120.0, lat=30.0)
            open_order(session, draft, SYSTEM, dt.datetime.now(dt.UTC))
        server.start()
        yield server
        server.stop()
        server.sessions.kw["bind"].dispose()


@pytest.mark.parametrize(
    "plan",
    [
        Plan(operations=60, kills=1, restarts=1, seed=1),
        *(
            pytest.param(
                Plan(operations=500, kills=3, restarts=1, seed=seed), marks=pytest.mark.long
            )
            for seed in range(20)
        ),
    ],
    ids=lambda plan: f"{plan.operations}-{plan.seed}",
)
def test_every_operation_is_done_once_and_in_order(
    server: Here, browser: Browser, plan: Plan
) -> None:
    """Answers are lost, two tabs race, Chromium is killed, the server stopped and started."""
    way = LossyWay(server.port, random.Random(plan.seed)).start()  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory(prefix="fieldops-chaos-", ignore_cleanup_errors=True) as home:
        tablet = Tablet(browser.browser_type, CHROMIUM, Path(home), f"http://127.0.0.1:{way.port}")
        try:
            found = Chaos(tablet, way, server, plan).run("work_order:W-1", LOGIN, PASSWORD)
        finally:
            tablet.kill()
            way.stop()
    assert found.is_good, found
    assert found.recorded >= plan.operations
    assert (found.kills, found.restarts) == (plan.kills, plan.restarts)
    assert found.lost_answers > 0
