"""The tablet's ring of valves is the server's: on random towns, and on towns drawn by hand."""

from __future__ import annotations

import random
from pprint import pformat
from typing import TYPE_CHECKING

import pytest

from gis.isolation import Break
from tests.fieldops.packs.device_rings import ask_python, ask_tablet, differing, question
from tests.gis.answer_of import ask
from tests.gis.random_towns import make_town
from tests.gis.test_against_brute_force import anything, break_rows

if TYPE_CHECKING:
    from gis.world import World


def supposed_of(world: World, dice: random.Random) -> dict[str, list[int]]:
    """Choose devices of which something else is found than is recorded."""
    rows = range(world.network.device_count)

    def some(most: int) -> list[int]:
        return sorted(dice.sample(rows, min(dice.randint(0, most), len(rows))))

    return {"opened": some(1), "inoperable": some(3), "unreachable": some(2)}


def answers_agree(seeds: range) -> None:
    """Ask both the same of a town a seed."""
    asked, expected = [], []
    for seed in seeds:
        dice = random.Random(seed)  # noqa: S311
        town = make_town(seed)
        made = ask(town)
        rows = break_rows(made, [anything(town, dice) for _ in range(dice.choice((1, 1, 1, 2)))])
        devices = range(made.world.network.device_count)
        closing = dice.sample(devices, min(dice.choice((0, 0, 1, 2)), len(devices)))
        broken = Break(
            pipes=rows.pipes,
            nodes=rows.nodes,
            devices=rows.devices,
            hydrants=rows.hydrants,
            closing=sorted(closing),
        )
        supposed = supposed_of(made.world, dice)
        asked.append(question(made.world, broken, supposed))
        expected.append(ask_python(made.world, broken, supposed))

    differ = differing(ask_tablet(asked), expected)

    assert not differ, "\n".join(
        f"make_town({seeds[number]}), {asked[number]['broken']}, {asked[number]['supposed']}:\n"
        f"{pformat(fields, width=150)}"
        for number, fields in differ[:3]
    )


def test_the_tablet_answers_as_the_server_does() -> None:
    """Hundreds of random towns, with valves that turn out otherwise than recorded."""
    answers_agree(range(600))


@pytest.mark.long
def test_the_tablet_answers_as_the_server_does_of_thousands() -> None:
    """The same of many more."""
    for first in range(1_000, 21_000, 1_000):
        answers_agree(range(first, first + 1_000))
