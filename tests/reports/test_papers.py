"""A paper is kept beside its receipt, redacted, in this box alone; and goes when its time or its room is over."""

import asyncio
import zlib
from pathlib import Path

import pytest

from edgebox.errors import StoreError
from edgebox.line.frames import Result
from edgebox.settings import StoreSettings
from edgebox.store import receipt_papers
from edgebox.store.events import ReceiptRecord, Stream
from edgebox.store.peek import bodies, peek
from edgebox.store.places import pack
from edgebox.store.retention import Retention
from edgebox.store.store import Store
from edgebox.stored_paper import StoredPaper, opened
from tests.line_of_engine import RECEIPT, FakeLine, on_disk, running
from tests.store.filled import NOW_MS, StillClock, claim, receipt

SECRETS = {  # what stands on the paper → what must not be found of it on the disk
    "备注: 给李雷 少辣 送到三楼": ("李雷", "少辣", "三楼"),
    "顾客: 张小明 13800138000": ("张小明", "13800138000"),
    "收货人：王芳女士": ("王芳",),
    "地址: 幸福路12号3单元401": ("幸福路", "401"),
    "上海市静安区南京西路1266号": ("南京西路",),
    "Customer: Sarah Jones": ("Sarah", "Jones"),
    "Sarah Jones-Smith": ("Sarah", "Smith"),
    "for Miriam, no onions please": ("Miriam", "onions"),
    "VISA 4111 1111 1111 1111": ("4111 1111 1111 1111", "4111111111111111"),
    "VISA ************1234 AUTH": ("************1234",),
    "付款码 134567890123456789": ("134567890123456789",),
    "交易单号 4200001234202611180000012345": ("4200001234202611180000012345",),
    "member@example.com": ("member@example", "example.com"),
    "Tel +49 170 1234567": ("170 1234567", "1234567"),
    "Room 1203, Herr Grünwald": ("Grünwald",),
    "Reserva: Juan Pérez": ("Juan", "Pérez"),
    "Nombre: María López  5.00": ("María", "López"),
    "生日快乐小丽": ("小丽", "生日"),
    "12 Baker Street, London NW1": ("Baker",),
    "TOTAL 33.90 SARAHJONES": ("SARAHJONES",),
    "CASH TENDERED BY MIRIAM 50.00": ("MIRIAM",),
}


def test_nothing_personal_of_any_paper_reaches_the_data_folder(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path, "shop.medium_max=0") as engine:
            line = await FakeLine.connect(engine)
            for number, text in enumerate(SECRETS):
                encoded = f"{text}\n".encode("gb18030")
                for place, raw in enumerate(_with(encoded)):
                    numbered = raw.replace(b"000417", b"%06d" % (number * 8 + place))
                    await line.print_receipt(number * 8 + place, numbered)

    asyncio.run(play())
    kept = [line.text for paper in papers(tmp_path) for line in paper.lines]
    found = "\n".join([*kept, *(item.name for paper in papers(tmp_path) for item in paper.items)])
    raw = on_disk(tmp_path)
    for words in SECRETS.values():
        for word in words:
            assert word not in found, word
            assert all(word.encode(code) not in raw for code in ("utf-8", "utf-16-le")), word
    assert any("TOTAL" in text for text in kept), "and what is the till's is there"


def _with(text: bytes) -> list[bytes]:
    """The line at the top, below the head, among the items, behind the total and at the end; on a kitchen ticket."""
    lines = RECEIPT.splitlines(keepends=True)
    papers = [b"".join([*lines[:at], text, *lines[at:]]) for at in (0, 2, 4, 6, 8)]
    return [*papers, b"KITCHEN\nTable 4\n2 x SOUP\n" + text + b"1 x TEA\n"]


def papers(folder: Path) -> list[StoredPaper]:
    connection = peek(folder / "data")
    return [opened(body) for (body,) in connection.execute("SELECT body FROM receipt_papers ORDER BY place")]


def test_the_tills_own_header_is_kept_once_it_is_known(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            for number in range(7):
                await line.print_receipt(number, RECEIPT.replace(b"000417", b"%06d" % number))

    asyncio.run(play())
    first, *_, last = papers(tmp_path)
    assert "CORNER" not in first.lines[0].text
    assert last.lines[0].text == "CORNER SHOP"
    assert last.total is not None
    line, begin, end = last.total
    assert last.lines[line].text[begin:end] == "33.90"
    assert [item.name for item in last.items] == ["MILK", "BREAD"]


def test_the_slip_stands_where_it_went_in_and_nowhere_if_it_did_not(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            await line.print_receipt(2, RECEIPT.replace(b"000417", b"000418"), Result.LATE)

    asyncio.run(play())
    with_slip, without = papers(tmp_path)
    assert with_slip.slip_at == len(with_slip.lines)
    assert without.slip_at == -1


def test_a_paper_is_in_no_row_that_is_sent(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path) as engine:
            await (await FakeLine.connect(engine)).print_receipt(1)

    asyncio.run(play())
    sent = b"".join(body for stream in Stream for body in bodies(tmp_path / "data", stream))
    assert b"MILK" not in sent
    assert b"33.90" in sent, "the reasons are, as ever"
    assert any("MILK" in line.text for line in papers(tmp_path)[0].lines)


def test_a_shop_that_wants_no_papers_has_none(tmp_path: Path) -> None:
    async def play() -> None:
        async with running(tmp_path, "store.paper_days=0") as engine:
            await (await FakeLine.connect(engine)).print_receipt(1)
            assert await engine.store.read(lambda db: receipt_papers.newest(db, 9)) == []  # type: ignore[union-attr]

    asyncio.run(play())


def test_papers_go_by_their_days_and_receipts_stay(tmp_path: Path) -> None:
    day = 86_400_000

    async def play() -> None:
        clock = StillClock()
        store = Store.open(tmp_path, StoreSettings(paper_days=30), clock=clock)
        retention = Retention(store, consumer=False)
        for number, days in enumerate((0, 20, 40, 41)):
            clock.set(at_ms=NOW_MS + days * day)
            await store.record(receipt(number), claim(number), paper=b"[1,[]]")
        while await retention.step():
            pass
        left = [place for place, _ in await store.read(lambda db: receipt_papers.newest(db, 9))]
        assert left == [pack(Stream.RECEIPTS, 1, seq) for seq in (4, 3, 2)]
        assert len(list(store.past_receipts(9))) == 4
        await store.close()

    asyncio.run(play())


def test_papers_go_by_their_bytes_the_oldest_first(tmp_path: Path) -> None:
    async def play() -> None:
        store = Store.open(tmp_path, StoreSettings(paper_mb=1), clock=StillClock())
        retention = Retention(store, consumer=False)
        noise = [bytes((number * at * 7919 >> 3) & 0xFF for at in range(8000)) for number in range(1, 301)]
        for number, paper in enumerate(noise):
            await store.record(receipt(number), paper=paper)
        while await retention.step():
            pass
        kept = await store.read(
            lambda db: db.execute("SELECT sum(length(body)), max(place) FROM receipt_papers").fetchone()
        )
        assert kept[0] <= 1 << 20
        assert kept[1] == pack(Stream.RECEIPTS, 1, 300), "the newest is there"
        assert len(list(store.past_receipts(999))) == 300
        await store.close()

    asyncio.run(play())


def test_while_room_is_short_receipts_are_taken_and_papers_are_not(tmp_path: Path) -> None:
    async def play() -> None:
        store = Store.open(tmp_path, clock=StillClock())
        store.guard(lambda event, size: None, lambda: False)
        await store.record(receipt(1), claim(1), paper=b"[1,[]]")
        assert await store.read(lambda db: receipt_papers.newest(db, 9)) == []
        assert len(list(store.past_receipts(9))) == 1
        await store.close()

    asyncio.run(play())


@pytest.mark.parametrize("spoil", [lambda body: body[:-4], lambda body: body[:9] + b"?" + body[10:], lambda body: b""])
def test_a_paper_whose_bits_have_turned_says_so(spoil) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StoreError) as caught:
        opened(spoil(zlib.compress(b'[1,[["TOTAL 1.00",0]]]')))
    assert caught.value.reason == "damaged"


def test_a_paper_that_would_grow_without_end_is_not_unpacked() -> None:
    with pytest.raises(StoreError):
        opened(zlib.compress(b"0" * (receipt_papers.PAPER_BYTES + 1)))


def test_a_known_document_keeps_its_first_paper(tmp_path: Path) -> None:
    async def play() -> None:
        store = Store.open(tmp_path, clock=StillClock())
        for paper in (b"[1,[]]", b"[2,[]]"):
            await store.record(receipt(1), claim(1), paper=paper)
        ((_, body),) = await store.read(lambda db: receipt_papers.newest(db, 9))
        assert receipt_papers.unpacked(body) == b"[1,[]]"
        assert isinstance(next(store.past_receipts(1)), ReceiptRecord)
        await store.close()

    asyncio.run(play())
