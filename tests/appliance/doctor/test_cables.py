"""The doctor looks at a serial port beside the line that has it: on hw_sim.ttysim's, in programs of their own."""

import shutil
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw_sim.ttysim import Line, ModemTty
from tests.drivers.program import Program

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[ModemTty]:
    made = ModemTty(tmp_path)
    yield made
    made.close()


@pytest.fixture
def doctor(port: ModemTty) -> Iterator[Program]:
    with Program(port.environment()) as made:
        made.ask("from pathlib import Path")
        made.ask("from edgebox.appliance.doctor.cables import seen")
        yield made


def look(doctor: Program, port: ModemTty) -> tuple[str, int, tuple[int, ...]]:
    """Flow control as set, lines, counts."""
    doctor.ask(f"cable = seen(Path({port.path!r}))")
    found = doctor.ask("(cable.flow.value, cable.lines, tuple(cable.counts))")
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(("flow", "is_set"), [("none", "none"), ("dsrdtr", "none"), ("xonxoff", "xonxoff")])
def test_it_is_seen_as_the_line_has_set_it_and_nothing_changes(
    doctor: Program, port: ModemTty, flow: str, is_set: str
) -> None:
    with Program(port.environment()) as line:
        line.ask(f"end = printer_end('serial://{port.path}?baud=9600&flow={flow}')")
        assert line.ask("port = end.connect()") is None
        before = port.flags, port.driven
        port.show(Line.DSR)
        port.spoil(overruns=2, frames=5)
        found, lines, counts = look(doctor, port)
        assert found == is_set
        assert Line(lines) & (Line.CTS | Line.DSR) == Line.DSR
        assert counts[4:6] == (5, 2), "broken, lost"
        assert (port.flags, port.driven) == before
        assert not port.dropped
        line.ask("send(port, b'receipt')")
        assert port.take(100) == b"receipt"


def test_rts_cts_is_seen_too(doctor: Program, port: ModemTty) -> None:
    with Program(port.environment()) as line:
        line.ask(f"end = printer_end('serial://{port.path}?baud=9600&flow=rtscts')")
        assert line.ask("port = end.connect()") is None
        assert look(doctor, port)[0] == "rtscts"


def test_a_port_that_nobody_has_keeps_its_lines_when_the_doctor_leaves(doctor: Program, port: ModemTty) -> None:
    """HUPCL would drop DTR, and an Epson with DIP switch 2-7 on resets."""
    assert port.flags[1] & termios.HUPCL
    look(doctor, port)
    assert not port.flags[1] & termios.HUPCL
    assert port.driven == Line.DTR | Line.RTS


def test_a_port_that_is_not_there_is_none(doctor: Program, tmp_path: Path) -> None:
    assert doctor.ask(f"seen(Path({str(tmp_path / 'none')!r}))") is None
    (tmp_path / "file").touch()
    assert doctor.ask(f"seen(Path({str(tmp_path / 'file')!r}))") is None
