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

    def __init__(self, opened: MapPage, faults: list[str]) -> None:
        """Begin with the usual board and a stream that says nothing but that it lives."""
        self.map, self.page, self.faults = opened, opened.page, faults
        self.board: Any = boards.board()
        self.events: list[dict[str, Any]] = []
        self.sent: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.is_silent = False
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
        if self.is_silent:
            route.fulfill(status=502, json={})
            return
        body = boards.stream(*self.events)
        self.events = []
        route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=body)

    def forgive(self) -> None:
        """Take no offence at the faults that this test asked for."""
        self.page.context.close()
        self.faults.clear()

    def open(self) -> Page:
        """Go to the console and wait for its queue."""
        self.page.goto(self.page.url.removesuffix("/me") + "/dispatch")
        self.page.wait_for_selector("#queue-frame:not([data-board-state=loading])")
        return self.page


@pytest.fixture
def desk(open_map: OpenMap) -> Desk:
    """Give a console that nobody has opened yet."""
    opened = open_map("/me", language="zh_CN", size=(1440, 900))
    return Desk(opened, open_map.faults)  # type: ignore[attr-defined]


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
    assert desk.sent == [("W-12/assign", {"crew": "C-1", "version": 2})]
    assert "W-12 已派给 C-1" in desk.map.text("#deed")
    desk.map.picture("console-undo")
    page.keyboard.press("u")
    page.wait_for_selector("#deed:not(:has(.undo))")
    assert [path for path, _ in desk.sent] == ["W-12/assign", "W-12/withdraw"]


def test_whoever_was_second_sees_who_won(desk: Desk) -> None:
    """The server's reason is shown, and nothing looks as if it had been done."""
    desk.answers["W-12/assign"] = (409, {"detail": "李明 已将 C-1 派往 W-9。"})
    page = desk.open()
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_selector("#deed[data-deed=failed]")
    assert "李明" in desk.map.text("#deed")
    assert page.locator("#deed .undo").count() == 0
    desk.forgive()


def test_a_crew_that_does_not_answer_is_phoned_and_its_answer_recorded(desk: Desk) -> None:
    """The number stands in the queue; two steps record what was said."""
    page = desk.open()
    assert "请致电 13900000000" in desk.map.text("#order-W-14")
    page.click("#order-W-14")
    page.click("[data-part=offer] [data-answer=accepted]")
    page.wait_for_selector("#confirm:enabled")
    page.fill("#confirmation [name=note]", "十分钟后到")
    page.click("#confirm")
    page.wait_for_selector("#confirmation", state="hidden")
    answer = {"answer": "accepted", "note": "十分钟后到"}
    assert desk.sent == [("W-14/phone-answer", answer)]


def test_a_crew_against_which_something_stands_is_sent_only_with_a_reason(desk: Desk) -> None:
    """What stands against it is said again; the reason pins it."""
    page = desk.open()
    page.click("#order-W-12")
    page.click(".candidates li[data-crew=C-2] button.quiet")
    page.wait_for_selector("#confirm:enabled")
    assert "已锁定在 W-14" in desk.map.text("#confirmation")
    page.click("#confirm")
    assert desk.sent == []
    page.fill("#confirmation [name=reason]", "最近")
    page.click("#confirm")
    page.wait_for_selector("#deed[data-deed=done]")
    assert desk.sent == [("W-12/assign", {"crew": "C-2", "version": 2, "reason": "最近"})]


def test_keys_are_left_alone_while_an_input_method_composes(desk: Desk) -> None:
    """A letter of pinyin is no command."""
    page = desk.open()
    page.keyboard.press("j")
    page.keyboard.press("j")
    composing = "new KeyboardEvent('keydown', {key: 'a', keyCode: 229, bubbles: true})"
    page.evaluate(f"document.body.dispatchEvent({composing})")
    page.keyboard.press("/")
    page.keyboard.type("a")
    assert desk.sent == []
    assert page.locator("#deed").is_hidden()


def test_a_command_is_completed_and_carried_out(desk: Desk) -> None:
    """In Chinese or English, with what can come next below the field."""
    page = desk.open()
    page.keyboard.press("/")
    page.keyboard.type("派 W-12 ")
    page.wait_for_selector("#completions li[data-id=C-1]")
    assert page.locator("#completions li").first.get_attribute("data-id") == "C-1"
    desk.map.picture("console-command")
    page.keyboard.type("c-3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#deed[data-deed=done]")
    assert desk.sent == [("W-12/assign", {"crew": "C-3", "version": 2})]
    page.keyboard.press("/")
    page.keyboard.type("hold W-15x")
    page.keyboard.press("Enter")
    assert "W-12" in desk.map.text("#command-state")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("find 青畈街")
    page.wait_for_selector("#completions[data-state=found] li")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    desk.map.picture("console-help")


def test_holding_asks_why_and_until_when(desk: Desk) -> None:
    """A held order names its reason and its end."""
    page = desk.open()
    page.keyboard.press("/")
    page.keyboard.type("挂起 W-12 等泵")
    page.keyboard.press("Enter")
    page.wait_for_selector("#confirmation[open] #confirm:enabled")
    desk.map.picture("console-hold")
    page.click("#confirm")
    page.wait_for_selector("#deed[data-deed=done]")
    path, body = desk.sent[0]
    assert path == "W-12/hold"
    assert "等泵" in body["reason"]
    assert body["resume_by"].endswith("Z")


def test_nobody_is_told_that_nothing_is_open_when_it_is_not_known(desk: Desk) -> None:
    """Empty, failed and old are three things."""
    desk.board = (503, {"detail": "数据库没有响应。"})
    page = desk.open()
    assert page.locator("#queue-frame").get_attribute("data-board-state") == "failed"
    assert "未知" in desk.map.text("#board-state")
    desk.map.picture("console-failed")
    desk.board = boards.board(incidents=[], orders=[], suggestions=[])
    page.click("#board-state button")
    page.wait_for_selector("#queue-frame[data-board-state=empty]")
    assert "没有未办结" in desk.map.text("#board-state")
    desk.map.picture("console-empty")
    desk.forgive()


def test_a_silent_stream_is_said_loudly_after_ten_seconds(desk: Desk) -> None:
    """What is seen stays, marked as old; it is caught up with as soon as the stream is back."""
    page = desk.open()
    page.wait_for_selector("#live[data-live]:not([data-live=connecting])")
    page.clock.install()
    desk.is_silent = True
    page.clock.run_for(16_000)
    page.wait_for_selector("#notice[data-matter=stale]")
    assert "已过时" in desk.map.text("#notice")
    assert page.locator("body.is-stale").count() == 1
    desk.map.picture("console-stale", is_resting=False)
    desk.is_silent = False
    desk.board = boards.board(position=9, incidents=[boards.incident(3)], orders=[])
    page.clock.run_for(20_000)
    page.wait_for_selector("#notice", state="hidden")
    page.wait_for_selector("#queue > li:only-child")
    desk.forgive()
