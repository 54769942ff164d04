"""Input devices and a keyboard gadget made of Unix sockets: the other side of the shim in `evsim.c`.

Owns: the shim, the folder of devices, and each device's socket. Never: imported by production code; knows no key
(scanner.py). Real programs, the evdev library included, open `path` unchanged if they are started with `environment()`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path
from typing import Self

from hw_sim.ttysim import built

_SOURCE = Path(__file__).with_suffix(".c")
_CACHE = _SOURCE.parent.parent / "var" / "evsim"  # git ignores var/
PATIENCE_S = 8.0


def shim(cache: Path = _CACHE) -> Path:
    """The built shim. DriverError where there is no compiler."""
    return built(_SOURCE, cache)


def environment(folder: Path) -> dict[str, str]:
    """The environment in which a program sees the devices in `folder`."""
    return {**os.environ, "LD_PRELOAD": str(shim()), "EVSIM_DIR": str(folder)}


class Device:
    """One device: `event0`, `hidraw0`, `hidg0`; what it is, its name says."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self._listener: socket.socket | None = None
        self._link: socket.socket | None = None
        self.plug_in()

    def plug_in(self) -> None:
        """There it is, for anybody to open."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.path))
        self._listener.listen()

    def unplug(self) -> None:
        """Gone, for whoever has it open too."""
        for end in (self._link, self._listener):
            if end is not None:
                end.close()
        self._link = self._listener = None
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    @property
    def is_grabbed(self) -> bool:
        """Somebody has it for himself."""
        return self.path.with_name(self.path.name + ".grab").exists()

    def wait_open(self, timeout_s: float = PATIENCE_S) -> None:
        """Until the program has opened it; who opens it again takes the first one's place. TimeoutError."""
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.settimeout(0.0 if self._link is not None else timeout_s)
                link, _ = self._listener.accept()
                if self._link is not None:
                    self._link.close()
                self._link = link

    def send(self, packet: bytes) -> None:
        """One packet to the program."""
        self.wait_open()
        assert self._link is not None
        self._link.settimeout(PATIENCE_S)
        self._link.sendall(packet)

    def receive(self, timeout_s: float = 0.0) -> bytes:
        """One packet of the program's; b"" when none comes in time."""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            self.wait_open(timeout_s)
            assert self._link is not None
            if select.select([self._link], [], [], timeout_s)[0]:
                return self._link.recv(4096)
        return b""
