"""Words: one form for both sides, and labels explained whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.model import TenderKind
from edgebox.receipt.lexicon import Key, Lexicon, Role
from edgebox.receipt.words import LINE_MAX, normalise, tokens
from tests.receipt.paper import lexicon


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("合  计", "合计"),
        ("합          계", "합계"),
        ("ＴＯＴＡＬ", "total"),
        ("Net à payer", "net a payer"),
        ("Sub-Total", "sub total"),
        ("合计（元）：", "合计元"),
        ("お釣り", "お釣り"),
    ],
)
def test_print_and_word_meet_in_one_form(one: str, other: str) -> None:
    assert tokens(normalise(one)) == tokens(normalise(other))


@given(st.text(max_size=2000))
def test_normalising_is_bounded_and_done_once(text: str) -> None:
    once = normalise(text)
    assert tokens(normalise(once)) == tokens(once) or len(once) > LINE_MAX
    assert len(once) <= 18 * LINE_MAX  # the longest compatibility form (U+FDFA) has 18 letters


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("total", Role.NET),
        ("total (incl. gst @ 6%)", Role.NET),
        ("total excl. gst", Role.SUBTOTAL),
        ("total gst", Role.TAX),
        ("total qty", Role.IGNORE),
        ("total discount", Role.DISCOUNT),
        ("sub total", Role.SUBTOTAL),
        ("cash change", Role.CHANGE),
        ("rounding adj", Role.ROUNDING),
        ("total rounded", Role.ROUNDED),
        ("合计", Role.SUM),
        ("实付金额", Role.PAID),
        ("找零", Role.CHANGE),
        ("更改到期日", Role.CHANGE),
        ("累计积分", Role.IGNORE),
        ("储值余额", Role.IGNORE),
        ("net à payer", Role.NET),
        ("お預り", Role.TENDERED),
        ("받은금액", Role.TENDERED),
    ],
)
def test_a_label_means_what_it_claims_least(label: str, role: Role) -> None:
    assert lexicon().label(normalise(label)).role is role


@pytest.mark.parametrize(
    "label", ["total care toothpaste", "cash box key", "抹零找零钱包", "合计拉面馆", "change purse red"]
)
def test_an_item_with_a_total_word_in_it_is_an_item(label: str) -> None:
    assert lexicon().label(normalise(label)).role is Role.ITEM


def test_a_way_of_paying_is_named() -> None:
    assert lexicon().label("微信支付").tender is TenderKind.WECHAT
    assert lexicon().label("visa").tender is TenderKind.CARD
    assert lexicon().label("实收(现金)") == (Role.PAID, TenderKind.CASH, True)


def test_keys_are_told_apart() -> None:
    words = lexicon()
    assert words.key("订单备注") is Key.REMARK
    assert words.key("收件人") is Key.CUSTOMER
    assert words.key("receipt no") is Key.NUMBER
    assert words.key("green tea") is None


def test_fewer_languages_know_fewer_words() -> None:
    assert lexicon("de").label("total").role is Role.NET
    assert lexicon("zh").label("total").role is Role.ITEM


def test_a_word_in_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Lexicon([{"amount": {"nonsense": ["x"]}}])
