"""Secrets on their way through a broker that must not read them: sealed to one box, for one purpose.

Owns: the box's own key, sealing and opening, and the proof that a public key is the box's. Never: shows a private key,
or what was sealed, to a log, a message or the database.

A sealed text is `32 bytes of a fresh X25519 key || ChaCha20-Poly1305 of the text`. The cipher's key is HKDF-SHA256 of
the shared secret, both public keys as salt, and purpose and box as info; its nonce is zero, for each key is used once.
[RFC 7748, 5869, 8439; the shape of RFC 9180 base mode]

The broker could put a key of its own in the place of the box's. So the box proves it: an HMAC with the newest of its
claim keys, which only the box and the cloud have. A box without claim keys has no proof: there a person compares.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgebox import given
from edgebox.errors import ConfigError, OrderError
from edgebox.loyalty.keyring import Keyring
from edgebox.private_file import write_private

FILE = "seal.key"
KEY_BYTES = 32
_INFO = b"edgebox sealed v1"
_PROOF = b"edgebox seal proof v1"
_NONCE = bytes(12)


class SealKey:
    """The box's private key."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)
        self.public = base64.b64encode(self._private.public_key().public_bytes_raw()).decode("ascii")

    def __repr__(self) -> str:
        return f"SealKey({self.public})"

    @classmethod
    def load(cls, folder: Path) -> SealKey:
        """The key in `folder`, made at first use; a systemd credential of that name goes before it. ConfigError."""
        path = given.copy_of(FILE) or folder / FILE
        try:
            if not path.exists():
                write_private(path, os.urandom(KEY_BYTES))
            with path.open("rb") as file:
                if not given.is_private(file.fileno(), path):
                    raise ConfigError(f"{path}: others may read it", reason="open_key_file", hint=f"chmod 600 {path}")
                raw = file.read(KEY_BYTES + 1)
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror}", reason="no_key_file") from fault
        if len(raw) != KEY_BYTES:
            raise ConfigError(f"{path}: expected {KEY_BYTES} bytes", reason="bad_key_file")
        return cls(raw)

    def open(self, sealed: str, purpose: str, box: str) -> bytes:
        """What was sealed. OrderError `sealed`: not for this box, not for this purpose, or not whole."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            theirs = X25519PublicKey.from_public_bytes(raw[:KEY_BYTES])
            key = _key(self._private.exchange(theirs), raw[:KEY_BYTES], base64.b64decode(self.public), purpose, box)
            return ChaCha20Poly1305(key).decrypt(_NONCE, raw[KEY_BYTES:], None)
        except (binascii.Error, ValueError, InvalidTag):
            raise OrderError("it is not sealed to this box for this purpose", reason="sealed") from None


def seal(text: bytes, public: str, purpose: str, box: str) -> str:
    """For the sender: only the box with this public key can open it, and only for `purpose` (the command's name)."""
    ours, theirs = X25519PrivateKey.generate(), base64.b64decode(public)
    head = ours.public_key().public_bytes_raw()
    key = _key(ours.exchange(X25519PublicKey.from_public_bytes(theirs)), head, theirs, purpose, box)
    return base64.b64encode(head + ChaCha20Poly1305(key).encrypt(_NONCE, text, None)).decode("ascii")


def proof(public: str, box: str, keys: Keyring | None) -> str:
    """`index:hex`: whoever has the claim key of that epoch says that the public key is this box's; "" without keys."""
    if keys is None:
        return ""
    epoch = keys.epochs[-1]
    return f"{epoch.index}:{_mac(public, box, epoch.key)}"


def is_proven(public: str, given: str, box: str, epoch_keys: dict[int, bytes]) -> bool:
    """For the sender, who has the box's claim keys by epoch: the proof is good."""
    index, _, mac = given.partition(":")
    key = epoch_keys.get(int(index)) if index.isascii() and index.isdigit() and len(index) <= 10 else None
    return key is not None and hmac.compare_digest(mac.encode("utf-8"), _mac(public, box, key).encode("ascii"))


def _key(shared: bytes, head: bytes, public: bytes, purpose: str, box: str) -> bytes:
    info = b"\0".join((_INFO, purpose.encode("utf-8"), box.encode("utf-8")))
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=head + public, info=info).derive(shared)


def _mac(public: str, box: str, key: bytes) -> str:
    return hmac.digest(key, b"\0".join((_PROOF, public.encode("ascii"), box.encode("utf-8"))), "sha256").hex()
