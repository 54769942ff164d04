"""Waits in the guest, with everything loaded, for what the host wants done with the data disk.

Owns: the virtio-serial port, the mount, and a process for each order: what is done after a power cut must not know what
was in memory before. Never: lets go of the port, which can be opened only once.

It is frozen with the guest while it waits, so a look at a cut disk costs no start of Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgebox.store import database
from tests.vm.guest.cuts.box import Places
from tests.vm.guest.cuts.looking import look
from tests.vm.guest.cuts.trade import trade
from tests.vm.guest.cuts.words import Found, Look, Order, Stop, Stopped, Word, Work

PORT = Path("/dev/virtio-ports/acks")
DISK = Path("/dev/vdb")
CHANCE = Path("/dev/urandom")
RNDRESEEDCRNG = 0x5207  # use what was written to it from now on [linux/random.h]
BLKFLSBUF = 0x1261  # forget what was read of a disk: it is another one now [linux/fs.h]
MNT_DETACH = 2  # umount2(2)
POLL_S = 0.02  # the port reads as ended while no host is connected [drivers/char/virtio_console.c, port_fops_read]
WORD_BYTES = 1 << 20
MS = 1000


class Port:
    """The way to the host: a line a word."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._rest = b""

    def hear(self) -> Order:
        """The next order; waits for ever."""
        while b"\n" not in self._rest:
            part = os.read(self._file, 1 << 16)
            self._rest += part
            if not part:
                time.sleep(POLL_S)
        raw, _, self._rest = self._rest.partition(b"\n")
        return msgspec.json.decode(raw, type=Order)

    def tell(self, word: Word) -> None:
        """Out when it returns, as far as the guest is concerned."""
        raw = msgspec.json.encode(word) + b"\n"
        while raw:
            raw = raw[os.write(self._file, raw) :]


class Shelf:
    """Where the data disk is mounted; nowhere if there is none (tests in user space)."""

    def __init__(self, folder: Path, disk: Path | None) -> None:
        self.folder = folder
        self._disk = disk
        self._system = ctypes.CDLL(None, use_errno=True)

    def mount(self) -> None:
        """ext4, its journal replayed by the kernel. OSError."""
        if self._disk is None:
            return
        disk = os.open(self._disk, os.O_RDONLY)
        fcntl.ioctl(disk, BLKFLSBUF)
        os.close(disk)
        if self._system.mount(bytes(self._disk), bytes(self.folder), b"ext4", 0, None):
            raise OSError(ctypes.get_errno(), f"mount: {os.strerror(ctypes.get_errno())}")

    def let_go(self) -> None:
        """Unmounted, whoever still holds it."""
        if self._disk is not None and self._system.umount2(bytes(self.folder), 0):
            self._system.umount2(bytes(self.folder), MNT_DETACH)


def stir(seed: str) -> None:
    """All guests that are restored from one frozen would draw the same claims and sessions."""
    if seed:
        with CHANCE.open("wb", buffering=0) as chance:
            chance.write(bytes.fromhex(seed))
            fcntl.ioctl(chance, RNDRESEEDCRNG)


class Clerk:
    """One order after the other."""

    def __init__(self, port: Port, shelf: Shelf, places: Places) -> None:
        self._port = port
        self._shelf = shelf
        self._places = places
        self._shop = 0  # its process group, 0: closed

    def serve(self) -> None:
        """Until it is killed."""
        while True:
            self.obey(self._port.hear())

    def obey(self, order: Order) -> None:
        """Does it; what is to be said is said."""
        match order:
            case Look():
                os.waitpid(self._in_a_process(lambda: self._look(order)), 0)
            case Work():
                self._shop = self._in_a_process(lambda: self._work(order))
            case Stop():
                self._stop()

    @staticmethod
    def _in_a_process(work: Callable[[], None]) -> int:
        child = os.fork()
        if child:
            return child
        os.setsid()
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(0)

    def _look(self, order: Look) -> None:
        began = time.monotonic()
        try:
            stir(order.seed)
            self._shelf.mount()
            mounted = time.monotonic()
            found = asyncio.run(look(self._places, order))
            took = int((time.monotonic() - mounted) * MS)
            found = msgspec.structs.replace(found, mount_ms=int((mounted - began) * MS), open_ms=took)
        except Exception as fault:
            traceback.print_exc()
            found = Found(fault=f"{type(fault).__name__}: {fault}")
        self._shelf.let_go()
        self._port.tell(found)

    def _work(self, order: Work) -> None:
        if order.synchronous:  # the control: what the shop would lose with a setting that it does not have
            other = f"synchronous={order.synchronous}"
            database.PRAGMAS = tuple(other if "synchronous=" in one else one for one in database.PRAGMAS)
        stir(order.seed)
        self._shelf.mount()
        asyncio.run(trade(self._places, self._port.tell, order.first))

    def _stop(self) -> None:
        fault = ""
        if self._shop:
            ended, status = os.waitpid(self._shop, os.WNOHANG)
            fault = f"the shop had closed by itself ({status})" if ended else ""
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shop, signal.SIGKILL)
            if not ended:
                os.waitpid(self._shop, 0)
        self._shop = 0
        self._shelf.let_go()
        self._port.tell(Stopped(fault=fault))


def main(folder: Path, keys: Path) -> None:
    """`folder` is in memory; there the clerk says when it is ready. First once through everything, to be warm."""
    mount = folder / "disk"
    mount.mkdir(parents=True)
    warm = Places(folder / "warm", folder / "warm-run", keys)
    asyncio.run(look(warm, Look(prints=1)))
    file = os.open(PORT, os.O_RDWR)
    (folder / "ready").touch()
    Clerk(Port(file), Shelf(mount, DISK), Places(mount / "edgebox", folder / "run", keys)).serve()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
