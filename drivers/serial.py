"""`serial:///dev/ttyUSB0?baud=38400&flow=dsrdtr`: a serial cable, at either end.

Owns: opening and configuring the port (by pyserial, loaded here and only then), and making both sides' "wait" count.
Never: pyserial's read and write for print data: its write hides how much was taken, and a retry prints twice.

`baud` and `flow` have no defaults: a wrong guess prints rubbish or loses bytes. `parity=none|even|odd`, `bits=8|7`,
`stop=1|2`.

| flow | printer end: the printer makes us wait by | till end: we make the till wait by |
|---|---|---|
| `dsrdtr` | its DTR, our DSR; Linux has no such flow control, so it is done here (see PacedPort) | dropping DTR, RTS |
| `rtscts` | its RTS, our CTS; the kernel stops the UART, and we stop filling the kernel | dropping RTS, DTR |
| `xonxoff` | XOFF; the kernel stops | sending XOFF; the kernel does too when its own buffer fills |
| `none` | nothing | nothing |

Both lines drop together because Epson's printers do so: "RTS: equivalent to DTR signal" (TM-T20 Technical Reference,
Functions of each connector pin), and a till watches one or the other.
xonxoff, printer end: the kernel eats 0x11 and 0x13 from what the printer says. Epson's replies never hold them
(`0xx1xx10`, `0xx1xx00`, `0xx0xxxx`, ASCII); others' may. It never adds them to print data (IXOFF is off). Till end:
print data may hold both, so nothing is eaten (IXON is off), and our XOFF may fall into a reply, as a printer's does.
Replies to the till never wait for its DSR: they are a few bytes, and a till that doesn't wire it would hear none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import termios
import time
from collections.abc import Callable
from enum import StrEnum
from fcntl import ioctl

from drivers.base import Port, Reason, Url, cannot_open

BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)

# With its 45-byte buffer a TM-T88III says BUSY when 16 bytes are left (with 4 KB: 128): what is on its way then must
# fit. [TM-T88III manual]
IN_FLIGHT_BYTES = 16
# The kernel calls a tty writable below 256 queued bytes (WAKEUP_CHARS, include/linux/tty.h). Filling it to twice that
# keeps the wire busy, and a drawer kick 0.5 s behind the till's own at 9600 baud, instead of the 4 s of a full page.
QUEUED_BYTES = 512
QUEUED_S = 0.02  # fast wires: at least this long a queue, the line's turn on a busy machine

LINES_UP = termios.TIOCM_DTR | termios.TIOCM_RTS
_WRITABLE_BYTES = 256  # WAKEUP_CHARS: at or above it epoll is silent, and so are we
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV)


class Flow(StrEnum):
    """How one side makes the other wait."""

    NONE = "none"
    RTSCTS = "rtscts"
    DSRDTR = "dsrdtr"
    XONXOFF = "xonxoff"


class SerialPort:
    """An open serial port whose waiting, if any, is the kernel's work."""

    def __init__(self, fd: int, peer: str, queue_bytes: int = QUEUED_BYTES) -> None:
        self.peer = peer
        self.paced = False
        self._fd = fd
        self._queue_bytes = queue_bytes

    def fileno(self) -> int:
        return self._fd

    def read(self, limit: int) -> bytes | None:
        try:
            data = os.read(self._fd, limit)
        except BlockingIOError:
            return None
        if not data:  # VMIN is 1, so nothing at all means that the tty hung up
            raise OSError(errno.EIO, "the serial port was unplugged")
        return data

    def write(self, data: bytes | memoryview) -> int:
        queued = self.unsent()
        if queued >= _WRITABLE_BYTES:
            return 0
        try:
            return os.write(self._fd, data[: self._queue_bytes - queued])
        except BlockingIOError:
            return 0

    def finish_writing(self) -> None:
        """A cable has no end of data."""

    def close(self) -> None:
        """May wait: Linux gives queued bytes up to 30 s (closing_wait), so ask `unsent` first, or `abort`."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def abort(self) -> None:
        """Forget what is queued: a printer that has stopped us would hold up `close`."""
        if self._fd >= 0:
            try:
                ioctl(self._fd, termios.TCFLSH, termios.TCOFLUSH)
            except OSError as fault:
                if fault.errno not in _GONE:
                    raise
            finally:
                self.close()

    def set_busy(self, busy: bool) -> None:
        """Nothing: only a till is told to wait."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        if self._fd < 0:
            return 0
        size: int = struct.unpack("i", ioctl(self._fd, termios.TIOCOUTQ, bytes(4)))[0]
        return size


class ModemPort(SerialPort):
    """A printer's port with the kernel's RTS/CTS: it stops the wire, and we stop filling the kernel."""

    def __init__(self, fd: int, peer: str, queue_bytes: int, line: int) -> None:
        super().__init__(fd, peer, queue_bytes)
        self.paced = True
        self._line = line

    def ready(self) -> bool:
        return bool(modem_lines(self._fd) & self._line)

    def write(self, data: bytes | memoryview) -> int:
        return super().write(data) if ModemPort.ready(self) else 0


class PacedPort(ModemPort):
    """A printer's port whose BUSY nobody watches but us: never more under way than fits behind it.

    What has not yet gone over the wire is reckoned from the speed, since a UART's and an adapter's own buffers (16 to
    512 bytes) can't be asked; the kernel's count is believed where it is larger.
    """

    def __init__(
        self, fd: int, peer: str, line: int, bytes_per_s: int, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        super().__init__(fd, peer, QUEUED_BYTES, line)
        self._byte_ns = 1_000_000_000 // bytes_per_s
        self._clock_ns = clock_ns
        self._idle_at_ns = clock_ns()  # when the last byte will have gone

    def ready(self) -> bool:
        return self._room() > 0 and super().ready()

    def write(self, data: bytes | memoryview) -> int:
        room = self._room()
        if room <= 0:
            return 0
        taken = super().write(data[:room])
        self._idle_at_ns = max(self._clock_ns(), self._idle_at_ns) + taken * self._byte_ns
        return taken

    def _room(self) -> int:
        reckoned = -((self._clock_ns() - self._idle_at_ns) // self._byte_ns)  # rounded up
        return IN_FLIGHT_BYTES - max(reckoned, self.unsent(), 0)


class TillPort(SerialPort):
    """A till's cable into the box, which poses as the printer."""

    def __init__(self, fd: int, peer: str, queue_bytes: int, flow: Flow) -> None:
        super().__init__(fd, peer, queue_bytes)
        self._flow = flow
        self._busy = False

    def set_busy(self, busy: bool) -> None:
        """Only a change costs: an FTDI adapter takes 1 ms for it, and the line says so at every turn.

        The kernel raises RTS by itself when a full buffer of its own is read empty: whoever is busy doesn't read.
        """
        if busy == self._busy:
            return
        if self._flow in (Flow.RTSCTS, Flow.DSRDTR):
            ioctl(self._fd, termios.TIOCMBIC if busy else termios.TIOCMBIS, struct.pack("I", LINES_UP))
        elif self._flow is Flow.XONXOFF:
            ioctl(self._fd, termios.TCXONC, termios.TCIOFF if busy else termios.TCION)
        self._busy = busy


def modem_lines(fd: int) -> int:
    """TIOCM_ bits: ours and the other side's. OSError when unplugged, or when the tty has no lines."""
    lines: int = struct.unpack("I", ioctl(fd, termios.TIOCMGET, bytes(4)))[0]
    return lines


def has_modem_lines(fd: int) -> bool:
    """False for a pty and for adapters with two wires: they are always ready."""
    try:
        modem_lines(fd)
    except OSError as fault:
        if fault.errno in (errno.ENOTTY, errno.EINVAL):
            return False
        raise
    return True


def kernel_watches_cts(fd: int) -> bool:
    """Whether the tty's driver took CRTSCTS: one that can't do it takes the flag out again (tty_set_termios)."""
    return bool(termios.tcgetattr(fd)[2] & termios.CRTSCTS)


class _Cable:
    """What the URL says of the cable, and how it is opened. Both ends share it."""

    def __init__(self, url: Url) -> None:
        url.takes("baud", "flow", "parity", "bits", "stop")
        example = "write serial:///dev/ttyUSB0?baud=38400&flow=dsrdtr"
        if url.host:
            raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", f"three slashes: {example}")
        if url.path in ("", "/"):
            raise url.fault(Reason.MISSING_PATH, "the device is missing", example)
        self.url = url
        self.baud = int(url.choice("baud", [str(baud) for baud in BAUDS]))
        self.flow = Flow(url.choice("flow", [flow.value for flow in Flow]))
        self.parity = url.choice("parity", ("none", "even", "odd"), "none")
        self.bits = int(url.choice("bits", ("8", "7"), "8"))
        self.stop = int(url.choice("stop", ("1", "2"), "1"))
        self.bytes_per_s = self.baud // (1 + self.bits + (self.parity != "none") + self.stop)
        self.queue_bytes = max(QUEUED_BYTES, int(self.bytes_per_s * QUEUED_S))

    def open(self, input_flow: int, output_flow: int) -> int:
        """A descriptor of the configured port; DriverError. The flags: IXOFF and IXON where flow is xonxoff."""
        try:
            fd = self._opened()
            try:
                self._make_raw(fd, input_flow | output_flow if self.flow is Flow.XONXOFF else 0)
            except BaseException:
                os.close(fd)
                raise
        except (OSError, termios.error) as fault:
            code = _code(fault)
            raise cannot_open(self.url, OSError(code, os.strerror(code) if code else str(fault))) from fault
        return fd

    def _opened(self) -> int:
        try:
            import serial
        except ImportError as fault:
            raise self.url.fault(Reason.NO_LIBRARY, "pyserial is not installed", "run make setup") from fault

        class Quiet(serial.Serial):
            def _reset_input_buffer(self) -> None:
                """pyserial throws away what has come in. A till may be printing already when the line restarts."""

        # DTR and RTS stay up from the kernel's open on, so nothing pulses: an Epson with DIP switch 2-7 on resets at
        # 1 ms of DSR low. exclusive: two lines on one port would mix their receipts.
        device = Quiet(
            baudrate=self.baud, bytesize=self.bits, parity=self.parity[0].upper(), stopbits=self.stop,
            rtscts=self.flow is Flow.RTSCTS, timeout=0, write_timeout=0, exclusive=True,
        )  # fmt: skip
        device.port = self.url.path
        device.dtr = device.rts = True
        device.open()
        try:
            with contextlib.suppress(ValueError):  # a tty without that setting (pty) waits for nothing anyway
                device.set_low_latency_mode(True)  # an FTDI adapter sits on short reads for 16 ms otherwise
            return os.dup(device.fileno())  # so that only one descriptor stays, without pyserial's four pipe ends
        finally:
            device.close()

    def _make_raw(self, fd: int, software_flow: int) -> None:
        """What pyserial leaves open. HUPCL: our next restart must not drop the lines. IGNBRK: a loose cable's BREAK
        must not flush the queues (BRKINT) or print NUL. VMIN 1: tells "nothing now" from "hung up"."""
        iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(fd)
        iflag = termios.IGNBRK | software_flow
        cflag &= ~termios.HUPCL
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        termios.tcsetattr(fd, termios.TCSANOW, [iflag, oflag, cflag, lflag, ispeed, ospeed, cc])


def _code(fault: OSError | termios.error) -> int:
    """errno; pyserial hides some in the exception that it was handling."""
    inner = fault if isinstance(fault, termios.error) else fault.__context__
    if isinstance(inner, termios.error):
        return int(inner.args[0])
    return fault.errno or 0 if isinstance(fault, OSError) else 0


class SerialTill:
    """A till's serial cable into the box."""

    refused = 0

    def __init__(self, url: Url) -> None:
        self.url = url.text
        self._cable = _Cable(url)
        self._waiting: TillPort | None = None
        self._port: TillPort | None = None

    def open(self) -> None:
        cable = self._cable
        fd = cable.open(input_flow=termios.IXOFF, output_flow=0)
        flow = cable.flow
        if flow in (Flow.RTSCTS, Flow.DSRDTR) and not has_modem_lines(fd):
            flow = Flow.NONE
        self._waiting = self._port = TillPort(fd, cable.url.path, cable.queue_bytes, flow)

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        if self._port is not None and self._port.fileno() < 0:
            self.open()
        port, self._waiting = self._waiting, None
        return port

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
        self._waiting = self._port = None


class SerialPrinter:
    """A printer on a serial cable."""

    def __init__(self, url: Url) -> None:
        self.url = url.text
        self._cable = _Cable(url)
        self.bytes_per_s = self._cable.bytes_per_s

    def connect(self) -> Port:
        cable = self._cable
        fd = cable.open(input_flow=0, output_flow=termios.IXON)
        peer = cable.url.path
        if cable.flow not in (Flow.RTSCTS, Flow.DSRDTR) or not has_modem_lines(fd):
            return SerialPort(fd, peer, cable.queue_bytes)
        if cable.flow is Flow.RTSCTS and kernel_watches_cts(fd):
            return ModemPort(fd, peer, cable.queue_bytes, termios.TIOCM_CTS)
        line = termios.TIOCM_CTS if cable.flow is Flow.RTSCTS else termios.TIOCM_DSR
        return PacedPort(fd, peer, line, cable.bytes_per_s)

    def connected(self, port: Port) -> bool:
        return port.fileno() >= 0
