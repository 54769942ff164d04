"""Receipts on the page: found, drawn, explained, printed again and put right; whatever stands on the paper is text."""

import asyncio

from edgebox.line.frames import Job, JobPhase, JobState
from edgebox.web.roles import Role
from tests.line_of_engine import RECEIPT, SESSION, FakeLine
from tests.web.office import Shop, play

PLACE = f"/receipts/{SESSION.hex()}"
API = f"/api/v1{PLACE}"
SCRIPT = b"<script>alert(1)</script>"


async def printed(shop: Shop, *raws: bytes) -> FakeLine:
    """Each as a document of the line, numbered from 1."""
    line = await FakeLine.connect(shop.engine)
    for number, raw in enumerate(raws, 1):
        await line.print_receipt(number, raw)
    return line


async def prints(line: FakeLine, phase: JobPhase = JobPhase.PRINTED) -> bytes:
    """The next job's bytes; the line says what became of it."""
    job = await line.next()
    assert isinstance(job, Job)
    line.send(JobState(job.job, phase, ""))
    return job.body


def numbered(number: int) -> bytes:
    return RECEIPT.replace(b"000417", b"%06d" % number)


def test_a_receipt_is_found_by_number_amount_day_kind_and_a_word() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT, numbered(999).replace(b"BREAD", b"CHEESE"))
        browser = await shop.somebody(Role.MANAGER)
        asked = {
            "number=417": "000417", "amount=33.90": "000417", "amount=30&amount_to=40": "000417", "kind=sale": "000417",
            "text=cheese": "000999",
        }  # fmt: skip
        for query, number in asked.items():
            found = await browser.get(f"/receipts?{query}")
            assert f"no. {number}" in found.text, query
        assert "no. 000417" not in (await browser.get("/receipts?text=cheese")).text
        assert "no. 000417" in (await browser.get("/receipts?day=2026-11-18")).text
        for query in ("number=77", "amount=12", "kind=refund", "day=2025-01-01", "only=unread"):
            found = await browser.get(f"/receipts?{query}")
            assert "no. 000417" not in found.text, query
            assert "Nothing found" in found.text, query

    play(story)


def test_a_search_that_cannot_be_read_says_which_field() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.MANAGER)
        for query, words in (("amount=many", "168.50"), ("day=2026-02-31", "no such day")):
            found = await browser.get(f"/receipts?{query}")
            assert found.status_code == 422
            assert words in found.text
        assert (await browser.get("/receipts?after=nonsense")).status_code == 422

    play(story)


def test_older_receipts_come_page_by_page_and_none_twice() -> None:
    async def story(shop: Shop) -> None:
        for number in range(70):
            await shop.record(number=f"N{number}", at=shop.office.now - number)
        program = await shop.token(Role.MANAGER)
        seen: list[str] = []
        after = ""
        while True:
            found = (await program.get("/api/v1/receipts", params={"after": after, "limit": 30})).json()
            seen += [one["number"] for one in found["receipts"]]
            after = found["next"]
            if not after:
                break
        assert seen == [f"N{number}" for number in range(70)]
        browser = await shop.somebody(Role.MANAGER)
        assert 'rel="next"' in (await browser.get("/receipts?kind=sale")).text

    play(story)


def test_a_receipt_is_drawn_as_the_paper_it_was_with_its_slip_and_its_reasons() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT)
        browser = await shop.somebody(Role.MANAGER)
        page = (await browser.get(f"{PLACE}/1")).text
        assert '<span class="total">33.90</span>' in page
        assert '<path d="M' in page
        assert "paid 50.00 less change 16.10 makes 33.90" in page
        program = await shop.token(Role.MANAGER)
        one, paper = [(await program.get(f"{API}/1{more}")).json() for more in ("", "/paper")]
        assert (one["amount_minor"], one["number"], one["code"]["points"]) == (3390, "000417", 33)
        assert any(reason["key"] == "tendered_less_change" for reason in one["reasons"])
        assert ["total", "33.90"] in [mark for line in paper["lines"] for mark in line["marks"]]
        assert paper["slips"] == ["points"]
        assert (await browser.get(f"{PLACE}/99")).status_code == 404
        assert (await program.get(f"{API}/99/paper")).status_code == 404

    play(story)


def test_a_receipt_without_its_paper_still_says_what_is_known() -> None:
    async def story(shop: Shop) -> None:
        await shop.record(number="5")
        page = await (await shop.somebody(Role.MANAGER)).get(f"/receipts/{'ab' * 8}/1")
        assert page.status_code == 200
        assert "no longer kept" in page.text

    play(story)


def test_today_draws_the_newest_receipt_with_its_reasons_for_those_who_may_see_receipts() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT, numbered(999).replace(b"MILK", SCRIPT))
        manager, cashier = await shop.somebody(Role.MANAGER), await shop.somebody(Role.CASHIER)
        for path in ("/", "/today/now"):
            seen = (await manager.get(path)).text
            assert '<span class="number">000999</span>' in seen, path
            assert f'<a href="{PLACE}/2">Just printed' in seen
            assert "paid 50.00 less change 16.10 makes 33.90" in seen
            assert '<div class="slip"' in seen
            assert SCRIPT.decode() not in seen
            hidden = (await cashier.get(path)).text
            assert "33.90" in hidden
            assert 'class="paper"' not in hidden

    play(story)


def test_today_still_says_its_sums_when_the_newest_paper_is_gone() -> None:
    async def story(shop: Shop) -> None:
        await shop.record(number="5")
        page = await (await shop.somebody(Role.MANAGER)).get("/")
        assert page.status_code == 200
        assert "no. 5" in page.text
        assert 'class="paper"' not in page.text

    play(story)


def test_a_script_on_a_paper_is_text() -> None:
    async def story(shop: Shop) -> None:
        raw = RECEIPT.replace(b"MILK  2 x 8.00 ", SCRIPT + b"  2 x 8.00 ")
        await printed(shop, raw)
        browser = await shop.somebody(Role.MANAGER)
        page = (await browser.get(f"{PLACE}/1")).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert SCRIPT.decode() not in page
        asked = await browser.get(f"/receipts?text={SCRIPT.decode()}&number=%22%3E%3Cimg%20src=x%3E")
        assert "&#34;&gt;&lt;img src=x&gt;" in asked.text
        assert "<img src=x" not in asked.text
        assert SCRIPT.decode() not in asked.text

    play(story)


def test_a_reprint_is_the_same_code_and_is_written_down_when_it_is_out() -> None:
    async def story(shop: Shop) -> None:
        line = await printed(shop, RECEIPT)
        browser = await shop.somebody(Role.MANAGER)
        before = (await shop.office.reports.receipt(SESSION.hex(), 1)).claim
        assert before is not None
        asked = asyncio.create_task(browser.send_form(f"{PLACE}/1/reprint"))
        body = await prints(line)
        assert (await asked).headers["location"] == f"{PLACE}/1"
        after = (await shop.office.reports.receipt(SESSION.hex(), 1)).claim
        assert after is not None
        assert (after.claim, after.url, after.state) == (before.claim, before.url, "again")
        assert body
        rows = [row for row in await shop.rows_of("audit") if "slip reprinted" in row]
        assert len(rows) == 1
        assert "printed again" in (await browser.get(f"{PLACE}/1")).text
        program = await shop.token(Role.MANAGER, writes=True)
        asked = asyncio.create_task(program.post(f"{API}/1/reprint"))
        await prints(line, JobPhase.FAILED)
        assert (await asked).json()["reason"] == "no_printer"
        assert len([row for row in await shop.rows_of("audit") if "slip reprinted" in row]) == 1

    play(story)


def test_a_receipt_without_a_code_or_a_printer_is_not_printed_again() -> None:
    async def story(shop: Shop) -> None:
        line = await printed(shop, RECEIPT, b"CORNER SHOP\nKITCHEN\n2 x MILK\n")
        program = await shop.token(Role.MANAGER, writes=True)
        assert (await program.post(f"{API}/2/reprint")).json()["reason"] == "not_found"
        await line.leave(shop.engine)
        assert (await program.post(f"{API}/1/reprint")).json()["reason"] == "no_printer"

    play(story)


def test_a_total_is_lowered_at_once_and_raised_only_by_request() -> None:
    async def story(shop: Shop) -> None:
        await printed(shop, RECEIPT, numbered(2))
        browser = await shop.somebody(Role.MANAGER)
        for amount in ("", "much", "0", "33.90"):
            refused = await browser.send_form(f"{PLACE}/1/correct", amount=amount)
            assert refused.status_code == 422, amount
        assert "already has that total" in refused.text
        assert (await browser.send_form(f"{PLACE}/1/correct", amount="23.90", reason="typo")).status_code == 303
        page = (await browser.get(f"{PLACE}/1")).text
        assert "worth less now" in page
        assert "manager corrected it to ¥23.90" in page
        assert "Read as ¥33.90, corrected since" in page
        assert "corrected since" not in (await browser.get(f"{PLACE}/2")).text
        program = await shop.token(Role.MANAGER, writes=True)
        effect = (await program.post(f"{API}/2/correct", json={"amount_minor": 4000})).json()
        assert effect == {"effect": "requested", "amount_minor": 4000}
        assert (await program.get(f"{API}/2")).json()["amount_minor"] == 3390
        assert "waits for head office" in (await browser.get(f"{PLACE}/2")).text
        who = [row for row in await shop.rows_of("audit") if any("receipt corrected" in str(cell) for cell in row)]
        assert len(who) == 2

    play(story)


def test_a_reprint_after_a_correction_carries_the_lower_code() -> None:
    async def story(shop: Shop) -> None:
        line = await printed(shop, RECEIPT)
        program = await shop.token(Role.MANAGER, writes=True)
        await program.post(f"{API}/1/correct", json={"amount_minor": 2000})
        asked = asyncio.create_task(program.post(f"{API}/1/reprint"))
        await prints(line)
        assert (await asked).status_code == 204
        code = (await program.get(f"{API}/1")).json()["code"]
        assert (code["amount_minor"], code["revision"], code["state"]) == (2000, 1, "again")

    play(story)
