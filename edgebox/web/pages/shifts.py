"""The desk's shifts: the open one's slips and sums, taking one back, the tally on paper, the end of a shift, the list.

Owns: their pages and the CSV. Never: the sums (edgebox/desk/tally.py), or when a shift ends by itself (desk.py).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.desk import tally as sums
from edgebox.desk.answers import Answer
from edgebox.desk.tally import Tally, Written
from edgebox.model import format_minor
from edgebox.store import redemptions
from edgebox.store.events import RedemptionState
from edgebox.store.redemptions import ClosedShift, Entry, Shift
from edgebox.web.pages.desk import namer
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS, STAFF
from edgebox.web.routes import action, api, page
from edgebox.web.visit import Visit

LISTED = 60  # shifts: two months of days
Number = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Reason = Annotated[str, Meta(max_length=120)]  # as REASON_MAX of edgebox/desk/counter.py


class OfShift(msgspec.Struct, frozen=True, kw_only=True):
    """`number` 0: the open one."""

    number: Number = 0


class TakeBack(msgspec.Struct, frozen=True, kw_only=True):
    """The redemption with that slip's number does not count. `reason`: why, for whoever looks later."""

    number: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    reason: Reason = ""


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What comes together under a name."""

    name: str
    count: int
    value_minor: int
    points: int


class Slip(msgspec.Struct, frozen=True, kw_only=True):
    """One slip of the desk. `state`: redeemed or reversed; `reversed_by` other than 0: it was taken back."""

    number: int
    at: int
    state: str
    reason: str
    coupon: str
    source: str
    value_minor: int
    points: int
    cashier: str
    offline: bool
    reversed_by: int


class ShiftSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A shift. `ended` 0: it is open. The sums are by name."""

    number: int
    begun: int
    ended: int
    who: str
    first: int
    last: int
    total: Sums
    by_cashier: list[Sums]
    by_coupon: list[Sums]
    by_stock: list[Sums]
    by_goods: list[Sums]
    pick_ups: int
    reversed: list[int]
    offline: list[int]
    slips: list[Slip]


class ShiftRow(msgspec.Struct, frozen=True, kw_only=True):
    """A closed shift in the list."""

    number: int
    begun: int
    ended: int
    who: str
    slips: int


class ShiftRows(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    shifts: list[ShiftRow]


class _Found(NamedTuple):
    shift: Shift
    closed: ClosedShift | None
    entries: list[Entry]


@page("/desk/shift", STAFF, takes=OfShift)
async def shift(visit: Visit, query: OfShift) -> Response:
    """Its sums and slips."""
    return await visit.page("shift.html", shift=await _shift(visit, query.number), named=namer(visit))


@page("/desk/shifts", STAFF)
async def shifts(visit: Visit) -> Response:
    """The closed ones."""
    return await visit.page("shifts.html", shifts=(await _rows(visit)).shifts)


@page("/desk/shift.csv", STAFF, takes=OfShift)
async def csv(visit: Visit, query: OfShift) -> Response:
    """One line a slip, for a spreadsheet; with the mark without which Excel reads no Chinese."""
    found, shop = await _find(visit, query.number), visit.office.config.shop
    written = Written(visit.write.full, lambda minor: format_minor(minor, shop.decimals), shop.currency)
    name = f'attachment; filename="shift-{found.shift.number}.csv"'
    text = sums.as_csv(found.entries, written, bom=True)
    return Response(text, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})


@action("/desk/shift/print", STAFF, takes=OfShift)
async def print_tally(visit: Visit, form: OfShift) -> Response:
    """A closed shift's tally once more, marked as a copy; 0: the last one's."""
    if not await visit.office.host.desk.print_tally(form.number):
        return visit.done("/desk/shifts", "shifts.not_printed")
    await visit.audit("tally printed", str(form.number or ""))
    return visit.done("/desk/shifts", "shifts.printed")


@action("/desk/shift/close", STAFF)
async def close(visit: Visit) -> Response:
    """The shift ends, and its tally is printed."""
    await _close(visit)
    return visit.done("/desk", "shifts.closed")


@action("/desk/slips/{number}/take-back", MANAGERS, takes=TakeBack)
async def take_back(visit: Visit, form: TakeBack) -> Response:
    """Its code may be used again; a slip says so."""
    where = visit.came_from("/desk/shift")
    if not form.reason.strip():
        return visit.done(where, "shifts.reason_missing")
    answer = await _take_back(visit, form)
    key = {Answer.REDEEMED: "shifts.taken_back", Answer.USED: "shifts.was_taken_back"}.get(answer, "shifts.not_taken")
    return visit.done(where, key, number=str(form.number))


@api("GET", "/desk/shifts", STAFF, gives=ShiftRows, summary="The desk's closed shifts, the newest first")
async def api_shifts(visit: Visit) -> ShiftRows:
    """The same."""
    return await _rows(visit)


@api("GET", "/desk/shifts/{number}", STAFF, takes=OfShift, gives=ShiftSeen, summary="A shift; 0: the open one")
async def api_shift(visit: Visit, query: OfShift) -> ShiftSeen:
    """The same."""
    return await _shift(visit, query.number)


@api("POST", "/desk/shifts/close", STAFF, summary="End the shift; its tally is printed")
async def api_close(visit: Visit) -> None:
    """The same."""
    await _close(visit)


@api("POST", "/desk/shifts/print", STAFF, takes=OfShift, summary="A closed shift's tally on paper again; 0: the last")
async def api_print(visit: Visit, form: OfShift) -> None:
    """The same."""
    if not await visit.office.host.desk.print_tally(form.number):
        raise refused("no_printer")
    await visit.audit("tally printed", str(form.number or ""))


@api("POST", "/desk/slips/{number}/take-back", MANAGERS, takes=TakeBack, summary="Take a redemption back")
async def api_take_back(visit: Visit, form: TakeBack) -> None:
    """The same."""
    if not form.reason.strip():
        raise refused("bad_input", "reason")
    answer = await _take_back(visit, form)
    if answer is not Answer.REDEEMED:
        raise refused({Answer.USED: "conflict", Answer.BUSY: "busy"}.get(answer, "not_found"), answer.value)


# -- inside


async def _take_back(visit: Visit, form: TakeBack) -> Answer:
    said = await visit.office.host.desk.reverse(form.number, visit.who, form.reason)
    if said.answer is Answer.REDEEMED:
        await visit.audit("redemption taken back", str(form.number), after=str(said.number), reason=form.reason)
        visit.office.hub.tell("scan", "reversed")
    return said.answer


async def _close(visit: Visit) -> None:
    """The desk's own row of the audit names who closed it."""
    if not await visit.office.host.desk.close_shift(visit.who):
        raise refused("busy")
    visit.office.hub.tell("scan", "closed")


async def _rows(visit: Visit) -> ShiftRows:
    found = await visit.office.store.read(lambda db: redemptions.closed_shifts(db, LISTED))
    return ShiftRows(
        shifts=[
            ShiftRow(number=one.number, begun=one.begun, ended=one.ended, who=one.who, slips=one.last - one.after)
            for one in found
        ]
    )


async def _find(visit: Visit, number: int) -> _Found:
    """PageError `not_found`: no such shift."""
    store = visit.office.store
    open_one = await store.read(redemptions.shift) or Shift()
    closed = None
    if number not in (0, open_one.number):
        closed = await store.read(lambda db: redemptions.closed_shift(db, number))
        if closed is None:
            raise refused("not_found", "shift")
    wanted = closed.shift if closed is not None else open_one
    return _Found(wanted, closed, await store.read(lambda db: redemptions.of_shift(db, wanted)))


async def _shift(visit: Visit, number: int) -> ShiftSeen:
    found = await _find(visit, number)
    tally: Tally = sums.tally(found.entries)
    return ShiftSeen(
        number=found.shift.number, begun=found.shift.begun, ended=found.closed.ended if found.closed else 0,
        who=found.closed.who if found.closed else "", first=tally.slips[0], last=tally.slips[1],
        total=_sums("", tally.total), by_cashier=_named(tally.by_cashier), by_coupon=_named(tally.by_coupon),
        by_stock=_named(tally.by_stock), by_goods=_named(tally.by_goods), pick_ups=tally.pick_ups[0],
        reversed=list(tally.reversed), offline=list(tally.offline),
        slips=[_slip(entry) for entry in reversed(found.entries)],
    )  # fmt: skip


def _slip(entry: Entry) -> Slip:
    return Slip(
        number=entry.number, at=entry.at, state=entry.state, reason=entry.reason, coupon=entry.coupon,
        source=entry.source, value_minor=entry.value_minor, points=entry.points, cashier=entry.cashier,
        offline=entry.offline and entry.state == RedemptionState.REDEEMED, reversed_by=entry.reversed_by,
    )  # fmt: skip


def _named(found: tuple[tuple[str, sums.Sum], ...]) -> list[Sums]:
    return [_sums(name, one) for name, one in found]


def _sums(name: str, one: sums.Sum) -> Sums:
    return Sums(name=name, count=one[0], value_minor=one[1], points=one[2])
