"""The till's own report, and whether the box saw the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import DocumentKind, ShiftReport, TenderKind
from edgebox.receipt.money import AmountFinder, Convention
from edgebox.receipt.shift import SeenReceipt, ShiftReader, z_check
from edgebox.receipt.words import normalise
from tests.receipt.paper import SHOP, lexicon, read

POINT = Convention()
EURO = Convention(2, ",", ".")
YEN = Convention(0, ".", ",")


def report(paper: str, convention: Convention = POINT, order: str = "ymd") -> ShiftReport:
    reader = ShiftReader(lexicon(), AmountFinder(convention), order)
    return reader.read(normalise(line) for line in paper.splitlines())


def tenders(found: ShiftReport) -> dict[TenderKind, int | None]:
    return {tender.kind: tender.amount_minor for tender in found.tenders}


def test_an_english_z_report() -> None:
    found = report(
        "Z REPORT\nFrom: 2026-11-18 08:00  To: 2026-11-18 20:00\nTransactions: 42\nGross Sales   1,234.50\n"
        "Refunds  2   -30.00\nCash   800.00\nVisa   404.50\nNet Sales 1,204.50"
    )
    assert (found.receipts, found.sum_minor, found.refunds, found.refund_minor) == (42, 120450, 2, 3000)
    assert (found.since, found.until) == ("2026-11-18 08:00", "2026-11-18 20:00")
    assert tenders(found) == {TenderKind.CASH: 80000, TenderKind.CARD: 40450}


def test_a_chinese_handover_with_a_table_of_tenders() -> None:
    found = report(
        "交班单\n收银员：0551\n登录时间：2026-09-13 18:55:40\n交班时间：2026-09-13 19:45:40\n"
        "支付方式        销售单数         销售实收\n微信               31                419.92\n"
        "现金               44                1932.11\n总计               75                2352.03\n"
        "销售单数：75\n总销售额：2400.00\n退款金额：12.00    退款笔数：1"
    )
    assert (found.receipts, found.sum_minor, found.refund_minor) == (75, 235203, 1200)
    assert tenders(found) == {TenderKind.WECHAT: 41992, TenderKind.CASH: 193211}
    assert found.since == "2026-09-13 18:55:40"


def test_figures_below_their_headings() -> None:
    found = report("销售实收总额        订单量         客单价\n8882.21              18笔              55.42")
    assert (found.receipts, found.sum_minor) == (18, 888221)


def test_what_hangs_on_another_figure_is_not_the_whole() -> None:
    found = report("实收总额：￥11845.19\n尾数金额：44.41        账单数：1")
    assert (found.receipts, found.sum_minor) == (None, 1184519)


@pytest.mark.parametrize(
    ("paper", "convention", "receipts", "total"),
    [
        ("Z-BON\nAnzahl Belege: 12\nUmsatz gesamt: 1.234,50\nBar: 1.234,50", EURO, 12, 123450),
        ("CLÔTURE\nNombre de tickets : 12\nTotal TTC : 1.234,50", EURO, 12, 123450),
        ("CIERRE Z\nNº tickets: 12\nTotal ventas: 1.234,50", EURO, 12, 123450),
        ("FECHO DE CAIXA\nNº talões: 12\nTotal vendas: 1.234,50", EURO, 12, 123450),
        ("CHIUSURA\nN. scontrini: 12\nTotale incasso: 1.234,50", EURO, 12, 123450),
        ("LAPORAN Z\nJumlah transaksi: 12\nTotal penjualan: 1,234.50", POINT, 12, 123450),
        ("精算\n取引件数  12件\n総売上  ¥12,345", YEN, 12, 12345),
        ("마감\n거래건수: 12\n총매출: 12,345", YEN, 12, 12345),
    ],
)
def test_reports_in_every_language(paper: str, convention: Convention, receipts: int, total: int) -> None:
    found = report(paper, convention)
    assert (found.receipts, found.sum_minor) == (receipts, total)


def test_the_reader_hands_it_out_with_the_receipt() -> None:
    receipt = read("交班单\n交班时间:2026-11-18 20:00\n销售单数:2\n营业额合计:33.90\n")
    assert receipt.kind is DocumentKind.REPORT
    assert receipt.details.report is not None
    assert (receipt.details.report.receipts, receipt.details.report.sum_minor) == (2, 3390)
    assert read("SHOP\nTOTAL 1.00", SHOP).details.report is None


PIECES = ["总计", "现金", " ", "  ", ":", "12", "1.00", "\n", "订单量", "to"]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_nonsense_is_a_report_without_figures_or_with(text: str) -> None:
    found = report(text)
    assert found.receipts is None or found.receipts >= 0


# -- the check

SALES = (SeenReceipt("A1", 1600, True), SeenReceipt("A2", 1790, True), SeenReceipt("A3", 500, True))


def test_equal_is_said() -> None:
    found = z_check(ShiftReport(3, 3890), SALES, 2)
    assert found.equal
    assert "3 receipts, 38.90" in found.words


def test_refunds_may_be_in_the_reported_sum_or_not() -> None:
    seen = (*SALES, SeenReceipt("R1", -500, True))
    assert z_check(ShiftReport(3, 3390), seen, 2).equal
    assert z_check(ShiftReport(3, 3890), seen, 2).equal


def test_a_receipt_that_the_box_did_not_count_explains_the_difference() -> None:
    seen = (*SALES, SeenReceipt("A4", 900, False), SeenReceipt("A5", 1100, False))
    found = z_check(ShiftReport(4, 4990), seen, 2)
    assert (found.equal, found.count_difference, found.sum_difference) == (False, 1, 1100)
    assert found.explained_by == ("A5",)
    assert "A5" in found.words
    assert "+11.00" in found.words


def test_receipts_that_the_till_did_not_count_explain_it_too() -> None:
    found = z_check(ShiftReport(1, 1790), SALES, 2)
    assert set(found.explained_by) == {"A1", "A3"}
    assert found.count_difference == -2


def test_one_that_could_not_be_read_explains_a_count() -> None:
    found = z_check(ShiftReport(4, 9999), (*SALES, SeenReceipt("a picture", None, False)), 2)
    assert found.explained_by == ("a picture",)


def test_a_difference_that_nothing_explains_is_only_told() -> None:
    found = z_check(ShiftReport(9, 9999), SALES, 2)
    assert (found.equal, found.explained_by) == (False, ())
    assert found.count_difference == 6


def test_a_report_without_figures_is_never_equal() -> None:
    assert not z_check(ShiftReport(), SALES, 2).equal


def test_thousands_of_receipts_are_checked_in_bounded_time() -> None:
    import time

    seen = [SeenReceipt(f"{n}", 1000 + n, n % 2 == 0) for n in range(5000)]
    began = time.process_time()
    z_check(ShiftReport(2503, 1), seen, 2)
    assert time.process_time() - began < 1
