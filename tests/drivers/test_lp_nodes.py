"""The nodes of USB printer and printer gadget: the drivers run in a program of their own on hw_sim.lpsim's."""

import errno
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.port_status import PortStatus
from drivers.usblp import id_text
from hw_sim.lpsim import LpNode
from tests.drivers.program import Program

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)
DEVICE_ID = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LpNode]:
    made = LpNode(tmp_path, device_id=DEVICE_ID)
    yield made
    made.close()


@pytest.fixture
def program(node: LpNode) -> Iterator[Program]:
    with Program(node.environment()) as made:
        yield made


def connect(program: Program, node: LpNode) -> None:
    program.ask(f"end = printer_end('usblp://{node.path}')")
    assert program.ask("port = end.connect()") is None


def accept(program: Program, node: LpNode) -> None:
    program.ask(f"end = till_end('gadget://{node.path}')")
    assert program.ask("end.open()") is None
    assert program.ask("port = end.accept()") is None


def test_print_data_and_replies_pass_unchanged(program: Program, node: LpNode) -> None:
    connect(program, node)
    every = bytes(range(256))
    program.ask(f"send(port, {every!r})")
    assert node.take() == every
    node.give(every)
    assert program.ask("port.read(4096)") == every
    assert program.ask("port.read(4096)") is None


def test_a_printer_that_takes_nothing_stops_the_line_after_little(program: Program, node: LpNode) -> None:
    connect(program, node)
    program.ask("taken = 0")
    program.tell("while (n := port.write(b'x' * 9000)): taken += n")
    program.answer()
    taken = program.ask("taken")
    assert isinstance(taken, int)
    assert 0 < taken <= 32768, "what a pty takes"
    left = program.ask("port.unsent()")
    assert left in (0, 512), "the last piece at most; a pty says at times that it has room when it has none"
    got = 0
    while got < taken:
        got += len(node.take())
    assert program.ask("port.unsent()") == 0


def test_the_printer_says_what_it_is_and_that_the_paper_is_out(program: Program, node: LpNode) -> None:
    connect(program, node)
    assert program.ask("port.device_id()") == DEVICE_ID
    assert program.ask("port.port_status()") is None, "nobody watches it"
    program.ask("from drivers.usblp import ask_status")
    assert program.ask("int(ask_status(port.fileno()))") == 0x18
    node.status = int(PortStatus.PAPER_EMPTY | PortStatus.SELECTED) | 0x41
    assert program.ask("int(ask_status(port.fileno()))") == 0x30


def test_a_printer_that_cannot_speak_is_deaf_and_not_gone(program: Program, node: LpNode) -> None:
    node.make_deaf()
    connect(program, node)
    assert program.ask("port.read(10)") is None
    assert program.ask("port.read(10)") is None
    program.ask("send(port, b'receipt')")
    assert node.take() == b"receipt"


def test_there_is_room_for_one_and_the_second_is_told(program: Program, node: LpNode) -> None:
    connect(program, node)
    assert program.ask("end.connect()") == ("DriverError", "busy")
    program.ask("port.close()")
    connect(program, node)
    assert node.opens == 2


@pytest.mark.parametrize("asked", ["port.read(10)", "port.write(b'x')"])
def test_unplugged_is_an_error_and_plugged_in_again_it_prints(program: Program, node: LpNode, asked: str) -> None:
    connect(program, node)
    node.unplug()
    assert program.ask(asked) == ("OSError", errno.ENODEV)
    program.ask("port.abort()")
    assert program.ask("end.connect()") == ("DriverError", "not_found")
    node.plug()
    assert program.ask("port = end.connect()") is None
    program.ask("send(port, b'again')")
    assert node.take() == b"again"


def test_the_gadget_shows_the_till_what_the_printer_says(program: Program, node: LpNode) -> None:
    accept(program, node)
    for keys, bits in (
        ("offline=False, paper_end=False, fault=False", 0x18),
        ("offline=False, paper_end=True, fault=False", 0x30),
        ("offline=True, paper_end=False, fault=False", 0x08),
        ("offline=False, paper_end=False, fault=True", 0x10),
        ("offline=True, paper_end=True, fault=True", 0x20),
    ):
        assert program.ask(f"port.show({keys})") is None
        assert node.status == bits
    shown = node.shown
    program.ask("port.show(offline=True, paper_end=True, fault=True)")
    assert node.shown == shown, "the same again costs nothing"


def test_a_till_that_is_unplugged_is_waited_for(program: Program, node: LpNode) -> None:
    """Closed before it is bound anew: kernel 6.1 damages a list otherwise."""
    node.unplug()
    program.ask(f"end = till_end('gadget://{node.path}')")
    assert program.ask("end.open()") is None, "no fault: it may come any time"
    assert program.ask("end.accept()") == ("DriverError", "not_found")
    node.plug()
    assert program.ask("port = end.accept()") is None
    node.give(b"receipt")
    time.sleep(0.01)
    assert program.ask("port.read(100)") == b"receipt"
    node.unplug()
    assert program.ask("port.read(100)") == ("OSError", errno.ENODEV)
    program.ask("port.abort()")
    assert not node.is_open
    node.plug()
    assert program.ask("port = end.accept()") is None


def test_no_such_gadget_is_a_fault(program: Program, tmp_path: Path) -> None:
    program.ask(f"end = till_end('gadget://{tmp_path}/g_printer0')")
    assert program.ask("end.open()") == ("DriverError", "not_found")


@pytest.mark.parametrize(
    ("answer", "text"),
    [(b"\x00\x09MFG:EP;", "MFG:EP;"), (b"", ""), (b"\x00", ""), (b"\xff\xffMFG", "MFG"), (b"\x00\x06AB\x00C", "AB")],
)
def test_a_device_id_is_as_long_as_it_says(answer: bytes, text: str) -> None:
    assert id_text(answer) == text


@pytest.mark.parametrize("url", ["usblp:", "usblp://dev/usb/lp0", "usblp:///dev/usb/lp0?x=1"])
def test_a_url_that_names_no_node_is_refused(program: Program, url: str) -> None:
    answer = program.ask(f"printer_end({url!r})")
    assert isinstance(answer, tuple)
    assert answer[0] == "DriverError"
    answer = program.ask(f"till_end({url.replace('usblp', 'gadget')!r})")
    assert isinstance(answer, tuple)
    assert answer[0] == "DriverError"
