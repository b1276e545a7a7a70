"""SQL about what a contractor's crew may see: what belongs to its own orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, text

from fieldops.order_book.models import WorkOrderRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def fetch_incidents_of_crews(session: Session, crew_keys: Sequence[int]) -> set[int]:
    """Read the incidents that some crews have, or had, an order of."""
    is_theirs = or_(
        WorkOrderRow.crew_key.in_(crew_keys), WorkOrderRow.second_crew_key.in_(crew_keys)
    )
    found = session.scalars(
        select(WorkOrderRow.incident_key)
        .where(is_theirs, WorkOrderRow.incident_key.is_not(None))
        .distinct()
    )
    return {key for key in found if key is not None}


_MAY_SEE_PHOTO = text("""
    WITH theirs AS (
        SELECT incident_key, data FROM work_order
        WHERE crew_key = ANY(:crews) OR second_crew_key = ANY(:crews)
    )
    SELECT EXISTS (SELECT FROM photo WHERE sha256 = :sha256 AND person_id = :person)
        OR EXISTS (SELECT FROM theirs WHERE strpos(data::text, :sha256) > 0)
        OR EXISTS (
            SELECT FROM report JOIN theirs USING (incident_key) WHERE :sha256 = ANY(photo_sha256)
        )
        OR EXISTS (
            SELECT FROM valve_tag t JOIN outage o ON o.key = t.outage_key
            JOIN theirs USING (incident_key) WHERE :sha256 IN (t.hung_photo, t.taken_off_photo)
        )
""")


def is_photo_of(session: Session, sha256: str, person_id: int, crew_keys: Sequence[int]) -> bool:
    """Tell whether somebody sent a photo, or it belongs to an order of some crews."""
    values = {"sha256": sha256, "person": person_id, "crews": list(crew_keys)}
    return bool(session.execute(_MAY_SEE_PHOTO, values).scalar_one())
