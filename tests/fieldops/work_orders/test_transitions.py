"""Every step of the process: which is legal where, what it needs, and who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldops.work_orders.service import find_order
from tests.fieldops.work_orders.orders import lead_to, make_cast, make_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_an_order_goes_from_the_call_to_its_closing(session: Session) -> None:
    """Each step by who may do it, with what it needs."""
    cast = make_cast(session)
    order = make_order(session)
    assert (order.state, order.id) == ("new", f"W-{order.key}")
    lead_to(session, order, cast, "closed")
    after = find_order(session, order.id)
    assert after.state == "closed"
    assert after.closed_at is not None
    assert after.data["cause"] == "corrosion"
    assert after.crew_id == cast.crew_id
    assert not after.is_open
