"""What kind of document it is, from the words that stand alone, stand out or stand on top.

Owns: `KindFinder` and the order of precedence. Never: amounts.

A kind's word counts when it is a line of its own (marks and brackets around it don't matter), when it is the value of
a key such as `交易类型:`, or, for unmistakable words, inside a short line that is emphasised or among the first lines.
`bar`, `note` or `取消` inside another line mean nothing. Amounts on the line mean that it is no heading; a number
alone may be the document's: `Gutschrift Nr. 123`, `退货单 000123`. Such a line counts at the top.
"""

from __future__ import annotations

import re

from edgebox.model import DocumentKind as Kind
from edgebox.model import Modifier
from edgebox.receipt.lexicon import Lexicon

HEADER_LINES = 8  # printed lines that count as the top: name, address, telephone, then what it is
HEADING_LETTERS = 18  # most letters besides the word itself: a heading, not a sentence

NUMBER_LETTERS = 2  # `Nr`, `No`, `N°` between a kind's word and the document's number
_is_money = re.compile(r"[.,][0-9]{1,2}(?![0-9])|[0-9],[0-9]{3}|[$¥€£₩円元圆圓원%]").search

PRECEDENCE = (
    Kind.TRAINING,
    Kind.VOID,
    Kind.REFUND,
    Kind.REPORT,
    Kind.KITCHEN,
    Kind.MERCHANT_COPY,
    Kind.PRE_BILL,
    Kind.QUOTE,
    Kind.STORED_VALUE,
    Kind.DEPOSIT,
    Kind.PICK_UP,
    Kind.DELIVERY_PLATFORM,
    Kind.CARD_SLIP,
)


def is_numbered(text: str) -> bool:
    """The numbers of a normalised line are no money: a document's or a table's."""
    return _is_money(text) is None


class KindFinder:
    """Collects what the lines say; `kind()` weighs it."""

    __slots__ = ("_lexicon", "found", "modifiers")

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.found: dict[Kind, str] = {}  # and what of the paper said so; never its text
        self.modifiers: list[Modifier] = []

    def add(
        self, parts: tuple[str, ...], place: int, *, emphasised: bool, key_value: bool, is_numbered: bool = False
    ) -> None:
        """A trusted line without amounts, or with a number. `place`: its own; `key_value`: it is `key: value`."""
        words = self._lexicon.kind_words(parts)
        if words.leftover <= (NUMBER_LETTERS if is_numbered else 0):
            for kind in words.kinds:
                self.say(kind, "a line of its own")
            self._modify(words.modifiers)
        if key_value or not (emphasised or place < HEADER_LINES):
            return
        if words.modifiers and words.leftover <= HEADING_LETTERS // 2:
            self._modify(words.modifiers)
        loose = self._lexicon.loose_kinds(parts)
        if loose.kinds and loose.leftover <= HEADING_LETTERS:
            for kind in loose.kinds:
                self.say(kind, "its heading")

    def add_value(self, parts: tuple[str, ...]) -> None:
        """The value behind a key that names the kind of transaction."""
        words = self._lexicon.kind_words(parts)
        loose = self._lexicon.loose_kinds(parts)
        for kind in (*(words.kinds if not words.leftover else ()), *loose.kinds):
            self.say(kind, "its type")

    def say(self, kind: Kind, where: str) -> None:
        """Something says that this is such a document; the first one is remembered."""
        self.found.setdefault(kind, where)

    def kind(self) -> Kind | None:
        """The kind that takes precedence among those named; None: no words for any."""
        return next((kind for kind in PRECEDENCE if kind in self.found), None)

    def _modify(self, modifiers: tuple[Modifier, ...]) -> None:
        self.modifiers += [modifier for modifier in dict.fromkeys(modifiers) if modifier not in self.modifiers]
