"""The tablet's ring of valves is the server's: on random towns, and on towns drawn by hand."""

from __future__ import annotations

import random
from pprint import pformat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gis.isolation import Break
from gis.packing import topology_of
from tests.fieldops.packs.device_rings import (
    ask_python,
    ask_tablet,
    differing,
    in_networks_rows,
    question,
)
from tests.gis.answer_of import ask
from tests.gis.random_towns import make_town
from tests.gis.test_against_brute_force import anything, break_rows

if TYPE_CHECKING:
    from gis.world import World
    from tests.fieldops.packs.device_rings import Json, Supposed
    from tests.gis.answer_of import Asked
    from tests.gis.brute_force import Town


def supposed_of(world: World, dice: random.Random) -> Supposed:
    """Choose devices of which something else is found than is recorded."""
    rows = range(world.network.device_count)

    def some(most: int) -> list[int]:
        return sorted(dice.sample(rows, min(dice.randint(0, most), len(rows))))

    return {"opened": some(1), "inoperable": some(3), "unreachable": some(2)}


def break_of(town: Town, made: Asked, dice: random.Random) -> Break:
    """Break something, seldom two things, and close a valve or two besides."""
    things = [anything(town, dice) for _ in range(dice.choice((1, 1, 1, 2)))]
    rows = break_rows(made, [thing for thing in things if thing[0] != "node"])
    devices = range(made.world.network.device_count)
    closing = dice.sample(devices, min(dice.choice((0, 0, 1, 2)), len(devices)))
    return Break(
        pipes=rows.pipes, devices=rows.devices, hydrants=rows.hydrants, closing=sorted(closing)
    )


def say_differing(seeds: range, asked: list[Json], differ: list[tuple[int, Json]]) -> str:
    """Name the towns answered differently, and what was asked of them."""
    return "\n".join(
        f"make_town({seeds[number]}), {asked[number]['broken']}, {asked[number]['supposed']}:\n"
        f"{pformat(fields, width=150)}"
        for number, fields in differ[:3]
    )


def answers_agree(seeds: range) -> None:
    """Ask both the same of a town a seed, the whole of it in the pack."""
    asked, expected = [], []
    for seed in seeds:
        dice = random.Random(seed)  # noqa: S311
        town = make_town(seed)
        made = ask(town)
        broken, supposed = break_of(town, made, dice), supposed_of(made.world, dice)
        asked.append(question(topology_of(made.world), broken, supposed))
        expected.append(ask_python(made.world, broken, supposed))

    differ = differing(ask_tablet(asked), expected)

    assert not differ, say_differing(seeds, asked, differ)


def test_the_tablet_answers_as_the_server_does() -> None:
    """Hundreds of random towns, with valves that turn out otherwise than recorded."""
    answers_agree(range(300))


@pytest.mark.long
def test_the_tablet_answers_as_the_server_does_of_thousands() -> None:
    """The same of many more."""
    for first in range(1_000, 21_000, 1_000):
        answers_agree(range(first, first + 1_000))


def districts_agree(seeds: range) -> int:
    """
    Ask the tablet with a district's pack, and the server with the whole network.

    Gives in how many towns the tablet did not need to say that the answer may go on beyond.
    """
    asked, expected, packs = [], [], []
    for seed in seeds:
        dice = random.Random(seed)  # noqa: S311
        town = make_town(seed)
        made = ask(town)
        inside = np.array([dice.random() < 0.7 for _ in town["pipes"]], dtype=np.bool_)
        topology = topology_of(made.world, inside)
        broken, supposed = break_of(town, made, dice), supposed_of(made.world, dice)
        # Devices that the pack does not hold are not what a crew of the district reports.
        supposed = {
            name: [row for row in rows if row in topology.devices]
            for name, rows in supposed.items()
        }
        try:
            asked.append(question(topology, broken, supposed))
        except KeyError:
            continue
        expected.append(ask_python(made.world, broken, supposed))
        blocks = made.world.blocks
        parts = np.concatenate(
            [np.arange(*blocks.first_part[pipe : pipe + 2]) for pipe in topology.pipes]
            or [np.arange(0)]
        )
        packs.append((seed, topology, parts.tolist()))
    told = ask_tablet(asked)
    sure = [
        number
        for number, one in enumerate(told)
        if not one.get("reaches_pack_edge") and "beyond" not in one.get("error", "")
    ]
    mine = [in_networks_rows(told[number], *packs[number][1:]) for number in sure]
    differ = differing(mine, [expected[number] for number in sure])
    assert not differ, "\n".join(
        f"make_town({packs[sure[number]][0]}): {pformat(fields, width=150)}"
        for number, fields in differ[:3]
    )
    return len(sure)


def test_a_districts_pack_gives_the_whole_networks_answer_or_says_that_it_may_go_on() -> None:
    """Supply that comes from outside, and comes back from outside, included."""
    assert districts_agree(range(300)) > 100


@pytest.mark.long
def test_districts_packs_of_thousands_of_towns() -> None:
    """The same of many more."""
    for first in range(30_000, 50_000, 2_000):
        assert districts_agree(range(first, first + 2_000)) > 1_000
