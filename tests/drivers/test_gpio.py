"""A pin of a GPIO chip: the driver's real ioctls, in a program of its own on hw_sim.gpiosim's chip."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.bypass_relay import STARTS, BypassRelay
from drivers.gpio import GET_INFO, GET_LINE, SET_VALUES, Pin
from edgebox.errors import DriverError
from hw_sim.gpiosim import GpioChip
from tests.drivers.program import Program

needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[GpioChip]:
    folder = tmp_path / "dev"
    folder.mkdir()
    made = GpioChip(folder)
    yield made
    made.close()


@pytest.fixture
def program(chip: GpioChip) -> Iterator[Program]:
    with Program(chip.environment()) as made:
        made.ask("from drivers.gpio import Pin")
        made.ask("from pathlib import Path")
        yield made


def asked(program: Program, chip: GpioChip, name: str) -> object:
    program.ask(f"pin = Pin({name!r}, Path({str(Path(chip.path).parent)!r}))")
    return program.ask("pin.open()")


@needs_compiler
@pytest.mark.parametrize("name", ["gpiochip0:17", "pinctrl-sim:17"])
def test_the_pin_that_was_named_turns_and_is_let_go(program: Program, chip: GpioChip, name: str) -> None:
    assert asked(program, chip, name) is None
    assert (chip.pin, chip.level, chip.is_held) == (17, 0, True)
    for level in (1, 0, 1):
        program.ask("pin.turn()")
        assert chip.level == level
    assert chip.edges == 3
    program.ask("pin.close()")
    assert not chip.is_held


@needs_compiler
@pytest.mark.parametrize(
    ("name", "reason"),
    [("gpiochip7:1", "not_found"), ("no-such-label:1", "not_found"), ("gpiochip0:28", "wrong_device")],
)
def test_a_pin_that_is_not_there_is_named(program: Program, chip: GpioChip, name: str, reason: str) -> None:
    assert asked(program, chip, name) == ("DriverError", reason)


@needs_compiler
def test_a_pin_that_another_program_has_is_busy(program: Program, chip: GpioChip) -> None:
    chip.hold(os.getpid())
    assert asked(program, chip, "gpiochip0:17") == ("DriverError", "busy")


@needs_compiler
def test_a_chip_that_is_pulled_is_an_error(program: Program, chip: GpioChip) -> None:
    assert asked(program, chip, "gpiochip0:17") is None
    chip.unplug()
    assert program.ask("pin.turn()") == ("OSError", errno.ENODEV)


@pytest.mark.parametrize("text", ["", "gpiochip0", ":17", "gpiochip0:", "gpiochip0:x", "gpiochip0:-1"])
def test_a_text_that_names_no_pin_is_refused(text: str) -> None:
    with pytest.raises(DriverError, match="names no pin") as refused:
        Pin(text)
    assert "gpiochip0:17" in refused.value.hint


def test_the_kernels_structures_are_as_long_as_its_header_says() -> None:
    """_IOC_SIZE of the three words, by include/uapi/linux/gpio.h."""
    assert [hex(word) for word in (GET_INFO, GET_LINE, SET_VALUES)] == ["0x8044b401", "0xc250b407", "0xc010b40f"]


# --- What is remembered of it --------------------------------------------------------------------------------------


class TestPin(Pin):
    __test__ = False
    fault: OSError | None = None
    turns = 0

    def __init__(self) -> None:
        super().__init__("gpiochip0:1")

    def open(self) -> None:
        pass

    def turn(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.turns += 1


def test_the_next_process_knows_when_the_relay_beat_last(tmp_path: Path) -> None:
    told: list[str] = []
    first = BypassRelay(TestPin(), tmp_path, "till-1", told.append)
    assert first.started(10.0) == (0.0, [10.0])
    assert first.edge(11.0)
    assert first.edge(12.5)
    assert BypassRelay(TestPin(), tmp_path, "till-1", told.append).started(13.0) == (12.5, [10.0, 13.0])
    assert BypassRelay(TestPin(), tmp_path, "till-2", told.append).started(13.0) == (0.0, [13.0])
    for at in range(20):
        last, starts = BypassRelay(TestPin(), tmp_path, "till-1", told.append).started(20.0 + at)
    assert (last, len(starts), starts[-1]) == (12.5, STARTS, 39.0)
    assert not told


def test_without_a_folder_each_start_is_a_first_one_and_that_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    for folder in (tmp_path / "none", tmp_path / "none"):
        contact = BypassRelay(TestPin(), folder, "till-1", told.append)
        assert contact.started(10.0) == (0.0, [10.0])
        assert contact.edge(11.0)
    assert "after a crash it will fall back" in told[0]


def test_a_pin_that_cannot_be_had_is_said_once_and_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    pin = TestPin()
    contact = BypassRelay(pin, None, "till-1", told.append)
    pin.fault = OSError(errno.ENODEV, "No such device")
    assert [contact.edge(at) for at in (1.0, 1.1, 2.1, 3.2)] == [False] * 4
    assert len(told) == 1
    assert "joined past the box" in told[0]
    pin.fault = None
    assert not contact.edge(3.3), "not asked each turn"
    assert contact.edge(4.3)
    pin.fault = OSError(errno.ENODEV, "No such device")
    assert not contact.edge(5.0)
    assert len(told) == 2, "news again"
