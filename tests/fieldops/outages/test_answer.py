"""What the answer says, field by field."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import shapely
from flask_babel import force_locale
from geoalchemy2 import WKTElement

from fieldops.cli.outages import _as_text
from fieldops.errors import FieldopsError
from fieldops.network.models import Road
from fieldops.outage_reasons.service import explain_supply, preview_failures
from fieldops.outages.forms import as_json
from fieldops.outages.service import Question, preview_outage
from tests.fieldops.outages.towns import PLACES, Town, street

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _speaking(app: Flask) -> Iterator[None]:
    """Speak English."""
    with app.test_request_context(), force_locale("en"):
        yield


def ask(session: Session, pipe: str = "P2", at_m: float | None = None, **more: Any) -> Any:  # noqa: ANN401
    """Ask about a pipe and give the answer as JSON has it."""
    question = Question(pipes=[(pipe, at_m)], with_customers=True, **more)
    return as_json(preview_outage(session, question, NOW))


def codes(answer: Any) -> list[tuple[str, str | None]]:  # noqa: ANN401
    """List what is remarked, without what is always said."""
    always = {"travel-estimated", "low-pressure-not-judged"}
    return [(one["code"], one["id"]) for one in answer["remarks"] if one["code"] not in always]


def test_an_answer_has_every_field_of_the_format_and_no_other(session: Session) -> None:
    """The middle pipe of a street cuts off the hospital behind it."""
    street().plant(session)
    answer = ask(session)
    remarks, times = answer.pop("remarks"), answer.pop("times")
    revision = answer.pop("network_revision")

    assert answer == {
        "pipe": "P2",
        "at_m": None,
        "isolated": True,
        "valves_to_close": ["V1"],
        "valves_optional": ["V2"],
        "valves_verify_shut": [],
        "pumps_to_stop": [],
        "sources_shut": [],
        "pipes_shut": ["P2"],
        "pipes_cut_off": ["P3"],
        "customers": {
            "connections": 2,
            "properties": 2,
            "people": 4,
            "critical": ["C103"],
            "guessed": 0,
            "shut": ["C102"],
            "cut_off": ["C103"],
            "already_dry": 0,
        },
        "hydrants_dry": ["H1"],
        "refeed": [],
        "if_unknown_closed": None,
        "customers_differ": [],
    }
    assert isinstance(revision, int)
    assert [one["code"] for one in remarks] == ["travel-estimated", "low-pressure-not-judged"]
    assert set(times) == {"water_stopped", "restored"}
    for forecast in times.values():
        assert NOW.strftime("%Y-%m-%d") <= forecast["p10"] <= forecast["p50"] <= forecast["p90"]
        assert all(moment.endswith("Z") for moment in forecast.values())


def test_customers_are_named_only_if_asked_for(session: Session) -> None:
    """Critical ones are named always: somebody has to be called."""
    street().plant(session)
    question = Question(pipes=[("P2", None)])
    answer = as_json(preview_outage(session, question, NOW))

    assert set(answer["customers"]) == {
        *("connections", "properties", "people", "critical", "guessed", "already_dry")
    }
    assert answer["customers"]["critical"] == ["C103"]


def test_lists_are_sorted_as_text(session: Session) -> None:
    """V10 comes before V9."""
    town = Town().pipe("P1", "AB").valve("V9", "P1", 0).valve("V10", "P1", 100)
    town.source("S1", "A").source("S2", "B").plant(session)

    assert ask(session, "P1")["valves_to_close"] == ["V10", "V9"]


def test_a_stuck_valve_widens_the_plan_and_is_named(session: Session) -> None:
    """The works itself lies on the segment then."""
    street().plant(session)
    answer = ask(session, inoperable=["V1"])

    assert answer["isolated"] is False
    assert answer["sources_shut"] == ["S1"]
    assert answer["pipes_shut"] == ["P1", "P2"]
    assert codes(answer)[:2] == [("source-on-segment", "S1"), ("valve-inoperable", "V1")]


def test_a_valve_that_cannot_be_reached_is_named_as_such(session: Session) -> None:
    """What is done about it differs."""
    street().plant(session)

    assert ("valve-unreachable", "V1") in codes(ask(session, unreachable=["V1"]))


def test_a_recorded_stuck_valve_that_bounds_nothing_is_not_blamed(session: Session) -> None:
    """A stuck valve elsewhere in the town has nothing to do with this break."""
    street().valve("V7", "P3", 50, operability="inoperable").plant(session)

    assert codes(ask(session)) == []


def test_unknown_positions_are_answered_both_ways(session: Session) -> None:
    """If V2 is closed, whoever is behind it was dry before."""
    town = street()
    town.features = [one for one in town.features if one["properties"]["id"] != "V2"]
    town.valve("V2", "P2", 100, position="unknown").plant(session)
    answer = ask(session)
    other = answer["if_unknown_closed"]

    assert answer["customers"]["cut_off"] == ["C103"]
    assert other["customers"]["cut_off"] == []
    assert answer["customers_differ"] == ["C103"]
    assert set(answer) - set(other) == {
        *("remarks", "times", "if_unknown_closed", "customers_differ")
    }
    assert ("position-unknown", "V2") in codes(answer)


def test_an_unknown_position_that_changes_nothing_gives_no_second_answer(session: Session) -> None:
    """V7 ends a dead end where nobody lives."""
    street().pipe("P7", "DE").valve("V7", "P7", 50, position="unknown").plant(session)
    answer = ask(session, "P1")

    assert answer["if_unknown_closed"] is None
    assert answer["customers_differ"] == []


def test_an_assumed_position_is_named_where_it_decides(session: Session) -> None:
    """The file did not say whether V1 is open."""
    town = street()
    for one in town.features:
        if one["properties"]["id"] == "V1":
            del one["properties"]["position"]
    town.plant(session)

    assert codes(ask(session)) == [("position-assumed", "V1")]
    assert codes(ask(session, "P3")) == []


def test_without_a_source_nothing_is_said_of_who_is_cut_off(session: Session) -> None:
    """Unknown is not none."""
    town = street()
    town.features = [one for one in town.features if one["properties"]["id"] != "S1"]
    town.plant(session)
    answer = ask(session)

    assert answer["pipes_cut_off"] is None
    assert answer["refeed"] is None
    assert answer["customers"]["cut_off"] is None
    assert answer["customers"]["already_dry"] is None
    assert answer["valves_to_close"] == ["V1", "V2"]
    assert codes(answer) == [("no-source", None)]


def test_a_valve_never_exercised_is_named(session: Session) -> None:
    """It counts as operable, and the answer says so."""
    town = street().pipe("P4", "DE").valve("V4", "P4", 0, last_exercised_on=None)
    town.valve("V5", "P4", 100, operability="unknown").source("S2", "E").plant(session)

    assert codes(ask(session, "P4")) == [
        ("valve-never-exercised", "V4"),
        ("operability-unknown", "V5"),
    ]


def test_a_closed_pipe_drains_alone(session: Session) -> None:
    """Nobody loses supply by it, and no valve is closed."""
    street().pipe("P9", "Bb", status="closed").customer("C9", "P9").plant(session)
    answer = ask(session, "P9")

    assert answer["valves_to_close"] == []
    assert answer["customers"]["properties"] == 0
    assert answer["customers"]["already_dry"] == 1
    assert codes(answer) == [("pipe-recorded-closed", "P9")]
    assert answer["times"] == {"water_stopped": None, "restored": None}
    told = "\n".join(_as_text(preview_outage(session, Question(pipes=[("P9", None)]), NOW), NOW))
    assert told.count("does not apply: the pipe is closed") == 2


def test_a_closed_pipe_beside_something_else_that_breaks_has_times(session: Session) -> None:
    """There is water to stop then."""
    street().pipe("P9", "Bb", status="closed").plant(session)

    for more in ({"pipes": [("P9", None), ("P2", None)]}, {"nodes": ["C"]}, {"closed": ["V1"]}):
        asked = Question(**{"pipes": [("P9", None)], **more})  # type: ignore[arg-type]
        assert preview_outage(session, asked, NOW).water_stopped is not None


def test_a_control_valve_closed_by_its_status_can_be_supposed_open(session: Session) -> None:
    """It is proposed to open it, so the proposal can be tried."""
    town = street().source("S2", "d")
    town.control_valve("V8", "dD", isolates=True, status="closed").plant(session)

    assert [one["valve"] for one in ask(session)["refeed"]] == ["V8"]
    assert ask(session, opened=["V8"])["pipes_cut_off"] == []


def test_a_whole_pipe_of_several_parts_says_so(session: Session) -> None:
    """With the place of the break the plan is smaller."""
    street().valve("V3", "P2", 40).plant(session)

    assert ("whole-pipe", "P2") in codes(ask(session))
    by_place = ask(session, at_m=70)
    assert by_place["at_m"] == 70
    assert by_place["customers"]["shut"] == ["C102"]
    assert codes(by_place) == []


def test_tanks_are_told_with_the_hours_they_last(session: Session) -> None:
    """A tank of 10 m3 and a draw of 2 m3 a day."""
    town = street().source("T1", "D", type="tank", volume_m3=10)
    for one in town.features:
        if one["properties"]["id"] == "C103":
            one["properties"]["demand_l_per_property_day"] = 2000
    town.plant(session)
    remark = next(one for one in ask(session)["remarks"] if one["code"] == "tank-fed")

    assert remark["id"] == "T1"
    assert "120.0 hours" in remark["text"]


def test_a_tank_of_unknown_volume_lasts_for_an_unknown_time(session: Session) -> None:
    """It is not left out."""
    street().source("T1", "D", type="tank").plant(session)
    remark = next(one for one in ask(session)["remarks"] if one["code"] == "tank-fed")

    assert "unknown" in remark["text"]


def test_people_are_not_summed_where_some_are_not_counted(session: Session) -> None:
    """A sum without them would be too small."""
    street().customer("C104", "P2", people=None).plant(session)
    answer = ask(session)

    assert answer["customers"]["people"] is None
    assert codes(answer) == [("people-unknown", None)]


def test_an_assumed_layer_of_valves_is_labelled(session: Session) -> None:
    """An EPANET file has no isolation valves of its own."""
    street().valve("X1", "P3", 0, assumed_layer=True).source("S9", "D").plant(session)

    assert ("assumed-valve-layer", "X1") in codes(ask(session, "P3"))


def test_pumps_are_stopped(session: Session) -> None:
    """A pump with an end on the segment would run dry."""
    street().pump("PU1", "Cc").plant(session)

    assert ask(session, "P3")["pumps_to_stop"] == ["PU1"]


def test_a_closed_valve_to_a_supplied_part_is_verified_shut_or_refeeds(session: Session) -> None:
    """V8 is the closed door to the next zone."""
    town = street().pipe("P8", "Dd").valve("V8", "P8", 100, position="closed", boundary=True)
    town.source("S8", "d").plant(session)
    answer = ask(session)

    assert answer["refeed"] == [{"valve": "V8", "properties_regained": 1, "crosses_boundary": True}]
    assert ("refeed-crosses-boundary", "V8") in codes(answer)
    assert ask(session, "P8", at_m=10)["valves_verify_shut"] == ["V8"]


def test_valves_nodes_and_hydrants_break_too(session: Session) -> None:
    """A broken valve drains both its sides."""
    street().plant(session)

    def shut(**broken: list[str]) -> Any:  # noqa: ANN401
        answer = as_json(preview_outage(session, Question(**broken), NOW))  # type: ignore[arg-type]
        return answer["pipe"], answer["pipes_shut"]

    assert shut(valves=["V2"]) == (None, ["P2", "P3"])
    assert shut(nodes=["C"]) == (None, ["P3"])
    assert shut(hydrants=["H1"]) == (None, ["P3"])


def test_several_things_break_at_once(session: Session) -> None:
    """What is broken is told under a name of its own."""
    street().plant(session)
    question = Question(pipes=[("P2", None), ("P3", 10.0)], closed=["V1"])
    answer = as_json(preview_outage(session, question, NOW))

    assert answer["pipe"] is None
    assert answer["broken"]["pipes"] == [{"pipe": "P2", "at_m": None}, {"pipe": "P3", "at_m": 10.0}]
    assert answer["broken"]["closed"] == ["V1"]
    assert answer["pipes_shut"] == ["P2", "P3"]


@pytest.mark.parametrize("at_m", [-1.0, 100.01, float("nan"), float("inf")])
def test_a_place_beyond_the_pipe_is_refused_with_its_length(session: Session, at_m: float) -> None:
    """The length tells what would be right."""
    street().plant(session)

    with pytest.raises(FieldopsError, match="100 m long"):
        ask(session, at_m=at_m)


@pytest.mark.parametrize("fault", ["inoperable", "unreachable", "closed", "opened"])
def test_an_unknown_valve_is_refused(session: Session, fault: str) -> None:
    """Leaving it out would answer another question."""
    street().plant(session)

    with pytest.raises(FieldopsError, match="no valve V99"):
        ask(session, **{fault: ["V99"]})  # type: ignore[arg-type]


def test_every_customer_has_an_interval(session: Session) -> None:
    """A building with a tank goes dry later than the mains."""
    street().customer("C110", "P2", building_tank_m3=1, demand_l_per_property_day=1000).plant(
        session
    )
    answer = ask(session, with_intervals=True)
    by_customer = {one["customer"]: one for one in answer["intervals"]}

    assert set(by_customer) == {"C102", "C103", "C110"}
    assert by_customer["C102"]["mains_off"] == by_customer["C102"]["tap_dry"]
    assert by_customer["C110"]["mains_off"][:10] < by_customer["C110"]["tap_dry"][:10]
    assert by_customer["C102"]["mains_off"] == answer["times"]["water_stopped"]["p50"]
    assert by_customer["C103"]["restored"] <= answer["times"]["restored"]["p50"]


def test_the_map_gets_keys_of_parts(session: Session) -> None:
    """A tile's feature is a part: the pipe's key times 64 and the number of the part."""
    street().valve("V3", "P2", 40).plant(session)
    keys = ask(session, at_m=70, with_keys=True)["keys"]
    cut = next(one for one in keys["parts_shut"])

    assert cut % 64 == 1
    assert [one["number"] for one in keys["valves_to_close"]] == [1]
    assert keys["valves_to_close"][0]["id"] == "V3"
    assert len(keys["parts_cut_off"]) == 1
    assert len(keys["customers_shut"]) == len(keys["customers_cut_off"]) == 1


def test_a_plan_is_redone_for_each_valve_that_may_fail(session: Session) -> None:
    """If V3 fails, V1 takes its place, and more houses go dry."""
    street().valve("V3", "P2", 40).customer("C120", "P2", 20).plant(session)
    failures = preview_failures(session, Question(pipes=[("P2", 70.0)]))

    assert [(one.valve, one.more_valves, one.more_properties) for one in failures] == [
        ("V3", ["V1"], 1)
    ]


def test_supply_is_explained(session: Session) -> None:
    """By the way that the water takes, or by what parts it."""
    street().plant(session)
    question = Question(pipes=[("P2", None)])

    kept = explain_supply(session, question, customer="C101")["feeds"][0]
    lost = explain_supply(session, question, customer="C103")["feeds"][0]
    valve = explain_supply(session, question, valve="V1")["why"]
    assert (kept["has_supply"], kept["source"], kept["pipes"]) == (True, "S1", ["P1"])
    assert lost == {"has_supply": False, "parted_by": ["V2"], "segment_is_between": True}
    assert valve["source"] == "S1"


def test_a_warm_answer_takes_four_statements(session: Session, statements: list[str]) -> None:
    """Where the network stands, what is asked about, its valves, and all other ids."""
    street().plant(session)
    ask(session)
    statements.clear()
    ask(session)

    assert len(statements) == 4


def two_valves(session: Session, *roads: dict[str, Any]) -> Any:  # noqa: ANN401
    """Break the middle of a street fed from both ends, with roads (lines of places) about."""
    town = street().source("S2", "D")
    town.plant(session)
    for number, road in enumerate(roads):
        line = shapely.LineString([PLACES[name] for name in road["line"]])
        more = {name: value for name, value in road.items() if name != "line"}
        geometry = WKTElement(line.wkt, srid=4326)
        session.add(Road(id=f"R{number}", geometry=geometry, **more))
    session.flush()
    answer = preview_outage(session, Question(pipes=[("P2", None)]), NOW)
    said = {one.code for one in answer.remarks} & {"travel-estimated", "travel-by-road"}
    assert answer.water_stopped is not None
    return [step.device.id for step in answer.steps], answer.water_stopped.p50, said.pop()


def test_ways_between_valves_follow_recorded_roads(session: Session) -> None:
    """A walking pace along the street takes longer than a guess along a straight line."""
    _, straight, said = two_valves(session)
    assert said == "travel-estimated"
    session.rollback()
    order, by_road, said = two_valves(session, {"line": "ABCD", "speed_kmh": 5})
    assert (order, said) == (["V1", "V2"], "travel-by-road")
    assert by_road > straight


def test_a_one_way_street_turns_the_round(session: Session) -> None:
    """It runs from V2 to V1; the other way leads round the block."""
    order, _, _ = two_valves(session, {"line": "CB", "one_way": True}, {"line": "BbcC"})
    assert order == ["V2", "V1"]


def test_a_closed_street_costs_the_way_round(session: Session) -> None:
    """The block is all that is left."""
    _, direct, _ = two_valves(session, {"line": "BC"}, {"line": "BbcC"})
    session.rollback()
    _, around, said = two_valves(session, {"line": "BC", "closed": True}, {"line": "BbcC"})
    assert said == "travel-by-road"
    assert around > direct


def test_roads_that_do_not_join_the_valves_are_not_used(session: Session) -> None:
    """What cannot be driven is estimated along straight lines."""
    assert two_valves(session, {"line": "AB"}, {"line": "CD"})[2] == "travel-estimated"


def test_too_many_roads_are_not_searched(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody waits, an estimate is better."""
    monkeypatch.setattr("fieldops.outage_times.service.MOST_ROADS", 1)
    assert two_valves(session, {"line": "AB"}, {"line": "BCD"})[2] == "travel-estimated"
