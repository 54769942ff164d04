"""The comeback coupon without any cloud: printed by a box, redeemed there once, by scan or typed code."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgebox.desk.answers import Answer, Beep
from edgebox.desk.codes import Scan
from edgebox.line.frames import JobPhase
from edgebox.loyalty.comeback import LETTERS, Terms, long_code
from edgebox.store import offers
from tests.desk.shop import KEYS, NOW, FakeLine, coupon_on_paper, on_disk, recorded, shop, slip, until

DAY = 86_400


def test_a_coupon_is_printed_and_redeemed_once_without_any_cloud(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            first = await engine.desk.redeem(Scan(code, "07"))
            assert (first.answer, first.number, first.worth.value_minor, first.beep) == (
                Answer.REDEEMED, 1, 500, Beep.GOOD,
            )  # fmt: skip
            _, said = await slip(line)
            assert "Redeemed 1" in said
            assert "5.00 CNY" in said
            assert "07" in said
            assert "in this shift 1" in said
            assert "COPY" not in said
            again = await engine.desk.redeem(Scan(code, "07"))
            assert (again.answer, again.detail, again.beep) == (Answer.USED, "2026-11-18 19:06  No. 1", Beep.BAD)
            _, said = await slip(line)
            assert "NOT redeemed" in said
            assert "Already used" in said
            assert "No. 1" in said

    asyncio.run(play())
    assert [(one.state, one.number, one.stock, one.reason) for one in recorded(tmp_path)] == [
        ("redeemed", 1, "comeback", ""), ("refused", 0, "", "used"),
    ]  # fmt: skip


def test_it_stays_used_after_a_restart_typed_or_scanned(tmp_path: Path) -> None:
    codes: list[str] = []

    async def first() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            long, short, _ = await coupon_on_paper(engine, line)
            codes.extend((long, short))
            outcome = await engine.desk.redeem(Scan(short.lower().replace("-", " "), typed=True))
            assert outcome.answer is Answer.REDEEMED
            await slip(line)

    async def second() -> None:
        async with shop(tmp_path) as engine:
            for code in codes:
                assert (await engine.desk.redeem(Scan(code, typed=True))).answer is Answer.USED

    asyncio.run(first())
    asyncio.run(second())
    disk = on_disk(tmp_path)
    assert not [code for code in codes if code.encode() in disk], "no code is ever written down"


def test_two_scans_at_once_are_one_use(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            long, short, _ = await coupon_on_paper(engine, line)
            outcomes = await asyncio.gather(
                *[engine.desk.redeem(Scan(code, typed=True)) for code in (long, short, long, short)]
            )
            assert sorted(outcome.answer for outcome in outcomes) == ["redeemed", "used", "used", "used"]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (lambda key, code, terms: code[:-1] + ("A" if code[-1] != "A" else "Q"), Answer.FORGED),
        (lambda key, code, terms: long_code(b"x" * 32, "CB:", terms), Answer.FORGED),
        (lambda key, code, terms: long_code(key, "CB:", terms._replace(device=99)), Answer.WRONG_STORE),
        (lambda key, code, terms: long_code(key, "CB:", terms._replace(serial=terms.serial + 100_000)), Answer.UNKNOWN),
        (lambda key, code, terms: "CB:HELLO", Answer.UNKNOWN),
        (lambda key, code, terms: "CB:" + "A" * 300, Answer.UNKNOWN),
    ],
    ids=["altered", "of another shop's key", "of another box", "never given out", "no code", "too long"],
)
def test_what_is_not_ours_is_refused_with_its_reason(change: object, answer: Answer, tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, terms = await coupon_on_paper(engine, line)
            maker = engine.decisions.stock.maker
            assert maker is not None
            assert callable(change)
            outcome = await engine.desk.redeem(Scan(change(maker.key, code, terms)))
            assert outcome.answer is answer
            assert (await engine.desk.redeem(Scan(code))).answer is Answer.REDEEMED, "the real one is still good"

    asyncio.run(play())


def test_its_terms_hold_to_the_day_and_the_cent(tmp_path: Path) -> None:
    found: list[tuple[str, Terms]] = []

    async def print_one() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, terms = await coupon_on_paper(engine, line)
            found.append((code, terms))
            below = await engine.desk.redeem(Scan(code, amount_minor=terms.threshold_minor - 1))
            assert below.answer is Answer.THRESHOLD

    async def on_day(day: int, answer: Answer) -> None:
        code, terms = found[0]
        # the shop's days are Shanghai's: its last one ends at 16:00 UTC
        async with shop(tmp_path, now=day * DAY + 16 * 3600 - 1) as engine:
            assert (await engine.desk.redeem(Scan(code, amount_minor=terms.threshold_minor))).answer is answer

    asyncio.run(print_one())
    last = found[0][1].last_day
    asyncio.run(on_day(last + 1, Answer.EXPIRED))
    asyncio.run(on_day(last, Answer.REDEEMED))


def test_a_coupon_whose_record_a_kill_took_is_good_once(tmp_path: Path) -> None:
    """Printed, and the engine killed before the receipt was recorded: the customer has it all the same."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            _, _, terms = await coupon_on_paper(engine, line)
            assert engine.store is not None
            maker = engine.decisions.stock.maker
            assert maker is not None
            lost = long_code(maker.key, maker.prefix, terms._replace(serial=terms.serial + 1))
            assert await engine.store.read(lambda db: offers.find_comeback(db, terms.serial + 1)) is None
            assert (await engine.desk.redeem(Scan(lost))).answer is Answer.REDEEMED
            assert (await engine.desk.redeem(Scan(lost))).answer is Answer.USED
            earlier = long_code(maker.key, maker.prefix, terms._replace(serial=3))
            assert (await engine.desk.redeem(Scan(earlier))).answer is Answer.UNKNOWN, "another life's: can't be known"

    asyncio.run(play())


def test_typing_is_locked_after_wrong_codes_and_scanning_is_not(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, "desk.typed_tries=3", "desk.typed_lock_s=600") as engine:
            line = await FakeLine.connect(engine)
            long, short, _ = await coupon_on_paper(engine, line)
            counter = engine.desk.counter
            assert counter is not None
            clock = [1000.0]
            counter._around = counter._around._replace(mono_s=lambda: clock[0])
            wrong = short[:-1] + LETTERS[(LETTERS.index(short[-1]) + 1) % 32]
            for _ in range(3):
                assert (await engine.desk.redeem(Scan(wrong, typed=True))).answer is Answer.UNKNOWN
            assert (await engine.desk.redeem(Scan(short, typed=True))).answer is Answer.LOCKED
            clock[0] += 599
            assert (await engine.desk.redeem(Scan(short, typed=True))).answer is Answer.LOCKED
            assert (await engine.desk.redeem(Scan(long))).answer is Answer.REDEEMED, "scanning goes on"
            clock[0] += 2
            assert (await engine.desk.redeem(Scan(short, typed=True))).answer is Answer.USED
            assert counter.lockout.locked_times == 1

    asyncio.run(play())


def test_short_codes_off_a_bar_code_are_guesses_like_typed_ones(tmp_path: Path) -> None:
    """Who prints bar codes of short codes at home tries faster than anybody types."""

    async def play() -> None:
        async with shop(tmp_path, "desk.typed_tries=3", "desk.typed_lock_s=600") as engine:
            line = await FakeLine.connect(engine)
            long, short, _ = await coupon_on_paper(engine, line)
            wrong = short[:-1] + LETTERS[(LETTERS.index(short[-1]) + 1) % 32]
            assert "-" in wrong
            for _ in range(3):
                assert (await engine.desk.redeem(Scan(wrong))).answer is Answer.UNKNOWN
            assert (await engine.desk.redeem(Scan(short))).answer is Answer.LOCKED
            assert (await engine.desk.redeem(Scan(short, typed=True))).answer is Answer.LOCKED
            assert (await engine.desk.redeem(Scan(long))).answer is Answer.REDEEMED

    asyncio.run(play())


def test_what_was_taken_back_with_a_reason_can_be_used_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            await engine.desk.redeem(Scan(code, "07"))
            await slip(line)
            assert (await engine.desk.reverse(1, "07", " ")).answer is Answer.UNKNOWN, "a reason is needed"
            back = await engine.desk.reverse(1, "07", "wrong bill")
            assert (back.answer, back.number) == (Answer.REDEEMED, 2)
            _, said = await slip(line)
            assert "takes back 1" in said
            assert "wrong bill" in said
            assert "Redeemed" not in said, "who counts the slips must not count it"
            assert "-5.00 CNY" in said
            assert (await engine.desk.reverse(1, "07", "again")).answer is Answer.USED
            assert (await engine.desk.redeem(Scan(code))).number == 3

    asyncio.run(play())


def test_a_shop_without_keys_redeems_its_coupons_too(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, "claims.keys=none.toml", keys=None) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            assert (await engine.desk.redeem(Scan(code))).answer is Answer.REDEEMED
            assert (await engine.desk.redeem(Scan("NO SUCH CODE"))).answer is Answer.UNKNOWN

    asyncio.run(play())


def test_paper_that_ends_in_the_middle_of_a_slip_costs_a_marked_copy_and_no_coupon(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            code, _, _ = await coupon_on_paper(engine, line)
            await engine.desk.redeem(Scan(code))
            _, said = await slip(line, JobPhase.FAILED, "printer lost while printing")
            assert "COPY" not in said
            job, said = await slip(line)
            assert job.endswith("c")
            assert "COPY: don't count twice" in said
            assert "Redeemed 1" in said
            await until(lambda: not engine.desk._owed._tasks)  # type: ignore[union-attr]
            assert engine.store is not None
            assert await engine.store.read(lambda db: db.execute("SELECT count(*) FROM owed_slips").fetchone()) == (0,)

    asyncio.run(play())


assert KEYS.device
assert NOW
