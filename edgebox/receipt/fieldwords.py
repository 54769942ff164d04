"""Which key names which field, and which line of a till's report names which figure.

Owns: `FieldKey`, `ShiftKey` and `FieldWords`, built from the `[field]` and `[shift]` tables of `config/lexicon/*.toml`.
Never: amounts or kinds (lexicon.py). A key must be one of the words whole, digits and punctuation aside: what stands in
these fields decides nothing, so a word that is not known is only a field that is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from edgebox.receipt.words import normalise, tokens

_CACHE_MAX = 4096  # labels remembered; a shop's forms have some dozens
_column = re.compile(r"\s{2,}|\t").split
LABEL_LETTERS = 28  # longest text before a colon that may be a key


class FieldKey(StrEnum):
    """What a key announces. The four times in the order in which they are believed."""

    SETTLED = "settled"  # when it was paid
    DATE = "date"
    OPENED = "opened"  # when the table was opened, until when a coupon is good, when the courier comes
    PRINTED = "printed"  # when this paper was printed: a reprint has another
    CASHIER = "cashier"
    TABLE = "table"
    TRANSACTION = "transaction"
    MEMBER = "member"


class ShiftKey(StrEnum):
    """What a figure of a report is."""

    COUNT = "count"
    SUM = "sum"
    REFUND = "refund"
    REFUNDS = "refunds"
    SINCE = "since"
    UNTIL = "until"


_K = TypeVar("_K", FieldKey, ShiftKey)
Tables = Iterable[Mapping[str, Mapping[str, Sequence[str]]]]


class FieldWords:
    """The words of all languages in use."""

    def __init__(self, tables: Tables) -> None:
        listed = list(tables)
        self._fields = _words(listed, "field", FieldKey)
        self._shift = _words(listed, "shift", ShiftKey)
        self._known: dict[str, FieldKey | None] = {}

    def field(self, label: str) -> FieldKey | None:
        """What a normalised label announces."""
        if label not in self._known:
            if len(self._known) >= _CACHE_MAX:
                self._known.clear()
            self._known[label] = self._fields.get(_joined(label))
        return self._known[label]

    def shift(self, label: str) -> ShiftKey | None:
        """What a normalised label of a report says."""
        return self._shift.get(_joined(label))


def _words(tables: Tables, section: str, kind: type[_K]) -> dict[str, _K]:
    out: dict[str, _K] = {}
    for table in tables:
        for name, words in table.get(section, {}).items():
            for word in words:
                out.setdefault(_joined(normalise(word)), kind(name))
    return out


def _joined(label: str) -> str:
    return "".join(part for part in tokens(label) if not part.isdigit())


def pairs(text: str) -> list[tuple[str, str]]:
    """`key: value` pairs of a normalised line, by columns: `table: a4    guests: 3` has two. No key: ("", text)."""
    out: list[tuple[str, str]] = []
    label = ""
    for column in _column(text.strip()):
        before, colon, after = column.partition(":")
        if colon and before and not before[-1].isdigit() and len(before) <= LABEL_LETTERS:
            label = before.strip()
            if after.strip():
                out.append((label, after.strip()))
                label = ""
        elif colon and not before and label:
            out.append((label, after.strip()))
            label = ""
        elif label:
            out.append((label, column))
            label = ""
        else:
            out.append(("", column))
    if label:
        out.append((label, ""))
    return out
