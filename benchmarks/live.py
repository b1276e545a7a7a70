"""
A working day of a city at once: crews post, dispatchers assign, five hundred screens listen.

    ./run bench live                       100,000 pipes, 100 crews, 20 dispatchers, 500 screens
    ./run bench live --seconds 20 --pipes 10000 --screens 100 --crews 20 --dispatchers 4
    ./run bench live --json                one object for machines; progress goes to stderr

Each crew posts its position every 15 s, accepts what it is given and departs, by the operations
that a tablet sends. Each dispatcher reads the board every 10 s and assigns an order every 10 s,
by the console's own request. An event's way to a screen is counted from the moment the server took
up the operation that made it, so the transaction and the commit are in it. All clients run on the
same machine as the server, in processes of their own, and take their share of its cores. Between
the import and the day the database is stopped and the disk is at rest.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from sqlalchemy import text

from benchmarks.city_day import CityDay, prepare, report_one_burst
from benchmarks.listeners import Listening
from benchmarks.measure import Benchmark, memory_mb, quantile
from benchmarks.served import children_of, serving, temporary_home, web_process
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from gis.towns import feature_lines, make_town

if TYPE_CHECKING:
    from benchmarks.listeners import Heard
    from benchmarks.served import Home

SEED = 1
TOO_MANY = 5
REPORTS = 200
SETTLE_S = 3.0


def main() -> int:
    """Run what was asked for; the exit code tells whether every promise is kept."""
    options = _options()
    bench = Benchmark("live")
    town = make_town(options.pipes, SEED)
    with temporary_home() as home:
        home.more["FIELDOPS_STREAMS"] = str(options.screens)
        file = home.folder / "town.geojson"
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{line}\n" for line in feature_lines(town))
        home.run("db", "migrate")
        home.run("import", str(file), "--format", "json")
        file.unlink()
        city = prepare(home, town, options.crews, options.dispatchers)
        # A city is imported once, not on a working day: let the disk have written all of it.
        home.run("stop")
        os.sync()
        with serving(home) as (client, pid):
            client.ask("/api/v1/board")
            _work(bench, home, city, pid, options)
            _report(bench, home, city, options)
    _check(bench, options)
    print(bench.as_json() if options.json else bench.as_table())
    return 0 if all(check.ok for check in bench.checks) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench live", description=__doc__.split("\n")[1])
    parser.add_argument("--pipes", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--crews", type=int, default=100)
    parser.add_argument("--dispatchers", type=int, default=20)
    parser.add_argument("--screens", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def _work(
    bench: Benchmark, home: Home, city: CityDay, supervisor: int, options: argparse.Namespace
) -> None:
    size = options.pipes
    worker = children_of(web_process(supervisor))[0]
    quiet_mb = memory_mb(worker)
    begun_s = time.perf_counter()
    listening = Listening(home.port, city.dispatchers[0], options.screens, TOO_MANY)
    bench.add("screens connected", size, listening.statuses.count(200), "")
    bench.add("until all screens listen", size, time.perf_counter() - begun_s, "s")
    time.sleep(SETTLE_S)
    bench.add("memory of the web process, nobody listening", size, quiet_mb, "MB")
    bench.add("memory with all screens", size, memory_mb(worker), "MB")
    done = city.play(home, options.seconds)
    heard = listening.end()
    bench.add("memory after the work", size, memory_mb(worker), "MB")
    for name, times_ms in sorted(done.times_ms.items()):
        bench.add(f"{name}, count", size, len(times_ms), "")
        bench.add(f"{name}, median", size, quantile(times_ms, 0.5), "ms")
        bench.add(f"{name}, p99", size, quantile(times_ms, 0.99), "ms")
    for fault in done.faults[:5]:
        print(f"  fault: {fault}", file=sys.stderr)
    bench.add("requests that failed", size, len(done.faults), "")
    _screens(bench, home, heard, size)


def _screens(bench: Benchmark, home: Home, heard: Heard, size: int) -> None:
    """Reckon how long events were on their way, and whether any was missed."""
    sessions = make_sessions(Cluster(home.folder).url())
    query = text("SELECT position, extract(epoch FROM received_at)::float8 FROM event")
    with sessions() as session:
        made_at_s = {position: at_s for position, at_s in session.execute(query)}  # noqa: C416
    sessions.kw["bind"].dispose()
    ways_ms, missed = [], 0
    for moments, count in zip(heard.screens, heard.counts, strict=True):
        if not moments:
            continue
        # What came in the first bundle may have been made before the screen was there.
        known = first = moments[0][1]
        for at_s, position in moments[1:]:
            ways_ms += [(at_s - made_at_s[each]) * 1e3 for each in range(known + 1, position + 1)]
            known = position
        missed += max(0, known - first + 1 - count)
    silent = sum(not moments for moments in heard.screens)
    bench.add("events told, times screens", size, len(ways_ms), "")
    if ways_ms:
        bench.add("event to screen, median", size, quantile(ways_ms, 0.5), "ms")
        bench.add("event to screen, p99", size, quantile(ways_ms, 0.99), "ms")
        bench.add("event to screen, slowest", size, max(ways_ms), "ms")
    bench.add("events missed by a screen", size, missed, "")
    bench.add("screens hung up on or silent", size, heard.lost + silent, "")
    good = [1 for status, retry, _ in heard.refused if status == 503 and int(retry or 0) > 0]
    bench.add("screens too many, refused with Retry-After", size, len(good), f"of {TOO_MANY}")


def _report(bench: Benchmark, home: Home, city: CityDay, options: argparse.Namespace) -> None:
    """Let two hundred people report one burst."""
    found = report_one_burst(home, city, REPORTS)
    for fault in found.faults[:5]:
        print(f"  fault: {fault}", file=sys.stderr)
    size = options.pipes
    bench.add("reports of one burst", size, len(found.times_ms), "")
    bench.add("report taken in, median", size, quantile(found.times_ms, 0.5), "ms")
    bench.add("report taken in, p95", size, quantile(found.times_ms, 0.95), "ms")
    bench.add("reports linked to an incident", size, found.linked, "")
    bench.add("of these by itself", size, found.by_itself, "")
    bench.add("incidents of them", size, found.incidents, "")


def _check(bench: Benchmark, options: argparse.Namespace) -> None:
    """Hold the numbers against what was promised."""
    size = options.pipes

    def value(measure: str) -> float | None:
        return bench.value(measure, size)

    bench.check("assignment p99, ms", value("assignment, p99"), 200)
    bench.check("event to screen p99, ms", value("event to screen, p99"), 500)
    bench.check("requests that failed", value("requests that failed"), 0)
    bench.check("events missed by a screen", value("events missed by a screen"), 0)
    bench.check("screens hung up on or silent", value("screens hung up on or silent"), 0)
    bench.check("screens that listen", value("screens connected"), options.screens, is_floor=True)
    refused = value("screens too many, refused with Retry-After")
    bench.check("screens too many, refused with Retry-After", refused, TOO_MANY, is_floor=True)
    bench.check("report taken in p95, ms", value("report taken in, p95"), 200)
    bench.check("incidents of two hundred reports", value("incidents of them"), 1)
    linked = value("reports linked to an incident")
    bench.check("reports linked to it", linked, REPORTS, is_floor=True)


if __name__ == "__main__":
    sys.exit(main())
