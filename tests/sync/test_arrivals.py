"""A message as a broker may send it: read as paho reads it where it is sound, and quickly where it is not."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sync.arrivals import PROPERTIES_MAX, Incoming, incoming
from sync.contract import MESSAGE_BYTES
from tests.sync.scripted import text

USER = b"\x26\0\1a\0\1b"
_TOPICS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        out.append(number % 128 | (0x80 if number >= 128 else 0))
        number //= 128
        if not number:
            return bytes(out)


def _message(properties: bytes, payload: bytes = b"x", head: int = 0x32) -> Incoming:
    mid = b"\0\7" if head & 6 else b""
    return incoming(head, text("a/b") + mid + _varint(len(properties)) + properties + payload)


@given(
    topic=_TOPICS,
    payload=st.binary(max_size=40),
    response=st.none() | _TOPICS.filter(bool),
    correlation=st.none() | st.binary(min_size=1, max_size=40),
    users=st.lists(st.tuples(_TOPICS, _TOPICS), max_size=5),
    expiry=st.none() | st.integers(1, 2**32 - 1),
    subscription=st.none() | st.integers(1, 268_435_455),
    kept=st.booleans(),
    mid=st.integers(0, 65_535),
)
def test_a_sound_message_is_read_as_it_was_written(
    topic: str,
    payload: bytes,
    response: str | None,
    correlation: bytes | None,
    users: list[tuple[str, str]],
    expiry: int | None,
    subscription: int | None,
    kept: bool,
    mid: int,
) -> None:
    written = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in (
        ("ResponseTopic", response),
        ("CorrelationData", correlation),
        ("MessageExpiryInterval", expiry),
        ("SubscriptionIdentifier", subscription),
        ("UserProperty", users or None),
    ):
        if value is not None:
            setattr(written, name, value)
    head = 0x30 | (0x02 if mid else 0) | kept
    raw = text(topic) + (mid.to_bytes(2, "big") if mid else b"") + written.pack() + payload
    assert incoming(head, raw) == Incoming(mid, topic, payload, response, correlation, kept)


@given(head=st.integers(0x30, 0x3F), raw=st.binary(max_size=80))
def test_whatever_comes_is_a_message_or_none(head: int, raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(incoming(head, raw), Incoming)


@given(raw=st.binary(max_size=60), cut=st.integers(0, 60))
def test_a_property_that_ends_too_soon_is_no_message(raw: bytes, cut: int) -> None:
    whole = text("a") + b"\0\1" + b"\x05\x08" + text("ab") + b"payload"
    with pytest.raises(ValueError, match=r"ends too soon|longer than"):
        incoming(0x32, whole[: min(cut, 9)])


def test_names_that_are_not_utf_8_are_no_names() -> None:
    bad = b"\0\2\xff\xfe"
    assert incoming(0x30, bad + b"\0").topic == ""
    assert _message(b"\x08" + bad).response_topic is None


@pytest.mark.parametrize("head", [0x34, 0x36])
def test_what_was_never_asked_for_is_refused(head: int) -> None:
    with pytest.raises(ValueError, match="QoS 2"):
        _message(b"", head=head)


def test_a_message_with_properties_and_nothing_else_costs_no_more_than_another() -> None:
    wanted = b"\x08" + text("a/reply")
    assert _message(USER * (PROPERTIES_MAX - 1) + wanted).response_topic == "a/reply"
    assert _message(USER * PROPERTIES_MAX + wanted).response_topic is None, "behind those that are looked at"
    for piece in (b"\x26\0\0\0\0", b"\x0b\x01"):
        began = time.perf_counter()
        assert _message(piece * (MESSAGE_BYTES // len(piece))).payload == b"x"
        assert time.perf_counter() - began < 0.5, "paho takes two to seven seconds"
