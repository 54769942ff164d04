"""`edgebox devices` and `edgebox gadget`, as a person at a terminal sees them."""

import json
from pathlib import Path

import msgspec
import pytest

from edgebox import commands_devices, commands_gadget, config
from edgebox.appliance import asked
from edgebox.appliance.gadget import Gadget
from edgebox.appliance.identity import kept
from edgebox.appliance.plugged import Plugged, Use
from edgebox.cli import main
from hw_sim.usb_bus import UsbBus, UsbPrinter
from tests.appliance.test_plugged import ID, Machine, epson

FOUND = [
    Plugged(Use.PRINTER, "usblp:///dev/usb/lp0", "EPSON TM-T88V (04b8:0202)", lasting=False, device_id=ID),
    Plugged(Use.CABLE, "serial:///dev/serial/by-path/x", "FT232R (0403:6001)", lasting=True),
]


def test_the_list_says_what_to_write_and_what_may_change() -> None:
    said = commands_devices.listed(FOUND)
    assert said.splitlines() == [
        "Printers:",
        "  usblp:///dev/usb/lp0",
        f"      EPSON TM-T88V (04b8:0202); {ID}",
        "      this name may change at the next start: install systemd/60-edgebox.rules",
        "Serial cables (of a printer, a till or a scanner):",
        "  serial:///dev/serial/by-path/x?baud=…&flow=…",
        "      FT232R (0403:6001)",
    ]
    assert "self-test slip" in commands_devices.listed([])


def test_for_programs_it_is_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_devices, "plugged", lambda: FOUND)
    assert main(["devices", "--json"]) == 0
    (first, _) = json.loads(capsys.readouterr().out)
    assert first == FOUND[0]._asdict()


def test_a_printer_is_asked_who_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    printer = UsbPrinter()
    printer.answer = lambda data: b"\x12\x5fEPSON\x00\x5fTM-T88V\x00" if b"\x1dI\x43" in data else b""
    with UsbBus(printer):
        assert main(["devices", "--ask", "usb://04b8:0202"]) == 0
    said = capsys.readouterr().out
    assert "on-line" in said
    assert "off-line" not in said
    assert "EPSON TM-T88V" in said
    assert bytes(printer.printed) == asked.ASK, "and nothing is printed"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("usb://dead:beef", "no such printer"),
        ("", "is not a URL"),
        ("tcp://127.0.0.1:1", "Connection refused: is it on"),
    ],
)
def test_no_answer_is_said(capsys: pytest.CaptureFixture[str], url: str, said: str) -> None:
    with UsbBus():
        assert main(["devices", "--ask", url]) == 1
    assert said in capsys.readouterr().out


def test_asking_writes_into_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0\n")
    assert main(["devices", "--ask", f"file:{file}"]) == 1
    assert "nothing was written" in capsys.readouterr().out
    assert asked.told_by_printer(f"file:{file}") is None
    assert file.read_text() == "root:x:0:0\n"


# --- The gadget --------------------------------------------------------------------------------------------------


def shop(tmp_path: Path, **gadget: bool) -> config.Config:
    shipped = config.load()
    return msgspec.structs.replace(
        shipped,
        engine=msgspec.structs.replace(shipped.engine, data=str(tmp_path / "data")),
        gadget=msgspec.structs.replace(shipped.gadget, **gadget),
    )


def test_the_identity_is_the_shops_own_printers_and_outlives_it(tmp_path: Path) -> None:
    machine, settings = Machine(tmp_path), shop(tmp_path)
    interface = machine.sys / epson(machine)
    (interface / "ieee1284_id").write_text(ID + "\n")
    first = commands_gadget.identity_of(settings, machine.sys)
    assert (first.vendor, first.product, first.serial, first.device_id) == (0x04B8, 0x0202, "J1", ID)
    other = Machine(tmp_path / "later")
    assert commands_gadget.identity_of(settings, other.sys) == first, "another printer, the same box"


def test_without_a_usb_printer_it_has_one_of_its_own_for_ever(tmp_path: Path) -> None:
    settings = shop(tmp_path)
    first = commands_gadget.identity_of(settings, tmp_path / "sys")
    assert first.serial.startswith("EB")
    assert commands_gadget.identity_of(settings, tmp_path / "sys") == first
    assert kept(Path(settings.engine.data)) == first


@pytest.mark.parametrize("serial", ["", "Ünicode", "x" * 200])
def test_a_printer_whose_names_cannot_be_shown_leaves_the_box_its_own(tmp_path: Path, serial: str) -> None:
    machine = Machine(tmp_path)
    interface = machine.sys / epson(machine)
    (interface.parent / "serial").write_text(serial, "utf-8")
    found = commands_gadget.identity_of(shop(tmp_path), machine.sys)
    assert found.serial.startswith("EB")


def test_with_nothing_asked_for_nothing_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gadget", "up"]) == 0
    assert "asks for nothing" in capsys.readouterr().out


def test_on_a_machine_without_such_a_port_it_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edgebox.toml"
    file.write_text(f'[engine]\ndata = "{tmp_path}/data"\n[gadget]\nprinter = true\n')
    if Gadget().bound_to:
        pytest.fail("this machine is on somebody's USB port")
    assert main(["gadget", "up", "--config", str(file)]) == 2
    assert "is not there" in (said := capsys.readouterr().err) or "can be a device" in said
    assert main(["gadget", "show", "--config", str(file)]) == 1
