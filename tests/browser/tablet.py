"""A crew's tablet in a browser: a town at work, somebody signed in, and the network taken away."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.events.service import Actor, Operation
from fieldops.incidents.service import IncidentDraft, find_incident, open_incident
from fieldops.live_outages.service import OutageDraft, open_outage
from fieldops.packs.queries import WHOLE
from fieldops.packs.service import bake, packs_folder
from fieldops.rosters.service import (
    CrewDraft,
    MemberDraft,
    ShiftDraft,
    add_crew,
    add_member,
    plan_shifts,
)
from fieldops.settings import CHECKOUT
from fieldops.work_orders.service import OrderDraft, apply_operation, open_order
from tests.browser.conftest import PATIENCE_MS, serve_town
from tests.people import bearer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Locator, Page
    from sqlalchemy.orm import Session

    from fieldops.work_orders.service import WorkOrder
    from tests.browser.conftest import Site

LOGIN, PASSWORD = "li.qiang", "drei-schieber-im-regen"
CREW, OTHER_CREW = "C-1", "C-2"
PIPE = "P309"
"""Two valves close it, for 184 properties; without V233 it takes three, for 265."""
STUCK = "V233"
DISPATCHER = Actor(name="王芳", roles=frozenset({"dispatcher"}))
LANDSCAPE, PORTRAIT = (1280, 800), (800, 1280)


@dataclass(frozen=True, slots=True)
class Shift:
    """A town with a burst, and a crew that is sent to it."""

    site: Site
    incident: str
    order: str
    outage: str
    headers: dict[str, str]
    """With which a dispatcher asks."""


@contextmanager
def serve_shift(home: Path, *, is_packed: bool = True, ago_min: float = 20) -> Iterator[Shift]:
    """Serve the sample town with a burst, its outage, and a crew to which the repair is given."""
    text = (CHECKOUT / "sample_network.geojson").read_text()
    with serve_town(text, home) as site:
        now = dt.datetime.now(dt.UTC)
        with site.sessions.begin() as session:
            person = insert_person(
                session, login=LOGIN, name="李强", roles=(Role.CREW,), password_hash=None
            )
            set_password(session, person, PASSWORD)
            for crew, name in ((CREW, "抢修1班"), (OTHER_CREW, "抢修2班")):
                add_crew(session, CrewDraft(id=crew, name=name), DISPATCHER, now)
                hours = dt.timedelta(hours=5), dt.timedelta(hours=9)
                shift = ShiftDraft(kind="shift", starts_at=now - hours[0], ends_at=now + hours[1])
                plan_shifts(session, crew, shift, DISPATCHER, now)
            add_member(session, CREW, MemberDraft(name="李强", login=LOGIN), DISPATCHER, now)
        if is_packed:
            with site.sessions.begin() as session:
                settings = site.app.extensions["fieldops.settings"]
                bake(session, packs_folder(settings), now, asked=WHOLE)
        with site.sessions.begin() as session:
            incident, order, outage = begin_burst(session, now, ago_min)
        with site.sessions() as session:
            headers = bearer(session, Role.DISPATCHER)
        yield Shift(site, incident, order, outage, headers)


def begin_burst(session: Session, now: dt.datetime, ago_min: float) -> tuple[str, str, str]:
    """Open an incident, its outage and its repair, and give the repair to the crew."""
    begun = now - dt.timedelta(minutes=ago_min)
    place = find_pipe(session, PIPE)
    draft = IncidentDraft(kind="burst", pipe_key=place, at_m=10.0, address="长江路 18 号")
    incident = open_incident(session, draft, DISPATCHER, begun)
    live = open_outage(session, OutageDraft(pipe=PIPE, incident_id=incident.id), DISPATCHER, begun)
    incident = find_incident(session, incident.id)
    order = open_order(
        session,
        OrderDraft(
            kind="repair",
            severity="burst",
            lon=incident.lon,
            lat=incident.lat,
            incident_key=incident.key,
            outage_key=live.key,
            address=incident.address,
            pipe_key=place,
            at_m=10.0,
            diameter_mm=200.0,
            needs_excavation=True,
            task="路面冒水",
            reported_at=begun,
            is_triaged=True,
        ),
        DISPATCHER,
        begun,
    )
    act(session, order, "assign", {"crew": CREW}, begun + dt.timedelta(minutes=8))
    return incident.id, order.id, live.id


def act(
    session: Session, order: WorkOrder, action: str, body: dict[str, Any], now: dt.datetime
) -> None:
    """Let dispatch take a step."""
    operation = Operation(subject_kind="work_order", subject_id=order.id, action=action, body=body)
    outcome = apply_operation(session, operation, DISPATCHER, now)
    assert outcome.status == "applied", outcome


def find_pipe(session: Session, name: str) -> int:
    """Give a pipe's key."""
    from sqlalchemy import text

    found: int = session.execute(
        text("SELECT key FROM pipe WHERE id = :id"), {"id": name}
    ).scalar_one()
    return found


@dataclass
class Tablet:
    """The tablet's page, in hand."""

    page: Page
    url: str
    pictures: Path | None = None
    faults: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, context: BrowserContext, url: str) -> Tablet:
        """Open the page for the first time."""
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        kept = os.environ.get("FIELDOPS_PICTURES")
        tablet = cls(page, url, Path(kept) if kept else None)
        if tablet.pictures is not None:
            tablet.pictures.mkdir(parents=True, exist_ok=True)
        page.on("pageerror", lambda error: tablet.faults.append(str(error)))
        page.goto(f"{url}/tablet")
        tablet.rest()
        return tablet

    @property
    def context(self) -> BrowserContext:
        """The browser that it runs in."""
        return self.page.context

    def rest(self) -> None:
        """Wait until the page is there, and whatever it shows."""
        self.page.wait_for_selector("html[data-page=ready]")
        self.page.wait_for_selector("main#page:not([data-state=opening])")

    def ask(self, module: str, code: str, told: object = None) -> Any:  # noqa: ANN401 - JSON
        """Ask one of the page's own modules: `code` is an expression of `m` and `told`."""
        return self.page.evaluate(
            f'async (told) => {{ const m = await import("/static/js/tablet/{module}.js");'
            f" return await ({code}); }}",
            told,
        )

    def sign_in(self, login: str = LOGIN, password: str = PASSWORD) -> None:
        """Sign in for the shift, as a person does."""
        self.go("#/sign-in")
        self.page.fill("[name=login]", login)
        self.page.fill("[name=password]", password)
        name = self.page.locator("[name=name]")
        if name.count():
            name.fill("平板 1")
        self.page.click("main button.primary")
        self.page.wait_for_selector("main[data-page=jobs]")

    def prepare(self, *, is_packed: bool = True) -> None:
        """Wait for all that a day without a network needs: the page, the jobs and the map."""
        assert self.ask("day", "m.refreshDay().then((day) => day !== null)")
        if is_packed:
            self.ask("pack", "m.downloadPack(() => {})")
        deadline = 300
        while not self.ask("sw_register", "m.isKeptOffline()") and deadline:
            self.page.wait_for_timeout(100)
            deadline -= 1
        assert deadline, "the page is not kept"

    def go(self, route: str) -> None:
        """Go to a page of the tablet, and wait until it is shown."""
        self.page.evaluate("(route) => { location.hash = route; }", route)
        name = route.removeprefix("#/").partition("/")[0].partition("?")[0]
        self.page.wait_for_selector(f"main[data-page='{name}']:not([data-state=opening])")

    def settle(self) -> None:
        """Wait until nothing changes any more, as far as the eye can see."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def offline(self) -> None:
        """Take the network away, also from the service worker."""
        self.context.set_offline(True)

    def online(self) -> None:
        """Give it back."""
        self.context.set_offline(False)

    def job(self, order: str) -> None:
        """Open a job."""
        self.go(f"#/job/{order}")

    def main_button(self, action: str) -> Locator:
        """Give the one main button, which must be for that."""
        found = self.page.locator("main [data-main]")
        expect(found).to_have_attribute("data-main", action)
        return found

    def choose(self, name: str, code: str) -> None:
        """Press one of a few."""
        self.page.click(f"[data-name={name}] [data-code={code}]")

    def record(self) -> None:
        """Press the button that records, and wait until its page is left."""
        self.page.click("main [data-record]")
        self.page.wait_for_selector("main [data-record]", state="detached")

    def attach(self, name: str, picture: bytes) -> None:
        """Choose a photo for a field, and wait until it is kept."""
        group = self.page.locator(f"[data-name={name}]")
        group.locator("input[type=file]").last.set_input_files(
            {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": picture}
        )
        expect(group.locator("[role=status]")).to_contain_text("1")

    def ops(self) -> list[dict[str, Any]]:
        """List what is recorded on the device."""
        found: list[dict[str, Any]] = self.ask("outbox", "m.listOps()")
        return found

    def unsent(self) -> int:
        """Count operations and photos that the server has not got."""
        found = self.ask("outbox", "m.counts()")
        return int(found["unsent"] + found["photos"])

    def send(self) -> None:
        """Send all there is."""
        self.ask("sender", "m.sendNow()")

    def picture(self, name: str) -> None:
        """Keep what can be seen, where FIELDOPS_PICTURES names a folder."""
        if self.pictures is None:
            return
        if self.page.locator("main .job-map, main.map-page").count():
            drawn = "main .map-frame[data-map-state=idle]"
            self.page.wait_for_selector(f"{drawn}, main .job-map .notice")
        self.page.screenshot(path=self.pictures / f"{name}.png")
