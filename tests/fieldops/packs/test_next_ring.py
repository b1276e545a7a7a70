"""What a tablet without a signal says after a valve that does not bound, one town a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fieldops.packs.drawn_towns import Drawn, names, outage, ring, tablet, worked

if TYPE_CHECKING:
    from typing import Any


def in_a_row() -> Drawn:
    """Draw works A - (V0) P1 - (V1) P2 - (V2) P3 - (V3) P4, a house on each pipe."""
    return (
        Drawn()
        .pipe("P1", "AB")
        .pipe("P2", "BC")
        .pipe("P3", "CD")
        .pipe("P4", "DE")
        .valve("V0", "P1")
        .valve("V1", "P2")
        .valve("V2", "P3")
        .valve("V3", "P4")
        .source("S", "A")
    )


def test_a_valve_that_will_not_close_is_answered_by_the_one_behind_it() -> None:
    """With what that changes in the plan: one valve for another, one customer more."""
    job = outage("P3", worked("V2", "will_not_close"))
    found = ring(in_a_row().pack(), job, "V2")

    assert names(found["close"]) == ["V1"]
    assert (found["valves_added"], found["valves_removed"]) == (["V1"], ["V2"])
    assert (found["properties"], found["properties_added"]) == (3, 1)
    assert names(found["optional"]) == ["V3"]
    assert found["reasons"] == []


def test_what_the_other_jobs_and_this_one_have_shut_stands_as_before() -> None:
    """Its own closed valve is in the ring again and no barrier; so is another's."""
    town = in_a_row()
    town.town["valves"][0]["position"] = "closed"
    job = outage("P3", worked("V2", "will_not_close"), worked("V1", "to_close"))
    other = outage("P1", worked("V0", "closed_tight"))

    assert ring(town.pack(), job, "V2")["close"] == []
    found = ring(town.pack(), job, "V2", others=[other])
    assert names(found["close"]) == ["V1"]

    town = in_a_row()
    town.town["valves"][1] |= {"position": "closed", "operability": "inoperable"}
    job = outage("P3", worked("V2", "will_not_close"), worked("V1", "closed_tight"))
    assert names(ring(town.pack(), job, "V2")["close"]) == ["V1"]


def test_a_valve_not_found_bounds_nothing_either() -> None:
    """Nobody gets at it."""
    job = outage("P3", worked("V2", "not_found"))
    assert names(ring(in_a_row().pack(), job, "V2")["close"]) == ["V1"]


def test_a_valve_that_passes_bounds_only_if_somebody_accepts_it() -> None:
    """By name."""
    passing = outage("P3", worked("V2", "passing"), worked("V1", "will_not_close"))
    accepted = outage(
        "P3", worked("V2", "passing", accepted_by="李强"), worked("V1", "will_not_close")
    )
    pack = in_a_row().pack()

    assert names(ring(pack, passing, "V1")["close"]) == ["V0"]
    assert names(ring(pack, accepted, "V1")["close"]) == ["V2"]


def test_a_second_valve_that_will_not_close_is_asked_with_the_first() -> None:
    """Not the union of two rings: both are merged, then it is asked again."""
    job = outage("P3", worked("V2", "will_not_close"), worked("V1", "will_not_close"))
    found = ring(in_a_row().pack(), job, "V1")

    assert names(found["close"]) == ["V0"]
    assert found["properties_added"] == 1


def test_a_barrier_that_leaks_counts_as_open_and_bounds_nothing() -> None:
    """A valve that was to be verified shut, and is not tight."""
    town = in_a_row().pipe("P5", "EF").source("T", "F").valve("V5", "P5", position="closed")
    job = outage("P4", worked("V5", "passing", role="verify_shut", position_before="closed"))
    found = ring(town.pack(), job, "V5")

    assert found["sources"] == ["T"]
    assert "source" in found["reasons"]


def test_a_normally_closed_valve_is_verified_and_never_closed() -> None:
    """And as a boundary valve it asks for dispatch."""
    town = in_a_row().pipe("P5", "DF").source("T", "F")
    town.valve("V5", "P5", position="closed", boundary=True)
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")

    assert names(found["verify_shut"]) == ["V5"]
    assert "V5" not in names(found["close"])
    assert found["reasons"] == ["boundary"]


def test_a_boundary_valve_in_the_ring_asks_for_dispatch() -> None:
    """It parts two supply zones."""
    town = in_a_row()
    town.town["valves"][1]["boundary"] = True
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert found["reasons"] == ["boundary"]


def test_a_pump_on_the_segment_is_stopped_and_asks_for_dispatch() -> None:
    """It would run dry."""
    town = in_a_row().pump("U", "DG").pipe("P6", "GH")
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")

    assert names(found["pumps"]) == ["U"]
    assert found["reasons"] == ["pump"]


@pytest.mark.parametrize(
    ("diameter", "reasons"), [(600.0, []), (601.0, ["large"]), (None, ["size_unknown"])]
)
def test_a_large_valve_asks_for_dispatch_and_so_does_one_of_unknown_size(
    diameter: float | None, reasons: list[str]
) -> None:
    """Unknown is never taken for small."""
    town = in_a_row()
    town.diameters["V1"] = diameter
    job = outage("P3", worked("V2", "will_not_close"))
    assert ring(town.pack(), job, "V2", most_mm=600)["reasons"] == reasons


def test_a_critical_customer_inside_asks_for_dispatch() -> None:
    """Also one that was inside before; who has come in is told besides."""
    town = in_a_row().customer("CP2", "P2", critical="hospital")
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert (found["critical"], found["critical_added"]) == (["hospital"], ["hospital"])
    assert found["reasons"] == ["critical"]

    town = in_a_row().customer("CP3", "P3", critical="dialysis")
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert (found["critical"], found["critical_added"]) == (["dialysis"], [])
    assert found["reasons"] == ["critical"]


def test_a_customer_with_a_second_feed_keeps_supply() -> None:
    """A premises has supply while any feed has."""
    town = in_a_row().customer("CP3", "P3", "P1", properties=30)
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert found["properties"] == 2


def test_a_source_on_the_segment_cannot_be_closed_off() -> None:
    """It is named, the ring is given all the same, and dispatch is asked for."""
    found = ring(in_a_row().pack(), outage("P2", worked("V0", "will_not_close")), "V0")
    assert found["sources"] == []
    job = outage("P1", worked("V0", "will_not_close"))
    found = ring(in_a_row().pack(), job, "V0")

    assert found["sources"] == ["S"]
    assert found["reasons"] == ["source"]
    assert names(found["optional"]) == ["V1"]


def test_without_any_source_nobody_is_said_to_be_cut_off() -> None:
    """The ring is given; the number is not known."""
    town = in_a_row()
    town.town["sources"].clear()
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")

    assert names(found["close"]) == ["V1", "V3"]
    assert found["properties"] is None
    assert found["properties_added"] is None
    assert found["reasons"] == ["no_sources"]


def test_the_check_of_a_one_way_pipe_stops_what_flows_back() -> None:
    """Its end node is not on the segment when the pipe breaks."""
    town = in_a_row()
    town.town["pipes"][3]["one_way"] = True
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert names(found["close"]) == ["V1"]

    town = in_a_row().pipe("P5", "ED", one_way=True)
    found = ring(town.pack(), outage("P5", worked("V2", "will_not_close")), "V2")
    assert "V3" in names([*found["close"], *found["optional"]])


def test_where_the_packs_edge_is_reached_the_number_is_not_known() -> None:
    """Who is beyond is not on this tablet; dispatch is asked for."""
    job = outage("P3", worked("V2", "will_not_close"), worked("V1", "will_not_close"))
    pack = in_a_row().pack(["P2", "P3"])

    sure = ring(in_a_row().pack(["P1", "P2", "P3", "P4"]), job, "V1")
    found = ring(pack, job, "V1")

    assert "pack_edge" not in sure["reasons"]
    assert "pack_edge" in found["reasons"]
    assert found["properties"] is None


def test_what_the_plan_was_chosen_to_do_is_asked_again() -> None:
    """A valve closed besides stays so, one left open stays open."""
    job = outage("P3", worked("V2", "will_not_close"), closed=["V3"], inoperable=["V1"])
    found = ring(in_a_row().pack(), job, "V2")
    assert names(found["close"]) == ["V0", "V3"]


def test_a_valve_not_yet_recorded_as_stuck_is_supposed_to_be() -> None:
    """The day may not hold the record; the question is about this valve."""
    found = ring(in_a_row().pack(), outage("P3", worked("V2")), "V2")
    assert names(found["close"]) == ["V1"]


@pytest.mark.parametrize(
    ("job", "what"),
    [
        (outage("P9", worked("V2")), "P9"),
        (outage(None, worked("V2"), nodes=["B"]), "B"),
        (outage("P3", worked("V2"), closed=["V9"]), "V9"),
        (outage(None, worked("V2")), "?"),
    ],
)
def test_what_the_pack_does_not_hold_is_said_and_nothing_is_made_up(
    job: dict[str, Any], what: str
) -> None:
    """The crew calls dispatch."""
    assert ring(in_a_row().pack(), job, "V2") == {"error": "NotInPack", "what": what}


def test_a_pump_of_the_same_id_is_not_taken_for_the_valve() -> None:
    """Ids are unique among the valves only."""
    town = in_a_row().pump("V2", "DG").pipe("P6", "GH")
    found = ring(town.pack(), outage("P3", worked("V2", "will_not_close")), "V2")
    assert names(found["close"]) == ["V1"]
    assert names(found["pumps"]) == ["V2"]


def test_a_pump_that_will_not_stop_moves_no_ring() -> None:
    """The valves are those of the plan, and dispatch is asked for."""
    town = in_a_row().pump("U", "DG").pipe("P6", "GH")
    pump = worked("U", "will_not_close", table="pump", role="pump")
    found = ring(town.pack(), outage("P3", worked("V2"), pump), "U")

    assert names(found["close"]) == ["V2"]
    assert (found["valves_added"], found["properties_added"]) == ([], 0)
    assert found["reasons"] == ["pump"]


def test_without_a_signal_no_valve_is_reopened_unless_it_was_released() -> None:
    """The release is of this valve and this job."""
    repaired = {"stages": {"repaired": "2026-03-02T05:00:00Z"}}
    job = outage("P3", worked("V1", "closed_tight"), worked("V2", "passing")) | repaired
    code = {"outage": "O-1", "valve": "V1", "release_code": "12345678"}

    def may(valve: str, releases: list[dict[str, str]], /, **more: object) -> dict[str, Any]:
        now = {"is_online": bool(more.pop("online", False))}
        return tablet({"outage": job | more, "stuck": valve, "releases": releases, "now": now})

    assert may("V1", []) == {"may": False, "why": "not_released"}
    assert may("V1", [code]) == {"may": True, "why": "released"}
    assert may("V2", [code]) == {"may": False, "why": "not_released"}
    assert may("V1", [code | {"outage": "O-2"}])["may"] is False
    assert may("V1", [code | {"release_code": ""}])["may"] is False
    assert may("V1", [], online=True) == {"may": True, "why": "online"}
    assert may("V1", [code], stages={}) == {"may": False, "why": "not_repaired"}
    assert may("V9", [code], online=True) == {"may": False, "why": "not_shut"}


@pytest.mark.parametrize(
    ("action", "body", "unreleased"),
    [
        ("reopen_valve", {"valve": "V1"}, "V1"),
        ("reopen_valve", {"valve": "V1", "result": "reopened", "release_code": "12345678"}, None),
        ("reopen_valve", {"valve": "V1", "result": "will_not_reopen"}, None),
        ("refeed", {"valve": "V9"}, "V9"),
        ("refeed", {"valve": "V9", "release_code": "12345678"}, None),
        ("restore_part", {"part": "all"}, "V1"),
        ("restore_part", {"part": "all", "release_codes": {"V1": "1", "V2": "2"}}, None),
        ("restore_part", {"valves": ["V1", "V2"], "release_codes": {"V1": "1"}}, "V2"),
        ("restore_part", {"part": "refeed:V9"}, "V9"),
        ("confirm_valve", {"valve": "V1", "result": "closed_tight"}, None),
    ],
)
def test_nothing_is_recorded_that_opens_a_valve_which_nobody_released(
    action: str, body: dict[str, Any], unreleased: str | None
) -> None:
    """Whichever page asks; with a signal the server is asked instead."""
    job = outage("P3", worked("V1", "closed_tight"), worked("V2", "closed_tight"))
    asked = {"outage": job | {"parts": []}, "action": action, "body": body}

    assert tablet(asked | {"now": {"is_online": False}}) == {"valve": unreleased}
    assert tablet(asked | {"now": {"is_online": True}}) == {"valve": None}
