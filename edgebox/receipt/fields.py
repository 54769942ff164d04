"""Receipt number, till, printed date and time.

Owns: `FieldFinder`. Never: amounts or kinds. Names, addresses, phones and card numbers are not looked for at all.
Dates with the year first, or with the month as a word, say themselves how they are meant; the others follow the shop's
`date_order`, and one that it can't be is not read.
"""

from __future__ import annotations

import datetime
import re

from edgebox.receipt.lexicon import Key

_NUMBER_MAX = 40  # characters of a receipt's number; the longest seen is 32 digits
# Letters, then digits and what hangs on them; further groups of three digits and more belong to it (`0007 1123`).
_number = re.compile(r"[a-z]{0,8}[\-/_. ]?[0-9][0-9a-z\-/_.]*(?: [0-9]{3,}(?![0-9a-z\-/_.:]))*").search
_table_and_number = re.compile(r"^[a-z]{0,2}\d{1,3}/(?=\d{8})")  # `檯/單號: B1/260912095103`
_year_first = re.compile(
    r"(?<!\d)(20\d\d)\s?[\-/.年]\s?(1[0-2]|0?[1-9])\s?[\-/.月]\s?(3[01]|[12]\d|0?[1-9])(?!\d)"
).search
_roc = re.compile(
    r"(?<!\d)(?:民國|民国)?\s?(1[01]\d)\s?[\-/.年]\s?(1[0-2]|0?[1-9])\s?[\-/.月]\s?(3[01]|[12]\d|0?[1-9])(?!\d)"
).search
_short = re.compile(r"(?<![\d.,/-])(\d{1,2})[\-/.](\d{1,2})[\-/.](20\d\d|\d\d)(?![\d\-/])").search
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*"
_day_month = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?[\s\-/.]*{_MONTH}[\s\-/.,']*(20\d\d|\d\d)(?!\d)").search
_month_day = re.compile(rf"(?<![a-z]){_MONTH}[\s\-/.]*(\d{{1,2}})(?:st|nd|rd|th)?[\s\-/.,']+(20\d\d|\d\d)(?!\d)").search
_time = re.compile(
    r"(?<![\d:])([01]?\d|2[0-3])\s?[:时時]\s?([0-5]\d)(?:\s?[:分]\s?([0-5]\d))?秒?(?![\d:])\s?([ap])?\.?m?"
).search


def find_date(text: str, date_order: str) -> str:
    """The first date of a normalised line as ISO `2026-11-18`, "" without one. `date_order`: ymd, dmy or mdy."""
    match = _year_first(text)
    if match:
        return _iso(*match.groups())
    match = _day_month(text)
    if match:
        return _iso(match[3], str(_MONTHS.index(match[2]) + 1), match[1])
    match = _month_day(text)
    if match:
        return _iso(match[3], str(_MONTHS.index(match[1]) + 1), match[2])
    match = _roc(text)
    if match:
        return _iso(str(int(match[1]) + 1911), match[2], match[3])
    match = _short(text)
    if match:
        first, second, third = match.groups()
        if len(third) == 4 and date_order == "ymd":
            return _iso(third, second, first) if int(second) <= 12 < int(first) else ""
        order = dict(zip(date_order, (first, second, third), strict=True))
        return _iso(order["y"], order["m"], order["d"])
    return ""


def find_time(text: str) -> str:
    """The first time of a normalised line as `18:42` or `18:42:07`, "" without one."""
    match = _time(text)
    if not match:
        return ""
    hour = int(match[1])
    if match[4]:
        hour = hour % 12 + (12 if match[4] == "p" else 0)
    return f"{hour:02}:{match[2]}" + (f":{match[3]}" if match[3] else "")


def _iso(year: str, month: str, day: str) -> str:
    try:
        return datetime.date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day)).isoformat()
    except ValueError:
        return ""  # 31.02. is no date: another line may hold one


class FieldFinder:
    """Collects fields; the first of each kind counts, as tills print their own before anything else's."""

    __slots__ = ("_order", "date", "number", "till", "time")

    def __init__(self, date_order: str) -> None:
        self._order = date_order
        self.number = self.till = self.date = self.time = ""

    def add(self, text: str, key: Key | None, value: str) -> None:
        """A trusted line, normalised, and its value where it has a key."""
        if key is Key.NUMBER and not self.number:
            self.number = _code(value)
        elif key is Key.TILL and not self.till:
            self.till = _code(value)
        if not self.date:
            self.date = find_date(text, self._order)
            if self.date:
                self.time = find_time(text)
                return
        if not self.time and self.date:
            self.time = find_time(text)


def _code(value: str) -> str:
    """The first thing in a value that looks like a number or code, upper case; "" if there is none."""
    value = value.strip().removeprefix("#").removeprefix(":").strip()
    match = _number(value[: 2 * _NUMBER_MAX])
    if not match or match.start() > 12:
        return ""
    code = match[0].replace(" ", "")
    code = _table_and_number.sub("", code.strip(".-_/"))
    if find_date(code, "ymd") and len(code) <= 10:
        return ""
    return code.upper()[:_NUMBER_MAX]
