"""`edgebox devices`: what is plugged into the box, and the URL to write into the configuration for it.

Owns: its arguments, the list, and asking a printer who it is. Never: opens anything unless `--ask` says so: a serial
port that is opened pulses its lines, and a printer that is in use has a line that talks to it.
"""

from __future__ import annotations

import argparse
import json

from drivers.base import parse_url
from drivers.registry import printer_end
from edgebox.appliance.asked import FILES, answer
from edgebox.appliance.plugged import Plugged, Use, plugged
from edgebox.errors import EdgeboxError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--json] [--ask URL]."""
    parser.add_argument("--json", action="store_true", help="for programs: a list of objects")
    parser.add_argument("--ask", metavar="URL", help="ask the printer at this URL who it is; nothing is printed")


def run(options: argparse.Namespace) -> int:
    """0; 1 `--ask`: no answer."""
    if options.ask is not None:
        return ask(options.ask)
    found = plugged()
    if options.json:
        print(json.dumps([one._asdict() for one in found], indent=1))
    else:
        print(listed(found))
    return 0


def listed(found: list[Plugged]) -> str:
    """The list, for a person on a ladder."""
    if not found:
        return (
            "Nothing is plugged in. A network printer is tcp://its-address:9100: its self-test slip shows the address."
        )
    lines = []
    for use in Use:
        these = [one for one in found if one.use is use]
        if these:
            lines.append(f"{_TITLES[use]}:")
        for one in these:
            lines.append(f"  {one.url}{_MORE.get(use, '')}")
            lines.append(f"      {one.words}" + (f"; {one.device_id}" if one.device_id else ""))
            if not one.lasting:
                lines.append("      this name may change at the next start: install systemd/60-edgebox.rules")
    return "\n".join(lines)


_TITLES = {
    Use.PRINTER: "Printers",
    Use.CABLE: "Serial cables (of a printer, a till or a scanner)",
    Use.SCANNER: "Scanners and keyboards",
    Use.TILL: "The till's USB cable",
}
_MORE = {Use.CABLE: "?baud=…&flow=…"}


BUSY = "Most network printers serve one at a time: while its line runs, `edgebox doctor` asks through the line."


def ask(url: str) -> int:
    """Asks, and says what came."""
    try:
        if parse_url(url).scheme in FILES:
            print(f"{url}: a file answers nothing, and keeps what it is asked; nothing was written")
            return 1
        port = printer_end(url).connect()
    except EdgeboxError as fault:
        print(f"{url}: {fault}")
        return 1
    try:
        said = answer(port)
    except OSError as fault:
        print(f"{url}: {fault.strerror or fault}: is it on, and is this its address? {BUSY}")
        return 1
    finally:
        port.abort()
    if not said:
        print(f"{url}: opened, but no answer: no status, another speed, a cable with one way, or a printer that is off")
        return 1
    status = next((byte for byte in said if byte & 0x93 == 0x12), None)
    name = " ".join(block.partition(b"\0")[0].decode("ascii", "replace") for block in said.split(b"\x5f")[1:])
    told = [f"answers {said.hex(' ')}"]
    if status is not None:
        told.append("off-line (paper, cover, or its button)" if status & 0x08 else "on-line")
    if name:
        told.append(name)
    print(f"{url}: {', '.join(told)}")
    return 0
