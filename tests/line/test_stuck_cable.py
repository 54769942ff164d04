"""A serial printer that has stopped us: closing its port would take half a minute, so the line lets it go at once."""

from __future__ import annotations

import errno
import os

import pytest

from drivers.registry import till_end
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.core import LineCore
from edgebox.line.poll import Poll
from edgebox.line.printerside import PrinterSide
from edgebox.line.relay import Relay
from edgebox.line.settings import LineSettings


class Cable:
    """A serial port and its end. `queued` bytes don't go out; with them `close` would wait."""

    url = "serial:///dev/ttyS9?baud=9600&flow=rtscts"
    bytes_per_s = 960
    peer = "/dev/ttyS9"
    paced = False

    def __init__(self, queued: int) -> None:
        self.queued = queued
        self.how = ""
        self._fd = os.eventfd(0)
        self.fault: OSError | None = None

    def connect(self) -> Cable:
        return self

    def connected(self, port: object) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd if not self.how else -1

    def read(self, limit: int) -> bytes | None:
        return None

    def write(self, data: bytes) -> int:
        if self.fault:
            raise self.fault
        return len(data)

    def unsent(self) -> int:
        if self.fault:
            raise self.fault
        return self.queued

    def close(self) -> None:
        self.how = self.how or "close"
        os.close(self._fd)

    def abort(self) -> None:
        self.how = "abort"
        os.close(self._fd)


def connected(cable: Cable) -> tuple[PrinterSide, LineCore]:
    core = LineCore(PrinterProfile(), LineSettings(), b"session1")
    side = PrinterSide(core, cable, Poll(), lambda text: None)  # type: ignore[arg-type]
    side.mind(True)
    side._on_dialling(0)
    assert side.up
    return side, core


@pytest.mark.parametrize(("queued", "how"), [(300, "abort"), (0, "close")])
def test_the_lines_end_waits_for_no_printer_without_paper(queued: int, how: str) -> None:
    cable = Cable(queued)
    side, _ = connected(cable)
    side.close()
    assert cable.how == how


def test_a_fault_in_a_receipt_lets_go_without_waiting() -> None:
    cable = Cable(300)
    side, core = connected(cable)
    cable.fault = OSError(errno.EIO, "unplugged")
    core.outbox.push(b"TOTAL 5.00\n")
    side.write()
    assert (cable.how, side.up) == ("abort", False)


def test_the_lines_end_lets_a_cable_carry_what_it_took_and_waits_no_longer_when_asked_twice() -> None:
    cable = Cable(300)
    core = LineCore(PrinterProfile(), LineSettings(), b"session1")
    relay = Relay(core, till_end("pty:"), cable, "", lambda text: None)  # type: ignore[arg-type]
    relay._printer.mind(True)
    relay._printer._on_dialling(0)
    relay.stop(3.0)
    asked = relay._stop_at
    assert not relay._finished()
    assert relay._next_wake() <= relay.now + 0.01
    cable.queued = 0
    assert relay._finished()
    relay.stop(3.0)
    assert relay._stop_at == asked
    cable.fault = OSError(errno.EIO, "unplugged")
    assert relay._finished(), "an unplugged cable carries nothing"
