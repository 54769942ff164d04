"""The desk's ledger: used once for ever, numbers without a gap, questions that keep their id."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from edgebox.errors import StoreError
from edgebox.store import redemptions
from edgebox.store.events import OfferRecord, OfferState, RedemptionRecord, RedemptionState
from edgebox.store.offers import find_comeback
from edgebox.store.redemptions import Owed, Question, Shift
from tests.store.test_store import opened

AT = 1_795_000_000
ONE = RedemptionRecord(
    at=AT, request="r1", code="c0de", state=RedemptionState.REDEEMED, source="comeback", ref=7, number=1, shift=1,
    value_minor=500, cashier="07", line="line1", session="ab",
)  # fmt: skip
PRINTED = OfferRecord(
    at=AT, slip="comeback", purpose="comeback", state=OfferState.PRINTED, ref=7, value_minor=500, last_day=20_800
)


def again(**changes: object) -> RedemptionRecord:
    return msgspec.structs.replace(ONE, **changes)


def test_a_code_is_used_once_whoever_records_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(PRINTED)
            results = await asyncio.gather(
                *[store.record(again(request=f"r{n}", number=n)) for n in (1, 2, 3)], return_exceptions=True
            )
            assert [isinstance(result, StoreError) for result in results] == [False, True, True]
            used = await store.read(lambda db: redemptions.used(db, "c0de"))
            assert used is not None
            assert (used.request, used.number) == ("r1", 1)
            coupon = await store.read(lambda db: find_comeback(db, 7))
            assert coupon is not None
            assert (coupon.spent_at, coupon.value_minor) == (AT, 500)

    asyncio.run(play())


def test_what_was_taken_back_may_be_used_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(ONE)
            await store.record(again(state=RedemptionState.REVERSED, number=2, reason="wrong bill"))
            assert await store.read(lambda db: redemptions.used(db, "c0de")) is None
            coupon = await store.read(lambda db: find_comeback(db, 7))
            assert coupon is not None
            assert coupon.spent_at == 0
            first = await store.read(lambda db: redemptions.numbered(db, 1))
            assert first is not None
            assert first.reversed_by > 0, "the first row says so, for ever"
            await store.record(again(request="r9", number=3))
            found = await store.read(lambda db: redemptions.of_shift(db, Shift(number=1)))
            assert [(entry.number, entry.state) for entry in found] == [
                (1, "redeemed"), (2, "reversed"), (3, "redeemed"),
            ]  # fmt: skip

    asyncio.run(play())


def test_a_question_keeps_its_id_until_it_has_its_answer(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:

            async def ask(request: str, bill: int | None) -> Question:
                return await store.change(lambda db: redemptions.ask(db, "c0de", Question(request, bill), AT))

            assert await ask("r1", None) == Question("r1", None)
            assert await ask("r2", 900) == Question("r1", None), "also its amount: it is the same question"
            await store.record(again(state=RedemptionState.UNDECIDED, number=0))
            assert await ask("r3", 900) == Question("r1", None)
            await store.record(again(state=RedemptionState.REFUSED, number=0, reason="threshold"))
            assert await ask("r4", 900) == Question("r4", 900)

    asyncio.run(play())


def test_questions_without_an_answer_are_not_kept_without_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redemptions, "ASKED_MAX", 3)

    async def play() -> None:
        async with opened(tmp_path) as store:
            for number in range(5):
                question = Question(f"r{number}", None)
                await store.change(lambda db, n=number, q=question: redemptions.ask(db, f"c{n}", q, AT + n))
            kept = await store.read(lambda db: db.execute("SELECT code FROM asked ORDER BY code").fetchall())
            assert kept == [("c2",), ("c3",), ("c4",)]

    asyncio.run(play())


def test_a_spell_without_the_cloud_is_counted_by_numbers_not_by_clocks(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path) as store:
            await store.record(again(offline=True))
            assert await store.read(redemptions.spell) == (0, 1, 500)
            await store.change(lambda db: redemptions.put_synced(db, AT))
            assert await store.read(redemptions.spell) == (AT, 0, 0)
            await store.record(again(offline=True, code="other", number=2, at=5))
            assert await store.read(redemptions.spell) == (AT, 1, 500)

    asyncio.run(play())


def test_a_slip_is_owed_until_it_is_out_also_across_a_restart(tmp_path: Path) -> None:
    async def first() -> None:
        async with opened(tmp_path) as store:
            await store.record(ONE)
            await store.change(lambda db: redemptions.handed(db, 1, "line1", "cd"))

    async def second() -> None:
        async with opened(tmp_path) as store:
            assert await store.read(redemptions.owed) == [Owed(1, "line1", "cd", AT)]
            await store.change(lambda db: redemptions.paid(db, 1))
            assert await store.read(redemptions.owed) == []
            assert await store.read(redemptions.last_number) == 1

    asyncio.run(first())
    asyncio.run(second())
