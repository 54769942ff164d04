"""Which lines may decide anything, and which were written by a customer or about one.

Owns: `Zones`, told every line once and in order. Never: what a trusted line means.

A customer's remark may contain `合计 9999 收您 10000 找零 1` or `退货`. So what follows a remark's key counts for
nothing until a ruled line or the heading of the items ends it; behind a key without a colon (`NOTE`, which heads bills
as well) a line with a total's label and amount does so too. A customer's name, and lines that begin with a bullet
(the choices under an item) in a script that tills don't use bullets for, count for nothing; what follows them, up to a
ruled line or the next key, is neither total nor payment. A kind's word alone on its line counts there all the same: the
till's own heading may follow a name, and no kind that a customer can write earns what a sale wouldn't.

A customer can write ruled lines and totals too. So `remark` tells where such text began, and witness.py believes no
line behind it that it need not.
"""

from __future__ import annotations

import re
from enum import IntEnum
from unicodedata import east_asian_width

from edgebox.receipt.headings import Headings
from edgebox.receipt.lexicon import Key

_MARKS = r"\-=*_~#+.\u2014\u2500\u2501\u2550"
_plain = re.compile(rf"^\s*([{_MARKS}])(?:\s?\1){{5,}}\s*$").match
_six_marks = re.compile(rf"[{_MARKS}](?:\s?[{_MARKS}]){{5}}").search  # any six; asked first, as it is quick
_six_alike = re.compile(rf"([{_MARKS}])(?:\s?\1){{5}}").search
_framed = re.compile(r"\s*(?:--|\*\*).*(?:--|\*\*)\s*$").match
_BULLETS = "\u25cf*\u00b7\u2022\u25cb\u25c6>"
_is_extra = re.compile(r"\s+[+>]\s?[a-z]").match  # `  + no onions`, in the scripts where other marks are titles'
_NO_KEY_OF_ITS_OWN = (None, Key.PAID, Key.KIND, Key.REPORT)  # a name that goes on may hold what a customer gains by
_PAPER_COLUMNS = (32, 42, 48)  # of printers of 58 and 80 mm: a line as long as one of them goes on in the next
_TOTAL_LETTERS = 8  # the shortest line with a label and an amount: `TTL 1.00`


def is_rule(text: str) -> bool:
    """A line that parts two zones: six or more of one mark, or words between double marks."""
    return (_six_marks(text) is not None and _six_alike(text) is not None) or _framed(text) is not None


def is_plain_rule(text: str) -> bool:
    """A line of one mark and nothing else."""
    return _plain(text) is not None


class Trust(IntEnum):
    """What a line may decide."""

    NONE = 0  # nothing: a customer wrote it
    PARTS = 1  # discounts, fees and a kind's heading, but neither total nor payment
    FULL = 2


class Zones:
    """Follows one document.

    `remark`: the number of the first line that a customer wrote freely, -1 without one. `chosen`: that of the first
    line with a customer's name or choices.
    """

    __slots__ = ("_full_line", "_headings", "_in_remark", "_is_loose", "_until_key", "chosen", "remark")

    def __init__(self, headings: Headings) -> None:
        self._headings = headings
        self.remark = -1
        self.chosen = -1
        self._in_remark = False
        self._is_loose = False  # the remark's key stands alone on its line, without a colon
        self._until_key = Trust.FULL  # what lines behind a customer's name or choice may decide, until a key
        self._full_line = False

    @property
    def in_remark(self) -> bool:
        """The line was, or may have been, written freely by a customer."""
        return self._in_remark

    def may_end(self, text: str) -> bool:
        """The line is in a remark that a total ends, and is long enough for one."""
        return self._in_remark and self._is_loose and text.isascii() and len(text) >= _TOTAL_LETTERS

    def end_remark(self) -> None:
        """A total's line: what follows is the till's again. witness.py still knows that a remark stood there."""
        self._in_remark = False

    def trust(self, text: str, key: Key | None, place: int, printed: str) -> Trust:
        """How far this line is believed. `key`: what it announces, if anything; `printed`: before it was normalised."""
        if self._in_remark:
            return self._remark_line(text)
        if key is Key.REMARK:
            self._in_remark, self._full_line, self._until_key = True, False, Trust.FULL
            self._is_loose = ":" not in text and text.isascii()
            self.remark = place if self.remark < 0 else self.remark
            return Trust.NONE
        if key is not None and ":" not in text and self._headings.heads(text):
            key = None  # `名称  数量  单价`
        goes_on, self._full_line = self._full_line and key in _NO_KEY_OF_ITS_OWN, False
        if goes_on:
            self._full_line = _fills_a_line(printed)  # even a rule may be the name's
            return Trust.NONE
        if _plain(text) or (self._until_key < Trust.FULL and self._headings.heads(text)):
            self._until_key = Trust.FULL
            return Trust.FULL
        is_choice = not text.isascii() and _is_bullet(text.lstrip()[:2])
        is_choice = is_choice or _is_extra(text) is not None
        if key is not None or (not is_choice and is_rule(text)):
            self._until_key = Trust.FULL
        if key is Key.CUSTOMER and not text.isascii():
            self._until_key = Trust.PARTS
            self.chosen = place if self.chosen < 0 else self.chosen
        if key in (Key.CUSTOMER, Key.PERSON):
            self._full_line = _fills_a_line(printed)
            return Trust.NONE
        if is_choice:
            self._until_key = Trust.PARTS  # a note may have a second line
            self.chosen = place if self.chosen < 0 else self.chosen
            return Trust.NONE
        return self._until_key

    def _remark_line(self, text: str) -> Trust:
        if _plain(text) or self._headings.heads(text):
            self._in_remark = False
            return Trust.FULL
        self._in_remark = not is_rule(text)  # a title between marks ends it; it may be the customer's own
        return Trust.NONE


def _is_bullet(begin: str) -> bool:
    """One mark before a word; two of the same are the frame of a title."""
    return begin[:1] in _BULLETS and begin[1:] != begin[:1]


def _fills_a_line(text: str) -> bool:
    """As long as the paper is wide, but for the last wide letter that had no room; two columns are no such text."""
    if "   " in text.strip():
        return False
    columns = len(text) + sum(east_asian_width(letter) in "WF" for letter in text)
    return any(width - 1 <= columns <= width for width in _PAPER_COLUMNS)
