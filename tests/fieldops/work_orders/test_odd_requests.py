"""Whatever a device sends is answered; nothing is a fault of ours."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from fieldops.access import Person, Role
from fieldops.errors import FieldopsError
from fieldops.events.service import SYSTEM
from fieldops.order_steps.service import OWN_FIELDS
from fieldops.work_orders.forms import read_step
from fieldops.work_orders.service import apply_operation, describe_order
from tests.fieldops.work_orders.orders import BODIES, NOW, lead_to, make_cast, make_order
from tests.fieldops.work_orders.test_transitions import LEGAL

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor

ODD: list[Any] = [
    *(None, "", "x", "C-1", "burst", "z" * 5000, "\ud800", "\0", "0f" * 32),
    *(0, 1, -1, 1e308, float("nan"), 10**30, True, False),
    *([], ["gas"], [[]], ["a", None], {}, {"a": 1}),
    *("2026-03-09T00:00Z", "9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"),
]
FIELDS = [
    *sorted({name for body in BODIES.values() for name in body} | OWN_FIELDS),
    *("crew", "second_crew", "state", "data", "key", "text", "version", "occurred_at", "own"),
]
STATES = ("new", "assigned", "working", "on_hold", "restored", "closed")
ANSWERS = {"applied", "applied_with_conflict", "conflict", "missing", "illegal", "forbidden"}
MANAGER = Person(id=0, name="钱经理", roles=frozenset({Role.MANAGER}))


def answer(session: Session, order_id: str, action: str, body: object, actor: Actor) -> str:
    """Give the answer to a request, and see that the order can still be read."""
    try:
        operation, _ = read_step(order_id, action, body)
        outcome = apply_operation(session, operation, actor, NOW)
        describe_order(session, order_id, MANAGER, NOW)
    except FieldopsError:
        return "illegal"
    return outcome.status


def test_odd_requests_are_answered_like_others(session: Session) -> None:
    """Any action in any state with any value in any field."""
    chance = random.Random(5)  # noqa: S311 - a test's dice
    cast, orders = make_cast(session), []
    for state in STATES:
        cast = make_cast(session)
        orders.append((make_order(session), cast))
        lead_to(session, *orders[-1], state)
    for _ in range(150):
        order, cast = chance.choice(orders)
        action = chance.choice([*LEGAL, "no_such_action"])
        body = {**BODIES.get(action, {})}
        for _ in range(chance.randint(0, 3)):
            body[chance.choice(FIELDS)] = chance.choice(ODD)
        actor = chance.choice([SYSTEM, cast.crew, cast.other_crew, cast.dispatcher])
        with session.begin_nested() as tried:
            assert answer(session, order.id, action, body, actor) in ANSWERS, (action, body)
            tried.rollback()
