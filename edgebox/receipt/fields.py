"""Receipt number, till, cashier, table, printed date and time, payment's and member's numbers, each with how sure it
is.

Owns: `FieldFinder`. Never: amounts or kinds, and never a name: cashier and table are read only where they are codes,
and the payment's and the member's numbers leave only as keyed hashes. A customer's remark is not looked at.

Several dates stand on one paper. The time of payment is believed before a plain date, that before the time of printing
(a reprint has another) and that before the time a table was opened.
"""

from __future__ import annotations

import re

from edgebox.model import Confidence
from edgebox.receipt.dates import date_and_doubt, find_date, find_time
from edgebox.receipt.fieldwords import FieldKey, FieldWords, pairs
from edgebox.receipt.lexicon import Key
from edgebox.receipt.redact import Pseudonyms, is_personal

__all__ = ["FieldFinder", "find_date", "find_time"]

_NUMBER_MAX = 40  # characters of a receipt's number; the longest seen is 32 digits
# Letters, then digits and what hangs on them; further groups of three digits and more belong to it (`0007 1123`).
_number = re.compile(r"[a-z]{0,8}[\-/_. ]?[0-9][0-9a-z\-/_.]*(?: [0-9]{3,}(?![0-9a-z\-/_.:]))*").search
_table_and_number = re.compile(r"^[a-z]{0,2}\d{1,3}/(?=\d{8})")  # `檯/單號: B1/260912095103`
_rest_of_number = re.compile(r"\s{2,}([0-9]{6,24})\s*$").match  # its second half, alone and indented on the next line
_short_code = re.compile(r"(?<![0-9a-z*])[a-z]{0,4}-?[0-9]{1,6}[a-z]?(?![0-9*])").search
_SHORT_VALUE = 16  # characters of a cashier's or table's value; a longer one is a sentence
_long_code = re.compile(r"[0-9a-z*][0-9a-z*\-]{3,63}").search
_words_then_code = re.compile(r"([^\d:#]{2,24})#? ?([0-9][0-9a-z\-]{0,11})$").match
_has_digit = re.compile("[0-9]").search
# What any date has, and few other lines do: a mark between digits, eight digits, an era, a month's first letters.
_MONTHS = (
    "jan|ja[en]|ene|gen|feb|fev|peb|ma[rcgiy]|mrz|mei|apr|abr|avr|ju[nli]|giu|lug|a[ug][ogut]|ogo|sep|set|o[cku]t|ott|"
    "no[vp]|de[czs]|di[cs]"
)
_maybe_date = re.compile(
    rf"\d\s?[\-/年년]\s?\d|\d\.\s?\d{{1,2}}\.\s?\d|20\d{{6}}|令和|r\d|(?<![a-z])(?:de )?(?:{_MONTHS})"
).search
_DATES = (FieldKey.SETTLED, FieldKey.DATE, None, FieldKey.PRINTED, FieldKey.OPENED)  # in the order of belief
_RANK = {key: rank for rank, key in enumerate(_DATES)}
_UNLABELLED = _RANK[None]


class FieldFinder:
    """Collects fields line by line."""

    __slots__ = (
        "_doubt", "_line", "_member", "_number_open", "_numbers", "_order", "_rank", "_time_rank", "_transaction",
        "_words", "cashier", "date", "number", "table", "till", "time",
    )  # fmt: skip

    def __init__(self, date_order: str, words: FieldWords) -> None:
        self._order = date_order
        self._words = words
        self.number = self.till = self.date = self.time = self.cashier = self.table = ""
        self._transaction = self._member = ""
        self._numbers: set[str] = set()  # all that were offered
        self._number_open = False  # the number may go on in this line
        self._rank = self._time_rank = len(_DATES)
        self._doubt = False
        self._line = 0

    def add(self, text: str, key: Key | None, value: str) -> None:
        """A trusted line, normalised, and its value where it has a key."""
        self._line += 1
        number_open, self._number_open = self._number_open, False
        if not _has_digit(text):
            return
        if number_open and (match := _rest_of_number(text)):
            self.number = (self.number + match[1])[:_NUMBER_MAX]
            return
        transaction = self._transaction
        rank = self._pairs(text)
        if key is not None:
            if key is Key.NUMBER and self._transaction == transaction:
                self._add_number(value)
            elif key is Key.TILL and not self.till:
                self.till = _shown(_code(value))
        self._dates(text, _UNLABELLED if rank is None else rank)

    def add_person(self, text: str, *, is_staff: bool) -> None:
        """A line about a person: who took the money, at which table, the member's number. Never the receipt's number.

        `is_staff`: not a customer. Western tills print the date beside the waiter's name; it counts if no other does.
        """
        if _has_digit(text):
            self._pairs(text)
            if is_staff and text.isascii():
                self._dates(text, _RANK[FieldKey.OPENED])

    def _add_number(self, value: str) -> None:
        code = _code(value)
        if not code:
            return
        self._numbers.add(code)
        if not self.number:
            self.number = code
            self._number_open = True

    def _pairs(self, text: str) -> int | None:
        """Reads the line's keys; the rank of its dates if one of them names a time, None: not."""
        rank = None
        if ":" not in text:
            found = _words_then_code(text.strip())
            listed = [(found[1].strip(" ."), found[2])] if found else []
        else:
            listed = pairs(text)
        for label, value in listed:
            field = self._words.field(label) if label else None
            if field is None:
                continue
            place = _RANK.get(field)
            if place is not None:
                rank = place if rank is None else min(rank, place)
            else:
                self._field(field, value)
        return rank

    def _field(self, field: FieldKey, value: str) -> None:
        if field is FieldKey.CASHIER:
            self.cashier = self.cashier or _short(value)
        elif field is FieldKey.TABLE:
            self.table = self.table or _short(value)
        else:
            match = _long_code(value)
            code = match[0] if match and _has_digit(match[0]) else ""
            if field is FieldKey.TRANSACTION:
                self._transaction = self._transaction or code
            elif field is FieldKey.MEMBER:
                self._member = self._member or code

    def _dates(self, text: str, rank: int) -> None:
        """A date counts if no better one was seen; a time, if it stands with the date or soon after it."""
        if rank < self._rank and _maybe_date(text):
            date, doubt = date_and_doubt(text, self._order)
            if date:
                self.date, self._doubt, self._rank = date, doubt, rank
                time = find_time(text)
                if time or self._time_rank > rank:
                    self.time, self._time_rank = time, rank if time else len(_DATES)
                return
        if rank < self._time_rank and self.date and rank <= max(self._rank, _UNLABELLED):
            time = find_time(text)
            if time:
                self.time, self._time_rank = time, rank

    # -- the end

    def shown_number(self, pseudonyms: Pseudonyms) -> str:
        """The receipt's number as it may leave."""
        return shown_code(self.number, self.date, pseudonyms)

    def transaction(self, pseudonyms: Pseudonyms) -> str:
        """The payment's number, hashed."""
        return pseudonyms.of("transaction", self._transaction)

    def member(self, pseudonyms: Pseudonyms) -> str:
        """The member's number, hashed."""
        return pseudonyms.of("member", self._member)

    def sure(self) -> tuple[tuple[str, Confidence], ...]:
        """How sure each field that was found is."""
        high, medium = Confidence.HIGH, Confidence.MEDIUM
        out = []
        if self.number:
            out.append(("number", high if len(self._numbers) == 1 else medium))
        if self.date:
            labelled = self._rank < _UNLABELLED
            level = Confidence.LOW if self._rank > _UNLABELLED else medium if self._doubt and not labelled else high
            out.append(("date", level))
            if self.time:
                out.append(("time", level if self._time_rank <= self._rank else min(level, medium, key=_ORDER.index)))
        fields = (("till", self.till), ("cashier", self.cashier), ("table", self.table))
        return (*out, *((name, high) for name, value in fields if value))


def shown_code(number: str, date: str, pseudonyms: Pseudonyms) -> str:
    """A receipt's number; its hash where it could be somebody's telephone, card or payment code, unless it begins with
    the day that is printed on the paper."""
    day = date.replace("-", "")
    if not number or not is_personal(number) or (day and number.startswith((day, day[2:]))):
        return number
    hashed = pseudonyms.of("number", number)
    return f"~{hashed}" if hashed else ""


_ORDER = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def _shown(code: str) -> str:
    return "" if is_personal(code) else code


def _short(value: str) -> str:
    """A cashier's or table's code, upper case; "" for names and sentences."""
    if len(value) > _SHORT_VALUE:
        return ""
    match = _short_code(value)
    return match[0].upper() if match else ""


def _code(value: str) -> str:
    """The first thing in a value that looks like a number or code, upper case; "" if there is none."""
    value = value.strip().removeprefix("#").removeprefix(":").strip()
    match = _number(value[: 2 * _NUMBER_MAX])
    if not match or match.start() > 12:
        return ""
    code = match[0].replace(" ", "")
    code = _table_and_number.sub("", code.strip(".-_/"))
    if len(code) <= 10 and not code.isalnum() and find_date(code, "ymd"):
        return ""
    return code.upper()[:_NUMBER_MAX]
