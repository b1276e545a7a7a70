"""The private PostGIS of a home, for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from fieldops import cli
from fieldops.embedded_postgres import LONGEST_SOCKET_PATH, OWNER, Cluster, DatabaseError
from fieldops.settings import Settings
from tests.homes import cluster_at, empty_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another")


def ask(cluster: Cluster, query: str) -> object:
    """Ask as the application would, and give the one value of the answer."""
    with psycopg.connect(cluster.url().replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Give a running cluster that tests may kill, as long as they leave it running."""
    with empty_folder() as folder, cluster_at(folder / "home") as cluster:
        cluster.start()
        yield cluster


def test_nothing_but_a_socket_leads_to_it(cluster: Cluster) -> None:
    """No port can be taken, and no other machine can try passwords."""
    assert ask(cluster, "SHOW listen_addresses") == ""
    assert ask(cluster, "SHOW data_checksums") == "on"
    assert ask(cluster, "SHOW password_encryption") == "scram-sha-256"
    trusting = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"
    with psycopg.connect(cluster.superuser_url().replace("+psycopg", "")) as connection:
        assert connection.execute(trusting).fetchone() == (0,)
    wrong = cluster.url().replace("+psycopg", "").replace(f"{OWNER}:", f"{OWNER}:x", 1)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_its_passwords_are_nobody_elses_to_read(cluster: Cluster) -> None:
    """Both lie in the home, for its owner alone."""
    for role in (OWNER, "postgres"):
        assert (cluster.home / f"{role}.password").stat().st_mode & 0o777 == 0o600
    assert cluster.data.stat().st_mode & 0o777 == 0o700


def test_the_application_is_no_superuser(cluster: Cluster) -> None:
    """An injected statement could otherwise read the server's files."""
    assert ask(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(cluster, "SELECT extname FROM pg_extension WHERE extname = 'postgis'") == "postgis"


def test_a_killed_server_comes_back_with_what_was_committed(cluster: Cluster) -> None:
    """Its children hold the memory for seconds; the start waits for them."""
    with psycopg.connect(cluster.url().replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    killed = cluster.postmaster()
    cluster.kill()
    cluster.start()
    assert cluster.postmaster() != killed
    assert ask(cluster, "SELECT number FROM kept") == 7


def test_stopping_twice_is_no_error(cluster: Cluster) -> None:
    """The second time there is nothing to stop."""
    assert cluster.stop() is True
    assert cluster.stop() is False
    assert not cluster.is_running()
    cluster.start()


def test_a_home_of_another_postgresql_says_which_one_it_wants(cluster: Cluster) -> None:
    """After an upgrade of the system the old programs may be gone."""
    version = cluster.data / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    try:
        with pytest.raises(DatabaseError, match="no PostgreSQL 9 with PostGIS"):
            Cluster(cluster.home).binaries.exists()
    finally:
        version.write_text(kept)


def test_two_commands_at_once_make_one_cluster() -> None:
    """Both find it running, whoever came first."""
    source = (
        "import sys; from pathlib import Path; from fieldops.embedded_postgres import Cluster;"
        "c = Cluster(Path(sys.argv[1]), is_hasty=True); c.start(); print(c.postmaster())"
    )
    with empty_folder() as folder, cluster_at(folder / "home") as cluster:
        (folder / "home/postgres").mkdir(parents=True)
        (folder / "home").chmod(0o711)
        # What an interrupted initdb leaves.
        (folder / "home/postgres/data.new").mkdir()
        both = [
            subprocess.Popen(
                [sys.executable, "-c", source, str(cluster.home)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = {process.communicate(timeout=60)[0] for process in both}
        assert [process.returncode for process in both] == [0, 0]
        assert said == {f"{cluster.postmaster()}\n"}


def test_a_long_path_gets_a_short_socket() -> None:
    """A socket's path has 107 letters, and homes do not ask."""
    with empty_folder() as folder:
        home = folder / ("a-folder-with-a-very-long-name/" * 4)
        home.mkdir(parents=True)
        with cluster_at(home) as cluster:
            cluster.start()
            assert cluster.folder == home / "postgres"
            assert len(str(cluster.socket_folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
            assert ask(cluster, "SELECT 1") == 1


@needs_root
def test_a_home_that_the_server_cannot_enter_has_its_database_elsewhere() -> None:
    """As under /root; it is said, and two such homes never meet."""
    with empty_folder() as folder:
        folder.chmod(0o700)
        said: list[str] = []
        cluster = Cluster(folder / "home", is_hasty=True, say=said.append)
        try:
            assert not cluster.folder.is_relative_to(folder)
            assert [str(cluster.folder) in line for line in said] == [True]
            assert cluster.folder != Cluster(folder / "other", say=said.append).folder
        finally:
            shutil.rmtree(cluster.folder)
            shutil.rmtree(Cluster(folder / "other").folder)


@needs_root
def test_a_socket_folder_of_somebody_else_is_refused() -> None:
    """Anybody may make folders in /tmp, also by our name."""
    with empty_folder() as folder:
        home = folder / ("a-folder-with-a-very-long-name/" * 4)
        home.mkdir(parents=True)
        with cluster_at(home) as cluster:
            cluster.socket_folder.mkdir()
            os.chown(cluster.socket_folder, 12345, 12345)
            with pytest.raises(DatabaseError, match="somebody else"):
                cluster.start()


def test_another_database_can_be_used_instead(tmp_path: Path, database: str) -> None:
    """FIELDOPS_DATABASE_URL, as PostgreSQL's own tools take it, and no cluster is made."""
    settings = Settings.from_environ(
        {
            "FIELDOPS_HOME": str(tmp_path),
            "FIELDOPS_DATABASE_URL": database.replace("+psycopg", ""),
        }
    )
    sessions = cli.open_sessions(settings)
    with sessions() as session:
        assert str(session.connection().engine.url.database) in database
    sessions.kw["bind"].dispose()
    assert not (tmp_path / "postgres").exists()


def test_the_command_starts_and_stops_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Status tells by its exit code, too."""
    monkeypatch.setenv("FIELDOPS_HOME", str(cluster.home))
    monkeypatch.delenv("FIELDOPS_DATABASE_URL", raising=False)
    monkeypatch.setenv("FIELDOPS_LANG", "en")
    cli.main(["db", "migrate"])
    cli.main(["db", "status"])
    assert str(cluster.data) in capfd.readouterr().out
    cli.main(["db", "stop"])
    with pytest.raises(SystemExit) as stopped:
        cli.main(["db", "status"])
    assert stopped.value.code == 3
    cli.main(["db", "start"])
    assert cluster.is_running()
