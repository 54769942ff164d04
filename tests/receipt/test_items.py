"""What was sold: names, quantities and prices, as far as the paper says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import Item, Tax
from edgebox.receipt.reader import ReceiptReader
from tests.receipt.paper import EURO, SHOP, lexicon, lines, read

END = "\nTOTAL 100.00\nCASH 100.00"


def items(paper: str) -> list[Item]:
    return list(read(f"SHOP\n{paper}{END}").details.items)


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("MILK  2 x 8.00   16.00", Item("MILK", 2000, 800, 1600)),
        ("BREAD           17.90", Item("BREAD", 1000, 1790, 1790)),
        ("麻婆豆腐             x2     36.40", Item("麻婆豆腐", 2000, 1820, 3640)),
        ("可乐(听)      3   5.99   17.97", Item("可乐(听)", 3000, 599, 1797)),
        ("牛肉      0.435   80.00   34.80", Item("牛肉", 435, 8000, 3480)),
        ("搓澡                       38.99     1     38.99", Item("搓澡", 1000, 3899, 3899)),
        ("8038 JASMINE SUPER 5 SPECIA            RM29.90 Z", Item("8038 JASMINE SUPER 5 SPECIA", 1000, 2990, 2990)),
        ("1. 珍珠奶茶      x1     55", Item("珍珠奶茶", 1000, 5500, 5500)),
    ],
)
def test_a_line_of_an_item(line: str, item: Item) -> None:
    assert items(line) == [item]


def test_figures_below_the_name_belong_to_it() -> None:
    assert items("鸡蛋10枚装\n                2  13.79   27.58\n购物袋(中)\n                5   0.30    1.50") == [
        Item("鸡蛋10枚装", 2000, 1379, 2758),
        Item("购物袋(中)", 5000, 30, 150),
    ]


def test_a_count_below_the_item_is_its_count() -> None:
    assert items("HELANG 5KG            RM48.70 Z\n   @2 X RM 24.35") == [Item("HELANG 5KG", 2000, 2435, 4870)]


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("BANANAS  0.532 kg x 9.90   5.27", Item("BANANAS", 532, 990, 527)),
        ("香蕉(散装)   0.532kg   9.90   5.27", Item("香蕉(散装)", 532, 990, 527)),
        ("HAM  150 g x 19.90   2.99", Item("HAM", 150, 1990, 299)),  # grams, and the price of a kilogram
        ("2  22.00 BURGER      44.00", Item("BURGER", 2000, 2200, 4400)),
        ("3x COKE  2.00   6.00", Item("COKE", 3000, 200, 600)),
        ("NOODLES 2 22.00 4.00 40.00", Item("NOODLES", 2000, 2200, 4000, 400)),  # count, price, discount, amount
        ("PAPER ROLLS   10   2.50   25.00", Item("PAPER ROLLS", 10_000, 250, 2500)),  # no tax of a tenth
    ],
)
def test_weights_counts_and_discounts_of_a_line(line: str, item: Item) -> None:
    assert items(line) == [item]


@pytest.mark.parametrize(
    "paper",
    [
        "BANANAS\n 0.532 kg @ 9.90/kg      5.27",
        "BANANAS            5.27\n  0.532 kg @ 9.90/kg",
        "BANANAS\n 0.532kg x 9.90       5.27",
    ],
)
def test_a_weight_may_stand_above_or_below_the_amount(paper: str) -> None:
    assert items(paper) == [Item("BANANAS", 532, 990, 527)]


def test_a_weight_that_gives_another_amount_is_no_weight() -> None:
    (item,) = items("BANANAS  0.532 kg x 9.90   7.77")
    assert item.quantity_milli == 1000


def test_counts_before_the_names_are_counts_where_every_name_has_one() -> None:
    assert items("2 BURGER   44.00\n1 COKE   6.00") == [Item("BURGER", 2000, 2200, 4400), Item("COKE", 1000, 600, 600)]
    assert [item.name for item in items("7 DAYS   3.00\n1 COKE   6.00")] == ["7 DAYS", "1 COKE"]
    assert [item.name for item in items("2 BURGER   44.00\nCOKE   6.00")] == ["2 BURGER", "COKE"]


def test_names_may_stand_below_their_figures() -> None:
    rule = "-" * 32
    assert items(f"{rule}\n 2  22.00  44.00\nBURGER\n 1   6.00   6.00\nCOKE\n{rule}") == [
        Item("BURGER", 2000, 2200, 4400),
        Item("COKE", 1000, 600, 600),
    ]


def test_a_discount_below_an_item_is_that_items() -> None:
    paper = "BURGER   44.00\n  DISCOUNT   -4.00\nCOKE   6.00\n  10% OFF   -0.60\nTEA   2.00"
    assert items(paper) == [
        Item("BURGER", 1000, 4400, 4400, 400),
        Item("COKE", 1000, 600, 600, 60),
        Item("TEA", 1000, 200, 200),
    ]


def test_a_discount_of_the_whole_receipt_is_no_items() -> None:
    (item,) = items("TEA   102.00\nSUBTOTAL 102.00\nDISCOUNT   -2.00")
    assert item.discount_minor == 0


def test_what_was_sold_is_in_the_answer_where_points_depend_on_it() -> None:
    for wanted in (True, False):
        reader = ReceiptReader(SHOP._replace(items_in_answer=wanted), lexicon())
        reader.feed(lines(f"SHOP\nTEA   100.00{END}"))
        answer = reader.answer()
        assert bool(answer.details.items) is wanted
        assert reader.completed(answer).details.items == (Item("TEA", 1000, 10000, 10000),)


def test_what_stands_behind_the_total_was_not_sold() -> None:
    assert len(read(f"SHOP\nMILK   16.00{END}\nPOINTS EARNED  16.00\nLUCKY DRAW  5.00").details.items) == 1


def test_keys_and_sentences_are_no_items() -> None:
    assert items("桌号:4\n取餐号: 179\nLOT 5, JALAN 67\n") == []


def test_names_leave_redacted() -> None:
    (item,) = items("GIFT 13800138000          5.00")
    assert "13800138000" not in item.name
    assert item.name.startswith("GIFT")


def test_taxes_have_their_rates() -> None:
    paper = "SHOP\nWARE  11,90\nSUMME  11,90\nMwSt 19,0% 1,90\nBAR 11,90"
    assert Tax("19,0", 190) in read(paper, EURO).details.taxes


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.text("0123456789. x@-", max_size=30))
def test_any_line_is_an_item_or_none(name: str, figures: str) -> None:
    for item in read(f"SHOP\n{name}  {figures}\n  {figures}\nTOTAL 1.00", SHOP).details.items:
        assert item.name
        assert item.quantity_milli >= 0
