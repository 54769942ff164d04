"""USB with a real kernel at every cable: the till's driver, the box's gadget, the printer's driver and its gadget."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm import figures, usb_shop
from tests.vm.machine import Machine
from tests.vm.snapshot import Snapshot, frozen
from tests.vm.usb_shop import PUT, TILL_PORT, at_work, came, line_log, printer, prints, prints_part, till_status, told

QR = "<qr:HTTPS://M.EXAMPLE.CN/C/"
READY, PAPER_OUT = 0x18, 0x20  # selected and no error; paper empty [USB Printer Class 1.1, 4.2.2]
EOT = b"\x10\x04\x01\x10\x04\x04"  # DLE EOT 1 and 4: is it on-line, is there paper


@pytest.fixture(scope="module")
def usb_snapshot(image: Path, shop_snapshot: Snapshot) -> Snapshot:
    return frozen(image, usb_shop.key(), usb_shop.set_up, shop_snapshot)


@pytest.fixture
def usb(usb_snapshot: Snapshot, tmp_path: Path) -> Iterator[Machine]:
    """A shop on USB, at work."""
    with usb_snapshot.restored(tmp_path) as guest:
        guest.listens(30)
        yield guest


def plug_till(guest: Machine, is_in: bool) -> None:
    """The till's end of its cable, as its hub sees it."""
    guest.sh(f"echo {int(not is_in)} > {TILL_PORT}")


def test_the_till_sees_the_printer_and_every_node_has_its_name_and_group(usb: Machine) -> None:
    it = usb_shop.seen(usb)
    assert (it["idVendor"], it["idProduct"], it["bcdDevice"]) == ("04b8", "0202", "0100")
    assert (it["manufacturer"], it["product"], it["serial"]) == ("EPSON", "TM-T88V", "J5FG000001")
    assert it["device_id"] == "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"
    assert it["interfaces"] == ["02", "03", "07", "0a"], "serial port, keyboard, printer"
    link = usb_shop.PRINTER.removeprefix("usblp://")
    nodes = f"{link} {usb_shop.BOX_NODE} /dev/hidg0 /dev/ttyGS0"
    rights = usb.sh(f"stat -L -c '%U %G %a' {nodes}").splitlines()
    assert rights == ["root lp 660", "root lp 660", "root input 660", "root dialout 660"]
    raw = usb.sh("stat -c '%G %a' /dev/bus/usb/*/002").split()
    assert raw == ["lp", "660"] * 2, "for usb://"
    found = json.loads(usb.sh("edgebox devices --json"))
    assert usb_shop.PRINTER in [one["url"] for one in found]
    user = usb.sh("ps -o user= -p $(systemctl show -P MainPID edgebox-line@line1.service)").strip()
    assert user == "edgebox"


def test_the_kernel_knew_every_class_of_device_when_the_services_began(usb: Machine) -> None:
    """DeviceAllow= is looked up once, then: an adapter plugged in for the first time later would be forbidden."""
    known = {line.split(maxsplit=1)[1] for line in usb.sh("grep '^ *[0-9]' /proc/devices").splitlines()}
    for unit in ("edgebox-line@line1.service", "edgebox-scan@scanner1.service"):
        classes = set(
            re.findall(r'^DeviceAllow="?char-([^"\n]+?)"? rw$', usb.sh(f"systemctl cat {unit}"), re.MULTILINE)
        )
        assert len(classes) >= 8
        assert classes - known - {"ttyAMA"} == set(), f"{unit}; ttyAMA: arm64's own serial ports"
    boot = usb.sh("systemctl show -P ActiveState systemd-modules-load.service").strip()
    assert boot == "active", "from /usr/lib/modules-load.d/edgebox.conf"


def test_a_receipt_goes_till_gadget_line_printer_with_a_slip_before_its_cut(usb: Machine) -> None:
    before = len(told(usb)["tickets"])
    raw = usb_shop.receipt()
    said = prints(usb)
    assert (said["sent"], said["fault"]) == (len(raw), "")
    paper = came(usb, before + 1)[-1]
    assert QR in paper
    assert told(usb)["faults"] == []
    held = usb.sh("journalctl -u edgebox.service -o cat | grep -o 'held [0-9.]* ms' | tail -1").split()[1]
    figures.note("USB: till to gadget to printer, a cut held for its slip", float(held), "ms of the guest's")


def test_a_till_that_asks_gets_the_printers_answers_and_is_told_of_paper_on_the_control_pipe(usb: Machine) -> None:
    usb.put("/root/ask", EOT)
    assert prints(usb, "/root/ask", 1.0)["replies"] == "1612"
    assert till_status(usb) == READY
    printer(usb, "out")
    usb.until(f"[ $(( $(python3 {PUT}/usb_till.py status) & {PAPER_OUT} )) != 0 ]", 20)
    assert prints(usb, "/root/ask", 1.0)["replies"] == "1e7e", "off-line, and no paper: the printer's own words"
    printer(usb, "in")
    at_work(usb, 20)


def test_paper_that_runs_out_in_mid_receipt_costs_nothing_of_it(usb: Machine) -> None:
    usb.put("/root/long", b"".join((usb_shop.receipt(),) * 30))
    before = told(usb)
    printer(usb, "out")
    usb.sh(f"python3 {PUT}/usb_till.py print /root/long > /run/said & echo started")
    time.sleep(2)
    printer(usb, "in")
    papers = came(usb, len(before["tickets"]) + 30, 60)
    assert all("THE COPPER KETTLE" in paper for paper in papers)
    assert told(usb)["faults"] == []


def test_a_printer_unplugged_at_rest_is_told_to_the_till_and_is_back_by_itself(usb: Machine) -> None:
    before = len(told(usb)["tickets"])
    printer(usb, "unplug")
    usb.until(f"[ $(( $(python3 {PUT}/usb_till.py status) & 16 )) = 0 ]", 10)
    printer(usb, "plug")
    began = time.monotonic()
    at_work(usb)
    figures.note("USB: printer plugged in again, ready for the till after", round(time.monotonic() - began, 1), "s")
    prints(usb)
    assert QR in came(usb, before + 1)[-1]


def test_a_printer_unplugged_in_mid_receipt_prints_the_rest_and_the_next_has_its_slip(usb: Machine) -> None:
    raw, before = usb_shop.receipt(), told(usb)
    prints_part(usb, 0, 200)
    usb.until(f"sim-python {PUT}/usb_printer.py ask told | grep -q '\"received\": {before['received'] + 200}'", 10)
    printer(usb, "unplug")
    time.sleep(0.5)
    printer(usb, "plug")
    prints_part(usb, 200, len(raw))
    papers = came(usb, len(before["tickets"]) + 1)
    assert QR not in papers[-1], "half of it may be on other paper: no slip"
    assert told(usb)["received"] == before["received"] + len(raw), "every byte, once"
    prints(usb)
    assert QR in came(usb, len(before["tickets"]) + 2)[-1]


@pytest.mark.parametrize("sent", [0, 200])
def test_a_till_that_is_switched_off_and_on_prints_again(usb: Machine, sent: int) -> None:
    before = len(told(usb)["tickets"])
    if sent:
        prints_part(usb, 0, sent)
    plug_till(usb, False)
    time.sleep(1.5)
    plug_till(usb, True)
    at_work(usb)
    prints(usb)
    assert QR in came(usb, before + 1)[-1]


def test_a_till_that_is_gone_for_a_blink_is_read_again_every_time(usb: Machine) -> None:
    before = len(told(usb)["tickets"])
    for count in range(1, 6):
        plug_till(usb, False)
        plug_till(usb, True)
        said = prints(usb)
        assert not said["fault"], said
        came(usb, before + count)


def test_another_printer_and_another_start_change_nothing_for_the_till(usb: Machine) -> None:
    before = usb_shop.seen(usb)
    printer(usb, "unplug", "swap", "plug")
    at_work(usb)
    assert usb.sh("cat /sys/bus/usb/devices/2-1/serial").strip() == "K7XX999999", "the printer is another one"
    assert usb_shop.seen(usb) == before
    usb.sh("systemctl stop edgebox-gadget.service")
    assert usb.run(f"test -e {usb_shop.BOX_NODE}")[0] != 0
    usb.sh("systemctl start edgebox-gadget.service", timeout=60)
    at_work(usb)
    assert usb_shop.seen(usb) == before


def test_after_a_power_cut_the_till_finds_its_printer_where_it_was(usb: Machine, tmp_path: Path) -> None:
    before = usb_shop.seen(usb)
    usb.sh("sync")
    usb.cut()
    folder = tmp_path / "again"
    folder.mkdir()
    with Machine(replace(usb.parts, folder=folder, state=None)) as again:
        again.listens(120)
        at_work(again, 120)
        figures.note("USB: kernel's start until the till is told that the printer is ready", uptime(again), "s")
        assert usb_shop.seen(again) == before
        prints(again)
        assert "THE COPPER KETTLE" in came(again, 1, 60)[0]


def uptime(guest: Machine) -> float:
    return float(guest.sh("cut -d ' ' -f 1 /proc/uptime"))


def test_libusb_prints_without_the_kernels_driver_and_finds_its_printer_again(usb: Machine) -> None:
    """The till on the network, the printer by usb://: the box's twin on the other cable is told apart by its serial."""
    printer(usb, "unplug", "swap", "plug")
    usb.sh(
        "sed -i 's#^printer = \"usblp.*#printer = \"usb://04b8:0202/K7XX999999\"#' /etc/edgebox/edgebox.toml;"
        "systemctl restart edgebox-line@line1.service", timeout=60,
    )  # fmt: skip
    before = len(told(usb)["tickets"])
    at_work(usb)
    prints(usb)
    assert QR in came(usb, before + 1)[-1], line_log(usb)
    usb.put("/root/ask", EOT)
    assert prints(usb, "/root/ask", 1.0)["replies"] == "1612"
    printer(usb, "unplug")
    usb.until(f"[ $(( $(python3 {PUT}/usb_till.py status) & 16 )) = 0 ]", 15)
    printer(usb, "plug")
    at_work(usb)
    prints(usb)
    assert QR in came(usb, before + 2)[-1], line_log(usb)
