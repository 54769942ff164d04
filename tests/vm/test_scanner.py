"""Scanners with a real kernel: USB keyboards and HID POS in, the box's own keyboard out into the till."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm import figures, usb_shop
from tests.vm.machine import Machine
from tests.vm.snapshot import Snapshot, frozen
from tests.vm.usb_shop import PUT, came, told

POS = "hidraw:///dev/edgebox/scanner-platform-dummy_hcd.2-usb-0:1:1.0"
PAYMENT = "281234567890123456"  # Alipay's: 18 digits from 28 on
PRODUCT = "5449000000996"
COUPON = "VIP:SPRING-2026"
LOG = "journalctl -u edgebox-scan@scanner1.service -o cat --no-pager -n 8"


@pytest.fixture(scope="module")
def usb_snapshot(image: Path, shop_snapshot: Snapshot) -> Snapshot:
    return frozen(image, usb_shop.key(), usb_shop.set_up, shop_snapshot)


@pytest.fixture
def usb(usb_snapshot: Snapshot, tmp_path: Path) -> Iterator[Machine]:
    """A shop on USB, at work; its scanner is still to be plugged in."""
    with usb_snapshot.restored(tmp_path) as guest:
        guest.listens(30)
        yield guest


def scanner(guest: Machine, *words: str) -> str:
    return guest.sh(f"sim-python {PUT}/usb_scanner.py {' '.join(words)}", timeout=60).strip()


def has_it(guest: Machine, path: str) -> None:
    """The scanner is open in the line's process."""
    guest.until(
        f"ls -l /proc/$(systemctl show -P MainPID edgebox-scan@scanner1.service)/fd | grep -q $(readlink -f {path})", 30
    )


def plugged(guest: Machine) -> None:
    """The wedge is in, and `edgebox-scan@scanner1`, which was started without it, has taken it."""
    scanner(guest, "plug", "wedge")
    has_it(guest, usb_shop.WEDGE.removeprefix("evdev://"))


def typed(guest: Machine, *scans: str, ends: int = 0, seconds: float = 25.0) -> str:
    """What the till gets of codes that are scanned, up to so many Enters (0: one a code).

    Again where the till's own kernel lost keys: it keeps ten of them, and this till is an emulated one.
    """
    for _ in range(3):
        text = _typed_once(guest, scans, ends, seconds)
        if "<keys lost>" not in text:
            break
    return text


def _typed_once(guest: Machine, scans: tuple[str, ...], ends: int, seconds: float) -> str:
    words = f"till {ends or len(scans)} {seconds}"
    guest.sh(f"rm -f /run/till-listens; sim-python {PUT}/usb_scanner.py {words} >/run/typed 2>&1 & true")
    guest.until("[ -e /run/till-listens ]", 20)
    scanner(guest, "scan", *(f"'{code}'" for code in scans))
    guest.until("grep -q '\"' /run/typed", seconds + 20)
    return str(json.loads(guest.sh("cat /run/typed")))


def test_payment_codes_reach_the_till_key_by_key_and_our_coupon_stays(usb: Machine) -> None:
    plugged(usb)
    papers = len(told(usb)["tickets"])
    began = time.monotonic()
    assert typed(usb, PAYMENT, COUPON, PRODUCT, ends=2) == f"{PAYMENT}\r{PRODUCT}\r", usb.sh(LOG)
    figures.note("scanner: three codes through the box's own keyboard", round(time.monotonic() - began, 1), "s")
    assert "VIP" not in usb.sh("journalctl -u edgebox.service -o cat")
    assert len(came(usb, papers + 1)) == papers + 1, "a slip says what became of the coupon"
    user = usb.sh("ps -o user= -p $(systemctl show -P MainPID edgebox-scan@scanner1.service)").strip()
    assert user == "edgebox"


def test_with_the_engine_dead_everything_reaches_the_till(usb: Machine) -> None:
    plugged(usb)
    usb.sh("systemctl stop edgebox.service", timeout=60)
    assert typed(usb, PAYMENT, COUPON) == f"{PAYMENT}\r{COUPON}\r"


def test_only_the_scanner_is_taken_and_no_other_keyboard(usb: Machine) -> None:
    plugged(usb)
    assert scanner(usb, "beside", PRODUCT) == PRODUCT


def test_a_scanner_plugged_in_late_and_again_is_the_same_scanner(usb: Machine) -> None:
    plugged(usb)
    assert typed(usb, PRODUCT) == f"{PRODUCT}\r"
    scanner(usb, "unplug")
    time.sleep(1.5)
    scanner(usb, "plug", "wedge")
    began = time.monotonic()
    has_it(usb, usb_shop.WEDGE.removeprefix("evdev://"))
    figures.note("scanner: plugged in again, taken after", round(time.monotonic() - began, 1), "s")
    assert typed(usb, PAYMENT) == f"{PAYMENT}\r"


def test_a_scanner_in_hid_pos_mode_reports_whole_codes(usb: Machine) -> None:
    scanner(usb, "plug", "pos")
    node = POS.removeprefix("hidraw://")
    usb.until(f"[ -e {node} ]", 20)
    assert usb.sh(f"stat -L -c '%G %a' {node}").split() == ["input", "660"]
    usb.sh(
        f"sed -i 's#^scanner = .*#scanner = \"{POS}\"#' /etc/edgebox/edgebox.toml;"
        "systemctl restart edgebox-scan@scanner1.service", timeout=60,
    )  # fmt: skip
    has_it(usb, node)
    long = "HTTPS://EXAMPLE.CN/" + "AB1234567890" * 4  # two reports
    assert typed(usb, PAYMENT, long) == f"{PAYMENT}\r{long}\r", usb.sh(LOG)


def test_a_till_that_was_off_gets_its_codes_again_when_it_is_on(usb: Machine) -> None:
    plugged(usb)
    assert typed(usb, PRODUCT) == f"{PRODUCT}\r"
    usb.sh(f"echo 1 > {usb_shop.TILL_PORT}; sleep 1.5; echo 0 > {usb_shop.TILL_PORT}")
    usb_shop.at_work(usb)
    assert typed(usb, PAYMENT) == f"{PAYMENT}\r", usb.sh(LOG)
