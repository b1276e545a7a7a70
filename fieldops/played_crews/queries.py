"""SQL of played crews: whether somebody real has taken an order over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from fieldops.events.models import EventRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def is_led_by(session: Session, order_key: int, person_ids: Sequence[int]) -> bool:
    """Tell whether one of these people has done anything with an order."""
    return bool(
        session.execute(
            select(
                exists().where(
                    EventRow.subject_kind == "work_order",
                    EventRow.subject_key == order_key,
                    EventRow.person_id.in_(person_ids),
                )
            )
        ).scalar_one()
    )
