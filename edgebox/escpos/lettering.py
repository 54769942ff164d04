"""Text → the bytes that make a printer print it, if it can.

Owns: which characters a printer is known to have, their bytes and how many columns they take. Never: switches code
pages. `ESC t` is the till's: a slip uses the page that is in force where that is known, or does without.

Order: ASCII as it is; the code page in force; the printer's own CJK characters between `FS &` and `FS .`. What is left
has no bytes (None), and the caller prints dots or another wording.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebox.escpos.profile import PrinterProfile

KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."  # FS &, FS .

# Profile's word -> codec. Only two-byte characters: GB18030's four-byte ones print as two wrong ones on older printers,
# so they count as missing, and the caller draws them.
_CJK = {"gb18030": "gbk", "gbk": "gbk", "big5": "big5", "shift_jis": "shift_jis", "euc_kr": "euc_kr"}
# Full-width twins, for signs that Chinese and Japanese sets have only wide (GBK lacks ¥).
_WIDE = str.maketrans({"¥": "￥", "£": "￡"})
_control = re.compile("[\x00-\x1f\x7f]").search
_ascii = re.compile("[\x00-\x7f]").findall


class Lettering(NamedTuple):
    """Text as the printer takes it: `raw` prints `columns` columns of font A."""

    raw: bytes
    columns: int


def lettering(text: str, printer: PrinterProfile, code_page: int) -> Lettering | None:
    """`text` (one line) in bytes for this printer, `code_page` being the `ESC t` in force (-1: not known)."""
    if _control(text) is not None:
        return None  # a control character would be a command
    if text.isascii():
        return Lettering(text.encode("ascii"), len(text))
    codec = printer.codec(code_page) if code_page >= 0 else None
    raw = _encoded(text, codec) if codec else None
    if raw is not None and len(raw) == len(text):  # one byte a character: a page, not a CJK set
        return Lettering(raw, len(text))
    wide = _CJK.get(printer.cjk)
    raw = _encoded(text.translate(_WIDE), wide) if wide else None
    return Lettering(KANJI_ON + raw + KANJI_OFF, columns(text)) if raw is not None else None


def columns(text: str) -> int:
    """Columns that `text` takes where everything but ASCII is two columns wide, as in CJK sets."""
    return len(text) if text.isascii() else 2 * len(text) - len(_ascii(text))


def has_word_wider_than(width: int, text: str) -> bool:
    """Whether wrapping to `width` columns would break a word (a host name, an amount) that should stay whole."""
    return any(word.isascii() and len(word) > width for word in text.split())


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces if there are any and between characters if not."""
    lines = []
    while columns(text) > width:
        fits = next(count for count in range(len(text), 0, -1) if columns(text[:count]) <= width or count == 1)
        space = text.rfind(" ", 1, fits + 1)
        cut = space if space > 0 else fits
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _encoded(text: str, codec: str) -> bytes | None:
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None
