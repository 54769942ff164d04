"""Does a line hold somebody's own words behind a key: a guest's name, a table's, a note?

Owns: `OthersWords`, and `doubted_lines` of a whole paper. Never: decides a kind or amount; it is asked of lines that
tell of a payment. Tills have more keys than anybody can list (`Reserva:`, `Para:`, `预订人:`), and what is typed in
behind one may be `PAID`. So a payment is told only behind a key that itself is a word of payment, a total, a number or
a time; behind any other, and behind the words for people and tables, somebody else may speak.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgebox.receipt.details import Kept
from edgebox.receipt.entries import EntryCollector
from edgebox.receipt.fieldwords import LABEL_LETTERS, FieldKey
from edgebox.receipt.lexicon import Key, Lexicon, Role
from edgebox.receipt.words import tokens
from edgebox.receipt.wraps import Wraps, is_parted

_parts = re.compile(r"\s{2,}|[,;]").split  # `实付 72.00 元,支付方式:微信`
_has_letter = re.compile(r"[^\W\d_]").search
_has_digit = re.compile("[0-9]").search
_CURRENCY_LETTERS = 6  # before an amount: a blank, `HKD`, a point and a minus
_OF_OTHER_THINGS = (Role.IGNORE, Role.TOPUP, Role.ROUNDING, Role.DISCOUNT, Role.TIP, Role.SERVICE, Role.TAX)
_PAYMENTS = (Role.PAID, Role.TENDER, Role.TENDERED, Role.CHANGE)
_PEOPLE = (Key.PERSON, Key.CUSTOMER, Key.REMARK)
_TILLS = (Key.KIND, Key.NUMBER, Key.TILL, Key.REPORT, Key.PAID)
_TYPED_IN = (FieldKey.CASHIER, FieldKey.TABLE, FieldKey.MEMBER, FieldKey.OPENED)


class OthersWords:
    """Asked of normalised lines."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def are(self, text: str) -> bool:
        """The line begins with such a key."""
        first = text.replace(":", " ").split(maxsplit=1)[:1]
        if not first:
            return False
        if self._lexicon.fields.field(first[0]) in (FieldKey.CASHIER, FieldKey.TABLE):
            return True
        if self._lexicon.first_key(tokens(text)) in _PEOPLE:
            return True
        key, colon, value = text.partition(":")
        value = value.strip()
        if not colon or len(key) > LABEL_LETTERS or not value or not _has_letter(key):
            return False
        if key[-1].isdigit() and value[0].isdigit():
            return False  # `Closed 18:30`
        return not any(self._is_tills(part.strip(), value) for part in (key, _parts(key)[-1]))

    def _is_tills(self, key: str, value: str) -> bool:
        lexicon = self._lexicon
        parts = tokens(key)
        label = lexicon.label(key)
        if label.explained and (label.role not in _OF_OTHER_THINGS or _has_digit(value[:_CURRENCY_LETTERS])):
            return True  # `Delivery: 3.00`; whatever else stands behind such a key isn't the till's
        if not parts or lexicon.key(key) in _TILLS:
            return True
        field = lexicon.fields.field(key)
        return (field is not None and field not in _TYPED_IN) or lexicon.tells_payment(parts)


def doubted_lines(
    lexicon: Lexicon, found: EntryCollector, said_at: Iterable[int], lines: Sequence[Kept]
) -> frozenset[int]:
    """Numbers of lines that tell of a payment, and may be somebody's words: behind a key, or the end of a name.

    `said_at`: lines that say so without an amount.
    """
    ways = {entry.place for entry in found.entries if entry.role in _PAYMENTS}
    told = {*said_at, *ways}
    if not told:
        return frozenset()
    others = OthersWords(lexicon)
    items = {item.place for item in found.items}
    closed = {entry.place for listed in (found.entries, found.bare, found.alone) for entry in listed} | items

    def is_closed(place: int) -> bool:
        text = lines[place].text
        return (place in closed or is_parted(text)) and not others.are(text)

    wraps = Wraps([kept.line for kept in lines], is_closed)

    def is_typed_in(place: int) -> bool:
        text = lines[place].text
        return (":" in text or place not in closed) and others.are(text)

    typed_in = wraps.goes_on(is_typed_in)
    beside_items = ways & items  # `Seat 4 Cash 30.00 Change 5.00`: what stands first is no word of the till's
    return frozenset(
        place
        for place in told
        if place in beside_items or place in typed_in or others.are(lines[place].text) or wraps.may_go_on(place)
    )
