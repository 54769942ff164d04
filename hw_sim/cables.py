"""A serial cable: a pty of which a program opens one end, and we have the other.

Owns: the two ends and what has come. Never: imported by production code.
"""

from __future__ import annotations

import contextlib
import os
from typing import Self


class Cable:
    """`path`, `url`: for the program; `master`: ours, not blocking; `heard`: all that has come."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        self.url = f"serial://{self.path}?baud=9600&flow=none"
        self.heard = bytearray()

    def listen(self) -> bytes:
        """All that has come so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.master, 65536):
                self.heard += data
        return bytes(self.heard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.master)
        os.close(self.slave)
