"""The tablet started with no signal: how soon jobs and map are there, and isolation on it."""

from __future__ import annotations

import datetime as dt
import random
import time
from typing import TYPE_CHECKING

from benchmarks.chaos import SIGN_IN
from benchmarks.measure import quantile
from benchmarks.tablets import LOGIN, PASSWORD, make_person, opened_tablet, served_home
from fieldops.access import Role
from fieldops.events.service import SYSTEM, Operation
from fieldops.packs.queries import WHOLE
from fieldops.packs.service import bake, packs_folder
from fieldops.rosters import queries as rosters
from fieldops.settings import Settings
from fieldops.work_orders.service import OrderDraft, apply_operation, open_order
from gis.towns import make_town

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType
    from sqlalchemy.orm import Session

    from benchmarks.chaos import Tablet
    from benchmarks.measure import Benchmark
    from benchmarks.tablets import ServedHome
    from gis.towns import Town

SEED = 1
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
    const {countTexts} = await import("/static/js/tablet/pack_format.js");
    const pack = await topology();
    const facts = factsOf(pack);
    const pipes = countTexts(pack, "pipe_id");
    const took = [];
    for (let turn = 0; turn < breaks; turn += 1) {
        const pipe = (seed + turn * 7919) % pipes;
        const begun = performance.now();
        isolate(pack, facts, {pipe});
        took.push(performance.now() - begun);
    }
    return took;
}"""


def measure_starts(bench: Benchmark, chromium: BrowserType, program: str, pipes: int) -> None:
    """Fetch a day and a pack, take the server away, and start anew."""
    town = make_town(pipes, SEED)
    with served_home(town) as served:
        _prepare(bench, served, town, pipes)
        served.start()
        with opened_tablet(chromium, program, served.port) as tablet:
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
    now, chance = dt.datetime.now(dt.UTC), random.Random(SEED)  # noqa: S311 - a drill, no secret
    with served.sessions.begin() as session:
        person = make_person(session, Role.CREW)
        key = rosters.insert_crew(session, id=CREW, name="抢修1班")
        if key is None:
            raise SystemExit("there is a crew already")
        rosters.insert_member(session, key, name="李强", is_leader=True, person_id=person)
        hours = dt.timedelta(hours=8)
        shift = {"crew_key": key, "kind": "shift", "rank": None}
        rosters.insert_shifts(session, [shift | {"starts_at": now - hours, "ends_at": now + hours}])
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
