"""From one to three papers whose total a person has pointed at to a profile of their layout.

Owns: `teach`: which labels carry the total (and the number) on every paper, and on no paper anything else; the
profile's TOML; and what stays ambiguous, in words. Never: files, and never a guess: without a label that always holds,
no profile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.model import TenderKind
from edgebox.receipt.layout import marks_of
from edgebox.receipt.lexicon import Lexicon, Role
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile, profile_from
from edgebox.receipt.words import normalise, tokens

_label = re.compile(r"([^\d$¥€£:]{1,28}?)(?:\s{2,}|\s*[:$¥€£\-\d]|\s+\.\d)").match
_currency = re.compile(r"\s*(?:rm|rmb|eur|usd|hk\$?|nt\$?|cny|sgd)\s*$").sub
# Of labels that always said the same, which is believed; a way of paying only where nothing else is printed.
_BEST_FIRST = (Role.NET, Role.PAID, Role.ROUNDED, Role.DUE, Role.SUM, Role.ITEM, Role.SUBTOTAL, Role.TENDER)
_NEVER = (Role.TENDERED, Role.CHANGE, Role.IGNORE, Role.DISCOUNT, Role.TAX)  # equal by chance
_CASH = TenderKind.CASH  # what was handed over, unless it was counted out


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


def teach(
    name: str, samples: Sequence[Sample], finder: AmountFinder, lexicon: Lexicon, *, prints_after_payment: bool = False
) -> Taught:
    """The profile of the samples' layout."""
    ambiguous: list[str] = []
    total = _label_of_total(samples, finder, lexicon, ambiguous)
    number = _label_of_number(samples, ambiguous)
    if len({bool(sample.layout) for sample in samples}) > 1 or not samples[0].layout:
        ambiguous.append("too few labels on the paper: its layout can't be told from another")
        return Taught("", None, tuple(ambiguous))
    if total is None:
        return Taught("", None, tuple(ambiguous))
    table: dict[str, object] = {"layouts": sorted({sample.layout for sample in samples})}
    lines = [
        f"# Taught from {len(samples)} paper{'' if len(samples) == 1 else 's'}.",
        f"layouts = {_list(table['layouts'])}",
    ]
    if prints_after_payment:
        table["prints_after_payment"] = True
        lines.append("prints_after_payment = true")
    for field, anchor in (("total", total), ("number", number)):
        if anchor:
            table[field] = {"label": anchor}
            lines += ["", f"[{field}]", f"label = {_quoted(anchor)}"]
    if len(samples) == 1:
        ambiguous.append("one paper only: teach another one, with a discount and paid another way, to be surer")
    if len(samples) > 1 and not frozenset.intersection(*(marks_of(sample.layout) for sample in samples)):
        ambiguous.append("the papers have no label in common: are they of one till?")
    return Taught("\n".join(lines) + "\n", profile_from(name, table), tuple(ambiguous))


def _label_of_total(
    samples: Sequence[Sample], finder: AmountFinder, lexicon: Lexicon, ambiguous: list[str]
) -> str | None:
    """The label that carries the total on all samples; others that do as well are named as ambiguous."""
    good: set[str] | None = None
    for place, sample in enumerate(samples, 1):
        values = _values(sample.lines, finder)
        right = {
            label
            for label, found in values.items()
            if found == {sample.total_minor} and _rank(label, lexicon) <= len(_BEST_FIRST)
        }
        if not right:
            where = f" on paper {place}" if len(samples) > 1 else ""
            ambiguous.append(f"no label carries that total and nothing else{where}")
            return None
        good = right if good is None else good & right
    if not good:
        ambiguous.append("no label carries the total on all papers")
        return None
    ranked = sorted(good, key=lambda label: (_rank(label, lexicon), -len(label), label))
    if len(ranked) > 1:
        others = ", ".join(f"“{label}”" for label in ranked[1:])
        ambiguous.append(f"the total is taken from “{ranked[0]}”; {others} always said the same")
    return ranked[0]


def _rank(label: str, lexicon: Lexicon) -> int:
    """The place of a label in the order of belief; beyond the last: never."""
    meaning = lexicon.label(label)
    if meaning.role in _NEVER or meaning.tender is _CASH:
        return len(_BEST_FIRST) + 1
    return _BEST_FIRST.index(meaning.role) if meaning.role in _BEST_FIRST else len(_BEST_FIRST)


def _values(lines: Sequence[str], finder: AmountFinder) -> dict[str, set[int]]:
    """Each label at a line's beginning, and the last amounts behind it."""
    out: dict[str, set[int]] = {}
    for line in lines:
        label = _label_at(line)
        amounts = finder.find(line[line.index(label) + len(label) :] if label and label in line else "")
        if label and amounts:
            out.setdefault(label, set()).add(amounts[-1].minor)
    return out


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


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list(values: object) -> str:
    assert isinstance(values, list), "made above"
    return "[" + ", ".join(map(_quoted, values)) + "]"
