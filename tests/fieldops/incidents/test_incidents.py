"""Incidents: one a segment, weighed with reasons, ended when nobody has anything left to do."""

from __future__ import annotations

import datetime as dt
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.errors import ConflictError
from fieldops.events import service as events
from fieldops.events.service import SYSTEM, Operation
from fieldops.incidents import service
from fieldops.incidents.service import IncidentDraft, IncidentEffect
from tests.fieldops.outages.towns import PLACES, street

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.events.service import Event

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def at(name: str, share: float = 0.5) -> tuple[float, float]:
    """Give a place on a pipe of the street, as a share of its 100 m."""
    starts = {"P1": "A", "P2": "B", "P3": "C"}
    lon, lat = PLACES[starts[name]]
    return lon + share * 0.001, lat


def draft(pipe: str, kind: str = "burst", share: float = 0.5) -> IncidentDraft:
    """Tell of an incident on a pipe."""
    lon, lat = at(pipe, share)
    return IncidentDraft(kind=kind, lon=lon, lat=lat)


@pytest.fixture
def town(session: Session) -> Session:
    """Lay P1 - (V1) P2 (V2) - P3."""
    street().plant(session)
    return session


def test_a_place_lies_on_its_pipe_and_in_its_segment(town: Session) -> None:
    """The parts between V1 and V2 drain together, and those before V1 do not."""
    lon, lat = at("P2", 0.3)
    place = service.locate(town, lon=lon, lat=lat)
    assert place is not None
    assert (place.pipe, round(place.at_m or 0)) == ("P2", 30)
    other = service.locate(town, pipe_key=place.pipe_key, at_m=80.0)
    assert other is not None
    assert other.zone_parts == place.zone_parts
    lon, lat = at("P1")
    beside = service.locate(town, lon=lon, lat=lat)
    assert beside is not None
    assert beside.zone_parts
    assert not set(beside.zone_parts) & set(place.zone_parts)


def test_a_place_far_from_every_pipe_lies_in_no_segment(town: Session) -> None:
    """And says so, instead of naming the nearest."""
    place = service.locate(town, lon=117.5, lat=31.5)
    assert place is not None
    assert (place.pipe, place.part_key, place.zone_parts) == (None, None, [])


def test_a_second_burst_in_a_segment_is_the_first_one(town: Session) -> None:
    """Unless somebody says that it is another."""
    first = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    again, is_new = service.open_or_find_incident(town, draft("P2", "no_water"), SYSTEM, NOW)
    assert (again.id, is_new) == (first.id, False)
    with pytest.raises(ConflictError, match=first.id):
        service.open_incident(town, draft("P2", "visible_leak"), SYSTEM, NOW)
    lon, lat = at("P2")
    separate = IncidentDraft(kind="burst", lon=lon, lat=lat, is_separate=True)
    assert service.open_incident(town, separate, SYSTEM, NOW).id != first.id
    assert service.open_incident(town, draft("P1"), SYSTEM, NOW).id != first.id
    assert service.open_incident(town, draft("P2", "cover_defect"), SYSTEM, NOW).id != first.id


def test_a_segment_is_free_again_when_its_incident_is_closed(town: Session) -> None:
    """And the closed one cannot come back beside the new one."""
    first = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    service.close_incident(town, first.id, SYSTEM, NOW)
    service.open_incident(town, draft("P2"), SYSTEM, NOW)
    with pytest.raises(ConflictError):
        service.reopen_incident(town, first.id, SYSTEM, NOW)


def test_two_who_open_at_once_open_one(database: str) -> None:
    """The database parts them, in whatever order they come."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        street().plant(session)
    with sessions.begin() as session:
        service.locate(session, lon=at("P2")[0], lat=at("P2")[1])
    barrier, found = Barrier(4), []

    def open_one() -> None:
        with sessions.begin() as session:
            barrier.wait()
            found.append(service.open_or_find_incident(session, draft("P2"), SYSTEM, NOW))

    threads = [Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [is_new for _, is_new in found].count(True) == 1
    assert len({incident.id for incident, _ in found}) == 1
    sessions.kw["bind"].dispose()


def test_a_score_tells_its_parts_and_what_is_not_known(town: Session) -> None:
    """An effect not known yet counts nothing and is not a zero."""
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    before = {part["code"]: part for part in incident.score_parts}
    assert before["customers_out"] == {
        "code": "customers_out", "points": 0.0, "params": {"value": None},
    }  # fmt: skip
    assert before["diameter"]["points"] == 7.5
    assert incident.score == round(sum(part["points"] for part in incident.score_parts))
    after = service.record_effect(
        town,
        incident.id,
        IncidentEffect(
            properties_out=120, critical_ids=["hospital"], hydrants_dry=2, is_spreading=True
        ),
        NOW,
    )
    points = {part["code"]: part["points"] for part in after.score_parts}
    assert points["customers_out"] == 12
    assert points["critical"] == 15
    assert points["spreading"] == 15
    assert points["hydrants_dry"] == 2
    assert after.score > incident.score
    assert after.people_out is None


def test_weights_are_policy(town: Session) -> None:
    """A manager may change a row, and the next score obeys."""
    town.execute(text("UPDATE incident_weight SET points = 50, most = 50 WHERE part = 'danger'"))
    lon, lat = at("P2")
    dangerous = IncidentDraft(kind="burst", lon=lon, lat=lat, danger=True)
    incident = service.open_incident(town, dangerous, SYSTEM, NOW)
    assert incident.score_parts[0]["points"] == 50


def test_the_fire_service_is_due_while_hydrants_are_dry(town: Session) -> None:
    """Until it has been told."""
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    assert not incident.is_fire_service_due
    effect = IncidentEffect(hydrants_dry=1)
    assert service.record_effect(town, incident.id, effect, NOW).is_fire_service_due
    telling = Operation(subject_kind="incident", subject_id=incident.id, action="tell_fire_service")
    assert service.apply_operation(town, telling, SYSTEM, NOW).status == "applied"
    assert not service.find_incident(town, incident.id).is_fire_service_due


def test_whoever_has_something_left_to_do_keeps_it_open(
    town: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of the attempt remains."""

    def refuse(_session: Session, _event: Event) -> None:
        raise ConflictError("%(order)s is still open.", order="W-1")

    monkeypatch.setattr(events, "handlers", lambda: {"incident.closing": [refuse]})
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    closing = Operation(subject_kind="incident", subject_id=incident.id, action="close")
    outcome = service.apply_operation(town, closing, SYSTEM, NOW)
    assert (outcome.status, outcome.params) == ("illegal", {"order": "W-1"})
    assert service.find_incident(town, incident.id).is_open


def test_fields_that_somebody_else_changed_are_conflicts(town: Session) -> None:
    """The others apply."""
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)

    def change(base_version: int, **body: object) -> str:
        wanted = Operation(
            subject_kind="incident", subject_id=incident.id, action="change",
            body=body, base_version=base_version,
        )  # fmt: skip
        return service.apply_operation(town, wanted, SYSTEM, NOW).status

    assert change(incident.version, kind="collapse") == "applied"
    both = change(incident.version, kind="leak", danger=True)
    assert both == "applied_with_conflict"
    after = service.find_incident(town, incident.id)
    assert (after.kind, after.danger) == ("collapse", True)


def test_a_repair_of_plastic_asks_for_a_welder(town: Session) -> None:
    """The stages come in their order, by policy."""
    town.execute(text("UPDATE pipe SET material = 'PE' WHERE id = 'P2'"))
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    stages = service.list_stages(town, incident)
    assert [stage.order_kind for stage in stages] == ["make_safe", "repair"]
    assert "welding_pe" in stages[1].skills
    assert "welding_pe" not in stages[0].skills


def test_what_happened_is_told(town: Session) -> None:
    """With what a screen needs to change itself."""
    incident = service.open_incident(town, draft("P2"), SYSTEM, NOW)
    drafts = [event for _, event in town.info["events.drafts"]]
    assert drafts[-1].kind == "incident.opened"
    assert drafts[-1].body["id"] == incident.id
