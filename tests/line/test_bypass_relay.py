"""The real line beside a simulated relay: whatever happens to the box, the till's paper comes out, and once."""

import os
import shutil
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.line.bridge import FALLS_S
from edgebox.line.frames import Job, Pong, WhoIs, encode
from hw_sim.gpiosim import GpioChip
from hw_sim.joined_wire import JoinedWire
from tests.line.box import Engine, Line, until

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)
RECEIPT = b"\x1b@SHOP\nTOTAL 12.00\nCASH 12.00\n\x1bd\x04\x1dV\x00"
OTHER = RECEIPT.replace(b"12.00", b"77.00")


class Shop(NamedTuple):
    chip: GpioChip
    wire: JoinedWire
    run: Path

    def line(self, *more: str, was_in: bool = False) -> Line:
        """`was_in`: a line before this one was in the wire until now."""
        if was_in:
            (self.run / "line1.relay").write_bytes(struct.pack("d", time.monotonic()).ljust(72, b"\0"))
        ends = (f"serial://{path}?baud=38400&flow=none" for path in (self.wire.till, self.wire.printer))
        env = self.chip.environment({**os.environ, "RUNTIME_DIRECTORY": str(self.run)})
        return Line(*ends, "--set", f"relay={self.chip.path}:17", *more, env=env)

    def prints(self, data: bytes = RECEIPT) -> None:
        self.wire.send(data)
        until(lambda: self.wire.paper.endswith(data), f"the paper has {bytes(self.wire.paper)!r}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    for name in ("dev", "run"):
        (tmp_path / name).mkdir()
    chip = GpioChip(tmp_path / "dev")
    wire = JoinedWire(chip)
    yield Shop(chip, wire, tmp_path / "run")
    wire.close()
    chip.close()


def test_the_box_comes_in_between_receipts_and_goes_out_when_it_is_stopped(shop: Shop) -> None:
    """And what was printed past it is not printed again."""
    shop.prints()
    with shop.line() as line:
        shop.wire.send(OTHER)
        until(lambda: shop.wire.is_in, "the relay pulls in")
        until(lambda: any("in the wire" in text for text in line.log), "and the line says so")
        assert shop.wire.paper == RECEIPT + OTHER
        assert not shop.wire.unspoken
        shop.prints()
        shop.wire.answer(b"\x16")
        until(lambda: shop.wire.heard.endswith(b"\x16"), "the till hears the printer through the box")
        assert line.rss_kib < 16 * 1024
        before = line.cpu_s, shop.chip.edges
        until(lambda: shop.chip.edges >= before[1] + 3, "it beats while nothing is printed")
        assert line.cpu_s - before[0] <= 0.05
        assert line.terminate() == 0
        assert not shop.wire.is_in, "it stays until the relay has let go"
    shop.prints(OTHER)
    assert bytes(shop.wire.paper) == RECEIPT + OTHER + RECEIPT + OTHER
    assert not shop.wire.unspoken


def test_a_line_that_hangs_leaves_till_and_printer_joined_and_prints_nothing_twice_when_it_goes_on(shop: Shop) -> None:
    with shop.line(was_in=True) as line:
        until(lambda: shop.wire.is_in, "in")
        shop.prints()
        os.kill(line.pid, signal.SIGSTOP)
        until(lambda: not shop.wire.is_in, "out", FALLS_S + 1.0)
        shop.wire.send(OTHER)
        until(lambda: shop.wire.paper.endswith(OTHER), "printed past the box")
        until(lambda: time.monotonic() > shop.chip.edge_at + FALLS_S, "surely out")
        os.kill(line.pid, signal.SIGCONT)  # what it finds in its cable's buffer is on paper
        until(lambda: any("out of the wire" in text for text in line.log), "it sees that it was away")
        assert not shop.wire.is_in
    assert bytes(shop.wire.paper) == RECEIPT + OTHER


def test_a_line_that_is_killed_in_a_receipt_and_started_at_once_goes_on_in_the_wire(shop: Shop) -> None:
    half = len(RECEIPT) // 2
    with shop.line(was_in=True) as line:
        until(lambda: shop.wire.is_in, "in")
        until(lambda: any("in the wire" in text for text in line.log), "and said")
        shop.prints(RECEIPT[:half])
    with shop.line() as line:
        until(lambda: any("in the wire" in text for text in line.log), "at once, without waiting for silence", 0.9)
        assert shop.wire.is_in
        shop.prints(RECEIPT[half:])
    assert bytes(shop.wire.paper) == RECEIPT
    assert not shop.wire.unspoken


def test_a_pin_that_is_lost_takes_the_box_out_of_the_wire(shop: Shop) -> None:
    with shop.line(was_in=True) as line:
        until(lambda: any("in the wire" in text for text in line.log), "in")
        shop.chip.unplug()
        until(lambda: any("out of the wire" in text for text in line.log), "and says so")
        until(lambda: not shop.wire.is_in, "out")
        shop.prints(OTHER)
    assert bytes(shop.wire.paper) == OTHER


def test_a_job_waits_until_somebody_hears_it(shop: Shop, tmp_path: Path) -> None:
    """The printer's cable is open all the time; what goes out on it before the relay pulls in is lost."""
    with Engine(tmp_path / "e") as engine, shop.line("--engine", str(engine.path), "--set", "job_quiet_ms=0") as line:
        until(lambda: engine.connected, "the engine is there")
        engine.send(encode(Job("job-1", b"TICKET\n", True, 0)))
        until(lambda: shop.wire.is_in, "in")
        until(lambda: b"TICKET" in shop.wire.paper, "the ticket")
        assert not shop.wire.unspoken
        engine.send(encode(WhoIs(7, "line1")))
        until(lambda: any(isinstance(frame, Pong) and "in_wire 1\n" in frame.text for frame in engine.frames), "said")
        assert line.rss_kib < 16 * 1024


def test_a_pin_that_means_nothing_ends_the_line_and_the_shop_prints_past_it(shop: Shop) -> None:
    with Line("pty:", "pty:", "--set", "relay=17") as line:
        assert line.wait() == 2
        assert "names no pin" in "".join(line.log)
    shop.prints()
