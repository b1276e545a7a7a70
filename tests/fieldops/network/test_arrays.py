"""The arrays read from the database are those of the file."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.network.service import current_network
from fieldops.network_files.queries import read_keys
from fieldops.network_files.service import export_features, import_features
from gis.formats.geojson import read_geojson
from gis.placement import NetworkIds, network_of
from gis.topology import place
from tests.fieldops.network.towns import by_ids, everything, land, read
from tests.gis.random_towns import features_of, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from fieldops.network.service import StoredNetwork

SAMPLE = "sample_network.geojson"


def ids_of(session: Session, stored: StoredNetwork) -> NetworkIds:
    """Give the ids of the rows that were read."""
    names = {
        kind: {key: name for name, key in read_keys(session, kind).items()}
        for kind in (
            "node",
            "pipe",
            "valve",
            "pump",
            "control_valve",
            "source",
            "customer",
            "hydrant",
        )
    }
    keys = stored.keys
    tables = [keys.device_table(row) for row in range(len(keys.devices))]
    return NetworkIds(
        nodes=[names["node"][key] for key in keys.nodes.tolist()],
        pipes=[names["pipe"][key] for key in keys.pipes.tolist()],
        devices=[names[t][key] for t, key in zip(tables, keys.devices.tolist(), strict=True)],
        device_kinds=tables,
        sources=[names["source"][key] for key in keys.sources.tolist()],
        customers=[names["customer"][key] for key in keys.customers.tolist()],
        hydrants=[names["hydrant"][key] for key in keys.hydrants.tolist()],
    )


@pytest.mark.parametrize("seed", range(25))
def test_a_random_town_is_read_back_as_it_was_placed(session: Session, seed: int) -> None:
    """Every array equals the one made straight of the file; only the order of rows differs."""
    features = features_of(make_town(seed, is_drawn=seed % 2 == 0))
    expected = by_ids(*network_of(place(read(deepcopy(features)))))

    land(session, features)
    stored = current_network(session)

    assert by_ids(stored.network, ids_of(session, stored)) == expected


def test_the_sample_town_comes_out_as_it_went_in(session: Session) -> None:
    """Guesses are guessed again, and unknown properties are there."""
    before = read_geojson(SAMPLE)
    placement = place(read_geojson(SAMPLE))

    import_features(session, before, by="测试")
    after = export_features(session)

    assert everything(after) == everything(placement)


def test_keys_follow_the_streets(session: Session) -> None:
    """Neighbours in space are neighbours in the arrays: the mean step is a small part of a town."""
    import_features(session, read_geojson(SAMPLE), by="测试")
    step, across = session.execute(
        text(
            "SELECT avg(ST_Distance(geometry, before)),"
            " max(ST_XMax(geometry)) - min(ST_XMin(geometry))"
            " FROM (SELECT geometry, lag(geometry) OVER (ORDER BY key) AS before"
            " FROM node) AS nodes"
        )
    ).one()
    assert step < across / 8


def test_kitchener_has_its_numbers(session: Session, request: pytest.FixtureRequest) -> None:
    """The real district: every feature arrives."""
    path: Path = request.config.rootpath.parent / "shared/data/kitchener/network.geojson"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    import_features(session, read_geojson(path), by="测试")
    network = current_network(session).network

    assert (network.pipe_count, network.device_count, network.premises_count) == (667, 196, 3024)
