"""
Everything that can go wrong between a tablet and the server, at once, and what is left of it.

Two tabs of one tablet write operations as fast as they can and race to send them, while requests
and answers get lost, Chromium is killed (SIGKILL, so that nothing is tidied up) and the server is
stopped and started. What the tablet had said is recorded must be done exactly once, in order.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from playwright.sync_api import Error
from sqlalchemy import text

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, BrowserType, Page
    from sqlalchemy.orm import Session, sessionmaker

    from benchmarks.lossy import LossyWay, Quality

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
]
SIZE = {"width": 1280, "height": 800}
MOST_AT_ONCE = 8
MOST_AHEAD = 24
PATIENCE_MS = 30_000
LONGEST_QUIET_S = 180.0
LONGEST_LOSS_S = 10.0

SIGN_IN = """async (who) => {
    const {signIn} = await import("/static/js/tablet/session.js");
    await signIn(who);
}"""
IS_KEPT = """async () => {
    const {isKeptOffline} = await import("/static/js/tablet/sw_register.js");
    for (let tries = 0; tries < 300 && !isKeptOffline(); tries += 1)
        await new Promise((done) => setTimeout(done, 100));
    return isKeptOffline();
}"""
WRITE = """async ({subject, tab, first, count}) => {
    const {enqueue} = await import("/static/js/tablet/outbox.js");
    const {sendNow} = await import("/static/js/tablet/sender.js");
    const write = async (number) => {
        const body = {text: `${tab}:${number}`};
        const {op_id} = await enqueue({subject, action: "note", body});
        await globalThis.recorded({op_id, tab, number});
    };
    globalThis.chaos = (globalThis.chaos ?? Promise.resolve()).then(async () => {
        for (let number = first; number < first + count; number += 1) await write(number);
    });
    void sendNow();
}"""
TRY_TO_SEND = """async () => {
    void (await import("/static/js/tablet/sender.js")).sendNow();
}"""
ALL_WRITTEN = "async () => { await globalThis.chaos; }"
SEND = """async () => {
    const {sendNow} = await import("/static/js/tablet/sender.js");
    const {counts} = await import("/static/js/tablet/outbox.js");
    await Promise.race([sendNow(), new Promise((done) => setTimeout(done, 5000))]);
    return counts();
}"""


class Server(Protocol):
    """What the tablet talks to, and what can be stopped and started."""

    @property
    def port(self) -> int:
        """Tell where it listens."""

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Give sessions on its database."""

    def stop(self) -> None:
        """Go away."""

    def start(self) -> None:
        """Come back, at the same port."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is written, and what goes wrong meanwhile."""

    operations: int = 500
    kills: int = 3
    restarts: int = 2
    seed: int = 1


@dataclass(slots=True)
class Found:
    """What came of a run."""

    recorded: int = 0
    done: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: int = 0
    refused: int = 0
    lost_requests: int = 0
    lost_answers: int = 0
    kills: int = 0
    restarts: int = 0
    took_s: float = 0.0
    left: int = 0

    @property
    def is_good(self) -> bool:
        """Whether every operation was done exactly once, in order."""
        wrong = (self.lost, self.doubled, self.out_of_order, self.refused, self.left)
        return not any(wrong) and self.done >= self.recorded > 0


class Tablet:
    """Chromium with a folder of its own, which outlives it."""

    def __init__(self, chromium: BrowserType, program: str, folder: Path, url: str) -> None:
        """Start nothing yet."""
        self.chromium, self.program, self.folder, self.url = chromium, program, folder, url
        self.context: BrowserContext | None = None
        self.pages: list[Page] = []
        self.recorded: dict[str, tuple[str, int]] = {}

    def open(self, tabs: int = 2) -> None:
        """Start it, and open the tablet's page in as many tabs."""
        self.launch(tabs)
        for page in self.pages:
            page.goto(f"{self.url}/tablet#/outbox", wait_until="commit")
        for page in self.pages:
            page.wait_for_selector("html[data-page=ready]")

    def launch(self, tabs: int = 1) -> None:
        """Start it with as many empty tabs."""
        for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
            (self.folder / name).unlink(missing_ok=True)
        self.context = self.chromium.launch_persistent_context(
            str(self.folder),
            executable_path=self.program,
            args=FLAGS,
            viewport=SIZE,  # type: ignore[arg-type]
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.expose_function("recorded", self._note)
        self.pages = [*self.context.pages][:1]
        while len(self.pages) < tabs:
            self.pages.append(self.context.new_page())

    def _note(self, said: dict[str, Any]) -> None:
        self.recorded[said["op_id"]] = (said["tab"], said["number"])

    def processes(self) -> list[int]:
        """Find every process that works on its folder, its first one first."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if f"--user-data-dir={self.folder}".encode() in command:
                    found.append(int(folder.name))
        return sorted(found)

    def kill(self) -> None:
        """Kill it as a battery does that falls out."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.context is not None:
            with suppress(Error):
                self.context.close()
        deadline = time.monotonic() + 20
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.context, self.pages = None, []

    def close(self) -> None:
        """Close it as a person does."""
        if self.context is not None:
            self.context.close()
        self.context, self.pages = None, []


class Chaos:
    """One run."""

    def __init__(self, tablet: Tablet, way: LossyWay, server: Server, plan: Plan) -> None:
        """Take what is there."""
        self.tablet, self.way, self.server, self.plan = tablet, way, server, plan
        self.chance = random.Random(plan.seed)  # noqa: S311 - a drill, no secret
        self.numbers = {"A": 0, "B": 0}
        self.asked = 0
        self.found = Found()

    def run(self, subject: str, login: str, password: str) -> Found:
        """Write, break, mend, and look what is left."""
        begun_s = time.monotonic()
        self.tablet.open()
        first = self.tablet.pages[0]
        first.evaluate(SIGN_IN, {"login": login, "password": password, "name": "平板 1"})
        assert first.evaluate(IS_KEPT), "the page is not kept for a day without a network"
        faults = ["kill"] * self.plan.kills + ["restart"] * self.plan.restarts
        self.chance.shuffle(faults)
        # The first fault strikes with no network, when all there is lies on the device.
        qualities: list[Quality] = ["off", "lossy", "off", "lossy", "good", "lossy"]
        steps = max(len(faults) + 1, 6)
        self.way.become("off")
        for step in range(steps):
            self.way.become(qualities[step % len(qualities)])
            wanted = self.plan.operations * (step + 1) / steps
            deadline = time.monotonic() + LONGEST_QUIET_S
            while len(self.tablet.recorded) < wanted:
                assert time.monotonic() < deadline, "the tablet records nothing any more"
                if self.asked - len(self.tablet.recorded) < MOST_AHEAD:
                    self._burst(subject)
                self._wait(self.chance.uniform(30, 250))
            self._lose_something()
            if step < len(faults):
                self._burst(subject)
                self._wait(self.chance.uniform(0, 200))
                self._break(faults[step])
        self._calm()
        self.found.took_s = time.monotonic() - begun_s
        self._check(subject)
        return self.found

    def _burst(self, subject: str) -> None:
        """Let both tabs write a few more, without waiting for them."""
        for tab, page in zip("AB", self.tablet.pages, strict=True):
            count = self.chance.randint(1, MOST_AT_ONCE)
            first = self.numbers[tab]
            self.numbers[tab] += count
            self.asked += count
            page.evaluate(WRITE, {"subject": subject, "tab": tab, "first": first, "count": count})

    def _lose_something(self) -> None:
        """Where the way is lossy, wait until it was: a busy machine may not have sent yet."""
        deadline = time.monotonic() + LONGEST_LOSS_S
        before = self.way.lost_answers
        while self.way.quality == "lossy" and self.way.lost_answers == before:
            if time.monotonic() > deadline:
                return
            self.tablet.pages[0].evaluate(TRY_TO_SEND)
            self._wait(50)

    def _wait(self, wait_ms: float) -> None:
        self.tablet.pages[0].wait_for_timeout(wait_ms)

    def _break(self, fault: str) -> None:
        if fault == "kill":
            self.tablet.kill()
            # What was not recorded by then never will be.
            self.asked = len(self.tablet.recorded)
            self.found.kills += 1
            self.tablet.open()
        else:
            self.server.stop()
            self._wait(self.chance.uniform(100, 600))
            self.server.start()
            self.found.restarts += 1

    def _calm(self) -> None:
        """Give it a good way, and time to send all that it has."""
        for page in self.tablet.pages:
            page.evaluate(ALL_WRITTEN)
        self.way.become("good")
        deadline = time.monotonic() + LONGEST_QUIET_S
        while time.monotonic() < deadline:
            told = self.tablet.pages[0].evaluate(SEND)
            self.found.left = told["unsent"] + told["parked"]
            if not self.found.left:
                return
            self._wait(200)

    def _check(self, subject: str) -> None:
        """Hold what the log tells against what the tablet said is recorded."""
        found, recorded = self.found, self.tablet.recorded
        query = text(
            "SELECT o.op_id::text, o.result->>'status', o.sequence, min(e.position), count(e.*),"
            " min(e.body->>'text') FROM operation o LEFT JOIN event e ON e.op_id = o.op_id"
            " WHERE o.subject = :subject"
            " GROUP BY o.op_id ORDER BY o.sequence"
        )
        with self.server.sessions() as session:
            rows = session.execute(query, {"subject": subject}).all()
        done = {
            op_id: (status, position, count, said)
            for op_id, status, _, position, count, said in rows
        }
        found.recorded, found.done = len(recorded), len(done)
        found.refused = sum(status != "applied" for status, *_ in done.values())
        found.lost = [op_id for op_id in recorded if op_id not in done]
        found.doubled = [op_id for op_id, (_, _, count, _) in done.items() if count != 1]
        positions = [position for *_, position, _, _ in rows]
        found.out_of_order = sum(b <= a for a, b in itertools.pairwise(positions))
        for op_id, (tab, number) in recorded.items():
            if op_id in done and done[op_id][3] != f"{tab}:{number}":
                found.lost.append(op_id)
        # Also one that the killed page had not told of yet may be there, but each tab's in order.
        for tab in "AB":
            told = [int(said[2:]) for *_, said in rows if said and said.startswith(f"{tab}:")]
            found.out_of_order += sum(b <= a for a, b in itertools.pairwise(told))
        found.lost_requests, found.lost_answers = self.way.lost_requests, self.way.lost_answers
