"""What is plugged in, read off a tree like the kernel's /sys."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.registry import printer_end, scanner_end, till_end
from edgebox.appliance.plugged import Plugged, Use, plugged

ID = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"
KEYS = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"  # of a wedge scanner


class Machine:
    """A /sys and a /dev."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.dev = folder / "sys", folder / "dev"
        for path in (self.sys / "bus/usb/devices", self.sys / "class/tty", self.dev):
            path.mkdir(parents=True)

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.sys / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def node(self, name: str, link: str = "") -> None:
        node = self.dev / name
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch()
        if link:
            there = self.dev / link
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(Path(*[".."] * (len(there.relative_to(self.dev).parts) - 1)) / name)

    def usb(self, where: str, **told: str) -> str:
        """A device of the tree, and the link by which the bus lists its interface."""
        device = f"devices/pci0000:00/usb1/{where}"
        for key, text in told.items():
            self.write(f"{device}/{key}", text + "\n")
        interface = f"{device}/{where}:1.0"
        (self.sys / interface).mkdir()
        (self.sys / f"bus/usb/devices/{where}:1.0").symlink_to(self.sys / interface)
        return interface

    def found(self) -> list[Plugged]:
        return plugged(self.sys, self.dev)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def epson(machine: Machine, where: str = "1-2") -> str:
    told = {"idVendor": "04b8", "idProduct": "0202", "manufacturer": "EPSON", "product": "TM-T88V", "serial": "J1"}
    interface = machine.usb(where, **told)
    machine.write(f"{interface}/bInterfaceClass", "07\n")
    return interface


def test_nothing_plugged_in_is_an_empty_list(machine: Machine, tmp_path: Path) -> None:
    assert machine.found() == []
    assert plugged(tmp_path / "no sys", tmp_path / "no dev") == []


def test_a_usb_printer_has_the_name_of_its_socket(machine: Machine) -> None:
    interface = epson(machine)
    machine.write(f"{interface}/ieee1284_id", ID + "\n")
    machine.write(f"{interface}/usbmisc/lp0/dev", "180:0")
    machine.node("usb/lp0", "edgebox/printer-pci-usb-0:2:1.0")
    (found,) = machine.found()
    assert found.use is Use.PRINTER
    assert found.url == f"usblp://{machine.dev}/edgebox/printer-pci-usb-0:2:1.0"
    assert (found.words, found.lasting, found.device_id) == ("EPSON TM-T88V J1 (04b8:0202)", True, ID)
    assert printer_end(found.url).url == found.url


def test_without_our_rules_the_name_may_change_and_that_is_said(machine: Machine) -> None:
    interface = epson(machine)
    machine.write(f"{interface}/usbmisc/lp1/dev", "180:1")
    machine.node("usb/lp1")
    (found,) = machine.found()
    assert (found.url, found.lasting) == (f"usblp://{machine.dev}/usb/lp1", False)


def test_a_printer_that_the_kernel_does_not_take_goes_by_its_numbers(machine: Machine) -> None:
    epson(machine)
    (found,) = machine.found()
    assert (found.url, found.lasting) == ("usb://04b8:0202/J1", True)
    assert printer_end(found.url).url == found.url


def test_serial_cables_are_listed_and_ports_without_a_chip_are_not(machine: Machine) -> None:
    interface = machine.usb("1-3", idVendor="0403", idProduct="6001", product="FT232R")
    machine.write(f"{interface}/ttyUSB0/x", "")
    for name, device, kind in (("ttyUSB0", f"{interface}/ttyUSB0", ""), ("ttyS0", "p/0", "4"), ("ttyS1", "p/1", "0")):
        machine.write(f"class/tty/{name}/type", kind)
        (machine.sys / device).mkdir(parents=True, exist_ok=True)
        (machine.sys / "class/tty" / name / "device").symlink_to(machine.sys / device)
    machine.write("class/tty/ptmx/dev", "5:2")
    machine.node("ttyUSB0", "serial/by-path/pci-usb-0:3:1.0-port0")
    found = {one.url: (one.words, one.lasting) for one in machine.found()}
    assert found == {
        f"serial://{machine.dev}/serial/by-path/pci-usb-0:3:1.0-port0": ("FT232R (0403:6001)", True),
        f"serial://{machine.dev}/ttyS0": ("serial port of the board", True),
    }


def test_scanners_are_told_from_mice_and_power_buttons(machine: Machine) -> None:
    for number, (name, keys) in enumerate((("Honeywell Scanner", KEYS), ("Mouse", "1f0000 0 0 0 0"), ("Power", "0"))):
        machine.write(f"class/input/event{number}/device/name", name + "\n")
        machine.write(f"class/input/event{number}/device/capabilities/key", keys + "\n")
        machine.node(f"input/event{number}")
    for number, descriptor in enumerate((b"\x05\x8c\x09\x02", b"\x05\x01\x09\x06")):
        machine.write(f"class/hidraw/hidraw{number}/device/report_descriptor", descriptor)
        machine.write(f"class/hidraw/hidraw{number}/device/uevent", "DRIVER=hid\nHID_NAME=Zebra DS2208\n")
        machine.node(f"hidraw{number}")
    found = machine.found()
    assert [(one.use, one.words) for one in found] == [
        (Use.SCANNER, "Honeywell Scanner"),
        (Use.SCANNER, "Zebra DS2208"),
    ]
    assert all(scanner_end(one.url).url == one.url for one in found)


def test_the_boxs_own_ports_are_the_tills(machine: Machine) -> None:
    machine.node("g_printer0")
    machine.node("hidg0")
    assert [one.use for one in machine.found()] == [Use.TILL, Use.TILL]
    assert till_end(machine.found()[0].url).url == f"gadget://{machine.dev}/g_printer0"


@given(st.binary(max_size=2000), st.binary(max_size=200))
def test_what_a_strangers_device_says_is_printable_and_short(
    tmp_path_factory: pytest.TempPathFactory, name: bytes, keys: bytes
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    interface = epson(machine)
    machine.write(f"{interface}/ieee1284_id", name)
    machine.write("class/input/event0/device/name", name)
    machine.write("class/input/event0/device/capabilities/key", keys)
    for one in machine.found():
        assert all(letter.isprintable() or letter == "\n" for letter in one.device_id + one.words)
        assert len(one.device_id) <= 1000
