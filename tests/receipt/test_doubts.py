"""Totals whose own label, or a neighbour's, is a word that nobody told the reader."""

import pytest

from edgebox.receipt.money import AmountFinder, Convention
from tests.receipt.paper import PAID_TILL, read

PAID_EURO = PAID_TILL._replace(currency="EUR", convention=Convention(2, ",.", ""))


def earned(paper: str, shop: object = PAID_TILL) -> int | None:
    receipt = read(paper, shop)  # type: ignore[arg-type]
    return receipt.amount_minor if receipt.qualifies else None


@pytest.mark.parametrize(
    ("paper", "minor"),
    [
        ("SUBTOTAL 70.00\nTAX 4.20\nZORP 74.20\nCASH 74.20\nCHANGE 0.00", 7420),  # the total
        ("TEA 2.00\nCAKE 5.00\nZORP 7.00\nVISA 7.00", 700),
        ("SUBTOTAL 22.25\nTAX 2.11\nZORP 24.36", 2436),
        ("SUBTOTAL 25.22\nFOOD TAX 1.74\nTOTAL TAX 1.74\nZORP 26.96", 2696),
        ("TOTAL 24.36\nSERVICE CHARGE 8.90\nZORP 33.26", 3326),
        ("TOTAL 75.70\nCASH 100.00\nZORP 24.30", 7570),  # the change
        ("TOTAL 14.20\nTOTAL PAID 20.20\nZORP 6.00", 1420),
        ("TOTAL 70.90\nCASH 100.00\nBALANCE 29.10", 7090),
        ("CAKE 1.80\nZORP 1.80\nTOTAL PAID 20.00\nCHANGE 18.20", 180),
        ("SET 30.00\nTOTAL 30.00\nMEAL VOUCHER PAYMENT 10.00\nVOUCHER 10.00\nVISA 20.00", 2000),
    ],
)
def test_one_unknown_label_is_made_good_by_arithmetic(paper: str, minor: int) -> None:
    assert earned(paper) == minor


@pytest.mark.parametrize(
    ("paper", "why"),
    [
        ("TOTAL 51.00\nZORP 5.10\nQUUX 45.90\nBLARG 45.90", "two amounts behind it"),
        ("FOO 3.00\nTOTAL 19.40\nZORP 104.13", "a larger amount"),
        ("BILL 65.55\nPAID 80.00\nZORP 14.45", "handed over"),
        ("AMOUNT DUE\nAMOUNT 65.55\nPAID 80.00", "handed over"),
        ("TEA 10.00\nTOTAL 102.64\nTIP 12.00", "a tip"),
        ("TEA 268.00\nTOTAL 268.00\nDISCOUNT 26.50", "a discount"),
        ("TEA 10.00\nCAKE 12.74\nGLORP 1.20\nTOTAL $2274", "lost its decimals"),
    ],
)
def test_a_total_by_its_label_alone_is_doubted_where_amounts_beside_it_do_not_fit(paper: str, why: str) -> None:
    receipt = read(paper, PAID_TILL)
    assert not receipt.qualifies
    assert why in receipt.reasons[-1]


def test_what_was_saved_and_tables_of_tips_are_no_reason_to_doubt() -> None:
    assert earned("TEA 30.00\nSUBTOTAL 30.00\nTOTAL 27.00\nDISCOUNT 3.00") == 2700
    assert earned("TEA 24.36\nTOTAL 24.36\n15% TIP 3.65\n18% TIP 4.38\n20% TIP 4.87") == 2436
    assert earned("TEA 3.52\nTOTAL 3.52\nZORP 20.00") == 352  # a note


def test_a_sum_that_was_paid_with_change_is_not_the_total() -> None:
    assert earned("PAID RM 200.00\nCHANGE RM 75.00") is None
    assert earned("TOTAL PAID 8.61\nCHANGE 11.39") == 861


@pytest.mark.parametrize(
    ("text", "minors"),
    [
        ("total 106. 35", [10635]),
        ("total 106 .35", [10635]),
        ("cash rm 126 75", [12675]),
        ("eur 40 00", [4000]),
        ("3 100", [300, 10000]),  # a count and an amount
        ("2 x 3.40  6.80", [200, 340, 680]),
        ("no. 12. 50 eggs 3.40", [1200, 5000, 340]),
    ],
)
def test_an_amount_torn_in_two_is_one_and_a_count_stays_a_count(text: str, minors: list[int]) -> None:
    finder = AmountFinder(Convention(2, ".", ","))
    found = [amount.minor for amount in finder.find(text)]
    assert found == minors or found == [minor for minor in minors if minor != 200]  # `2 x` is a count
    assert finder.last(text).minor == minors[-1]  # type: ignore[union-attr]


def test_letters_with_dots_between_are_one_word() -> None:
    assert earned("TOTAL I.V.A. 1,94\nTOTAL 10,40\nMULTIBANCO 10,40", PAID_EURO) == 1040
