"""Update files for tests: a small slot's tree, packed and signed with a key of the test's."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgebox.appliance.keeper.gate import Pulse, Unit
from edgebox.appliance.update.installing import Checked, Machine
from edgebox.appliance.update.manifest import Here, Manifest
from edgebox.appliance.update.release import make, seal
from sync.contract_commands import Role
from sync.fleet_keys import OperatorKey, new_key
from sync.signing import FleetKey

HERE = Here("1.0.0", "amd64", "3.11")
FILES = {
    "bin/edgebox": b"import sys\n",
    "bin/edgebox-line": b"import sys\n",
    "lib/python3.11/site-packages/edgebox/a.py": b"A = 1\n" * 2000,
    "lib/python3.11/site-packages/edgebox-2.0.0.dist-info/METADATA": b"Version: 2.0.0\n",
}
ABOUT = Manifest(version="2.0.0", arch="amd64", python="3.11", size=1, sha256="0" * 64, unpacked=1, files=1, made=7)


def key(name: str = "release-1") -> OperatorKey:
    return OperatorKey(name, Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"\0")))


def known(*keys: OperatorKey) -> dict[str, FleetKey]:
    """As release_keys reads them."""
    return {
        one.name: FleetKey(one.name, Role.KEYMASTER, one.private.public_key().public_bytes_raw())
        for one in (keys or (key(),))
    }


def tree(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    for name, content in (FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def released(folder: Path, files: dict[str, bytes] | None = None, **about: Any) -> Path:
    """An update file as `make update` makes it."""
    folder.mkdir(exist_ok=True)
    path = folder / "release-1.key"
    if not path.exists():
        made = new_key(folder, "release-1")
        path.write_text(path.read_text("ascii").replace(_base64(made), _base64(key())), "ascii")
    target = folder / "edgebox.update"
    make(tree(folder / "tree", files), target, path, msgspec.structs.replace(ABOUT, **about))
    return target


def sealed(folder: Path, archive: bytes, **about: Any) -> Path:
    """An update file around any archive, signed properly."""
    folder.mkdir(exist_ok=True)
    packed = folder / "archive"
    packed.write_bytes(archive)
    fields = {
        "size": len(archive),
        "sha256": hashlib.sha256(archive).hexdigest(),
        "unpacked": 1000,
        "files": 4,
        **about,
    }
    seal(packed, folder / "edgebox.update", msgspec.structs.replace(ABOUT, **fields), key())
    return folder / "edgebox.update"


def _base64(one: OperatorKey) -> str:
    return base64.b64encode(one.private.private_bytes_raw()).decode("ascii")


class Box:
    """The machine, as far as an installation asks."""

    def __init__(self) -> None:
        self.watched = 0
        self.checked: list[str] = []
        self.clock = 50.0
        self.line_s = 0.2
        self.fault: Exception | None = None
        self.units: tuple[Unit, ...] = ()

    def machine(self) -> Machine:
        return Machine(self.check, self.pulse, lambda: self.units, self.watch, lambda: self.clock, "boot-0")

    def check(self, slot: str) -> Checked:
        self.checked.append(slot)
        if self.fault is not None:
            raise self.fault
        return Checked(self.line_s)

    def pulse(self) -> Pulse | None:
        return Pulse(1, "1.0.0", self.clock, True, True, ("line1",))

    def watch(self) -> bool:
        self.watched += 1
        return True
