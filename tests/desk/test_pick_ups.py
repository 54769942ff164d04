"""Orders to be picked up: each handed out once, with and without a cloud, whatever list comes and whoever dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.desk.answers import Answer, Beep
from edgebox.engine import Engine
from edgebox.keys import field_key
from edgebox.orders import contents
from edgebox.store.events import RedemptionState
from sync.contract import BundleKind
from sync.contract_content import PICK_UPS_MAX, PickUpsContent
from tests.desk.shop import KEYS, NOW, CloudOfTest, FakeLine, on_disk, recorded, shop, slip, yes

ME = "sync.box=box-1"
TODAY, YESTERDAY, TOMORROW = "2026-11-18", "2026-11-17", "2026-11-19"
TZ = "shop.tz=UTC"
CODES = [f"PU-{number:04d}-{'K' * 8}" for number in range(10)]


def test_the_day_of_the_tests_is_what_they_say() -> None:
    assert datetime.fromtimestamp(NOW, UTC).date().isoformat() == TODAY


def digest(engine: Engine, code: str) -> str:
    assert engine.desk.counter is not None
    return engine.desk.counter.codes.hash("pick_up", code)


def order(engine: Engine, place: int, **changes: str) -> dict[str, str]:
    return {
        "code": digest(engine, CODES[place]), "number": f"A{place:02d}", "shelf": f"B{place}", "what": f"tea {place}",
        "day": TODAY, **changes,
    }  # fmt: skip


async def use(engine: Engine, revision: int, *orders: dict[str, str], box: str = "box-1") -> None:
    given = contents.pick_ups(json.dumps({"box": box, "orders": orders}).encode())
    await engine.desk.services.use_list(revision, given.orders, given.box)


async def ten(engine: Engine) -> None:
    await use(engine, 1, *(order(engine, place) for place in range(10)))


def test_ten_orders_are_handed_out_on_a_day_without_network_each_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            cloud = CloudOfTest()
            cloud.is_connected = False
            engine.desk.use_cloud(cloud)
            await ten(engine)
            line = await FakeLine.connect(engine)
            for place, code in enumerate(CODES):
                said = await engine.desk.services.pick_up(f" {code}\r", cashier="07")
                assert (said.answer, said.number, said.beep) == (Answer.REDEEMED, place + 1, Beep.GOOD)
                _, words = await slip(line)
                assert f"Pick-up A{place:02d}" in words
                assert f"shelf B{place}" in words
                assert f"tea {place}" in words
            again = await engine.desk.services.pick_up(CODES[7])
            assert (again.answer, again.detail, again.beep) == (Answer.USED, written(NOW), Beep.BAD)
            _, words = await slip(line)
            assert "Already picked up" in words
            assert written(NOW) in words
            assert (await engine.desk.services.pick_up("A07")).answer is Answer.USED, "its number is the same order"
            unknown = await engine.desk.services.pick_up("PU-9999")
            assert (unknown.answer, unknown.number) == (Answer.UNKNOWN, 0)
            assert cloud.asked == []

    asyncio.run(play())
    records = recorded(tmp_path)
    assert [one.state for one in records].count(RedemptionState.REDEEMED) == 10
    assert {(one.source, one.coupon, one.offline) for one in records if one.number} == {("pick_up", "pick_up", False)}
    assert records[0].cashier == "07"
    assert not any(code.encode() in on_disk(tmp_path) for code in CODES)


def written(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def test_of_two_tills_that_show_one_order_at_once_one_hands_it_out(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await ten(engine)
            services = engine.desk.services
            said = await asyncio.gather(*[services.pick_up(shown) for shown in (CODES[3], "A03", CODES[3])])
            assert sorted(one.answer for one in said) == ["redeemed", "used", "used"]
            assert [one.number for one in services.pick_ups.listed()] == [f"A{place:02d}" for place in range(10)]

    asyncio.run(play())


def test_an_order_is_handed_out_by_its_number_and_then_not_by_its_code(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await ten(engine)
            assert (await engine.desk.services.pick_up("a03")).answer is Answer.REDEEMED
            assert (await engine.desk.services.pick_up(CODES[3])).answer is Answer.USED

    asyncio.run(play())


def test_what_was_handed_out_stays_so_whatever_a_later_list_says_also_after_a_restart(tmp_path: Path) -> None:
    async def first() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await use(engine, 1, order(engine, 1), order(engine, 2, code=""))
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.REDEEMED
            assert (await engine.desk.services.pick_up("A02")).answer is Answer.REDEEMED

    async def later() -> None:
        async with shop(tmp_path, ME, TZ, now=NOW + 3600) as engine:
            await use(engine, 2, order(engine, 1, shelf="Z9"), order(engine, 2, code="", what="more tea"))
            for shown in (CODES[1], "A01", "A02"):
                said = await engine.desk.services.pick_up(shown)
                assert (said.answer, said.detail) == (Answer.USED, written(NOW)), shown
            await use(engine, 3)
            assert (await engine.desk.services.pick_up("A02")).answer is Answer.USED, "gone from the list, not from us"
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.USED
            assert (await engine.desk.services.pick_up(CODES[4])).answer is Answer.UNKNOWN

    async def next_day() -> None:
        async with shop(tmp_path, ME, TZ, now=NOW + 86_400) as engine:
            said = await engine.desk.services.pick_up(CODES[1])
            assert (said.answer, said.detail) == (Answer.USED, f"{TODAY} {written(NOW)}"), "of another day: its date"

    asyncio.run(first())
    asyncio.run(later())
    asyncio.run(next_day())


@pytest.mark.parametrize(
    ("changes", "answer", "detail"),
    [
        ({"day": TOMORROW}, Answer.NOT_STARTED, TOMORROW),
        ({"day": YESTERDAY}, Answer.EXPIRED, YESTERDAY),
        ({"day": YESTERDAY, "until": TODAY}, Answer.REDEEMED, ""),
        ({"box": "box-2"}, Answer.WRONG_STORE, "box-2"),
    ],
)
def test_an_order_is_had_on_its_days_and_at_its_box(
    changes: dict[str, str], answer: Answer, detail: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await use(engine, 1, order(engine, 1, **changes))
            said = await engine.desk.services.pick_up(CODES[1])
            assert (said.answer, said.detail) == (answer, detail)

    asyncio.run(play())


def test_a_box_that_does_not_know_the_day_hands_out_what_is_on_the_list(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            engine.decisions._synced = lambda: False
            await use(engine, 1, order(engine, 1, day=TOMORROW))
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.REDEEMED
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.USED

    asyncio.run(play())


def test_of_one_number_on_two_days_todays_order_is_meant(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            rows = [order(engine, 1, code="", day=day, shelf=day[-2:]) for day in (YESTERDAY, TODAY, TOMORROW)]
            await use(engine, 1, *rows)
            line = await FakeLine.connect(engine)
            assert (await engine.desk.services.pick_up("A01")).answer is Answer.REDEEMED
            assert "shelf 18" in (await slip(line))[1]

    asyncio.run(play())


def test_an_order_of_any_box_is_handed_out_on_the_clouds_yes_alone(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            cloud = Asked()
            engine.desk.use_cloud(cloud)
            await use(engine, 1, order(engine, 1), order(engine, 2), box="*")
            cloud.is_connected = False
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.OFFLINE
            cloud.is_connected = True
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.REDEEMED
            assert len({name for name, _ in cloud.asked}) == 1, "one question, however often it is asked"
            cloud.answers[CODES[2]] = msgspec.structs.replace(yes(), ok=False, reason="used")
            assert (await engine.desk.services.pick_up(CODES[2])).answer is Answer.USED
            assert cloud.whats == {"pick_up.take"}

    asyncio.run(play())
    [one] = [one for one in recorded(tmp_path) if one.number]
    assert one.coupon == "pick_up"


class Asked(CloudOfTest):
    """A cloud that says yes to every order it is asked about."""

    def __init__(self) -> None:
        super().__init__(**{code: yes(0) for code in CODES})
        self.whats: set[str] = set()

    async def ask(self, what: str, args: Any, name: str, timeout_s: float) -> Any:
        self.whats.add(what)
        return await super().ask("coupon.redeem", args, name, timeout_s)


def test_an_order_taken_back_can_be_handed_out_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await ten(engine)
            line = await FakeLine.connect(engine)
            number = (await engine.desk.services.pick_up(CODES[1])).number
            await slip(line)
            assert (await engine.desk.reverse(number, "07", "wrong bag")).answer is Answer.REDEEMED
            _, words = await slip(line)
            assert "takes back 1" in words
            assert "Pick-up" not in words
            assert "wrong bag" in words
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.REDEEMED

    asyncio.run(play())


def test_the_tally_counts_orders_in_a_row_of_their_own(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await ten(engine)
            line = await FakeLine.connect(engine)
            for code in CODES[:3]:
                await engine.desk.services.pick_up(code, "07")
                await slip(line)
            assert await engine.desk.close_shift("anna")
            _, words = await slip(line)
            assert "pick-ups 3" in words
            assert "cashier 07 3" in words
            assert "coupon" not in words

    asyncio.run(play())


def test_a_full_disk_hands_nothing_out(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            await ten(engine)
            assert engine.store is not None
            record = engine.store.record

            async def full(*events: Any, **more: Any) -> Any:
                from edgebox.errors import StoreFull

                raise StoreFull("no room", reason="full")

            engine.store.record = full  # type: ignore[method-assign]
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.BUSY
            engine.store.record = record  # type: ignore[method-assign]
            assert (await engine.desk.services.pick_up(CODES[1])).answer is Answer.REDEEMED

    asyncio.run(play())


KILLED = textwrap.dedent("""
    import asyncio, os, signal, sys
    from pathlib import Path
    from tests.desk.shop import shop
    from tests.desk.test_pick_ups import CODES, ME, TZ, ten

    async def play():
        async with shop(Path(sys.argv[1]), ME, TZ) as engine:
            await ten(engine)
            await engine.desk.services.pick_up(CODES[7])
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(play())
""")


def test_killed_between_commit_and_print_the_slip_still_comes_and_the_order_stays_handed_out(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, env={**os.environ}, check=False)
    assert ended.returncode == -signal.SIGKILL

    async def after() -> None:
        async with shop(tmp_path, ME, TZ) as engine:
            line = await FakeLine.connect(engine)
            _, words = await slip(line)
            assert "Pick-up A07" in words
            assert "shelf B7" in words
            assert (await engine.desk.services.pick_up(CODES[7])).answer is Answer.USED

    asyncio.run(after())


def test_the_hash_is_the_one_that_the_manual_gives(tmp_path: Path) -> None:
    import hmac

    async def play() -> None:
        async with shop(tmp_path, ME) as engine:
            said = b"edgebox desk code v1\0pick_up\0" + CODES[0].encode()
            assert digest(engine, CODES[0]) == hmac.digest(field_key(KEYS), said, "sha256")[:16].hex()

    asyncio.run(play())


# --- the bundle --------------------------------------------------------------------------------------------------

GOOD = {"code": "a" * 32, "number": "A1", "shelf": "B3", "what": "tea", "day": TODAY}


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "x"}, {"code": "", "number": ""}, {"day": "18.11.2026"}, {"day": ""}, {"until": YESTERDAY},
        {"shelf": "s" * 17}, {"what": "w" * 49}, {"what": "a\x1bm"}, {"number": "n" * 33}, {"box": "a b"},
        {"price": "5"},
    ],
)  # fmt: skip
def test_a_list_with_a_fault_changes_nothing(changes: dict[str, str]) -> None:
    assert not contents.rejected(BundleKind.PICK_UPS, made({"box": "box-1", "orders": [GOOD]}))
    assert contents.rejected(BundleKind.PICK_UPS, made({"box": "box-1", "orders": [{**GOOD, **changes}]}))


def made(content: Any) -> bytes:
    return json.dumps(content).encode()


def test_two_orders_under_one_name_are_named() -> None:
    other = {**GOOD, "code": "b" * 32}
    found = contents.rejected(BundleKind.PICK_UPS, made({"box": "box-1", "orders": [GOOD, other]}))
    assert list(found) == ["orders[2]"]
    tomorrow = {**other, "day": TOMORROW}
    assert not contents.rejected(BundleKind.PICK_UPS, made({"box": "box-1", "orders": [GOOD, tomorrow]}))


def test_a_list_says_whose_it_is_and_has_an_end() -> None:
    assert contents.rejected(BundleKind.PICK_UPS, made({"orders": [GOOD]}))
    many = [{**GOOD, "code": f"{place:032x}", "number": ""} for place in range(PICK_UPS_MAX + 1)]
    assert contents.rejected(BundleKind.PICK_UPS, made({"box": "*", "orders": many}))
    assert not contents.rejected(BundleKind.PICK_UPS, made({"box": "*", "orders": many[1:]}))


KEYS_OF_A_LIST = st.sampled_from(["box", "orders", "code", "number", "day", "until", "what", "shelf"])
NONSENSE = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS_OF_A_LIST, inner, max_size=4),
)


@given(st.binary(max_size=200) | NONSENSE.map(made))
def test_no_content_raises_and_what_is_good_can_be_had(raw: bytes) -> None:
    if not contents.rejected(BundleKind.PICK_UPS, raw):
        assert isinstance(contents.pick_ups(raw), PickUpsContent)
