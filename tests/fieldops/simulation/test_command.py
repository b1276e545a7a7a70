"""The command that plays a day, kept away from where people work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops.cli.simulate import refuse_among_people
from fieldops.errors import ConflictError
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker


def test_no_day_is_played_among_people_who_work(sessions: sessionmaker[Session]) -> None:
    """Where nobody has an account it may be."""
    refuse_among_people(sessions)
    with sessions() as session:
        make_person(session, "dispatcher")
        session.commit()
    with pytest.raises(ConflictError, match="1 people"):
        refuse_among_people(sessions)
