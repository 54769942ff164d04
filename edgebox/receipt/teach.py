"""From one to three papers whose total a person has pointed at to a profile of their layout.

Owns: `teach`: where the total (and the number) stands on every paper, and on no paper anything else; the profile's
TOML; and what stays ambiguous, in words. Never: files, and never a guess: without a place that always holds no profile,
and none that would be wrong on its own papers.

A place is a label at a line's beginning, a label alone on the line above, or a label in the middle of a line. Lines
that a customer wrote are not among a sample's lines, so nothing is learned from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from edgebox.model import TenderKind, format_minor
from edgebox.receipt.ends import LineHints
from edgebox.receipt.layout import marks_of
from edgebox.receipt.lexicon import Lexicon, Role
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile, profile_from
from edgebox.receipt.words import normalise, tokens
from edgebox.receipt.zones import is_rule

_label = re.compile(r"([^\d$¥€£:]{1,28}?)(?:\s{2,}|\s*[:$¥€£\-\d]|\s+\.\d)").match
_currency = re.compile(r"\s*(?:rm|rmb|eur|usd|hk\$?|nt\$?|cny|sgd)\s*$").sub
_columns = re.compile(r"\s{2,}|[|/]").split
_LABEL_LETTERS = 28  # the longest that a label is
# Of labels that always said the same, which is believed; a way of paying only where nothing else is printed.
_BEST_FIRST = (Role.NET, Role.PAID, Role.ROUNDED, Role.DUE, Role.SUM, Role.ITEM, Role.SUBTOTAL, Role.TENDER)
_NEVER = (Role.TENDERED, Role.CHANGE, Role.IGNORE, Role.DISCOUNT, Role.TAX)  # equal by chance
_CASH = TenderKind.CASH  # what was handed over, unless it was counted out
_BEHIND = r"[^0-9]{0,48}([0-9][0-9.,]{0,14})"  # a value behind its label, as a pattern; paper has 48 columns


class Sample(NamedTuple):
    """One paper: its trusted lines (normalised), its layout, and what a person says it holds. `number` "": not said."""

    lines: Sequence[str]
    layout: str
    total_minor: int
    number: str = ""


class Taught(NamedTuple):
    """`toml` "": no profile can be made, and `ambiguous` says why. `profile`: the same, compiled."""

    toml: str
    profile: Profile | None
    ambiguous: tuple[str, ...]


class Form(IntEnum):
    """Where a label stands to its value; the surest first."""

    BEGINNING = 0  # of the line
    ABOVE = 1  # alone on the line above
    INSIDE = 2  # somewhere in the line, its value right behind it


class Spot(NamedTuple):
    """A label and how it stands to its value."""

    form: Form
    label: str

    def __str__(self) -> str:
        where = ("", " on the line above", " in the middle of a line")[self.form]
        return f"“{self.label}”{where}"

    @property
    def anchor(self) -> dict[str, object]:
        """As a profile has it."""
        if self.form is Form.INSIDE:
            return {"pattern": re.escape(self.label).replace("\\ ", " ") + _BEHIND}
        return {"label": self.label, "next_line": True} if self.form is Form.ABOVE else {"label": self.label}


def teach(
    name: str,
    samples: Sequence[Sample],
    finder: AmountFinder,
    lexicon: Lexicon,
    *,
    prints_after_payment: bool = False,
    hints: LineHints | None = None,
) -> Taught:
    """The profile of the samples' layout."""
    ambiguous: list[str] = []
    total = _spot_of_total(samples, finder, lexicon, ambiguous)
    number = _label_of_number(samples, ambiguous)
    if len({bool(sample.layout) for sample in samples}) > 1 or not samples[0].layout:
        ambiguous.append("too few labels on the paper: its layout can't be told from another")
        return Taught("", None, tuple(ambiguous))
    if total is None:
        return Taught("", None, tuple(ambiguous))
    table: dict[str, object] = {"layouts": sorted({sample.layout for sample in samples})}
    if prints_after_payment:
        table["prints_after_payment"] = True
    if hints is not None:
        table |= {key: value for key, value in zip(LineHints._fields, hints, strict=True) if value}
        ambiguous += hints.words()
    table["total"] = total.anchor
    if number:
        table["number"] = {"label": number}
    if len(samples) == 1:
        ambiguous.append("one paper only: teach another one, with a discount and paid another way, to be surer")
    if len(samples) > 1 and not frozenset.intersection(*(marks_of(sample.layout) for sample in samples)):
        ambiguous.append("the papers have no label in common: are they of one till?")
    profile = profile_from(name, table)
    if number and not _finds_numbers(profile, samples, finder):
        ambiguous.append(f"the number behind “{number}” would not come out: it is left to the box")
        del table["number"]
        profile = profile_from(name, table)
    wrong = list(_wrong(profile, samples, finder))
    if wrong:
        return Taught("", None, (*ambiguous, *wrong))
    heading = f"# Taught from {len(samples)} paper{'' if len(samples) == 1 else 's'}."
    return Taught(f"{heading}\n{_toml(table)}", profile, tuple(ambiguous))


def _wrong(profile: Profile, samples: Sequence[Sample], finder: AmountFinder) -> Iterator[str]:
    """On which of its own papers the profile would find another total, in words."""
    decimals = finder.convention.decimals
    for place, sample in enumerate(samples, 1):
        found = profile.read(sample.lines, finder, "ymd").totals
        if found != (sample.total_minor,):
            listed = ", ".join(format_minor(minor, decimals) for minor in found) or "none"
            yield f"paper {place}: the profile would find {listed}, not {format_minor(sample.total_minor, decimals)}"


def _finds_numbers(profile: Profile, samples: Sequence[Sample], finder: AmountFinder) -> bool:
    """The numbers that a person named come out."""
    wanted = [(sample, normalise(sample.number).replace(" ", "").upper()) for sample in samples if sample.number]
    return all(dict(profile.read(one.lines, finder, "ymd").fields).get("number") == code for one, code in wanted)


def _spot_of_total(
    samples: Sequence[Sample], finder: AmountFinder, lexicon: Lexicon, ambiguous: list[str]
) -> Spot | None:
    """Where the total stands on all samples; other places that do as well are named as ambiguous."""
    good: set[Spot] | None = None
    for place, sample in enumerate(samples, 1):
        right = {
            spot
            for spot, found in _values(sample.lines, finder).items()
            if found == {sample.total_minor} and _rank(spot, lexicon) <= len(_BEST_FIRST)
        }
        if not right:
            where = f" on paper {place}" if len(samples) > 1 else ""
            ambiguous.append(f"no label carries that total and nothing else{where}")
            return None
        good = right if good is None else good & right
    if not good:
        ambiguous.append("no label carries the total on all papers")
        return None
    stands = _stands(samples[0].lines, finder)
    ranked = sorted(good, key=lambda spot: (_rank(spot, lexicon), stands[spot], spot.form, spot.label))
    others = [spot for spot in ranked[1:] if spot.label != ranked[0].label]
    if others:
        listed = ", ".join(map(str, others))
        ambiguous.append(f"the total is taken from {ranked[0]}; {listed} always said the same")
    if lexicon.label(ranked[0].label).role is Role.ITEM and not stands[ranked[0]].has_colon:
        ambiguous.append(f"{ranked[0]} is no word that the box knows: is it the total's, and nothing that was sold?")
    return ranked[0]


class _Stand(NamedTuple):
    """Where a spot stands, in the order of belief: in the last part of the paper, with a colon, high up in it."""

    parts_below: int  # ruled lines below it
    lacks_colon: bool
    place: int

    @property
    def has_colon(self) -> bool:
        return not self.lacks_colon


def _stands(lines: Sequence[str], finder: AmountFinder) -> dict[Spot, _Stand]:
    """Each spot where it stands last."""
    out: dict[Spot, _Stand] = {}
    rules = [place for place, line in enumerate(lines) if is_rule(line)]
    for place, (line, below) in enumerate(zip(lines, (*lines[1:], ""), strict=True)):
        for spot, _ in _spots(line, below, finder):
            behind = line.partition(spot.label)[2].lstrip()
            out[spot] = _Stand(sum(rule > place for rule in rules), not behind.startswith(":"), place)
    return out


def _rank(spot: Spot, lexicon: Lexicon) -> int:
    """The place of a label in the order of belief; beyond the last: never."""
    meaning = lexicon.label(spot.label)
    if meaning.role in _NEVER or meaning.tender is _CASH:
        return len(_BEST_FIRST) + 1
    return _BEST_FIRST.index(meaning.role) if meaning.role in _BEST_FIRST else len(_BEST_FIRST)


def _values(lines: Sequence[str], finder: AmountFinder) -> dict[Spot, set[int]]:
    """Each place and the amounts that stand there."""
    out: dict[Spot, set[int]] = {}
    for line, below in zip(lines, (*lines[1:], ""), strict=True):
        for spot, minor in _spots(line, below, finder):
            out.setdefault(spot, set()).add(minor)
    return out


def _spots(line: str, below: str, finder: AmountFinder) -> Iterator[tuple[Spot, int]]:
    amounts = finder.find(line)
    label = _label_at(line)
    if label and label in line:
        behind = finder.find(line[line.index(label) + len(label) :])
        if behind:
            yield Spot(Form.BEGINNING, label), behind[-1].minor
    if not amounts:
        alone, values = line.strip(" :.-=*"), finder.find(below)
        if values and tokens(alone) and len(alone) <= _LABEL_LETTERS and ":" not in alone:
            yield Spot(Form.ABOVE, alone), values[-1].minor
        return
    begin = 0
    for amount in amounts:
        inside = _currency("", _columns(line[begin : amount.start].rstrip())[-1]).strip(" :.-=*$¥€£")
        begin = amount.end
        if tokens(inside) and inside != label and len(inside) <= _LABEL_LETTERS and not any(map(str.isdigit, inside)):
            yield Spot(Form.INSIDE, inside), amount.minor


def _label_at(line: str) -> str:
    match = _label(line.strip())
    label = _currency("", match[1]).strip() if match else ""
    return label if tokens(label) else ""


def _label_of_number(samples: Sequence[Sample], ambiguous: list[str]) -> str | None:
    """The label before the number that was pointed at, on all samples that have one."""
    good: set[str] | None = None
    for sample in samples:
        if not sample.number:
            continue
        wanted = normalise(sample.number).strip()
        right = {
            label
            for line in sample.lines
            if wanted in line and (label := _label_at(line)) and line.index(wanted) >= line.index(label)
        }
        good = right if good is None else good & right
    if good is None:
        return None
    if not good:
        ambiguous.append("no label stands before that number on all papers")
        return None
    return min(good, key=len)


# -- TOML


def _toml(table: dict[str, object]) -> str:
    """Keys first, tables after."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{name} = {_value(inner)}" for name, inner in value.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
