"""What a broker's answer to a message means: every reason code of a PUBACK (MQTT 5, section 3.4.2.1).

Owns: the table. Never: decides how long to wait (lane.py).

A code of 0x80 and above says that the broker has not taken the message. Some of them may be the message's own fault, so
that its rows are sent in smaller parts until the one that is refused stands alone; all others hold the stream.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What to do with the rows of a message."""

    DELIVERED = "delivered"
    UNHEARD = "unheard"  # taken, but nobody subscribes: the broker has thrown it away
    HOLD = "hold"  # refused for who or where we are: wait, then try again
    SPLIT = "split"  # refused, maybe for what is in it: smaller parts


NO_SUBSCRIBERS = 0x10
REFUSED = 0x80  # and all above

WORDS = {
    0x10: "nobody subscribes",
    0x80: "the broker gives no reason",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "the broker's own reason",
    0x87: "not authorized",
    0x8E: "session taken over",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x93: "more messages out than the broker allows",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x99: "payload format invalid",
}
_OWN_FAULT = frozenset({0x80, 0x83, 0x95, 0x99})  # 0x80 and 0x83 may mean anything: brokers' rules answer with them
BLAME = frozenset({0x81, 0x82, 0x95, 0x99})  # of a DISCONNECT: what was sent is at fault, not who sent it


def verdict(reason: int) -> Verdict:
    """`reason`: the code of a PUBACK, 0 to 255. A success that we don't know is a success, as the standard says."""
    if reason == NO_SUBSCRIBERS:
        return Verdict.UNHEARD
    if reason < REFUSED:
        return Verdict.DELIVERED
    return Verdict.SPLIT if reason in _OWN_FAULT else Verdict.HOLD


def words(reason: int) -> str:
    """`0x97 quota exceeded`."""
    return f"0x{reason:02x} {WORDS.get(reason, 'refused')}"
