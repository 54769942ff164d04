"""What a simulated printer says back: status bytes for DLE EOT, GS r, ESC v, ESC u, GS I and ASB.

Owns: `Condition` and the bits of every reply. Never: when a reply is due (printer.py). Bits as in Epson's "ESC/POS
Command Reference" (DLE EOT, GS a, GS r, GS I); the ids are those of a TM-T88IV. Written apart from
edgebox.escpos.status on purpose: each checks the other.
"""

from __future__ import annotations

from dataclasses import dataclass

_IDS = {1: 0x20, 49: 0x20, 2: 0x02, 50: 0x02, 3: 0x41, 51: 0x41}  # model, type (has a cutter), firmware
_NAMES = {65: b"1.00 ESC/POS", 66: b"EPSON", 67: b"TM-SIM", 68: b"SIM0000001", 69: b"KANJI JAPANESE"}


@dataclass(slots=True)
class Condition:
    """The printer's state as a person could see it."""

    paper_end: bool = False
    near_end: bool = False
    cover_open: bool = False
    feeding: bool = False  # somebody holds the FEED button
    error: bool = False  # recoverable by DLE ENQ: the cutter is jammed
    fatal: bool = False
    drawer_open: bool = False

    @property
    def offline(self) -> bool:
        """It prints nothing now."""
        return self.paper_end or self.cover_open or self.feeding or self.error or self.fatal


def dle_eot(n: int, c: Condition) -> bytes:
    """The reply to DLE EOT n: one byte 0xx1xx10; nothing for an n it doesn't know. The till's `16` is all well."""
    bits = {
        1: 0x04 * (not c.drawer_open) | 0x08 * c.offline | 0x40 * c.feeding,
        2: 0x04 * c.cover_open | 0x08 * c.feeding | 0x20 * c.paper_end | 0x40 * (c.error or c.fatal),
        3: 0x08 * c.error | 0x20 * c.fatal,
        4: 0x0C * (c.near_end or c.paper_end) | 0x60 * c.paper_end,
    }.get(n)
    return b"" if bits is None else bytes([0x12 | bits])


def asb(c: Condition) -> bytes:
    """Automatic status back: four bytes, the first 0xx1xx00."""
    return bytes(
        (
            0x10 | 0x04 * (not c.drawer_open) | 0x08 * c.offline | 0x20 * c.cover_open | 0x40 * c.feeding,
            0x02 * c.feeding | 0x08 * c.error | 0x20 * c.fatal,
            paper_sensors(c)[0],
            0x0F,
        )
    )


def paper_sensors(c: Condition) -> bytes:
    """GS r 1 and ESC v: bits 0-1 near end, 2-3 end."""
    return bytes([0x03 * (c.near_end or c.paper_end) | 0x0C * c.paper_end])


def drawer(c: Condition) -> bytes:
    """GS r 2 and ESC u: bit 0, the drawer connector's pin 3 (high: shut)."""
    return bytes([0x01 * (not c.drawer_open)])


def in_order(raw: bytes, c: Condition) -> bytes:
    """The reply to a query that waits for its turn; nothing for one that this printer doesn't know."""
    if raw == b"\x1bv":
        return paper_sensors(c)
    if raw[:2] == b"\x1bu":
        return drawer(c)
    if raw[:2] == b"\x1dr":
        return {1: paper_sensors(c), 49: paper_sensors(c), 2: drawer(c), 50: drawer(c)}.get(raw[2], b"")
    if raw[:2] == b"\x1dI":
        if raw[2] in _IDS:
            return bytes([_IDS[raw[2]]])
        return b"\x5f" + _NAMES[raw[2]] + b"\0" if raw[2] in _NAMES else b""
    return b""


def process_id(raw: bytes) -> bytes:
    """GS ( H fn 48 `1D 28 48 06 00 30 30 d1 d2 d3 d4`: `37 22 d1 d2 d3 d4 00`, sent when all before it is printed."""
    return b"\x37\x22" + raw[7:11] + b"\0" if raw[:7] == b"\x1d(H\x06\x0000" and len(raw) == 11 else b""


CLEARED = b"\x37\x25\0"  # the reply to DLE DC4 8, when both buffers are empty
