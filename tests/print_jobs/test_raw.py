"""Raw ESC/POS from the cloud: what is refused and why, and that nothing else gets to a printer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.config import FOLDER
from edgebox.errors import OrderError
from edgebox.escpos.commands import REAL_TIME, TABLE, Effect
from edgebox.escpos.parser import Command, Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.state import PrinterState, restore
from edgebox.line.insertion import check, fault_of, wrap_own
from edgebox.print_jobs.raw import RAW_MAX, vetted
from edgebox.printers import find_printer
from hw_sim.printer import Printer

PLAIN = PrinterProfile()
CHINESE = PrinterProfile(cjk="gb18030")
QR = b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E0\x1d(k\x08\x001P0HELLO\x1d(k\x03\x001Q0"
RASTER = b"\x1dv0\x00\x02\x00\x10\x00" + b"\xaa" * 32
GOOD = [
    b"hello\n",
    b"\x1b@\x1ba\x01\x1b!\x38TITLE\n\x1b!\x00\x1ba\x00line\n\n\n\x1dVA\x00",
    b"no line end",
    RASTER,
    QR + b"\n",
    b"\x1dh\x50\x1dw\x02\x1dH\x02\x1dk\x04ABC123\x00\n",
    b"\x1bt\x10\x1bR\x00ASCII whatever the page\n\x1di"[:-2],
    b"\x1b*\x21\x08\x00" + b"\x55" * 24 + b"\n",
    b"\x1bd\x05\x1bJ\x20tab\there\n",
]


@pytest.mark.parametrize("raw", GOOD, ids=range(len(GOOD)))
def test_what_receipt_programs_send_is_printed(raw: bytes) -> None:
    found = vetted(raw, PLAIN)
    assert check(found.body, PLAIN).reason == ""
    assert Effect.CUT not in effects(found.body)


def effects(raw: bytes) -> set[Effect]:
    parser = Parser()
    return {event.effect for event in (*parser.feed(raw), *parser.finish()) if isinstance(event, Command)}


HOSTILE = {
    "memory": [b"\x1cq\x01\x01\x00\x01\x00" + b"\xff" * 8, b"\x1d*\x01\x01" + b"\xff" * 8, b"\x1b&\x03AA\x00",
               b"\x1cg1\x00\x00\x00\x00\x00\x01\x00x", b"\x1d(L\x06\x000C  \x01\x01", b"\x1cp\x01\x00", b"\x1d/\x00",
               b"\x1d^\x05\x01\x00", b"\x1c2\x77\x21" + b"\xff" * 72],
    "service": [b"\x1d(E\x03\x00\x01IN", b"\x1d(M\x02\x001\x01", b"\x1d\xf8F", b"\x1ca1", b"\x1dg0\x00\x14\x00"],
    "real_time": [b"\x10\x14\x02\x01\x08", b"\x10\x04\x01", b"\x10\x05\x02", b"text\x10\x14\x01\x00\x01more\n",
                  b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", RASTER[:-6] + b"\x10\x14\x01\x00\x01\x00", b"\x18"],
    "device": [b"\x1b=\x02to the display\n"],
    "reset": [b"text\n\x1b@more\n"],
    "cut": [b"one\n\x1dV\x00two\n\x1dV\x00", b"\x1bi" * 50, b"\x1bm\x1bm"],
    "drawer": [b"\x1bp\x00\x19\xfa"],
    "sound": [b"\x1bB\x05\x05", b"\x1b(A\x04\x000\x31\x05\x05", b"\x07"],
    "page_mode": [b"\x1bLtext", b"\x0c", b"\x1bLtext\n\x1bS"],
    "macro": [b"\x1d:text\n\x1d:"],
    "query": [b"\x1dI\x01", b"\x1dr\x01", b"\x1da\xff", b"\x1bv", b"\x1d(H\x06\x0000abcd"],
    "unknown_opcode": [b"\x1b\x7fx", b"\x1f\x01", b"\x1b(Z\x01\x00x", b"\x1b\x1dA\x01\x01", b"\x01\x02"],
    "unfinished": [RASTER[:-1], b"\x1dv0\x00\x20\x00\xff\x0f", b"text\x1b", b"\x1bD\x01\x02", b"\x1d(k\xff\xff1P0"],
    "mode": [b"\x1bc5\x00\n", b"\x1b{\x01\n", b"\x1bV\x01\n", b"\x1dP\x01\x01\n", b"\x1dL\xff\xff\n",
             b"\x1bD\x01\x00\n",
             b"\x1d(K\x02\x0001\n", b"\x1d(D\x03\x00\x14\x01\x00\n"],
    "feed": [b"\x1bK\xff", b"\x1be\x05"],
    "opcode": [b"\x1d(A\x02\x00\x00\x03", b"\x1dc", b"\x1d(k\x03\x000Q0", b"\x1bo"],
    "code_page": [b"caf\xe9\n", b"\x1bt\x10caf\xe9\n"],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "raw"), [(reason, raw) for reason, raws in HOSTILE.items() for raw in raws])
def test_what_could_harm_a_printer_is_refused_by_its_reason(reason: str, raw: bytes) -> None:
    with pytest.raises(OrderError) as refused:
        vetted(raw, PLAIN)
    assert refused.value.reason == reason


def test_too_much_is_refused_and_nothing_is() -> None:
    for raw in (b"", b"x" * (RAW_MAX + 1)):
        with pytest.raises(OrderError) as refused:
            vetted(raw, PLAIN)
        assert refused.value.reason == "too_many_bytes"


def test_a_drawer_is_kicked_once_and_only_where_the_shop_allows_it() -> None:
    kick = b"\x1bp\x00\x19\xfa"
    assert kick in vetted(b"paid\n" + kick, PLAIN, drawer=True).body
    assert check(b"paid\n" + kick, PLAIN).reason
    with pytest.raises(OrderError) as refused:
        vetted(kick * 2, PLAIN, drawer=True)
    assert refused.value.reason == "drawer"


def test_chinese_is_printed_where_the_printer_has_it() -> None:
    raw = b"\x1c&" + "订单".encode("gb18030") + b"\n"
    assert vetted(raw, CHINESE).body == raw
    with pytest.raises(OrderError):
        vetted(b"\x1bt\x00" + raw, CHINESE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_command_of_the_table_is_one_of_the_lines_own_or_refused(row) -> None:  # type: ignore[no-untyped-def]
    raw = row.prefix + bytes(40) + b"\n"
    try:
        body = vetted(raw, PLAIN, drawer=False).body
    except OrderError:
        return
    parser = Parser()
    assert not any(fault_of(event) for event in parser.feed(body) if isinstance(event, Command))


PIECES = [*GOOD, *(raw for raws in HOSTILE.values() for raw in raws)]
SOUP = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from([row.prefix for row in TABLE]).flatmap(lambda p: st.binary(max_size=6).map(lambda b: p + b)),
        st.binary(max_size=12),
        st.sampled_from([b"TOTAL  12.00\n", b"\n", b"\x1b!\x30", b"\x1bE\x01", b"\x1dB\x01", b"\x1b3\x10", b"\x1b \x04",
                         b"\x1bM\x01", b"\x1d!\x11", b"\x1dh\x20", b"\x1c!\x0c"]),
    ),
    max_size=8,
).map(b"".join)  # fmt: skip


MILD = st.lists(
    st.sampled_from(
        [b"TOTAL  12.00\n", b"x" * 99, b"\n", b"\r\n", b"\t", b"\x1b!\x30", b"\x1b!\x00", b"\x1bE\x01", b"\x1dB\x01",
         b"\x1b3\x90", b"\x1b2", b"\x1b \x14", b"\x1bM\x01", b"\x1d!\x77", b"\x1d!\x00", b"\x1dh\xff", b"\x1dw\x06",
         b"\x1dH\x03", b"\x1c!\x0c", b"\x1cW\x01", b"\x1c&", b"\x1ba\x01", b"\x1ba\x02", b"\x1b-\x02", b"\x1bG\x01",
         b"\x1bd\x03", b"\x1bJ\xff", b"\x1b$\x40\x01", RASTER, QR, QR + b"\n", b"\x1d(k\x03\x001C\x10",
         GOOD[5], GOOD[7]]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(raw=SOUP | MILD, chunks=st.lists(st.integers(1, 9), min_size=1, max_size=6), chinese=st.booleans())
def test_no_job_that_is_taken_has_a_refused_command_however_it_is_chunked_and_all_modes_come_back(
    raw: bytes, chunks: list[int], chinese: bool
) -> None:
    profile = CHINESE if chinese else PLAIN
    try:
        body = vetted(raw, profile).body
    except OrderError:
        return
    assert not REAL_TIME.search(body)
    checked = check(body, profile)
    assert checked.reason == ""
    before = b"\x1ba\x02\x1b!\x08\x1d!\x11\x1b3\x28\x1dB\x01\x1b \x02\x1dh\x40\x1b-\x01"
    state, parser, at = PrinterState(profile), Parser(), 0
    for event in (*parser.feed(before), *parser.take_open()):
        state.apply(event)
    modes = state.modes()
    paper = wrap_own(body, checked, modes, profile, b"")
    step = 0
    while at < len(paper):
        size = chunks[step % len(chunks)]
        for event in parser.feed(paper[at : at + size]):
            assert not isinstance(event, Command) or event.effect not in FORBIDDEN, event
            state.apply(event)
        at, step = at + size, step + 1
    for event in parser.take_open():
        state.apply(event)
    assert parser.at_boundary
    every = {"justify", "bang", "size", "underline", "line_spacing", "reverse", "spacing", "bar_height", "strike"}
    assert restore(state.modes(), every, profile) == restore(modes, every, profile)


FORBIDDEN = {
    Effect.DRAWER, Effect.REALTIME, Effect.CLEAR, Effect.QUERY, Effect.SELECT, Effect.INIT, Effect.PAGE_ON,
    Effect.PAGE_OFF, Effect.PAGE_PRINT, Effect.MACRO, Effect.SOUND, Effect.SERVICE, Effect.UNKNOWN,
}  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(raw=SOUP | MILD, profile=st.sampled_from(["epson-tm-t20", "generic-80", "generic-58"]))
def test_a_job_is_never_longer_on_paper_than_was_reckoned(raw: bytes, profile: str) -> None:
    printer_profile = find_printer(profile, FOLDER / "printers")
    try:
        found = vetted(raw, printer_profile)
    except OrderError:
        return
    printer = Printer(printer_profile)
    printer.feed(found.body)
    report = printer.report()
    mm = sum(paper.bottom for paper in (*report.tickets, report.open)) / printer_profile.dots_per_mm
    assert mm <= found.mm + 0.5
