"""The map in a real browser, asked who loses supply if a pipe breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from sqlalchemy import text

from fieldops.access import Role
from tests.browser.conftest import NASTY_PIPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import MapPage, Site

    OpenMap = Callable[..., MapPage]


pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Words(NamedTuple):
    """What the page says in a language."""

    language: str
    pipe: str
    isolated: str
    more_valves: str
    stopped: str


WORDS = [
    Words("zh_CN", "管段 P160", "关闭 2 个阀门即可止水。", "+3 个阀门", "止水"),
    Words("en", "Pipe P160", "Isolated by closing 2 valves.", "+3 valves", "Water stopped"),
]


def place_on(site: Site, pipe: str, share: float) -> tuple[float, float]:
    """Find a place along a pipe."""
    with site.sessions() as session:
        row = session.execute(
            text(
                "SELECT ST_X(place), ST_Y(place) FROM (SELECT"
                " ST_LineInterpolatePoint(geometry, :share) AS place FROM pipe WHERE id = :id) it"
            ),
            {"id": pipe, "share": share},
        ).one()
    return row[0], row[1]


def place_of(site: Site, valve: str) -> tuple[float, float]:
    """Find where a valve stands."""
    with site.sessions() as session:
        row = session.execute(
            text("SELECT ST_X(geometry), ST_Y(geometry) FROM valve WHERE id = :id"), {"id": valve}
        ).one()
    return row[0], row[1]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.language)
def test_a_click_on_a_pipe_tells_valves_customers_and_times_and_a_stuck_valve_changes_them(
    open_map: OpenMap, site: Site, words: Words
) -> None:
    """The whole of it, as a dispatcher does it."""
    page = open_map(language=words.language)
    page.click(*place_on(site, "P160", 0.3))
    page.wait_for_answer()

    assert page.text("#drawer-title") == words.pipe
    assert page.text("[data-part=verdict]") == words.isolated
    closing = page.page.locator("ol.valves > li")
    assert sorted(closing.evaluate_all("all => all.map(one => one.dataset.valve)")) == [
        "V131",
        "V132",
    ]
    assert page.text(".headline strong") == "172"
    assert words.stopped in page.text("[data-part=times]")
    assert page.page.locator("[data-part=times] time").count() == 2
    assert "at_m=" in page.page.url
    page.picture(f"clicked-{words.language}")

    page.page.click("li[data-valve=V131] summary")
    page.page.click("li[data-valve=V131] [data-supposition=inoperable]")
    page.page.wait_for_selector("[data-part=difference]")
    changes = page.text("[data-part=difference]")
    assert words.more_valves in changes
    assert "V018" in changes
    assert "+221" in changes
    assert page.text(".headline strong") == "393"
    page.picture(f"stuck-{words.language}")

    page.page.click("[data-part=difference] button")
    page.page.wait_for_selector("[data-part=difference]", state="detached")
    assert page.text(".headline strong") == "172"


def test_a_fact_is_recorded_only_after_its_customers_were_shown(
    open_map: OpenMap, site: Site
) -> None:
    """Two steps, with the number; then everybody's answer has changed."""
    page = open_map("/?pipe=P160&at_m=30")
    page.wait_for_answer()
    page.page.click("li[data-valve=V131] summary")
    page.page.click("li[data-valve=V131] [data-record=inoperable]")
    page.page.wait_for_selector("#confirm:enabled")
    assert "+221 properties" in page.text("#confirmation")
    assert "393 properties" in page.text("#confirmation")
    page.picture("confirm")
    assert facts_of(site, "V131") == ("open", "operable", True)

    page.page.click("#confirm")
    page.page.wait_for_selector("li[data-valve=V134]")
    assert facts_of(site, "V131") == ("open", "inoperable", True)
    assert page.text(".headline strong") == "393"
    assert page.page.locator("#notice").is_hidden()
    page.rest()
    restore(site, "V131")


def facts_of(site: Site, valve: str) -> tuple[str, str, bool]:
    """Read what is recorded of a valve."""
    with site.sessions() as session:
        row = session.execute(
            text("SELECT position, operability, reachable FROM valve WHERE id = :id"),
            {"id": valve},
        ).one()
    return row[0], row[1], row[2]


def restore(site: Site, valve: str) -> None:
    """Record that a valve is as the town's file has it."""
    with site.sessions.begin() as session:
        session.execute(
            text("UPDATE valve SET operability = 'operable' WHERE id = :id"), {"id": valve}
        )


def test_everything_can_be_done_with_the_keyboard(open_map: OpenMap) -> None:
    """Search, open, suppose and close without a mouse."""
    page = open_map()
    page.rest()
    keyboard = page.page.keyboard
    keyboard.press("?")
    page.page.wait_for_selector("#help[open]")
    keyboard.press("Escape")
    keyboard.press("/")
    keyboard.type("p160")
    page.page.wait_for_selector("#results li[data-id=P160][aria-selected=true]")
    keyboard.press("Enter")
    page.wait_for_answer()
    assert page.text("#drawer-title") == "Pipe P160"
    while page.page.evaluate("document.activeElement.dataset.focus ?? ''") != "actions V131":
        keyboard.press("Tab")
    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.press("Enter")
    page.page.wait_for_selector("[data-part=difference]")
    keyboard.press("Escape")
    page.page.wait_for_selector("#drawer", state="hidden")
    assert "pipe=" not in page.page.url


def test_markup_in_an_id_is_only_text(open_map: OpenMap, site: Site) -> None:
    """An id with HTML, quotes, a slash and a Chinese letter works, and harms nothing."""
    page = open_map()
    page.click(*place_on(site, NASTY_PIPE, 0.5))
    page.wait_for_answer()
    assert page.text("#drawer-title") == f"Pipe {NASTY_PIPE}"
    assert page.page.locator("#drawer img").count() == 0
    page.page.fill("#search", "<img")
    page.page.wait_for_selector("#results li")
    assert NASTY_PIPE in page.text("#results")
    assert "hurt" not in page.page.title()


def test_a_service_agent_may_suppose_but_not_record(open_map: OpenMap) -> None:
    """What one may not do is not offered."""
    page = open_map("/?pipe=P160&at_m=30", role=Role.SERVICE_AGENT, size=(820, 1180))
    page.wait_for_answer()
    page.page.click("li[data-valve=V131] summary")
    assert page.page.locator("[data-supposition]").count() == 6
    assert page.page.locator("[data-record]").count() == 0
    page.picture("tablet")


def test_a_page_without_a_connection_says_so(open_map: OpenMap) -> None:
    """What is seen may be old, and is never shown as if it were not."""
    page = open_map("/?pipe=P160&at_m=30")
    page.wait_for_answer()
    page.rest()
    page.page.context.set_offline(offline=True)
    page.page.wait_for_selector("#notice[data-matter=offline]")
    page.page.click("li[data-valve=V131] summary")
    page.page.click("li[data-valve=V131] [data-supposition=inoperable]")
    page.page.wait_for_selector("#drawer[data-answer-state=failed]")
    assert "No answer" in page.text("#drawer-body")
    page.page.context.set_offline(offline=False)
    page.page.wait_for_selector("#notice", state="hidden")
    open_map.faults.clear()  # type: ignore[attr-defined]
