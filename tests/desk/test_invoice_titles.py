"""A customer's title code goes to the cloud with the right receipt, once, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.desk.answers import Answer, Beep
from edgebox.desk.invoice_titles import InvoiceTitles
from edgebox.desk.said import Said, Scanned
from edgebox.engine import Engine
from edgebox.errors import SyncError
from edgebox.scan.codes import Kind
from hw_sim.cloud.cloud import Cloud
from sync.contract import Answer as Reply
from tests.desk.cloud_shop import Link
from tests.desk.shop import NOW, FakeLine, on_disk, shop, slip, until
from tests.hw_sim.boxes import PaperBox, cloud

SECRET = "k3yThatNobodyMaySee"
TITLE = f"https://mp.weixin.qq.com/intp/invoice/usertitlewxa?action=list_auth&invoice_key={SECRET}&from=mall#wechat"


def sale(number: int, amount: str) -> bytes:
    return f"SHOP\nNO: {number:06d}\n2026-11-18 18:42:07\nTEA {amount}\nTOTAL {amount}\nCASH {amount}\n\n\n".encode()


@contextlib.asynccontextmanager
async def opened(folder: Path, link: Any) -> AsyncIterator[tuple[Engine, FakeLine, InvoiceTitles]]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - a test's own
    async with shop(folder, 'slip.show=["points"]') as engine:
        engine.desk.use_cloud(link)
        titles = InvoiceTitles(engine)
        assert engine.store is not None
        await titles.open(engine.store)
        line = await FakeLine.connect(engine)
        await until(lambda: bool(engine.lines))
        yield engine, line, titles


async def scan(titles: InvoiceTitles, code: str = TITLE, line: str = "") -> Said:
    return await titles.scanned(Scanned(code, Kind.INVOICE_TITLE, "scanner1", line))


@pytest.fixture
def head(tmp_path: Path) -> Any:
    with cloud(tmp_path / "cloud") as found:
        found.desk.invoices.titles[TITLE] = "Noodle Ltd"
        yield found


def test_the_title_goes_with_the_last_sale_once_and_is_nowhere_on_disk(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        link = Link(PaperBox(head))
        async with opened(tmp_path / "box", link) as (engine, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            await line.print_receipt(2, sale(2, "34.00"))
            said = await scan(titles)
            assert (said.answer, said.beep, said.detail) == (Answer.FORWARDED, Beep.GOOD, "000002")
            _, words = await slip(line)
            assert "Invoice asked for" in words
            assert "Noodle Ltd" in words
            assert "34.00" in words
            assert SECRET not in words
            assert (await scan(titles)).answer is Answer.FORWARDED
            assert len({request for request, _ in link.requests}) == 1, "the same code for the same receipt"
            assert (await scan(titles, TITLE + "2")).answer is Answer.USED
            assert len({request for request, _ in link.requests}) == 2
            assert engine.counters["invoice titles: forwarded"] == 2

    asyncio.run(play())
    assert head.desk.invoices.asked() == [(2, 3400, TITLE)]
    assert SECRET.encode() not in on_disk(tmp_path / "box")


def test_without_the_cloud_the_customer_is_told_to_come_again_and_nothing_is_kept(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        link = Link(PaperBox(head))
        link.is_connected = False
        async with opened(tmp_path / "box", link) as (engine, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            said = await scan(titles)
            assert (said.answer, said.beep) == (Answer.OFFLINE, Beep.AGAIN)
            assert "No network: ask for the invoice again later" in (await slip(line))[1]
            engine.desk.use_cloud(None)
            assert (await scan(titles)).answer is Answer.OFFLINE

    asyncio.run(play())
    assert SECRET.encode() not in on_disk(tmp_path / "box")
    assert head.desk.invoices.asked() == []


def test_a_lost_answer_is_asked_for_again_under_the_same_id(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        link = Link(PaperBox(head), loses=1)
        async with opened(tmp_path / "box", link) as (_, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            assert (await scan(titles)).answer is Answer.OFFLINE
            assert (await scan(titles)).answer is Answer.FORWARDED
            assert len({request for request, _ in link.requests}) == 1

    asyncio.run(play())
    assert len(head.desk.invoices.asked()) == 1


def test_the_id_is_the_same_after_a_restart(head: Cloud, tmp_path: Path) -> None:
    requests = []

    async def play() -> None:
        link = Link(PaperBox(head))
        for _ in range(2):
            async with opened(tmp_path / "box", link) as (_, line, titles):
                await line.print_receipt(1, sale(1, "12.00")) if not requests else None
                assert (await scan(titles)).answer is Answer.FORWARDED
            requests.append(link.requests[-1][0])

    asyncio.run(play())
    assert requests[0] == requests[1]


def test_no_sale_or_an_old_one_or_a_refund_is_not_invoiced(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        link = Link(PaperBox(head))
        async with opened(tmp_path / "box", link) as (engine, line, titles):
            assert (await scan(titles)).answer is Answer.NO_SALE
            await slip(line)
            await line.print_receipt(1, b"*** REFUND ***\n" + sale(1, "12.00"))
            assert (await scan(titles)).answer is Answer.NO_SALE
            await slip(line)
            await line.print_receipt(2, sale(2, "12.00"))
            engine.clock = lambda: NOW + 601
            assert (await scan(titles)).answer is Answer.NO_SALE
            engine.clock = lambda: NOW + 600
            assert (await scan(titles)).answer is Answer.FORWARDED

    asyncio.run(play())


def test_with_two_tills_it_is_that_of_the_scanner_or_nobodys(head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        link = Link(PaperBox(head))
        async with opened(tmp_path / "box", link) as (engine, line, titles):
            other = await FakeLine.connect(engine, "line2", session=b"\x02" * 8)
            await line.print_receipt(1, sale(1, "12.00"))
            await other.print_receipt(1, sale(2, "56.00"))
            assert (await scan(titles)).answer is Answer.NO_SALE, "whose would it be?"
            assert (await scan(titles, line="line1")).detail == "000001"

    asyncio.run(play())
    assert [amount for _, amount, _ in head.desk.invoices.asked()] == [1200]


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("used", Answer.USED),
        ("expired", Answer.EXPIRED),
        ("unknown", Answer.UNKNOWN),
        ("wrong_store", Answer.WRONG_STORE),
        ("weixin_invoice:72031", Answer.UNKNOWN),
        ("weixin_invoice:40001", Answer.FAILURE),
        ("weixin_invoice:99999", Answer.FAILURE),
        ("forwarded", Answer.FAILURE),  # a no that calls itself a yes
    ],
)
def test_each_no_of_cloud_and_wechat_has_its_words(reason: str, answer: Answer, head: Cloud, tmp_path: Path) -> None:
    async def play() -> None:
        head.desk.invoices.says[TITLE] = reason
        async with opened(tmp_path / "box", Link(PaperBox(head))) as (_, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            assert (await scan(titles)).answer is answer
            assert "coupon" not in (await slip(line))[1].lower()

    asyncio.run(play())
    assert head.desk.invoices.asked() == []


class Broken:
    """A cloud whose yes can't be read."""

    is_connected = True

    def __init__(self, result: Mapping[str, Any] | None) -> None:
        self._result = result

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Reply:
        if self._result is None:
            raise SyncError("too many questions at once", reason="busy")
        return Reply(id=name, ok=True, result=dict(self._result))


@pytest.mark.parametrize("result", [{"title": 7}, {"title": "a\nb"}, {"title": "x" * 61}, {}])
def test_a_title_that_can_not_be_printed_is_left_out(result: Mapping[str, Any], tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "box", Broken(result)) as (_, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            assert (await scan(titles)).answer is Answer.FORWARDED

    asyncio.run(play())


@settings(max_examples=3, deadline=None)
@given(texts=st.lists(st.text(max_size=1100), min_size=20, max_size=40))
def test_any_text_gets_an_answer_and_none_raises(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    async def play() -> None:
        async with opened(tmp_path_factory.mktemp("box"), Broken({})) as (_, line, titles):
            await line.print_receipt(1, sale(1, "12.00"))
            for text in texts:
                stripped = text.strip()
                is_fit = 0 < len(stripped) <= 1024 and stripped.isprintable()
                assert (await scan(titles, text)).answer is (Answer.FORWARDED if is_fit else Answer.UNKNOWN)

    asyncio.run(play())
