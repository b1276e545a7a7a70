"""What a receipt may say."""

from __future__ import annotations

from typing import Annotated, Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body, read_body
from fieldops.receipts.service import ReceiptDraft
from fieldops.rosters.forms import LocalMoment  # noqa: TC001 - pydantic reads the annotations

PARTY_NAMES = {"fire_service": _l("fire service"), "control_room": _l("plant control room")}
TOPIC_NAMES = {
    "hydrants_dry": _l("hydrants without water"),
    "hydrants_back": _l("hydrants have water again"),
    "outage": _l("supply interruption"),
    "outage_over": _l("supply restored"),
    "pump_stop": _l("stop of a pump"),
}
HOW_NAMES = {
    "phone": _l("telephone"),
    "radio": _l("radio"),
    "in_person": _l("in person"),
    "message": _l("message"),
}
ANSWER_NAMES = {
    "informed": _l("informed"),
    "confirmed": _l("confirmed"),
    "refused": _l("refused"),
}
Short = Annotated[str, Field(max_length=80)]


class ReceiptBody(Body):
    """A receipt."""

    party: Literal["fire_service", "control_room"]
    topic: Literal["hydrants_dry", "hydrants_back", "outage", "outage_over", "pump_stop"]
    how: Literal["phone", "radio", "in_person", "message"]
    told_to: Short
    told_at: LocalMoment | None = None
    answer: Literal["informed", "confirmed", "refused"] = "informed"
    incident_id: Short | None = None
    outage_id: Short | None = None
    pump_id: Short | None = None
    note: Annotated[str, Field(max_length=500)] | None = None


def read_receipt(body: object) -> ReceiptDraft:
    """Read a receipt."""
    return ReceiptDraft(**read_body(ReceiptBody, body).model_dump())
