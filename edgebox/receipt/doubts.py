"""What speaks against a total that is known by its label alone.

Owns: `doubted`. Never: finds another total (sums.py), nor doubts one that a payment proves. A label may be a word that
means something else on this till, or the real total's label may be one that no word explains; then the amounts around
it rarely fit. In doubt nothing earns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgebox.receipt.entries import Entry
from edgebox.receipt.lexicon import Role
from edgebox.receipt.payments import Paper
from edgebox.receipt.sums import LABELS, STEPS, TOTALS, Sums

_PAIRS_MAX = 24  # amounts behind a total that are added up in pairs
NOTE = 500  # minor units that notes and large coins are multiples of: what a customer hands over
_NEAR_LINES = 4  # between a total and the next, with fees and taxes between them
_has_two_decimals = re.compile(r"[0-9][.,][0-9]{2}(?![0-9])").search
_ANY_MIN = 3  # so many amounts with both decimals, and none without, and the till never leaves them out


def doubted(value: int, paper: Paper, sums: Sums, *, is_borne_out: bool) -> str:
    """Why `value`, the only total by its label, may be something else; "" if nothing speaks against it.

    `is_borne_out`: items, taxes or another total add up to it.
    """
    named = [e for e in paper.entries if e.minor == value and e.role in TOTALS]
    if not named:
        return ""
    place = max(entry.place for entry in named)
    behind = [e for e in (*paper.items, *paper.bare) if e.firm and e.place > place]
    if _is_parted(value, behind):
        return "two amounts behind it add up to it"
    if _is_to_sign(place, paper):
        return "tip and total are blank below it, and no items above"
    changed = _changed_behind(value, named, paper, sums)
    if changed:
        return changed
    if is_borne_out:
        return ""
    if _is_outgrown(value, place, behind, paper):
        return "a larger amount stands behind it"
    if not any(e.role in LABELS for e in named) and _is_handed_over(value, place, paper):
        return "it may be what was handed over"
    if _lost_its_mark(named, paper):
        return "it has lost its decimals"
    return ""


def _is_to_sign(place: int, paper: Paper) -> bool:
    """A card terminal's slip, whose tip and total the customer writes in."""
    blank = {alone.label.role for alone in paper.alone if alone.place > place}
    return {Role.TIP, Role.NET} <= blank and not any(item.firm and item.place < place for item in paper.items)


def _changed_behind(value: int, named: Sequence[Entry], paper: Paper, sums: Sums) -> str:
    """A discount or one tip behind it, and nothing printed that it becomes: the total to pay was not read.

    Unless `value` is what is left after that discount; then it is printed again for the customer's pleasure.
    """
    place = max(entry.place for entry in named)
    behind = [e for e in paper.entries if e.place > place and e.minor and e.firm]
    tips = {e.minor for e in behind if e.role is Role.TIP and e.minor > 0}
    if len(tips) == 1:  # a table of proposals has several
        return "a tip is printed behind it"
    if any(e.role in (Role.PAID, Role.ROUNDED) for e in named):
        return ""
    for step in {abs(e.minor) for e in behind if e.role is Role.DISCOUNT}:
        if not sums.is_printed(value + step) and not sums.lists(value + step):
            return "a discount is printed behind it"
    return ""


def _is_parted(value: int, behind: Sequence[Entry]) -> bool:
    """`TOTAL 51.00, ? 5.10, ? 45.90, ? 45.90`: the last is what was paid. A tax and its base are printed once."""
    minors = [entry.minor for entry in behind if 0 < entry.minor < value][:_PAIRS_MAX]
    return any(value - minor in minors and minors.count(max(minor, value - minor)) > 1 for minor in minors)


def _is_outgrown(value: int, place: int, behind: Sequence[Entry], paper: Paper) -> bool:
    """Next to it, but for fees and taxes, stands a larger amount whose label no word explains, and it is no note's."""
    named = (e for e in paper.entries if e.place > place and e.role not in STEPS)
    others = sorted((*named, *behind), key=lambda entry: entry.place)[:1]
    return any(
        entry.role is Role.ITEM and entry.minor > value and entry.minor % NOTE and entry.place - place <= _NEAR_LINES
        for entry in others
    )


def _is_handed_over(value: int, place: int, paper: Paper) -> bool:
    """Only `paid` is printed beside it, and less is due; or two amounts, right above and behind it, add up to it."""
    others = [e for e in (*paper.items, *paper.bare, *paper.entries) if e.firm and 0 < e.minor < value]
    above = max((e.place for e in others if e.place < place), default=-1)
    first = {e.minor for e in others if e.place == above}
    if any(e.role in (Role.DUE, Role.SUM) for e in others):
        return True
    return any(value - e.minor in first for e in others if e.place > place)


def _lost_its_mark(named: Sequence[Entry], paper: Paper) -> bool:
    """It is printed whole, and all other amounts with two decimals."""
    if any(_has_two_decimals(entry.text) for entry in named):
        return False
    others = [e for e in (*paper.items, *paper.entries) if e.firm and e.minor and e not in named]
    return len(others) >= _ANY_MIN and all(_has_two_decimals(entry.text) for entry in others)
