"""The network is read, and the searches compiled, before the first question."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.outages.service import warm_up
from tests.fieldops.outages.towns import street

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_an_empty_network_needs_no_warming(session: Session) -> None:
    """A new utility has imported nothing yet, and its server starts all the same."""
    warm_up(session, NOW)


def test_after_warming_the_network_is_kept(session: Session) -> None:
    """The first question finds the arrays in memory."""
    street().plant(session)
    before = set(session.info["kept"])
    warm_up(session, NOW)

    assert {name for name in session.info["kept"] if name not in before} & {
        "network",
        "network_edited",
    }
