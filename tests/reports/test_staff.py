"""What chance explains is no signal; what it doesn't is told with its numbers."""

import random

import pytest

from edgebox.reports.staff import signals, tail

FAIR = {f"{number:02d}": {"receipts": 600, "reprints": 6} for number in range(6)}


def test_who_reprints_five_times_as_often_is_told_with_all_numbers() -> None:
    (signal,) = signals({**FAIR, "07": {"receipts": 600, "reprints": 30}})
    assert (signal.cashier, signal.measure, signal.events, signal.receipts) == ("07", "reprints", 30, 600)
    assert (signal.others_count, signal.others_receipts) == (36, 3600)
    assert signal.expected == pytest.approx(6.2, abs=0.1)
    assert signal.one_in > 1000


@pytest.mark.parametrize(
    "odd",
    [
        {"receipts": 50, "reprints": 20},  # too few receipts to judge
        {"receipts": 600, "reprints": 4},  # too few events
        {"receipts": 600, "reprints": 11},  # less than twice what is expected
    ],
)
def test_few_receipts_few_events_and_a_little_more_make_no_suspects(odd: dict[str, int]) -> None:
    assert signals({**FAIR, "07": odd}) == ()


def test_a_shop_with_one_cashier_and_receipts_without_a_name_have_no_signals() -> None:
    assert signals({"01": {"receipts": 9000, "voids": 900}}) == ()
    assert all(signal.cashier for signal in signals({**FAIR, "": {"receipts": 600, "reprints": 300}}))


def test_chance_alone_makes_hardly_any_signal() -> None:
    dice = random.Random(4)
    found = 0
    for _ in range(100):
        shop = {
            f"{number}": {"receipts": 500, "voids": sum(dice.random() < 0.02 for _ in range(500))}
            for number in range(8)
        }
        found += len(signals(shop))
    assert found <= 4


@pytest.mark.parametrize(
    ("count", "expected", "chance"), [(0, 3.0, 1.0), (1, 3.0, 0.950213), (5, 2.0, 0.052653), (20, 5.0, 3.5e-7)]
)
def test_the_tail_is_poissons(count: int, expected: float, chance: float) -> None:
    assert tail(count, expected) == pytest.approx(chance, rel=0.02)


def test_the_tail_of_large_numbers_is_a_number() -> None:
    assert tail(2000, 900.0) == 0.0
    assert tail(900, 900.0) == 1.0
