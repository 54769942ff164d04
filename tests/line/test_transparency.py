"""Whatever the till sends and whoever is away: what comes out is what went in, with whole slips put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebox.escpos.profile import PrinterProfile
from edgebox.line import stream as line_stream
from edgebox.line.frames import End
from hw_sim.layouts import compose_all
from tests.line.judge import corpus, judge, judge_tee, stripped
from tests.line.wire import BODY, CUTTER, TEAR_OFF, Wire, chunked

AFTER_S = 12.0  # longer than any silence that ends a document
BYTE_BY_BYTE_MAX = 2500
ATOMS = [
    b"TOTAL 5.00", b"\n", b"\n\n\n", b"\r\n", b"\n\r", b"\r", b" ", b"  \n", b"\t", b"\0", b"\x1b@", b"\x1ba\x01",
    b"\x1bE\x01", b"\x1b!\x30", b"\x1d!\x11", b"\x1d!\x30", b"\x1dB\x01", b"\x1dB\x00", b"\x1b-\x01", b"\x1bd\x03",
    b"\x1bJ\x20", b"\x1bd", b"\x1dV\x00", b"\x1dV\x41\x00", b"\x1dVB\x10", b"\x1bi", b"\x1bm", b"\x1dV", b"\x1b",
    b"\x1d", b"\x10", b"\x10\x04", b"\x10\x04\x01", b"\x10\x04\x04", b"\x10\x14\x01\x00\x05", b"\x10\x05\x02",
    b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", b"\x1bp\x00\x19\xfa", b"\x1bp\x00", b"\x1dr\x01", b"\x1dI\x41",
    b"\x1b=\x02", b"\x1b=\x01", b"\x1bL", b"\x0c", b"\x1bS", b"\x1d:", b"\x1d^\x01\x00\x00", b"\x18",
    b"\x1dv0\x00\x02\x00\x02\x00\x1dV\x00A", b"\x1dv0\x00\x10\x00\x10\x00", b"\x1d(k\x03\x001C\x08",
    b"\x1d(k\x08\x001P0HELLO\x1d(k\x03\x001Q0", b"\x1d(k3", b"\x1dk\x04ABC\0", b"\x1b*\x00\x02\x00\x1b@", b"\x1f\x08",
    b"\x1do\x01", b"\x12q\x00", b"\x1c&", b"\x1c.", b"\xba\xcf\xbc\xc6\n", b"\x1dP\xb4\xb4", b"\x1b3\x00",
    b"\x1dh\x40", b"\x1bM\x02", b"\x1d\x28\x48\x06\x00\x30\x301234", b"\x1c(L\x02\x00\x42\x31", b"\x1bD\x08\x10\x00",
]  # fmt: skip


class Engine:
    """How the engine behaves in one run."""

    def __init__(self, name: str, run: Callable[[Wire, list[bytes], Random], None], **wire: object) -> None:
        self.name = name
        self.run = run
        self.wire = wire


def _all(wire: Wire, chunks: list[bytes], random: Random) -> None:
    wire.till(b"", chunks)


def _with_pauses(wire: Wire, chunks: list[bytes], random: Random) -> None:
    for chunk in chunks:
        wire.till(chunk)
        if random.random() < 0.05:
            wire.wait(random.choice((0.01, 0.1, 0.25, 0.4)))


def _dying(wire: Wire, chunks: list[bytes], random: Random) -> None:
    alive = True
    for chunk in chunks:
        wire.till(chunk)
        if random.random() < 0.1:
            wire.wait(random.choice((0.0, 0.01)))
            wire = wire.engine_dies() if alive else wire.engine_returns()
            alive = not alive
    if not alive:
        wire.engine_returns()


def _slow(end: End) -> bytes | None:
    return BODY if end.document % 3 else None


ENGINES = [
    Engine("answering", _all),
    Engine("answering_with_pauses", _with_pauses),
    Engine("silent", _with_pauses, answer=lambda end: None),
    Engine("away", _with_pauses, engine=False),
    Engine("slow", _with_pauses, answer=_slow),
    Engine("dying", _dying),
    Engine("hostile", _all, answer=lambda end: b"\x1b@HA\x1dV\x00"),
]


def run(raw: bytes, chunks: list[bytes], engine: Engine, profile: PrinterProfile, seed: int) -> Wire:
    """One stream over one line, and the silence after it."""
    random = Random(seed)
    takes: Callable[[int], int] = (lambda size: size) if seed % 2 else (lambda size: random.randint(0, size))
    wire = Wire(profile, takes=takes, **engine.wire)  # type: ignore[arg-type]
    engine.run(wire, chunks, random)
    wire.takes = lambda size: size
    wire.turn()
    wire.wait(AFTER_S)
    if not wire.core.engine_up:
        wire.engine_returns()
    return wire.wait(1.0)


def check(raw: bytes, chunks: list[bytes], engine: Engine, profile: PrinterProfile, seed: int) -> Wire:
    wire = run(raw, chunks, engine, profile, seed)
    found = judge(raw, wire)
    assert all(BODY in block for block in found)
    judge_tee(raw, wire)
    return wire


def story(wire: Wire) -> list[tuple[object, ...]]:
    """What the engine was told of the documents' ends, but for their numbers."""
    return [end[1:] for end in wire.ends]


@pytest.fixture(autouse=True)
def _nothing_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_stream, "BLANK_MAX", 1 << 20)  # a capture that defines pictures only


def every_way(raw: bytes, name: str, number: int) -> None:
    """All chunkings with an engine that answers, and one other engine."""
    profile = TEAR_OFF if number % 3 == 2 else CUTTER
    random = Random(number)
    ways = [[raw], chunked(raw, random), chunked(raw, random, most=400)]
    if len(raw) <= BYTE_BY_BYTE_MAX:
        ways.append([raw[i : i + 1] for i in range(len(raw))])
    stories = [story(check(raw, chunks, ENGINES[0], profile, seed)) for seed, chunks in enumerate(ways)]
    assert all(told == stories[0] for told in stories), f"{name}: other events at another chunking"
    for turn in (number, number + 3):
        other = ENGINES[1 + turn % (len(ENGINES) - 1)]
        check(raw, ways[1], other, CUTTER if turn % 2 else TEAR_OFF, number)


@pytest.mark.parametrize("folder", ["dumps", "streams"])
@pytest.mark.parametrize("part", range(4))
def test_captured_streams_come_out_as_they_went_in(folder: str, part: int) -> None:
    for number, path in enumerate(corpus(folder)[part::4]):
        try:
            every_way(path.read_bytes(), path.name, number + part)
        except AssertionError as fault:
            raise AssertionError(f"{Path(path).name}: {fault}") from fault


@pytest.mark.parametrize("part", range(4))
def test_composed_streams_come_out_as_they_went_in(part: int) -> None:
    for number, stream in enumerate(list(compose_all(seed=11))[part::4]):
        try:
            every_way(stream.raw, stream.name, number + part)
        except AssertionError as fault:
            raise AssertionError(f"{stream.name}: {fault}") from fault


atoms = st.lists(st.sampled_from(ATOMS) | st.binary(max_size=4), max_size=40).map(b"".join)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(atoms, st.randoms(use_true_random=False), st.integers(0, len(ENGINES) - 1), st.booleans(), st.integers(0, 99))
def test_any_stream_comes_out_as_it_went_in(raw: bytes, random: Random, engine: int, cutter: bool, seed: int) -> None:
    check(raw, chunked(raw, random, most=12), ENGINES[engine], CUTTER if cutter else TEAR_OFF, seed)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(atoms, st.randoms(use_true_random=False), st.booleans())
def test_any_stream_gives_the_same_documents_at_any_chunking(raw: bytes, random: Random, cutter: bool) -> None:
    profile = CUTTER if cutter else TEAR_OFF
    whole = run(raw, [raw], ENGINES[0], profile, 1)
    parts = run(raw, chunked(raw, random, most=8), ENGINES[0], profile, 1)
    assert story(parts) == story(whole)
    assert stripped(bytes(parts.printed)).rest == stripped(bytes(whole.printed)).rest


def test_feed_in_front_of_the_first_line_saves_the_slip_none_behind_it() -> None:
    whole, parts = Wire(TEAR_OFF).till(b"\n!!\n"), Wire(TEAR_OFF).till(b"\n!!\n", [b"\n", b"!!\n"])
    assert bytes(whole.printed) == bytes(parts.printed)


def test_a_cut_that_went_out_in_two_parts_is_told_like_a_whole_one() -> None:
    raw = b"\0\0!\r\x1bi"  # CR alone: nobody knows whether it printed
    whole, parts = Wire(TEAR_OFF).till(raw), Wire(TEAR_OFF).till(raw, [raw[:5], raw[5:]])
    assert story(parts) == story(whole)
    assert [end.reason for end in parts.ends] == ["nothing_printed"]


def test_the_judge_sees_a_lost_byte_a_doubled_one_and_one_out_of_order() -> None:
    raw = b"ABC\n\x10\x04\x01\n\n\x1dV\x00"
    for spoilt in (raw[1:], raw + b"\n", raw.replace(b"AB", b"BA"), raw.replace(b"\x10\x04\x01", b""), raw + raw[4:7]):
        wire = Wire().till(raw)
        wire.printed = bytearray(spoilt)
        with pytest.raises(AssertionError):
            judge(raw, wire)
