"""The API: its document is whole, its refusals have reasons (test_schemathesis.py sends it everything else)."""

import re

import msgspec

from edgebox.web.openapi import document
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from tests.web.office import Shop, play

DOCUMENT = msgspec.json.decode(document(rows()))
OPERATIONS = [(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_every_route_of_the_api_stands_in_the_document() -> None:
    served = {(row.path, row.method) for row in rows() if row.is_api and not row.path.endswith("openapi.json")}
    assert set(OPERATIONS) == served
    assert len({found["operationId"] for one in DOCUMENT["paths"].values() for found in one.values()}) == len(served)


def test_the_api_says_who_it_is_for_and_why_it_refuses() -> None:
    async def story(shop: Shop) -> None:
        nobody = shop.browser()
        refusal = await nobody.get("/api/v1/today")
        assert (refusal.status_code, refusal.json()["reason"]) == (401, "signed_out")
        stranger = shop.browser(headers={"authorization": "Bearer ebt_nothing"})
        assert (await stranger.get("/api/v1/today")).json()["reason"] == "token"
        cashier = await shop.token(Role.CASHIER)
        assert (await cashier.get("/api/v1/audit")).json()["reason"] == "role"
        owner = await shop.token(Role.OWNER)
        wrong = await owner.get("/api/v1/audit", params={"limit": "many"})
        assert (wrong.status_code, wrong.json()["reason"]) == (422, "bad_input")
        assert "limit" in wrong.json()["hint"]
        assert (await cashier.get("/api/v1/nothing")).json()["reason"] == "not_found"
        assert (await cashier.delete("/api/v1/today")).json()["reason"] == "method"

    play(story)


def test_today_is_counted_in_the_shops_own_day() -> None:
    async def story(shop: Shop) -> None:
        await shop.record(number="1", claim="ab" * 8, points=33, result="inserted")
        await shop.record(number="2", kind="refund", amount_minor=1000)
        await shop.record(kind="kitchen", amount_minor=None)
        await shop.record(number="3", amount_minor=None)
        await shop.record(number="4", claim="cd" * 8, points=5, voided=True)
        await shop.record(number="5", at=shop.office.now - 3 * 86_400)
        program = await shop.token(Role.CASHIER)
        found = (await program.get("/api/v1/today")).json()
        day = found["day"]
        assert (day["sales"], day["sales_minor"], day["refunds"], day["refunds_minor"]) == (2, 6780, 1, 1000)
        assert (day["offered"], day["points"], day["unread"]) == (1, 33, 1)
        assert [one["points"] for one in found["receipts"] if one["points"]] == [33]
        assert len(found["receipts"]) == 5

    play(story, "shop.tz=Asia/Shanghai")


def test_audit_rows_come_page_by_page_and_none_twice() -> None:
    async def story(shop: Shop) -> None:
        for _ in range(7):
            await shop.somebody(Role.MANAGER)
        owner = await shop.token(Role.OWNER)
        seen, before = [], 0
        while True:
            found = (await owner.get("/api/v1/audit", params={"limit": 3, "before": before})).json()
            seen += [one["id"] for one in found["entries"]]
            before = found["next"]
            if not before:
                break
        assert len(seen) == len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)
        assert (await owner.get("/api/v1/audit?who=nobody")).json() == {"entries": [], "next": 0}

    play(story)


def test_the_numbers_of_the_box_are_in_prometheus_own_words() -> None:
    async def story(shop: Shop) -> None:
        installer = await shop.token(Role.INSTALLER)
        shop.engine.counters['a "strange\\ name\n'] = 3
        text = (await installer.get("/metrics")).text
        for line in text.splitlines():
            assert re.fullmatch(
                r'# (HELP|TYPE) \w+ .*|\w+(\{\w+="(\\.|[^"\\\n])*"(,\w+="(\\.|[^"\\\n])*")*\})? -?[\d.e+]+', line
            ), line
        for name in ("edgebox_up_seconds", "edgebox_sync_backlog_rows", "edgebox_part_state", "edgebox_store_bytes"):
            assert f"# TYPE {name}" in text
        assert (await shop.browser().get("/healthz")).text == "ok\n"
        shop.engine.health.note("recording", "failed", "no slips")
        assert (await shop.browser().get("/healthz")).status_code == 503

    play(story)
