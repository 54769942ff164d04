"""`edgebox backup FILE`, `edgebox restore FILE`, `edgebox export`: what is recorded, taken out and put back.

Owns: their arguments and words. Never: the copying (edgebox/store/backup.py), the sums (edgebox/store/export.py), or
the engine's database in any other way than reading it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edgebox.config import load

if TYPE_CHECKING:
    from edgebox.store.events import ReceiptRecord

HEADER = b"SQLite format 3\0"  # of a backup
CHUNK_ROWS = 500  # of one look at the database: the log may begin anew between two of them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Each command's own, by its name."""
    name = parser.prog.split()[-1]
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")
    if name == "export":
        parser.add_argument("--since", type=_day, metavar="DAY", help="first printed day, as 2026-11-18")
        parser.add_argument("--until", type=_day, metavar="DAY", help="last printed day, included")
        parser.add_argument("-o", "--output", choices=("csv", "json"), default="csv", dest="form")
    else:
        parser.add_argument("file", type=Path, metavar="FILE", help="the backup")
    if name == "backup":
        parser.add_argument("--with-keys", action="store_true", help="the box's secrets, too, sealed with a code")
    parser.set_defaults(command=name)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a day like 2026-11-18") from fault


def run(options: argparse.Namespace) -> int:
    """One of the three. EdgeboxError says why not."""
    config = load(options.config, options.overrides)
    folder = Path(config.engine.data)
    if options.command == "export":
        return _export(options, folder, config.sync.store or config.shop.name, config.shop.tz)
    if options.command == "restore":
        return _restore(folder, options.file)
    keys = Path(config.claims.keys) if options.with_keys else None
    return _backup(folder, options.file, config.sync.whole_name, keys)


def _backup(folder: Path, file: Path, box: str, keys: Path | None) -> int:
    """`keys`: the claim keys' file, if secrets go along."""
    from edgebox.store.backup import backup

    _check_place(folder, file)
    code, more = _secrets(folder, keys) if keys is not None else ("", {})

    def show(done: int, pages: int) -> None:
        print(f"\r{100 * done // max(pages, 1):3} %", end="", file=sys.stderr)

    show_it = show if sys.stderr.isatty() else lambda done, pages: None
    manifest = backup(folder, file, int(time.time() * 1000), progress=show_it, more=more, box=box)
    print(f"{file}: {manifest.rows} rows, epoch {manifest.epoch}, checked")
    if code:
        print(f"recovery code: {code}\nWrite it down, and not beside the backup: it is shown once and kept nowhere.")
    return 0


def _secrets(folder: Path, keys: Path) -> tuple[str, dict[str, bytes]]:
    """The recovery code, and what it seals. Claim keys that the fleet has sent since lie in the data folder."""
    from edgebox.appliance import recovery

    code = recovery.new_code()
    newer = folder / recovery.KEYS
    keys = newer if newer.is_file() else keys
    return code, {recovery.NAME: recovery.closed(recovery.collected(folder, keys), code)}


def _check_place(folder: Path, file: Path) -> None:
    """StoreError `place`: the backup would take the place of something else, such as the database that is in use."""
    from edgebox.errors import StoreError

    if file.is_dir():
        raise StoreError(f"{file}: a folder", reason="place", hint=f"name a file, as {file / 'box.db'}")
    if file.resolve().parent == folder.resolve():
        raise StoreError(f"{file}: the engine's own folder", reason="place", hint="another one, best on another disk")
    if not file.exists():
        return
    if not file.is_file():
        raise StoreError(f"{file}: not a file", reason="place", hint="name a file")
    with file.open("rb") as there:
        if there.read(len(HEADER)) not in (HEADER, b""):
            raise StoreError(f"{file} is there already, and is no backup", reason="place", hint="another name")


def _restore(folder: Path, file: Path) -> int:
    from edgebox.appliance import identity, recovery
    from edgebox.store.backup import along, restore
    from edgebox.store.sidecar import belong

    print(restore(folder, file, int(time.time() * 1000)))
    inside = along(file)
    if identity.FILE in inside and not (folder / identity.FILE).exists():  # a new card: tills know the box by it
        identity.take_over(folder, inside[identity.FILE])
        belong(folder / identity.FILE)
        print("the identity on the till's USB port is the backup's")
    if recovery.NAME in inside:
        print("keys are in this backup, too; a box that has lost them: edgebox setup --replace FILE")
    return 0


def _export(options: argparse.Namespace, folder: Path, store: str, zone: str) -> int:
    from edgebox.errors import StoreError
    from edgebox.store.export import Book, Period, written

    if options.since and options.until and options.since > options.until:
        raise StoreError("--since is after --until", reason="period")
    book = Book(store, Period(options.since, options.until, ZoneInfo(zone)))
    for text in written(book.lines(receipts(folder)), book, options.form):
        sys.stdout.write(text)
    sys.stdout.flush()
    print(book.words(), file=sys.stderr)
    return 0


def receipts(folder: Path) -> Iterator[ReceiptRecord]:
    """All receipts that are kept, in order. StoreError `missing`: no database; `corrupt`: a damaged row."""
    import msgspec

    from edgebox.errors import StoreError
    from edgebox.store.database import FILE
    from edgebox.store.events import ReceiptRecord, Stream
    from edgebox.store.peek import peek
    from edgebox.store.places import EPOCH_MAX, span
    from edgebox.store.rebuild import believed

    if not (folder / FILE).exists():
        raise StoreError(f"{folder / FILE}: there is none", reason="missing", hint="[engine] data")
    decode = msgspec.json.Decoder(ReceiptRecord).decode
    place, last = span(Stream.RECEIPTS, 0)[0], span(Stream.RECEIPTS, EPOCH_MAX)[1]
    with closing(peek(folder)) as database:
        while rows := database.execute(
            "SELECT place, boot, mono_ms, at_ms, trusted, crc, body FROM journal"
            " WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
            (place, last, CHUNK_ROWS),
        ).fetchall():
            for row in rows:
                place = row[0]
                try:
                    yield decode(believed(database, row))
                except msgspec.MsgspecError as fault:
                    raise StoreError(f"row {place}: {fault}", reason="corrupt", hint="restart the engine") from fault
