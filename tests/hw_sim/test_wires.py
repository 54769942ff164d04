"""Simulated till and printer over real sockets and ptys, and over bad cables."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_sim import till as tills
from hw_sim.links import Fault, Link
from hw_sim.modem_printer import ModemPrinter
from hw_sim.printer import Printer, Settings
from hw_sim.served import PtyPrinter, TcpPrinter
from hw_sim.till import ALL_WELL, HABITS, Stuck, Till, by_lines, captures, chunks
from hw_sim.ttysim import Line

RECEIPT = b"\x1b@SHOP\n" + b"ITEM           1.00\n" * 20 + b"TOTAL 20.00\nTHANKS\n\n\n\n\n\n\x1dV\x00"


# -- the usual ways of raw 9100 clients


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.__name__)
def test_every_habit_of_a_till_prints_as_it_should(habit: tills.Habit) -> None:
    with TcpPrinter(Printer()) as served:
        heard = habit(served.address, [RECEIPT, RECEIPT])
        if habit is tills.closing_early:
            assert heard == b""
            assert served.wait_until(lambda r: served.connections == 2).cuts == 0
            return
        report = served.wait_until(lambda r: r.cuts == 2)
        assert report.faults == []
        assert [t.text.count("ITEM") for t in report.tickets] == [20, 20]
        asked = {tills.asking_first: 2 * ALL_WELL, tills.polling: b"\x12" * len(report.real_time)}
        assert heard == asked.get(habit, b"")


def test_one_receipt_may_come_over_several_connections() -> None:
    with TcpPrinter(Printer()) as served:
        tills.several_per_receipt(served.address, [RECEIPT])
        assert served.wait_until(lambda r: r.cuts == 1).tickets[0].text.endswith("THANKS")
        assert served.connections == 3


def test_a_till_that_waits_for_status_hears_it_before_it_prints() -> None:
    with TcpPrinter(Printer()) as served, Till(served.address) as till:
        till.send(tills.STATUS_FIRST)
        till.wait_for(ALL_WELL)
        assert till.heard == ALL_WELL


def test_a_till_without_an_answer_is_stuck_and_says_how_far_it_got() -> None:
    printer = Printer()
    printer.profile = printer.profile._replace(status=False)
    with TcpPrinter(printer) as served, Till(served.address, timeout_s=0.05) as till:
        till.send(b"ABC")
        with pytest.raises(Stuck, match="6 bytes sent") as stuck:
            till.ask(b"\x10\x04\x01")
        assert (stuck.value.sent, stuck.value.heard) == (6, b"")


# -- back-pressure and being away


def test_paper_out_holds_the_till_back_and_status_is_still_answered_until_the_buffer_is_full() -> None:
    with TcpPrinter(Printer()) as served:
        with served.printer() as (printer, now):
            printer.remove_paper(now)
        with Till(served.address, timeout_s=0.1) as till:
            assert till.ask(b"\x10\x04\x01") == b"\x1e"
            with pytest.raises(Stuck, match="takes no more"):
                till.send(RECEIPT * 20_000)
            sent = till.sent
            with served.printer() as (printer, now):
                assert printer.room == 0
                printer.load_paper(now)
            till.timeout_s = 5.0
            report = served.wait_until(lambda r: r.received_bytes == sent)
            assert (report.lost_bytes, report.cuts_through) == (0, ())


def test_an_unplugged_printer_resets_its_client_and_refuses_the_next_until_it_is_back() -> None:
    with TcpPrinter(Printer()) as served:
        with Till(served.address) as till:
            till.ask(b"\x10\x04\x01")
            served.unplug()
            till.listen(5.0)
            assert till.closed_by_peer
        with pytest.raises(ConnectionRefusedError):
            Till(served.address)
        served.plug()
        tills.one_connection(served.address, [RECEIPT])
        assert served.wait_until(lambda r: r.cuts == 1).cuts == 1


def test_a_second_till_waits_until_the_first_has_closed() -> None:
    with TcpPrinter(Printer()) as served:
        with Till(served.address) as first:
            first.ask(b"\x10\x04\x01")
            second = Till(served.address)
            second.send(b"\x10\x04\x01")
            assert second.listen(0.05) == b""
        second.wait_for(ALL_WELL)
        second.close()


def test_a_serial_printer_on_a_pty_prints_and_answers() -> None:
    with PtyPrinter(Printer()) as served:
        with Till(served.path) as till:
            till.send(chunks(RECEIPT, 7))
            assert till.ask(b"\x10\x04\x01") == ALL_WELL
        assert served.wait_until(lambda r: r.cuts == 1).faults == []


def test_xoff_is_sent_when_the_buffer_fills_and_xon_when_it_empties() -> None:
    printer = Printer(settings=Settings(mm_per_s=3000.0))
    with PtyPrinter(printer, xonxoff=True) as served:
        with Till(served.path) as till:
            till.send(RECEIPT * 12)
            till.wait_for(b"\x13")
            till.wait_for(b"\x11")
            assert till.heard.startswith(b"\x13\x11")
        report = served.wait_until(lambda r: r.cuts == 12)
        assert report.lost_bytes == 0


def test_a_slow_serial_line_takes_the_time_of_its_speed() -> None:
    with PtyPrinter(Printer(), bytes_per_s=5_000) as served:
        start = time.monotonic()
        with Till(served.path) as till:
            till.send(RECEIPT)
            served.wait_until(lambda r: r.cuts == 1)
        assert time.monotonic() - start >= len(RECEIPT) / 5_000 * 0.9


# -- bad cables


def through(link: Link, data: bytes, piece: int = 64) -> tuple[bytes, float]:
    """What arrives, and when the last of it does."""
    now, got = 0.0, b""
    for part in chunks(data, piece):
        link.push(part, now)
    while (at := link.next_at) is not None:
        now = max(now, at)
        got += b"".join(link.pull(now))
    return got, now


@given(st.sampled_from([Fault.PERFECT, Fault.ONE_BYTE, Fault.STALLING, Fault.DELAYED]), st.binary(), st.integers(0, 99))
def test_a_cable_that_is_only_slow_delivers_every_byte_in_order(fault: Fault, data: bytes, seed: int) -> None:
    assert through(Link(fault, seed=seed), data)[0] == data


@given(st.binary(min_size=100, max_size=2000), st.integers(0, 99), st.integers(1, 90))
def test_a_lossy_cable_delivers_a_beginning_and_counts_the_rest(data: bytes, seed: int, breaks_after: int) -> None:
    link = Link(Fault.LOSSY, seed=seed, breaks_after=breaks_after)
    got, _ = through(link, data)
    assert got == data[:breaks_after]
    assert link.broken
    assert len(got) + link.lost_bytes == len(data)


def test_the_same_seed_gives_the_same_misfortune_and_another_a_different_one() -> None:
    def fate(seed: int) -> list[tuple[float, bytes]]:
        link = Link(Fault.STALLING, seed=seed)
        link.push(RECEIPT, 0.0)
        return [(n / 10, b"".join(link.pull(n / 10))) for n in range(100)]

    assert fate(1) == fate(1) != fate(2)


def test_one_byte_at_a_time_is_one_byte_a_chunk_and_a_stall_takes_time() -> None:
    link = Link(Fault.ONE_BYTE)
    link.push(b"ABC", 0.0)
    assert link.pull(0.0) == [b"A", b"B", b"C"]
    assert through(Link(Fault.STALLING), RECEIPT)[1] > 0.5


def test_unplugged_delivers_nothing_until_it_is_mended_and_a_pulled_plug_loses_what_was_under_way() -> None:
    link = Link(Fault.UNPLUGGED)
    link.push(b"ABC", 0.0)
    assert (link.pull(9.0), link.lost_bytes) == ([], 3)
    link.mend(10.0)
    link.push(b"DEF", 10.0)
    link.cut()
    assert (link.pull(99.0), link.lost_bytes) == ([], 6)


def test_a_till_behind_a_lossy_cable_hangs_up_where_it_broke_and_the_printer_has_the_beginning() -> None:
    with TcpPrinter(Printer()) as served:
        till = Till(served.address)
        till.send_over(Link(Fault.LOSSY, breaks_after=100), RECEIPT)
        served.wait_until(lambda r: r.received_bytes == 100)
        with served.printer() as (printer, _):
            assert bytes(printer.received) == RECEIPT[:100]


# -- how a till cuts its bytes


@given(st.binary(max_size=300), st.integers(0, 40), st.one_of(st.none(), st.integers(0, 9)))
def test_chunks_joined_are_the_stream(data: bytes, size: int, seed: int | None) -> None:
    pieces = list(chunks(data, size, seed=seed))
    assert b"".join(pieces) == data
    assert not size or all(0 < len(piece) <= size for piece in pieces)


def test_lines_are_never_cut_within_a_command() -> None:
    parts = list(by_lines(RECEIPT, 30))
    assert b"".join(parts) == RECEIPT
    assert len(parts) > 5
    assert all(first.endswith(b"\n") for first, _ in pairwise(parts))


def test_captures_are_read_binary_or_as_hex(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(RECEIPT)
    (tmp_path / "b.hex").write_text(RECEIPT.hex(" "))
    assert [raw for _, raw in captures(sorted(tmp_path.iterdir()))] == [RECEIPT, RECEIPT]


# -- serial with BUSY on a modem line


@pytest.mark.parametrize("looks", [True, False])
def test_only_a_sender_that_looks_at_busy_loses_nothing(tmp_path: Path, looks: bool) -> None:
    """The sender looks at the line that the port shows, as a driver does through the shim."""
    printer = Printer(settings=Settings(buffer_bytes=1024, mm_per_s=1000.0))
    with ModemPrinter(printer, tmp_path, bytes_per_s=40_000) as served, Till(served.port.path) as till:
        data, sent = RECEIPT * 12, 0
        for piece in chunks(data, 32):
            while looks and (Line.DSR not in served.port.shown or served.report().received_bytes < sent):
                time.sleep(0.001)  # a UART has at most some bytes on the way; a loaded machine would have more
            till.send(piece)
            sent += len(piece)
            time.sleep(len(piece) / 40_000)
        report = served.wait_until(lambda r: r.received_bytes == len(data))
        assert served.busy_times > 0
        assert (report.lost_bytes == 0) is looks
        if looks:
            assert served.wait_until(lambda r: r.cuts == 12).faults == []


def test_paper_out_drops_the_line(tmp_path: Path) -> None:
    with ModemPrinter(Printer(), tmp_path) as served:
        with served.printer() as (printer, now):
            printer.remove_paper(now)
        end = time.monotonic() + 2
        while Line.DSR in served.port.shown and time.monotonic() < end:
            time.sleep(0.002)
        assert Line.DSR not in served.port.shown
