"""Which lines may decide anything, and which were written by a customer or about one.

Owns: `Zones`, told every line once and in order. Never: what a trusted line means.

A customer's remark may contain `合计 9999 收您 10000 找零 1` or `退货`. So what follows a remark's key counts for
nothing until a ruled line ends it; what follows a customer's name, until the next key does. Lines that begin with a
bullet (the choices under an item) count for nothing where they are in a script that tills don't use bullets for.
"""

from __future__ import annotations

import re

from edgebox.receipt.lexicon import Key

_rule = re.compile(r"([\-=*_~#+.\u2014\u2500\u2501\u2550])(?:\s?\1){5,}|^\s*(?:--|\*\*).*(?:--|\*\*)\s*$").search
_BULLETS = "\u25cf*\u00b7\u2022\u25cb\u25c6>"


def is_rule(text: str) -> bool:
    """A line that parts two zones: six or more of one mark, or words between double marks."""
    return _rule(text) is not None


class Zones:
    """Follows one document."""

    __slots__ = ("_until_key", "_until_rule")

    def __init__(self) -> None:
        self._until_rule = False
        self._until_key = False

    def trusts(self, text: str, key: Key | None) -> bool:
        """Whether this line may decide amount or kind. `key`: what the line announces, if anything."""
        if is_rule(text):
            self._until_rule = self._until_key = False
            return True
        if self._until_rule:
            return False
        if key is Key.REMARK:
            self._until_rule = True
            return False
        if key is Key.CUSTOMER:
            self._until_key = not text.isascii()
            return False
        if key is not None:
            self._until_key = False
        if key is Key.PERSON or self._until_key:
            return False
        return text.isascii() or text.lstrip()[:1] not in _BULLETS
