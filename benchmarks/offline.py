"""
The crew's tablet without a network: nothing lost in chaos, a cold start, isolation on the device.

    ./run bench offline                    20 runs of 500 operations; a pack of 100,000 pipes
    ./run bench offline --runs 2 --operations 100 --pipes 10000
    ./run bench offline --json             one object for machines; progress goes to stderr

A run of chaos: two tabs of one tablet write operations and race to send them, while requests and
answers are lost, Chromium is killed with SIGKILL in the middle of writing, and `fieldops serve` is
stopped and started. What the page had called recorded must be in the log exactly once, in order.

A cold start: Chromium is started anew on the tablet's folder with the server stopped, and the time
runs from the address being opened until all jobs stand there, or the map has come to rest. The
slowest of several starts counts. Browser and page share this machine's cores with nobody.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import shutil
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.chaos import Chaos, Found, Plan
from benchmarks.cold_start import measure_starts
from benchmarks.lossy import LossyWay
from benchmarks.measure import Benchmark, quantile
from benchmarks.tablets import LOGIN, PASSWORD, make_person, opened_tablet, served_home
from fieldops.access import Role
from fieldops.events.service import SYSTEM
from fieldops.work_orders.service import OrderDraft, open_order

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType

    from benchmarks.tablets import ServedHome


def main() -> int:
    """Run what was asked for; the exit code tells whether every promise is kept."""
    options = _options()
    bench = Benchmark("offline")
    program = os.environ.get("FIELDOPS_CHROMIUM") or shutil.which("chromium")
    if not program:
        raise SystemExit("there is no Chromium: set FIELDOPS_CHROMIUM")
    with sync_playwright() as playwright:
        if options.runs:
            _chaos(bench, playwright.chromium, program, options)
        if options.pipes:
            measure_starts(bench, playwright.chromium, program, options.pipes)
    print(bench.as_json() if options.json else bench.as_table())
    return 0 if all(check.ok for check in bench.checks) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench offline", description=__doc__.split("\n")[1])
    parser.add_argument("--runs", type=int, default=20, help="of chaos; 0 leaves it out")
    parser.add_argument("--operations", type=int, default=500)
    parser.add_argument("--pipes", type=int, default=100_000, help="of the pack; 0 leaves it out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def _chaos(
    bench: Benchmark, chromium: BrowserType, program: str, options: argparse.Namespace
) -> None:
    """Break everything, again and again."""
    found = []
    with served_home() as served:
        with served.sessions.begin() as session:
            make_person(session, Role.CREW, Role.DISPATCHER)
        served.start()
        for seed in range(options.runs):
            plan = Plan(operations=options.operations, kills=3, restarts=1, seed=seed)
            found.append(_run(served, chromium, program, plan))
            _tell_run(seed + 1, found[-1])
    size = options.operations

    def add(measure: str, value: float, unit: str = "") -> None:
        bench.add(measure, size, value, unit, "counted by operations")

    add("runs", len(found))
    add("operations recorded", sum(each.recorded for each in found))
    add("operations in the log", sum(each.done for each in found))
    add("requests lost", sum(each.lost_requests for each in found))
    add("answers lost", sum(each.lost_answers for each in found))
    add("Chromium killed", sum(each.kills for each in found))
    add("server stopped and started", sum(each.restarts for each in found))
    add("seconds for a run, median", quantile([each.took_s for each in found], 0.5), "s")
    good = sum(each.is_good for each in found)
    bench.check("runs with each operation once, in order", good, options.runs, is_floor=True)
    least = min(each.recorded for each in found)
    bench.check("operations in the smallest run", least, options.operations, is_floor=True)
    bench.check("operations lost", sum(len(each.lost) for each in found), 0)
    bench.check("operations done twice", sum(len(each.doubled) for each in found), 0)
    bench.check("operations out of order", sum(each.out_of_order for each in found), 0)
    bench.check("operations refused or left", sum(each.refused + each.left for each in found), 0)
    spared = sum(not (each.kills and each.restarts and each.lost_answers) for each in found)
    bench.check("runs spared a kill, a stop or a lost answer", spared, 0)


def _tell_run(number: int, found: Found) -> None:
    verdict = "good" if found.is_good else f"BAD {found}"
    told = f"{found.recorded} recorded, {found.done} done, {found.lost_answers} answers lost"
    print(f"  run {number}: {verdict}, {told}, {found.took_s:.0f} s", file=sys.stderr, flush=True)


def _run(served: ServedHome, chromium: BrowserType, program: str, plan: Plan) -> Found:
    with served.sessions.begin() as session:
        draft = OrderDraft(kind="repair", severity="leak", lon=117.3, lat=31.1)
        order = open_order(session, draft, SYSTEM, dt.datetime.now(dt.UTC)).id
    way = LossyWay(served.port, random.Random(plan.seed)).start()  # noqa: S311 - no secret
    with opened_tablet(chromium, program, way.port) as tablet:
        try:
            return Chaos(tablet, way, served, plan).run(f"work_order:{order}", LOGIN, PASSWORD)
        finally:
            way.stop()


if __name__ == "__main__":
    sys.exit(main())
