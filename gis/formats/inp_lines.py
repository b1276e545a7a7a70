"""
The lines of an INP file, looked at before EPANET's reader sees them.

That reader stops at the first fault and seldom says whose it is. Here every
line of the network is held against what it must be, and each fault is told
with the line and the id.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from gis.findings import Finding, Report
from gis.formats.building import FormatError, refuse, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Sections = dict[str, list[tuple[int, list[str]]]]
    Fault = tuple[str, str]

CONTROLS = ("CONTROLS", "RULES")
"""Sections that change links while a simulation runs."""

_LONGEST_ID = 31
_LARGEST = 1e15
_READ = {
    "JUNCTIONS": ("junction", 1, (1, 2)),
    "RESERVOIRS": ("reservoir", 2, (1,)),
    "TANKS": ("tank", 6, (1, 2, 3, 4, 5, 6)),
    "PIPES": ("pipe", 6, (3, 4, 5)),
    "PUMPS": ("pump", 4, ()),
    "VALVES": ("valve", 6, (3,)),
    "DEMANDS": ("junction", 2, (1,)),
    "COORDINATES": ("node", 3, (1, 2)),
    "VERTICES": ("link", 3, (1, 2)),
    "STATUS": ("link", 2, ()),
}
"""Of each section: what a line is about, how many words it needs, and which are numbers."""

_ALSO_KEPT = ("TITLE", "PATTERNS", "CURVES", "OPTIONS", "TIMES")
_NODES = ("JUNCTIONS", "RESERVOIRS", "TANKS")
_LINKS = ("PIPES", "PUMPS", "VALVES")
_NAMED_AT = {"JUNCTIONS": 3, "RESERVOIRS": 2, "DEMANDS": 2}
"""Where a line may name a pattern."""

_STATES = frozenset({"OPEN", "CLOSED", "CV"})


def split(text: str) -> tuple[Sections, str]:
    """
    Take a file apart into sections.

    Returns
    -------
    tuple
        Words of each section's lines with their numbers, and the text again with nothing but what
        makes the network (line numbers stay): controls and reports are not our matter, and files
        that break there are common.

    Raises
    ------
    FormatError
        If there is no node in it.
    """
    sections: Sections = {}
    kept: list[str] = []
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split(";", 1)[0].strip()
        is_kept = current in _READ or current in _ALSO_KEPT
        if bare.startswith("["):
            current = _section_name(bare)
            sections.setdefault(current, [])
            bare, is_kept = f"[{current}]", current in _READ or current in _ALSO_KEPT
        elif bare and current:
            sections[current].append((number, bare.split()))
        kept.append(bare if is_kept else "")
    if not any(sections.get(name) for name in _NODES):
        raise refuse("inp-no-nodes")
    return sections, "\n".join(kept) + "\n[END]\n"


def _section_name(header: str) -> str:
    """Complete a name as EPANET does, which looks at its first letters only."""
    word = header[1:].split("]", 1)[0].strip().upper()
    names = (*_READ, *_ALSO_KEPT, *CONTROLS)
    if len(word) < 4:
        return word
    return next((name for name in names if name.startswith(word[:4])), word)


def check(sections: Sections) -> None:
    """
    Hold every line against what it must be.

    Raises
    ------
    FormatError
        With all faults of all lines.
    """
    report = Report()
    checking = _Checking(sections)
    for names in (_NODES, _LINKS):
        _check_twice(sections, names, report)
    for name, (kind, _, _) in _READ.items():
        for number, line in sections.get(name, []):
            for code, value in checking.faults(name, line):
                report.add(
                    Finding(
                        code=code,
                        severity="error",
                        kind=kind,
                        id=line[0][:200],
                        index=number,
                        params={"line": number, "value": show(value), "section": name},
                    )
                )
    if report.has_errors:
        raise FormatError(report)


def _check_twice(sections: Sections, names: tuple[str, ...], report: Report) -> None:
    lines = [(line[0], name, at) for name in names for at, line in sections.get(name, [])]
    counts = Counter(identifier for identifier, _, _ in lines)
    for identifier, name, number in lines:
        if counts[identifier] > 1:
            report.add(
                Finding(
                    code="inp-twice",
                    severity="error",
                    kind=_READ[name][0],
                    id=identifier[:200],
                    index=number,
                    params={"line": number},
                )
            )


class _Checking:
    """Knows all names of a file, for lines that name another."""

    def __init__(self, sections: Sections) -> None:
        def first_words(names: Iterable[str]) -> set[str]:
            return {line[0] for name in names for _, line in sections.get(name, [])}

        self.nodes = first_words(_NODES)
        self.links = first_words(_LINKS)
        self.patterns = first_words(["PATTERNS"])
        self.curves = first_words(["CURVES"])

    def faults(self, section: str, line: list[str]) -> Iterator[Fault]:
        """Give the code of every fault of a line, with the words that are at fault."""
        _, needed, numbers = _READ[section]
        if len(line) < needed:
            yield "inp-too-short", " ".join(line)
            return
        if len(line[0]) > _LONGEST_ID:
            yield "inp-id-too-long", line[0]
        wrong = [line[at] for at in numbers if at < len(line) and not _is_number(line[at])]
        yield from (("inp-not-number", word) for word in wrong)
        yield from self._wrong_names(section, line)
        if section == "PIPES" and not wrong:
            yield from _wrong_pipe(line)
        elif section == "TANKS" and not wrong:
            yield from _wrong_tank(line)
        elif section == "PUMPS":
            yield from self._wrong_pump(line)

    def _wrong_names(self, section: str, line: list[str]) -> Iterator[Fault]:
        if section in _LINKS:
            yield from (("inp-no-such-node", end) for end in line[1:3] if end not in self.nodes)
        elif section in {"DEMANDS", "COORDINATES"} and line[0] not in self.nodes:
            yield "inp-no-such-node", line[0]
        elif section in {"VERTICES", "STATUS"} and line[0] not in self.links:
            yield "inp-no-such-link", line[0]
        at = _NAMED_AT.get(section, len(line))
        if at < len(line) and line[at] not in self.patterns:
            yield "inp-no-such-pattern", line[at]
        if section == "TANKS" and len(line) > 7 and line[7] not in self.curves | {"*"}:
            yield "inp-no-such-pattern", line[7]

    def _wrong_pump(self, line: list[str]) -> Iterator[Fault]:
        words = [word.upper() for word in line[3::2]]
        for word, value in zip(words, line[4::2], strict=False):
            is_named = {"HEAD": value in self.curves, "PATTERN": value in self.patterns}
            if not is_named.get(word, True):
                yield "inp-no-such-pattern", value
            elif word in {"POWER", "SPEED"} and not _is_number(value):
                yield "inp-not-number", value


def _wrong_pipe(line: list[str]) -> Iterator[Fault]:
    """Find what no pipe can have, and what is neither a loss nor a state."""
    for at, word in enumerate(line[3:8], 3):
        if _is_number(word):
            if float(word) < 0 or (at in {4, 5} and float(word) == 0):
                yield "inp-negative", word
        elif word.upper() not in _STATES:
            yield "inp-not-state", word
    if len(line) > 7 and _is_number(line[7]):
        yield "inp-not-state", line[7]


def _wrong_tank(line: list[str]) -> Iterator[Fault]:
    initial, lowest, highest = (float(word) for word in line[2:5])
    if not lowest <= initial <= highest:
        yield "inp-tank-levels", " ".join(line[2:5])
    if float(line[5]) < 0:
        yield "inp-negative", line[5]


def _is_number(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and abs(number) < _LARGEST
