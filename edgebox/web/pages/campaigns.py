"""Campaigns: which count now, and changing one within limits: a draft first, what it would have given, then in force.

Owns: the page. Never: the limits (edgebox/campaign_book.py), how a form is read (edgebox/web/campaign_form.py), or what
a campaign gives. Under the fleet's rules everything here can be read, and nothing changed.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

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
)
from edgebox.errors import ConfigError, PageError
from edgebox.loyalty.windows import DAYS
from edgebox.reports import rehearse
from edgebox.reports.rehearse import Rehearsal
from edgebox.rules_file import read_campaigns
from edgebox.web.campaign_form import (
    Form,
    Id,
    Revision,
    Terms,
    change_of,
    form_of,
    in_short,
    said,
    terms_of,
)
from edgebox.web.refusals import refused, status_of
from edgebox.web.roles import MANAGERS
from edgebox.web.routes import Nav, action, api, page
from edgebox.web.visit import Visit

FRESH_S = 600  # a rehearsal is shown again for so long
REHEARSALS_MAX = 32
KEPT = "rehearsals"  # in the office's extras
DAY_S = 86_400
# Why a campaign can't be so, as of edgebox/campaign_book.py: each has a sentence.
FAULTS = frozenset({"multiply", "bonus", "end", "dates", "too_many", "bad_rules", "amount", "no_campaign"})
_REFUSALS = {"revision": "conflict", "fleet": "conflict", "no_campaign": "not_found"}


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it stood at that revision of the book."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    revision: Revision


class One(msgspec.Struct, frozen=True, kw_only=True):
    """The form for one; "": for a new one."""

    id: Id = ""


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would have given to the receipts since `since`: `touched` of `receipts`, and points."""

    since: int
    receipts: int
    touched: int
    points: int
    points_with: int


class CampaignSeen(msgspec.Struct, frozen=True, kw_only=True):
    """`now` null: it does not count. `is_filed`: it stands in the rules file. `draft_is_off`: the draft ends it;
    `draft_is_bad`: it can't be read any more."""

    id: str
    title: str
    is_filed: bool
    is_changed: bool
    now: Terms | None
    draft: Terms | None
    draft_is_off: bool
    draft_is_bad: bool
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
        form = form_of(visit, standing, book.book.revision)
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
        change = change_of(visit, form, standing)
        kept = await book.draft(change, form.revision)
    except ConfigError as fault:
        raise _refused(fault) from fault
    await visit.audit("campaign drafted", kept.id, after=in_short(kept))
    return kept


async def _done(visit: Visit, form: Named, what: str) -> None:
    book = _book(visit)
    try:
        if what == "discard":
            await book.discard(form.id, form.revision)
        elif what == "live":
            change = await book.put_in_force(form.id, form.revision)
            await visit.audit("campaign in force", form.id, after=in_short(change))
            return
        else:
            await book.stop_campaign(form.id, form.revision, visit.who)
    except ConfigError as fault:
        raise _refused(fault) from fault
    await visit.audit({"discard": "campaign discarded", "stop": "campaign stopped"}[what], form.id)


def _refused(fault: ConfigError) -> PageError:
    reason = _REFUSALS.get(fault.reason, "bad_input")
    return refused(reason, fault.reason if reason != "bad_input" or fault.reason in FAULTS else "bad_rules")


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
    wanted, rehearsal, is_bad = None, None, False
    if one.draft is not None:
        try:
            wanted = read_campaigns([one.draft.row], SOURCE)[0] if one.draft.is_on else None
            rehearsal = await _rehearsed(visit, book, one.draft)
        except ConfigError:  # the fault is told by what the page says of it
            wanted, is_bad = None, True
    return CampaignSeen(
        id=one.id, title=one.title, is_filed=one.filed is not None, is_changed=one.changed is not None,
        now=terms_of(one.now) if one.now is not None else None, draft=terms_of(wanted) if wanted is not None else None,
        draft_is_off=one.draft is not None and not one.draft.is_on, draft_is_bad=is_bad, rehearsal=rehearsal,
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


async def _list(visit: Visit) -> Response:
    found = await _campaigns(visit)
    today = visit.write.local(visit.office.now).date().isoformat()
    shown = [
        _Shown(
            one,
            said(visit, one.now) if one.now else "",
            said(visit, one.draft) if one.draft else "",
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


def _book(visit: Visit) -> CampaignBook:
    book = visit.office.part(CampaignBook)
    if book is None:
        raise refused("not_found", "campaigns")
    return book
