"""What bears a total out besides a payment: taxes, items, and one total becoming the next."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import Confidence
from edgebox.receipt.money import AmountFinder, Convention
from edgebox.receipt.taxes import TaxRow, TaxTable
from tests.receipt.paper import EURO, PAID_TILL, SHOP, read

FINDER = AmountFinder(Convention())
PAID_EURO = EURO._replace(rules=PAID_TILL.rules)


def row(text: str, *, is_sum: bool = False) -> TaxRow | None:
    return TaxTable(2).add(text, FINDER.find(text), is_sum=is_sum)


def earned(paper: str, shop: object = PAID_TILL) -> int | None:
    receipt = read(paper, shop)  # type: ignore[arg-type]
    return receipt.amount_minor if receipt.qualifies else None


@pytest.mark.parametrize(
    ("text", "tax", "gross"),
    [
        ("sr @6%:    68.82    4.13", 413, 7295),
        ("gst s@6%    50.28    3.02", 302, 5330),
        ("23.00   40.00  9.20  49.20", 920, 4920),  # the rate is the first column
        ("23%   9.20  40.00  49.20", 920, 4920),  # tax before base
        ("b 23% 49.20  9.20", 920, 4920),  # tax and gross, no base
        ("0%  2.03  0.00  2.03", 0, 203),
    ],
)
def test_a_row_of_taxes_is_known_by_its_arithmetic(text: str, tax: int, gross: int) -> None:
    assert row(text) == TaxRow(tax, gross)


@pytest.mark.parametrize(
    "text",
    [
        "9.40  0.40  9.00",  # price, discount, amount
        "2 x 4.50   9.00",
        "9.40  0.00  9.40",
        "6%  10.00  5.00  15.00",
        "10.00  1.00",
        "23.00",
        "total 28.00 1.68",
    ],
)
def test_columns_without_a_rate_are_no_taxes(text: str) -> None:
    assert row(text) is None


@settings(max_examples=200, deadline=None)
@given(base=st.integers(500, 10**7), rate=st.sampled_from([500, 600, 700, 800, 1000, 1300, 1900, 2000, 2300, 2700]))
def test_every_row_of_taxes_is_read(base: int, rate: int) -> None:
    tax = round(base * rate / 10_000)
    text = f"{rate / 100:.2f}% {base / 100:.2f} {tax / 100:.2f} {(base + tax) / 100:.2f}"
    assert row(text) == TaxRow(tax, base + tax)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**9), max_size=9), st.booleans())
def test_no_row_gives_a_negative_or_an_unprinted_gross(numbers: list[int], is_sum: bool) -> None:
    text = " ".join(f"{number / 100:.2f}" for number in numbers)
    found = row(text, is_sum=is_sum)
    if found is not None:
        assert 0 <= found.tax <= found.gross


def test_the_table_of_taxes_confirms_a_label() -> None:
    receipt = read("KLEBER 49,20\nTotal 49,20\nTaxa Base IVA Total\n23,00% 40,00 9,20 49,20", PAID_EURO)
    assert (receipt.amount_minor, receipt.confidence) == (4920, Confidence.HIGH)
    assert "table of taxes" in receipt.reasons[0]


def test_the_total_of_the_tables_bases_is_no_rival() -> None:
    table = "Taxa Base IVA Total\n13,00% 10,00 1,30 11,30\n23,00% 20,00 4,60 24,60\nTotal 30,00"
    assert earned(f"SOPA 11,30\nVINHO 24,60\nTotal 35,90\n{table}", PAID_EURO) == 3590


def test_a_tender_is_the_total_where_taxes_say_so_and_no_label_does() -> None:
    assert earned("GASOLEO 76,85\nMULTIBANCO 76,85\n23,00% 14,37 62,48 76,85", PAID_EURO) == 7685
    assert earned("MILK 16.00\nCASH 16.00") is None


def test_taxes_and_an_amount_without_a_label_make_a_total() -> None:
    assert earned("ANDORINHA 6,50\ne 6,50\nTaxa Base IVA Total\n23,00 e 5,28 e 1,22 e 6,50", PAID_EURO) == 650
    assert earned("ANDORINHA 6,00\nTaxa Base IVA Total\n23,00 e 5,28 e 1,22 e 6,50", PAID_EURO) is None


def test_a_tax_alone_with_its_rate_confirms_the_amount_that_it_is_the_share_of() -> None:
    assert earned("GASOLINA EUR 15,21\nTotal: Cartão Bancário\nIVA 23,00% EUR 2,84\n15,21€", PAID_EURO) == 1521
    assert earned("GASOLINA EUR 15,31\nTotal: Cartão Bancário\nIVA 23,00% EUR 2,84\n15,31€", PAID_EURO) is None
    receipt = read("BILHETE\nTotal 22,40\nIVA 6% 1,27", PAID_EURO)
    assert (receipt.amount_minor, receipt.confidence) == (2240, Confidence.HIGH)


@given(gross=st.integers(100, 10**7), rate=st.sampled_from([500, 600, 1300, 1900, 2300]))
def test_the_tax_of_an_amount_is_always_known_as_its_share(gross: int, rate: int) -> None:
    table = TaxTable(2)
    table.include(f"iva {rate // 100}%", round(gross * rate / (10_000 + rate)))
    assert table.is_taxed(gross)
    assert not table.is_taxed(gross + 50)


def test_cash_less_change_is_the_total_where_taxes_or_items_say_so_and_no_label_does() -> None:
    tax = "Taxa% Sujeito IVA Total\n23,00 3,24 0,75 3,99"
    assert earned(f"TOTAL\nNumerário 4,00\nTroco 0,01\n{tax}", PAID_EURO) == 399
    assert earned(f"TOTAL\nNumerário 5,00\nTroco 0,01\n{tax}", PAID_EURO) is None
    assert earned("CASTELO 5,00\nTOTAL:\nPago em Numerario\nValor entregue: 5,00\nTroco: 0,00", EURO) == 500
    assert earned("CASTELO 4,00\nTOTAL:\nPago em Numerario\nValor entregue: 5,00\nTroco: 0,00", EURO) is None


def test_taxes_that_add_up_to_another_total_confirm_nothing() -> None:
    assert earned("SUB-TOTAL 4.12\n% TAXA 23 % 4.12 0.95\nTOTAL 5.00") is None


def test_a_tender_is_the_total_where_several_items_add_up_to_it() -> None:
    assert earned("KEY 4.00\nLOCK 5.50\nSCREW 1.25\nCASH 10.75") == 1075
    assert earned("KEY 4.00\nLOCK 5.50\nSCREW 1.25\nCASH 10.70") is None


@pytest.mark.parametrize(
    ("paper", "minor"),
    [
        ("SUBTOTAL 22.25\nTAX 2.11\nTOTAL 24.36\nSERVICE CHARGE 8.90\nTOTAL 33.26", 3326),
        ("SUBTOTAL 50.05\nTAX 5.46\nTOTAL 55.51\nGRATUITY 9.01\nTOTAL 64.52\nBALANCE DUE 64.52", 6452),
        ("TOTAL (INCL GST) 23.26\nROUNDING ADJ -0.01\nTOTAL 23.25", 2325),
        ("NET TOTAL 14.85\nSTATE LEVY 1.52\nCITY LEVY 0.19\nTOTAL 16.56", 1656),  # unknown taxes between
        ("TOTAL 498.00\nSERVICE TAX 24.60\nGRAND TOTAL 523.00", 52300),  # rounded off without saying so
        ("AMOUNT 25.34\nTAX RATE (9%): 2.28\nSUB-TOTAL 27.62", 2762),
    ],
)
def test_the_last_of_totals_that_follow_from_each_other_is_paid(paper: str, minor: int) -> None:
    assert earned(paper) == minor


@pytest.mark.parametrize(
    "paper",
    [
        "TOTAL 24.36\n18% TIP 4.38\nTOTAL 28.74\n20% TIP 4.87\nTOTAL 29.23",  # two that don't follow from each other
        "TOTAL 30.00\nTOTAL 20.00",
        "TOTAL 24.36\nSERVICE CHARGE 8.90\nTOTAL 33.10",
    ],
)
def test_totals_that_do_not_follow_from_each_other_are_rivals(paper: str) -> None:
    assert earned(paper) is None


def test_a_proposed_tip_changes_nothing() -> None:
    assert earned("SUBTOTAL 22.25\nTAX 2.11\nTOTAL 24.36\n18% TIP 4.38 TOTAL 28.74\n20% TIP 4.87 TOTAL 29.23") == 2436
    assert earned("TOTAL 24.36\nSUGGESTED TIP 15% (3.65)\n18% (4.38)\n20% (4.87)") == 2436


def test_blank_lines_for_tip_and_total_leave_what_is_due_above_them() -> None:
    assert earned("SUBTOTAL: 79.17\nVISA\nTIP\nTOTAL\nSIGNATURE") == 7917
    assert earned("SUBTOTAL: 75.00\nTAX 4.17\nTIP\nTOTAL\nSIGNATURE") is None  # tax comes on top


def test_a_tip_behind_the_payment_is_part_of_what_was_paid() -> None:
    paper = "SUBTOTAL 108.80\nTAX 9.66\nTOTAL 118.46\nMASTERCARD 118.46\nTIP 35.54\nTOTAL 154.00"
    receipt = read(paper)
    assert (receipt.amount_minor, receipt.confidence) == (15400, Confidence.MEDIUM)
    assert earned(paper, SHOP._replace(rules=SHOP.rules._replace(less_service=True))) == 11846


def test_a_label_that_only_ends_in_total_needs_a_payment() -> None:
    assert earned("SUBTOTAL 23.58\nTAX 1.89\nTO STAY TOTAL 25.47\nVISA 25.47") == 2547
    assert earned("FRUIT COUNTER TOTAL 25.47") is None


def test_the_only_amount_on_a_toll_ticket_is_paid() -> None:
    assert earned("CLASSE: 1 TAXA: 20,95 €\nMODO DE PAGAMENTO: MULTIBANCO", EURO) == 2095
    assert earned("CLASSE: 1 TAXA: 20,95 €\nMODO DE PAGAMENTO: MULTIBANCO\nOUTRA COISA 1,00 €", EURO) is None
