"""The network as it stands now, and the edits of its valves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.network import queries
from gis.segments import SNAP_M
from gis.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.network.queries import FactChange, NetworkKeys, NetworkState
    from gis.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class StoredNetwork:
    """The network of one revision, divided and with its water running, and the keys of its rows."""

    revision: int
    world: World
    keys: NetworkKeys

    @property
    def network(self) -> Network:
        """The arrays themselves."""
        return self.world.network


def current_network(session: Session) -> StoredNetwork:
    """
    Give the network as it stands, read from the database only when it has changed.

    Facts of valves arrive as a list of changes; anything else is read anew, by one thread at a
    time, in a transaction that sees one state. A transaction with edits of its own sees them.
    """
    kept = session.info["kept"]
    state = queries.read_state(session)
    if state.own_step:
        return _edited_network(session, state)
    stored: StoredNetwork | None = kept.get("network")
    if stored is not None and stored.revision >= state.revision:
        return stored
    with kept.setdefault("network_lock", Lock()):
        stored = kept.get("network")
        if stored is None or stored.revision < state.revision:
            with queries.open_snapshot(session) as clean:
                stored = kept["network"] = _bring_up_to_date(clean, stored)
    return stored


def _edited_network(session: Session, state: NetworkState) -> StoredNetwork:
    """Read the network with the uncommitted edits of this transaction; each step of it once."""
    kept = session.info["kept"].get("network_edited")
    if kept is None or kept[0] != state.own_step:
        stored = _read_network(session, state.revision)
        kept = session.info["kept"]["network_edited"] = (state.own_step, stored)
    found: StoredNetwork = kept[1]
    return found


def _bring_up_to_date(clean: Session, stored: StoredNetwork | None) -> StoredNetwork:
    now = queries.read_state(clean).revision
    if stored is None or queries.is_reload_needed(clean, stored.revision):
        return _read_network(clean, now)
    return replace(
        stored,
        revision=now,
        world=_change_world(stored, queries.read_changes(clean, stored.revision)),
    )


def _read_network(session: Session, revision: int) -> StoredNetwork:
    snap_m = queries.read_snap_m(session)
    network, keys = queries.load_network(session)
    return StoredNetwork(revision, World.of(network, SNAP_M if snap_m is None else snap_m), keys)


def _change_world(stored: StoredNetwork, changes: Sequence[FactChange]) -> World:
    last = {(change.kind, change.key): change for change in changes}
    at = {stored.keys.device_row(*place): change for place, change in last.items()}
    at.pop(-1, None)
    if not at:
        return stored.world
    return stored.world.with_facts(
        np.array(list(at), dtype=np.int32),
        position=np.array(
            [queries.POSITIONS.index(change.position) for change in at.values()], dtype=np.int8
        ),
        operability=np.array(
            [queries.OPERABILITIES.index(change.operability) for change in at.values()],
            dtype=np.int8,
        ),
        reachable=np.array([change.reachable for change in at.values()], dtype=bool),
    )


def describe_network(session: Session) -> dict[str, Any]:
    """Tell how much of everything is stored, and at which revisions."""
    state = queries.read_state(session)
    return {
        "counts": queries.count_features(session),
        "revision": state.revision,
        "geometry_revision": state.geometry_revision,
        "assumed_positions": queries.count_assumed(session),
        "bbox": queries.read_bounds(session),
    }
