"""Tells systemd that a process is ready, and, as long as its work goes on, that it is alive (sd_notify(3)).

Owns: the datagrams and when the next one is due. Never: sends one by itself: whoever does the work calls `worked`, so
a loop that hangs is silent and is started anew (WatchdogSec=). Standard library only: the data planes use it.
Without systemd (`make run`, tests) everything here does nothing.
"""

from __future__ import annotations

import os
import socket

SHARE = 3  # told three times as often as systemd wants to hear it: sd_watchdog_enabled(3) says half at least


class Alive:
    """`every_s`: how often `worked` must be called; 0.0: nobody listens for it. Times: any clock that only goes on."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        told = dict(os.environ) if environment is None else environment
        self._socket: socket.socket | None = None
        self.every_s = 0.0
        self.due_at = float("inf")
        path = told.get("NOTIFY_SOCKET", "")
        if not path.startswith(("/", "@")):
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._address = "\0" + path[1:] if path[0] == "@" else path
        if told.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            wanted = told.get("WATCHDOG_USEC", "")
            self.every_s = int(wanted) / 1e6 / SHARE if wanted.isdecimal() else 0.0
        if self.every_s:
            self.due_at = 0.0

    def ready(self, words: str = "") -> None:
        """It does its work from now on."""
        self._tell("READY=1" + (f"\nSTATUS={words}" if words else ""))

    def says(self, words: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={words}")

    def stopping(self) -> None:
        """It was asked to end, and ends."""
        self._tell("STOPPING=1")

    def worked(self, now: float) -> None:
        """The work went on. Costs a comparison until the next word is due."""
        if now >= self.due_at:
            self.due_at = now + self.every_s
            self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode("utf-8"), self._address)
        except OSError:
            return  # it has gone, or is too busy: the next word is soon

    def close(self) -> None:
        """Silent from now on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.due_at = float("inf")
