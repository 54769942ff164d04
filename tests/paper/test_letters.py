"""Text in a script that the printer lacks comes out as dots, and the code beside it is still read."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgebox.errors import SlipError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.paper.letters import text_raster
from edgebox.slips import qr
from tests.escpos.sheet import print_body
from tests.slips.pointed import Offer, points_slip

URL = "HTTPS://M.EXAMPLE.CN/C/AGMAAETHAAGMZPYYWA2X7RSKAHEJCQYAAAGT4D3J6XL7SBDLVFLIR4M4CU"
OFFER = Offer(URL, 128, 3390, "CNY")


def test_letters_stand_in_a_printers_cells() -> None:
    raster = text_raster("积分 128", width_dots=200, height_dots=24, bold=False)
    assert (raster.width, raster.height) == (96, 24)
    columns = [any(row >> (95 - x) & 1 for row in raster.rows()) for x in range(96)]
    assert any(columns[:24])
    assert any(columns[24:48])
    assert not any(columns[48:60]), "the space"
    assert all(any(columns[x : x + 12]) for x in (60, 72, 84))


def test_bold_letters_have_more_ink() -> None:
    light, bold = (text_raster("积分ab", width_dots=99, height_dots=24, bold=bold) for bold in (False, True))
    assert sum(map(int.bit_count, light.rows())) < sum(map(int.bit_count, bold.rows()))


def test_text_wider_than_its_place_is_refused() -> None:
    with pytest.raises(SlipError) as refused:
        text_raster("积分积分", width_dots=95, height_dots=24, bold=False)
    assert refused.value.reason == "too_wide"


@pytest.mark.parametrize("dots", [384, 576])
@pytest.mark.parametrize("raster", ["gs_v_0", "esc_star"])
@pytest.mark.parametrize("native", [True, False])
def test_a_chinese_slip_comes_out_of_a_printer_without_chinese(dots: int, raster: str, native: bool) -> None:
    printer = PrinterProfile(dots=dots, columns=dots // 12, qr_native=native, raster=raster)
    body = points_slip(OFFER, Press(printer, matrix=qr.claim_matrix, text_raster=text_raster))
    sheet = print_body(body.raw, printer)
    assert sheet.codes() == [URL]
    assert b"Scan" not in body.raw, "not the English wording"
    assert body.height_mm <= (40 if dots == 384 else 30)


def test_pillow_is_loaded_when_letters_are_first_drawn() -> None:
    code = "import sys, edgebox.paper.letters; print('PIL' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
