"""Reports: linked by themselves in a live zone alone, asked about elsewhere, never merged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import Operation
from fieldops.incidents import service as incidents
from fieldops.incidents.service import IncidentDraft
from fieldops.reports import service
from fieldops.reports.service import ReportDraft
from tests.fieldops.outages.towns import street
from tests.fieldops.reports.places import NOW, SYSTEM, agent, at, call, open_outage_row

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.incidents.service import Incident

LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def town(session: Session) -> Session:
    """Lay P1 - (V1) P2 (V2) - P3, with a house on each."""
    street().plant(session)
    return session


def burst(session: Session, pipe: str = "P2", kind: str = "burst") -> Incident:
    """Open an incident."""
    lon, lat = at(pipe)
    draft = IncidentDraft(kind=kind, lon=lon, lat=lat)
    return incidents.open_incident(session, draft, SYSTEM, NOW)


def test_a_report_in_a_live_zone_is_linked_by_itself(town: Session) -> None:
    """And stays a record of its own, with its own number."""
    incident = burst(town)
    told = [call(town, share=share) for share in (0.1, 0.9)]
    assert [one.report.incident for one in told] == [incident.id] * 2
    assert [one.report.status for one in told] == ["linked"] * 2
    assert {one.report.link_kind for one in told} == {"zone"}
    assert len({one.report.id for one in told}) == 2


def test_a_report_near_but_in_another_segment_is_asked_about(town: Session) -> None:
    """The valve between them may part two bursts."""
    incident = burst(town)
    told = call(town, "P1", share=0.9)
    assert told.report.incident is None
    assert told.candidates[0].id == incident.id
    assert told.candidates[0].why == ("near", "related_kind")
    assert told.candidates[0].distance_m == pytest.approx(57, abs=2)


def test_loose_reports_do_not_hide_the_incident_next_door(town: Session) -> None:
    """However many lie nearer, whoever takes the call sees the incident first."""
    first = call(town, "P2", "burst").report
    incident = service.open_incident_for(town, first.id, SYSTEM, NOW).incident
    for share in (0.5, 0.51, 0.52, 0.53):
        call(town, "P3", "no_water", share)
    told = call(town, "P3", "no_water", 0.55)
    assert told.candidates[0].id == incident.id
    assert len(told.candidates) == 3


def test_a_missing_cover_is_not_linked_to_a_burst(town: Session) -> None:
    """Though it lies in the segment, and is shown."""
    incident = burst(town)
    told = call(town, kind="cover_defect")
    assert told.report.incident is None
    assert [(one.id, one.why) for one in told.candidates] == [(incident.id, ("same_zone", "near"))]


def test_what_was_told_first_is_linked_when_the_incident_opens(town: Session) -> None:
    """Whatever of it lies in the segment."""
    inside, outside = call(town).report, call(town, "P1").report
    incident = burst(town)
    assert service.find_report(town, inside.id).incident == incident.id
    assert service.find_report(town, outside.id).incident is None


def test_the_first_three_candidates_come_by_segment_then_by_nearness(town: Session) -> None:
    """Old ones and far ones are none."""
    call(town, share=0.5, now=NOW - dt.timedelta(hours=49))
    far = call(town, "P2", share=0.99).report
    near_elsewhere = call(town, "P1", share=0.99).report
    same = call(town, "P2", share=0.3, kind="low_pressure").report
    call(town, "P3", kind="cover_defect", share=0.2)
    told = call(town, "P2", share=0.01)
    assert [one.id for one in told.candidates] == [same.id, far.id, near_elsewhere.id]
    assert "same_zone" in told.candidates[0].why


def test_a_link_can_be_undone_and_does_not_come_back_by_itself(town: Session) -> None:
    """The one who parts them knows better than the segment."""
    incident = burst(town)
    actor = agent(town)
    report = call(town).report
    parted = service.part_report(town, report.id, actor, LATER)
    assert (parted.incident, parted.status) == (None, "open")
    incidents.close_incident(town, incident.id, SYSTEM, LATER)
    incidents.reopen_incident(town, incident.id, SYSTEM, LATER)
    assert service.find_report(town, report.id).incident is None
    assert "parted" in service.describe_report(town, report.id, LATER).candidates[0].why
    again = service.link_report(town, report.id, incident.id, actor, LATER)
    assert (again.incident, again.link_kind) == (incident.id, "chosen")


def test_a_report_has_one_incident_at_a_time(town: Session) -> None:
    """It must be parted from the first."""
    burst(town)
    other = burst(town, "P1")
    report = call(town).report
    with pytest.raises(ConflictError, match="part it first"):
        service.link_report(town, report.id, other.id, SYSTEM, NOW)


def test_a_caller_in_a_live_outage_hears_what_may_be_promised(town: Session) -> None:
    """Also where the segment is whole, but cut off behind the shut one."""
    incident = burst(town)
    open_outage_row(town, incident.id, "P2", "P3")
    told = call(town, "P3")
    assert told.outage is not None
    assert told.promise is not None
    assert told.report.incident == incident.id
    assert told.report.promise is not None
    assert told.report.promise["outage"] == told.outage.id
    elsewhere = call(town, "P1")
    assert (elsewhere.outage, elsewhere.promise) == (None, None)


def test_another_burst_in_a_dry_street_is_not_linked_by_itself(town: Session) -> None:
    """Only dryness and dirt come from the outage, where the segment is another."""
    incident = burst(town)
    open_outage_row(town, incident.id, "P2", "P3")
    told = call(town, "P3", kind="burst")
    assert told.outage is not None
    assert told.report.incident is None


@pytest.mark.parametrize(("hours", "is_linked"), [(23, True), (25, False)])
def test_dirty_water_after_a_reopening_is_linked_to_it(
    town: Session,
    hours: int,
    is_linked: bool,  # noqa: FBT001 - a case
) -> None:
    """Within a day, in its area; and flushing is proposed."""
    incident = burst(town)
    incidents.close_incident(town, incident.id, SYSTEM, NOW)
    restored_at = NOW - dt.timedelta(hours=hours)
    open_outage_row(
        town, incident.id, "P2", status="restored", restored_at=restored_at,
        opened_at=NOW - dt.timedelta(hours=30),
    )  # fmt: skip
    told = call(town, kind="discoloured")
    assert (told.reopening is not None) == is_linked
    assert told.report.incident == (incident.id if is_linked else None)
    # The incident is over, so nobody works on it: the report waits for a person.
    assert told.report.status == "open"
    assert call(town, "P1", kind="discoloured").reopening is None
    assert call(town, kind="discoloured", is_drill=True).reopening is None
    assert call(town, "P2", kind="no_water").reopening is None
    if is_linked:
        order, is_new = service.open_flushing(town, told.report.id, SYSTEM, NOW)
        assert (order.kind, is_new) == ("flush", True)
        again, is_new = service.open_flushing(town, told.report.id, SYSTEM, NOW)
        assert (again.id, is_new) == (order.id, False)
    else:
        with pytest.raises(ConflictError):
            service.open_flushing(town, told.report.id, SYSTEM, NOW)


def test_a_report_sent_again_is_the_same_report(town: Session) -> None:
    """By the number that the machine gave it."""
    first = call(town, client_id="meter-17", channel="api")
    again = call(town, client_id="meter-17", channel="api", kind="burst")
    assert again.is_repeated
    assert (again.report.id, again.report.kind) == (first.report.id, "no_water")


def test_the_first_contact_is_set_once(town: Session) -> None:
    """By whoever took the call, or else by who first does something about it."""
    actor = agent(town)
    assert call(town, actor=actor).report.first_contact_by == "王芳"
    report = call(town, channel="public", actor=SYSTEM).report
    assert report.first_contact_by is None
    taken = service.take_report(town, report.id, actor, NOW)
    assert taken.first_contact_by == "王芳"
    with pytest.raises(ConflictError, match="王芳"):
        service.take_report(town, report.id, agent(town), NOW)


def test_a_place_is_known_by_customer_by_pipe_and_by_address(town: Session) -> None:
    """The best that is known counts."""
    pipe = service.register_report(town, ReportDraft(kind="leak", pipe="P3"), SYSTEM, NOW)
    assert pipe.report.pipe == "P3"
    draft = ReportDraft(kind="no_water", customer="C102")
    customer = service.register_report(town, draft, SYSTEM, NOW).report
    assert (customer.customer, customer.pipe) == ("C102", "P2")
    nowhere = ReportDraft(kind="leak", address="somewhere behind the mill")
    report = service.register_report(town, nowhere, SYSTEM, NOW).report
    assert (report.lon, report.pipe, report.status) == (None, None, "open")
    with pytest.raises(NotFoundError):
        service.register_report(town, ReportDraft(kind="leak", pipe="P9"), SYSTEM, NOW)
    with pytest.raises(FieldopsError):
        service.register_report(town, ReportDraft(kind="fire"), SYSTEM, NOW)


def test_one_action_opens_the_incident_and_its_first_orders(town: Session) -> None:
    """With the customers who would be dry, and the valve crew first."""
    report = call(town, kind="burst", words="水柱").report
    other = call(town).report
    opening = service.open_incident_for(town, report.id, agent(town), NOW)
    incident = opening.incident
    assert opening.is_new
    assert incident.properties_out == 2
    assert incident.critical_out == 1
    assert [order.kind for order in opening.orders] == ["make_safe", "repair"]
    assert opening.orders[1].after_order_key == opening.orders[0].key
    assert opening.orders[0].customers_out == 2
    assert opening.report.link_kind == "opened"
    assert service.find_report(town, other.id).incident == incident.id


def test_where_an_incident_is_open_no_second_one_opens(town: Session) -> None:
    """Unless somebody says that it is another."""
    first = service.open_incident_for(town, call(town, kind="burst").report.id, SYSTEM, NOW)
    told = call(town, kind="burst")
    assert told.report.incident == first.incident.id
    service.part_report(town, told.report.id, SYSTEM, NOW)
    again = service.open_incident_for(town, told.report.id, SYSTEM, NOW)
    assert (again.incident.id, again.is_new, again.orders) == (first.incident.id, False, [])
    service.part_report(town, told.report.id, SYSTEM, NOW)
    other = service.open_incident_for(town, told.report.id, SYSTEM, NOW, is_separate=True)
    assert other.incident.id != first.incident.id
    assert service.find_report(town, told.report.id).incident == other.incident.id


def test_a_drill_and_what_is_real_know_nothing_of_each_other(town: Session) -> None:
    """Neither by link nor as a candidate."""
    burst(town)
    told = call(town, is_drill=True)
    assert told.report.incident is None
    assert told.candidates == []


def test_every_role_may_register_and_the_desk_alone_may_link(town: Session) -> None:
    """Through the operations of the tablet, too; sent again it is the same."""
    crew = agent(town).__class__(name="李强", person_id=None, roles=frozenset({"crew"}))
    lon, lat = at("P2")
    body: dict[str, object] = {"kind": "visible_leak", "lon": lon, "lat": lat}

    def do(action: str, subject: str = "", /, **fields: object) -> str:
        operation = Operation(
            subject_kind="report", subject_id=subject, action=action, body=fields,
            op_id="01890000-0000-7000-8000-000000000001",
        )  # fmt: skip
        return service.apply_operation(town, operation, crew, NOW).status

    assert do("register", "", **body) == "applied"
    assert do("register", "", **body) == "applied"
    assert do("register", kind="leak", photo_sha256="x", lon="east") == "illegal"
    reports = service.list_latest(town)
    assert len(reports) == 1
    assert reports[0].channel == "crew"
    assert do("link", reports[0].id, incident="I-1") == "forbidden"
    assert do("burn", reports[0].id) == "illegal"


def test_a_report_without_a_place_is_placed_later_and_linked_then(town: Session) -> None:
    """By whoever finds out; what is linked stays where it is."""
    incident = burst(town)
    draft = ReportDraft(kind="no_water", address="behind the mill", channel="public")
    report = service.register_report(town, draft, SYSTEM, NOW).report
    with pytest.raises(FieldopsError):
        service.place_report(town, report.id, ReportDraft(kind="no_water"), SYSTEM, NOW)
    where = ReportDraft(kind="no_water", customer="C102")
    placed = service.place_report(town, report.id, where, agent(town), NOW)
    assert (placed.pipe, placed.incident) == ("P2", incident.id)
    assert placed.address == "behind the mill"
    with pytest.raises(ConflictError):
        service.place_report(town, report.id, where, SYSTEM, NOW)


def test_an_incident_with_open_orders_is_not_closed(town: Session) -> None:
    """Whoever holds an order says so."""
    opening = service.open_incident_for(town, call(town, kind="burst").report.id, SYSTEM, NOW)
    closing = Operation(subject_kind="incident", subject_id=opening.incident.id, action="close")
    refused = incidents.apply_operation(town, closing, SYSTEM, LATER)
    assert refused.status == "illegal"
    assert opening.orders[0].id in str(refused.params)
    assert incidents.find_incident(town, opening.incident.id).is_open
