"""The isolation plan as a file to take away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.isolation_plans.service import draw_plan
from fieldops.outages.forms import file_name, read_question_of_page

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

isolation_plans = Blueprint("isolation_plans", __name__)


@isolation_plans.get("/outages/plan.html")
@access.allow(*STAFF)
def download_plan() -> ResponseReturnValue:
    """Give the plan as an attachment that may run its own scripts and nothing else."""
    question = read_question_of_page(request.args)
    with db.transaction() as session:
        page = draw_plan(session, question, dt.datetime.now(dt.UTC))
    return Response(
        page,
        mimetype="text/html",
        headers={
            "Content-Security-Policy": "sandbox allow-scripts",
            "Content-Disposition": file_name("isolation-plan", question, "html"),
        },
    )
