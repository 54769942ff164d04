"""A receipt as slips see it: the occasion that conditions ask about, and the values of `{fields}`.

Owns: where each value comes from, and links filled with a receipt's fields. Never: chooses a slip (edgebox/slips), or
hands out codes and tokens (edgebox/handout.py): those come in as values.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from edgebox.model import Receipt
from edgebox.slips.choice import Occasion, missing_minor
from edgebox.slips.facts import Facts, Money, facts, host_of
from edgebox.slips.template import Purpose, Template

LINK_SAFE = "-._"  # of a value inside a link; all else that could end or extend it is written as %XX


class Circumstances(NamedTuple):
    """What the engine knows besides the paper. `local`: the wall clock in the shop; `trusted`: it is right.

    `tier`, `segment`: of a member known at print; `tier_words`: as a slip says it.
    """

    shop: str
    line: str
    local: datetime
    trusted: bool = True
    member: str = ""
    tier: str = ""
    segment: str = ""
    tier_words: str = ""


def occasion_of(receipt: Receipt, around: Circumstances) -> Occasion:
    """What conditions are asked about."""
    return Occasion(
        kind=receipt.kind,
        amount_minor=receipt.amount_minor,
        tenders=frozenset(tender.kind for tender in receipt.tenders),
        local=around.local if around.trusted else None,
        line=around.line,
        staff=receipt.details.cashier,
        table=receipt.details.table,
        tier=around.tier,
        segment=around.segment,
        member=around.member,
        known=frozenset(name for name, value in _plain(receipt, around).items() if value),
    )


def facts_of(
    template: Template, receipt: Receipt, around: Circumstances, own: Mapping[str, str | Money] | None = None
) -> Facts:
    """The values for one slip. `own`: what was found for it alone: a claim's url and points, a coupon's code."""
    values: dict[str, str | Money] = dict(_plain(receipt, around))
    if template.link:
        values["url"] = filled_link(template.link, receipt, around)
    if template.purpose is Purpose.PROMOTION:
        for name, minor in (
            ("need", missing_minor(template, receipt.amount_minor)),
            ("threshold", template.threshold_minor),
        ):
            values[name] = Money(minor, receipt.currency, receipt.decimals)
    values |= own or {}
    url = values.get("url")
    if isinstance(url, str):
        values.setdefault("host", host_of(url))
    return facts(values)


def filled_link(link: str, receipt: Receipt, around: Circumstances) -> str:
    """The link with the receipt's fields in it, each written so that it can neither end nor extend the link."""
    values = {name: value for name, value in _plain(receipt, around).items() if isinstance(value, str)}
    values["amount_minor"] = "" if receipt.amount_minor is None else str(receipt.amount_minor)
    return "".join(
        literal + (quote(values.get(name, ""), safe=LINK_SAFE) if name else "")
        for literal, name, _, _ in string.Formatter().parse(link)
    )


def _plain(receipt: Receipt, around: Circumstances) -> dict[str, str | Money]:
    """What every slip may say."""
    amount = receipt.amount_minor
    return {
        "shop": around.shop,
        "date": around.local.strftime("%Y-%m-%d") if around.trusted else receipt.printed_date,
        "time": around.local.strftime("%H:%M") if around.trusted else receipt.printed_time[:5],
        "amount": "" if amount is None else Money(amount, receipt.currency, receipt.decimals),
        "number": receipt.number,
        "till": receipt.till,
        "staff": receipt.details.cashier,
        "table": receipt.details.table,
        "member": around.tier_words,
        "fiscal": receipt.details.fiscal,
    }
