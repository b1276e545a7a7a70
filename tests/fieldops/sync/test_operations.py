"""Operations: each done once, each answered for itself, none lost."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.errors import DeadlockDetected, NumericValueOutOfRange
from sqlalchemy.exc import DataError, OperationalError

from fieldops import create_app
from fieldops.db import make_sessions
from fieldops.errors import ConflictError, ForbiddenError, NotFoundError
from fieldops.events import queries
from fieldops.events.service import Actor, Operation, Outcome, append_event
from fieldops.settings import Settings
from fieldops.sync import service
from tests.people import bearer
from tests.sending import operation, send

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

Headers = dict[str, str]
JSON = {"Content-Type": "application/json"}


def apply(session: Session, wanted: Operation, actor: Actor, now: dt.datetime) -> Outcome:
    """Do to an invented subject what its body says."""
    kind = f"thing.{wanted.action}"
    if wanted.action == "refuse":
        return Outcome(status="illegal", message="Stopped.", state="closed", version=3)
    if wanted.action == "lack":
        return Outcome(status="missing", missing=("photo",))
    append_event(
        session,
        kind,
        ("thing", int(wanted.subject_id)),
        by=actor,
        now=now,
        occurred_at=wanted.occurred_at,
        op_id=wanted.op_id,
        body={"id": wanted.subject_id},
    )
    faults = {
        "lose": ConflictError("Stopped."),
        "forbid": ForbiddenError("Stopped."),
        "miss": NotFoundError("Stopped."),
        "break": RuntimeError("broken"),
        "garble": DataError("statement", {}, NumericValueOutOfRange()),
    }
    if wanted.action in faults:
        raise faults[wanted.action]
    return Outcome(status="applied", version=2, state="done")


@pytest.fixture(autouse=True)
def things(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be things that operations change."""
    monkeypatch.setattr(service, "appliers", lambda: {"thing": apply})


@pytest.fixture
def crew(session: Session) -> Headers:
    """Give the headers of somebody of a crew."""
    return bearer(session, "crew")


def test_an_operation_is_done_and_answered(
    client: FlaskClient, session: Session, crew: Headers
) -> None:
    """With the version and the state after it; the event keeps both clocks and the device."""
    before = queries.fetch_head(session)
    wanted = operation("thing:7", "do", occurred_at="2026-01-01T08:00:00+08:00")
    [result] = send(client, crew, wanted)
    assert result["op_id"] == wanted["op_id"]
    assert (result["status"], result["version"], result["state"]) == ("applied", 2, "done")
    [event] = queries.fetch_events_after(session, before)
    assert event.kind == "thing.do"
    assert event.op_id == wanted["op_id"]
    assert event.device == wanted["device"]
    assert event.occurred_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert event.received_at > event.occurred_at


def test_an_operation_sent_again_is_only_answered_again(
    client: FlaskClient, session: Session, crew: Headers
) -> None:
    """Word for word, also one that was refused, also by another person on the same tablet."""
    wanted = [operation("thing:7", "do"), operation("thing:7", "refuse")]
    first = send(client, crew, *wanted)
    head = queries.fetch_head(session)
    assert send(client, bearer(session, "crew"), *wanted) == first
    assert queries.fetch_head(session) == head


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "thing:8"},
        {"action": "refuse"},
        {"body": {"pump": "stopped"}},
        {"occurred_at": "2026-01-01T08:00:00+08:00"},
        {"device": "tablet-of-somebody-else"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_op_id_stands_for_one_operation(
    client: FlaskClient, crew: Headers, other: dict[str, Any]
) -> None:
    """A device that makes the same id twice is told so, and not that all is well."""
    wanted = operation("thing:7", "do")
    send(client, crew, wanted)
    [result] = send(client, crew, wanted | other)
    assert (result["status"], result.get("version")) == ("illegal", None)
    assert "thing:7" in result["message"]


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("lose", "conflict"),
        ("forbid", "forbidden"),
        ("miss", "illegal"),
        ("garble", "illegal"),
        ("lack", "missing"),
        ("refuse", "illegal"),
    ],
)
def test_a_refused_operation_leaves_nothing_behind_and_does_not_block_the_next(
    client: FlaskClient, session: Session, crew: Headers, action: str, status: str
) -> None:
    """What it had begun is undone; each is answered for itself."""
    before = queries.fetch_head(session)
    results = send(client, crew, operation("thing:1", action), operation("thing:2", "do"))
    assert [each["status"] for each in results] == [status, "applied"]
    kinds = {each.kind for each in queries.fetch_events_after(session, before)}
    assert kinds - {"thing.late_fact"} == {"thing.do"}


def test_what_came_too_late_is_kept_as_a_fact(
    client: FlaskClient, session: Session, crew: Headers
) -> None:
    """It happened out there, whatever the table of transitions says."""
    before = queries.fetch_head(session)
    wanted = operation("thing:9", "refuse", body={"at": "pump"})
    [result] = send(client, crew, wanted)
    assert result["is_kept_as_fact"] is True
    [event] = queries.fetch_events_after(session, before)
    assert event.kind == "thing.late_fact"
    assert (event.subject_key, event.op_id) == (9, wanted["op_id"])
    assert event.body["action"] == "refuse"
    assert event.body["body"] == {"at": "pump"}


def test_a_fault_of_ours_is_no_answer_and_the_operation_may_come_again(
    client: FlaskClient, session: Session, crew: Headers
) -> None:
    """The device keeps it; the next one is done."""
    wanted = operation("thing:1", "break")
    results = send(client, crew, wanted, operation("thing:2", "do"))
    assert [each["status"] for each in results] == ["failed", "applied"]
    assert queries.fetch_answer(session, wanted["op_id"]) is None


def test_the_reason_is_told_in_the_language_of_whoever_asks(
    client: FlaskClient, crew: Headers
) -> None:
    """Also when the answer was first given in another one."""
    wanted = operation("thing:7", "refuse")
    [chinese] = send(client, crew, wanted)
    [english] = send(client, crew | {"Accept-Language": "en"}, wanted)
    assert english["message"] == "Stopped."
    assert chinese["message"] == "已停止。"


@pytest.mark.parametrize(
    "change",
    [
        {"op_id": "0197a0c2-8e4b-4b0c-8f5e-0123456789ab"},
        {"op_id": "x"},
        {"subject": "W-1"},
        {"occurred_at": "2026-01-01T08:00:00"},
        {"action": "do; drop"},
        {"sequence": -1},
        {"body": []},
        {"body": {"note": "x" * 70_000}},
        {"body": {"note": "\0"}},
        {"body": {"note": "\ud800"}},
        {"body": {"depth": float("inf")}},
        {"device": "a\0"},
        {"by_phone_for": ""},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_for_itself(
    client: FlaskClient, crew: Headers, change: dict[str, Any]
) -> None:
    """The field is named; the next operation is done."""
    bad = operation("thing:1", "do") | change
    results = send(client, crew, bad, operation("thing:2", "do"))
    assert [each["status"] for each in results] == ["illegal", "applied"]
    assert next(iter(change)) in results[0]["message"]
    assert results[0]["op_id"] == bad["op_id"]


@pytest.mark.parametrize("body", [[], {"ops": 1}, {"ops": [{}] * 201}, {"ops": [], "x": 1}])
def test_what_is_no_list_of_operations_is_refused_whole(
    client: FlaskClient, crew: Headers, body: object
) -> None:
    """Nothing is done."""
    assert client.post("/api/v1/ops", json=body, headers=crew).status_code == 400


def test_too_much_at_once_is_refused(client: FlaskClient, crew: Headers) -> None:
    """Before it is read."""
    answer = client.post("/api/v1/ops", data=b"[" * (3 * 2**20), headers=crew | JSON)
    assert answer.status_code == 413


def test_a_clock_two_days_off_changes_no_order(
    client: FlaskClient, session: Session, crew: Headers
) -> None:
    """The order is the server's; what the device claims is kept, and how wrong its clock goes."""
    before = queries.fetch_head(session)
    now = dt.datetime.now(dt.UTC)
    two_days = dt.timedelta(days=2)
    ahead = operation("thing:1", "do", occurred_at=(now + two_days).isoformat())
    behind = operation("thing:2", "do", occurred_at=(now - two_days).isoformat())
    send(client, crew, ahead, sent_at=now + two_days)
    send(client, crew, behind, sent_at=now - two_days)
    told = queries.fetch_events_after(session, before)
    assert [each.op_id for each in told] == [ahead["op_id"], behind["op_id"]]
    assert told[0].received_at < told[1].received_at
    assert told[0].occurred_at > told[1].occurred_at
    for wanted, days in ((ahead, 2), (behind, -2)):
        answered = queries.fetch_answer(session, wanted["op_id"])
        assert answered is not None
        assert answered.skew_s == pytest.approx(days * 86400, abs=5)


def test_a_step_by_phone_names_both(client: FlaskClient, session: Session) -> None:
    """Who did it and who wrote it down; a crew may not speak for others."""
    before = queries.fetch_head(session)
    called = [operation("thing:1", "do", by_phone_for="李强") for _ in range(2)]
    [refused] = send(client, bearer(session, "crew"), called[0])
    assert refused["status"] == "forbidden"
    [done] = send(client, bearer(session, "dispatcher"), called[1])
    assert done["status"] == "applied"
    [event] = queries.fetch_events_after(session, before)
    assert (event.person_name, event.by_phone_for) == ("王芳", "李强")


def test_twenty_parallel_replays_make_one_event(database: str, tmp_path: Path) -> None:
    """And twenty answers that are the same."""
    settings = Settings(home=tmp_path, database_url=database, secret_key="test")  # noqa: S106
    app = create_app(settings)
    sessions = make_sessions(database)
    with sessions() as session:
        crew = bearer(session, "crew")
    wanted = operation("thing:1", "slow")

    def replay(_: int) -> dict[str, Any]:
        [result] = send(app.test_client(), crew, wanted)
        return result

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(replay, range(20)))
    with sessions() as session:
        told = queries.fetch_events_of(session, "thing", [1])
    assert [each.op_id for each in told] == [wanted["op_id"]]
    assert results == results[:1] * 20
    assert results[0]["status"] == "applied"
    for engine in (sessions.kw["bind"], app.extensions["fieldops.sessions"].kw["bind"]):
        engine.dispose()


def test_while_the_database_is_away_a_device_is_told_to_come_back(
    client: FlaskClient, crew: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps everything, and sends it again."""

    def lose(*_arguments: object) -> Outcome:
        raise OperationalError("", None, Exception("server closed the connection"))

    monkeypatch.setattr(service, "appliers", lambda: {"thing": lose})
    body = {"ops": [operation("thing:1", "do")]}
    answer = client.post("/api/v1/ops", json=body, headers=crew)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_an_operation_that_loses_a_deadlock_is_tried_again(
    client: FlaskClient, crew: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hears of it."""
    losses = [OperationalError("", None, DeadlockDetected("deadlock"))] * 2

    def lose_twice(*arguments: Any) -> Outcome:  # noqa: ANN401
        if losses:
            raise losses.pop()
        return apply(*arguments)

    monkeypatch.setattr(service, "appliers", lambda: {"thing": lose_twice})
    [result] = send(client, crew, operation("thing:1", "do"))
    assert result["status"] == "applied"


def test_an_operation_says_how_far_its_clock_is_off(
    client: FlaskClient, crew: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature can tell by it when something was done; without a word it is not known."""
    seen: list[float | None] = []

    def spy(session: Session, wanted: Operation, actor: Actor, now: dt.datetime) -> Outcome:
        seen.append(wanted.skew_s)
        return apply(session, wanted, actor, now)

    monkeypatch.setattr(service, "appliers", lambda: {"thing": spy})
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=40)
    send(client, crew, operation("thing:7", "do"), sent_at=ahead)
    send(client, crew, operation("thing:7", "do"))
    assert seen == [pytest.approx(2400, abs=5), None]
