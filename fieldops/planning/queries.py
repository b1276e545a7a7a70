"""SQL of planning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, any_, literal, select

from fieldops.network.models import ControlValve, Node, Pipe, Pump, Valve

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

TABLES: dict[str, Any] = {
    "node": Node,
    "pipe": Pipe,
    "valve": Valve,
    "pump": Pump,
    "control_valve": ControlValve,
}


def fetch_all_ids(session: Session, table: str, keys: NDArray[np.int64]) -> list[str]:
    """Read the ids of a whole table, in the order of `keys`."""
    model = TABLES[table]
    ids: dict[int, str] = dict(session.execute(select(model.key, model.id)).all())
    return [ids[key] for key in keys.tolist()]


def fetch_ids(session: Session, table: str, keys: Collection[int]) -> dict[int, str]:
    """Read the ids of some rows."""
    if not keys:
        return {}
    model = TABLES[table]
    wanted = literal(list(keys), ARRAY(BigInteger))
    rows = session.execute(select(model.key, model.id).where(model.key == any_(wanted)))
    return dict(rows.all())
