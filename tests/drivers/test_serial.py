"""A serial cable without modem lines (a plain pty), and the pacing of a printer that says BUSY, in reckoned time."""

import errno
import os
import select
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import serial
from drivers.base import Port, Reason
from drivers.registry import printer_end, till_end
from drivers.serial import IN_FLIGHT_BYTES, QUEUED_BYTES, PacedPort, SerialPort
from edgebox.errors import DriverError

XON, XOFF = b"\x11", b"\x13"
EVERY_BYTE = bytes(range(256))


class Pty:
    """The far end of a cable, and the path of ours."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        tty.setraw(self.slave, termios.TCSANOW)
        attributes = termios.tcgetattr(self.slave)
        attributes[2] |= termios.HUPCL  # as serial drivers have it at first, and a pty has not
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.path = os.ttyname(self.slave)

    def url(self, flow: str, rest: str = "") -> str:
        return f"serial://{self.path}?baud=38400&flow={flow}{rest}"

    def unplug(self) -> None:
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def sees(self) -> bytes:
        """What has come; b"" when nothing has within 20 ms."""
        if not select.select([self.master], [], [], 0.02)[0]:
            return b""
        return os.read(self.master, 65536)


@pytest.fixture
def cable() -> Iterator[Pty]:
    pair = Pty()
    yield pair
    pair.unplug()


@pytest.fixture
def at_printer(cable: Pty) -> Iterator[Callable[[str], Port]]:
    """The port at a printer's end of the cable, by flow."""
    ports: list[Port] = []

    def connect(flow: str) -> Port:
        end = printer_end(cable.url(flow))
        ports.append(end.connect())
        assert end.connected(ports[-1])
        return ports[-1]

    yield connect
    for port in ports:
        port.close()


@pytest.fixture
def at_till(cable: Pty) -> Iterator[Callable[[str], Port]]:
    """The port at a till's end of the cable, by flow."""
    ports: list[Port] = []

    def accept(flow: str) -> Port:
        end = till_end(cable.url(flow))
        end.open()
        port = end.accept()
        assert port is not None
        ports.append(port)
        return port

    yield accept
    for port in ports:
        port.close()


def filled(port: Port) -> bytes:
    """What was taken until nothing is: the kernel moves a pty's bytes, and obeys XOFF, in its own time."""
    sent, refusals = bytearray(), 0
    while refusals < 10:
        taken = port.write(EVERY_BYTE)
        sent += EVERY_BYTE[:taken]
        refusals = 0 if taken else refusals + 1
        if not taken:
            select.select([], [], [], 0.002)
    return bytes(sent)


def heard(port: Port) -> bytes | None:
    select.select([port.fileno()], [], [], 1)
    return port.read(65536)


@pytest.mark.parametrize("flow", ["none", "rtscts", "dsrdtr"])
def test_every_byte_passes_both_ways_unchanged(
    flow: str, cable: Pty, at_printer: Callable[[str], Port], at_till: Callable[[str], Port]
) -> None:
    """ENOTTY on modem lines means: a cable without them, always ready."""
    for make in (at_printer, at_till):
        port = make(flow)
        assert port.peer == cable.path
        assert port.ready()
        assert not port.paced
        assert port.read(10) is None
        assert port.write(memoryview(EVERY_BYTE)) == 256
        assert cable.sees() == EVERY_BYTE
        os.write(cable.master, EVERY_BYTE)
        assert heard(port) == EVERY_BYTE
        port.set_busy(True)
        port.finish_writing()
        assert cable.sees() == b""
        port.close()


def test_the_port_is_set_up_raw_and_keeps_its_lines_over_a_restart(
    cable: Pty, at_printer: Callable[[str], Port]
) -> None:
    port = at_printer("none")
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(port.fileno())
    assert not cflag & termios.HUPCL
    assert cflag & termios.CLOCAL
    assert iflag == termios.IGNBRK
    assert not oflag & termios.OPOST
    assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert (ispeed, ospeed) == (termios.B38400, termios.B38400)
    assert cc[termios.VMIN] in (1, b"\x01")


def test_parity_bits_and_stop_reach_the_tty(cable: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pty forgets CS7 and PARENB (pty_set_termios), so what was asked for is looked at."""
    asked: list[int] = []
    real = termios.tcsetattr

    def tcsetattr(fd: int, when: int, attributes: list[object]) -> None:
        asked.append(int(str(attributes[2])))
        real(fd, when, attributes)  # type: ignore[arg-type]

    monkeypatch.setattr(termios, "tcsetattr", tcsetattr)
    printer_end(cable.url("none", "&parity=odd&bits=7&stop=2")).connect().close()
    wanted = termios.CS7 | termios.PARENB | termios.PARODD | termios.CSTOPB
    assert asked[0] & (termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB) == wanted


def test_what_a_till_sent_before_the_line_was_up_is_kept(cable: Pty, at_till: Callable[[str], Port]) -> None:
    """pyserial would flush it: a receipt that was under way during a restart."""
    os.write(cable.master, b"TOTAL 9.99\n")
    assert heard(at_till("none")) == b"TOTAL 9.99\n"


def test_a_printer_that_takes_nothing_stops_us_and_nothing_is_lost(
    cable: Pty, at_printer: Callable[[str], Port]
) -> None:
    port = at_printer("none")
    sent = filled(port)
    assert port.write(b"x") == 0
    got = b""
    while more := cable.sees():
        got += more
    assert got == sent
    assert port.write(b"x") == 1


def test_no_more_is_queued_in_the_kernel_than_epoll_knows_of(
    cable: Pty, at_printer: Callable[[str], Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 256 queued bytes epoll is silent, and write takes nothing: no loop spins, no drawer kick waits for 4 KB."""
    port = at_printer("none")
    queued = 0
    monkeypatch.setattr(SerialPort, "unsent", lambda _: queued)
    assert port.write(bytes(4096)) == QUEUED_BYTES
    queued = 255
    assert port.write(bytes(4096)) == QUEUED_BYTES - 255
    queued = 256
    assert port.write(bytes(4096)) == 0


def test_xonxoff_printer_stops_and_starts_us(cable: Pty, at_printer: Callable[[str], Port]) -> None:
    port = at_printer("xonxoff")
    assert termios.tcgetattr(port.fileno())[0] == termios.IGNBRK | termios.IXON
    os.write(cable.master, XOFF)
    before = filled(port)  # what slipped out before the kernel had read the XOFF; less than it takes when it runs
    seen = b""
    while len(seen) < len(before) and (more := cable.sees()):  # the kernel hands them over in its own time
        seen += more
    assert seen == before
    assert port.write(b"receipt") == 0
    os.write(cable.master, b"\x16" + XON)
    assert heard(port) == b"\x16", "the flow bytes are the kernel's, the reply is ours"
    assert select.select([], [port], [], 1)[1]
    assert port.write(b"receipt") == 7
    assert cable.sees() == b"receipt"


def test_xonxoff_adds_and_takes_nothing_in_print_data(
    cable: Pty, at_printer: Callable[[str], Port], at_till: Callable[[str], Port]
) -> None:
    """Raster holds 0x11 and 0x13. From the till they are data; to the printer too."""
    printer = at_printer("xonxoff")
    assert printer.write(EVERY_BYTE) == 256
    assert cable.sees() == EVERY_BYTE
    printer.close()
    till = at_till("xonxoff")
    os.write(cable.master, EVERY_BYTE)
    assert heard(till) == EVERY_BYTE


def test_a_busy_box_sends_xoff_once_and_xon_once(cable: Pty, at_till: Callable[[str], Port]) -> None:
    port = at_till("xonxoff")
    for busy in (False, True, True):
        port.set_busy(busy)
    assert cable.sees() == XOFF
    for busy in (False, False):
        port.set_busy(busy)
    assert cable.sees() == XON


@pytest.mark.parametrize("flow", ["none", "xonxoff", "rtscts", "dsrdtr"])
def test_an_unplugged_cable_is_an_error_for_everything_but_closing(
    flow: str, cable: Pty, at_printer: Callable[[str], Port], at_till: Callable[[str], Port]
) -> None:
    ports = [at_printer("none")] if flow == "none" else []
    ports += [at_till(flow)] if flow != "none" else []
    cable.unplug()
    for port in ports:
        with pytest.raises(OSError, match=r"unplugged|Input/output") as caught:
            port.read(10)
        assert caught.value.errno == errno.EIO
        with pytest.raises(OSError, match="Input/output"):
            port.write(b"x")
        port.abort()
        port.abort()
        assert port.fileno() == -1
        assert port.unsent() == 0


def test_abort_forgets_what_a_stopped_printer_has_not_taken(
    at_printer: Callable[[str], Port], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else close waits up to 30 s for it (closing_wait). A pty's driver queues nothing, so the order is looked at."""
    calls: list[tuple[int, object]] = []
    real = serial.ioctl

    def ioctl(fd: int, request: int, argument: int | bytes) -> int | bytes:
        calls.append((request, argument))
        return real(fd, request, argument)

    port = at_printer("none")
    monkeypatch.setattr(serial, "ioctl", ioctl)
    port.abort()
    assert calls == [(termios.TCFLSH, termios.TCOFLUSH)]
    assert port.fileno() == -1


def test_a_till_that_was_unplugged_is_opened_again_on_the_next_ask(cable: Pty) -> None:
    end = till_end(cable.url("none"))
    end.open()
    assert end.fileno() is None
    port = end.accept()
    assert port is not None
    assert end.accept() is None
    port.close()
    again = end.accept()
    assert again is not None
    assert again.fileno() >= 0
    again.close()
    cable.unplug()
    with pytest.raises(DriverError) as caught:
        end.accept()
    assert caught.value.reason in (Reason.NOT_FOUND, Reason.CANNOT_OPEN)
    end.close()


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    for make in (lambda url: printer_end(url).connect(), lambda url: till_end(url).open()):
        with pytest.raises(DriverError, match="No such file") as caught:
            make(f"serial://{tmp_path}/ttyUSB7?baud=9600&flow=none")
        assert caught.value.reason == Reason.NOT_FOUND


def test_a_file_is_no_serial_port(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    with pytest.raises(DriverError) as caught:
        printer_end(f"serial://{tmp_path}/ttyUSB0?baud=9600&flow=none").connect()
    assert caught.value.reason == Reason.WRONG_DEVICE


def test_two_lines_never_share_a_port(cable: Pty, at_printer: Callable[[str], Port]) -> None:
    first = at_printer("none")
    with pytest.raises(DriverError) as caught:
        printer_end(cable.url("none")).connect()
    assert caught.value.reason == Reason.BUSY
    first.close()
    printer_end(cable.url("none")).connect().close()


def test_a_missing_pyserial_is_named(cable: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(DriverError) as caught:
        printer_end(cable.url("none")).connect()
    assert caught.value.reason == Reason.NO_LIBRARY


def test_an_end_that_is_closed_leaves_no_descriptor(cable: Pty) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        end = till_end(cable.url("none"))
        end.open()
        end.close()
        printer_end(cable.url("none")).connect().close()
    assert len(os.listdir("/proc/self/fd")) == before


# --- A printer that says BUSY by DSR, in reckoned time ------------------------------------------------------------

BYTES_PER_S = 1000
BYTE_NS = 1_000_000


class BusyPrinter:
    """A wire at BYTES_PER_S, and a printer that says BUSY or not. Time goes by when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 50_000_000_000
        self.is_busy = False
        self.adapter = 0.0  # bytes in an adapter's own buffer, which TIOCOUTQ doesn't see
        self.pty = Pty()
        self.sent = b""
        monkeypatch.setattr(serial, "modem_lines", lambda _: 0 if self.is_busy else termios.TIOCM_DSR)
        self.port = PacedPort(self.pty.slave, "printer", termios.TIOCM_DSR, BYTES_PER_S, lambda: self.now_ns)

    def write(self, data: bytes) -> int:
        taken = self.port.write(data)
        assert (taken > 0) <= (not self.is_busy)
        self.sent += data[:taken]
        self.adapter += taken
        return taken

    def pass_time(self, elapsed_ns: int) -> None:
        self.now_ns += elapsed_ns
        self.adapter = max(0.0, self.adapter - elapsed_ns / BYTE_NS)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[BusyPrinter]:
    made = BusyPrinter(monkeypatch)
    yield made
    made.pty.unplug()


def test_nothing_is_written_while_the_printer_is_busy(busy: BusyPrinter) -> None:
    busy.is_busy = True
    assert not busy.port.ready()
    assert busy.write(b"receipt") == 0
    busy.is_busy = False
    assert busy.port.ready()
    assert busy.write(b"receipt") == 7


def test_no_more_is_under_way_than_fits_behind_busy(busy: BusyPrinter) -> None:
    assert busy.port.paced
    assert busy.write(bytes(100)) == IN_FLIGHT_BYTES
    assert not busy.port.ready()
    assert busy.write(b"x") == 0
    busy.pass_time(4 * BYTE_NS)
    assert busy.port.ready()
    assert busy.write(bytes(100)) == 4
    busy.pass_time(1000 * BYTE_NS)
    assert busy.write(bytes(100)) == IN_FLIGHT_BYTES


def test_the_kernels_own_count_is_believed_when_it_is_larger(
    busy: BusyPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SerialPort, "unsent", lambda _: 10)
    assert busy.write(bytes(100)) == IN_FLIGHT_BYTES - 10
    monkeypatch.setattr(SerialPort, "unsent", lambda _: 40)
    busy.pass_time(1000 * BYTE_NS)
    assert not busy.port.ready()
    assert busy.write(b"x") == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 64)),
        st.tuples(st.just("wait_us"), st.integers(1, 40_000)),
        st.tuples(st.just("busy"), st.integers(0, 1)),
    ),
    max_size=60,
)


@given(STEPS)
def test_however_busy_comes_and_goes_16_bytes_at_most_are_on_their_way(steps: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        busy = BusyPrinter(monkeypatch)
        for what, much in steps:
            if what == "write":
                busy.write(bytes(range(much)))
            elif what == "wait_us":
                busy.pass_time(much * 1000)
            else:
                busy.is_busy = bool(much)
            assert busy.adapter <= IN_FLIGHT_BYTES + 1e-6
        got = b""
        while len(got) < len(busy.sent):
            got += busy.pty.sees()
        assert got == busy.sent
        busy.pty.unplug()
