"""What a customer is handed with a receipt: the slips chosen for it, filled, set, and what becomes of their codes.

Owns: which slips a document may get at all, the codes that are taken for it, and how often a member got which slip
today. Never: mints a claim (edgebox/awards.py), writes to the disk, or decides a template's conditions
(edgebox/slips/choice.py).

A code that is taken is used: it goes onto this paper or it is burnt, so that none is ever printed twice. Only one that
has never left the engine (its slip had no room) goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from edgebox.awards import Award
from edgebox.escpos.compose import Press
from edgebox.loyalty.comeback import Terms
from edgebox.model import Confidence, DocumentKind, Modifier, Receipt
from edgebox.slip_facts import Circumstances, facts_of, occasion_of
from edgebox.slips.choice import choose
from edgebox.slips.facts import Money
from edgebox.slips.strip import EMPTY, Chosen, Means, Strip, strip
from edgebox.slips.template import Placement, Purpose, Template

# A copy must not hand out a second coupon; what is the same on every copy may stand on it.
ON_COPIES = frozenset({Purpose.CLAIM, Purpose.INVOICE})
# Worth something, so only with a sale that is sure and paid.
WORTH_SOMETHING = frozenset({Purpose.CLAIM, Purpose.COUPON, Purpose.COMEBACK, Purpose.PROMOTION, Purpose.INVOICE})
WITH_A_CODE = frozenset({Purpose.COUPON, Purpose.COMEBACK})
SERVED_MAX = 100_000  # members and slips of one day; beyond it the day begins anew, and a few get a slip more


class Taken(NamedTuple):
    """A code that was taken for a slip. `ref` names it to its source: a row of its pool, or a comeback coupon's serial;
    `values` are the slip's fields; `terms`: of a comeback coupon."""

    purpose: Purpose
    slip: str
    ref: int
    values: Mapping[str, str | Money]
    pool: str = ""
    stock: str = ""
    terms: Terms | None = None


class Source(Protocol):
    """Where codes come from: at hand, without a disk or a network."""

    def take(self, template: Template, receipt: Receipt, around: Circumstances) -> Taken | None:
        """A code for this slip, now used; None: there is none."""

    def give_back(self, taken: Taken) -> None:
        """It has not left the engine."""


class Handed(NamedTuple):
    """What a document gets. `shadowed`: slips that would be printed but for shadow mode; `own`: a slip of its own,
    behind the document's cut."""

    strip: Strip = EMPTY
    own: Strip = EMPTY
    taken: tuple[Taken, ...] = ()
    shadowed: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All slips in it."""
        return (*self.strip.names, *self.own.names)


NOTHING = Handed()


class Handout:
    """The shop's slips. `sources`: by purpose; `before`: the handout that this one takes over from."""

    def __init__(
        self,
        templates: Iterable[Template],
        means: Means,
        sources: Mapping[Purpose, Source] | None = None,
        *,
        before: Handout | None = None,
    ) -> None:
        self.templates = tuple(templates)
        self._means = means
        self._sources = dict(sources or {})
        self._served: Counter[tuple[str, str]] = before._served if before else Counter()
        self._day: date = before._day if before else date.min

    def hand(self, receipt: Receipt, award: Award, hours: int, around: Circumstances, press: Press) -> Handed:
        """The slips for a receipt. `hours`: how long its claim is good."""
        self._turn_to(around)
        allowed = [one for one in self.templates if _may_get(one, receipt, award)]
        choice = choose(allowed, occasion_of(receipt, around), self.served)
        taken: list[Taken] = []
        chosen = [self._filled(one, receipt, award, hours, around, taken) for one in choice.printed]
        with_facts = [one for one in chosen if one is not None]
        inline = [one for one in with_facts if one.template.placement is Placement.BEFORE_CUT]
        own = [one for one in with_facts if one.template.placement is Placement.OWN_SLIP]
        handed = Handed(
            strip(inline, press, self._means) if inline else EMPTY,
            strip(own, press, self._means) if own else EMPTY,
            (),
            tuple(one.name for one in choice.shadowed),
        )
        kept = tuple(one for one in taken if one.slip in handed.names)
        for one in taken:
            if one not in kept:
                self._sources[one.purpose].give_back(one)
        return handed._replace(taken=kept)

    @property
    def takes_codes(self) -> bool:
        """One of the slips uses up a code, or is counted by member."""
        return any(one.purpose in self._sources or one.per_member_day for one in self.templates)

    def names(self, purpose: Purpose) -> frozenset[str]:
        """The slips of this purpose."""
        return frozenset(one.name for one in self.templates if one.purpose is purpose)

    def served(self, member: str, slip: str) -> int:
        """How often a member got a slip today."""
        return self._served[member, slip]

    def note(self, member: str, slips: Sequence[str], day: date) -> None:
        """A member got slips on a day; of an older day it is forgotten."""
        if not member or day < self._day:
            return
        if day > self._day or len(self._served) > SERVED_MAX:
            self._served.clear()
            self._day = day
        for slip in slips:
            self._served[member, slip] += 1

    # -- inside

    def _turn_to(self, around: Circumstances) -> None:
        today = around.local.date()
        if around.trusted and today > self._day:
            self._served.clear()
            self._day = today

    def _filled(
        self,
        template: Template,
        receipt: Receipt,
        award: Award,
        hours: int,
        around: Circumstances,
        taken: list[Taken],
    ) -> Chosen | None:
        """The slip with its values; None: it needs a code and there is none."""
        own: Mapping[str, str | Money] = {}
        if template.purpose is Purpose.CLAIM:
            amount = Money(award.amount_minor, receipt.currency, receipt.decimals)
            own = {"url": award.url, "points": str(award.points), "hours": str(hours or ""), "amount": amount}
        elif template.purpose in self._sources:
            found = self._sources[template.purpose].take(template, receipt, around)
            if found is None:
                return None
            taken.append(found)
            own = found.values
        elif template.purpose in (Purpose.COUPON, Purpose.SOURCE, Purpose.COMEBACK):
            return None
        return Chosen(template, facts_of(template, receipt, around, own))


def _may_get(template: Template, receipt: Receipt, award: Award) -> bool:
    """Whether any document like this may get such a slip, whatever the template's own conditions say."""
    purpose = template.purpose
    if purpose is Purpose.CLAIM:
        return bool(award.url)
    is_copy = award.again or bool({Modifier.REPRINT, Modifier.COPY} & set(receipt.modifiers))
    if is_copy and purpose not in ON_COPIES:
        return False
    if award.revision and purpose in WITH_A_CODE:
        return False  # a bill settled again, or printed on two lines at once, has had its coupon
    if purpose in WORTH_SOMETHING:
        return receipt.kind is DocumentKind.SALE and receipt.qualifies
    if purpose is Purpose.PAYMENT:
        return bool(receipt.amount_minor) and receipt.confidence is not Confidence.LOW
    return True
