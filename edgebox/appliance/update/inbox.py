"""Where an update waits for root: a file that anybody's program may have put there, and who asked for it.

Owns: the folder's names, and how a file is taken out of it into root's own place, once. Never: believes what lies
there: the copy is what is checked, and the copy is what is installed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

import msgspec
from msgspec import Meta

from edgebox.appliance.update.archive import BLOCK
from edgebox.appliance.update.manifest import ARCHIVE_MAX, HEAD_MAX, MAGIC, Head, Here, may_take, read_head
from edgebox.errors import UpdateError
from edgebox.private_file import write_private
from sync.signing import FleetKey

FOLDER = "update"  # in the engine's data folder
NEXT, REQUEST, PART = "next.update", "request.json", "next.part"
FILE_MAX = ARCHIVE_MAX + HEAD_MAX + len(MAGIC) + 8
ROOM_BYTES = 64 << 20  # that is left free for what the shop records
_REQUEST_BYTES = 4096


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked: `job` is the command's id, "" for a person."""

    job: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*$")] = ""
    at: int = 0


class Taken(NamedTuple):
    """A copy of the archive in root's own place, of which all is well."""

    path: Path
    head: Head


def ask(folder: Path, request: Request) -> None:
    """The file is whole: root may have it. Written last; edgebox-update.path sees the change. OSError."""
    write_private(folder / REQUEST, msgspec.json.encode(request))


def asked(folder: Path) -> Request:
    """Who asked; nobody in particular where that can't be read."""
    try:
        with _opened(folder / REQUEST) as file:
            return msgspec.json.decode(file.read(_REQUEST_BYTES), type=Request)
    except (OSError, UpdateError, msgspec.MsgspecError, UnicodeDecodeError):
        return Request()


def take(source: Path, target: Path, keys: Mapping[str, FleetKey], here: Here) -> Taken:
    """Copies an update file's archive to `target` (root's own) and checks it: signature, fitness, size, digest.

    UpdateError; OSError. Then there is no `target`. Its reasons: as read_head and may_take, `no_room`, `bad_archive`.
    """
    target.unlink(missing_ok=True)
    try:
        with _opened(source) as file:
            head = read_head(file, keys)
            may_take(head.manifest, here)
            room(target.parent, head.manifest.size)
            digest = _copied(file, target, head)
        if digest != head.manifest.sha256:
            raise UpdateError("its bytes are not those that were signed", reason="bad_archive", hint="fetch it again")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Taken(target, head)


def room(folder: Path, size: int) -> None:
    """UpdateError `no_room`."""
    facts = os.statvfs(folder)
    free = facts.f_bavail * facts.f_frsize
    if free < size + ROOM_BYTES:
        words = f"{free >> 20} MB are free, it takes {(size + ROOM_BYTES) >> 20}"
        raise UpdateError(words, reason="no_room", hint="edgebox doctor says what fills the card")


def _opened(path: Path) -> BinaryIO:
    """A plain file, whatever link or pipe somebody has put in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UpdateError(f"{path}: no plain file", reason="not_an_update")
    return os.fdopen(descriptor, "rb")


def _copied(file: BinaryIO, target: Path, head: Head) -> str:
    """The archive's digest; exactly as many bytes as were signed for, no matter how many there are."""
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        left = head.manifest.size
        file.seek(head.at)
        while left and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            copy.write(block)
            left -= len(block)
        if left or file.read(1):
            raise UpdateError("it is not as long as was signed", reason="bad_archive", hint="fetch it again")
    return digest.hexdigest()
