"""What waits to be printed, closed while it lies on the disk.

Owns: closing and opening a job's content with the box's own secret. Never: keeps it, or the key.

An order may name a person or an address, and the disk is for neither. It has to lie there while it waits for paper, so
it is closed with a key from the secret that no backup, export or copy of the database holds (edgebox/own_secret.py),
bound to its job, and removed when its job is over.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgebox.errors import OrderError

_INFO = b"edgebox papers v1"
_NONCE_BYTES = 12  # RFC 8439; by chance: a few million papers in a box's life


class Cover:
    """One box's."""

    def __init__(self, secret: bytes) -> None:
        self._key = ChaCha20Poly1305(HKDF(SHA256(), 32, None, _INFO).derive(secret))

    def closed(self, job: str, content: bytes) -> bytes:
        """As it may lie on the disk."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, content, job.encode("utf-8"))

    def opened(self, job: str, raw: bytes) -> bytes:
        """OrderError `lost`: it was closed with another secret, or for another job."""
        try:
            return self._key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], job.encode("utf-8"))
        except (InvalidTag, ValueError) as fault:
            hint = "a box that takes over from another takes its own.key over, too"
            raise OrderError("what was to be printed can't be read any more", reason="lost", hint=hint) from fault
