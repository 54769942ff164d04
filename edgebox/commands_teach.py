"""`edgebox teach`: a receipt profile from one to three captures and the totals that a person reads on them.

Owns: the command: reads the captures, has the profile made, tries it on them, and says what stays ambiguous. Never:
puts it in place; a person does, once it is right.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from edgebox.captures import CapturedDocument, capture_bytes, read_capture
from edgebox.commands_read import line_of, reader_of
from edgebox.config import load, load_lexicon
from edgebox.errors import EdgeboxError
from edgebox.model import format_minor
from edgebox.receipt.ends import Ends, line_hints
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.preprint import Outline
from edgebox.receipt.profiles import Profile
from edgebox.receipt.teach import Sample, Taught, teach
from edgebox.receipt_profiles import EXAMPLE
from edgebox.settings import Config

CAPTURES_MAX = 3  # more teach nothing new, and a person has to read each of them
_UNPAID = "nothing says that it is paid"  # edgebox/receipt/totals.py
_total = re.compile(r"\d{1,9}(?:\.\d{1,3})?").fullmatch
_name = re.compile(r"[a-z0-9][a-z0-9\-]{0,47}").fullmatch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Captures, what they hold, and where the profile goes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="CAPTURE", help="one to three receipts of one till")
    parser.add_argument(
        "--total", action="append", required=True, metavar="33.90", help="of each capture, in their order"
    )
    parser.add_argument("--number", action="append", default=[], help="receipt number of each capture, in their order")
    parser.add_argument("--paid", action="store_true", help="this till prints a receipt only when it is paid")
    parser.add_argument("-o", "--output", type=Path, metavar="F", help="the profile's file; else it is printed")
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")
    parser.add_argument(
        "--line", default="", metavar="NAME", help="profile and header of this [[line]]; else the first"
    )


def run(options: argparse.Namespace) -> int:
    """0: the profile reads all captures rightly, and is written; 1: there is none. Why is on standard error."""
    config = load(options.config, options.overrides)
    shop = config.shop_of_reader()
    totals = _totals(options, shop.convention.decimals)
    name = options.output.stem if options.output else EXAMPLE
    if not _name(name):
        raise EdgeboxError(f"{options.output}: expected a name of a-z, 0-9 and -", reason="bad_name")
    given = zip(options.files, totals, strict=True)
    documents = [_receipt_of(path, total, config, options.line) for path, total in given]
    numbers = [*options.number, *[""] * (len(totals) - len(options.number))]
    samples = [
        Sample(document.reader.details.trusted(), document.receipt.details.layout, total, number)
        for document, total, number in zip(documents, totals, numbers, strict=False)
    ]
    lexicon, finder = load_lexicon(config.shop.languages), AmountFinder(shop.convention)
    hints = line_hints([_ends(path, document) for path, document in zip(options.files, documents, strict=True)])
    taught = teach(name, samples, finder, lexicon, prints_after_payment=options.paid, hints=hints)
    for words in taught.ambiguous:
        print(f"edgebox: {words}", file=sys.stderr)
    if taught.profile is None or not _tried(options, config, taught.profile, totals):
        print("edgebox: no profile is written", file=sys.stderr)
        return 1
    _write(taught, options.output)
    return 0


def _ends(path: Path, document: CapturedDocument) -> Ends:
    """How the paper ends."""
    outline, ending = Outline(), document.ending
    outline.add(document.lines)
    if ending.cut_at >= 0:
        return Ends(outline.behind_gap(), outline.first)
    raw = capture_bytes(path)
    return Ends(outline.behind_gap(), outline.first, raw[ending.start :], raw[max(ending.ink_end, 0) :])


def _totals(options: argparse.Namespace, decimals: int) -> list[int]:
    """The totals in minor units, one a capture."""
    if len(options.files) > CAPTURES_MAX:
        raise EdgeboxError(f"{len(options.files)} captures", reason="too_many", hint=f"one to {CAPTURES_MAX}")
    if len(options.total) != len(options.files):
        hint = "give --total once for each capture"
        raise EdgeboxError(f"{len(options.files)} captures, {len(options.total)} totals", reason="bad_total", hint=hint)
    if len(options.number) not in (0, len(options.files)):
        raise EdgeboxError("give --number once for each capture, or never", reason="bad_number")
    out = []
    for text in options.total:
        whole, _, part = text.partition(".")
        if not _total(text) or len(part) > decimals:
            raise EdgeboxError(f"--total {text}: expected an amount like 33.90", reason="bad_total")
        out.append(int(whole + part.ljust(decimals, "0")))
    return out


def _receipt_of(path: Path, total: int, config: Config, line: str) -> CapturedDocument:
    """The capture's document that holds the total; the first that does."""
    documents = _read(path, config, line)
    finder = AmountFinder(config.shop_of_reader().convention)
    for document in documents:
        if any(amount.minor == total for text in document.reader.details.trusted() for amount in finder.find(text)):
            return document
    shown = format_minor(total, config.shop.decimals)
    raise EdgeboxError(f"{path}: {shown} is not on the paper", reason="no_total", hint="see `edgebox read --explain`")


def _read(path: Path, config: Config, line: str, profiles: tuple[Profile, ...] | None = None) -> list[CapturedDocument]:
    profile, header = line_of(config, line)
    return read_capture(capture_bytes(path), profile, reader_of(config, profiles), header)


def _write(taught: Taught, output: Path | None) -> None:
    if output is None:
        print(taught.toml, end="")
        return
    output.write_text(taught.toml, "utf-8")
    print(f"edgebox: written to {output}; put it into /etc/edgebox/receipts", file=sys.stderr)


def _tried(options: argparse.Namespace, config: Config, profile: Profile, totals: list[int]) -> bool:
    """Reads the captures again with the profile alone; whether all totals come out."""
    right = True
    for path, total in zip(options.files, totals, strict=True):
        found = [document.receipt for document in _read(path, config, options.line, (profile,))]
        good = [receipt for receipt in found if receipt.qualifies and receipt.amount_minor == total]
        if good:
            print(f"edgebox: {path}: {'; '.join(good[0].reasons)}: right", file=sys.stderr)
            continue
        right = False
        best = next((receipt for receipt in found if receipt.details.profile), found[0])
        print(f"edgebox: {path}: not read with it: {best.kind.value}, {'; '.join(best.reasons)}", file=sys.stderr)
        if _UNPAID in "; ".join(best.reasons) and not options.paid:
            print("edgebox: --paid, if this till prints a receipt only when it is paid", file=sys.stderr)
    return right
