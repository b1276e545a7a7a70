"""From the opening of an outage to its closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fieldops.live_outages.jobs import Job, at
from tests.fieldops.outages.towns import street

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_an_outage_runs_from_opening_to_closing(session: Session) -> None:
    """V1 feeds the middle pipe and all behind it."""
    street().plant(session)
    job = Job(session)

    assert job.states == {"V1": ("close", "to_close"), "V2": ("optional", "to_close")}
    assert (job.now.outage.connections, job.now.outage.customers_out) == (2, 0)
    assert job.now.plan.status == "approved"

    job.close_valve("V1", 30)

    assert job.dry == {"C102": (30, None), "C103": (30, None)}
    assert job.now.outage.water_stopped_at == at(30)
    assert job.now.plan.status == "executed"

    job.must("stage", 200, stage="repaired").open_valve("V1", 230)

    assert job.dry == {"C102": (30, 230), "C103": (30, 230)}
    assert (job.now.status, job.now.outage.restored_at) == ("restored", at(230))

    job.must("close", 240)

    assert job.now.status == "closed"
