"""Frames come out as they went in; whatever else a peer says is an error and no more."""

from __future__ import annotations

import contextlib
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.line import frames
from edgebox.line.frames import Data, Decoder, Frame, FrameError, Ping, encode

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


@given(st.lists(any_frame(), max_size=6), st.integers(1, 50))
def test_every_frame_survives_any_chunking(sent: list[Frame], size: int) -> None:
    raw = b"".join(map(encode, sent))
    decoder = Decoder()
    heard = [frame for at in range(0, len(raw), size) for frame in decoder.feed(raw[at : at + size])]
    assert heard == sent
    assert [type(frame) for frame in heard] == [type(frame) for frame in sent]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_nonsense_is_refused_and_nothing_grows(pieces: list[bytes]) -> None:
    decoder = Decoder()
    with contextlib.suppress(FrameError):
        for piece in pieces:
            decoder.feed(piece)
            assert len(decoder._rest) < 4 + frames.MAX_FRAME


@given(any_frame(), st.data())
def test_a_damaged_frame_gives_a_frame_or_a_frame_error(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FrameError):
        for heard in Decoder().feed(bytes(raw)):
            assert isinstance(heard, tuple)


@pytest.mark.parametrize("head", ["ffffffff0101", "000000020201", "00000002017f", "000000010101"])
def test_a_frame_too_long_of_another_version_or_an_unknown_kind_ends_the_conversation(head: str) -> None:
    with pytest.raises(FrameError):
        Decoder().feed(bytes.fromhex(head))


def test_bytes_too_many_in_a_frame_are_an_error() -> None:
    raw = bytearray(encode(Ping(1)) + b"x")
    raw[3] += 1
    with pytest.raises(FrameError):
        Decoder().feed(bytes(raw))


def test_a_field_that_runs_over_the_frame_is_an_error_even_when_more_follows() -> None:
    raw = bytearray(encode(Data(1, 0, b"abc")))
    raw[25] = 200
    with pytest.raises(FrameError):
        Decoder().feed(bytes(raw) + encode(Data(2, 0, b"x" * 300)))
