"""`gpiochip0:17`: one pin of a GPIO chip, as an output.

Owns: finding the chip, asking the kernel for the pin, and turning it. Never: knows what hangs on it.

By the kernel's character device itself, version 2 of its interface (include/uapi/linux/gpio.h, since Linux 5.10): two
ioctls, of the standard library. libgpiod's Python bindings do the same two (PyPI's gpiod 2 has wheels for both our
machines; Debian 12 ships version 1 with another interface), but the line loads no library that it can do without.

The chip is named by its node (`gpiochip0`) or by its label (`pinctrl-rp1`, `cp2102n`), as `gpiodetect` shows both: the
kernel numbers chips in the order in which it finds them, and a Raspberry Pi 5's has changed with a kernel.
"""

from __future__ import annotations

import errno
import os
import struct
from fcntl import ioctl
from pathlib import Path

from drivers.base import Reason, Url, cannot_open

DEV = Path("/dev")
CONSUMER = b"edgebox"  # what `gpioinfo` shows
_INFO = struct.Struct("=32s32sI")  # struct gpiochip_info: name, label, lines
_REQUEST = struct.Struct("=256s32sQ264sII20si")  # gpio_v2_line_request: offsets, consumer, config (flags first), …, fd
_VALUES = struct.Struct("=QQ")  # gpio_v2_line_values: bits, mask
_READ, _WRITE, _MAGIC = 2 << 30, 1 << 30, 0xB4 << 8
GET_INFO = _READ | _INFO.size << 16 | _MAGIC | 0x01
GET_LINE = _READ | _WRITE | _REQUEST.size << 16 | _MAGIC | 0x07
SET_VALUES = _READ | _WRITE | _VALUES.size << 16 | _MAGIC | 0x0F
FLAG_OUTPUT = 1 << 3  # GPIO_V2_LINE_FLAG_OUTPUT; it begins low
_HINT = "write gpiochip0:17 or pinctrl-rp1:17; `gpioinfo` (apt install gpiod) lists chips and pins"


class Pin:
    """One pin. `text`: CHIP:NUMBER, CHIP a node's name, its path, or a label. DriverError when it is neither."""

    def __init__(self, text: str, dev: Path = DEV) -> None:
        chip, colon, number = text.rpartition(":")
        self.text = text
        self._url = Url(text, "gpio", "", "", ())
        if not colon or not chip or not number.isdecimal():
            raise self._url.fault(Reason.NOT_A_URL, "this names no pin", _HINT)
        self._chip, self._number, self._dev = chip, int(number), dev
        self._fd = -1
        self._is_high = False

    def open(self) -> None:
        """The pin is ours, and low. DriverError: `not_found`, `busy` (somebody has it), `not_allowed`."""
        if self._fd >= 0:
            return
        try:
            chip = self._opened()
            try:
                self._fd = self._asked(chip)
            finally:
                os.close(chip)
        except OSError as fault:
            if fault.errno == errno.EINVAL:
                hint = "`gpioinfo` shows how many pins the chip has, and which of them can be outputs"
                raise self._url.fault(Reason.WRONG_DEVICE, "the chip has no such pin", hint) from fault
            raise cannot_open(self._url, fault) from fault
        self._is_high = False

    def turn(self) -> None:
        """High if it was low, and the other way round. OSError: the chip is gone."""
        bits = 0 if self._is_high else 1
        ioctl(self._fd, SET_VALUES, bytearray(_VALUES.pack(bits, 1)))
        self._is_high = not self._is_high

    def close(self) -> None:
        """Lets it go; what its level is then is the chip's affair."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _asked(self, chip: int) -> int:
        offsets = struct.pack("=I", self._number)
        wanted = bytearray(_REQUEST.pack(offsets, CONSUMER, FLAG_OUTPUT, b"", 1, 0, b"", -1))
        ioctl(chip, GET_LINE, wanted)
        fd = int(_REQUEST.unpack(wanted)[-1])
        os.set_inheritable(fd, False)
        return fd

    def _opened(self) -> int:
        """The chip's node."""
        path = self._dev / self._chip
        if path.exists():
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        for node in sorted(self._dev.glob("gpiochip*")):
            fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _label(fd) == self._chip:
                    return fd
            except OSError:
                os.close(fd)
                raise
            os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "there is no such chip")


def _label(chip: int) -> str:
    told = bytearray(_INFO.size)
    ioctl(chip, GET_INFO, told)
    return bytes(_INFO.unpack(told)[1]).split(b"\0")[0].decode("utf-8", "replace")
