"""What a simulated printer leaves behind: marks on paper, tickets, and the report of everything that went wrong.

Owns: `Ink`, `Ticket`, `Kick`, `Report` and the size of a QR symbol in modules. Never: decides where ink goes
(mechanism.py does). Plain values, so that two runs (a bare wire and one with the box on it) compare with `==`.
All lengths are dots of the print head; positions count from where the paper was at power-on, downwards.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

Style = tuple[tuple[str, object], ...]  # modes in force that are not at their power-on value, sorted by name


class Ink(NamedTuple):
    """One mark: a printed line, picture or symbol. `style` holds the modes it was printed with, `text` what it says."""

    top: int
    bottom: int
    kind: str  # text | dots | raster | image | qr | symbol | barcode | page
    text: str
    style: Style = ()

    @property
    def mark(self) -> tuple[str, str, Style]:
        """The ink without its place: equal on two papers that differ only in what stands between."""
        return self.kind, self.text, self.style


class Ticket(NamedTuple):
    """Paper between two cuts. `how`: cut, tear, or open (in the printer still); bytes: its part of the stream."""

    ink: tuple[Ink, ...]
    top: int
    bottom: int
    how: str
    first_byte: int
    end_byte: int
    at_s: float

    @property
    def text(self) -> str:
        """What the customer reads; symbols as <kind:content>."""
        return "\n".join(i.text if i.kind == "text" else f"<{i.kind}:{i.text}>" for i in self.ink)

    @property
    def marks(self) -> list[tuple[str, str, Style]]:
        """Every mark in order, without its place."""
        return [ink.mark for ink in self.ink]


class Kick(NamedTuple):
    """A drawer pulse. `real_time`: by DLE DC4, else by ESC p in its place in the stream."""

    at_s: float
    pin: int
    real_time: bool


class RealTime(NamedTuple):
    """A real-time command as recognised on reception; `between`: not inside another command or a picture."""

    raw: bytes
    between: bool


class Report(NamedTuple):
    """All that happened since power-on. Lists that must be empty for a good run: see `faults`."""

    tickets: tuple[Ticket, ...]  # the last ones, cut or torn; the open one is not among them
    open: Ticket  # what has been printed behind the last cut
    cuts: int
    tears: int
    cuts_through: tuple[Ink, ...]  # ink that a cut or a tear went through
    ignored_cuts: int  # not at the beginning of a line
    refused: tuple[str, ...]  # symbols, pictures and modes that the printer ignored where they came
    discarded: tuple[str, ...]  # text in the print buffer that ESC @ or a buffer clear threw away
    unprinted: str  # text still waiting for its line end
    display: bytes  # sent to the customer display
    kicks: tuple[Kick, ...]
    real_time: tuple[RealTime, ...]
    violations: tuple[str, ...]  # opcodes that must never reach a printer: power off, firmware
    received_bytes: int
    processed_bytes: int
    lost_bytes: int  # arrived while the buffer was full: the sender ignored BUSY
    cleared_bytes: int  # thrown away by a buffer clear

    @property
    def faults(self) -> list[str]:
        """Everything a shop would complain about, in words; empty on a good run."""
        found = [f"cut through {ink.kind} {ink.text!r}" for ink in self.cuts_through]
        found += ["cut ignored: not at the beginning of a line"] * self.ignored_cuts
        found += [f"refused: {what}" for what in self.refused]
        found += [f"discarded: {text!r}" for text in self.discarded]
        found += list(self.violations)
        if self.lost_bytes:
            found.append(f"{self.lost_bytes} bytes lost: the buffer was full")
        return found


# Largest text in bytes of QR versions 1-40 at level M (ISO/IEC 18004 table 7); other levels in proportion.
_QR_BYTES_M = (
    14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666,
    711, 779, 857, 911, 997, 1059, 1125, 1190, 1264, 1370, 1452, 1538, 1628, 1722, 1809, 1911, 1989, 2099, 2213, 2331,
)  # fmt: skip
_LEVEL_OF_M = {48: 0.79, 49: 1.0, 50: 1.41, 51: 1.82}  # L, M, Q, H: bytes of level M that the same text would take


def qr_modules(length: int, level: int) -> int:
    """Modules along one side of the QR symbol for `length` bytes (level: 48-51 as in GS ( k fn 69); about right."""
    version = bisect_left(_QR_BYTES_M, int(length * _LEVEL_OF_M.get(level, 1.0))) + 1
    return 17 + 4 * min(version, 40)
