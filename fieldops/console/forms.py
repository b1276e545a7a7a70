"""The board as JSON, and the texts that the console's scripts show."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from fieldops.dispatch.forms import write_reasons
from fieldops.duty.forms import LEVEL_NAMES
from fieldops.incidents.forms import describe_part
from fieldops.live_outages.service import face
from fieldops.maps.forms import say_words as say_words_of_map
from fieldops.order_process.forms import name_action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fieldops.console.queries import LateFact
    from fieldops.console.service import Board
    from fieldops.crews.service import Crew
    from fieldops.dispatch.service import Suggestion
    from fieldops.emergencies.service import EmergencyView
    from fieldops.incidents.service import Incident
    from fieldops.offers.queries import Offer
    from fieldops.order_book.queries import WorkOrder

WORDS = {
    "just-now": _l("just now"),
    "seconds": _l("%(n)s s"),
    "left": _l("%(span)s left"),
    "overdue-by": _l("overdue by %(span)s"),
    "connecting": _l("connecting …"),
    "live-age": _l("live · last event %(age)s ago"),
    "live-none": _l("live · no event yet"),
    "live-stale": _l("not up to date for %(age)s"),
    "stale-banner": _l(
        "Nothing heard from the server for over %(age)s: what you see is out of date. Reconnecting."
    ),
    "stale-full": _l(
        "Too many screens are connected: this one is not up to date and tries again by itself."
    ),
    "board-empty": _l("Nothing is open. As of %(time)s."),
    "board-old": _l("As of %(time)s, not up to date: %(problem)s"),
    "board-failed": _l("The board could not be read, so nobody knows what is open: %(problem)s"),
    "n-incidents": _l("%(n)s incidents"),
    "n-orders": _l("%(n)s work orders, %(waiting)s without a crew"),
    "n-out": _l("%(n)s properties without water"),
    "n-out-unknown": _l(" (+ %(n)s incidents unknown)"),
    "out": _l("%(n)s without water"),
    "out-unknown": _l("properties out: unknown"),
    "score": _l("priority %(n)s"),
    "score-why": _l("Why priority %(n)s"),
    "critical-n": _l("%(n)s critical"),
    "hydrants-dry-n": _l("%(n)s hydrants dry"),
    "planned": _l("planned"),
    "drill": _l("drill"),
    "pinned": _l("pinned"),
    "pinned-because": _l("(pinned: %(reason)s)"),
    "suggested": _l("suggested: %(crew)s · %(eta)s"),
    "suggested-tag": _l("suggested"),
    "runner-up": _l("runner-up"),
    "goes": _l("sent"),
    "straight-line": _l("straight line"),
    "straight-line-why": _l(
        "Travel times are by straight line: no street leads there, or the streets are not known."
    ),
    "no-way": _l("no way known"),
    "no-suggestion": _l("no crew to suggest"),
    "no-suggestion-for": _l("No crew can be suggested for %(id)s, %(place)s: open it to see why."),
    "no-candidates": _l("There is no crew on duty."),
    "after": _l("after %(id)s"),
    "held": _l("on hold: %(reason)s, until %(until)s"),
    "nobody-yet": _l("nobody yet"),
    "none-needed": _l("none needed"),
    "none": _l("none"),
    "weight": _l("Weight %(n)s."),
    "why-this-crew": _l("Why this crew"),
    "position-stale": _l("The position is old: distrust it."),
    "never-told": _l("never told"),
    "assign-suggested": _l("Assign %(crew)s"),
    "assign-to": _l("Assign %(crew)s"),
    "reassign-to": _l("Reassign to %(crew)s"),
    "hold": _l("Put on hold"),
    "resume": _l("Resume"),
    "order-page": _l("Whole work order"),
    "assigning": _l("Assigning %(id)s to %(crew)s …"),
    "assigned": _l("%(id)s assigned to %(crew)s."),
    "assignment-lost": _l("Somebody else was first."),
    "not-done": _l("Not done."),
    "understood": _l("Understood"),
    "undo": _l("Undo (%(n)s)"),
    "undoing": _l("Undoing …"),
    "undone": _l("Undone."),
    "nothing-to-undo": _l("There is nothing to undo any more."),
    "nothing-selected": _l("No work order is selected: choose one with j and k."),
    "has-a-crew": _l("%(id)s has crew %(crew)s already: open it to reassign."),
    "no-longer-open": _l("%(id)s is no longer open."),
    "hold-title": _l("Put %(id)s on hold?"),
    "hold-reason": _l("Reason"),
    "hold-text": _l("Details"),
    "hold-until": _l("Resume by"),
    "hold-effect": _l("%(properties)s wait for it."),
    "hold-effect-unknown": _l("How many properties wait for it is not known."),
    "holding": _l("Putting %(id)s on hold …"),
    "held-now": _l("%(id)s is on hold."),
    "resuming": _l("Resuming %(id)s …"),
    "resumed-now": _l("%(id)s goes on."),
    "hold.materials": _l("waiting for materials"),
    "hold.permit": _l("waiting for a permit"),
    "hold.traffic": _l("waiting for traffic diversion"),
    "hold.weather": _l("weather"),
    "hold.other_utility": _l("waiting for another utility"),
    "hold.customer": _l("waiting for the customer"),
    "hold.daylight": _l("waiting for daylight"),
    "hold.other": _l("other reason"),
    "outage": _l("Outage %(id)s"),
    "open-outage": _l("Open the outage"),
    "open-outage-title": _l("Open an outage at pipe %(pipe)s?"),
    "open-here": _l("Open an outage here"),
    "no-outage": _l("No outage is open."),
    "no-pipe": _l("The pipe is not known: who is without water cannot be told."),
    "no-orders": _l("Nobody has a work order for it."),
    "back-unknown": _l("restoration unknown"),
    "outages-of": _l("Outages"),
    "orders-of": _l("Work orders"),
    "orders-of-crew": _l("Its work orders"),
    "crew-free": _l("Free."),
    "close-incident": _l("Close the incident"),
    "close-incident-title": _l("Close incident %(id)s?"),
    "effect-not-counted": _l("The number of customers could not be worked out."),
    "effect-plan": _l("%(change)s, %(total)s without water in all."),
    "effect-plan-same": _l("%(total)s without water, as before."),
    "new-plan": _l("Plan %(n)s proposed"),
    "approve-plan": _l("Approve the plan"),
    "approve-title": _l("Approve plan %(n)s of %(id)s?"),
    "plan-valves": _l("Valves: %(n)s · %(plan)s"),
    "plan-number": _l("plan %(n)s, %(status)s"),
    "plan.proposed": _l("proposed"),
    "plan.approved": _l("approved"),
    "plan.executed": _l("executed"),
    "plan.superseded": _l("superseded"),
    "tag": _l("tag %(n)s"),
    "tag-number": _l("Number of the tag"),
    "turns-counted": _l("Turns counted"),
    "accept-passing": _l("The trickle is accepted"),
    "valve-results": _l("What happened at valve %(id)s"),
    "result.closed_tight": _l("closed tight"),
    "result.passing": _l("closed but passing"),
    "result.will_not_close": _l("will not close"),
    "result.not_found": _l("not found"),
    "result.reopened": _l("reopened"),
    "result.will_not_reopen": _l("will not reopen"),
    "valve.to_close": _l("not closed yet"),
    "valve.to_open": _l("to open"),
    "valve.closed_tight": _l("closed tight"),
    "valve.passing": _l("closed but passing"),
    "valve.will_not_close": _l("will not close"),
    "valve.not_found": _l("not found"),
    "valve.opened": _l("opened"),
    "valve.reopened": _l("reopened"),
    "valve.handed_over": _l("left shut for another job"),
    "valve.will_not_reopen": _l("will not reopen"),
    "confirm-valve": _l("Valve %(id)s: %(result)s?"),
    "valve-shuts": _l("This outage takes water from %(properties)s (%(connections)s)."),
    "valve-opens": _l("Water flows into the pipe again. %(properties)s are without water now."),
    "restore-by-parts": _l("Restore by parts"),
    "has-water-again": _l("has water again"),
    "restore-title": _l("Does %(part)s have water again?"),
    "restore-effect": _l("The clock of %(properties)s ends, %(left)s stay without water."),
    "end-outage": _l("End the outage"),
    "end-title": _l("End outage %(id)s?"),
    "end-still-out": _l(
        "%(properties)s (%(connections)s) are still without water: their clocks end now."
    ),
    "end-nobody-out": _l("Everybody has water again."),
    "fact.state": _l("State"),
    "fact.hold": _l("On hold"),
    "fact.crew": _l("Crew"),
    "fact.age": _l("Age"),
    "fact.limit.arrive": _l("Arrive by"),
    "fact.limit.done": _l("Done by"),
    "fact.out": _l("Properties without water"),
    "fact.skills": _l("Skills needed"),
    "fact.crews-needed": _l("Crews needed"),
    "fact.after": _l("After"),
    "fact.incident": _l("Incident"),
    "fact.outage": _l("Outage"),
    "fact.kind": _l("Kind"),
    "fact.critical": _l("Critical customers"),
    "fact.hydrants": _l("Hydrants without water"),
    "fact.pipe": _l("Pipe"),
    "fact.dry-now": _l("Dry now"),
    "fact.restored-already": _l("Restored already"),
    "fact.minutes-lost": _l("Customer-minutes lost"),
    "fact.minutes-each": _l("Minutes lost per customer"),
    "fact.promise": _l("May be promised"),
    "fact.works": _l("Works"),
    "fact.contractor": _l("Contractor"),
    "fact.phone": _l("Phone"),
    "fact.position-age": _l("Position told"),
    "promise-by": _l("by %(time)s"),
    "promise-news": _l("next news at %(time)s"),
    "no-promise": _l("nothing yet"),
    "on-shift": _l("on shift"),
    "on-shift-until": _l("on shift until %(time)s"),
    "on-call": _l("on call, number %(n)s"),
    "off-shift": _l("off shift"),
    "limit.arrive": _l("arrive"),
    "limit.done": _l("finish"),
    "number.slack": _l("slack"),
    "number.diversion": _l("diversion"),
    "number.cost": _l("cost"),
    "severity.danger": _l("danger"),
    "severity.burst": _l("burst"),
    "severity.leak": _l("leak"),
    "severity.routine": _l("routine"),
    "state.new": _l("New"),
    "state.triaged": _l("Triaged"),
    "state.assigned": _l("Assigned"),
    "state.accepted": _l("Accepted"),
    "state.en_route": _l("En route"),
    "state.on_site": _l("On site"),
    "state.working": _l("Working"),
    "state.on_hold": _l("On hold"),
    "state.work_done": _l("Work done"),
    "state.restored": _l("Supply is restored"),
    "state.verified": _l("Verified"),
    "state.closed": _l("Resolved"),
    "state.cancelled": _l("Void"),
    "job.make_safe": _l("make safe"),
    "job.repair": _l("repair"),
    "job.reinstate": _l("reinstate"),
    "job.flush": _l("flush"),
    "job.check": _l("check on the spot"),
    "job.routine": _l("maintenance"),
    "incident.burst": _l("burst"),
    "incident.leak": _l("leak"),
    "incident.visible_leak": _l("visible leak"),
    "incident.no_water": _l("no water"),
    "incident.low_pressure": _l("low pressure"),
    "incident.discoloured": _l("discoloured water"),
    "incident.odour": _l("odour"),
    "incident.valve_fault": _l("valve fault"),
    "incident.cover_defect": _l("cover missing or damaged"),
    "incident.surfacing": _l("water surfacing"),
    "incident.collapse": _l("road collapse"),
    "incident.third_party_damage": _l("third-party damage"),
    "incident.frost": _l("frost burst"),
    "incident.planned_work": _l("planned work"),
    "incident.other": _l("other"),
    "skill.valve": _l("valves"),
    "skill.general": _l("general"),
    "skill.excavation": _l("excavation"),
    "skill.welding_pe": _l("welding and PE"),
    "skill.leak_detection": _l("leak detection"),
    "skill.traffic_control": _l("traffic control"),
    "skill.confined_space": _l("confined-space work"),
    "command.assign": _l("Assign a work order; without a crew, to the suggested one"),
    "command.why": _l("Show why this crew"),
    "command.hold": _l("Put a work order on hold"),
    "command.resume": _l("Resume a work order"),
    "command.open": _l("Open anything by its number"),
    "command.close": _l("End an outage, or close an incident"),
    "command.find": _l("Find things by number, address or road"),
    "command.help": _l("Show keys and commands"),
    "command-wants": _l("Needed: %(what)s. Write: %(usage)s"),
    "live-lost": _l("reconnecting …"),
    "undo-reason": _l("assigned by mistake"),
    "diverted": _l("taken off %(order)s"),
    "number.carries": _l("carries"),
    "open-incident": _l("Open the incident"),
    "open-incident-here": _l("Open an incident here"),
    "open-incident-title": _l("Open an incident at pipe %(pipe)s?"),
    "would-lose": _l("If it has to be shut: %(properties)s without water."),
    "people-in-danger": _l("People are in danger"),
    "tag-read": _l("Number read on the tag at %(id)s (%(n)s hangs there)"),
    "repair-done": _l("The repair is done"),
    "reports-n": _l("%(n)s reports"),
    "fact.reports": _l("Fault reports"),
    "not-repaired": _l("Until the repair is done, valves that would fill the trench stay shut."),
    "repair-title": _l("Is the repair of %(id)s done?"),
    "repair-effect": _l("Valves may be opened again then. %(properties)s wait for water."),
    "role.verify_shut": _l("verify that it is shut"),
    "role.surplus": _l("no longer needed"),
    "role.stuck": _l("cannot be used"),
    "role.pump": _l("stop the pump"),
    "role.source": _l("shut the source"),
    "role.optional": _l("optional; has to be shut before re-feeding"),
    "role.refeed": _l("re-feed"),
    "because.will-not-close": _l("Valve %(valve)s will not close."),
    "because.not-found": _l("Valve %(valve)s was not found."),
    "because.passing": _l("Valve %(valve)s is closed but passing."),
    "because.closed-after-all": _l("Valve %(valve)s is closed after all."),
    "device-rings": _l("Worked out on a tablet"),
    "device-ring-valves": _l("On the tablet: %(valves)s; %(properties)s without water"),
    "device-ring-called": _l("Dispatch had to be called: %(why)s. Authorised by: %(name)s"),
    "others-unknown": _l("Other jobs unknown since %(time)s"),
    "nobody": _l("nobody"),
    "stage.aware": _l("reported"),
    "stage.dispatched": _l("dispatched"),
    "stage.on_site": _l("on site"),
    "stage.repaired": _l("repaired"),
    "stage.flushed": _l("refilled and flushed"),
    "outage.open": _l("Water is off or will be"),
    "outage.restored": _l("Supply is restored"),
    "outage.closed": _l("Outage ended"),
    "outage-page": _l("Every customer's own times"),
    "release-by-phone": _l("Release a valve by phone"),
    "release-valve": _l("release by phone"),
    "incident-page": _l("Whole incident"),
    "ordered": _l("%(crew)s was ordered there and has not answered."),
    "offered": _l("%(crew)s was offered the job and has not answered."),
    "phone-them": _l("phone them: %(phone)s"),
    "phone-answer": _l("What the crew said on the phone"),
    "phone.accepted": _l("takes it"),
    "phone.declined": _l("declines"),
    "phone.no_answer": _l("no answer"),
    "phone-title": _l("%(crew)s by phone: %(answer)s?"),
    "against-title": _l("Send %(crew)s to %(id)s all the same?"),
    "against-reason": _l("Reason (it pins the crew to the work order)"),
    "wants.text": _l("text"),
    "escalated": _l("supervised: %(percent)s of the limit"),
    "escalated-over": _l("overdue: %(percent)s of the limit"),
    "late-fact": _l("came late"),
    "late-facts": _l("Facts that came late"),
    "late-fact-line": _l("%(what)s, by %(by)s at %(time)s, received %(received)s"),
    "late-fact-read": _l("Mark as read"),
    "emergency-line": _l("%(level)s · %(incident)s %(place)s"),
    "emergency-calls": _l("%(n)s not reached yet"),
    "emergency-report": _l("report due %(time)s"),
}
OUTAGE_ACTIONS = {
    "confirm_valve": _l("valve confirmed"),
    "device_ring": _l("extended isolation worked out on a tablet"),
    "reopen_valve": _l("valve reopened"),
    "refeed": _l("re-feed"),
    "restore_part": _l("water back in a part"),
    "tag_valve": _l("valve tag hung"),
    "stage": _l("stage reached"),
    "approve_plan": _l("isolation plan approved"),
    "close": _l("outage closed"),
    "opened_no_code": _l("valve opened without a release code"),
    "opened_wrong_code": _l("valve opened with a wrong release code"),
    "opened_wrong_time": _l("valve opened with a release code of another time"),
}
IDS = {"order": "W-12", "crew": "C-3", "outage": "O-3", "incident": "I-3", "any": "W-12"}
"""How ids look, in the help of commands."""
PUNCTUATION = {
    "zh": {"comma": "\u3001", "colon": "\uff1a"},
    "en": {"comma": ", ", "colon": ": "},
}


def say_words() -> dict[str, str]:
    """Give every text by its name: the map's, and over them the console's own."""
    return {
        **say_words_of_map(),
        **{name: str(text) for name, text in WORDS.items()},
        **{f"wants.{name}": example for name, example in IDS.items()},
        **PUNCTUATION["zh" if str(get_locale()).startswith("zh") else "en"],
    }


def as_json(board: Board) -> dict[str, Any]:
    """Write a board as the console's scripts read it."""
    return {
        "position": board.position,
        "last_event_at": _plain(board.last_event_at),
        "now": board.now.isoformat(),
        "incidents": [
            _write_incident(one, board.reports.get(one.key, 0)) for one in board.incidents
        ],
        "orders": [_write_order(one, board) for one in board.orders],
        "outages": [
            face(one.outage, one.plan.status) | {"opened_at": one.outage.opened_at.isoformat()}
            for one in board.outages
        ],
        "crews": [_write_crew(one) for one in board.crews],
        "suggestions": [_write_suggestion(one) for one in board.suggestions],
        "offers": [_write_offer(one) for one in board.offers],
        "late_facts": [_write_late_fact(one) for one in board.late_facts],
        "emergencies": [_write_emergency(one) for one in board.emergencies],
    }


INCIDENT_FIELDS = (
    "id", "kind", "status", "is_planned", "is_drill", "lon", "lat", "address", "pipe", "at_m",
    "danger", "score", "properties_out", "people_out", "critical_out",
    "hydrants_dry", "opened_at", "version",
)  # fmt: skip
ORDER_FIELDS = (
    "id", "kind", "severity", "state", "is_on_hold", "hold_reason", "resume_by", "crews_needed",
    "skills", "lon", "lat", "address", "customers_out", "critical_out", "release_at", "due_at",
    "arrive_due_at", "opened_at", "assigned_at", "is_pinned", "pin_reason", "is_drill", "version",
)  # fmt: skip
CREW_FIELDS = (
    "id", "name", "contractor", "lon", "lat", "position_at", "is_position_stale", "on_shift",
    "on_call_rank", "shift_ends_at", "phone",
)  # fmt: skip


def _pick(thing: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: _plain(getattr(thing, name)) for name in names}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _write_incident(incident: Incident, reports: int) -> dict[str, Any]:
    parts = [
        {"code": part["code"], "points": part["points"], "text": describe_part(part)}
        for part in incident.score_parts
    ]
    return _pick(incident, INCIDENT_FIELDS) | {"score_parts": parts, "reports": reports}


def _write_order(order: WorkOrder, board: Board) -> dict[str, Any]:
    step = board.escalated.get(order.key)
    return _pick(order, ORDER_FIELDS) | {
        "escalated": step and {"clock": step.clock, "percent": step.percent},
        "incident": order.incident_id,
        "outage": None if order.outage_key is None else f"O-{order.outage_key}",
        "crew": order.crew_id,
        "second_crew": order.second_crew_id,
        "after_order": order.after_order_id,
        "pipe": order.pipe_id,
    }


def _write_crew(crew: Crew) -> dict[str, Any]:
    return _pick(crew, CREW_FIELDS) | {"skills": sorted(crew.skills)}


def _write_suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "order": suggestion.order_id,
        "version": suggestion.version,
        "crew": suggestion.crew_id,
        "second_crew": suggestion.second_crew_id,
        "eta_min": round(suggestion.eta_min, 1),
        "is_straight_line": suggestion.is_straight_line,
        "divert_from": suggestion.divert_from,
        "runner_up": suggestion.runner_up and suggestion.runner_up.crew_id,
        "reasons": write_reasons(suggestion.reasons),
    }


def _write_offer(offer: Offer) -> dict[str, Any]:
    return {
        "order": offer.order_id,
        "crew": offer.crew_id,
        "crew_name": offer.crew_name,
        "phone": offer.phone,
        "kind": offer.kind,
        "due_at": offer.due_at.isoformat(),
        "is_phone_asked": offer.phone_asked_at is not None,
    }


def _write_late_fact(fact: LateFact) -> dict[str, Any]:
    action = str(fact.body.get("action", ""))
    name = OUTAGE_ACTIONS.get(action) if fact.subject_kind == "outage" else None
    valve = fact.body.get("valve")
    what = str(name) if name else name_action(action)
    return {
        "position": fact.position,
        "subject": fact.subject_id,
        "incident": fact.incident_id,
        "what": f"{what} ({valve})" if valve else what,
        "by": fact.by,
        "occurred_at": fact.occurred_at.isoformat(),
        "received_at": fact.received_at.isoformat(),
    }


def _write_emergency(view: EmergencyView) -> dict[str, Any]:
    one, due = view.emergency, view.pending
    return {
        "id": one.id,
        "level": one.level,
        "level_name": str(LEVEL_NAMES[one.level]),
        "incident": one.incident_id,
        "address": one.address,
        "status": one.status,
        "is_drill": one.is_drill,
        "unacknowledged": len(view.unacknowledged),
        "report_due_at": due and due.due_at.isoformat(),
    }
