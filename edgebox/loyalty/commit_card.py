"""Commit-and-save cards (先享卡): which receipts are a step of a commitment, and which step a refund takes back.

Owns: the rules as types, how many times a receipt counts, names of bills and serials, and the matching of refunds.
Never: reads a file or the disk, or knows how far a member is: that is the cloud's, which tells WeChat each step once
(add-user-records: a serial of at most 32 letters, INCREASE or DECREASE, one record a call; notes §4).

A bill is known by what is printed on it: number, day, and the till where numbers are a till's own. So a copy, a reprint
and a replay name the same bill, the serial is the same, and there is no second step. A bill that was voided and settled
again under its old number is the next settlement of the same bill, with a serial of its own. A receipt without number
or day is known by its document: its copy can't be told from another sale and must say that it is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import tzinfo
from fnmatch import fnmatchcase
from typing import NamedTuple

from edgebox.loyalty.windows import ALWAYS, When, Window
from edgebox.model import DocumentKind, Item, Modifier, NumberScope, Receipt
from edgebox.receipt.words import normalise

SERIAL_CHARS = 32  # WeChat's limit for an objective's serial
COUNT_MAX = 100  # of one receipt: more is a wholesale order or a misread quantity
_LABEL = b"edgebox commit card v1"
_COPIES = frozenset({Modifier.REPRINT, Modifier.COPY})


class CommitCard(NamedTuple):
    """One commitment. `match`: items that count, as patterns (normalised); (): every sale. `per_item`: each piece
    counts, not each receipt. `min_spend`: of the receipt, minor units."""

    id: str
    min_spend: int = 0
    match: tuple[str, ...] = ()
    per_item: bool = False
    when: Window = ALWAYS


class Step(NamedTuple):
    """An INCREASE. `bill`: as `bill_of`; `is_undone`: something took it back already."""

    serial: str
    card: str
    member: str
    times: int
    amount_minor: int
    bill: str
    at: int
    is_undone: bool = False


class Refund(NamedTuple):
    """What a refund or void says of itself. `number`: printed on it, its own or the sale's; `member` "": not named."""

    number: str
    day: str
    member: str
    amount_minor: int
    is_void: bool = False


def counts(cards: Iterable[CommitCard], receipt: Receipt, when: When, zone: tzinfo) -> tuple[tuple[str, int], ...]:
    """How many steps of each card this receipt is; nothing for what is no paid sale, or only a copy of one."""
    if receipt.kind is not DocumentKind.SALE or not receipt.qualifies or _COPIES & set(receipt.modifiers):
        return ()
    found = ((card.id, _count(card, receipt, when, zone)) for card in cards)
    return tuple((name, count) for name, count in found if count)


def bill_of(number: str, day: str, till: str, scope: NumberScope) -> str:
    """The bill's name, number first; "": nothing printed names it."""
    if not number or not day:
        return ""
    return f"{number}/{day}/{till if scope is NumberScope.TILL else ''}"


def increase_serial(store: int, card: str, bill: str, settlement: int) -> str:
    """Of a step. `settlement`: how often the bill was voided before."""
    return _serial(b"increase", str(store), card, bill, str(settlement))


def decrease_serial(store: int, undoes: str) -> str:
    """Of what takes that step back: it can only be taken back once."""
    return _serial(b"decrease", str(store), undoes)


def undone_by(refund: Refund, steps: Iterable[Step], cards: Iterable[CommitCard]) -> list[Step]:
    """The steps that a refund takes back; [] if it can't be known which, or what remains of the sale still counts.

    `steps`: of bills with the refund's number, and of its member on its day. A number alone is not enough: where
    numbers begin anew each day, the refund's own may be an older sale's. One whose bill has nothing left to take back
    is a copy.
    """
    known = sorted(steps, key=lambda step: (step.at, step.serial), reverse=True)
    by_number = [step for step in known if _is_of(refund, step)]
    chosen = by_number or [step for step in known if _is_same_sale(refund, step) and not step.is_undone]
    if not chosen:
        return []
    least = {card.id: card for card in cards}
    same = (step for step in known if step.bill == chosen[0].bill and not step.is_undone)
    return [step for step in same if _is_over(refund, step, least.get(step.card))]


# -- inside


def _count(card: CommitCard, receipt: Receipt, when: When, zone: tzinfo) -> int:
    amount = receipt.amount_minor
    if amount is None or amount < max(card.min_spend, 1):
        return 0
    if not card.when.is_always and not (when.trusted and card.when.covers(when.local(zone))):
        return 0
    pieces = sum(_pieces(item) for item in receipt.details.items if _matches(card, item)) if card.match else 1
    return min(pieces, COUNT_MAX) if card.per_item else min(pieces, 1)


def _matches(card: CommitCard, item: Item) -> bool:
    return item.amount_minor > 0 and any(fnmatchcase(normalise(item.name), pattern) for pattern in card.match)


def _pieces(item: Item) -> int:
    """Whole pieces; what is sold by weight is one."""
    whole, part = divmod(item.quantity_milli, 1000)
    return max(1, whole) if not part else 1


def _is_of(refund: Refund, step: Step) -> bool:
    number, day, _ = f"{step.bill}//".split("/", 2)
    if not refund.number or number != refund.number or refund.amount_minor > step.amount_minor:
        return False
    if refund.member and refund.member != step.member:
        return False
    return day == refund.day or refund.amount_minor == step.amount_minor


def _is_same_sale(refund: Refund, step: Step) -> bool:
    """Without a number that leads anywhere: the member's last sale of that amount, on that day."""
    return bool(refund.member) and refund.member == step.member and refund.amount_minor == step.amount_minor


def _is_over(refund: Refund, step: Step, card: CommitCard | None) -> bool:
    """Nothing of the sale is left, or less than counts. What part of its items is left can't be known."""
    left = step.amount_minor - refund.amount_minor
    return refund.is_void or left <= 0 or (card is not None and left < card.min_spend)


def _serial(kind: bytes, *parts: str) -> str:
    text = b"\0".join((_LABEL, kind, *(part.encode() for part in parts)))
    return hashlib.sha256(text).hexdigest()[:SERIAL_CHARS]
