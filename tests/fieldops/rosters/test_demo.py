"""The demo's crews: there whenever somebody looks, and made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from fieldops.accounts.service import add_demo_people
from fieldops.cli.crews import make_demo_crews
from fieldops.crews.service import list_crews, list_on_call
from fieldops.stock import queries as stock
from fieldops.stock.service import who_carries
from tests.fieldops.crews.making import DAY, HOUR, NOW

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_the_demo_has_crews_at_every_hour_of_the_coming_days(session: Session) -> None:
    """A second run makes nothing twice, and a later one plans on."""
    session.execute(
        text(
            "INSERT INTO depot (id, name, geometry) VALUES"
            " ('D1', '东站', ST_SetSRID(ST_MakePoint(117.35, 31.12), 4326)),"
            " ('D2', '西站', ST_SetSRID(ST_MakePoint(117.36, 31.12), 4326))"
        )
    )
    add_demo_people(session)
    assert make_demo_crews(session, NOW) == 10
    assert make_demo_crews(session, NOW) == 0
    assert make_demo_crews(session, NOW + 2 * DAY) == 0
    for hours in range(0, 9 * 24, 5):
        moment = NOW + hours * HOUR
        crews = list_crews(session, moment)
        on_duty = [crew for crew in crews if crew.on_shift]
        assert len(on_duty) >= 4
        ranks = [crew.on_call_rank for crew in list_on_call(session, moment)]
        assert ranks == list(range(1, 11 - len(on_duty)))
    crews = list_crews(session, NOW)
    assert [crew.id for crew in crews if crew.contractor] == ["C-10"]
    first = next(crew for crew in crews if crew.id == "C-1")
    assert "周师傅" in {member.name for member in first.members}
    assert first.lon is not None
    assert {place.kind for place in stock.fetch_places(session)} == {"van", "depot"}
    assert who_carries(session, 100, 118, "DI", "clamp")[0].place.kind == "van"
