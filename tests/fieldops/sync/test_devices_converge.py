"""
Several tablets without a network and a dispatcher change the same orders, in any order of things.

Nobody's word is taken for granted: what each operation did is read from the log and held against
the answer that its device got. So it comes out if a value is overwritten that its writer had not
seen, if a conflict is told to nobody, or if a device is told what did not happen.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fieldops import create_app
from fieldops.accounts import service as accounts
from fieldops.db import make_sessions
from fieldops.events.queries import fetch_events_of
from fieldops.order_book.service import facts_of
from fieldops.settings import Settings
from fieldops.work_orders.service import find_order
from tests.fieldops.live_outages.jobs import Job
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.fieldops.work_orders.orders import BODIES, lead_to, make_cast, make_order
from tests.people import bearer, make_person
from tests.sending import operation, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.events.service import Event
    from tests.fieldops.work_orders.orders import Cast

pytestmark = pytest.mark.slow

FIELDS = ("depth_m", "pit", "cause")
VALUES: dict[str, tuple[Any, ...]] = {
    "depth_m": (1, 2, 3),
    "pit": ("干", "积水", "塌"),
    "cause": ("frost", "corrosion", "joint_leak"),
}
STEPS = ("hold", "resume", "finish", "dig", "enter_chamber", "note")
DONE = {"applied", "applied_with_conflict"}
REFUSED = {"conflict", "missing", "illegal", "forbidden"}


@dataclass
class Tablet:
    """What one device knows: the versions it last saw, and what it has not got rid of."""

    name: str
    headers: dict[str, str]
    seen: dict[str, int] = field(default_factory=dict)
    unsent: list[dict[str, Any]] = field(default_factory=list)
    needs_you: list[dict[str, Any]] = field(default_factory=list)
    sequence: int = 0


@dataclass
class Town:
    """The served application with its people; every example has orders and tablets of its own."""

    client: FlaskClient
    sessions: sessionmaker[Session]


def headers_of(session: Session, person_id: int) -> dict[str, str]:
    """Let somebody act by token."""
    token = accounts.make_token(session, person_id, "test", 1, dt.datetime.now(dt.UTC))
    return {"Authorization": f"Bearer {token}"}


class Devices(RuleBasedStateMachine):
    """Three tablets, two of them of one crew, two orders, and a dispatcher."""

    def __init__(self, town: Town) -> None:
        """Begin with nothing sent."""
        super().__init__()
        self.town = town
        self.written: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}

    @initialize()
    def begin(self) -> None:
        """Send two crews to work, each with an order; the first has two tablets."""
        self.orders: dict[str, int] = {}
        self.tablets: list[Tablet] = []
        self.casts: list[Cast] = []
        with self.town.sessions.begin() as session:
            for number, count in enumerate((2, 1)):
                cast = make_cast(session)
                order = make_order(session, dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
                lead_to(session, order, cast, "working")
                self.orders[order.id] = order.key
                self.casts.append(cast)
                person = cast.crew.person_id
                assert person is not None
                headers = headers_of(session, person)
                self.tablets += [
                    Tablet(f"{order.id}-{number}-{each}", headers) for each in range(count)
                ]
            dispatcher = make_person(session, "dispatcher")
            # Each example counts its operations anew, which no device ever does.
            name = "office of " + " and ".join(self.orders)
            self.office = Tablet(name, headers_of(session, dispatcher))
        for tablet in (*self.tablets, self.office):
            self.refresh(tablet)

    @rule(
        who=st.integers(0, 2),
        which=st.integers(0, 1),
        said=st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 2), min_size=1, max_size=2),
    )
    def a_crew_writes_something_down(self, who: int, which: int, said: dict[str, int]) -> None:
        """Without a network, on what it saw last."""
        self.write(self.tablets[who], which, "set", {n: VALUES[n][k] for n, k in said.items()})

    @rule(who=st.integers(0, 2), which=st.integers(0, 1), action=st.sampled_from(STEPS))
    def a_crew_takes_a_step(self, who: int, which: int, action: str) -> None:
        """With all that the step needs; whether it still can be is not known out there."""
        body = dict(BODIES.get(action, {}))
        if action == "hold":
            body["resume_by"] = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)).isoformat()
        self.write(self.tablets[who], which, action, body)

    @rule(
        which=st.integers(0, 1),
        said=st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 2), min_size=1, max_size=2),
        looks_first=st.booleans(),
    )
    def a_dispatcher_changes_something(
        self, which: int, said: dict[str, int], *, looks_first: bool
    ) -> None:
        """At once, on a screen that may be old."""
        if looks_first:
            self.refresh(self.office)
        self.write(self.office, which, "set", {n: VALUES[n][k] for n, k in said.items()})
        self.deliver(self.office, 1, is_lost=False)

    @rule(which=st.integers(0, 1))
    def a_dispatcher_gives_it_to_another_crew(self, which: int) -> None:
        """Let the crew that has it hear of it only when its tablet is heard again."""
        self.refresh(self.office)
        body = {"crew": self.casts[which].other_crew_id, "reason": "换班"}
        self.write(self.office, which, "transfer", body)
        self.deliver(self.office, 1, is_lost=False)

    @rule(who=st.integers(0, 2), count=st.integers(1, 5), is_lost=st.booleans())
    def a_tablet_is_heard(self, who: int, count: int, *, is_lost: bool) -> None:
        """For a moment; the answer may not reach it, and then it sends the same again."""
        self.deliver(self.tablets[who], count, is_lost=is_lost)

    @rule(who=st.integers(0, 2))
    def a_tablet_fetches_its_day(self, who: int) -> None:
        """Only what it has written from then on is written on that."""
        self.refresh(self.tablets[who])

    @precondition(lambda self: any(tablet.needs_you for tablet in self.tablets))
    @rule(is_mine=st.booleans())
    def somebody_decides(self, *, is_mine: bool) -> None:
        """Both values were shown; keeping the own one is a new operation on what was shown."""
        tablet = next(each for each in self.tablets if each.needs_you)
        parked = tablet.needs_you.pop(0)
        conflicts = self.answers[parked["op_id"]]["conflicts"]
        if is_mine and conflicts:
            self.refresh(tablet)
            which = list(self.orders).index(parked["subject"].partition(":")[2])
            self.write(tablet, which, "set", {n: both["mine"] for n, both in conflicts.items()})

    def write(self, tablet: Tablet, which: int, action: str, body: dict[str, Any]) -> None:
        """Put an operation into a tablet's outbox."""
        order_id = list(self.orders)[which]
        tablet.sequence += 1
        made = operation(
            f"work_order:{order_id}",
            action,
            body=body,
            device=tablet.name,
            sequence=tablet.sequence,
            base_version=tablet.seen[order_id],
        )
        tablet.unsent.append(made)
        self.written[made["op_id"]] = made

    def deliver(self, tablet: Tablet, count: int, *, is_lost: bool) -> None:
        """Send what waits, the oldest first; what was answered is parked or done with."""
        batch = tablet.unsent[:count]
        if not batch:
            return
        results = send(self.town.client, tablet.headers, *batch, sent_at=dt.datetime.now(dt.UTC))
        assert [each["op_id"] for each in results] == [each["op_id"] for each in batch]
        for made, result in zip(batch, results, strict=True):
            assert result["status"] in DONE | REFUSED, result
            before = self.answers.setdefault(made["op_id"], result)
            assert result == before, "the same operation was answered in two ways"
            if not is_lost:
                tablet.unsent.remove(made)
                if result["status"] != "applied":
                    tablet.needs_you.append(made)

    def refresh(self, tablet: Tablet) -> None:
        """Read the orders as they are now."""
        with self.town.sessions() as session:
            tablet.seen = {each: find_order(session, each).version for each in self.orders}

    def teardown(self) -> None:
        """Let every tablet be heard at last, then look at what is left."""
        if not hasattr(self, "orders"):
            return
        for tablet in self.tablets:
            while tablet.unsent:
                self.deliver(tablet, 5, is_lost=False)
        assert self.answers.keys() == self.written.keys()
        for order_id, key in self.orders.items():
            with self.town.sessions() as session:
                told = fetch_events_of(session, "work_order", [key])
                facts = facts_of(find_order(session, order_id))
            self.check_order(order_id, told, facts)

    def check_order(self, order_id: str, told: list[Event], facts: dict[str, Any]) -> None:
        """Hold the log of an order against the answers, and the order against its log."""
        by_op = {event.op_id: event for event in told if event.op_id}
        assert len(by_op) == sum(event.op_id is not None for event in told), "done twice"
        last: dict[str, tuple[int, str | None, Any]] = {}
        for event in told:
            changed = event.body.get("changed", {})
            written = self.written.get(event.op_id or "")
            if written:
                self.check_nothing_unseen_is_lost(event, written, last)
            for name in FIELDS:
                if name in changed:
                    last[name] = (event.body["version"], event.device, changed[name])
        for name in FIELDS:
            assert facts.get(name) == last.get(name, (0, None, None))[2], "not what the log says"
        for op_id, written in self.written.items():
            if written["subject"] == f"work_order:{order_id}":
                check_answer(written, self.answers[op_id], by_op.get(op_id))

    def check_nothing_unseen_is_lost(
        self, event: Event, written: dict[str, Any], last: dict[str, tuple[int, str | None, Any]]
    ) -> None:
        """Let what its writer had not seen stay, with both values in the answer."""
        changed = event.body.get("changed", {})
        conflicts = self.answers[written["op_id"]]["conflicts"]
        for name in FIELDS:
            version, device, there = last.get(name, (0, None, None))
            is_unseen = version > written["base_version"] and device != written["device"]
            wanted = written["body"].get(name)
            if event.kind == "work_order.late_fact" or name not in written["body"]:
                assert name not in changed, "changed what nobody said"
            elif is_unseen and there != wanted:
                assert name not in changed, "overwritten without having been seen"
                assert conflicts[name]["mine"] == wanted
                assert conflicts[name]["theirs"] == there
                assert conflicts[name]["by"], "nobody says whose value it is"
            else:
                assert changed[name] == wanted
                assert name not in conflicts, "a conflict with oneself"


def check_answer(written: dict[str, Any], answer: dict[str, Any], event: Event | None) -> None:
    """Hold an answer against the log: done and told once, or refused with a reason."""
    status, is_fact = answer["status"], answer["is_kept_as_fact"]
    is_done = event is not None and event.kind != "work_order.late_fact"
    assert is_done == (status in DONE)
    assert is_fact == (event is not None and not is_done)
    assert is_fact or status != "illegal" or not answer["state"], "what came too late is lost"
    assert (status == "applied_with_conflict") == (is_done and bool(answer["conflicts"]))
    if not is_done:
        assert answer["message"], "refused without a reason"
    if event is not None:
        assert event.device == written["device"]
        assert event.occurred_at == dt.datetime.fromisoformat(written["occurred_at"])
        assert not is_done or event.body["version"] == answer["version"]
    if is_fact and event is not None:
        kept = event.body.get("wanted", event.body.get("body"))
        assert kept == written["body"]


@pytest.fixture
def town(database: str, tmp_path: Path) -> Iterator[Town]:
    """Serve from a clone, where commits are real."""
    app = create_app(
        Settings(home=tmp_path, database_url=database, secret_key="test")  # noqa: S106
    )
    sessions = make_sessions(database)
    yield Town(app.test_client(), sessions)
    for engine in (sessions.kw["bind"], app.extensions["fieldops.sessions"].kw["bind"]):
        engine.dispose()


@pytest.mark.parametrize("examples", [7, pytest.param(300, marks=pytest.mark.long)])
def test_tablets_and_a_dispatcher_come_to_one_truth(town: Town, examples: int) -> None:
    """Nothing is overwritten unseen, every conflict is told, every operation answered once."""
    run_state_machine_as_test(
        functools.partial(Devices, town),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=examples < 100,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if examples > 100 else (Phase.generate,),
        ),
    )


@pytest.mark.parametrize("device", ["tablet-1", "tablet-2"])
def test_a_valve_that_one_shut_oneself_is_opened_without_a_question(
    client: FlaskClient, session: Session, device: str
) -> None:
    """Both were written on the same version, without a network; another's work is asked about."""
    three_in_a_row().plant(session)
    job = Job(session)
    seen = job.now.outage.version
    dispatcher = bearer(session, "dispatcher")
    shut = operation(
        f"outage:{job.id}",
        "confirm_valve",
        body={"valve": "V1", "result": "closed_tight"},
        base_version=seen,
        device=device,
    )
    back = operation(
        f"outage:{job.id}",
        "reopen_valve",
        body={"valve": "V1", "result": "reopened", "repaired": True},
        base_version=seen,
    )
    [first] = send(client, dispatcher, shut)
    [second] = send(client, dispatcher, back)
    assert first["status"] == "applied"
    assert second["status"] == ("applied" if device == back["device"] else "conflict"), second
    if device != back["device"]:
        told = second["conflicts"]["valve:V1"]
        assert (told["mine"], told["theirs"], told["by"]) == ("reopened", "closed_tight", "王芳")


def test_a_hold_that_was_over_before_anybody_heard_of_it_is_a_hold(
    client: FlaskClient, session: Session
) -> None:
    """It was to end in an hour as it was said; the tablet was heard again after two."""
    now = dt.datetime.now(dt.UTC)
    cast = make_cast(session)
    order = make_order(session, now - dt.timedelta(hours=5))
    lead_to(session, order, cast, "working")
    begun = now - dt.timedelta(hours=2)
    hold = operation(
        f"work_order:{order.id}",
        "hold",
        body={"reason": "等材料", "resume_by": (begun + dt.timedelta(hours=1)).isoformat()},
        occurred_at=begun.isoformat(),
    )
    half = begun + dt.timedelta(minutes=30)
    resume = operation(f"work_order:{order.id}", "resume", occurred_at=half.isoformat())
    crew = headers_of(session, cast.crew.person_id or 0)
    for each in (hold, resume):
        [result] = send(client, crew, each, sent_at=now)
        assert result["status"] == "applied", result
    late = operation(f"work_order:{order.id}", "hold", body=hold["body"])
    [result] = send(client, crew, late)
    assert (result["status"], result["missing"]) == ("missing", ["resume_by"])
