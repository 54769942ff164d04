"""A database file read page by page, without SQLite: every record that still can be read, wherever it stands.

Owns: the file format's pages, cells and records, with the log laid over them. Never: writes, or trusts a number it
finds: each is checked against the page it stands on, and what doesn't add up is counted in `damaged`.

SQL can't reach what hangs below a broken page. Here each page is looked at for itself: a tree only says which table a
record belongs to (`root`, 0 if no tree leads to it). A record's parts must add up to its length exactly, which broken
bytes rarely do. Pages on the free list are left out: what stands there was deleted.
[https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6, 2]
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from edgebox.store.blocks import Blocks
from edgebox.store.wal import PAGE_SIZES, USUAL_PAGE, Wal, read_wal

MAGIC = b"SQLite format 3\x00"
PAYLOAD_MAX = 16 << 20  # bytes of one record; a fact has at most 1 MB (store.py), an event far less
COLUMNS_MAX = 100  # no table of ours has half as many
_SCHEMA_HEAD = 100  # page 1 begins with the file's own header
_INDEX_INNER, _TABLE_INNER, _INDEX_LEAF, _TABLE_LEAF = 2, 5, 10, 13
_FIXED_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # null, integers, a float, the constants 0 and 1

Value: TypeAlias = int | float | str | bytes | None


class Record(NamedTuple):
    """One row or index entry. `rowid`: None in an index (a table WITHOUT ROWID is one); `values`: in stored order."""

    page: int
    root: int
    rowid: int | None
    values: tuple[Value, ...]


class Damaged(Exception):  # noqa: N818 - the page's state, never seen outside this module
    """This page or record doesn't add up."""


class PageFile:
    """A database file and, if there is one, its log. Close it after use."""

    def __init__(self, database: Path, wal: Path | None = None) -> None:
        self.damaged = 0  # pages and cells that could not be read
        self._raw = Blocks(database)
        self._log = Blocks(wal) if wal is not None else None
        self._wal = read_wal(self._log) if self._log else Wal(0, [], 0, 0)
        self.page_size = self._size_of_page()
        frames = self._wal.frames if self._wal.page_size == self.page_size else []
        most = len(self._raw) // self.page_size + len(frames)  # a file grows page by page
        self._over = {frame.page: frame.start for frame in frames if frame.page <= most}
        self.pages = max([len(self._raw) // self.page_size, *self._over])
        self._usable = self.page_size  # no database of ours reserves bytes at the end of a page
        self.tables: dict[int, str] = {}  # root page → table's name, as far as the schema can be read
        self._tree = array("L", bytes(array("L").itemsize * (self.pages + 1)))  # page → root; 0: no tree leads to it
        self._find_trees()

    def close(self) -> None:
        """Lets go of the files."""
        self._raw.close()
        if self._log is not None:
            self._log.close()

    @property
    def used_bytes(self) -> int:
        """What its pages take that are not free."""
        return (self.pages - len(self._free())) * self.page_size

    def records(self) -> Iterator[Record]:
        """Every record on every page that is in use; those whose table is known first."""
        free = self._free()
        for known in (True, False):
            for page in range(1, self.pages + 1):
                if bool(self._tree[page]) == known and page not in free:
                    yield from self._records(page)

    # -- pages

    def _size_of_page(self) -> int:
        head = self._raw[:_SCHEMA_HEAD]
        said = struct.unpack_from(">H", head, 16)[0] if len(head) == _SCHEMA_HEAD else 0
        said = 65536 if said == 1 else said
        if head[:16] == MAGIC and said in PAGE_SIZES:
            return int(said)
        return self._wal.page_size or USUAL_PAGE

    def page(self, number: int) -> bytes:
        """The bytes of a page as the log has it, else as the file has it; b"" if there is none."""
        start = self._over.get(number)
        if start is not None and self._log is not None:
            return self._log[start : start + self.page_size]
        raw = self._raw[(number - 1) * self.page_size : number * self.page_size] if number > 0 else b""
        return raw if len(raw) == self.page_size else b""

    def _find_trees(self) -> None:
        self._walk(1)
        schema = [record for page in range(1, self.pages + 1) if self._tree[page] for record in self._records(page)]
        for record in schema:
            match record.values:
                case ("table", str(name), str(), int(root), *_):
                    self.tables[root] = name
        for root in self.tables:
            self._walk(root)

    def _walk(self, root: int) -> None:
        """Notes each page of a tree. A page that two trees claim belongs to the first."""
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number > self.pages or self._tree[number]:
                continue
            self._tree[number] = root
            waiting += self._children(number)

    def _children(self, number: int) -> list[int]:
        raw = self.page(number)
        start = _SCHEMA_HEAD if number == 1 else 0
        if not raw or raw[start] not in (_INDEX_INNER, _TABLE_INNER):
            return []
        count = struct.unpack_from(">H", raw, start + 3)[0]
        found = [struct.unpack_from(">I", raw, start + 8)[0]]
        for index in range(min(count, self.page_size // 4)):
            cell = _u16(raw, start + 12 + 2 * index)
            if cell + 4 <= len(raw):
                found.append(struct.unpack_from(">I", raw, cell)[0])
        return [child for child in found if 1 < child <= self.pages]

    def _free(self) -> set[int]:
        """Pages on the free list, as far as its trunks can be read."""
        found: set[int] = set()
        head = self.page(1)
        trunk = struct.unpack_from(">I", head, 32)[0] if head[:16] == MAGIC else 0
        while 1 < trunk <= self.pages and trunk not in found:
            found.add(trunk)
            raw = self.page(trunk)
            if not raw:
                break
            trunk, count = struct.unpack_from(">II", raw, 0)
            count = min(count, self.page_size // 4 - 2)
            found.update(struct.unpack_from(f">{count}I", raw, 8))
        return {page for page in found if page <= self.pages and not self._tree[page]}

    # -- cells

    def _records(self, number: int) -> Iterator[Record]:
        raw = self.page(number)
        start = _SCHEMA_HEAD if number == 1 else 0
        root = self._tree[number]
        if not raw or raw[start] not in (_INDEX_INNER, _INDEX_LEAF, _TABLE_LEAF):
            self.damaged += bool(root) and not (raw and raw[start] == _TABLE_INNER)
            return
        kind = raw[start]
        pointers = start + (12 if kind == _INDEX_INNER else 8)
        count = _u16(raw, start + 3)
        for index in range(min(count, self.page_size // 2)):
            try:
                cell = _u16(raw, pointers + 2 * index)
                yield self._record(raw, cell, kind, number, root)
            except (Damaged, struct.error, IndexError, UnicodeDecodeError):
                self.damaged += bool(root)

    def _record(self, raw: bytes, at: int, kind: int, number: int, root: int) -> Record:
        at += 4 if kind == _INDEX_INNER else 0
        length, at = _varint(raw, at)
        rowid = None
        if kind == _TABLE_LEAF:
            unsigned, at = _varint(raw, at)
            rowid = unsigned - (1 << 64) if unsigned >> 63 else unsigned
        if not 0 < length <= PAYLOAD_MAX:
            raise Damaged
        return Record(number, root, rowid, _values(self._payload(raw, at, length, kind)))

    def _payload(self, raw: bytes, at: int, length: int, kind: int) -> bytes:
        """Section 1.6: how much of it is on the page, and the chain of pages with the rest."""
        usable = self._usable
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if length <= most:
            return raw[at : at + length]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        parts = [raw[at : at + local]]
        have, following = local, struct.unpack_from(">I", raw, at + local)[0]
        while have < length:
            page = self.page(following)
            if not page or self._tree[following]:
                raise Damaged
            following = struct.unpack_from(">I", page, 0)[0]
            parts.append(page[4:usable][: length - have])
            have += len(parts[-1])
        return b"".join(parts)


def _values(payload: bytes) -> tuple[Value, ...]:
    """Section 2.1: a header of types, then the values; together exactly as long as the payload."""
    head, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    widths = [_width(kind) for kind in kinds]
    if at != head or head + sum(widths) != len(payload) or len(kinds) > COLUMNS_MAX:
        raise Damaged
    values: list[Value] = []
    for kind, width in zip(kinds, widths, strict=True):
        values.append(_value(kind, payload[at : at + width]))
        at += width
    return tuple(values)


def _width(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    if kind in (10, 11):
        raise Damaged  # reserved
    return _FIXED_BYTES[kind]


def _value(kind: int, raw: bytes) -> Value:
    if kind >= 12:
        return raw.decode() if kind % 2 else raw
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == 7:
        return float(struct.unpack(">d", raw)[0])
    return int.from_bytes(raw, "big", signed=True)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = raw[at]
    if value < 0x80:
        return value, at + 1  # nearly all of them
    value = 0
    for index in range(8):
        byte = raw[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | raw[at + 8], at + 9


def _u16(raw: bytes, at: int) -> int:
    return int(struct.unpack_from(">H", raw, at)[0])
