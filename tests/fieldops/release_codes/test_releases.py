"""With no signal a valve is opened only with a code that a dispatcher gave, and that is kept."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.devices.service import revoke
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError
from fieldops.events.queries import DRAFTS
from fieldops.events.service import Actor, Operation
from fieldops.live_outages.service import apply_operation
from fieldops.release_codes import service
from fieldops.release_codes.service import WINDOW_S, code_of, find_effect, give_code, window_of
from tests.fieldops.live_outages.jobs import Job, at
from tests.fieldops.tablet.days import Morning, begin_day, sign_tablet_in
from tests.fieldops.work_orders.orders import make_actor
from tests.people import bearer, make_person, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.events.service import Outcome

GIVEN_AT = at(60)


@pytest.fixture
def morning(session: Session) -> Morning:
    """Let a main burst, close its valve and repair it."""
    found = begin_day(session)
    found.outage.close_valve("V2", 10).must("stage", 50, stage="repaired")
    return found


def give(
    session: Session,
    morning: Morning,
    valve: str = "V2",
    **more: Any,  # noqa: ANN401 - any field
) -> tuple[int, str, Actor]:
    """Let a dispatcher release a valve, and give the number, the digits and who gave it."""
    dispatcher = make_actor(session, "dispatcher", name="林晓")
    values: dict[str, Any] = {
        "asked_by": "王芳",
        "is_heard": False,
        "actor": dispatcher,
        "now": GIVEN_AT,
    } | more
    tablet = morning.tablet.device.id
    key = give_code(session, morning.outage.id, valve, tablet, **values)
    assert dispatcher.person_id is not None
    _, code = service.read_code(session, key, dispatcher.person_id, GIVEN_AT)
    return key, code, dispatcher


def reopen(
    session: Session, morning: Morning, *, done: float, came: float, **body: object
) -> Outcome:
    """Let the crew's tablet send that V2 is open again, so many minutes after the report."""
    actor = Actor(
        name="王芳",
        person_id=morning.cast.crew.person_id,
        roles=frozenset({"crew"}),
        device=morning.tablet.device.id,
    )
    operation = Operation(
        subject_kind="outage",
        subject_id=morning.outage.id,
        action="reopen_valve",
        body={"valve": "V2", "result": "reopened", **body},
        occurred_at=at(done),
        device=morning.tablet.device.id,
    )
    return apply_operation(session, operation, actor, at(came))


def told(session: Session, *verbs: str) -> list[dict[str, Any]]:
    """List what was told of outages by these verbs."""
    wanted = {f"outage.{verb}" for verb in verbs}
    return [dict(event.body) for _, event in session.info.get(DRAFTS, []) if event.kind in wanted]


def test_tablet_and_server_work_out_the_same_digits() -> None:
    """Over random secrets, names and hours, leading zeros among them."""
    dice = random.Random(8)  # noqa: S311 - the same each time
    asked = [
        (dice.randbytes(32), f"O-{dice.randrange(9999)}", f"阀{dice.randrange(99)}", 2900000 + n)
        for n in range(200)
    ]
    script = Path(__file__).parent / "codes.mjs"
    words = json.dumps([[one[0].hex(), *one[1:]] for one in asked])
    ran = subprocess.run(["node", script, words], capture_output=True, text=True, check=True)
    codes = [code_of(*one) for one in asked]
    assert json.loads(ran.stdout) == codes
    assert all(re.fullmatch(r"\d{8}", code) for code in codes)
    assert any(code.startswith("0") for code in codes)


def test_a_code_serves_nothing_but_its_own(session: Session, morning: Morning) -> None:
    """Another valve, outage, tablet or hour has other digits."""
    secret, window = morning.tablet.device.secret, window_of(GIVEN_AT)
    own = (secret, morning.outage.id, "V2", window)
    person = make_person(session, "crew")
    other = sign_tablet_in(session, person).device.secret
    others = [
        (other, *own[1:]),
        (secret, "O-0", *own[2:]),
        (secret, morning.outage.id, "V1", window),
        (*own[:3], window + 1),
    ]
    assert len({code_of(*one) for one in (own, *others)}) == 5


def test_who_released_is_kept_with_the_opening(session: Session, morning: Morning) -> None:
    """Opened at 61 minutes with no signal, heard of at 120."""
    key, code, dispatcher = give(session, morning)
    assert reopen(session, morning, done=61, came=120, release_code=code).status == "applied"
    (released,) = told(session, "valve_released")
    assert (released["released_by"], released["asked_by"]) == (dispatcher.name, "王芳")
    assert told(session, "late_fact") == []
    given = next(one for one in service.list_given(session) if one.key == key)
    assert (given.used_by, given.used_at) == ("王芳", at(61))


def test_the_incident_file_names_who_released_which_valve_and_when(
    client: FlaskClient, session: Session, morning: Morning
) -> None:
    """Beside who asked, and who opened it."""
    _, code, dispatcher = give(session, morning)
    reopen(session, morning, done=61, came=120, release_code=code)
    session.commit()
    head = bearer(session, "manager") | {"Accept-Language": "en"}
    page = client.get(f"/incidents/{morning.incident.id}", headers=head).text
    given, opened = (
        one.astimezone(dt.timezone(dt.timedelta(hours=8))) for one in (GIVEN_AT, at(61))
    )
    assert "release of a valve given by phone: V2, asked for by 王芳" in page
    assert (
        f"V2: released by {dispatcher.name} at {given:%m-%d %H:%M}, asked for by 王芳,"
        f" opened by 王芳 at {opened:%m-%d %H:%M}"
    ) in page


@pytest.mark.parametrize(
    ("done", "code", "action"),
    [
        (61, None, "opened_no_code"),
        (61, "00000000", "opened_wrong_code"),
        (110, "own", "opened_wrong_time"),
    ],
)
def test_what_nobody_released_is_laid_before_the_dispatchers(
    session: Session, morning: Morning, done: float, code: str | None, action: str
) -> None:
    """It has happened, so it is recorded; but nobody is told that it was released."""
    _, right, _ = give(session, morning)
    said = {} if code is None else {"release_code": right if code == "own" else code}
    assert reopen(session, morning, done=done, came=120, **said).status == "applied"
    assert [one["action"] for one in told(session, "late_fact")] == [action]
    assert told(session, "valve_released") == []


def test_a_valve_opened_with_a_signal_needs_no_phone(session: Session, morning: Morning) -> None:
    """The server has looked at it itself, a moment after."""
    assert reopen(session, morning, done=61, came=61.1).status == "applied"
    assert told(session, "late_fact", "valve_released") == []


def test_what_opening_does_is_said_before_a_code_is_given(
    session: Session, morning: Morning
) -> None:
    """Two houses behind V2 would have water; of what nobody has heard it is not known."""
    effect = find_effect(session, morning.outage.id, "V2")
    assert (effect.connections, effect.properties, effect.is_doubtful) == (2, 2, False)


def test_of_a_valve_that_is_not_known_shut_nothing_is_promised(session: Session) -> None:
    """The tablet has closed it with no signal: unknown is not none."""
    found = begin_day(session)
    effect = find_effect(session, found.outage.id, "V2")
    assert (effect.properties, effect.is_known_shut, effect.is_doubtful) == (None, False, True)
    with pytest.raises(ConflictError, match="Ask the crew"):
        give(session, found)
    give(session, found, is_heard=True)


def test_no_code_is_given_for_a_valve_that_another_job_needs(session: Session) -> None:
    """Not even if the crew says that all is well."""
    found = begin_day(session)
    found.outage.close_valve("V2", 10).must("stage", 50, stage="repaired")
    other = Job(session, "P4", minute=20)
    other.close_valve("V2", 30) if "V2" in other.states else other.must(
        "confirm_valve", 30, valve="V3", result="not_found"
    ).close_valve("V2", 31)
    with pytest.raises(ConflictError, match=other.id):
        give(session, found, is_heard=True)


def test_a_revoked_tablet_is_given_no_code(session: Session, morning: Morning) -> None:
    """Nor is anybody who does not say who asks."""
    with pytest.raises(FieldopsError, match="Name who asks"):
        give(session, morning, asked_by="  ")
    manager = make_actor(session, "manager")
    revoke(session, morning.tablet.device.id, "all", manager, GIVEN_AT)
    with pytest.raises(FieldopsError, match="revoked"):
        give(session, morning)


def test_only_whoever_gave_a_code_reads_it_and_only_in_time(
    session: Session, morning: Morning
) -> None:
    """After its last ten minutes it is no longer shown."""
    key, _, dispatcher = give(session, morning)
    assert dispatcher.person_id is not None
    with pytest.raises(ForbiddenError):
        service.read_code(session, key, dispatcher.person_id + 1, GIVEN_AT)
    late = service.good_until(window_of(GIVEN_AT))
    assert dt.timedelta(seconds=WINDOW_S) <= late - GIVEN_AT <= dt.timedelta(seconds=2 * WINDOW_S)
    with pytest.raises(ConflictError, match="over"):
        service.read_code(session, key, dispatcher.person_id, late)


def test_a_dispatcher_gives_a_code_on_the_page(
    client: FlaskClient, session: Session, morning: Morning
) -> None:
    """From the outage over the effect to the digits; a crew may not."""
    dispatcher = make_person(session, "dispatcher")
    headers = sign_in_as(client, session, dispatcher)
    where = {"outage": morning.outage.id, "valve": "V2"}
    english = {"Accept-Language": "en"}
    page = client.get("/releases", query_string=where, headers=english).get_data(as_text=True)
    assert "2 properties would have water again." in page
    assert morning.tablet.device.id in page
    form = {**where, "device": morning.tablet.device.id, "asked_by": "王芳"}
    answer = client.post("/releases", data=form, headers=headers)
    assert answer.status_code == 302
    shown = client.get(answer.headers["Location"]).get_data(as_text=True)
    said = re.search(r'data-code="(\d+)"', shown)
    assert said is not None
    now = window_of(dt.datetime.now(dt.UTC))
    secret = morning.tablet.device.secret
    good = {code_of(secret, morning.outage.id, "V2", window) for window in (now, now - 1)}
    assert said.group(1) in good
    crew = sign_in(client, session, "crew")
    assert client.post("/releases", data=form, headers=crew).status_code == 403


def test_a_valve_of_the_tablets_own_ring_is_released_though_no_plan_holds_it(
    client: FlaskClient, session: Session
) -> None:
    """V1 was closed with no signal; heard of later, it is the job's to open again, and released."""
    morning = begin_day(session)
    assert "V1" not in morning.outage.states
    headers = sign_in(client, session, "dispatcher") | {"Accept-Language": "en"}
    where = {"outage": morning.outage.id, "valve": "V2", "other": "V1"}
    page = client.get("/releases", query_string=where, headers=headers).text
    assert "No plan of this outage holds it" in page
    wrong = client.get("/releases", query_string=where | {"other": "V404"}, headers=headers)
    assert "There is no valve V404." in wrong.text
    form = {**where, "device": morning.tablet.device.id, "asked_by": "王芳", "is_heard": "yes"}
    given = client.post("/releases", data=form, headers=headers)
    assert re.search(r'data-code="\d{8}"', client.get(given.headers["Location"]).text)

    _, code, _ = give(session, morning, valve="V1", is_heard=True)
    morning.outage.close_valve("V1", 10).close_valve("V2", 12).must("stage", 50, stage="repaired")
    assert morning.outage.states["V1"] == ("surplus", "closed_tight")
    # The house behind V1 is dry, too, whatever the plan says.
    assert "C2" in morning.outage.dry
    done = reopen(session, morning, done=61, came=120, valve="V1", release_code=code)
    assert done.status == "applied"
    assert [one["valve"] for one in told(session, "valve_released")] == ["V1"]
    assert told(session, "late_fact") == []
