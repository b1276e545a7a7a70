"""`fieldops outage` and `fieldops weak-spots`."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session

from fieldops.cli import main
from fieldops.db import make_engine
from fieldops.settings import CHECKOUT
from gis.formats.geojson import read_geojson
from tests import databases
from tests.fieldops.outages.planting import plant
from tests.fieldops.outages.towns import street

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KITCHENER = CHECKOUT.parent / "shared/data/kitchener/network.geojson"


@pytest.fixture(scope="module")
def street_url() -> Iterator[str]:
    """Give a database with a street in it."""
    with databases.clone() as url:
        engine = make_engine(url)
        with Session(engine) as session, session.begin():
            street().valve("=V3", "P3", 50).plant(session)
        engine.dispose()
        yield url


@pytest.fixture
def command(
    street_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:  # noqa: ANN401
    """Give a way to run a command: exit code, output and complaints."""
    monkeypatch.setenv("FIELDOPS_DATABASE_URL", street_url)
    monkeypatch.setenv("FIELDOPS_SECRET_KEY", "test")
    monkeypatch.setenv("FIELDOPS_LANG", "en")

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = 0
        try:
            main(list(arguments))
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_ids_from_standard_input_are_answered_in_their_order(command: Any) -> None:  # noqa: ANN401
    """One that is not there does not stop the rest, and is told by the exit code."""
    code, out, _ = command("outage", "--pipe", "-", "--format", "json", stdin="P3\nnope\nP1\r\nP2")
    lines = [json.loads(line) for line in out.splitlines()]

    assert [line["pipe"] for line in lines] == ["P3", "nope", "P1", "P2"]
    assert lines[1] == {"pipe": "nope", "error": "There is no pipe nope."}
    assert lines[3]["valves_to_close"] == ["V1"]
    assert code == 2


def test_all_known_ids_end_well(command: Any) -> None:  # noqa: ANN401
    """Exit code 0."""
    assert command("outage", "--pipe", "-", stdin="P3\n")[::2] == (0, "")


def test_a_dispatcher_reads_the_answer_as_text(command: Any) -> None:  # noqa: ANN401
    """Only the answer on standard output."""
    code, out, err = command("outage", "--pipe", "P2", "--at-m", "31.5", "--customers")

    assert (code, err) == (0, "")
    for words in (
        "P2 at 31.5 m",
        "1  V1",
        "people: 4",
        "Cut off: C103",
        "Critical customers: C103",
    ):
        assert words in out


def test_the_shapes_come_as_geojson_with_their_state(command: Any) -> None:  # noqa: ANN401
    """A part between valves is drawn by itself."""
    answer = json.loads(command("outage", "--pipe", "P3", "--at-m", "10", "--format", "geojson")[1])
    drawn = {(one["properties"]["id"], one["properties"]["state"]) for one in answer["features"]}
    part = next(one for one in answer["features"] if one["properties"]["id"] == "P3")

    assert {("P3", "shut"), ("V2", "to_close"), ("=V3", "optional")} <= drawn
    assert part["geometry"]["coordinates"][-1] == pytest.approx([117.0025, 31.0])
    assert answer["outage"]["pipe"] == "P3"


def test_files_are_written_beside_the_answer(command: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """A map and a sheet."""
    plan, sheet = tmp_path / "plan.html", tmp_path / "sheet.pdf"
    code, _, err = command("outage", "--pipe", "P2", "--plan", str(plan), "--sheet", str(sheet))

    assert code == 0
    assert str(plan) in err
    assert plan.read_text().startswith("<!DOCTYPE html>")
    assert sheet.read_bytes().startswith(b"%PDF")


def test_a_fault_is_one_sentence(command: Any) -> None:  # noqa: ANN401
    """And exit code 2."""
    assert command("outage", "--pipe", "P9") == (2, "", "There is no pipe P9.\n")
    assert command("outage")[0] == 2
    assert command("outage", "--pipe", "P1", "--at-m", "1", "--at-m", "2")[0] == 2


def test_weak_spots_come_as_a_table_that_no_spreadsheet_runs(command: Any) -> None:  # noqa: ANN401
    """The worst first; a formula is only text."""
    code, out, err = command("weak-spots", "--by", "valve")

    assert code == 0
    assert out.splitlines()[0] == "valve,properties_lost_if_it_fails,extra,exercise_rank"
    assert "'=V3," in out
    assert err == ""


def test_rates_of_breaks_are_unknown_and_said_to_be(command: Any) -> None:  # noqa: ANN401
    """Unknown is not 0."""
    _, out, err = command("weak-spots", "--by", "pipe", "--format", "json", "--top", "1")

    assert [row["breaks_per_year"] for row in json.loads(out)] == [None]
    assert "unknown" in json.loads(out)[0]["why"]
    assert "No breaks are recorded" in err


@pytest.mark.skipif(not KITCHENER.exists(), reason="the shared data are not here")
def test_a_real_district_has_the_losses_counted_by_hand(session: Session) -> None:
    """Kitchener: 160 segments, the main first."""
    from fieldops.planning.service import WEAK_SPOTS

    plant(session, read_geojson(KITCHENER))
    session.flush()
    rows = WEAK_SPOTS["segment"](session)
    losses = sorted({row["properties_lost"] for row in rows}, reverse=True)

    assert len(rows) == 160
    assert len({row["segment"] for row in rows}) == 160
    assert losses[:5] == [3024, 291, 169, 159, 123]
    assert sum(row["properties_shut"] for row in rows) == 3024
