"""SQL about proposals to the map."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from fieldops.map_proposals.models import ProposalRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody saw to be otherwise than drawn, and what a person decided."""

    key: int
    id: str
    client_id: str
    kind: str
    feature_kind: str
    feature_id: str | None
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    was_lon: float | None
    was_lat: float | None
    facts: Mapping[str, Any]
    note: str
    photo_sha256: Sequence[str]
    order_id: str | None
    geometry_revision: int | None
    device: str | None
    proposed_by_id: int | None
    proposed_by: str
    occurred_at: dt.datetime
    received_at: dt.datetime
    status: str
    decided_by_id: int | None
    decided_by: str | None
    decided_at: dt.datetime | None
    reason: str | None
    edit_key: int | None


@dataclass(frozen=True, slots=True)
class Counting:
    """An outage under way whose plan counts on a valve."""

    outage: str
    is_drill: bool


_PROPOSAL = [getattr(ProposalRow, name) for name in Proposal.__dataclass_fields__]


def insert_proposal(session: Session, values: Mapping[str, Any]) -> Proposal | None:
    """Write a proposal; None where one of its client's id is there."""
    row = session.execute(
        insert(ProposalRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["client_id"])
        .returning(*_PROPOSAL)
    ).one_or_none()
    return Proposal(**row._mapping) if row else None  # noqa: SLF001 - its public name


def fetch_proposal(
    session: Session,
    *,
    proposal_id: str | None = None,
    client_id: str | None = None,
    is_locking: bool = False,
) -> Proposal | None:
    """Read one proposal by its id or its client's, and hold its row if it is to be changed."""
    if proposal_id is not None:
        query = select(*_PROPOSAL).where(ProposalRow.id == proposal_id)
    else:
        query = select(*_PROPOSAL).where(ProposalRow.client_id == client_id)
    if is_locking:
        query = query.with_for_update()
    row = session.execute(query).one_or_none()
    return Proposal(**row._mapping) if row else None  # noqa: SLF001


def update_proposal(session: Session, key: int, **values: object) -> None:
    """Write what was decided."""
    session.execute(update(ProposalRow).where(ProposalRow.key == key).values(**values))


def fetch_proposals(session: Session, *, is_open: bool, limit: int = 200) -> list[Proposal]:
    """Read the open proposals, the oldest first, or those decided, the latest first."""
    query = select(*_PROPOSAL).limit(limit)
    if is_open:
        query = query.where(ProposalRow.status == "open").order_by(ProposalRow.received_at)
    else:
        query = query.where(ProposalRow.status != "open").order_by(ProposalRow.decided_at.desc())
    return [Proposal(**row._mapping) for row in session.execute(query)]  # noqa: SLF001


def fetch_own(session: Session, person_id: int, limit: int) -> list[Proposal]:
    """Read somebody's own proposals: those that wait, then what was decided last."""
    query = (
        select(*_PROPOSAL)
        .where(ProposalRow.proposed_by_id == person_id)
        .order_by(ProposalRow.decided_at.desc().nulls_first(), ProposalRow.received_at.desc())
        .limit(limit)
    )
    return [Proposal(**row._mapping) for row in session.execute(query)]  # noqa: SLF001


def fetch_counting(session: Session, valve: str) -> list[Counting]:
    """
    Read the outages under way whose plans hold a valve.

    Outages are a feature above this one, so their tables are named and not imported.
    """
    rows = session.execute(
        text(
            "SELECT o.id, o.is_drill FROM outage_valve v"
            " JOIN outage o ON o.key = v.outage_key AND o.status <> 'closed'"
            " WHERE v.device_table = 'valve' AND v.valve = :valve ORDER BY o.key"
        ),
        {"valve": valve},
    )
    return [Counting(*row) for row in rows]
