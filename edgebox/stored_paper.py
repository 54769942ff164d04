"""A paper as the store keeps it: JSON of its kept lines, of where its total stands, and of where the slip went in.

Owns: `StoredPaper` and its form. Never: redacts (edgebox/receipt/keeping.py did), or packs it
(edgebox/store/receipt_papers.py).

Arrays, not objects: field names would take more room than the paper. New fields go to the end; old papers lack them.
"""

from __future__ import annotations

import msgspec

from edgebox.errors import StoreError
from edgebox.model import Item
from edgebox.receipt.keeping import KeptPaper, Place
from edgebox.store.receipt_papers import unpacked

VERSION = 1


class StoredLine(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """`look`: the bits of edgebox/receipt/keeping.py."""

    text: str
    look: int = 0


class StoredItem(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """As edgebox.model.Item."""

    name: str
    quantity_milli: int
    price_minor: int | None
    amount_minor: int
    discount_minor: int = 0


Spot = tuple[int, int, int]  # line, first letter, letter behind the last


class StoredPaper(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """`slip_at`: the slip went in before this line; -1: none did. `kind_at`: the line that says its kind, -1 none."""

    version: int
    lines: tuple[StoredLine, ...]
    total: Spot | None = None
    number: Spot | None = None
    kind_at: int = -1
    tenders: tuple[Spot, ...] = ()
    slip_at: int = -1
    items: tuple[StoredItem, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredPaper).decode


def sealed(kept: KeptPaper, insert_at: int) -> bytes:
    """For `Store.record`. `insert_at`: the slip's offset in the stream, -1 without one."""
    paper = StoredPaper(
        VERSION,
        tuple(StoredLine(line.text, line.look) for line in kept.lines),
        _spot(kept.total),
        _spot(kept.number),
        kept.kind_at,
        tuple((place.line, place.begin, place.end) for place in kept.tenders),
        sum(line.start < insert_at for line in kept.lines) if insert_at >= 0 else -1,
        tuple(_item(item) for item in kept.items),
    )
    return _encode(paper)


def opened(body: bytes) -> StoredPaper:
    """From a row of table `receipt_papers`. StoreError `damaged`: its bits have turned, or a newer version wrote it."""
    try:
        return _decode(unpacked(body))
    except msgspec.MsgspecError as fault:
        raise StoreError("a paper can't be read", reason="damaged") from fault


def _spot(place: Place | None) -> Spot | None:
    return None if place is None else (place.line, place.begin, place.end)


def _item(item: Item) -> StoredItem:
    return StoredItem(item.name, item.quantity_milli, item.price_minor, item.amount_minor, item.discount_minor)
