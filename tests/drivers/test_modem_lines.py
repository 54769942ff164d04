"""Real pyserial on a tty with modem lines: the drivers run in a program of their own, hw_sim.ttysim is the cable."""

import os
import select
import shutil
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.errors import DriverError
from hw_sim.ttysim import Line, ModemTty, ReceiveBuffer, shim
from tests.drivers.program import Program

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)

BAUD = 115200
WIRE_BYTES_PER_S = BAUD // 10
READY = Line.CTS | Line.DSR | Line.DCD


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[ModemTty]:
    made = ModemTty(tmp_path)
    yield made
    made.close()


@pytest.fixture
def program(cable: ModemTty) -> Iterator[Program]:
    with Program(cable.environment()) as made:
        yield made


def connect(program: Program, cable: ModemTty, flow: str) -> object:
    """Open the printer's end in the program, as `port`; the class that came of it."""
    program.ask(f"end = printer_end('serial://{cable.path}?baud={BAUD}&flow={flow}')")
    assert program.ask("port = end.connect()") is None
    assert program.ask("end.connected(port)") is True
    return program.ask("type(port).__name__")


def accept(program: Program, cable: ModemTty, flow: str) -> None:
    """Open the till's end in the program, as `port`."""
    program.ask(f"end = till_end('serial://{cable.path}?baud={BAUD}&flow={flow}')")
    assert program.ask("end.open()") is None
    assert program.ask("port = end.accept()") is None


@pytest.mark.parametrize("flow", ["none", "rtscts", "dsrdtr", "xonxoff"])
def test_opening_closing_and_opening_again_pulses_no_line(program: Program, cable: ModemTty, flow: str) -> None:
    """An Epson with DIP switch 2-7 on is reset by a pulse of 1 ms on DSR."""
    connect(program, cable, flow)
    assert cable.driven == Line.DTR | Line.RTS
    assert program.ask("port.close()") is None
    connect(program, cable, flow)
    assert cable.opens == 2
    assert cable.driven == Line.DTR | Line.RTS
    assert cable.dropped == Line(0)
    assert not cable.flags[1] & termios.HUPCL


def test_a_pulse_would_have_been_seen(program: Program, cable: ModemTty) -> None:
    """The control for the test above: plain pyserial told to keep DTR low does pulse it."""
    program.ask("import serial")
    program.ask(f"device = serial.Serial(None); device.port = '{cable.path}'; device.dtr = False; device.open()")
    assert cable.dropped == Line.DTR


def test_a_busy_printer_is_seen_by_dsr(program: Program, cable: ModemTty) -> None:
    assert connect(program, cable, "dsrdtr") == "PacedPort"
    assert program.ask("port.paced") is True
    assert program.ask("port.ready()") is True
    cable.show(READY & ~Line.DSR)
    assert program.ask("port.ready()") is False
    assert program.ask("port.write(b'receipt')") == 0
    cable.show(READY & ~Line.CTS)
    assert program.ask("port.ready()") is True
    assert program.ask("port.write(b'receipt')") == 7
    assert cable.take(100) == b"receipt"


def test_a_busy_printer_is_seen_by_cts(program: Program, cable: ModemTty) -> None:
    assert connect(program, cable, "rtscts") == "ModemPort"
    assert cable.flags[1] & termios.CRTSCTS
    assert program.ask("port.ready()") is True
    cable.show(READY & ~Line.CTS)
    assert program.ask("port.ready()") is False
    assert program.ask("port.write(b'receipt')") == 0
    cable.show(READY & ~Line.DSR)
    assert program.ask("port.write(b'receipt')") == 7


def test_a_tty_that_cannot_watch_cts_is_watched_by_us(program: Program, cable: ModemTty) -> None:
    program.ask("import drivers.serial")
    program.ask("drivers.serial.kernel_watches_cts = lambda fd: False")
    assert connect(program, cable, "rtscts") == "PacedPort"
    cable.show(READY & ~Line.CTS)
    assert program.ask("port.ready()") is False
    cable.show(READY)
    assert program.ask("port.ready()") is True


def print_all(program: Program, cable: ModemTty, receipt: bytes) -> ReceiveBuffer:
    """The receipt sent by the program to a printer at half the wire's speed, with the smallest buffer there is."""
    cable.count_queue()
    printer = ReceiveBuffer(cable, WIRE_BYTES_PER_S, WIRE_BYTES_PER_S // 2, size=45, busy_at=16, ready_at=26)
    program.tell(f"send(port, {receipt!r})")
    assert program.process.stdout
    done_s = None
    last_s = time.monotonic()
    while done_s is None or last_s < done_s:
        select.select([program.process.stdout] if done_s is None else [], [], [], 0.001)
        now_s = time.monotonic()
        printer.pass_time(now_s - last_s)
        last_s = now_s
        if done_s is None and select.select([program.process.stdout], [], [], 0)[0]:
            assert program.answer() is None
            printer.pass_time(1 + len(receipt) / WIRE_BYTES_PER_S)  # what is still on the wire
            done_s = now_s
    return printer


RECEIPT = os.urandom(1500)


def test_a_printer_that_gets_busy_all_the_time_loses_no_byte(program: Program, cable: ModemTty) -> None:
    connect(program, cable, "dsrdtr")
    printer = print_all(program, cable, RECEIPT)
    assert printer.lost_bytes == 0
    assert bytes(printer.printed) == RECEIPT
    assert printer.busy_times > 10


def test_without_flow_control_the_same_printer_loses_bytes(program: Program, cable: ModemTty) -> None:
    """The control for the test above."""
    connect(program, cable, "none")
    printer = print_all(program, cable, RECEIPT)
    assert printer.lost_bytes > 0


@pytest.mark.parametrize("flow", ["rtscts", "dsrdtr"])
def test_a_busy_box_looks_to_the_till_like_a_busy_printer(program: Program, cable: ModemTty, flow: str) -> None:
    """Epson drops RTS together with DTR; a till watches one or the other."""
    accept(program, cable, flow)
    assert cable.driven == Line.DTR | Line.RTS
    program.ask("port.set_busy(True)")
    assert cable.driven == Line(0)
    program.ask("port.set_busy(False)")
    assert cable.driven == Line.DTR | Line.RTS


@pytest.mark.parametrize("flow", ["none", "xonxoff"])
def test_other_flows_leave_the_lines_alone(program: Program, cable: ModemTty, flow: str) -> None:
    accept(program, cable, flow)
    program.ask("port.set_busy(True)")
    assert cable.driven == Line.DTR | Line.RTS


def test_a_till_without_dsr_still_hears_its_reply(program: Program, cable: ModemTty) -> None:
    cable.show(Line.CTS)
    accept(program, cable, "dsrdtr")
    assert program.ask("port.ready()") is True
    assert program.ask("port.write(b'\\x16')") == 1
    assert cable.take(10) == b"\x16"


def test_an_unplugged_printer_is_noticed_by_whoever_asks(program: Program, cable: ModemTty, tmp_path: Path) -> None:
    connect(program, cable, "dsrdtr")
    cable.close()
    assert program.ask("port.read(10)") == ("OSError", 5)
    assert program.ask("port.write(b'x')") == ("OSError", 5)
    cable.__init__(tmp_path)  # type: ignore[misc]  # so that the fixture has something to close


# --- The cable itself ----------------------------------------------------------------------------------------------


def test_cts_stops_the_output_of_a_program_that_asked_for_it(program: Program, cable: ModemTty) -> None:
    connect(program, cable, "rtscts")
    cable.show(READY & ~Line.CTS)
    assert program.ask("os.get_blocking(port.fileno())") is False
    assert program.ask("os.write(port.fileno(), b'x')") == ("BlockingIOError", 11)
    cable.show(READY)
    assert program.ask("os.write(port.fileno(), b'x')") == 1
    assert cable.take(10) == b"x"


def test_pyserial_reads_the_lines_sets_them_and_sends_a_break(program: Program, cable: ModemTty) -> None:
    program.ask("import serial")
    program.ask(f"device = serial.Serial('{cable.path}')")
    assert program.ask("(device.cts, device.dsr, device.cd, device.ri)") == (True, True, True, False)
    cable.show(Line.DCD)
    assert program.ask("(device.cts, device.dsr, device.cd, device.ri)") == (False, False, True, False)
    program.ask("device.rts = False")
    assert (cable.driven, cable.dropped) == (Line.DTR, Line.RTS)
    program.ask("device.break_condition = True")
    program.ask("device.break_condition = False")
    assert cable.breaks == 1


def test_a_program_can_wait_for_a_line_to_change(program: Program, cable: ModemTty) -> None:
    program.ask("import fcntl, termios")
    program.ask(f"fd = os.open('{cable.path}', os.O_RDWR | os.O_NOCTTY)")
    program.tell(f"fcntl.ioctl(fd, termios.TIOCMIWAIT, {int(Line.DSR)})")
    assert program.process.stdout
    for lines in (READY & ~Line.CTS, READY):  # another line's change is none
        cable.show(lines)
        assert not select.select([program.process.stdout], [], [], 0.02)[0]
    for _ in range(500):  # the program may not have begun to wait yet
        cable.show(cable.shown ^ Line.DSR)
        if select.select([program.process.stdout], [], [], 0.01)[0]:
            break
    assert program.answer() == 0


def test_a_tty_that_is_no_cable_of_ours_is_left_alone(program: Program) -> None:
    program.ask("import fcntl, termios")
    program.ask("master, slave = os.openpty()")
    assert program.ask("fcntl.ioctl(slave, termios.TIOCMGET, bytes(4))") == ("OSError", 25)


def test_a_machine_without_a_compiler_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DriverError, match="apt install gcc") as caught:
        shim(tmp_path / "cache")
    assert caught.value.reason == "no_compiler"


def test_the_shim_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shim(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert shim(tmp_path) == first
