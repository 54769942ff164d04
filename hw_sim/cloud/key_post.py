"""Newer claim keys on their way to a box: derived, sealed so that the broker can't read them, and only to the real box.

Owns: what `keys.add` carries, and the check that the public key it is sealed with is the box's own. Never: stores a
derived key, and never seals to a key without proof: an owned broker would offer one of its own.
"""

from __future__ import annotations

import msgspec

from edgebox.loyalty import derivation
from edgebox.loyalty.keyring import Keyring
from edgebox.sealed import is_proven, seal
from hw_sim.cloud.registry import Box
from sync.contract import Reported

COMMAND = "keys.add"  # what it is sealed for, too


class UnprovenError(ValueError):
    """Nothing shows that the public key is the box's."""


def sealed_keys(box: Box, keys: Keyring, reported: Reported | None, store_master: bytes, proven: str = "") -> str:
    """What `keys.add` takes as `sealed`. `proven`: the public key that the box signed when it asked for its
    certificate, "" if it didn't. UnprovenError: the box has not shown its key, or not proven it."""
    if reported is None or not reported.seal:
        raise UnprovenError(f"{box.name} has not said what to seal with")
    if proven and reported.seal == proven:
        return seal(_gift(keys), proven, COMMAND, box.name)
    index = reported.seal_proof.partition(":")[0]
    number = int(index) if index.isascii() and index.isdigit() and len(index) <= 10 else -1
    if not 0 <= number < 1 << 32:
        raise UnprovenError(f"{box.name} proves nothing")
    known = {number: derivation.epoch_key(store_master, box.shop.number, box.device, number)}
    if not is_proven(reported.seal, reported.seal_proof, box.name, known):
        raise UnprovenError(f"the key that is said to be {box.name}'s is not")
    return seal(_gift(keys), reported.seal, COMMAND, box.name)


def _gift(keys: Keyring) -> bytes:
    """The keyring as `keys.add` wants it (edgebox/orders/keys.py: KeysGift)."""
    epochs = [{"index": one.index, "valid_from": one.valid_from, "key": one.key.hex()} for one in keys.epochs]
    return msgspec.json.encode(
        {
            "store": keys.store,
            "device": keys.device,
            "prefix": keys.prefix,
            "id_key": keys.id_key.hex(),
            "epochs": epochs,
            "until": keys.until,
        }
    )
