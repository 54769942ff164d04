"""`edgebox desk tally`, `edgebox desk conflicts`: what the desk has redeemed, and what the cloud says against it.

Owns: their arguments and words. Never: the sums (edgebox/desk/tally.py), or the engine's database in any other way than
reading it: the engine may run, or not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edgebox.config import load
from edgebox.model import format_minor

if TYPE_CHECKING:
    from edgebox.desk.tally import Tally, Written
    from edgebox.store.redemptions import Conflict, Entry, Shift

SHIFTS_LISTED = 50
CONFLICTS_LISTED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    tally = _verb(verbs, "tally", "a shift's sums: by cashier, coupon and batch")
    tally.add_argument("--shift", type=int, default=0, metavar="N", help="a closed shift; left out: the open one")
    tally.add_argument("--csv", action="store_true", help="one line a slip, instead of the sums")
    tally.add_argument("--bom", action="store_true", help="with --csv: a mark in front, so that Excel reads Chinese")
    _verb(verbs, "shifts", "the shifts that are closed, the newest first")
    _verb(verbs, "conflicts", "what the cloud does not agree with, the newest first")


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=words, description=words, allow_abbrev=False)
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")
    parser.set_defaults(verb=name)
    return parser


def run(options: argparse.Namespace) -> int:
    """One verb. EdgeboxError says why not; `no_shift`: there is none of that number."""
    from edgebox.desk.tally import Written
    from edgebox.errors import StoreError
    from edgebox.store.database import FILE

    config = load(options.config, options.overrides)
    folder, zone = Path(config.engine.data), ZoneInfo(config.shop.tz)
    if not (folder / FILE).exists():
        raise StoreError(f"{folder / FILE}: there is none", reason="missing", hint="[engine] data")

    def local(at: int) -> str:
        return datetime.fromtimestamp(at, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at else ""

    written = Written(local, lambda minor: format_minor(minor, config.shop.decimals), config.shop.currency)
    verbs: dict[str, Callable[[argparse.Namespace, Path, Written], int]] = {
        "tally": _tally, "shifts": _shifts, "conflicts": _conflicts,
    }  # fmt: skip
    return verbs[options.verb](options, folder, written)


def _tally(options: argparse.Namespace, folder: Path, written: Written) -> int:
    from edgebox.desk.tally import as_csv, tally

    shift, entries = shift_of(folder, options.shift)
    if options.csv:
        sys.stdout.write(as_csv(entries, written, bom=options.bom))
        return 0
    found = tally(entries)
    print(f"shift {shift.number}, since {written.time(shift.begun)}, slips {found.slips[0]} to {found.slips[1]}")
    for line in _words(found, written):
        print(line)
    return 0


def shift_of(folder: Path, number: int) -> tuple[Shift, list[Entry]]:
    """A shift's rows, in order; 0: of the open one. StoreError `no_shift`, `missing`."""
    from edgebox.errors import StoreError
    from edgebox.store import redemptions
    from edgebox.store.peek import peek

    with closing(peek(folder)) as database:
        database.execute("BEGIN")  # one state of the database for both questions
        open_one = redemptions.shift(database)
        closed = redemptions.closed_shift(database, number) if number else None
        shift = closed.shift if closed is not None else open_one
        if shift is None or number not in (0, shift.number):
            raise StoreError(f"there is no shift {number or ''}".strip(), reason="no_shift", hint="edgebox desk shifts")
        return shift, redemptions.of_shift(database, shift)


def _words(found: Tally, written: Written) -> list[str]:
    rows = [("total", found.total)]
    for heading, sums in (
        ("cashier", found.by_cashier),
        ("coupon", found.by_coupon),
        ("batch", found.by_stock),
        ("for points", found.by_goods),
    ):
        rows += [(f"{heading} {name or '-'}", one) for name, one in sums]
    rows += [("pick-ups", found.pick_ups)] if any(found.pick_ups) else []
    lines = [
        f"{name:32} {count:6} {written.value(minor):>14} {written.currency} {points:8} points"
        for name, (count, minor, points) in rows
    ]
    for heading, numbers in (("taken back", found.reversed), ("without the cloud", found.offline)):
        lines += [f"{heading}: {' '.join(map(str, numbers))}"] if numbers else []
    return lines


def _shifts(options: argparse.Namespace, folder: Path, written: Written) -> int:
    from edgebox.store import redemptions
    from edgebox.store.peek import peek

    with closing(peek(folder)) as database:
        found = redemptions.closed_shifts(database, SHIFTS_LISTED)
    for one in found:
        slips = f"slips {one.after + 1} to {one.last}" if one.last > one.after else "no slips"
        print(f"{one.number:5}  {written.time(one.begun)} to {written.time(one.ended)}  {slips}  closed by {one.who}")
    if not found:
        print("no shift is closed yet; edgebox desk tally has the open one")
    return 0


def _conflicts(options: argparse.Namespace, folder: Path, written: Written) -> int:
    from edgebox.store import redemptions
    from edgebox.store.peek import peek

    with closing(peek(folder)) as database:
        found = redemptions.conflicts(database, CONFLICTS_LISTED)
    for one in found:
        print(_conflict(one, written))
    if not found:
        print("the cloud agrees with all that it has heard of")
    return 0


def _conflict(one: Conflict, written: Written) -> str:
    entry = one.entry
    where = f", used before at {one.other or '?'} {written.time(one.other_at)}" if one.other_at else ""
    seen = f", seen by {one.seen_by}" if one.seen_at else ""
    value = f"{written.value(entry.value_minor)} {written.currency}" if entry.value_minor else f"{entry.points} points"
    return (
        f"slip {entry.number}  {written.time(entry.at)}  {entry.state}  {entry.coupon or entry.source}  {value}"
        f"  cashier {entry.cashier or '-'}  {one.reason}{where}{seen}"
    )
