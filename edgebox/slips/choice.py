"""Which slips a document gets: the conditions of each template, asked in order of priority.

Owns: the conditions and how often one member may get a slip. Never: where codes and tokens come from: whoever fills the
facts finds them, and a slip whose facts can't be had is left out there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from edgebox.model import DocumentKind, TenderKind
from edgebox.slips.template import Purpose, Template

# The desk, the cloud and people ask for these; no document does.
PRINTED_BY_OCCASION = frozenset(
    (
        *(Purpose.REDEMPTION, Purpose.REFUSAL, Purpose.PICK_UP, Purpose.MALL, Purpose.MEMBER, Purpose.PRICES),
        *(Purpose.INVOICE_TITLE, Purpose.TALLY, Purpose.Z_CHECK, Purpose.PAIRING, Purpose.ORDER, Purpose.ORDER_PAID),
    )
)


class Occasion(NamedTuple):
    """One document, as conditions see it. `local`: the shop's wall clock, None when the clock isn't to be trusted.

    `known`: fields that have a value. `tier`, `segment`: of a member known at print, else "".
    """

    kind: DocumentKind
    amount_minor: int | None
    tenders: frozenset[TenderKind] = frozenset()
    local: datetime | None = None
    line: str = ""
    staff: str = ""
    table: str = ""
    tier: str = ""
    segment: str = ""
    member: str = ""
    known: frozenset[str] = frozenset()


# (member's hash, slip's name) → how often that member got it today
Served = Callable[[str, str], int]


class Choice(NamedTuple):
    """Slips in order of priority; `shadowed` would be printed if they were not in shadow mode."""

    printed: tuple[Template, ...]
    shadowed: tuple[Template, ...]


def choose(templates: Iterable[Template], occasion: Occasion, served: Served = lambda member, name: 0) -> Choice:
    """The slips whose conditions the document meets."""
    wanted = [
        one
        for one in sorted(templates, key=lambda template: (template.priority, template.name))
        if one.purpose not in PRINTED_BY_OCCASION
        and is_met(one, occasion)
        and not _had_enough(one, occasion.member, served)
    ]
    return Choice(tuple(one for one in wanted if not one.shadow), tuple(one for one in wanted if one.shadow))


def is_met(template: Template, occasion: Occasion) -> bool:
    """All conditions hold. A promotion is for those who have not reached its threshold yet."""
    conditions, amount = template.conditions, occasion.amount_minor
    if occasion.kind not in conditions.kinds or not (conditions.needs <= occasion.known):
        return False
    if conditions.unless & occasion.known or not _amount_fits(template, amount):
        return False
    if conditions.tenders and not (conditions.tenders & occasion.tenders):
        return False
    if conditions.not_tenders & occasion.tenders:
        return False
    chosen = (
        (conditions.tiers, occasion.tier),
        (conditions.segments, occasion.segment),
        (conditions.staff, occasion.staff),
        (conditions.tables, occasion.table),
        (conditions.lines, occasion.line),
    )
    return all(not allowed or value in allowed for allowed, value in chosen) and _in_time(template, occasion.local)


def missing_minor(template: Template, amount_minor: int | None) -> int:
    """What a promotion's customer still has to spend; 0: the threshold is reached, or there is none."""
    return max(0, template.threshold_minor - (amount_minor or 0))


def _amount_fits(template: Template, amount: int | None) -> bool:
    conditions = template.conditions
    if template.purpose is Purpose.PROMOTION and (amount is None or not missing_minor(template, amount)):
        return False
    if conditions.min_minor and (amount is None or amount < conditions.min_minor):
        return False
    return conditions.max_minor is None or (amount is not None and amount <= conditions.max_minor)


def _in_time(template: Template, local: datetime | None) -> bool:
    window = template.conditions.window
    return window.is_always or (local is not None and window.covers(local))


def _had_enough(template: Template, member: str, served: Served) -> bool:
    return bool(template.per_member_day and member) and served(member, template.name) >= template.per_member_day
