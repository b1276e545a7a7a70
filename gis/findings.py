"""What a reader or the topology has to say about single features: guessed, wrong, or refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Severity = Literal["guessed", "wrong", "error"]

LISTED = {"guessed": 10_000, "wrong": 10_000, "error": 1_000}
"""So many findings of one code are listed, and all are counted."""

MESSAGES: dict[str, str] = {
    # files
    "file-missing": "There is no file %(file)s.",
    "file-unreadable": "The file %(file)s cannot be read: %(reason)s.",
    "file-empty": "The file is empty.",
    "file-of-another-format": "The file %(file)s is not of the format that its ending names.",
    "file-ending-unknown": (
        "The format of %(file)s is not known by its ending; use one of %(endings)s."
    ),
    "json-broken": (
        "This is not JSON: %(reason)s at line %(line)s, column %(column)s,"
        " near feature %(near)s. Correct that place, or export the file again."
    ),
    "json-not-a-number": (
        "NaN and Infinity are no JSON numbers (line %(line)s, column %(column)s,"
        " near feature %(near)s). Leave the property out where the value is unknown."
    ),
    "json-truncated": (
        "The file ends in the middle, near feature %(near)s. Copy or export it again."
    ),
    "json-too-deep": "Something in the file is nested too deeply (near feature %(near)s).",
    "json-encoding": "The text is not UTF-8 (%(kind)s %(id)s). Save the file as UTF-8.",
    "not-a-feature-collection": "The file is not a GeoJSON FeatureCollection.",
    "crs-named": (
        "The file says that its coordinates are in %(crs)s. Give it explicitly with --crs."
    ),
    "crs-unknown": "The coordinate system %(crs)s is not known.",
    "crs-needs-parameters": (
        "%(crs)s (Xi'an 80, Beijing 54 and their like) cannot be transformed to WGS84 without the"
        " parameters of the survey; give a coordinate system that holds them, or transform first."
    ),
    # tables
    "table-no-geometry": "The layer %(layer)s has no geometry.",
    "shapefile-part-missing": "The file %(file)s is missing; a shapefile needs it.",
    "shapefile-text-cut": (
        'The "%(property)s" of %(kind)s %(id)s is longer than a shapefile allows (254 bytes) and'
        " was cut; export to GeoJSON or GeoPackage to keep it."
    ),
    "encoding-unknown": "The file %(file)s names the encoding %(value)s, which is not known.",
    "zip-broken": "The file %(file)s is no zip that can be read, or it is locked by a password.",
    "zip-no-shapefile": "The zip %(file)s holds no .shp file.",
    "zip-too-many": "The zip %(file)s holds %(count)s files; %(limit)s are allowed.",
    "zip-too-large": (
        "The zip %(file)s unpacks to more than it may (%(size)s MB; %(limit)s MB, and 200 times its"
        " own size, are allowed)."
    ),
    "zip-nested": "The zip %(file)s holds another archive (%(value)s); unpack that first.",
    "zip-name-wrong": "The zip %(file)s holds a file named %(value)s, which lies outside of it.",
    # epanet
    "file-too-large": "The file %(file)s is larger than %(limit)s.",
    "text-encoding": "The text of %(file)s is neither UTF-8 nor GB18030; save it as UTF-8.",
    "inp-no-nodes": "The file has no junctions, reservoirs or tanks; is it an EPANET INP file?",
    "inp-broken": "EPANET's reader (wntr) cannot read %(file)s: %(reason)s.",
    "inp-twice": "The %(kind)s %(id)s (line %(line)s) has an id that is used twice; rename one.",
    "inp-too-short": "The line of %(kind)s %(id)s (line %(line)s) is too short: %(value)s.",
    "inp-not-number": (
        "The %(kind)s %(id)s (line %(line)s) has %(value)s where a number must stand."
    ),
    "inp-id-too-long": (
        "The id of %(kind)s %(id)s (line %(line)s) is longer than EPANET's 31 characters."
    ),
    "inp-negative": (
        "The %(kind)s %(id)s (line %(line)s) has %(value)s where a positive number must stand."
    ),
    "inp-not-state": (
        "The %(kind)s %(id)s (line %(line)s) has %(value)s where Open, Closed or CV must stand."
    ),
    "inp-no-such-pattern": (
        "The %(kind)s %(id)s (line %(line)s) names the pattern or curve %(value)s, which the file"
        " does not have."
    ),
    "inp-tank-levels": (
        "The tank %(id)s (line %(line)s) has the levels %(value)s (first, lowest, highest), which"
        " are out of order."
    ),
    "inp-no-such-node": (
        "The %(kind)s %(id)s (line %(line)s) names the node %(value)s, which the file does not"
        " have."
    ),
    "inp-no-such-link": (
        "The %(section)s section (line %(line)s) names the link %(id)s, which the file does not"
        " have."
    ),
    "inp-drawn-locally": (
        "The coordinates are no longitudes and latitudes and --crs is not given; the network is"
        " drawn around longitude 0, latitude 0, at %(scale)s m a unit, so that lines are as long as"
        " their pipes. Its answers hold; its place on the map does not."
    ),
    "inp-coordinates-missing": (
        "%(count)s nodes have no coordinates, %(id)s among them; each is drawn at a neighbour's"
        " place."
    ),
    "inp-controls-left-out": (
        "%(count)s lines of controls and rules were left out; links are as they are at the start."
    ),
    "inp-customers-assumed": (
        "An INP file has no customers; %(count)s were assumed, one for every junction with demand."
    ),
    "inp-valves-assumed": (
        "An INP file has no isolation valves; %(count)s were assumed, at both ends of every pipe."
    ),
    "inp-junction-supplies": (
        "The junction %(id)s has a negative demand (%(demand_m3_day)s m3 a day): water comes in"
        " there. It is not taken for a source; add one where it is."
    ),
    "inp-lost": (
        "%(count)s features of kind %(name)s have no place in an INP file and were left out."
    ),
    "inp-valves-as-pipes": "%(count)s isolation valves were written as short pipes.",
    "inp-pump-power": "%(count)s pumps were written with 10 kW, for their curves are not known.",
    "inp-customers-summed": "%(count)s customers were written as demand of the nearest nodes.",
    "inp-renamed": (
        "%(count)s ids were shortened or changed; EPANET allows 31 bytes without blanks."
    ),
    # features
    "not-a-feature": "Feature number %(index)s is not a GeoJSON feature.",
    "kind-missing": "Feature number %(index)s (%(id)s) has no properties.kind.",
    "kind-unknown": "%(count)s features of kind %(name)s were skipped; that kind is not known.",
    "id-missing": "The %(kind)s at number %(index)s has no properties.id.",
    "id-wrong": (
        "The %(kind)s at number %(index)s has the id %(value)s; an id is text of 1 to 200"
        " characters, without control characters."
    ),
    "id-was-a-number": "The id of %(kind)s %(id)s is a number; it is taken as text.",
    "key-twice": 'The %(kind)s %(id)s has "%(property)s" twice; remove one.',
    "text-wrong": (
        "The %(kind)s %(id)s holds a NUL or half a character, which no database keeps; remove it."
    ),
    "property-missing": 'The %(kind)s %(id)s has no "%(property)s"; add it.',
    "property-not-number": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be a number.'
    ),
    "property-not-whole": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be a whole number.'
    ),
    "property-out-of-range": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be %(limit)s.'
    ),
    "property-not-boolean": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be true or false.'
    ),
    "property-not-text": 'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be text.',
    "property-not-date": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; write a date as 1998, 1998-05'
        " or 1998-05-01."
    ),
    "property-not-one-of": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; it must be one of %(expected)s.'
    ),
    "property-wrong": 'The "%(property)s" of %(kind)s %(id)s is %(value)s; that is not understood.',
    "geometry-missing": "The %(kind)s %(id)s has no geometry.",
    "geometry-type": (
        "The %(kind)s %(id)s is drawn as %(value)s; it must be drawn as %(expected)s."
    ),
    "geometry-too-short": "The line of %(kind)s %(id)s has fewer than two points.",
    "coordinates-wrong": "The coordinates of %(kind)s %(id)s are not pairs of numbers.",
    "coordinates-out-of-range": (
        "The %(kind)s %(id)s lies at %(value)s; a longitude is within 180 and a latitude within 90"
        " degrees. Where these are metres, name their coordinate system with --crs."
    ),
    # what topology guesses
    "end-snapped": (
        "The %(end)s of %(kind)s %(id)s was joined to node %(node)s, %(distance_m)s m away."
    ),
    "node-made": "Node %(id)s was made where %(ends)s ends lie without a node.",
    "node-implied": (
        "Node %(id)s is drawn by nothing but the %(by)s of that name; it was made there."
    ),
    "valve-pipe-nearest": (
        "The valve %(id)s names no pipe; it was put on pipe %(pipe)s, %(distance_m)s m away."
    ),
    "customer-pipe-nearest": (
        "The customer %(id)s names no pipe; it was put on pipe %(pipe)s, %(distance_m)s m away."
    ),
    "hydrant-pipe-nearest": (
        "The hydrant %(id)s names no pipe or node; it was put on pipe %(pipe)s,"
        " %(distance_m)s m away."
    ),
    "source-node-nearest": (
        "The source %(id)s names no node; it was put at node %(node)s, %(distance_m)s m away."
    ),
    "position-assumed": "The position of %(kind)s %(id)s is not recorded; it is taken as open.",
    "pipe-turned": (
        "The pipe %(id)s is drawn from its end node to its start node; its line was turned round."
    ),
    # what it finds wrong
    "end-dangling": "The %(end)s of %(kind)s %(id)s joins nothing (node %(node)s).",
    "end-on-pipe": (
        "The %(end)s of %(kind)s %(id)s lies on the middle of pipe %(pipe)s and is not joined to"
        " it; split that pipe there if they meet."
    ),
    "end-far-from-node": (
        "The %(end)s of %(kind)s %(id)s is drawn %(distance_m)s m from its node %(node)s."
    ),
    "valve-on-no-pipe": (
        "The valve %(id)s lies on no pipe; it is kept but takes part in no answer. Name its pipe,"
        " or draw it on one."
    ),
    "valve-far-from-pipe": "The valve %(id)s is drawn %(distance_m)s m from its pipe %(pipe)s.",
    "customer-on-no-pipe": (
        "The customer %(id)s could be put on no pipe; it takes part in no answer."
    ),
    "hydrant-on-no-pipe": "The hydrant %(id)s could be put on no pipe; it takes part in no answer.",
    "island-without-source": (
        "The part around %(kind)s %(id)s (%(pipes)s pipes, %(customers)s customers) is joined to"
        " no source."
    ),
    "no-source": "The network has no source; who is cut off cannot be judged.",
    "node-alone": "The node %(id)s joins nothing.",
    "pipe-zero-length": "The pipe %(id)s has no length.",
    "pipe-crossing": "The pipes %(id)s and %(pipe)s cross without a node.",
    "id-twice-same": "The %(kind)s %(id)s stands in the file %(count)s times alike; one is kept.",
    "id-of-two-devices": (
        "A valve and an isolating control valve are both called %(id)s; lists of valves cannot"
        " tell them apart."
    ),
    "pipe-and-node": "The %(kind)s %(id)s names a pipe and a node; the pipe is used.",
    # what it refuses
    "id-twice": (
        "The id %(id)s stands on %(count)s different features of kind %(kind)s; give each its own."
    ),
    "reference-unknown": (
        'The "%(property)s" of %(kind)s %(id)s is %(value)s; the file has no such %(expected)s.'
    ),
    "source-on-no-node": "The source %(id)s names no node and the file has no node.",
}
"""English text of each code, with %(name)s for the values; an application may translate it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing said about one feature.

    Attributes
    ----------
    code
        A key of `MESSAGES`.
    severity
        "guessed" (it landed by a rule), "wrong" (it landed as it is) or
        "error" (the whole file is refused).
    kind, id
        The feature; empty where it is about the file.
    lon, lat
        Where to look on the map, degrees; None where there is no place.
    index
        Number of the feature in its file, from 0; None where not known.
    params
        Values of the message.
    """

    code: str
    severity: Severity
    kind: str = ""
    id: str = ""
    lon: float | None = None
    lat: float | None = None
    index: int | None = None
    params: dict[str, object] = field(default_factory=dict)

    @property
    def msgid(self) -> str:
        """English text with placeholders."""
        return MESSAGES[self.code]

    @property
    def values(self) -> dict[str, object]:
        """Everything that the placeholders may ask for."""
        return {"kind": self.kind, "id": self.id, "index": self.index, **self.params}

    def text(self, translate: Callable[[str], str] = str) -> str:
        """Give the sentence, in English or as `translate` has it."""
        return translate(self.msgid) % self.values

    def __str__(self) -> str:
        """Give the English sentence."""
        return self.text()


class Report:
    """
    Findings in the order in which they were made: all counted, the first of each code listed.

    Attributes
    ----------
    findings
        Those listed, at most `LISTED[severity]` a code.
    counts
        Number of all findings by (severity, code).
    """

    def __init__(self) -> None:
        """Begin with nothing found."""
        self.findings: list[Finding] = []
        self.counts: Counter[tuple[Severity, str]] = Counter()

    def add(self, finding: Finding) -> None:
        """Count a finding, and list it unless its code has been listed often enough."""
        key = (finding.severity, finding.code)
        self.counts[key] += 1
        if self.counts[key] <= LISTED[finding.severity]:
            self.findings.append(finding)

    def count(self, severity: Severity, code: str, number: int) -> None:
        """Count findings that are not listed one by one."""
        if number:
            self.counts[severity, code] += number

    def has_room(self, severity: Severity, code: str) -> bool:
        """Tell whether one more finding of this code would be listed."""
        return self.counts[severity, code] < LISTED[severity]

    def extend(self, other: Report) -> None:
        """Take over the findings of another report."""
        listed: Counter[tuple[Severity, str]] = Counter()
        for finding in other.findings:
            self.add(finding)
            listed[finding.severity, finding.code] += 1
        for (severity, code), number in other.counts.items():
            self.count(severity, code, number - listed[severity, code])

    def total(self, severity: Severity) -> int:
        """Count the findings of one severity."""
        return sum(number for (kind, _), number in self.counts.items() if kind == severity)

    @property
    def errors(self) -> list[Finding]:
        """Findings that refuse the file."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def has_errors(self) -> bool:
        """Whether anything refuses the file."""
        return self.total("error") > 0

    def __iter__(self) -> Iterator[Finding]:
        """Go through the findings listed."""
        return iter(self.findings)

    def __len__(self) -> int:
        """Count all findings, listed or not."""
        return sum(self.counts.values())
