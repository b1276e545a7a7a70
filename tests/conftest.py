"""
Fixtures of every test that needs the database.

`session`, `client` and `statements` share one transaction that is always rolled back. Tests of
NOTIFY, of workers and of servers take `database`, the address of a clone where commits are real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import g, request
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from fieldops import create_app
from fieldops.db import make_engine
from fieldops.settings import Settings
from tests import databases
from tests.budgets import BUDGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy import Connection, Engine
    from xdist.remote import Producer  # type: ignore[import-untyped]
    from xdist.scheduler import Scheduling

LOOPBACK = ["127.0.0.1", "::1"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this project."""
    parser.addoption("--long", action="store_true", help="Run the tests marked long, too.")
    parser.addoption("--fast", action="store_true", help="Leave out browsers, kills and the slow.")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the tests' cluster while this run lasts."""
    if not hasattr(config, "workerinput"):
        config.stash[IN_USE] = databases.mark_in_use()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no server behind."""
    if IN_USE in config.stash:
        databases.stop_if_last(config.stash[IN_USE])


IN_USE = pytest.StashKey[int]()
NOT_FAST = ("browser", "loopback", "slow", "long")


@pytest.hookimpl(trylast=True)
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Give all browser tests to one worker: they share a server and a Chromium."""
    return OneBrowser(config, log) if config.getoption("dist") == "loadfile" else None


class OneBrowser(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay together, and those of every file with a browser."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tests/browser" if file.startswith("tests/browser/") else file


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests out unless asked for; open this machine's own ports to those that say so."""
    if config.getoption("--fast"):
        slow = [item for item in items if any(map(item.get_closest_marker, NOT_FAST))]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    # Playwright leaves a loop and greenlets behind in its thread, which neither asyncio.run nor
    # Python 3.11's parser bears: so nothing else comes after a browser.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="long: run with --long"))
        if item.get_closest_marker("loopback") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Give this worker's own clone, for tests that roll back."""
    with databases.clone() as url:
        yield url


@pytest.fixture
def database() -> Iterator[str]:
    """Give the address of a clone of one's own, where commits are real."""
    with databases.clone() as url:
        yield url


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    """Give an engine on this worker's clone."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Open an outer transaction that is always rolled back, whatever the code commits."""
    with engine.connect() as connection, connection.begin() as outer:
        yield connection
        outer.rollback()


@pytest.fixture
def sessions(connection: Connection) -> sessionmaker[Session]:
    """Make sessions inside the outer transaction that share `info["kept"]`, as an app's do."""
    return sessionmaker(connection, join_transaction_mode="create_savepoint", info={"kept": {}})


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """Open a session inside the outer transaction."""
    with sessions() as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Give the settings of an app under test."""
    return Settings(home=tmp_path, database_url=database_url, secret_key="test")  # noqa: S106


@pytest.fixture
def app(
    settings: Settings, sessions: sessionmaker[Session], statements: list[str]
) -> Iterator[Flask]:
    """Give an app that sees what the test has flushed, and hold it to the budgets."""
    app = create_app(settings)
    app.testing = True
    app.extensions["fieldops.sessions"] = sessions
    over_budget: list[str] = []

    @app.before_request
    def begin_to_count() -> None:
        g.sent_before = len(statements)

    @app.teardown_request
    def count(_error: object = None) -> None:
        before = g.get("sent_before", len(statements))
        sent = [text for text in statements[before:] if not is_bookkeeping(text)]
        most = BUDGETS.get(request.endpoint or "")
        if most is not None and len(sent) > most:
            over_budget.append(f"{request.endpoint}: {len(sent)} for {most}: {sent}")

    # Whoever is asking is looked up by a hook, too; so ours has to come first.
    hooks = app.before_request_funcs[None]
    hooks.insert(0, hooks.pop())
    yield app
    assert not over_budget


def is_bookkeeping(statement: str) -> bool:
    """Tell what only the test's own savepoints send."""
    return statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client of that app, signed in as nobody."""
    return app.test_client()


@pytest.fixture
def statements(connection: Connection) -> Iterator[list[str]]:
    """Collect each SQL statement sent, so a test can hold a request to its budget."""
    sent: list[str] = []

    def record(*event_args: object) -> None:
        sent.append(str(event_args[2]))

    event.listen(connection, "before_cursor_execute", record)
    yield sent
    event.remove(connection, "before_cursor_execute", record)
