"""Finding things by what people know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.access import Role
from fieldops.maps.queries import spell, write_search_texts
from fieldops.maps.service import search
from fieldops.network.queries import read_state
from tests.fieldops.maps.test_tiles import HERE, METRE, town
from tests.people import bearer

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

__all__ = ["town"]


def found(session: Session, typed: str) -> list[str]:
    """Give the ids that a search finds."""
    return [one.id for one in search(session, typed).results]


def test_ids_are_found_by_their_beginning_at_once_in_either_case(town: Session) -> None:
    """Nothing has to be indexed first, and the exact one comes first."""
    assert found(town, "P1") == ["P1"]
    assert found(town, "p") == ["P1", "P2"]
    assert found(town, " v2 ") == ["V2"]
    assert not search(town, "P1").is_indexed


def test_addresses_and_names_are_found_by_any_part(town: Session) -> None:
    """Once the worker has written them down."""
    write_search_texts(town, read_state(town).geometry_revision)
    assert search(town, "C1").is_indexed
    assert found(town, "溪路5") == ["C1"]
    assert found(town, "澄溪") == ["R1", "C1"]
    assert found(town, "水厂") == ["S1"]


@pytest.mark.parametrize("typed", ["cxl", "CX", "cxl5", "chengxilu", "chengxi"])
def test_addresses_and_names_are_found_as_they_are_spelt(town: Session, typed: str) -> None:
    """By initials, from two letters on, and in full."""
    write_search_texts(town, 1)
    assert set(found(town, typed)) <= {"R1", "C1"}
    assert "C1" in found(town, typed)


def test_a_character_is_spelt_as_it_is_read_in_its_word() -> None:
    """The same one may be read in two ways."""
    assert spell("重庆路8号") == "cql8h chongqinglu8hao"
    assert spell("Depot A") == "depot a depot a"


def test_signs_of_the_database_mean_nothing(town: Session) -> None:
    """What is typed is sought as it is."""
    write_search_texts(town, 1)
    for typed in ("%", "_", "%%%", "___", "\\", "'; DROP TABLE pipe; --", "\0", ""):
        assert found(town, typed) == []


def test_places_tell_what_a_valve_needs_and_where_along_a_pipe(
    client: FlaskClient, town: Session
) -> None:
    """What is not there is left out."""
    answer = client.get(
        "/api/v1/places?valve=V1&valve=V9&pipe=P1&at_m=25", headers=bearer(town, Role.CREW)
    )
    places = {one["id"]: one for one in answer.get_json()["places"]}

    assert set(places) == {"V1", "P1"}
    assert places["V1"]["facts"]["pipe"] == "P1"
    assert places["V1"]["facts"]["position"] == "open"
    assert places["P1"]["lon"] == pytest.approx(HERE[0] + 25 * METRE, abs=2 * METRE)


def test_too_many_places_at_once_are_refused(client: FlaskClient, session: Session) -> None:
    """A limit that is told."""
    query = "&".join(f"valve=V{number}" for number in range(101))
    answer = client.get(f"/api/v1/places?{query}", headers=bearer(session, Role.CREW))
    assert answer.status_code == 400
    assert "100" in answer.get_json()["detail"]


def test_a_street_comes_before_the_pipes_that_lie_in_it(town: Session) -> None:
    """Else its pipes would crowd it out."""
    write_search_texts(town, 1)
    town.execute(
        text(
            "INSERT INTO search_text (kind, key, id, label, words, lon, lat)"
            " SELECT 'pipe', 1000 + n, 'A' || n, '澄溪路', 'a' || n || ' 澄溪路 cxl', 0, 0"
            " FROM generate_series(1, 50) n"
        )
    )
    assert found(town, "cxl")[:2] == ["R1", "C1"]
