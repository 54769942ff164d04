"""`evdev:///dev/input/by-id/usb-…-event-kbd?layout=us`: a scanner that types like a keyboard.

Owns: opening the device (by the evdev library, loaded here and only then), taking it for ourselves, and its events.
Never: what a key means (evdev_keys.py). The device is grabbed: what it types reaches the till through us and nobody
else. `layout` is the scanner's "country" or "keyboard language" setting; us is how they leave the factory.

Keys lost by the kernel (SYN_DROPPED: nobody read for 64 of them) can't be had back, and a code without them is another
code. The port then fails as if it were unplugged: what came of that code is given up aloud, and the next open begins
with an empty queue and no key down.
"""

from __future__ import annotations

import errno
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

from drivers.base import Port, Reason, Url, cannot_open
from drivers.evdev_keys import Wedge
from drivers.keymaps import NAMES, Layout

if TYPE_CHECKING:
    from evdev import InputDevice

_EV_SYN, _EV_KEY, _SYN_DROPPED = 0, 1, 3  # linux/input-event-codes.h
_UP, _DOWN = 0, 1  # 2 is a repeat of the kernel's: a scanner presses twice what it means twice
_KEY_A = 30


class KeysLostError(OSError):
    """The kernel's queue ran over."""


class EvdevPort:
    """A grabbed keyboard; `read` gives what was typed, as UTF-8."""

    def __init__(self, device: InputDevice[str], layout: Layout) -> None:
        self.peer = str(device.path)
        self.paced = False
        self.wedge = Wedge(layout)
        self._device: InputDevice[str] | None = device

    def fileno(self) -> int:
        return self._device.fd if self._device is not None else -1

    def read(self, limit: int) -> bytes | None:
        """Whatever is there; a read of events can't be cut short."""
        if self._device is None:
            raise OSError(errno.EBADF, "closed")
        text = ""
        try:
            for event in self._device.read():
                if event.type == _EV_KEY and event.value == _DOWN:
                    text += self.wedge.press(event.code)
                elif event.type == _EV_KEY and event.value == _UP:
                    text += self.wedge.release(event.code)
                elif event.type == _EV_SYN and event.code == _SYN_DROPPED:
                    raise KeysLostError(errno.EOVERFLOW, "the scanner's keys came faster than they were read")
        except BlockingIOError:
            return None
        return text.encode("utf-8", "replace") or None

    def write(self, data: bytes | memoryview) -> int:
        """Nothing can be said to a keyboard."""
        return len(data)

    def finish_writing(self) -> None:
        """A keyboard has no end of data."""

    def close(self) -> None:
        """Closing lets go of the grab."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def abort(self) -> None:
        self.close()

    def set_busy(self, busy: bool) -> None:
        """Nothing: a scanner types on."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return 0


class EvdevScanner:
    """A scanner in a keyboard's place."""

    refused = 0

    def __init__(self, url: Url) -> None:
        url.takes("layout")
        example = "write evdev:///dev/input/by-id/usb-…-event-kbd"
        if url.host:
            raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", f"three slashes: {example}")
        if url.path in ("", "/"):
            raise url.fault(Reason.MISSING_PATH, "the device is missing", example)
        self.url = url.text
        self._url = url
        self._layout = Layout(url.choice("layout", NAMES, "us"))
        self._port: EvdevPort | None = None

    def open(self) -> None:
        """Nothing yet: an unplugged scanner is tried again by `accept`."""

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        """The scanner, unless it is out already. DriverError: it can't be had."""
        if self._port is not None and self._port.fileno() >= 0:
            return None
        self._port = EvdevPort(self._opened(), self._layout)
        return self._port

    def _opened(self) -> InputDevice[str]:
        try:
            library = _library()
        except ImportError as fault:
            raise self._url.fault(Reason.NO_LIBRARY, "evdev is not installed", "run make setup") from fault
        try:
            device: InputDevice[str] = library.InputDevice(self._url.path)
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
        try:
            if _KEY_A not in device.capabilities().get(_EV_KEY, []):
                hint = "take the scanner's -event-kbd in /dev/input/by-id"
                raise self._url.fault(Reason.WRONG_DEVICE, "has no letters", hint)
            device.grab()
        except OSError as fault:
            device.close()
            raise cannot_open(self._url, fault) from fault
        except BaseException:
            device.close()
            raise
        return device

    def close(self) -> None:
        if self._port is not None:
            self._port.close()


def _library() -> ModuleType:
    """evdev without asyncio, where nobody has that yet: the library does without it, and it would cost 9 MB."""
    if "asyncio" in sys.modules:
        return importlib.import_module("evdev")
    sys.modules["asyncio"] = cast(ModuleType, None)  # the import system's word for "there is none"
    try:
        return importlib.import_module("evdev")
    finally:
        del sys.modules["asyncio"]
