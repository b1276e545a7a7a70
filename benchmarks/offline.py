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
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.chaos import SIGN_IN, Chaos, Found, Plan, Tablet
from benchmarks.lossy import LossyWay
from benchmarks.measure import Benchmark, quantile
from benchmarks.served import CHECKOUT, FIELDOPS, temporary_home, wait_until_served
from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from fieldops.events.service import SYSTEM, Operation
from fieldops.packs.queries import WHOLE
from fieldops.packs.service import bake, packs_folder
from fieldops.rosters import queries as rosters
from fieldops.settings import Settings
from fieldops.work_orders.service import OrderDraft, apply_operation, open_order
from gis.towns import feature_lines, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserType
    from sqlalchemy.orm import Session, sessionmaker

    from benchmarks.served import Home
    from gis.towns import Town

SEED = 1
LOGIN, PASSWORD = "bench", "durch-dick-und-duenn"
CREW = "C-1"
JOBS = 8
STARTS = 5
BREAKS = 200
PATIENCE_MS = 120_000

FETCH = """async () => {
    const {refreshDay} = await import("/static/js/tablet/day.js");
    const {downloadPack, packState} = await import("/static/js/tablet/pack.js");
    const {isKeptOffline} = await import("/static/js/tablet/sw_register.js");
    await refreshDay();
    await downloadPack(() => {});
    for (let tries = 0; tries < 600 && !isKeptOffline(); tries += 1)
        await new Promise((done) => setTimeout(done, 100));
    return {bytes: (await packState()).bytes, isKept: isKeptOffline()};
}"""
READ_PACK = """async () => {
    const {topology} = await import("/static/js/tablet/pack.js");
    const begun = performance.now();
    await topology();
    return performance.now() - begun;
}"""
ISOLATE = """async ({breaks, seed}) => {
    const {topology} = await import("/static/js/tablet/pack.js");
    const {factsOf, isolate} = await import("/static/js/tablet/isolate.js");
    const pack = await topology();
    const facts = factsOf(pack);
    const pipes = pack.columns.pipe_order.length;
    const took = [];
    for (let turn = 0; turn < breaks; turn += 1) {
        const pipe = (seed + turn * 7919) % pipes;
        const begun = performance.now();
        isolate(pack, facts, {pipe});
        took.push(performance.now() - begun);
    }
    return took;
}"""


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
            _starts(bench, playwright.chromium, program, options.pipes)
    print(bench.as_json() if options.json else bench.as_table())
    return 0 if all(check.ok for check in bench.checks) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench offline", description=__doc__.split("\n")[1])
    parser.add_argument("--runs", type=int, default=20, help="of chaos; 0 leaves it out")
    parser.add_argument("--operations", type=int, default=500)
    parser.add_argument("--pipes", type=int, default=100_000, help="of the pack; 0 leaves it out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


@dataclass
class ServedHome:
    """`fieldops serve` on a home, at a port that stays."""

    home: Home
    _process: subprocess.Popen[bytes] | None = field(default=None)
    _sessions: sessionmaker[Session] | None = field(default=None)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.home.port

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Give sessions on its database."""
        if self._sessions is None:
            self._sessions = make_sessions(Cluster(self.home.folder).url())
        return self._sessions

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.home.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*FIELDOPS, "serve"], cwd=CHECKOUT, env=self.home.environ, stdout=log, stderr=log
            )
        wait_until_served(self.home, self._process)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        self._process = None

    def end(self) -> None:
        """Stop it for good."""
        self.stop()
        if self._sessions is not None:
            self._sessions.kw["bind"].dispose()


@contextmanager
def _served(town: Town | None = None) -> Iterator[ServedHome]:
    """Serve a home of its own, with a town in it, until the end."""
    with temporary_home() as home:
        home.run("db", "migrate")
        if town is not None:
            file = home.folder / "town.geojson"
            with file.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(f"{line}\n" for line in feature_lines(town))
            home.run("import", str(file), "--format", "json")
            file.unlink()
        served = ServedHome(home)
        try:
            yield served
        finally:
            served.end()


# ---- chaos --------------------------------------------------------------------------------------


def _chaos(
    bench: Benchmark, chromium: BrowserType, program: str, options: argparse.Namespace
) -> None:
    """Break everything, again and again."""
    found = []
    with _served() as served:
        with served.sessions.begin() as session:
            _make_person(session, Role.CREW, Role.DISPATCHER)
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
        order = open_order(session, draft, SYSTEM, _now()).id
    way = LossyWay(served.port, random.Random(plan.seed)).start()  # noqa: S311 - no secret
    with _tablet(chromium, program, way.port) as tablet:
        try:
            return Chaos(tablet, way, served, plan).run(f"work_order:{order}", LOGIN, PASSWORD)
        finally:
            way.stop()


@contextmanager
def _tablet(chromium: BrowserType, program: str, port: int) -> Iterator[Tablet]:
    """Give a tablet with an empty folder, and leave nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="fieldops-tablet-"))
    tablet = Tablet(chromium, program, folder, f"http://127.0.0.1:{port}")
    try:
        yield tablet
    finally:
        tablet.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _make_person(session: Session, *roles: Role) -> int:
    person = insert_person(session, login=LOGIN, name="李强", roles=roles, password_hash=None)
    set_password(session, person, PASSWORD)
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# ---- the cold start -----------------------------------------------------------------------------


def _starts(bench: Benchmark, chromium: BrowserType, program: str, pipes: int) -> None:
    """Fetch a day and a pack, take the server away, and start anew."""
    town = make_town(pipes, SEED)
    with _served(town) as served:
        _prepare(bench, served, town, pipes)
        served.start()
        with _tablet(chromium, program, served.port) as tablet:
            _fetch(bench, tablet, pipes)
            tablet.close()
            served.stop()
            for name, route, shown in (
                ("job list", "jobs", f"main[data-jobs='{JOBS}']"),
                ("map", "map", "main [data-map-state=idle]"),
            ):
                took = [_start(tablet, route, shown) for _ in range(STARTS)]
                bench.add(f"cold start to the {name}, median", pipes, quantile(took, 0.5), "s")
                bench.add(f"cold start to the {name}, slowest", pipes, max(took), "s")
            _isolate(bench, tablet, pipes)

    def value(measure: str) -> float | None:
        return bench.value(measure, pipes)

    jobs, drawn = (
        value("cold start to the job list, slowest"),
        value("cold start to the map, slowest"),
    )
    bench.check("cold offline start to the job list, s", jobs, 2)
    bench.check("cold offline start to the map, s", drawn, 3)
    bench.check("isolation on the device, slowest, ms", value("isolation, slowest"), 200)
    bench.check("pipes in the pack", pipes, 100_000, is_floor=True)


def _prepare(bench: Benchmark, served: ServedHome, town: Town, pipes: int) -> None:
    """Give a crew its jobs, and bake the pack."""
    now, chance = _now(), random.Random(SEED)  # noqa: S311 - a drill, no secret
    with served.sessions.begin() as session:
        person = _make_person(session, Role.CREW)
        key = rosters.insert_crew(session, id=CREW, name="抢修1班")
        if key is None:
            raise SystemExit("there is a crew already")
        rosters.insert_member(session, key, name="李强", is_leader=True, person_id=person)
        for left in reversed(range(JOBS)):
            lon, lat = chance.choice(town.bend_lon_lat).tolist()
            draft = OrderDraft(
                kind="repair",
                severity="leak",
                lon=lon,
                lat=lat,
                address="长江路 18 号",
                is_triaged=True,
            )
            order = open_order(session, draft, SYSTEM, now).id
            _act(session, order, "assign", now, crew=CREW)
            if left:
                later = (now + dt.timedelta(hours=3)).isoformat()
                _act(session, order, "hold", now, reason="等待物资", resume_by=later)
    begun_s = time.perf_counter()
    settings = Settings.from_environ({**served.home.environ})
    with served.sessions.begin() as session:
        bake(session, packs_folder(settings), now, asked=WHOLE)
    bench.add("pack baked", pipes, time.perf_counter() - begun_s, "s")


def _act(session: Session, order: str, action: str, now: dt.datetime, **body: str) -> None:
    operation = Operation(subject_kind="work_order", subject_id=order, action=action, body=body)
    outcome = apply_operation(session, operation, SYSTEM, now)
    if outcome.status != "applied":
        raise SystemExit(f"{action} of {order}: {outcome}")


def _fetch(bench: Benchmark, tablet: Tablet, pipes: int) -> None:
    tablet.open(tabs=1)
    page = tablet.pages[0]
    page.evaluate(SIGN_IN, {"login": LOGIN, "password": PASSWORD, "name": "平板 1"})
    begun_s = time.perf_counter()
    told = page.evaluate(FETCH)
    if not told["isKept"]:
        raise SystemExit("the page is not kept for a start without a network")
    bench.add("day, page and pack fetched", pipes, time.perf_counter() - begun_s, "s")
    bench.add("pack", pipes, told["bytes"] / 1e6, "MB")


def _start(tablet: Tablet, route: str, shown: str) -> float:
    """Start Chromium, open a page, and give the seconds until it is there."""
    tablet.launch()
    page = tablet.pages[0]
    begun_s = time.perf_counter()
    page.goto(f"{tablet.url}/tablet#/{route}", wait_until="commit")
    page.wait_for_selector(shown, timeout=PATIENCE_MS)
    took_s = time.perf_counter() - begun_s
    tablet.close()
    return took_s


def _isolate(bench: Benchmark, tablet: Tablet, pipes: int) -> None:
    tablet.open(tabs=1)
    page = tablet.pages[0]
    bench.add("pack read on the device", pipes, page.evaluate(READ_PACK), "ms")
    took = page.evaluate(ISOLATE, {"breaks": BREAKS, "seed": SEED})
    bench.add("isolation, first", pipes, took[0], "ms")
    bench.add("isolation, median", pipes, quantile(took, 0.5), "ms")
    bench.add("isolation, p95", pipes, quantile(took, 0.95), "ms")
    bench.add("isolation, slowest", pipes, max(took), "ms")
    tablet.close()


if __name__ == "__main__":
    sys.exit(main())
