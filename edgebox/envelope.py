"""Questions to the cloud and its answers, closed: the broker can neither read, make nor change one.

Owns: closing and opening an `Envelope` (sync/contract.py). Never: what is asked (edgebox/desk), or how it travels.

A broker that could read a question would have the customer's coupon code, and may use it elsewhere; one that could make
an answer would redeem what nobody ever issued. Both sides have the box's claim keys, and nobody else: a key for each
box and epoch is taken from them (HKDF-SHA256, RFC 5869) for ChaCha20-Poly1305 (RFC 8439) with a nonce by chance. An
answer is bound to the very envelope that asked, so that none fits another question, nor one that was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgebox.loyalty.keyring import KEY_BYTES, Keyring
from sync.contract import Envelope

_INFO = b"edgebox envelope v1"
_ASK, _ANSWER = b"ask", b"answer"
_NONCE_BYTES = 12  # RFC 8439; by chance: some questions a minute and a new key each week


class Envelopes(NamedTuple):
    """The box's side. `keys`: its claim keys now; without any there are no questions."""

    box: str
    keys: Callable[[], Keyring | None]

    def question(self, name: str, text: bytes) -> Envelope | None:
        """With the newest key; None: there is none."""
        keys = self.keys()
        return close_question(keys.epochs[-1].key, keys.epochs[-1].index, self.box, name, text) if keys else None

    def answer(self, asked: Envelope, given: Envelope) -> bytes | None:
        """What was said to `asked`; None: this is no answer to it."""
        keys = self.keys()
        for epoch in keys.epochs if keys else ():
            if epoch.index == asked.epoch == given.epoch:
                return open_answer(epoch.key, self.box, asked, given)
        return None


def close_question(epoch_key: bytes, epoch: int, box: str, name: str, text: bytes) -> Envelope:
    """A question of `box`; `name` is its unchanged id."""
    return Envelope(id=name, epoch=epoch, text=_closed(epoch_key, box, (_ASK, name.encode()), text))


def open_question(epoch_key: bytes, box: str, given: Envelope) -> bytes | None:
    """For the cloud, which takes the key of `given.epoch`. None: it is not from that box, or not as it was sent."""
    return _opened(epoch_key, box, (_ASK, given.id.encode()), given.text)


def close_answer(epoch_key: bytes, box: str, asked: Envelope, text: bytes) -> Envelope:
    """For the cloud: an answer to this envelope and no other."""
    return Envelope(id=asked.id, epoch=asked.epoch, text=_closed(epoch_key, box, _to(asked), text))


def open_answer(epoch_key: bytes, box: str, asked: Envelope, given: Envelope) -> bytes | None:
    """None: it is no answer to `asked`, or not the cloud's."""
    return _opened(epoch_key, box, _to(asked), given.text)


def _to(asked: Envelope) -> tuple[bytes, ...]:
    return (_ANSWER, asked.id.encode(), hashlib.sha256(asked.text.encode()).digest())


def _closed(epoch_key: bytes, box: str, about: tuple[bytes, ...], text: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + _cipher(epoch_key, box).encrypt(nonce, text, b"\0".join(about))).decode("ascii")


def _opened(epoch_key: bytes, box: str, about: tuple[bytes, ...], closed: str) -> bytes | None:
    try:
        raw = base64.b64decode(closed, validate=True)
        return _cipher(epoch_key, box).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], b"\0".join(about))
    except (binascii.Error, ValueError, InvalidTag):
        return None


def _cipher(epoch_key: bytes, box: str) -> ChaCha20Poly1305:
    info = _INFO + b"\0" + box.encode("utf-8")
    return ChaCha20Poly1305(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(epoch_key))
