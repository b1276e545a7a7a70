"""The valve operation sheet as a file."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.outages.forms import file_name, read_question_of_page
from fieldops.valve_sheets.service import print_sheet

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

valve_sheets = Blueprint("valve_sheets", __name__)


@valve_sheets.get("/outages/valve-sheet.pdf")
@access.allow(*STAFF)
def download_sheet() -> ResponseReturnValue:
    """Give the sheet as a PDF to print."""
    question = read_question_of_page(request.args)
    with db.transaction() as session:
        sheet = print_sheet(session, question, dt.datetime.now(dt.UTC))
    return Response(
        sheet,
        mimetype="application/pdf",
        headers={"Content-Disposition": file_name("valve-sheet", question, "pdf")},
    )
