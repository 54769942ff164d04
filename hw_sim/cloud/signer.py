"""The fleet's keys: what boxes obey.

Owns: one Ed25519 key for each role, made at first use, in a file of mode 0600; a real fleet has them in an HSM, the
keymaster's in a safe. Never: what is signed (fleet.py), or how (sync/signing.py).
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hw_sim.cloud_keys import write_private
from sync import signing
from sync.contract import Bundle, Command
from sync.contract_commands import Role


class Signer:
    """The keys in `folder`. `label` stands in their names behind the role: `owner-demo`."""

    def __init__(self, folder: Path, label: str = "demo") -> None:
        self._keys: dict[Role, Ed25519PrivateKey] = {}
        self._label = label
        for role in Role:
            path = folder / f"fleet-{role.name.lower()}.key"
            if not path.exists():
                write_private(path, Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
            raw = bytes.fromhex(path.read_text("ascii"))
            self._keys[role] = Ed25519PrivateKey.from_private_bytes(raw)

    def name(self, role: Role) -> str:
        """What boxes call the key of `role`."""
        return f"{role.name.lower()}-{self._label}"

    @property
    def fleet_keys(self) -> tuple[str, ...]:
        """What goes into a box's [sync] fleet_keys."""
        return tuple(signing.public_text(key, self.name(role)) for role, key in self._keys.items())

    def sign(self, message: Command | Bundle, role: Role) -> bytes:
        """The message as it is published."""
        purpose = signing.Purpose.COMMAND if isinstance(message, Command) else signing.Purpose.BUNDLE
        return signing.sign(self._keys[role], self.name(role), purpose, message)
