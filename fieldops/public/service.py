"""What anybody may tell and learn without a name: a report, and honestly what became of it."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fieldops.errors import TooManyError
from fieldops.events.service import Actor
from fieldops.incidents.queries import read_policy
from fieldops.photos.service import keep_photo
from fieldops.public import queries
from fieldops.report_records.service import CallBackDraft, find_by_token
from fieldops.reports import service
from fieldops.work_orders.service import Filter, list_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.live_outages.service import Promise
    from fieldops.photos.service import Drawing
    from fieldops.report_records.queries import Report
    from fieldops.reports.service import ReportDraft

ANYBODY = Actor(name="public", roles=frozenset({"public"}))
REPORTER = Actor(name="reporter", roles=frozenset({"public"}))
MOST_PHOTOS = 3
SENT = ("assigned", "accepted", "en_route")
AT_WORK = ("on_site", "working", "on_hold")


def admit(session: Session, sender: str, now: dt.datetime) -> None:
    """
    Count what an address sends, before it is looked at; commit it, whatever comes of it.

    Raises
    ------
    TooManyError
        If too much came from it of late.
    """
    policy = read_policy(session)
    window = dt.timedelta(minutes=policy["public_posts_min"])
    queries.lock_sender(session, sender)
    if queries.count_posts(session, sender, now - window) >= policy["public_posts_most"]:
        raise TooManyError(
            "Too many reports came from here. Wait %(minutes)s min, or call the hotline.",
            retry_after_s=int(window.total_seconds()),
            minutes=int(policy["public_posts_min"]),
        )
    queries.insert_post(session, sender, now)


def receive_report(
    session: Session, draft: ReportDraft, photos: Sequence[Drawing], now: dt.datetime
) -> Report:
    """
    Take in what somebody tells on the public page; its token finds the reporter's own page.

    Raises
    ------
    FieldopsError
        If a field is not right.
    """
    kept = [keep_photo(session, one, person_id=None, now=now).sha256 for one in photos]
    draft = service.with_photos(replace(draft, token=secrets.token_urlsafe(24)), kept)
    return service.register_report(session, draft, ANYBODY, now).report


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is known of a report, for the one who told it."""

    report: Report
    is_in_outage: bool
    promise: Promise | None
    crew: str
    """none_sent, sent, at_work or done; unknown while it is linked to nothing."""
    may_tell_not_back: bool


def read_status(session: Session, token: str, now: dt.datetime) -> Status:
    """
    Tell the reporter what is known.

    Raises
    ------
    NotFoundError
        If there is no such page.
    """
    report = find_by_token(session, token)
    answer = service.describe_report(session, report.id, now)
    return Status(
        report=report,
        is_in_outage=answer.outage is not None,
        promise=answer.promise,
        crew=_crew_of(session, report),
        may_tell_not_back=report.status in {"callback_due", "closed"},
    )


def _crew_of(session: Session, report: Report) -> str:
    """Tell how far the work is, by the order that is farthest."""
    if report.incident is None:
        return "unknown"
    orders = list_orders(session, Filter(is_open=None, incident_id=report.incident))
    states = {order.state for order in orders} - {"cancelled"}
    if states & set(AT_WORK):
        return "at_work"
    if states & set(SENT):
        return "sent"
    if states and not states & {"new", "triaged"}:
        return "done"
    return "none_sent"


def tell_not_back(session: Session, token: str, now: dt.datetime) -> Report:
    """
    Note that the water is not back, so that a person looks into it.

    Raises
    ------
    NotFoundError
        If there is no such page.
    ConflictError
        If the report is not over.
    """
    report = find_by_token(session, token)
    draft = CallBackDraft(result="not_back", is_incoming=True)
    return service.record_call_back(session, report.id, draft, REPORTER, now)
