"""The points slip on every shipped printer: short, readable by a phone, harmless, and composed in no time."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from edgebox.errors import SlipError
from edgebox.escpos.compose import Press
from edgebox.escpos.lettering import columns
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.raster import Raster, from_rows
from edgebox.line.insertion import check
from edgebox.loyalty.claims import claim_id, mint, verify
from edgebox.model import NumberScope
from edgebox.printers import load_printers
from edgebox.slips import qr
from hw_sim.cloud_keys import keyring
from tests.escpos.sheet import print_body
from tests.slips.pointed import NARROW_MM, WIDE_MM, Offer, Settings, host_of, points_slip

ROOT = Path(__file__).parents[2]
PRINTERS = {name: found for name, found in load_printers(ROOT / "config" / "printers").items() if found.insert}
# One printer for each kind of paper and letters: the rest print the same.
KINDS = {(found.dots, found.dpi, found.columns, found.cjk): name for name, found in PRINTERS.items()}
NOW = 1_795_000_000
KEYS = keyring(bytes(range(32)), 4711, 12, NOW)
URL = mint(KEYS, claim_id(KEYS, "2026-11-18", NumberScope.STORE, "", "0042"), 3390, NOW)
OFFER = Offer(URL, points=128, amount_minor=3390, currency="CNY")
HUGE = Offer(URL, points=4_294_967, amount_minor=4_294_967_295, currency="CNY", hours=720)


def box(text: str, *, width_dots: int, height_dots: int, bold: bool) -> Raster:
    """Letters as black boxes, in place of a font."""
    return from_rows([(1 << (wide := min(width_dots, columns(text) * 12))) - 1] * height_dots, wide)


@pytest.mark.parametrize("languages", [("zh",), ("en",), ("zh", "en")], ids="+".join)
@pytest.mark.parametrize("way", ["native", "gs_v_0", "esc_star", "with letters"])
@pytest.mark.parametrize("name", KINDS.values())
def test_the_slip_is_short_and_its_code_verifies(name: str, way: str, languages: tuple[str, ...]) -> None:
    printer = PRINTERS[name]._replace(qr_native=True, raster="esc_star" if way == "esc_star" else "gs_v_0")
    press = Press(printer, way == "native", matrix=qr.claim_matrix, text_raster=box if way == "with letters" else None)
    for offer in (OFFER, HUGE):
        body = points_slip(offer, press, Settings(languages))
        sheet = print_body(body.raw, printer)
        [url] = sheet.codes()
        assert verify(url, KEYS, NOW).claim.amount_minor == 3390
        assert max(body.height_mm, sheet.height_mm) <= (NARROW_MM if printer.dots <= 432 else WIDE_MM)
        assert body.module_dots >= (5 if printer.dpi == 203 else 4)
        assert check(body.raw, printer).reason == "", "the line would refuse it"


def test_a_58_mm_slip_has_room_for_the_biggest_code() -> None:
    body = points_slip(OFFER, Press(PRINTERS["generic-58"], matrix=qr.claim_matrix))
    assert body.module_dots == 6


def test_the_host_is_printed_for_people() -> None:
    assert host_of(URL) == "m.example.cn"
    body = points_slip(OFFER, Press(PRINTERS["generic-80"]), Settings(("en",)))
    assert b"Scan for 128+ points\n" in body.raw
    assert b"m.example.cn paid 33.90 CNY valid 72 h\n" in body.raw


def test_chinese_is_printed_where_the_printer_has_it() -> None:
    body = points_slip(OFFER, Press(PRINTERS["xprinter-xp-80"]))
    assert b"\x1c&" + "扫码领积分 至少128分".encode("gbk") + b"\x1c.\n" in body.raw
    assert b"\x1c&" + "m.example.cn 实付33.90元 72小时内有效".encode("gbk") + b"\x1c.\n" in body.raw


def test_a_printer_without_chinese_gets_english() -> None:
    assert b"Scan for 128+ points" in points_slip(OFFER, Press(PRINTERS["epson-tm-t88"])).raw


def test_two_languages_share_a_line_where_there_is_room() -> None:
    body = points_slip(OFFER, Press(PRINTERS["xprinter-xp-80"]), Settings(("zh", "en")))
    lines = body.raw.split(b"\n")
    assert "扫码领积分 至少128分 / Scan for 128+ points".encode("gbk") in lines[0]


def test_an_amount_without_decimals_is_worded() -> None:
    offer = OFFER._replace(amount_minor=3000, currency="JPY", decimals=0, hours=2)
    body = points_slip(offer, Press(PRINTERS["generic-80"]), Settings(("en",)))
    assert b"m.example.cn paid 3000 JPY valid 2 h\n" in body.raw


def test_a_language_that_the_slip_does_not_speak_is_left_out() -> None:
    english = points_slip(OFFER, Press(PRINTERS["generic-80"]), Settings(("en",)))
    assert points_slip(OFFER, Press(PRINTERS["generic-80"]), Settings(("tlh",))) == english
    assert points_slip(OFFER, Press(PRINTERS["generic-80"]), Settings(("tlh", "en"))) == english


@pytest.mark.parametrize(
    ("press", "settings", "reason"),
    [
        (Press(PRINTERS["generic-80"], symbol_ok=False), Settings(), "no_qr"),
        (Press(PRINTERS["generic-58"], matrix=qr.claim_matrix, bytes_per_s=960), Settings(max_wire_ms=800), "too_slow"),
        (Press(PRINTERS["generic-80"]), Settings(max_bytes=100), "too_many_bytes"),
        (Press(PrinterProfile(insert=False)), Settings(), "printer"),
    ],
)
def test_a_slip_that_cant_be_printed_says_why(press: Press, settings: Settings, reason: str) -> None:
    with pytest.raises(SlipError) as refused:
        points_slip(OFFER, press, settings)
    assert refused.value.reason == reason


# --- Cost --------------------------------------------------------------------------------------------------------


def timed_ms(press: Press, rounds: int) -> float:
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        points_slip(OFFER, press)
        took.append((time.perf_counter() - start) * 1000)
    return median(took)


def test_a_native_slip_is_composed_within_a_millisecond() -> None:
    assert timed_ms(Press(PRINTERS["xprinter-xp-80"]), 101) <= 1


def test_a_slip_of_dots_is_composed_well_within_the_answers_time() -> None:
    """Ten times of what it takes on a quiet machine, a tenth of the 150 ms that the line waits."""
    qr.warm()
    assert timed_ms(Press(PRINTERS["generic-58"], matrix=qr.claim_matrix), 21) <= 15


@pytest.mark.parametrize(("symbol_ok", "loaded"), [(True, "[]"), (False, "['qrcode']")])
def test_no_slip_needs_pillow_and_a_native_one_not_even_qrcode(symbol_ok: bool, loaded: str) -> None:
    code = f"""
import sys
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.slips import qr
from tests.slips.pointed import Offer, points_slip
points_slip(Offer({URL!r}, 128, 3390, "CNY"), Press(PrinterProfile(), {symbol_ok}, matrix=qr.claim_matrix))
print(sorted({{"PIL", "qrcode"}} & set(sys.modules)))
import PIL.Image
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
