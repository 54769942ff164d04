"""Nodes of a USB printer (`/dev/usb/lp0`) and of a printer gadget (`/dev/g_printer0`), made of ptys and `lpsim.c`.

Owns: the pair of ends, the port's status both sides see, and what a shop does to the cable. Never: imported by
production code. Real programs run on `path` unchanged, if they are started with `environment()`.

Like the kernel's nodes: one opener, ENODEV when the other end of the cable is out. Unlike them: a pty takes 4 KB
instead of one transfer, and where usblp would say "not writable" it does so when that is full.
"""

from __future__ import annotations

import mmap
import os
import tty
from pathlib import Path

from hw_sim.ttysim import built

_SOURCE = Path(__file__).with_suffix(".c")
_CACHE = _SOURCE.parent.parent / "var" / "lpsim"  # git ignores var/
_WORDS = ("status", "shown", "gone", "deaf", "open", "opens", "mute")
_ID_BYTES = 1024
READY = 0x18  # selected, no error


class LpNode:
    """One node. `path` is what the program opens; `master` is the other end of the cable, non-blocking."""

    def __init__(self, folder: Path, *, device_id: str = "", status: int = READY) -> None:
        self._folder = folder
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        state = folder / f"pts-{Path(self.path).name}"
        state.write_bytes(bytes(4 * len(_WORDS) + _ID_BYTES))
        with state.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._words = memoryview(self._memory)[: 4 * len(_WORDS)].cast("I")
        raw = device_id.encode("ascii")
        self._memory[4 * len(_WORDS) : 4 * len(_WORDS) + len(raw)] = raw
        self.status = status

    def environment(self) -> dict[str, str]:
        """The environment in which a program sees the node."""
        return {**os.environ, "LD_PRELOAD": str(built(_SOURCE, _CACHE)), "LPSIM_DIR": str(self._folder)}

    def _word(self, name: str) -> int:
        return self._words[_WORDS.index(name)]

    def _set(self, name: str, value: int) -> None:
        self._words[_WORDS.index(name)] = value

    @property
    def status(self) -> int:
        """The port's status: the printer's own, or what the gadget shows."""
        return self._word("status")

    @status.setter
    def status(self, bits: int) -> None:
        self._set("status", bits)

    @property
    def shown(self) -> int:
        """How often the gadget's status was set."""
        return self._word("shown")

    @property
    def is_open(self) -> bool:
        """The program has it open."""
        return bool(self._word("open"))

    @property
    def opens(self) -> int:
        """How often it was opened."""
        return self._word("opens")

    def make_deaf(self) -> None:
        """A printer with no way back."""
        self._set("deaf", 1)

    def make_mute(self) -> None:
        """A printer that doesn't tell its port's status."""
        self._set("mute", 1)

    def unplug(self) -> None:
        """The cable is out: what was on its way is lost. Wakes the program as the kernel would."""
        self._set("gone", 1)
        os.write(self.master, b"\n")

    def plug(self) -> None:
        """Back in."""
        for end in (self.master, self.slave):
            while True:
                os.set_blocking(end, False)
                try:
                    os.read(end, 4096)
                except BlockingIOError:
                    break
        self._set("gone", 0)

    def take(self, limit: int = 4096) -> bytes:
        """At most `limit` bytes off the cable; b"" when none are there."""
        try:
            return os.read(self.master, limit)
        except BlockingIOError:
            return b""

    def give(self, data: bytes) -> None:
        """Bytes onto the cable: a printer's reply, or a till's receipt."""
        os.write(self.master, data)

    def close(self) -> None:
        """Gone for good."""
        os.close(self.master)
        os.close(self.slave)
        self._words.release()
        self._memory.close()
