"""Bits that turn on the card and leave JSON that can be read: never sent as true."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from edgebox.commands_store import receipts
from edgebox.errors import StoreError
from edgebox.store.database import PAGE_BYTES
from edgebox.store.events import ReceiptRecord, Stream
from edgebox.store.places import pack, sum_of
from edgebox.store.store import Store
from tests.faults.ledger import receipt
from tests.store.broken import consumed, left_open, settle, spoil

LIAR = b'"amount_minor":3390', b'"amount_minor":9390'


def turn(path: Path, seq: int, *, page_too: bool = False) -> None:
    """A receipt's amount is another one on the card; `page_too`: and the page's row of it is gone."""
    place = pack(Stream.RECEIPTS, 1, seq)
    with closing(sqlite3.connect(path)) as database:
        ((body,),) = database.execute("SELECT body FROM journal WHERE place = ?", (place,)).fetchall()
        assert LIAR[0] in body
        database.execute("UPDATE journal SET body = ? WHERE place = ?", (body.replace(*LIAR), place))
        if page_too:
            database.execute("DELETE FROM receipts WHERE place = ?", (place,))
        database.commit()


def test_a_row_whose_bits_have_turned_is_made_again_from_what_the_page_knows(tmp_path: Path) -> None:
    path, _ledger = left_open(tmp_path / "box", 20)
    turn(path, 7)

    async def play() -> None:
        store = Store.open(path.parent)
        told: list[str] = []
        store.on_mended(told.append)
        for _ in range(2):
            rows = await store.rows(Stream.RECEIPTS, None, limit_rows=99, limit_bytes=1 << 20)
            assert [row.seq for row in rows] == list(range(1, 21))
            assert [json.loads(row.body)["amount_minor"] for row in rows] == [3390] * 20
            assert json.loads(rows[6].body)["reasons"] == ["rebuilt"]
        assert [event.amount_minor for event in store.past_receipts(20)] == [3390] * 20
        await store.record(receipt(21))  # on_mended is told between two turns of the loop
        assert len(told) == 1
        assert "row 7 of receipts" in told[0]
        await store.close()

    asyncio.run(play())
    assert [one.amount_minor for one in receipts(path.parent)] == [3390] * 21


def test_a_row_whose_bits_have_turned_and_that_nobody_else_knows_is_told_as_lost(tmp_path: Path) -> None:
    path, ledger = left_open(tmp_path / "box", 20)
    turn(path, 7, page_too=True)
    consumed(path.parent, ledger)
    row = ledger.row("")
    assert (row.delivered, row.given_up, row.lost, row.duplicated) == (39, 1, 0, 0)
    with pytest.raises(StoreError) as caught:
        list(receipts(path.parent))
    assert caught.value.reason == "corrupt"


def test_a_salvage_believes_no_row_whose_bits_have_turned(tmp_path: Path) -> None:
    path, _ledger = left_open(tmp_path / "box", 20)
    turn(path, 7)
    turn(path, 8, page_too=True)
    settle(path)
    spoil(path, 1)

    async def play() -> None:
        store = Store.open(path.parent)
        rows = await store.rows(Stream.RECEIPTS, None, limit_rows=99, limit_bytes=1 << 20)
        assert [json.loads(row.body)["amount_minor"] for row in rows if row.body] == [3390] * 19
        assert [(row.seq, row.lost) for row in rows if row.lost] == [(8, "damaged")]
        await store.close()

    asyncio.run(play())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_bit_turns_no_event_is_sent_that_was_not_recorded(tmp_path: Path, seed: int) -> None:
    """One bit in each of some pages; what comes out is what went in, or is told as lost."""
    chance = Random(seed)
    path, ledger = left_open(tmp_path / "box", 60)
    settle(path)
    for page in chance.sample(range(2, path.stat().st_size // PAGE_BYTES + 1), 12):
        with path.open("r+b") as file:
            file.seek((page - 1) * PAGE_BYTES + chance.randrange(PAGE_BYTES))
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))

    async def play() -> list[bytes]:
        store = Store.open(path.parent)
        rows = await store.rows(Stream.RECEIPTS, None, limit_rows=999, limit_bytes=1 << 20)
        await store.close()
        return [row.body for row in rows if row.body]

    bodies = asyncio.run(play())
    told = [json.loads(body) for body in bodies]
    whole = {number: json.loads(_encoded(receipt(number))) for number in range(1, 61)}
    assert all(one == whole.get(one["document"]) or one["reasons"] == ["rebuilt"] for one in told)
    consumed(path.parent, ledger)
    assert ledger.row("").lost == 0


def _encoded(event: ReceiptRecord) -> bytes:

    return msgspec.json.encode(event)


def test_every_part_of_a_row_is_in_its_sum() -> None:
    whole = (pack(Stream.RECEIPTS, 1, 7), 1, 5000, 1_795_000_000_000, 1, b"{}")
    sums = {sum_of(*whole)}
    for at in range(5):
        sums.add(sum_of(*whole[:at], whole[at] ^ 1, *whole[at + 1 :]))  # type: ignore[operator, arg-type, call-arg]
    sums.add(sum_of(*whole[:5], b"[}"))  # type: ignore[arg-type]
    assert len(sums) == 7
