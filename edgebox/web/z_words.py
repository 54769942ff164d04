"""What the box says of a till's report, in the visitor's language.

Owns: the forms of those words (edgebox/receipt/shift.py makes them, in English, for the record). Never: compares a
report. Words of another form, of an older or newer box, are shown as they are.
"""

from __future__ import annotations

import re

from edgebox.web.words import Say

_EQUAL = re.compile(r"equal: (\d+) receipts, (\S+)")
_NOTHING = "the report names neither count nor sum"
_DIFFERS = re.compile(
    r"the till reports (?:([+-]\d+) receipts)?(?:, )?([+-]?[\d.]+)? than seen"
    r"(?:; (not counted here, but by the till:|counted here, but not by the till:|the box could not read) (.+))?"
)
_WHY = {
    "not counted here, but by the till:": "z_words.only_till",
    "counted here, but not by the till:": "z_words.only_box",
    "the box could not read": "z_words.unread",
}


def z_said(t: Say, words: str) -> str:
    """A sentence."""
    equal, differs = _EQUAL.fullmatch(words), _DIFFERS.fullmatch(words)
    if equal:
        return t("z_words.equal", count=equal[1], sum=equal[2])
    if words == _NOTHING:
        return t("z_words.nothing")
    if not differs:
        return words
    count, money, why, names = differs.groups()
    parts = [t("z_words.receipts", count=count)] if count else []
    parts += [t("z_words.money", sum=money)] if money else []
    return t("z_words.differs", what=t("z_words.and").join(parts)) + (t(_WHY[why], names=names) if why else "")
