"""`fieldops crews`: who there is, and invented crews for the demo."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.language import TIMEZONE
from fieldops.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.stock import service

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN = (
    "建国",
    "志强",
    "伟",
    "磊",
    "军",
    "勇",
    "海涛",
    "小龙",
    "国庆",
    "立新",
    "明",
    "俊杰",
    "永康",
)
CONTRACTOR = "安通市政工程公司"
DAYS = 8
LOST_AFTER = dt.timedelta(hours=2)
CLAMPS = {
    100: (("DI", 114, 122), ("PE", 109, 112), (None, 108, 130)),
    150: (("DI", 166, 174), ("PE", 159, 162), (None, 159, 182)),
    200: (("DI", 218, 226), ("PE", 199, 203), (None, 196, 230)),
    300: (("DI", 322, 330), ("PE", 314, 319), (None, 315, 345)),
    400: (("DI", 425, 433),),
}
PIPES = {100: ("DI", "PE"), 150: ("DI",), 200: ("DI", "PE"), 300: ("DI",)}
PHONE_TREE = (
    (4, 1, "值班主任", "孙立新", True, 10),
    (4, 2, "管网部值班长", "马志强", False, 15),
    (3, 1, "管网部主任", "何建国", True, 15),
    (2, 1, "分管副总经理", "林国庆", True, 15),
    (2, 2, "宣传科", "郭敏", False, 30),
    (1, 1, "总经理", "罗永康", True, 15),
)
MATERIAL_NAMES = {"DI": "球墨铸铁", "PE": "PE"}


@click.group("crews")
def crews() -> None:
    """Crews: who there is, and invented ones for the demo."""


@crews.command("list")
def list_them() -> None:
    """List the crews: number, name, contractor, whether on duty, skills."""
    from fieldops.crews.service import list_crews

    with open_sessions(Settings.from_environ())() as session:
        for crew in list_crews(session, dt.datetime.now(dt.UTC)):
            duty = _("on duty") if crew.on_shift else _("off duty")
            skills = ",".join(sorted(crew.skills))
            click.echo(f"{crew.id}\t{crew.name}\t{crew.contractor or ''}\t{duty}\t{skills}")


@crews.command("demo")
def make_demo() -> None:
    """Make crews, shifts, stock and a phone tree for the depots of the stored network."""
    with open_sessions(Settings.from_environ()).begin() as session:
        new = make_demo_crews(session, dt.datetime.now(dt.UTC))
    click.echo(_("Crews of the demo: %(new)s new.", new=new), err=True)


def make_demo_crews(session: Session, now: dt.datetime) -> int:
    """Make what is missing of the demo's crews, and give how many were new."""
    from fieldops.crews.service import list_crews
    from fieldops.rosters.queries import list_depots

    depots = list_depots(session)
    each = 5 if len(depots) <= 2 else 3
    homes: list[tuple[int, str] | None] = [
        (key, name or depot_id) for key, depot_id, name in depots for _turn in range(each)
    ] or [None] * each
    there = {crew.id for crew in list_crews(session, now)}
    plans = [(f"C-{at + 1}", home, at == len(homes) - 1) for at, home in enumerate(homes)]
    new = [plan for plan in plans if plan[0] not in there]
    for crew_id, home, is_contractor in new:
        _make_crew(session, crew_id, home, now, is_contractor=is_contractor)
    _link_demo_account(session, now)
    _plan_days(session, [plan[0] for plan in plans], now)
    _stand_at_depots(session, {plan[0] for plan in plans}, now)
    _fill_stock(session, now)
    _fill_phone_tree(session, now)
    return len(new)


def _make_crew(
    session: Session,
    crew_id: str,
    home: tuple[int, str] | None,
    now: dt.datetime,
    *,
    is_contractor: bool,
) -> None:
    from fieldops.crews.service import local_day
    from fieldops.events.service import SYSTEM
    from fieldops.rosters import service

    drawn = random.Random(crew_id)  # noqa: S311 - invented people, not secrets
    number = int(crew_id.removeprefix("C-"))
    place = (home[1] if home else "抢修").removesuffix("站")
    draft = service.CrewDraft(
        id=crew_id,
        name="外协抢修班" if is_contractor else f"{place}{(number - 1) % 5 + 1}班",
        contractor=CONTRACTOR if is_contractor else None,
        depot_key=home[0] if home else None,
        vehicle=f"皖A·{drawn.randrange(10_000, 99_999)}",
        phone=f"138{drawn.randrange(10**8):08d}",
    )
    service.add_crew(session, draft, SYSTEM, now)
    for at in range(3):
        name = drawn.choice(SURNAMES) + drawn.choice(GIVEN)
        phone = f"139{drawn.randrange(10**8):08d}"
        member = service.MemberDraft(name=name, phone=phone, is_leader=at == 0)
        key = service.add_member(session, crew_id, member, SYSTEM, now)
    today = local_day(now)
    ends = {"valve": 400, "general": None, "traffic_control": 300}
    if number % 5 not in {0, 3}:
        ends["excavation"] = 200
    if number % 3 == 1:
        ends["leak_detection"] = 20
    if number % 2 == 1:
        ends["welding_pe"] = -10 if number == 3 else 25 if number == 1 else 500
    ends["confined_space"] = 90
    for skill, days in ends.items():
        until = None if days is None else today + dt.timedelta(days=days)
        own = key if skill == "welding_pe" else None
        service.add_skill(session, crew_id, skill, until, SYSTEM, now, member_key=own)
    inspected = today + dt.timedelta(days=12 if number % 4 == 2 else 180)
    service.add_equipment(
        session, crew_id, "四合一气体检测仪", inspected, SYSTEM, now, for_skill="confined_space"
    )
    for name in ("抽水泵", "发电机"):
        service.add_equipment(session, crew_id, name, None, SYSTEM, now)


def _link_demo_account(session: Session, now: dt.datetime) -> None:
    from fieldops.accounts.queries import read_account_of_login
    from fieldops.crews.service import crews_of_person
    from fieldops.events.service import SYSTEM
    from fieldops.rosters.service import MemberDraft, add_member

    account = read_account_of_login(session, "demo-crew")
    if account is not None and not crews_of_person(session, account.id):
        draft = MemberDraft(name=account.name, login=account.login)
        add_member(session, "C-1", draft, SYSTEM, now)


def _plan_days(session: Session, crew_ids: list[str], now: dt.datetime) -> None:
    """Plan day and night shifts from yesterday on, and standby for who is off."""
    from fieldops.events.service import SYSTEM
    from fieldops.rosters.queries import fetch_shifts
    from fieldops.rosters.service import ShiftDraft, plan_shifts

    midnight = now.astimezone(ZoneInfo(TIMEZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    day = dt.timedelta(days=1)
    planned = {
        (shift.crew_id, shift.kind, shift.starts_at)
        for shift in fetch_shifts(session, now - 3 * day, now + (DAYS + 3) * day)
    }
    at_night = {crew for at, crew in enumerate(crew_ids) if at % 5 >= 3}
    for crew in crew_ids:
        others = [each for each in crew_ids if (each in at_night) == (crew in at_night)]
        hours = {"shift": 20 if crew in at_night else 8, "on_call": 8 if crew in at_night else 20}
        for kind, hour in hours.items():
            starts = [(midnight + turn * day).replace(hour=hour) for turn in range(-1, DAYS)]
            missing = [at for at in starts if (crew, kind, at.astimezone(dt.UTC)) not in planned]
            if not missing:
                continue
            # What is missing is always the end of the plan: a later run plans on.
            draft = ShiftDraft(
                kind=kind,
                starts_at=missing[0],
                ends_at=missing[0] + dt.timedelta(hours=12),
                rank=others.index(crew) + 1 if kind == "on_call" else None,
                days=(starts[-1] - missing[0]).days + 1,
            )
            plan_shifts(session, crew, draft, SYSTEM, now)


def _stand_at_depots(session: Session, crew_ids: set[str], now: dt.datetime) -> None:
    from fieldops.crews.service import Position, list_crews, record_place
    from fieldops.events.service import SYSTEM

    for crew in list_crews(session, now):
        is_lost = crew.position_at is None or now - crew.position_at > LOST_AFTER
        if crew.id in crew_ids and is_lost and crew.depot is not None:
            drawn = random.Random(crew.id)  # noqa: S311
            place = Position(
                lon=crew.depot.lon + drawn.uniform(-0.0012, 0.0012),
                lat=crew.depot.lat + drawn.uniform(-0.0010, 0.0010),
                at=now,
                accuracy_m=8.0,
            )
            record_place(session, crew.id, place, SYSTEM, now)


def _fill_stock(session: Session, now: dt.datetime) -> None:
    """Open the depots' stores and fill them and the vans, once."""
    from fieldops.events.service import SYSTEM
    from fieldops.stock import queries, service

    for depot_key, _name in queries.fetch_depots_without_store(session):
        service.add_store(session, depot_key, SYSTEM, now)
    codes = {item.code for item in queries.fetch_items(session)}
    if any(draft.code in codes for draft in _catalogue()):
        return
    items = [(service.add_item(session, draft, SYSTEM, now), draft) for draft in _catalogue()]
    for place in queries.fetch_places(session):
        drawn = random.Random(place.id)  # noqa: S311
        is_store = place.kind == "depot"
        for item_id, draft in items:
            if not is_store and (draft.kind == "pipe" or drawn.random() < 0.45):
                continue
            unit = 6 if draft.kind == "pipe" else 1
            amount = Decimal(drawn.randint(2, 8) * unit if is_store else drawn.randint(1, 3))
            service.restock(session, place.id, item_id, amount, SYSTEM, now)
            if is_store or drawn.random() < 0.25:
                low = Decimal(2 * unit if is_store else 1)
                service.set_low_mark(session, place.id, item_id, low, SYSTEM, now)


def _fill_phone_tree(session: Session, now: dt.datetime) -> None:
    """Enter invented people into the phone tree of the emergency levels, once."""
    from fieldops.emergencies.queries import Entry, fetch_tree
    from fieldops.emergencies.service import add_entry
    from fieldops.events.service import SYSTEM

    if fetch_tree(session):
        return
    for level, rank, post, name, is_duty_leader, within_min in PHONE_TREE:
        phone = f"137{random.Random(name).randrange(10**8):08d}"  # noqa: S311
        entry = Entry(
            key=0,
            level=level,
            rank=rank,
            post=post,
            name=name,
            phone=phone,
            person_id=None,
            is_duty_leader=is_duty_leader,
            within_min=within_min,
        )
        add_entry(session, entry, SYSTEM, now)


def _catalogue() -> list[service.ItemDraft]:
    from fieldops.stock.service import ItemDraft

    clamps = [
        ItemDraft(
            code=f"HF-{dn}-{material or '通用'}",
            name=f"{MATERIAL_NAMES.get(material or '', '通用')}哈夫节 DN{dn}",
            kind="clamp",
            dn=dn,
            de_from_mm=first,
            de_to_mm=last,
            material=material,
        )
        for dn, sizes in CLAMPS.items()
        for material, first, last in sizes
    ]
    pipes = [
        ItemDraft(
            code=f"G-{dn}-{material}",
            name=f"{MATERIAL_NAMES[material]}管 DN{dn}",
            kind="pipe",
            unit="m",
            dn=dn,
            material=material,
        )
        for dn, materials in PIPES.items()
        for material in materials
    ]
    return clamps + pipes


commands = [crews]
