"""The invented layouts as cases: clean, with hostile remarks, and damaged as scans are.

Owns: `own_cases`. Never: a layout (`layouts/*.txt`) or a way of damage (damage.py). All of them were looked at while
rules were made: their side is `own`, neither tuned nor held. The seed of the tables isn't the one that was worked with.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.accuracy.damage import KINDS, damaged
from tests.accuracy.invented import Money, Paper, papers
from tests.accuracy.sets import PAID, Case, Truth

SEED = 2026
EACH = 30  # papers of each layout
DAMAGED_EACH = 6  # of each layout and kind of damage
_LOUD = (b"\x1b!\x30", b"\x1b!\x00")  # ESC ! n, double width and height on and off
NO_SCANS = ("cn", "tw", "hk", "jp", "kr")  # no collection of scans is in their scripts


def own_cases(seed: int = SEED, each: int = EACH, damaged_each: int = DAMAGED_EACH) -> Iterator[Case]:
    """`invented`: papers as tills print them, which must say themselves that they were paid. `damaged`: as scanned."""
    for number, paper in enumerate(papers(seed, each)):
        yield _case("invented", number, paper, paper.text, "hostile" if paper.hostile else "calm")
    for number, paper in enumerate(papers(seed + 1, damaged_each)):
        for kind in KINDS if paper.sheet.country not in NO_SCANS else ():
            text = damaged(paper.text, kind, random.Random(f"{seed} {number} {kind}"))
            yield _case("damaged", number, paper, text, kind, PAID if paper.sheet.earns else "")


def _case(name: str, number: int, paper: Paper, text: str, group: str, *more: str) -> Case:
    truth = Truth(paper.total_minor, paper.total_minor is not None, paper.sheet.words.get("kind", "sale"))
    settings = (*settings_of(paper.sheet.money), *filter(None, more))
    return Case(name, f"{paper.sheet.name} {number} {group}", group, "own", _printed(text), (truth,), settings)


def settings_of(money: Money) -> tuple[str, ...]:
    """How a person would set the box up in such a shop."""
    return (
        f"shop.currency={money.currency}", f"shop.decimals={money.decimals}", f"shop.decimal_mark={money.mark}",
        f"shop.group_marks={money.group}", f"shop.date_order={money.date_order}",
    )  # fmt: skip


def _printed(text: str) -> bytes:
    rows = []
    for line in text.split("\n"):
        on, off = _LOUD if line.startswith("!") else (b"", b"")
        rows.append(on + line.removeprefix("!").encode() + off)
    return b"\x1b@" + b"\n".join(rows) + b"\n\n\n\n\x1dV\x00"
