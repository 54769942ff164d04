"""Amounts in a line, by the shop's convention."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.model import format_minor, to_major
from edgebox.receipt.money import AmountFinder, Convention
from edgebox.receipt.words import normalise

POINT = AmountFinder(Convention())
COMMA = AmountFinder(Convention(2, ",", "."))
EITHER = AmountFinder(Convention(2, ",.", ""))
NONE = AmountFinder(Convention(0, "", ".,"))


def found(text: str, finder: AmountFinder = POINT) -> list[int]:
    return [amount.minor for amount in finder.find(normalise(text))]


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("TOTAL 33.90", 3390),
        ("RM33.90", 3390),
        ("RM       60.30", 6030),
        ("¥1,234.50元", 123450),
        ("￥20", 2000),
        ("合计：１２．５０", 1250),
        ("$9.39", 939),
        ("CHANGE .10", 10),
        ("9.00 SR", 900),
        ("4.99A", 499),
        ("85.0", 8500),
        ("-RM 0.02", -2),
        ("(0.02)", -2),
        ("5.00-", -500),
        ("¥-5.00", -500),
        ("20.00EUR", 2000),
        ("*20.00", 2000),
        ("TOTAL ***20.00", 2000),
    ],
)
def test_an_amount_is_read_as_it_is_printed(text: str, minor: int) -> None:
    assert found(text) == [minor]


@pytest.mark.parametrize(
    "text",
    [
        "2,44",  # the other convention
        "12-01-19",
        "2018-12-25",
        "21:13:04",
        "07-3507405",
        "6%",
        "10.00 %",
        "550ml",
        "19.3kg",
        "90分",
        "x1.0份",
        "****9797",
        "#43",
        "5.00253.50",  # two columns grown together
        "9.000",  # a weight
        "1/2",
        "40" * 20,
        "储值卡:30537588",  # a card's number, not 30 million
    ],
)
def test_what_is_no_amount_is_not_read(text: str) -> None:
    assert found(text) == []


def test_the_configured_mark_decides_and_is_never_guessed() -> None:
    assert found("1.591,60", COMMA) == [159160]
    assert found("40.000", COMMA) == [4000000]
    assert found("2.44", COMMA) == []
    assert found("2.44 2,44", EITHER) == [244, 244]
    assert found("1.234,56 1,234.56 1.234.567,8", EITHER) == [123456, 123456, 123456780]
    assert found("1.234 1,234", EITHER) == []  # thousands or thousandths?


def test_a_currency_without_decimals_is_whole() -> None:
    assert found("TOTAL 40.000", NONE) == [40000]
    assert found("9,700", NONE) == [9700]
    assert found("1.591.600", NONE) == [1591600]


def test_a_blank_joins_no_digits_but_a_thin_space_does() -> None:
    assert found("3 100", EITHER) == [300, 10000]
    assert found("3\u202f100,00", COMMA) == [310000]


def test_whole_and_marked_say_how_sure_the_shape_is() -> None:
    (sure,) = POINT.find("¥20")
    (unsure,) = POINT.find("20")
    assert (sure.whole, sure.marked) == (True, True)
    assert (unsure.whole, unsure.marked) == (True, False)


@given(minor=st.integers(0, 10**9), mark=st.sampled_from(".,"), grouped=st.booleans())
def test_every_amount_printed_by_a_convention_is_read_back(minor: int, mark: str, grouped: bool) -> None:
    group = {".": ",", ",": "."}[mark]
    whole = f"{minor // 100:,}".replace(",", group if grouped else "")
    finder = AmountFinder(Convention(2, mark, group))
    assert found(f"total {whole}{mark}{minor % 100:02}", finder) == [minor]


@given(st.text(max_size=500))
def test_any_text_gives_amounts_in_order_and_no_fault(text: str) -> None:
    text = normalise(text)
    amounts = POINT.find(text)
    assert all(0 <= one.start < one.end <= len(text) for one in amounts)
    assert [one.start for one in amounts] == sorted(one.start for one in amounts)


@given(st.integers(-(10**12), 10**12), st.integers(0, 3))
def test_minor_units_are_written_exactly(minor: int, decimals: int) -> None:
    text = format_minor(minor, decimals)
    assert int(text.replace(".", "").replace("-", "")) == abs(minor)
    assert float(text) == to_major(minor, decimals)
