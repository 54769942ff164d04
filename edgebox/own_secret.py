"""A secret of the box's own, for what it signs without any cloud: comeback coupons.

Owns: its file, made at first use, mode 0600. Never: shows it, sends it, or keeps it in the database, a log or a backup
that others read. A box that takes over from a dead one takes this file over, too: its coupons are on people's fridges.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgebox import given
from edgebox.errors import ConfigError
from edgebox.private_file import write_private

FILE = "own.key"
BYTES = 32  # HMAC-SHA256: as long as the digest (RFC 2104, section 3)


def own_secret(folder: Path) -> bytes:
    """The secret in `folder`, made if it isn't there; a systemd credential of that name goes before it. ConfigError."""
    path = given.copy_of(FILE) or folder / FILE
    try:
        if not path.exists():
            write_private(path, os.urandom(BYTES))
        with path.open("rb") as file:
            if not given.is_private(file.fileno(), path):
                raise ConfigError(f"{path}: others may read it", reason="open_key_file", hint=f"chmod 600 {path}")
            raw = file.read(BYTES + 1)
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="no_key_file") from fault
    if len(raw) != BYTES:
        raise ConfigError(f"{path}: expected {BYTES} bytes", reason="bad_key_file")
    return raw
