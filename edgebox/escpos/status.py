"""What a printer says back: its bytes cut into replies, each with its class, and status bits put into words.

Owns: `ReplyParser`, `PrinterStatus`, and which class of reply a till's command causes. Never: keeps a byte from the
till (the line forwards first and parses beside it; only while it waits for an answer of its own does it look here
before), and never guesses whose answer it is: one queue of askers per reply class does that (line/core).

Classes are told apart by the bits that Epson fixes ("ESC/POS Command Reference", transmission status; Citizen CBM1000
manual, "Identifying the transmission status"):

    11 or 13      XON, XOFF; may fall between the bytes of another reply
    0xx1xx10      DLE EOT: one byte
    0xx1xx00      ASB: this byte and three of 0xx0xxxx
    0xx0xxxx      GS r, GS I (1-3), ESC v, ESC u: one byte
    5F|37|3B|3D|35 ... 00     a block: GS I strings, GS ( H and others
    0xx0xxx1      Star's ASB, its length in the bits of this byte; only where the profile says Star (it overlaps GS r)
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple

from edgebox.escpos.parser import Command

BLOCK_MAX = 256  # longest block waited for; Epson sends long data in blocks of 80 bytes, each acknowledged
_ASB_BYTES = 4
_BLOCK_STARTS = b"\x5f\x37\x3b\x3d\x35"
_FLOW = b"\x11\x13"


class ReplyClass(IntEnum):
    """What kind of reply; replies of one class come in the order in which they were asked for."""

    FLOW = 1
    REAL_TIME = 2
    ASB = 3
    BYTE = 4
    BLOCK = 5
    OTHER = 6


class Reply(NamedTuple):
    """One reply, whole."""

    raw: bytes
    kind: ReplyClass


class ReplyParser:
    """Printer bytes in any chunking → replies. Keeps at most one incomplete reply (≤ BLOCK_MAX bytes).

    Every byte fed is in exactly one reply or in `pending`. XON and XOFF come out at once, also from within another
    reply: there alone the replies' order is not the bytes' order.
    """

    __slots__ = ("_open", "_star", "_want")

    def __init__(self, *, star: bool = False) -> None:
        self._star = star
        self._open = bytearray()
        self._want = 0  # whole length of the open reply; 0: a block, until 00

    @property
    def pending(self) -> bytes:
        """Bytes of a reply that is not complete."""
        return bytes(self._open)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes."""
        out: list[Reply] = []
        for byte in data:
            if byte in _FLOW and not (self._open and self._star):
                out.append(Reply(bytes((byte,)), ReplyClass.FLOW))
            elif self._open:
                self._go_on(byte, out)
            else:
                self._begin(byte, out)
        return out

    def give_up(self) -> list[Reply]:
        """The incomplete reply as Other: the printer is gone, or took too long."""
        return [self._close(ReplyClass.OTHER)] if self._open else []

    def _begin(self, byte: int, out: list[Reply]) -> None:
        if self._star and byte & 0x91 == 0x01:
            self._expect(byte, star_length(byte), out)
        elif byte & 0x93 == 0x12:
            out.append(Reply(bytes((byte,)), ReplyClass.REAL_TIME))
        elif byte & 0x93 == 0x10:
            self._expect(byte, _ASB_BYTES, out)
        elif byte in _BLOCK_STARTS:
            self._open.append(byte)
            self._want = 0
        else:
            out.append(Reply(bytes((byte,)), ReplyClass.OTHER if byte & 0x90 else ReplyClass.BYTE))

    def _expect(self, byte: int, length: int, out: list[Reply]) -> None:
        self._open.append(byte)
        self._want = length
        if length <= 1:
            out.append(self._close(ReplyClass.ASB))

    def _go_on(self, byte: int, out: list[Reply]) -> None:
        if self._want == _ASB_BYTES and not self._star and byte & 0x90:  # no ASB after all: this byte is another's
            out.append(self._close(ReplyClass.OTHER))
            self._begin(byte, out)
            return
        self._open.append(byte)
        if self._want:
            if len(self._open) == self._want:
                out.append(self._close(ReplyClass.ASB))
        elif byte == 0:
            out.append(self._close(ReplyClass.BLOCK))
        elif len(self._open) >= BLOCK_MAX:
            out.append(self._close(ReplyClass.OTHER))

    def _close(self, kind: ReplyClass) -> Reply:
        raw = bytes(self._open)
        self._open.clear()
        return Reply(raw, kind)


def star_length(header: int) -> int:
    """Whole length of a Star ASB, in bytes, by its first (bits 1-3, 5-6; `23 86 …`: 9). [Star line mode; receiptio]"""
    return (header >> 2 & 0x18) | (header >> 1 & 0x07)


class PrinterStatus(IntFlag):
    """What a printer reports of itself. DRAWER_HIGH is the level of the drawer connector's pin 3, as wired."""

    OFFLINE = 1
    COVER_OPEN = 2
    PAPER_END = 4
    PAPER_NEAR_END = 8
    FEEDING = 16  # by its button
    WAITING = 32  # for the button, to come back on-line
    ERROR = 64  # any of the three below, or one that the printer does not tell more of
    CUTTER_ERROR = 128
    UNRECOVERABLE = 256
    AUTO_RECOVERABLE = 512  # the head is too hot
    DRAWER_HIGH = 1024


_S = PrinterStatus
_ERRORS = _S.CUTTER_ERROR | _S.UNRECOVERABLE | _S.AUTO_RECOVERABLE
# DLE EOT n: bit of the reply -> what it says. Epson, DLE EOT.
_DLE_EOT: dict[int, tuple[tuple[int, PrinterStatus], ...]] = {
    1: ((0x04, _S.DRAWER_HIGH), (0x08, _S.OFFLINE), (0x20, _S.WAITING), (0x40, _S.FEEDING)),
    2: ((0x04, _S.COVER_OPEN), (0x08, _S.FEEDING), (0x20, _S.PAPER_END), (0x40, _S.ERROR)),
    3: (
        (0x08, _S.CUTTER_ERROR | _S.ERROR),
        (0x20, _S.UNRECOVERABLE | _S.ERROR),
        (0x40, _S.AUTO_RECOVERABLE | _S.ERROR),
    ),
    4: ((0x0C, _S.PAPER_NEAR_END), (0x60, _S.PAPER_END)),
}
# The four bytes of ASB. Epson, GS a.
_ASB: tuple[tuple[tuple[int, PrinterStatus], ...], ...] = (
    ((0x04, _S.DRAWER_HIGH), (0x08, _S.OFFLINE), (0x20, _S.COVER_OPEN), (0x40, _S.FEEDING)),
    (
        (0x01, _S.WAITING),
        (0x02, _S.FEEDING),
        (0x04, _S.ERROR),
        (0x08, _S.CUTTER_ERROR | _S.ERROR),
        (0x20, _S.UNRECOVERABLE | _S.ERROR),
        (0x40, _S.AUTO_RECOVERABLE | _S.ERROR),
    ),
    ((0x03, _S.PAPER_NEAR_END), (0x0C, _S.PAPER_END)),
    (),
)


def _read(byte: int, rows: tuple[tuple[int, PrinterStatus], ...]) -> PrinterStatus:
    found = _S(0)
    for mask, bits in rows:
        if byte & mask:
            found |= bits
    return found


def covered(n: int) -> PrinterStatus:
    """The bits that a reply to DLE EOT n speaks of."""
    return _read(0xFF, _DLE_EOT.get(n, ()))


def from_dle_eot(n: int, reply: int) -> PrinterStatus:
    """The bits that DLE EOT n (1-4) reports; none for another n. `reply` is the one byte."""
    return _read(reply, _DLE_EOT.get(n, ()))


def after_dle_eot(before: PrinterStatus, n: int, reply: int) -> PrinterStatus:
    """`before` brought up to date by one reply: what the reply does not speak of stays as it was."""
    now = from_dle_eot(n, reply)
    if n == 3 and not now:  # all three errors are gone, and with them the sum of them
        return before & ~(_ERRORS | _S.ERROR)
    return before & ~covered(n) | now


def from_asb(raw: bytes) -> PrinterStatus:
    """The whole status from Epson's four ASB bytes."""
    found = _S(0)
    for byte, rows in zip(raw, _ASB, strict=False):
        found |= _read(byte, rows)
    return found


# Functions of parametric commands that are answered, by prefix: where fn stands, which ones. Epson, each command.
_ANSWERED: dict[bytes, tuple[int, frozenset[int]]] = {
    b"\x1d(k": (6, frozenset({82})),
    b"\x1d(L": (6, frozenset({0, 48, 3, 51, 4, 52, 64, 80})),
    b"\x1d8L": (8, frozenset({0, 48, 3, 51, 4, 52, 64, 80})),
    b"\x1d(H": (5, frozenset({48, 49})),
    b"\x1d(C": (6, frozenset({2, 50, 3, 51, 4, 52, 5, 53})),
    b"\x1d(E": (5, frozenset({1, 4, 6, 12, 14, 16, 50, 52, 100})),
    b"\x1d(z": (5, frozenset({42})),
    b"\x1cg": (2, frozenset({0x32})),
    b"\x1dg": (2, frozenset({0x32})),
}
_ONE_BYTE_IDS = frozenset({1, 2, 3, 4, 49, 50, 51, 52})


def expects(command: Command) -> ReplyClass | None:
    """The class of reply that a till's command causes, None when it is not answered.

    For telling whose answer comes next. A printer may still stay silent (a clone, a function it lacks), so whoever
    waits must also have a time limit.
    """
    raw = command.raw
    two, n = raw[:2], raw[2] if len(raw) > 2 else -1
    if two == b"\x10\x04":
        return ReplyClass.REAL_TIME if n in (1, 2, 3, 4, 7, 8, 18) else None
    if two == b"\x10\x14":
        return {7: ReplyClass.ASB if raw[3:4] == b"\1" else ReplyClass.BLOCK, 8: ReplyClass.BLOCK}.get(n)
    if two in (b"\x1dr", b"\x1bv", b"\x1bu"):
        return ReplyClass.BYTE
    if two == b"\x1dI":
        return ReplyClass.BYTE if n in _ONE_BYTE_IDS else ReplyClass.BLOCK
    if two == b"\x1da":
        return ReplyClass.ASB if n > 0 else None
    at, functions = _ANSWERED.get(raw[:3]) or _ANSWERED.get(two) or (0, frozenset())
    return ReplyClass.BLOCK if len(raw) > at and raw[at] in functions else None
