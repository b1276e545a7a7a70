"""The private cluster of the tests: a migrated template, and clones of it that cost a moment."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from fieldops.db import make_engine
from fieldops.embedded_postgres import OWNER, Cluster
from fieldops.migrations import FOLDER, migrate
from fieldops.settings import CHECKOUT, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(os.environ.get("FIELDOPS_TEST_HOME") or CHECKOUT / ".fieldops-test").absolute()
CLUSTER = Cluster(HOME, is_hasty=True)


def start() -> None:
    """Start the tests' cluster if it does not run."""
    with _alone("start.lock"):
        CLUSTER.start()


def find_template() -> str:
    """Name the database that every clone is a copy of, making it after a change of migrations."""
    sources = sorted(path for path in FOLDER.rglob("*") if path.suffix in {".py", ".sql"})
    text = b"\0".join(path.read_bytes() for path in sources)
    template = f"template_{hashlib.sha256(text).hexdigest()[:16]}"
    with _alone("template.lock"), _superuser() as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")
        there = {name for (name,) in rows}
        if template not in there:
            _make_template(connection, template)
        for name in there - {template, "postgres", OWNER}:
            if name.startswith("template_") or not _is_in_use(name):
                _drop(connection, name)
    return template


@contextmanager
def clone(template: str | None = None) -> Iterator[str]:
    """Give the address of a fresh copy of the template, dropped at the end."""
    start()
    template = template or find_template()
    name = f"clone_{os.getpid()}_{secrets.token_hex(4)}"
    with _superuser() as connection:
        connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
    try:
        yield CLUSTER.url(name)
    finally:
        with _superuser() as connection:
            _drop(connection, name)


def stop_if_last(in_use: int) -> None:
    """Stop the cluster, unless another run of tests still uses it."""
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if CLUSTER.data.exists():
        CLUSTER.stop()


def mark_in_use() -> int:
    """Hold the cluster for this run of tests: an open file with a shared lock on it."""
    make_home(HOME)
    in_use = os.open(HOME / "in_use.lock", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(in_use, fcntl.LOCK_SH)
    return in_use


def _make_template(connection: psycopg.Connection, template: str) -> None:
    _drop(connection, "template_draft")
    connection.execute(f"CREATE DATABASE template_draft OWNER {OWNER}")
    with psycopg.connect(CLUSTER.superuser_url("template_draft").replace("+psycopg", "")) as draft:
        draft.execute("SET client_min_messages = warning")
        draft.execute("CREATE EXTENSION postgis")
    engine = make_engine(CLUSTER.url("template_draft"))
    migrate(engine)
    engine.dispose()
    connection.execute(f'ALTER DATABASE template_draft RENAME TO "{template}"')


def _is_in_use(name: str) -> bool:
    """Tell whether the process that made a clone still lives."""
    pid = name.split("_")[1]
    return Path("/proc", pid).exists()


def _drop(connection: psycopg.Connection, name: str) -> None:
    with suppress(psycopg.errors.ObjectInUse):
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _superuser() -> psycopg.Connection:
    return psycopg.connect(
        CLUSTER.superuser_url("postgres").replace("+psycopg", ""), autocommit=True
    )


@contextmanager
def _alone(name: str) -> Iterator[None]:
    make_home(HOME)
    with (HOME / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
