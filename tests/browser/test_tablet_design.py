"""Every page of the tablet, measured: large enough for gloves, far enough apart, dark enough."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fieldops.settings import CHECKOUT
from tests.browser.tablet import LANDSCAPE, PORTRAIT, STUCK, Tablet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MEASURE = Path(__file__).with_name("measure_page.js").read_text()
AXE = (CHECKOUT / "node_modules/axe-core/axe.min.js").read_text()
RUN_AXE = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"]});
    return violations
        .filter(({impact}) => impact === "serious" || impact === "critical")
        .map(({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(" ")).join(", ")}`);
}"""
ALL_LOOKS = [
    (language, theme, size)
    for language in ("zh_CN", "en")
    for theme in ("light", "dark")
    for size in (LANDSCAPE, PORTRAIT)
]
LOOKS = [("zh_CN", "light", LANDSCAPE), ("en", "dark", PORTRAIT)]
"""Each language, each theme and each position once; all together where somebody looks at them."""
STEPS = ("start", "enter_chamber", "dig", "hold", "finish", "hand_over", "findings", "second_crew")


@contextmanager
def opened(shift: Shift, browser: Browser) -> Iterator[Tablet]:
    """Open a tablet that was never used; none of its pages may fail in the browser."""
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    tablet = Tablet.open(context, shift.site.url)
    tablet.page.evaluate(f"{AXE}; undefined")
    yield tablet
    context.close()
    assert tablet.faults == []


def look_at(tablet: Tablet, name: str, route: str) -> list[str]:
    """Measure a page in each language, theme and position, and have axe look at it."""
    faults: list[str] = []
    for language, theme, size in ALL_LOOKS if tablet.pictures else LOOKS:
        tablet.page.set_viewport_size({"width": size[0], "height": size[1]})
        tablet.ask("theme", "m.setTheme(told)", theme)
        tablet.ask("words", "m.setLanguage(told)", language)
        tablet.go(route)
        tablet.settle()
        look = f"{name}-{language}-{theme}-{'x'.join(map(str, size))}"
        faults += [f"{look}: {each}" for each in tablet.page.evaluate(MEASURE)]
        if (language, theme, size) == LOOKS[0]:
            faults += [f"{look}: axe: {each}" for each in tablet.page.evaluate(RUN_AXE)]
        tablet.picture(look)
    return sorted(set(faults))


def hold(faults: list[str]) -> None:
    """Hold what was found against nothing."""
    assert not faults, json.dumps(faults, ensure_ascii=False, indent=1)


def test_the_page_to_sign_in(shift: Shift, browser: Browser) -> None:
    """As it is when the tablet was never used."""
    with opened(shift, browser) as tablet:
        hold(look_at(tablet, "sign-in", "#/sign-in"))


@pytest.fixture(scope="module")
def signed_in(shift: Shift, browser: Browser) -> Iterator[Tablet]:
    """Sign in, with all that a day needs, and take the network away."""
    with opened(shift, browser) as tablet:
        tablet.sign_in()
        tablet.prepare()
        tablet.offline()
        yield tablet


@pytest.mark.parametrize("name", ["jobs", "map", "register", "propose", "outbox", "settings"])
def test_a_page_with_no_signal(signed_in: Tablet, name: str) -> None:
    """Nothing is too small for gloves or too pale for the sun."""
    hold(look_at(signed_in, name, f"#/{name}"))


def test_every_page_of_a_job(signed_in: Tablet, shift: Shift) -> None:
    """In each state of the order: its face, each step's form, a valve, the next ring, a part."""
    faults: list[str] = []
    route = f"#/job/{shift.order}"
    for action, routes in {
        "accept": [""],
        "depart": [""],
        "arrive": [""],
        "start": ["", "?do=start", "?do=enter_chamber", "?do=hand_over"],
        "finish": ["", "?do=dig", "?do=hold", "?do=findings", "?do=second_crew", f"?valve={STUCK}"],
    }.items():
        for more in routes:
            faults += look_at(signed_in, f"job-{action}{more.replace('?', '-')}", route + more)
        if action != "finish":
            step(signed_in, shift.order, action)
    outage = {"id": shift.outage, "valve": STUCK}
    signed_in.ask(
        "outbox",
        "m.enqueue({subject: `outage:${told.id}`, action: 'confirm_valve',"
        " body: {valve: told.valve, result: 'will_not_close'}})",
        outage,
    )
    faults += look_at(signed_in, "job-ring", f"{route}?ring={STUCK}")
    faults += look_at(signed_in, "job-finish-form", f"{route}?do=finish")
    faults += look_at(signed_in, "outbox-full", "#/outbox")
    hold(faults)


def step(tablet: Tablet, order: str, action: str) -> None:
    """Record a step as its form would."""
    body = {"safety_briefing": True} if action == "start" else {}
    tablet.ask(
        "local_state",
        "m.jobNow(told.order).then((job) => m.recordStep(job, told.action, told.body))",
        {"order": order, "action": action, "body": body},
    )
