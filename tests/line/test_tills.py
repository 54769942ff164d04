"""Silent tills, dead tills, a printer that is off: the next receipt prints, or its till hears that it does not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from edgebox.line.tillside import CLIENTS_MAX
from hw_sim.printer import Printer
from hw_sim.served import TcpPrinter
from hw_sim.till import Till
from tests.line.box import free_port, line_over_tcp, until

RECEIPT = b"\x1b@SHOP\nTOTAL 5.00\nTHANKS\n\n\n\n\n\n\n\x1dV\x00"
HALF = RECEIPT[:12]  # ends in the middle of a line


@pytest.fixture
def printer() -> Iterator[TcpPrinter]:
    with TcpPrinter(Printer()) as served:
        yield served


def received(printer: TcpPrinter) -> bytes:
    with printer.printer() as (inside, _):
        return bytes(inside.received)


def test_silent_tills_make_room_for_one_that_prints(printer: TcpPrinter) -> None:
    with line_over_tcp(printer.address) as line, contextlib.ExitStack() as silent:
        for _ in range(CLIENTS_MAX + 2):
            silent.enter_context(Till(line.address))
        with Till(line.address) as till:
            till.send(RECEIPT)
            until(lambda: received(printer) == RECEIPT, "the receipt of the one that speaks")
        assert any("let go for another" in said for said in line.log)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_till_that_stops_in_the_middle_of_a_line_does_not_block_the_next(printer: TcpPrinter, hangs_up: bool) -> None:
    settings = ("--set", "idle_ms=400", "--set", "close_ms=200")
    with line_over_tcp(printer.address, *settings) as line, contextlib.ExitStack() as tills:
        first = tills.enter_context(Till(line.address))
        first.send(HALF)
        until(lambda: received(printer) == HALF, "the half receipt")
        if hangs_up:
            first.close()
        tills.enter_context(Till(line.address))  # says nothing
        with Till(line.address) as till:
            till.send(RECEIPT)
            until(lambda: received(printer) == HALF + RECEIPT, "the next till's receipt", 12.0)


def test_a_till_is_refused_while_the_printer_is_off_and_let_in_when_it_is_back() -> None:
    port = free_port()
    with line_over_tcp(("127.0.0.1", port)) as line:
        with contextlib.suppress(ConnectionError), Till(line.address) as till:
            till.listen(1.0)  # the first one finds out

        def is_refused() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(line.address) != 0

        until(is_refused, "the connect refused, as on a bare wire")
        with TcpPrinter(Printer(), port=port) as printer:
            until(lambda: not is_refused(), "tills let in again")
            with Till(line.address) as till:
                till.send(RECEIPT)
                until(lambda: received(printer) == RECEIPT, "the receipt")
