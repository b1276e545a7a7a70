"""Outages for tests: opened and worked through the one door that pages and tablets use."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fieldops.events.service import Actor, Operation, Outcome
from fieldops.live_outages.service import OutageDraft, apply_operation, find_outage, open_outage
from fieldops.live_supply.queries import fetch_intervals

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.live_outages.service import LiveOutage
    from fieldops.live_supply.queries import CustomerInterval

T0 = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
DISPATCHER = Actor(name="王芳", roles=frozenset({"dispatcher"}))
CREW = Actor(name="李强", roles=frozenset({"crew"}))


def at(minutes: float) -> dt.datetime:
    """Give a moment so many minutes after the report."""
    return T0 + dt.timedelta(minutes=minutes)


class Job:
    """One outage, driven step by step; minutes count from the report."""

    def __init__(self, session: Session, pipe: str = "P2", /, **draft: Any) -> None:  # noqa: ANN401
        self.session = session
        opened = draft.pop("minute", 0)
        self.id = open_outage(session, OutageDraft(pipe=pipe, **draft), DISPATCHER, at(opened)).id

    def do(self, action: str, minute: float, actor: Actor = DISPATCHER, /, **body: Any) -> Outcome:  # noqa: ANN401
        """Do something, and give the answer."""
        base = body.pop("base_version", None)
        op_id = body.pop("op_id", None)
        operation = Operation(
            subject_kind="outage",
            subject_id=self.id,
            action=action,
            body=body,
            base_version=base,
            op_id=op_id,
            occurred_at=body.pop("occurred_at", None),
        )
        return apply_operation(self.session, operation, actor, at(minute))

    def must(self, action: str, minute: float, /, **body: Any) -> Job:  # noqa: ANN401
        """Do something that nobody refuses."""
        outcome = self.do(action, minute, **body)
        assert outcome.status == "applied", (outcome.message % dict(outcome.params), outcome)
        return self

    def close_valve(self, valve: str, minute: float, **more: Any) -> Job:  # noqa: ANN401
        """Close a valve tight."""
        return self.must("confirm_valve", minute, valve=valve, result="closed_tight", **more)

    def open_valve(self, valve: str, minute: float, **more: Any) -> Job:  # noqa: ANN401
        """Open a valve again."""
        return self.must("reopen_valve", minute, valve=valve, result="reopened", **more)

    @property
    def now(self) -> LiveOutage:
        """The outage as it stands."""
        return find_outage(self.session, self.id)

    @property
    def states(self) -> dict[str, tuple[str, str]]:
        """Part in the plan and state of each valve."""
        return {one.valve: (one.role, one.state) for one in self.now.valves}

    @property
    def rows(self) -> dict[str, CustomerInterval]:
        """The last interval of each customer."""
        return {one.customer: one for one in fetch_intervals(self.session, self.now.key)}

    @property
    def dry(self) -> dict[str, tuple[float | None, float | None]]:
        """When each customer lost supply and had it back, in minutes; without those expected."""
        return {
            name: (_minutes(row.lost_at), _minutes(row.restored_at))
            for name, row in self.rows.items()
            if row.lost_at is not None
        }


def _minutes(moment: dt.datetime | None) -> float | None:
    return None if moment is None else (moment - T0) / dt.timedelta(minutes=1)
