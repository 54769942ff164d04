"""The published vectors of claims are true, also to code that shares nothing with ours."""

import base64
import hashlib
import hmac
import json

import pytest

from tests.sync.make_vectors import FILE

PUBLISHED = json.loads(FILE.read_text("utf-8"))["claims"]


def test_keys_are_hkdf_as_cryptography_books_have_it() -> None:
    """RFC 5869, one block: extract with a salt of zeros, expand once."""
    keys = PUBLISHED["keys"]
    prk = hmac.new(bytes(32), bytes.fromhex(keys["master"]), hashlib.sha256).digest()
    store = PUBLISHED["store"].to_bytes(3, "big")
    info = b"edgebox claim id v1" + store
    assert hmac.new(prk, info + b"\x01", hashlib.sha256).hexdigest() == keys["id_key"]
    for epoch in keys["epochs"]:
        info = b"edgebox claim key v1" + store + epoch["device"].to_bytes(2, "big") + epoch["index"].to_bytes(4, "big")
        assert hmac.new(prk, info + b"\x01", hashlib.sha256).hexdigest() == epoch["key"]


@pytest.mark.parametrize("case", PUBLISHED["claim_ids"], ids=lambda case: case["claim_id"])
def test_claim_ids_by_hand(case: dict[str, str]) -> None:
    where = "till:" + case["till"] if case["scope"] == "till" else "store"
    parts = [
        PUBLISHED["store"].to_bytes(3, "big"),
        case["business_date"].encode(),
        where.encode(),
        case["number"].encode(),
    ]
    message = b"edgebox claim id v1" + b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    key = bytes.fromhex(PUBLISHED["keys"]["id_key"])
    assert hmac.new(key, message, hashlib.sha256).digest()[:8].hex() == case["claim_id"]


def test_only_what_names_the_receipt_changes_its_id() -> None:
    ids = [case["claim_id"] for case in PUBLISHED["claim_ids"]]
    assert ids[0] == ids[1]
    assert len(set(ids[1:])) == len(ids) - 1


@pytest.mark.parametrize("case", PUBLISHED["good"], ids=lambda case: case["url"][-6:])
def test_tokens_by_hand(case: dict[str, str]) -> None:
    prefix = PUBLISHED["prefix"].encode()
    token = base64.b32decode(case["url"][len(prefix) :] + "======")
    assert token.hex() == case["payload"] + case["mac"]
    key = bytes.fromhex(PUBLISHED["keys"]["epochs"][0]["key"])
    message = b"edgebox claim v1" + bytes([len(prefix)]) + prefix + token[:24]
    assert hmac.new(key, message, hashlib.sha256).digest()[:12] == token[24:]


def test_every_way_to_be_refused_has_a_case() -> None:
    reasons = {case["reason"] for case in PUBLISHED["refused"]}
    assert reasons == {
        "format", "version", "mac", "store", "device", "epoch", "expired", "future", "amount", "revision", "void",
    }  # fmt: skip
