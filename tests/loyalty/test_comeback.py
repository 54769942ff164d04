"""The comeback coupon: what one box signed is good there, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.errors import ClaimError
from edgebox.loyalty.comeback import (
    LETTERS,
    SHORT_SERIALS,
    Terms,
    check_short,
    check_terms,
    long_code,
    read_long,
    read_short,
    short_code,
)

KEY, OTHER = bytes(range(32)), bytes(32)
PREFIX = "HTTPS://M.EXAMPLE.CN/K/"
TERMS = Terms(device=12, serial=4711, value_minor=500, threshold_minor=5000, last_day=20_500)
TERMS_MADE = st.builds(
    Terms,
    st.integers(0, 0xFFFF),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 0xFFFF),
)


def refusal(code: str, key: bytes = KEY, device: int = 12, prefix: str = PREFIX) -> str:
    with pytest.raises(ClaimError) as caught:
        read_long(key, prefix, device, code)
    return caught.value.reason


@given(TERMS_MADE)
def test_a_code_says_its_terms(terms: Terms) -> None:
    assert read_long(KEY, PREFIX, terms.device, long_code(KEY, PREFIX, terms)) == terms
    found = read_short(short_code(KEY, terms))
    assert found is not None
    assert found[0] == terms.serial % SHORT_SERIALS
    check_short(KEY, found[1], terms)


def test_every_change_of_one_letter_is_refused() -> None:
    code = long_code(KEY, PREFIX, TERMS)
    for at in range(len(PREFIX), len(code)):
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567":
            if letter != code[at]:
                assert refusal(code[:at] + letter + code[at + 1 :]) in ("format", "version", "forged", "other_box")


def test_another_box_another_key_and_another_prefix_are_refused() -> None:
    code = long_code(KEY, PREFIX, TERMS)
    assert refusal(code, device=13) == "other_box"
    assert refusal(code, key=OTHER) == "forged"
    assert refusal(code, prefix="HTTPS://EVIL.CN/K/") == "format"
    assert refusal(code.replace("EXAMPLE", "EVIL")) == "format"
    assert refusal(code[:-1]) == "format"


def test_a_signature_for_one_prefix_is_none_for_another() -> None:
    code = long_code(KEY, "HTTPS://A/", TERMS)
    assert refusal(code.replace("HTTPS://A/", "HTTPS://B/"), prefix="HTTPS://B/") == "forged"


def test_a_typed_code_may_be_sloppy_but_not_wrong() -> None:
    code = short_code(KEY, TERMS)
    assert len(code) == 11
    sloppy = code.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    assert read_short(sloppy) == read_short(code)
    assert read_short("7KQ4M") is None
    assert read_short("7KQ4M-2XWAU") is None
    assert read_short("") is None


def test_every_change_of_one_typed_letter_is_refused() -> None:
    code = short_code(KEY, TERMS).replace("-", "")
    for at in range(4, 10):  # the first four name another coupon
        for letter in LETTERS:
            found = read_short(code[:at] + letter + code[at + 1 :])
            assert found is not None
            if letter != code[at]:
                with pytest.raises(ClaimError, match="altered") as caught:
                    check_short(KEY, found[1], TERMS)
                assert caught.value.reason == "forged"


@pytest.mark.parametrize(
    ("amount", "today", "reason"),
    [(5000, 20_500, ""), (4999, 20_500, "threshold"), (5000, 20_501, "expired"), (None, 20_500, ""), (5001, 0, "")],
)
def test_terms_hold_up_to_their_edges(amount: int | None, today: int, reason: str) -> None:
    if not reason:
        check_terms(TERMS, amount, today)
        return
    with pytest.raises(ClaimError) as caught:
        check_terms(TERMS, amount, today)
    assert caught.value.reason == reason


@given(st.text(max_size=120))
def test_any_text_is_refused_without_harm(text: str) -> None:
    assert refusal(text) in ("format", "version", "forged", "other_box")
    assert read_short(text) is None or len(text) >= 10
