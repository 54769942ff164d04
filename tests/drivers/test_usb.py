"""A USB printer by pyusb: its own code on a bus in memory (hw_sim.usb_bus)."""

import errno
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from drivers.base import Port
from drivers.port_status import PortStatus
from drivers.registry import printer_end
from drivers.usb import UsbPort, device_id, printer_interface
from edgebox.errors import DriverError
from hw_sim.usb_bus import UsbBus, UsbPrinter

PATIENCE_S = 5.0


@pytest.fixture
def printer() -> UsbPrinter:
    return UsbPrinter()


@pytest.fixture
def bus(printer: UsbPrinter) -> Iterator[UsbBus]:
    with UsbBus(printer) as made:
        yield made


@pytest.fixture
def port(bus: UsbBus) -> Iterator[UsbPort]:
    made = printer_end("usb://04b8:0202").connect()
    assert isinstance(made, UsbPort)
    yield made
    made.close()


def until(wanted: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < end, what
        time.sleep(0.002)


def send(port: Port, data: bytes) -> None:
    """All of it, as the line does."""
    while data:
        taken = port.write(data)
        data = data[taken:]
        if not taken:
            select.select([], [port], [], PATIENCE_S)


def said(port: Port) -> bytes:
    select.select([port], [], [], PATIENCE_S)
    return port.read(4096) or b""


def test_every_byte_reaches_the_printer_in_order(port: UsbPort, printer: UsbPrinter) -> None:
    data = bytes(range(256)) * 100
    send(port, data)
    until(lambda: not port.unsent(), "all sent")
    assert bytes(printer.printed) == data


def test_replies_come_back_and_the_line_is_woken_for_them(port: UsbPort, printer: UsbPrinter) -> None:
    printer.answer = lambda data: b"\x12" if data.startswith(b"\x10\x04") else b""
    assert port.read(10) is None
    send(port, b"\x10\x04\x01")
    assert said(port) == b"\x12"


def test_the_printer_is_neither_reset_nor_configured_anew(port: UsbPort, printer: UsbPrinter) -> None:
    assert printer.configured == 0
    assert printer.claimed == {0}
    assert not printer.has_kernel_driver


def test_without_paper_little_is_on_its_way_and_nothing_is_lost_or_sent_twice(
    port: UsbPort, printer: UsbPrinter
) -> None:
    printer.set_room(700)  # in the middle of a transfer
    printer.status = int(PortStatus.SELECTED | PortStatus.PAPER_EMPTY)
    data = bytes(range(250)) * 40
    taken = 0
    while select.select([], [port], [], 0.2)[1]:
        taken += port.write(data[taken:])
    assert bytes(printer.printed) == data[:700]
    assert taken < 8192
    until(lambda: port.unsent() == taken - 700, "counted when the transfer's patience is over")
    until(lambda: port.port_status() == printer.status, "the port says why")
    printer.set_room(None)
    send(port, data[taken:])
    until(lambda: not port.unsent(), "all sent")
    assert bytes(printer.printed) == data
    assert port.port_status() is None


@pytest.mark.parametrize("is_writing", [True, False])
def test_unplugged_the_port_fails_at_once_and_the_next_one_works(
    bus: UsbBus, printer: UsbPrinter, port: UsbPort, *, is_writing: bool
) -> None:
    if is_writing:
        printer.set_room(0)
        send(port, b"receipt")
    printer.unplug()
    with pytest.raises(OSError, match="No such device") as fault:
        said(port)
    assert fault.value.errno == errno.ENODEV
    port.close()
    with pytest.raises(DriverError) as absent:
        printer_end("usb://04b8:0202").connect()
    assert absent.value.reason == "not_found"
    printer.plug()
    printer.set_room(None)
    printer.printed.clear()
    again = printer_end("usb://04b8:0202").connect()
    send(again, b"again")
    until(lambda: bytes(printer.printed) == b"again", "printed")
    again.close()


def test_watched_the_port_says_how_the_printer_is_while_nothing_is_printed(port: UsbPort, printer: UsbPrinter) -> None:
    assert port.port_status() is None
    port.watch_status()
    port.watch_status()
    until(lambda: port.port_status() == PortStatus.SELECTED | PortStatus.NOT_ERROR, "well")
    send(port, b"receipt")
    until(lambda: printer.printed == b"receipt", "printed")
    assert port.port_status() is not None, "what was heard stays"
    printer.status = int(PortStatus.PAPER_EMPTY)
    until(lambda: port.port_status() == PortStatus.PAPER_EMPTY, "no paper")
    printer.unplug()
    until(lambda: not printer.claimed, "let go")
    port.watch_status()
    assert sum(thread.name.startswith("usb-") for thread in threading.enumerate()) <= 3


def test_let_go_the_interface_is_free_for_the_next_line(port: UsbPort, printer: UsbPrinter) -> None:
    port.close()
    port.close()
    until(lambda: not printer.claimed, "released")
    assert port.unsent() == 0


def test_a_printer_that_another_program_holds_is_busy(bus: UsbBus, port: UsbPort) -> None:
    with pytest.raises(DriverError) as fault:
        printer_end("usb://04b8:0202").connect()
    assert fault.value.reason == "busy"


def test_a_printer_that_cannot_speak_prints(printer: UsbPrinter) -> None:
    printer.protocol = 1
    with UsbBus(printer):
        port = printer_end("usb://04b8:0202").connect()
        send(port, b"receipt")
        until(lambda: bytes(printer.printed) == b"receipt", "printed")
        assert port.read(10) is None
        port.close()


def test_of_two_alike_the_serial_number_chooses(printer: UsbPrinter) -> None:
    other = UsbPrinter(serial="J2")
    with UsbBus(printer, other):
        with pytest.raises(DriverError, match="2 such printers"):
            printer_end("usb://04b8:0202").connect()
        port = printer_end("usb://04b8:0202/J2").connect()
        send(port, b"x")
        until(lambda: other.printed, "printed")
        port.close()
    assert not printer.printed


def test_a_printer_that_will_not_say_its_serial_number_is_a_fault_and_not_the_lines_end(printer: UsbPrinter) -> None:
    """As while it is being unplugged, or before udev has set its rights: pyusb says ValueError."""
    printer.says_who_it_is = False
    with UsbBus(printer):
        with pytest.raises(DriverError) as fault:
            printer_end("usb://04b8:0202/J1").connect()
        assert fault.value.reason == "not_allowed"
        printer.says_who_it_is = True
        printer_end("usb://04b8:0202/J1").connect().close()


def test_the_device_tells_what_it_is(bus: UsbBus, printer: UsbPrinter) -> None:
    import usb.core

    device = usb.core.find(idVendor=0x04B8)
    device.detach_kernel_driver(0)
    ends = printer_interface(device)
    assert ends is not None
    assert device_id(device, ends) == "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"
    printer.id_text = b""
    assert device_id(device, ends) == ""


@pytest.mark.parametrize("url", ["usb:", "usb://04b8", "usb://4b8:202", "usb://04b8:02g2", "usb://04b8:0202?x=1"])
def test_a_url_that_names_no_printer_is_refused(url: str) -> None:
    with pytest.raises(DriverError):
        printer_end(url)
