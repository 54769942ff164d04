"""Files and pseudo terminals in a till's or a printer's place."""

import os
import select
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import Port, Reason
from drivers.pty import PtyPrinter, PtyTill
from drivers.registry import printer_end, till_end
from edgebox.errors import DriverError


def events(port: Port) -> int:
    """What epoll says about the port now."""
    with select.epoll() as poll:
        poll.register(port.fileno(), select.EPOLLIN | select.EPOLLOUT)
        return dict(poll.poll(0)).get(port.fileno(), 0)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(DriverError) as caught:
        call()
    assert caught.value.hint or caught.value.reason == Reason.CANNOT_OPEN
    return caught.value.reason


# --- Files -------------------------------------------------------------------------------------------------------


def test_a_capture_is_read_once_and_then_the_till_has_finished(tmp_path: Path) -> None:
    (tmp_path / "receipt.bin").write_bytes(b"\x1b@TOTAL\n\x1dV\x00")
    end = till_end(f"file:{tmp_path}/receipt.bin")
    end.open()
    assert end.fileno() is None
    port = end.accept()
    assert port is not None
    assert port.peer == f"{tmp_path}/receipt.bin"
    assert events(port) & select.EPOLLIN, "epoll refuses the file itself"
    assert port.read(7) == b"\x1b@TOTAL"[:7]
    assert port.write(b"\x16") == 1, "a reply goes nowhere"
    assert port.read(100) == b"\n\x1dV\x00"
    assert port.read(100) == b""
    assert port.read(100) == b""
    port.close()
    assert end.accept() is None
    assert (tmp_path / "receipt.bin").stat().st_size == 11
    end.close()


def test_a_file_collects_what_a_printer_would_get(tmp_path: Path) -> None:
    (tmp_path / "paper.bin").write_bytes(b"before ")
    end = printer_end(f"file:{tmp_path}/paper.bin")
    port = end.connect()
    assert end.connected(port)
    assert events(port) == select.EPOLLOUT, "always writable, never readable: no loop spins"
    assert port.read(10) is None
    assert port.write(memoryview(b"receipt")) == 7
    assert port.ready()
    assert port.unsent() == 0
    port.finish_writing()
    port.set_busy(True)
    port.abort()
    port.close()
    assert (tmp_path / "paper.bin").read_bytes() == b"before receipt"
    assert not end.connected(port)


def test_a_full_disk_is_an_error_of_the_write() -> None:
    port = printer_end("file:/dev/full").connect()
    with pytest.raises(OSError, match="No space left"):
        port.write(b"receipt")
    port.close()


def test_a_fifo_that_nobody_empties_would_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    end = printer_end(f"file:{tmp_path}/fifo")
    assert reason_of(end.connect) == Reason.NOT_FOUND
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    port = end.connect()
    while port.write(bytes(65536)):
        pass
    assert not events(port) & select.EPOLLOUT
    port.close()
    os.close(reader)


def test_a_fifo_that_nobody_fills_has_nothing_now(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    keep = os.open(tmp_path / "fifo", os.O_RDWR)
    end = till_end(f"file:{tmp_path}/fifo")
    end.open()
    port = end.accept()
    assert port is not None
    assert port.read(10) is None
    os.write(keep, b"x")
    assert port.read(10) == b"x"
    port.close()
    os.close(keep)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    assert reason_of(till_end(f"file:{tmp_path}/none").open) == Reason.NOT_FOUND
    assert reason_of(printer_end(f"file:{tmp_path}").connect) == Reason.WRONG_DEVICE


def test_a_file_end_that_is_closed_leaves_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    before = len(os.listdir("/proc/self/fd"))
    end = till_end(f"file:{tmp_path}/f")
    end.open()
    end.close()
    end.close()
    printer_end(f"file:{tmp_path}/f").connect().close()
    assert len(os.listdir("/proc/self/fd")) == before


# --- Pseudo terminals --------------------------------------------------------------------------------------------


def both(url: str) -> list[tuple[PtyTill | PtyPrinter, Port]]:
    till, printer = till_end(url), printer_end(url)
    assert isinstance(till, PtyTill)
    assert isinstance(printer, PtyPrinter)
    port = till.accept()
    assert port is not None
    connected = printer.connect()
    assert printer.connected(connected)
    return [(till, port), (printer, connected)]


def test_every_byte_passes_a_pty_both_ways() -> None:
    every = bytes(range(256))
    for end, port in both("pty:"):
        other = os.open(end.slave, os.O_RDWR | os.O_NOCTTY)
        assert port.read(10) is None
        assert port.write(memoryview(every)) == 256
        assert select.select([other], [], [], 1)[0], "the kernel moves it over in its own time"
        assert port.unsent() == 256
        assert os.read(other, 1000) == every
        assert port.unsent() == 0
        os.write(other, every)
        assert port.read(1000) == every
        os.close(other)
        assert port.read(10) is None, "the other side may come and go"
        end.close()


def test_a_pty_nobody_reads_would_block_in_the_end() -> None:
    for end, port in both("pty:"):
        refusals = 0
        while refusals < 10:  # the kernel moves bytes on, and has room again, in its own time
            refusals = 0 if port.write(bytes(4096)) else refusals + 1
            select.select([], [], [], 0.002 if refusals else 0)
        assert port.write(b"x") == 0
        other = os.open(end.slave, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(other, termios.TCIFLUSH)
        assert select.select([], [port], [], 1)[1]
        assert port.write(b"x") == 1
        os.close(other)
        end.close()


def test_the_path_stays_over_close_and_the_next_client(tmp_path: Path) -> None:
    link = tmp_path / "till"
    end = till_end(f"pty:{link}")
    assert isinstance(end, PtyTill)
    end.open()
    path = end.slave
    assert link.readlink() == Path(path)
    first = end.accept()
    assert first is not None
    assert end.accept() is None
    first.set_busy(True)
    first.finish_writing()
    assert first.ready()
    assert not first.paced
    first.abort()
    assert first.fileno() == -1
    assert first.unsent() == 0
    second = end.accept()
    assert second is not None
    assert end.slave == path
    with link.open("wb", buffering=0) as other:
        other.write(b"till")
        assert second.read(10) == b"till"
    end.close()
    assert not os.path.lexists(link)


def test_a_link_left_by_a_killed_line_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    link = tmp_path / "till"
    link.symlink_to("/dev/pts/99999")
    first, second = till_end(f"pty:{link}"), till_end(f"pty:{link}")
    first.open()
    second.open()
    assert isinstance(second, PtyTill)
    first.close()
    assert link.readlink() == Path(second.slave), "the first took down only its own"
    second.close()
    link.write_text("somebody's")
    assert reason_of(till_end(f"pty:{link}").open) == Reason.CANNOT_OPEN
    assert link.read_text() == "somebody's"
    assert list(tmp_path.iterdir()) == [link]


def test_a_printer_on_a_pty_is_connected_once() -> None:
    end = printer_end("pty:")
    port = end.connect()
    assert reason_of(end.connect) == Reason.BUSY
    port.close()
    assert end.connect().fileno() >= 0
    assert isinstance(end, PtyPrinter)
    end.close()
