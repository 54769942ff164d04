"""The campaigns' page: a draft gives nothing, a person puts it in force, and the fleet's rules are only read."""

import re

from edgebox.campaign_book import Book, CampaignBook, Change
from edgebox.loyalty.campaigns import Campaign
from edgebox.web.roles import Role
from tests.desk.shop import FakeLine
from tests.web.desk_shop import play
from tests.web.office import Browser, Shop

DOUBLE = {"id": "", "title": "Double eleven", "times_pct": "200", "end": "2026-11-30", "days": "sat", "least": "20"}


def in_force(shop: Shop) -> dict[str, int]:
    return {one.id: one.multiply_pct for one in shop.engine.decisions.awards.rules.campaigns}


async def revision(browser: Browser) -> str:
    return str((await browser.get("/api/v1/campaigns")).json()["revision"])


def test_a_campaign_is_drafted_tried_put_in_force_and_stopped() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        for number in range(1, 4):
            await line.print_receipt(
                number, b"SHOP\nNO: %06d\n2026-11-18 18:42:07\nTEA 60.00\nTOTAL 60.00\nCASH 60.00\n\n\n" % number
            )
        manager = await shop.somebody(Role.MANAGER)
        assert "No campaigns yet" in (await manager.get("/campaigns")).text
        assert (
            await manager.send_form("/campaigns/draft", revision="0", **DOUBLE | {"days": "wed"})
        ).status_code == 303
        assert in_force(shop) == {}
        text = (await manager.get("/campaigns")).text
        assert "Double eleven" in text
        assert "180 points more" in re.sub(r"<[^>]+>", "", text)
        assert (await manager.send_form("/campaigns/own-1/live", revision="0")).status_code == 409, "of an older page"
        assert (await manager.send_form("/campaigns/own-1/live", revision="1")).status_code == 303
        assert in_force(shop) == {"own-1": 200}
        form = (await manager.get("/campaigns/edit", params={"id": "own-1"})).text
        assert 'value="20.00"' in form
        assert (await manager.send_form("/campaigns/own-1/stop", revision="2")).status_code == 303
        assert in_force(shop) == {}
        assert (await manager.send_form("/campaigns/own-1/discard", revision="3")).status_code == 303
        assert (await manager.get("/api/v1/campaigns")).json()["campaigns"] == []
        done = [what for row in await shop.rows_of("audit") for what in row if str(what).startswith("campaign")]
        assert sorted(done) == [f"campaign {what}" for what in ("discarded", "drafted", "in force", "stopped")]

    play(story)


def test_what_is_beyond_the_limits_is_refused_in_words_and_the_form_is_kept() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        manager = await shop.somebody(Role.MANAGER)
        for change, words in (
            ({"times_pct": "400"}, "At most 3 times"),
            ({"end": ""}, "within 92 days"),
            ({"end": "2028-01-01"}, "within 92 days"),
            ({"start": "2026-12-01"}, "doesn&#39;t fit"),
            ({"begins": "14:00"}, "doesn&#39;t fit"),
            ({"least": "1.234"}, "That isn&#39;t an amount"),
        ):
            answer = await manager.send_form("/campaigns/draft", revision="0", **(DOUBLE | change))
            assert answer.status_code == 422, change
            assert words in answer.text, change
            assert "Double eleven" in answer.text
        assert await revision(manager) == "0"

    play(story)


def test_the_fleets_rules_are_read_with_a_sentence_why_they_are_not_changed() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        decisions = shop.engine.decisions
        decisions.use_rules(decisions.awards.rules._replace(rev=7, campaigns=(Campaign("theirs", bonus=5),)))
        manager = await shop.somebody(Role.MANAGER)
        text = (await manager.get("/campaigns")).text
        assert "Head office sets the rules" in text
        assert "5 points on top" in text
        assert "<form" not in text.split("<main")[1]
        assert (await manager.get("/campaigns/edit")).status_code == 409
        assert (await manager.send_form("/campaigns/draft", revision="0", **DOUBLE)).status_code == 409
        assert (await manager.send_form("/campaigns/theirs/stop", revision="0")).status_code == 409

    play(story)


def test_a_program_drafts_a_campaign_and_sees_what_it_would_give() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        program = await shop.token(Role.MANAGER, writes=True)
        form = {"title": "机器", "times_pct": 150, "end": "2026-11-30", "revision": 0}
        found = (await program.post("/api/v1/campaigns/draft", json=form)).json()
        (one,) = found["campaigns"]
        assert (one["id"], one["now"], one["draft"]["multiply_pct"], one["rehearsal"]["receipts"]) == (
            "own-1",
            None,
            150,
            0,
        )
        refusal = await program.post("/api/v1/campaigns/draft", json=form | {"times_pct": 900, "revision": 1})
        assert (refusal.status_code, refusal.json()["hint"]) == (422, "multiply")

    play(story)


def test_a_draft_that_can_not_be_read_any_more_is_said_and_can_be_forgotten() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        book = shop.office.part(CampaignBook)
        assert book is not None
        book.book = Book(
            revision=4, drafts=(Change(id="own-1", title="old", row={"id": "own-1", "multiply_pct": "x"}),)
        )
        manager = await shop.somebody(Role.MANAGER)
        text = (await manager.get("/campaigns")).text
        assert "can&#39;t be read any more" in text
        assert "own-1/live" not in text
        assert (await manager.get("/campaigns/edit", params={"id": "own-1"})).status_code == 200
        assert (await manager.send_form("/campaigns/own-1/live", revision="4")).status_code == 422
        assert (await manager.send_form("/campaigns/own-1/discard", revision="4")).status_code == 303

    play(story)
