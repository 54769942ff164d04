"""What came out of the printer: the same stream on a bare wire and through a line, and whether the box did harm."""

from __future__ import annotations

from edgebox.escpos.profile import PrinterProfile
from hw_sim.harm import harm
from hw_sim.ink import Ink, Report
from hw_sim.printer import Printer
from tests.line.wire import BODY, CUTTER, Wire

NATIVE = (  # large, centred, bold text and a QR of its own size: touches everything that it may
    b"\x1ba\x01\x1b!\x38\x1dB\x00*SLIP*\n\x1b!\x00"
    b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1\x1d(k\x0a\x001P0SLIP-QR\x1d(k\x03\x001Q0\n"
)
QUIET_S = 12.0


def is_slip(ink: Ink) -> bool:
    return "SLIP" in ink.text


def printed(raw: bytes, profile: PrinterProfile = CUTTER) -> Report:
    printer = Printer(profile)
    printer.feed(raw)
    return printer.report()


def ended(wire: Wire) -> Wire:
    """The till has said all: silence until every document has ended."""
    return wire.wait(QUIET_S)


def boxed(raw: bytes, profile: PrinterProfile = CUTTER, body: bytes = NATIVE, **settings: object) -> Wire:
    """The stream through a line whose engine puts a slip wherever it is asked."""
    wire = Wire(profile, answer=lambda end: body if end.symbol_ok else BODY, **settings)  # type: ignore[arg-type]
    return ended(wire.till(raw))


def harm_of(raw: bytes, wire: Wire, *, slips: int | None = None, anchor: str = "") -> list[str]:
    """Everything that the line changed on paper and must not have."""
    profile = wire.core.profile
    marks = None if slips is None else slips * (2 if profile.qr_native and wire.answer.__name__ == "<lambda>" else 1)
    return harm(printed(raw, profile), printed(bytes(wire.printed), profile), is_slip, slips=marks, anchor=anchor)


def modes_after(raw: bytes, profile: PrinterProfile) -> tuple[object, ...]:
    """What the printer is left in: styles, line spacing, units, the till's symbol and how it is drawn."""
    printer = Printer(profile)
    printer.feed(raw)
    made = printer.mechanism
    symbol = made._symbol.get(49, b"")
    sizes = {65: 50, 67: 3, 69: 48} | {fn: n for (_, fn), n in made._symbol_sizes.items()}
    return (made.modes.style, made.modes.spacing, made.modes.unit, b"" if b"SLIP" in symbol else symbol, sizes)
