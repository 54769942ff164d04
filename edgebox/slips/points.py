"""The points slip: a claim's QR code and what the customer should know about it.

Owns: its words in each language, their order, and what is left out where paper is short. Never: bytes
(edgebox/escpos/compose.py), or how many points.

The slip is compact, because every receipt pays for it in paper: at most 30 mm on 80 mm rolls, 40 mm on 58 mm. A printer
that makes codes itself gets two lines of text and the code below them; where the code goes as dots anyway, the words
stand beside it. The host is printed as text too, so that a code pasted over ours can be told (domain notes 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edgebox.errors import SlipError
from edgebox.escpos.blocks import Align, QrBeside, Text
from edgebox.escpos.compose import FINE_DOTS, Body, Budget, Press, compose
from edgebox.escpos.lettering import columns
from edgebox.escpos.qr import MatrixSource
from edgebox.model import format_minor

WIDE_MM, NARROW_MM = 30, 40  # the most paper that the slip may take, on 80 mm and on 58 mm rolls
NARROW_DOTS = 432  # at most: a 58 mm roll (384 dots, or 432 in printers that use all of it)


class Words(NamedTuple):
    """One language: what to do, what was paid, how long it is good. Filled by str.format."""

    scan: str
    paid: str
    valid: str


WORDS = {
    "zh": Words("扫码领积分 至少{points}分", "实付{amount}", "{hours}小时内有效"),
    "en": Words("Scan for {points}+ points", "paid {amount}", "valid {hours} h"),
}
EVERYWHERE = "en"  # ASCII only: what a printer prints that lacks the script of the shop's language


class Offer(NamedTuple):
    """What one receipt earns. `points`: at least so many. `hours`: how long the claim lives; 0: not printed."""

    url: str
    points: int
    amount_minor: int
    currency: str
    decimals: int = 2
    hours: int = 72


class Settings(NamedTuple):
    """The shop's choices: languages in order, and budgets besides the slip's own height (0: none)."""

    languages: tuple[str, ...] = ("zh",)
    max_bytes: int = 0
    max_wire_ms: int = 0


DEFAULT = Settings()


def points_slip(offer: Offer, press: Press, settings: Settings = DEFAULT) -> Body:
    """The body of a points slip, as wordy as its paper allows; a code easy to scan goes before words.

    SlipError as `compose`, and `language` for one that isn't known. A printer that lacks a language's script gets
    English.
    """
    mm = NARROW_MM if press.printer.dots <= NARROW_DOTS else WIDE_MM
    budget = Budget(mm, settings.max_bytes, settings.max_wire_ms, FINE_DOTS)
    press = press._replace(matrix=_remembered(press.matrix))
    refused: SlipError | None = None
    for allowed in (budget, budget._replace(module_dots=0)):
        for block in _wordings(offer, settings.languages, press.printer.columns):  # mostly the first is the one
            try:
                return compose((block,), press, allowed)
            except SlipError as fault:
                if fault.reason not in ("too_long", "too_fine", "script"):
                    raise
                refused = fault
    assert refused is not None, "there is at least one wording"
    raise refused


def host_of(url: str) -> str:
    """The URL's host as people read it: `HTTPS://M.EXAMPLE.CN/C/…` → `m.example.cn`."""
    return url.split("/", 3)[2].lower()


def _remembered(matrix: MatrixSource | None) -> MatrixSource | None:
    """The same source, asked once a code: it is the slow part, and every wording has the same code."""
    known: dict[tuple[str, str], Sequence[int]] = {}

    def remember(data: str, level: str) -> Sequence[int]:
        assert matrix is not None, "not called without a source"
        if (data, level) not in known:
            known[data, level] = matrix(data, level)
        return known[data, level]

    return remember if matrix else None


def _wordings(offer: Offer, languages: tuple[str, ...], width: int) -> Iterator[QrBeside]:
    """From all languages with the amount to English without: each for paper that had no room for the one before."""
    choices = dict.fromkeys((languages, languages[:1], (EVERYWHERE,)))
    for chosen in choices:
        for says_paid in (True, False):
            yield _block(offer, chosen, width, says_paid=says_paid)


def _block(offer: Offer, languages: tuple[str, ...], width: int, *, says_paid: bool) -> QrBeside:
    spoken = [_spoken(offer, language) for language in languages]
    host = host_of(offer.url)
    paid = spoken[0].paid if says_paid else ""
    scans, valids = [words.scan for words in spoken], [words.valid for words in spoken]
    above = (*_joined(scans, width), *_joined([" ".join(filter(None, (host, paid, valids[0]))), *valids[1:]], width))
    beside = (*scans, paid, *valids, host)
    return QrBeside(
        offer.url,
        tuple(Text(line, bold=number == 0) for number, line in enumerate(beside) if line),
        tuple(Text(line, Align.CENTER, bold=number == 0) for number, line in enumerate(above) if line),
    )


def _joined(parts: list[str], width: int) -> list[str]:
    """The same in several languages: on one line if it fits."""
    line = " / ".join(filter(None, parts))
    return [line] if columns(line) <= width else parts


def _spoken(offer: Offer, language: str) -> Words:
    words = WORDS.get(language)
    if words is None:
        raise SlipError(f"no language {language!r}", reason="language", hint="there are: " + ", ".join(WORDS))
    value = format_minor(offer.amount_minor, offer.decimals)
    # Chinese writes its own currency as a word; the sign ¥ is four bytes in GB18030 and missing in GBK.
    amount = f"{value}元" if (language, offer.currency) == ("zh", "CNY") else f"{value} {offer.currency}".strip()
    valid = words.valid.format(hours=offer.hours) if offer.hours else ""
    return Words(words.scan.format(points=offer.points), words.paid.format(amount=amount), valid)
