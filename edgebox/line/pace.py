"""Write first or parse first? The one decision that stands between a till's byte and the printer.

Owns: `Pace` and the glance at a chunk. Never: remembers anything.
"""

from __future__ import annotations

from enum import IntEnum

_INTRODUCERS = b"\x1b\x1c\x1d\x10"


class Pace(IntEnum):
    """How bytes from the till are to be treated just now."""

    PARSE = 0  # parse first: something is held or asked, or the printer is behind
    GLANCE = 1  # what `ends_on_ink` may be written first and parsed after
    PLAIN = 2  # write first, whatever it is


def ends_on_ink(data: bytes) -> bool:
    """True when nothing in these bytes has to wait: they end on ink and have no cut in them.

    Three substring searches; a regular expression over the stream costs four times socat's latency (measured).
    """
    last = data[-1]
    if last <= 0x20 and (last != 0x0A or data[-2:-1] <= b" "):
        return False
    if len(data) > 1 and (data[-2] in _INTRODUCERS or (len(data) > 2 and data[-3] in _INTRODUCERS)):
        return False
    return b"\x1dV" not in data and b"\x1bi" not in data and b"\x1bm" not in data
