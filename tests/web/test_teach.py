"""Teaching on the page: lines are tapped, the profile is tried before it is kept, and can be forgotten."""

import re

from edgebox.web.roles import Role
from tests.line_of_engine import RECEIPT, SESSION
from tests.web.office import ORIGIN, Browser, Shop, play
from tests.web.test_receipts import numbered, printed

PAPER = f"/teach/{SESSION.hex()}/1"
TAKEN = f"{SESSION.hex()}:1:%d:%d:-1:"


async def line_of(browser: Browser, word: str) -> int:
    """The number of the button with a word on it."""
    page = (await browser.get(PAPER)).text
    found = re.search(rf'value="(\d+)" id="line-\d+"[^>]*><span class="ink[^"]*">[^<]*{word}', page)
    assert found, word
    return int(found[1])


def test_each_line_of_the_paper_can_be_tapped_and_the_next_question_follows() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT)
        browser = await shop.somebody(Role.MANAGER)
        assert PAPER in (await browser.get("/teach")).text
        total, number = await line_of(browser, "TOTAL"), await line_of(browser, "Receipt No")
        page = await browser.get(f"{PAPER}?show=total&tap={total}")
        assert "Tap the line with the number" in page.text
        page = await browser.get(f"{PAPER}?show=number&total={total}&tap={number}")
        assert "Tap the words" in page.text
        assert f'name="taps" value="{TAKEN % (total, number)}"' in page.text
        untapped = await browser.get(f"{PAPER}?show=total&total={total}&tap={total}")
        assert 'name="taps"' not in untapped.text
        assert (await browser.get(f"{PAPER}?tap=999")).status_code == 422
        assert (await browser.get(f"/teach/{SESSION.hex()}/77")).status_code == 404

    play(story)


def test_a_lesson_is_tried_on_the_last_papers_and_only_then_kept() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, *[numbered(number) for number in range(1, 5)])
        browser = await shop.somebody(Role.MANAGER)
        taps = TAKEN % (await line_of(browser, "TOTAL"), await line_of(browser, "Receipt No"))
        tried = await browser.send_form("/teach/try", taps=taps, name="corner-shop", after_payment="true")
        assert tried.status_code == 200
        assert "On the last 4 papers" in tried.text
        assert "corner-shop" not in (await browser.get("/teach")).text
        assert (await browser.send_form("/teach/learn", taps=taps, name="corner-shop")).status_code == 303
        page = (await browser.get("/teach")).text
        assert "“corner-shop” was learned" in page
        assert "corner-shop" in [one.name for one in shop.engine.read_with[0].profiles]
        assert (await browser.send_form("/teach/forget", name="corner-shop")).status_code == 303
        assert "corner-shop" not in [one.name for one in shop.engine.read_with[0].profiles]
        assert (await browser.send_form("/teach/forget", name="corner-shop")).status_code == 404
        what = [str(row) for row in await shop.rows_of("audit")]
        assert any("profile taught" in row for row in what)
        assert any("profile removed" in row for row in what)

    play(story)


def test_what_would_change_right_totals_is_kept_only_by_who_is_sure() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, *[numbered(number) for number in range(1, 4)])
        program = await shop.token(Role.MANAGER, writes=True)
        browser = await shop.somebody(Role.MANAGER)
        line = await line_of(browser, "BREAD")
        tap = {"session": SESSION.hex(), "document": 1, "total_line": line}
        asked = {"name": "wrong-line", "taps": [tap]}
        tried = (await program.post("/api/v1/layouts/try", json=asked)).json()
        if tried["is_made"]:
            assert not tried["is_safe"]
            assert {one["change"] for one in tried["trials"]} & {"wrong", "lost", "other"}
            form = {"taps": f"{SESSION.hex()}:1:{line}:-1:-1:", "name": "wrong-line"}
            page = await browser.send_form("/teach/learn", **form)
            assert "I have looked at them" in page.text
        refused = await program.post("/api/v1/layouts", json=asked)
        assert refused.json()["reason"] == "bad_input"
        assert (await program.get("/api/v1/layouts")).json() == {"taught": [], "new_layouts": []}

    play(story)


def test_a_line_that_does_not_fit_and_a_bad_name_are_said_in_plain_words() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT)
        browser = await shop.somebody(Role.MANAGER)
        total = await line_of(browser, "TOTAL")
        for taps, name, words in (
            (f"{SESSION.hex()}:1:-1:-1:{total}:sale", "ok", "needs an amount"),
            (TAKEN % (total, -1), "Käse/../x", "small letters"),
            (f"{SESSION.hex()}:88:1:-1:-1:", "ok", "doesn&#39;t fit"),
        ):
            page = await browser.send_form("/teach/try", taps=taps, name=name)
            assert page.status_code == 422
            assert words in page.text

    play(story)


def test_the_api_teaches_and_forgets() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT)
        program = await shop.token(Role.OWNER, writes=True)
        browser = await shop.somebody(Role.MANAGER)
        tap = {"session": SESSION.hex(), "document": 1, "total_line": await line_of(browser, "TOTAL")}
        made = (await program.post("/api/v1/layouts", json={"name": "corner", "taps": [tap]})).json()
        assert (made["is_made"], made["is_safe"], len(made["trials"])) == (True, True, 1)
        assert (await program.get("/api/v1/layouts")).json()["taught"] == ["corner"]
        assert (await program.delete("/api/v1/layouts/corner")).status_code == 204
        assert (await program.delete("/api/v1/layouts/corner")).status_code == 404

    play(story)


def test_a_second_paper_of_the_same_layout_makes_a_lesson_surer() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, numbered(1), numbered(2))
        browser = await shop.somebody(Role.MANAGER)
        total = await line_of(browser, "TOTAL")
        first = TAKEN % (total, -1)
        chosen = (await browser.get("/teach", params={"also": first})).text
        assert "Choose another paper" in chosen
        again = PAPER.removesuffix("/1") + "/2"
        assert f"{again}?also=" in chosen
        page = (await browser.get(again, params={"also": first, "tap": total})).text
        assert page.count('name="taps"') == 2
        taps = [first, f"{SESSION.hex()}:2:{total}:-1:-1:"]
        form = {"csrf": browser.csrf, "taps": taps, "name": "both"}
        headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        tried = await browser.post("/teach/try", data=form, headers=headers)
        assert "On the last 2 papers" in tried.text

    play(story)
