"""SQL of times: the roads of a small area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from sqlalchemy import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

_ROADS = (
    "SELECT ST_AsBinary(geometry), speed_kmh, one_way, closed FROM road"
    " WHERE geometry && ST_MakeEnvelope(:west, :south, :east, :north, 4326) LIMIT :most"
)


@dataclass(frozen=True, slots=True, eq=False)
class RoadRows:
    """Roads as recorded: their corners one road after the other, and facts of each road."""

    lon_lat: NDArray[np.float64]
    road: NDArray[np.int64]
    speed_kmh: NDArray[np.float64]
    is_one_way: NDArray[np.bool_]
    is_closed: NDArray[np.bool_]


def fetch_roads(
    session: Session, box: tuple[float, float, float, float], most: int
) -> RoadRows | None:
    """Read the roads in a box of west, south, east and north; None for no road or too many."""
    west, south, east, north = box
    rows = session.execute(
        text(_ROADS),
        {"west": west, "south": south, "east": east, "north": north, "most": most + 1},
    ).all()
    if not 0 < len(rows) <= most:
        return None
    shapes, speeds, one_way, closed = zip(*rows, strict=True)
    corners, road = shapely.get_coordinates(shapely.from_wkb(shapes), return_index=True)
    return RoadRows(
        lon_lat=corners,
        road=road,
        speed_kmh=np.array(speeds, dtype=np.float64),
        is_one_way=np.array(one_way, dtype=np.bool_),
        is_closed=np.array(closed, dtype=np.bool_),
    )
