"""Signatures: what a fleet key signed is believed, and nothing else is."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.contract import MESSAGE_BYTES, BundleKind, Signed
from sync.contract_commands import Refused, Role
from sync.signing import KEYS_MAX, NotSignedError, Purpose, fleet_keys, open_signed, public_text, role_of
from tests.sync.fleet import KEYS, PRIVATE, b64, bundle, command, flipped, order, signed

MESSAGE = order("print", {"line": "line1", "blocks": [{"block": "text", "text": 'say "hi" \\ 你好'}]})


def refusal(raw: bytes, purpose: Purpose = Purpose.COMMAND) -> Refused:
    with pytest.raises(NotSignedError) as refused:
        open_signed(raw, KEYS, purpose)
    return refused.value.reason


def test_what_a_fleet_key_signed_is_believed() -> None:
    opened = open_signed(MESSAGE, KEYS, Purpose.COMMAND)
    assert (opened.key.name, opened.key.role) == ("keymaster-1", Role.KEYMASTER)
    assert msgspec.json.decode(opened.body)["command"] == "print"


def test_no_message_with_one_bit_changed_is_believed() -> None:
    for bit in range(len(MESSAGE) * 8):
        with pytest.raises(NotSignedError):
            open_signed(flipped(MESSAGE, bit), KEYS, Purpose.COMMAND)


@given(st.binary(max_size=400))
def test_any_bytes_are_believed_or_refused_in_words(raw: bytes) -> None:
    assert refusal(raw) in (Refused.MALFORMED, Refused.UNKNOWN_KEY, Refused.SIGNATURE)


def test_a_bundles_signature_is_none_for_a_command() -> None:
    offer = signed(bundle(BundleKind.RULES, 1, {}))
    assert open_signed(offer, KEYS, Purpose.BUNDLE).key.name == "keymaster-1"
    assert refusal(offer) is Refused.SIGNATURE
    assert refusal(MESSAGE, Purpose.BUNDLE) is Refused.SIGNATURE


def test_a_key_cannot_sign_in_anothers_name() -> None:
    assert refusal(signed(command(), "operator-1", name="keymaster-1")) is Refused.SIGNATURE
    assert refusal(signed(command(), "stranger")) is Refused.UNKNOWN_KEY


def test_a_signature_has_one_spelling() -> None:
    good = msgspec.json.decode(MESSAGE, type=Signed)
    again = msgspec.structs.replace(good, signature=good.signature.rstrip("="))
    assert refusal(msgspec.json.encode(again)) is Refused.SIGNATURE


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * (MESSAGE_BYTES + 1), Refused.TOO_LARGE),
        (b'{"key":"a","signature":"b","body":"c","more":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Refused.TOO_DEEP),
        (b'{"key":"keymaster-1","signature":"AA==","body":"{}"}', Refused.SIGNATURE),
        (b'{"key":"keymaster-1","signature":"\xc3\xa4","body":"{}"}', Refused.SIGNATURE),
        (b'{"key":"keymaster-1","signature":"","body":"\\ud800"}', Refused.MALFORMED),
        (b"[]", Refused.MALFORMED),
        (b"", Refused.MALFORMED),
    ],
)
def test_what_is_no_message_is_refused_for_its_own_reason(raw: bytes, reason: Refused) -> None:
    assert refusal(raw) is reason


def test_a_key_is_replaced_without_a_gap() -> None:
    old, new = PRIVATE["owner-1"], PRIVATE["stranger"]
    both = fleet_keys([public_text(old, "owner-1"), public_text(new, "owner-2")])
    for name, key in (("owner-1", "owner-1"), ("owner-2", "stranger")):
        raw = signed(command(), key, name=name)
        assert open_signed(raw, both, Purpose.COMMAND).key.role is Role.OWNER
    later = fleet_keys([public_text(new, "owner-2")])
    with pytest.raises(NotSignedError, match="unknown_key"):
        open_signed(signed(command(), "owner-1"), later, Purpose.COMMAND)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("operator-7", Role.OPERATOR),
        ("owner.2026", Role.OWNER),
        ("acme_keymaster", Role.KEYMASTER),
        ("operator.owner.keymaster-demo", Role.KEYMASTER),
        ("fleet", Role.OPERATOR),
        ("ownership", Role.OPERATOR),
    ],
)
def test_a_keys_name_says_its_role_and_an_unknown_one_gives_the_least(name: str, role: Role) -> None:
    assert role_of(name) is role


@pytest.mark.parametrize(
    "settings",
    [
        ["a:" + b64(bytes(31))],
        ["a:" + b64(bytes(32)), "a:" + b64(bytes(32))],
        [f"k{number}:" + b64(bytes(32)) for number in range(KEYS_MAX + 1)],
    ],
)
def test_keys_that_cannot_be_obeyed_are_named(settings: list[str]) -> None:
    with pytest.raises(ValueError, match=r"twice|most|32"):
        fleet_keys(settings)
