"""A fleet's keys and what they sign, for the tests."""

import base64
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.commands import Address, Moment
from sync.contract import Bundle, BundleKind, Command
from sync.signing import Purpose, fleet_keys, public_text, sign

NOW = 1_795_000_000
HERE = Address("acme", "s1", "b1")
TRUSTED = Moment(NOW, trusted=True)
PRIVATE = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate(("operator-1", "owner-1", "keymaster-1", "stranger"), 1)
}
KEYS = fleet_keys(public_text(PRIVATE[name], name) for name in ("operator-1", "owner-1", "keymaster-1"))


def raw_args(args: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(args))


def command(name: str = "ping", args: Any = None, **fields: Any) -> Command:
    given = {
        "id": "c1",
        "tenant": HERE.tenant,
        "boxes": (HERE.box,),
        "issued": NOW,
        "expires": NOW + 600,
        "by": "alice",
        **fields,
    }
    return Command(command=name, args=raw_args(args or {}), **given)


def signed(body: Command | Bundle, key: str = "keymaster-1", **overrides: Any) -> bytes:
    purpose = Purpose.COMMAND if isinstance(body, Command) else Purpose.BUNDLE
    return sign(PRIVATE[key], overrides.get("name", key), overrides.get("purpose", purpose), body)


def order(name: str = "ping", args: Any = None, key: str = "keymaster-1", **fields: Any) -> bytes:
    return signed(command(name, args, **fields), key)


def bundle(kind: BundleKind, revision: int, content: Any, **fields: Any) -> Bundle:
    given = {"tenant": HERE.tenant, "boxes": (HERE.box,), "issued": NOW, **fields}
    return Bundle(kind=kind, revision=revision, content=raw_args(content), **given)


def flipped(raw: bytes, bit: int) -> bytes:
    place = bit // 8 % len(raw)
    return raw[:place] + bytes([raw[place] ^ 1 << bit % 8]) + raw[place + 1 :]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
