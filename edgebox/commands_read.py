"""`edgebox read`: what the box reads in captured streams, and where it would put a slip.

Owns: the JSON of the command (stable, documented in `render`) and its text for people. Never: judges; the reader does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from edgebox.captures import CapturedDocument, capture_bytes, read_capture
from edgebox.config import FOLDER, load, load_lexicon
from edgebox.errors import EdgeboxError
from edgebox.escpos.profile import PrinterProfile
from edgebox.explain import explain, moment
from edgebox.keys import field_key, load_keys
from edgebox.model import Receipt, format_minor, to_major
from edgebox.printers import find_printer
from edgebox.receipt.money import AmountFinder
from edgebox.receipt.profiles import Profile
from edgebox.receipt.reader import ReceiptReader
from edgebox.receipt.redact import Pseudonyms
from edgebox.receipt_profiles import line_needs, load_profiles
from edgebox.settings import Config, LineSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, settings and the form of the answer."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="captured bytes from the till")
    parser.add_argument("--json", action="store_true", help="one JSON line a file")
    parser.add_argument("--explain", action="store_true", help="the paper, what each line was taken for, and why")
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")
    parser.add_argument(
        "--line", default="", metavar="NAME", help="profile and header of this [[line]]; else the first"
    )


def run(options: argparse.Namespace) -> int:
    """Reads every file; 2 when one could not be opened, after reading the others."""
    config = load(options.config, options.overrides)
    profile, header = line_of(config, options.line)
    new_reader = reader_of(config)
    code = 0
    used: set[str] = set()  # receipt profiles
    show: Callable[[Path, list[CapturedDocument]], str] = _json if options.json else _text
    if options.explain:
        show = _explained
    for path in options.files:
        try:
            raw = capture_bytes(path)
        except OSError as fault:
            print(f"edgebox: {path}: {fault.strerror}", file=sys.stderr)
            code = 2
            continue
        documents = read_capture(raw, profile, new_reader, header)
        print(show(path, documents))
        used.update(document.receipt.details.profile for document in documents)
    for words in _unset(config, options.line, used):
        print(f"edgebox: {words}", file=sys.stderr)
    return code


def _unset(config: Config, name: str, used: set[str]) -> list[str]:
    """What the profiles that were used say of the line, and the line doesn't take."""
    line = _line(config, name)
    out = []
    for profile in load_profiles():
        if profile.name not in used or line is None or line.receipts == profile.name:
            continue
        for key in ("header_preprint", "end_signature"):
            wanted = getattr(profile, key)
            if wanted and getattr(line, key) != wanted:
                hint = f'receipts = "{profile.name}" in [[line]] {line.name} would set it'
                out.append(f"its profile {profile.name} has {key} = {wanted!r}, which the line lacks: {hint}")
    return out


def _line(config: Config, name: str) -> LineSettings | None:
    return next((line for line in config.line if not name or line.name == name), None)


def reader_of(config: Config, profiles: tuple[Profile, ...] | None = None) -> Callable[[], ReceiptReader]:
    """Makes readers as the engine's are: with the shop's words, profiles and, where they are at hand, its keys.

    `profiles`: these instead of the installed ones.
    """
    installed = load_profiles() if profiles is None else profiles
    shop, lexicon = config.shop_of_reader()._replace(profiles=installed), load_lexicon(config.shop.languages)
    finder = AmountFinder(shop.convention)
    path = Path(config.claims.keys)
    pseudonyms = Pseudonyms(field_key(load_keys(path) if path.is_file() else None))
    return lambda: ReceiptReader(shop, lexicon, finder, pseudonyms)


def line_of(config: Config, name: str) -> tuple[PrinterProfile, bytes]:
    """Profile and pre-printed header of the [[line]]."""
    line = _line(config, name)
    if line is None:
        if name:
            names = ", ".join(line.name for line in config.line) or "none"
            raise EdgeboxError(f"no [[line]] called {name!r}", reason="no_line", hint=f"there are: {names}")
        return PrinterProfile(), b""
    header, _ = line_needs(line, load_profiles())
    return find_printer(line.profile, FOLDER / "printers"), header.encode("gb18030")


def render(document: CapturedDocument) -> dict[str, Any]:
    """One document as the command reports it.

    `total`: in major units, null unless it earns; `amount`: as read, whether it earns or not. Offsets count from the
    start of the file; `insert_offset` null: nothing may go in, and `insert_reason` says why; `cut_offset` null: no cut.
    """
    receipt, ending = document.receipt, document.ending
    amount = None if receipt.amount_minor is None else to_major(receipt.amount_minor, receipt.decimals)
    return {
        "kind": receipt.kind.value,
        "modifiers": [modifier.value for modifier in receipt.modifiers],
        "qualifies": receipt.qualifies,
        "total": amount if receipt.qualifies else None,
        "amount": amount,
        "currency": receipt.currency,
        "confidence": receipt.confidence.value,
        "reasons": list(receipt.reasons),
        "number": receipt.number or None,
        "number_scope": receipt.number_scope.value,
        "till": receipt.till or None,
        "date": receipt.printed_date or None,
        "time": receipt.printed_time or None,
        "tenders": [_tender(kind.value, minor, receipt.decimals) for kind, minor in receipt.tenders],
        **_details(receipt),
        "lines": receipt.lines,
        "start": ending.start,
        "ink_end": None if ending.ink_end < 0 else ending.ink_end,
        "insert_offset": None if ending.insert_at < 0 else ending.insert_at,
        "insert_reason": ending.reason,
        "cut_offset": None if ending.cut_at < 0 else ending.cut_at,
        "end": ending.end,
    }


def _tender(kind: str, minor: int | None, decimals: int) -> dict[str, Any]:
    return {"kind": kind, "amount": None if minor is None else to_major(minor, decimals)}


def _details(receipt: Receipt) -> dict[str, Any]:
    """`transaction` and `member`: keyed hashes, null without keys. `sure`: how sure the fields are. `layout`: the
    paper's form, for a profile. `pictures`: sizes and places in dots. `report`: figures of a till's own report."""
    details, decimals = receipt.details, receipt.decimals

    def money(minor: int | None) -> int | float | None:
        return None if minor is None else to_major(minor, decimals)

    report = details.report
    return {
        "cashier": details.cashier or None,
        "table": details.table or None,
        "transaction": details.transaction or None,
        "member": details.member or None,
        "sure": {name: level.value for name, level in details.sure},
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity_milli / 1000,
                "price": money(item.price_minor),
                "amount": money(item.amount_minor),
                **({"discount": money(item.discount_minor)} if item.discount_minor else {}),
            }
            for item in details.items
        ],
        "taxes": [{"rate": tax.rate or None, "amount": money(tax.amount_minor)} for tax in details.taxes],
        "fiscal": details.fiscal or None,
        "layout": details.layout or None,
        "profile": details.profile or None,
        "pictures": [picture._asdict() for picture in details.pictures],
        "report": None
        if report is None
        else {
            "receipts": report.receipts,
            "sum": money(report.sum_minor),
            "refunds": report.refunds,
            "refunded": money(report.refund_minor),
            "tenders": [_tender(kind.value, minor, decimals) for kind, minor in report.tenders],
            "since": report.since or None,
            "until": report.until or None,
        },
    }


def _explained(path: Path, documents: list[CapturedDocument]) -> str:
    many = len(documents)
    return "\n\n".join(
        f"{path}{f', document {number} of {many}' if many > 1 else ''}: {explain(document)}"
        for number, document in enumerate(documents, 1)
    )


def _json(path: Path, documents: list[CapturedDocument]) -> str:
    name = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # names need not be text
    found = {"file": name, "docs": [render(document) for document in documents]}
    return msgspec.json.encode(found).decode()


def _text(path: Path, documents: list[CapturedDocument]) -> str:
    out = [f"{path}: {len(documents)} document{'' if len(documents) == 1 else 's'}"]
    for number, document in enumerate(documents, 1):
        receipt, ending = document.receipt, document.ending
        place = f"a slip may go in at byte {ending.insert_at}" if ending.insert_at >= 0 else f"no slip: {ending.reason}"
        name = f"number {receipt.number}" if receipt.number else "no number found"
        amount = ""
        if receipt.amount_minor is not None:
            amount = f" {format_minor(receipt.amount_minor, receipt.decimals)} {receipt.currency}"
        earns = "earns" if receipt.qualifies else "earns nothing"
        kind = " ".join([receipt.kind.value, *(modifier.value for modifier in receipt.modifiers)])
        out.append(f"  {number}  {kind}{amount}, {earns} ({receipt.confidence.value}: {'; '.join(receipt.reasons)})")
        out.append(f"     {name}, {moment(receipt)}; {place}")
    return "\n".join(out)
