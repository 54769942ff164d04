"""The process when the machine runs short of something: no spinning, no flood of words, and the shop prints on."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw_sim.printer import Printer
from hw_sim.served import TcpPrinter
from hw_sim.till import Till, one_per_receipt
from tests.line.box import Line, free_port, line_over_tcp, until

RECEIPT = b"\x1b@SHOP\nTOTAL 5.00\nTHANKS\n\n\n\n\n\n\n\x1dV\x00"


@pytest.fixture
def printer() -> Iterator[TcpPrinter]:
    with TcpPrinter(Printer()) as served:
        yield served


def received(printer: TcpPrinter) -> bytes:
    with printer.printer() as (inside, _):
        return bytes(inside.received)


def test_a_line_out_of_descriptors_waits_quietly_and_goes_on(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line:
        one_per_receipt(line.address, [RECEIPT])
        until(lambda: received(printer) == RECEIPT, "the first receipt")
        soft, hard = resource.prlimit(line.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(line.pid, resource.RLIMIT_NOFILE, (3, hard))
        with Till(line.address, timeout_s=5.0) as till:
            until(lambda: "Too many open files" in "".join(line.log), "a word about it")
            spent = line.cpu_s
            time.sleep(1.3)
            assert line.cpu_s - spent <= 0.05
            assert "".join(line.log).count("Too many open files") == 1
            resource.prlimit(line.pid, resource.RLIMIT_NOFILE, (soft, hard))
            till.send(RECEIPT)
            until(lambda: received(printer) == 2 * RECEIPT, "the receipt that waited")


def test_an_engine_that_is_not_there_is_named_once(printer: TcpPrinter, tmp_path: Path) -> None:
    with line_over_tcp(printer.address, "--engine", str(tmp_path / "engine.sock")) as line:
        one_per_receipt(line.address, [RECEIPT])
        until(lambda: received(printer) == RECEIPT, "the receipt")
        time.sleep(0.3)
        assert [text for text in line.log if "engine.sock: No such file or directory" in text] == line.log != []


def test_a_printer_that_is_not_plugged_in_is_named_once_and_found_when_it_is(tmp_path: Path) -> None:
    device = tmp_path / "later" / "printer"
    with Line(f"tcp://127.0.0.1:{free_port()}", f"file:{device}", listens=False) as line:
        until(lambda: bool(line.log), "a word about it")
        time.sleep(1.3)
        assert len([text for text in line.log if "No such file" in text]) == 1, line.log
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(line.address)
        device.parent.mkdir()
        until(lambda: "the printer is there: tills are let in\n" in line.log, "the printer is opened")
        one_per_receipt(line.address, [RECEIPT])
        until(lambda: device.read_bytes() == RECEIPT, "the receipt")


@pytest.mark.parametrize("broken", ["full", "gone"])
def test_a_log_that_nobody_reads_stops_no_receipt(printer: TcpPrinter, broken: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while broken == "full":
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    port = free_port()
    command = [sys.executable, "-m", "edgebox.line.daemon", f"--till=tcp://127.0.0.1:{port}"]
    process = subprocess.Popen([*command, f"--printer=tcp://127.0.0.1:{printer.address[1]}"], stderr=writer)
    os.close(writer)
    if broken == "gone":
        os.close(reader)
    try:
        until(lambda: _answers(port), "the line listens")
        with Till(("127.0.0.1", port)) as till:
            till.send(b"\x1b@SHOP\n")
            until(lambda: received(printer) == b"\x1b@SHOP\n", "the first line")
            till.reset()  # something to log
        one_per_receipt(("127.0.0.1", port), [RECEIPT])
        until(lambda: received(printer).endswith(RECEIPT), "the receipt")
    finally:
        process.kill()
        process.wait()
        if broken == "full":
            os.close(reader)


def _answers(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
