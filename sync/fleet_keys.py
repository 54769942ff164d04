"""An operator's own key: what commands and bundles are signed with.

Owns: the key file, `NAME:BASE64` in one line, its owner's alone (0600). Never: prints the private half, or keeps a key
anywhere but in that file. The name gives the role (sync/signing.py); boxes know the public half under the same name.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgebox.errors import SyncError
from sync.contract_commands import Role
from sync.signing import public_text, role_of

_LINE = re.compile(r"([A-Za-z0-9_.-]{1,32}):([A-Za-z0-9+/]{43}=)\n?").fullmatch
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}").fullmatch  # as [sync] fleet_keys takes it
_FILE_BYTES = 200
SUFFIX = ".key"


class OperatorKey(NamedTuple):
    """A private key and the name that boxes know it by. Its repr shows no secret: Ed25519PrivateKey has none."""

    name: str
    private: Ed25519PrivateKey

    @property
    def role(self) -> Role:
        return role_of(self.name)

    @property
    def public(self) -> str:
        """The line for a box's [sync] fleet_keys."""
        return public_text(self.private, self.name)


def load_key(path: Path) -> OperatorKey:
    """The key in the file. SyncError `key` says what is wrong with it, and never what stands in it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as fault:
        hint = "edgebox fleet keys new NAME makes one"
        raise SyncError(f"{path}: {fault.strerror}", reason="key", hint=hint) from fault
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise SyncError(
                f"{path}: it must be your own file, and nobody else's to read", reason="key", hint="chmod 600"
            )
        raw = file.read(_FILE_BYTES)
    match = _LINE(raw.decode("ascii", "replace"))
    if match is None:
        raise SyncError(f"{path}: expected one line NAME:BASE64", reason="key")
    return OperatorKey(match[1], Ed25519PrivateKey.from_private_bytes(base64.b64decode(match[2])))


def new_key(folder: Path, name: str) -> OperatorKey:
    """Makes a key and its file, `NAME.key`. SyncError `key`: no such name, or the file is there already."""
    if _NAME(name) is None:
        raise SyncError(f"{name!r} is no name for a key", reason="key", hint="1 to 32 of A-Z a-z 0-9 _ . -")
    private = Ed25519PrivateKey.generate()
    line = f"{name}:{base64.b64encode(private.private_bytes_raw()).decode('ascii')}\n"
    path = folder / f"{name}{SUFFIX}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as fault:
        raise SyncError(f"{path} is there already", reason="key", hint="a key is never written over") from fault
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="key") from fault
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(line)
        file.flush()
        os.fsync(descriptor)
    return OperatorKey(name, private)


def keys_in(folder: Path) -> list[tuple[Path, OperatorKey | SyncError]]:
    """Every key file of a folder, or what is wrong with it."""
    found: list[tuple[Path, OperatorKey | SyncError]] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found.append((path, load_key(path)))
        except SyncError as fault:
            found.append((path, fault))
    return found
