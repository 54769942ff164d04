"""The first start, page by page: what is asked, kept, put in force, taken back; and who may."""

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.config import FOLDER
from edgebox.engine import Engine
from edgebox.model import TenderKind
from edgebox.orders.alone import begin
from edgebox.orders.changes import Source
from edgebox.printers import load_printers
from edgebox.settings import LineSettings
from edgebox.web import first_start
from edgebox.web.first_start import Progress, Step
from edgebox.web.pages.start_printer import CODE_OF, Answer, chosen
from edgebox.web.roles import Role
from tests.box_of_orders import PATIENCE
from tests.line_of_engine import RECEIPT, FakeLine
from tests.web.office import Browser, Shop, shop

PRINTERS = load_printers(FOLDER / "printers")
SHOP = {"name": "王记面馆", "trade": "noodles", "currency": "EUR", "marks": "1", "dates": "dmy", "speaks": "zh_en"}


class Walk:
    """A shop whose settings can be changed, with a line and somebody at the page."""

    def __init__(self, shop: Shop, owner: Browser, line: FakeLine, restarts: list[str]) -> None:
        self.shop, self.owner, self.line, self.restarts = shop, owner, line, restarts

    @property
    def engine(self) -> Engine:
        return self.shop.engine

    async def progress(self) -> Progress:
        return await first_start.read(self.shop.office.store)

    async def pending(self) -> dict[str, Any]:
        return (await self.progress()).values

    async def say(self, path: str, **fields: str) -> str:
        answer = await self.owner.send_form(path, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


def walk(story: Callable[[Walk], Awaitable[None]]) -> None:
    """A test's story."""

    async def told() -> None:
        with tempfile.TemporaryDirectory(prefix="eb") as folder:
            file = Path(folder) / "edgebox.toml"
            async with shop() as found:
                file.write_text(f'[engine]\ndata = "{found.engine.config.engine.data}"\n[[line]]\n', "utf-8")
                config = found.engine.config
                found.engine.config = msgspec.structs.replace(config, line=(LineSettings(),))
                line = await FakeLine.connect(found.engine)
                while not found.engine.lines:  # noqa: ASYNC110 - a line tells nobody that it is there
                    await asyncio.sleep(0.001)
                restarts: list[str] = []
                found.engine.settings = await begin(found.engine, Source(file), lambda: restarts.append("x"), PATIENCE)
                try:
                    await story(Walk(found, await found.somebody(), line, restarts))
                finally:
                    await found.engine.settings.close()

    asyncio.run(told())


def _layers(engine: Engine) -> Any:
    from edgebox import overlay

    return overlay.read(Path(engine.config.engine.data)).layers


def test_answers_are_kept_and_the_walk_goes_on_where_it_was() -> None:
    async def story(at: Walk) -> None:
        assert (await at.owner.get("/start")).headers["location"] == "/start/shop"
        assert await at.say("/start/shop", **SHOP, tz="Europe/Berlin") == "/start/line"
        assert (await at.owner.get("/start")).headers["location"] == "/start/line"
        assert await at.say("/start/line") == "/start/printer"
        assert await at.say("/start/printer/skip") == "/start/till"
        assert (await at.owner.get("/start")).headers["location"] == "/start/till"
        pending = await at.pending()
        assert pending == {
            "shop.name": "王记面馆", "shop.trade": "noodles", "shop.currency": "EUR", "shop.decimal_mark": ",",
            "shop.group_marks": ".", "shop.date_order": "dmy", "shop.tz": "Europe/Berlin",
            "slip.languages": ["zh", "en"],
        }  # fmt: skip
        assert at.engine.config.shop.name == ""  # nothing is in force before the end
        assert 'value="王记面馆"' in (await at.owner.get("/start/shop")).text  # but it is shown
        second = await at.shop.somebody(Role.INSTALLER)  # another phone
        assert (await second.get("/start")).headers["location"] == "/start/till"

    walk(story)


@pytest.mark.parametrize(
    ("field", "value", "fault"), [("tz", "Mars/Phobos", "time zone"), ("currency", "€", "three capitals")]
)
def test_what_can_not_be_is_said_and_nothing_is_kept(field: str, value: str, fault: str) -> None:
    async def story(at: Walk) -> None:
        answer = await at.owner.send_form("/start/shop", **{**SHOP, "tz": "Europe/Berlin", field: value})
        assert answer.status_code == 422
        assert fault in answer.text
        assert 'value="王记面馆"' in answer.text  # what was typed is still there
        assert await at.pending() == {}

    walk(story)


def test_all_answers_are_put_in_force_at_once_and_audited() -> None:
    async def story(at: Walk) -> None:
        await at.say("/start/shop", **SHOP, tz="Europe/Berlin")
        await at.say("/start/printer", line="line1", code="raster", paper="58")
        page = (await at.owner.get("/start/done")).text
        assert "generic-58" in page
        answer = await at.owner.send_form("/start/finish")
        assert answer.status_code == 200
        run = re.search(r"/start/over\?run=(\w+)", answer.text)
        assert run
        assert at.restarts == ["x"]
        assert type(await at.line.next()).__name__ == "Restart"
        assert (await at.owner.get(f"/start/over?run={run[1]}")).status_code == 204  # the same engine still
        after = await at.owner.get("/start/over?run=0000", headers={"hx-request": "true"})
        assert after.headers["hx-redirect"] == "/start/done"
        assert _layers(at.engine).page["shop.currency"] == "EUR"
        assert _layers(at.engine).page["line.line1.profile"] == "generic-58"
        what = [row for row in await at.shop.rows_of("audit") if "settings changed" in row]
        assert len(what) == 9
        assert "On trial" in (await at.owner.get("/start/done")).text
        assert (await at.owner.send_form("/start/finish")).status_code == 409  # one at a time

    walk(story)


def test_what_was_taken_back_can_be_answered_anew() -> None:
    async def story(at: Walk) -> None:
        await at.say("/start/shop", **SHOP, tz="Europe/Berlin")
        await at.owner.send_form("/start/finish")
        assert at.engine.settings is not None
        at.line.close()
        async with asyncio.timeout(5):
            while not at.engine.settings.taken_back:
                at.engine.settings.begin()
                await asyncio.sleep(0.05)
        assert "taken back: line1: not connected" in (await at.owner.get("/start/done")).text
        assert await at.say("/start/again") == "/start/shop"
        assert (await at.pending())["shop.currency"] == "EUR"

    walk(story)


def test_a_line_that_works_with_another_profile_is_shown_and_begins_anew_by_a_click() -> None:
    async def story(at: Walk) -> None:
        at.line.close()
        async with asyncio.timeout(5):
            while at.engine.lines:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            other = await FakeLine.connect(at.engine, profile="epson-tm-t88")
            while not at.engine.lines:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert "/start/lines/line1/restart" in (await at.owner.get("/start/done")).text
        assert await at.say("/start/lines/line1/restart") == "/start/done"
        assert type(await other.next()).__name__ == "Restart"
        assert (await at.owner.send_form("/start/lines/none/restart")).status_code == 404

    walk(story)


def test_a_box_of_a_fleet_stays_with_it() -> None:
    async def story(at: Walk) -> None:
        await at.say("/start/cloud", kind="none")
        assert await at.pending() == {}
        bad = await at.owner.send_form("/start/cloud", kind="office", url="http://x", tenant="t", store="s")
        assert bad.status_code == 422
        await at.say("/start/cloud", kind="office", url="mqtts://m.example.cn", tenant="t", store="s", box="b")
        assert (await at.pending())["sync.url"] == "mqtts://m.example.cn"

    walk(story)


def test_slips_are_chosen_by_sight() -> None:
    async def story(at: Walk) -> None:
        page = (await at.owner.get("/start/slip")).text
        for path in re.findall(r'src="(/start/slip/[^"]+)"', page):
            answer = await at.owner.get(path.replace("&amp;", "&"))
            assert answer.status_code == 200
            assert answer.content.startswith(b"\x89PNG")
        await at.say("/start/slip", show="comeback")
        assert await at.pending() == {"slip.show": ["comeback"]}
        await at.say("/start/slip")
        assert await at.pending() == {"slip.show": []}
        assert (await at.owner.send_form("/start/slip", show="nothing-such")).status_code == 422
        assert (await at.owner.get("/start/slip/nothing-such.png")).status_code == 404

    walk(story)


def test_the_till_is_taught_by_tapping_the_total() -> None:
    async def story(at: Walk) -> None:
        for number in range(3):
            await at.line.print_receipt(number + 1, RECEIPT.replace(b"000417", b"00041%d" % number))
        page = (await at.owner.get("/start/till")).text
        marked = re.findall(r'name="(total\d)" value="([\w.]+)" checked', page)
        assert [name for name, _ in marked] == ["total0", "total1", "total2"]  # the box's own guess is tapped already
        taps = dict(marked)
        seen = await at.owner.send_form("/start/till", **taps, after="yes", excluded="alipay", do="look")
        assert seen.status_code == 200
        assert "Tried on the last 3 papers" in seen.text
        assert at.engine.read_with[0].profiles == () or "till-line1" not in {
            one.name for one in at.engine.read_with[0].profiles
        }
        assert await at.say("/start/till", **taps, after="yes", excluded="alipay") == "/start/slip"
        assert "till-line1" in {one.name for one in at.engine.read_with[0].profiles}
        assert await at.pending() == {"till.prints_after_payment": True, "points.excluded_tenders": ["alipay"]}

    walk(story)


def test_a_way_of_writing_amounts_that_the_page_does_not_offer_stays() -> None:
    async def story(at: Walk) -> None:
        config = at.engine.config
        own = msgspec.structs.replace(config.shop, decimal_mark=".,", group_marks=" '")
        at.engine.config = msgspec.structs.replace(config, shop=own)
        page = (await at.owner.get("/start/shop")).text
        found = re.search(r'<option value="(\d+)" selected>as it is set now', page)
        assert found
        await at.say("/start/shop", **{**SHOP, "marks": found[1], "tz": "Asia/Shanghai"})
        assert not {"shop.decimals", "shop.decimal_mark", "shop.group_marks"} & set(await at.pending())

    walk(story)


def test_a_way_of_paying_that_is_not_asked_for_stays_excluded() -> None:
    async def story(at: Walk) -> None:
        config = at.engine.config
        points = msgspec.structs.replace(config.points, excluded_tenders=(TenderKind.VOUCHER, TenderKind.WECHAT))
        at.engine.config = msgspec.structs.replace(config, points=points)
        await at.say("/start/till", after="no", excluded="alipay")
        assert (await at.pending())["points.excluded_tenders"] == ["alipay", "voucher"]

    walk(story)


def test_script_on_a_paper_is_only_letters() -> None:
    async def story(at: Walk) -> None:
        await at.line.print_receipt(1, RECEIPT.replace(b"MILK", b"<script>alert(1)</script>"))
        page = (await at.owner.get("/start/till")).text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        await at.say("/start/shop", **{**SHOP, "name": "<b onclick=x>'\""}, tz="Europe/Berlin")
        assert "<b onclick" not in (await at.owner.get("/start/shop")).text + (await at.owner.get("/start/done")).text

    walk(story)


def test_who_leaves_in_the_middle_is_led_back_until_it_is_done() -> None:
    async def story(at: Walk) -> None:
        assert "not finished" not in (await at.owner.get("/")).text  # set up by hand
        await first_start.keep(at.shop.office.store, Progress())  # as pairing does
        assert "not finished" in (await at.owner.get("/")).text
        assert "not finished" not in (await (await at.shop.somebody(Role.CASHIER)).get("/")).text
        for step in list(Step)[:-1]:
            await at.say(f"/start/{step.value}/skip")
        assert "not finished" not in (await at.owner.get("/")).text
        assert (await at.owner.get("/start")).headers["location"] == "/start/done"

    walk(story)


def test_a_line_without_an_amount_is_said_to_be_none() -> None:
    async def story(at: Walk) -> None:
        await at.line.print_receipt(1)
        page = (await at.owner.get("/start/till")).text
        first = re.findall(r'value="(\w+\.\d+\.0)"', page)[0]
        answer = await at.owner.send_form("/start/till", total0=first, do="look")
        assert answer.status_code == 422
        assert "no amount" in answer.text
        gone = await at.owner.send_form("/start/till", total0=f"{'ab' * 8}.99.0", do="look")
        assert gone.status_code == 422
        later = await at.owner.get("/start/till/now", params={"total0": first})
        assert f'value="{first}" checked' in later.text  # a paper that comes meanwhile takes no tap away

    walk(story)


def test_without_a_way_to_change_settings_the_page_says_so() -> None:
    async def story(at: Walk) -> None:
        at.engine.settings, kept = None, at.engine.settings
        try:
            assert "can&#39;t be changed now" in (await at.owner.get("/start/shop")).text
            assert (await at.owner.send_form("/start/finish")).status_code == 409
        finally:
            at.engine.settings = kept

    walk(story)


def test_programs_see_how_far_it_is() -> None:
    async def story(at: Walk) -> None:
        await at.say("/start/line/skip")
        await at.say("/start/shop", **{**SHOP, "tz": "Asia/Shanghai", "currency": "CNY", "marks": "0", "dates": "ymd"})
        program = await at.shop.token(Role.INSTALLER)
        found = (await program.get("/api/v1/first-start")).json()
        assert (found["here"], found["done"], found["skipped"]) == ("printer", ["shop"], ["line"])
        assert set(found["pending"]) == {"shop.name", "shop.trade", "slip.languages"}

    walk(story)


# -- which printer follows from which code


@pytest.mark.parametrize("paper", ["58", "80"])
@pytest.mark.parametrize("code", CODE_OF)
@pytest.mark.parametrize("now", sorted(PRINTERS))
def test_each_code_and_paper_leads_to_a_printer_that_prints_that_code(now: str, code: str, paper: str) -> None:
    said = Answer(code=code, paper=paper)  # type: ignore[arg-type]
    found = PRINTERS[chosen(PRINTERS, now, said)]
    way = {"native": (True,), "raster": (False, "gs_v_0"), "strips": (False, "esc_star")}[code]
    assert (found.qr_native, found.raster)[: len(way)] == way
    assert (found.dots <= 432) == (paper == "58")
    assert found.name == now or found.name.startswith("generic-")


def test_a_named_model_is_believed_unless_the_phone_says_otherwise() -> None:
    assert chosen(PRINTERS, "generic-80", Answer(code="none")) == ""
    assert chosen(PRINTERS, "generic-80", Answer(code="none", model="epson-tm-t88")) == "epson-tm-t88"
    assert chosen(PRINTERS, "generic-80", Answer(code="native", model="epson-tm-t88")) == "epson-tm-t88"
    assert chosen(PRINTERS, "generic-80", Answer(code="raster", model="epson-tm-t88")) == "generic-80-raster"
    assert chosen(PRINTERS, "generic-80", Answer(code="none", model="../etc")) == ""


def test_progress_that_can_not_be_read_begins_anew() -> None:
    async def story(at: Walk) -> None:
        await at.shop.office.store.put(first_start.FACT, b"\xff{")
        assert await at.progress() == Progress()
        assert (await at.progress()).here is Step.SHOP

    walk(story)
