"""After a cut: opens the record with the box's own code, reads all of it as the uplink would, and goes on with it.

Owns: what is looked at. Never: judges it (tests/vm/cuts.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from edgebox.desk.codes import Scan
from edgebox.store.events import Event, Stream
from edgebox.store.places import STREAMS
from edgebox.store.store import Store
from tests.vm.guest.cuts.box import CUT, Box, Paper, Places, at_work
from tests.vm.guest.cuts.names import names_of
from tests.vm.guest.cuts.trade import granted, sale
from tests.vm.guest.cuts.words import Found, Look, Next

READ_ROWS = 1000
READ_BYTES = 1 << 20
NAMED = (Stream.RECEIPTS, Stream.CLAIMS, Stream.REDEMPTIONS)


async def look(places: Places, order: Look) -> Found:
    """All that is there. Opening it writes, as any start does."""
    after, news = None, []
    if order.prints:
        async with at_work(places) as box:
            assert box.engine.store is not None
            news = list(box.engine.store.news)
            after = await _print_on(box, order)
    store = await asyncio.to_thread(Store.open, places.data)
    try:
        found = await _read(store)
        follows = await _goes_on(store)
    finally:
        await store.close()
    return msgspec.structs.replace(found, news=[*news, *store.news], follows=follows, next=after)


async def _read(store: Store) -> Found:
    names: list[str] = []
    holes: list[str] = []
    for stream in STREAMS:
        await _read_stream(store, stream, names, holes.append)
    epochs = await store.read(lambda db: db.execute("SELECT count(*) FROM epochs").fetchone()[0])
    return Found(names=names, holes=holes, epochs=epochs)


async def _read_stream(store: Store, stream: Stream, names: list[str], hole: Callable[[str], None]) -> None:
    after: tuple[str, int] | None = None
    decode = msgspec.json.Decoder(Event).decode
    while rows := await store.rows(stream, after, limit_rows=READ_ROWS, limit_bytes=READ_BYTES):
        for row in rows:
            last = after[1] if after is not None and after[0] == row.epoch else 0
            if row.lost or row.seq != last + 1:
                hole(f"{stream} {row.epoch}: {row.seq} behind {last} {row.lost}")
            elif stream in NAMED:
                names += names_of(decode(row.body))
            after = (row.epoch, max(row.seq, row.lost_to))


async def _goes_on(store: Store) -> bool:
    """The next record gets the next number of this life."""
    ends = {(one.stream, one.epoch): one.end for one in await store.extents()}
    places = await store.record(*sale(os.urandom(8).hex(), 1))
    return all(place.seq == ends[stream, place.epoch] + 1 for stream, place in zip(NAMED[:2], places, strict=True))


async def _print_on(box: Box, order: Look) -> Next:
    paper = await box.prints(order.prints)
    names = granted(paper.record)
    answers = [(await box.engine.desk.redeem(Scan(code))).answer.value for code in order.codes]
    again = ("", "")
    if order.reprint:
        copy = (await box.prints(order.reprint, b"*** REPRINT ***\n")).record
        again = (copy.claim, copy.url)
    result = paper.record.result
    return Next(result=result, paper_in_order=in_order(paper), answers=answers, again=again, names=names)


def in_order(paper: Paper) -> bool:
    """The till's lines, the slip's code, the cut."""
    url = paper.record.url.encode()
    total, slip, cut = (paper.raw.find(mark) for mark in (b"TOTAL  ", url, CUT))
    return bool(url) and 0 <= total < slip < cut
