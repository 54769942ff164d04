"""Bar codes and two-dimensional symbols: what the till asks for, until it is printed.

Owns: `SymbolStore`, which keeps the parameters and data of GS ( k as a printer does, and `bar_code`, the reading
of GS k. Never: draws bars or modules. Source: Epson "ESC/POS Command Reference", GS ( k functions 065-582 and GS k.
Bound: DATA_MAX bytes a symbol; a QR holds at most 2,953, PDF417 about 1,100.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.escpos.parser import Command, Data

DATA_MAX = 8192
KINDS = {48: "pdf417", 49: "qr", 50: "maxicode", 51: "databar", 52: "composite", 53: "aztec", 54: "datamatrix"}
_BAR_KINDS = ("upc-a", "upc-e", "ean13", "ean8", "code39", "itf", "codabar", "code93", "code128", "gs1-128")
_BAR_KINDS_B = dict(enumerate(_BAR_KINDS, 65)) | dict.fromkeys((75, 76, 77, 78), "databar") | {79: "code128"}
_BAR_KINDS_A = dict(enumerate(_BAR_KINDS[:7])) | {0x15: "isbn", 0x16: "msi", 0x17: "plessey"}
_BAR_KINDS_B |= {0x82: "msi", 0x83: "plessey"}
_BEMATECH_2D = {0x51: "qr", 0x80: "pdf417"}
# Functions that set a number of the symbol: (cn, fn) -> name.
_NUMBERS = {
    (48, 65): "columns",
    (48, 66): "rows",
    (48, 67): "module",
    (48, 68): "row_height",
    (49, 67): "module",
    (49, 69): "level",
    (51, 67): "module",
    (53, 67): "module",
    (54, 67): "module",
}


class Symbology(NamedTuple):
    """A two-dimensional symbol about to be printed. `module`: dots of its smallest square (0: the printer's default);
    `level`: error correction as sent (QR: 48 L, 49 M, 50 Q, 51 H); `model`: QR 49 model 1, 50 model 2, 51 micro."""

    kind: str
    data: bytes
    module: int = 0
    level: int = 0
    model: int = 50

    @property
    def text(self) -> str:
        """What it holds, as text."""
        return text_of(self.data)


class BarCode(NamedTuple):
    """A GS k. `text`: what a scanner reads (check digits that the printer adds are not in it); `data`: as sent."""

    kind: str
    text: str
    data: bytes


class SymbolStore:
    """The printer's symbol memory: one stored symbol of each kind, and the parameters."""

    __slots__ = ("_data", "_filling", "_numbers", "data_cut")

    def __init__(self) -> None:
        self._data: dict[int, bytearray] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        self._filling: bytearray | None = None
        self.data_cut = 0  # symbols whose data was longer than DATA_MAX

    def command(self, command: Command) -> Symbology | None:
        """Takes a GS ( k; the symbol where it is the one to print (function 81)."""
        raw = command.raw
        if len(raw) < 7:
            return None
        cn, fn = raw[5], raw[6]
        if fn == 80:
            self._filling = self._data[cn] = bytearray(raw[8:])  # after m
        elif fn == 81:
            return self._stored(cn)
        elif (cn, fn) == (49, 65) and len(raw) > 7:
            self._numbers[cn, "model"] = raw[7]
        elif (cn, fn) == (48, 69) and len(raw) > 8:
            self._numbers[cn, "level"] = raw[8]
        elif (cn, fn) in _NUMBERS and len(raw) > 7:
            self._numbers[cn, _NUMBERS[cn, fn]] = raw[7]
        return None

    def add(self, data: Data) -> None:
        """Payload of the GS ( k before it."""
        if self._filling is None:
            return
        room = DATA_MAX - len(self._filling)
        self._filling += data.raw[:room]
        self.data_cut += len(data.raw) > room
        if data.last:
            self._filling = None

    def close(self) -> None:
        """ESC @ forgets parameters and data."""
        self._data.clear()
        self._numbers.clear()
        self._filling = None

    def _stored(self, cn: int) -> Symbology | None:
        data = self._data.get(cn)
        if not data:
            return None  # printers print nothing without data
        numbers = self._numbers
        module, level = numbers.get((cn, "module"), 0), numbers.get((cn, "level"), 0)
        return Symbology(KINDS.get(cn, f"symbol-{cn}"), bytes(data), module, level, numbers.get((cn, "model"), 50))


def bar_code(raw: bytes) -> BarCode:
    """Reads a complete GS k in either form."""
    m = raw[2]
    if m in _BEMATECH_2D:
        data = raw[9:]
        kind = _BEMATECH_2D[m]
    elif m in _BAR_KINDS_A:
        data = raw[3:].rstrip(b"\0")
        kind = _BAR_KINDS_A[m]
    else:
        data = raw[4:]
        kind = _BAR_KINDS_B.get(m, f"bar-{m}")
    text = _code128_text(data) if kind in ("code128", "gs1-128") else text_of(data)
    return BarCode(kind, text, data)


def _code128_text(data: bytes) -> str:
    """Without the code set selectors {A {B {C; in set C one byte is two digits; {{ is a brace."""
    out: list[str] = []
    in_c, n = False, 0
    while n < len(data):
        byte = data[n]
        if byte == 0x7B and n + 1 < len(data):
            selector = data[n + 1]
            n += 2
            if selector in b"ABC":
                in_c = selector == 0x43
            elif selector == 0x7B:
                out.append("{")
            continue
        out.append(f"{byte:02d}" if in_c else chr(byte))
        n += 1
    return "".join(out)


def text_of(data: bytes) -> str:
    """A symbol's bytes as text: UTF-8, or else each byte as its Latin-1 letter."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
