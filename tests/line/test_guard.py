"""A bug in the line's own code costs slips, never paper: whatever fails and wherever, the printer gets every byte."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.escpos import documents
from edgebox.escpos.state import PrinterState
from edgebox.line import core as core_module
from edgebox.line.frames import Result
from edgebox.line.guard import GuardedCore
from edgebox.line.held import Held
from edgebox.line.replies import Replies
from edgebox.line.settings import LineSettings
from edgebox.line.spool import Spool
from edgebox.line.stream import TillStream
from tests.line.wire import BODY, CUTTER, Wire, chunked

RECEIPT = b"\x1b@SHOP\n\x1bE\x01TOTAL 5.00\x1bE\x00\n\x1b=\x02HELLO\x1b=\x01\n\n\n\x10\x04\x01\n\n\n\x1dV\x00"
KICK = b"\x1bp\x00\x19\xfa"
PLACES: list[tuple[Any, str]] = [
    (documents.DocumentScanner, "take"),
    (documents.DocumentScanner, "follow"),
    (documents.DocumentScanner, "ending"),
    (documents.DocumentScanner, "next_document"),
    (PrinterState, "mode"),
    (PrinterState, "text"),
    (TillStream, "finish"),
    (TillStream, "catch_up"),
    (TillStream, "silent"),
    (Spool, "add"),
    (Spool, "pump"),
    (Spool, "outcome"),
    (Held, "add"),
    (Replies, "till_asked"),
]


class Faulty:
    """Fails at one call of a function, the `at`th."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str, at: int) -> None:
        self.calls, self.at = 0, at
        real = getattr(owner, name)

        def fails(*args: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise ZeroDivisionError("a bug")
            return real(*args, **named)

        patch.setattr(owner, name, fails)

    @property
    def failed(self) -> bool:
        return self.calls >= self.at


def guarded(**settings: object) -> tuple[Wire, list[str]]:
    wire, said = Wire(engine=False), []
    wire.core = core = GuardedCore(CUTTER, LineSettings(**settings), b"session1", 1)  # type: ignore[arg-type]
    core.on_fault = said.append
    core.printer_connected()
    core.till_opened(wire.now)
    core.engine_connected()
    return wire, said


@given(st.sampled_from(PLACES), st.integers(1, 40), st.integers(0, 999), st.booleans())
@settings(max_examples=250, deadline=None)
def test_wherever_it_fails_every_byte_is_printed_once_and_in_order(
    place: tuple[Any, str], at: int, seed: int, in_pieces: bool
) -> None:
    sent = RECEIPT + KICK + RECEIPT
    with pytest.MonkeyPatch.context() as patch:
        wire, said = guarded()
        faulty = Faulty(patch, *place, at)
        wire.answer = lambda end: b""
        wire.till(sent, chunked(sent, Random(seed)) if in_pieces else None)
        wire.wait(6.0)
        printed = bytes(wire.printed)
        assert bool(said) == faulty.failed
        assert in_any_real_time_order(printed) == in_any_real_time_order(sent)
        faulty.at = 0
        wire.wait(6.0)  # once more, where the end of the document is what failed
        wire.answer = lambda end: BODY
        before = len(wire.frames)
        wire.till(RECEIPT).wait(6.0)
        assert any(getattr(frame, "result", 0) == Result.INSERTED for frame in wire.frames[before:]), "it reads again"


def in_any_real_time_order(paper: bytes) -> bytes:
    """With the bytes that may overtake behind all others."""
    urgent = [piece for piece in (b"\x10\x04\x01", KICK) for _ in range(paper.count(piece))]
    return paper.replace(b"\x10\x04\x01", b"").replace(KICK, b"") + b"".join(urgent)


def test_a_slip_over_which_the_insertion_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, said = guarded()
    Faulty(monkeypatch, core_module, "insert", 1)
    wire.till(RECEIPT).wait(6.0)
    assert in_any_real_time_order(bytes(wire.printed)) == in_any_real_time_order(RECEIPT)
    assert len(said) == 1


def test_the_rest_of_the_document_passes_unread_and_the_bug_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, said = guarded()
    Faulty(monkeypatch, PrinterState, "mode", 1)
    wire.till(RECEIPT[:20]).till(RECEIPT[20:]).wait(1.0)
    assert bytes(wire.printed) == RECEIPT
    assert not wire.core.between_documents, "no other client, no job, before the till is silent"
    assert len(said) == 1
    assert "ZeroDivisionError: a bug at " in said[0]
    assert wire.core.counters["faults"] == 1


def test_a_bug_in_the_way_back_keeps_no_answer_from_the_till(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, said = guarded()
    Faulty(monkeypatch, Replies, "_is_ours", 1)
    assert wire.says(b"\x16") == b"\x16"
    assert wire.says(b"\x12") == b"\x12"
    assert len(said) == 1


def test_a_printer_that_goes_in_unread_bytes_leaves_nothing_for_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, _ = guarded()
    wire.takes = lambda size: 0
    Faulty(monkeypatch, PrinterState, "mode", 1)
    wire.till(RECEIPT)
    wire.core.printer_lost(wire.now)
    assert wire.core.outbox.size == 0
