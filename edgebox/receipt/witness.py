"""Whom to believe about money when a customer's own text stands on the paper.

Owns: `decide_by_witness`, which chooses the lines that totals.py may see. Never: arithmetic of its own.

A remark can hold anything, ruled lines that seem to end it included, and a customer knows what the order costs. So
where one was written (zones.py says where), no line is believed because of where it *seems* to stand:

    remark behind the totals      only what stands before the remark counts
    remark before the items       only what stands behind the last item counts; a forged total can't get there
    remark between the two        the total must be tied to the items before the remark, and be the only one or their
                                  sum; what says that it was paid must stand behind the total, or before the remark

Without a remark, an item may still be named `合计 9999` or `已支付`: what stands among the items must agree with what
stands around them, or be tied to them. In doubt nothing is known.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from itertools import accumulate, product
from typing import NamedTuple

from edgebox.model import Confidence
from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import FIRST_WIDE, Role
from edgebox.receipt.payments import VOUCHERS
from edgebox.receipt.sums import LABELS
from edgebox.receipt.totals import Decision, Paper, Rules, decide

_TOTALS = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE, Role.SUBTOTAL)
_STEPS = (Role.DISCOUNT, Role.SERVICE, Role.TIP, Role.TAX, Role.ROUNDING)
_FEES = (Role.SERVICE, Role.DISCOUNT)
_PAYMENTS = (Role.PAID, Role.TENDERED, Role.CHANGE)

_place = operator.attrgetter("place")
_TICKET = "its items have no prices"
_NOWHERE = 1 << 30
_ITEMS_MAX = 500  # of one receipt, added up from the last one back
# Lines of items, and no others with a number in them: no key before it, the price last but for a tax code.
_ends_in_price = re.compile(r"[^:]*[0-9][^\W\d_]?\W*$").match
_has_decimals = re.compile("[0-9][.,][0-9]{1,2}(?![0-9])").search
begins_with_count = re.compile(r"\s*[0-9]{1,3}\s?[x×*]\s").match
_is_counted = re.compile(r"\s*[0-9]{1,3}\s*[x×*]?\s").match

Where = Callable[[int], bool]  # of a line's number


class Witness(NamedTuple):
    """Where things stand that `Paper` doesn't place. `remark`: -1 without one."""

    remark: int
    items: Sequence[Entry]
    mentioned_at: Sequence[int]
    paid_at: Sequence[int]
    dishes: Sequence[int] = ()  # lines with a count and no price
    chosen: int = -1  # the first line with a customer's name or choices
    in_remarks: Sequence[Entry] = ()  # lines that a remark has swallowed, and that look like items
    counted: Sequence[int] = ()  # dishes that begin with their count, `2 x Brezel`: they only stand among items
    doubted: frozenset[int] = frozenset()  # lines that tell of a payment, and may be somebody's words


def decide_by_witness(paper: Paper, witness: Witness, rules: Rules) -> Decision:
    """The amount that was paid, by lines that no customer can have written."""
    decision = _decide(paper, witness, rules)
    if decision.minor is None:
        return decision
    if _goes_on(decision.minor, paper, witness):
        return _unknown("items follow the total", paid=decision.paid)
    if witness.doubted:
        without = _decide(*_without(paper, witness, witness.doubted), rules)
        if without.minor != decision.minor:
            return _unknown("only a line that may be somebody's words says that it is paid")
    return decision


def _without(paper: Paper, witness: Witness, doubted: frozenset[int]) -> tuple[Paper, Witness]:
    """As if these lines were not there."""
    part = _part(paper, witness, lambda place: place not in doubted)
    return part._replace(tax_totals=paper.tax_totals), witness._replace(
        mentioned_at=[place for place in witness.mentioned_at if place not in doubted],
        paid_at=[place for place in witness.paid_at if place not in doubted],
    )


def _goes_on(value: int, paper: Paper, witness: Witness) -> bool:
    """Behind the total, or whatever names the amount, stand items with their count: then it stands among them."""
    named = [e.place for e in paper.entries if e.minor == value and e.role in _TOTALS]
    label = max(named or (e.place for e in paper.entries if e.minor == value), default=_NOWHERE)
    priced = (item.place for item in witness.items if begins_with_count(item.text))
    return any(place > label for place in (*witness.counted, *priced))


def _decide(paper: Paper, witness: Witness, rules: Rules) -> Decision:
    totals = [entry.place for entry in paper.entries if entry.role in _TOTALS]
    if not totals:
        if witness.remark >= 0:
            paper = _part(paper, witness, lambda place: place < witness.remark)
        return decide(paper, rules)
    fees = (entry for entry in paper.entries if entry.role in _FEES and entry.place < totals[0])
    lines = (
        e for e in (*witness.items, *paper.bare) if e.place < totals[0] or (e.place < totals[-1] and _is_priced(e))
    )
    items = sorted(entry.place for entry in (*lines, *fees))
    if witness.chosen >= 0 and _is_ticket(witness, totals[0]):
        return _unknown(_TICKET)
    if witness.remark < 0:
        return _without_remark(paper, witness, rules, items)
    return _with_remark(paper, witness, rules, totals[0], items)


def _without_remark(paper: Paper, witness: Witness, rules: Rules, items: Sequence[int]) -> Decision:
    """All of the paper; but a total or a payment among the items may be an item's name."""
    decision = decide(paper, rules)
    if not items:
        return decision
    first = min(items[0], witness.chosen) if witness.chosen >= 0 else items[0]  # a choice may have a second line
    headed = _says_paid_above(paper, witness, first)
    frame = decide(_part(paper, witness, lambda place: place < first or place > items[-1], paid=headed), rules)
    if frame.minor == decision.minor:
        return decision
    if decision.minor is None:
        proven = frame.confidence is Confidence.HIGH
        return frame if proven and _tied(frame.minor or 0, paper, witness) else decision
    if frame.minor is not None:
        return _unknown("a total among the items differs from the one behind them", paid=decision.paid)
    if frame.paid:
        return decision
    label = max((e.place for e in paper.entries if e.minor == decision.minor and e.role in _TOTALS), default=-1)
    last = max((place for place in items if place < label), default=items[0])
    above = decide(_part(paper, witness, lambda place: place < first or place > last, paid=headed), rules)
    # Figures alone behind it are those of an item, whose name of several lines it would be.
    named = witness.chosen < 0 and not any(label < entry.place < items[-1] + 1 for entry in paper.bare)
    if above.minor == decision.minor and named and _tied(decision.minor, paper, witness):
        return decision  # what stands behind it is no item: a table of what a member would have saved
    return _unknown("only a line among the items says that it is paid")


def _says_paid_above(paper: Paper, witness: Witness, first: int) -> bool:
    """A heading says that it was paid, below an address: numbers in one have no decimals, and no item is counted yet.

    `first`: the first line with an amount. Of totals and payments that stand there nothing is believed.
    """
    amounts = sorted((*witness.items, *paper.bare, *paper.entries), key=_place)
    begins = (e.place for e in amounts if e.firm or _has_decimals(e.text) or _is_counted(e.text))
    begin = min(next(begins, _NOWHERE), witness.dishes[0] if witness.dishes else _NOWHERE)
    if witness.chosen >= 0:
        begin = min(begin, witness.chosen)
    return any(first <= place < begin for place in witness.paid_at)


def _is_priced(entry: Entry) -> bool:
    """Shaped as a price: an approval's number isn't, in the scripts whose tills print prices with decimals."""
    return entry.firm or max(entry.text, default="") >= FIRST_WIDE


def _is_ticket(witness: Witness, before: int) -> bool:
    """Dishes with counts and none with a price before that line: a kitchen's, whatever was written on it."""
    if any(_ends_in_price(item.text) and item.place < before for item in witness.items):
        return False
    return bool(witness.dishes) and (witness.chosen >= 0 or witness.dishes[0] < before)


def _with_remark(paper: Paper, witness: Witness, rules: Rules, first_total: int, items: Sequence[int]) -> Decision:
    remark, last_item = witness.remark, items[-1] if items else -1
    items_before = any(item.place < remark and _ends_in_price(item.text) for item in witness.items)
    if first_total > remark and _is_ticket(witness, remark):
        return _unknown(_TICKET)
    if first_total < remark:
        clean = decide(_part(paper, witness, lambda place: place < remark), rules)
        if clean.minor is not None or last_item < remark or items_before:
            return clean
    begin = max(last_item, remark)
    part = _part(paper, witness, lambda place: place > begin, lambda place: place < remark or place > begin)
    decision = decide(part, rules)
    if decision.minor is None:
        return decision
    has_items = bool(witness.items or witness.in_remarks or witness.dishes)
    if has_items and (items_before or last_item < remark) and not _tied(decision.minor, paper, witness):
        return _unknown("a remark may have been taken for the total", paid=decision.paid)
    return decision if last_item > remark else _between(decision, part, witness, rules)


def _between(decision: Decision, part: Paper, witness: Witness, rules: Rules) -> Decision:
    """A remark stands right before the totals: its lines may be among them."""
    value = decision.minor
    totals = [e for e in sorted(part.entries, key=_place) if e.role in (*LABELS, Role.PAID) and e.minor > 0]
    listed = sum(item.minor for item in witness.items if item.place < witness.remark)
    if len({e.minor for e in totals}) > 1 and value != listed and not _is_last_step(value, listed, totals, part):
        return _unknown("a remark may be among the totals", paid=decision.paid)
    label = max((e.place for e in part.entries if e.minor == value and e.role in LABELS), default=witness.remark)
    told = [e.place for e in part.entries if e.tender is not None or e.role in _PAYMENTS]
    told += [*witness.mentioned_at, *witness.paid_at]
    if rules.prints_after_payment or any(place >= label or place < witness.remark for place in told):
        return decision
    return _unknown("only a remark may say that it is paid")


def _is_last_step(value: int | None, listed: int, totals: Sequence[Entry], part: Paper) -> bool:
    """What the items add up to becomes `value`, the last total, by every discount and fee behind the remark.

    A forged step would have to cancel itself out, and a forged total be one of the two.
    """
    steps = sum(-abs(e.minor) if e.role is Role.DISCOUNT else e.minor for e in part.entries if e.role in _STEPS)
    return totals[-1].minor == value == listed + steps and {e.minor for e in totals} <= {value, listed}


def _part(paper: Paper, witness: Witness, stays: Where, tells: Where | None = None, *, paid: bool = False) -> Paper:
    """The lines that stay; ways of paying also from lines where `tells` holds. `paid`: something else says so."""
    tells = tells or stays
    mentioned = [way for way, place in zip(paper.mentioned, witness.mentioned_at, strict=True) if tells(place)]
    by_code = paper.says_paid and not witness.paid_at  # a fiscal code says so, which is no line
    return paper._replace(
        entries=[e for e in paper.entries if stays(e.place) or (e.role is Role.TENDER and tells(e.place))],
        bare=[entry for entry in paper.bare if stays(entry.place)],
        mentioned=mentioned,
        says_paid=by_code or paid or any(map(tells, witness.paid_at)),
        items=[entry for entry in paper.items if stays(entry.place)],
        alone=[label for label in paper.alone if stays(label.place)],
        tax_totals=frozenset(),
    )


def _tied(value: int, paper: Paper, witness: Witness) -> bool:
    """The items before the value's label add up to it, or do so by the printed discounts, fees and taxes.

    The first lines with amounts may be no items (an address), so the sum may begin later; but it leaves out no line
    behind a remark, as a customer may have put one there that adds up to a total of the customer's own.
    """
    labels = [entry.place for entry in paper.entries if entry.minor == value and entry.role in _TOTALS]
    if witness.remark >= 0:  # a card's slip below may repeat the total, and its numbers are no items
        labels = [place for place in labels if place > witness.remark][:1] or labels
    before = labels[-1] if labels else _NOWHERE
    lines = sorted((*witness.items, *witness.in_remarks), key=_place) if witness.in_remarks else witness.items
    priced = [item for item in lines if item.place < before and _ends_in_price(item.text)]
    clean = sum(item.place < witness.remark for item in priced)
    sums = {role: sum(abs(e.minor) for e in paper.entries if e.role is role) for role in _STEPS}
    vouchers = sum({e.minor for e in paper.entries if e.tender in VOUCHERS and e.minor > 0})
    steps = (sums[Role.DISCOUNT], sums[Role.SERVICE] + sums[Role.TIP], sums[Role.TAX], sums[Role.ROUNDING], vouchers)
    wanted = {
        value + discount - fees - tax + rounding * sign + voucher
        for discount, fees, tax, rounding, voucher in product(*((0, step) for step in steps))
        for sign in (1, -1)
    }
    grosses = list(accumulate(item.minor for item in reversed(priced[-_ITEMS_MAX:])))
    return not wanted.isdisjoint(grosses[-clean:] if clean else grosses[-1:] if witness.remark >= 0 else grosses)


def _unknown(reason: str, *, paid: bool = False) -> Decision:
    return Decision(None, Confidence.LOW, (reason,), paid)
