"""Cables pulled at every moment: nothing is printed twice, no torn slip goes unsaid, and the next receipt prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgebox.line import printerside, tillside
from edgebox.line.frames import TORN, Result
from tests.line.box import Engine, until
from tests.line.unplugging import (
    LprTill,
    PrinterRig,
    RunningLine,
    SerialRig,
    SerialTill,
    TcpRig,
    TcpTill,
    TillRig,
    UsbRig,
)

RETRY_S = 0.05  # instead of a second
HEAD, TAIL = b"\x1b@SHOP\nRECEIPT %d\nTOTAL 12.00\n", b"\n\n\n\x1dV\x00"
SLIP = b"".join(b"SLIP %05d\n" % number for number in range(10_000))  # 110 KB: nothing between takes it at once
ALL = 10**9
MOMENTS = (
    "at rest",
    "before the first byte",
    "inside a receipt",
    "while the cut waits",
    "inside the slip",
    "behind",
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printerside, "RETRY_S", RETRY_S)
    monkeypatch.setattr(tillside, "RETRY_S", RETRY_S)


class Shop:
    """Till, line, engine, printer."""

    def __init__(self, folder: Path, till: TillRig, printer: PrinterRig) -> None:
        self.till, self.printer = till, printer
        self.answer: bytes | None = b"*SLIP*\n"
        self.engine = Engine(folder / "e", lambda end: self.answer)
        self.line = RunningLine(
            till.url, printer.url, self.engine.path, answer_ms=600, close_ms=100, idle_ms=400, window_bytes=4096
        )

    def until(self, wanted: Callable[[], bool], what: str, paper: int = ALL) -> None:
        """The printer goes on meanwhile, up to so much paper."""

        def turned() -> bool:
            self.printer.take(paper)
            return wanted()

        until(turned, f"{what}: {bytes(self.printer.paper[-80:])!r}, {self.line.log}", 6.0)

    def prints(self, number: int) -> None:
        """A whole receipt with its slip."""
        self.answer = b"*SLIP*\n"
        wanted = HEAD % number + b"*SLIP*\n"

        def printed() -> bool:
            return wanted in self.printer.paper and self.printer.paper.endswith(b"\x1dV\x00")

        end = time.monotonic() + 6.0
        while not printed():
            assert time.monotonic() < end, f"receipt {number}: {bytes(self.printer.paper[-80:])!r}, {self.line.log}"
            try:
                self.till.send(HEAD % number + TAIL)
                self.until(lambda: printed() or self.till.is_reset(), f"receipt {number}, or a reset")
            except OSError:  # refused: a till prints again then, as at a printer that is off
                self.printer.take(ALL)
                time.sleep(0.01)
            if not printed():
                self.till.unplug()

    def goes_to(self, moment: str) -> None:
        """The first receipt, up to there."""
        before = len(self.printer.paper)
        if moment == "at rest":
            return
        if moment == "before the first byte":
            self.till.send(b"")
            return
        head = HEAD % 1
        if moment == "inside a receipt":
            self.till.send(head)
            self.until(lambda: self.printer.paper.endswith(head), "the head", before + len(head))
            return
        if moment == "behind":
            self.prints(1)
            return
        self.answer = None if moment == "while the cut waits" else SLIP
        asked = len(self.engine.ends)
        self.till.send(head + TAIL)
        if moment == "while the cut waits":
            self.until(lambda: len(self.engine.ends) > asked, "the question", before + len(head))
        else:
            most = before + len(head) + len(SLIP) // 8
            self.until(lambda: len(self.printer.paper) >= most, "an eighth of the slip", most)


def shop_of(folder: Path, till: TillRig, printer: PrinterRig) -> Iterator[Shop]:
    shop = Shop(folder, till, printer)
    with shop.engine, shop.line:
        until(lambda: shop.engine.connected, "the engine is there")
        yield shop
        till.close()
    printer.close()


@pytest.fixture
def by_printer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    yield from shop_of(tmp_path, TcpTill(tmp_path), request.param(tmp_path))


@pytest.fixture
def by_till(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "till").mkdir()
    yield from shop_of(tmp_path, request.param(tmp_path / "till"), TcpRig(tmp_path))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("by_printer", [TcpRig, SerialRig, UsbRig], indirect=True)
def test_a_printer_that_is_pulled_prints_nothing_twice_and_the_next_receipt_whole(
    by_printer: Shop, moment: str
) -> None:
    shop = by_printer
    shop.prints(0)
    shop.goes_to(moment)
    shop.printer.unplug()
    until(lambda: not shop.line.core.printer_up, "the line has noticed")
    if moment == "while the cut waits":
        until(lambda: any(one.reason == "printer_gone" for one in shop.engine.outcomes), "the answer is not waited for")
        assert [one.result for one in shop.engine.outcomes][-1:] == [Result.PLAIN]
    elif moment == "inside the slip":
        until(lambda: any(one.result == TORN for one in shop.engine.outcomes), "that the slip is torn is said")
    else:
        assert not [one for one in shop.engine.outcomes if one.result == TORN]
    shop.printer.plug()
    shop.till.unplug()  # a till that was reset, or whose receipt broke off, begins a new connection
    shop.prints(2)
    paper = bytes(shop.printer.paper)
    for number in (0, 1, 2):
        assert paper.count(b"RECEIPT %d\n" % number) <= 1, f"{number} twice"
    assert paper.count(b"SLIP 00000\n") <= 1
    assert HEAD % 2 + b"*SLIP*\n" in paper


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("by_till", [TcpTill, LprTill, SerialTill], indirect=True)
def test_a_till_that_is_pulled_leaves_a_whole_slip_and_the_next_receipt_prints(by_till: Shop, moment: str) -> None:
    shop = by_till
    shop.prints(0)
    shop.goes_to(moment)
    shop.till.unplug()
    if moment == "while the cut waits":
        shop.until(lambda: any(one.result == Result.LATE for one in shop.engine.outcomes), "given up in time")
    elif moment == "inside the slip":
        shop.until(lambda: SLIP[-11:] in shop.printer.paper, "the slip, whole")
        assert SLIP in shop.printer.paper
    shop.until(lambda: shop.line.core.silent, "the line is free")
    if isinstance(shop.till, SerialTill):
        shop.till.plug()
        until(lambda: shop.line.relay._till.owner is not None, "the adapter is opened: what came before is lost")
    shop.prints(2)
    paper = bytes(shop.printer.paper)
    for number in (0, 1, 2):
        assert paper.count(b"RECEIPT %d\n" % number) <= 1, f"{number} twice"
    assert paper.count(b"SLIP 00000\n") <= 1
    assert not [one for one in shop.engine.outcomes if one.result == TORN]
