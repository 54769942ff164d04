"""A slot's tree as one file, and back: what is packed, and what is let out of a pack.

Owns: which paths and kinds there may be, and the bounds. Never: asks who signed (manifest.py).

Only folders and plain files under `bin/` and `lib/`. Links, devices, owners and modes are not taken from an archive:
the few links that a slot needs are made here, the same for every release. Nothing is written outside the slot, nor more
than the manifest says, whatever the archive holds.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from edgebox.errors import UpdateError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TOPS: Final = ("bin", "lib")
PATH_MAX = 400  # characters; ours have 140
MEMORY_MAX = 80 << 20  # of the unpacker; preset 6 takes 9 MB, a box has 512
PRESET = 6  # a dictionary of 8 MB
BLOCK = 256 << 10
OVERHEAD = 2048  # a file's header and padding in a tar; twice where its name is long
INTERPRETER = Path("/usr/bin/python3")
SITE = Path("lib/python3.11/site-packages")
EVDEV = Path("/usr/lib/python3/dist-packages/evdev")  # Debian's, where there is no wheel (packaging/tree.sh)


class Size(NamedTuple):
    """Of a tree: bytes of all files, and how many."""

    unpacked: int
    files: int


def pack(tree: Path, target: Path) -> Size:
    """The tree's files in their order, without owners and times: the same tree gives the same archive. OSError."""
    unpacked = files = 0
    with lzma.open(target, "wb", preset=PRESET) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        archive.format = tarfile.GNU_FORMAT
        for path in sorted(path for top in TOPS for path in (tree / top).rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            info = tarfile.TarInfo(str(path.relative_to(tree)))
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)
            unpacked, files = unpacked + info.size, files + 1
    return Size(unpacked, files)


def unpack(packed: IO[bytes], folder: Path, size: Size) -> None:
    """Into an empty folder; on disk when this returns. UpdateError `bad_archive`; OSError, as on a full disk."""
    umask = os.umask(0o022)  # root's own may close the slot to the services, or open it to everybody
    try:
        _unpack(packed, folder, size)
        furnish(folder)
    finally:
        os.umask(umask)
    os.sync()  # thousands of files: one call is quicker than one each, and returns when they are on disk [sync(2)]


def _unpack(packed: IO[bytes], folder: Path, size: Size) -> None:
    left, count = size.unpacked, 0
    stream = _Unpacked(packed, size.unpacked + (size.files + 16) * OVERHEAD)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                relative = _path(info)
                left, count = left - info.size, count + 1
                if left < 0 or count > size.files:
                    raise _bad("it holds more than its manifest says")
                _write(archive.extractfile(info), folder / relative, info.size)
        while stream.read(BLOCK):  # to its end: its own check sum stands there
            pass
    except FileExistsError as fault:
        raise _bad("it holds a file twice") from fault
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError, RecursionError) as fault:
        raise _bad(str(fault) or type(fault).__name__) from fault
    if left or count != size.files:
        raise _bad("it holds less than its manifest says")


def furnish(folder: Path) -> None:
    """The links that every slot has. A venv by hand: its interpreter is Debian's own."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/python3").symlink_to(INTERPRETER)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n", "ascii")
    if not (folder / SITE / "evdev").exists() and EVDEV.is_dir():
        (folder / SITE).mkdir(parents=True, exist_ok=True)
        (folder / SITE / "evdev").symlink_to(EVDEV)


def _path(info: tarfile.TarInfo) -> Path:
    """Where a file goes; a plain path below one of the tops."""
    name = info.name
    if not info.isreg() or info.issparse():
        raise _bad(f"{name[:80]!r} is no plain file")
    parts = name.split("/")
    odd = len(name) > PATH_MAX or len(parts) < 2 or parts[0] not in TOPS
    if odd or any(part in ("", ".", "..") or not re.fullmatch(r"[\w+@.,~= -]+", part) for part in parts):
        raise _bad(f"{name[:80]!r} leaves the slot")
    if name in ("bin/python3", "pyvenv.cfg"):
        raise _bad(f"{name!r} is the box's own")
    return Path(*parts)


def _write(source: IO[bytes] | None, path: Path, size: int) -> None:
    if source is None:
        raise _bad(f"{path.name} has no content")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(source, file, BLOCK)
        os.fchmod(descriptor, 0o644)
        if file.tell() != size:
            raise _bad(f"{path.name} is cut off")


class _Unpacked(io.RawIOBase):
    """What xz gives back, up to a limit in bytes and in memory."""

    def __init__(self, packed: IO[bytes], limit: int) -> None:
        super().__init__()
        self._packed = packed
        self._xz = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MEMORY_MAX)
        self._left = limit

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """0: behind the end."""
        view = memoryview(buffer).cast("B")
        while not self._xz.eof:
            raw = self._packed.read(BLOCK) if self._xz.needs_input else b""
            if not raw and self._xz.needs_input:
                raise EOFError("the archive is cut off")
            found = self._xz.decompress(raw, len(view))
            self._left -= len(found)
            if self._left < 0:
                raise _bad("it unpacks to more than its manifest says")
            if found:
                view[: len(found)] = found
                return len(found)
        return 0


def _bad(words: str) -> UpdateError:
    return UpdateError(f"the archive is not what it should be: {words}", reason="bad_archive", hint="fetch it again")
