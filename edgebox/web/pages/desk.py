"""The desk: a code is typed, a scanner waits for a kind of code, and what the last scans came to.

Owns: the counter's page, for whoever stands there. Never: judges a code (edgebox/desk does), or shows one: what was
typed is gone when the answer is there. Shifts and conflicts have pages of their own (shifts.py, conflicts.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.desk.answers import SAID, Answer
from edgebox.desk.codes import SCAN_MAX, Scan
from edgebox.desk.desk import Desk as CouponDesk
from edgebox.desk.redemption import Source
from edgebox.desk.said import Said
from edgebox.desk.tally import Sum
from edgebox.scan.classify import ARMABLE
from edgebox.scan.codes import Kind
from edgebox.scan_desk import COUPONS, ScanDesk
from edgebox.web.amounts import minor_of
from edgebox.web.office import Office
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS, STAFF
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

SHOWN = 20  # scans of a page; the scan desk keeps more for the API
ANSWERS_MAX = 64  # browsers whose last answer is kept until they have seen it
ANSWERS = "desk answers"  # in the office's extras
SHOWN_ANSWERS = frozenset({answer.value for answer in Answer})


class What(StrEnum):
    """What the code is for."""

    COUPON = "coupon"
    PICK_UP = "pick_up"
    MALL = "mall"
    MEMBER = "member"


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was typed. `amount`: of the bill, as people write it; "": not known."""

    code: Annotated[str, Meta(max_length=SCAN_MAX)] = ""
    what: What = What.COUPON
    amount: Annotated[str, Meta(max_length=24)] = ""


class TypedCode(msgspec.Struct, frozen=True, kw_only=True):
    """The same of a program. `amount_minor`: of the bill, in minor units; null: not known."""

    code: Annotated[str, Meta(min_length=1, max_length=SCAN_MAX)]
    what: What = What.COUPON
    amount_minor: Annotated[int, Meta(ge=0, le=10**12)] | None = None


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """The scanner's next code is of that kind; "": of none any more."""

    scanner: Annotated[str, Meta(min_length=1, max_length=64)]
    mode: Annotated[str, Meta(max_length=24)] = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a code. `answer`: a stable word (docs/desk.md); `is_final`: the same code gets the same answer;
    `number`: of the slip, 0: none; `detail`: figures, as when it was used before; `locked_s`: no code may be typed."""

    answer: str
    beep: str
    is_final: bool
    number: int = 0
    detail: str = ""
    coupon: str = ""
    title: str = ""
    value_minor: int = 0
    points: int = 0
    offline: bool = False
    locked_s: int = 0


class ScanSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One scan. `answer`: a word of `Result`, or `late` (the till got it), `refused` (nobody did)."""

    at: int
    scanner: str
    kind: str
    answer: str
    line: str = ""
    number: int = 0
    detail: str = ""


class ScannerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A scanner that is connected. `armed`: the kind that its next code is taken for; "": as it looks."""

    name: str
    armed: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """`is_open`: codes can be redeemed; `locked_s`: but not by typing; `scans`: the newest first; `shift`: its number,
    `redeemed`, `value_minor`, `points`: its sums so far; `cloud`: there, away or none; `conflicts`: not looked at;
    `is_handover`: closed until it is known what the box before this one redeemed."""

    is_open: bool
    is_handover: bool
    locked_s: int
    scanners: list[ScannerSeen]
    modes: list[str]
    scans: list[ScanSeen]
    shift: int
    since: int
    redeemed: int
    value_minor: int
    points: int
    cloud: str
    conflicts: int


class Shown(NamedTuple):
    """A scan as the page shows it."""

    scan: ScanSeen
    words: str
    tone: str


@page("/desk", STAFF, nav=Nav("desk", 20))
async def desk(visit: Visit) -> Response:
    """Type, arm, and look."""
    return await _shown(visit)


@page("/desk/now", STAFF)
async def now(visit: Visit) -> Response:
    """The last scans and the shift alone: fetched at each scan."""
    found = await _desk(visit)
    return await visit.part("desk_now.html", desk=found, scans=_scans(visit, found))


@action("/desk/redeem", STAFF, takes=Typed)
async def redeem(visit: Visit, form: Typed) -> Response:
    """Uses a code up, or says why not. Reloaded, the page asks for nothing again."""
    shop = visit.office.config.shop
    amount = minor_of(form.amount, shop.decimals) if form.amount.strip() else None
    if not form.code.strip() or (amount is None and form.amount.strip()):
        return await _shown(visit, form, "code" if not form.code.strip() else "amount")
    said = await _redeemed(visit, TypedCode(code=form.code.strip(), what=form.what, amount_minor=amount))
    _answers(visit.office)[visit.session.id if visit.session else ""] = said
    return visit.done("/desk")


@action("/desk/arm", STAFF, takes=Mode)
async def arm(visit: Visit, form: Mode) -> Response:
    """As if a mode key were scanned."""
    _arm(visit, form)
    await visit.audit("scanner armed", form.scanner, after=form.mode)
    return visit.done("/desk", "desk.armed" if form.mode else "desk.disarmed", scanner=form.scanner)


@action("/desk/open", MANAGERS)
async def open_desk(visit: Visit) -> Response:
    """A person answers for coupons that the box before this one may have taken; the handover's audit names who."""
    await _opened(visit)
    return visit.done("/desk", "desk.opened")


@api("POST", "/desk/open", MANAGERS, summary="Open a desk that is closed behind a handover, without the cloud's word")
async def api_open(visit: Visit) -> None:
    """The same."""
    await _opened(visit)


@api("GET", "/desk", STAFF, gives=Desk, summary="The desk: last scans, scanners, the open shift's sums")
async def api_desk(visit: Visit) -> Desk:
    """The same."""
    return await _desk(visit)


@api("POST", "/desk/redeem", STAFF, takes=TypedCode, gives=Result, summary="Use a typed code up, or hear why not")
async def api_redeem(visit: Visit, form: TypedCode) -> Result:
    """The same."""
    return await _redeemed(visit, form)


@api("POST", "/desk/arm", STAFF, takes=Mode, summary="A scanner's next code is of this kind")
async def api_arm(visit: Visit, form: Mode) -> None:
    """The same."""
    _arm(visit, form)
    await visit.audit("scanner armed", form.scanner, after=form.mode)


async def _opened(visit: Visit) -> None:
    """PageError `not_found`: it is open."""
    handover = visit.office.host.desk.handover
    if handover is None or not await handover.open_by_hand(visit.who):
        raise refused("not_found", "handover")
    visit.office.part_changed()


# -- a code


async def _redeemed(visit: Visit, typed: TypedCode) -> Result:
    said = await _said(visit, typed)
    desk = visit.office.host.desk
    if said.number:
        await visit.audit("code typed", str(said.number), after=typed.what.value)
    visit.office.hub.tell("scan", said.answer.value)
    phrase, worth = SAID[said.answer], said.worth
    return Result(
        answer=said.answer.value, beep=phrase.beep.value, is_final=phrase.is_final, number=said.number,
        detail=said.detail, coupon=worth.coupon, title=worth.title, value_minor=worth.value_minor, points=worth.points,
        offline=said.offline, locked_s=_seconds(desk.locked_s),
    )  # fmt: skip


async def _said(visit: Visit, typed: TypedCode) -> Said:
    """By who takes such codes; each refuses when too many wrong ones were typed."""
    desk, services = visit.office.host.desk, visit.office.host.desk.services
    if typed.what is What.MEMBER:
        return services.member(typed.code) if desk.counter is not None else Said(Answer.BUSY)
    if typed.what is What.PICK_UP:
        return await services.pick_up(typed.code, visit.who, typed=True)
    if typed.what is What.MALL:
        return await services.mall(typed.code, visit.who, typed=True)
    return await desk.redeem(Scan(typed.code, visit.who, typed.amount_minor, typed=True))


def _answers(office: Office) -> OrderedDict[str, Result]:
    """By session; until its browser has come for it."""
    found: OrderedDict[str, Result] = office.extras.setdefault(ANSWERS, OrderedDict())
    while len(found) >= ANSWERS_MAX:
        found.popitem(last=False)
    return found


# -- scanners


def _arm(visit: Visit, form: Mode) -> None:
    """PageError `bad_input`, `not_found`: no such scanner."""
    scans = visit.office.part(ScanDesk)
    if form.mode and form.mode not in _modes(scans):
        raise refused("bad_input", "mode")
    if scans is None or not scans.arm(form.scanner, form.mode):
        raise refused("not_found", "scanner")


def _modes(scans: ScanDesk | None) -> list[str]:
    """Kinds that a scanner can be armed for, and somebody takes."""
    if scans is None:
        return []
    takes = {*COUPONS, *scans.handlers}
    return [kind.value for kind in ARMABLE if kind in takes and kind is not Kind.COMEBACK]


# -- the page


async def _desk(visit: Visit) -> Desk:
    office = visit.office
    desk, scans = office.host.desk, office.part(ScanDesk)
    shift, tally = await office.reports.shift_tally()
    total: Sum = tally.total
    conflicts = await office.reports.conflicts(unseen=True)
    cloud = "none" if desk.cloud is None else "there" if desk.cloud.is_connected else "away"
    return Desk(
        is_open=desk.counter is not None and not _is_handover(desk), is_handover=_is_handover(desk),
        locked_s=_seconds(desk.locked_s), modes=_modes(scans), shift=shift.number,
        scanners=[
            ScannerSeen(name=name, armed=scans.armed_for.get(name, "")) for name in sorted(scans.scanners)
        ] if scans is not None else [],
        scans=[ScanSeen(**seen._asdict()) for seen in reversed(scans.last_scans)] if scans is not None else [],
        since=shift.begun, redeemed=total[0], value_minor=total[1], points=total[2], cloud=cloud,
        conflicts=len(conflicts),
    )  # fmt: skip


def _is_handover(desk: CouponDesk) -> bool:
    return desk.handover is not None and desk.handover.is_closed


async def _shown(visit: Visit, form: Typed | None = None, fault: str = "") -> Response:
    found = await _desk(visit)
    result = None
    if not fault and visit.session is not None:
        result = _answers(visit.office).pop(visit.session.id, None)
    return await visit.page(
        "desk.html",
        status=422 if fault else 200,
        desk=found,
        may_open=visit.role in MANAGERS,
        scans=_scans(visit, found),
        form=form or Typed(),
        fault=fault,
        kinds=[what.value for what in What],
        result=result,
        words=_words(visit, result.answer) if result else "",
        tone=_tone(result.answer) if result else "",
        named=namer(visit),
    )


def _scans(visit: Visit, found: Desk) -> list[Shown]:
    return [Shown(one, _words(visit, one.answer), _tone(one.answer)) for one in found.scans[:SHOWN]]


def _words(visit: Visit, answer: str) -> str:
    """As on the desk's slips; what no slip says has a sentence of the page's."""
    if answer in SHOWN_ANSWERS:
        return SAID[Answer(answer)].words(visit.language)
    return visit.t(f"scan_ends.{answer}")


def _tone(answer: str) -> str:
    return SAID[Answer(answer)].beep.value if answer in SHOWN_ANSWERS else "again"


def namer(visit: Visit) -> Callable[[str], str]:
    """What a coupon is called: this box's own in the visitor's language, all others by the id of who issues them."""
    return lambda name: visit.t(f"sources.{name}") if name in set(Source) else name or "–"


def _seconds(left_s: float) -> int:
    return -int(-left_s // 1)
