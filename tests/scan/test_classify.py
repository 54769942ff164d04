"""What is whose: each number of the notes with its source; what is private is never ours, and never waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ConfigError
from edgebox.loyalty import claims, comeback
from edgebox.scan.classify import ARMABLE, SIGNED_CHARS, Kind, Rules, mode_of, rule_of
from edgebox.scan.codes import NEVER_OURS, OURS, check_fits, is_payment, is_resident_id
from edgebox.scan.settings import ScannerSettings

TITLE = "https://mp.weixin.qq.com/intp/invoice/usertitlewxa?action=list_auth&invoice_key=SmE0"
RULES = Rules(
    [
        rule_of(Kind.CLAIM, "HTTPS://M.EXAMPLE.CN/C/"),
        rule_of(Kind.COMEBACK, "CB:"),
        rule_of(Kind.COUPON, "CPN:"),
        rule_of(Kind.COUPON, "800000-809999"),
        rule_of(Kind.MEMBER, "VIP:"),
        rule_of(Kind.MALL, "2990000000000-2999999999999"),
        rule_of(Kind.PICK_UP, "CPN:PU"),
        rule_of(Kind.INVOICE_TITLE, "https://mp.weixin.qq.com/intp/invoice/usertitlewxa?"),
    ],
    {"EDGEBOX+COUPON": Kind.COUPON},
)

# code, AIM identifier, kind, source (notes §4 unless said otherwise)
CODES = [
    ("134567890123456789", "", Kind.PAYMENT, "WeChat: 18 digits from 10 to 15"),
    ("100000000000000000", "]Q1", Kind.PAYMENT, "WeChat"),
    ("159999999999999999", "]C0", Kind.PAYMENT, "WeChat, Hong Kong"),
    ("169999999999999999", "", Kind.OTHER, "one beyond WeChat"),
    ("099999999999999999", "", Kind.OTHER, "one before WeChat"),
    ("13456789012345678", "", Kind.OTHER, "17 digits"),
    ("1345678901234567890", "", Kind.OTHER, "19 digits"),
    ("2512345678901234", "", Kind.PAYMENT, "Alipay: 25 to 30, 16 digits"),
    ("309876543210987654321098", "", Kind.PAYMENT, "Alipay: 24 digits"),
    ("281234567890123456", "]Q1", Kind.PAYMENT, "Alipay: 18 digits"),
    ("281234567890123", "", Kind.OTHER, "15 digits"),
    ("2812345678901234567890123", "", Kind.OTHER, "25 digits"),
    ("311234567890123456", "", Kind.OTHER, "one beyond Alipay"),
    ("6212345678901234567", "", Kind.PAYMENT, "UnionPay: 62, 19 digits"),
    ("621234567890123456", "", Kind.OTHER, "18 digits"),
    ("23442000000012345678", "", Kind.INVOICE, "数电票: 20 digits, begins with the year"),
    ("25442000000012345678", "", Kind.PAYMENT, "collision: an invoice of 2025 looks like Alipay"),
    ("01,32,,23442000000012345678,66.00,20230101,,8A3F", "]Q1", Kind.INVOICE, "QR on an invoice"),
    ("01,10,011001900111,12345678,66.00,20200101,12345678901234567890,AB12,", "", Kind.INVOICE, "older QR"),
    ("11010519491231002X", "", Kind.RESIDENT_ID, "GB 11643-1999, annex: the standard's example"),
    ("440524188001010014", "", Kind.OTHER, "born in 1880; begins with 44, no payment"),
    ("110105194912310021", "", Kind.PAYMENT, "collision: check digit wrong, so it looks like WeChat"),
    ("11010519490231002X", "", Kind.OTHER, "31 February"),
    ("6901234567892", "", Kind.PRODUCT, "EAN-13"),
    ("6901234567893", "", Kind.OTHER, "check digit wrong"),
    ("96385074", "", Kind.PRODUCT, "EAN-8, GS1 General Specifications"),
    ("036000291452", "", Kind.PRODUCT, "UPC-A"),
    ("01234565", "", Kind.PRODUCT, "UPC-E of 012345000065"),
    ("10614141000415", "", Kind.PRODUCT, "GTIN-14"),
    ("12345", "]E0", Kind.PRODUCT, "the scanner says EAN"),
    ("ABC", "", Kind.OTHER, ""),
    ("", "", Kind.OTHER, "empty"),
    ("HTTPS://M.EXAMPLE.CN/C/" + "A" * 58, "]Q1", Kind.CLAIM, "design §8: 58 letters of base32"),
    ("HTTPS://M.EXAMPLE.CN/C/" + "A" * 57, "", Kind.OTHER, "a letter short"),
    ("HTTPS://M.EXAMPLE.CN/C/" + "A" * 57 + "1", "", Kind.OTHER, "1 is no base32"),
    ("HTTPS://M.EXAMPLE.CN/C/ABOUT", "", Kind.OTHER, "the same site's other pages"),
    ("CB:" + "2" * 47, "", Kind.COMEBACK, "edgebox/loyalty/comeback.py"),
    ("CB:1234", "", Kind.OTHER, "no comeback coupon"),
    ("CPN:7F3K", "", Kind.COUPON, "prefix"),
    ("CPN:", "", Kind.OTHER, "nothing behind the prefix"),
    ("CPN:PU77", "", Kind.PICK_UP, "the longer prefix says more"),
    ("cpn:7F3K", "", Kind.OTHER, "case counts: phones and scanners keep it"),
    ("805555", "", Kind.COUPON, "range"),
    ("810000", "", Kind.OTHER, "beyond the range"),
    ("VIP:0815", "]Q1", Kind.MEMBER, "prefix"),
    ("2991234567890", "", Kind.MALL, "numbers for use within a shop"),
    (TITLE, "]Q1", Kind.INVOICE_TITLE, "api_invoicescantitle"),
    ("EDGEBOX+COUPON", "", Kind.MODE, "mode key"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "aim", "kind", "source"), CODES)
def test_each_code_is_what_its_source_says(code: str, aim: str, kind: Kind, source: str) -> None:
    for reading in (RULES.read(aim + code), RULES.read(code, aim)):
        assert reading.kind == kind
        assert reading.symbology == aim


@pytest.mark.parametrize(("code", "aim", "kind", "source"), CODES)
def test_an_armed_mode_takes_what_no_rule_knows_but_nothing_private(
    code: str, aim: str, kind: Kind, source: str
) -> None:
    armed = RULES.read(aim + code, armed=Kind.COUPON).kind
    if kind in NEVER_OURS or not code:
        assert armed == kind
    else:
        assert armed == (kind if kind in OURS else Kind.COUPON)


def test_the_lengths_of_signed_codes_are_those_of_the_codes_themselves() -> None:
    assert SIGNED_CHARS == {Kind.CLAIM: claims.TOKEN_CHARS, Kind.COMEBACK: comeback.LONG_CHARS}


def test_a_real_comeback_coupon_is_ours_and_its_short_code_in_a_mode() -> None:
    terms = comeback.Terms(1, 77, 500, 0, 20_000)
    assert RULES.read(comeback.long_code(bytes(32), "CB:", terms)).kind == Kind.COMEBACK
    short = comeback.short_code(bytes(32), terms)
    assert RULES.read(short).kind == Kind.OTHER
    assert RULES.read(short, armed=Kind.COMEBACK).kind == Kind.COMEBACK


# -- properties

payments = st.one_of(
    st.tuples(st.sampled_from(["10", "11", "12", "13", "14", "15"]), st.from_regex(r"[0-9]{16}", fullmatch=True)),
    st.tuples(st.sampled_from(["25", "26", "27", "28", "29", "30"]), st.from_regex(r"[0-9]{14,22}", fullmatch=True)),
    st.tuples(st.just("62"), st.from_regex(r"[0-9]{17}", fullmatch=True)),
).map("".join)
anything = st.one_of(st.text(max_size=90), payments, st.sampled_from([code for code, *_ in CODES]))


@given(payments, st.sampled_from(["", "]Q1", "]C1", "]E0"]), st.sampled_from([None, *ARMABLE]))
def test_no_payment_code_is_ever_ours(code: str, aim: str, armed: Kind | None) -> None:
    assert not RULES.read(aim + code, armed=armed).is_ours
    assert not Rules(always=armed).read(aim + code).is_ours


@given(anything, st.sampled_from(["", "]Q1"]), st.sampled_from([None, Kind.COUPON]))
def test_what_is_ours_might_have_become_so_at_every_letter(code: str, aim: str, armed: Kind | None) -> None:
    """So nothing of ours is ever let through early, key by key."""
    whole = aim + code
    if RULES.read(whole, armed=armed).is_ours:
        assert all(RULES.may_become(whole[:size], armed) for size in range(len(whole) + 1))


@given(st.text(max_size=40), st.text(max_size=5))
def test_any_text_has_a_kind(code: str, symbology: str) -> None:
    assert RULES.read(code, symbology).kind in Kind


@given(st.from_regex(r"[0-9]{17}", fullmatch=True))
def test_of_ten_last_digits_one_makes_an_ean(digits: str) -> None:
    assert sum(check_fits(digits[:12] + str(last)) for last in range(10)) == 1
    dated = digits[:6] + "19900228" + digits[14:17]
    assert sum(is_resident_id(dated + last) for last in "0123456789Xx") in (1, 2)


@given(st.integers(0, 10**20 - 1), st.integers(0, 10**20 - 1), st.integers(3, 20))
def test_a_range_that_is_allowed_holds_no_payment_code(low: int, high: int, size: int) -> None:
    first, last = sorted(str(number)[:size].zfill(size) for number in (low, high))
    try:
        rule_of(Kind.COUPON, f"{first}-{last}")
    except ConfigError:
        return
    assert not is_payment(first)
    assert not is_payment(last)


# -- what can't be written down

BAD_RULES = [
    ("12345", "digits alone"),
    ("AB", "3 to 64"),
    ("券:AB", "ASCII"),
    ("]Q1AB", "AIM"),
    ("900-100", "smaller first"),
    ("1000-20000", "one length"),
    ("100000000000000000-199999999999999999", "payment"),
    ("6200000000000000000-6299999999999999999", "payment"),
    ("20000000000000000000-29999999999999999999", "payment"),
    ("22000000000000000000-23999999999999999999", "invoices"),
    ("6900000000000-6999999999999", "goods"),
    ("900000000000-900000999999", "goods"),
    ("10000000-19999999", "goods"),
]


@pytest.mark.parametrize(("text", "words"), BAD_RULES)
def test_a_rule_that_would_swallow_others_codes_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule_of(Kind.COUPON, text)
    assert words in str(caught.value)
    with pytest.raises(ConfigError):
        _ = ScannerSettings(coupons=(text,)).rules


@pytest.mark.parametrize("text", ["EDGEBOX", "=coupon", "AB=coupon", "12345=coupon", "KEY=payment", "KEY=mode", "KEY="])
def test_a_mode_key_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        mode_of(text)


def test_signed_codes_have_no_numbers() -> None:
    with pytest.raises(ConfigError):
        rule_of(Kind.CLAIM, "500000-599999")


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(ConfigError):
        _ = ScannerSettings(coupons=tuple(f"AB{n}:" for n in range(70))).rules
