"""Fiscal codes: exact where they are real, nothing where they only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.paper import Picture, Symbol
from edgebox.model import Confidence, DocumentKind, Receipt, TenderKind
from edgebox.receipt.fiscal import FiscalFinder, read_fiscal
from edgebox.receipt.reader import ReceiptReader, Shop
from tests.receipt.paper import EURO, SHOP, lexicon, lines

SPAIN = (
    "https://www2.agenciatributaria.gob.es/wlpl/TIKE-CONT/ValidarQR"
    "?nif=89890001K&numserie=12345678%26G33&fecha=01-09-2024&importe=241.40"
)
PORTUGAL = (
    "A:123456789*B:999999990*C:PT*D:FS*E:N*F:20190720*G:FS CDVF/12345*H:CDF7T5HD-12345"
    "*I1:PT*I7:0.65*I8:0.15*N:0.15*O:241.40*Q:YhGV*R:9999*S:NU;0.80"
)
AUSTRIA = (
    "_R1-AT1_CASHBOX-5_366585_2015-12-17T11:23:43_34,82_206,58_0,00_0,00_0,00_4r5hPcZrnmY=_20f2ed17_O+3pBCbLSqA=_"
    + "A" * 86
    + "=="
)
GERMANY = (
    "V0;955002-00;Kassenbeleg-V1;Beleg^0.00_241.40_0.00_0.00_0.00^200.00:Bar_41.40:Unbar;18;112;"
    "2019-07-10T18:41:02.000Z;2019-07-10T18:41:04.000Z;ecdsa-plain-SHA256;unixTime;MEQCIAy4==;BHhWOe=="
)
TAIWAN = "AA1234567811305201234000000e6000000f10000000012345678ydXZt4LAN1UHN/j1juVcRA==:***"
DOLLARS = Shop(currency="TWD")
PAPER = "SHOP\nNr: 77\nWARE  241,40\nSUMME  241,40\nBAR  241,40\n"


def read(paper: str, code: str = "", shop: Shop = EURO) -> Receipt:
    reader = ReceiptReader(shop, lexicon())
    reader.feed(lines(paper))
    if code:
        reader.see([Symbol("qr", code, 0, 1, 0)])
    return reader.finish()


@pytest.mark.parametrize(
    ("code", "scheme", "number", "cents", "date"),
    [
        (SPAIN, "ES VERI*FACTU", "12345678&G33", 24140, "2024-09-01"),
        (PORTUGAL, "PT", "FS CDVF/12345", 24140, "2019-07-20"),
        (AUSTRIA, "AT RKSV", "366585", 24140, "2015-12-17"),
        (GERMANY, "DE TSE", "955002-00-18", 24140, ""),
        (TAIWAN, "TW e-invoice", "AA12345678", 24100, "2024-05-20"),
    ],
)
def test_each_scheme_gives_number_total_and_date(code: str, scheme: str, number: str, cents: int, date: str) -> None:
    fiscal = read_fiscal(code)
    assert fiscal is not None
    assert (fiscal.scheme, fiscal.number, fiscal.cents, fiscal.date) == (scheme, number, cents, date)
    assert fiscal.paid
    assert fiscal.kind is None


@pytest.mark.parametrize(
    "code",
    [
        "https://pay.example.com/r?order=1&total=9999.99&nif=89890001K&importe=9999.99",
        SPAIN.replace("agenciatributaria.gob.es", "agenciatributaria.gob.es.example.com"),
        SPAIN.replace("agenciatributaria", "xagenciatributaria"),
        SPAIN.replace("ValidarQR", "Other"),
        SPAIN.replace("01-09-2024", "31-02-2024"),
        SPAIN + "&importe=1.00",
        SPAIN.replace("241.40", "241,40"),
        PORTUGAL.replace("*O:241.40", ""),
        PORTUGAL.replace("O:241.40", "O:241"),
        PORTUGAL.replace("A:123456789", "A:12345"),
        PORTUGAL + "*O:1.00",
        AUSTRIA.replace("34,82", "34.82"),
        AUSTRIA.replace("2015-12-17", "2015-13-17"),
        GERMANY.replace("Kassenbeleg-V1", "SonstigerVorgang"),
        GERMANY.replace("Beleg^", "Rechnung^"),
        GERMANY.replace("_41.40:Unbar", "_x"),
        TAIWAN.replace("000000f1", "0000f000"),
        TAIWAN.replace("1130520", "1131320"),
        TAIWAN[:76],
        "total=9999.99",
        "",
    ],
)
def test_what_only_looks_like_a_code_is_none(code: str) -> None:
    assert read_fiscal(code) is None


@given(st.text(max_size=300) | st.sampled_from([SPAIN, PORTUGAL, AUSTRIA, GERMANY, TAIWAN]).flatmap(
    lambda code: st.tuples(st.integers(0, len(code)), st.text(max_size=3)).map(
        lambda cut: code[: cut[0]] + cut[1] + code[cut[0] + 1 :])))  # fmt: skip
def test_any_text_is_a_code_or_none(text: str) -> None:
    fiscal = read_fiscal(text)
    assert fiscal is None or (fiscal.number and abs(fiscal.cents) < 10**16)


def test_the_code_is_preferred_to_labels_and_proves_payment() -> None:
    alone = read("TIENDA\nTOTAL 241,40\n", SPAIN)
    assert (alone.qualifies, alone.amount_minor, alone.confidence) == (True, 24140, Confidence.HIGH)
    assert (alone.number, alone.printed_date, alone.details.fiscal) == ("12345678&G33", "2024-09-01", "ES VERI*FACTU")
    assert "241.40" in alone.reasons[0]
    rivals = read("TIENDA\nTOTAL 241,40\nTOTAL 300,00\n", SPAIN)
    assert (rivals.qualifies, rivals.amount_minor) == (True, 24140)


def test_germanys_receipt_keeps_its_own_number_and_gets_its_tenders() -> None:
    receipt = read("LADEN\nBon-Nr: 4711\nSUMME 241,40\n", GERMANY)
    assert (receipt.number, receipt.amount_minor, receipt.qualifies) == ("4711", 24140, True)
    assert [(tender.kind, tender.amount_minor) for tender in receipt.tenders] == [
        (TenderKind.CASH, 20000),
        (TenderKind.CARD, 4140),
    ]


def test_a_contradiction_leaves_nothing_known() -> None:
    receipt = read(PAPER.replace("241,40", "33,90"), SPAIN)
    assert not receipt.qualifies
    assert receipt.confidence is Confidence.LOW
    assert "241.40" in receipt.reasons[0]
    assert "33.90" in receipt.reasons[0]


def test_two_codes_with_different_sums_leave_nothing_known() -> None:
    reader = ReceiptReader(EURO, lexicon())
    reader.feed(lines(PAPER))
    reader.see([Symbol("qr", code, 0, 1, 0) for code in (SPAIN, SPAIN.replace("241.40", "9.00"))])
    assert not reader.finish().qualifies


def test_another_countrys_code_and_a_tills_own_change_nothing() -> None:
    plain = read(PAPER)
    assert plain.qualifies
    assert read(PAPER, TAIWAN) == plain
    assert read(PAPER, "https://shop.example/r?total=9999.99&number=1&date=2024-09-01&x=aaaaaaaa") == plain


def test_cash_rounding_and_vouchers_explain_a_difference() -> None:
    paper = "SHOP\nNr: 77\nWARE  241,42\nSUMME  241,42\nRUNDUNG -0,02\nBAR 250,00\nRÜCKGELD 8,60\n"
    receipt = read(paper, SPAIN.replace("241.40", "241.42"))
    assert (receipt.amount_minor, receipt.qualifies) == (24140, True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (AUSTRIA.replace("4r5hPcZrnmY=", "VFJB"), DocumentKind.TRAINING),
        (AUSTRIA.replace("4r5hPcZrnmY=", "U1RP"), DocumentKind.VOID),
        (AUSTRIA.replace("34,82", "-34,82").replace("206,58", "-206,58"), DocumentKind.REFUND),
        (GERMANY.replace("Beleg^", "AVTraining^"), DocumentKind.TRAINING),
        (GERMANY.replace("Beleg^", "AVBelegstorno^"), DocumentKind.VOID),
        (GERMANY.replace("Beleg^", "AVBelegabbruch^"), DocumentKind.VOID),
        (GERMANY.replace("Beleg^", "AVBestellung^"), DocumentKind.KITCHEN),
        (PORTUGAL.replace("D:FS", "D:NC"), DocumentKind.REFUND),
        (PORTUGAL.replace("D:FS", "D:CM"), DocumentKind.PRE_BILL),
        (PORTUGAL.replace("E:N", "E:A"), DocumentKind.VOID),
        (SPAIN.replace("=241.40", "=-241.40"), DocumentKind.REFUND),
    ],
)
def test_a_codes_marker_is_the_kind(code: str, kind: DocumentKind) -> None:
    receipt = read(PAPER, code)
    assert (receipt.kind, receipt.qualifies) == (kind, False)


def test_a_code_printed_as_text_over_several_lines_is_read() -> None:
    wrapped = "\n".join(AUSTRIA[place : place + 42] for place in range(0, len(AUSTRIA), 42))
    receipt = read(PAPER + wrapped)
    assert (receipt.details.fiscal, receipt.number, receipt.amount_minor) == ("AT RKSV", "366585", 24140)


def test_a_code_in_a_customers_remark_is_nothing() -> None:
    receipt = read(f"SHOP\nNr: 77\nWARE  16,00\nSUMME  16,00\nBAR  16,00\nBemerkung:\n{PORTUGAL}\n")
    assert (receipt.details.fiscal, receipt.amount_minor, receipt.qualifies) == ("", 1600, True)


def test_taiwans_dollars_have_no_cents() -> None:
    paper = "商店\n總計 241\n"
    for decimals, minor in ((2, 24100), (0, 241)):
        shop = DOLLARS._replace(convention=DOLLARS.convention._replace(decimals=decimals))
        shop = shop._replace(rules=shop.rules._replace(decimals=decimals))
        assert read(paper, TAIWAN, shop).amount_minor == minor


def test_endless_symbols_are_bounded() -> None:
    finder = FiscalFinder()
    for text in ("A:" + "x" * 10_000_000, "V0;" * 100_000, *(SPAIN.replace("241.40", f"{n}.00") for n in range(100))):
        finder.add_symbol(text)
        finder.add_line(text[:5000])
    assert len(finder.found) <= 8


def test_pictures_keep_size_and_place_and_abstain_as_raster() -> None:
    reader = ReceiptReader(SHOP, lexicon())
    reader.see([Picture("GS v 0", 576, 1200, 10, 86410, 24)])
    receipt = reader.finish()
    assert receipt.reasons[0].startswith("raster")
    assert not receipt.qualifies
    (picture,) = receipt.details.pictures
    assert (picture.width, picture.height, picture.top, picture.start, picture.end) == (576, 1200, 24, 10, 86410)
    reader.feed(lines("THANK YOU"))
    assert reader.finish().reasons[0].startswith("raster")


@pytest.mark.parametrize(
    ("code", "shop", "paper", "said"),
    [
        (SPAIN, EURO, "TIENDA\nPAN 33,90\nTOTAL 33,90\nEFECTIVO 50,00\nCAMBIO 16,10\n", "ES VERI*FACTU"),
        (PORTUGAL, EURO, "LOJA\nPAO 33,90\nTOTAL 33,90\nNUMERARIO 50,00\nTROCO 16,10\n", "PT"),
        (AUSTRIA, EURO, "LADEN\nWARE 33,90\nSUMME 33,90\nBAR 50,00\nRÜCKGELD 16,10\n", "AT RKSV"),
        (GERMANY, EURO, "LADEN\nWARE 33,90\nSUMME 33,90\nBAR 50,00\nRÜCKGELD 16,10\n", "DE TSE"),
        (TAIWAN, DOLLARS, "商店\n茶 33\n總計 33\n現金 50\n找零 17\n", "TW e-invoice"),
    ],
)
def test_a_code_and_a_proven_total_that_differ_earn_nothing_and_both_are_told(
    code: str, shop: Shop, paper: str, said: str
) -> None:
    receipt = read(paper, code, shop)
    assert (receipt.qualifies, receipt.amount_minor, receipt.confidence) == (False, None, Confidence.LOW)
    assert receipt.reasons[0].startswith(f"{said} code says 241")
    assert ", the paper 33" in receipt.reasons[0]
    assert receipt.details.fiscal == said  # its number is the exact one all the same


@pytest.mark.parametrize("code", [SPAIN, PORTUGAL, AUSTRIA, GERMANY])
def test_a_code_settles_rival_labels_that_nothing_proves(code: str) -> None:
    receipt = read("LADEN\nSUMME 241,40\nGESAMT 33,90\n", code)
    assert (receipt.qualifies, receipt.amount_minor, receipt.confidence) == (True, 24140, Confidence.HIGH)


@pytest.mark.parametrize("code", [SPAIN, PORTUGAL, AUSTRIA])
def test_a_code_whose_total_is_printed_nowhere_earns_nothing(code: str) -> None:
    receipt = read("LADEN\nSUMME 30,00\nGESAMT 33,90\n", code)
    assert not receipt.qualifies
    assert "printed nowhere" in receipt.reasons[0]
