"""What crews say is drawn wrong: kept, decided by a person, and then changed on the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import Outcome, append_event
from fieldops.map_proposals import queries
from fieldops.network import service as network
from fieldops.network.service import FactsWish
from fieldops.photos import service as photos

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Operation
    from fieldops.map_proposals.queries import Counting, Proposal
    from fieldops.network.queries import DrawnPipe, DrawnValve
    from fieldops.network.service import PipePlace

PHOTOS_MOST = 6
OUTCOMES_MOST = 40
VIEW_M = 60.0
"""So far around a proposal its picture shows the network."""

Text = Field(default=None, min_length=1, max_length=200)


class Facts(BaseModel):
    """What a valve or pipe really is, as far as somebody saw it."""

    model_config = ConfigDict(extra="forbid")

    position: Literal["open", "closed", "unknown"] | None = None
    operability: Literal["operable", "inoperable", "unknown"] | None = None
    reachable: bool | None = None
    turns: float | None = Field(default=None, ge=0, le=10_000, allow_inf_nan=False)
    closes: Literal["clockwise", "anticlockwise", "unknown"] | None = None
    diameter_mm: float | None = Field(default=None, gt=0, le=10_000, allow_inf_nan=False)
    valve_type: str | None = Field(default=None, max_length=100)
    material: str | None = Field(default=None, max_length=100)


class Wish(BaseModel):
    """A proposal as a device sends it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["moved", "missing", "not_there", "wrong_fact"]
    feature: str | None = Text
    feature_kind: Literal["valve", "pipe"] = "valve"
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    accuracy_m: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    facts: Facts = Facts()
    note: str = Field(default="", max_length=2000)
    photo_sha256: list[str] = Field(default_factory=list, max_length=PHOTOS_MOST)
    order: str | None = Text
    geometry_revision: int | None = Field(default=None, ge=0, lt=2**63)


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do what a device asks: propose something, or take that back."""
    act = _ACTIONS.get(operation.action)
    if act is None:
        return Outcome(
            status="illegal",
            message="This knows no action %(action)s.",
            params={"action": operation.action},
        )
    try:
        return act(session, operation, actor, now)
    except ValidationError as error:
        fields = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        return Outcome(
            status="illegal",
            message="These fields are missing or wrong: %(fields)s.",
            params={"fields": ", ".join(fields)},
        )


def _apply_propose(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    wish = Wish.model_validate(dict(operation.body))
    proposal = propose(session, operation.subject_id, wish, actor, now, operation=operation)
    return Outcome(
        status="applied",
        id=proposal.id,
        state=proposal.status,
        message="Kept as %(proposal)s; a person looks at it.",
        params={"proposal": proposal.id},
    )


def propose(
    session: Session,
    client_id: str,
    wish: Wish,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Proposal:
    """
    Keep what somebody saw; the map stays as it is until a person approves.

    A valve that the map does not know is kept, too: whoever decides sees that it is not there.

    Raises
    ------
    FieldopsError
        If it names no feature or place where it needs one.
    """
    _check(wish)
    drawn = None
    if wish.feature is not None and wish.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, wish.feature)
    proposal = queries.insert_proposal(
        session,
        {
            "client_id": client_id,
            "kind": wish.kind,
            "feature_kind": wish.feature_kind,
            "feature_id": wish.feature,
            "lon": wish.lon,
            "lat": wish.lat,
            "accuracy_m": wish.accuracy_m,
            "was_lon": drawn.lon if drawn else None,
            "was_lat": drawn.lat if drawn else None,
            "facts": wish.facts.model_dump(exclude_none=True),
            "note": wish.note.strip(),
            "photo_sha256": wish.photo_sha256,
            "order_id": wish.order,
            "geometry_revision": wish.geometry_revision,
            "device": actor.device,
            "proposed_by_id": actor.person_id,
            "proposed_by": actor.by_phone_for or actor.name,
            "occurred_at": (operation.done_at if operation else None) or now,
            "received_at": now,
        },
    )
    if proposal is None:
        raise ConflictError("This proposal is kept already.")
    _tell(session, "map_proposal.proposed", proposal, actor, now, operation=operation)
    return proposal


def _check(wish: Wish) -> None:
    if (wish.lon is None) != (wish.lat is None):
        raise FieldopsError("Say where it is: a place on the map, or a pipe.")
    if wish.kind in {"moved", "missing"} and wish.lon is None:
        raise FieldopsError("Say where it really is.")
    if (wish.kind == "missing") != (wish.feature is None):
        raise FieldopsError("Say which valve or pipe it is about.")
    if wish.kind != "wrong_fact" and wish.feature_kind != "valve":
        raise FieldopsError("Only valves are moved, added or taken off here.")
    facts = set(wish.facts.model_dump(exclude_none=True))
    of_kind = {*network.CORRECTABLE[wish.feature_kind]}
    if wish.feature_kind == "valve":
        of_kind |= {"position", "operability", "reachable"}
    if facts - of_kind:
        # Approving it would else do only a part of it.
        fields = ", ".join(sorted(facts - of_kind))
        raise FieldopsError("These fields are missing or wrong: %(fields)s.", fields=fields)
    is_silent = not wish.note.strip() and not wish.facts.model_dump(exclude_none=True)
    if wish.kind == "wrong_fact" and is_silent:
        raise FieldopsError("Say what is wrong.")


def _apply_withdraw(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    proposal = queries.fetch_proposal(session, client_id=operation.subject_id, is_locking=True)
    if proposal is None:
        raise NotFoundError("There is no such proposal.")
    if proposal.proposed_by_id != actor.person_id:
        raise ForbiddenError("Only %(person)s may take it back.", person=proposal.proposed_by)
    _check_open(proposal)
    after = _decide(session, proposal, "withdrawn", actor, now)
    _tell(session, "map_proposal.withdrawn", after, actor, now, operation=operation)
    return Outcome(status="applied", id=after.id, state=after.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a person approves: `seen` is the edit of the valve that the person had in view."""

    seen: int | None = None
    pipe: str | None = None
    valve: str | None = None
    """The number of a valve that nobody had drawn."""
    outages: frozenset[str] = frozenset()
    """The outages under way that the person has read of, and said yes though they count on it."""


class CountedOnError(ConflictError):
    """An outage under way counts on the valve, and nobody has said yes to that."""


def approve(
    session: Session, proposal_id: str, decision: Decision, actor: Actor, now: dt.datetime
) -> Proposal:
    """
    Change the map as proposed, with who and when, in this same transaction.

    Raises
    ------
    NotFoundError
        If there is no such proposal, or no such valve any more.
    ForbiddenError
        If one approves what one has proposed oneself.
    ConflictError
        If it is decided already, or the valve was changed since the person looked.
    CountedOnError
        If an outage under way has the valve in its plan, and the person has not said yes to it.
    """
    proposal = _lock(session, proposal_id)
    if proposal.proposed_by_id is not None and proposal.proposed_by_id == actor.person_id:
        raise ForbiddenError("Somebody else has to approve what you have proposed.")
    if proposal.feature_id is not None and proposal.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, proposal.feature_id)
        if drawn is not None and drawn.changed_in != decision.seen:
            raise ConflictError("The valve was changed meanwhile: look at it again.")
    outages = [one.outage for one in _list_counting(session, proposal)]
    if not decision.outages.issuperset(outages):
        raise CountedOnError(
            "%(valve)s is in the plan of %(outages)s, under way now. Say yes to that, too.",
            valve=proposal.feature_id,
            outages=", ".join(outages),
        )
    _change_map(session, proposal, decision, actor, now)
    after = _decide(
        session, proposal, "approved", actor, now, edit_key=network.read_own_edit(session)
    )
    _tell(session, "map_proposal.approved", after, actor, now, during=outages)
    return after


def _list_counting(session: Session, proposal: Proposal) -> list[Counting]:
    """List the outages under way that count on what approving would change."""
    is_change = proposal.kind != "wrong_fact" or bool(proposal.facts)
    if proposal.feature_id is None or proposal.feature_kind != "valve" or not is_change:
        return []
    return queries.fetch_counting(session, proposal.feature_id)


def _change_map(
    session: Session, proposal: Proposal, decision: Decision, actor: Actor, now: dt.datetime
) -> None:
    """Do what the proposal says; one that only says it in words is done by hand."""
    feature, by = proposal.feature_id or "", actor.name
    if proposal.kind == "not_there":
        network.mark_valve_absent(session, feature, by=by, now=now)
    elif proposal.kind == "wrong_fact":
        facts = dict(proposal.facts)
        network.correct_feature(session, proposal.feature_kind, feature, facts, by=by, now=now)
        daily = {n: facts[n] for n in ("position", "operability", "reachable") if n in facts}
        if daily and proposal.feature_kind == "valve":
            network.change_valve_facts(session, feature, FactsWish(**daily), by=by, now=now)
    else:
        assert proposal.lon is not None and proposal.lat is not None  # noqa: S101, PT018 - checked
        lon, lat = proposal.lon, proposal.lat
        if proposal.kind == "moved":
            network.move_valve(session, feature, lon, lat, pipe=decision.pipe, by=by, now=now)
        elif decision.valve is None:
            raise FieldopsError("Give the new valve a number.")
        else:
            valve = decision.valve
            network.add_valve(session, valve, lon, lat, pipe=decision.pipe, by=by, now=now)


def reject(
    session: Session, proposal_id: str, reason: str, actor: Actor, now: dt.datetime
) -> Proposal:
    """
    Leave the map as it is, and say why to whoever proposed.

    Raises
    ------
    FieldopsError
        If no reason is given.
    ConflictError
        If it is decided already.
    """
    if not reason.strip():
        raise FieldopsError("Say why: whoever proposed it reads it.")
    proposal = _lock(session, proposal_id)
    after = _decide(session, proposal, "rejected", actor, now, reason=reason.strip())
    _tell(session, "map_proposal.rejected", after, actor, now)
    return after


def _lock(session: Session, proposal_id: str) -> Proposal:
    proposal = find_proposal(session, proposal_id, is_locking=True)
    _check_open(proposal)
    return proposal


def _check_open(proposal: Proposal) -> None:
    if proposal.status != "open":
        raise ConflictError(
            "%(proposal)s was decided already, by %(person)s.",
            proposal=proposal.id,
            person=proposal.decided_by,
        )


def _decide(
    session: Session,
    proposal: Proposal,
    status: str,
    actor: Actor,
    now: dt.datetime,
    **more: object,
) -> Proposal:
    values = {
        "status": status,
        "decided_by_id": actor.person_id,
        "decided_by": actor.name,
        "decided_at": now,
        **more,
    }
    queries.update_proposal(session, proposal.key, **values)
    return find_proposal(session, proposal.id)


def _tell(
    session: Session,
    kind: str,
    proposal: Proposal,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
    during: Sequence[str] = (),
) -> None:
    body = {
        "id": proposal.id,
        "state": proposal.status,
        "kind": proposal.kind,
        "feature": proposal.feature_id,
        "lon": proposal.lon,
        "lat": proposal.lat,
        "proposed_by": proposal.proposed_by,
        "reason": proposal.reason,
    } | ({"during": list(during)} if during else {})
    append_event(
        session,
        kind,
        ("map_proposal", proposal.key),
        by=actor,
        now=now,
        body=body,
        occurred_at=operation.occurred_at if operation else None,
        op_id=operation.op_id if operation else None,
    )


def find_proposal(session: Session, proposal_id: str, *, is_locking: bool = False) -> Proposal:
    """
    Give one proposal.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    proposal = queries.fetch_proposal(session, proposal_id=proposal_id, is_locking=is_locking)
    if proposal is None:
        raise NotFoundError("There is no such proposal.")
    return proposal


def list_proposals(session: Session) -> tuple[list[Proposal], list[Proposal]]:
    """Give what waits for a person, the oldest first, and what was decided last."""
    waiting = queries.fetch_proposals(session, is_open=True)
    return waiting, queries.fetch_proposals(session, is_open=False, limit=50)


def list_outcomes(session: Session, person_id: int) -> list[dict[str, Any]]:
    """Tell somebody what became of the own proposals, those that wait first; ready for JSON."""
    return [
        {
            "id": one.id,
            "client_id": one.client_id,
            "kind": one.kind,
            "feature": one.feature_id,
            "feature_kind": one.feature_kind,
            "note": one.note,
            "status": one.status,
            "is_map_changed": one.edit_key is not None,
            "decided_by": one.decided_by,
            "decided_at": one.decided_at and one.decided_at.isoformat(),
            "reason": one.reason,
            "received_at": one.received_at.isoformat(),
        }
        for one in queries.fetch_own(session, person_id, OUTCOMES_MOST)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A proposal beside what is drawn now: all that whoever decides has to see."""

    proposal: Proposal
    drawn: DrawnValve | None
    distance_m: float | None
    """From where the valve is drawn now to where it is said to be."""
    places: list[PipePlace]
    pipes: list[DrawnPipe]
    valves: list[DrawnValve]
    photos_on_their_way: frozenset[str]
    counting: list[Counting]
    """The outages under way whose plans hold the valve."""


def look_at(session: Session, proposal_id: str) -> Look:
    """
    Give a proposal with the network around it.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    proposal = find_proposal(session, proposal_id)
    drawn = None
    if proposal.feature_id is not None and proposal.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, proposal.feature_id)
    spots = [] if drawn is None else [(drawn.lon, drawn.lat)]
    places: list[PipePlace] = []
    distance_m = None
    if proposal.lon is not None and proposal.lat is not None:
        here = (proposal.lon, proposal.lat)
        if drawn is not None:
            distance_m = network.distance_m(drawn.lon, drawn.lat, *here)
        if proposal.kind in {"moved", "missing"}:
            places = network.list_pipe_places(session, *here)
        spots.append(here)
    pipes, valves = network.list_drawn(session, _around(spots, VIEW_M)) if spots else ([], [])
    return Look(
        proposal=proposal,
        drawn=drawn,
        distance_m=distance_m,
        places=places,
        pipes=pipes,
        valves=valves,
        photos_on_their_way=frozenset(photos.list_missing(session, list(proposal.photo_sha256))),
        counting=_list_counting(session, proposal) if proposal.status == "open" else [],
    )


def _around(
    spots: Sequence[tuple[float, float]], margin_m: float
) -> tuple[float, float, float, float]:
    boxes = [network.box_around(lon, lat, margin_m) for lon, lat in spots]
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


_ACTIONS = {
    "propose": _apply_propose,
    "withdraw": _apply_withdraw,
}
