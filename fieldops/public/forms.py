"""What anybody may fill in without a name."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body, read_body
from fieldops.errors import FieldopsError
from fieldops.incidents.forms import KIND_NAMES
from fieldops.reports.service import ReportDraft

KINDS = (
    "no_water", "low_pressure", "burst", "visible_leak", "surfacing", "discoloured", "odour",
    "collapse", "cover_defect", "other",
)  # fmt: skip
CHOICES = {kind: KIND_NAMES[kind] for kind in KINDS}
CREW_WORDS = {
    "unknown": _l("Nobody has looked at it yet."),
    "none_sent": _l("The fault is known. No crew has been sent yet."),
    "sent": _l("The fault is known. A repair crew has been sent."),
    "at_work": _l("The fault is known. A repair crew is at work."),
    "done": _l("The repair crew has finished."),
}
STATE_WORDS = {
    "open": _l("Received."),
    "linked": _l("Received and linked to a fault that we are working on."),
    "callback_due": _l("The work is done. We are going to call you back."),
    "answered": _l("Your enquiry is answered."),
    "closed": _l("The work is done."),
}


class PublicReport(Body):
    """A report of somebody without a name."""

    kind: str = Field(max_length=50)
    address: str | None = Field(default=None, max_length=300)
    words: str | None = Field(default=None, max_length=2000)
    name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, max_length=40, pattern=r"^[0-9+ ()-]*$")
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    danger: bool = False
    website: str | None = Field(default=None, max_length=0)
    """Nobody sees this field; only a program fills it in."""


def read_public_report(fields: object) -> ReportDraft:
    """
    Read what somebody told.

    Raises
    ------
    FieldopsError
        If a field is wrong, or nothing says where it is.
    """
    read = read_body(PublicReport, fields)
    if read.kind not in KINDS:
        raise FieldopsError("There is no kind of report %(kind)s.", kind=read.kind)
    if read.address is None and (read.lon is None or read.lat is None):
        raise FieldopsError("Say where it is: write the address.")
    return ReportDraft(
        channel="public",
        words=read.words or "",
        **read.model_dump(exclude={"website", "words"}),
    )
