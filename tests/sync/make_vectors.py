"""Writes docs/contract/vectors.json: cases for whoever builds the cloud's side to check their code against.

    .venv/bin/python -m tests.sync.make_vectors

test_vectors.py holds the file to what this makes. Every key in it is published: never use one. What is random in use
(nonces, the sender's half of a sealed text) is fixed here, so that the file is the same each time.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edgebox import sealed
from edgebox.envelope import close_answer, close_question
from edgebox.loyalty import derivation
from edgebox.sealed import SealKey, proof, seal
from sync import commands
from sync.commands import Memory, Offer, Order, Refusal
from sync.contract import Answer, Ask, Bundle, BundleKind, Command, Envelope
from sync.signing import Purpose, public_text
from tests.loyalty import make_vectors as claims
from tests.sync.fleet import HERE, KEYS, NOW, PRIVATE, TRUSTED, bundle, command, order, signed

FILE = Path(__file__).parents[2] / "docs" / "contract" / "vectors.json"
POINTS = Path(claims.__file__).with_name("points_vectors.json")
NONCE = bytes(range(12))
SEAL_KEY = bytes(range(32))
SENDER_KEY = bytes(range(32, 64))
RULES = {"points": {"rev": 3, "currency": "EUR", "tiers": {"base": 100}}}


def vectors() -> dict[str, Any]:
    """The whole file."""
    return {
        "about": "edgebox contract v1, told in docs/cloud.md. All keys here are published: never use one.",
        "claims": claims.vectors(),
        "points": json.loads(POINTS.read_text("utf-8")),
        "signed": _signed(),
        "envelopes": _envelopes(),
        "sealed": _sealed(),
    }


def _signed() -> dict[str, Any]:
    return {
        "box": HERE._asdict(),
        "now": NOW,
        "labels": {purpose.name.lower(): purpose.value.decode() for purpose in Purpose},
        "keys": [
            {
                "name": name,
                "role": KEYS[name].role.name.lower(),
                "private": PRIVATE[name].private_bytes_raw().hex(),
                "fleet_keys": public_text(PRIVATE[name], name),
            }
            for name in KEYS
        ],
        "good": [_good(body, key) for body, key in _bodies()],
        "refused": [_refused(what, raw, purpose) for what, raw, purpose in _forgeries()],
    }


def _bodies() -> list[tuple[Command | Bundle, str]]:
    """What may be sent, and by whom."""
    return [
        (command("ping", {"text": "are you there?"}), "operator-1"),
        (command("print", {"line": "till-1", "blocks": [{"block": "text", "text": '你好 \\ "3 €"'}]}), "operator-1"),
        (command("resend", {"stream": "receipts", "epoch": "0001-28734e39", "first": 12, "last": 14}), "operator-1"),
        (command("rules.set", {"revision": 3, "content": RULES}, boxes=("*",), stores=("s1", "s2")), "owner-1"),
        (command("keys.revoke", {"epochs": [7]}, boxes=("*",), stores=("*",)), "keymaster-1"),
        (bundle(BundleKind.RULES, 3, RULES, activate_at=NOW + 60), "owner-1"),
    ]


def _good(body: Command | Bundle, key: str) -> dict[str, str]:
    purpose = Purpose.COMMAND if isinstance(body, Command) else Purpose.BUNDLE
    raw = signed(body, key)
    assert not isinstance(_judged(raw, purpose), Refusal)
    return {"purpose": purpose.name.lower(), "key": key, "message": raw.decode("utf-8")}


def _forgeries() -> list[tuple[str, bytes, Purpose]]:
    """What a box does not do."""
    ping = order("ping", key="operator-1")
    spelled = msgspec.json.decode(ping)
    spelled["signature"] = spelled["signature"].rstrip("=")
    made: list[tuple[str, bytes]] = [
        ("one letter of the body changed", ping.replace(b"ping", b"pong")),
        ("the base64 without its padding", msgspec.json.encode(spelled)),
        ("signed by one key in the name of another", signed(command(), "operator-1", name="keymaster-1")),
        ("a key that the box does not obey", signed(command(), "stranger")),
        ("signed as a bundle", signed(command(), purpose=Purpose.BUNDLE)),
        ("a command of a later version", signed(command(v=2))),
        ("another tenant", signed(command(tenant="other"))),
        ("another box", signed(command(boxes=("b2",)))),
        ("all boxes, and no store", signed(command(boxes=("*",)))),
        ("another store", signed(command(boxes=("*",), stores=("s2",)))),
        ("good for more than 31 days", signed(command(expires=NOW + commands.VALID_MAX_S + 1))),
        ("issued in the future", signed(command(issued=NOW + commands.SKEW_S + 1, expires=NOW + 1000))),
        ("over", signed(command(issued=NOW - 100, expires=NOW))),
        ("no such command", signed(command("dance"))),
        ("a role that may not", order("rules.set", {"revision": 3, "content": RULES}, "operator-1")),
        ("an argument that the command doesn't have", order("ping", {"loud": True})),
    ]
    offer = signed(bundle(BundleKind.RULES, 3, RULES), "operator-1")
    return [(what, raw, Purpose.COMMAND) for what, raw in made] + [("a role that may not", offer, Purpose.BUNDLE)]


def _refused(what: str, raw: bytes, purpose: Purpose) -> dict[str, str]:
    verdict = _judged(raw, purpose)
    assert isinstance(verdict, Refusal), what
    return {"what": what, "purpose": purpose.name.lower(), "message": raw.decode("utf-8"), "reason": verdict.reason}


def _judged(raw: bytes, purpose: Purpose) -> Refusal | Order | Offer | commands.Again:
    if purpose is Purpose.COMMAND:
        return commands.decide(raw, KEYS, HERE, TRUSTED, Memory())
    return commands.decide_bundle(raw, KEYS, HERE, TRUSTED)


def _epoch() -> tuple[int, bytes]:
    index = claims.NOW // claims.EPOCH_S
    return index, derivation.epoch_key(claims.MASTER, claims.STORE, claims.DEVICE, index)


def _envelopes() -> dict[str, Any]:
    """A question, and the answers to it that are one and aren't."""
    index, key = _epoch()
    question = msgspec.json.encode(Ask(id="q1", what="coupon", args={"code": "8000 1234"}, at=NOW))
    answer = msgspec.json.encode(Answer(id="q1", ok=True))
    with mock.patch("os.urandom", lambda count: NONCE[:count]):
        asked = close_question(key, index, HERE.box, "q1", question)
        other = close_question(key, index, HERE.box, "q2", question)
        made = {
            "good": close_answer(key, HERE.box, asked, answer),
            "of another question": close_answer(key, HERE.box, other, answer),
            "for another box": close_answer(key, "b2", asked, answer),
            "not closed, only encoded": Envelope(
                id="q1", epoch=index, text=base64.b64encode(NONCE + answer * 2).decode()
            ),
        }
    return {
        "box": HERE.box,
        "epoch_key": key.hex(),
        "ask": {"text": question.decode(), "envelope": msgspec.to_builtins(asked)},
        "answer": {"text": answer.decode(), "envelope": msgspec.to_builtins(made.pop("good"))},
        "no_answer": [{"what": what, "envelope": msgspec.to_builtins(one)} for what, one in made.items()],
    }


class _Sender:
    """Stands in for the class of keys where a sender makes one by chance."""

    @staticmethod
    def generate() -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(SENDER_KEY)


def _sealed() -> dict[str, Any]:
    newest = claims.keys().epochs[-1]
    box = SealKey(SEAL_KEY)
    text = '{"password": "only for b1"}'
    with mock.patch.object(sealed, "X25519PrivateKey", _Sender):
        closed = seal(text.encode(), box.public, "tls.set", HERE.box)
    return {
        "box": HERE.box,
        "private": SEAL_KEY.hex(),
        "seal": box.public,
        "epoch_key": {"index": newest.index, "key": newest.key.hex()},
        "seal_proof": proof(box.public, HERE.box, claims.keys()),
        "purpose": "tls.set",
        "text": text,
        "sealed": closed,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", "utf-8")
