"""Imports land whole or not at all, twice as once, and come out as they went in."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wntr
from sqlalchemy import text

from fieldops import jobs
from fieldops.cli import main
from fieldops.db import make_sessions
from fieldops.errors import ConflictError
from fieldops.network.queries import count_features, read_state
from fieldops.network_files import queries, service
from fieldops.network_files.service import RefusedError, export_features, import_features
from gis import formats
from tests.fieldops.network.towns import draw, everything, land, line, point, read, street
from tests.people import sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session, sessionmaker


@pytest.fixture
def real(database: str) -> Iterator[sessionmaker[Session]]:
    """Give sessions whose commits are real, on a street."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        land(session, street())
    yield sessions
    sessions.kw["bind"].dispose()


def revision(sessions: sessionmaker[Session]) -> int:
    """Read the number of the network."""
    with sessions() as session:
        return read_state(session).revision


def test_importing_twice_changes_nothing(real: sessionmaker[Session]) -> None:
    """Not even a number; nor does an import of what was exported."""
    with real.begin() as session:
        assert service.is_unchanged(land(session, street()))
    with real.begin() as session:
        exported = export_features(session)
        again = import_features(session, exported, by="测试", is_replacing=True)
        assert service.is_unchanged(again)
    assert revision(real) == 1


@pytest.mark.parametrize("ending", ["geojson", "gpkg", "zip"])
def test_every_format_gives_the_same_network_back(
    session: Session, tmp_path: Path, ending: str
) -> None:
    """Unknown properties and guesses too: a guess is not in the file, and is made again."""
    land(session, street())
    before = everything(export_features(session))
    path = tmp_path / f"network.{ending}"
    formats.write(path, export_features(session))
    report = import_features(session, formats.read(path), by="测试", is_replacing=True)

    assert service.is_unchanged(report)
    assert everything(export_features(session)) == before
    customer = next(c for c in before["customer"] if c.id == "C2")
    assert customer.is_guessed  # type: ignore[attr-defined]


def test_an_epanet_model_with_assumed_valves_comes_back_the_same(
    session: Session, tmp_path: Path
) -> None:
    """Its valves' places are finer than a drawing's, which makes no other network."""
    model = Path(wntr.__file__).parent / "library/networks/Net3.inp"
    import_features(session, formats.read(model, valves="ends"), by="测试")
    out = tmp_path / "net3.geojson"
    formats.write(out, export_features(session))

    assert service.is_unchanged(import_features(session, formats.read(out), by="测试"))


def test_a_file_changes_only_what_it_holds(session: Session) -> None:
    """The rest stays, and is listed; a pipe of the file may end at a stored node."""
    land(session, street())
    report = land(
        session,
        [
            point("customer", "C1", 0.0004, pipe="P1", people=5),
            line("pipe", "P3", 0.002, 0.003, diameter_mm=80, start_node="N3"),
        ],
    )

    assert report.changes is not None
    assert report.changes["customer"] == queries.Changes(0, 1, 0)
    assert report.changes["pipe"] == queries.Changes(1, 0, 0)
    assert report.absent["customer"] == ["C2"]
    assert sorted(report.absent) == ["customer", "hydrant", "node", "pipe", "source", "valve"]
    assert count_features(session)["pipe"] == 3


def test_replacing_deletes_what_the_file_does_not_have(session: Session) -> None:
    """And says so; nodes that were made for what is gone go, too."""
    land(session, [*street(), line("pipe", "P9", 0.01, 0.02, diameter_mm=80)])
    assert count_features(session)["node"] == 5
    report = land(session, street()[:8], is_replacing=True)

    assert report.changes is not None
    assert report.changes["customer"] == queries.Changes(0, 0, 1)
    assert report.absent == {"customer": ["C2"], "hydrant": ["H1"], "pipe": ["P9"]}
    assert count_features(session) == {
        "node": 3,
        "pipe": 2,
        "valve": 1,
        "pump": 0,
        "control_valve": 0,
        "source": 1,
        "customer": 1,
        "hydrant": 0,
        "road": 0,
        "depot": 0,
    }


def test_moving_things_about_is_followed(session: Session) -> None:
    """A customer changes its feed, a valve its pipe, a pipe its node; keys stay."""
    land(session, street())
    keys = queries.read_keys(session, "valve"), queries.read_keys(session, "customer")
    features = street()
    features[6] = point("valve", "V1", 0.0005, pipe="P1")
    features[7] = point("customer", "C1", 0.0015, feeds=[{"pipe": "P2"}, {"node": "N1"}])
    features[5]["properties"]["end_node"] = "N1"
    land(session, features)
    after = export_features(session)

    assert (queries.read_keys(session, "valve"), queries.read_keys(session, "customer")) == keys
    assert after.valves[0].pipe == "P1"
    fed = next(c for c in after.customers if c.id == "C1").feeds
    assert [(feed.pipe, feed.node) for feed in fed] == [("P2", None), (None, "N1")]
    assert [pipe.end_node for pipe in after.pipes] == ["N2", "N1"]
    cuts = session.execute(text("SELECT id, cuts_m IS NULL FROM pipe ORDER BY id")).all()
    assert [tuple(row) for row in cuts] == [("P1", False), ("P2", True)]


def test_a_refused_file_changes_nothing(session: Session) -> None:
    """The error names kind and id; nothing before it has landed."""
    land(session, street())
    before = everything(export_features(session))
    with pytest.raises(RefusedError) as caught:
        land(session, [point("customer", "C9", 0.0, pipe="P404"), *street()[:1]])

    data = caught.value.report.as_json()
    assert data["refused"]
    assert [(f["kind"], f["id"]) for f in data["findings"] if f["severity"] == "error"] == [
        ("customer", "C9")
    ]
    assert everything(export_features(session)) == before


def test_a_killed_import_leaves_nothing(real: sessionmaker[Session]) -> None:
    """Whatever has been staged and merged is gone with the connection."""
    with real() as session:
        queries.isolate(session)
        land(session, street()[:8], is_replacing=True)
        with real() as other:
            other.execute(
                text("SELECT pg_terminate_backend(:pid)"),
                {"pid": session.execute(text("SELECT pg_backend_pid()")).scalar_one()},
            )
        session.invalidate()
    with real() as session:
        assert count_features(session)["hydrant"] == 1
    assert revision(real) == 1


def test_an_edit_during_an_import_is_kept_or_refuses_it(real: sessionmaker[Session]) -> None:
    """A valve that the file does not have keeps what was recorded; one that it has refuses it."""
    road = [draw("road", "R1", "LineString", [[100.0, 0.1], [100.1, 0.1]], {})]
    for features, is_refused in ((road, False), (street(operability="operable"), True)):
        with real() as session:
            queries.isolate(session)
            read_state(session)
            with real.begin() as other:
                other.execute(text("UPDATE valve SET turns = coalesce(turns, 0) + 1"))
            if is_refused:
                with pytest.raises(ConflictError, match="nothing was imported"), queries.careful():
                    land(session, features)
            else:
                land(session, features)
                session.commit()
    with real() as session:
        assert session.scalars(text("SELECT turns FROM valve")).all() == [2.0]
        assert count_features(session)["road"] == 1


def test_two_imports_at_once_do_not_mix(real: sessionmaker[Session]) -> None:
    """The second is told to wait."""
    with real() as first:
        land(first, street(position="closed"))
        with real() as second, pytest.raises(ConflictError, match="Another import is running"):
            land(second, street())


def test_the_arrays_never_show_half_an_import(real: sessionmaker[Session]) -> None:
    """Readers see the network before or after it, whenever they look."""
    from fieldops.network.service import current_network

    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            with real() as session:
                network = current_network(session).network
                seen.add((network.pipe_count, network.premises_count))

    thread = threading.Thread(target=look)
    thread.start()
    for features in (street()[:5], street(), street()[:5], street()):
        with real() as session:
            queries.isolate(session)
            land(session, features, is_replacing=True)
            session.commit()
    done.set()
    thread.join(10)
    assert seen <= {(2, 2), (1, 0)}


def test_a_dry_run_reports_and_changes_nothing(session: Session) -> None:
    """The same findings as the import itself."""
    report = land(session, street(), is_dry_run=True)

    assert report.changes is None
    assert report.read["pipe"] == 2
    assert report.findings.counts["guessed", "customer-pipe-nearest"] == 1
    assert count_features(session)["pipe"] == 0


def run(monkeypatch: pytest.MonkeyPatch, database: str, *arguments: str) -> int:
    """Run a command and give its exit code."""
    monkeypatch.setenv("FIELDOPS_DATABASE_URL", database)
    monkeypatch.setenv("FIELDOPS_SECRET_KEY", "test")
    monkeypatch.setenv("FIELDOPS_LANG", "en")
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def written(path: Path, features: list[dict[str, Any]]) -> str:
    """Write a file."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def test_the_commands_speak_json(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Import, info, export: exit code 0 and one JSON object each on standard output."""
    file = written(tmp_path / "a.geojson", street())
    layer = tmp_path / "findings.geojson"
    assert (
        run(monkeypatch, database, "import", file, "--format", "json", "--report", str(layer)) == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert (report["landed"], report["read"]["pipe"]) == (True, 2)
    assert report["guessed"]["position-assumed"] == 1
    points = json.loads(layer.read_text())["features"]
    assert {one["properties"]["code"] for one in points} >= {"position-assumed"}

    out = tmp_path / "b.geojson"
    assert run(monkeypatch, database, "export", str(out)) == 0
    assert capsys.readouterr().out == ""
    assert run(monkeypatch, database, "import", str(out), "--replace", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["changes"] == {}

    assert run(monkeypatch, database, "info", "--format", "json") == 0
    info = json.loads(capsys.readouterr().out)
    assert (info["counts"]["pipe"], info["revision"], info["geometry_revision"]) == (2, 1, 1)
    assert info["assumed_positions"] == 1
    assert "postgis" in info["database"]


def test_a_wrong_file_is_refused_with_exit_code_2(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every error is named on standard error, without a traceback."""
    wrong = street()
    wrong[4]["properties"]["diameter_mm"] = "big"
    file = written(tmp_path / "a.geojson", wrong)
    assert run(monkeypatch, database, "import", file, "--format", "json") == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["refused"]
    assert 'The "diameter_mm" of pipe P1 is "big"' in said.err
    assert run(monkeypatch, database, "import", str(tmp_path / "none.geojson")) == 2
    assert "There is no file none.geojson" in capsys.readouterr().out
    assert run(monkeypatch, database, "import", file, "--snap-m", "nan") == 2
    assert run(monkeypatch, database, "export", str(tmp_path / "a.dwg")) == 2


def test_a_planner_sends_looks_and_confirms(
    client: FlaskClient,
    session: Session,
    sessions: sessionmaker[Session],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page tells what would happen, and only the confirmation does it."""
    # The test's outer transaction has begun already, and cannot be isolated any more.
    monkeypatch.setattr(queries, "isolate", lambda _session: None)
    headers = sign_in(client, session, "planner")
    with open(written(tmp_path / "a.geojson", street()), "rb") as stream:  # noqa: PTH123
        fields = {"file": (stream, "../<b>城区.geojson"), "snap_m": "0.5", "valves": "none"}
        sent = client.post("/network/imports/", data=fields, headers=headers)
    assert sent.status_code == 303, sent.text
    page = sent.headers["Location"]
    key = int(page.rsplit("/", 1)[1])
    waiting = client.get(page)
    assert waiting.headers["Refresh"] == "3"
    assert "&lt;b&gt;城区.geojson" in waiting.text

    with jobs.working_on(sessions):
        jobs.known_tasks()["network_files.check"].func(key=key)
    assert "Refresh" not in client.get(page).headers
    assert count_features(session)["pipe"] == 0
    layer = client.get(f"{page}/findings.geojson").json
    assert layer is not None
    assert len(layer["features"]) > 1

    assert client.post(f"{page}/confirm", headers=headers).status_code == 303
    assert client.post(f"{page}/confirm", headers=headers).status_code == 409
    with jobs.working_on(sessions):
        jobs.known_tasks()["network_files.land"].func(key=key)
    assert count_features(session)["pipe"] == 2
    assert 'data-status="landed"' in client.get(page).text
    preview = client.get("/network/imports/preview.geojson").json
    assert preview is not None
    assert [one["properties"]["id"] for one in preview["features"]] == ["P1", "P2"]
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_file_that_nobody_can_read_is_not_stored(client: FlaskClient, session: Session) -> None:
    """The page says which endings are known."""
    headers = sign_in(client, session, "planner")
    import io

    fields = {"file": (io.BytesIO(b"x"), "a.dwg"), "snap_m": "0.5", "valves": "none"}
    answer = client.post("/network/imports/", data=fields, headers=headers)
    assert answer.status_code == 400
    assert ".geojson" in answer.text
    assert read([]).pipes == []


def test_the_command_exports_a_model_and_says_what_it_lost(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """EPANET knows no hydrants and no valves on pipes."""
    run(monkeypatch, database, "import", written(tmp_path / "a.geojson", street()))
    capsys.readouterr()
    path = tmp_path / "model.inp"

    assert run(monkeypatch, database, "export", str(path)) == 0
    assert "1 features of kind hydrant" in capsys.readouterr().err
    assert [pipe.id for pipe in formats.read(path).pipes] == ["P1", "P2"]
