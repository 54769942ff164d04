"""A release is made: a tree packed, its manifest signed, one file.

Owns: the steps. Never: runs on a box in a shop; a release key has no business there. Keys are files as an operator's
(sync/fleet_keys.py), under another label: a release key commands no box, and an operator's key releases nothing.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgebox.appliance.update.archive import BLOCK, pack
from edgebox.appliance.update.manifest import MAGIC, Manifest
from sync.fleet_keys import OperatorKey, load_key
from sync.signing import Purpose, sign


def make(tree: Path, target: Path, key: Path, about: Manifest) -> Manifest:
    """Packs `tree` (a slot as packaging/slot.sh lays it out) and signs it. `about`: what is not counted here.

    SyncError `key`; OSError.
    """
    signer = load_key(key)
    archive = target.with_name(f".{target.name}.archive")
    try:
        size = pack(tree, archive)
        digest = hashlib.sha256()
        with archive.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        manifest = Manifest(
            version=about.version, arch=about.arch, python=about.python, replaces=about.replaces, made=about.made,
            downgrade=about.downgrade, keeper=about.keeper, size=archive.stat().st_size, sha256=digest.hexdigest(),
            unpacked=size.unpacked, files=size.files,
        )  # fmt: skip
        seal(archive, target, manifest, signer)
    finally:
        archive.unlink(missing_ok=True)
    return manifest


def seal(archive: Path, target: Path, manifest: Manifest, signer: OperatorKey) -> None:
    """Puts the signed manifest before the archive. OSError."""
    signed = sign(signer.private, signer.name, Purpose.RELEASE, manifest)
    half = target.with_name(f".{target.name}.new")
    with half.open("wb") as file, archive.open("rb") as packed:
        file.write(MAGIC + b"%d\n" % len(signed) + signed)
        while block := packed.read(BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
