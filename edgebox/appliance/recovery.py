"""A box's secrets inside a backup, sealed with a recovery code that stands on paper and nowhere else.

Owns: the code, sealing and opening. Never: keeps the code, or seals a TLS key: a new box asks for a certificate of its
own, so that the dead one's can be taken back (docs/keys.md).

A backup goes onto a stick that lies about. Who finds it could sign the shop's coupons, if the keys lay in it in the
open; so they are in it sealed, and only if whoever makes it says so. The code has 125 bits by chance: there is nothing
to guess, and no need for a slow hash. Sealed: 12 bytes of nonce, and ChaCha20-Poly1305 of a JSON of names and base64.
[RFC 8439; HKDF: RFC 5869]
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgebox import own_secret, sealed
from edgebox.errors import ConfigError

NAME = "secrets.sealed"  # inside the backup [edgebox/store/backup.py, along]
KEYS = "keys.toml"
FILES = (own_secret.FILE, sealed.FILE, KEYS)
_LABEL = b"edgebox recovery v1"
_NONCE_BYTES = 12
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 that nobody takes for another when they are copied by hand
_GROUPS, _GROUP = 5, 5


def new_code() -> str:
    """Five groups of five letters: 125 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))


def collected(data: Path, keys: Path) -> dict[str, bytes]:
    """The box's secrets, by name; those that it has. ConfigError `io`: one can't be read."""
    places = {own_secret.FILE: data / own_secret.FILE, sealed.FILE: data / sealed.FILE, KEYS: keys}
    try:
        return {name: place.read_bytes() for name, place in places.items() if place.is_file()}
    except OSError as fault:
        raise ConfigError(f"{fault.filename}: {fault.strerror}", reason="io", hint="as root: sudo edgebox …") from fault


def closed(found: dict[str, bytes], code: str) -> bytes:
    """Sealed with the code."""
    nonce = os.urandom(_NONCE_BYTES)
    text = msgspec.json.encode({name: base64.b64encode(raw).decode("ascii") for name, raw in found.items()})
    return nonce + ChaCha20Poly1305(_key(code)).encrypt(nonce, text, _LABEL)


def opened(raw: bytes, code: str) -> dict[str, bytes]:
    """The secrets by name. ConfigError `recovery_code`: it is not the code of this backup."""
    try:
        text = ChaCha20Poly1305(_key(code)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _LABEL)
        found = msgspec.json.decode(text, type=dict[str, str])
        return {name: base64.b64decode(value, validate=True) for name, value in found.items() if name in FILES}
    except (InvalidTag, ValueError, binascii.Error, msgspec.MsgspecError):
        hint = "it was printed when this very backup was made; without it: --without-keys"
        raise ConfigError("the recovery code does not open this backup", reason="recovery_code", hint=hint) from None


def _key(code: str) -> bytes:
    letters = "".join(letter for letter in code.upper() if letter in _LETTERS).encode("ascii")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(letters)
