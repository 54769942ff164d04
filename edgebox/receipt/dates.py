"""Printed dates and times, as tills write them.

Owns: `find_date` and `find_time`. Never: a clock, nor a guess which number of 05/06/2026 is the month: dates with the
year first, or with the month as a word, say themselves how they are meant; the others follow the shop's `date_order`,
and one that it can't be is not read.
"""

from __future__ import annotations

import datetime
import re

_ROC = 1911  # years of the Republic of China count from here
_ROC_FIRST, _ROC_LAST = 100, 199  # 2011 to 2110: three digits, so never mistaken for a year of two
# The months' names in the languages of the lexicon, without accents. Source: CLDR's month names, abbreviated and wide.
_NAMES = {
    1: "jan january januar januari janvier janv ene enero janeiro gen gennaio jaenner",
    2: "feb february februar februari fevrier fevr febrero fev fevereiro febbraio peb",
    3: "mar march marz maerz mrz mars marzo marco maret mac",
    4: "apr april avr avril abr abril aprile",
    5: "may mai mayo maio mag maggio mei",
    6: "jun june juni juin junio junho giu giugno",
    7: "jul july juli juil juillet julio julho lug luglio julai",
    8: "aug august aout ago agosto agustus agu agt ogos ogo",
    9: "sep sept september septembre sept septiembre set setembro settembre",
    10: "oct october okt oktober octobre octubre out outubro ott ottobre",
    11: "nov november novembre noviembre novembro nop",
    12: "dec december dez dezember decembre dic diciembre dezembro dicembre des desember dis disember",
}
_MONTHS = {name: month for month, names in _NAMES.items() for name in names.split()}
_MONTH = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")(?![a-z])\.?"
_D = r"(3[01]|[12]\d|0?[1-9])"
_M = r"(1[0-2]|0?[1-9])"
_year_first = re.compile(rf"(?<!\d)(20\d\d)\s?[\-/.年년]\s?{_M}\s?[\-/.月월]\s?{_D}(?!\d)").search
_compact = re.compile(r"(?<![\dA-Za-z])(20\d\d)(1[0-2]|0[1-9])(3[01]|[12]\d|0[1-9])(?![\dA-Za-z])").search
_roc = re.compile(
    rf"(?<![\d.])(?:民[國国]|中[華华]民[國国])?\s?(1\d\d)\s?[\-/.年]\s?{_M}\s?[\-/.月]\s?{_D}(?!\d)"
).search
_reiwa = re.compile(rf"(?:令和|(?<![a-z])r)\s?(\d{{1,2}}|元)\s?[年.]\s?{_M}\s?[月.]\s?{_D}(?!\d)").search
_short = re.compile(r"(?<![\d.,/\-])(\d{1,2})\s?([\-/.])\s?(\d{1,2})\s?\2\s?(20\d\d|'?\d\d)(?![\d\-/]|\.\d)").search
_day_month = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er)?(?:[\s\-/.]|de){{0,4}}{_MONTH}(?:[\s\-/.,']|de){{0,4}}(20\d\d|\d\d)(?!\d)"
).search
_month_day = re.compile(
    rf"(?<![a-z]){_MONTH}[\s\-/.]{{0,3}}(\d{{1,2}})(?:st|nd|rd|th)?[\s\-/.,']{{1,4}}(20\d\d|\d\d)(?!\d)"
).search
_letters = re.compile(r"[a-z]{3}").search
_time = re.compile(
    r"(?<!\d)(?<!\d[:.])(2[0-3]|[01]?\d)\s?[:时時시h]\s?([0-5]\d)(?:\s?[:分분]\s?([0-5]\d))?(?:秒|초)?(?![\d:])\s?([ap])?\.?m?"
).search
_half = re.compile("[上下]午|午[前後]|오[전후]").search
_AFTERNOON = ("下午", "午後", "오후")


def find_date(text: str, date_order: str) -> str:
    """The first date of a normalised line as ISO `2026-11-18`, "" without one. `date_order`: ymd, dmy or mdy."""
    return date_and_doubt(text, date_order)[0]


def date_and_doubt(text: str, date_order: str) -> tuple[str, bool]:
    """As `find_date`, and whether another shop would read the same digits as another day."""
    match = _year_first(text)
    if match:
        return _iso(*match.groups()), False
    if _letters(text):
        match = _day_month(text)
        if match:
            return _iso(match[3], str(_MONTHS[match[2]]), match[1]), False
        match = _month_day(text)
        if match:
            return _iso(match[3], str(_MONTHS[match[1]]), match[2]), False
    match = _reiwa(text)
    if match:
        year = 1 if match[1] == "元" else int(match[1])
        return _iso(str(2018 + year), match[2], match[3]), False
    match = _roc(text)
    if match:
        return _iso(str(int(match[1]) + _ROC), match[2], match[3]), False
    match = _short(text)
    if match:
        return _by_order(match[1], match[3], match[4].lstrip("'"), date_order)
    match = _compact(text)
    return (_iso(*match.groups()), False) if match else ("", False)


def _by_order(first: str, second: str, third: str, date_order: str) -> tuple[str, bool]:
    if len(third) == 4 and date_order == "ymd":
        return (_iso(third, second, first), False) if int(second) <= 12 < int(first) else ("", False)
    if len(third) == 4 or date_order != "ymd":
        if int(first) > 12 >= int(second):
            return _iso(third, second, first), False  # only one way to read it, unless the year is first
        if int(second) > 12 >= int(first):
            return _iso(third, first, second), False
    order = dict(zip(date_order, (first, second, third), strict=True))
    return _iso(order["y"], order["m"], order["d"]), first != second


def find_time(text: str) -> str:
    """The first time of a normalised line as `18:42` or `18:42:07`, "" without one."""
    match = _time(text)
    if not match:
        return ""
    hour = int(match[1])
    half = None if text.isascii() else _half(text, max(match.start() - 4, 0), match.start())
    if match[4] and hour <= 12:
        hour = hour % 12 + (12 if match[4] == "p" else 0)
    elif half and hour <= 12:
        hour = hour % 12 + (12 if half[0] in _AFTERNOON else 0)
    return f"{hour:02}:{match[2]}" + (f":{match[3]}" if match[3] else "")


def _iso(year: str, month: str, day: str) -> str:
    try:
        return datetime.date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day)).isoformat()
    except ValueError:
        return ""  # 31.02. is no date: another line may hold one
