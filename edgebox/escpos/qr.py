"""A QR code as a printer's own symbol, or as dots made from a matrix that somebody else computed.

Owns: the `GS ( k` commands, how many modules a text needs, and module matrix → rows of dots. Never: computes a matrix
(edgebox/slips/qr.py does, with the qrcode library: this package is standard library only).

Source of the commands: Epson "ESC/POS Command Reference", GS ( k functions 165, 167, 169, 180, 181. The printer prints
no quiet zone of its own around a native symbol. Source of the sizes: ISO/IEC 18004:2015 table 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

from edgebox.errors import SlipError

# (data, level) -> one int a row of modules, most significant bit leftmost, without quiet zone; as many rows as columns.
MatrixSource = Callable[[str, str], Sequence[int]]

QUIET = 4  # modules of white around a symbol (ISO/IEC 18004, 6.3.8)
MIN_DOTS, MAX_DOTS = 4, 16  # dots a module: phones fail below 4 at 203 dpi; fn 167 takes up to 16
ALPHANUMERIC = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")

_LEVELS = {"L": b"0", "M": b"1", "Q": b"2", "H": b"3"}  # fn 169

# Data codewords of versions 1, 2, 3 ... at each level (ISO/IEC 18004, table 7). 29 versions: more modules than 576
# dots can show at MIN_DOTS.
_CODEWORDS = {
    "L": (19, 34, 55, 80, 108, 136, 156, 194, 232, 274, 324, 370, 428, 461, 523, 589, 647, 721, 795, 861,
          932, 1006, 1094, 1174, 1276, 1370, 1468, 1531, 1631),
    "M": (16, 28, 44, 64, 86, 108, 124, 154, 182, 216, 254, 290, 334, 365, 415, 453, 507, 563, 627, 669,
          714, 782, 860, 914, 1000, 1062, 1128, 1193, 1267),
    "Q": (13, 22, 34, 48, 62, 76, 88, 110, 132, 154, 180, 206, 244, 261, 295, 325, 367, 397, 445, 485,
          512, 568, 614, 664, 718, 754, 808, 871, 911),
    "H": (9, 16, 26, 36, 46, 60, 66, 86, 100, 122, 140, 158, 180, 197, 223, 253, 283, 313, 341, 385,
          406, 442, 464, 514, 538, 596, 628, 661, 701),
}  # fmt: skip


def modules(data: str, level: str = "M") -> int:
    """Modules a side of the smallest symbol for `data` in one segment. SlipError `qr_data`: none is small enough."""
    length = len(data.encode("utf-8"))
    if data.isascii() and data.isdigit():
        bits, counts = length // 3 * 10 + (0, 4, 7)[length % 3], (10, 12, 14)
    elif ALPHANUMERIC.issuperset(data):
        bits, counts = length // 2 * 11 + length % 2 * 6, (9, 11, 13)
    else:
        bits, counts = length * 8, (8, 16, 16)
    for version, codewords in enumerate(_CODEWORDS[_known(level)], 1):
        count = counts[(version > 9) + (version > 26)]
        if 4 + count + bits <= codewords * 8 and length < 1 << count:
            return 17 + 4 * version
    raise SlipError(f"{length} bytes are too many for a QR code on a receipt", reason="qr_data")


def native(data: str, dots: int, level: str = "M") -> bytes:
    """The commands that store and print `data` as the printer's own QR code, model 2, `dots` a module."""
    raw = data.encode("utf-8")
    return (
        b"\x1d(k\x04\x001A2\x00"  # fn 165: model 2
        + b"\x1d(k\x03\x001C"
        + bytes((dots,))  # fn 167: size of a module
        + b"\x1d(k\x03\x001E"
        + _LEVELS[_known(level)]  # fn 169: error correction
        + b"\x1d(k"
        + (len(raw) + 3).to_bytes(2, "little")
        + b"1P0"
        + raw  # fn 180: store
        + b"\x1d(k\x03\x001Q0"  # fn 181: print
    )


def rows(matrix: Sequence[int], dots: int, quiet: int = QUIET) -> list[int]:
    """The matrix as rows of dots, `dots` a module, with `quiet` modules of white on all sides."""
    size = len(matrix)
    scale = {48: "0" * dots, 49: "1" * dots}
    margin = quiet * dots
    out = [0] * margin
    for line in matrix:
        out += repeat(int(f"{line:0{size}b}".translate(scale), 2) << margin, dots)
    out += [0] * margin
    return out


def _known(level: str) -> str:
    if level not in _LEVELS:
        raise SlipError(f"no error correction level {level!r}", reason="qr_data", hint="use L, M, Q or H")
    return level
