"""The board: everything under way at one moment, from those whose business each thing is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fieldops.console import queries
from fieldops.crews.service import list_crews
from fieldops.dispatch.service import suggest
from fieldops.emergencies import service as emergencies
from fieldops.events.queries import fetch_events_after, fetch_head
from fieldops.events.service import append_event
from fieldops.incidents import service as incidents
from fieldops.live_outages import service as live_outages
from fieldops.offers import service as offers
from fieldops.reports.service import list_of_incidents
from fieldops.work_orders import service as work_orders

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.console.queries import Escalated, LateFact
    from fieldops.crews.service import Crew
    from fieldops.dispatch.service import Suggestion
    from fieldops.emergencies.service import EmergencyView
    from fieldops.events.service import Actor
    from fieldops.incidents.service import Incident
    from fieldops.live_outages.service import LiveOutage
    from fieldops.offers.queries import Offer
    from fieldops.order_book.queries import WorkOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """
    What a dispatcher has to know at a moment.

    `position` is the log's when the reading began: whatever comes after it may be in here already,
    but nothing before it is missing.
    """

    position: int
    last_event_at: dt.datetime | None
    now: dt.datetime
    incidents: list[Incident]
    reports: Mapping[int, int]
    """How many there are of each incident, by its key."""
    orders: list[WorkOrder]
    outages: list[LiveOutage]
    crews: list[Crew]
    suggestions: list[Suggestion]
    offers: list[Offer]
    escalated: Mapping[int, Escalated]
    """The worst step that a limit of an order has reached, by the order's key."""
    late_facts: list[LateFact]
    emergencies: list[EmergencyView]


def read_board(session: Session, now: dt.datetime) -> Board:
    """Read everything that is under way."""
    position = fetch_head(session)
    open_incidents = incidents.list_open(session)
    reports = list_of_incidents(session, [one.key for one in open_incidents])
    last = fetch_events_after(session, position - 1, 1)
    return Board(
        position=position,
        last_event_at=last[0].received_at if last else None,
        now=now,
        incidents=open_incidents,
        reports=Counter(one.incident_key for one in reports if one.incident_key is not None),
        orders=work_orders.list_open(session),
        outages=live_outages.list_open(session),
        crews=list_crews(session, now),
        suggestions=suggest(session, now),
        offers=offers.list_open(session),
        escalated=queries.fetch_escalated(session),
        late_facts=[fact for _, fact in queries.fetch_unread(session)],
        emergencies=emergencies.list_live(session),
    )


def read_late_fact(session: Session, position: int, actor: Actor, now: dt.datetime) -> None:
    """Note that a dispatcher has read what came late: no screen shows it any more."""
    for key, fact in queries.fetch_unread(session, position):
        append_event(
            session,
            f"{fact.subject_kind}.late_fact_read",
            (fact.subject_kind, key),
            by=actor,
            now=now,
            body={"id": fact.subject_id, "fact": position},
        )
