"""What every segment, valve and pipe of the network would cost if it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.network.service import current_network
from fieldops.planning import queries
from gis.criticality import Loss, find_segments, isolate_each, valve_losses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.network.service import StoredNetwork
    from gis.criticality import Segments
    from gis.isolation import Isolation
    from gis.world import World

    Row = dict[str, Any]


def rank_segments(session: Session) -> list[Row]:
    """
    List every segment with its loss, the worst first.

    Breaks and customer-minutes a year stay None until breaks are recorded: unknown is not 0.
    """
    stored = current_network(session)
    world = stored.world
    segments = find_segments(world)
    pipe_ids = queries.fetch_all_ids(session, "pipe", stored.keys.pipes)
    device_ids = _device_ids(session, stored)
    members = _Members.of(world, segments)
    names = _name_segments(session, stored, members, pipe_ids)
    rows = []
    for number, isolation in enumerate(isolate_each(world, segments)):
        if names[number] is None:
            continue
        rows.append(
            {
                "segment": names[number],
                "pipes": sorted({pipe_ids[row] for row in members.pipes(number)}),
                "valves": sorted(
                    device_ids[row]
                    for row in (
                        *isolation.valves_to_close.tolist(),
                        *isolation.valves_optional.tolist(),
                    )
                ),
                "length_m": round(members.length_m(number), 3),
                **_losses(world, isolation),
                "breaks_per_year": None,
                "customer_minutes_per_year": None,
            }
        )
    return sorted(rows, key=lambda row: (-row["properties_lost"], row["segment"]))


def rank_valves(session: Session) -> list[Row]:
    """List every isolation valve by what its failure adds: the first to exercise comes first."""
    stored = current_network(session)
    segments = find_segments(stored.world)
    losses = _losses_of_segments(stored.world, segments)
    ids = _device_ids(session, stored)
    rows: list[Row] = [
        {
            "valve": ids[one.device],
            "properties_lost_if_it_fails": one.properties_lost,
            "extra": one.extra,
        }
        for one in valve_losses(stored.world, segments, losses)
    ]
    rows.sort(key=lambda row: (-row["extra"], -row["properties_lost_if_it_fails"], row["valve"]))
    return [{**row, "exercise_rank": rank} for rank, row in enumerate(rows, start=1)]


def rank_pipes(session: Session) -> list[Row]:
    """
    List every pipe by the properties that a break on it takes, its parts weighed by length.

    The rate of breaks stays None until breaks are recorded.
    """
    stored = current_network(session)
    world, blocks = stored.world, stored.world.blocks
    segments = find_segments(world)
    lost = np.array([loss.properties for loss in _losses_of_segments(world, segments)], dtype=float)
    parts = np.arange(len(blocks.part_pipe))
    of_part = lost[segments.of_block[blocks.of_vertex[blocks.nodes + parts]]]
    length_m = blocks.part_end_m - blocks.part_start_m
    pipes = world.network.pipe_count
    weighed = np.bincount(blocks.part_pipe, of_part * length_m, minlength=pipes)
    total = np.bincount(blocks.part_pipe, length_m, minlength=pipes)
    plain = np.bincount(blocks.part_pipe, of_part, minlength=pipes) / np.bincount(
        blocks.part_pipe, minlength=pipes
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(total > 0, weighed / total, plain)
    ids = queries.fetch_all_ids(session, "pipe", stored.keys.pipes)
    rows = [
        {
            "pipe": ids[row],
            "breaks_per_year": None,
            "p10": None,
            "p90": None,
            "why": None,
            "properties_lost": round(float(mean[row]), 6),
            "customer_minutes_per_year": None,
        }
        for row in range(pipes)
    ]
    return sorted(rows, key=lambda row: (-row["properties_lost"], row["pipe"]))


FINEST_DIGITS = 3
"""Places along a pipe are told to the millimetre."""
WEAK_SPOTS = {"segment": rank_segments, "valve": rank_valves, "pipe": rank_pipes}


class _Members:
    """Parts and nodes of each segment, with the parts in the order of their pipe."""

    def __init__(
        self, world: World, parts: list[NDArray[np.int64]], nodes: list[NDArray[np.int64]]
    ) -> None:
        self.blocks = world.blocks
        self.parts = parts
        self.nodes = nodes

    @classmethod
    def of(cls, world: World, segments: Segments) -> _Members:
        """Sort parts and nodes by segment."""
        blocks = world.blocks
        of_vertex = segments.of_block[blocks.of_vertex]
        last = blocks.nodes + len(blocks.part_pipe)
        return cls(
            world,
            _grouped(of_vertex[blocks.nodes : last], segments.count),
            _grouped(of_vertex[: blocks.nodes], segments.count),
        )

    def pipes(self, number: int) -> list[int]:
        """List the pipes with any part on a segment, once a part."""
        pipes: list[int] = self.blocks.part_pipe[self.parts[number]].tolist()
        return pipes

    def length_m(self, number: int) -> float:
        """Add up the parts."""
        parts = self.parts[number]
        return float((self.blocks.part_end_m[parts] - self.blocks.part_start_m[parts]).sum())


def _grouped(group: NDArray[np.int32], count: int) -> list[NDArray[np.int64]]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, count)))


def _name_segments(
    session: Session, stored: StoredNetwork, members: _Members, pipe_ids: list[str]
) -> list[str | None]:
    """Name each segment by its first pipe, else node; None for a joint that nothing stands on."""
    blocks = members.blocks
    firsts: dict[str, list[tuple[int, int]]] = {}
    names: list[str | None] = [None] * len(members.parts)
    lone: dict[int, list[int]] = {}
    for number, parts in enumerate(members.parts):
        if parts.size:
            name, first = min(
                (pipe_ids[pipe], part)
                for pipe, part in zip(blocks.part_pipe[parts].tolist(), parts.tolist(), strict=True)
            )
            names[number] = name
            firsts.setdefault(name, []).append((first, number))
        elif members.nodes[number].size:
            lone[number] = members.nodes[number].tolist()
    keys = stored.keys.nodes[sorted({row for rows in lone.values() for row in rows})]
    node_ids = queries.fetch_ids(session, "node", keys.tolist())
    for number, rows in lone.items():
        names[number] = min(node_ids[int(stored.keys.nodes[row])] for row in rows)
    plain, later = [], []
    for name, places in firsts.items():
        places.sort()
        plain.append(places[0][1])
        metres = _tell_apart([float(blocks.part_start_m[first]) for first, _ in places[1:]])
        for (_, number), metre in zip(places[1:], metres, strict=True):
            names[number] = f"{name}@{metre}"
            later.append(number)
    _count_repeated(names, [*plain, *later, *lone])
    return names


def _tell_apart(metres: list[float], digits: int = 1) -> list[str]:
    """Write metres with one digit, and as many more up to millimetres as part those that differ."""
    texts = [f"{metre:.{digits}f}" for metre in metres]
    for text in {text for text in texts if texts.count(text) > 1}:
        alike = [at for at, one in enumerate(texts) if one == text]
        if digits < FINEST_DIGITS and len({f"{metres[at]:.{FINEST_DIGITS}f}" for at in alike}) > 1:
            finer = _tell_apart([metres[at] for at in alike], digits + 1)
            for at, one in zip(alike, finer, strict=True):
                texts[at] = one
    return texts


def _count_repeated(names: list[str | None], order: Iterable[int]) -> None:
    """Add #2, #3, ... to names that stood before, in this order."""
    taken: set[str | None] = set()
    for number in order:
        name, count = names[number], 1
        while names[number] in taken:
            count += 1
            names[number] = f"{name}#{count}"
        taken.add(names[number])


def _losses(world: World, isolation: Isolation) -> Mapping[str, int | None]:
    loss = Loss.of(world.network, isolation)
    return {
        "properties_shut": loss.properties_shut,
        "properties_cut_off": loss.properties_cut_off if isolation.has_sources else None,
        "properties_lost": loss.properties,
        "critical_lost": loss.critical,
    }


def _losses_of_segments(world: World, segments: Segments) -> list[Loss]:
    return [Loss.of(world.network, one) for one in isolate_each(world, segments)]


def _device_ids(session: Session, stored: StoredNetwork) -> list[str]:
    """Give the id of every valve, pump and control valve, in the order of the rows."""
    starts, keys = stored.keys.device_starts, stored.keys.devices
    ids: list[str] = []
    for at, table in enumerate(("valve", "pump", "control_valve")):
        ids += queries.fetch_all_ids(session, table, keys[starts[at] : starts[at + 1]])
    return ids
