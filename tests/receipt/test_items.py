"""What was sold: names, quantities and prices, as far as the paper says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.model import Item, Tax
from tests.receipt.paper import EURO, SHOP, read

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
