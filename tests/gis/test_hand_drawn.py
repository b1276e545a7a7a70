"""
One small network for each sentence of the design that could be got wrong, answered by hand.

`ask` also asks the brute force, so a drawing here that it gets wrong is seen too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gis.isolation import Break
from gis.network import Position
from tests.gis import answer_of, brute_force

if TYPE_CHECKING:
    from tests.gis.brute_force import Json, Place, Town

WORDS: dict[str, tuple[str, object]] = {
    "closed": ("position", "closed"),
    "unknown": ("position", "unknown"),
    "open": ("position", "open"),
    "stuck": ("operability", "inoperable"),
    "operable": ("operability", "operable"),
    "unreachable": ("reachable", False),
    "boundary": ("boundary", True),
    "isolates": ("isolates", True),
    "off": ("status", "closed"),
    "guessed": ("is_guessed", True),
    "hospital": ("critical", "hospital"),
    "crowd-unknown": ("people", None),
    "tank": ("type", "tank"),
    "east": ("zone", "east"),
    "west": ("zone", "west"),
}

DEFAULTS: dict[str, Json] = {
    "pipe": {"length_m": 100.0, "status": "open", "one_way": False, "zone": None},
    "valve": {"position": None, "operability": "unknown", "reachable": True, "boundary": False},
    "pump": {"status": "open"},
    "control_valve": {"type": "PRV", "isolates": False, "status": "open"},
    "source": {"type": "reservoir", "inflow": True, "volume_m3": None},
    "customer": {"properties": 1, "people": 2, "critical": None, "is_guessed": False},
    "hydrant": {},
}


def town(text: str) -> Town:
    """
    Draw a town in lines: kind, id, place, then words.

    A link is "A-B", one with a check at its end or a pump "A>B"; a place on a pipe is "P1@30", at
    a node its name; "40m" is a length, "x3" a number of properties, further places are feeds.
    """
    made: Town = {f"{kind}s": [] for kind in ("node", *DEFAULTS)}
    nodes = set()
    for kind, name, place, *words in filter(None, map(str.split, text.splitlines())):
        thing: Json = {"id": name, **DEFAULTS[kind]}
        if "-" in place or ">" in place:
            start, end = place.replace(">", "-").split("-")
            nodes |= {start, end}
            thing |= {"start_node": start, "end_node": end}
            if kind == "pipe":
                thing["one_way"] = ">" in place
        else:
            thing |= _place(place)
        feeds = [_place(place)] if kind == "customer" else []
        for word in words:
            if word in WORDS:
                thing |= [WORDS[word]]
            elif word.startswith("x"):
                thing["properties"] = int(word[1:])
            elif word.endswith("m"):
                thing["length_m"] = float(word[:-1])
            else:
                feeds.append(_place(word))
        if kind == "customer":
            thing = {"feeds": feeds, **{k: v for k, v in thing.items() if k not in feeds[0]}}
        made[f"{kind}s"].append(thing)
    made["nodes"] = [{"id": node} for node in sorted(nodes)]
    return made


def _place(text: str) -> Json:
    if "@" not in text:
        return {"node": text}
    pipe, at_m = text.split("@")
    return {"pipe": pipe, "at_m": float(at_m)}


def ask(text: str, pipe: str, at_m: float | None = None) -> Json:
    """Break a pipe of a drawing."""
    drawn = town(text)
    asked = answer_of.ask(drawn)
    answer = answer_of.answer(asked, answer_of.break_pipe(asked, pipe, at_m))
    assert answer == brute_force.answer(drawn, brute_force.break_of_pipe(drawn, pipe, at_m))
    return answer


def ask_at(text: str, kind: str, name: str) -> Json:
    """Break a node, device or hydrant of a drawing."""
    drawn = town(text)
    asked = answer_of.ask(drawn)
    row = getattr(asked.ids, kind).index(name)
    places: set[Place]
    if kind == "nodes":
        broken, places = Break(nodes=[row]), {("node", name)}
    elif kind == "devices":
        broken, places = Break(devices=[row]), brute_force.break_of_device(drawn, name)
    else:
        hydrant = brute_force.find(drawn["hydrants"], name)
        broken, places = Break(hydrants=[row]), {brute_force.place_of(drawn, hydrant)}
    answer = answer_of.answer(asked, broken)
    assert answer == brute_force.answer(drawn, places)
    return answer


def ask_all(text: str, *pipes: str) -> Json:
    """Break several pipes of a drawing at once."""
    drawn = town(text)
    asked = answer_of.ask(drawn)
    rows = [(asked.ids.pipes.index(pipe), None) for pipe in pipes]
    answer = answer_of.answer(asked, Break(pipes=rows))
    places = set().union(*(brute_force.break_of_pipe(drawn, pipe) for pipe in pipes))
    assert answer == brute_force.answer(drawn, places)
    return answer


def weak_valves(text: str) -> dict[str, tuple[int, int]]:
    """Ask what the failure of each valve costs."""
    drawn = town(text)
    found = answer_of.weak_valves(answer_of.ask(drawn))
    assert found == brute_force.weak_valves(drawn)
    return found


def weak_segments(text: str) -> dict[str, Json]:
    """Ask for the segments, by their pipes and else "node"."""
    rows = answer_of.weak_segments(answer_of.ask(town(text)))
    return {" ".join(row["pipes"]) or "node": row for row in rows}


def who(answer: Json) -> tuple[list[str], list[str] | None]:
    """Name who is shut and who is cut off."""
    return answer["customers"]["shut"], answer["customers"]["cut_off"]


STREET = """
source S W
pipe P1 W-a
pipe P2 a-b
pipe P3 b-c
valve V1 P1@100
valve V2 P2@100
customer K1 P1@50
customer K2 P2@50
customer K3 P3@50
"""
"""W ---P1--V1- a ---P2--V2- b ---P3--- c"""


# ---- valves, their places and their facts --------------------------------------------------------


def test_the_nearest_valves_are_closed_and_what_lies_behind_is_cut_off() -> None:
    """The far valve has no water behind it, so it is optional."""
    answer = ask(STREET, "P2")

    assert answer["valves_to_close"] == ["V1"]
    assert answer["valves_optional"] == ["V2"]
    assert who(answer) == (["K2"], ["K3"])
    assert (answer["pipes_shut"], answer["pipes_cut_off"]) == (["P2"], ["P3"])


def test_a_valve_in_the_middle_splits_its_pipe() -> None:
    """A break on one side leaves the other to its fate, and both go by the pipe's id."""
    text = STREET + "valve V3 P2@40\ncustomer K4 P2@30\n"

    near, far = ask(text, "P2", 20.0), ask(text, "P2", 60.0)

    assert near["valves_to_close"] == ["V1"]
    assert near["valves_optional"] == ["V3"]
    assert (near["pipes_shut"], near["pipes_cut_off"]) == (["P2"], ["P2", "P3"])
    assert far["valves_to_close"] == ["V3"]
    assert who(far) == (["K2"], ["K3"])


def test_without_a_place_the_whole_pipe_is_broken() -> None:
    """The valve in its middle has the break on both sides and helps nobody."""
    answer = ask(STREET + "valve V3 P2@40\ncustomer K4 P2@30\n", "P2")

    assert answer["valves_to_close"] == ["V1"]
    assert answer["valves_optional"] == ["V2"]
    assert who(answer) == (["K2", "K4"], ["K3"])


def test_a_place_at_a_valve_belongs_to_the_part_nearer_the_start() -> None:
    """Both for the break and for a customer."""
    text = STREET + "valve V3 P2@40\ncustomer K4 P2@40\n"

    assert ask(text, "P2", 40.0)["valves_to_close"] == ["V1"]
    assert who(ask(text, "P2", 60.0)) == (["K2"], ["K3"])
    assert who(ask(text, "P2", 10.0)) == (["K4"], ["K2", "K3"])


@pytest.mark.parametrize(("at_m", "is_at_end"), [(0.0, True), (0.5, True), (0.625, False)])
def test_a_valve_within_half_a_metre_lies_at_the_end(at_m: float, *, is_at_end: bool) -> None:
    """A break before it, at the pipe's very start, is on the pipe all the same."""
    text = f"""
    source S W
    pipe P1 W-a
    pipe P2 a-b
    valve V1 P2@{at_m}
    customer K1 P1@50
    """

    answer = ask(text, "P2", 0.0)

    assert (answer["valves_to_close"] == ["V1"]) == is_at_end
    assert (who(answer) == ([], [])) == is_at_end


def test_no_part_lies_beyond_a_valve_at_an_end() -> None:
    """The house 0.25 m from the node is on the pipe, though the valve is nearer the middle."""
    text = """
    source S W
    pipe P1 W-a
    pipe P2 a-b
    valve V1 P2@0.375
    customer K1 P2@0.25
    """

    assert who(ask(text, "P2")) == (["K1"], [])
    assert ask(text, "P2")["valves_to_close"] == ["V1"]


@pytest.mark.parametrize(("at_m", "closes"), [(0.375, True), (0.25, True), (0.5, False)])
def test_on_a_pipe_shorter_than_a_metre_the_nearer_end_counts(at_m: float, *, closes: bool) -> None:
    """0.75 m long; the middle goes to the start, where water comes from."""
    text = f"""
    source S W
    pipe P1 W-a
    pipe P2 a-b 0.75m
    valve V1 P2@{at_m}
    """

    answer = ask(text, "P2", 0.0)

    assert answer["valves_to_close"] == (["V1"] if closes else [])
    assert answer["isolated"] == closes
    assert answer["valves_optional"] == ([] if closes else ["V1"])


@pytest.mark.parametrize(("place", "nearest"), [(60.0, "V10"), (0.0, "V9"), (100.0, "V10")])
def test_valves_at_one_place_stand_in_text_order_from_the_start(place: float, nearest: str) -> None:
    """V10 comes before V9. The break is before them, or beyond them where they are at the start."""
    text = f"""
    source S b
    pipe P1 a-b
    valve V9 P1@{place}
    valve V10 P1@{place}
    """
    if place == 0.0:
        text = text.replace("source S b", "source S a")

    assert ask(text, "P1", 50.0)["valves_to_close"] == [nearest]


def test_a_stuck_valve_in_series_leaves_it_to_the_next() -> None:
    """V1 of V1, V2 does not turn."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P1@50 stuck
    valve V2 P1@50
    """

    assert ask(text, "P1", 80.0)["valves_to_close"] == ["V2"]
    assert ask(text, "P1", 20.0)["valves_to_close"] == []
    assert ask(text, "P1", 20.0)["valves_optional"] == ["V2"]


@pytest.mark.parametrize("fact", ["stuck", "unreachable", "operable stuck unreachable"])
def test_a_valve_that_cannot_be_closed_bounds_nothing(fact: str) -> None:
    """The works' own pipe is on the segment then, and the works with it."""
    answer = ask(STREET.replace("V1 P1@100", f"V1 P1@100 {fact}"), "P2")

    assert answer["sources_shut"] == ["S"]
    assert not answer["isolated"]
    assert who(answer) == (["K1", "K2"], ["K3"])


def test_unknown_operability_counts_as_operable() -> None:
    """No word of it in the data either."""
    assert ask(STREET, "P2") == ask(STREET.replace("V1 P1@100", "V1 P1@100 operable"), "P2")


@pytest.mark.parametrize("fact", ["closed", "closed stuck", "closed unreachable"])
def test_a_closed_valve_is_verified_and_never_closed(fact: str) -> None:
    """A boundary between two works: it conducts nothing, whether it turns or not."""
    text = STREET + f"source S2 c\nvalve V3 b-d {fact} boundary\npipe P4 d-X\nsource S3 X\n"

    answer = ask(text, "P3")

    assert answer["valves_verify_shut"] == ["V3"]
    assert answer["valves_to_close"] == ["V2"]
    assert answer["sources_shut"] == ["S2"]


def test_a_closed_valve_without_water_behind_it_needs_no_look() -> None:
    """The part behind was dry before, so it can let in nothing."""
    answer = ask(STREET + "valve V3 c-d closed\npipe P4 d-e\ncustomer K4 P4@50\n", "P3")

    assert answer["valves_verify_shut"] == []
    assert who(answer) == (["K3"], [])


def test_a_closed_valve_within_the_segment_needs_no_look() -> None:
    """It has the break on both sides."""
    assert ask(STREET + "valve V3 a-b closed\n", "P2")["valves_verify_shut"] == []
    assert ask(STREET + "valve V3 P2@100 closed\n", "P2")["valves_verify_shut"] == []


def test_a_self_loop_and_its_valve_bound_nothing() -> None:
    """Both sides of the valve drain through the joint."""
    text = STREET + "pipe P4 b-b\nvalve V3 P4@50\ncustomer K4 P4@10\n"

    answer = ask(text, "P3")

    assert answer["valves_to_close"] == ["V2"]
    assert answer["valves_optional"] == []
    assert who(answer) == (["K3", "K4"], [])


def test_a_link_from_a_node_to_itself_is_legal() -> None:
    """A valve from b to b parts b from nothing."""
    assert ask(STREET + "valve V3 b-b\n", "P3")["valves_to_close"] == ["V2"]


def test_a_parallel_pipe_keeps_the_far_side_supplied() -> None:
    """Two pipes between the same nodes, one broken between its valves."""
    text = STREET + "pipe P4 a-b\nvalve V3 P2@0\n"

    answer = ask(text, "P2")

    assert answer["valves_to_close"] == ["V2", "V3"]
    assert who(answer) == (["K2"], [])


def test_a_valve_may_be_a_link_between_two_nodes() -> None:
    """It bounds as one on a pipe does."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 a-b
    pipe P2 b-c
    """

    assert ask(text, "P2")["valves_to_close"] == ["V1"]
    assert ask(text, "P1")["valves_optional"] == ["V1"]


# ---- one-way links -------------------------------------------------------------------------------

CHECK = """
source S W
pipe P1 W-a
valve V1 P1@100
pipe P2 a>b
pipe P3 b-c
valve V3 P3@100
source S2 c
customer K1 P1@50
customer K2 P2@50
customer K3 P3@50
"""
"""W ---P1--V1- a ---P2--> b ---P3--V3- c, a check at the end of P2, water at both ends"""


def test_when_a_one_way_pipe_breaks_its_end_node_is_not_on_the_segment() -> None:
    """The check holds the water of b back; nothing is closed on that side."""
    answer = ask(CHECK, "P2", 90.0)

    assert answer["pipes_shut"] == ["P2"]
    assert answer["valves_to_close"] == ["V1"]
    assert answer["valves_optional"] == []
    assert who(answer) == (["K2"], [])


def test_when_its_start_breaks_the_one_way_pipe_drains_with_it() -> None:
    """Up to the check it is like any pipe."""
    assert ask_at(CHECK, "nodes", "a")["pipes_shut"] == ["P2"]


def test_when_its_end_breaks_the_one_way_pipe_is_shut_with_it() -> None:
    """It flows into the break, and nothing on it can be closed before V1."""
    answer = ask_at(CHECK, "nodes", "b")

    assert answer["pipes_shut"] == ["P2", "P3"]
    assert answer["valves_to_close"] == ["V1", "V3"]


def test_a_valve_between_pipe_and_check_is_in_no_list_when_the_pipe_breaks() -> None:
    """It could only let water out of the segment."""
    text = CHECK + "valve V2 P2@100\n"
    assert ask(text, "P2", 50.0) == ask(CHECK, "P2", 50.0)


def test_a_valve_between_pipe_and_check_bounds_when_the_end_node_breaks() -> None:
    """It is closed instead of V1, and the pipe before it keeps its water."""
    answer = ask_at(CHECK + "valve V2 P2@100\n", "nodes", "b")

    assert answer["valves_to_close"] == ["V2", "V3"]
    assert answer["pipes_shut"] == ["P3"]


def test_a_closed_valve_between_pipe_and_check_is_verified_from_the_end_node_only() -> None:
    """Opened, it would let water into b, and none into the pipe."""
    text = CHECK + "valve V2 P2@100 closed\n"

    assert ask(text, "P2", 50.0)["valves_verify_shut"] == []
    assert ask_at(text, "nodes", "b")["valves_verify_shut"] == ["V2"]


def test_a_valve_in_the_middle_of_a_one_way_pipe_works_both_ways() -> None:
    """Only the check is one way: what stands between valve and check could drain back."""
    answer = ask(CHECK + "valve V2 P2@50\n", "P2", 20.0)

    assert answer["valves_to_close"] == ["V1"]
    assert answer["valves_optional"] == ["V2"]


PRESSURE = """
source S W
pipe P1 W-a
valve V1 P1@50
control_valve C a>b
pipe P2 b-c
valve V2 P2@100
pipe P3 c-d
customer K1 P1@80
customer K2 P2@50
customer K3 P3@50
"""
"""W ---P1--V1--- a -PRV> b ---P2--V2- c ---P3--- d"""


def test_a_reducing_valve_is_no_isolation_valve() -> None:
    """Water comes through it into the break, so what lies before it is shut too."""
    answer = ask(PRESSURE, "P2")

    assert answer["valves_to_close"] == ["V1"]
    assert answer["valves_optional"] == ["V2"]
    assert who(answer) == (["K1", "K2"], ["K3"])


def test_nothing_drains_backwards_through_a_reducing_valve() -> None:
    """What lies behind it is cut off, not shut."""
    answer = ask(PRESSURE, "P1", 80.0)

    assert who(answer) == (["K1"], ["K2", "K3"])
    assert (answer["valves_to_close"], answer["valves_optional"]) == (["V1"], [])


def test_an_isolating_control_valve_is_closed_when_its_outlet_is_on_the_segment() -> None:
    """It stands in the lists of valves under its own id."""
    answer = ask(PRESSURE.replace("C a>b", "C a>b isolates"), "P2")

    assert answer["valves_to_close"] == ["C"]
    assert who(answer) == (["K2"], ["K3"])


def test_an_isolating_control_valve_with_its_inlet_on_the_segment_is_in_no_list() -> None:
    """It could only let water out."""
    answer = ask(PRESSURE.replace("C a>b", "C a>b isolates"), "P1", 80.0)

    assert (answer["valves_to_close"], answer["valves_optional"]) == (["V1"], [])
    assert who(answer) == (["K1"], ["K2", "K3"])


def test_a_closed_isolating_control_valve_needs_no_look_from_its_inlet() -> None:
    """Opened, it would let water out of the segment, and none in, though there is some behind."""
    text = PRESSURE.replace("C a>b", "C a>b isolates closed") + "source S2 d\n"

    assert ask(text, "P1", 80.0)["valves_verify_shut"] == []
    assert ask(text, "P2")["valves_verify_shut"] == ["C"]


@pytest.mark.parametrize("fact", ["off", "closed", "closed off"])
def test_either_status_or_position_closes_an_isolating_control_valve(fact: str) -> None:
    """Closed, it is verified from its outlet, and the far side was dry before."""
    answer = ask(PRESSURE.replace("C a>b", f"C a>b isolates {fact}"), "P2")

    assert answer["valves_verify_shut"] == ["C"]
    assert answer["customers"]["already_dry"] == 1
    assert who(answer) == ([], [])


def test_a_stuck_isolating_control_valve_lets_the_flood_pass() -> None:
    """As any valve that does not turn."""
    answer = ask(PRESSURE.replace("C a>b", "C a>b isolates stuck"), "P2")
    assert answer["valves_to_close"] == ["V1"]


def test_a_plain_control_valve_knows_no_position() -> None:
    """Only its status counts."""
    assert ask(PRESSURE.replace("C a>b", "C a>b closed"), "P2") == ask(PRESSURE, "P2")
    assert ask(PRESSURE.replace("C a>b", "C a>b off"), "P2")["customers"]["already_dry"] == 1


# ---- pumps ---------------------------------------------------------------------------------------

PUMPED = """
source S W
pipe P1 W-a
valve V1 P1@50
pump U a>b
pipe P2 b-c
customer K1 P1@80
customer K2 P2@50
"""
"""W ---P1--V1--- a -pump> b ---P2--- c"""


def test_a_pump_is_stopped_and_bounds() -> None:
    """What lies before it keeps its water, and no valve is closed."""
    answer = ask(PUMPED, "P2")

    assert answer["pumps_to_stop"] == ["U"]
    assert answer["valves_to_close"] == []
    assert who(answer) == (["K2"], [])


def test_a_pump_that_would_run_dry_is_stopped() -> None:
    """Its inlet is on the segment; what it fed is cut off."""
    answer = ask(PUMPED, "P1", 80.0)

    assert answer["pumps_to_stop"] == ["U"]
    assert who(answer) == (["K1"], ["K2"])


def test_a_pump_that_does_not_run_is_not_stopped() -> None:
    """Nor does it conduct."""
    answer = ask(PUMPED.replace("U a>b", "U a>b off"), "P2")

    assert answer["pumps_to_stop"] == []
    assert answer["customers"]["already_dry"] == 1


def test_a_pump_with_both_ends_on_the_segment_is_stopped() -> None:
    """It would pump in a circle through the break."""
    answer = ask(PUMPED + "pipe P3 a-b\n", "P2")
    assert answer["pumps_to_stop"] == ["U"]


def test_a_second_pump_beside_the_stopped_one_is_stopped_too() -> None:
    """Every pump with an end on the segment."""
    assert ask(PUMPED + "pump U2 b>W\n", "P2")["pumps_to_stop"] == ["U", "U2"]


# ---- closed pipes --------------------------------------------------------------------------------


CLOSED_PIPE = STREET.replace("pipe P2 a-b", "pipe P2 a-b off")


def test_a_break_on_a_closed_pipe_takes_from_nobody() -> None:
    """That pipe alone, no valves, though valves stand on it."""
    answer = ask(CLOSED_PIPE, "P2")

    assert answer["pipes_shut"] == ["P2"]
    assert who(answer) == ([], [])
    assert answer["customers"]["already_dry"] == 1
    assert answer["valves_to_close"] == answer["valves_optional"] == []
    assert answer["valves_verify_shut"] == []
    assert answer["isolated"]


def test_a_valve_on_a_closed_pipe_is_in_no_list() -> None:
    """Neither open nor closed, from the side where the pipe joins."""
    for fact in ("", "closed"):
        answer = ask(CLOSED_PIPE.replace("V2 P2@100", f"V2 P2@100 {fact}") + "source S2 c\n", "P3")
        assert answer["valves_to_close"] == answer["valves_verify_shut"] == []
        assert answer["pipes_shut"] == ["P3"]


def test_a_closed_pipe_joins_neither_of_its_ends() -> None:
    """No valve stands on it, and still a break on either side stays there."""
    text = """
    source S W
    pipe P1 W-a
    pipe P2 a-b off
    pipe P3 b-c
    source S2 c
    """

    assert ask(text, "P1")["pipes_shut"] == ["P1"]
    assert ask(text, "P3")["pipes_shut"] == ["P3"]
    assert ask(text, "P2")["pipes_shut"] == ["P2"]


def test_a_break_on_a_closed_pipe_without_a_source_takes_from_nobody_either() -> None:
    """Nobody is shut by it."""
    answer = ask(CLOSED_PIPE.replace("source S W", ""), "P2")

    assert who(answer) == ([], None)
    assert answer["customers"]["people"] == 0
    assert answer["valves_to_close"] == []


# ---- customers -----------------------------------------------------------------------------------


def test_several_feeds_are_lost_only_together() -> None:
    """Shut if any feed is on the segment, else cut off, and supplied while one feed is."""
    text = STREET + "customer K4 P1@10 P2@10\ncustomer K5 P2@10 P3@10\ncustomer K6 P3@10 c\n"
    assert who(ask(text, "P2")) == (["K2", "K5"], ["K3", "K6"])


def test_a_lost_customer_whose_feed_on_the_segment_was_dry_is_shut() -> None:
    """Its other feed is cut off, and that is what it lived on."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P1@100
    pipe P2 a-b
    valve V2 b-c closed
    pipe P3 a>c
    customer K P3@50 b
    """
    # A break on P3 drains a, P2 and b. K lived on both feeds; one is shut.
    assert who(ask(text, "P3")) == (["K"], [])


def test_who_was_dry_before_is_counted_apart() -> None:
    """Connections on the segment only; K3 beyond the closed valve is no part of it."""
    text = STREET.replace("V1 P1@100", "V1 P1@100 closed")

    answer = ask(text, "P2")

    assert who(answer) == ([], [])
    assert answer["customers"]["already_dry"] == 1
    assert answer["customers"]["people"] == 0
    assert answer["valves_optional"] == ["V2"]
    assert answer["valves_verify_shut"] == ["V1"]


def test_counts_are_over_shut_and_cut_off_together() -> None:
    """Connections, properties, people, critical and guessed."""
    text = STREET + "customer K4 P3@10 x20 hospital guessed\ncustomer K5 P1@10 hospital guessed\n"

    customers = ask(text, "P2")["customers"]

    assert customers["connections"] == 3
    assert customers["properties"] == 22
    assert customers["people"] == 6
    assert customers["critical"] == ["K4"]
    assert customers["guessed"] == 1


def test_unknown_people_make_the_sum_unknown_only_if_they_are_lost() -> None:
    """K4 keeps its water; K5 loses it."""
    kept = ask(STREET + "customer K4 P1@10 crowd-unknown\n", "P2")
    missed = ask(STREET + "customer K5 P3@10 crowd-unknown\n", "P2")

    assert kept["customers"]["people"] == 4
    assert missed["customers"]["people"] is None


def test_hydrants_that_lose_their_water_are_named() -> None:
    """On the segment or beyond it, but not where they were dry before."""
    text = (
        STREET
        + """
    hydrant H1 P1@10
    hydrant H2 b
    hydrant H3 P3@10
    hydrant H4 P4@10
    valve V3 c-d closed
    pipe P4 d-e
    """
    )
    assert ask(text, "P2")["hydrants_dry"] == ["H2", "H3"]


# ---- sources -------------------------------------------------------------------------------------


def test_a_second_source_keeps_the_far_side_and_needs_the_far_valve() -> None:
    """Water from both ends, so both valves are closed."""
    answer = ask(STREET + "source S2 c tank\n", "P2")

    assert answer["valves_to_close"] == ["V1", "V2"]
    assert who(answer) == (["K2"], [])


def test_a_source_on_the_segment_is_named_and_taken_as_shut() -> None:
    """Valves alone do not stop it; its border valve has no other supply behind it."""
    answer = ask(STREET, "P1")

    assert not answer["isolated"]
    assert answer["sources_shut"] == ["S"]
    assert (answer["valves_to_close"], answer["valves_optional"]) == ([], ["V1"])
    assert who(answer) == (["K1"], ["K2", "K3"])


def test_without_any_source_the_ring_is_answered_and_nothing_else_is_judged() -> None:
    """Every border valve, every closed border valve, and all with any feed on the segment."""
    text = STREET.replace("source S W", "") + "valve V3 a-d closed\ncustomer K4 P2@10 P3@10\n"
    text += "hydrant H1 P2@50\nhydrant H2 P3@50\n"

    answer = ask(text, "P2")

    assert answer["valves_to_close"] == ["V1", "V2"]
    assert answer["valves_optional"] == []
    assert answer["valves_verify_shut"] == ["V3"]
    assert who(answer) == (["K2", "K4"], None)
    assert answer["customers"]["already_dry"] is None
    assert answer["pipes_cut_off"] is None
    assert answer["refeed"] is None
    assert answer["isolated"]
    assert answer["hydrants_dry"] == ["H1"]


# ---- unknown positions ---------------------------------------------------------------------------


def test_an_unknown_position_is_answered_both_ways() -> None:
    """Open: V1 is closed and K3 has water from c. Closed: K3 had none from b either."""
    text = STREET.replace("V1 P1@100", "V1 P1@100 unknown")

    answer = ask(text, "P2")
    otherwise = answer["if_unknown_closed"]

    assert answer["valves_to_close"] == ["V1"]
    assert otherwise["valves_to_close"] == []
    assert otherwise["valves_verify_shut"] == ["V1"]
    assert otherwise["customers"]["already_dry"] == 1
    assert answer["customers_differ"] == ["K2", "K3"]


def test_a_missing_position_is_open_and_not_unknown() -> None:
    """No second answer for it."""
    answer = ask(STREET, "P2")

    assert answer["if_unknown_closed"] is None
    assert answer["customers_differ"] == []


def test_an_unknown_position_elsewhere_changes_nothing() -> None:
    """A valve at the far end of another street."""
    text = STREET + "pipe P4 W-x\nvalve V3 P4@50 unknown\n"
    assert ask(text, "P2")["if_unknown_closed"] is None


def test_shut_in_one_answer_and_cut_off_in_the_other_is_no_difference() -> None:
    """They lose their water either way."""
    text = STREET.replace("V2 P2@100", "V2 P2@100 unknown stuck") + "source S2 x\npipe P4 x-c\n"
    text += "valve V4 P4@0 closed\n"

    answer = ask(text, "P2")

    assert answer["customers"]["shut"] == ["K2", "K3"]
    assert answer["customers_differ"] == ["K3"]  # with V2 closed K3 was dry before


# ---- re-feed -------------------------------------------------------------------------------------

REFED = """
source S W
pipe P1 W-a
valve V1 P1@100
pipe P2 a-b
valve V2 P2@100
pipe P3 b-c
valve V3 P3@100
pipe P4 c-d
source S2 X
pipe P9 X-x
valve V8 x-b closed
valve V9 x-d closed
customer K2 P2@50
customer K3 P3@50 x3
customer K4 P4@50
"""
"""S -V1- P2 (broken) -V2- P3 -V3- P4, and closed valves from the other works to P3 and to P4"""


def test_closed_valves_that_bring_water_back_are_ranked() -> None:
    """Both regain all four properties, so the id decides."""
    refeed = ask(REFED, "P2")["refeed"]

    assert [(row["valve"], row["properties_regained"]) for row in refeed] == [("V8", 4), ("V9", 4)]


def test_each_refeed_is_that_one_valve_opened() -> None:
    """With V3 closed too, one valve helps P3 and the other P4; the greater comes first."""
    refeed = ask(REFED.replace("V3 P3@100", "V3 P3@100 closed"), "P2")["refeed"]
    # P4 was dry before, so opening V9 gives nobody back what he lost.
    assert [(row["valve"], row["properties_regained"]) for row in refeed] == [("V8", 3)]


@pytest.mark.parametrize("fact", ["stuck", "unreachable"])
def test_a_closed_valve_that_cannot_be_opened_is_no_refeed(fact: str) -> None:
    """Only V8 is left."""
    refeed = ask(REFED.replace("V9 x-d closed", f"V9 x-d closed {fact}"), "P2")["refeed"]
    assert [row["valve"] for row in refeed] == ["V8"]


def test_a_closed_valve_on_the_segment_is_no_refeed() -> None:
    """Opened, it would fill the trench."""
    answer = ask(REFED.replace("V8 x-b closed", "V8 x-a closed"), "P2")

    assert answer["valves_verify_shut"] == ["V8"]
    assert [row["valve"] for row in answer["refeed"]] == ["V9"]


def test_a_one_way_valve_refeeds_only_in_its_direction() -> None:
    """An isolating control valve from x to d does, one from d to x does not."""
    for link, expected in (("x>d", ["V8", "V9"]), ("d>x", ["V8"])):
        text = REFED.replace("valve V9 x-d closed", f"control_valve V9 {link} isolates closed")
        assert [row["valve"] for row in ask(text, "P2")["refeed"]] == expected


def test_a_control_valve_closed_by_its_status_refeeds_and_can_be_opened() -> None:
    """Its position says open: what opens it is its status."""
    text = REFED.replace("valve V9 x-d closed", "control_valve V9 x>d isolates off")
    assert [row["valve"] for row in ask(text, "P2")["refeed"]] == ["V8", "V9"]

    asked = answer_of.ask(town(text))
    row = asked.rows("devices", ["V9"])
    for opened, cut_off in (({"position": Position.OPEN}, ["P3", "P4"]), ({"is_open": True}, [])):
        world = asked.world.with_facts(row, **opened)
        one = answer_of.Asked(world, asked.ids)
        answer = answer_of.answer(one, answer_of.break_pipe(one, "P2", None))
        assert answer["pipes_cut_off"] == cut_off


def test_a_valve_that_is_open_is_no_refeed_and_nobody_needs_it() -> None:
    """With V9 open, P3 and P4 keep their water."""
    answer = ask(REFED.replace("V9 x-d closed", "V9 x-d"), "P2")

    assert answer["valves_to_close"] == ["V1", "V2"]
    assert answer["refeed"] == []


@pytest.mark.parametrize(
    ("change", "crosses"),
    [
        ({}, False),
        ({"V9 x-d closed": "V9 x-d closed boundary"}, True),
        ({"P9 X-x": "P9 X-x east", "P4 c-d": "P4 c-d west"}, True),
        ({"P9 X-x": "P9 X-x east", "P4 c-d": "P4 c-d east"}, False),
        ({"P9 X-x": "P9 X-x east"}, False),
        ({"P9 X-x": "P9 X-x east\npipe P7 x-y west", "P4 c-d": "P4 c-d west"}, True),
        ({"P9 X-x": "P9 X-x west\npipe P7 x-y", "P4 c-d": "P4 c-d west"}, False),
    ],
)
def test_a_refeed_across_zones_says_so(change: dict[str, str], *, crosses: bool) -> None:
    """By record, or by a known zone on one side that is not on the other."""
    text = REFED
    for old, new in change.items():
        text = text.replace(old, new)

    refeed = {row["valve"]: row["crosses_boundary"] for row in ask(text, "P2")["refeed"]}

    assert refeed["V9"] == crosses


def test_any_valve_at_a_pipes_end_parts_the_pipe_from_the_node() -> None:
    """The closed one of two in series is next to the pipe, and the other zone is at the node."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P1@100
    pipe P2 a-b
    valve V2 P2@100
    pipe P3 b-c west
    valve V4 P3@100 closed
    valve V5 P3@100
    pipe P9 c-X east
    source S2 X
    """
    refeed = ask(text, "P2")["refeed"]
    assert refeed == [{"valve": "V4", "properties_regained": 0, "crosses_boundary": True}]


# ---- breaks elsewhere than on a pipe -------------------------------------------------------------


def test_a_broken_valve_breaks_what_touches_it_on_both_sides() -> None:
    """V1 cannot be its own border."""
    answer = ask_at(STREET + "valve V0 P1@0\n", "devices", "V1")

    assert answer["valves_to_close"] == ["V0"]
    assert answer["valves_optional"] == ["V2"]
    assert answer["pipes_shut"] == ["P1", "P2"]


def test_a_broken_node_breaks_what_joins_it() -> None:
    """P2 joins a, P1 does so only past its valve."""
    answer = ask_at(STREET, "nodes", "a")

    assert answer["pipes_shut"] == ["P2"]
    assert answer["valves_to_close"] == ["V1"]


def test_a_broken_hydrant_breaks_the_part_it_stands_on() -> None:
    """Beyond the middle valve."""
    answer = ask_at(STREET + "valve V3 P2@40\nhydrant H P2@60\n", "hydrants", "H")

    assert answer["valves_to_close"] == ["V3"]
    assert answer["hydrants_dry"] == ["H"]


def test_two_breaks_at_once_are_shut_together() -> None:
    """Two pipes that stand in for each other; P4 is fine under either break and dry under both."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P2@0
    pipe P2 a-b
    valve V2 P2@100
    valve V3 P3@0
    pipe P3 a-b
    valve V4 P3@100
    pipe P4 b-c
    customer K4 P4@50
    """

    assert who(ask(text, "P2")) == who(ask(text, "P3")) == ([], [])
    assert who(ask_all(text, "P2", "P3")) == ([], ["K4"])
    assert ask_all(text, "P2", "P3")["valves_to_close"] == ["V1", "V3"]


def test_no_refeed_leads_through_another_break() -> None:
    """P8 was dry and is broken too: water let into P7 ends at its valve, and P3 stays dry."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P1@100
    pipe P2 a-b
    valve V2 P2@100
    pipe P3 b-c
    customer K3 P3@50
    valve V4 W-y closed
    pipe P7 y-x
    valve V3 P7@100
    pipe P8 x>b
    """

    assert who(ask_all(text, "P2", "P8")) == ([], ["K3"])
    assert ask_all(text, "P2", "P8")["refeed"] == []
    assert [row["valve"] for row in ask_all(text, "P2")["refeed"]] == ["V4"]


# ---- weak spots ----------------------------------------------------------------------------------


def test_the_loss_of_a_segment_is_that_of_all_that_must_be_shut_for_it() -> None:
    """Behind a reducing valve the segment before it is shut too, but it is a segment of its own."""
    rows = weak_segments(PRESSURE)

    assert rows["P2"]["valves"] == ["V1", "V2"]
    assert (rows["P2"]["properties_shut"], rows["P2"]["properties_cut_off"]) == (2, 1)
    assert rows["P2"]["length_m"] == 100.0
    assert rows["P3"]["valves"] == ["V2"]


def test_a_node_between_valves_is_a_segment_without_a_pipe() -> None:
    """Its ring is the valves about it."""
    rows = weak_segments(STREET + "valve V3 P2@0\n")

    assert rows["node"]["pipes"] == []
    assert rows["node"]["valves"] == ["V1", "V3"]
    assert rows["node"]["properties_cut_off"] == 2


def test_without_a_source_segments_lose_only_what_is_shut() -> None:
    """Cut off is unknown, and never shown as none."""
    rows = weak_segments(STREET.replace("source S W", ""))

    assert rows["P2"]["properties_cut_off"] is None
    assert rows["P2"]["properties_lost"] == rows["P2"]["properties_shut"] == 1


def test_a_failed_valve_merges_its_two_segments() -> None:
    """
    V1 parts P1 (1, with the works: all 3) from P2 (2): together 3.

    V2 parts P2 (2) from P3 (1): together 2, no more than P2 alone.
    """
    assert weak_valves(STREET) == {"V1": (3, 0), "V2": (2, 0)}


def test_a_failed_valve_is_not_the_union_of_its_neighbours() -> None:
    """Two pipes that stand in for each other: each alone costs itself, both cost the far side."""
    text = """
    source S W
    pipe P1 W-a
    valve V1 P1@100
    pipe P2 a-b
    valve V2 P2@100
    pipe P3 a-b
    valve V3 P3@0
    valve V4 P3@100
    valve V5 b-c
    pipe P4 c-d
    customer K2 P2@50
    customer K3 P3@50
    customer K4 P4@50 x10
    """
    # P2 with node a: 1 + P3 and beyond, 12. P3: 1. With V3 failed both: 12, extra 0.
    # V4 parts P3 from node b: b alone costs P4 (10); with P3 together 11: extra 1.
    assert weak_valves(text)["V3"] == (12, 0)
    assert weak_valves(text)["V4"] == (11, 1)


@pytest.mark.parametrize("fact", ["closed", "stuck", "unreachable"])
def test_a_valve_that_parts_nothing_costs_nothing_more(fact: str) -> None:
    """Closed already, or both its sides one segment."""
    assert weak_valves(STREET.replace("V2 P2@100", f"V2 P2@100 {fact}"))["V2"] == (0, 0)


def test_a_valve_on_a_closed_pipe_costs_nothing() -> None:
    """It conducts nothing."""
    assert weak_valves(CLOSED_PIPE)["V2"] == (0, 0)


def test_a_valve_between_pipe_and_check_parts_pipe_and_node() -> None:
    """Between valve and check lies no part: with it failed, P2 (1) and b with P3 (1) are shut."""
    # Each has its own works behind it, so neither cuts the other off.
    assert weak_valves(CHECK + "valve V2 P2@100\n")["V2"] == (2, 1)


def test_the_mean_loss_of_a_pipe_is_over_its_parts_by_length() -> None:
    """40 m that cost three properties, 60 m that cost two."""
    drawn = town(STREET + "valve V3 P2@40\ncustomer K4 P2@30\n")
    assert brute_force.weak_pipes(drawn)["P2"] == pytest.approx((40 * 3 + 60 * 2) / 100)


def test_segments_of_one_pipe_are_told_apart_by_the_metre() -> None:
    """The first keeps the bare id."""
    drawn = town("pipe P1 a-b\nvalve V1 P1@55.625\nsource S a")
    names = brute_force.segment_names(drawn, brute_force.segments(drawn))
    assert sorted(names) == ["P1", "P1@55.6"]
