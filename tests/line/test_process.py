"""The process on real sockets and devices: the shop keeps printing, whatever dies, hangs or is unplugged."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.line.frames import Job, JobPhase, JobState, Result, encode
from hw_sim.modem_printer import ModemPrinter
from hw_sim.printer import Printer, Settings
from hw_sim.served import PtyPrinter, TcpPrinter
from hw_sim.till import Stuck, Till, asking_first, half_closing, one_per_receipt, polling, several_per_receipt
from hw_sim.ttysim import Line as Modem
from hw_sim.ttysim import ModemTty
from tests.line.box import Engine, Line, free_port, line_over_tcp, until
from tests.line.wire import BODY

RECEIPT = b"\x1b@SHOP\nTOTAL 5.00\nTHANKS\n\n\n\n\n\n\n\x1dV\x00"
LONG = b"\x1b@SHOP\n" + b"1 x coffee                            2.50\n" * 2000 + b"TOTAL 5.00\n\n\n\n\n\n\n\x1dV\x00"


@pytest.fixture
def printer() -> Iterator[TcpPrinter]:
    with TcpPrinter(Printer()) as served:
        yield served


def received(printer: TcpPrinter | PtyPrinter) -> bytes:
    with printer.printer() as (inside, _):
        return bytes(inside.received)


def slim(till: Till) -> Till:
    """A till whose own system keeps little: what it gets rid of, the wire has taken."""
    assert till._socket is not None
    till._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    return till


def refused(line: Line) -> bool:
    """The next client is turned away, be it before or after its handshake."""
    try:
        with Till(line.address) as till:
            till.listen(2.0)
            return till.closed_by_peer
    except ConnectionError:
        return True


def comes(printer: TcpPrinter | PtyPrinter, size: int) -> bytes:
    until(lambda: len(received(printer)) >= size, f"{size} bytes at the printer")
    return received(printer)


def test_without_an_engine_the_line_is_a_plain_wire(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line:
        one_per_receipt(line.address, [RECEIPT, LONG, RECEIPT])
        assert comes(printer, len(RECEIPT * 2 + LONG)) == RECEIPT + LONG + RECEIPT


def test_a_receipt_gets_its_slip_and_the_engine_every_byte(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)) as line:
        until(lambda: engine.connected, "hello")
        one_per_receipt(line.address, [RECEIPT] * 3)
        report = printer.wait_until(lambda report: report.cuts == 3)
        assert report.faults == []
        assert all("*SLIP*" in ticket.text for ticket in report.tickets)
        until(lambda: len(engine.outcomes) == 3, "outcomes")
        assert list(engine.documents().values()) == [RECEIPT] * 3
        assert max(outcome.hold_us for outcome in engine.outcomes) < 150_000


def test_killing_the_engine_in_the_middle_of_a_receipt_loses_nothing(printer: TcpPrinter, tmp_path: Path) -> None:
    path = tmp_path / "e"
    engine = Engine(path)
    with line_over_tcp(printer.address, "--engine", str(path)) as line, Till(line.address) as till:
        until(lambda: engine.connected, "hello")
        till.send(RECEIPT[:20])
        until(lambda: bool(engine.documents()), "the first bytes")
        engine.die()
        till.send(RECEIPT[20:] + RECEIPT)
        assert comes(printer, 2 * len(RECEIPT)) == RECEIPT * 2
        with Engine(path) as again:
            until(lambda: len(again.outcomes) == 2, "both receipts")
            assert list(again.documents().values()) == [RECEIPT] * 2
            assert all(end.replay and not end.ask for end in again.ends)
            till.send(RECEIPT)
            until(lambda: len(again.outcomes) == 3, "the third")
            assert again.outcomes[-1].result == Result.INSERTED
            again.die()
        with Engine(path) as third:  # what was Done does not come again
            until(lambda: third.connected, "hello")
            time.sleep(0.05)
            assert third.documents() == {}


def test_an_engine_that_never_says_done_gets_the_receipt_again_under_the_same_name(
    printer: TcpPrinter, tmp_path: Path
) -> None:
    path = tmp_path / "e"
    engine = Engine(path, done=False)
    with line_over_tcp(printer.address, "--engine", str(path)) as line:
        until(lambda: engine.connected, "hello")
        one_per_receipt(line.address, [RECEIPT])
        until(lambda: len(engine.outcomes) == 1, "outcome")
        engine.die()
        with Engine(path) as again:
            until(lambda: len(again.outcomes) == 1, "outcome")
            assert again.frames[0][0] == engine.frames[0][0]  # the session
            assert again.documents() == engine.documents()
            assert again.ends[0].ref == b"ref"
            assert again.outcomes == engine.outcomes


def test_killing_the_line_costs_no_more_than_the_receipt_on_its_way(printer: TcpPrinter, tmp_path: Path) -> None:
    port = free_port()
    with Line(f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{printer.address[1]}") as line, Till(line.address) as till:
        till.send(RECEIPT[:20])
        comes(printer, 20)
        line.kill()
        till.listen(1.0)
        assert till.closed_by_peer
    with Line(f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{printer.address[1]}") as line:
        one_per_receipt(line.address, [RECEIPT])
        assert comes(printer, 20 + len(RECEIPT)) == RECEIPT[:20] + RECEIPT


def test_sigterm_lets_the_receipt_on_its_way_finish(printer: TcpPrinter, tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "e", answer=lambda end: None) as engine,
        line_over_tcp(printer.address, "--engine", str(engine.path)) as line,
        Till(line.address) as till,
    ):
        until(lambda: engine.connected, "hello")
        till.send(RECEIPT[:-3])  # the feed is held
        comes(printer, RECEIPT.index(b"THANKS") + 7)
        os.kill(line.pid, 15)
        assert comes(printer, len(RECEIPT) - 3) == RECEIPT[:-3]
        till.send(RECEIPT[-3:])
        assert line.wait() == 0
        assert comes(printer, len(RECEIPT)) == RECEIPT
        until(lambda: len(engine.outcomes) == 1, "the receipt")
        assert list(engine.documents().values()) == [RECEIPT]


def test_sigterm_with_an_open_document_tells_the_engine_all_of_it(printer: TcpPrinter, tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "e") as engine,
        line_over_tcp(printer.address, "--engine", str(engine.path)) as line,
        Till(line.address) as till,
    ):
        until(lambda: engine.connected, "hello")
        till.send(RECEIPT[:25])
        comes(printer, 25)
        assert line.terminate() == 0
        until(lambda: len(engine.outcomes) == 1, "the document")
        assert [(end.why, end.reason) for end in engine.ends] == [(5, "stopping")]


def test_paper_out_in_a_receipt_is_felt_by_the_till_and_loses_nothing(tmp_path: Path) -> None:
    with (
        TcpPrinter(Printer(settings=Settings(mm_per_s=20000))) as printer,
        Engine(tmp_path / "e") as engine,
        line_over_tcp(printer.address, "--engine", str(engine.path), "--set", "idle_ms=500") as line,
        slim(Till(line.address, timeout_s=0.7)) as till,
    ):
        until(lambda: engine.connected, "hello")
        with printer.printer() as (inside, now):
            inside.remove_paper(now)
        long = LONG[:-10] * 3 + LONG[-10:]
        with pytest.raises(Stuck):
            till.send(long)
        assert till.sent < 80_000  # not swallowed by the box
        spent = line.cpu_s
        time.sleep(1.0)  # longer than idle_ms: a till that can't go on is not silent
        assert line.cpu_s - spent < 0.1
        with printer.printer() as (inside, now):
            inside.load_paper(now)
        till.timeout_s = 8.0
        till.send(long[till.sent :])
        until(lambda: len(engine.outcomes) == 1, "outcome")
        assert [(end.why, end.ask) for end in engine.ends] == [(1, True)]
        assert list(engine.documents().values()) == [long]
        report = printer.wait_until(lambda report: report.cuts == 1, 8.0)
        assert report.lost_bytes == 0
        assert "*SLIP*" in report.tickets[0].text


def test_a_till_that_hangs_up_while_the_printer_is_out_of_paper_costs_no_processor_time() -> None:
    with TcpPrinter(Printer(settings=Settings(mm_per_s=20000))) as printer, line_over_tcp(printer.address) as line:
        with printer.printer() as (inside, now):
            inside.remove_paper(now)
        for how in ("close", "reset"):
            till = slim(Till(line.address, timeout_s=0.3))
            with pytest.raises(Stuck):
                till.send(LONG * 2)
            till.reset() if how == "reset" else till.close()
            spent = line.cpu_s
            time.sleep(0.7)
            assert line.cpu_s - spent <= 0.05, how


def test_a_till_that_resets_costs_no_processor_time_and_the_next_receipt_prints(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line:
        till = Till(line.address)
        till.send(b"\x1b@SHOP\n")
        comes(printer, 7)
        till.reset()
        spent = line.cpu_s
        time.sleep(0.5)
        assert line.cpu_s - spent <= 0.05
        one_per_receipt(line.address, [RECEIPT])
        assert comes(printer, 7 + len(RECEIPT)).endswith(RECEIPT)


def test_a_printer_unplugged_in_a_receipt_resets_the_till_and_the_next_one_prints(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line:
        with Till(line.address) as till:
            till.send(RECEIPT[:20])
            comes(printer, 20)
            printer.unplug()
            till.listen(2.0)
            assert till.closed_by_peer
        assert refused(line)  # while it is away
        printer.plug()
        until(lambda: _prints(line, printer), "a receipt through the printer that is back", 6.0)


def _prints(line: Line, printer: TcpPrinter) -> bool:
    before = len(received(printer))
    try:
        with Till(line.address, timeout_s=0.3) as till:
            till.send(RECEIPT)
            till.listen(0.2)
    except (OSError, Stuck):
        return False
    return received(printer)[before:] == RECEIPT


def test_a_printer_that_refuses_connections_refuses_the_till() -> None:
    with line_over_tcp(("127.0.0.1", free_port())) as line:
        for _ in range(3):
            assert refused(line)
        spent = line.cpu_s
        time.sleep(0.5)
        assert line.cpu_s - spent <= 0.05


def test_a_job_for_a_printer_that_is_away_costs_no_processor_time(tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "e") as engine,
        line_over_tcp(("127.0.0.1", free_port()), "--engine", str(engine.path)) as line,
    ):
        until(lambda: engine.connected, "hello")
        engine.send(encode(Job("one", BODY, True, 800)))
        time.sleep(0.1)
        spent = line.cpu_s
        time.sleep(0.6)
        assert line.cpu_s - spent <= 0.05
        until(lambda: JobState("one", JobPhase.EXPIRED, "") in engine.frames, "expiry")


def test_a_job_prints_when_no_till_is_connected(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)):
        until(lambda: engine.connected, "hello")
        engine.send(encode(Job("one", BODY, True, 0)) + encode(Job("one", BODY, True, 0)))
        report = printer.wait_until(lambda report: report.cuts == 1)
        assert "*SLIP*" in report.tickets[0].text
        until(lambda: JobState("one", JobPhase.SENT, "") in engine.frames, "sent")
        assert received(printer).count(b"*SLIP*") == 1


@pytest.mark.parametrize("habit", [several_per_receipt, half_closing, asking_first, polling])
def test_every_habit_of_tills_makes_whole_documents(printer: TcpPrinter, tmp_path: Path, habit: object) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)) as line:
        until(lambda: engine.connected, "hello")
        assert callable(habit)
        habit(line.address, [RECEIPT, RECEIPT])
        report = printer.wait_until(lambda report: report.cuts == 2)
        assert all("*SLIP*" in ticket.text for ticket in report.tickets)
        until(lambda: len(engine.outcomes) == 2, "outcomes")


def test_a_till_that_closes_early_leaves_the_next_receipt_whole(printer: TcpPrinter, tmp_path: Path) -> None:
    more = ("--engine", str(tmp_path / "e"), "--set", "close_ms=100")
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, *more) as line:
        until(lambda: engine.connected, "hello")
        with Till(line.address) as till:
            till.send(RECEIPT[:25])
        until(lambda: len(engine.outcomes) == 1, "the stump")
        one_per_receipt(line.address, [RECEIPT])
        until(lambda: len(engine.outcomes) == 2, "the receipt")
        assert list(engine.documents().values()) == [RECEIPT[:25], RECEIPT]


def test_two_tills_at_once_print_one_receipt_after_the_other(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line, Till(line.address) as first:
        first.send(RECEIPT[:20])
        comes(printer, 20)
        with Till(line.address) as second:
            second.send(RECEIPT)
            second.listen(0.2)
            assert len(received(printer)) == 20
            first.send(RECEIPT[20:])
            comes(printer, len(RECEIPT))
            assert comes(printer, 2 * len(RECEIPT)) == RECEIPT * 2  # the first is quiet, but stays connected
            first.send(RECEIPT)
            assert comes(printer, 3 * len(RECEIPT)) == RECEIPT * 3


def test_only_the_tills_on_the_list_may_print(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address, "--set", "allow=10.1.2.3") as line:
        assert refused(line)
        assert received(printer) == b""


def test_an_engine_that_talks_nonsense_is_left_and_the_receipt_prints(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)) as line:
        until(lambda: engine.connected, "hello")
        engine.send(b"GET / HTTP/1.1\r\n\r\n" * 20)
        until(lambda: sum(f.__class__.__name__ == "Hello" for f in engine.frames) > 1, "a new connection")
        one_per_receipt(line.address, [RECEIPT])
        printer.wait_until(lambda report: report.cuts == 1)


def test_a_hung_engine_costs_neither_time_nor_bytes(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)) as line:
        until(lambda: engine.connected, "hello")
        engine.reads = False
        with Till(line.address) as till:
            for _ in range(12):
                till.send(LONG)  # more than its socket holds
            printer.wait_until(lambda report: report.cuts == 12)
            till.send(b"x\n")
            spent = line.cpu_s
            time.sleep(0.5)
            assert line.cpu_s - spent <= 0.05
            engine.reads = True
            until(lambda: len(engine.outcomes) >= 5, "what the spool kept")
        assert received(printer) == LONG * 12 + b"x\n"


def test_the_line_stays_small_and_idle(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, line_over_tcp(printer.address, "--engine", str(engine.path)) as line:
        until(lambda: engine.connected, "hello")
        with Till(line.address) as till:
            for _ in range(1000):
                till.send(RECEIPT)
            printer.wait_until(lambda report: report.cuts == 1000, 20.0)
            assert line.rss_kib <= 16 * 1024
            time.sleep(0.2)
            spent = line.cpu_s
            time.sleep(1.0)
            assert line.cpu_s - spent <= 0.01


def test_a_till_on_a_pty_and_a_printer_on_a_pty(tmp_path: Path) -> None:
    with PtyPrinter(Printer()) as printer, Engine(tmp_path / "e") as engine:
        till_end = tmp_path / "till"
        url = f"serial://{printer.path}?baud=38400&flow=none"
        with Line(f"pty:{till_end}", url, "--engine", str(engine.path)):
            until(till_end.exists, "the till's device")
            until(lambda: engine.connected, "hello")
            with Till(str(till_end)) as till:
                till.send(RECEIPT)
                report = printer.wait_until(lambda report: report.cuts == 1)
                assert "*SLIP*" in report.tickets[0].text
                assert till.ask(b"\x10\x04\x01") == b"\x16"


def test_a_socket_of_an_engine_that_is_gone_costs_no_processor_time(printer: TcpPrinter, tmp_path: Path) -> None:
    stale = tmp_path / "e"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    with line_over_tcp(printer.address, "--engine", str(stale)) as line:
        one_per_receipt(line.address, [RECEIPT])
        comes(printer, len(RECEIPT))
        spent = line.cpu_s
        time.sleep(0.5)
        assert line.cpu_s - spent <= 0.05


def test_busy_is_passed_on_from_a_serial_printer_to_a_serial_till(tmp_path: Path) -> None:
    printer = Printer(settings=Settings(mm_per_s=2000, buffer_bytes=512, busy_left=128, ready_left=256))
    till = ModemTty(tmp_path)
    with ModemPrinter(printer, tmp_path, bytes_per_s=20000) as served, Engine(tmp_path / "e") as engine:
        ends = [f"serial://{path}?baud=115200&flow=dsrdtr" for path in (till.path, served.port.path)]
        with Line(*ends, "--engine", str(engine.path), env=till.environment()) as line:
            until(lambda: engine.connected and bool(till.driven & Modem.RTS), "the line is up")
            with served.printer() as (inside, now):
                inside.remove_paper(now)
            raw = RECEIPT[:-3] + LONG[7:20000] + RECEIPT[-10:]
            sent = _send_while_ready(till, raw, 1.5)
            assert sent < len(raw)
            assert not till.driven & Modem.RTS  # the till sees BUSY as it would on the printer itself
            spent = line.cpu_s
            time.sleep(0.5)
            assert line.cpu_s - spent <= 0.25  # modem lines have to be looked at every 2 ms
            with served.printer() as (inside, now):
                inside.load_paper(now)
            sent += _send_while_ready(till, raw[sent:], 8.0)
            assert sent == len(raw)
            report = served.wait_until(lambda report: report.cuts == 1)
            assert report.lost_bytes == 0
            assert "*SLIP*" in report.tickets[0].text
            until(lambda: len(engine.outcomes) == 1, "outcome")
            assert list(engine.documents().values()) == [raw]
    till.close()


def _send_while_ready(till: ModemTty, raw: bytes, within_s: float) -> int:
    """Sends as a till does that minds BUSY; how much went."""
    sent, end = 0, time.monotonic() + within_s
    while sent < len(raw) and time.monotonic() < end:
        if till.driven & Modem.RTS:
            with contextlib.suppress(BlockingIOError):
                sent += os.write(till.master, raw[sent : sent + 64])
        time.sleep(0.002)
    return sent
