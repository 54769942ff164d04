"""Signatures of the fleet: who may command this box, and proof that it was they who did.

Owns: Ed25519 signing and checking of `Signed`, and the keys a box obeys, by name and role. Never: reads a file or a
clock, nor looks at what is signed.

What is signed is a label, a NUL and the body: a bundle's signature is none for a command with the same text. Several
keys are obeyed at once, so that one can be replaced: add the new one, sign with it, take the old one away. A key's name
says its role: the words `operator`, `owner` and `keymaster` between dots, dashes and underscores, as in
`owner-2026`; the highest counts, and a name without any is an operator's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sync.contract import MESSAGE_BYTES, Signed
from sync.contract_commands import Refused, Role

if TYPE_CHECKING:  # the ciphers have 8 MB: the page of a shop without a cloud knows these types, and no keys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEYS_MAX = 16  # obeyed at once; a rotation needs two a role
_SIGNATURE_BYTES = 64  # RFC 8032
_decoder = msgspec.json.Decoder(Signed)


class Purpose(Enum):
    """What the signature is for; the value is the label."""

    COMMAND = b"edgebox command v1"
    BUNDLE = b"edgebox bundle v1"
    RELEASE = b"edgebox release v1"


class FleetKey(NamedTuple):
    """A key that is obeyed. `public`: 32 bytes."""

    name: str
    role: Role
    public: bytes


class Opened(NamedTuple):
    """A message whose signature holds."""

    key: FleetKey
    body: bytes


class NotSignedError(Exception):
    """It is not to be believed. `reason` says why."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(reason.value)
        self.reason = reason


def role_of(name: str) -> Role:
    """The role that a key's name gives it."""
    words = set(re.split(r"[._-]", name.lower()))
    return max((role for role in Role if role.name.lower() in words), default=Role.OPERATOR)


def fleet_keys(settings: Iterable[str]) -> dict[str, FleetKey]:
    """`[sync] fleet_keys` → keys by name. ValueError: a name twice, a key that is none, too many."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found: dict[str, FleetKey] = {}
    for text in settings:
        name, _, encoded = text.partition(":")
        public = base64.b64decode(encoded, validate=True)
        Ed25519PublicKey.from_public_bytes(public)  # ValueError unless 32 bytes
        if name in found:
            raise ValueError(f"{name!r} comes twice")
        found[name] = FleetKey(name, role_of(name), public)
    if len(found) > KEYS_MAX:
        raise ValueError(f"{len(found)} keys, at most {KEYS_MAX}")
    return found


def sign(private: Ed25519PrivateKey, name: str, purpose: Purpose, body: msgspec.Struct) -> bytes:
    """The message to publish: a Command or Bundle, signed with the key that boxes know by `name`."""
    text = msgspec.json.encode(body)
    signature = private.sign(purpose.value + b"\0" + text)
    return msgspec.json.encode(
        Signed(key=name, signature=base64.b64encode(signature).decode("ascii"), body=text.decode("utf-8"))
    )


def public_text(private: Ed25519PrivateKey, name: str) -> str:
    """The key's line for `[sync] fleet_keys`."""
    return f"{name}:{base64.b64encode(private.public_key().public_bytes_raw()).decode('ascii')}"


def open_signed(raw: bytes, keys: Mapping[str, FleetKey], purpose: Purpose) -> Opened:
    """The body and the key that signed it. NotSignedError says why not. Nothing of the body is looked at before."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(raw) > MESSAGE_BYTES:
        raise NotSignedError(Refused.TOO_LARGE)
    try:
        signed = _decoder.decode(raw)
    except RecursionError:
        raise NotSignedError(Refused.TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NotSignedError(Refused.MALFORMED) from None
    key = keys.get(signed.key)
    if key is None:
        raise NotSignedError(Refused.UNKNOWN_KEY)
    body = _utf8(signed.body)
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        if base64.b64encode(signature).decode("ascii") != signed.signature or len(signature) != _SIGNATURE_BYTES:
            raise NotSignedError(Refused.SIGNATURE)  # base64 has several spellings of one value; only one is ours
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, purpose.value + b"\0" + body)
    except (InvalidSignature, binascii.Error, ValueError):
        raise NotSignedError(Refused.SIGNATURE) from None
    return Opened(key, body)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotSignedError(Refused.MALFORMED) from None
