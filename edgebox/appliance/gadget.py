"""The box as a USB device of the till's: a printer, a keyboard for the scanner, a serial port. Made once, at boot.

Owns: the tree in configfs (Documentation/usb/gadget_configfs.rst), in the order in which the kernel wants it, and
taking it down again. Never: carries a byte (drivers/gadget.py, drivers/hidkbd.py), or chooses who the box is
(identity.py).

It is made by a unit of its own (edgebox-gadget.service), as root, before the lines start: these have no rights to it.
Made again over what is there: nothing happens if it is the same, and nothing is pulled from under a till.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edgebox.appliance.identity import Identity
from edgebox.errors import ConfigError

CONFIGFS = Path("/sys/kernel/config/usb_gadget")
CONTROLLERS = Path("/sys/class/udc")
NAME = "edgebox"
ENGLISH = "0x409"
# What the gadget has taken in when the till is made to wait is at most so many buffers of 8 KB (f_printer.c).
QUEUE = 2
MILLIAMPERES = 2  # the box has a supply of its own
SELF_POWERED = 0xC0
# Between unbinding and binding anew the line closes its node: it looks every 0.5 s (edgebox/line/tillside.py), and an
# open node under a gadget that is bound anew damages a list of kernel 6.1.
LET_GO_S = 1.0
# f_printer forgets that the two length bytes count themselves, and shows the till two letters fewer than it was given
# (printer_func_setup, Linux 6.1; measured). These are the ones; a kernel that shows them shows blanks.
LOST = "  "
# Keyboard with eight-byte reports and five lights [HID 1.11, appendix B.1 and E.6]: what a BIOS understands too.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025650507"
    "190029658100c0"
)


class Functions(NamedTuple):
    """What the till finds on its port."""

    printer: bool = True
    keyboard: bool = False
    serial: bool = False


class Attribute(NamedTuple):
    """A file of the tree and what stands in it."""

    path: str
    value: bytes


def plan(identity: Identity, functions: Functions) -> Iterator[Attribute | str]:
    """What is made, in order: a folder's path, or an attribute."""
    for key, number in (
        ("idVendor", identity.vendor),
        ("idProduct", identity.product),
        ("bcdDevice", identity.release),
    ):
        yield Attribute(key, f"0x{number:04x}".encode())
    yield f"strings/{ENGLISH}"
    strings = (("manufacturer", identity.manufacturer), ("product", identity.name), ("serialnumber", identity.serial))
    for key, text in strings:
        yield Attribute(f"strings/{ENGLISH}/{key}", text.encode("ascii"))
    yield "configs/c.1"
    yield Attribute("configs/c.1/bmAttributes", f"0x{SELF_POWERED:02x}".encode())
    yield Attribute("configs/c.1/MaxPower", str(MILLIAMPERES).encode())
    if functions.printer:
        yield "functions/printer.0"
        yield Attribute("functions/printer.0/pnp_string", (identity.device_id + LOST).encode("ascii"))
        yield Attribute("functions/printer.0/q_len", str(QUEUE).encode())
    if functions.keyboard:
        yield "functions/hid.0"
        for key, number in (("protocol", 1), ("subclass", 1), ("report_length", 8)):
            yield Attribute(f"functions/hid.0/{key}", str(number).encode())
        yield Attribute("functions/hid.0/report_desc", KEYBOARD)
    if functions.serial:
        yield "functions/acm.0"


def names_of(functions: Functions) -> list[str]:
    """Its functions' folders: the printer first, as on a printer with a keyboard wedge."""
    pairs = (("printer.0", functions.printer), ("hid.0", functions.keyboard), ("acm.0", functions.serial))
    return [name for name, wanted in pairs if wanted]


class Gadget:
    """The tree. `remove`: how a folder goes; configfs lets one go with all its attributes."""

    def __init__(
        self,
        configfs: Path = CONFIGFS,
        controllers: Path = CONTROLLERS,
        remove: Callable[[Path], None] = Path.rmdir,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._configfs = configfs
        self._root = configfs / NAME
        self._controllers = controllers
        self._remove = remove
        self._pause = pause

    @property
    def bound_to(self) -> str:
        """The controller that shows it to the till; "": none."""
        try:
            return (self._root / "UDC").read_text("ascii").strip()
        except OSError:
            return ""

    def up(self, identity: Identity, functions: Functions) -> bool:
        """Makes it and shows it; False: it was there, the same. ConfigError `no_gadget`, `no_controller`."""
        controller = self._controller()
        if self._is_same(identity, functions):
            return False
        self.down()
        try:
            self._root.mkdir()
            for one in plan(identity, functions):
                if isinstance(one, Attribute):
                    (self._root / one.path).write_bytes(one.value)
                else:
                    (self._root / one).mkdir(parents=True, exist_ok=True)
            for name in names_of(functions):
                (self._root / "configs/c.1" / name).symlink_to(self._root / "functions" / name)
            (self._root / "UDC").write_text(controller, "ascii")
        except OSError as fault:
            with contextlib.suppress(OSError):
                self.down()
            raise _refused(fault, self._root) from fault
        return True

    def down(self) -> None:
        """Takes it from the till and removes it, the last made first; nothing if there is none."""
        if not self._root.exists():
            return
        if self.bound_to:
            with contextlib.suppress(OSError):
                (self._root / "UDC").write_text("\n", "ascii")
            self._pause(LET_GO_S)
        config = self._root / "configs/c.1"
        for link in sorted(config.iterdir() if config.exists() else ()):
            if link.is_symlink():
                link.unlink()
        folders = [
            *sorted((self._root / "functions").glob("*.*")),
            config,
            self._root / "strings" / ENGLISH,
            self._root,
        ]
        for folder in folders:
            if folder.exists():
                self._remove(folder)

    def _controller(self) -> str:
        """The USB port that can be a device."""
        if not self._configfs.is_dir():
            hint = "modprobe libcomposite; a kernel without CONFIG_USB_CONFIGFS can't pose as a printer"
            raise ConfigError(f"{self._configfs} is not there", reason="no_gadget", hint=hint)
        found = sorted(path.name for path in self._controllers.iterdir()) if self._controllers.is_dir() else []
        if not found:
            hint = (
                "it needs a port that can be a device: USB-C of a Pi 4 or 5 (dtoverlay=dwc2,dr_mode=peripheral), or OTG"
            )
            raise ConfigError("no USB port of this machine can be a device", reason="no_controller", hint=hint)
        return found[0]

    def _is_same(self, identity: Identity, functions: Functions) -> bool:
        """Bound, and with everything as it would be made."""
        if not self.bound_to:
            return False
        linked = sorted(path.name for path in (self._root / "configs/c.1").iterdir() if path.is_symlink())
        if linked != sorted(names_of(functions)):
            return False
        return all(self._has(one) for one in plan(identity, functions) if isinstance(one, Attribute))

    def _has(self, attribute: Attribute) -> bool:
        try:
            there = (self._root / attribute.path).read_bytes()
        except OSError:
            return False
        return there.strip() == attribute.value.strip()


def _refused(fault: OSError, root: Path) -> ConfigError:
    hints = {
        errno.EACCES: "run it as root: `systemctl start edgebox-gadget`",
        errno.EPERM: "run it as root: `systemctl start edgebox-gadget`",
        errno.ENOENT: "modprobe usb_f_printer usb_f_hid usb_f_acm",
        errno.EBUSY: "another gadget has the port: look into /sys/kernel/config/usb_gadget",
    }
    return ConfigError(
        f"{fault.filename or root}: {fault.strerror}", reason="no_gadget", hint=hints.get(fault.errno or 0, "")
    )
