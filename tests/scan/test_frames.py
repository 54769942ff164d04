"""Frames come out as they went in; whatever else a peer says is an error and no more."""

from __future__ import annotations

import contextlib
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.scan import frames
from edgebox.scan.frames import MAX_FRAME, Decoder, Frame, FrameError, Ping, Scan, encode

_VALUES = {
    bytes: st.binary(max_size=300),
    str: st.text(max_size=60),
    int: st.integers(-(1 << 63), (1 << 63) - 1),
    bool: st.booleans(),
}


def any_frame() -> st.SearchStrategy[Frame]:
    kinds = [
        st.builds(kind._make, st.tuples(*(_VALUES[hint] for hint in get_type_hints(kind).values())))
        for kind in frames._KINDS
    ]
    return st.one_of(kinds)


@given(st.lists(any_frame(), max_size=6), st.data())
def test_frames_survive_any_chunking(sent: list[Frame], data: st.DataObject) -> None:
    raw = b"".join(map(encode, sent))
    decoder, came, at = Decoder(), [], 0
    while at < len(raw):
        size = data.draw(st.integers(1, max(1, len(raw) - at)))
        came += decoder.feed(raw[at : at + size])
        at += size
    assert came == sent


@given(st.binary(max_size=400), st.lists(any_frame(), max_size=2))
def test_noise_is_an_error_or_nothing(noise: bytes, before: list[Frame]) -> None:
    with contextlib.suppress(FrameError):
        assert Decoder().feed(b"".join(map(encode, before)) + noise)[: len(before)] == before


@given(any_frame(), st.data())
def test_a_damaged_frame_never_gives_anything_but_frames_or_an_error(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FrameError):
        assert all(type(came) in frames._KINDS for came in Decoder().feed(bytes(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x00\x01\x01\x01",  # longer than a frame may be
        b"\x00\x00\x00\x01\x01\x01",  # shorter than its own head
        b"\x00\x00\x00\x0a\x02\x0a",  # another version
        b"\x00\x00\x00\x0a\x01\x63",  # unknown type
        b"\x00\x00\x00\x02\x01\x0a",  # a Ping without its nonce
        encode(Ping(1))[:3] + b"\x0b" + encode(Ping(1))[4:] + b"\x00",  # a byte too many
    ],
)
def test_nonsense_is_named(raw: bytes) -> None:
    with pytest.raises(FrameError):
        Decoder().feed(raw)


def test_the_longest_code_fits_into_a_frame() -> None:
    longest = Scan(1, "coupon", "]Q1", b"x" * 8192, False, 150)
    raw = encode(longest)
    assert len(raw) <= MAX_FRAME
    assert Decoder().feed(raw) == [longest]


def test_a_scan_says_nothing_of_its_code() -> None:
    assert "VIP" not in f"{Scan(1, 'member', '', b'VIP:0815', False, 150)!r}"
