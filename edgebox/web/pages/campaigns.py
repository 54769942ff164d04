"""Campaigns: which count now, and changing one within limits: a draft first, what it would have given, then in force.

Owns: the page, and how a form becomes a [[campaign]]. Never: the limits (edgebox/campaign_book.py), or what a campaign
gives. Under the fleet's rules everything here can be read, and nothing changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.campaign_book import (
    DAYS_MAX,
    MULTIPLY_MAX_PCT,
    SOURCE,
    CampaignBook,
    Change,
    Standing,
    clock_of,
    row_of,
)
from edgebox.errors import ConfigError, PageError
from edgebox.loyalty.campaigns import PLAIN_PCT, Campaign
from edgebox.loyalty.windows import DAYS
from edgebox.model import format_minor
from edgebox.reports import rehearse
from edgebox.reports.rehearse import Rehearsal
from edgebox.rules_file import read_campaigns
from edgebox.web.amounts import minor_of
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

FRESH_S = 600  # a rehearsal is shown again for so long
REHEARSALS_MAX = 32
KEPT = "rehearsals"  # in the office's extras
DAY_S = 86_400
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Id = Annotated[str, Meta(max_length=64)]
Revision = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Date = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Clock = Annotated[str, Meta(pattern=r"^(\d{2}:\d{2})?$")]
# Why a campaign can't be so, as of edgebox/campaign_book.py: each has a sentence.
FAULTS = frozenset({"multiply", "bonus", "end", "dates", "too_many", "bad_rules", "amount", "no_campaign"})
_REFUSALS = {"revision": "conflict", "fleet": "conflict", "no_campaign": "not_found"}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as people fill it in. `id` "": a new one. `times_pct`: the points in percent; `least`: from this bill
    on; `begins`, `ends`: hours."""

    id: Id = ""
    title: Annotated[str, Meta(max_length=40)] = ""
    times_pct: Annotated[int, Meta(ge=100, le=100_000)] = 200
    least: Annotated[str, Meta(max_length=24)] = ""
    start: Date = ""
    end: Date = ""
    days: Annotated[list[Day], Meta(max_length=7)] = []
    begins: Clock = ""
    ends: Clock = ""
    revision: Revision = 0


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it stood at that revision of the book."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    revision: Revision


class One(msgspec.Struct, frozen=True, kw_only=True):
    """The form for one; "": for a new one."""

    id: Id = ""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign gives, and when. Minor units; days of the week, hours and dates by the shop's clock, "": all."""

    multiply_pct: int
    bonus: int
    min_spend: int
    days: list[str]
    begins: str
    ends: str
    start: str
    end: str


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would have given to the receipts since `since`: `touched` of `receipts`, and points."""

    since: int
    receipts: int
    touched: int
    points: int
    points_with: int


class CampaignSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`now` null: it does not count. `is_filed`: it stands in the rules file. `draft_is_off`: the draft ends it."""

    id: str
    title: str
    is_filed: bool
    is_changed: bool
    now: Terms | None
    draft: Terms | None
    draft_is_off: bool
    rehearsal: Rehearsed | None


class Campaigns(msgspec.Struct, frozen=True, kw_only=True):
    """`revision`: of the shop's own changes, to be said with each; `source`: fleet, file or plain: whose rules are in
    force; `fault`: they can't be used, and no points are given."""

    revision: int
    source: str
    rules_rev: int
    fault: str
    campaigns: list[CampaignSeen]


class _Shown(NamedTuple):
    """A campaign as the page shows it. `is_over`: its last day is past."""

    one: CampaignSeen
    now: str
    draft: str
    is_over: bool


@page("/campaigns", MANAGERS, nav=Nav("campaigns", 40))
async def campaigns(visit: Visit) -> Response:
    """All of them, with what can be done."""
    return await _list(visit)


@page("/campaigns/edit", MANAGERS, takes=One)
async def edit(visit: Visit, query: One) -> Response:
    """The form."""
    book = _book(visit)
    if book.is_fleets:
        raise refused("conflict", "fleet")
    form = Form(revision=book.book.revision)
    if query.id:
        standing = next((one for one in await _standings(book) if one.id == query.id), None)
        if standing is None:
            raise refused("not_found", "campaign")
        form = _form_of(visit, standing, book.book.revision)
    return await _edit(visit, form)


@action("/campaigns/draft", MANAGERS, takes=Form)
async def draft(visit: Visit, form: Form) -> Response:
    """Keeps it; nobody gets a point by that."""
    try:
        change = await _drafted(visit, form)
    except PageError as fault:
        if fault.reason != "bad_input":
            raise
        return await _edit(visit, form, fault)
    return visit.done("/campaigns", "campaigns.drafted", name=change.title or change.id)


@action("/campaigns/{id}/discard", MANAGERS, takes=Named)
async def discard(visit: Visit, form: Named) -> Response:
    """Forgets the draft."""
    await _done(visit, form, "discard")
    return visit.done("/campaigns", "campaigns.discarded")


@action("/campaigns/{id}/live", MANAGERS, takes=Named)
async def live(visit: Visit, form: Named) -> Response:
    """The draft counts from the next receipt on."""
    await _done(visit, form, "live")
    return visit.done("/campaigns", "campaigns.live_now")


@action("/campaigns/{id}/stop", MANAGERS, takes=Named)
async def stop(visit: Visit, form: Named) -> Response:
    """It does not count from the next receipt on."""
    await _done(visit, form, "stop")
    return visit.done("/campaigns", "campaigns.stopped")


@api("GET", "/campaigns", MANAGERS, gives=Campaigns, summary="Campaigns in force, and drafts with what they would give")
async def api_campaigns(visit: Visit) -> Campaigns:
    """The same."""
    return await _campaigns(visit)


@api("POST", "/campaigns/draft", MANAGERS, takes=Form, gives=Campaigns, summary="Draft a campaign, or a change of one")
async def api_draft(visit: Visit, form: Form) -> Campaigns:
    """The same."""
    await _drafted(visit, form)
    return await _campaigns(visit)


@api("POST", "/campaigns/{id}/discard", MANAGERS, takes=Named, summary="Forget a draft")
async def api_discard(visit: Visit, form: Named) -> None:
    """The same."""
    await _done(visit, form, "discard")


@api("POST", "/campaigns/{id}/live", MANAGERS, takes=Named, summary="Put a draft in force")
async def api_live(visit: Visit, form: Named) -> None:
    """The same."""
    await _done(visit, form, "live")


@api("POST", "/campaigns/{id}/stop", MANAGERS, takes=Named, summary="A campaign does not count any more")
async def api_stop(visit: Visit, form: Named) -> None:
    """The same."""
    await _done(visit, form, "stop")


# -- changing


async def _drafted(visit: Visit, form: Form) -> Change:
    """PageError `bad_input` with one of FAULTS, `conflict`, `not_found`."""
    book = _book(visit)
    try:
        standing = next((one for one in await book.standings() if one.id == form.id), None) if form.id else None
        if form.id and standing is None:
            raise refused("not_found", "campaign")
        change = _change_of(visit, form, standing)
        kept = await book.draft(change, form.revision)
    except ConfigError as fault:
        raise _refused(fault) from fault
    await visit.audit("campaign drafted", kept.id, after=_in_short(kept))
    return kept


async def _done(visit: Visit, form: Named, what: str) -> None:
    book = _book(visit)
    try:
        if what == "discard":
            await book.discard(form.id, form.revision)
        elif what == "live":
            change = await book.put_in_force(form.id, form.revision)
            await visit.audit("campaign in force", form.id, after=_in_short(change))
            return
        else:
            await book.stop_campaign(form.id, form.revision, visit.who)
    except ConfigError as fault:
        raise _refused(fault) from fault
    await visit.audit({"discard": "campaign discarded", "stop": "campaign stopped"}[what], form.id)


def _refused(fault: ConfigError) -> PageError:
    reason = _REFUSALS.get(fault.reason, "bad_input")
    return refused(reason, fault.reason if reason != "bad_input" or fault.reason in FAULTS else "bad_rules")


def _change_of(visit: Visit, form: Form, standing: Standing | None) -> Change:
    """What isn't in the form stays as it stands in the file or in the change before."""
    least = minor_of(form.least, visit.office.config.shop.decimals) if form.least.strip() else 0
    if least is None:
        raise refused("bad_input", "amount")
    when: dict[str, Any] = {"days": [day for day in DAYS if day in form.days]} if form.days else {}
    for key, text in (("from", form.begins), ("to", form.ends), ("start", form.start), ("end", form.end)):
        when |= {key: text} if text else {}
    before = _drawn_from(standing) if standing is not None else None
    row = row_of(before) if before is not None else {}
    row |= {"id": form.id, "when": when, "min_spend": least, "multiply_pct": form.times_pct}
    if form.times_pct > PLAIN_PCT and not row.get("group"):
        row["group"] = "multiplier"
    title = "".join(char for char in form.title.strip() if char.isprintable())
    return Change(id=form.id, title=title, row=row, by=visit.who)


def _drawn_from(standing: Standing) -> Campaign | None:
    """What a form begins with: the draft, else what counts, else the file's."""
    if standing.draft is not None and standing.draft.is_on:
        return read_campaigns([standing.draft.row], SOURCE)[0]
    return standing.now or standing.filed


def _in_short(change: Change) -> str:
    if not change.is_on:
        return "off"
    when = " ".join(f"{key} {value}" for key, value in sorted(change.row.get("when", {}).items()))
    return f"{change.title} {change.row.get('multiply_pct')} % {when}".strip()


# -- showing


async def _campaigns(visit: Visit) -> Campaigns:
    book, decisions = _book(visit), visit.office.host.decisions
    standings = await _standings(book)
    has_file = bool(visit.office.config.points.rules)
    return Campaigns(
        revision=book.book.revision, source="fleet" if book.is_fleets else "file" if has_file else "plain",
        rules_rev=decisions.awards.rules.rev, fault=decisions.rules_fault,
        campaigns=[await _seen(visit, book, one) for one in standings],
    )  # fmt: skip


async def _standings(book: CampaignBook) -> list[Standing]:
    """A file with a fault has none; the page says what is wrong with it."""
    try:
        return await book.standings()
    except ConfigError:
        return []


async def _seen(visit: Visit, book: CampaignBook, one: Standing) -> CampaignSeen:
    wanted, is_off = None, one.draft is not None and not one.draft.is_on
    if one.draft is not None and one.draft.is_on:
        wanted = read_campaigns([one.draft.row], SOURCE)[0]
    return CampaignSeen(
        id=one.id, title=one.title, is_filed=one.filed is not None, is_changed=one.changed is not None,
        now=_terms(one.now) if one.now is not None else None, draft=_terms(wanted) if wanted is not None else None,
        draft_is_off=is_off, rehearsal=await _rehearsed(visit, book, one.draft) if one.draft is not None else None,
    )  # fmt: skip


async def _rehearsed(visit: Visit, book: CampaignBook, change: Change) -> Rehearsed:
    """Reckoned once in a while, not at each look."""
    office = visit.office
    key = (change.id, change.at, book.book.revision, office.now // FRESH_S)
    kept: dict[Any, Rehearsed] = office.extras.setdefault(KEPT, {})
    if key not in kept:
        rules = office.host.decisions.awards.rules
        since = office.now - rehearse.DAYS * DAY_S
        found = await rehearse.rehearse(office.store, rules, book.rehearsed(change), since, office.now + 1)
        while len(kept) >= REHEARSALS_MAX:
            del kept[next(iter(kept))]
        kept[key] = _rehearsal(found)
    return kept[key]


def _rehearsal(found: Rehearsal) -> Rehearsed:
    return Rehearsed(
        since=found.since, receipts=found.receipts, touched=found.touched, points=found.points,
        points_with=found.points_with,
    )  # fmt: skip


def _terms(campaign: Campaign) -> Terms:
    when = campaign.when
    return Terms(
        multiply_pct=campaign.multiply_pct, bonus=campaign.bonus, min_spend=campaign.min_spend,
        days=[DAYS[day] for day in sorted(when.days)],
        begins=clock_of(when.from_minute) if when.from_minute is not None else "",
        ends=clock_of(when.to_minute) if when.to_minute is not None else "",
        start=when.start.isoformat() if when.start is not None else "",
        end=when.end.isoformat() if when.end is not None else "",
    )  # fmt: skip


def _form_of(visit: Visit, standing: Standing, revision: int) -> Form:
    before = _drawn_from(standing)
    if before is None:
        return Form(id=standing.id, title=standing.title, revision=revision)
    terms, decimals = _terms(before), visit.office.config.shop.decimals
    title = standing.title if standing.title != standing.id else ""
    return Form(
        id=standing.id, title=title, times_pct=before.multiply_pct, start=terms.start, end=terms.end,
        least=format_minor(before.min_spend, decimals) if before.min_spend else "", days=terms.days,  # type: ignore[arg-type]
        begins=terms.begins, ends="00:00" if terms.ends == "24:00" else terms.ends, revision=revision,
    )  # fmt: skip


async def _list(visit: Visit) -> Response:
    found = await _campaigns(visit)
    today = visit.write.local(visit.office.now).date().isoformat()
    shown = [
        _Shown(
            one,
            _said(visit, one.now) if one.now else "",
            _said(visit, one.draft) if one.draft else "",
            one.now is not None and "" < one.now.end < today,
        )
        for one in found.campaigns
    ]
    return await visit.page(
        "campaigns.html", found=found, shown=shown, days=rehearse.DAYS, can_edit=found.source != "fleet"
    )


async def _edit(visit: Visit, form: Form, fault: PageError | None = None) -> Response:
    return await visit.page(
        "campaign.html",
        status=status_of(fault) if fault else 200,
        form=form,
        fault=f"campaign_faults.{fault.hint}" if fault else "",
        weekdays=DAYS,
        times=sorted({110, 120, 150, 200, 250, 300, form.times_pct}),
        most=MULTIPLY_MAX_PCT,
        longest=DAYS_MAX,
    )


def _said(visit: Visit, terms: Terms) -> str:
    """A campaign in a line: what, from which bill on, when."""
    t, write = visit.t, visit.write
    parts = []
    if terms.multiply_pct != PLAIN_PCT:
        parts.append(t("campaigns.times", times=f"{terms.multiply_pct / PLAIN_PCT:g}"))
    if terms.bonus:
        parts.append(t("campaigns.bonus", count=write.number(terms.bonus)))
    if terms.min_spend:
        parts.append(t("campaigns.from_bill", amount=write.money(terms.min_spend)))
    if terms.days:
        parts.append(" ".join(t(f"weekdays.{day}") for day in terms.days))
    if terms.begins:
        parts.append(f"{terms.begins}–{terms.ends}")
    if terms.start and terms.end:
        parts.append(f"{terms.start} – {terms.end}")
    elif terms.start or terms.end:
        parts.append(t("campaigns.since", day=terms.start) if terms.start else t("campaigns.until", day=terms.end))
    return " · ".join(parts)


def _book(visit: Visit) -> CampaignBook:
    book = visit.office.part(CampaignBook)
    if book is None:
        raise refused("not_found", "campaigns")
    return book
