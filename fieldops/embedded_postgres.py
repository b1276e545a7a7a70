"""
A private PostGIS: one cluster a home, reached through a socket only, started when needed.

It never touches another PostgreSQL of the machine. Whatever starts, stops or makes the
cluster holds a file lock of the home, so commands that come at once wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import psycopg
from psycopg import sql

from fieldops.errors import FieldopsError
from fieldops.settings import keep_secret, make_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER_USER = "postgres"
"""Who runs the server when root asks for it; PostgreSQL refuses to run as root."""
OWNER = "fieldops"
"""Role of the application, and the database it owns. No superuser: it cannot reach files."""
LONGEST_SOCKET_PATH = 107
"""What `sockaddr_un.sun_path` holds on Linux, less the closing zero."""
PATIENCE_S = 30.0
"""A killed postmaster's children hold its memory for some seconds; no start succeeds before."""

CONFIGURATION = {
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
HASTY = {"fsync": "off", "full_page_writes": "off"}
"""For clusters whose loss in a power cut hurts nobody, as those of tests."""


class DatabaseError(FieldopsError):
    """The database is not to be had."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "database-unavailable"


@dataclass(frozen=True)
class Cluster:
    """The private cluster of one home."""

    home: Path
    is_hasty: bool = False
    """Trades safety against power cuts for speed."""
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201

    @cached_property
    def server_user(self) -> pwd.struct_passwd | None:
        """Whom to run the server as; None: as ourselves."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(SERVER_USER)
        except KeyError:
            raise DatabaseError(
                "PostgreSQL does not run as root, and there is no user %(user)s to run it:"
                " install the package postgresql, or start fieldops as another user",
                user=SERVER_USER,
            ) from None

    @cached_property
    def folder(self) -> Path:
        """Where data and log lie: under the home, or where the server can enter."""
        inside = self.home / "postgres"
        if _owns(inside, self.server_user):
            return inside
        mark = hashlib.sha256(bytes(self.home)).hexdigest()[:16]
        outside = Path("/var/lib/fieldops") / mark
        if not outside.exists():
            self.say(
                f"{SERVER_USER} cannot enter {self.home}: the database of this home"
                f" lies in {outside}"
            )
        if not _owns(outside, self.server_user):
            raise DatabaseError(
                "The user %(user)s can enter neither %(home)s nor %(outside)s:"
                " set FIELDOPS_HOME to a folder that it can enter",
                user=SERVER_USER,
                home=self.home,
                outside=outside,
            )
        return outside

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Where the server writes."""
        return self.folder / "log"

    @cached_property
    def socket_folder(self) -> Path:
        """Where the socket lies; elsewhere if its path would be too long."""
        inside = self.folder / "socket"
        if len(bytes(inside / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET_PATH:
            return inside
        mark = hashlib.sha256(bytes(self.data)).hexdigest()[:16]
        return Path("/tmp") / f"fieldops-{os.geteuid()}-{mark}"  # noqa: S108 - ours, or refused

    @cached_property
    def binaries(self) -> Path:
        """Where the programs lie: those that made the data, else the newest with PostGIS."""
        found = find_binaries()
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            made_by = max(found, default="", key=int)
        if made_by not in found:
            raise DatabaseError(
                "There is no PostgreSQL %(version)s with PostGIS here:"
                " run ./run, or install %(package)s",
                version=made_by,
                package=f"postgresql-{made_by}-postgis-3" if made_by else "postgresql-postgis",
            )
        return found[made_by]

    def url(self, database: str = OWNER) -> str:
        """Give the address of a database, for the application's role."""
        return self._url(OWNER, database)

    def superuser_url(self, database: str = OWNER) -> str:
        """Give the address of a database, for the role that may do anything."""
        return self._url("postgres", database)

    def _url(self, role: str, database: str) -> str:
        password = keep_secret(self.home / f"{role}.password")
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql+psycopg://{role}:{quote(password)}@/{database}?host={host}"

    def is_running(self) -> bool:
        """Tell whether the server answers and holds a database that is complete."""
        try:
            with self._connect(OWNER) as connection:
                found = connection.execute("SELECT FROM pg_extension WHERE extname = 'postgis'")
                return found.rowcount == 1
        except psycopg.OperationalError:
            return False

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        """
        Make the cluster if there is none, and start it if it does not run.

        Raises
        ------
        DatabaseError
            If it cannot be started within half a minute.
        """
        if self.data.exists() and self.is_running():
            return
        with self._alone():
            if not self.data.exists():
                self._make()
            _make_private(self.socket_folder, self.server_user)
            self._start_patiently()
            self._complete()

    def stop(self) -> bool:
        """Stop the server, and tell whether it ran."""
        with self._alone():
            pid = self.postmaster()
            if pid is None:
                return False
            self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", "fast", "-D", str(self.data))
            return True

    def postmaster(self) -> int | None:
        """Give the process id of the running server."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError, IndexError):
            return None
        return pid if str(self.data) in command else None

    def kill(self) -> None:
        """Kill the server as a power cut would, for tests."""
        pid = self.postmaster()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def _make(self) -> None:
        """Make the cluster aside and move it into place whole, so that no half of one is left."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = self.folder / "password.new"
        password.touch(mode=0o600)
        password.write_text(keep_secret(self.home / "postgres.password"))
        _hand_over(password, self.server_user)
        try:
            self._run(
                "initdb", "-D", str(draft), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                "--auth=scram-sha-256", f"--pwfile={password}", "--data-checksums",
                "--no-instructions", *(["--no-sync"] if self.is_hasty else []),
            )  # fmt: skip
        finally:
            password.unlink()
        settings = CONFIGURATION | (HASTY if self.is_hasty else {})
        with (draft / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        draft.rename(self.data)

    def _start_patiently(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            try:
                self._run(
                    "pg_ctl", "start", "-w", "-s", "-t", "60", "-D", str(self.data),
                    "-l", str(self.log), "-o", f"-k '{self.socket_folder}'",
                )  # fmt: skip
            except DatabaseError:
                # A crashed server's children, or one that is just shutting down, still hold on.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.25)

    def _complete(self) -> None:
        """Make the application's role and database where they are missing."""
        password = keep_secret(self.home / f"{OWNER}.password")
        with self._connect("postgres") as connection:
            role = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER])
            if role.rowcount == 0:
                query = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                connection.execute(query.format(sql.Identifier(OWNER), sql.Literal(password)))
            database = connection.execute("SELECT FROM pg_database WHERE datname = %s", [OWNER])
            if database.rowcount == 0:
                query = sql.SQL("CREATE DATABASE {0} OWNER {0}")
                connection.execute(query.format(sql.Identifier(OWNER)))
        with self._connect(OWNER) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")

    def _connect(self, database: str) -> psycopg.Connection:
        url = self.superuser_url(database).replace("+psycopg", "", 1)
        return psycopg.connect(url, autocommit=True, connect_timeout=10)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs as the server's user; only a failure speaks."""
        output = self.folder / f"{program}.out"
        # To a file, not a pipe: the server would keep the pipe open, and we would wait for it.
        with output.open("w+") as file:
            done = subprocess.run(  # noqa: S603 - our own arguments
                [self.binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                user=self.server_user and self.server_user.pw_uid,
                group=self.server_user and self.server_user.pw_gid,
                extra_groups=[] if self.server_user else None,
                umask=0o077,
                start_new_session=True,
                check=False,
            )
            file.seek(0)
            said = file.read().strip()
        if done.returncode != 0:
            raise DatabaseError(
                "%(program)s failed: %(said)s (the server's log is %(log)s)",
                program=program,
                said=said or done.returncode,
                log=self.log,
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_home(self.home)
        with (self.home / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def find_binaries() -> dict[str, Path]:
    """Find every PostgreSQL that has PostGIS: major version to folder of programs."""
    found = {}
    on_path = shutil.which("pg_config")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for folder in [*folders, *Path("/usr/lib/postgresql").glob("*/bin")]:
        match = re.search(r"(\d+)", _ask(folder / "postgres", "--version"))
        if match is None or not (folder / "initdb").exists():
            continue
        shared = _ask(folder / "pg_config", "--sharedir") or f"/usr/share/postgresql/{match[1]}"
        if Path(shared, "extension/postgis.control").exists():
            found[match[1]] = folder
    return found


def _ask(program: Path, question: str) -> str:
    try:
        return subprocess.run(  # noqa: S603 - a program of PostgreSQL
            [program, question], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _owns(folder: Path, user: pwd.struct_passwd | None) -> bool:
    """Make a folder for the server's user, and tell whether that user can work in it."""
    try:
        _make_private(folder, user)
    except OSError:
        return False
    if user is None:
        return os.access(folder, os.W_OK | os.X_OK)
    # Only the system knows what modes, lists and mounts on the way add up to.
    return (
        subprocess.run(  # noqa: S603
            ["/usr/bin/test", "-w", folder],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            check=False,
        ).returncode
        == 0
    )


def _make_private(folder: Path, user: pwd.struct_passwd | None) -> None:
    """
    Make a folder that only the server's user enters.

    Raises
    ------
    DatabaseError
        If the folder is there and somebody else's.
    """
    make_home(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    uid = os.geteuid() if user is None else user.pw_uid
    if folder.lstat().st_uid not in {uid, os.geteuid()} or folder.is_symlink():
        raise DatabaseError("%(folder)s belongs to somebody else: remove it", folder=folder)
    _hand_over(folder, user)


def _hand_over(path: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
