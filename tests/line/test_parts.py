"""The line's small parts: outbox, jobs, settings, the glance at a chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ConfigError
from edgebox.line.frames import Job, JobCancel, JobPhase, JobState
from edgebox.line.outbox import Outbox
from edgebox.line.pace import ends_on_ink
from edgebox.line.settings import LineSettings, from_toml, with_receipts
from hw_sim.printer import Printer
from tests.line.wire import BODY, CUTTER, TEAR_OFF, Wire

HEAD = b"\x1b@SHOP\nTOTAL 5.00\n"
RECEIPT = HEAD + b"\n" * 6 + b"\x1dV\x00"
QUERY = b"\x10\x04\x01"

# -- outbox


def test_urgent_bytes_go_to_the_first_boundary() -> None:
    outbox = Outbox()
    outbox.push(b"head", boundary=False)
    outbox.push(b"tail")
    outbox.push(b"text")
    outbox.taken(2)
    outbox.push_urgent(QUERY)
    assert outbox.peek() == b"adtail" + QUERY + b"text"


def test_urgent_bytes_keep_their_order() -> None:
    outbox = Outbox()
    outbox.push(b"text")
    for n in b"1234":
        outbox.push_urgent(b"\x10\x04" + bytes((n,)))
    assert outbox.peek() == b"\x10\x041\x10\x042\x10\x043\x10\x044text"


def test_nothing_jumps_before_the_rest_of_what_was_written_elsewhere() -> None:
    outbox = Outbox()
    outbox.push_rest(b"rest", boundary=True)
    outbox.push_urgent(QUERY)
    assert outbox.peek() == b"rest" + QUERY


@given(st.lists(st.tuples(st.sampled_from(["push", "open", "urgent", "take"]), st.integers(1, 5)), max_size=40))
def test_the_outbox_loses_nothing_and_never_cuts_into_a_command(steps: list[tuple[str, int]]) -> None:
    outbox, written, plain, urgent = Outbox(), b"", b"", 0
    open_command = False
    for step, n in steps:
        if step == "take":
            data = outbox.peek()[:n]
            outbox.taken(len(data))
            written += data
        elif step == "urgent":
            if not open_command:
                outbox.push_urgent(b"<U>")
                urgent += 1
        else:
            piece = (b"" if open_command else b"(") + b"x" * n
            open_command = step == "open"
            piece += b"" if open_command else b")"
            outbox.push(piece, boundary=not open_command)
            plain += piece
        assert outbox.size == len(outbox.peek())
    written += outbox.peek()
    assert written.replace(b"<U>", b"") == plain
    assert written.count(b"<U>") == urgent
    for before in written.split(b"<U>")[:-1]:
        assert before.count(b"(") == before.count(b")") or not before.strip(b"x)")


# -- jobs


def states(wire: Wire) -> list[tuple[str, int]]:
    return [(frame.job, frame.phase) for frame in wire.frames if isinstance(frame, JobState)]


def test_a_job_waits_for_the_end_of_the_document_and_a_moment_of_quiet() -> None:
    wire = Wire().till(HEAD)
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    wire.wait(2.0)
    assert b"*SLIP*" not in wire.printed
    wire.answer = lambda end: b""
    wire.till(b"\n" * 6 + b"\x1dV\x00").wait(0.9)
    assert b"*SLIP*" not in wire.printed
    wire.wait(0.2)
    assert bytes(wire.printed).startswith(RECEIPT)
    assert bytes(wire.printed).endswith(b"\x10\x04\x02\x10\x04\x04")  # is there paper?
    wire.wait(0.5)  # this printer doesn't say
    assert states(wire) == [("a", JobPhase.QUEUED), ("a", JobPhase.PRINTING), ("a", JobPhase.SENT)]
    printer = Printer(CUTTER)
    printer.feed(bytes(wire.printed))
    assert printer.report().faults == []
    assert ["SLIP" in ticket.text for ticket in printer.report().tickets] == [False, True]


def test_a_job_is_cut_as_the_till_cuts_even_when_its_last_cut_went_out_in_two_parts() -> None:
    wire = Wire(answer=lambda end: b"").till(HEAD + b"\x1d").wait(0.3).till(b"VB\x00")
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    wire.wait(3.0)
    assert bytes(wire.printed).count(b"\x1dVB\x00") == 2


def test_a_job_without_a_cutter_is_fed_to_the_bar() -> None:
    wire = Wire(TEAR_OFF)
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    wire.wait(2.0)
    assert b"\x1dV" not in wire.printed
    printer = Printer(TEAR_OFF)
    printer.feed(bytes(wire.printed))
    paper = printer.report().open
    assert paper.bottom - paper.ink[-1].bottom >= TEAR_OFF.tear_bar_mm * TEAR_OFF.dots_per_mm - 1


def test_a_job_sent_twice_prints_once_and_a_hostile_one_never() -> None:
    wire = Wire()
    for body in (BODY, BODY):
        wire.core.frame(Job("a", body, True, 0), wire.now)
    wire.core.frame(Job("b", b"\x1b@", True, 0), wire.now)
    wire.wait(5.0)
    assert bytes(wire.printed).count(b"*SLIP*") == 1
    assert ("b", JobPhase.FAILED) in states(wire)


def test_a_job_expires_is_cancelled_or_refused_in_words() -> None:
    wire = Wire(engine=True).till(HEAD)
    wire.core.frame(Job("late", BODY, True, 500), wire.now)
    wire.core.frame(Job("unwanted", BODY, True, 0), wire.now)
    wire.core.frame(JobCancel("unwanted"), wire.now)
    wire.core.frame(JobCancel("unheard of"), wire.now)
    wire.wait(1.0)
    assert ("late", JobPhase.EXPIRED) in states(wire)
    assert ("unwanted", JobPhase.CANCELED) in states(wire)
    assert ("unheard of", JobPhase.FAILED) in states(wire)
    for number in range(70):
        wire.core.frame(Job(str(number), BODY, True, 0), wire.now)
    wire.turn()
    assert [s for s in states(wire) if s[1] == JobPhase.FAILED][-1] == ("69", JobPhase.FAILED)


def test_a_job_under_which_the_printer_goes_is_not_repeated() -> None:
    wire = Wire()
    wire.core.frame(Job("a", BODY, True, 0), wire.now)
    wire.wait(0.4)
    wire.takes = lambda size: 0
    wire.wait(1.5)
    wire.core.printer_lost(wire.now)
    wire.core.printer_connected()
    wire.takes = lambda size: size
    wire.wait(5.0)
    assert states(wire)[-1] == ("a", JobPhase.FAILED)
    assert b"SLIP" not in wire.printed


# -- settings


def test_one_lines_table_is_read() -> None:
    text = '[[line]]\nname = "a"\n[[line]]\nname = "b"\nanswer_ms = 90\n'
    text += 'end_signature = "0a0a1b40"\nallow = ["10.0.0.1"]\n'
    found = from_toml(text, "b", "f.toml")
    assert (found.answer_ms, found.end_signature, found.allow) == (90, b"\n\n\x1b@", ("10.0.0.1",))
    assert from_toml(text, "", "f.toml").name == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[line]]\nanswer_ms = '5'", "answer_ms"),
        ("[[line]]\nanswer_ms = -5", "answer_ms"),
        ("[[line]]\nanswer_ms = true", "answer_ms"),
        ("[[line]]\nwindow_bytes = 1", "window_bytes"),
        ("[[line]]\nplacement = 'sideways'", "sideways"),
        ("[[line]]\nend_signature = 'zz'", "end_signature"),
        ("[[line]]\ncolour = 'red'", "colour"),
        ("[[line]", "f.toml"),
        ("", "no [[line]]"),
    ],
)
def test_a_bad_table_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as fault:
        from_toml(text, "", "f.toml")
    assert said in str(fault.value)
    assert "f.toml" in str(fault.value)


def test_a_receipt_profile_fills_what_the_lines_table_leaves_open() -> None:
    profile = 'header_preprint = "SHOP"\nend_signature = "0a0a0a"\n[total]\nlabel = "x"\n'
    told = with_receipts(LineSettings(receipts="p"), profile, "p.toml")
    assert (told.header_preprint, told.end_signature) == (b"SHOP", b"\n\n\n")
    own = with_receipts(LineSettings(receipts="p", header_preprint=b"MINE"), profile, "p.toml")
    assert (own.header_preprint, own.end_signature) == (b"MINE", b"\n\n\n")
    assert with_receipts(LineSettings(receipts="p"), "", "p.toml") == LineSettings(receipts="p")


@pytest.mark.parametrize("text", ["[total", "end_signature = 'zz'", "header_preprint = 5"])
def test_a_bad_receipt_profile_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError) as fault:
        with_receipts(LineSettings(), text, "p.toml")
    assert "p.toml" in str(fault.value)


@pytest.mark.parametrize("name", ["../printers/x", "a/b", "a.b"])
def test_a_receipt_profiles_name_is_no_path(name: str) -> None:
    with pytest.raises(ConfigError, match="receipts"):
        from_toml(f"[[line]]\nreceipts = '{name}'", "", "f.toml")


def test_a_value_from_the_command_line_takes_the_settings_type() -> None:
    base = LineSettings()
    assert base.with_value("answer_ms", "90").answer_ms == 90
    assert base.with_value("proof_of_print", "true").proof_of_print is True
    assert base.with_value("allow", "10.0.0.1,10.0.0.2").allow == ("10.0.0.1", "10.0.0.2")
    for key, value in (("answer_ms", "soon"), ("answer_ms", ""), ("proof_of_print", "yes"), ("nothing", "1")):
        with pytest.raises(ConfigError):
            base.with_value(key, value)


# -- the glance


@pytest.mark.parametrize("data", [b"A", b"TOTAL 5.00", b"TOTAL 5.00\n", b"\x1b@\x1ba\x01TOTAL 5.00\n", b"\xba\xcf\n"])
def test_ink_goes_out_before_it_is_parsed(data: bytes) -> None:
    assert ends_on_ink(data)


@pytest.mark.parametrize(
    "data",
    [
        *(b"\n", b"A\n\n", b"A ", b"A\r", b"A\n\r", b"\x1d", b"A\x1d"),
        *(b"\x1dV0", b"A\n\x1dVAB", b"A\x1biB", b"A\x1bm123456"),
        *(b"A\n\x1bJ\x60", b"A\n\x1bd\x30", b"A\n\n\x1bp\x00\x19\xfa", b"A\n\n\x1bp\x00\x19\xfa\n", b"A\n\x1d!0\n"),
        *(b"\x10\x14\x01\x30\x30", b"\x1b=\x02HELLO THERE"),
    ],
)
def test_what_may_have_to_wait_is_parsed_first(data: bytes) -> None:
    assert not ends_on_ink(data)
