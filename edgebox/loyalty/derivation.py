"""How the cloud makes a box's keys from a store's master: the reference for whoever builds that cloud.

Owns: HKDF-SHA256 (RFC 5869) and the `info` strings. Nothing on the box calls this: a box holds derived keys only, so
that a stolen one can be shut out by device and epoch without touching the others. hw_sim/cloud_keys.py calls it, and
docs/contract/vectors.json holds results to check an implementation against.

    id key     = HKDF(master, salt "", info "edgebox claim id v1" || store u24)                      never rotates
    epoch key  = HKDF(master, salt "", info "edgebox claim key v1" || store u24 || device u16 || epoch index u32)

Numbers are big-endian. The epoch's index goes in whole, not the byte that tokens carry, so no key ever comes again.
"""

from __future__ import annotations

import hashlib
import hmac

from edgebox.loyalty.keyring import KEY_BYTES

ID_INFO = b"edgebox claim id v1"
EPOCH_INFO = b"edgebox claim key v1"


def hkdf_sha256(secret: bytes, info: bytes, length: int = KEY_BYTES, salt: bytes = b"") -> bytes:
    """RFC 5869 extract and expand; `length` ≤ 8160 bytes."""
    pseudo_random_key = hmac.digest(salt or bytes(hashlib.sha256().digest_size), secret, "sha256")
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(pseudo_random_key, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:length]


def id_key(master: bytes, store: int) -> bytes:
    """The store's key for claim ids, the same in all its boxes for ever."""
    return hkdf_sha256(master, ID_INFO + store.to_bytes(3, "big"))


def epoch_key(master: bytes, store: int, device: int, index: int) -> bytes:
    """The key with which `device` signs in epoch `index`."""
    return hkdf_sha256(
        master, EPOCH_INFO + store.to_bytes(3, "big") + device.to_bytes(2, "big") + index.to_bytes(4, "big")
    )
