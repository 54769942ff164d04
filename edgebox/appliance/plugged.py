"""What is plugged into the box: printers, cables, scanners; and the URL that names each for good.

Owns: reading it off /sys and /dev, with nothing sent anywhere. Never: opens a device: a line may have it, and a serial
port that is opened pulses its lines. `edgebox devices --ask` does that, with the line's leave.

A name is good if it follows the socket that the cable is in: udev's by-path links and our own
(systemd/60-edgebox.rules).
Names by order of plugging in (lp0, ttyUSB1) change when the cleaner has been at work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

PRINTER_CLASS = "07"  # bInterfaceClass
LINKS = ("edgebox", "serial/by-path", "input/by-path")  # of /dev, that follow the socket


class Use(StrEnum):
    """What it can be for."""

    PRINTER = "printer"
    CABLE = "cable"  # a serial port: of a printer, a till or a scanner
    SCANNER = "scanner"  # a keyboard, or HID POS
    TILL = "till"  # the box's own port that poses as a printer or keyboard


class Plugged(NamedTuple):
    """One thing. `url`: to write into the configuration; `lasting`: its name follows the socket."""

    use: Use
    url: str
    words: str
    lasting: bool
    device_id: str = ""


def plugged(sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> list[Plugged]:
    """Everything that a line or a scanner could be wired to, printers first."""
    names = _lasting_names(dev)
    found = [
        *_usb_printers(sys, dev, names),
        *_serial_ports(sys, dev, names),
        *_keyboards(sys, dev, names),
        *_pos_scanners(sys, dev, names),
        *_own_ports(dev),
    ]
    order = list(Use)
    return sorted(found, key=lambda one: (order.index(one.use), one.url))


def _lasting_names(dev: Path) -> dict[Path, Path]:
    """Device → the link that follows its socket."""
    found: dict[Path, Path] = {}
    for folder in LINKS:
        for link in sorted((dev / folder).glob("*")) if (dev / folder).is_dir() else ():
            if link.is_symlink() and not link.name.endswith(("-mouse", "-event-mouse")):
                found.setdefault(_absolute(link), link)
    return found


def _absolute(link: Path) -> Path:
    return Path(os.path.normpath(link.parent / link.readlink()))


def _usb_printers(sys: Path, dev: Path, names: dict[Path, Path]) -> Iterator[Plugged]:
    for interface in _children(sys / "bus/usb/devices"):
        if _read(interface / "bInterfaceClass") != PRINTER_CLASS:
            continue
        device, nodes = interface.resolve().parent, _children(interface / "usbmisc")
        words = _named(device)
        told = _read(interface / "ieee1284_id")
        if nodes:
            node = dev / "usb" / nodes[0].name
            link = names.get(node)
            yield Plugged(Use.PRINTER, f"usblp://{link or node}", words, link is not None, told)
        else:
            url = f"usb://{_read(device / 'idVendor')}:{_read(device / 'idProduct')}"
            serial = _read(device / "serial")
            yield Plugged(Use.PRINTER, url + (f"/{serial}" if serial else ""), words, lasting=True, device_id=told)


def _serial_ports(sys: Path, dev: Path, names: dict[Path, Path]) -> Iterator[Plugged]:
    for tty in _children(sys / "class/tty"):
        hardware = tty / "device"
        if not hardware.exists() or tty.name.startswith("ttyGS") or _is_absent_uart(tty):
            continue
        node = dev / tty.name
        link = names.get(node)
        usb = next((folder for folder in hardware.resolve().parents if (folder / "idVendor").exists()), None)
        words = _named(usb) if usb is not None else "serial port of the board"
        yield Plugged(Use.CABLE, f"serial://{link or node}", words, link is not None or usb is None)


def _is_absent_uart(tty: Path) -> bool:
    """ttyS0 to ttyS3 exist without any chip behind them: type 0 is PORT_UNKNOWN."""
    return _read(tty / "type") == "0"


def _keyboards(sys: Path, dev: Path, names: dict[Path, Path]) -> Iterator[Plugged]:
    """A wedge is a keyboard like any other: the person tells them apart by the name."""
    for event in _children(sys / "class/input"):
        if not event.name.startswith("event") or not _has_letters(_read(event / "device/capabilities/key")):
            continue
        node = dev / "input" / event.name
        link = names.get(node)
        yield Plugged(Use.SCANNER, f"evdev://{link or node}", _read(event / "device/name"), link is not None)


def _has_letters(mask: str) -> bool:
    """The keys 1 to 0 and Enter [input-event-codes.h: 2-11, 28], by the last word of the bit mask."""
    words = mask.split()
    try:
        keys = int(words[-1], 16) if words else 0
    except ValueError:
        return False
    wanted: int = sum(1 << key for key in (*range(2, 12), 28))
    return (keys & wanted) == wanted


def _pos_scanners(sys: Path, dev: Path, names: dict[Path, Path]) -> Iterator[Plugged]:
    for raw in _children(sys / "class/hidraw"):
        try:
            descriptor = (raw / "device/report_descriptor").read_bytes()
        except OSError:
            continue
        if not descriptor.startswith(b"\x05\x8c"):  # Usage Page (Bar Code Scanner) [HID POS 1.02]
            continue
        node = dev / raw.name
        link = names.get(node)
        words = next(
            (line[9:] for line in _read(raw / "device/uevent").splitlines() if line.startswith("HID_NAME=")), ""
        )
        yield Plugged(Use.SCANNER, f"hidraw://{link or node}", words, link is not None)


def _own_ports(dev: Path) -> Iterator[Plugged]:
    ports = (
        ("g_printer0", "gadget", "the till's USB cable: the box as a printer"),
        ("hidg0", "hidkbd", "the till's USB cable: the box as a keyboard (add ?layout=us)"),
        ("ttyGS0", "serial", "the till's USB cable: the box as a serial port"),
    )
    for name, scheme, words in ports:
        if (dev / name).exists():
            yield Plugged(Use.TILL, f"{scheme}://{dev / name}", words, lasting=True)


def _named(device: Path) -> str:
    """Maker, name and serial number, as far as it tells."""
    told = (_read(device / key) for key in ("manufacturer", "product", "serial"))
    words = " ".join(part for part in told if part)
    ids = f"{_read(device / 'idVendor')}:{_read(device / 'idProduct')}"
    return f"{words} ({ids})" if words else ids


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path) -> str:
    """Of strangers' devices: printable letters of the first 1,000 bytes."""
    try:
        with path.open("rb") as file:
            raw = file.read(1000)
    except OSError:
        return ""
    lines: Iterable[str] = raw.decode("utf-8", "replace").split("\n")
    return "\n".join("".join(letter for letter in line if letter.isprintable()) for line in lines).strip()
