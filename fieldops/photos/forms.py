"""What a tablet says of a photo beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from fieldops.photos.service import NO_CLAIMS, Claims

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGINAL, TAKEN_AT, PLACE = "Photo-Original", "Photo-Taken-At", "Photo-Place"


class SentClaims(BaseModel):
    """The claims as they are sent; place and time are the camera's, not ours."""

    original_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    taken_at: AwareDatetime | None = None
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None

    def as_claims(self) -> Claims:
        """Give them as photos are kept with; half a place is none."""
        is_placed = self.lon is not None and self.lat is not None
        return Claims(
            taken_at=self.taken_at,
            lon=self.lon if is_placed else None,
            lat=self.lat if is_placed else None,
            original_sha256=self.original_sha256,
        )


_CLAIMS = TypeAdapter(SentClaims)


def read_claims(headers: Mapping[str, str]) -> Claims:
    """Read the claims; a photo is worth more than what is said of it, so faulty ones are none."""
    lon, _, lat = headers.get(PLACE, "").partition(",")
    said = {
        "original_sha256": headers.get(ORIGINAL),
        "taken_at": headers.get(TAKEN_AT),
        "lon": lon or None,
        "lat": lat or None,
    }
    try:
        return _CLAIMS.validate_python(said).as_claims()
    except ValidationError:
        return NO_CLAIMS
