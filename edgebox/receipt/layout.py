"""The form of a paper: which labels and rules it is made of, whatever was sold.

Owns: `LayoutMarks`, which collects them, the fingerprint that comes of them, `likeness` of two, and `LayoutWatch`,
which knows the forms that a till prints and notices a new one. Never: text: marks are kept as 16-bit checksums, so
nothing of the paper can be read from a fingerprint.

Two papers of one layout differ in optional lines (a discount, a voucher), so fingerprints are compared, not looked up:
the share of marks that both have. Measured on the 59 layouts of the Chinese corpus: see tests/receipt/test_layout.py.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

MARKS_MAX = 48  # of one document; a receipt has some twenty
MARKS_MIN = 3  # with fewer, a paper says too little about its form
ALIKE = 0.5  # share of marks that two papers of one layout have in common
_HEX = 4  # digits of one mark
_LABEL_LETTERS = 28
_label_begins = re.compile(r"[^\d$€¥£.,:;@%+*\-()\[\]]{2,28}").match
_blanks = re.compile(r"[\s.\-*:]+")
_has_digit = re.compile("[0-9]").search


class LayoutMarks:
    """Collects the marks of one document."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: set[str] = set()

    def add(self, text: str) -> None:
        """A trusted line, normalised: a rule, the label before a colon, or a row of headings."""
        colon = text.find(":", 0, _LABEL_LETTERS)
        if colon > 0:
            label = text[:colon]
            if not _has_digit(label):
                self._mark(label)
            return
        first = text[:1]
        if first in "-=*_~" and first and len(text) >= 16 and text.count(first) > len(text) * 3 // 4:
            self._marks.add(f"{first}{len(text)}")
        elif text.strip().count("  ") > 2 and not _has_digit(text):
            self._mark(text)

    def label(self, text: str) -> None:
        """A line whose amount has a meaning, normalised: its label is a mark."""
        found = _label_begins(text)
        if found:
            self._mark(found[0])

    def _mark(self, label: str) -> None:
        if len(self._marks) < MARKS_MAX:
            self._marks.add(_blanks.sub("", label))

    def fingerprint(self) -> str:
        """Four hex digits a mark, in rising order; "" where there are too few to tell."""
        if len(self._marks) < MARKS_MIN:
            return ""
        return "".join(sorted({f"{crc32(mark.encode()) & 0xFFFF:04x}" for mark in self._marks}))


def marks_of(fingerprint: str) -> frozenset[str]:
    """The marks in a fingerprint."""
    return frozenset(fingerprint[place : place + _HEX] for place in range(0, len(fingerprint), _HEX))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Marks that both have, as a share of all that either has."""
    every = len(one | other)
    return len(one & other) / every if every else 0.0


class Seen(NamedTuple):
    """What a watch says of a layout. `novel`: the till has printed none like it; `rate`: share of novel ones among the
    last WINDOW; `alarm`: this is the first of a new form, or the rate has passed ALARM_RATE just now."""

    novel: bool = False
    rate: float = 0.0
    alarm: bool = False


WINDOW = 100  # documents that the rate is counted over
ALARM_RATE = 0.2  # a fifth of what a till prints is new: it was updated
_FORMS_MAX = 32  # forms remembered of a till; the one not seen for longest is forgotten


class LayoutWatch:
    """The forms of one till. A form is known once it was seen `learn_after` times; until then it is novel, unless the
    till is still new itself."""

    __slots__ = ("_alarmed", "_forms", "_learn_after", "_recent", "_total")

    def __init__(self, learn_after: int) -> None:
        self._learn_after = learn_after
        self._forms: OrderedDict[frozenset[str], int] = OrderedDict()
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._total = 0
        self._alarmed = False

    def judge(self, fingerprint: str) -> Seen:
        """As `add`, without learning."""
        return self._seen(marks_of(fingerprint))[0] if fingerprint and self._learn_after else Seen()

    def add(self, fingerprint: str) -> Seen:
        """Takes a document's layout into account."""
        if not fingerprint or not self._learn_after:
            return Seen()
        seen, form = self._seen(marks_of(fingerprint))
        self._total += 1
        first = form not in self._forms
        self._forms[form] = self._forms.get(form, 0) + 1
        self._forms.move_to_end(form)
        if len(self._forms) > _FORMS_MAX:
            self._forms.popitem(last=False)
        self._recent.append(seen.novel)
        rate = sum(self._recent) / len(self._recent)
        over = rate >= ALARM_RATE
        alarm = seen.novel and (first or (over and not self._alarmed))
        self._alarmed = over
        return Seen(seen.novel, rate, alarm)

    def learn(self, fingerprints: Iterable[str]) -> None:
        """Takes what was seen before a restart."""
        for fingerprint in fingerprints:
            self.add(fingerprint)

    def _seen(self, marks: frozenset[str]) -> tuple[Seen, frozenset[str]]:
        """Whether the form is novel, and the remembered form that it is (or itself)."""
        best = max(self._forms, key=lambda form: likeness(form, marks), default=marks)
        form = best if likeness(best, marks) >= ALIKE else marks
        settled = any(count >= self._learn_after for count in self._forms.values())
        novel = settled and self._forms.get(form, 0) < self._learn_after
        rate = sum(self._recent) / len(self._recent) if self._recent else 0.0
        return Seen(novel, rate), form
