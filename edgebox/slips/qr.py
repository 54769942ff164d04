"""The modules of a QR code, for printers that can't make one themselves.

Owns: text → matrix by the qrcode library. Never: draws it (edgebox/escpos/qr.py turns it into dots).

The library tries all eight masks and keeps the best looking one, which takes six times as long as making the code. A
claim's URL ends in a MAC, so its bits look random and any mask suits it: `claim_matrix` takes a fixed one. The test
decodes hundreds of them from their dots. Anything else gets the full choice (`matrix`).
"""

from __future__ import annotations

import sys
from types import ModuleType

CLAIM_MASK = 2  # (column % 3 == 0): cheap, and no runs along the timing patterns
_LEVEL_NUMBERS = {"L": 1, "M": 0, "Q": 3, "H": 2}  # the library's ERROR_CORRECT_*, as in ISO/IEC 18004 table 12


def matrix(data: str, level: str = "M") -> tuple[int, ...]:
    """One int a row of modules, most significant bit leftmost, no quiet zone. About 3.5 ms for version 4."""
    return _matrix(data, level, None)


def claim_matrix(data: str, level: str = "M") -> tuple[int, ...]:
    """As `matrix`, with a fixed mask: only for text whose bits look random. About 0.7 ms for version 4."""
    return _matrix(data, level, CLAIM_MASK)


def warm() -> None:
    """Load the library and build its tables now, so that the first receipt doesn't wait for that (30 ms)."""
    claim_matrix("HTTPS://M.EXAMPLE.CN/C/" + "A" * 58)


def _matrix(data: str, level: str, mask: int | None) -> tuple[int, ...]:
    code = _library().QRCode(error_correction=_LEVEL_NUMBERS[level], border=0, mask_pattern=mask)
    code.add_data(data, optimize=0)  # one segment, so that the size is the one that escpos.qr.modules foretells
    return tuple(int("".join(["1" if dark else "0" for dark in row]), 2) for row in code.get_matrix())


def _library() -> ModuleType:
    """The qrcode library, without the Pillow that it would load to draw what we never ask it to draw.

    It imports Pillow if it is there and does without if not (17 ms and 4 MB saved on a small box): so we hide it for
    the moment of this one import.
    """
    if "qrcode" not in sys.modules and "PIL" not in sys.modules:
        sys.modules["PIL"] = None  # type: ignore[assignment]  # the documented way to make an import fail
        try:
            import qrcode
        finally:
            del sys.modules["PIL"]
    import qrcode

    return qrcode
