"""Documents wait for the engine within bounds, in order, and every one is accounted for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.documents import Ending, scan
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Begin, Data, Decoder, End, Frame, Gap, Outcome, Result, Why
from edgebox.line.spool import Spool
from tests.line.wire import Wire

ENDING: Ending = scan(b"TOTAL\n\n\x1dV\x00", PrinterProfile())[0]


def told(spool: Spool, limit: int = 65536) -> list[Frame]:
    decoder, frames = Decoder(), []
    while raw := spool.pump(limit):
        frames += decoder.feed(raw)
    return frames


def fill(spool: Spool, raw: bytes = b"TOTAL\n\n\x1dV\x00") -> int:
    number = spool.begin(b"")
    spool.add(raw)
    spool.close(ENDING, Why.CUT, "", 0, 150)
    spool.outcome(Outcome(number, Result.INSERTED, "", 10, 5, b"ref"))
    return number


def bytes_of(frames: list[Frame]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for frame in frames:
        if isinstance(frame, Begin):
            found[frame.document] = b""
        elif isinstance(frame, Data):
            assert frame.offset == len(found[frame.document])
            found[frame.document] += frame.raw
    return found


def test_a_document_is_told_in_order_and_once() -> None:
    spool = Spool(7)
    number = fill(spool, b"x" * 10_000)
    frames = told(spool)
    assert [type(frame) for frame in frames] == [Begin, Data, Data, Data, End, Outcome]
    assert bytes_of(frames) == {number: b"x" * 10_000}
    assert told(spool) == []
    assert not spool.eager


def test_everything_is_told_however_little_fits_at_a_time() -> None:
    spool = Spool(1)
    for _ in range(20):
        fill(spool)
    decoder, frames = Decoder(), []
    while spool.eager:
        frames += decoder.feed(spool.pump(1))
    assert len(frames) == 80


def test_a_new_connection_hears_what_is_not_done_and_only_that() -> None:
    spool = Spool(1)
    first, second = fill(spool), fill(spool)
    told(spool)
    spool.done(first)
    spool.rewind()
    frames = told(spool)
    assert list(bytes_of(frames)) == [second]
    end = next(frame for frame in frames if isinstance(frame, End))
    assert (end.ask, end.replay, end.ref) == (False, True, b"ref")


def test_done_for_something_that_has_no_outcome_or_is_unknown_is_ignored() -> None:
    spool = Spool(1)
    number = spool.begin(b"")
    spool.done(number)
    spool.done(99)
    assert spool.documents == 1


def test_the_oldest_documents_go_first_and_are_counted() -> None:
    spool = Spool(1, max_documents=4)
    for _ in range(10):
        fill(spool)
    frames = told(spool)
    assert list(bytes_of(frames)) == [7, 8, 9, 10]
    assert [frame for frame in frames if isinstance(frame, Gap)] == [Gap(-1, 6, 0)]
    assert spool.dropped == 6


def test_losses_are_told_whole_after_any_time_without_an_engine() -> None:
    spool = Spool(1, max_documents=4)
    for _ in range(1000):
        fill(spool)
        spool.note(Gap(5, 0, 1))
    assert sum(frame.documents for frame in told(spool) if isinstance(frame, Gap)) == 996


def test_one_giant_document_does_not_push_out_the_others_and_says_what_is_missing() -> None:
    spool = Spool(1, max_bytes=10_000)
    small = fill(spool)
    giant = spool.begin(b"")
    for _ in range(100):
        spool.add(b"x" * 1000)
    spool.close(ENDING._replace(end=ENDING.end + 100_000), Why.CUT, "", 0, 150)
    frames = told(spool)
    assert bytes_of(frames)[small]
    assert len(bytes_of(frames)[giant]) == 5000
    assert Gap(giant, 0, 95_000) in frames
    spool.outcome(Outcome(giant, Result.PLAIN, "", 0, 0, b""))
    spool.rewind()
    frames = told(spool)
    assert frames.index(Gap(giant, 0, 95_000)) < frames.index(Begin(giant, b"")), "said again to the next engine"


def test_a_receipt_too_long_to_keep_is_not_asked_for_and_prints_whole() -> None:
    wire = Wire(spool_bytes=4096)
    receipt = b"1 x coffee  2.50\n" * 300 + b"TOTAL 750.00\n\n\n\x1dV\x00"
    wire.till(receipt)
    assert bytes(wire.printed) == receipt
    assert [(end.ask, end.reason) for end in wire.ends] == [(False, "too_long")]


def test_a_document_begun_anew_is_told_from_its_new_beginning() -> None:
    spool = Spool(1)
    number = spool.begin(b"")
    spool.add(b"\x10\x04\x01" * 100)
    frames = told(spool)
    spool.restart(b"\x1bE\x01")
    spool.add(b"TOTAL\n")
    frames += told(spool)
    assert bytes_of(frames) == {number: b"TOTAL\n"}
    assert frames[-2] == Begin(number, b"\x1bE\x01")


WHAT = ["fill", "begin", "add", "close", "pump", "done", "rewind", "note", "restart"]
STEPS = st.lists(st.sampled_from(WHAT), max_size=60)


@given(STEPS, st.integers(2, 5), st.integers(200, 3000))
def test_whatever_happens_the_bounds_hold_and_no_frame_is_out_of_place(
    steps: list[str], documents: int, size: int
) -> None:
    spool = Spool(1, documents, size)
    decoder, frames = Decoder(), []
    for step in steps:
        if step == "fill" and spool.open is None:
            fill(spool)
        elif step == "begin" and spool.open is None:
            spool.begin(b"")
        elif step == "add":
            spool.add(b"abc" * 50)
        elif step == "close" and spool.open is not None:
            number = spool.close(ENDING, Why.CUT, "", 0, 150)
            spool.outcome(Outcome(number, Result.PLAIN, "", 0, 0, b""))
        elif step == "restart":
            spool.restart(b"")
        elif step == "pump":
            frames += decoder.feed(spool.pump(100))
        elif step == "rewind":
            spool.rewind()
        elif step == "note":
            spool.note(Gap(1, 0, 1))
        elif step == "done" and spool.documents:
            spool.done(spool._queue[0].number)
        assert spool._bytes == sum(len(document.raw) for document in spool._queue) <= size
        assert spool.documents <= documents + 1
    frames += told(spool)
    bytes_of(frames)
    assert spool._cursor <= spool.documents
