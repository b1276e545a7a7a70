"""What a tablet could not send comes by a file, once, as the work of whoever did it."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import pytest

from fieldops.events import queries
from fieldops.events.service import Actor, Operation, Outcome, append_event
from fieldops.photos.service import find_photo
from fieldops.sync import service
from fieldops.sync.forms import name_step, name_subject
from tests.fieldops.photos.test_claims import bare
from tests.fieldops.sync.rescues import choose, of_person, photo_of, take_in, write_rescue
from tests.people import bearer, make_person, sign_in
from tests.sending import operation, send

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

SEEN: list[Actor] = []


def apply(session: Session, wanted: Operation, actor: Actor, now: dt.datetime) -> Outcome:
    """Do to an invented order what its body says."""
    SEEN.append(actor)
    if wanted.action == "refuse":
        return Outcome(status="illegal", message="Stopped.", version=3)
    append_event(
        session,
        f"work_order.{wanted.action}",
        ("work_order", int(wanted.subject_id)),
        by=actor,
        now=now,
        occurred_at=wanted.occurred_at,
        op_id=wanted.op_id,
        body={"id": wanted.subject_id, "changed": wanted.body},
    )
    if wanted.action == "differ":
        values = {"cause": {"mine": "frost", "theirs": "corrosion"}}
        return Outcome(status="applied_with_conflict", version=2, conflicts=values)
    return Outcome(status="applied", version=2, state="done")


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be orders that operations change."""
    SEEN.clear()
    monkeypatch.setattr(service, "appliers", lambda: {"work_order": apply})
    monkeypatch.setattr(queries, "fetch_key", lambda _session, _kind, subject_id: int(subject_id))


@pytest.fixture
def dispatcher(client: FlaskClient, session: Session) -> dict[str, str]:
    """Sign a dispatcher in, and give the header of the pages' writes."""
    return sign_in(client, session, "dispatcher")


@pytest.fixture
def worker(session: Session) -> int:
    """Give the number of somebody of a crew."""
    person_id = make_person(session, "crew", "manager")
    session.commit()
    return person_id


def test_records_are_named_in_words_and_not_by_what_the_tablet_calls_them(app: Flask) -> None:
    """A dispatcher reads which valve it was, and no number that was made on the tablet."""
    with app.test_request_context("/?lang=en"):
        assert name_step("confirm_valve") == "valve confirmed"
        assert name_subject("outage:O-5", {"valve": "V3"}) == "V3 · O-5"
        assert name_subject("outage:O-5", {"stuck": "V4"}) == "V4 · O-5"
        assert name_subject("report:new-01a2", {}) == "new report"
        assert name_subject("track:01a2", {"name": "夜巡"}) == "夜巡"
        assert name_subject("map_proposal:01a2", {"kind": "missing"}) == "-"
        assert name_subject("work_order:W-1", {}) == "W-1"


def test_what_a_file_holds_is_shown_before_anything_is_done(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """Whose, how many, and which are known already."""
    known = operation("work_order:7", "do")
    send(client, bearer(session, "crew"), known)
    head = queries.fetch_head(session)
    ops = [of_person(known, worker), of_person(operation("work_order:7", "do"), worker)]
    shown = client.get(choose(client, dispatcher, write_rescue(ops)).location)
    told = shown.text.split('id="ops">')[1].split("<")[0]
    assert re.findall(r"\d+", told) == ["2", "1"]
    assert "王芳" in shown.text
    assert "一号平板" in shown.text
    assert queries.fetch_head(session) == head


def test_a_record_is_done_as_the_one_who_made_it_and_marked_with_who_read_it_in(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """At its true time; the log names both."""
    before = queries.fetch_head(session)
    wanted = operation("work_order:7", "do", occurred_at="2026-01-01T08:00:00+08:00")
    take_in(client, dispatcher, write_rescue([of_person(wanted, worker)]))
    done, imported = queries.fetch_events_after(session, before)
    assert (done.kind, done.person_id) == ("work_order.do", worker)
    assert done.occurred_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert imported.kind == "work_order.imported"
    assert imported.person_id not in {None, worker}
    assert imported.op_id == wanted["op_id"]
    answered = queries.fetch_answer(session, wanted["op_id"])
    assert answered is not None
    assert answered.person_id == worker
    assert answered.result["imported_by"] == "王芳"


def test_a_file_read_in_twice_and_sent_by_the_tablet_besides_is_done_once(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """Whichever comes first, the tablet hears that all is well."""
    wanted = operation("work_order:7", "do", by_phone_for=None)
    del wanted["by_phone_for"]
    file = write_rescue([of_person(wanted, worker)])
    take_in(client, dispatcher, file)
    head = queries.fetch_head(session)
    assert 'id="refused"' not in take_in(client, dispatcher, file)
    [result] = send(client, bearer(session, "crew"), wanted)
    assert result["status"] == "applied"
    assert queries.fetch_head(session) == head


def test_what_is_refused_is_named_and_does_not_block_the_next(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """Also what cannot be read, and what nobody known has recorded."""
    before = queries.fetch_head(session)
    ops = [
        of_person(operation("work_order:1", "refuse"), worker),
        of_person(operation("work_order:2", "do") | {"op_id": "x"}, worker),
        of_person(operation("work_order:3", "do"), 99_999, "无名氏"),
        of_person(operation("work_order:4", "do"), worker),
    ]
    page = take_in(client, dispatcher, write_rescue(ops))
    refused = page.split('id="refused"')[1]
    assert all(name in refused for name in ("refuse · 1", "work_order:2", "do · 3", "无名氏"))
    assert "do · 4" not in refused
    kinds = [event.kind for event in queries.fetch_events_after(session, before)]
    assert kinds.count("work_order.do") == 1


def test_a_file_gives_nobody_more_power_than_a_crew_or_the_importer_has(
    client: FlaskClient, dispatcher: dict[str, str], worker: int
) -> None:
    """A dispatcher might else write one in a manager's name."""
    take_in(client, dispatcher, write_rescue([of_person(operation("work_order:7", "do"), worker)]))
    assert [actor.roles for actor in SEEN] == [frozenset({"crew"})]


def test_photos_come_with_what_their_camera_said(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """And one that is not what its hash promises is named."""
    said = {"taken_at": "2026-07-14T01:30:00Z", "lon": 117.2, "lat": 31.8}
    good = photo_of(bare(), worker, original_sha256="ab" * 32, **said)
    bad = photo_of(b"no photo", worker)
    page = take_in(client, dispatcher, write_rescue([], [good, bad]))
    kept = find_photo(session, good["sha256"])
    assert (kept.claimed_lon, kept.original_sha256) == (117.2, "ab" * 32)
    assert page.split('id="refused"')[1].count("<tr>") == 2


def test_a_photo_that_cannot_be_kept_does_not_hide_what_became_of_the_rest(
    client: FlaskClient, session: Session, dispatcher: dict[str, str], worker: int
) -> None:
    """Whatever a file says of it."""
    odd = photo_of(bare(), worker, original_sha256="no hash")
    good = photo_of(bare() + b"\0", worker)
    page = take_in(client, dispatcher, write_rescue([], [odd, good]))
    assert page.split('id="refused"')[1].count("<tr>") == 2
    assert find_photo(session, good["sha256"])


def cut(data: bytes) -> bytes:
    """Lose the file's end."""
    return data[: len(data) // 2]


def change(data: bytes) -> bytes:
    """Change one letter of the content."""
    file = json.loads(data)
    return json.dumps(file | {"content": file["content"].replace("do", "no", 1)}).encode()


def age(data: bytes) -> bytes:
    """Name a version that is not known."""
    return json.dumps(json.loads(data) | {"version": 9}).encode()


@pytest.mark.parametrize("spoil", [cut, change, age])
def test_a_file_that_is_not_as_the_tablet_wrote_it_is_refused_whole(
    client: FlaskClient, dispatcher: dict[str, str], worker: int, spoil: object
) -> None:
    """Nothing is guessed."""
    data = write_rescue([of_person(operation("work_order:7", "do"), worker)])
    assert callable(spoil)
    assert choose(client, dispatcher, spoil(data)).status_code == 400


def test_only_who_dispatches_reads_files_in(client: FlaskClient, session: Session) -> None:
    """A crew sends by the tablet."""
    sign_in(client, session, "crew")
    assert client.get("/rescue/").status_code == 403


def test_a_conflict_names_who_wrote_the_other_value_and_when(
    client: FlaskClient, session: Session
) -> None:
    """The tablet shows both values with it."""
    other = operation("work_order:7", "do", body={"cause": "corrosion"})
    send(client, bearer(session, "dispatcher"), other)
    [result] = send(client, bearer(session, "crew"), operation("work_order:7", "differ"))
    told = result["conflicts"]["cause"]
    assert (told["mine"], told["theirs"], told["by"]) == ("frost", "corrosion", "王芳")
    assert dt.datetime.fromisoformat(told["at"]).tzinfo is not None


def test_an_expired_or_unknown_token_pauses_a_tablet_and_is_no_answer_to_an_operation(
    client: FlaskClient, session: Session
) -> None:
    """By its HTTP status, without any CSRF token; the same operation is done later."""
    wanted = operation("work_order:7", "do")
    unknown = {"Authorization": "Bearer fo_x"}
    answer = client.post("/api/v1/ops", json={"ops": [wanted]}, headers=unknown)
    assert answer.status_code == 401
    assert "results" not in (answer.get_json() or {})
    assert queries.fetch_answer(session, wanted["op_id"]) is None
    [result] = send(client, bearer(session, "crew"), wanted)
    assert result["status"] == "applied"
