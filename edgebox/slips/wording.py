"""A template and one receipt's facts → blocks to print, in as many wordings as paper that is short may need.

Owns: filling fields in, languages side by side, columns, and the order of wordings: all languages in full, all of them
short, the first language alone in full and short, and at last English, which every printer has letters for. Never:
bytes, or whether a wording fits (strip.py tries them).
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import NamedTuple

from edgebox.escpos import bars
from edgebox.escpos.blocks import Align, Block, Feed, Qr, QrBeside, Rule, Text
from edgebox.escpos.lettering import columns
from edgebox.escpos.raster import Raster, from_rows
from edgebox.escpos.symbols import BarCode
from edgebox.slips.facts import Facts
from edgebox.slips.template import (
    ANY,
    BarcodeBlock,
    ColumnsBlock,
    FeedBlock,
    ImageBlock,
    QrBesideBlock,
    QrBlock,
    RuleBlock,
    Template,
    TemplateBlock,
    TextBlock,
    Words,
)

EVERYWHERE = "en"  # ASCII only
BAR_DOTS = 2  # a module of a bar code: 0.25 mm at 203 dpi, the narrowest that cheap scanners read (GS1 5.12: 0.25 mm)
BAR_HEIGHT_DOTS = 56  # 7 mm: enough for a scanner held by hand
BAR_QUIET = 10  # modules of white on either side (ISO/IEC 15417)
_FORMATTER = string.Formatter()


class Sheet(NamedTuple):
    """The paper: columns of font A and dots."""

    columns: int
    dots: int


def fields_in(text: str) -> list[str]:
    """The fields that a text names. ValueError: a brace without its partner, or more than a name between braces."""
    names = []
    for _, name, spec, conversion in _FORMATTER.parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"{{{name}}} is no field: only a name may stand between braces")
        names.append(name)
    return names


def wordings(
    template: Template, facts: Facts, languages: tuple[str, ...], sheet: Sheet, images: dict[str, Raster] | None = None
) -> Iterator[tuple[Block, ...]]:
    """The slip, best wording first. `languages`: the shop's, for a template that names none."""
    known = languages_of(template)
    spoken = tuple(one for one in template.languages or languages if one in known) or (EVERYWHERE,)
    seen = set()
    for chosen in dict.fromkeys((spoken, spoken[:1], (EVERYWHERE,))):
        for is_short in (False, True):
            blocks = tuple(_Wording(facts, chosen, is_short, sheet, images or {}).blocks(template.blocks))
            if blocks not in seen:
                seen.add(blocks)
                yield blocks


def languages_of(template: Template) -> frozenset[str]:
    """The languages in which it says something."""
    words = [words for block in template.blocks for words in _words_in(block)]
    return frozenset(language for one in words for language, _ in one.full if language != ANY)


def _words_in(block: TemplateBlock) -> Iterator[Words]:
    match block:
        case TextBlock():
            yield block.words
        case QrBlock() if block.caption is not None:
            yield block.caption.words
        case QrBesideBlock():
            yield from (line.words for line in (*block.beside, *block.above))
        case ColumnsBlock():
            yield from (block.left, block.right)


class _Wording:
    """One way to say it."""

    def __init__(
        self, facts: Facts, languages: tuple[str, ...], is_short: bool, sheet: Sheet, images: dict[str, Raster]
    ) -> None:
        self._facts = facts
        self._languages = languages
        self._is_short = is_short
        self._sheet = sheet
        self._images = images

    def blocks(self, blocks: tuple[TemplateBlock, ...]) -> Iterator[Block]:
        for block in blocks:
            if not block.given or self._facts.has(block.given):
                yield from self._block(block)

    def _block(self, block: TemplateBlock) -> Iterator[Block]:
        match block:
            case TextBlock():
                yield from self._lines(block)
            case QrBlock():
                yield from self._qr(block)
            case QrBesideBlock():
                yield self._beside(block)
            case BarcodeBlock():
                yield from self._barcode(block)
            case ColumnsBlock():
                yield from self._columns(block)
            case ImageBlock():
                if block.name in self._images:
                    yield centred(self._images[block.name], self._sheet.dots)
            case RuleBlock():
                yield Rule(block.char)
            case FeedBlock():
                yield Feed(block.lines)

    def _filled(self, text: str, language: str) -> str:
        return "".join(
            literal + (self._facts.text(name, language) if name else "")
            for literal, name, _, _ in _FORMATTER.parse(text)
        )

    def _said(self, words: Words) -> list[str]:
        """In each language, once where two say the same."""
        languages = self._languages[:1] if words.once else self._languages
        said = [self._filled(words.said(language, is_short=self._is_short), language) for language in languages]
        return list(dict.fromkeys(text.strip() for text in said if text.strip()))

    def _lines(self, block: TextBlock) -> Iterator[Text]:
        """Languages share a line if it is long enough."""
        said = self._said(block.words)
        line = " / ".join(said)
        for text in [line] if columns(line) * block.size <= self._sheet.columns else said:
            if text:
                yield Text(text, block.align, block.bold, block.size, block.size)

    def _qr(self, block: QrBlock) -> Iterator[Block]:
        yield Qr(self._filled(block.data, self._languages[0]), level=block.level)
        if block.caption is not None:
            yield from self._lines(block.caption._replace(align=Align.CENTER))

    def _beside(self, block: QrBesideBlock) -> QrBeside:
        beside = [
            Text(text, bold=line.bold) for line in block.beside if self._has(line) for text in self._said(line.words)
        ]
        above = [text for line in block.above if self._has(line) for text in self._lines(line)]
        data = self._filled(block.data, self._languages[0])
        return QrBeside(data, tuple(beside), tuple(above), level=block.level)

    def _has(self, line: TextBlock) -> bool:
        return not line.given or self._facts.has(line.given)

    def _barcode(self, block: BarcodeBlock) -> Iterator[Block]:
        data = self._filled(block.data, self._languages[0])
        picture = code128(data, self._sheet.dots)
        if picture is not None:
            yield picture
        if block.labelled or picture is None:  # what can't be scanned can still be typed
            yield Text(data, Align.CENTER)

    def _columns(self, block: ColumnsBlock) -> Iterator[Text]:
        if not block.each:
            left, right = (" ".join(self._said(words)) for words in (block.left, block.right))
            yield from self._row(left, right, block.bold)
            return
        for left, right in self._facts.rows.get(block.each, ()):
            yield from self._row(left, right, block.bold)

    def _row(self, left: str, right: str, bold: bool) -> Iterator[Text]:
        space = self._sheet.columns - columns(left) - columns(right)
        if space >= 1:
            yield Text(left + " " * space + right, bold=bold)
            return
        yield Text(left, bold=bold)
        yield Text(right, Align.RIGHT, bold=bold)


def code128(data: str, paper_dots: int) -> Raster | None:
    """A Code 128 in the middle of the paper; None: the data can't be one, or the paper is too narrow."""
    if not data.isascii() or not data:
        return None
    modules = bars.modules(BarCode("code128", data, _code_sets(data)))
    if modules is None or (len(modules) + 2 * BAR_QUIET) * BAR_DOTS > paper_dots:
        return None
    row = int("".join(bit * BAR_DOTS for bit in modules), 2)
    return centred(from_rows([row] * BAR_HEIGHT_DOTS, len(modules) * BAR_DOTS), paper_dots)


def _code_sets(data: str) -> bytes:
    """The data of a `GS k` m = 73: two digits a symbol where it is all digits (set C), else set B."""
    if data.isdigit() and len(data) % 2 == 0:
        return b"{C" + bytes(int(data[at : at + 2]) for at in range(0, len(data), 2))
    return b"{B" + data.encode("ascii").replace(b"{", b"{{")


def centred(picture: Raster, paper_dots: int) -> Raster:
    """The picture in the middle of the paper; one that is as wide stays as it is."""
    left = (paper_dots - picture.width) // 2
    if left <= 0:
        return picture
    return from_rows(picture.rows(), picture.width + left)
