"""The queue of print jobs: once each, in order, told at every step, across restarts, lost lines and ends of paper."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgebox.line.frames import Job, JobCancel, JobPhase, JobState
from edgebox.print_jobs import handing, print_jobs
from edgebox.print_jobs.job import State
from edgebox.store.events import JobRecord, Stream
from edgebox.store.peek import bodies
from sync.contract import Reply
from tests.box_of_orders import Box, box
from tests.desk.shop import words
from tests.line_of_engine import FakeLine
from tests.sync.fleet import NOW

TEXT = [{"block": "text", "text": "Delivery at the back door"}]
OTHER = b"\x02" * 8


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become milliseconds."""
    monkeypatch.setattr(print_jobs, "POLL_S", 0.005)
    monkeypatch.setattr(print_jobs, "AGAIN_S", 0.01)
    monkeypatch.setattr(handing, "HAND_S", 0.05)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def a_print(text: str = "", **more: Any) -> dict[str, Any]:
    return {"line": "line1", "blocks": [{"block": "text", "text": text}] if text else TEXT, **more}


def an_order(order: str = "o-1", revision: int = 1, **more: Any) -> dict[str, Any]:
    items = [{"name": "Noodles", "count": 2, "options": "no onions"}, {"name": "Tea"}]
    return {"line": "line1", "order": order, "revision": revision, "number": "A17", "items": items, **more}


async def job(line: FakeLine) -> Job:
    """The next job; what was taken back before it is passed over."""
    while isinstance(frame := await line.next(), JobCancel):
        line.send(JobState(frame.job, JobPhase.CANCELED, ""))
    assert isinstance(frame, Job), frame
    return frame


async def prints(line: FakeLine, phase: JobPhase = JobPhase.SENT, reason: str = "") -> str:
    """The line prints the next job; its words."""
    found = await job(line)
    line.send(JobState(found.job, JobPhase.PRINTING, ""), JobState(found.job, phase, reason))
    return words(found.body)


def states(shop: Box, name: str) -> list[str]:
    return [reply.state.value for reply in shop.way.replies if reply.id == name]


def shown(reply: Reply) -> tuple[str, str]:
    return reply.state.value, reply.reason


def test_each_step_is_told_and_recorded(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("print", a_print(copies=3), id="a")
            found = await job(line)
            assert (found.copies, found.cut) == (3, True)
            assert states(shop, "a") == ["queued"]
            line.send(JobState(found.job, JobPhase.PRINTING, ""))
            await shop.until(lambda: states(shop, "a") == ["queued", "running"])
            line.send(JobState(found.job, JobPhase.SENT, "proof asked"))
            line.send(JobState(found.job, JobPhase.PRINTED, ""))
            reply = await shop.end("a")
            result = {"line": "line1", "phase": "printed", "job": "a", "copies": 3}
            assert (shown(reply), reply.result) == (("succeeded", ""), result)
            (recent,) = shop.orders.print_jobs.recent()
            assert (recent.id, recent.state, recent.phase) == ("a", State.PRINTED, "printed")

    play(story())
    import msgspec

    found = [msgspec.json.decode(raw, type=JobRecord) for raw in bodies(folder / "data", Stream.JOBS)]
    assert [one.state for one in found] == ["queued", "running", "succeeded"]


def test_one_job_id_is_one_print_also_after_a_restart(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("print", a_print(job_id="j-1"), id="a")
            await shop.begin("print", a_print(job_id="j-1"), id="b")  # while it waits
            assert await prints(line)
            assert [shown(await shop.end(name)) for name in "ab"] == [("succeeded", "")] * 2
            assert shown(await shop.give("print", a_print(job_id="j-1"), id="c")) == ("succeeded", "")
            assert shown(await shop.give("print", a_print("something else", job_id="j-1"))) == ("failed", "id_reused")
        async with box(folder) as later:
            line = await later.line()
            assert shown(await later.give("print", a_print(job_id="j-1", expires_at=NOW + 99))) == ("succeeded", "")
            await later.begin("print", a_print("the next", job_id="j-2"), id="d")
            assert "the next" in await prints(line)

    play(story())


def test_what_waits_prints_after_a_restart_in_order_of_priority(folder: Path) -> None:
    async def waits() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            line.document(1, b"TEA 1.00\n")  # a receipt is on its way: nothing is handed over
            await shop.until(lambda: shop.engine.lines["line1"].is_reading)
            for name, priority in (("a", "normal"), ("b", "low"), ("c", "urgent"), ("d", "normal")):
                await shop.begin("print", a_print(f"paper {name}", priority=priority), id=name)
            await shop.until(lambda: shop.orders.print_jobs.waiting() == 4)
            await line.leave(shop.engine)
        kept = b"".join(path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file())
        assert b"paper a" not in kept
        async with box(folder) as later:
            line = await later.line()
            assert [(await prints(line))[-1] for _ in "abcd"] == ["c", "a", "d", "b"]
            assert [shown(await later.end(name)) for name in "abcd"] == [("succeeded", "")] * 4

    play(waits())


def test_a_job_that_no_printer_takes_is_taken_back_and_expires(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("print", a_print(expires_at=NOW + 30), id="a")
            names = []
            for _ in range(3):  # the line has it, the printer has no paper: back it comes
                found = await line.next()
                assert isinstance(found, Job)
                line.send(JobState(found.job, JobPhase.QUEUED, ""))
                assert await line.next() == JobCancel(found.job)
                line.send(JobState(found.job, JobPhase.CANCELED, ""))
                names.append(found.job)
            assert len(set(names)) == 3
            shop.clocks = shop.clocks._replace(at_ms=(NOW + 31) * 1000)
            await shop.until(lambda: not shop.orders.print_jobs.waiting())
            assert shown(await shop.end("a")) == ("expired", "expired")
            assert states(shop, "a") == ["queued", "expired"]

    play(story())


def test_what_waits_can_be_canceled_and_what_is_printing_can_not(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            for name in ("a", "b", "c"):
                await shop.begin("print", a_print(f"paper {name}"), id=name)
            first = await job(line)
            assert shown(await shop.give("print.cancel", {"job": "b"})) == ("succeeded", "")
            assert shown(await shop.give("cancel", {"id": "c"})) == ("succeeded", "")
            assert [shown(await shop.end(name)) for name in "bc"] == [("canceled", "canceled")] * 2
            line.send(JobState(first.job, JobPhase.PRINTING, ""))
            await shop.until(lambda: states(shop, "a")[-1] == "running")
            assert shown(await shop.give("print.cancel", {"job": "a"})) == ("failed", "too_late")
            line.send(JobState(first.job, JobPhase.SENT, ""))
            assert shown(await shop.end("a")) == ("succeeded", "")
            assert shown(await shop.give("print.cancel", {"job": "z"})) == ("failed", "no_such_job")
            await shop.begin("print", a_print("paper d"), id="d")
            handed = await job(line)
            await shop.begin("print.cancel", {"job": "d"}, id="stop")
            assert await line.next() == JobCancel(handed.job)
            line.send(JobState(handed.job, JobPhase.CANCELED, ""))
            assert [shown(await shop.end(name)) for name in ("d", "stop")] == [
                ("canceled", "canceled"),
                ("succeeded", ""),
            ]

    play(story())


@pytest.mark.parametrize("phase", [JobPhase.QUEUED, JobPhase.PRINTING])
@pytest.mark.parametrize("again", ["no", "copy"])
def test_where_nobody_knows_it_fails_as_unknown_or_is_printed_as_a_copy(
    folder: Path, phase: JobPhase, again: str
) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("print", a_print(again=again), id="a")
            found = await job(line)
            assert "COPY" not in words(found.body)
            line.send(JobState(found.job, phase, ""))
            await shop.until(lambda: phase == JobPhase.QUEUED or states(shop, "a")[-1] == "running")
            await line.leave(shop.engine)
            line = await FakeLine.connect(shop.engine, "line1", OTHER)  # the power went: another process
            if again == "copy":
                assert "COPY" in await prints(line)
            reply = await shop.end("a")
            assert shown(reply) == (("succeeded", "") if again == "copy" else ("failed", "unknown"))
            assert reply.result.get("is_copy", False) is (again == "copy")

    play(story())


@pytest.mark.parametrize("known", [JobPhase.PRINTING, JobPhase.SENT])
def test_the_same_process_of_the_line_is_asked_and_nothing_printed_twice(folder: Path, known: JobPhase) -> None:
    names = []

    async def before() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("print", a_print(again="copy"), id="a")
            found = await job(line)
            names.append(found.job)
            line.send(JobState(found.job, JobPhase.PRINTING, ""))
            await shop.until(lambda: states(shop, "a")[-1] == "running")

    async def after() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            found = await job(line)
            assert found.job == names[0]  # the line prints a name once
            line.send(JobState(found.job, known, "already known"))
            if known is JobPhase.PRINTING:
                line.send(JobState(found.job, JobPhase.SENT, ""))
            assert shown(await shop.end("a")) == ("succeeded", "")

    play(before())
    play(after())


def test_a_full_queue_says_busy_and_forgets_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(print_jobs, "QUEUE_MAX", 3)

    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            for number in range(3):
                await shop.begin("print", a_print(f"paper {number}"), id=f"p{number}")
            await shop.until(lambda: shop.orders.print_jobs.waiting() == 3)
            assert shown(await shop.give("print", a_print("paper 4"), id="p4")) == ("failed", "busy")
            assert shop.orders.print_jobs.counters["refused busy"] == 1
            for _ in range(3):
                await prints(line)
            assert [shown(await shop.end(f"p{number}"))[0] for number in range(3)] == ["succeeded"] * 3
            await shop.begin("print", a_print("paper 4", job_id="p4"), id="p4b")  # sent again, as it should be
            assert "paper 4" in await prints(line)

    play(story())


def test_a_job_that_certainly_was_not_printed_may_come_again_under_its_id(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            assert shown(await shop.give("order", an_order(expires_at=NOW - 1), id="a")) == ("expired", "expired")
            await shop.begin("order", an_order(), id="b")
            text = await prints(line)
            assert "Noodles" in text
            assert shown(await shop.end("b")) == ("succeeded", "")
            assert [job.number for job in shop.orders.print_jobs.recent()] == [1]

    play(story())


def test_what_a_printer_cannot_print_is_quoted_nowhere(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            await FakeLine.connect(shop.engine, profile="star-line")
            await shop.until(lambda: "line1" in shop.engine.lines)
            reply = await shop.give("print", a_print("Mr Wang, Ренна 5"), id="a")
            assert reply.state.value == "failed"
            assert "Wang" not in reply.words

    play(story())
    for path in (folder / "data").rglob("*"):
        assert not path.is_file() or b"Wang" not in path.read_bytes()


def test_raw_bytes_are_refused_by_reason_before_anything_is_kept(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()

            def raw(found: bytes) -> dict[str, Any]:
                return {"line": "line1", "raw": base64.b64encode(found).decode()}

            assert shown(await shop.give("print", raw(b"\x1cq\x01"))) == ("failed", "unfinished")
            assert shown(await shop.give("print", raw(b"\x1bp\x00\x19\xfa"))) == ("failed", "drawer")
            assert shown(await shop.give("print", raw(b"\n" * 2000))) == ("failed", "too_long")
            assert shown(await shop.give("print", {**raw(b"line\n" * 80), "copies": 9})) == ("failed", "too_long")
            assert shop.orders.print_jobs.recent() == []
            await shop.begin("print", raw(b"\x1b@\x1b!\x30hi\n\x1dV\x00"), id="good")
            assert "hi" in await prints(line)

    play(story())


def test_an_order_is_one_ticket_and_a_changed_one_is_marked(folder: Path) -> None:
    async def story() -> None:
        async with box(folder, 'slip.languages=["en"]') as shop:
            line = await shop.line()
            await shop.begin("order", an_order(pay_url="https://pay.example.cn/o1", amount_minor=4200), id="a")
            text = await prints(line)
            assert all(word in text for word in ("Order A17", "Noodles (no onions)", "x2", "42.00 CNY"))
            assert "CHANGED" not in text
            same = an_order(pay_url="https://pay.example.cn/o1", amount_minor=4200)
            assert shown(await shop.give("order", same, id="b")) == ("succeeded", "")  # pushed twice: one ticket
            await shop.begin("order", an_order(revision=2, table="12"), id="c")
            text = await prints(line)
            assert "CHANGED 2" in text
            assert shown(await shop.give("order", same, id="d")) == ("succeeded", "")  # as it was said before
            await shop.begin("order", an_order("o-2", 5), id="e")
            await prints(line)
            assert shown(await shop.give("order", an_order("o-2", 4), id="f")) == ("failed", "old_revision")
            paid = {"line": "line1", "order": "o-1", "number": "A17", "amount_minor": 4200}
            await shop.begin("order.paid", paid, id="g")
            assert "Order A17 paid" in await prints(line)
            assert shown(await shop.give("order.paid", paid)) == ("succeeded", "")

    play(story())


def test_a_change_of_an_order_that_nobody_has_seen_takes_its_place(folder: Path) -> None:
    async def story() -> None:
        async with box(folder, 'slip.languages=["en"]') as shop:
            line = await shop.line()
            await shop.begin("print", a_print("first"), id="first")
            first = await job(line)
            await shop.begin("order", an_order(), id="a")
            await shop.until(lambda: shop.orders.print_jobs.waiting() == 2)
            await shop.begin("order", an_order(revision=2, kitchen=True, amount_minor=999), id="b")
            assert shown(await shop.end("a")) == ("canceled", "replaced")
            line.send(JobState(first.job, JobPhase.PRINTING, ""), JobState(first.job, JobPhase.SENT, ""))
            text = await prints(line)
            assert "Order A17" in text
            assert "CHANGED" not in text
            assert "9.99" not in text
            assert shown(await shop.end("b")) == ("succeeded", "")

    play(story())


def test_a_ticket_is_not_acknowledged_while_there_is_no_paper(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            await shop.begin("order", an_order(), id="a")
            found = await job(line)
            line.send(JobState(found.job, JobPhase.QUEUED, ""))
            await asyncio.sleep(0.1)
            assert states(shop, "a") == ["queued"]
            assert shown(await shop.give("ping")) == ("succeeded", "")

    play(story())


def test_controls_in_words_are_refused_and_invisible_ones_left_out(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            line = await shop.line()
            bad = an_order(title="x\x1bp\x00")
            assert shown(await shop.give("order", bad)) == ("rejected", "bad_args")
            await shop.begin("print", a_print("pay \u202e00.21\u200b here"), id="a")
            assert "pay 00.21 here" in await prints(line)

    play(story())


def test_a_command_that_waits_in_its_lane_can_be_canceled_by_its_like_only(folder: Path) -> None:
    async def story() -> None:
        async with box(folder) as shop:
            assert shown(await shop.give("cancel", {"id": "nobody"})) == ("failed", "no_such_command")
            await shop.give("line.bypass", {"line": "line9", "slips": True}, id="over")
            assert shown(await shop.give("cancel", {"id": "over"})) == ("failed", "too_late")
            await shop.give("keys.revoke", {"epochs": [1]}, id="keys")
            assert shown(await shop.give("cancel", {"id": "keys"}, "operator-1")) == ("failed", "authority")

    play(story())
