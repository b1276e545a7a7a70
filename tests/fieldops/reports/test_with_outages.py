"""Reports beside a real outage, from the first call to dirty water after the last valve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops.incidents import service as incidents
from fieldops.reports import service
from tests.fieldops.live_outages.jobs import Job, at
from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import agent, call

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@pytest.fixture
def town(session: Session) -> Session:
    """Lay P1 - (V1) P2 (V2) - P3, with a house on each."""
    street().plant(session)
    return session


def test_from_the_first_call_to_dirty_water(town: Session) -> None:
    """Each caller is linked to the one incident, and hears what is known at that minute."""
    early = call(town, "P3", now=at(0)).report
    first = call(town, kind="burst", now=at(1)).report
    opening = service.open_incident_for(town, first.id, agent(town), at(2))
    incident = opening.incident
    assert service.find_report(town, early.id).incident is None
    job = Job(town, "P2", minute=3, at_m=50, incident_id=incident.id)
    # Cut off behind the shut segment: not in it, but without water by it.
    assert service.find_report(town, early.id).incident == incident.id
    told = call(town, "P3", now=at(4))
    assert told.report.incident == incident.id
    assert told.promise is not None
    assert told.promise.by or told.promise.next_news_at
    assert told.report.promise is not None
    assert call(town, "P1", now=at(5)).promise is None
    effect = incidents.find_incident(town, incident.id)
    assert (effect.properties_out, effect.critical_ids) == (2, ["C103"])
    job.close_valve("V1", 20).must("stage", 100, stage="repaired").open_valve("V1", 110)
    assert job.now.status == "restored"
    late = call(town, "P3", kind="no_water", now=at(130))
    assert late.promise is None
    dirty = call(town, "P3", kind="discoloured", now=at(200))
    assert dirty.reopening is not None
    assert dirty.report.incident == incident.id
    order, is_new = service.open_flushing(town, dirty.report.id, agent(town), at(201))
    assert (order.kind, is_new, order.outage_key) == ("flush", True, job.now.key)
    assert call(town, "P3", kind="discoloured", now=at(24 * 60 + 120)).reopening is None
    file = service.open_file(town, incident.id)
    assert {one.id for one in file.outages} == {job.id}
    assert {one.kind for one in file.orders} == {"make_safe", "repair", "flush"}
    assert early.id in {one.id for one in file.reports}
