"""What a receipt is handed, through the engine: points by the rules, coupons once each, and nothing where nothing is
due. The till's clock agrees with the box's in these plays, so that the box's clock is believed."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edgebox.engine import Engine
from edgebox.errors import StoreFull
from edgebox.line.frames import Answer, Done, Job, Result
from edgebox.loyalty import comeback
from edgebox.loyalty.members import Members, pack
from edgebox.own_secret import own_secret
from edgebox.slip_files import slip_from
from edgebox.store import offers
from edgebox.store.events import OfferRecord, OfferState, Stream
from edgebox.store.offers import PoolCode
from edgebox.store.peek import bodies
from tests.line_of_engine import KEYS, NOW, PRE_BILL, RECEIPT, REPRINT, FakeLine, recorded, running, verified

TODAY = "2026-11-18"
AT_THE_TILL = RECEIPT.replace(b"18:42:07", b"19:06:40")  # NOW in Shanghai
CASH = b"CASH            50.00\nCHANGE          16.10\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def paid_by(word: bytes, number: bytes = b"000417") -> bytes:
    return AT_THE_TILL.replace(CASH, word + b"           33.90\n").replace(b"000417", number)


def numbered(number: int, raw: bytes = AT_THE_TILL) -> bytes:
    return raw.replace(b"000417", b"%06d" % number)


def recorded_offers(folder: Path) -> list[OfferRecord]:
    return [msgspec.json.decode(body, type=OfferRecord) for body in bodies(folder / "data", Stream.REDEMPTIONS)]


def rules(folder: Path, text: str) -> str:
    (folder / "rules.toml").write_text('rev = 1\ncurrency = "CNY"\n' + text)
    return f"points.rules={folder}/rules.toml"


# --- Points ------------------------------------------------------------------------------------------------------


def test_paid_by_wechat_gets_no_code_and_the_record_says_why(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            assert (await line.print_receipt(1, paid_by(b"WECHAT PAY"))).body == b""
            assert (await line.print_receipt(2, paid_by(b"CARD", b"000418"))).body != b""

    asyncio.run(play())
    wechat, card = recorded(folder)
    assert (wechat.points, wechat.slips, wechat.pending) == (0, (), False)
    assert (card.points, card.slips) == (33, ("points",))


def test_an_unknown_way_of_paying_is_for_the_cloud_to_confirm(folder: Path) -> None:
    async def play() -> None:
        async with running(folder, "till.prints_after_payment=true") as engine:
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1, AT_THE_TILL.replace(CASH, b""))
            assert not verified(answer).tender_known

    asyncio.run(play())
    assert [record.pending for record in recorded(folder)] == [True]


@pytest.mark.parametrize(("at", "points"), [(0, 67), (-7 * 3600, 33)], ids=["in the window", "before it"])
def test_a_happy_hour_doubles_what_is_bought_in_it(folder: Path, at: int, points: int) -> None:
    table = (
        '[[tier]]\nid = "base"\nspend_per_point = 100\n[[campaign]]\nid = "happy"\nmultiply_pct = 200\n'
        'when = { from = "19:00", to = "20:00" }\n'
    )
    raw = AT_THE_TILL if at == 0 else AT_THE_TILL.replace(b"19:06", b"12:06")

    async def play() -> None:
        async with running(folder, rules(folder, table), now=NOW + at) as engine:
            await (await FakeLine.connect(engine)).print_receipt(1, raw)

    asyncio.run(play())
    [record] = recorded(folder)
    assert record.points == points
    assert record.campaigns == (("happy",) if at == 0 else ())


def test_a_clock_that_nothing_bears_out_gives_no_happy_hour_and_says_so_in_the_token(folder: Path) -> None:
    table = (
        '[[tier]]\nid = "base"\nspend_per_point = 100\n[[campaign]]\nid = "happy"\nmultiply_pct = 200\n'
        'when = { from = "19:00", to = "20:00" }\n'
    )

    async def play() -> None:
        async with running(folder, rules(folder, table)) as engine:
            engine.decisions._synced = lambda: False
            line = await FakeLine.connect(engine)
            answer = await line.print_receipt(1, RECEIPT)  # 18:42 on paper, 19:06 by the box
            assert not verified(answer).clock_trusted
            assert verified(await line.print_receipt(2, numbered(2))).clock_trusted

    asyncio.run(play())
    assert [record.points for record in recorded(folder)] == [33, 67]


def test_the_days_cap_holds_over_a_restart(folder: Path) -> None:
    cap = '[[tier]]\nid = "base"\nspend_per_point = 100\n[caps]\npoints_per_device_day = 70\n'

    async def play(*numbers: int) -> None:
        async with running(folder, rules(folder, cap)) as engine:
            line = await FakeLine.connect(engine)
            for number in numbers:
                await line.print_receipt(number, numbered(number))

    asyncio.run(play(1, 2))
    asyncio.run(play(3, 4))
    assert [record.points for record in recorded(folder)] == [33, 33, 4, 0]


def test_a_reprint_of_a_receipt_whose_slip_came_late_gets_the_next_revision(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            late = await line.print_receipt(1, RECEIPT, Result.LATE)
            again = await line.print_receipt(2, REPRINT)
            assert (verified(late).revision, verified(again).revision) == (0, 1)
            assert verified(late).claim_id == verified(again).claim_id

    asyncio.run(play())
    assert [record.voided for record in recorded(folder)] == [True, False]


# --- Codes -------------------------------------------------------------------------------------------------------

POOL = [
    PoolCode(0, "coupon", f"C{n}", f"HTTPS://M.EXAMPLE.CN/K/C{n}", "Tea", 500, "2026-12-31", "tea") for n in (1, 2, 3)
]
WITH_COUPON = ("slip.show=points,coupon", "slip.languages=en")


async def fill_pool(engine: Engine) -> None:
    assert engine.store is not None
    await engine.store.change(lambda db: offers.add_codes(db, POOL))
    await engine.decisions.stock.fill(engine.store, NOW)


def coupons_in(answers: list[Answer]) -> list[str]:
    return [code.code for answer in answers for code in POOL if code.url.encode() in answer.body]


def test_a_pool_of_three_gives_three_coupons_and_the_fourth_receipt_none(folder: Path) -> None:
    async def play() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            await fill_pool(engine)
            line = await FakeLine.connect(engine)
            return [await line.print_receipt(number, numbered(number)) for number in range(1, 5)]

    answers = asyncio.run(play())
    assert coupons_in(answers) == ["C1", "C2", "C3"]
    assert [record.slips for record in recorded(folder)] == [("points", "coupon")] * 3 + [("points",)]
    assert [(one.state, one.stock, one.value_minor) for one in recorded_offers(folder)] == [
        (OfferState.PRINTED, "tea", 500)
    ] * 3


def test_after_a_kill_no_coupon_is_printed_twice(folder: Path) -> None:
    async def killed() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            await fill_pool(engine)
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, numbered(1))  # its outcome never comes: the engine is killed
            line.close()
            engine._gone.clear()
            return [answer]

    async def after() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            line = await FakeLine.connect(engine, session=b"\x07" * 8)
            return [await line.print_receipt(number, numbered(number)) for number in (2, 3)]

    first = asyncio.run(killed())
    with contextlib.closing(asyncio.new_event_loop()):
        second = asyncio.run(after())
    assert coupons_in(first) == ["C1"]
    assert coupons_in(second) == [], "all three were at hand when it was killed: burnt"
    assert {one.state for one in recorded_offers(folder)} == {OfferState.BURNT}


def test_a_coupon_whose_slip_came_late_is_burnt(folder: Path) -> None:
    async def play() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            await fill_pool(engine)
            line = await FakeLine.connect(engine)
            return [
                await line.print_receipt(1, numbered(1), Result.LATE),
                await line.print_receipt(2, numbered(2)),
            ]

    assert coupons_in(asyncio.run(play())) == ["C1", "C2"]
    assert [one.state for one in recorded_offers(folder)] == [OfferState.BURNT, OfferState.PRINTED]
    assert [record.slips for record in recorded(folder)] == [(), ("points", "coupon")]


def test_a_copy_and_a_pre_bill_get_no_coupon(folder: Path) -> None:
    async def play() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            await fill_pool(engine)
            line = await FakeLine.connect(engine)
            first = await line.print_receipt(1, RECEIPT)
            return [first, await line.print_receipt(2, REPRINT), await line.print_receipt(3, PRE_BILL)]

    assert coupons_in(asyncio.run(play())) == ["C1"]


def test_a_bill_settled_again_gets_no_second_coupon(folder: Path) -> None:
    async def play() -> list[Answer]:
        async with running(folder, *WITH_COUPON) as engine:
            await fill_pool(engine)
            line = await FakeLine.connect(engine)
            again = RECEIPT.replace(b"33.90", b"23.90").replace(b"16.10", b"26.10")
            return [await line.print_receipt(number, raw) for number, raw in ((1, RECEIPT), (2, again), (3, RECEIPT))]

    answers = asyncio.run(play())
    assert coupons_in(answers) == ["C1"]
    assert [verified(answer).revision for answer in answers] == [0, 1, 2]


def test_a_comeback_coupon_is_signed_by_the_box_and_known_to_it(folder: Path) -> None:
    async def play() -> Answer:
        overrides = ("slip.show=points,comeback", "slip.languages=en", "slip.coupon_prefix=HTTPS://M.EXAMPLE.CN/K/")
        async with running(folder, *overrides) as engine:
            return await (await FakeLine.connect(engine)).print_receipt(1, AT_THE_TILL)

    answer = asyncio.run(play())
    secret = own_secret(folder / "data")
    code = answer.body.split(b"HTTPS://M.EXAMPLE.CN/K/")[1][: comeback.LONG_CHARS].decode()
    terms = comeback.read_long(secret, "HTTPS://M.EXAMPLE.CN/K/", KEYS.device, "HTTPS://M.EXAMPLE.CN/K/" + code)
    assert (terms.value_minor, terms.threshold_minor) == (500, 5000)
    [offer] = recorded_offers(folder)
    assert (offer.ref, offer.last_day, offer.state) == (terms.serial, terms.last_day, OfferState.PRINTED)
    assert comeback.short_code(secret, terms).encode() in answer.body
    assert b"until 2026-12-18" in answer.body
    assert secret not in b"".join(bodies(folder / "data", Stream.REDEMPTIONS))


# --- Who gets what -----------------------------------------------------------------------------------------------


def test_shadow_mode_decides_and_records_but_prints_nothing(folder: Path) -> None:
    shadow = slip_from(
        {"name": "promotion", "purpose": "link", "shadow": True, "block": [{"type": "text", "text": "hello"}]}, "s"
    )

    async def play() -> Answer:
        async with running(folder, "slip.show=points,promotion") as engine:
            engine.decisions.use_slips([shadow])
            return await (await FakeLine.connect(engine)).print_receipt(1, AT_THE_TILL)

    assert b"hello" not in asyncio.run(play()).body
    [record] = recorded(folder)
    assert (record.slips, record.shadowed) == (("points",), ("promotion",))


def test_a_gold_member_gets_the_gold_slip_twice_a_day_and_the_gold_rate(folder: Path) -> None:
    tiers = '[[tier]]\nid = "base"\nspend_per_point = 100\n[[tier]]\nid = "gold"\nspend_per_point = 50\n'
    block = [{"type": "text", "text": "dear gold member"}]
    gold = {"name": "wifi", "purpose": "link", "when": {"tiers": ["gold"]}, "per_member_day": 2, "block": block}
    with_member = AT_THE_TILL.replace(b"CORNER SHOP\n", b"CORNER SHOP\nMember No: 80001234\n")

    async def play() -> list[bytes]:
        async with running(folder, rules(folder, tiers), "slip.show=points,wifi") as engine:
            engine.decisions.use_slips([slip_from(gold, "s")])
            member = engine._pseudonyms.of("member", "80001234")
            engine.decisions.use_members(Members(pack([(member, 1, 255, 0)]), ("base", "gold"), (), NOW, 86_400))
            line = await FakeLine.connect(engine)
            papers = [await line.print_receipt(number, numbered(number, with_member)) for number in (1, 2, 3)]
            stranger = await line.print_receipt(4, numbered(4))
            return [answer.body for answer in (*papers, stranger)]

    bodies_printed = asyncio.run(play())
    assert [b"dear gold member" in body for body in bodies_printed] == [True, True, False, False]
    assert [record.points for record in recorded(folder)] == [67, 67, 67, 33]


def test_a_slip_of_its_own_is_a_job_behind_the_receipt(folder: Path) -> None:
    own = {"name": "wifi", "purpose": "link", "placement": "own_slip", "block": [{"type": "text", "text": "hello"}]}

    async def play() -> None:
        async with running(folder, "slip.show=points,wifi") as engine:
            engine.decisions.use_slips([slip_from(own, "s")])
            line = await FakeLine.connect(engine)
            answer = await line.answer(1, AT_THE_TILL)
            assert b"hello" not in answer.body
            line.outcome(1, Result.INSERTED, answer.ref)
            job = await line.next()
            assert isinstance(job, Job)
            assert (job.body, job.cut) == (b"hello\n", True)

    asyncio.run(play())
    assert recorded(folder)[0].slips == ("points", "wifi")


def test_new_rules_and_slips_hold_for_the_next_receipt(folder: Path) -> None:
    async def play() -> None:
        async with running(folder) as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, numbered(1))
            engine.decisions.use_rules(
                engine.awards.rules._replace(tiers=(engine.awards.rules.tiers[0]._replace(spend_per_point=10),))
            )
            await line.print_receipt(2, numbered(2))
            engine.decisions.use_rules(None)
            await line.print_receipt(3, numbered(3))

    asyncio.run(play())
    assert [record.points for record in recorded(folder)] == [33, 339, 33]


def test_no_slip_is_promised_while_nothing_can_be_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer must not hold a claim that a power cut would make unknown. The shop prints on."""

    async def play() -> list[bytes]:
        monkeypatch.setattr("edgebox.lines.RETRY_S", 0.01)
        async with running(folder) as engine:
            assert engine.store is not None
            line = await FakeLine.connect(engine)
            engine.store.guard(lambda event, size: StoreFull("no room", reason="room"))
            first = await line.answer(1, numbered(1))
            line.outcome(1, Result.INSERTED, first.ref)
            for _ in range(3000):
                if engine.health.states().get("recording") == "failed":
                    break
                await asyncio.sleep(0.001)
            second = await line.answer(2, numbered(2))
            engine.store.guard(lambda event, size: None)
            assert await line.next() == Done(1)
            await line.done(2, Result.PLAIN)
            assert engine.health.states()["recording"] == "ok"
            third = await line.print_receipt(3, numbered(3))
            return [first.body, second.body, third.body]

    assert [bool(body) for body in asyncio.run(play())] == [True, False, True]
    assert len(recorded(folder)) == 3
