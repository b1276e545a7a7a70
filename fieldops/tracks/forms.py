"""GPX files, and the picture of a track."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING
from xml.parsers import expat

from fieldops.errors import FieldopsError
from fieldops.map_proposals.forms import draw_plan
from fieldops.tracks.service import PARTS_MOST, POINTS_A_PART, TrackBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fieldops.map_proposals.forms import Picture
    from fieldops.network.queries import DrawnPipe, DrawnValve
    from fieldops.tracks.service import Point

LARGEST_GPX_BYTES = 20 * 2**20


def read_gpx(data: bytes, file_name: str) -> tuple[str, list[TrackBody]]:
    """
    Read the tracks of a GPX file as one track in parts, and give it an id of its own.

    Raises
    ------
    FieldopsError
        If it is no GPX file, or holds no track.
    """
    if len(data) > LARGEST_GPX_BYTES:
        raise FieldopsError(
            "A GPX file may have at most %(most)s MB.", most=LARGEST_GPX_BYTES // 2**20
        )
    reader = _GpxReader()
    reader.read(data)
    points = reader.points
    if sum(point is not None for point in points) < 2:
        raise FieldopsError("The file holds no track.")
    if len(points) > POINTS_A_PART * PARTS_MOST:
        raise FieldopsError(
            "A track may have at most %(most)s points.", most=POINTS_A_PART * PARTS_MOST
        )
    name = (reader.name or file_name).strip()[:200] or "GPX"
    pieces = [points[at : at + POINTS_A_PART] for at in range(0, len(points), POINTS_A_PART)]
    return str(uuid.uuid4()), [
        TrackBody(name=name, part=part, parts=len(pieces), points=piece)
        for part, piece in enumerate(pieces)
    ]


class _GpxReader:
    """Reads the points of tracks as they come, whatever else the file holds."""

    def __init__(self) -> None:
        self.points: list[Point | None] = []
        self.name = ""
        self.path: list[str] = []
        self.text = ""
        self.place: tuple[float, float] | None = None
        self.second: float | None = None

    def read(self, data: bytes) -> None:
        """Read the whole file."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._hear
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        try:
            parser.Parse(data, True)  # noqa: FBT003 - its signature
        except (expat.ExpatError, ValueError, OverflowError) as error:
            raise FieldopsError("This is no GPX file that can be read.") from error

    def _refuse(self, *_: object) -> None:
        # A document type can name files and grow without end; GPX has none.
        raise FieldopsError("This is no GPX file that can be read.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.path.append(name.rpartition(" ")[2])
        self.text = ""
        if self.path == ["gpx", "trk", "trkseg"] and self.points and self.points[-1] is not None:
            self.points.append(None)
        if self.path[1:] == ["trk", "trkseg", "trkpt"]:
            lon, lat = float(attributes.get("lon", "nan")), float(attributes.get("lat", "nan"))
            if not (abs(lon) <= 180 and abs(lat) <= 90):
                raise ValueError("a point that is nowhere")
            self.place, self.second = (round(lon, 7), round(lat, 7)), None

    def _hear(self, text: str) -> None:
        self.text += text

    def _end(self, _: str) -> None:
        inside = self.path[1:]
        if inside == ["trk", "trkseg", "trkpt"] and self.place is not None:
            self.points.append((*self.place, self.second))
        elif inside == ["trk", "trkseg", "trkpt", "time"]:
            moment = dt.datetime.fromisoformat(self.text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            self.second = moment.timestamp()
        elif inside in (["trk", "name"], ["metadata", "name"]) and not self.name:
            self.name = self.text
        self.path.pop()


def draw_ways(
    ways: Sequence[Sequence[Point]], pipes: Sequence[DrawnPipe], valves: Sequence[DrawnValve]
) -> Picture | None:
    """Draw a track over the network."""
    spots = [(lon, lat) for way in ways for lon, lat, _ in way]
    if not spots:
        return None
    lines = [[(lon, lat) for lon, lat, _ in way] for way in ways]
    return draw_plan(spots, 20.0, pipes, valves, ways=lines)
