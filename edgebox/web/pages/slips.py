"""Slips: what is printed with receipts, what it costs in paper, and the shop's own: on trial, in force, taken back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.desk.paper import Paper, Sheet
from edgebox.errors import ConfigError, OrderError, PageError, SlipError
from edgebox.escpos.compose import Press
from edgebox.paper.letters import text_raster
from edgebox.paper_report import PaperReport
from edgebox.reprint import press_of
from edgebox.slip_book import OwnSlip, Seen, SlipBook
from edgebox.slip_files import slip_from
from edgebox.slip_schema import Name as SlipName
from edgebox.slips import qr
from edgebox.slips.template import Purpose, Template
from edgebox.web.office import Office
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.slip_picture import PAPERS, Album, Picture, fits, marked, printer, without_room
from edgebox.web.visit import Visit

ALBUM = "slip album"  # in the office's extras
WITHIN_MS = 20_000  # a test print that comes later would surprise whoever stands there
PRINTING_S = 40.0
Revision = Annotated[int, Meta(ge=0, le=10**9)]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A slip, and the revision of the shop's own that was seen."""

    name: SlipName
    revision: Revision = 0


class Pictured(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was drawn a moment ago."""

    name: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One slip. `state`: shown, or trial: decided with each receipt, printed with none. `origin`: file, own, fleet.
    `mm58`, `mm80`: of paper, 0 where it doesn't fit; `printed`: this month; `mm_a_month`: of a whole month at that
    rate; `trial_receipts`, `trial_printed`: sales since the trial began, and with how many it would have been."""

    name: str
    purpose: str
    state: str
    origin: str
    mm58: float
    mm80: float
    printed: int
    mm_a_month: int
    trial_receipts: int
    trial_printed: int


class Slips(msgspec.Struct, frozen=True, kw_only=True):
    """`revision`: of the shop's own, for the next change; `is_fleets`: head office says what is shown, nothing is
    changed here; `month`: which one costs are of; `mm_a_month`: of all slips; `days`: seen of it."""

    slips: list[Listed]
    revision: int
    is_fleets: bool
    month: str
    days: float
    receipts: int
    mm_a_month: int


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A slip as its file would be: docs/slips.md."""

    slip: dict[str, Any]
    revision: Revision = 0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`faults`: each in words, none: it can be used; `mm58`, `mm80`: 0 where it doesn't fit, and then `unfit` says
    why."""

    faults: list[str]
    mm58: float
    mm80: float
    unfit: str


class Row(NamedTuple):
    """A slip as the page shows it."""

    slip: Listed
    picture: Picture
    is_own: bool


@page("/slips", MANAGERS, nav=Nav("slips", 30))
async def slips(visit: Visit) -> Response:
    """All that are shown, and those on trial."""
    found, shown = await _all(visit)
    rows = [Row(one, await _picture(visit, template), one.origin == "own") for one, template in shown]
    return await visit.page("slips.html", slips=rows, found=found, metres=found.mm_a_month / 1000)


@page("/slips/picture/{name}", MANAGERS, takes=Pictured)
async def picture(visit: Visit, query: Pictured) -> Response:
    """PNG."""
    raw = album(visit.office).raw(query.name)
    if not raw:
        raise refused("not_found")
    return Response(raw, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


@action("/slips/{name}/force", MANAGERS, takes=Named)
async def force(visit: Visit, form: Named) -> Response:
    """Off trial: it is printed from now on."""
    try:
        await _force(visit, form)
    except PageError as fault:
        if fault.reason != "bad_input":
            raise
        return visit.done("/slips", "slips.no_room", name=form.name)
    return visit.done("/slips", "slips.in_force", name=form.name)


@action("/slips/{name}/discard", MANAGERS, takes=Named)
async def discard(visit: Visit, form: Named) -> Response:
    """The draft is gone."""
    await _drop(visit, form, is_draft=True)
    return visit.done("/slips", "slips.discarded", name=form.name)


@action("/slips/{name}/back", MANAGERS, takes=Named)
async def back(visit: Visit, form: Named) -> Response:
    """As it was before the shop made its own."""
    await _drop(visit, form, is_draft=False)
    return visit.done("/slips", "slips.back", name=form.name)


@api("GET", "/slips", MANAGERS, gives=Slips, summary="Slips, what they cost in paper, and those on trial")
async def api_slips(visit: Visit) -> Slips:
    """The same."""
    return (await _all(visit))[0]


@api("POST", "/slips/judge", MANAGERS, takes=Table, gives=Judged, summary="What is wrong with a slip, and its length")
async def api_judge(visit: Visit, form: Table) -> Judged:
    """Nothing is kept."""
    try:
        template = slip_from(form.slip, "slip")
    except ConfigError as fault:
        return Judged(faults=str(fault.args[0]).splitlines()[:100], mm58=0, mm80=0, unfit="")
    pictures = [await _picture(visit, template, paper) for paper in PAPERS]
    mm58, mm80 = [0.0 if one.fault else round(one.mm, 1) for one in pictures]
    unfit = next((one.fault for one in pictures if one.fault), "")
    return Judged(faults=[], mm58=mm58, mm80=mm80, unfit=unfit)


@api("POST", "/slips", MANAGERS, takes=Table, gives=Slips, summary="A slip of the shop's own, on trial first")
async def api_draft(visit: Visit, form: Table) -> Slips:
    """Decided with each receipt, printed with none, until it is put in force."""
    await keep_draft(visit, form.slip, form.revision)
    return (await _all(visit))[0]


@api("POST", "/slips/{name}/force", MANAGERS, takes=Named, gives=Slips, summary="Print a slip that was on trial")
async def api_force(visit: Visit, form: Named) -> Slips:
    """From the next receipt on."""
    await _force(visit, form)
    return (await _all(visit))[0]


@api("POST", "/slips/{name}/discard", MANAGERS, takes=Named, gives=Slips, summary="End a slip's trial")
async def api_discard(visit: Visit, form: Named) -> Slips:
    """The draft is gone."""
    await _drop(visit, form, is_draft=True)
    return (await _all(visit))[0]


@api("POST", "/slips/{name}/back", MANAGERS, takes=Named, gives=Slips, summary="Take a slip of the shop's own back")
async def api_back(visit: Visit, form: Named) -> Slips:
    """That of its name in files is printed again, if it is among those shown."""
    await _drop(visit, form, is_draft=False)
    return (await _all(visit))[0]


# -- what is done


async def keep_draft(visit: Visit, table: dict[str, Any], revision: int) -> OwnSlip:
    """On trial. PageError `bad_input`, `conflict`: somebody else changed it, or head office's."""
    try:
        one = await book(visit.office).draft(table, visit.who, revision)
    except ConfigError as fault:
        raise _refusal(fault) from fault
    await visit.audit("slip drafted", one.name)
    return one


async def print_sample(visit: Visit, template: Template, line: str) -> None:
    """On paper, marked as a sample. PageError `no_printer`, `busy`."""
    host = visit.office.host
    try:
        press = press_of(host, line or next(iter(sorted(host.lines)), ""))
        body = await asyncio.to_thread(fits, marked(template), press, visit.office.config.slip)
    except (OrderError, SlipError, ConfigError) as fault:
        raise refused("no_printer", fault.reason) from fault
    line = line or next(iter(sorted(host.lines)))
    try:
        async with asyncio.timeout(PRINTING_S):
            sheet = await Paper(host).print(line, "", body.raw, expires_ms=WITHIN_MS)
    except TimeoutError as fault:
        raise refused("busy", "the line never said what became of it") from fault
    if sheet is not Sheet.OUT:
        raise refused("no_printer", sheet.value)
    await visit.audit("slip printed as a test", template.name, after=line)


async def _force(visit: Visit, form: Named) -> None:
    """What doesn't fit the shop's printers, or leaves no room for the points, is not put in force."""
    known, office = book(visit.office), visit.office
    draft = next((one for one in known.book.drafts if one.name == form.name), None)
    if draft is None:
        raise refused("not_found")
    try:
        template = slip_from(draft.table, draft.name)
        others = [one for one in office.host.decisions.shelved.shown if one.name != draft.name and not one.shadow]
        wanted = {template.name} | {one.name for one in others if one.purpose is Purpose.CLAIM}
        for press in _presses(office):
            await asyncio.to_thread(fits, template, press, office.config.slip)
            if wanted & set(await asyncio.to_thread(without_room, (template, *others), press, office.config.slip)):
                raise refused("bad_input", "no room beside the slip with the points code")
        await known.put_in_force(form.name, form.revision)
    except SlipError as fault:
        raise refused("bad_input", f"it doesn't fit: {fault.reason}") from fault
    except ConfigError as fault:
        raise _refusal(fault) from fault
    await visit.audit("slip put in force", form.name)


def _presses(office: Office) -> list[Press]:
    """The printers that are there; none: both papers."""
    there = [press_of(office.host, name) for name, line in office.host.lines.items() if line.hello is not None]
    return there or [Press(printer(name), matrix=qr.matrix, text_raster=text_raster) for name in PAPERS.values()]


async def _drop(visit: Visit, form: Named, *, is_draft: bool) -> None:
    try:
        await book(visit.office).drop(form.name, form.revision, is_draft=is_draft)
    except ConfigError as fault:
        raise _refusal(fault) from fault
    await visit.audit("slip's trial ended" if is_draft else "slip taken back", form.name)


def _refusal(fault: ConfigError) -> Exception:
    known = {"revision": "conflict", "fleet": "conflict", "no_slip": "not_found", "too_many": "conflict"}
    return refused(known.get(fault.reason, "bad_input"), str(fault.args[0])[:400])


# -- what there is


def book(office: Office) -> SlipBook:
    """The shop's own slips. PageError `store`: they could not be read."""
    found = office.part(SlipBook)
    if found is None:
        raise refused("store", "the book of slips is not open")
    return found


def album(office: Office) -> Album:
    """The pages' pictures."""
    found: Album = office.extras.setdefault(ALBUM, Album())
    return found


async def cost(visit: Visit) -> PaperReport:
    """This month's paper. StoreError."""
    return await visit.office.reports.paper_cost(visit.write.local(visit.office.now).strftime("%Y-%m"))


async def _picture(visit: Visit, template: Template, paper: str = "80") -> Picture:
    office = visit.office
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(office.render, album(office).of, template, paper, office.config.slip)


async def _all(visit: Visit) -> tuple[Slips, list[tuple[Listed, Template]]]:
    known, decisions = book(visit.office), visit.office.host.decisions
    paper = await cost(visit)
    rows = {row.name: row for row in paper.slips}
    drafts = {one.name: one for one in known.book.drafts}
    own, fleets = {one.name for one in known.book.force}, known.fleets()
    found: list[tuple[Listed, Template]] = []
    for template in sorted(decisions.shelved.shown, key=lambda one: (one.priority, one.name)):
        name = template.name.rstrip("~")
        is_trial = name != template.name
        seen = await known.seen(drafts[name]) if is_trial and name in drafts else Seen(0, 0)
        mm58, mm80 = [(await _picture(visit, template, size)) for size in PAPERS]
        row = rows.get(name) if not is_trial else None
        origin = "fleet" if name in fleets else "own" if is_trial or name in own else "file"
        listed = Listed(
            name=name, purpose=template.purpose.value, state="trial" if is_trial or template.shadow else "shown",
            origin=origin, mm58=0.0 if mm58.fault else round(mm58.mm, 1),
            mm80=0.0 if mm80.fault else round(mm80.mm, 1), printed=row.printed if row else 0,
            mm_a_month=row.mm_a_month if row else 0, trial_receipts=seen.receipts, trial_printed=seen.printed,
        )  # fmt: skip
        found.append((listed, template))
    whole = Slips(
        slips=[one for one, _ in found], revision=known.book.revision, is_fleets=known.is_fleets, month=paper.month,
        days=paper.days, receipts=paper.receipts, mm_a_month=paper.total.mm_a_month,
    )  # fmt: skip
    return whole, found
