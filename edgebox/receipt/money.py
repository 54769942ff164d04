"""Finds amounts of money in a line, by the shop's convention.

Owns: `Convention` and `AmountFinder`. Never: guesses a convention that the configuration states: with a decimal mark
of "." the text `2,44` is no amount. Integers in minor units only.

An amount is digits in groups or not, then at most `decimals` digits behind the decimal mark, with nothing around it
that makes it something else: a percent sign, a unit (`550ml`, `19.3kg`), a further mark and digit (dates, times, IP
addresses), a star of a masked card. A blank is never a group mark but as NBSP or a thin space between digits.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebox.receipt.words import JOINT

_DIGITS_MAX = 9  # before the decimal mark: no receipt is over 999,999,999; forty digits are no amount
_SYMBOLS = "¥$€£₩₫฿₱₹₽₺"
_CODES = (
    *("rm", "rmb", "cny", "myr", "usd", "eur", "gbp", "hkd", "hk$", "twd", "ntd", "nt$", "mop", "sgd", "s$", "us$"),
    *("jpy", "krw", "idr", "rp", "chf", "thb", "php", "vnd", "inr", "rs", "aud", "cad", "r$", "brl", "mxn", "mop$"),
)
_UNITS_AFTER = "元圆円원"


class Convention(NamedTuple):
    """How the shop's till writes money. `decimal_mark` may be several characters: each may be the mark."""

    decimals: int = 2
    decimal_mark: str = "."
    group_marks: str = ","


class Amount(NamedTuple):
    """One amount: `minor` units (negative with a minus), where it stands, and how sure its shape is.

    `whole`: printed without the decimals that the currency has; `marked`: a currency stands beside it.
    """

    minor: int
    start: int
    end: int
    whole: bool
    marked: bool


_REACH = 24  # characters looked back for a currency and a minus: tills align the amount away from its "RM"
CURRENCY = "|".join(re.escape(code) for code in sorted(_CODES, key=len, reverse=True))
_ANNOUNCE = (*_CODES, *(f"{code}{mark}" for code in _CODES for mark in ".:"), *_SYMBOLS, "-", "\u2212", "(")
_before = re.compile(rf"([\-\u2212(]\s?)?((?:(?<![a-z])(?:{CURRENCY})[.:]?|[{_SYMBOLS}])\s*)?(-\s?)?$").search
_after = re.compile(rf"(\s?(?:[{_UNITS_AFTER}]|(?:{CURRENCY})(?![a-z])|[{_SYMBOLS}](?!\s?\d)))?(-(?!\w)|\))?").match
_ANNOUNCE_ENDS = frozenset(announce[-1] for announce in _ANNOUNCE)
_NOTHING = ("", " ")  # what stands before and behind most amounts
_AFTER_BLANK = frozenset((*_UNITS_AFTER, *(code[0] for code in _CODES), *_SYMBOLS, "%"))  # may belong to the amount
_CODE_DIGITS = (
    7  # a whole number so long, with no currency beside it, is a card's or a customer's, where money has decimals
)
_has_digit = re.compile("[0-9]").search
_GLUED = "#*_-/"  # a number that hangs on one of these is part of something else


_SIGNS = frozenset((*_CODES, *_SYMBOLS, *_UNITS_AFTER, "e"))  # `e`: what character readers make of a worn euro sign


def is_currency(text: str) -> bool:
    """A word or mark that only says in which money an amount is."""
    return text in _SIGNS or text.rstrip(".:") in _SIGNS


# Where either mark may be the decimal one, a number with both says itself which: `1.234,56`, `1,234.56`.
_grouped = re.compile(r"(?<![0-9.,])[0-9]{1,3}([.,])[0-9]{3}(?:\1[0-9]{3})*(?!\1)[.,][0-9]{1,2}(?![0-9.,])").sub


# Scans, and tills that print each part of an amount by itself, tear it: `106. 35`, `RM 126 75`. Without a currency two
# numbers with a blank between them stay two: a count and an amount.
_is_torn = re.compile(r"[0-9](?: [.,]?|[.,] )[0-9]{2}(?![0-9])").search
_torn_at_mark = re.compile(r"(?<![0-9.,])([0-9]{1,6})(?: ([.,])|([.,]) )([0-9]{2})(?=\s*$|\s{2}|\s?[$€£])").sub
_torn = re.compile(rf"((?:(?<![a-z])(?:{CURRENCY})[.:]?|[{_SYMBOLS}])\s?[0-9]{{1,6}}) ([0-9]{{2}})(?=\s*$)").sub


def _mend(text: str, mark: str) -> str:
    """The text, as long as it was, with torn amounts of two decimals in one piece."""
    text = _torn_at_mark(lambda match: f" {match[1]}{match[2] or match[3]}{match[4]}", text)
    return _torn(lambda match: f"{match[1]}{mark}{match[2]}", text)


def _join_groups(match: re.Match[str]) -> str:
    return match[0].replace(match[1], JOINT)


class AmountFinder:
    """The compiled convention."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        marks, decimals = convention.decimal_mark, convention.decimals
        self._two_marks = len(marks) > 1
        self._has_cents = decimals == 2 and bool(marks)
        groups = "".join(m for m in convention.group_marks if m not in marks) + JOINT
        tail = rf"(?:[{re.escape(marks)}]([0-9]{{1,{decimals}}}))?" if decimals and marks else "()"
        bare = rf"|(?=[{re.escape(marks)}][0-9]{{{decimals}}})" if decimals and marks else ""
        first = f"0-9{re.escape(marks)}" if bare else "0-9"
        self._find = re.compile(
            rf"(?=[{first}])(?<![0-9.,])(?<![0-9][:/'\-])"
            rf"([0-9]{{1,3}}([{re.escape(groups)}])[0-9]{{3}}(?:\2[0-9]{{3}})*|[0-9]{{1,{_DIGITS_MAX}}}{bare}){tail}"
            rf"(?![0-9*%]|\s%|[.,:/'\-][0-9])"
        ).finditer

    def find(self, text: str) -> list[Amount]:
        """The amounts in a normalised line, left to right."""
        out: list[Amount] = []
        if not _has_digit(text):
            return out
        text = self._mended(text)
        for match in self._find(text):
            amount = self._amount(text, match)
            if amount is not None:
                out.append(amount)
        return out

    def last(self, text: str) -> Amount | None:
        """The last amount in a normalised line."""
        if not _has_digit(text):
            return None
        text = self._mended(text)
        for match in reversed(list(self._find(text))):
            amount = self._amount(text, match)
            if amount is not None:
                return amount
        return None

    def _mended(self, text: str) -> str:
        """With torn amounts in one piece, and the marks of groups told from decimal ones."""
        if self._has_cents and _is_torn(text):
            text = _mend(text, self.convention.decimal_mark[0])
        return _grouped(_join_groups, text) if self._two_marks else text

    def _amount(self, text: str, match: re.Match[str]) -> Amount | None:
        digits, mark, part = match.groups()
        digits = digits.replace(mark, "") if mark else digits or "0"  # ".10" is printed for 0.10
        begin, close = match.span()
        left = text[max(begin - _REACH, 0) : begin]
        near = left.rstrip(" ")
        before = _before(left) if near[-1:] in _ANNOUNCE_ENDS and near.endswith(_ANNOUNCE) else None
        alone = left[-1:] in _NOTHING and text[close : close + 1] in _NOTHING
        if alone and before is None and text[close + 1 : close + 2] not in _AFTER_BLANK:
            return self._plain(digits, part, begin, close)
        sign, unit, inner = before.groups() if before else (None, None, None)
        after = _after(text, close)
        if len(digits) > _DIGITS_MAX or after is None:
            return None
        start, end = before.span() if before else (len(left), len(left))
        unit_after, tail = after.groups()
        bracket = sign is not None and sign[0] == "("
        if bracket and not (part and tail == ")"):
            sign = None  # a count in brackets, no negative amount
        if _is_glued(left, start, end, bool(unit), bool(part)) or _goes_on(text, after.end(), bool(part)):
            return None
        decimals = self.convention.decimals
        minor = self._minor(digits, part)
        if sign or inner or tail == "-":
            minor = -minor
        if decimals and not part and not (unit or unit_after) and len(digits) >= _CODE_DIGITS:
            return None
        return Amount(minor, begin - (end - start), after.end(), bool(decimals) and not part, bool(unit or unit_after))

    def _plain(self, digits: str, part: str | None, begin: int, close: int) -> Amount | None:
        """An amount with nothing but blanks around it: nine of ten."""
        whole = bool(self.convention.decimals) and not part
        if len(digits) > _DIGITS_MAX or (whole and len(digits) >= _CODE_DIGITS):
            return None
        return Amount(self._minor(digits, part), begin, close, whole, False)

    def _minor(self, digits: str, part: str | None) -> int:
        decimals = self.convention.decimals
        scale: int = 10**decimals
        return int(digits) * scale + (int(part.ljust(decimals, "0")) if part else 0)


def _is_glued(left: str, start: int, end: int, has_unit: bool, has_decimals: bool) -> bool:
    """What stands before makes the number part of a code, a date or a word."""
    if not start:
        return False
    near = left[start - 1]
    if start == end:
        if near == "*" and has_decimals:  # `*17.00`, `***17.00`: filled, so that nobody writes a digit before it
            return left.rstrip("*")[-1:].isalnum()
        return near in _GLUED or "a" <= near <= "z"
    return near.isascii() and near.isalnum() and not (has_unit and left[start] not in "-\u2212(")


def _goes_on(text: str, end: int, has_decimals: bool) -> bool:
    """A word, a unit or a percent sign follows: `550ml`, `90分`. A tax code of one letter may, behind `4.99`."""
    rest = text[end : end + 2]
    if not rest or not rest[0].isalpha():
        return rest[:1] in ("%", "_", "*") or rest == " %"
    return not has_decimals or not rest[0].isascii() or (len(rest) > 1 and rest[1].isalnum())
