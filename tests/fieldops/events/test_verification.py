"""`fieldops events verify`: who changed the log behind our back is found out."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.cli import main
from fieldops.db import make_sessions
from fieldops.events import queries
from fieldops.events.service import SYSTEM, append_event
from tests import databases, logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def own_database() -> Iterator[str]:
    """Give one clone for all tests here."""
    with databases.clone() as url:
        yield url


@pytest.fixture
def store(own_database: str) -> Iterator[sessionmaker[Session]]:
    """Give sessions on a log of five events."""
    sessions = make_sessions(own_database)
    logs.empty_log(own_database)
    for number in range(5):
        with sessions.begin() as session:
            body = {"id": "T-1", "depth_m": 1.50, "note": f"第 {number} 次"}
            append_event(session, "thing.made", ("thing", 1), by=SYSTEM, now=NOW, body=body)
    yield sessions
    sessions.kw["bind"].dispose()


def as_superuser(store: sessionmaker[Session], statement: str) -> None:
    """Do what the application itself cannot."""
    logs.as_superuser(store.kw["bind"].url.render_as_string(hide_password=False), statement)


def broken_at(store: sessionmaker[Session]) -> int | None:
    """Verify, and give where the chain breaks."""
    with store() as session:
        return queries.fetch_chain(session).broken_at


def test_what_nobody_touched_is_whole(store: sessionmaker[Session]) -> None:
    """Also while nothing has happened at all."""
    assert broken_at(store) is None
    with store() as session:
        assert queries.fetch_chain(session).count == 5


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ('UPDATE event SET body = body || \'{"note": "x"}\' WHERE position = 3', 3),
        ("UPDATE event SET person_name = '别人' WHERE position = 2", 2),
        ("UPDATE event SET occurred_at = occurred_at - interval '1 hour' WHERE position = 4", 4),
        ("UPDATE event SET hash = 'x' WHERE position = 1", 1),
        ("DELETE FROM event WHERE position = 2", 3),
        ("DELETE FROM event WHERE position = 5", 5),
        ("DELETE FROM event WHERE position > 3", 4),
        ("UPDATE event_head SET position = 4", 5),
        ("UPDATE event_head SET hash = 'x'", 5),
    ],
)
def test_the_first_wrong_position_is_found(
    store: sessionmaker[Session], statement: str, position: int
) -> None:
    """A change, a hole, an end that was cut off, a head that was turned back."""
    as_superuser(store, statement)
    assert broken_at(store) == position


def test_the_command_tells_where_it_broke(
    store: sessionmaker[Session],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 3 for scripts, the last hash to be noted elsewhere while all is well."""
    url = store.kw["bind"].url.render_as_string(hide_password=False)
    monkeypatch.setenv("FIELDOPS_DATABASE_URL", url)
    monkeypatch.setenv("FIELDOPS_HOME", str(tmp_path))
    monkeypatch.setenv("FIELDOPS_LANG", "en")
    main(["events", "verify"])
    with store() as session:
        assert queries.fetch_chain(session).hash.hex() in capsys.readouterr().out
    as_superuser(store, "UPDATE event SET kind = 'thing.lost' WHERE position = 3")
    with pytest.raises(SystemExit) as left:
        main(["events", "verify"])
    assert left.value.code == 3
    assert "position 3 of 5" in capsys.readouterr().err
