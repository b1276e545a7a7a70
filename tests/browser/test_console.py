"""The console's own behaviour in a real browser, against boards made for the purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import boards

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import MapPage

    OpenMap = Callable[..., MapPage]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Desk:
    """A console whose server is played by the test."""

    def __init__(self, opened: MapPage) -> None:
        """Begin with the usual board and a stream that says nothing but that it lives."""
        self.map, self.page = opened, opened.page
        self.board: Any = boards.board()
        self.events: list[dict[str, Any]] = []
        self.sent: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        stub = boards.stub
        stub(self.page, "**/api/v1/board", lambda _: self.board)
        stub(self.page, "**/api/v1/orders/*/candidates", lambda _: boards.WHY)
        self.page.route("**/api/v1/orders/*/*", self._receive)
        self.page.route("**/api/v1/orders/*/candidates", lambda it: it.fulfill(json=boards.WHY))
        self.page.route("**/api/v1/events/stream*", self._stream)

    def _receive(self, route: Any) -> None:  # noqa: ANN401 - Playwright's own
        path = "/".join(route.request.url.split("/")[-2:])
        self.sent.append((path, route.request.post_data_json))
        status, body = self.answers.get(path, (200, {}))
        route.fulfill(status=status, json=body)

    def _stream(self, route: Any) -> None:  # noqa: ANN401
        body = boards.stream(*self.events)
        self.events = []
        route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=body)

    def open(self) -> Page:
        """Go to the console and wait for its queue."""
        self.page.goto(self.page.url.split("/", 3)[0] + "//" + self.page.url.split("/")[2] + "/dispatch")
        self.page.wait_for_selector("#queue-frame:not([data-board-state=loading])")
        return self.page


@pytest.fixture
def desk(open_map: OpenMap) -> Desk:
    """Give a console that nobody has opened yet."""
    return Desk(open_map("/me", language="zh_CN", size=(1440, 900)))


def test_the_queue_says_how_bad_how_old_how_many_and_until_when(desk: Desk) -> None:
    """The worst first; what is not known is said to be unknown."""
    page = desk.open()
    rows = page.locator("#queue > li")
    assert rows.evaluate_all("all => all.map(one => one.dataset.id)") == [
        "I-3", "W-12", "W-13", "I-4", "W-14", "W-15",
    ]  # fmt: skip
    first = desk.map.text("#incident-I-3")
    assert "爆管" in first
    assert "停水 172 户" in first
    assert "12 分钟" in first
    assert "未知" in desk.map.text("#incident-I-4")
    assert "还剩" in desk.map.text("#order-W-12")
    assert "超时" in desk.map.text("#order-W-14")
    assert "建议 C-1 抢修1队 · 6 分钟" in desk.map.text("#order-W-12")
    assert "直线" in desk.map.text("#order-W-12")
    desk.map.rest()
    desk.map.picture("console-queue")


def test_a_crew_is_assigned_with_two_keys_and_taken_back_with_one(desk: Desk) -> None:
    """The suggestion is sent at once; undo sends the opposite."""
    page = desk.open()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-part=why][data-state=shown]")
    assert page.locator(".candidates > li").count() == 3
    desk.map.picture("console-why")
    page.keyboard.press("a")
    page.wait_for_selector("#deed[data-deed=done] .undo")
    assert desk.sent == [("W-12/assign", {"crew": "C-1"})]
    assert "W-12 已派给 C-1" in desk.map.text("#deed")
    desk.map.picture("console-undo")


def test_whoever_was_second_sees_who_won(desk: Desk) -> None:
    """The server's reason is shown, and nothing looks as if it had been done."""
    desk.answers["W-12/assign"] = (409, {"detail": "李明 已将 C-1 派往 W-9。"})
    page = desk.open()
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_selector("#deed[data-deed=failed]")
    assert "李明" in desk.map.text("#deed")
    assert page.locator("#deed .undo").count() == 0
