"""What of a paper is kept: the lines that are known to be the till's own, redacted; of any other, that it was there.

Owns: `KeptPaper` and `kept_paper`. Never: bytes, files or the store; nor a line that nobody can vouch for. For people
in front of one paper (`edgebox read`) it is enough to star what looks personal. What is kept for weeks is held to more:
a line stays readable only if it is

- a ruled line, a heading, or made of words of the lexicon alone;
- an amount with a meaning, or something sold with an amount;
- a number, date or time and nothing else;
- familiar: this till prints it again and again (familiar.py).

Whatever of it looks personal is starred as well. Everything else is HIDDEN marks, of one length, whoever it was about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgebox.escpos.lines import Line
from edgebox.escpos.style import Setting, Style
from edgebox.model import DocumentKind, Item, Receipt
from edgebox.receipt.details import DetailCollector, Kept
from edgebox.receipt.entries import Entry, EntryCollector
from edgebox.receipt.explained import chosen_line
from edgebox.receipt.familiar import FamiliarLines, shape_of
from edgebox.receipt.items import SoldItem
from edgebox.receipt.lexicon import Key, Lexicon, Role
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.redact import Shown, mask, star_out
from edgebox.receipt.words import LINE_MAX, normalise, tokens
from edgebox.receipt.zones import Trust, is_rule

LINES_MAX = 400  # of one document; the longest receipts of a supermarket have 200
HIDDEN = "\u2217\u2217\u2217\u2217\u2217\u2217"  # what stands for a line; no till prints it
GAPS_MAX = 3  # blank lines above a line that are kept
BOLD, WIDE, TALL, REVERSE, UNDERLINE, CENTRE, RIGHT, MARKED, SMALL = (1 << bit for bit in range(9))
GAP_BIT = 9
_FEW = 2  # letters that no word explains, as beside a label
_PERSONAL = (Key.PERSON, Key.CUSTOMER, Key.REMARK)
_PAYS = (Role.TENDER, Role.TENDERED, Role.PAID)
# Beside numbers, in dates and times; a name is none of these.
_STAMPS = frozenset(
    (
        *("am", "pm", "no", "nr", "num", "pos", "t", "h", "z", "id", "x", "kg", "g"),
        *("date", "time", "datum", "uhr", "fecha", "hora", "data", "heure", "le"),
        *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
        *("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        *("cny", "rmb", "usd", "eur", "hkd", "sgd", "rm", "myr"),
        *"年月日时時分秒元",
    )
)
# Kinds whose lines without an amount are somebody's address as likely as the till's words.
_ABOUT_PEOPLE = (DocumentKind.DELIVERY_PLATFORM, DocumentKind.PICK_UP, DocumentKind.OTHER)
_letters = re.compile(r"[^\W\d_]").findall


class Place(NamedTuple):
    """Letters `begin` to `end` of a line."""

    line: int
    begin: int
    end: int


class KeptLine(NamedTuple):
    """`look`: the bits above, and from GAP_BIT on the blank lines above it. `start`: its offset in the stream."""

    text: str
    look: int = 0
    start: int = 0


class KeptPaper(NamedTuple):
    """`total`, `number`, `tenders`: where they stand; `kind_at`: the line that says its kind, -1 none."""

    lines: tuple[KeptLine, ...] = ()
    total: Place | None = None
    number: Place | None = None
    kind_at: int = -1
    tenders: tuple[Place, ...] = ()
    items: tuple[Item, ...] = ()


class Known(NamedTuple):
    """What tells the till's own lines: words, amounts and memory."""

    lexicon: Lexicon
    finder: AmountFinder
    familiar: FamiliarLines


def kept_paper(details: DetailCollector, found: EntryCollector, receipt: Receipt, known: Known) -> KeptPaper:
    """The paper of a document that has been read, for keeping. `familiar` learns its lines."""
    lines = details.lines[:LINES_MAX]
    shown = details.redacted()
    sold = _sold(details, receipt.kind)
    by_line: dict[int, list[Entry]] = {}
    for entry in found.entries:
        by_line.setdefault(entry.place, []).append(entry)
    shapes = [shape_of(kept.text) for kept in lines]
    texts = [
        _text(kept, shown[place], by_line.get(place, ()), place in sold, known, is_familiar=known.familiar.knows(shape))
        for place, (kept, shape) in enumerate(zip(lines, shapes, strict=True))
    ]
    known.familiar.ended(shapes)
    kept = tuple(
        KeptLine(text or HIDDEN, _look(one.line, above) | (0 if text else MARKED), one.line.start)
        for text, one, above in zip(texts, lines, [None, *(one.line for one in lines)], strict=False)
    )
    total = chosen_line(found, receipt.amount_minor)
    return KeptPaper(
        kept,
        _amount_at(kept, total, receipt.amount_minor, known.finder),
        _number_at(kept, receipt.number),
        _kind_at(lines, receipt.kind, known.lexicon),
        _tenders_at(kept, found.entries, known.finder),
        _items(details, receipt.kind, known.lexicon),
    )


# -- a line


def _text(kept: Kept, shown: Shown, entries: Sequence[Entry], is_sold: bool, known: Known, *, is_familiar: bool) -> str:
    """What stays of the line; "": nothing but that it was there."""
    text = kept.line.text[:LINE_MAX]
    if kept.key in _PERSONAL:
        head, colon, _ = text.replace("：", ":").partition(":")
        return f"{head}: {HIDDEN}" if colon and len(head) < LINE_MAX else ""
    if kept.trust is Trust.NONE:
        return ""
    if is_rule(kept.text) and not _letters(kept.text):
        return text
    if is_familiar:
        return shown.text
    if entries:
        return _with_meaning(kept.text, shown.text, entries, known)
    if kept.trust is not Trust.FULL:
        return ""
    if is_sold and known.lexicon.names_payment(tokens(kept.text)):
        return star_letters(shown.text)  # `CASH FROM MIRIAM 50.00`
    if is_sold or _is_worded(kept.text, known.lexicon) or _is_stamp(kept.text):
        return shown.text
    return _with_key(kept, shown.text)


def _with_meaning(text: str, shown: str, entries: Sequence[Entry], known: Known) -> str:
    """An amount's line: its label is of known words; what stands behind the last amount may be anybody's."""
    amounts = known.finder.find(text)
    if not amounts or len(text) != len(shown) or any(entry.role is Role.WEAK for entry in entries):
        return star_letters(shown)
    end = amounts[-1].end
    return shown[:end] + (shown[end:] if _is_stamp(text[end:]) else star_out(shown[end:]))


def _with_key(kept: Kept, shown: str) -> str:
    """`单号: 000417`: the value stays if it is a code."""
    if kept.key is None or ":" not in shown.replace("：", ":"):
        return ""
    head, _, value = shown.replace("：", ":").partition(":")
    words = tokens(normalise(value))
    is_code = (
        bool(words) and any(map(str.isdigit, words)) and sum(len(word) for word in words if word.isalpha()) <= _FEW
    )
    return f"{head}:{value if is_code or _is_stamp(normalise(value)) else f' {HIDDEN}'}"


def _is_worded(text: str, lexicon: Lexicon) -> bool:
    """Nothing but words that the lexicon has."""
    parts = tokens(text)
    if not parts:
        return True
    if lexicon.label(text.strip()).role is not Role.ITEM or lexicon.headings.heads(text):
        return True
    kinds = lexicon.kind_words(parts)
    if (kinds.kinds or kinds.modifiers) and kinds.leftover <= _FEW:
        return True
    return lexicon.may_say_paid(parts) and lexicon.says_paid(parts)


def _is_stamp(text: str) -> bool:
    """Numbers, and words that stand beside a date."""
    return all(part.isdigit() or part in _STAMPS for part in tokens(text))


def star_letters(text: str) -> str:
    """The text without its words; figures stay."""
    return re.sub(r"[^\W\d_]", "*", text)


def _sold(details: DetailCollector, kind: DocumentKind) -> set[int]:
    """Lines of what was sold, with their names' where those can't be an address."""
    sold = details.sold()
    if kind in _ABOUT_PEOPLE:
        return {one.place for one in sold if one.item.amount_minor}
    return {place for one in sold for place in (one.place, one.named_at)}


def _items(details: DetailCollector, kind: DocumentKind, lexicon: Lexicon) -> tuple[Item, ...]:
    """With names only where their line is kept."""

    def name(one: SoldItem) -> str:
        is_hidden = kind in _ABOUT_PEOPLE and one.named_at != one.place
        text = one.item.name
        return "" if is_hidden or lexicon.names_payment(tokens(normalise(text))) else mask(text)

    return tuple(one.item._replace(name=name(one)) for one in details.sold())


# -- where things stand


def _amount_at(lines: Sequence[KeptLine], place: int, minor: int | None, finder: AmountFinder) -> Place | None:
    if minor is None or not 0 <= place < len(lines):
        return None
    text = normalise(lines[place].text)
    spans = [amount for amount in finder.find(text) if amount.minor == minor]
    if spans and len(text) == len(lines[place].text):
        return Place(place, spans[-1].start, spans[-1].end)
    return Place(place, 0, len(lines[place].text))


def _number_at(lines: Sequence[KeptLine], number: str) -> Place | None:
    for place, line in enumerate(lines):
        at = line.text.upper().find(number) if number else -1
        if at >= 0:
            return Place(place, at, at + len(number))
    return None


def _kind_at(lines: Sequence[Kept], kind: DocumentKind, lexicon: Lexicon) -> int:
    says: Callable[[Kept], bool] = lambda kept: kind in lexicon.kind_words(tokens(kept.text)).kinds  # noqa: E731
    return next((place for place, kept in enumerate(lines) if kept.trust is Trust.FULL and says(kept)), -1)


def _tenders_at(lines: Sequence[KeptLine], entries: Sequence[Entry], finder: AmountFinder) -> tuple[Place, ...]:
    ways = (entry for entry in entries if entry.tender is not None and entry.role in _PAYS)
    places = (_amount_at(lines, entry.place, entry.minor, finder) for entry in ways)
    return tuple(dict.fromkeys(place for place in places if place is not None))


# -- how it looks


def _look(line: Line, above: Line | None) -> int:
    """The line's loudest letters stand for all of it."""
    look = line.look
    if isinstance(look, Setting):
        bits, spacing = _bits(look.style), look.line_spacing
    else:
        bits, spacing = 0, 0
        for span in look:
            bits |= _bits(span.style)
    gap = (line.top - above.top) // (spacing or 30) - 1 if above is not None else 0
    return bits | max(0, min(gap, GAPS_MAX)) << GAP_BIT


def _bits(style: Style) -> int:
    return (
        style.bold * BOLD
        | style.double_width * WIDE
        | style.double_height * TALL
        | style.reverse * REVERSE
        | (style.underline > 0) * UNDERLINE
        | (style.justify == 1) * CENTRE
        | (style.justify == 2) * RIGHT
        | (style.font != "A") * SMALL
    )
