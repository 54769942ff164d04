"""The slips of one document → one body for the printer, within what paper and wire allow.

Owns: trying wordings until one fits, and setting several slips under one another. Never: which slips (choice.py), or
the bytes of a block (edgebox/escpos/compose.py).

A slip that doesn't fit is left out with its reason, and the others are printed: a code for points must never be lost to
a coupon behind it. The first slip is the most important one; the shop's budgets are used up in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgebox.errors import SlipError
from edgebox.escpos.blocks import Block, Feed, Rule
from edgebox.escpos.compose import FINE_DOTS, Body, Budget, Press, compose
from edgebox.escpos.qr import MatrixSource
from edgebox.escpos.raster import Raster
from edgebox.slips.facts import Facts
from edgebox.slips.template import Template
from edgebox.slips.wording import Sheet, wordings

NARROW_DOTS = 432  # at most: a 58 mm roll (384 dots, or 432 in printers that use all of it)
NEUTRAL = b"\x1ba\x00\x1bE\x00\x1d!\x00"  # between slips: each is composed as if it were the first
_WORTH_ANOTHER_WORDING = frozenset({"too_long", "too_fine", "too_many_bytes", "too_slow", "too_wide", "script"})


class Chosen(NamedTuple):
    """A slip that is to be printed, with what it says."""

    template: Template
    facts: Facts


class Refused(NamedTuple):
    """A slip that isn't printed, and why: a reason of SlipError."""

    name: str
    reason: str


class Strip(NamedTuple):
    """What goes to the printer. `names`: the slips in it, in order; `heights_mm`: of each, with the rule above it."""

    body: Body
    names: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    heights_mm: tuple[float, ...] = ()


EMPTY = Strip(Body(b"", 0.0, 0.0), ())


class Means(NamedTuple):
    """What slips are printed with: the shop's languages and budgets (0: none), and pictures by name."""

    languages: tuple[str, ...] = ("zh",)
    max_mm: int = 0
    max_bytes: int = 0
    max_wire_ms: int = 0
    images: Mapping[str, Raster] = {}


def strip(chosen: Sequence[Chosen], press: Press, means: Means) -> Strip:
    """The body of all that fit. Never raises for a slip that doesn't: it is among `refused`."""
    press = press._replace(matrix=remembered(press.matrix))
    done = EMPTY.body
    names: list[str] = []
    heights: list[float] = []
    refused: list[Refused] = []
    for one in chosen:
        try:
            body = composed(one, press, means, used=done)
        except SlipError as fault:
            refused.append(Refused(one.template.name, fault.reason))
            continue
        before = done.height_mm if names else 0.0
        done = body if not names else _under(done, body, press)
        names.append(one.template.name)
        heights.append(done.height_mm - before)
    return Strip(done, tuple(names), tuple(refused), tuple(heights))


def composed(one: Chosen, press: Press, means: Means, *, used: Body = EMPTY.body) -> Body:
    """One slip, as wordy as its paper allows; a code that is easy to scan goes before words.

    `used`: what stands above it and counts against the shop's budgets. SlipError as `compose`.
    """
    limits, printer = one.template.limits, press.printer
    is_narrow = printer.dots <= NARROW_DOTS
    budget = Budget(
        _least(limits.narrow_mm if is_narrow else limits.mm, _rest(means.max_mm, used.height_mm)),
        int(_least(limits.bytes, _rest(means.max_bytes, len(used.raw)))),
        int(_least(limits.wire_ms, _rest(means.max_wire_ms, used.wire_ms))),
        FINE_DOTS,
    )
    sheet = Sheet(printer.columns, printer.dots)
    refused: SlipError | None = None
    for allowed in (budget, budget._replace(module_dots=0)):
        for blocks in wordings(one.template, one.facts, means.languages, sheet, dict(means.images)):
            try:
                return compose(blocks, press, allowed)
            except SlipError as fault:
                if fault.reason not in _WORTH_ANOTHER_WORDING:
                    raise
                refused = fault
    raise refused or SlipError("a slip without a wording", reason="empty")


def remembered(matrix: MatrixSource | None) -> MatrixSource | None:
    """The same source, asked once a code: it is the slow part, and every wording has the same code."""
    known: dict[tuple[str, str], Sequence[int]] = {}

    def remember(data: str, level: str) -> Sequence[int]:
        assert matrix is not None, "not called without a source"
        if (data, level) not in known:
            known[data, level] = matrix(data, level)
        return known[data, level]

    return remember if matrix else None


def _under(above: Body, below: Body, press: Press) -> Body:
    """Two slips with a rule between them."""
    between: tuple[Block, ...] = (Feed(1), Rule())  # the blank line is also the quiet zone of a code above
    middle = compose(between, press)
    return Body(
        above.raw + NEUTRAL + middle.raw + NEUTRAL + below.raw,
        above.height_mm + middle.height_mm + below.height_mm,
        above.wire_ms + middle.wire_ms + below.wire_ms,
        above.symbols or below.symbols,
        min(filter(None, (above.module_dots, below.module_dots)), default=0),
    )


def _rest(most: int, used: float) -> float:
    """What is left of a budget; 0 means none was set, so a used-up one leaves the least there is."""
    return max(1, most - used) if most else 0


def _least(*limits: float) -> float:
    return min((limit for limit in limits if limit), default=0)
