"""A slip is printed once, whoever is killed in between; where nobody can know that, the next one says COPY."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.desk.words import Say
from edgebox.engine import Engine
from edgebox.escpos.compose import Body, Press
from edgebox.line.frames import Job, JobPhase, JobState
from edgebox.slips.template import Purpose
from tests.desk.shop import FakeLine, coupon_on_paper, next_job, recorded, shop, signed_code, slip, until, words

OTHER = b"\x02" * 8  # another process of the line
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from edgebox.desk.codes import Scan
from edgebox.slips.template import Purpose
from tests.desk.shop import FakeLine, coupon_on_paper, next_job, shop

async def play():
    async with shop(Path(sys.argv[1])) as engine:
        line = await FakeLine.connect(engine)
        code, _, _ = await coupon_on_paper(engine, line)
        if sys.argv[2] == "before the print":
            engine.desk.counter.on_redeemed = None
        await engine.desk.redeem(Scan(code))
        job = await next_job(line) if sys.argv[2] != "before the print" else None
        print(code, job.job if job else "-", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(play())
"""


def killed(folder: Path, when: str) -> tuple[str, str]:
    """An engine dies by kill -9; the coupon's code, and the job that the line had got."""
    ran = subprocess.run([sys.executable, "-c", KILLED, str(folder), when], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    code, job = ran.stdout.split()
    return code, job


async def owed(engine: Engine) -> int:
    assert engine.store is not None
    found: int = (await engine.store.read(lambda db: db.execute("SELECT count(*) FROM owed_slips").fetchone()))[0]
    return found


async def paid(engine: Engine) -> None:
    for _ in range(2000):
        if not await owed(engine):
            return
        await asyncio.sleep(0.001)
    raise AssertionError("still owed")


def test_killed_between_commit_and_print_the_same_line_prints_it_as_new(tmp_path: Path) -> None:
    code, _ = killed(tmp_path, "before the print")

    async def after() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            _, said = await slip(line)
            assert "Redeemed 1" in said
            assert "COPY" not in said
            assert (await engine.desk.redeem(Scan(code))).answer is Answer.USED
            await paid(engine)

    asyncio.run(after())


def test_killed_between_print_and_reply_the_line_knows_the_job_and_prints_nothing(tmp_path: Path) -> None:
    _, job = killed(tmp_path, "after the print")

    async def after() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            again = await next_job(line)
            assert again.job == job, "a line prints one name once"
            line.send(JobState(job, JobPhase.SENT, "already known"))
            await paid(engine)

    asyncio.run(after())
    assert [one.number for one in recorded(tmp_path)] == [1]


@pytest.mark.parametrize("when", ["before the print", "after the print"])
def test_when_the_whole_box_died_the_next_slip_says_copy(when: str, tmp_path: Path) -> None:
    killed(tmp_path, when)

    async def after() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine, session=OTHER)
            _, said = await slip(line)
            assert "COPY: don't count twice" in said
            assert "Redeemed 1" in said
            await paid(engine)

    asyncio.run(after())


def test_a_coupon_redeemed_while_no_line_is_there_gets_its_slip_when_one_comes(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            await line.leave(engine)
            assert (await engine.desk.redeem(Scan(code))).answer is Answer.REDEEMED
            back = await FakeLine.connect(engine, session=OTHER)
            _, said = await slip(back)
            assert "COPY" not in said, "no line ever had it"
            await paid(engine)

    asyncio.run(play())


def test_a_line_that_leaves_with_the_slip_gets_it_again_when_it_is_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            await engine.desk.redeem(Scan(code))
            job = await next_job(line)
            line.send(JobState(job.job, JobPhase.PRINTING, ""))
            await line.leave(engine)
            owed_slips = engine.desk._owed
            assert owed_slips is not None
            await until(lambda: not owed_slips._tasks)
            assert await owed(engine) == 1
            back = await FakeLine.connect(engine)
            assert (await next_job(back)).job == job.job
            back.send(JobState(job.job, JobPhase.PRINTING, "already known"), JobState(job.job, JobPhase.SENT, ""))
            await paid(engine)

    asyncio.run(play())


def test_slips_wait_for_paper_and_come_out_in_order(tmp_path: Path) -> None:
    """Out of paper: the line keeps the jobs; nothing is printed twice when the paper is back."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            codes = [(await coupon_on_paper(engine, line, number))[0] for number in (1, 2, 3)]
            jobs: list[Job] = []
            for code in codes:
                assert (await engine.desk.redeem(Scan(code))).answer is Answer.REDEEMED, "paper or not"
                jobs.append(await next_job(line))
                line.send(JobState(jobs[-1].job, JobPhase.QUEUED, ""))
            assert await owed(engine) == 3
            assert [f"Redeemed {number}" in words(job.body) for number, job in enumerate(jobs, 1)] == [True] * 3
            for job in jobs:
                line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, JobPhase.SENT, ""))
            await paid(engine)

    asyncio.run(play())


def test_a_line_that_refuses_a_slip_is_not_asked_for_ever(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            await engine.desk.redeem(Scan(code))
            for _ in range(4):
                job = await next_job(line)
                assert not job.job.endswith("c"), "nothing of it was printed"
                line.send(JobState(job.job, JobPhase.FAILED, "queue full"))
            owed_slips = engine.desk._owed
            assert owed_slips is not None
            await until(lambda: not owed_slips._tasks)
            assert await owed(engine) == 1, "it is owed until the shift is closed"
            assert await engine.desk.close_shift("07")
            assert await owed(engine) == 0

    asyncio.run(play())


def test_refusals_are_not_piled_up_for_a_printer_without_paper(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            for serial in range(12):
                code = signed_code(serial, store=1)
                assert (await engine.desk.redeem(Scan(code))).answer is Answer.WRONG_STORE
            jobs = [await next_job(line) for _ in range(8)]
            assert all(job.expires_ms == 30_000 for job in jobs)
            assert engine.desk.refusals_unsaid == 4

    asyncio.run(play())


def test_the_slip_speaks_the_shops_language(tmp_path: Path) -> None:
    """Chinese goes to a printer without a known code page as dots; so the words are looked at before they are."""
    said: list[tuple[str, ...]] = []

    async def play() -> None:
        async with shop(tmp_path, 'slip.languages=["zh"]') as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            composed = engine.decisions.desk_slip

            def listen(purpose: Purpose, say: Say, press: Press) -> Body | None:
                facts = say(("zh",))
                said.append(tuple(facts.text(name, "zh") for name in ("serial", "title", "value", "reason", "staff")))
                return composed(purpose, say, press)

            engine.decisions.desk_slip = listen  # type: ignore[method-assign]
            for _ in range(2):
                await engine.desk.redeem(Scan(code, "07"))
                assert b"\x1dv0" in (await next_job(line)).body

    asyncio.run(play())
    assert said == [("1", "下次消费券", "5.00元", "", "07"), ("", "2026-11-18 19:06  No. 1", "", "此券已使用", "")]
