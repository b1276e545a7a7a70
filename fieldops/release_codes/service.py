"""
A valve is opened with no signal only if a dispatcher releases it by phone, and says who asked.

The code is eight digits of an HMAC of outage, valve and ten minutes, under the tablet's secret: so
the tablet knows a right one without a signal, and none serves another valve, job, tablet or hour.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fieldops.devices import service as devices
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import Actor, append_event
from fieldops.live_outages.service import find_outage, list_open
from fieldops.live_supply.queries import fetch_holders
from fieldops.live_supply.service import Situation, is_shut
from fieldops.outage_questions.service import find_gate
from fieldops.release_codes import queries
from fieldops.release_codes.queries import Given
from fieldops.work_orders.service import Filter, list_orders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from fieldops.devices.service import Device
    from fieldops.events.service import Event
    from fieldops.live_outages.service import LiveOutage
    from fieldops.live_supply.queries import WorkedValve

__all__ = ["Given", "list_open"]

WINDOW_S = 600
AROUND = 1
"""So many windows on either side are good: clocks differ, and calls take their time."""
DIGITS = 8
WITHOUT_SIGNAL = dt.timedelta(minutes=2)
"""What came later than this after it was done was done without a signal."""
OPENED = frozenset({"reopened", "opened"})
BEYOND_PLAN = "beyond_plan"
"""How a valve stands that no plan of the outage holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """
    What opening a valve would do as far as the server knows.

    `connections` and `properties` are None where it cannot tell: the tablet has recorded things
    that it has not heard of.
    """

    state: str
    is_known_shut: bool
    connections: int | None
    properties: int | None
    fills_trench: bool
    held_by: list[str]

    @property
    def is_doubtful(self) -> bool:
        """Whether it is safe only if what the crew says on the phone is so."""
        return self.fills_trench or not self.is_known_shut


def window_of(at: dt.datetime) -> int:
    """Give the number of the ten minutes in which a moment lies."""
    return int(at.timestamp()) // WINDOW_S


def code_of(secret: bytes, outage: str, valve: str, window: int) -> str:
    """Work out the digits, as static/js/tablet/release.js does."""
    digest = hmac.new(secret, f"{outage}|{valve}|{window}".encode(), hashlib.sha256).digest()
    return str(int.from_bytes(digest[:8]) % 10**DIGITS).zfill(DIGITS)


def good_until(window: int) -> dt.datetime:
    """Give the moment from which a code of this window is wrong."""
    return dt.datetime.fromtimestamp((window + 1 + AROUND) * WINDOW_S, dt.UTC)


def find_effect(session: Session, outage_id: str, valve: str) -> Effect:
    """
    Say what opening a valve would do; nothing is written.

    Raises
    ------
    ConflictError
        If there is no such valve, it is in the plan but not to be opened, or the outage is closed.
    """
    live = find_outage(session, outage_id)
    if live.status == "closed":
        raise ConflictError("%(outage)s is closed already.", outage=outage_id)
    situation = Situation.read(session, is_drill=live.outage.is_drill)
    worked = next((one for one in list_valves(live) if one.valve == valve), None)
    if worked is None:
        return _find_effect_beyond_plan(situation, live, valve)
    is_refeed = worked.role == "refeed"
    is_known = is_refeed or is_shut(worked) or worked.state == "passing"
    holders = fetch_holders(session, live.key, worked.place)
    connections = properties = None
    if is_known and worked.state != "opened":
        dry = set(situation.supply().premises_dry().tolist())
        supposed = situation.suppose_open([worked])
        back = dry - set(supposed.supply().premises_dry().tolist())
        of_premises = situation.before.network.premises_properties
        connections, properties = len(back), int(sum(of_premises[row] for row in back))
    return Effect(
        state=worked.state,
        is_known_shut=is_known,
        connections=connections,
        properties=properties,
        fills_trench=live.outage.repaired_at is None
        and (worked.place in situation.guards(live.key) or not is_known),
        held_by=list(dict.fromkeys(holder.outage for holder in holders)),
    )


def _find_effect_beyond_plan(situation: Situation, live: LiveOutage, valve: str) -> Effect:
    """
    Say what is known of a valve that no plan of the outage holds.

    A tablet without a signal may have closed it by a ring of its own, of which nobody has heard.
    """
    gate = find_gate(situation.session, situation.stored, valve)
    if gate is None:
        raise ConflictError("There is no valve %(id)s.", id=valve)
    place = (gate.table, gate.key)
    if any(one.place == place for one in live.valves):
        raise ConflictError("This job has not closed %(valve)s.", valve=valve)
    holders = fetch_holders(situation.session, live.key, place)
    return Effect(
        state=BEYOND_PLAN,
        is_known_shut=False,
        connections=None,
        properties=None,
        fills_trench=live.outage.repaired_at is None,
        held_by=list(dict.fromkeys(holder.outage for holder in holders)),
    )


def list_valves(live: LiveOutage) -> list[WorkedValve]:
    """List the valves of an outage that a crew may want to open again."""
    roles = {"close", "optional", "surplus", "stuck", "refeed"}
    tables = {"valve", "control_valve"}
    return [one for one in live.valves if one.role in roles and one.device_table in tables]


def list_tablets(session: Session, live: LiveOutage | None) -> tuple[list[Device], list[Device]]:
    """List the tablets that work: those of the crews on an outage's jobs, and the others."""
    every = [one for one in devices.list_devices(session) if not one.is_revoked]
    if live is None or live.incident_id is None:
        return [], every
    keys = {
        key
        for order in list_orders(session, Filter(incident_id=live.incident_id, is_open=None))
        for key in (order.crew_key, order.second_crew_key)
    }
    members = queries.fetch_members(session, [key for key in keys if key is not None])
    near = [one for one in every if one.person_id in members]
    return near, [one for one in every if one not in near]


def give_code(
    session: Session,
    outage_id: str,
    valve: str,
    device_id: str,
    *,
    asked_by: str,
    is_heard: bool,
    actor: Actor,
    now: dt.datetime,
) -> int:
    """
    Release a valve to a tablet, and give the number under which that is kept.

    `is_heard`: the crew says on the phone that the repair is done and the valve shut, where
    nothing of that has been received yet.

    Raises
    ------
    ConflictError
        If another job needs the valve shut, or the trench may not be refilled.
    FieldopsError
        If nobody is named who asks, or the tablet is revoked.
    """
    asked_by = asked_by.strip()[:100]
    if not asked_by:
        raise FieldopsError("Name who asks for it on the phone.")
    device = devices.find_device(session, device_id)
    if device.is_revoked:
        raise FieldopsError("%(device)s is revoked. Sign in on it anew.", device=device.name)
    effect = find_effect(session, outage_id, valve)
    if effect.held_by:
        raise ConflictError(
            "%(valve)s must stay shut: %(job)s needs it.",
            valve=valve,
            job=", ".join(effect.held_by),
        )
    if effect.is_doubtful and not is_heard:
        raise ConflictError(
            "Ask the crew whether the repair is done and nobody is in the trench, and say so."
        )
    assert actor.person_id is not None  # noqa: S101 - only people give codes
    live = find_outage(session, outage_id)
    key = queries.insert_given(
        session,
        device_key=device.key,
        outage_key=live.key,
        valve=valve,
        window_number=window_of(now),
        asked_by=asked_by,
        given_at=now,
        given_by=actor.name,
        given_by_id=actor.person_id,
        effect=asdict(effect) | {"is_heard": is_heard},
    )
    append_event(
        session,
        "outage.release_given",
        ("outage", live.key),
        by=actor,
        now=now,
        body={
            "id": live.id,
            "version": live.outage.version,
            "valve": valve,
            "tablet": device.id,
            "asked_by": asked_by,
            "properties": effect.properties,
        },
    )
    return key


def read_code(session: Session, key: int, person_id: int, now: dt.datetime) -> tuple[Given, str]:
    """
    Give a code to whoever gave it, to be read out, as long as it is good.

    Raises
    ------
    NotFoundError
        If there is none under this number.
    ForbiddenError
        If somebody else gave it.
    ConflictError
        If its time is over.
    """
    given = queries.fetch_given(session, key)
    if given is None:
        raise NotFoundError("There is no release of this number.")
    if given.given_by_id != person_id:
        raise ForbiddenError("%(name)s gave this code. Give one of your own.", name=given.given_by)
    if now >= good_until(given.window_number):
        raise ConflictError("The time of this code is over. Give a new one.")
    return given, code_of(given.secret, given.outage_id, given.valve, given.window_number)


def list_given(session: Session, limit: int = 50) -> list[Given]:
    """Give the codes of late, the newest first, without their digits."""
    return queries.fetch_latest(session, limit)


def check_opening(session: Session, event: Event) -> None:
    """
    Hold what a tablet has opened without a signal against the codes that were given.

    It has happened, so it is not refused: who released it is recorded, and where nobody did, the
    dispatcher is told.
    """
    if event.device is None or event.body.get("result") not in OPENED:
        return
    code = str(event.body.get("release_code") or "")
    is_late = event.received_at - event.occurred_at > WITHOUT_SIGNAL
    if not (code or is_late):
        return
    if not queries.is_tablet(session, event.device):
        # A dispatcher's own device, or a machine: no phone was needed.
        return
    valve = str(event.body["valve"])
    known = queries.fetch_of_valve(session, event.device, event.subject_key, valve)
    given = _find_right(known, code)
    if given is not None and _is_in_time(given, event.occurred_at):
        _tell_released(session, event, given)
        return
    why = "no_code" if not code else "wrong_time" if given is not None else "wrong_code"
    _tell_unreleased(session, event, valve, why)


def _find_right(known: Iterable[Given], code: str) -> Given | None:
    for given in known:
        right = code_of(given.secret, given.outage_id, given.valve, given.window_number)
        if hmac.compare_digest(right, code.encode("ascii", "replace").decode()):
            return given
    return None


def _is_in_time(given: Given, at: dt.datetime) -> bool:
    """Tell whether a code was good then; one window more, for the device's clock may be off."""
    return abs(window_of(at) - given.window_number) <= AROUND + 1


def _tell_released(session: Session, event: Event, given: Given) -> None:
    if given.used_at is None:
        queries.update_used(session, given.key, event.occurred_at, _who(event).name)
    append_event(
        session,
        "outage.valve_released",
        ("outage", event.subject_key),
        by=_who(event),
        now=event.received_at,
        occurred_at=event.occurred_at,
        body={
            **_face(event),
            "valve": given.valve,
            "released_by": given.given_by,
            "given_at": given.given_at.isoformat(),
            "asked_by": given.asked_by,
            "opened_by": event.person_name,
            "tablet": given.device_id,
        },
    )


def _tell_unreleased(session: Session, event: Event, valve: str, why: str) -> None:
    """Lay it before the dispatchers with the facts that came late, until one has read it."""
    append_event(
        session,
        "outage.late_fact",
        ("outage", event.subject_key),
        by=_who(event),
        now=event.received_at,
        occurred_at=event.occurred_at,
        body={
            **_face(event),
            "action": f"opened_{why}",
            "valve": valve,
            "opened_by": event.person_name,
            "tablet": event.device,
        },
    )


def _who(event: Event) -> Actor:
    return Actor(
        name=event.person_name or "?",
        person_id=event.person_id,
        by_phone_for=event.by_phone_for,
        device=event.device,
    )


def _face(event: Event) -> dict[str, Any]:
    return {name: event.body[name] for name in ("id", "version") if name in event.body}


HANDLERS = {"outage.valve_reopened": check_opening}
