"""Secrets that systemd gives to the service (`LoadCredential=`): where they lie, and that nobody else can read them.

Owns: which file a secret is read from, and the check that a file is private. Never: what is in a secret.

Files in /etc/edgebox may belong to root alone (0600): the unit names them, systemd copies each into a folder that only
the service may read, and says where in $CREDENTIALS_DIRECTORY [systemd.exec(5)]. So of a path in /etc/edgebox the copy
is read if there is one. A secret that the fleet has sent since lies in the data folder, and is read from there.

The unit must start without some of them, too: `SetCredential=NAME:\\n` beside `LoadCredential=` gives a blank file then
(an empty value is no valid line in systemd 252). A blank one counts as none.

systemd 252 writes a copy with mode 0400. It belongs to the service's user where the folder is a ramfs, which knows no
access lists (the usual case); else to root, with one entry in its access list: this user may read. `stat` shows that
entry's mask where the group's rights stand: 0440, though no group may read it. [write_credential in src/core/execute.c]
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

ETC = Path("/etc/edgebox")
BLANK_BYTES = 2  # a line's end, in any spelling
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2  # [linux/posix_acl_xattr.h]
_entry = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_READ = 4
_NOBODY = (1 << 32) - 1  # the id of entries that have none


def folder() -> Path | None:
    """Where systemd put them; None: the service has none."""
    named = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(named) if named.startswith("/") else None


def copy_of(name: str) -> Path | None:
    """The copy of that name, if there is one and it isn't blank."""
    path = _named(name)
    return None if path is None or _is_blank(path) else path


def place_of(path: Path) -> Path | None:
    """Where a secret of this path is to be read. One in /etc/edgebox: its copy, if the unit names it, and None if that
    is blank: then there is no such file, and the service may not even look for it. All others: where they are."""
    if ETC not in path.parents or (copy := _named(path.name)) is None:
        return path
    return None if _is_blank(copy) else copy


def _named(name: str) -> Path | None:
    where = folder()
    path = where / name if where is not None else None
    return path if path is not None and path.is_file() else None


def _is_blank(path: Path) -> bool:
    try:
        return path.stat().st_size <= BLANK_BYTES and not path.read_bytes().strip()
    except OSError:
        return False  # it is there; whoever reads it says what is wrong


def is_private(file: int, path: Path) -> bool:
    """Nobody but its owner (and root) can read the open file, or it is a copy for this user. `path`: what it was
    opened by. Whose it is, who asks may look at besides. OSError."""
    facts = os.fstat(file)
    if not facts.st_mode & 0o077:
        return True
    is_copy = path.parent == folder() and stat.S_IMODE(facts.st_mode) == 0o440 and facts.st_uid == 0
    return is_copy and _is_for_us_alone(file)


def is_ours(facts: os.stat_result, path: Path) -> bool:
    """The file is this process's user's or root's; for root, who looks after the box (`edgebox doctor`), also that of
    the folder's owner. OSError."""
    user = os.geteuid()
    return facts.st_uid in (0, user) or (user == 0 and facts.st_uid == path.parent.stat().st_uid)


def _is_for_us_alone(file: int) -> bool:
    """Its access list is the one that systemd writes: the owner and this user may read, and nobody else."""
    try:
        raw = os.getxattr(file, _ACL)
    except OSError:  # none: then 0440 means what it says
        return False
    expected = (
        (_OWNER, _READ, _NOBODY),
        (_USER, _READ, os.geteuid()),
        (_GROUP, 0, _NOBODY),
        (_MASK, _READ, _NOBODY),
        (_OTHER, 0, _NOBODY),
    )
    return raw == struct.pack("<I", _ACL_VERSION) + b"".join(_entry.pack(*entry) for entry in expected)
