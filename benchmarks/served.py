"""The whole system on a private database of its own: import, answers over HTTP, tiles, memory."""

from __future__ import annotations

import http.client
import json
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg

from benchmarks.measure import memory_mb, quantile, times_ms
from fieldops.embedded_postgres import Cluster
from gis.towns import feature_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measure import Benchmark
    from gis.towns import Town

CHECKOUT = Path(__file__).resolve().parents[1]
FIELDOPS = (sys.executable, "-c", "from fieldops.cli import main; main()")
READ_ARRAYS = """
import time

from fieldops.cli import open_sessions
from fieldops.network.service import current_network
from fieldops.settings import Settings
import gis.isolation
sessions = open_sessions(Settings.from_environ())
start = time.perf_counter()
with sessions() as session:
    current_network(session)
print(time.perf_counter() - start)
"""
LONGEST_WAIT_S = 180.0
LONGEST_BAKING_S = 900.0


@dataclass(slots=True)
class Home:
    """A folder with a database of its own, and what is needed to run commands on it."""

    folder: Path
    port: int
    more: dict[str, str] = field(default_factory=dict)
    """Further settings, by the names of their variables."""

    @property
    def environ(self) -> dict[str, str]:
        """Settings for the commands."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FIELDOPS_")}
        home = {"FIELDOPS_HOME": str(self.folder), "PORT": str(self.port), "FIELDOPS_LANG": "en"}
        return kept | home | self.more

    def run(self, *arguments: str) -> str:
        """Run a `fieldops` command."""
        done = subprocess.run(
            [*FIELDOPS, *arguments],
            cwd=CHECKOUT,
            env=self.environ,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"fieldops {' '.join(arguments)} failed: {done.stderr[-2000:]}")
        return done.stdout


@contextmanager
def temporary_home() -> Iterator[Home]:
    """Make a home with a database that is gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="fieldops-bench-"))
    folder.chmod(0o711)
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield Home(folder, port)
    finally:
        cluster.stop()
        if cluster.folder != folder:
            shutil.rmtree(cluster.folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def measure_import(bench: Benchmark, home: Home, town: Town) -> None:
    """Time the import of a town's file, and the first reading of the arrays."""
    size = len(town.pipe_length_m)
    file = home.folder / "town.geojson"
    start = time.perf_counter()
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in feature_lines(town))
    bench.add("town file written", size, time.perf_counter() - start, "s")
    bench.add("town file", size, file.stat().st_size / 1e6, "MB")
    home.run("db", "migrate")
    start = time.perf_counter()
    with _peak_memory(bench, "import, most memory", size):
        home.run("import", str(file), "--format", "json")
    bench.add("import of the file", size, time.perf_counter() - start, "s")
    file.unlink()
    cold = [_read_arrays(home) for _ in range(2)]
    bench.add("arrays from the database, new process", size, cold[-1], "s")


def _read_arrays(home: Home) -> float:
    """Let a new process read the network, as a web process does first of all."""
    code = READ_ARRAYS
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=home.environ,
        text=True,
        capture_output=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


@contextmanager
def _peak_memory(bench: Benchmark, measure: str, size: int) -> Iterator[None]:
    """Watch the memory of this process's children meanwhile."""
    seen, is_over = [0.0], threading.Event()
    own = memory_mb(os.getpid())

    def watch() -> None:
        while not is_over.wait(0.25):
            seen[0] = max(seen[0], memory_mb(os.getpid()) - own)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
        bench.add(measure, size, seen[0], "MB")


class Client:
    """One connection that stays open, as a browser's does."""

    def __init__(self, home: Home, token: str) -> None:
        """Connect with a token."""
        self.connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=120)
        self.headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}

    def etag(self, path: str) -> str:
        """Ask for what a browser keeps beside what it was given."""
        self.connection.request("GET", path, None, self.headers)
        response = self.connection.getresponse()
        response.read()
        return str(response.headers["ETag"])

    def ask_again(self, path: str, etag: str) -> None:
        """Ask whether what a browser keeps is still good."""
        self.connection.request("GET", path, None, self.headers | {"If-None-Match": etag})
        response = self.connection.getresponse()
        response.read()
        if response.status != 304:
            raise SystemExit(f"{path}: {response.status} to a known ETag")

    def ask(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        """Ask, and give the whole answer."""
        sent = None if body is None else json.dumps(body)
        headers = self.headers | ({"Content-Type": "application/json"} if sent else {})
        self.connection.request("POST" if sent else "GET", path, sent, headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise SystemExit(f"{path}: {response.status} {content[:500]!r}")
        return content


@contextmanager
def serving(home: Home) -> Iterator[tuple[Client, int]]:
    """Run `fieldops serve`, and give a client and the process id of the supervisor."""
    home.run("accounts", "add", "bench", "--role", "dispatcher", "--no-password")
    token = home.run("accounts", "token", "bench", "--name", "bench").strip()
    log = (home.folder / "serve.log").open("w")
    server = subprocess.Popen(
        [*FIELDOPS, "serve"], cwd=CHECKOUT, env=home.environ, stdout=log, stderr=log
    )
    try:
        wait_until_served(home, server)
        yield Client(home, token), server.pid
    finally:
        server.terminate()
        server.wait(60)
        log.close()


def wait_until_served(home: Home, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers well."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not start: " + (home.folder / "serve.log").read_text())


def measure_answers(bench: Benchmark, home: Home, town: Town, asked: int) -> None:
    """Time answers over HTTP: the first, then warm ones, then those after edits; then tiles."""
    size = len(town.pipe_length_m)
    chance = random.Random(size)  # noqa: S311 - a sample, no secret
    pipes = chance.sample(range(size), min(asked, size))
    start = time.perf_counter()
    with serving(home) as (client, pid):
        client.ask(_question(town, pipes[0]))
        bench.add("HTTP, from `serve` to the first answer", size, time.perf_counter() - start, "s")
        for pipe in pipes[:10]:
            client.ask(_question(town, pipe))
        warm = times_ms(lambda pipe: client.ask(_question(town, pipe)), pipes)
        bench.add("HTTP warm, median", size, quantile(warm, 0.5), "ms")
        bench.add("HTTP warm, p95", size, quantile(warm, 0.95), "ms")
        bench.add("HTTP warm, slowest", size, max(warm), "ms")
        edited = _edits(client, town, chance)
        bench.add(
            "HTTP, first answer after a valve edit, median", size, quantile(edited, 0.5), "ms"
        )
        bench.add("HTTP, first answer after a valve edit, slowest", size, max(edited), "ms")
        for zoom in (14, 15, 16):
            tiles = [_tile(town, zoom, pipe) for pipe in pipes[:200]]
            took = times_ms(lambda k: client.ask(tiles[k]), range(len(tiles)))  # noqa: B023
            bench.add(f"tile at z{zoom}, median", size, quantile(took, 0.5), "ms")
            bench.add(f"tile at z{zoom}, p95", size, quantile(took, 0.95), "ms")
        known = [(tile, client.etag(tile)) for tile in tiles[:50]]
        took = times_ms(lambda k: client.ask_again(*known[k]), range(len(known)))
        bench.add("tile that the browser knows (304), p95", size, quantile(took, 0.95), "ms")
        bench.add("memory of the web process", size, memory_mb(web_process(pid)), "MB")
        client.ask("/")
        start = time.perf_counter()
        _wait_for_far_tiles(home)
        bench.add("far tiles baked by the worker", size, time.perf_counter() - start, "s")


def _wait_for_far_tiles(home: Home) -> None:
    """Wait for what the first look at the map has queued."""
    address = Cluster(home.folder).url().replace("+psycopg", "", 1)
    query = (
        "SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status IN ('todo', 'doing')"
    )
    deadline = time.monotonic() + LONGEST_BAKING_S
    with psycopg.connect(address, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(query).fetchone()
            if row is None or row[0] == 0:
                return
            time.sleep(0.5)


def _id_of(prefix: str, row: int, count: int) -> str:
    return f"{prefix}{row + 1:0{len(str(count))}d}"


def _question(town: Town, pipe: int) -> str:
    name = _id_of("P", pipe, len(town.pipe_length_m))
    at_m = round(0.4 * float(town.pipe_length_m[pipe]), 1)
    return f"/api/v1/pipes/{quote(name)}/outage?at_m={at_m}&keys=1"


def _edits(client: Client, town: Town, chance: random.Random) -> list[float]:
    """Mark valves stuck one by one; time the answer that is the first to know each."""
    count = len(town.fittings.valve_beside)
    took = []
    for valve in chance.sample(range(count), 30):
        path = f"/api/v1/valves/{_id_of('V', valve, count)}/facts"
        client.ask(path, {"operability": chance.choice(["operable", "inoperable"])})
        pipe = int(town.fittings.valve_beside[valve])
        took += times_ms(lambda row: client.ask(_question(town, row)), [pipe])
    return took


def _tile(town: Town, zoom: int, pipe: int) -> str:
    lon, lat = town.bend_lon_lat[pipe].tolist()
    scale = 2**zoom
    x = int((lon + 180) / 360 * scale)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * scale)
    return f"/tiles/{zoom}/{x}/{y}.mvt"


def web_process(supervisor: int) -> int:
    """Find gunicorn among the supervisor's children."""
    for child in children_of(supervisor):
        if b"gunicorn" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise SystemExit("the web process is gone")


def children_of(process: int) -> list[int]:
    """Find the processes that a process has started, the oldest first."""
    return [int(c) for c in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
