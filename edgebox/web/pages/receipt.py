"""One receipt: the paper it was, why it has its total, its slip once more, and a misread total put right."""

from __future__ import annotations

import asyncio
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.awards import Granted
from edgebox.desk.paper import Paper, Sheet
from edgebox.errors import OrderError, ReportError
from edgebox.reports import reasons
from edgebox.reports.correct import AMOUNT_MAX, REASON_MAX, Corrected
from edgebox.reports.reasons import Reason
from edgebox.reports.whole import ClaimRow, Whole
from edgebox.reprint import prepared, recorded
from edgebox.store.events import ClaimState
from edgebox.web.amounts import minor_of
from edgebox.web.drawn import Drawn, drawn
from edgebox.web.refusals import refused
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import action, api, page
from edgebox.web.visit import Visit

WITHIN_MS = 20_000  # a slip that comes later would surprise whoever stands there
PRINTING_S = 40.0  # and one that has begun by then has ended, or the line is stuck
NOTHING_DUE = "engine_said_none"  # the line's word for it (edgebox/line/core.py); why, another reason says
PLACES = 2**63 - 1  # numbers of documents begin anywhere; the store holds so many

Session = Annotated[str, Meta(pattern=r"^[0-9a-f]{1,64}$")]
Document = Annotated[int, Meta(ge=0, le=PLACES)]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One receipt."""

    session: Session
    document: Document


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """The total that stands on the paper, as people write it, and why."""

    session: Session
    document: Document
    amount: Annotated[str, Meta(max_length=24)] = ""
    reason: Annotated[str, Meta(max_length=REASON_MAX)] = ""


class CorrectedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """The total on the paper in minor units, without a sign."""

    session: Session
    document: Document
    amount_minor: Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]
    reason: Annotated[str, Meta(max_length=REASON_MAX)] = ""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: `topic` kind, total, number, points, slip or check; `key` a stable word; `values` that belong to it;
    `grade`: good, bad or ""."""

    topic: str
    key: str
    values: dict[str, str]
    grade: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A correction. `state`: applied, or requested of the cloud."""

    at: int
    state: str
    was_minor: int | None
    amount_minor: int
    who: str
    reason: str


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """The points code. `state`: granted, on_paper, unknown, again, void."""

    claim: str
    state: str
    amount_minor: int
    points: int
    revision: int
    is_own: bool


class OneReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """`amount_minor`: the one that counts; `read_minor`: as it was read."""

    session: str
    document: int
    at: int
    line: str
    kind: str
    modifiers: list[str]
    qualifies: bool
    amount_minor: int | None
    read_minor: int | None
    currency: str
    decimals: int
    confidence: str
    number: str
    till: str
    cashier: str
    profile: str
    slips: list[str]
    slip_mm: int
    code: Code | None
    reasons: list[Why]
    corrections: list[Change]
    has_paper: bool


class PaperLine(msgspec.Struct, frozen=True, kw_only=True):
    """`looks`: bold, wide, tall, reverse, underline, centre, right, small; `gap`: blank lines above; `marks`: what is
    known of pieces of it, as [mark, text] with mark total, number, tender or hidden."""

    line: int
    text: str
    looks: list[str]
    gap: int
    is_kind: bool
    marks: list[tuple[str, str]]


class DrawnPaper(msgspec.Struct, frozen=True, kw_only=True):
    """The paper as it is kept: starred where it was personal. `slip_at`: the slip stood before this line; -1: none."""

    columns: int
    lines: list[PaperLine]
    slips: list[str]
    slip_at: int
    slip_mm: int
    points: int


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """`effect`: lowered, settled, voided, or requested: only the cloud may raise a total."""

    effect: str
    amount_minor: int


class Told(NamedTuple):
    """A reason as a sentence."""

    topic: str
    words: str
    grade: str


@page("/receipts/{session}/{document}", MANAGERS, takes=Named)
async def receipt(visit: Visit, query: Named) -> Response:
    """The paper, and what may be done."""
    return await _shown(visit, query)


@action("/receipts/{session}/{document}/reprint", MANAGERS, takes=Named)
async def reprint(visit: Visit, form: Named) -> Response:
    """The same code on another slip."""
    await _reprint(visit, form)
    return visit.done(_path(form), "receipt.reprinted")


@action("/receipts/{session}/{document}/correct", MANAGERS, takes=Correction)
async def correct(visit: Visit, form: Correction) -> Response:
    """Down at once, up as a request."""
    named = Named(session=form.session, document=form.document)
    whole = await visit.office.reports.receipt(form.session, form.document)
    minor = minor_of(form.amount, whole.record.decimals)
    if not minor:
        return await _shown(visit, named, form, "amount")
    try:
        result = await _correct(visit, named, minor, form.reason)
    except ReportError as fault:
        if not visit.office.catalogue.has(f"correct_faults.{fault.reason}"):
            raise
        return await _shown(visit, named, form, fault.reason)
    return visit.done(_path(named), f"correct_effects.{result.effect.value}")


@api("GET", "/receipts/{session}/{document}", MANAGERS, takes=Named, gives=OneReceipt, summary="One receipt")
async def api_receipt(visit: Visit, query: Named) -> OneReceipt:
    """With its reasons, code and corrections."""
    whole = await visit.office.reports.receipt(query.session, query.document)
    record, claim = whole.record, whole.claim
    return OneReceipt(
        session=record.session, document=record.document, at=record.at, line=record.line, kind=record.kind,
        modifiers=list(record.modifiers), qualifies=record.qualifies, amount_minor=whole.amount_minor,
        read_minor=record.amount_minor, currency=record.currency, decimals=record.decimals,
        confidence=record.confidence, number=record.number, till=record.till, cashier=record.cashier,
        profile=record.profile, slips=list(record.slips), slip_mm=record.slip_mm, has_paper=whole.has_paper,
        code=Code(
            claim=claim.claim, state=claim.state, amount_minor=claim.amount_minor, points=claim.points,
            revision=claim.revision, is_own=whole.is_own,
        ) if claim is not None else None,
        reasons=[
            Why(topic=one.topic, key=one.key, values=dict(one.values), grade=one.grade)
            for one in reasons.explain(whole)
        ],
        corrections=[
            Change(
                at=one.at, state=one.state.value, was_minor=one.was_minor, amount_minor=one.amount_minor, who=one.who,
                reason=one.reason,
            )
            for one in whole.corrections
        ],
    )  # fmt: skip


@api("GET", "/receipts/{session}/{document}/paper", MANAGERS, takes=Named, gives=DrawnPaper, summary="Its paper")
async def api_paper(visit: Visit, query: Named) -> DrawnPaper:
    """As it is kept."""
    sheet = await visit.office.reports.paper(query.session, query.document)
    return DrawnPaper(
        columns=sheet.columns, slip_at=sheet.slip_at, slips=list(sheet.slip.names) if sheet.slip else [],
        slip_mm=sheet.slip.mm if sheet.slip else 0, points=sheet.slip.points if sheet.slip else 0,
        lines=[
            PaperLine(
                line=row.line, text=row.text, looks=list(row.looks), gap=row.gap, is_kind=row.is_kind,
                marks=[(run.mark.value, run.text) for run in row.runs if run.mark],
            )
            for row in sheet.rows
        ],
    )  # fmt: skip


@api("POST", "/receipts/{session}/{document}/reprint", MANAGERS, takes=Named, summary="Its slip once more")
async def api_reprint(visit: Visit, form: Named) -> None:
    """The same code; done when it is printed."""
    await _reprint(visit, form)


@api(
    "POST", "/receipts/{session}/{document}/correct", MANAGERS, takes=CorrectedTotal, gives=Effect,
    summary="Put a misread total right: down at once, up as a request to the cloud",
)  # fmt: skip
async def api_correct(visit: Visit, form: CorrectedTotal) -> Effect:
    """The same."""
    named = Named(session=form.session, document=form.document)
    result = await _correct(visit, named, form.amount_minor, form.reason)
    return Effect(effect=result.effect.value, amount_minor=result.correction.amount_minor)


# -- what is done


async def _correct(visit: Visit, named: Named, minor: int, reason: str) -> Corrected:
    """Audited by the reports themselves, in the same transaction. ReportError, StoreError."""
    result = await visit.office.reports.correct(named.session, named.document, minor, visit.who, reason.strip())
    visit.office.hub.tell("receipt", f"{named.session}-{named.document}")
    return result


async def _reprint(visit: Visit, named: Named) -> None:
    """PageError `not_found`: it has no code that may be printed; `no_printer`; `busy`: not printed in time."""
    office = visit.office
    whole = await office.reports.receipt(named.session, named.document)
    claim = whole.claim
    if not may_reprint(whole) or claim is None:
        raise refused("not_found", "no code to print")
    try:
        line = whole.record.line if whole.record.line in office.host.lines else ""
        again = prepared(office.host, claim.claim, line, _known(claim))
    except OrderError as fault:
        raise refused("not_found" if fault.reason == "void" else "no_printer", fault.reason) from fault
    try:
        async with asyncio.timeout(PRINTING_S):
            sheet = await Paper(office.host).print(again.line, "", again.body, expires_ms=WITHIN_MS)
    except TimeoutError as fault:
        raise refused("busy", "the line never said what became of it") from fault
    if sheet is not Sheet.OUT:
        raise refused("no_printer", sheet.value)
    await office.store.record(recorded(office.host, again, office.now))
    await visit.audit("slip reprinted", f"{named.session}:{named.document}", after=claim.claim)


def may_reprint(whole: Whole) -> bool:
    """Its code may be in a customer's hand: printing it again gives nobody anything new."""
    claim = whole.claim
    return bool(whole.record.claim) and claim is not None and claim.state != ClaimState.VOID and bool(claim.url)


def _known(claim: ClaimRow) -> Granted:
    """As the store has it: for what is older than the engine's memory."""
    return Granted(claim.url, claim.amount_minor, claim.revision, claim.state != ClaimState.VOID, claim.points)


# -- the page


async def _shown(visit: Visit, named: Named, form: Correction | None = None, fault: str = "") -> Response:
    whole = await visit.office.reports.receipt(named.session, named.document)
    return await visit.page(
        "receipt.html", status=422 if fault else 200, whole=whole, record=whole.record,
        sheet=await sheet_of(visit, whole), why=told(visit, whole),
        may_reprint=may_reprint(whole), form=form, fault=fault, named=named, reason_max=REASON_MAX,
    )  # fmt: skip


async def sheet_of(visit: Visit, whole: Whole) -> Drawn | None:
    """Its paper, to be drawn; None: it is no longer kept. StoreError `damaged`."""
    if not whole.has_paper:
        return None
    try:
        return drawn(await visit.office.reports.paper(whole.record.session, whole.record.document))
    except ReportError:  # gone between the two questions
        return None


def told(visit: Visit, whole: Whole) -> list[Told]:
    """Why it has its total, as sentences."""
    all_of_them = (one for one in reasons.explain(whole) if one.values.get("words") != NOTHING_DUE)
    found = [Told(one.topic, _sentence(visit, whole, one), one.grade) for one in all_of_them]
    return list(dict.fromkeys(found))


def _sentence(visit: Visit, whole: Whole, reason: Reason) -> str:
    """Values that are machine words become the visitor's."""
    catalogue, record, write = visit.office.catalogue, whole.record, visit.write
    values = dict(reason.values)
    if "minor" in values:
        values["amount"] = write.money(int(values["minor"]), record.currency, record.decimals)
    if "at" in values:
        values["when"] = write.moment(int(values["at"]))
    for name, table in (
        ("kind", "kinds"),
        ("confidence", "confidence"),
        ("state", "claim_states"),
        ("words", "line_words"),
    ):
        key = f"{table}.{values.get(name, '').replace(' ', '_').replace('-', '_')}"
        if name in values and catalogue.has(key):
            values[name] = visit.t(key)
    if "hold_us" in values:
        values["ms"] = str(round(int(values["hold_us"]) / 1000))
    return visit.t(f"reasons.{reason.key}", **values)


def _path(named: Named) -> str:
    return f"/receipts/{named.session}/{named.document}"
