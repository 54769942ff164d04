"""Teaching on stored papers: a person taps total, number or kind; a profile comes of it, tried on the last papers.

Owns: a stored paper as a reader's lines, the lesson (`teach`), and the comparison before and after (`compare`). Pure.
Never: the store, files, or a profile in force (reports.py, edgebox/taught.py).

What was hidden on a paper stays hidden from the lesson, so nothing is learned from a customer's words. Before and after
are both read from the stored paper, with and without the new profile, so a difference is the profile's doing. Codes of
the law and pictures are not kept: a paper that was read by them may read worse here than it did, before as after.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.errors import ConfigError, ReportError
from edgebox.escpos.lines import Line
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.style import Setting, power_on
from edgebox.model import DocumentKind, Receipt
from edgebox.receipt.keeping import BOLD, CENTRE, HIDDEN, MARKED, REVERSE, TALL, WIDE
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile, profile_from
from edgebox.receipt.reader import ReceiptReader, Shop
from edgebox.receipt.teach import Sample, teach
from edgebox.receipt.words import normalise, tokens
from edgebox.reports.search import ReceiptRow
from edgebox.stored_paper import StoredPaper

SAMPLES_MAX = 3  # more teach nothing new, and a person has to look at each
TRIED = 100  # papers
WORD_MAX = 28  # letters of a line that says a kind
_PLAIN = power_on(PrinterProfile())


class Tap(NamedTuple):
    """What a person showed on one paper. `total_line`: where the total stands, or `total_minor` as typed;
    `number_line`, `number`: likewise; `kind_line`: a line that says what it is, and `kind` what. -1: not shown."""

    session: str
    document: int
    total_line: int = -1
    total_minor: int = 0
    number_line: int = -1
    number: str = ""
    kind_line: int = -1
    kind: str = ""


class Study(NamedTuple):
    """A paper to learn from."""

    tap: Tap
    row: ReceiptRow
    layout: str
    paper: StoredPaper


class Change(StrEnum):
    """What the profile does to one paper."""

    SAME = "same"
    GAINED = "gained"  # it has a total now
    LOST = "lost"  # it had one
    OTHER = "other"  # another total: look at it
    WRONG = "wrong"  # another total than a person or arithmetic has said
    KIND = "kind"  # another kind


class Trial(NamedTuple):
    """One paper, before and after. Amounts only where the receipt would earn by them; `used`: the profile was taken."""

    row: ReceiptRow
    before_minor: int | None
    after_minor: int | None
    before_kind: str
    after_kind: str
    used: bool
    change: Change


class Lesson(NamedTuple):
    """`profile` None: none can be made, and `ambiguous` says why. `trials`: newest first, of `of` papers that were
    there to be tried: fewer if time was short."""

    name: str
    toml: str
    profile: Profile | None
    ambiguous: tuple[str, ...]
    trials: tuple[Trial, ...] = ()
    of: int = 0

    @property
    def is_safe(self) -> bool:
        """It does nothing that looks wrong."""
        return self.profile is not None and all(
            trial.change not in (Change.WRONG, Change.OTHER, Change.LOST) for trial in self.trials
        )


class School(NamedTuple):
    """What reads papers: the shop with its profiles, and words."""

    shop: Shop
    lexicon: Lexicon
    finder: AmountFinder

    def read(self, paper: StoredPaper, profiles: tuple[Profile, ...]) -> tuple[Receipt, ReceiptReader]:
        """A stored paper, read again."""
        reader = ReceiptReader(self.shop._replace(profiles=profiles), self.lexicon, self.finder)
        reader.feed(lines_of(paper))
        return reader.answer(), reader


def lines_of(paper: StoredPaper) -> list[Line]:
    """Lines as a reader wants them; a hidden one is there, and says nothing."""
    return [
        Line("*" * len(HIDDEN) if line.look & MARKED else line.text, at, at + 1, at * 30, _setting(line.look))
        for at, line in enumerate(paper.lines)
    ]


def _setting(look: int) -> Setting:
    style = _PLAIN.style._replace(
        emphasised=bool(look & BOLD), width=2 if look & WIDE else 1, height=2 if look & TALL else 1,
        reverse=bool(look & REVERSE), justify=1 if look & CENTRE else 0,
    )  # fmt: skip
    return _PLAIN._replace(style=style)


# -- the lesson


def learn(name: str, studies: Sequence[Study], school: School, *, prints_after_payment: bool = False) -> Lesson:
    """The profile of what was shown. ReportError `taps`: too many papers, or nothing shown."""
    if not 0 < len(studies) <= SAMPLES_MAX:
        raise ReportError(f"one to {SAMPLES_MAX} papers", reason="taps")
    samples = [_sample(study, school) for study in studies]
    taught = teach(name, samples, school.finder, school.lexicon, prints_after_payment=prints_after_payment)
    if taught.profile is None:
        return Lesson(name, "", None, taught.ambiguous)
    toml = taught.toml + _kinds(studies)
    try:
        profile = profile_from(name, tomllib.loads(toml))
    except (ConfigError, tomllib.TOMLDecodeError) as fault:
        raise ReportError(str(fault), reason="taps") from fault
    return Lesson(name, toml, profile, taught.ambiguous)


def _sample(study: Study, school: School) -> Sample:
    receipt, reader = school.read(study.paper, ())
    total = study.tap.total_minor or _total_at(study, school.finder)
    return Sample(reader.details.trusted(), study.layout or receipt.details.layout, total, _number_of(study))


def _total_at(study: Study, finder: AmountFinder) -> int:
    text = normalise(_line(study.paper, study.tap.total_line, "total"))
    amounts = finder.find(text)
    if not amounts or amounts[-1].minor <= 0:
        raise ReportError("there is no amount on that line", reason="taps", hint="tap the line with the total")
    return amounts[-1].minor


def _number_of(study: Study) -> str:
    if study.tap.number or study.tap.number_line < 0:
        return study.tap.number
    text = _line(study.paper, study.tap.number_line, "number")
    codes = [word for word in text.replace(":", " ").replace("：", " ").split() if any(map(str.isdigit, word))]
    if not codes:
        raise ReportError("there is no number on that line", reason="taps")
    return max(codes, key=len)


def _kinds(studies: Sequence[Study]) -> str:
    """A `[kind]` table of the lines that were tapped."""
    words: dict[str, list[str]] = {}
    for study in studies:
        if study.tap.kind_line < 0:
            continue
        text = " ".join(normalise(_line(study.paper, study.tap.kind_line, "kind")).split())
        is_word = bool(tokens(text)) and len(text) <= WORD_MAX and not any(map(str.isdigit, text))
        if study.tap.kind not in set(DocumentKind) or not is_word:
            raise ReportError("that line is no word for a kind", reason="taps", hint="tap a heading without numbers")
        words.setdefault(study.tap.kind, []).append(text)
    if not words:
        return ""
    rows = (f"{kind} = [{', '.join(_quoted(word) for word in dict.fromkeys(found))}]" for kind, found in words.items())
    return "\n[kind]\n" + "\n".join(rows) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(paper: StoredPaper, number: int, what: str) -> str:
    if not 0 <= number < len(paper.lines) or paper.lines[number].look & MARKED:
        raise ReportError(f"no such line for the {what}", reason="taps", hint="hidden lines can't be shown to it")
    return paper.lines[number].text


# -- trying it


def compare(row: ReceiptRow, paper: StoredPaper, lesson: Lesson, school: School) -> Trial:
    """One paper before and after."""
    assert lesson.profile is not None, "there is one to try"
    others = tuple(one for one in school.shop.profiles if one.name != lesson.name)
    before, _ = school.read(paper, school.shop.profiles)
    after, _ = school.read(paper, (*others, lesson.profile))
    used = after.details.profile == lesson.name
    return Trial(
        row, _earning(before), _earning(after), before.kind.value, after.kind.value, used, _change(row, before, after)
    )


def _earning(receipt: Receipt) -> int | None:
    return receipt.amount_minor if receipt.qualifies else None


def _change(row: ReceiptRow, before: Receipt, after: Receipt) -> Change:
    old, new = _earning(before), _earning(after)
    known = row.corrected_minor
    if known is None and row.confidence == "high" and row.qualifies:
        known = row.amount_minor
    if new is not None and known is not None and new != known:
        return Change.WRONG
    if old != new:
        if old is None:
            return Change.GAINED
        return Change.LOST if new is None else Change.OTHER
    return Change.KIND if before.kind is not after.kind else Change.SAME
