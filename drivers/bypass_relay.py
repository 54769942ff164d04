"""The bypass relay's heartbeat, and when it last beat, for the process after this one.

Owns: the pin, and a page of memory in /run that outlives a crash. Never: decides when to beat (edgebox/line/bridge.py).

A line that died in the middle of a receipt is there again in a tenth of a second, and the relay is still in: it must
not wait for silence then. So the time of the last edge is written where a killed process leaves it: into a file in
memory, by a store, without a system call. It holds the monotonic clock, which all processes of a boot share, and goes
with /run at the next boot. Without such a folder each start is a first one.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

from drivers.gpio import Pin
from edgebox.errors import DriverError

STARTS = 8  # remembered; edgebox/line/bridge.py asks about five
RETRY_S = 1.0  # a chip that is gone (an adapter that was pulled) is asked for again so often
_PAGE = 8 * (1 + STARTS)


class BypassRelay:
    """One relay. `folder` None: nothing is remembered. `log` takes a line of text for a person."""

    def __init__(self, pin: Pin, folder: Path | None, name: str, log: Callable[[str], None]) -> None:
        self._pin = pin
        self._log = log
        self._retry_at = 0.0
        self._trouble = ""
        self._words = memoryview(self._memory(folder, name)).cast("d")

    def _memory(self, folder: Path | None, name: str) -> mmap.mmap:
        if folder is not None:
            try:
                fd = os.open(folder / f"{name}.relay", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.ftruncate(fd, _PAGE)
                    return mmap.mmap(fd, _PAGE)
                finally:
                    os.close(fd)
            except OSError as fault:
                self._log(f"relay: {folder}: {fault.strerror}: after a crash it will fall back")
        return mmap.mmap(-1, _PAGE)

    def started(self, now: float) -> tuple[float, list[float]]:
        """The last edge of all, and when the line was started, with now; 0.0: never."""
        self._words[1:] = memoryview(bytes(self._words[2:]) + bytes(8)).cast("d")
        self._words[STARTS] = now
        return self._words[0], [at for at in self._words[1:] if at]

    def edge(self, now: float) -> bool:
        """Turns the pin. False: it can't be had; said once, and tried again."""
        if now < self._retry_at:
            return False
        try:
            self._pin.open()
            self._pin.turn()
        except (OSError, DriverError) as fault:
            self._say(f"relay {self._pin.text}: {fault}; till and printer are joined past the box meanwhile")
            self._pin.close()
            self._retry_at = now + RETRY_S
            return False
        self._trouble = ""
        self._words[0] = now
        return True

    def _say(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._log(text)

    def close(self) -> None:
        """No more edges."""
        self._pin.close()
