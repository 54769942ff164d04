"""`edgebox slip`: the slips there are, checked; what one looks like on paper, and how much paper they cost.

Owns: its arguments and words. Never: prints on a printer, or writes to the box's database.

    edgebox slip list
    edgebox slip check FILE...
    edgebox slip preview points --receipt capture.bin --paper 58 --lang zh -o slip.png
    edgebox slip paper --month 2026-11
    edgebox slip modes -o modes.bin
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edgebox.errors import ConfigError, EdgeboxError, StoreError
from edgebox.escpos.compose import Body, Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.model import Receipt
from edgebox.settings import Config
from edgebox.slips.facts import Facts, sample_facts
from edgebox.slips.strip import Chosen
from edgebox.slips.template import Template

PAPERS = {"58": "generic-58", "80": "generic-80"}
OWN = Path("/etc/edgebox/slips")
_PRINTED = "SELECT body FROM receipts JOIN journal USING (place) WHERE at >= ? AND at < ?"
# Behind the slip, as the line does it: modes as they were, feed past the cutter, cut.
_TAIL = b"\x1ba\x00\x1bE\x00\x1d!\x00\x1b2\x1bd\x04\x1dV\x00"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, check, preview, paper, modes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the slips there are, what for, and how long on paper")
    check = actions.add_parser("check", help="every fault of slip files")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    preview = actions.add_parser("preview", help="a picture of one slip")
    preview.add_argument("name", help="a slip's name, or a file that ends in .toml")
    preview.add_argument("-o", "--output", type=Path, required=True, metavar="PNG", help="where the picture goes")
    preview.add_argument("--receipt", type=Path, metavar="FILE", help="captured bytes of a receipt to put it behind")
    preview.add_argument("--paper", choices=PAPERS, default="80", help="58 or 80 mm (default: 80)")
    preview.add_argument("--profile", metavar="P", help="a printer instead of --paper")
    preview.add_argument("--lang", action="append", metavar="L", help="zh or en; twice for both (default: the shop's)")
    preview.add_argument("--config", type=Path, metavar="F", help="the shop's settings")
    paper = actions.add_parser("paper", help="metres of paper that slips took in a month")
    paper.add_argument("--month", metavar="YYYY-MM", help="which month (default: this one)")
    paper.add_argument("--config", type=Path, metavar="F", help="the shop's settings")
    paper.add_argument("--data", type=Path, metavar="D", help="the box's data folder (default: [engine] data)")
    paper.add_argument("--json", action="store_true", help="for a program, in millimetres")
    modes = actions.add_parser("modes", help="a card with the scanner's mode keys as bar codes")
    modes.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="bytes for `edgebox replay`")
    modes.add_argument("--scanner", default="", metavar="NAME", help="whose keys (default: the first [[scanner]])")
    modes.add_argument("--paper", choices=PAPERS, default="80", help="58 or 80 mm (default: 80)")
    modes.add_argument("--profile", metavar="P", help="a printer instead of --paper")
    modes.add_argument("--config", type=Path, metavar="F", help="the shop's settings")


def run(options: argparse.Namespace) -> int:
    """One of them."""
    if options.action == "check":
        return _check(options.files)
    if options.action == "list":
        return _list()
    if options.action == "modes":
        return _modes(options)
    return _paper(options) if options.action == "paper" else _preview(options)


def _check(files: list[Path]) -> int:
    from edgebox.slip_files import load_slip

    faults = 0
    for path in files:
        try:
            template = load_slip(path)
        except ConfigError as fault:
            print(fault)
            faults += 1
        else:
            print(f"{path}: {template.name}, a {template.purpose.value} slip of {len(template.blocks)} blocks")
    return 1 if faults else 0


def _list() -> int:
    for name, template in sorted(_slips().items(), key=lambda pair: (pair[1].priority, pair[0])):
        lengths = [_composed(template, _press(profile), ("zh",), None).height_mm for profile in PAPERS.values()]
        sizes = ", ".join(f"{mm:.0f} mm on {paper}" for paper, mm in zip(PAPERS, lengths, strict=True))
        print(f"{name:<12} {template.purpose.value:<11} {template.placement.value:<11} {sizes}")
    return 0


def _preview(options: argparse.Namespace) -> int:
    from edgebox.config import load
    from edgebox.paper.draw import render_png

    config = load(options.config)
    languages = tuple(options.lang or config.slip.languages)
    languages = tuple(language.split("_")[0].split("-")[0] for language in languages)  # zh_CN is zh here
    template = _template(options.name)
    press = _press(options.profile or PAPERS[options.paper])
    raw, receipt = _receipt(options.receipt, config, press.printer)
    said = _facts(template, receipt, config) if receipt is not None else None
    body = _composed(template, press, languages, said)
    render_png(raw + b"\x1c." + body.raw + _TAIL, press.printer, options.output)
    print(
        f"{options.output}: {template.name}, {body.height_mm:.1f} mm, {len(body.raw)} bytes"
        + (f", code {body.symbols}, {body.module_dots} dots a module" if body.symbols else "")
    )
    return 0


def _paper(options: argparse.Namespace) -> int:
    import sqlite3
    from contextlib import closing

    import msgspec

    from edgebox import paper_report
    from edgebox.config import load
    from edgebox.store.peek import peek

    config = load(options.config)
    folder = options.data or Path(config.engine.data)
    zone, now = ZoneInfo(config.shop.tz), datetime.now(UTC)
    try:
        month = paper_report.month_of(options.month or now.astimezone(zone).strftime("%Y-%m"), zone)
    except (ValueError, OverflowError) as fault:
        raise EdgeboxError(f"no month: {options.month}", reason="bad_month", hint="as 2026-11") from fault
    decoder = msgspec.json.Decoder(paper_report.Printed)
    try:
        with closing(peek(folder)) as connection:
            first_at = connection.execute("SELECT min(at) FROM receipts").fetchone()[0] or 0
            bodies = connection.execute(_PRINTED, (month.begin, month.end))
            found = paper_report.report(
                month, (decoder.decode(body) for (body,) in bodies), first_at, int(now.timestamp())
            )
    except sqlite3.Error as fault:
        raise StoreError(f"{folder}: {fault}", reason="no_store", hint="[engine] data, or --data") from fault
    print(paper_report.as_json(found) if options.json else paper_report.words(found))
    return 0


def _modes(options: argparse.Namespace) -> int:
    from edgebox.config import load
    from edgebox.mode_card import card
    from edgebox.scan.classify import mode_of

    rows = [row for row in load(options.config).scanner if options.scanner in ("", row.name)]
    if not rows:
        raise ConfigError(f"no [[scanner]] {options.scanner!r}", reason="no_scanner")
    keys = dict(map(mode_of, rows[0].modes))
    options.output.write_bytes(card(keys, _press(options.profile or PAPERS[options.paper])))
    print(f"{options.output}: {len(keys)} mode keys; edgebox replay {options.output} --printer URL prints it")
    return 0


def _slips() -> dict[str, Template]:
    from edgebox.slip_files import SHIPPED, load_slips

    return load_slips((SHIPPED, OWN))


def _template(name: str) -> Template:
    from edgebox.slip_files import load_slip

    if name.endswith(".toml"):
        return load_slip(Path(name))
    slips = _slips()
    if name not in slips:
        raise EdgeboxError(f"no slip {name!r}", reason="no_slip", hint="there are " + ", ".join(sorted(slips)))
    return slips[name]


def _press(profile: str) -> Press:
    from edgebox.config import FOLDER
    from edgebox.paper.letters import text_raster
    from edgebox.printers import find_printer
    from edgebox.slips import qr

    return Press(find_printer(profile, FOLDER / "printers"), matrix=qr.matrix, text_raster=text_raster)


def _composed(template: Template, press: Press, languages: tuple[str, ...], said: Facts | None) -> Body:
    from edgebox.slip_files import load_images
    from edgebox.slips.strip import Means, composed

    images = load_images([template], OWN, press.printer.dots)
    chosen = Chosen(template, said or sample_facts(template.purpose))
    return composed(chosen, press, Means(languages, images=images))


def _receipt(path: Path | None, config: Config, printer: PrinterProfile) -> tuple[bytes, Receipt | None]:
    """The capture's first document up to where the slip goes, and as it is read."""
    if path is None:
        return b"", None
    from edgebox.captures import capture_bytes, read_capture
    from edgebox.commands_read import reader_of

    raw = capture_bytes(path)
    documents = read_capture(raw, printer, reader_of(config))
    if not documents:
        raise EdgeboxError(f"{path}: nothing is printed in it", reason="no_document")
    first = documents[0]
    return raw[: first.ending.ink_end], first.receipt


def _facts(template: Template, receipt: Receipt, config: Config) -> Facts:
    """The receipt's own values, over samples for what only a running box knows."""
    from edgebox.slip_facts import Circumstances, facts_of

    local = datetime.now(UTC).astimezone(ZoneInfo(config.shop.tz))
    around = Circumstances(config.shop.name or "-", "preview", local)
    own = facts_of(template, receipt, around)
    return Facts({**sample_facts(template.purpose).values, **own.values}, sample_facts(template.purpose).rows)
