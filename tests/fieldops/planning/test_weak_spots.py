"""What would hurt most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops.planning.service import rank_pipes, rank_segments, rank_valves
from tests.fieldops.outages.towns import Town, street

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_segments_come_worst_first_with_their_ring(session: Session) -> None:
    """Every field of the format."""
    street().plant(session)
    rows = rank_segments(session)

    assert rows[0] == {
        "segment": "P1",
        "pipes": ["P1"],
        "valves": ["V1"],
        "length_m": 100.0,
        "properties_shut": 1,
        "properties_cut_off": 2,
        "properties_lost": 3,
        "critical_lost": 1,
        "breaks_per_year": None,
        "customer_minutes_per_year": None,
    }
    assert [row["segment"] for row in rows if row["pipes"]] == ["P1", "P2", "P3"]
    assert [row["properties_lost"] for row in rows][:3] == [3, 2, 1]


def test_parts_of_one_pipe_are_told_apart_by_the_metre(session: Session) -> None:
    """The first keeps the plain name; parts that belong to another pipe's segment take that."""
    town = Town().pipe("P1", "AB").valve("V1", "P1", 55.6).valve("V2", "P1", 80)
    town.source("S1", "A").plant(session)
    names = {row["segment"] for row in rank_segments(session)}

    assert {"P1", "P1@55.6", "P1@80.0"} <= names


@pytest.mark.parametrize(
    ("metres", "expected"),
    [
        ([55.6, 55.6], ["P1@55.6", "P1@55.6#2"]),
        ([55.6, 55.6, 55.6], ["P1@55.6", "P1@55.6#2", "P1@55.6#3"]),
        ([55.60, 55.62, 80], ["P1@55.60", "P1@55.62", "P1@80.0"]),
        ([55.612, 55.614, 55.64], ["P1@55.612", "P1@55.614", "P1@55.64"]),
        ([55.61, 55.61, 55.64], ["P1@55.61", "P1@55.61#2", "P1@55.64"]),
    ],
)
def test_no_two_segments_have_the_same_name(
    session: Session, metres: list[float], expected: list[str]
) -> None:
    """Valves centimetres apart need more digits, valves at one place a number."""
    town = Town().pipe("P1", "AB").source("S1", "A")
    for number, at_m in enumerate(metres):
        town.valve(f"V{number}", "P1", at_m)
    town.plant(session)

    names = sorted(row["segment"] for row in rank_segments(session) if row["pipes"])
    assert names == ["P1", *expected]


def test_a_node_named_like_a_pipe_gets_a_number(session: Session) -> None:
    """Ids are unique within a kind only."""
    town = Town().pipe("B", "AB").pipe("P2", "BC").valve("V1", "B", 100).valve("V2", "P2", 0)
    town.source("S1", "A").plant(session)

    names = {row["segment"]: row["pipes"] for row in rank_segments(session)}
    assert names["B"] == ["B"]
    assert names["B#2"] == []


def test_a_segment_without_a_pipe_is_named_by_its_node(session: Session) -> None:
    """A node between two valves."""
    town = Town().pipe("P1", "AB").pipe("P2", "BC").valve("V1", "P1", 100).valve("V2", "P2", 0)
    town.source("S1", "A").plant(session)
    row = next(row for row in rank_segments(session) if row["segment"] == "B")

    assert (row["pipes"], row["valves"], row["length_m"]) == ([], ["V1", "V2"], 0.0)


def test_without_a_source_what_is_cut_off_is_unknown(session: Session) -> None:
    """And what is lost is what is shut."""
    town = street()
    town.features = [one for one in town.features if one["properties"]["id"] != "S1"]
    town.plant(session)
    row = next(row for row in rank_segments(session) if row["segment"] == "P2")

    assert (row["properties_cut_off"], row["properties_lost"]) == (None, 1)


def test_a_valve_costs_what_both_its_sides_cost_shut_as_one(session: Session) -> None:
    """V1 parts P1 from the rest: nothing is lost beyond what P1 alone takes."""
    street().valve("V9", "P3", 50, position="closed").plant(session)
    rows = {row["valve"]: row for row in rank_valves(session)}

    assert rows["V2"]["properties_lost_if_it_fails"] == 2
    assert rows["V2"]["extra"] == 0
    assert (rows["V9"]["properties_lost_if_it_fails"], rows["V9"]["extra"]) == (0, 0)
    assert sorted(row["exercise_rank"] for row in rows.values()) == [1, 2, 3]


def test_a_pipes_loss_is_the_mean_of_its_parts_by_length(session: Session) -> None:
    """A quarter of the pipe costs three, the rest two."""
    town = Town().pipe("P1", "AB").valve("V1", "P1", 25).source("S1", "A")
    town.customer("C1", "P1", 10).customer("C2", "P1", 60).customer("C3", "P1", 70).plant(session)
    rows = {row["pipe"]: row for row in rank_pipes(session)}

    assert rows["P1"]["properties_lost"] == 0.25 * 3 + 0.75 * 2
    assert rows["P1"]["breaks_per_year"] is None
