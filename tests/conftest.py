"""
Fixtures of every test that needs the database.

`session`, `client` and `statements` share one transaction that is always rolled back. Tests of
NOTIFY, of workers and of servers take `database`, the address of a clone where commits are real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from argon2 import PasswordHasher
from flask import Flask, g, request
from jinja2 import BytecodeCache
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from fieldops import create_app
from fieldops.accounts import service as accounts
from fieldops.db import make_engine
from fieldops.settings import Settings
from tests import databases
from tests.budgets import BUDGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from jinja2.bccache import Bucket
    from sqlalchemy import Connection, Engine

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
BROWSERS = [
    *("test_tablet_story", "test_tablet_design", "test_tablet_job", "test_map"),
    *("test_tablet_register", "test_tablet_outbox", "test_tablet_signed_in", "test_console"),
    *("test_tablet_map", "test_tablet_shell", "test_import_page", "test_tablet_chaos"),
]
"""The files with a browser that take longest, in this order; then come those not named here."""
LAST = "test_story"
"""Two screens are held to a second here: by then nobody else starts anything."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests out unless asked for; open this machine's own ports to those that say so."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    if config.getoption("--fast"):
        slow = [item for item in items if any(map(item.get_closest_marker, NOT_FAST))]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    # Playwright leaves a loop and greenlets behind in its thread, which neither asyncio.run nor
    # Python 3.11's parser bears: so nothing else comes after a browser. Every worker ends with
    # browsers of its own, the longest files first, so that all workers end at the same time.
    items.sort(key=turn_of)
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="long: run with --long"))
        if item.get_closest_marker("loopback") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


def turn_of(item: pytest.Item) -> int:
    """Tell when a test's file has its turn: those that take turns alike stay as they are."""
    if not item.get_closest_marker("browser"):
        return 0
    file = item.path.stem
    if file == LAST:
        return len(BROWSERS) + 2
    return BROWSERS.index(file) + 1 if file in BROWSERS else len(BROWSERS) + 1


class TemplatesOnce(BytecodeCache):
    """Templates that another app of this process has compiled."""

    def __init__(self) -> None:
        """Begin with none."""
        self.compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is there, which Jinja holds against the template's text."""
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self.compiled[bucket.key] = bucket.bytecode_to_string()


class RuleOnce(Rule):
    """A route whose code that writes addresses another app of this process has compiled."""

    compiled: ClassVar[dict[str, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - Werkzeug's signature
        key = repr((self.subdomain, self.rule, self.defaults, self.merge_slashes, append_unknown))
        if key not in self.compiled:
            self.compiled[key] = super()._compile_builder(append_unknown)
        return self.compiled[key]


@pytest.fixture(scope="session", autouse=True)
def apps_made_fast() -> None:
    """Compile each template and each route once: hundreds of apps are made of the same ones."""
    Flask.jinja_options = {"bytecode_cache": TemplatesOnce()}
    Flask.url_rule_class = RuleOnce


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> None:
    """Hash fast: what a hash of a password costs is not what tests are about."""
    accounts.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


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
