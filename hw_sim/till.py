"""A simulated till: sends receipts to a printer's address the way real tills do, and keeps what it hears back.

Owns: `Till` (one conversation over TCP or a serial device), how bytes are cut into writes, and the habits of raw 9100
clients. Never: composes receipts (receipts.py) or judges them. Every wait has a time limit; a till that is not let
finish says how far it got (`Stuck`).
"""

from __future__ import annotations

import os
import random
import select
import socket
import termios
import time
import tty
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

from hw_sim.links import Link

Address = tuple[str, int]
_READ_BYTES = 4096
_LINGER_S = 0.02  # some tills close as fast as they can; on loopback an answer takes less than this
STATUS_FIRST = (
    b"\x1b@\x1b=\x01\x10\x04\x01"  # sent before every receipt by tills that wait for `16` [escpos-netprinter #1]
)
ALL_WELL = b"\x16"


class Stuck(Exception):  # noqa: N818 - a till that waits is a finding, not a mistake of its own
    """The wire took no more, or did not answer, in time. `sent` and `heard` say how far it got."""

    def __init__(self, what: str, sent: int, heard: bytes) -> None:
        super().__init__(f"{what}: {sent} bytes sent, heard {heard.hex(' ') or 'nothing'}")
        self.sent = sent
        self.heard = heard


# -- how bytes are cut into writes


def chunks(data: bytes, size: int = 0, *, seed: int | None = None) -> Iterator[bytes]:
    """`data` in pieces: whole (size 0), of `size` bytes, or (with a seed) of 1 to `size` bytes by chance."""
    if not size:
        yield data
        return
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        step = size if seed is None else chance.randint(1, size)
        yield data[at : at + step]
        at += step


def split_everywhere(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Both halves of `data`, for each place where it can be split."""
    return ((data[:at], data[at:]) for at in range(len(data) + 1))


def captures(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Recorded streams: binary files as they are, `.hex` files decoded."""
    for path in paths:
        raw = path.read_bytes()
        yield path.name, bytes.fromhex(raw.decode("ascii")) if path.suffix == ".hex" else raw


class Till:
    """One conversation. `to`: a TCP address, or the path of a serial device (raw, no flow control set here).

    `sent` counts bytes that the kernel took; `heard` is everything that came back.
    """

    def __init__(self, to: Address | str, *, timeout_s: float = 5.0) -> None:
        self.timeout_s = timeout_s
        self.sent = 0
        self.heard = b""
        self.closed_by_peer = False
        self._socket: socket.socket | None = None
        if isinstance(to, str):
            self._fd = os.open(to, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            if os.isatty(self._fd):
                tty.setraw(self._fd, termios.TCSANOW)
        else:
            self._socket = socket.create_connection(to, timeout=timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)
            self._fd = self._socket.fileno()

    def send(self, pieces: bytes | Iterable[bytes], *, pause_s: float = 0.0) -> None:
        """Writes each piece by itself, as fast as the wire takes it. Stuck when it takes nothing for `timeout_s`."""
        for number, piece in enumerate((pieces,) if isinstance(pieces, bytes) else pieces):
            if pause_s and number:
                self.listen(pause_s)
            left = memoryview(piece)
            while left:
                left = left[self._write(left) :]

    def send_over(self, link: Link, data: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        """Sends through a bad cable; returns when all has arrived, or hangs up when the link is broken."""
        link.push(data, clock())
        while (arrives_at := link.next_at) is not None:
            self.listen(max(arrives_at - clock(), 0.0))
            self.send(link.pull(clock()))
        if link.broken:
            self.close()

    def listen(self, seconds: float) -> bytes:
        """Hears for so long; what came."""
        before = len(self.heard)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.closed_by_peer:
            if select.select([self._fd], [], [], left)[0]:
                self._read()
        return self.heard[before:]

    def wait_for(self, wanted: bytes) -> None:
        """Until `wanted` has been heard. Stuck after `timeout_s`."""
        end = time.monotonic() + self.timeout_s
        while wanted not in self.heard:
            left = end - time.monotonic()
            if left <= 0 or self.closed_by_peer:
                raise Stuck(f"waited for {wanted.hex(' ')}", self.sent, self.heard)
            if select.select([self._fd], [], [], left)[0]:
                self._read()

    def ask(self, query: bytes, length: int = 1) -> bytes:
        """Sends a query and waits for an answer of `length` bytes."""
        before = len(self.heard)
        self.send(query)
        end = time.monotonic() + self.timeout_s
        while len(self.heard) - before < length:
            left = end - time.monotonic()
            if left <= 0 or self.closed_by_peer:
                raise Stuck(f"asked {query.hex(' ')}", self.sent, self.heard[before:])
            if select.select([self._fd], [], [], left)[0]:
                self._read()
        return self.heard[before:]

    def half_close(self) -> None:
        """No more to send, but it still listens."""
        if self._socket:
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Hangs up without a word (RST): the till crashed."""
        if self._socket:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        """Hangs up; harmless when done already."""
        if self._fd < 0:
            return
        if self._socket:
            self._socket.close()
        else:
            os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, data: memoryview) -> int:
        """Bytes taken; reads meanwhile, as a till that never listens would block a printer that talks."""
        end = time.monotonic() + self.timeout_s
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Stuck("the wire takes no more", self.sent, self.heard)
            readable, writable, _ = select.select([] if self.closed_by_peer else [self._fd], [self._fd], [], left)
            if readable:
                self._read()
            if writable:
                taken = os.write(self._fd, data)
                self.sent += taken
                return taken

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self.heard += data
        self.closed_by_peer = not data


# -- habits of raw 9100 clients. Each sends all receipts and returns what was heard.

Habit = Callable[[Address, Sequence[bytes]], bytes]


def one_connection(to: Address, receipts: Sequence[bytes]) -> bytes:
    """Kept open for all of them, as some tills do for days."""
    with Till(to) as till:
        for receipt in receipts:
            till.send(receipt)
        return _hear_the_rest(till)


def one_per_receipt(to: Address, receipts: Sequence[bytes]) -> bytes:
    """The usual way."""
    return b"".join(one_connection(to, [receipt]) for receipt in receipts)


def several_per_receipt(to: Address, receipts: Sequence[bytes], parts: int = 3) -> bytes:
    """Header, body and cut, each over a connection of its own."""
    heard = b""
    for receipt in receipts:
        places = [len(receipt) * n // parts for n in range(parts + 1)]
        heard += one_per_receipt(to, [receipt[a:b] for a, b in pairwise(places)])
    return heard


def half_closing(to: Address, receipts: Sequence[bytes]) -> bytes:
    """Closes its sending half after each receipt and waits for the printer to close."""
    heard = b""
    for receipt in receipts:
        with Till(to) as till:
            till.send(receipt)
            till.half_close()
            till.listen(till.timeout_s)
            heard += till.heard
    return heard


def asking_first(to: Address, receipts: Sequence[bytes]) -> bytes:
    """Prints nothing before the printer has said that all is well."""
    heard = b""
    for receipt in receipts:
        with Till(to) as till:
            till.send(STATUS_FIRST)
            till.wait_for(ALL_WELL)
            till.send(receipt)
            heard += _hear_the_rest(till)
    return heard


def polling(to: Address, receipts: Sequence[bytes], every: int = 200) -> bytes:
    """Asks for the paper's status between lines, and waits for each answer before it goes on."""
    heard = b""
    for receipt in receipts:
        with Till(to) as till:
            for part in by_lines(receipt, every):
                till.send(part)
                till.ask(b"\x10\x04\x04")
            heard += _hear_the_rest(till)
    return heard


def closing_early(to: Address, receipts: Sequence[bytes]) -> bytes:
    """Gives up in the middle of each receipt."""
    for receipt in receipts:
        with Till(to) as till:
            till.send(receipt[: len(receipt) // 2])
            till.reset()
    return b""


HABITS: tuple[Habit, ...] = (
    one_connection, one_per_receipt, several_per_receipt, half_closing, asking_first, polling, closing_early,
)  # fmt: skip


def by_lines(receipt: bytes, size: int) -> Iterator[bytes]:
    """Parts of about `size` bytes that end with a line: nothing is asked in the middle of a command's parameters."""
    part = b""
    for line in receipt.splitlines(keepends=True):
        part += line
        if len(part) >= size and line.isascii() and b"\x1d" not in part[-8:] and b"\x1b" not in part[-8:]:
            yield part
            part = b""
    yield part


def _hear_the_rest(till: Till) -> bytes:
    """A moment for late answers: closing with some unread would reset the connection, and lose what is on its way."""
    till.listen(_LINGER_S)
    return till.heard
