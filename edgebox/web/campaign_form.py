"""A campaign as a form, and the form as a [[campaign]]; and a campaign in a line of words.

Owns: what of a campaign the page lets people fill in. Never: its limits (edgebox/campaign_book.py), or a route.
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgebox.campaign_book import SOURCE, Change, Standing, clock_of, row_of
from edgebox.errors import ConfigError
from edgebox.loyalty.campaigns import PLAIN_PCT, Campaign
from edgebox.loyalty.windows import DAYS
from edgebox.model import format_minor
from edgebox.rules_file import read_campaigns
from edgebox.web.amounts import minor_of
from edgebox.web.refusals import refused
from edgebox.web.visit import Visit

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Id = Annotated[str, Meta(max_length=64)]
Revision = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Date = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Clock = Annotated[str, Meta(pattern=r"^(\d{2}:\d{2})?$")]


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


def change_of(visit: Visit, form: Form, standing: Standing | None) -> Change:
    """What isn't in the form stays as it stands in the file or in the change before. PageError `bad_input`: `least`."""
    least = minor_of(form.least, visit.office.config.shop.decimals) if form.least.strip() else 0
    if least is None:
        raise refused("bad_input", "amount")
    when: dict[str, Any] = {"days": [day for day in DAYS if day in form.days]} if form.days else {}
    for key, text in (("from", form.begins), ("to", form.ends), ("start", form.start), ("end", form.end)):
        when |= {key: text} if text else {}
    before = drawn_from(standing) if standing is not None else None
    row = row_of(before) if before is not None else {}
    row |= {"id": form.id, "when": when, "min_spend": least, "multiply_pct": form.times_pct}
    if form.times_pct > PLAIN_PCT and not row.get("group"):
        row["group"] = "multiplier"
    title = "".join(char for char in form.title.strip() if char.isprintable())
    return Change(id=form.id, title=title, row=row, by=visit.who)


def drawn_from(standing: Standing) -> Campaign | None:
    """What a form begins with: the draft, else what counts, else the file's."""
    if standing.draft is not None and standing.draft.is_on:
        with contextlib.suppress(ConfigError):  # one that can't be read any more is filled in anew
            return read_campaigns([standing.draft.row], SOURCE)[0]
    return standing.now or standing.filed


def in_short(change: Change) -> str:
    """For the audit."""
    if not change.is_on:
        return "off"
    when = " ".join(f"{key} {value}" for key, value in sorted(change.row.get("when", {}).items()))
    return f"{change.title} {change.row.get('multiply_pct')} % {when}".strip()


def terms_of(campaign: Campaign) -> Terms:
    """For the page and for programs."""
    when = campaign.when
    return Terms(
        multiply_pct=campaign.multiply_pct, bonus=campaign.bonus, min_spend=campaign.min_spend,
        days=[DAYS[day] for day in sorted(when.days)],
        begins=clock_of(when.from_minute) if when.from_minute is not None else "",
        ends=clock_of(when.to_minute) if when.to_minute is not None else "",
        start=when.start.isoformat() if when.start is not None else "",
        end=when.end.isoformat() if when.end is not None else "",
    )  # fmt: skip


def form_of(visit: Visit, standing: Standing, revision: int) -> Form:
    """Filled in with what stands there now."""
    before = drawn_from(standing)
    if before is None:
        return Form(id=standing.id, title=standing.title, revision=revision)
    terms, decimals = terms_of(before), visit.office.config.shop.decimals
    title = standing.title if standing.title != standing.id else ""
    return Form(
        id=standing.id, title=title, times_pct=before.multiply_pct, start=terms.start, end=terms.end,
        least=format_minor(before.min_spend, decimals) if before.min_spend else "", days=terms.days,  # type: ignore[arg-type]
        begins=terms.begins, ends="00:00" if terms.ends == "24:00" else terms.ends, revision=revision,
    )  # fmt: skip


def said(visit: Visit, terms: Terms) -> str:
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
