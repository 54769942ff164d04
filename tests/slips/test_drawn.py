"""The points slip on drawn paper, behind a receipt and before the cut: what the customer holds is read and verified."""

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.loyalty.claims import claim_id, mint, verify
from edgebox.model import NumberScope
from edgebox.paper.draw import draw
from edgebox.paper.letters import text_raster
from edgebox.printers import load_printers
from edgebox.slips import qr
from hw_sim.cloud_keys import keyring
from tests.slips.pointed import Offer, Settings, points_slip

ROOT = Path(__file__).parents[2]
PRINTERS = {name: found for name, found in load_printers(ROOT / "config" / "printers").items() if found.insert}
NOW = 1_795_000_000
KEYS = keyring(bytes(range(32)), 4711, 12, NOW)
URL = mint(KEYS, claim_id(KEYS, "2026-11-18", NumberScope.STORE, "", "0042"), 3390, NOW)
OFFER = Offer(URL, points=128, amount_minor=3390, currency="CNY")
RECEIPT = b"SHOP\n\nTEA 33.90\nTOTAL 33.90\nTHANK YOU\n"


def paper(press: Press, printer: PrinterProfile) -> Image.Image:
    body = points_slip(OFFER, press, Settings(("zh",))).raw
    # FS . as the line's wrap has it: a Chinese printer starts with Chinese on.
    return draw(RECEIPT + b"\x1c." + body + b"\x1ba\x00\x1b2\x1bd\x04\x1dV\x00", printer)


@pytest.mark.parametrize("way", ["native", "gs_v_0", "esc_star"])
@pytest.mark.parametrize("letters", [True, False], ids=["with letters", "without"])
@pytest.mark.parametrize("name", ["generic-58", "generic-80", "xprinter-xp-58", "xprinter-xp-80", "epson-tm-t88"])
def test_the_code_on_the_drawn_paper_verifies(name: str, way: str, letters: bool) -> None:
    printer = PRINTERS[name]._replace(qr_native=True, raster="esc_star" if way == "esc_star" else "gs_v_0")
    hook = text_raster if letters else None
    image = paper(Press(printer, way == "native", matrix=qr.claim_matrix, text_raster=hook), printer)
    [found] = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    assert verify(found.text, KEYS, NOW).claim.amount_minor == OFFER.amount_minor
