"""Receipts as slips see them, and `edgebox slip` for the person who writes one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgebox.cli import main
from edgebox.errors import ConfigError
from edgebox.model import Details, DocumentKind, Receipt, Tender, TenderKind
from edgebox.slip_facts import Circumstances, facts_of, filled_link, occasion_of
from edgebox.slip_files import load_images, load_slips
from edgebox.slips.facts import Money
from tests.slips.test_choice import slip

SLIPS = load_slips()
RECEIPT = Receipt(
    DocumentKind.SALE,
    qualifies=True,
    amount_minor=8390,
    currency="CNY",
    number="0042",
    till="2",
    printed_date="2026-11-18",
    printed_time="18:42:07",
    tenders=(Tender(TenderKind.CASH, 10_000),),
    details=Details(cashier="07", table="A12", fiscal=""),
)
AROUND = Circumstances("Corner Shop", "till-1", datetime(2026, 11, 18, 18, 43, tzinfo=UTC))


def test_conditions_and_fields_see_the_same_receipt() -> None:
    occasion = occasion_of(RECEIPT, AROUND)
    assert (occasion.amount_minor, occasion.staff, occasion.table, occasion.line) == (8390, "07", "A12", "till-1")
    assert occasion.tenders == {TenderKind.CASH}
    assert {"number", "staff", "table", "amount"} <= occasion.known
    assert "fiscal" not in occasion.known
    said = facts_of(SLIPS["promotion"], RECEIPT, AROUND)
    assert said.values["need"] == Money(1610, "CNY")
    assert (said.text("need", "zh"), said.text("time", "en")) == ("16.10元", "18:43")


def test_a_clock_that_is_not_trusted_is_neither_printed_nor_believed() -> None:
    unsure = AROUND._replace(trusted=False)
    assert occasion_of(RECEIPT, unsure).local is None
    said = facts_of(SLIPS["points"], RECEIPT, unsure)
    assert (said.text("date", "en"), said.text("time", "en")) == ("2026-11-18", "18:42")


def test_a_link_carries_the_receipts_fields() -> None:
    said = facts_of(SLIPS["invoice"], RECEIPT, AROUND)
    assert said.values["url"] == "HTTPS://M.EXAMPLE.CN/F?N=0042&A=8390&D=2026-11-18"
    assert said.values["host"] == "m.example.cn"


@given(st.text(min_size=1, max_size=30))
def test_a_field_can_neither_end_nor_extend_a_link(number: str) -> None:
    url = filled_link("HTTPS://M.EXAMPLE.CN/F?N={number}&A=1", RECEIPT._replace(number=number), AROUND)
    assert url.startswith("HTTPS://M.EXAMPLE.CN/F?N=")
    assert url.endswith("&A=1")
    assert not set(url[25:-4]) & set("&?#/=: \n{}")
    assert url.isascii()


# --- The command -------------------------------------------------------------------------------------------------

CAPTURE = b"SHOP\nTEA 83.90\nTOTAL 83.90\nCASH 100.00\nCHANGE 16.10\nNO: 0042 2026-11-18 18:42\n\n\n\x1dV\x00"


@pytest.mark.parametrize("paper", ["58", "80"])
@pytest.mark.parametrize("name", ["points", "invoice", "share"])
def test_a_preview_shows_the_slip_behind_the_receipt(
    name: str, paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.bin").write_bytes(CAPTURE)
    picture = tmp_path / "slip.png"
    words = ["slip", "preview", name, "--receipt", str(tmp_path / "c.bin"), "--paper", paper, "--lang", "zh_CN"]
    assert main([*words, "-o", str(picture)]) == 0
    assert f"{picture}: {name}, " in capsys.readouterr().out
    with Image.open(picture) as image:
        [found] = zxingcpp.read_barcodes(image)
        assert found.text.startswith("HTTPS://M.EXAMPLE.CN/")
        assert image.height > 300, "the receipt is there too"


def test_a_slip_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slip", "preview", "pionts", "-o", "x.png"]) == 2
    assert "no slip 'pionts' (there are comeback, contact, coupon" in capsys.readouterr().err


def test_check_names_every_fault_and_passes_what_is_shipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = [str(path) for path in sorted(Path("config/slips").glob("*.toml"))]
    assert main(["slip", "check", *shipped]) == 0
    (tmp_path / "bad.toml").write_text('name = "bad"\npurpose = "link"\n[[block]]\ntype = "text"\ntext = "{pionts}"\n')
    assert main(["slip", "check", str(tmp_path / "bad.toml")]) == 1
    assert "block 1: no field 'pionts' in a link slip" in capsys.readouterr().out


def test_list_says_how_long_each_slip_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slip", "list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SLIPS)
    assert "mm on 58" in out


# --- Pictures ----------------------------------------------------------------------------------------------------


def test_a_picture_is_made_as_narrow_as_the_paper(tmp_path: Path) -> None:
    Image.new("RGBA", (800, 200), (0, 0, 0, 255)).save(tmp_path / "logo.png")
    template = slip(block=[{"type": "image", "file": "logo.png"}])
    picture = load_images([template], tmp_path, 384)["logo.png"]
    assert (picture.width, picture.height) == (384, 96)
    assert set(picture.data) == {255}


def test_a_transparent_picture_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "logo.png")
    template = slip(block=[{"type": "image", "file": "logo.png"}])
    assert set(load_images([template], tmp_path, 384)["logo.png"].data) == {0}


@pytest.mark.parametrize("raw", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_picture_that_is_none_is_named(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"logo\.png") as caught:
        load_images([slip(block=[{"type": "image", "file": "logo.png"}])], tmp_path, 384)
    assert caught.value.reason == "bad_picture"
