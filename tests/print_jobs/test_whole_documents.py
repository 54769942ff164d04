"""A print job never comes into a document of the till, nor between the copies of a paper of its own."""

from __future__ import annotations

import pytest

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Job, JobPhase, JobState
from edgebox.line.readiness import AGAIN_S, ANSWER_S
from hw_sim.printer import Printer
from tests.line.wire import CUTTER, Wire

MERCHANT = b"\x1b@CARD SLIP\nVISA 12.00\nmerchant copy\n\n\n\n\n\x1dV\x00"
CUSTOMER = b"CARD SLIP\nVISA 12.00\ncustomer copy\n\n\n\n\n\x1dV\x00"
RECEIPT = b"\x1b@\x1b!\x30SHOP\x1b!\x00\nTEA 12.00\nTOTAL 12.00\n\x1dv0\x00\x01\x00\x02\x00\x18\x18\n\n\n\n\n\x1dV\x00"
STREAM = RECEIPT + MERCHANT + CUSTOMER
BODY = b"ORDER 7\n"
PROVING = PrinterProfile(gs_h=True)
READY = b"\x12\x12"  # DLE EOT 2 and 4: nothing to report
NO_PAPER = b"\x32\x72"


def states(wire: Wire) -> list[tuple[int, str]]:
    return [(frame.phase, frame.reason) for frame in wire.frames if isinstance(frame, JobState)]


def tickets(raw: bytes) -> list[str]:
    printer = Printer(CUTTER)
    printer.feed(raw)
    report = printer.report()
    assert report.faults == []
    return [" ".join(ticket.text.split()) for ticket in (*report.tickets, report.open) if ticket.text.strip()]


def marks(raw: bytes) -> list[object]:
    """Every mark of the till's own tickets, with its style."""
    printer = Printer(CUTTER)
    printer.feed(raw)
    return [ticket.marks for ticket in printer.report().tickets if "ORDER" not in ticket.text]


TILL_ONLY = tickets(STREAM)
MARKS = marks(STREAM)


def answering(wire: Wire, reply: bytes = READY) -> Wire:
    """The printer answers every question that has gone out."""
    asked = b"\x10\x04\x02\x10\x04\x04"
    seen = bytes(wire.printed).count(asked)
    done = getattr(wire, "answered", 0)
    for _ in range(seen - done):
        wire.says(reply)
    wire.answered = seen  # type: ignore[attr-defined]
    return wire


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_jobs_that_come_at_any_byte_leave_every_document_of_the_till_whole(pause_s: float) -> None:
    """`pause_s`: the till stops there for a moment, within what copies of a receipt may take."""
    for at in range(len(STREAM) + 1):
        wire = Wire(answer=lambda end: b"")
        wire.till(STREAM[:at])
        wire.core.frame(Job("order", BODY, True, 0, 2), wire.now)
        wire.wait(pause_s)
        answering(wire)
        wire.till(STREAM[at:])
        for _ in range(4):
            answering(wire.wait(0.7))
        printed = bytes(wire.printed).replace(b"\x10\x04\x02\x10\x04\x04", b"")
        found = tickets(printed)
        assert [one for one in found if "ORDER" not in one] == TILL_ONLY, at
        assert marks(printed) == MARKS, at
        place = [number for number, one in enumerate(found) if one == "ORDER 7"]
        is_quiet = at in (0, len(b"\x1b@"), len(b"\x1b@\x1b!\x30"))  # no letter has come, and no part of a command
        assert place == ([0, 1] if is_quiet else [3, 4]), (at, found)
        assert states(wire)[-1] == (JobPhase.SENT, "")


def test_a_till_that_stops_for_seconds_in_the_middle_gets_no_job_into_its_document() -> None:
    for at in range(len(STREAM) + 1):
        wire = Wire(answer=lambda end: b"")
        wire.till(STREAM[:at])
        wire.core.frame(Job("order", BODY, True, 0, 2), wire.now)
        for _ in range(30):  # three seconds: less than the silence that ends a document
            answering(wire.wait(0.1))
        wire.till(STREAM[at:])
        for _ in range(4):
            answering(wire.wait(0.7))
        found = tickets(bytes(wire.printed).replace(b"\x10\x04\x02\x10\x04\x04", b""))
        assert [one for one in found if "ORDER" not in one] == TILL_ONLY, at
        first = found.index("ORDER 7")
        assert found[first : first + 2] == ["ORDER 7"] * 2
        assert len(found) == len(TILL_ONLY) + 2


def test_a_document_that_comes_while_copies_are_on_their_way_comes_behind_the_last_of_them() -> None:
    for taken in range(1, 60, 3):
        wire = Wire(answer=lambda end: b"")
        wire.core.frame(Job("order", BODY, True, 0, 3), wire.now)
        wire.wait(0.01)
        answering(wire)
        wire.takes = lambda size, taken=taken: min(size, taken)  # type: ignore[misc]
        wire.turn()
        wire.till(RECEIPT)
        wire.takes = lambda size: size
        wire.wait(3.0)
        printed = bytes(wire.printed).replace(b"\x10\x04\x02\x10\x04\x04", b"")
        assert tickets(printed) == ["ORDER 7"] * 3 + TILL_ONLY[:1], taken


def test_a_job_waits_for_paper_and_expires_without_a_dot_of_it_on_any() -> None:
    wire = Wire()
    wire.core.frame(Job("order", BODY, True, 9000), wire.now)
    for _ in range(120):
        answering(wire.wait(0.1), NO_PAPER)
    assert states(wire) == [(JobPhase.QUEUED, ""), (JobPhase.EXPIRED, "")]
    wire.core.frame(Job("next", BODY, True, 9000), wire.now)
    answering(wire.wait(0.1), NO_PAPER)
    answering(wire.wait(AGAIN_S + 0.1))  # a new roll
    assert states(wire)[-1] == (JobPhase.SENT, "")
    assert bytes(wire.printed).count(b"ORDER 7") == 1


def test_a_printer_that_has_answered_and_falls_silent_gets_nothing_and_a_mute_one_everything() -> None:
    mute = Wire()
    mute.core.frame(Job("a", BODY, True, 0), mute.now)
    mute.wait(ANSWER_S + 0.1)
    assert states(mute)[-1] == (JobPhase.SENT, "")
    wire = Wire()
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    answering(wire.wait(0.1))
    assert states(wire)[-1] == (JobPhase.SENT, "")
    wire.core.frame(Job("b", BODY, True, 0), wire.now)
    wire.wait(30.0)
    assert states(wire)[-1] == (JobPhase.QUEUED, "")
    answering(wire.wait(AGAIN_S))
    assert states(wire)[-1] == (JobPhase.QUEUED, "")  # late answers to old questions are no answer


def test_a_printer_that_can_prove_it_says_when_a_job_is_on_paper() -> None:
    wire = Wire(PROVING, proof_of_print=True)
    wire.core.frame(Job("a", BODY, True, 0, 2), wire.now)
    wire.wait(ANSWER_S + 0.1)
    assert states(wire)[-1] == (JobPhase.SENT, "proof asked")
    at = bytes(wire.printed).index(b"\x1d(H\x06\x0000")
    wire.says(b"\x37\x22" + bytes(wire.printed[at + 7 : at + 11]) + b"\x00")
    assert states(wire)[-1] == (JobPhase.PRINTED, "")
    wire.core.frame(Job("b", BODY, True, 0), wire.now)
    wire.wait(40.0)
    assert states(wire)[-1] == (JobPhase.SENT, "no proof")


def test_a_job_kicks_the_drawer_only_where_the_line_allows_it() -> None:
    for allowed in (False, True):
        wire = Wire(job_drawer=allowed)
        wire.core.frame(Job("a", BODY + b"\x1bp\x00\x19\xfa", True, 0), wire.now)
        wire.wait(ANSWER_S + 0.1)
        assert (b"\x1bp\x00\x19\xfa" in wire.printed) is allowed
        assert states(wire)[-1][0] == (JobPhase.SENT if allowed else JobPhase.FAILED)


def test_a_till_that_asks_for_the_printers_state_all_day_does_not_keep_jobs_out() -> None:
    wire = Wire(answer=lambda end: b"").till(RECEIPT)
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    for _ in range(30):
        wire.till(b"\x10\x04\x01")
        wire.says(b"\x16")
        answering(wire.wait(0.2))
    assert states(wire)[-1] == (JobPhase.SENT, "")
