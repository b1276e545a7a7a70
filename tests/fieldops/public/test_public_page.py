"""The public page: no name, no script, no flood; and an honest answer."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.events.service import SYSTEM
from fieldops.incidents import service as incidents
from fieldops.maps.queries import write_search_texts
from fieldops.reports import service as reports
from tests.fieldops.outages.towns import street
from tests.fieldops.photos.test_photos import photo
from tests.fieldops.reports.places import NOW, at

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session
    from werkzeug.test import TestResponse


@pytest.fixture
def town(session: Session) -> Session:
    """Lay the street, and give its second house an address."""
    street().plant(session)
    session.execute(
        text("""UPDATE customer SET extra = '{"address": "澄溪路5号"}' WHERE id = 'C102'""")
    )
    write_search_texts(session, 1)
    return session


def send(client: FlaskClient, **fields: Any) -> TestResponse:  # noqa: ANN401 - any field
    """Fill the form in as a browser without scripts does."""
    page = client.get("/report").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    form = {"csrf_token": token[1], "kind": "no_water", "lon": "", "lat": "", **fields}
    return client.post("/report", data=form, content_type="multipart/form-data")


def test_a_report_by_address_gets_a_number_and_a_page_of_its_own(
    client: FlaskClient, town: Session
) -> None:
    """The address finds its customer and pipe, with or without blanks."""
    sent = send(client, address="澄溪路 5号", words="<i>没水</i>", phone="138 0000")
    assert sent.status_code == 303
    page = client.get(sent.location).get_data(as_text=True)
    report = reports.list_latest(town)[0]
    assert (report.customer, report.pipe, report.channel) == ("C102", "P2", "public")
    assert report.first_contact_by is None
    assert report.id in page
    assert "尚未有人查看" in page
    assert "<i>" not in page
    assert "138 0000" not in page
    assert client.get("/report/another-token").status_code == 404


def test_an_address_that_is_nowhere_is_kept_and_said_to_be_unknown(
    client: FlaskClient, town: Session
) -> None:
    """It is not put anywhere by guessing."""
    page = client.get(send(client, address="老磨坊后面").location).get_data(as_text=True)
    assert "尚未在地图上找到" in page
    report = reports.list_latest(town)[0]
    assert (report.address, report.pipe, report.lon) == ("老磨坊后面", None, None)


def test_the_page_tells_how_far_the_work_is(client: FlaskClient, town: Session) -> None:
    """From nobody having looked to a crew being sent, and whether it is over."""
    lon, lat = at("P2")
    place = send(client, lon=str(lon), lat=str(lat), kind="burst", phone="138").location
    report = reports.list_latest(town)[0]
    opening = reports.open_incident_for(town, report.id, SYSTEM, NOW)
    assert "抢修队尚未派出" in client.get(place).get_data(as_text=True)
    town.execute(text("UPDATE work_order SET state = 'working'"))
    assert "正在处理" in client.get(place).get_data(as_text=True)
    assert "仍未复水" not in client.get(place).get_data(as_text=True)
    town.execute(text("UPDATE work_order SET state = 'closed', is_open = false"))
    incidents.close_incident(town, opening.incident.id, SYSTEM, NOW)
    page = client.get(place).get_data(as_text=True)
    assert "我们将回访您" in page
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    client.post(f"{place}/not-back", data={"csrf_token": token[1]})
    assert reports.list_waiting(town)[0].id == report.id


def test_photos_come_along_and_other_files_do_not(client: FlaskClient, town: Session) -> None:
    """A refusal keeps what was written."""
    wrong = send(client, address="somewhere", photo=(BytesIO(b"no photo"), "a.jpg"))
    assert wrong.status_code == 400
    assert 'value="somewhere"' in wrong.get_data(as_text=True)
    assert reports.list_latest(town) == []
    right = send(client, address="somewhere", photo=(BytesIO(photo()), "a.jpg"))
    assert right.status_code == 303
    assert len(reports.list_latest(town)[0].photo_sha256) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"address": ""},
        {"address": "x", "kind": "planned_work"},
        {"address": "x", "kind": "fire"},
        {"address": "x", "website": "http://buy.example"},
        {"lon": "200", "lat": "10"},
        {"address": "x" * 400},
    ],
)
def test_what_cannot_be_is_refused(
    client: FlaskClient, town: Session, fields: dict[str, str]
) -> None:
    """Programs that fill in every field, too."""
    assert send(client, **fields).status_code == 400
    assert reports.list_latest(town) == []


def test_a_flood_from_one_address_is_held_up(client: FlaskClient, town: Session) -> None:
    """Also of refused ones; it is said when to come back."""
    for _ in range(5):
        send(client, address="")
    held = send(client, address="澄溪路5号")
    assert held.status_code == 429
    assert int(held.headers["Retry-After"]) > 0
    assert reports.list_latest(town) == []
    assert town.execute(text("SELECT sender FROM public_post LIMIT 1")).scalar_one() != "127.0.0.1"


def test_a_page_without_our_form_cannot_send(client: FlaskClient, town: Session) -> None:
    """The token of the form is asked for, here as elsewhere."""
    assert client.post("/report", data={"kind": "leak", "address": "x"}).status_code == 400
    assert reports.list_latest(town) == []


@pytest.mark.usefixtures("town")
def test_what_the_database_cannot_keep_is_no_fault_of_ours(client: FlaskClient) -> None:
    """It is left out, or refused."""
    assert send(client, address="x\0y", words="\0").status_code in {303, 400}
    assert client.get("/report/%00").status_code == 404
