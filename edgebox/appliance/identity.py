"""Who the box is on the till's USB port: the real printer's identity, copied once and the same for ever.

Owns: the identity's fields, its limits, and the file that keeps it. Never: changes it by itself. A till's Windows knows
a printer by vendor, product and serial number: another serial number, and it installs "Copy 1", to which no program
prints. So the identity is taken from the shop's own printer when the box is installed, and outlives that printer.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgebox.errors import ConfigError

FILE = "gadget.json"
FILE_BYTES = 16 << 10  # one with every text at its longest has 2 KB
_Text = Annotated[str, Meta(max_length=126, pattern=r"^[ -~]*$")]  # a USB string descriptor holds 126 letters


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the till's system sees it. `device_id`: IEEE 1284, without the two length bytes in front."""

    vendor: Annotated[int, Meta(ge=1, le=0xFFFF)]
    product: Annotated[int, Meta(ge=0, le=0xFFFF)]
    release: Annotated[int, Meta(ge=0, le=0xFFFF)] = 0x0100
    manufacturer: _Text = ""
    name: _Text = ""
    serial: _Text
    device_id: Annotated[str, Meta(max_length=1020, pattern=r"^[ -~]*$")] = ""


def copied(device: Path) -> Identity | None:
    """That of a USB printer, by its interface's folder in /sys; None: it can't be had, or can't be shown."""

    def read(path: Path) -> str:
        try:
            return path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    whole = device.resolve().parent
    try:
        return msgspec.convert(
            {
                "vendor": int(read(whole / "idVendor"), 16),
                "product": int(read(whole / "idProduct"), 16),
                "release": int(read(whole / "bcdDevice") or "0100", 16),
                "manufacturer": read(whole / "manufacturer"),
                "name": read(whole / "product"),
                "serial": read(whole / "serial") or _made_up(),
                "device_id": read(device / "ieee1284_id"),
            },
            Identity,
        )
    except (ValueError, msgspec.ValidationError):
        return None


def own() -> Identity:
    """For a shop whose printer is not on USB: the kernel's own gadget ids, as a plain ESC/POS printer."""
    return Identity(
        vendor=0x1D6B,  # Linux Foundation, "Multifunction Composite Gadget" [usb.ids]
        product=0x0104,
        manufacturer="edgebox",
        name="Receipt Printer",
        serial=_made_up(),
        device_id="MFG:edgebox;CMD:ESC/POS;MDL:Receipt Printer;CLS:PRINTER;",
    )


def _made_up() -> str:
    """A serial number for a device without one: else Windows goes by the socket, and installs a copy at another."""
    return "EB" + os.urandom(5).hex().upper()


def kept(data: Path) -> Identity | None:
    """The identity of this box; None: it has none yet. ConfigError `bad_identity`: the file was damaged."""
    path = data / FILE
    try:
        # Root reads it before the lines start: no link to a device without an end, no pipe that nobody writes to.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES), type=Identity)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as fault:
        hint = f"copy it from a backup, or from the box's label: {FILE} has to be as the till has known it"
        raise ConfigError(f"{path}: {fault}", reason="bad_identity", hint=hint) from fault


def keep(data: Path, identity: Identity) -> None:
    """Writes it down, once and for all. ConfigError `identity_kept`: the box has another one already."""
    before = kept(data)
    if before == identity:
        return
    if before is not None:
        hint = "tills know this box by it. If it really must change, remove the file by hand"
        raise ConfigError(f"{data / FILE} holds another identity", reason="identity_kept", hint=hint)
    _write(data, identity)


def take_over(data: Path, raw: bytes) -> None:
    """That of a box whose place this one takes; its own is kept beside it. ConfigError `bad_identity`."""
    try:
        found = msgspec.json.decode(raw, type=Identity)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"the dead box's {FILE}: {fault}", reason="bad_identity") from fault
    own = data / FILE
    if own.exists() and own.read_bytes() != raw:
        own.replace(own.with_name(f"{FILE}.before"))
    _write(data, found)


def _write(data: Path, identity: Identity) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = data / (FILE + ".new")
    half.unlink(missing_ok=True)  # of a write that a power cut ended; or a link that the folder's owner has laid there
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(msgspec.to_builtins(identity), file, indent=1)
        os.fchmod(file.fileno(), 0o644)  # root makes it, the folder's owner reads it: no secret, any till sees it
        file.flush()
        os.fsync(file.fileno())
    half.replace(data / FILE)
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
