"""Does a line head the table of items: `品名 数量 单价 金额`, `Item Qty Price Amount`?

Owns: `Headings`, built from the `[columns]` tables of `config/lexicon/*.toml`. Never: decides an amount. Such a heading
ends a customer's remark as a ruled line does, and its words are no keys though `名称` alone is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from edgebox.receipt.words import normalise

COLUMNS_MIN = 2  # `商品 数量` is the shortest heading seen
_LETTERS_MAX = 80  # of the widest heading; a longer line is a sentence
_words = re.compile(r"[^\W\d_]+").findall
_has_digit = re.compile("[0-9]").search


class Headings:
    """The words over columns, of all languages in use."""

    def __init__(self, tables: Iterable[Mapping[str, Mapping[str, Sequence[str]]]]) -> None:
        listed = (word for table in tables for word in table.get("columns", {}).get("words", ()))
        self._columns = frozenset(part for word in listed for part in _words(normalise(word)))

    def heads(self, text: str) -> bool:
        """Nothing but words over columns, two or more (normalised text)."""
        if len(text) > _LETTERS_MAX or _has_digit(text):
            return False
        words = _words(text)
        return len(set(words)) >= COLUMNS_MIN and self._columns.issuperset(words)
