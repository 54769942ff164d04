"""Is this paper that document? Byte for byte, with at most one slip in it.

Owns: the comparison, and the codes in a slip. Never: reads a clock, or knows what went wrong meanwhile. Drawer kicks
and real-time commands may overtake held feed (ARCHITECTURE.md), so they are compared by themselves.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebox.escpos.parser import Parser
from hw_sim.scenario import PREFIX
from tests.line.judge import stripped

HEAD_BYTES = 24  # of a document: its initialising and the shop's name; nothing of ours begins so
CLAIM = re.compile(re.escape(PREFIX.encode("ascii")) + rb"[A-Z2-7]{58}")  # 36 bytes in base32, design §8
COUPON = re.compile(rb"CB:[0-9A-Z-]+")  # [slip] coupon_prefix


class Match(NamedTuple):
    """A document's paper. `before`: printed above it, by another try or by the line; `slip`: what was put in."""

    before: bytes
    slip: bytes

    @property
    def claims(self) -> tuple[str, ...]:
        """Of all slips, in order."""
        return tuple(code.decode("ascii") for code in CLAIM.findall(self.slip))

    @property
    def coupon(self) -> str:
        """The comeback coupon; "" none."""
        found = COUPON.search(self.slip)
        return found[0].decode("ascii") if found else ""

    @property
    def torn(self) -> bool:
        """There is ink above the document."""
        return bool(ink(self.before))


def match(document: bytes, paper: bytes) -> Match | None:
    """None: another document, or not all of it, or something of it is changed or stands twice."""
    at = paper.rfind(document[:HEAD_BYTES])
    if at < 0:
        return None
    wanted, found = stripped(document), stripped(paper[at:])
    if [raw for raw, _ in wanted.drawer] != [raw for raw, _ in found.drawer]:
        return None
    slip = put_in(wanted.rest, found.rest)
    return None if slip is None else Match(paper[:at], slip)


def put_in(wanted: bytes, found: bytes) -> bytes | None:
    """The one piece that `found` has more than `wanted`; None: that is not the difference."""
    more = len(found) - len(wanted)
    same = next((at for at, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), len(wanted))
    if more < 0 or found[same + more :] != wanted[same:]:
        return None
    return found[same : same + more]


def ink(raw: bytes) -> bytes:
    """Text that leaves a mark."""
    parser = Parser()
    return b"".join(one for one in (*parser.feed(raw), *parser.finish()) if isinstance(one, bytes)).strip()
