"""Slips on the page: edited block by block, on trial before they are printed, taken back; faults stand at blocks."""

import asyncio
import html
import json
import re
from typing import Any

import msgspec

from edgebox.settings import SlipSettings
from edgebox.slip_book import SlipBook
from edgebox.slip_files import slip_from
from edgebox.slip_schema import BLOCKS_MAX, TEXT_MAX
from edgebox.web.roles import Role
from edgebox.web.slip_form import FIELDS
from edgebox.web.slip_picture import Album, Picture
from tests.line_of_engine import RECEIPT, FakeLine
from tests.web.office import Browser, Shop, play
from tests.web.test_receipts import prints

SCRIPT = "<script>alert(1)</script>"


async def with_book(shop: Shop) -> SlipBook:
    """As process.py furnishes it."""
    book = SlipBook(shop.engine)
    assert shop.engine.store is not None
    await book.open(shop.engine.store)
    shop.engine.parts.append(book)
    return book


def carried(page: str) -> dict[str, str]:
    """What the editor's form carries."""
    found = dict(re.findall(r'<input type="hidden" name="(slip|revision|open)" value="([^"]*)"', page))
    return {name: html.unescape(value) for name, value in found.items()}


def table_in(page: str) -> dict[str, Any]:
    return msgspec.json.decode(carried(page)["slip"], type=dict[str, Any])


def link(name: str = "tea", **more: Any) -> dict[str, Any]:
    """A slip of the shop's own."""
    text = {"type": "text", "text": {"zh": "新茶上市", "en": "New tea"}}
    return {"name": name, "purpose": "link", "link": "HTTPS://M.EXAMPLE.CN/T", "block": [text], **more}


async def press(browser: Browser, page: str, do: str, **fields: str) -> Any:
    return await browser.send_form("/slips/edit", **{**carried(page), "do": do, **fields})


def test_blocks_are_added_moved_filled_in_and_removed_without_a_script() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        page = (await browser.get("/slips/new?name=tea&purpose=link")).text
        before = len(table_in(page)["block"])
        page = (await press(browser, page, "add", add="text")).text
        assert len(table_in(page)["block"]) == before + 1
        fields = {
            "b_type": "text",
            "b_text_zh": "新茶上市",
            "b_text_en": "New tea",
            "b_bold": "true",
            "b_align": "left",
        }
        page = (await press(browser, page, f"up:{before}", **fields)).text
        assert table_in(page)["block"][before - 1]["text"] == {"zh": "新茶上市", "en": "New tea"}
        assert re.search(rf'id="open-{before - 1}-\d+"[^>]*aria-expanded="true"', page)
        assert carried(page)["open"] == str(before - 1)
        page = (
            await press(browser, page, f"remove:{before}", b_type="text", b_text_zh="新茶", b_text_en="New tea")
        ).text
        assert len(table_in(page)["block"]) == before
        assert re.search(r'src="/slips/picture/\w{32}"', page)

    play(story)


def test_a_change_is_drawn_while_it_is_typed_and_its_fault_stands_at_its_block() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        page = (await browser.get("/slips/points/edit")).text
        form = {**carried(page), "open": "0", "b_type": "qr_beside", "b_data": "{url}"}
        part = await browser.send_form(
            "/slips/preview", **form, b_beside_zh="扫码 {points}", b_beside_en="Scan {points}"
        )
        picture = re.search(r"/slips/picture/\w{32}", part.text)
        assert picture
        raw = await browser.get(picture[0])
        assert (raw.headers["content-type"], raw.content[:4]) == ("image/png", b"\x89PNG")
        for text, words in (("{nothing}", "no “nothing” to fill in"), ("{points", "Braces come in pairs")):
            part = await browser.send_form("/slips/preview", **form, b_beside_zh=text, b_beside_en=text)
            assert re.search(r'id="fault-0" hx-swap-oob="true"><p[^>]*>[^<]*' + words, part.text), part.text
            assert "/slips/picture" not in part.text
        other = await browser.send_form("/slips/preview", **{**form, "b_data": "HTTPS://ELSEWHERE"}, b_beside_zh="a",
                                        b_beside_en="a")  # fmt: skip
        assert "needs a code that says {url}" in other.text

    play(story)


def test_a_saved_slip_is_counted_on_trial_and_printed_only_when_it_is_put_in_force() -> None:
    async def story(shop: Shop) -> None:
        book = await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        line = await FakeLine.connect(shop.engine)
        plain = await line.print_receipt(1)
        saved = await browser.send_form("/slips/edit", slip=msgspec.json.encode(link()).decode(), do="save")
        assert saved.headers["location"] == "/slips", saved.text
        tried = await line.print_receipt(2, RECEIPT.replace(b"000417", b"000418"))
        assert b"New tea" not in tried.body
        assert len(tried.body) == len(plain.body)
        page = (await browser.get("/slips")).text
        assert "on trial" in page
        assert "Of 2 sales, 1 would have carried it" in page
        forced = await browser.send_form("/slips/tea/force", revision=str(book.book.revision))
        assert forced.status_code == 303
        printed = await line.print_receipt(3, RECEIPT.replace(b"000417", b"000419"))
        assert b"New tea" in printed.body
        stale = await browser.send_form("/slips/tea/back", revision="1")
        assert stale.status_code == 409
        assert (await browser.send_form("/slips/tea/back", revision=str(book.book.revision))).status_code == 303
        after = await line.print_receipt(4, RECEIPT.replace(b"000417", b"000420"))
        assert len(after.body) == len(plain.body)
        what = [str(row) for row in await shop.rows_of("audit")]
        for words in ("slip drafted", "slip put in force", "slip taken back"):
            assert any(words in row for row in what), words

    play(story, 'slip.languages=["en"]')


def test_what_was_put_in_force_is_so_after_a_restart() -> None:
    async def story(shop: Shop) -> None:
        book = await with_book(shop)
        await book.draft(link(), "manager", 0)
        await book.put_in_force("tea", 1)
        await book.draft(link("tea-2"), "manager", 2)
        shop.engine.decisions.own_slips = type(shop.engine.decisions.own_slips)()
        shop.engine.decisions.use_slips()
        assert "tea" not in [one.name for one in shop.engine.decisions.handout.templates]
        again = SlipBook(shop.engine)
        assert shop.engine.store is not None
        await again.open(shop.engine.store)
        assert [one.name for one in shop.engine.decisions.handout.templates] == ["points", "tea", "tea-2~"]
        assert again.book == book.book

    play(story)


def test_head_offices_slips_go_before_the_shops_own() -> None:
    async def story(shop: Shop) -> None:
        book = await with_book(shop)
        await book.draft(link(), "manager", 0)
        await book.put_in_force("tea", 1)
        shop.engine.decisions.use_slips((), ("points",))
        assert [one.name for one in shop.engine.decisions.handout.templates] == ["points"]
        program = await shop.token(Role.MANAGER, writes=True)
        assert (await program.get("/api/v1/slips")).json()["is_fleets"]
        refused = await program.post("/api/v1/slips", json={"slip": link(), "revision": 2})
        assert refused.json()["reason"] == "conflict"

    play(story)


def test_a_slip_that_does_not_fit_is_never_put_in_force() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        program = await shop.token(Role.MANAGER, writes=True)
        blocks = [{"type": "feed", "lines": 20}] * 5 + [{"type": "text", "text": "x"}]
        long = link(block=blocks)
        judged = (await program.post("/api/v1/slips/judge", json={"slip": long})).json()
        assert (judged["faults"], judged["unfit"]) == ([], "too_long")
        assert (await program.post("/api/v1/slips", json={"slip": long, "revision": 0})).status_code == 200
        refused = await program.post("/api/v1/slips/tea/force", json={"revision": 1})
        assert "too_long" in refused.json()["hint"]
        ended = (await program.post("/api/v1/slips/tea/discard", json={"revision": 1})).json()
        assert [one["name"] for one in ended["slips"]] == ["points"]
        wrong = (await program.post("/api/v1/slips/judge", json={"slip": {"name": "x", "block": 7}})).json()
        assert wrong["faults"]

    play(story)


def test_a_slip_that_leaves_no_room_for_the_points_is_not_put_in_force() -> None:
    async def story(shop: Shop) -> None:
        book = await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        blocks = [{"type": "feed", "lines": 20}, {"type": "feed", "lines": 6}, {"type": "text", "text": "x"}]  # 110 mm
        await book.draft(link(block=blocks, priority=1), "manager", 0)
        forced = await browser.send_form("/slips/tea/force", revision="1")
        assert forced.status_code == 303
        assert "no room for the points code" in (await browser.get("/slips")).text
        assert not book.book.force
        await book.draft(link(block=blocks, priority=500), "manager", 1)  # behind the points it would never come out
        await browser.send_form("/slips/tea/force", revision="2")
        assert not book.book.force

    play(story)


def test_a_sample_comes_out_marked_and_counts_for_nothing() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        line = await FakeLine.connect(shop.engine)
        await line.print_receipt(1)
        form = {"slip": msgspec.json.encode(link()).decode(), "do": "print", "line": "line1"}
        asked = asyncio.create_task(browser.send_form("/slips/edit", **form))
        body = await prints(line)
        assert b"SAMPLE" in body
        assert "The sample was printed" in (await asked).text
        assert len(await shop.rows_of("claims")) == 1

    play(story, 'slip.languages=["en"]')


def test_hostile_slips_are_text_and_never_break_the_page() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        evil = link(block=[{"type": "text", "text": SCRIPT}], link='"><img src=x onerror=alert(1)>')
        for slip in (evil, link(name=SCRIPT), link(purpose=SCRIPT), {"block": [{"type": SCRIPT, "text": 7}]}, {}):
            page = await browser.send_form("/slips/edit", slip=msgspec.json.encode(slip).decode(), open="0", do="show")
            assert page.status_code == 200, page.text
            assert "<script>alert" not in page.text
            assert "<img src=x" not in page.text
        for odd in ([], {}, 7, None, True, [[1]], {"zh": [1]}, 10**30, "{"):
            names = ("text", "short", "caption", "beside", "above", "data", "left", "given", "lines", "size", "bold")
            blocks = [{"type": kind, **dict.fromkeys(names, odd)} for kind in (*FIELDS, odd)]
            slip = {**dict.fromkeys(("name", "purpose", "languages", "when", "limits", "link", "placement"), odd)}
            for opened in range(len(blocks)):
                form = {"slip": json.dumps({**slip, "block": blocks}), "open": str(opened), "do": "show"}
                assert (await browser.send_form("/slips/edit", **form)).status_code in (200, 422), (odd, opened)
        for broken in ("", "[]", "{", '{"block": 3}', '{"block": [1]}', "[" * 3000):
            assert (await browser.send_form("/slips/edit", slip=broken)).status_code == 422
        assert (await browser.send_form("/slips/edit", slip="x" * 70_000)).status_code == 413
        assert (await browser.get("/slips/picture/" + "0" * 32)).status_code == 404
        assert (await browser.get("/slips/..%2f..%2fetc/edit")).status_code in (404, 422)

    play(story)


def test_a_new_slip_wants_a_name_that_is_free() -> None:
    async def story(shop: Shop) -> None:
        await with_book(shop)
        browser = await shop.somebody(Role.MANAGER)
        assert (await browser.get("/slips/new")).status_code == 200
        assert "small letters" in (await browser.get("/slips/new?name=Neu%20%2F")).text.lower()
        assert (await browser.get("/slips/new?name=points")).status_code == 409

    play(story)


def test_metres_of_slip_are_said_and_not_drawn() -> None:
    words = {"en": "W" * TEXT_MAX, "zh": "中" * TEXT_MAX}
    table = {"name": "x", "purpose": "link", "block": [{"type": "text", "text": words}] * BLOCKS_MAX}
    found = Album().of(slip_from(table, "slip"), "80", SlipSettings(languages=("en", "zh")))
    assert found == Picture(mm=found.mm, fault="too_long")
    assert found.mm > 1000
