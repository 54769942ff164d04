"""How high the numbers had risen: a mark beside the database that is written with every commit.

Owns: the file `edgebox.mark`: the epoch's name and the last number of each stream. Never: synced, and never believed
against the database: it only says what should be in there.

A card that loses what it had confirmed, or a log that was cut short, leaves a database that is whole and too short.
Nothing in it says so, and the next rows would get numbers that the cloud has seen under other events, which it would
throw away as repeated. The mark shows it: numbers above the database's end were given, so they are told as lost and a
new epoch begins. It survives a killed process at once, a power cut once the kernel has written it (30 seconds at most).
Written as one block of less than a sector, with a checksum: an old or a new one is there, or none.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgebox.store.events import Stream
from edgebox.store.places import STREAMS

FILE = "edgebox.mark"
_FORM = struct.Struct(f"<H32s{len(STREAMS)}Q")
_CHECK = struct.Struct("<I")
NAME_BYTES = 32


class Mark(NamedTuple):
    """The newest epoch, and the last number that each stream was given in it."""

    ordinal: int
    name: str
    ends: Mapping[Stream, int]


def read_mark(path: Path) -> Mark | None:
    """The mark; None if there is none that can be believed. OSError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(raw) != _FORM.size + _CHECK.size or _CHECK.unpack_from(raw, _FORM.size)[0] != zlib.crc32(raw[: _FORM.size]):
        return None
    ordinal, name, *ends = _FORM.unpack_from(raw)
    return Mark(ordinal, name.rstrip(b"\0").decode("ascii", "replace"), dict(zip(STREAMS, ends, strict=True)))


class Waterline:
    """The open file."""

    def __init__(self, path: Path) -> None:
        """OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, mark: Mark) -> None:
        """After a commit. OSError (a full disk can't hit it once it has its first block)."""
        ends = (mark.ends[stream] for stream in STREAMS)
        raw = _FORM.pack(mark.ordinal, mark.name.encode("ascii")[:NAME_BYTES], *ends)
        os.pwrite(self._file, raw + _CHECK.pack(zlib.crc32(raw)), 0)

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._file)
