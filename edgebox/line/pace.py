"""Write first or parse first? The one decision that stands between a till's byte and the printer.

Owns: `Pace` and the glance at a chunk. Never: remembers anything.
"""

from __future__ import annotations

import re
from enum import IntEnum

_COMMAND = 6  # bytes of the longest short command after its introducer: ESC p m t1 t2, GS ^ r t m


_find_cut = re.compile(rb"\x1d(?=V)").search  # GS V
_find_cut_or_select = re.compile(rb"\x1b[im=]").search  # ESC i, ESC m; ESC =


class Pace(IntEnum):
    """How bytes from the till are to be treated just now."""

    PARSE = 0  # parse first: something is held or asked, or the printer is behind
    GLANCE = 1  # what `ends_on_ink` may be written first and parsed after
    PLAIN = 2  # write first, whatever it is


def ends_on_ink(data: bytes) -> bool:
    """True when nothing in these bytes has to wait: they end on ink, have no cut in them and go to the printer.

    4 KB of a receipt take 2 us: an expression that begins with one fixed byte looks for that byte with memchr. A search
    for two bytes takes 3 us each, an alternation 12.
    """
    tail = data[-_COMMAND:] if data[-1] != 0x0A else data[-_COMMAND - 1 : -1]
    if tail[-1:] <= b" ":
        return False
    if b"\x1b" in tail or b"\x1d" in tail or b"\x1c" in tail or b"\x10" in tail:
        return False  # the last byte may be a command's argument
    return not (_find_cut(data) or _find_cut_or_select(data))
