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
        self.boards: dict[str, Any] = {}
        self.is_silent = False
        stub = boards.stub
        stub(self.page, "**/api/v1/board", lambda _: self.board)
        self.page.route("**/api/v1/orders/*/*", self._receive)
        self.page.route("**/api/v1/late-facts/*/*", self._receive)
        stub(self.page, "**/api/v1/orders/*/candidates", lambda _: boards.WHY)
        self.page.route("**/api/v1/events/stream*", self._stream)

    def _receive(self, route: Any) -> None:  # noqa: ANN401 - Playwright's own
        path = "/".join(route.request.url.split("/")[-2:])
        self.sent.append((path, route.request.post_data_json))
        self.board = self.boards.get(path, self.board)
        status, body = self.answers.get(path, (200, {}))
        route.fulfill(status=status, json=body)

    def _stream(self, route: Any) -> None:  # noqa: ANN401
        if self.is_silent:
            route.fulfill(status=502, json={})
            return
        body = boards.stream(*self.events)
        self.events = []
        route.fulfill(status=200, headers={"Content-Type": "text/event-stream"}, body=body)

    def open(self) -> Page:
        """Go to the console and wait for its queue."""
        self.page.goto(self.page.url.removesuffix("/me") + "/dispatch")
        self.page.wait_for_selector("#queue-frame:not([data-board-state=loading])")
        return self.page

    def begin(self, order: str) -> Page:
        """Forget what was sent, leave what is open, and select a work order."""
        self.sent.clear()
        if self.page.locator("#drawer-close").is_visible():
            self.page.click("#drawer-close")
        self.page.click(f"#order-{order}")
        self.page.wait_for_selector(f"#order-{order}[aria-selected=true]")
        return self.page

    def command(self, text: str) -> None:
        """Type a command."""
        self.page.keyboard.press("/")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def wait_for_deed(self, state: str = "done") -> None:
        """Wait until something is said to be done, or not."""
        self.page.wait_for_selector(f"#deed[data-deed={state}]")


@pytest.fixture
def desk(open_map: OpenMap) -> Desk:
    """Give a console that nobody has opened yet."""
    opened = open_map("/me", language="zh_CN", size=(1280, 800))
    return Desk(opened, open_map.faults)  # type: ignore[attr-defined]


def test_a_dispatcher_reads_the_queue_and_acts_by_key_click_and_command(desk: Desk) -> None:
    """One console, opened once: what it costs is the map."""
    desk.open()
    the_queue_says_how_bad_how_old_how_many_and_until_when(desk)
    what_wants_an_eye_is_marked_until_it_is_read(desk)
    a_crew_is_assigned_with_two_keys_and_taken_back_with_one(desk)
    keys_are_left_alone_while_an_input_method_composes(desk)
    a_crew_that_does_not_answer_is_phoned_and_its_answer_recorded(desk)
    a_crew_against_which_something_stands_is_sent_only_with_a_reason(desk)
    a_command_is_completed_and_carried_out(desk)
    holding_asks_why_and_until_when(desk)
    whoever_was_second_sees_who_won(desk)


def the_queue_says_how_bad_how_old_how_many_and_until_when(desk: Desk) -> None:
    """Put the worst first, and say what is not known to be unknown."""
    rows = desk.page.locator("#queue > li")
    assert rows.evaluate_all("all => all.map(one => one.dataset.id)") == [
        "I-3", "W-12", "W-13", "I-4", "W-14", "W-15",
    ]  # fmt: skip
    first = desk.map.text("#incident-I-3")
    assert "爆管" in first
    assert "停水 172 户" in first
    assert any(f"{minutes} 分钟" in first for minutes in (11, 12))
    assert "未知" in desk.map.text("#incident-I-4")
    assert "还剩" in desk.map.text("#order-W-12")
    assert "超时" in desk.map.text("#order-W-14 .clock")
    assert "建议 C-1 抢修1队 · 6 分钟" in desk.map.text("#order-W-12")
    assert "直线" in desk.map.text("#order-W-12")
    desk.map.picture("console-queue")


def what_wants_an_eye_is_marked_until_it_is_read(desk: Desk) -> None:
    """Escalated limits and late facts in their rows; above these, what has none."""
    page = desk.page
    assert "Ⅱ级响应" in desk.map.text("#attention [data-emergency=EM-1]")
    assert page.locator("#attention a").get_attribute("href") == "/duty"
    assert "80%" in desk.map.text("#order-W-12 .escalated")
    mark = desk.map.text("#order-W-14 .escalated")
    assert "超时" in mark
    assert "100%" in mark
    assert page.locator("#incident-I-4 .late").is_visible()
    over = page.locator("#attention [data-fact-position='5']")
    assert "W-7" in over.inner_text()
    desk.boards["5/read"] = boards.board(late_facts=[])
    over.locator("button").click()
    page.wait_for_selector("#queue:not(:has(.late))")
    assert desk.sent == [("5/read", {})]
    assert over.count() == 0


def a_crew_is_assigned_with_two_keys_and_taken_back_with_one(desk: Desk) -> None:
    """Send the suggestion at once; undo sends the opposite."""
    page = desk.page
    desk.sent.clear()
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
    page.wait_for_selector("#deed[data-deed=done]:not(:has(.undo))")
    assert [path for path, _ in desk.sent] == ["W-12/assign", "W-12/withdraw"]


def keys_are_left_alone_while_an_input_method_composes(desk: Desk) -> None:
    """Take no letter of pinyin for a command."""
    page = desk.begin("W-12")
    composing = "new KeyboardEvent('keydown', {key: 'a', keyCode: 229, bubbles: true})"
    page.evaluate(f"document.body.dispatchEvent({composing})")
    page.keyboard.press("/")
    page.keyboard.type("a")
    assert desk.sent == []
    assert "已撤销" in desk.map.text("#deed")
    page.keyboard.press("Escape")


def a_crew_that_does_not_answer_is_phoned_and_its_answer_recorded(desk: Desk) -> None:
    """Find the number in the queue; two steps record what was said."""
    page = desk.begin("W-14")
    assert "请致电 13900000000" in desk.map.text("#order-W-14")
    page.click("[data-part=offer] [data-answer=accepted]")
    page.wait_for_selector("#confirm:enabled")
    page.fill("#confirmation [name=note]", "十分钟后到")
    page.click("#confirm")
    page.wait_for_selector("#confirmation", state="hidden")
    answer = {"answer": "accepted", "note": "十分钟后到"}
    assert desk.sent == [("W-14/phone-answer", answer)]


def a_crew_against_which_something_stands_is_sent_only_with_a_reason(desk: Desk) -> None:
    """Say again what stands against it; the reason pins it."""
    page = desk.begin("W-12")
    page.click(".candidates li[data-crew=C-2] button.quiet")
    page.wait_for_selector("#confirm:enabled")
    assert "已锁定在 W-14" in desk.map.text("#confirmation")
    page.click("#confirm")
    assert desk.sent == []
    page.fill("#confirmation [name=reason]", "最近")
    page.click("#confirm")
    page.wait_for_selector("#deed .undo")
    body = {"crew": "C-2", "version": 2, "instead_of": ["W-14"], "reason": "最近"}
    assert desk.sent == [("W-12/assign", body)]


def a_command_is_completed_and_carried_out(desk: Desk) -> None:
    """In Chinese or English, with what can come next below the field."""
    page = desk.begin("W-13")
    page.keyboard.press("/")
    page.keyboard.type("派 W-12 ")
    page.wait_for_selector("#completions li[data-id=C-1]")
    assert page.locator("#completions li").first.get_attribute("data-id") == "C-1"
    desk.map.picture("console-command")
    page.keyboard.type("c-3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#deed[data-deed=done]:has-text('C-3')")
    assert desk.sent == [("W-12/assign", {"crew": "C-3", "version": 2})]
    desk.command("hold W-15x")
    assert "W-12" in desk.map.text("#command-state")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("find 青畈街")
    page.wait_for_selector("#completions[data-state=found] li")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    desk.map.picture("console-help")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help", state="hidden")


def holding_asks_why_and_until_when(desk: Desk) -> None:
    """Name the reason of a hold, and its end."""
    page = desk.begin("W-13")
    desk.command("挂起 W-12 等泵")
    page.wait_for_selector("#confirmation[open] #confirm:enabled")
    desk.map.picture("console-hold")
    page.click("#confirm")
    page.wait_for_selector("#deed[data-deed=done]:has-text('挂起')")
    path, body = desk.sent[0]
    assert path == "W-12/hold"
    assert "等泵" in body["reason"]
    assert body["resume_by"].endswith("Z")


def whoever_was_second_sees_who_won(desk: Desk) -> None:
    """Show the server's reason, and nothing that looks as if it had been done."""
    desk.answers["W-12/assign"] = (409, {"detail": "李明 已将 C-1 派往 W-9。"})
    page = desk.begin("W-12")
    page.keyboard.press("a")
    desk.wait_for_deed("failed")
    assert "李明" in desk.map.text("#deed")
    assert page.locator("#deed .undo").count() == 0
    assert all("409" in fault for fault in desk.faults)
    desk.faults.clear()


def test_what_is_not_known_or_old_is_said_to_be_so(desk: Desk) -> None:
    """No silence looks like a quiet day."""
    desk.board = (503, {"detail": "数据库没有响应。"})
    # Nor does a stream that comes back read the board before somebody asks for it.
    desk.is_silent = True
    page = desk.open()
    nobody_is_told_that_nothing_is_open_when_it_is_not_known(desk)
    a_silent_stream_is_said_loudly_after_ten_seconds(desk)
    page.context.close()
    # Both asked for faults, and the browser wrote them down.
    assert all("50" in fault for fault in desk.faults)
    desk.faults.clear()


def nobody_is_told_that_nothing_is_open_when_it_is_not_known(desk: Desk) -> None:
    """Empty, failed and old are three things."""
    page = desk.page
    assert page.locator("#queue-frame").get_attribute("data-board-state") == "failed"
    assert "未知" in desk.map.text("#board-state")
    desk.map.picture("console-failed")
    desk.board = boards.board(incidents=[], orders=[], suggestions=[])
    page.click("#board-state button")
    page.wait_for_selector("#queue-frame[data-board-state=empty]")
    assert "没有未办结" in desk.map.text("#board-state")
    desk.map.picture("console-empty")


def a_silent_stream_is_said_loudly_after_ten_seconds(desk: Desk) -> None:
    """Keep what is seen, marked as old, and catch up as soon as the stream is back."""
    page = desk.page
    page.wait_for_selector("#live[data-live]:not([data-live=connecting])")
    page.clock.install()
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
