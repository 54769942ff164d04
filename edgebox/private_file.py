"""Files that nobody else may read, written so that there is always the old one or the whole new one.

Owns: how they are written, and as whom. Never: what is in them. Mode 0600 from the first moment, never widened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_private(path: Path, raw: bytes) -> None:
    """Replaces the file, on disk when this returns; blocks. OSError; then the old one is still there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # of a write that a power cut ended
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the name is on disk too [fsync(2)]
    finally:
        os.close(folder)


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Root is the folder's owner meanwhile: in a folder of the services it may find links where it is going to write,
    and these must lead no further than the services' own rights. Who isn't root stays who he is. OSError. The process
    has one user: not beside other threads."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:  # a card in the making has no services yet
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
