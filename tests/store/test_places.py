"""A row's place as one integer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgebox.store.events import Stream
from edgebox.store.places import EPOCH_MAX, SEQ_MAX, STREAMS, pack, span, unpack

PLACES = st.tuples(st.sampled_from(STREAMS), st.integers(0, EPOCH_MAX), st.integers(0, SEQ_MAX))


@given(PLACES)
def test_a_packed_place_fits_sqlite_and_comes_back_the_same(place: tuple[Stream, int, int]) -> None:
    assert 0 <= pack(*place) < 1 << 63
    assert unpack(pack(*place)) == place


@given(PLACES, PLACES)
def test_places_sort_by_stream_then_epoch_then_number(
    one: tuple[Stream, int, int], other: tuple[Stream, int, int]
) -> None:
    keys = [(STREAMS.index(stream), epoch, seq) for stream, epoch, seq in (one, other)]
    assert (pack(*one) < pack(*other)) == (keys[0] < keys[1])


@given(PLACES)
def test_a_span_holds_its_own_rows_and_no_others(place: tuple[Stream, int, int]) -> None:
    stream, epoch, _ = place
    low, high = span(stream, epoch)
    assert low <= pack(*place) <= high
    assert unpack(low)[:2] == unpack(high)[:2] == (stream, epoch)


def test_streams_keep_their_numbers_for_ever() -> None:
    """Databases in shops hold these numbers."""
    assert [stream.value for stream in STREAMS] == [
        "receipts", "claims", "redemptions", "jobs", "audit", "scans", "health", "visits",
    ]  # fmt: skip
