"""What the desk decides with: its answers, signed coupons, how far it may go alone, the way of one code."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edgebox.desk import signed
from edgebox.desk.allowance import Here, Spell, judge_alone
from edgebox.desk.answers import SAID, Answer, Beep, refusal
from edgebox.desk.lockout import Lockout
from edgebox.desk.redemption import Phase, Redemption, Source, Worth
from edgebox.desk.signed import Coupon
from edgebox.errors import ClaimError
from edgebox.loyalty.offers import CouponKind, OfflineRedeem, Proof
from hw_sim.cloud.desk import Refusal
from tests.desk.shop import NOW, SIGNER, TODAY

KEY = SIGNER.public_key()
COUPON = Coupon(4711, 12, 7, CouponKind.AMOUNT_OFF, 1000, 5000, TODAY - 1, TODAY + 1, "s-8")
HERE = Here(4711, 12, NOW, TODAY, True)
RULES = OfflineRedeem(True, (CouponKind.AMOUNT_OFF, CouponKind.PERCENT_OFF), Proof.SIGNED_CODE, 3000, 3, 5000, 3600)
SPELL = Spell(NOW - 60)


# --- Answers -----------------------------------------------------------------------------------------------------


def test_every_answer_has_its_own_words_in_both_languages() -> None:
    assert set(SAID) == set(Answer)
    for language in ("zh", "en"):
        said = [one.words(language) for one in SAID.values()]
        assert len(set(said)) == len(said)
        assert all(said)
    assert [answer for answer, one in SAID.items() if one.beep is Beep.GOOD] == [
        *(Answer.REDEEMED, Answer.FORWARDED, Answer.MEMBER, Answer.STRANGER, Answer.STALE)
    ]
    assert all((one.beep is Beep.AGAIN) is not one.is_final for one in SAID.values())


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("used", Answer.USED),
        ("wrong_store", Answer.WRONG_STORE),
        ("system_failure", Answer.FAILURE),
        ("question", Answer.FAILURE),
        ("weixin_card:40099", Answer.USED),
        ("weixin_card:40127", Answer.GIVEN_AWAY),
        ("weixin_card:40056", Answer.UNKNOWN),
        ("weixin_card:GIFTING", Answer.GIVEN_AWAY),
        ("weixin_card:EXPIRE", Answer.EXPIRED),
        ("weixin_card:-1", Answer.FAILURE),
        ("weixin_busifavor:USED", Answer.USED),
        ("weixin_busifavor:EXPIRED", Answer.EXPIRED),
        ("weixin_busifavor:RESOURCE_NOT_EXISTS", Answer.UNKNOWN),
        ("weixin_busifavor:FREQUENCY_LIMITED", Answer.FAILURE),
        ("weixin_card:NORMAL", Answer.FAILURE),
        ("other:40099", Answer.FAILURE),
        ("redeemed", Answer.FAILURE),
        ("", Answer.FAILURE),
    ],
)
def test_what_others_say_comes_to_one_of_our_answers(reason: str, answer: Answer) -> None:
    assert refusal(reason) is answer


@given(st.text(max_size=40))
def test_no_word_of_the_cloud_turns_a_no_into_a_yes(reason: str) -> None:
    assert refusal(reason) is not Answer.REDEEMED


def test_every_refusal_of_the_clouds_desk_is_known() -> None:
    assert {refusal(one.value) for one in Refusal} == {
        Answer.UNKNOWN, Answer.USED, Answer.NOT_STARTED, Answer.EXPIRED, Answer.WRONG_STORE, Answer.THRESHOLD,
        Answer.FAILURE,
    }  # fmt: skip


# --- Signed coupons ----------------------------------------------------------------------------------------------


@given(
    st.builds(
        Coupon,
        store=st.integers(0, (1 << 24) - 1),
        device=st.integers(0, 65535),
        serial=st.integers(0, signed.SERIAL_MAX),
        kind=st.sampled_from(CouponKind),
        value=st.integers(0, (1 << 32) - 1),
        threshold=st.integers(0, (1 << 32) - 1),
        first_day=st.integers(0, 65535),
        last_day=st.integers(0, 65535),
        stock=st.from_regex(r"[A-Za-z0-9_.:-]{0,32}", fullmatch=True),
    )
)
def test_a_signed_coupon_says_what_the_cloud_wrote(coupon: Coupon) -> None:
    code = signed.made(coupon, "SC:", SIGNER)
    assert signed.read(code, "SC:", [KEY]) == coupon
    assert len(code) <= signed.CODE_MAX


@given(st.integers(0, 10_000), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_changed_letter_makes_it_worthless(at: int, letter: str) -> None:
    code = signed.made(COUPON, "SC:", SIGNER)
    at = 3 + at % (len(code) - 3)
    changed = code[:at] + letter + code[at + 1 :]
    if changed != code:
        with pytest.raises(ClaimError):
            signed.read(changed, "SC:", [KEY])


@given(st.text(max_size=400))
def test_no_text_is_read_as_a_coupon_or_breaks_the_reader(text: str) -> None:
    with pytest.raises(ClaimError):
        signed.read("SC:" + text, "SC:", [KEY])


def test_a_coupon_is_for_one_prefix_and_one_clouds_key() -> None:
    code = signed.made(COUPON, "SC:", SIGNER)
    stranger = Ed25519PrivateKey.from_private_bytes(b"x" * 32).public_key()
    for prefix, keys, text in (("SC:", [], code), ("SC:", [stranger], code), ("XX:", [KEY], "XX:" + code[3:])):
        with pytest.raises(ClaimError) as fault:
            signed.read(text, prefix, keys)
        assert fault.value.reason == "forged"
    assert signed.read(code, "SC:", [stranger, KEY]) == COUPON, "a new key beside an old one"


def test_a_signature_over_nonsense_is_still_nonsense() -> None:
    payload = bytes((1,)) + bytes(27) + b"\x09"
    signature = SIGNER.sign(b"edgebox coupon v1\0\x03SC:" + payload)
    code = "SC:" + base64.b32encode(payload + signature).decode().rstrip("=")
    with pytest.raises(ClaimError) as fault:
        signed.read(code, "SC:", [KEY])
    assert fault.value.reason == "format"


# --- Alone -------------------------------------------------------------------------------------------------------


def test_an_own_coupon_within_all_limits_is_redeemed_alone() -> None:
    assert judge_alone(COUPON, HERE, 5000, RULES, SPELL) is None
    assert judge_alone(COUPON, HERE, None, RULES, SPELL) is None, "the cashier knows the bill"
    assert judge_alone(COUPON, HERE, 5000, RULES, Spell(NOW - 3600, 2, 4000)) is None, "the last one of each limit"


@pytest.mark.parametrize(
    ("coupon", "here", "amount", "rules", "spell", "answer"),
    [
        ({}, {}, 5000, {"enabled": False}, {}, Answer.OFFLINE),
        ({}, {}, 5000, {"kinds": (CouponKind.GIFT,)}, {}, Answer.OFFLINE),
        ({}, {}, 5000, {"require": Proof.ALLOW_LIST}, {}, Answer.OFFLINE),
        ({"device": 13}, {}, 5000, {}, {}, Answer.OFFLINE),
        ({"device": 0}, {"device": 0}, 5000, {}, {}, Answer.OFFLINE),
        ({"store": 4712}, {}, 5000, {}, {}, Answer.WRONG_STORE),
        ({}, {"trusted": False}, 5000, {}, {}, Answer.OFFLINE),
        ({}, {"today": TODAY + 2}, 5000, {}, {}, Answer.EXPIRED),
        ({}, {"today": TODAY - 2}, 5000, {}, {}, Answer.NOT_STARTED),
        ({}, {}, 4999, {}, {}, Answer.THRESHOLD),
        ({}, {}, 5000, {}, {"synced_at": NOW - 3601}, Answer.OFFLINE),
        ({}, {}, 5000, {}, {"synced_at": 0}, Answer.OFFLINE),
        ({}, {}, 5000, {}, {"synced_at": NOW + 1}, Answer.OFFLINE),
        ({"value": 3001}, {}, 5000, {}, {}, Answer.LIMIT),
        ({}, {}, 5000, {}, {"done": 3}, Answer.LIMIT),
        ({}, {}, 5000, {}, {"total_minor": 4001}, Answer.LIMIT),
        ({"kind": CouponKind.PERCENT_OFF, "value": 10}, {}, None, {}, {}, Answer.LIMIT),
        ({"kind": CouponKind.PERCENT_OFF, "value": 10}, {}, 40_000, {}, {}, Answer.LIMIT),
    ],
)
def test_one_step_beyond_any_limit_waits_for_the_cloud(
    coupon: dict[str, object],
    here: dict[str, object],
    amount: int | None,
    rules: dict[str, object],
    spell: dict[str, object],
    answer: Answer,
) -> None:
    judged = judge_alone(
        COUPON._replace(**coupon),  # type: ignore[arg-type]
        HERE._replace(**here),  # type: ignore[arg-type]
        amount,
        RULES._replace(**rules),  # type: ignore[arg-type]
        SPELL._replace(**spell),  # type: ignore[arg-type]
    )
    assert judged is answer


def test_no_coupon_takes_less_than_nothing_off_or_more_than_the_bill() -> None:
    """A bill below the fixed price, a percentage above a hundred: less than nothing would lift the limits."""
    fixed = COUPON._replace(kind=CouponKind.FIXED_PRICE, value=9900)
    assert fixed.face_minor(5000) == 0
    assert fixed.face_minor(12_000) == 2100
    assert COUPON._replace(kind=CouponKind.PERCENT_OFF, value=250).face_minor(5000) == 5000


# --- Typing ------------------------------------------------------------------------------------------------------


def test_typing_is_locked_by_wrong_codes_in_a_row_and_within_the_time() -> None:
    lockout = Lockout(3, 600)
    for at in (0, 1000, 1001):
        lockout.wrong(at)
    assert not lockout.is_locked(1002), "the first one is long ago"
    lockout.wrong(1003)
    assert lockout.is_locked(1602)
    assert not lockout.is_locked(1603)
    lockout.wrong(2300)
    lockout.right()
    lockout.wrong(2301)
    lockout.wrong(2302)
    assert not lockout.is_locked(2303)
    assert lockout.locked_times == 1


# --- The way of one code -----------------------------------------------------------------------------------------

ONE = Redemption("r1", "c0de", Source.SIGNED)


def test_the_request_id_never_changes_and_nothing_is_printed_before_the_disk() -> None:
    done = ONE.asked().granted(Worth("tea", "s-7", value_minor=500), offline=True)
    with pytest.raises(ValueError, match="from granted to printed"):
        done.printed()
    record = done.record(NOW, 3, 1)
    assert (record.request, record.state, record.offline, record.stock) == ("r1", "redeemed", True, "s-7")
    out = done.committed(3, 3, NOW).printed()
    assert (out.request, out.phase) == ("r1", Phase.PRINTED)


def test_there_is_no_way_back_behind_the_commit_and_none_from_a_no() -> None:
    committed = ONE.granted(Worth()).committed(1, 1, NOW)
    for step in (lambda: committed.refused(Answer.USED), lambda: ONE.refused(Answer.USED).granted(Worth())):
        with pytest.raises(ValueError, match="from"):
            step()
    with pytest.raises(ValueError, match="no refusal"):
        ONE.refused(Answer.REDEEMED)


def test_a_code_of_somebody_else_is_never_granted_without_the_cloud() -> None:
    with pytest.raises(ValueError, match="without it"):
        Redemption("r1", "c0de", Source.CLOUD).asked().granted(Worth(), offline=True)
