"""`edgebox beacons`: the known tags, live, in a terminal; `--calibrate UUID:MAJOR:MINOR`: one tag's offset.

Owns: arguments, the table's look and the words. Never: changes anything: the line that calibration prints is put into
edgebox.toml by a person.

A running box is asked over its socket (edgebox/beacons/window.py): what one sees is what it sees. Where none runs, this
command listens by itself, with the same parts and a database that is thrown away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

from edgebox.config import load
from edgebox.errors import EdgeboxError
from edgebox.settings import Config

if TYPE_CHECKING:
    from rich.table import Table as Drawn

    from edgebox.beacons.heard import TagKey
    from edgebox.beacons.window import Frame, Table

EDGES = 6  # lines of a terminal that are no rows: the table's head and foot, the prompt
FRESH_S = 10.0  # heard so lately: drawn as being there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which box, and how long."""
    parser.add_argument("--config", type=Path, metavar="F", help="edgebox.toml (the one in /etc/edgebox)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")
    parser.add_argument("--calibrate", type=_key, metavar="TAG", help="UUID:MAJOR:MINOR, or an Eddystone's NS:INSTANCE")
    parser.add_argument("--seconds", type=float, default=0.0, metavar="N", help="end after so long; 0: at Ctrl-C")


def _key(text: str) -> TagKey:
    from edgebox.beacons.heard import TagKey

    try:
        return TagKey.from_text(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def run(options: argparse.Namespace) -> int:
    """1: the calibration is not good enough. EdgeboxError."""
    config = load(options.config, options.overrides)
    if options.calibrate is not None:
        return asyncio.run(_calibrate(config, options.calibrate, options.seconds))
    return asyncio.run(_show(config, options.seconds))


# -- what is shown


async def _show(config: Config, seconds: float) -> int:
    from rich.console import Console
    from rich.live import Live

    from edgebox.beacons.window import Table

    console = Console()
    until = time.monotonic() + seconds if seconds else None
    async with contextlib.aclosing(_looked_at(config, None)) as said:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            async for one in said:
                if isinstance(one, Table):
                    live.update(drawn(one, console.height - EDGES if console.is_terminal else None), refresh=True)
                if until is not None and time.monotonic() >= until:
                    break
    return 0


def drawn(table: Table, rows_max: int | None = None) -> Drawn:
    """The table as it is shown, or as much of it as there is room for. Members stand there by the beginning of their
    hash."""
    from rich.table import Table as Drawn

    said = [table.state, "" if table.rows else "no tags are listed: [beacons] tags, or tags.set"]
    shown = table.rows[: max(1, rows_max) if rows_max is not None else None]
    said.append(f"{len(table.rows) - len(shown)} more" if len(shown) < len(table.rows) else "")
    caption = "; ".join(filter(None, said))
    found = Drawn("tag", "role", "state", "metres", "dBm", "heard", "battery", "beacon", caption=caption)
    found.columns[-1].overflow = "fold"  # whole, to be copied
    for row in shown:
        is_there = 0 <= row.ago_s < FRESH_S
        heard = "never" if row.ago_s < 0 else f"{row.ago_s:.0f} s ago"
        found.add_row(
            row.tag, row.role, row.state if is_there else "", f"{row.distance_m:.1f}" if is_there else "",
            str(row.rssi_dbm) if is_there else "", heard, f"{row.millivolts / 1000:.2f} V" if row.millivolts else "",
            row.beacon, style="" if is_there else "dim",
        )  # fmt: skip
    return found


# -- calibration


async def _calibrate(config: Config, key: TagKey, seconds: float) -> int:
    from edgebox.beacons.calibration import STAND_S, Calibration, toml_line
    from edgebox.beacons.heard import Heard
    from edgebox.beacons.tags import Tags, of_settings
    from edgebox.beacons.window import Frame, Table

    stand_s = seconds or STAND_S
    calibration = Calibration(key)
    print(f"Hold the tag one metre from the box, as it will be worn, for {stand_s:.0f} s.", file=sys.stderr)
    end, state = time.monotonic() + stand_s, ""
    async with contextlib.aclosing(_looked_at(config, key)) as said:
        async for one in said:
            if isinstance(one, Frame):
                calibration.heard(Heard(key, one.rssi, one.power, 0.0))
            elif isinstance(one, Table):
                state = one.state
            if time.monotonic() >= end:
                break
    found = calibration.found()
    if found.samples:
        print(f"heard {found.samples} times, {found.median_dbm} dBm, {found.spread_db} dB apart", file=sys.stderr)
    if found.fault:
        print(f"not good enough: {found.fault}{f'; {state}' if state else ''}", file=sys.stderr)
        return 1
    print(f"offset {found.offset_db} dB; in [beacons] tags:", file=sys.stderr)
    print(toml_line(key, found.offset_db, Tags(of_settings(config.beacons.tags)).of(key)))
    return 0


# -- where it comes from


async def _looked_at(config: Config, key: TagKey | None) -> AsyncGenerator[Table | Frame, None]:
    """From the box that runs here; else by listening oneself. EdgeboxError `no_rights`."""
    from edgebox.beacons.window import NAME, TABLE_MAX

    socket = Path(config.engine.socket).with_name(NAME)
    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=TABLE_MAX)
    except PermissionError as fault:
        raise EdgeboxError(f"{socket}: not allowed", reason="no_rights", hint="run it as the box's user") from fault
    except OSError:
        print(f"no box with beacons runs here ({socket}): listening by itself", file=sys.stderr)
        source = _listened(config, key)
    else:
        source = _asked(reader, writer, key)
    async with contextlib.aclosing(source) as said:
        async for one in said:
            yield one


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TagKey | None
) -> AsyncGenerator[Table | Frame, None]:
    import msgspec

    from edgebox.beacons.window import Frame, Table

    decode = msgspec.json.Decoder(Table | Frame).decode
    try:
        if key is not None:
            writer.write(f"hear {key}\n".encode())
        while line := await reader.readline():
            yield decode(line)
        print("the box has ended", file=sys.stderr)
    finally:
        writer.close()


async def _listened(config: Config, key: TagKey | None) -> AsyncGenerator[Table | Frame, None]:
    from edgebox.beacons.alone import listening

    with tempfile.TemporaryDirectory(prefix="edgebox-beacons-") as folder:
        async with contextlib.aclosing(listening(config, key, Path(folder))) as said:
            async for one in said:
                yield one
