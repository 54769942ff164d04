"""The parser: whatever the chunks, the same events; whatever the bytes, none lost, none twice, none kept for long."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos.commands import TABLE, WINDOW, Effect
from edgebox.escpos.parser import BLOCK, HEAD, Command, Data, Parser, raw_of
from tests.escpos.streams import (
    ALL_EXAMPLES,
    CORPUS_MISSING,
    corpus_files,
    joined,
    messy_streams,
    parse,
    payload_of,
    random_sizes,
)

FILES = corpus_files()
BYTEWISE_MAX = 20_000  # bytes of a corpus file fed one at a time: keeps the suite short
KEPT_MAX = BLOCK + WINDOW  # one text run or payload block, and one incomplete command


def one_by_one():  # type: ignore[no-untyped-def]
    while True:
        yield 1


# -- any chunking, the same events


@pytest.mark.skipif(not FILES, reason=CORPUS_MISSING)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_stream_gives_the_same_events_at_any_chunking(path: Path) -> None:
    stream = path.read_bytes()
    whole = parse(stream)
    assert joined(whole) == stream
    for seed, most in ((1, 7), (2, 600), (3, 5000)):
        assert parse(stream, random_sizes(seed, most)) == whole
    start = stream[:BYTEWISE_MAX]
    assert parse(start, one_by_one()) == parse(start)


@settings(max_examples=150, deadline=None)
@given(stream=messy_streams, seed=st.integers(0, 999), most=st.sampled_from([1, 2, 3, 16, 64]))
def test_any_stream_gives_the_same_events_at_any_chunking(stream: bytes, seed: int, most: int) -> None:
    whole = parse(stream)
    assert joined(whole) == stream
    assert parse(stream, random_sizes(seed, most)) == whole


def test_every_pair_of_commands_is_told_apart_at_every_split() -> None:
    for n, example in enumerate(ALL_EXAMPLES):
        stream = example + b"A" + ALL_EXAMPLES[n - 1] + b"\n"
        whole = parse(stream)
        assert joined(whole) == stream
        for at in range(1, min(len(stream), 80)):
            assert parse(stream, iter([at, len(stream)])) == whole, stream.hex(" ")


@settings(max_examples=100, deadline=None)
@given(stream=st.binary(max_size=400), sizes=st.lists(st.integers(1, 40), min_size=1))
def test_noise_is_carried_through_unchanged(stream: bytes, sizes: list[int]) -> None:
    assert joined(parse(stream, iter(sizes * 400))) == stream


# -- shape of the events


@settings(max_examples=100, deadline=None)
@given(stream=messy_streams)
def test_text_holds_no_introducers_and_payload_follows_its_command(stream: bytes) -> None:
    due = False
    for event in parse(stream):
        if isinstance(event, bytes):
            assert not set(event) & {0x1B, 0x1C, 0x1D, 0x10}
            assert len(event) <= BLOCK
        elif isinstance(event, Data):
            assert due
            assert 0 < len(event.raw) <= BLOCK
            due = not event.last
        else:
            due = event.total > len(event.raw) or event.name in ("ESC &", "FS q")
            assert len(event.raw) == event.total or len(event.raw) == HEAD


def test_a_long_command_comes_as_its_head_and_blocks_of_payload() -> None:
    picture = b"\x1dv0\x00\x48\x00\xc8\x00" + bytes(range(256)) * 57
    stream = picture[: 8 + 72 * 200]
    events = parse(stream)
    head = events[0]
    assert isinstance(head, Command)
    assert (len(head.raw), head.total) == (HEAD, len(stream))
    assert payload_of(events) == stream[HEAD:]
    assert [event.last for event in events if isinstance(event, Data)] == [False, False, False, True]


def test_payload_that_looks_like_a_cut_is_no_cut() -> None:
    stream = b"\x1dv0\x00\x10\x00\x40\x00" + b"\x1dV\x00\x1bi" * 204 + b"\x1dV\x00" + b"z" + b"TOTAL\n"
    events = parse(stream)
    assert not [event for event in events if isinstance(event, Command) and event.effect is Effect.CUT]
    assert events[-1] == b"TOTAL\n"


def test_a_real_time_command_inside_text_is_seen_and_the_text_goes_on() -> None:
    assert [raw_of(event) for event in parse(b"TOT\x10\x04\x01AL\n")] == [b"TOT", b"\x10\x04\x01", b"AL\n"]


def test_an_incomplete_command_at_the_end_is_unknown_and_not_lost() -> None:
    events = parse(b"TOTAL\n\x1bp\x00")
    assert raw_of(events[-1]) == b"\x1bp\x00"
    assert isinstance(events[-1], Command)
    assert events[-1].effect is Effect.UNKNOWN


# -- what a relay needs to know


def test_boundaries_are_where_foreign_bytes_can_not_become_a_parameter() -> None:
    parser = Parser()
    states = []
    for byte in b"A\x1b!\x08\x1d(k\x03\x001Q0":
        parser.feed(bytes([byte]))
        states.append(parser.at_boundary)
    assert states == [True, False, False, True] + [False] * 7 + [True]


def test_inside_a_picture_there_is_no_boundary_until_its_last_byte() -> None:
    parser = Parser()
    parser.feed(b"\x1dv0\x00\x08\x00\x20\x00" + b"x" * 255)
    assert parser.in_payload
    assert not parser.at_boundary
    parser.feed(b"x")
    assert not parser.in_payload
    assert parser.at_boundary


def test_a_reader_in_a_hurry_gets_the_open_run_once() -> None:
    parser = Parser()
    assert not parser.feed(b"TOTAL 1")
    assert list(parser.take_open()) == [b"TOTAL 1"]
    assert not parser.take_open()
    assert next(iter(parser.feed(b"2.00\n\x1bi"))) == b"2.00\n"


def test_finish_leaves_a_parser_as_new() -> None:
    parser = Parser()
    parser.feed(b"TOTAL\x1dv0\x00\x08\x00\x20\x00xx")
    parser.finish()
    assert parser.at_boundary
    assert parser.feed(b"\x1bi")


# -- bounds


@pytest.mark.parametrize(
    "piece",
    [
        b"A" * 997,
        b"\x1bD" + b"\x09" * 300,
        b"\x1dk\x04" + b"A" * 900,
        b"\x1dv0\x00\xff\xff\xff\xff" + b"z" * 3000,
        b"\x1d8L\xff\xff\xff\xff" + b"z" * 900,
        b"\x1cq\xff" + b"\xff" * 999,
        b"\x1b&\xff\x00\xff" + b"\xff" * 999,
        b"\x1d(k\xff\xff" + b"1" * 999,
    ],
    ids=lambda piece: piece[:5].hex(" "),
)
def test_memory_stays_bounded_whatever_comes(piece: bytes) -> None:
    parser = Parser()
    for _ in range(40):
        parser.feed(piece)
        assert parser.kept <= KEPT_MAX


def test_shared_commands_are_bounded() -> None:
    parser = Parser()
    for low in range(256):
        for high in range(32):
            parser.feed(b"\x1b$" + bytes([low, high]))
    assert len(parser._interned) <= 2048


def test_the_widest_rule_sees_enough_to_decide() -> None:
    """A rule that still says "more" with WINDOW bytes in hand would make the parser wait for ever."""
    for row in TABLE:
        if callable(row.length):
            assert row.length(row.prefix + b"\x01" * WINDOW) != 0, row.name
            assert row.length(row.prefix + b"\xff" * WINDOW) != 0, row.name
            assert row.length((row.prefix + b";" * 2 + b"0" * WINDOW)[:WINDOW]) != 0, row.name
