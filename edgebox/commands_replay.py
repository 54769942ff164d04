"""`edgebox replay FILE --printer URL`: the capture's bytes to a printer, or to a line's till end.

Owns: pace and waiting. Never: changes a byte. The bytes go through the same drivers as the line's.
"""

from __future__ import annotations

import argparse
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgebox.errors import DriverError

if TYPE_CHECKING:
    from drivers.base import Port, PrinterEnd

CONNECT_S = 10.0  # a printer that takes longer is not there
STALL_S = 60.0  # busy or out of paper for so long: give up
SLOW_BYTES = 64  # `--slow`: so many bytes, then a pause; about what a till at 9600 baud sends
SLOW_S = 0.066
POLL_S = 0.002  # drivers/base.py: a paced port is asked every 2 ms
LINGER_S = 3.0  # for a printer to close after the last byte


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The capture, the printer, the pace."""
    parser.add_argument("file", type=Path, metavar="FILE", help="captured bytes from the till")
    parser.add_argument(
        "--printer", required=True, metavar="URL", help="tcp://host:port, serial:///dev/ttyUSB0?…, file:/path"
    )
    parser.add_argument("--slow", action="store_true", help="as slowly as a till on a 9600 baud wire")


def run(options: argparse.Namespace) -> int:
    """Sends it; DriverError when the printer isn't there or stops taking bytes."""
    from drivers.registry import printer_end
    from edgebox.captures import capture_bytes

    raw = capture_bytes(options.file)
    end = printer_end(options.printer)
    port = end.connect()
    try:
        _wait_connected(end, port)
        _send(port, raw, slow=options.slow)
        port.finish_writing()
        _linger(port)
    finally:
        port.close()
    print(f"{options.file}: {len(raw)} bytes to {options.printer}")
    return 0


def _wait_connected(end: PrinterEnd, port: Port) -> None:
    give_up = time.monotonic() + CONNECT_S
    while not end.connected(port):
        if time.monotonic() > give_up:
            raise DriverError(f"{end.url}: no answer within {CONNECT_S:.0f} s", reason="timeout")
        select.select([], [port.fileno()], [], POLL_S)


def _send(port: Port, raw: bytes, *, slow: bool) -> None:
    rest, moved = memoryview(raw), time.monotonic()
    while rest:
        taken = port.write(rest[:SLOW_BYTES] if slow else rest)
        rest = rest[taken:]
        now = time.monotonic()
        if taken:
            moved = now
            if slow:
                time.sleep(SLOW_S)
        elif now - moved > STALL_S:
            raise DriverError(f"the printer takes no bytes for {STALL_S:.0f} s", reason="stalled", hint="paper, cover")
        elif port.paced:
            time.sleep(POLL_S)
        else:
            select.select([], [port.fileno()], [], POLL_S)
    while port.unsent():
        time.sleep(POLL_S)


def _linger(port: Port) -> None:
    """A printer over TCP closes when it has everything; a device just stays silent."""
    give_up = time.monotonic() + LINGER_S
    while time.monotonic() < give_up and not port.paced:
        readable, _, _ = select.select([port.fileno()], [], [], LINGER_S)
        if not readable or port.read(4096) in (b"", None):
            return
