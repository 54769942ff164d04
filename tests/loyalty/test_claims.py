"""A claim can be made only by its box, says what it was made for, and has one spelling."""

import base64

import pytest
import qrcode
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import ClaimError
from edgebox.loyalty.claims import (
    AMOUNT_MAX,
    LIFETIME_S,
    SKEW_S,
    TOKEN_CHARS,
    claim_id,
    explain,
    mint,
    parse,
    verify,
)
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Confidence, NumberScope
from hw_sim.cloud_keys import EPOCH_S, keyring

MASTER = bytes(range(32))
NOW = 1_795_000_000  # 2026-11-18, in the middle of an epoch
KEYS = keyring(MASTER, 4711, 12, NOW)
ID = claim_id(KEYS, "2026-11-18", NumberScope.STORE, "", "0042")
URL = mint(KEYS, ID, 3390, NOW)
CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def refusal(url: str, keys: Keyring = KEYS, now: int = NOW) -> str:
    with pytest.raises(ClaimError) as refused:
        verify(url, keys, now)
    return refused.value.reason


# --- A good claim ------------------------------------------------------------------------------------------------


@given(
    amount=st.integers(1, AMOUNT_MAX),
    now=st.integers(NOW, NOW + 30 * 86400),
    revision=st.integers(0, 15),
    confidence=st.sampled_from(Confidence),
    tender_known=st.booleans(),
    clock_trusted=st.booleans(),
    the_id=st.binary(min_size=8, max_size=8),
)
def test_a_claim_says_what_it_was_made_for(
    amount: int, now: int, revision: int, confidence: Confidence, tender_known: bool, clock_trusted: bool, the_id: bytes
) -> None:
    url = mint(
        KEYS, the_id, amount, now,
        revision=revision, confidence=confidence, tender_known=tender_known, clock_trusted=clock_trusted,
    )  # fmt: skip
    found = verify(url, KEYS, now)
    claim = found.claim
    assert (claim.store, claim.device, claim.claim_id, claim.amount_minor) == (4711, 12, the_id, amount)
    assert (claim.revision, claim.confidence, claim.weak_id) == (revision, confidence, False)
    assert (claim.tender_known, claim.clock_trusted, claim.issued_minute) == (tender_known, clock_trusted, now // 60)
    assert (found.expires_at is None) == (not clock_trusted)


def test_a_weak_id_is_told() -> None:
    claim = verify(mint(KEYS, ID, 100, NOW, weak_id=True), KEYS, NOW).claim
    assert (claim.weak_id, claim.confidence) == (True, Confidence.LOW)


def test_the_url_is_a_small_alphanumeric_code() -> None:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(URL)
    assert len(URL) == 81
    assert code.version == 4
    assert [segment.mode for segment in code.data_list] == [qrcode.util.MODE_ALPHA_NUM]


def test_the_longest_prefix_still_is_version_4() -> None:
    from edgebox.loyalty.claims import PREFIX_MAX

    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data("A" * (PREFIX_MAX + TOKEN_CHARS))
    assert code.version == 4


# --- Forgery -----------------------------------------------------------------------------------------------------


@given(st.integers(0, len(URL) - 1), st.characters(codec="utf-8"))
@settings(max_examples=300)
def test_changing_one_character_anywhere_is_refused(at: int, char: str) -> None:
    if char != URL[at]:
        refusal(URL[:at] + char + URL[at + 1 :])


def test_changing_any_character_of_the_token_to_any_other_is_refused() -> None:
    start = len(KEYS.prefix)
    for at in range(start, len(URL)):
        for char in CHARS:
            if char != URL[at]:
                refusal(URL[:at] + char + URL[at + 1 :])


@given(st.integers(0, 35), st.integers(1, 255))
def test_changing_one_byte_of_the_token_is_refused(at: int, flip: int) -> None:
    token = bytearray(base64.b32decode(URL[len(KEYS.prefix) :] + "======"))
    token[at] ^= flip
    url = KEYS.prefix + base64.b32encode(token)[:TOKEN_CHARS].decode()
    assert refusal(url) in ("version", "store", "device", "epoch", "mac")


def test_changing_any_byte_of_the_token_to_any_other_is_refused() -> None:
    token = base64.b32decode(URL[-TOKEN_CHARS:] + "======")
    for at in range(len(token)):
        for flip in range(1, 256):
            changed = bytearray(token)
            changed[at] ^= flip
            url = KEYS.prefix + base64.b32encode(changed)[:TOKEN_CHARS].decode("ascii")
            with pytest.raises(ClaimError):
                verify(url, KEYS, NOW)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", URL.lower(), URL + "\n", URL + " ", " " + URL, URL + "=", URL[:-1], URL + "A", URL * 2, URL + "/",
        URL.replace("HTTPS", "HTTP"), URL.replace("HTTPS://", ""), URL.replace("/C/", "/C//"), URL + "?A=B", URL + "#X",
        KEYS.prefix, KEYS.prefix + "0" * TOKEN_CHARS, "Ａ" + URL[1:], URL.replace("M.EXAMPLE.CN/C/", "M" * 60 + "/"),
    ],
)  # fmt: skip
def test_anything_around_or_beside_the_url_is_refused(url: str) -> None:
    assert refusal(url) == "format"


@given(st.text(max_size=100))
def test_any_text_is_refused_as_a_claim_error(text: str) -> None:
    refusal(text)


def test_a_second_spelling_of_the_same_bytes_is_refused() -> None:
    last = CHARS.index(URL[-1])
    assert last % 4 == 0
    for bits in (1, 2, 3):
        assert refusal(URL[:-1] + CHARS[last + bits]) == "format"


def test_a_token_moved_to_another_host_is_refused() -> None:
    moved = URL.replace("M.EXAMPLE.CN", "M.PHISHER.CN")
    assert refusal(moved) == "format"
    there = Keyring(KEYS.store, KEYS.device, "HTTPS://M.PHISHER.CN/C/", KEYS.id_key, KEYS.epochs, KEYS.until)
    assert refusal(moved, there) == "mac"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (keyring(MASTER, 4712, 12, NOW), "store"),
        (keyring(MASTER, 4711, 13, NOW), "device"),
        (keyring(bytes(32), 4711, 12, NOW), "mac"),
        (keyring(MASTER, 4711, 12, NOW + 5 * EPOCH_S), "epoch"),
    ],
)
def test_other_keys_say_which_are_wrong(keys: Keyring, reason: str) -> None:
    assert refusal(URL, keys) == reason


# --- Time --------------------------------------------------------------------------------------------------------


def test_a_claim_ends_with_its_lifetime_and_not_a_minute_before() -> None:
    issued = NOW // 60 * 60
    assert verify(URL, KEYS, issued + LIFETIME_S).expires_at == issued + LIFETIME_S
    assert refusal(URL, now=issued + LIFETIME_S + 1) == "expired"
    with pytest.raises(ClaimError, match="2026-"):
        verify(URL, KEYS, NOW + 7300, lifetime_s=7200)


def test_a_claim_from_the_future_is_refused_beyond_what_clocks_differ() -> None:
    ahead = mint(KEYS, ID, 3390, NOW + SKEW_S)
    assert verify(ahead, KEYS, NOW + 60)
    assert refusal(ahead, now=NOW - 120) == "future"


def test_every_day_of_a_month_without_the_cloud_has_a_key() -> None:
    for day in range(31):
        now = NOW + day * 86400
        assert verify(mint(KEYS, ID, 3390, now), KEYS, now + 60)
    assert KEYS.days_left(NOW) >= 30


def test_after_its_last_key_a_box_that_knows_the_time_makes_no_claims() -> None:
    for now in (KEYS.until, KEYS.epochs[0].valid_from - 1):
        with pytest.raises(ClaimError) as refused:
            mint(KEYS, ID, 3390, now)
        assert refused.value.reason == "epoch"
    assert KEYS.days_left(KEYS.until + 1) == 0


def test_a_box_without_a_clock_signs_and_its_claims_die_with_their_epoch() -> None:
    url = mint(KEYS, ID, 3390, 0, clock_trusted=False)
    assert verify(url, KEYS, NOW).expires_at is None
    end = KEYS.epochs[1].valid_from
    assert verify(url, KEYS, end + LIFETIME_S)
    assert refusal(url, now=end + LIFETIME_S + SKEW_S + 1) == "epoch"


def test_an_epochs_key_signs_nothing_long_after_it() -> None:
    """Whoever has an old key can't date a new claim back or forth with it."""
    old = KEYS.epochs[0]
    thief = Keyring(KEYS.store, KEYS.device, KEYS.prefix, KEYS.id_key, (old,), NOW + 100 * 86400)
    now = NOW + 20 * 86400
    assert refusal(mint(thief, ID, 100, now), now=now) == "epoch"


def test_the_256th_epoch_after_is_not_taken_for_this_one() -> None:
    later = NOW + 256 * EPOCH_S
    keys = keyring(MASTER, 4711, 12, later)
    assert keys.epochs[0].number == KEYS.epochs[0].number
    assert refusal(URL, keys) == "epoch"
    assert keys.epochs[0].key != KEYS.epochs[0].key


# --- Ids ---------------------------------------------------------------------------------------------------------


def test_a_reprint_on_any_lane_after_any_key_change_has_the_same_id() -> None:
    other_lane = keyring(MASTER, 4711, 13, NOW + 90 * 86400)
    assert claim_id(other_lane, "2026-11-18", NumberScope.STORE, "2", "0042") == ID


def test_two_tills_with_the_same_number_differ_where_numbers_are_the_tills() -> None:
    ids = {claim_id(KEYS, "2026-11-18", NumberScope.TILL, till, "0042") for till in ("1", "2")}
    assert len(ids | {ID}) == 3


@given(
    st.tuples(*[st.text("0123", min_size=1, max_size=4)] * 2), st.tuples(*[st.text("0123", min_size=1, max_size=4)] * 2)
)
def test_no_two_receipts_share_an_id(one: tuple[str, str], two: tuple[str, str]) -> None:
    ids = [claim_id(KEYS, "2026-11-18", NumberScope.TILL, till, number) for till, number in (one, two)]
    assert (ids[0] == ids[1]) == (one == two)


@pytest.mark.parametrize(
    ("date", "scope", "till", "number"),
    [
        ("", NumberScope.STORE, "", "1"),
        ("18.11.2026", NumberScope.STORE, "", "1"),
        ("2026-11-18", NumberScope.STORE, "", ""),
        ("2026-11-18", NumberScope.TILL, "", "1"),
    ],
)
def test_without_a_printed_number_and_date_there_is_no_id(
    date: str, scope: NumberScope, till: str, number: str
) -> None:
    with pytest.raises(ClaimError) as refused:
        claim_id(KEYS, date, scope, till, number)
    assert refused.value.reason == "number"


@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        ((ID, 0, NOW), {}, "amount"),
        ((ID, -1, NOW), {}, "amount"),
        ((ID, AMOUNT_MAX + 1, NOW), {}, "amount"),
        ((ID, 1, NOW), {"revision": 16}, "revision"),
        ((ID, 1, NOW), {"revision": -1}, "revision"),
        ((ID, 1, -60), {"clock_trusted": False}, "time"),
        ((ID[:7], 1, NOW), {}, "number"),
    ],
)
def test_what_a_token_cant_hold_is_refused(
    arguments: tuple[bytes, int, int], options: dict[str, int], reason: str
) -> None:
    with pytest.raises(ClaimError) as refused:
        mint(KEYS, *arguments, **options)  # type: ignore[arg-type]
    assert refused.value.reason == reason


# --- What people see ---------------------------------------------------------------------------------------------


def test_the_verify_command_shows_a_good_claim() -> None:
    text, code = explain(URL, KEYS, NOW)
    assert code == 0
    assert text.startswith("good\n")
    assert ID.hex() in text
    assert "3390" in text


def test_the_verify_command_says_why_a_claim_is_refused() -> None:
    text, code = explain(URL, keyring(MASTER, 1, 12, NOW), NOW)
    assert code == 1
    assert text.startswith("refused: store: store 4711, not 1")


def test_the_verify_command_survives_any_minute() -> None:
    url = mint(KEYS, ID, 1, ((1 << 32) - 1) * 60, clock_trusted=False)
    assert parse(url).claim.issued_minute == (1 << 32) - 1
    text, code = explain(url, KEYS, KEYS.until - 60)
    assert (code, "minute 4294967295" in text) == (0, True)


def test_keys_are_never_shown() -> None:
    shown = f"{KEYS!r} {KEYS} {KEYS.epochs}"
    assert "secret" in shown
    for secret in (KEYS.id_key, *[epoch.key for epoch in KEYS.epochs]):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
