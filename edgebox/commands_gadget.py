"""`edgebox gadget up|down|show`: the box as a USB printer, keyboard or serial port of the till's.

Owns: its arguments and words. Never: the tree in configfs (edgebox/appliance/gadget.py), or who the box is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edgebox.appliance.gadget import Functions, Gadget
from edgebox.appliance.identity import Identity, copied, keep, kept, own
from edgebox.config import DEFAULT, load
from edgebox.settings import Config

SYS = Path("/sys")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """up | down | show [--config F]."""
    parser.add_argument("what", choices=("up", "down", "show"), help="make it (at boot), remove it, or say what it is")
    parser.add_argument("--config", type=Path, default=DEFAULT, metavar="F", help="edgebox.toml, for [gadget]")


def run(options: argparse.Namespace) -> int:
    """0 done; 1 `show`: the till sees nothing."""
    gadget = Gadget()
    if options.what == "down":
        gadget.down()
        return 0
    config = load(options.config, [])
    if options.what == "show":
        return show(gadget, kept(Path(config.engine.data)))
    functions = Functions(config.gadget.printer, config.gadget.keyboard, config.gadget.serial)
    if not any(functions):
        print("[gadget] asks for nothing: the till is not on the box's USB port")
        return 0
    identity = identity_of(config)
    is_new = gadget.up(identity, functions)
    print(
        f"the till sees {identity.manufacturer} {identity.name} {identity.serial}" + ("" if is_new else ", as before")
    )
    return 0


def show(gadget: Gadget, identity: Identity | None) -> int:
    """Who the box is, and on which port."""
    if identity is None:
        print("no identity yet: the first `up` copies the printer's")
    else:
        print(f"{identity.vendor:04x}:{identity.product:04x} {identity.manufacturer} {identity.name} {identity.serial}")
        print(identity.device_id or "no device id")
    print(f"shown to the till on {gadget.bound_to}" if gadget.bound_to else "not shown to the till")
    return 0 if gadget.bound_to else 1


def identity_of(config: Config, sys: Path = SYS) -> Identity:
    """The one that is kept; else the plugged USB printer's, kept from now on; else one of the box's own."""
    data = Path(config.engine.data)
    before = kept(data)
    if before is not None:
        return before
    bus = sys / "bus/usb/devices"
    interfaces = sorted(bus.iterdir()) if bus.is_dir() else []
    printers = [one for one in interfaces if _text(one / "bInterfaceClass") == "07"]
    found = next((identity for identity in map(copied, printers) if identity is not None), None) or own()
    keep(data, found)
    return found


def _text(path: Path) -> str:
    return path.read_text("ascii", "replace").strip() if path.is_file() else ""
