"""The real line between a till on USB and a printer on USB: whatever is unplugged when, the next receipt prints."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.line.frames import TORN
from hw_sim.lpsim import LpNode
from tests.line.box import Engine, Line, until
from tests.line.wire import BODY

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)
RECEIPT = b"\x1b@SHOP\nTOTAL 12.00\nCASH 12.00\n\x1bd\x04\x1dV\x00"
SLIP = b"".join(b"SLIP %05d\n" % number for number in range(10_000))  # 110 KB: a pty takes some 18
PAPER_END = b"\x1c\x00\x0c\x00"  # ASB: off-line, roll paper end
PAPER_BACK = b"\x10\x00\x00\x00"


class Box(NamedTuple):
    till: LpNode
    printer: LpNode
    line: Line
    engine: Engine

    def prints(self, *, sent: bool = False) -> bytes:
        """A receipt; what comes out of the printer until its cut."""
        if not sent:
            self.till.give(RECEIPT)
        paper = bytearray()
        until(lambda: self._take(paper).endswith(b"\x1dV\x00"), f"a receipt, got {bytes(paper)!r}")
        return bytes(paper)

    def _take(self, paper: bytearray) -> bytearray:
        paper += self.printer.take()
        return paper


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    till, printer = LpNode(tmp_path), LpNode(tmp_path)
    ends = f"gadget://{till.path}", f"usblp://{printer.path}"
    with (
        Engine(tmp_path / "engine") as engine,
        # A busy machine: what is tried here is not how fast the engine is.
        Line(*ends, "--engine", str(engine.path), "--set", "answer_ms=1000", env=till.environment()) as line,
    ):
        until(lambda: till.is_open and printer.is_open and engine.connected, "both cables and the engine")
        yield Box(till, printer, line, engine)
    till.close()
    printer.close()


def soon(wanted: Callable[[], bool], what: str) -> None:
    until(wanted, what, 4.0)


def test_a_receipt_goes_through_with_its_slip(box: Box) -> None:
    paper = box.prints()
    head, _, tail = RECEIPT.partition(b"\x1bd")
    assert paper.startswith(head + BODY)
    assert paper.endswith(b"\x1bd" + tail)


def test_the_till_sees_on_its_own_port_what_the_printers_says(box: Box) -> None:
    """Without a question on the wire, and while the printer takes nothing."""
    box.printer.status = 0x30 | 0x41
    soon(lambda: box.till.status == 0x30, "paper empty, and nothing of what means nothing")
    box.till.give(b"x" * 1000 + b"\n")  # which nobody takes
    box.printer.status = 0x10
    soon(lambda: box.till.status == 0x10, "an error, with the paper there")
    assert box.printer.take() == b"x" * 1000 + b"\n", "no question was asked on the wire"
    box.printer.unplug()
    soon(lambda: not box.till.status & 0x10, "not selected")


def test_a_printer_whose_port_tells_nothing_is_known_by_its_replies(box: Box) -> None:
    box.printer.make_mute()
    box.till.give(b"\x1da\xff")  # the till turns status reports on
    soon(lambda: box.printer.take() == b"\x1da\xff", "asked")
    box.printer.give(PAPER_END)
    soon(lambda: box.till.status == 0x20 | 0x00, "paper end, off-line")
    assert box.till.take() == PAPER_END, "and in the data, as without the box"
    box.printer.give(PAPER_BACK)
    soon(lambda: box.till.status == 0x18, "paper is back")
    assert box.line.cpu_s < 1.0


def goes_to(box: Box, when: str) -> None:
    """The first receipt, up to there."""
    if when == "inside a receipt":
        box.till.give(RECEIPT[:20])
        soon(lambda: bool(box.printer.take()), "on paper")
    elif when == "behind a receipt":
        box.prints()
    elif when != "idle":
        box.engine.answer = lambda end: None if when == "while the cut waits" else SLIP
        box.till.give(RECEIPT)
        soon(lambda: bool(box.engine.ends), "the question")
        if when == "inside the slip":
            soon(lambda: b"SLIP 00010" in box.printer.take(), "some of the slip")


WHEN = ("idle", "inside a receipt", "while the cut waits", "inside the slip", "behind a receipt")


@pytest.mark.parametrize("when", WHEN)
def test_the_printer_is_unplugged_and_plugged_in_again(box: Box, when: str) -> None:
    goes_to(box, when)
    box.printer.unplug()
    soon(lambda: not box.printer.is_open, "let go")
    soon(lambda: not box.till.status & 0x10, "the till is told: not selected")
    if when == "while the cut waits":
        soon(lambda: any(one.reason == "printer_gone" for one in box.engine.outcomes), "nobody waits for the answer")
    elif when == "inside the slip":
        soon(lambda: any(one.result == TORN for one in box.engine.outcomes), "that the slip is torn is said")
    box.engine.answer = lambda end: BODY
    box.printer.plug()
    soon(lambda: box.printer.is_open, "found again")
    if when == "inside a receipt":
        box.till.give(RECEIPT[20:])
        box.prints(sent=True)
    paper = box.prints()
    assert BODY in paper, (box.engine.outcomes, box.engine.ends, box.line.log)
    assert SLIP[:9] not in paper, "what was torn is not printed again"
    assert sum(one.result == TORN for one in box.engine.outcomes) == (when == "inside the slip")


@pytest.mark.parametrize("when", WHEN)
def test_the_till_is_unplugged_and_plugged_in_again(box: Box, when: str) -> None:
    goes_to(box, when)
    box.till.unplug()
    soon(lambda: not box.till.is_open, "closed before the gadget is bound anew")
    rest = bytearray()
    if when == "inside the slip":
        soon(lambda: rest.extend(box.printer.take()) or SLIP[-11:] in rest, "the slip, whole")
    elif when == "while the cut waits":
        soon(lambda: rest.extend(box.printer.take()) or rest.endswith(b"\x1dV\x00"), "the cut, when nobody answers")
    box.engine.answer = lambda end: BODY
    box.till.plug()
    soon(lambda: box.till.is_open, "there again")
    assert BODY in box.prints(), (box.engine.outcomes, box.engine.ends, box.line.log)
    assert not any(one.result == TORN for one in box.engine.outcomes)


def test_a_till_that_is_pulled_while_the_printer_takes_nothing_is_let_go_all_the_same(box: Box) -> None:
    """Nobody reads it then, and epoll is silent: its node would still be open when the gadget is bound anew."""
    for _ in range(16):
        box.till.give(b"x" * 1023 + b"\n")
        time.sleep(0.005)
    box.till.unplug()
    soon(lambda: not box.till.is_open, "closed")


def test_a_printer_that_is_not_there_at_first_is_found(tmp_path: Path) -> None:
    till, printer = LpNode(tmp_path), LpNode(tmp_path)
    printer.unplug()
    with Line(f"gadget://{till.path}", f"usblp://{printer.path}", env=till.environment()) as line:
        soon(lambda: till.is_open, "the till's end is open")
        printer.plug()
        till.give(RECEIPT)
        soon(lambda: printer.is_open, "found")
        got = bytearray()
        soon(lambda: got.extend(printer.take()) or bytes(got) == RECEIPT, f"all of it: {bytes(got)!r}")
        assert line.rss_kib < 16 * 1024
    till.close()
    printer.close()
