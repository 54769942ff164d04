"""Claims for whoever builds the cloud's side to check their code against: a part of docs/contract/vectors.json.

tests/sync/make_vectors.py writes the file. The masters in it are published: never use them.
"""

import base64
import hmac
from typing import Any

from edgebox.errors import ClaimError
from edgebox.loyalty import claims, derivation
from edgebox.loyalty.claims import Recorded
from edgebox.loyalty.keyring import Keyring
from edgebox.model import Confidence, NumberScope
from hw_sim.cloud_keys import EPOCH_S, keyring

MASTER = bytes(range(32))
STORE, DEVICE = 4711, 12
NOW = 1_795_000_000  # 2026-11-18 11:06:40 UTC

RECEIPTS: list[tuple[str, NumberScope, str, str]] = [
    ("2026-11-18", NumberScope.STORE, "", "0042"),
    ("2026-11-18", NumberScope.STORE, "3", "0042"),  # the till counts only where numbers are the till's
    ("2026-11-18", NumberScope.TILL, "3", "0042"),
    ("2026-11-18", NumberScope.TILL, "30", "042"),  # lengths keep till and number apart
    ("2026-11-19", NumberScope.STORE, "", "0042"),
    ("2026-11-18", NumberScope.STORE, "", "单号0042"),
]
MINTED: list[dict[str, Any]] = [
    {"amount_minor": 3390},
    {"amount_minor": 1, "revision": 15, "confidence": Confidence.LOW},
    {"amount_minor": (1 << 32) - 1, "confidence": Confidence.MEDIUM, "tender_known": False},
    {"amount_minor": 3390, "weak_id": True, "clock_trusted": False},
]


def keys() -> Keyring:
    return keyring(MASTER, STORE, DEVICE, NOW)


def vectors() -> dict[str, Any]:
    """The whole part."""
    return {
        "about": "edgebox claim v1. Layout and checks: edgebox/loyalty/claims.py; keys: edgebox/loyalty/derivation.py.",
        "store": STORE,
        "device": DEVICE,
        "prefix": keys().prefix,
        "now": NOW,
        "lifetime_s": claims.LIFETIME_S,
        "epoch_s": EPOCH_S,
        "keys": _keys(),
        "claim_ids": [_id(*receipt) for receipt in RECEIPTS],
        "good": [_good(fields) for fields in MINTED],
        "refused": _refused(),
    }


def _keys() -> dict[str, Any]:
    index = NOW // EPOCH_S
    return {
        "master": MASTER.hex(),
        "id_key": derivation.id_key(MASTER, STORE).hex(),
        "epochs": [
            {"store": STORE, "device": device, "index": i, "key": derivation.epoch_key(MASTER, STORE, device, i).hex()}
            for device, i in ((DEVICE, index), (DEVICE, index + 1), (DEVICE + 1, index))
        ],
    }


def _id(date: str, scope: NumberScope, till: str, number: str) -> dict[str, str]:
    found = claims.claim_id(keys(), date, scope, till, number)
    return {"business_date": date, "scope": scope.value, "till": till, "number": number, "claim_id": found.hex()}


def _good(fields: dict[str, Any]) -> dict[str, Any]:
    options = dict(fields)
    the_id = claims.claim_id(keys(), *RECEIPTS[0])
    url = claims.mint(keys(), the_id, options.pop("amount_minor"), NOW, **options)
    parsed = claims.parse(url)
    claim = {
        **parsed.claim._asdict(),
        "claim_id": parsed.claim.claim_id.hex(),
        "confidence": parsed.claim.confidence.value,
    }
    return {"url": url, "payload": parsed.payload.hex(), "mac": parsed.mac.hex(), "claim": claim}


def _refused() -> list[dict[str, Any]]:
    url = _good(MINTED[0])["url"]
    other_store = keyring(MASTER, STORE + 1, DEVICE, NOW)
    other_device = keyring(MASTER, STORE, DEVICE + 1, NOW)
    old = keyring(MASTER, STORE, DEVICE, NOW - 3 * EPOCH_S, days=0)
    the_id = claims.claim_id(keys(), *RECEIPTS[0])
    at = len(keys().prefix)
    cases = [
        ("lower case", url.lower(), NOW),
        ("one character short", url[:-1], NOW),
        ("a space behind it", url + " ", NOW),
        ("second spelling: one of the two bits left over is set", url[:-1] + _next(url[-1]), NOW),
        ("other host", url.replace("M.EXAMPLE", "N.EXAMPLE"), NOW),
        ("other path", url.replace("/C/", "/D/"), NOW),
        ("another prefix, long enough to be one", "HTTPS://" + "A" * 40 + ".EXAMPLE/C/" + url[at:], NOW),
        ("version 2", claims.parse(url).prefix + "AI" + url[at + 2 :], NOW),
        ("altered in the amount", url[: at + 34] + _next(url[at + 34]) + url[at + 35 :], NOW),
        ("other store", claims.mint(other_store, the_id, 3390, NOW), NOW),
        ("other device", claims.mint(other_device, the_id, 3390, NOW), NOW),
        ("key epoch unknown or long over", claims.mint(old, the_id, 3390, NOW - 3 * EPOCH_S), NOW),
        ("expired", url, NOW + claims.LIFETIME_S + 60),
        ("signed for no amount", _signed_for_nothing(), NOW),
        ("from the future", claims.mint(keys(), the_id, 3390, NOW + 3600), NOW),
    ]
    return [
        {"what": what, "url": bad, "now": now, "reason": _reason(bad, now)} for what, bad, now in cases
    ] + _refused_by_the_record()


def _refused_by_the_record() -> list[dict[str, Any]]:
    """Signed and in time, but the box recorded something else of its id."""
    url = _good(MINTED[0])["url"]
    cases = [
        ("settled again since", Recorded(1, 2390)),
        ("its slip was never printed", Recorded(0, 3390, is_void=True)),
        ("more than the box recorded", Recorded(0, 3389)),
    ]
    return [
        {"what": what, "url": url, "now": NOW, "recorded": recorded._asdict(), "reason": _reason(url, NOW, recorded)}
        for what, recorded in cases
    ]


def _signed_for_nothing() -> str:
    """No box mints it, but a cloud must not believe that."""
    payload = bytearray(claims.parse(_good(MINTED[0])["url"]).payload)
    payload[19:23] = bytes(4)
    prefix = keys().prefix
    message = claims.MAC_LABEL + bytes((len(prefix),)) + prefix.encode() + bytes(payload)
    mac = hmac.digest(keys().signing(NOW, clock_trusted=True).key, message, "sha256")[: claims.MAC_BYTES]
    return prefix + base64.b32encode(bytes(payload) + mac)[: claims.TOKEN_CHARS].decode("ascii")


def _next(char: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return alphabet[(alphabet.index(char) + 1) % 32]


def _reason(url: str, now: int, recorded: Recorded | None = None) -> str:
    try:
        claims.verify(url, keys(), now, recorded=recorded)
    except ClaimError as refusal:
        return refusal.reason
    raise AssertionError(f"not refused: {url}")
