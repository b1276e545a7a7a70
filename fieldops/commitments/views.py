"""The pages of the calendar and of the register of limits."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.commitments import forms, service
from fieldops.commitments.service import Day
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor
from fieldops.language import TIMEZONE

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

commitments = Blueprint("commitments", __name__)


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@commitments.get("/calendar")
@access.allow("manager", menu=_l("Calendar"))
def show_calendar() -> ResponseReturnValue:
    """Show the days of a year that do not go by their weekday, and the office hours."""
    this = _now().astimezone(ZoneInfo(TIMEZONE)).year
    asked = request.args.get("year") or str(this)
    year = forms.read(forms.YearForm, {"year": asked}).year
    with db.transaction() as session:
        days = service.list_days(session, year)
        hours = service.list_hours(session)
    return render_template(
        "commitments/calendar.html",
        year=year,
        days=days,
        hours=hours,
        holiday_names=forms.HOLIDAY_NAMES,
    )


@commitments.post("/calendar/<change>")
@access.allow("manager")
def change_calendar(change: str) -> ResponseReturnValue:
    """Fill a year, say of a day what it is, or give other office hours."""
    year: int | None = None
    with db.transaction() as session:
        if change == "years":
            year = forms.read(forms.YearForm, request.form.to_dict()).year
            count = service.fill_calendar(session, year)
            if count == 0:
                flash(_("The holidays of %(year)s are not known yet.", year=year), "error")
            else:
                flash(_("Days kept: %(n)s.", n=count), "done")
        elif change == "days":
            form = forms.read(forms.DayForm, request.form.to_dict())
            year = form.day.year
            day = Day(form.day, form.is_workday, form.title, is_edited=True)
            service.change_day(session, day, _actor(), _now())
            flash(_("Saved. What is due has been worked out anew."), "done")
        elif change == "hours":
            spans = forms.read_hours(request.form.get("hours", ""))
            service.change_hours(session, spans, _actor(), _now())
            flash(_("Saved. What is due has been worked out anew."), "done")
        else:
            raise FieldopsError("The request cannot be understood.")
    return redirect(url("commitments.show_calendar", year=year))


@commitments.get("/limits")
@access.allow("manager", menu=_l("Limits"))
def show_limits() -> ResponseReturnValue:
    """Show the register: what was promised, and what is asked for inside."""
    with db.transaction() as session:
        limits = service.list_limits(session)
    today = _now().astimezone(ZoneInfo(TIMEZONE)).date()
    return render_template("commitments/limits.html", limits=limits, today=today, names=forms)


@commitments.post("/limits")
@access.allow("manager")
def add_limit() -> ResponseReturnValue:
    """Add a limit."""
    limit = forms.read_limit(request.form.to_dict())
    with db.transaction() as session:
        service.add_limit(session, limit, _actor(), _now())
    flash(_("Added. Clocks that run already keep their limit."), "done")
    return redirect(url("commitments.show_limits"))


@commitments.post("/limits/<int:key>/end")
@access.allow("manager")
def end_limit(key: int) -> ResponseReturnValue:
    """Let a limit end with a day."""
    last = forms.read(forms.EndForm, request.form.to_dict()).valid_to
    with db.transaction() as session:
        service.end_limit(session, key, last, _actor(), _now())
    return redirect(url("commitments.show_limits"))
