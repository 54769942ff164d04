"""Figures, presence and staff: the pages say what the reports say, in words, and nothing that is not so."""

import re

from edgebox.model import ShiftReport
from edgebox.receipt.shift import SeenReceipt, z_check
from edgebox.store import visits as visit_table
from edgebox.store.events import ReceiptRecord, VisitRecord
from edgebox.store.visits import Count, Slot
from edgebox.web.amounts import minor_of
from edgebox.web.roles import Role
from edgebox.web.words import Catalogue
from edgebox.web.z_words import z_said
from tests.line_of_engine import NOW
from tests.web.office import Shop, play

BEACONS = (
    "beacons.scan=true",
    'beacons.tags=[{name="door",beacon="00112233-4455-6677-8899-AABBCCDDEEFF:1:2",role="beacon"}]',
)
SHANGHAI = "shop.tz=Asia/Shanghai"


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_a_weeks_figures_are_the_same_in_chart_and_table() -> None:
    async def story(shop: Shop) -> None:
        await shop.record(number="1", claim="ab" * 8, points=33, result="inserted")
        await shop.record(number="2", at=NOW - 86_400, amount_minor=10_000)
        manager = await shop.somebody(Role.MANAGER)
        found = (await manager.get("/api/v1/figures", params={"span": "week"})).json()
        assert [one["sales_minor"] for one in found["bars"]] == [0, 10_000, 3390, 0, 0, 0, 0]
        assert (found["total"]["sales"], found["total"]["offered"], found["after"]) == (2, 1, "")
        text = plain((await manager.get("/figures", params={"span": "week"})).text)
        assert "Tue 17 Nov 1 ¥100.00" in text
        assert "¥133.90" in text
        for span, bars in (("day", 24), ("month", 30)):
            found = (await manager.get("/api/v1/figures", params={"span": span, "date": "2026-11-18"})).json()
            assert len(found["bars"]) == bars
        assert "No receipts" in (await manager.get("/figures", params={"date": found["before"]})).text
        for wrong in ({"date": "2026-02-31"}, {"date": "0001-01-01"}, {"span": "year"}):
            assert (await manager.get("/figures", params=wrong)).status_code == 422

    play(story, SHANGHAI)


def test_the_tills_reports_are_listed_with_what_differed() -> None:
    async def story(shop: Shop) -> None:
        manager = await shop.somebody(Role.MANAGER)
        assert "No report yet" in (await manager.get("/figures/z-checks")).text
        await shop.record(kind="report", z_check="the till reports <+1> receipts", amount_minor=None)
        await shop.record(kind="report", z_check="equal: 3 receipts", z_equal=True, amount_minor=None, at=NOW - 9)
        text = (await manager.get("/figures/z-checks")).text
        assert text.index("Different") < text.index("Equal")
        assert "&lt;+1&gt;" in text
        checks = (await manager.get("/api/v1/z-checks")).json()["checks"]
        assert [one["is_equal"] for one in checks] == [False, True]

    play(story)


def test_what_differs_in_a_report_is_said_in_the_visitors_language() -> None:
    t = Catalogue.read().in_language("zh")
    seen = [
        SeenReceipt("000417", None, counted=False),
        SeenReceipt("000418", 3390, counted=True),
        SeenReceipt("000419", 500, counted=False),
    ]
    reports = {
        ShiftReport(receipts=1, sum_minor=3390): "1 单，共 33.90",
        ShiftReport(): "日结上没有单数和金额",
        ShiftReport(receipts=2, sum_minor=9000): "收银机与盒子相差 +1 单，金额 +56.10。盒子没有读懂：000417",
        ShiftReport(receipts=2, sum_minor=3890): "收银机与盒子相差 +1 单，金额 +5.00。盒子没有计入：000419",
        ShiftReport(receipts=0, sum_minor=0): "收银机与盒子相差 -1 单，金额 -33.90。收银机没有计入：000418",
        ShiftReport(sum_minor=3391): "收银机与盒子相差 金额 +0.01",
    }
    for report, words in reports.items():
        assert z_said(t, z_check(report, seen, 2).words) == words
    assert z_said(t, "a newer box's words") == "a newer box's words"


def test_a_signal_is_told_with_its_numbers_and_accuses_nobody() -> None:
    async def story(shop: Shop) -> None:
        manager = await shop.somebody(Role.MANAGER)
        assert "Nothing unusual" in (await manager.get("/staff")).text
        receipts = [
            ReceiptRecord(
                at=NOW - 60 * number, session=f"{who:016x}", document=number, line="line1", kind="sale",
                amount_minor=1800, currency="CNY", number=f"{who}-{number}", cashier=f"0{who}",
                modifiers=("reprint",) if who == 3 and number % 10 == 0 else (),
            )
            for who in (1, 2, 3)
            for number in range(120)
        ]  # fmt: skip
        await shop.office.store.record(*receipts)
        text = plain((await manager.get("/staff", params={"days": 7})).text)
        assert "03: 12 × reprints" in text
        assert "240 receipts" in text
        assert "may explain it" in text
        (signal,) = (await manager.get("/api/v1/staff", params={"days": 7})).json()["signals"]
        assert (signal["cashier"], signal["measure"], signal["events"]) == ("03", "reprints", 12)
        assert (await manager.get("/staff", params={"days": 900})).status_code == 422

    play(story, SHANGHAI)


def test_visits_are_counted_without_staff_and_a_silent_beacon_is_marked() -> None:
    async def story(shop: Shop) -> None:
        from edgebox.beacons.radio import Radio
        from edgebox.process import watch_beacons

        shop.engine.parts.append(watch := watch_beacons(shop.engine, radio := Radio(shop.engine)))
        shop.engine.parts.append(radio)
        watch.begin()
        hour = NOW - NOW % 3600
        counts = {
            Slot(hour, "shop", "member"): Count(3, 2, 900),
            Slot(hour, "shop", ""): Count(1, 1, 60),
            Slot(hour, "shop", "staff"): Count(9, 1, 99),
            Slot(hour, "till", "member"): Count(2, 2, 60),
        }
        await shop.office.store.change(lambda db: visit_table.add(db, counts))
        visit = VisitRecord(at=NOW - 600, until=NOW - 60, tag="7f3a91c2d4e5b607", zone="shop", role="member")
        await shop.office.store.record(visit)
        manager = await shop.somebody(Role.MANAGER)
        found = (await manager.get("/api/v1/presence")).json()
        (bar,) = [one for one in found["bars"] if one["visits"]]
        assert (bar["visits"], bar["people"], bar["stay_s"]) == (4, 3, 240)
        assert [(one["tag"], one["is_well"], one["ago_s"]) for one in found["tags"]] == [("door", False, -1)]
        text = plain((await manager.get("/presence")).text)
        assert "4 in all" in text
        assert "not heard yet" in text
        assert "7f3a91c2d4e5b607 Member In the shop · 9 min" in text
        till = (await manager.get("/api/v1/presence", params={"zone": "till"})).json()
        assert sum(one["visits"] for one in till["bars"]) == 2
        assert (await manager.get("/presence/visits", params={"before": NOW - 600})).status_code == 200

    play(story, SHANGHAI, *BEACONS)


def test_a_shop_that_counts_no_visits_is_told_so() -> None:
    async def story(shop: Shop) -> None:
        manager = await shop.somebody(Role.MANAGER)
        assert "Visits are not counted" in (await manager.get("/presence")).text

    play(story)


def test_an_amount_is_read_as_people_write_it_or_not_at_all() -> None:
    good = {"168": 16800, "168.5": 16850, "¥1,168.00": 116800, " 0.05 ": 5, "￥12": 1200, "5.": 500}
    assert {text: minor_of(text, 2) for text in good} == good
    assert minor_of("3000", 0) == 3000
    for text in ("", "-1", "1.234", "12,5,6.x", "1e3", "十", "٣", "1" * 11, "NaN"):
        assert minor_of(text, 2) is None, text
