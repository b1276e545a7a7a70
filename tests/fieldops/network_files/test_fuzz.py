"""Spoiled files leave the database as it was, and the person with a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from benchmarks.mutants import mutant
from fieldops.cli import main
from fieldops.db import make_sessions
from fieldops.network_files.service import RefusedError, import_features
from gis import formats
from gis.topology import place
from tests.fieldops.network.towns import land, street

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from gis.features import FeatureSet

FILES = range(300)
THROUGH_THE_COMMAND = 4
LANDED = 12
"""So many of the files that land are landed; that takes longest, and other tests do it."""
TABLES = (
    "node",
    "pipe",
    "valve",
    "pump",
    "control_valve",
    "source",
    "customer",
    "customer_feed",
    "hydrant",
    "road",
    "depot",
    "network_history",
)
_SPEAKS_OF_CODE = re.compile(r"Traceback|File \"|site-packages|psycopg|sqlalchemy", re.IGNORECASE)


def read(path: Path) -> tuple[FeatureSet | None, str]:
    """Read a file, or give what the reader says against it."""
    try:
        return formats.read(path), ""
    except formats.FormatError as error:
        return None, str(error)


def holdings(session: Session) -> list[tuple[str, int, str]]:
    """Give number and fingerprint of the rows of every table of the network."""
    found = []
    for table in TABLES:
        row = session.execute(
            text(
                f"SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '')"  # noqa: S608
                f" FROM {table} AS t"
            )
        ).one()
        found.append((table, row[0], row[1]))
    return found


def test_a_refused_file_leaves_the_database_exactly_as_it_was(
    session: Session, tmp_path: Path
) -> None:
    """And what is not refused lands whole: its savepoint is rolled back here."""
    land(session, street())
    before = holdings(session)
    refused = landed = 0
    for number in FILES:
        spoiled = mutant(number)
        path = tmp_path / f"network{spoiled.ending}"
        path.write_bytes(spoiled.data)
        features, said = read(path)
        assert not _SPEAKS_OF_CODE.search(said), (number, said)
        if features is None:
            refused += 1
            continue  # the database is not asked
        if landed >= LANDED and not place(features).report.has_errors:
            continue
        attempt = session.begin_nested()
        try:
            import_features(session, features, by="测试")
        except RefusedError:
            refused += 1
            assert holdings(session) == before, (number, spoiled.way)
        else:
            landed += 1
            assert spoiled.must_fail is not True, (number, spoiled.way)
        finally:
            attempt.rollback()

    assert refused > len(FILES) / 4
    assert landed >= LANDED
    assert holdings(session) == before


def test_the_command_answers_spoiled_files_in_words(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One that must be refused ends with a code of its own, and no word about code."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        land(session, street())
        before = holdings(session)
    monkeypatch.setenv("FIELDOPS_DATABASE_URL", database)
    monkeypatch.setenv("FIELDOPS_LANG", "en")
    spoiled = [found for found in map(mutant, range(100)) if found.must_fail]
    for found in spoiled[:THROUGH_THE_COMMAND]:
        path = tmp_path / f"network{found.ending}"
        path.write_bytes(found.data)
        with pytest.raises(SystemExit) as ended:
            main(["import", str(path)])
        said = "".join(capfd.readouterr())

        assert ended.value.code not in {0, None}, (found.number, found.way)
        assert said.strip()
        assert not _SPEAKS_OF_CODE.search(said), (found.number, said)
    with sessions() as session:
        assert holdings(session) == before
    sessions.kw["bind"].dispose()
