"""From the scanner to the slip, through the real processes: what is scanned is used once, whoever dies on the way."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw_sim.evsim import Device, environment
from hw_sim.scanner import KeyboardTill, SerialScanner, WedgeScanner
from hw_sim.till import Till
from tests.scan.box import Cable, until
from tests.scan.shop import Shop

INSIDE_THE_SLIP_MM = 10.0  # its first line is 6 mm high, and all of it 23 mm
EAN, PAYMENT = b"6901234567892", b"134567890123456789"
needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)


class Counter:
    """The shop with scanner and till on serial cables."""

    def __init__(self, shop: Shop, scanner: Cable, till: Cable) -> None:
        self.shop = shop
        self.source = SerialScanner(scanner.master)
        self.till = till

    def scan(self, code: str | bytes) -> None:
        self.source.scan(code.encode() if isinstance(code, str) else code)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    with Cable() as scanner, Cable() as till, Shop(tmp_path, scanner.url, till.url) as shop:
        yield Counter(shop, scanner, till)


def test_a_coupon_off_the_receipt_is_scanned_redeemed_once_and_its_slip_printed(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    counter.scan(EAN)
    counter.scan(code)
    shop.printed("Redeemed 1")
    counter.scan(PAYMENT)
    counter.scan(code)
    shop.printed("Already used")
    assert shop.paper.count("Redeemed 1") == 1
    counter.till.comes(EAN + b"\r" + PAYMENT + b"\r")
    assert [(one["state"], one.get("number")) for one in shop.redemptions] == [("redeemed", 1), ("refused", None)]
    assert b"\x1bB\x01\x02" in shop.paper.encode(), "one short beep"
    assert b"\x1bB\x02\x09" in shop.paper.encode(), "two long ones"
    report = shop.printer.report()
    assert not report.faults
    assert report.cuts == 3, "a beep moves no paper"
    shop.stop("engine", signal.SIGTERM)
    for secret in (code.encode(), PAYMENT):
        assert secret not in shop.everywhere


@needs_compiler
def test_a_wedge_scanner_beside_a_keyboard_till_does_the_same(tmp_path: Path) -> None:
    with Device(tmp_path, "event0") as wedge, Device(tmp_path, "hidg0") as gadget:
        ends = (f"evdev://{wedge.path}?layout=us", f"hidkbd://{gadget.path}?layout=us")
        with Shop(tmp_path, *ends, env=environment(tmp_path)) as shop:
            source, till = WedgeScanner(wedge), KeyboardTill(gadget)
            code = shop.coupon()
            source.scan(code)
            shop.printed("Redeemed 1")
            source.scan(EAN.decode())
            until(lambda: not till.listen() and till.text.endswith("\r"), "the till's text")
            assert till.text == EAN.decode() + "\r"


def test_with_a_hung_engine_the_till_gets_the_code_and_nothing_is_redeemed_late(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    shop.freeze()
    counter.scan(code)
    counter.till.comes(code.encode() + b"\r")
    shop.freeze(thaw=True)
    counter.scan(EAN)
    counter.till.comes(code.encode() + b"\r" + EAN + b"\r")
    time.sleep(0.2)  # long enough for a redemption that must not be
    assert shop.redemptions == []
    counter.scan(code)
    shop.printed("Redeemed 1")


def test_with_a_killed_engine_the_till_gets_the_code_and_it_can_be_scanned_again(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    shop.stop("engine")
    counter.scan(code)
    counter.till.comes(code.encode() + b"\r")
    shop.start_engine()
    shop.found_again()
    assert shop.redemptions == []
    counter.scan(code)
    shop.printed("Redeemed 1")


def test_killed_behind_the_scanners_word_and_before_the_commit_it_can_be_scanned_again(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    shop.restart_engine("kept")
    counter.scan(code)
    shop.died()
    assert shop.redemptions == []
    assert counter.till.listen() == b"", "the scanner had been told that it is ours"
    shop.start_engine()
    shop.found_again()
    counter.scan(code)
    shop.printed("Redeemed 1")
    assert [one["state"] for one in shop.redemptions] == ["redeemed"]


@pytest.mark.parametrize("where", ["committed", "printed"])
def test_killed_behind_the_commit_its_slip_is_printed_exactly_once(where: str, counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    shop.restart_engine(where)
    counter.scan(code)
    shop.died()
    assert [one["state"] for one in shop.redemptions] == ["redeemed"]
    assert shop.paper.count("Redeemed 1") == (where == "printed")
    shop.start_engine()
    shop.found_again()
    shop.printed("Redeemed 1")
    counter.scan(code)
    shop.printed("Already used")
    assert shop.paper.count("Redeemed 1") == 1
    assert "COPY" not in shop.paper


def test_killed_together_with_the_line_the_second_slip_is_marked(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    shop.restart_engine("printed")
    counter.scan(code)
    shop.died()
    shop.stop("line")
    shop.start_engine()
    shop.start_line()
    shop.printed("COPY")
    shop.printed("Redeemed 1", 2)
    assert [one["state"] for one in shop.redemptions] == ["redeemed"]


def test_no_control_character_in_a_coupon_does_anything_but_get_refused(counter: Counter) -> None:
    shop = counter.shop
    controls = [bytes((code,)) for code in (*range(32), 127) if code != 13]
    for number, control in enumerate(controls):
        counter.scan(b"CPN:" + control + b"X%d" % number)
        counter.scan(b"GOODS" + control + b"%d" % number)
    counter.till.comes(b"".join(b"GOODS" + control + b"%d\r" % number for number, control in enumerate(controls)))
    until(lambda: len(shop.redemptions) == len(controls), "an answer to each")
    assert {one["reason"] for one in shop.redemptions} == {"unknown"}
    code = shop.coupon()
    counter.scan(code)
    shop.printed("Redeemed 1")
    assert not shop.printer.report().faults


def test_without_paper_it_is_redeemed_and_its_slip_comes_once_there_is_some(counter: Counter) -> None:
    shop = counter.shop
    code = shop.coupon()
    with shop.printer.printer() as (printer, now):
        printer.remove_paper(now)
    counter.scan(code)
    until(lambda: bool(shop.redemptions), "the redemption")
    counter.scan(code)
    until(lambda: len(shop.redemptions) == 2, "the second answer")
    assert [one["state"] for one in shop.redemptions] == ["redeemed", "refused"]
    assert "Redeemed 1" not in on_paper(shop)
    with shop.printer.printer() as (printer, now):
        printer.load_paper(now)
    until(lambda: "Redeemed 1" in on_paper(shop), "the slip")
    until(lambda: "Already used" in on_paper(shop), "the refusal, which is still news")
    assert on_paper(shop).count("Redeemed 1") == 1
    assert "COPY" not in on_paper(shop)


def test_paper_that_ends_inside_the_slip_costs_no_coupon_no_second_slip_and_no_receipt(counter: Counter) -> None:
    """The roll ends behind the slip's first line; a customer pays meanwhile, and somebody looks for a new roll."""
    shop = counter.shop
    code = shop.coupon()
    with shop.printer.printer() as (printer, now):
        printer.load_paper(now, mm=INSIDE_THE_SLIP_MM)
    counter.scan(code)
    until(lambda: "Redeemed 1" in open_paper(shop), "the slip's first line")
    until(lambda: has_ended(shop), "the roll's end")
    assert [one["state"] for one in shop.redemptions] == ["redeemed"]
    assert "in this shift" not in open_paper(shop), "half of it is on no paper"
    counter.scan(code)
    until(lambda: len(shop.redemptions) == 2, "the second answer")
    till = Till(shop.till)
    till.send(b"SHOP\nNO: 000099\nTEA 60.00\nTOTAL 60.00\nCASH 60.00\n\n\n\n\n\x1dV\x00")
    with shop.printer.printer() as (printer, now):
        printer.load_paper(now)
    until(lambda: "NO: 000099" in on_paper(shop), "the receipt")
    until(lambda: "Already used" in on_paper(shop), "the refusal, which is still news")
    till.close()
    tickets = [ticket.text for ticket in shop.printer.report().tickets]
    [slip] = [text for text in tickets if "Redeemed 1" in text]
    assert "in this shift" in slip
    assert "NO: 000099" not in slip
    assert "COPY" not in on_paper(shop)
    [receipt] = [text for text in tickets if "NO: 000099" in text]
    assert receipt.splitlines()[:5] == ["SHOP", "NO: 000099", "TEA 60.00", "TOTAL 60.00", "CASH 60.00"]
    assert not shop.printer.report().faults


def open_paper(shop: Shop) -> str:
    """What stands on the paper that is not cut off yet."""
    found = shop.printer.report().open
    return found.text if found is not None else ""


def has_ended(shop: Shop) -> bool:
    """The printer has no paper."""
    with shop.printer.printer() as (printer, _):
        return printer.condition.paper_end


def on_paper(shop: Shop) -> str:
    """What can be read on the papers that came out."""
    return "\n".join(ticket.text for ticket in shop.printer.report().tickets)
