"""The published vectors are fresh, true, and true also to code that shares nothing with ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edgebox.sealed import SealKey, is_proven
from sync.contract_commands import Refused
from tests.sync.make_vectors import FILE, vectors

PUBLISHED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
SIGNED, ENVELOPES, SEALED = PUBLISHED["signed"], PUBLISHED["envelopes"], PUBLISHED["sealed"]


def test_the_file_is_what_the_code_makes() -> None:
    assert vectors() == PUBLISHED, "run python -m tests.sync.make_vectors, and tell the cloud's builders"


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of SHA-256, by hand."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\x01", "sha256")


def verified(case: dict[str, str]) -> None:
    """As docs/cloud.md says it: label, NUL, the body's text as it was sent."""
    publics = dict(key["fleet_keys"].split(":") for key in SIGNED["keys"])
    message = json.loads(case["message"])
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(publics[message["key"]]))
    label = SIGNED["labels"][case["purpose"]].encode()
    public.verify(base64.b64decode(message["signature"]), label + b"\0" + message["body"].encode())


@pytest.mark.parametrize("case", SIGNED["good"], ids=lambda case: json.loads(case["message"])["body"][:40])
def test_signatures_by_hand(case: dict[str, str]) -> None:
    verified(case)


def test_refused_for_their_signature_are_those_that_do_not_verify() -> None:
    for case in SIGNED["refused"]:
        if case["reason"] == Refused.SIGNATURE and "padding" not in case["what"]:
            with pytest.raises(InvalidSignature):
                verified(case)
        elif case["reason"] not in (Refused.SIGNATURE, Refused.UNKNOWN_KEY):
            verified(case)


def test_each_refusal_that_needs_no_memory_has_a_case() -> None:
    without = {"too_large", "too_deep", "malformed", "before_memory", "id_reused", "old_revision", "revision_reused"}
    without |= {"bad_content", "busy", "no_store"}
    assert {case["reason"] for case in SIGNED["refused"]} == {reason.value for reason in Refused} - without


def opened(envelope: dict[str, Any], about: bytes) -> str:
    """An envelope by hand: nonce, then ChaCha20-Poly1305 with what it is about as its associated data."""
    info = b"edgebox envelope v1\0" + ENVELOPES["box"].encode()
    raw = base64.b64decode(envelope["text"])
    cipher = ChaCha20Poly1305(hkdf(bytes.fromhex(ENVELOPES["epoch_key"]), b"", info))
    return cipher.decrypt(raw[:12], raw[12:], about).decode()


def test_envelopes_by_hand() -> None:
    asked = ENVELOPES["ask"]["envelope"]
    to = b"answer\0" + asked["id"].encode() + b"\0" + hashlib.sha256(asked["text"].encode()).digest()
    assert opened(asked, b"ask\0" + asked["id"].encode()) == ENVELOPES["ask"]["text"]
    assert opened(ENVELOPES["answer"]["envelope"], to) == ENVELOPES["answer"]["text"]
    for case in ENVELOPES["no_answer"]:
        with pytest.raises(InvalidTag):
            opened(case["envelope"], to)


def test_sealed_arguments_by_hand() -> None:
    private, public = bytes.fromhex(SEALED["private"]), base64.b64decode(SEALED["seal"])
    raw = base64.b64decode(SEALED["sealed"])
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(raw[:32]))
    info = b"\0".join((b"edgebox sealed v1", SEALED["purpose"].encode(), SEALED["box"].encode()))
    key = hkdf(shared, raw[:32] + public, info)
    assert ChaCha20Poly1305(key).decrypt(bytes(12), raw[32:], None).decode() == SEALED["text"]
    index, _, mac = SEALED["seal_proof"].partition(":")
    proof = b"\0".join((b"edgebox seal proof v1", SEALED["seal"].encode(), SEALED["box"].encode()))
    epoch = SEALED["epoch_key"]
    assert int(index) == epoch["index"]
    assert hmac.digest(bytes.fromhex(epoch["key"]), proof, "sha256").hex() == mac
    assert is_proven(SEALED["seal"], SEALED["seal_proof"], SEALED["box"], {epoch["index"]: bytes.fromhex(epoch["key"])})
    assert SealKey(private).public == SEALED["seal"]
