"""Towns of several valves in a row, drawn by hand."""

from __future__ import annotations

from tests.fieldops.outages.towns import Town


def three_in_a_row() -> Town:
    """Draw works A - P1 - (V1) P2 - (V2) P3 - (V3) P4, V0 at the works, a house on each pipe."""
    return (
        Town()
        .pipe("P1", "AB")
        .pipe("P2", "BC")
        .pipe("P3", "CD")
        .pipe("P4", "DE")
        .valve("V0", "P1", 0, turns=20)
        .valve("V1", "P2", 0, turns=20)
        .valve("V2", "P3", 0, turns=20)
        .valve("V3", "P4", 0, turns=20)
        .source("S1", "A")
        .customer("C1", "P1", critical="hospital")
        .customer("C2", "P2")
        .customer("C3", "P3")
        .customer("C4", "P4")
    )


def two_feeds() -> Town:
    """
    Draw a ladder: works A feeds B, from which two streets lead to the houses at E.

    North B - N1 - (VN) N2 - e; south B - S1 - (VS) S2 - E; the end e - E has one house, which
    has water while either street has.
    """
    return (
        Town()
        .pipe("P0", "AB")
        .pipe("N1", "Bb")
        .pipe("N2", "bc")
        .pipe("S1", "BC")
        .pipe("S2", "CD")
        .pipe("E1", "cD")
        .valve("VN", "N1", 0)
        .valve("VN2", "N2", 100)
        .valve("VS", "S1", 0)
        .valve("VS2", "S2", 100)
        .source("W1", "A")
        .customer("CN", "N2")
        .customer("CS", "S2")
        .customer("CE", "E1")
    )
