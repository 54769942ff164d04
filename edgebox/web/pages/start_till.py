"""First start, the till: three receipts on paper, the total tapped on each, and two questions about paying."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.errors import ReportError, StoreError
from edgebox.model import TenderKind
from edgebox.receipt.money import AmountFinder
from edgebox.reports.lessons import SAMPLES_MAX, Change, Lesson, School, Tap
from edgebox.reports.paper_view import Mark, Sheet
from edgebox.reports.search import ReceiptRow, Wanted
from edgebox.web import first_start
from edgebox.web.first_start import Step, keyed, shown
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import action, page
from edgebox.web.visit import Visit

Spot = Annotated[str, Meta(pattern=r"^$|^[0-9a-f]{1,64}\.\d{1,19}\.\d{1,4}$")]
# Ways of paying that shops name; the rest (points, vouchers, on account) earns by the rules or not at all.
ASKED = (TenderKind.CASH, TenderKind.CARD, TenderKind.WECHAT, TenderKind.ALIPAY, TenderKind.WALLET, TenderKind.STORED)
LOOKED_AT = 12  # newest documents, among which the papers to tap on are
FULL = 32, 42, 48, 64  # columns that the page has letters for


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """`total0` to `total2`: session, document and line of a tapped total; `after`: prints only once it is paid;
    `excluded`: ways of paying that give points by themselves; `do`: look at what a profile would do, or save."""

    total0: Spot = ""
    total1: Spot = ""
    total2: Spot = ""
    after: Literal["yes", "no"] = "no"
    excluded: tuple[TenderKind, ...] = ()
    do: Literal["look", "save", "anyway"] = "save"

    @property
    def taps(self) -> list[Tap]:
        """What was tapped."""
        spots = [spot.split(".") for spot in (self.total0, self.total1, self.total2) if spot]
        return [Tap(session, int(document), int(line)) for session, document, line in spots]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is tapped already, while further papers come."""

    total0: Spot = ""
    total1: Spot = ""
    total2: Spot = ""


class Drawn(NamedTuple):
    """A paper to tap on. `width`: of its letters; `total`: the line that is taken for the total, -1: none."""

    row: ReceiptRow
    sheet: Sheet
    width: int
    total: int


@page("/start/till", INSTALLERS)
async def till(visit: Visit) -> Response:
    """Papers and questions."""
    config = await first_start.would_be(visit, await first_start.read(visit.office.store))
    after: Literal["yes", "no"] = "yes" if config.till.prints_after_payment else "no"
    return await _till(visit, Taught(after=after, excluded=config.points.excluded_tenders))


@page("/start/till/now", INSTALLERS, takes=Seen)
async def till_now(visit: Visit, query: Seen) -> Response:
    """The papers alone: fetched when a receipt has come, with what is tapped already."""
    spots = (query.total0, query.total1, query.total2)
    return await visit.part("start_till_now.html", papers=await _papers(visit, spots), samples=SAMPLES_MAX)


@action("/start/till", INSTALLERS, takes=Taught)
async def take_till(visit: Visit, form: Taught) -> Response:
    """A profile of what was tapped, shown first or put in force; and the two answers."""
    lesson: Lesson | None = None
    if form.taps:
        try:
            lesson = await _lesson(visit, form)
        except ReportError as fault:
            return await _till(visit, form, "line" if fault.reason == "taps" else "paper")
    is_fine = lesson is None or lesson.profile is None or lesson.is_safe or form.do == "anyway"
    if form.do == "look" or not is_fine or (lesson is not None and lesson.profile is None and form.do != "anyway"):
        return await _till(visit, form, lesson=lesson)
    unasked = set(visit.office.config.points.excluded_tenders) - set(ASKED)  # somebody's choice, and not ours to undo
    answers = {
        **keyed("till", {"prints_after_payment": form.after == "yes"}),
        **keyed("points", {"excluded_tenders": sorted({kind.value for kind in unasked.union(form.excluded)})}),
    }
    if await first_start.answered(visit, Step.TILL, answers):
        return await _till(visit, form, "answer")
    if lesson is not None and lesson.profile is not None:
        await visit.office.reports.learn(lesson, visit.who)
    return visit.done(f"/start/{Step.TILL.next.value}")


async def _lesson(visit: Visit, form: Taught) -> Lesson:
    """Read as the shop will be, once the answers are in force. ReportError, StoreError."""
    office = visit.office
    config = await first_start.would_be(visit, await first_start.read(office.store))
    now, lexicon, _ = office.host.read_with
    shop = config.shop_of_reader()._replace(profiles=now.profiles)
    rules = shop.rules._replace(prints_after_payment=form.after == "yes")
    school = School(shop._replace(rules=rules), lexicon, AmountFinder(shop.convention))
    found = await office.reports.receipt(form.taps[0].session, form.taps[0].document)
    name = re.sub(r"[^a-z0-9]+", "-", f"till-{found.record.line}".lower()).strip("-")[:48]
    return await office.reports.lesson(name, form.taps, prints_after_payment=form.after == "yes", school=school)


async def _papers(visit: Visit, spots: tuple[str, ...]) -> list[Drawn]:
    """The newest documents whose paper is kept, oldest first; the total as tapped, or as the box reads it."""
    reports, drawn = visit.office.reports, []
    for row in (await reports.search(Wanted(), LOOKED_AT)).rows:
        try:
            sheet = await reports.paper(row.session, row.document)
        except (ReportError, StoreError):  # not kept, or broken by the card: others are
            continue
        head = f"{row.session}.{row.document}."
        tapped = next((int(spot[len(head) :]) for spot in spots if spot.startswith(head)), -1)
        total = next((line.line for line in sheet.rows if any(run.mark is Mark.TOTAL for run in line.runs)), -1)
        width = next((width for width in FULL if sheet.columns <= width), FULL[-1])
        drawn.append(Drawn(row, sheet, width, tapped if tapped >= 0 else total))
        if len(drawn) == SAMPLES_MAX:
            break
    return drawn[::-1]


async def _till(visit: Visit, form: Taught, fault: str = "", lesson: Lesson | None = None) -> Response:
    shop = (await first_start.would_be(visit, await first_start.read(visit.office.store))).shop
    tapped = {(tap.session, tap.document) for tap in form.taps}
    counts = {change.value: 0 for change in Change}
    for trial in lesson.trials if lesson is not None else ():
        counts[trial.change.value] += 1
    return await shown(
        visit, Step.TILL, status=422 if fault else 200, fault=fault, form=form, lesson=lesson, counts=counts,
        papers=await _papers(visit, (form.total0, form.total1, form.total2)), samples=SAMPLES_MAX, tenders=ASKED,
        shop_then=shop, reads=[
            trial for trial in reversed(lesson.trials if lesson is not None else ())
            if (trial.row.session, trial.row.document) in tapped
        ],
    )  # fmt: skip
