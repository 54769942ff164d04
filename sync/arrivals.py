"""A PUBLISH as a broker sends it (MQTT 5, section 3.3), read within bounds.

Owns: taking the packet apart into an `Incoming`. Never: looks into the payload or believes it (inbox.py).

paho reads a packet's properties with a copy of the rest for each: 200 KB of them stopped the loop for two to seven
seconds. Here a packet costs the same whatever is in it: of its properties so many are looked at and the rest skipped.
"""

from __future__ import annotations

from typing import NamedTuple

PROPERTIES_MAX = 32  # looked at in one message; we need two, the standard knows eight, the rest are a publisher's own
_RESPONSE_TOPIC, _CORRELATION, _USER = 0x08, 0x09, 0x26
_FIXED_BYTES = {0x01: 1, 0x02: 4, 0x23: 2}  # payload format, message expiry, topic alias
_LENGTHS = {0x03: 1, _RESPONSE_TOPIC: 1, _CORRELATION: 1, _USER: 2}  # so many strings, each behind its length
_SUBSCRIPTION = 0x0B
_VARINT_BYTES = 4  # MQTT 5, 1.5.5


class Incoming(NamedTuple):
    """A message from the broker, not yet looked at. `mid`: its packet id, 0 where it wants no answer.

    `kept`: the broker had it before we asked (a retained message). `topic` "": none that can be read.
    """

    mid: int
    topic: str
    payload: bytes
    response_topic: str | None
    correlation: bytes | None
    kept: bool = False


def qos(head: int) -> int:
    """Of a packet's first byte."""
    return head >> 1 & 3


def incoming(head: int, packet: bytes | bytearray) -> Incoming:
    """A packet behind its length. ValueError: it is no PUBLISH of QoS 0 or 1."""
    if qos(head) > 1:
        raise ValueError("QoS 2, which was never asked for")
    topic, at = _text(packet, 0)
    mid = 0
    if qos(head):
        mid, at = _number(packet, at, 2)
        if not mid:
            raise ValueError("a message without a packet id")
    size, at = _varint(packet, at)
    if at + size > len(packet):
        raise ValueError("properties are longer than their packet")
    response, correlation = _wanted(packet, at, at + size)
    payload = bytes(packet[at + size :])
    return Incoming(mid, _decoded(topic) or "", payload, response, correlation, bool(head & 1))


def _wanted(packet: bytes | bytearray, at: int, end: int) -> tuple[str | None, bytes | None]:
    """Response topic and correlation data, if they are among the first."""
    response: str | None = None
    correlation: bytes | None = None
    for _ in range(PROPERTIES_MAX):
        if at >= end:
            break
        kind, at = packet[at], at + 1
        if kind in _FIXED_BYTES:
            at += _FIXED_BYTES[kind]
        elif kind == _SUBSCRIPTION:
            _, at = _varint(packet, at)
        else:
            value = b""
            for _ in range(_LENGTHS.get(kind, 0)):
                value, at = _text(packet, at)
            if kind not in _LENGTHS or at > end:
                raise ValueError(f"a property 0x{kind:02x} that no message has, or only a part of one")
            if kind == _RESPONSE_TOPIC:
                response = _decoded(value)
            elif kind == _CORRELATION:
                correlation = value
    return response, correlation


def _text(packet: bytes | bytearray, at: int) -> tuple[bytes, int]:
    size, at = _number(packet, at, 2)
    if at + size > len(packet):
        raise ValueError("a string is longer than its packet")
    return bytes(packet[at : at + size]), at + size


def _number(packet: bytes | bytearray, at: int, size: int) -> tuple[int, int]:
    if at + size > len(packet):
        raise ValueError("the packet ends too soon")
    return int.from_bytes(packet[at : at + size], "big"), at + size


def _varint(packet: bytes | bytearray, at: int) -> tuple[int, int]:
    value = 0
    for count in range(_VARINT_BYTES):
        byte, at = _number(packet, at, 1)
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than four bytes")


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
