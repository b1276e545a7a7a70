"""Which steps an order may take, what each needs, and how the process is changed."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import append_event
from fieldops.order_process import queries
from fieldops.order_process.queries import ANY_STATE, BEFORE_HOLD, SAME, Process, Stage, Transition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor

__all__ = ["BEFORE_HOLD", "SAME", "Process", "Stage", "Transition", "find_process"]

GIVEN = "@given"
"""In a need's "when": the field has any value at all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a step's needs came to: the values read, and what lacks or is not right."""

    values: dict[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def find_process(session: Session, version: int) -> Process:
    """
    Give one version of the process; a version never changes, so it is read once.

    Raises
    ------
    NotFoundError
        If there is no such version.
    """
    kept: dict[int, Process] = session.info.setdefault("kept", {}).setdefault("processes", {})
    if version not in kept:
        process = queries.fetch_process(session, version)
        if process is None:
            raise NotFoundError("There is no version %(version)s of the process.", version=version)
        kept[version] = process
    return kept[version]


def newest_version(session: Session) -> int:
    """Give the version with which an order begins now."""
    return queries.fetch_newest_version(session)


def find_transition(
    process: Process, state: str, action: str, facts: Mapping[str, Any]
) -> Transition | None:
    """Give the step that this action is in this state, for an order of which this is known."""
    for each in process.transitions:
        if (
            each.action == action
            and (state in each.from_states or ANY_STATE in each.from_states)
            and fits(each.only_when, facts)
        ):
            return each
    return None


def fits(conditions: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Tell whether what is known has, for each field named, one of the values listed."""
    return all(
        (GIVEN in wanted and is_given(facts.get(name))) or facts.get(name) in wanted
        for name, wanted in conditions.items()
    )


def is_given(value: object) -> bool:
    """Tell whether somebody has filled it in: false counts, an empty text does not."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value not in ([], {})


def read_policy(session: Session) -> dict[str, float]:
    """Give the numbers that a manager may change."""
    return queries.fetch_policy(session)


def check_needs(
    transition: Transition,
    facts: Mapping[str, Any],
    body: Mapping[str, Any],
    now: dt.datetime,
    latest: dt.datetime | None = None,
) -> Checked:
    """
    Hold what is known and what is said now against a step's needs.

    `facts` is what the order has already; a need that is "is_fresh", and every reason, must be
    said anew. What is said does not take away a need that stands for the order as it is, and
    nothing does not replace what is there. What is past lies before `latest`: now, by whatever
    clock it was written down.
    """
    known = {**facts, **{name: value for name, value in body.items() if is_given(value)}}
    values: dict[str, Any] = {}
    lacking: list[str] = []
    for need in transition.needs:
        name = need.get("field")
        if name is None or name in lacking or not is_wanted(need, facts, known):
            continue
        is_fresh = need.get("is_fresh") or name in {"reason", "resume_by", "crew", "text"}
        value = body.get(name) if is_fresh else known.get(name)
        read = read_value(need, value, now)
        if read is None or not _is_in_span(need, read, facts, latest or now):
            lacking.append(name)
        else:
            values[name] = read
    return Checked(values, tuple(lacking))


def is_wanted(need: Mapping[str, Any], facts: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a need stands for an order as it is, or with what is said of it now."""
    when = need.get("when", {})
    if not fits(when, facts) and not fits(when, known):
        return False
    return not is_given(known.get(need.get("unless", "")))


def _is_in_span(
    need: Mapping[str, Any], read: object, facts: Mapping[str, Any], latest: dt.datetime
) -> bool:
    """Tell whether a moment lies after the one it must follow, and is past where it has to be."""
    if need["kind"] != "time":
        return True
    moment, since = read_moment(read), read_moment(facts.get(need.get("since", "")))
    if moment is None or (since is not None and moment < since):
        return False
    return not need.get("is_past") or moment <= latest


def read_value(  # noqa: PLR0911 - one a kind
    need: Mapping[str, Any], value: object, now: dt.datetime
) -> Any:  # noqa: ANN401 - whatever the kind of need is
    """Read a value as its need wants it; None if it is not that."""
    match need["kind"]:
        case "yes":
            return True if value in (True, "yes", "on", "true", "1") else None
        case "number":
            return _read_number(need, value)
        case "choice":
            return value if value in need["choices"] else None
        case "all":
            given = [value] if isinstance(value, str) else value
            is_all = isinstance(given, (list, tuple)) and set(need["choices"]) <= set(given)
            return list(need["choices"]) if is_all else None
        case "time" | "later":
            moment = read_moment(value)
            if moment is None or (need["kind"] == "later" and moment <= now):
                return None
            return moment.isoformat()
        case "photo":
            digits = value.lower() if isinstance(value, str) else ""
            is_hash = len(digits) == 64 and set(digits) <= set("0123456789abcdef")
            return digits if is_hash else None
        case _:
            text = value.strip() if isinstance(value, str) else ""
            return text[:2000] or None


def _read_number(need: Mapping[str, Any], value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None
    if number is None or number != number:  # noqa: PLR0124 - NaN
        return None
    is_within = need.get("min", number) <= number <= need.get("max", number)
    return number if is_within else None


def read_moment(value: object) -> dt.datetime | None:
    """Read a moment with its zone, as ISO 8601 has it; None if it is none, or of another age."""
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    is_sane = moment.tzinfo is not None and 2000 <= moment.year <= 2200
    return moment if is_sane else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStage:
    """A stage to be put before a step: how it is called, how it is reached, and who has it."""

    title: str
    step_title: str
    before_key: int
    holder: str
    may: frozenset[str]


def list_versions(session: Session) -> list[tuple[int, dt.datetime, str, str]]:
    """Give all versions of the process, the newest first."""
    return queries.fetch_versions(session)


def add_need(
    session: Session, base: int, key: int, need: Mapping[str, Any], actor: Actor, now: dt.datetime
) -> int:
    """
    Let a step need something more, in a new version; orders under way keep theirs.

    Raises
    ------
    ConflictError
        If somebody else changed the process meanwhile.
    FieldopsError
        If the step needs that already, or the need makes no sense.
    """
    process, transition = _open_for_change(session, base, key)
    name = str(need["field"])
    if any(each.get("field") == name for each in transition.needs):
        raise FieldopsError("This step needs that already.")
    if need["kind"] in {"choice", "all"} and not need.get("choices"):
        raise FieldopsError("Name what may be chosen.")
    if need.get("min") is not None and need.get("max") is not None and need["min"] > need["max"]:
        raise FieldopsError("The least value is greater than the greatest.")
    changed = replace(transition, needs=(*transition.needs, dict(need)))
    note = f"+ {transition.action}: {need.get('label') or name}"
    return _keep(session, process, {key: changed}, (actor, now, note))


def remove_need(
    session: Session, base: int, key: int, name: str, actor: Actor, now: dt.datetime
) -> int:
    """
    Let a step need something no longer, in a new version.

    Raises
    ------
    ConflictError
        If somebody else changed the process meanwhile.
    FieldopsError
        If it is one of the needs that safety rests on, or what the step is about.
    """
    process, transition = _open_for_change(session, base, key)
    kept = tuple(each for each in transition.needs if each.get("field") != name)
    if name in UNTOUCHABLE:
        raise FieldopsError("This need is part of the step and stays.")
    changed = replace(transition, needs=kept)
    return _keep(session, process, {key: changed}, (actor, now, f"- {transition.action}: {name}"))


def change_bounds(
    session: Session,
    place: tuple[int, int, str],
    bounds: tuple[float | None, float | None],
    actor: Actor,
    now: dt.datetime,
) -> int:
    """
    Give a number that a step needs other bounds, in a new version.

    `place` is the version, the step's key and the field.

    Raises
    ------
    ConflictError
        If somebody else changed the process meanwhile.
    NotFoundError
        If the step needs no such number.
    FieldopsError
        If the bounds make no sense, or let pass what is not safe.
    """
    base, key, name = place
    least, most = bounds
    process, transition = _open_for_change(session, base, key)
    if least is not None and most is not None and least > most:
        raise FieldopsError("The least value is greater than the greatest.")
    wanted = {"min": least, "max": most}
    given = {each: value for each, value in wanted.items() if value is not None}
    if name in UNTOUCHABLE and any(_is_wider(given, need, name) for need in transition.needs):
        raise FieldopsError("This need is part of the step and stays.")
    needs = tuple(
        {**{each: need[each] for each in need if each not in wanted}, **given}
        if need.get("field") == name and need["kind"] == "number"
        else need
        for need in transition.needs
    )
    if needs == transition.needs:
        raise NotFoundError("There is nothing to change.")
    note = f"{transition.action}: {name} {least}..{most}"
    changed = replace(transition, needs=needs)
    return _keep(session, process, {key: changed}, (actor, now, note))


def _is_wider(given: Mapping[str, float], need: Mapping[str, Any], name: str) -> bool:
    """Tell whether bounds let something pass that a need does not."""
    if need.get("field") != name:
        return False
    least, most = float(need.get("min", -math.inf)), float(need.get("max", math.inf))
    return given.get("min", -math.inf) < least or given.get("max", math.inf) > most


def add_stage(session: Session, base: int, stage: NewStage, actor: Actor, now: dt.datetime) -> int:
    """
    Put a stage before a step, in a new version: the step is then taken from there.

    Raises
    ------
    ConflictError
        If somebody else changed the process meanwhile.
    FieldopsError
        If the step does not lead from one state to another.
    """
    process, transition = _open_for_change(session, base, stage.before_key)
    if len(transition.from_states) != 1 or transition.to_state.startswith("@"):
        raise FieldopsError("A stage can stand only before a step from one state to another.")
    before = process.stages[transition.from_states[0]]
    number = 1 + sum(state.startswith("stage_") for state in process.stages)
    state = f"stage_{number}"
    added = Stage(
        state=state,
        position=before.position + 0.5 / number,
        title=stage.title,
        holder=stage.holder,
        is_open=True,
        is_crew_busy=before.is_crew_busy,
    )
    way = Transition(
        key=0,
        position=transition.position - 0.5 / number,
        action=f"to_{state}",
        from_states=(before.state,),
        to_state=state,
        only_when=transition.only_when,
        may=stage.may,
        is_not_for_own_crew=False,
        needs=(),
        title=stage.step_title,
    )
    # Whatever may happen at any time where it stood before may happen here, too.
    changed = {
        each.key: replace(each, from_states=(*each.from_states, state))
        for each in process.transitions
        if before.state in each.from_states and len(each.from_states) > 2
    }
    changed[transition.key] = replace(transition, from_states=(state,))
    back = replace(
        way,
        action="send_back",
        from_states=(state,),
        to_state=before.state,
        only_when={},
        may=frozenset({"dispatcher", "manager"}),
        needs=({"field": "reason", "kind": "text"},),
        title=None,
    )
    return _keep(
        session,
        replace(process, stages={**process.stages, state: added}),
        changed,
        (actor, now, f"+ {stage.title}"),
        (way, back),
    )


UNTOUCHABLE = frozenset(
    {
        "crew",
        "reason",
        "resume_by",
        "text",
        "open_work",
        "safety_briefing",
        "oxygen_percent",
        "explosive_percent_lel",
        "hydrogen_sulphide_ppm",
        "carbon_monoxide_ppm",
        "ventilated",
        "second_person",
        "owners_asked",
        "road_permit",
        "permit_later_reason",
    }
)
"""Needs without which a step would be another one, or unsafe."""


def _open_for_change(session: Session, base: int, key: int) -> tuple[Process, Transition]:
    queries.lock_processes(session)
    if base != newest_version(session):
        raise ConflictError("Somebody else changed the process meanwhile. Look at it again.")
    process = find_process(session, base)
    found = next((each for each in process.transitions if each.key == key), None)
    if found is None:
        raise NotFoundError("There is no such step.")
    return process, found


def _keep(
    session: Session,
    process: Process,
    changed: Mapping[int, Transition],
    head: tuple[Actor, dt.datetime, str],
    added: tuple[Transition, ...] = (),
) -> int:
    actor, now, note = head
    version = queries.insert_process(
        session,
        (now, actor.name, note),
        list(process.stages.values()),
        [*(changed.get(each.key, each) for each in process.transitions), *added],
    )
    append_event(
        session,
        "work_order.process_changed",
        ("work_order", 0),
        by=actor,
        now=now,
        body={"id": "process", "version": version, "note": note},
    )
    return version
