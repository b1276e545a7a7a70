"""Tablets for tests: somebody of a crew, signed in on one for a shift."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from fieldops.access import Person, Role
from fieldops.accounts import queries as accounts
from fieldops.devices import service
from fieldops.incidents.service import IncidentDraft, open_incident
from tests.fieldops.live_outages.jobs import DISPATCHER, Job, at
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.fieldops.work_orders.orders import act, make_cast, make_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.devices.service import Device
    from fieldops.incidents.service import Incident
    from tests.fieldops.work_orders.orders import Cast


@dataclass(frozen=True, slots=True)
class Tablet:
    """A tablet on which somebody is signed in; `headers` are what its requests carry."""

    device: Device
    token: str
    person: Person

    @property
    def headers(self) -> dict[str, str]:
        """Show the token."""
        return {"Authorization": f"Bearer {self.token}"}


def person_of(session: Session, person_id: int) -> Person:
    """Give a person as whoever asks."""
    account = accounts.read_account(session, person_id)
    assert account is not None
    return Person(
        id=account.id,
        name=account.name,
        roles=frozenset(Role(role) for role in account.roles),
        login=account.login,
    )


def sign_tablet_in(
    session: Session,
    person_id: int,
    *,
    name: str = "平板一",
    again: Tablet | None = None,
    now: dt.datetime | None = None,
) -> Tablet:
    """Sign somebody in on a new tablet, or again on one, and commit."""
    person = person_of(session, person_id)
    signed_in = service.sign_in(
        session,
        person,
        name=name,
        device_id=again.device.id if again else None,
        last_token=again.token if again else None,
        now=now or dt.datetime.now(dt.UTC),
    )
    session.commit()
    return Tablet(signed_in.device, signed_in.token, person)


@dataclass(frozen=True, slots=True)
class Morning:
    """A burst in P3, its outage, and the repair that was given to the crew with the tablet."""

    cast: Cast
    incident: Incident
    outage: Job
    order: str
    tablet: Tablet


def begin_day(session: Session) -> Morning:
    """Let a main burst, send a crew, and sign a member of it in on a tablet."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    key = session.execute(text("SELECT key FROM pipe WHERE id = 'P3'")).scalar_one()
    incident = open_incident(
        session, IncidentDraft(kind="burst", pipe_key=key, at_m=50.0), DISPATCHER, at(-20)
    )
    outage = Job(session, "P3", incident_id=incident.id)
    order = make_order(session, at(0), incident_key=incident.key, kind="repair")
    act(session, order, "triage", cast.dispatcher, at(1))
    act(session, order, "assign", cast.dispatcher, at(2), body={"crew": cast.crew_id})
    assert cast.crew.person_id is not None
    tablet = sign_tablet_in(session, cast.crew.person_id)
    return Morning(cast, incident, outage, order.id, tablet)
