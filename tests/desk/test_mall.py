"""The points mall: the price of this minute, points that the cloud takes once, and what may be given without it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edgebox.desk import mall
from edgebox.desk.answers import Answer, Beep
from edgebox.desk.codes import Scan
from edgebox.desk.redemption import Worth
from edgebox.engine import Engine
from edgebox.errors import ConfigError, SyncError
from edgebox.loyalty.offers import CouponKind
from edgebox.loyalty.windows import When
from edgebox.rules_file import parse_rules
from edgebox.scan.codes import Kind
from edgebox.store import redemptions
from hw_sim.cloud.cloud import Cloud
from sync.contract import Answer as Said
from sync.contract import Ask
from tests.box_of_orders import box
from tests.desk.shop import NOW, CloudOfTest, FakeLine, no, on_disk, recorded, shop, signed_code, slip, until
from tests.hw_sim.boxes import PaperBox, cloud

MALL = """
schema = 1
rev = 42
currency = "CNY"
tz = "Europe/Berlin"
[[tier]]
id = "base"
spend_per_point = 100
[[tier]]
id = "gold"
spend_per_point = 80
[[mall]]
sku = "COFFEE-M"
title = "Coffee, medium"
price_points = { base = 300, gold = 260 }
when = { from = "14:00", to = "17:00" }
price_points_in_window = { base = 240, gold = 200 }
[[mall]]
sku = "MUG"
price_points = { gold = 900 }
[offline_redeem]
enabled = true
kinds = ["mall"]
max_face = 3000
max_count = 3
max_total = 5000
max_age = "12h"
"""
RULES = parse_rules(MALL, "rules")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, *, fold: int = 0, trusted: bool = True) -> When:
    local = datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)
    return When(int(local.timestamp()), trusted)


def coffee(when: When, tier: str = "gold") -> int | None:
    return mall.price_of(RULES, "COFFEE-M", tier, when)


# --- the price in force ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "gold"),
    [
        (at("2026-11-18 13:59:59"), 260),
        (at("2026-11-18 14:00:00"), 200),
        (at("2026-11-18 16:59:59"), 200),
        (at("2026-11-18 17:00:00"), 260),
        (at("2026-11-18 16:00:00", trusted=False), 260),
        (at("2026-10-25 16:59:59"), 200),  # the day on which clocks go back, and
        (at("2026-10-25 17:00:00"), 260),
        (at("2026-03-29 16:59:59"), 200),  # the one on which they go forward
        (at("2026-03-29 17:00:00"), 260),
    ],
)
def test_a_price_holds_to_the_minute_by_the_clock_on_the_wall(when: When, gold: int) -> None:
    assert (coffee(when), coffee(when, "base")) == (gold, gold + 40)


NIGHT = RULES._replace(
    mall=tuple(one._replace(when=one.when._replace(from_minute=120, to_minute=180)) for one in RULES.mall)
)


def test_the_hour_that_comes_twice_is_cheap_twice_and_the_one_that_never_comes_is_not() -> None:
    def price(when: When) -> int | None:
        return mall.price_of(NIGHT, "COFFEE-M", "gold", when)

    assert [price(at("2026-10-25 02:30", fold=fold)) for fold in (0, 1)] == [200, 200]
    assert price(at("2026-10-25 03:00")) == 260
    before = at("2026-03-29 01:59:59")
    assert [price(before), price(before._replace(at=before.at + 1))] == [260, 260], "02:00 is 03:00"


def test_each_tier_sees_what_it_can_have() -> None:
    afternoon = at("2026-11-18 15:00")
    assert [(one.title, one.points, one.is_window) for one in mall.prices(RULES, "gold", afternoon)] == [
        ("Coffee, medium", 200, True),
        ("", 900, False),
    ]
    assert [one.sku for one in mall.prices(RULES, "", afternoon)] == ["COFFEE-M"]
    assert [one.points for one in mall.prices(RULES, "gone", afternoon)] == [240], (
        "a tier that is no more is the lowest"
    )


def test_the_box_and_the_cloud_may_be_a_minute_apart() -> None:
    over = at("2026-11-18 17:00:30")
    assert mall.agrees(Worth("COFFEE-M", points=200, tier="gold"), RULES, over)
    assert mall.agrees(Worth("COFFEE-M", points=260, tier="gold"), RULES, over)
    assert not mall.agrees(Worth("COFFEE-M", points=200, tier="gold"), RULES, over._replace(at=over.at + 60))
    assert mall.agrees(Worth("NEW", points=5, tier="gold"), RULES, over), "what we don't know we don't doubt"
    assert mall.agrees(Worth("COFFEE-M", points=5), RULES, over)


def test_another_revision_has_its_prices_at_once_and_an_older_one_is_refused(tmp_path: Path) -> None:
    def content(revision: int, points: int) -> dict[str, Any]:
        tiers = [{"id": "base", "spend_per_point": 100}]
        goods = [{"sku": "MUG", "price_points": {"base": points}}]
        return {"rev": revision, "currency": "CNY", "tier": tiers, "mall": goods}

    async def play() -> None:
        async with box(tmp_path) as one:
            services = one.engine.desk.services
            for revision, points, now in ((7, 500, 500), (8, 550, 550), (7, 500, 550)):
                await one.give("rules.set", {"revision": revision, "content": content(revision, points)}, "owner-1")
                assert [price.points for price in services.prices()] == [now]
        async with box(tmp_path) as later:
            assert [price.points for price in later.engine.desk.services.prices()] == [550]

    asyncio.run(play())


# --- at the counter ----------------------------------------------------------------------------------------------


def in_shop(folder: Path, *overrides: str, now: int = NOW) -> Any:
    (folder / "mall.toml").write_text(MALL, "utf-8")
    return shop(folder, f"points.rules={folder}/mall.toml", "shop.tz=Europe/Berlin", *overrides, now=now)


class Way:
    """To the cloud's own desk."""

    def __init__(self, head: Cloud, box: PaperBox, loses: int = 0) -> None:
        self.is_connected = True
        self.asked: list[str] = []
        self._head, self._box, self._loses = head, box, loses

    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Said:
        self.asked.append(name)
        answer = self._head.desk.answer(self._box.box, Ask(id=name, what=what, args=dict(args)))
        if self._loses:
            self._loses -= 1
            raise SyncError("the cloud does not answer", reason="no_answer")
        return answer


def a_cloud(head: Cloud, points: int = 500) -> PaperBox:
    head.desk.mall.rules = RULES._replace()
    head.desk.mall.give("anna", points)
    for code in ("MC-1", "MC-2", "MC-3"):
        head.desk.mall.issue(code, "COFFEE-M", "anna", "gold")
    return PaperBox(head)


def test_goods_are_given_for_points_that_the_cloud_takes_once(tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path) as head:
            way = Way(head, a_cloud(head))
            async with in_shop(tmp_path) as engine:
                engine.desk.use_cloud(way)
                line = await FakeLine.connect(engine)
                price = mall.price_of(RULES, "COFFEE-M", "gold", When(NOW))
                said = await engine.desk.services.mall("MC-1", "07")
                assert (said.answer, said.worth.points) == (Answer.REDEEMED, price)
                _, words = await slip(line)
                assert "Points mall 1" in words
                assert "Coffee, medium" in words
                assert f"points {price}" in words
                assert head.desk.mall.balance("anna") == 500 - (price or 0)
                assert (await engine.desk.services.mall("MC-1")).answer is Answer.USED
                assert "Already redeemed" in (await slip(line))[1]
                assert (await engine.desk.services.mall("MC-2")).answer is (
                    Answer.POINTS if 2 * (price or 0) > 500 else Answer.REDEEMED
                )
                assert (await engine.desk.services.mall("MC-9")).answer is Answer.UNKNOWN
                assert engine.desk.services.prices_apart == 0

    asyncio.run(play())
    one = recorded(tmp_path)[0]
    assert (one.source, one.coupon, one.value_minor, one.cashier) == ("mall", "COFFEE-M", 0, "07")
    assert b"MC-1" not in on_disk(tmp_path)


def test_a_lost_yes_costs_nobody_points_twice(tmp_path: Path) -> None:
    async def play() -> None:
        with cloud(tmp_path) as head:
            way = Way(head, a_cloud(head), loses=1)
            async with in_shop(tmp_path) as engine:
                engine.desk.use_cloud(way)
                first = await engine.desk.services.mall("MC-1")
                assert (first.answer, first.beep) == (Answer.OFFLINE, Beep.AGAIN)
                left = head.desk.mall.balance("anna")
                assert left < 500
                assert (await engine.desk.services.mall("MC-1")).answer is Answer.REDEEMED
                assert head.desk.mall.balance("anna") == left
                assert len(set(way.asked)) == 1

    asyncio.run(play())


@pytest.mark.parametrize(
    ("reason", "answer"),
    [("points", Answer.POINTS), ("sold_out", Answer.SOLD_OUT), ("price", Answer.PRICE), ("expired", Answer.EXPIRED)],
)
def test_each_no_of_the_mall_has_its_own_words(reason: str, answer: Answer, tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path) as engine:
            engine.desk.use_cloud(MallOfTest(M=no(reason)))
            said = await engine.desk.services.mall("M")
            assert (said.answer, said.beep) == (answer, Beep.BAD)

    asyncio.run(play())


class MallOfTest(CloudOfTest):
    async def ask(self, what: str, args: Mapping[str, Any], name: str, timeout_s: float) -> Said:
        assert what == "mall.redeem"
        return await super().ask("coupon.redeem", args, name, timeout_s)


def yes_for(sku: str, points: int) -> Said:
    return Said(id="x", ok=True, result={"coupon": sku, "points": points})


@pytest.mark.parametrize("word", ["redeemed", "member"])
def test_no_word_of_the_clouds_turns_a_no_into_a_yes(word: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path) as engine:
            engine.desk.use_cloud(MallOfTest(M=no(word)))
            assert (await engine.desk.services.mall("M")).answer is Answer.FAILURE

    asyncio.run(play())


def test_goods_that_are_sold_out_cost_nothing_and_those_taken_back_give_the_points_back(tmp_path: Path) -> None:
    with cloud(tmp_path) as head:
        paper = a_cloud(head, 5000)
        head.desk.mall.stock("COFFEE-M", 1)

        def ask(code: str, name: str) -> Said:
            return head.desk.answer(paper.box, Ask(id=name, what="mall.redeem", args={"code": code}))

        assert ask("MC-1", "r1").ok
        assert ask("MC-2", "r2").reason == "sold_out"
        with head.ledger.commit():
            head.settlement.free(paper.box, "r1")
        assert head.desk.mall.balance("anna") == 5000
        assert ask("MC-3", "r3").ok


# --- without the cloud -------------------------------------------------------------------------------------------


def signed_mall(serial: int = 1, **changes: Any) -> str:
    terms = {"kind": CouponKind.MALL, "value": 260, "threshold": 1800, "stock": "COFFEE-M@42"}
    return signed_code(serial, **(terms | changes))


def nine(text: str = "2026-11-18 09:00") -> int:
    return at(text).at


async def away(engine: Engine, now: int) -> CloudOfTest:
    head = MallOfTest()
    head.is_connected = False
    engine.desk.use_cloud(head)
    assert engine.store is not None
    await engine.store.change(lambda db: redemptions.put_synced(db, now - 60))
    return head


@pytest.mark.parametrize(
    ("local", "changes", "answer"),
    [
        ("09:00", {}, Answer.REDEEMED),
        ("16:59", {}, Answer.PRICE),
        ("16:59", {"value": 200}, Answer.REDEEMED),
        ("17:00", {"value": 200}, Answer.PRICE),
        ("17:00", {}, Answer.REDEEMED),
        ("09:00", {"stock": "COFFEE-M@41"}, Answer.PRICE),
        ("09:00", {"stock": "COFFEE-M@43"}, Answer.PRICE),
        ("09:00", {"stock": "TEA@42"}, Answer.PRICE),
        ("09:00", {"stock": ""}, Answer.PRICE),
        ("09:00", {"threshold": 3001}, Answer.LIMIT),
        ("09:00", {"device": 13}, Answer.OFFLINE),
        ("09:00", {"store": 4712}, Answer.WRONG_STORE),
    ],
)
def test_without_the_cloud_a_signed_code_is_good_at_the_price_of_this_minute(
    local: str, changes: dict[str, Any], answer: Answer, tmp_path: Path
) -> None:
    now = nine(f"2026-11-18 {local}")

    async def play() -> None:
        async with in_shop(tmp_path, now=now) as engine:
            await away(engine, now)
            said = await engine.desk.services.mall(signed_mall(**changes))
            assert (said.answer, said.offline) == (answer, answer is Answer.REDEEMED)

    asyncio.run(play())


def test_what_was_given_without_the_cloud_says_so_and_is_given_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path, now=nine()) as engine:
            await away(engine, nine())
            line = await FakeLine.connect(engine)
            assert (await engine.desk.redeem(Scan(signed_mall()))).answer is Answer.REDEEMED, "a coupon's mode key"
            _, words = await slip(line)
            assert "Points mall 1" in words
            assert "Coffee, medium" in words
            assert "points 260" in words
            assert "Offline, to be confirmed" in words
            assert (await engine.desk.services.mall(signed_mall())).answer is Answer.USED
            assert (await engine.desk.services.mall("MC-1")).answer is Answer.OFFLINE, "not signed"
            assert (await engine.desk.services.mall(signed_code(7))).answer is Answer.UNKNOWN, (
                "a coupon is no mall code"
            )

    asyncio.run(play())
    one = recorded(tmp_path)[0]
    assert (one.coupon, one.stock, one.points, one.value_minor, one.offline) == (
        "COFFEE-M", "COFFEE-M@42", 260, 1800, True,
    )  # fmt: skip


def test_a_shop_without_any_cloud_has_no_mall(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path, now=nine()) as engine:
            assert (await engine.desk.services.mall("MC-1")).answer is Answer.UNKNOWN
            assert (await engine.desk.services.mall(signed_mall())).answer is Answer.OFFLINE, "nobody was ever in sync"

    asyncio.run(play())


def test_a_clock_that_is_not_right_gives_nothing_away(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path, now=nine()) as engine:
            engine.decisions._synced = lambda: False
            await away(engine, nine())
            assert (await engine.desk.services.mall(signed_mall())).answer is Answer.OFFLINE

    asyncio.run(play())


def test_rules_with_a_fault_have_no_prices(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path, now=nine()) as engine:
            await away(engine, nine())
            assert engine.desk.services.prices()
            engine.decisions.awards.refusal = "the points rules have a fault"
            assert engine.desk.services.prices() == []
            assert not engine.desk.services.print_prices()
            assert (await engine.desk.services.mall(signed_mall())).answer is Answer.OFFLINE

    asyncio.run(play())


def test_the_prices_of_this_minute_are_printed_when_somebody_asks(tmp_path: Path) -> None:
    async def play() -> None:
        now = nine("2026-11-18 16:59")
        async with in_shop(tmp_path, now=now) as engine:
            line = await FakeLine.connect(engine)
            await until_there(engine)
            assert engine.desk.services.print_prices("gold")
            _, words = await slip(line)
            assert "Coffee, medium *" in words
            assert " 200" in words
            assert "MUG" in words
            assert "16:59" in words

    asyncio.run(play())


async def until_there(engine: Engine) -> None:
    await until(lambda: "line1" in engine.lines)


def test_the_tally_has_a_row_for_each_of_the_goods(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path, now=nine()) as engine:
            await away(engine, nine())
            line = await FakeLine.connect(engine)
            for serial in (1, 2):
                assert (await engine.desk.services.mall(signed_mall(serial))).answer is Answer.REDEEMED
                await slip(line)
            assert await engine.desk.close_shift("anna")
            _, words = await slip(line)
            assert "for points COFFEE-M 2 36.00 520p" in words
            assert "to be confirmed 1-2" in words

    asyncio.run(play())


def test_a_scanned_code_of_each_kind_has_its_service(tmp_path: Path) -> None:
    async def play() -> None:
        async with in_shop(tmp_path) as engine:
            assert set(engine.desk.services.handlers) == {Kind.PICK_UP, Kind.MALL, Kind.MEMBER}

    asyncio.run(play())


def test_no_coupon_of_the_rules_is_sold_for_points() -> None:
    table = MALL + '\n[[coupon]]\nid = "C"\nkind = "mall"\n'
    with pytest.raises(ConfigError, match="a \\[\\[mall\\]\\]"):
        parse_rules(table, "rules")
