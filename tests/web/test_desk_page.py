"""The desk's page: a typed code is used once, wrong ones lock, shifts end, and nobody without the right takes back."""

from edgebox.scan.codes import Kind
from edgebox.scan_desk import ScanDesk
from edgebox.store import redemptions
from edgebox.store.events import RedemptionRecord, RedemptionState
from edgebox.web.roles import Role
from tests.desk.fake_scanner import FakeScanner
from tests.desk.shop import NOW, FakeLine, coupon_on_paper, until
from tests.web.desk_shop import play, printed
from tests.web.office import Shop


def test_a_typed_coupon_is_used_once_and_the_answer_stands_on_top() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        _, short, _ = await coupon_on_paper(shop.engine, line)
        cashier = await shop.somebody(Role.CASHIER)
        answer = await cashier.send_form("/desk/redeem", code=short.lower(), what="coupon", amount="168")
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
        assert b"Redeemed" in await printed(line)
        text = (await cashier.get("/desk")).text
        assert 'class="answer good"' in text
        assert "<b>Redeemed</b>" in text
        assert short not in text
        assert 'class="answer' not in (await cashier.get("/desk")).text, "the answer is shown once"
        await cashier.send_form("/desk/redeem", code=short, what="coupon")
        assert "<b>Already used</b>" in (await cashier.get("/desk")).text
        (row,) = [one for one in await shop.rows_of("audit") if "code typed" in one]
        assert "cashier" in row
        entry = await shop.office.store.read(lambda db: redemptions.numbered(db, 1))
        assert entry is not None
        assert entry.cashier == "cashier"

    play(story)


def test_an_answer_is_for_the_browser_that_asked() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        one, other = await shop.somebody(Role.CASHIER), await shop.somebody(Role.MANAGER)
        await one.send_form("/desk/redeem", code="NOSUCH-CODE", what="coupon")
        assert 'class="answer' not in (await other.get("/desk")).text
        assert 'class="answer bad"' in (await one.get("/desk")).text

    play(story)


def test_an_amount_that_is_none_redeems_nothing() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        _, short, _ = await coupon_on_paper(shop.engine, line)
        cashier = await shop.somebody(Role.CASHIER)
        for wrong in ({"code": short, "amount": "12.345"}, {"code": short, "amount": "many"}, {"code": " "}):
            answer = await cashier.send_form("/desk/redeem", what="coupon", **wrong)
            assert answer.status_code == 422
            assert 'class="fault"' in answer.text
        assert await shop.rows_of("redemptions") == []

    play(story)


def test_wrong_codes_lock_typing_and_the_page_says_for_how_long() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        _, short, _ = await coupon_on_paper(shop.engine, line)
        cashier, program = await shop.somebody(Role.CASHIER), await shop.token(Role.CASHIER, writes=True)
        for _ in range(3):
            said = (await program.post("/api/v1/desk/redeem", json={"code": "22222-22222"})).json()
            assert said["answer"] == "unknown"
        assert 0 < said["locked_s"] <= 600
        text = (await cashier.get("/desk")).text
        assert "typing is locked for 10 min" in text
        assert "disabled" in text
        said = (await program.post("/api/v1/desk/redeem", json={"code": short})).json()
        assert (said["answer"], said["is_final"]) == ("locked", False)
        pick_up = (await program.post("/api/v1/desk/redeem", json={"code": "17", "what": "pick_up"})).json()
        assert pick_up["answer"] == "locked", "nor is a pick-up guessed meanwhile"

    play(story, "desk.typed_tries=3")


def test_a_scan_is_told_to_open_pages_and_shown_without_its_code() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        told: list[str] = []
        desk = shop.office.part(ScanDesk)
        assert desk is not None
        desk.subscribe(lambda seen: told.append(seen.answer))
        scanner = await FakeScanner.connect(shop.engine)
        code, _, _ = await coupon_on_paper(shop.engine, line)
        assert await scanner.scan(code, Kind.COMEBACK)
        await until(lambda: bool(told))
        cashier = await shop.somebody(Role.CASHIER)
        text = (await cashier.get("/desk/now")).text
        assert "<b>Redeemed</b>" in text
        assert "Comeback coupon" in text
        assert code not in text
        await scanner.leave()

    play(story)


def test_a_scanner_is_armed_for_what_somebody_takes_and_for_nothing_else() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        scanner = await FakeScanner.connect(shop.engine)
        await until(lambda: bool(shop.office.part(ScanDesk).scanners))  # type: ignore[union-attr]
        cashier = await shop.somebody(Role.CASHIER)
        desk = shop.office.part(ScanDesk)
        assert desk is not None
        assert (await cashier.send_form("/desk/arm", scanner="scanner1", mode="coupon")).status_code == 303
        assert (await scanner.armed()).mode == "coupon"
        assert (await cashier.send_form("/desk/arm", scanner="scanner1", mode="payment")).status_code == 422
        assert (await cashier.send_form("/desk/arm", scanner="scanner1", mode="member")).status_code == 422
        assert (await cashier.send_form("/desk/arm", scanner="other", mode="coupon")).status_code == 404
        await scanner.leave()

    play(story)


def test_a_shift_is_closed_printed_listed_and_exported() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        _, short, _ = await coupon_on_paper(shop.engine, line)
        cashier = await shop.somebody(Role.CASHIER)
        await cashier.send_form("/desk/redeem", code=short, what="coupon")
        await printed(line)
        assert "Shift 1" in (await cashier.get("/desk/shift")).text
        assert (await cashier.send_form("/desk/shift/close")).status_code == 303
        await printed(line)
        assert "Shift 1" in (await cashier.get("/desk/shifts")).text
        shift = (await cashier.get("/api/v1/desk/shifts/1")).json()
        assert (shift["who"], shift["total"]["count"], len(shift["slips"])) == ("cashier", 1, 1)
        sheet = await cashier.get("/desk/shift.csv", params={"number": 1})
        assert sheet.content.startswith("\ufeffnumber,time".encode())
        assert "shift-1.csv" in sheet.headers["content-disposition"]
        assert len(sheet.text.splitlines()) == 2
        assert (await cashier.get("/desk/shift", params={"number": 9})).status_code == 404
        assert (await cashier.get("/api/v1/desk/shifts")).json()["shifts"][0]["slips"] == 1

    play(story)


def test_a_redemption_is_taken_back_by_a_manager_with_a_reason_and_once() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        _, short, _ = await coupon_on_paper(shop.engine, line)
        cashier, manager = await shop.somebody(Role.CASHIER), await shop.somebody(Role.MANAGER)
        await cashier.send_form("/desk/redeem", code=short, what="coupon")
        await printed(line)
        path = "/desk/slips/1/take-back"
        assert "take-back" not in (await cashier.get("/desk/shift")).text
        assert (await cashier.send_form(path, reason="wrong")).status_code == 403
        await manager.send_form(path, reason="  ")
        assert "Please say why" in (await manager.get("/desk/shift")).text
        await manager.send_form(path, reason="wrong coupon")
        await printed(line)
        assert "No. 1 was taken back" in (await manager.get("/desk/shift")).text
        await manager.send_form(path, reason="again")
        assert "had been taken back before" in (await manager.get("/desk/shift")).text
        (row,) = [one for one in await shop.rows_of("audit") if "redemption taken back" in one]
        assert {"manager", "wrong coupon"} <= set(row)
        program = await shop.token(Role.MANAGER, writes=True)
        refusal = await program.post("/api/v1/desk/slips/7/take-back", json={"reason": "x"})
        assert (refusal.status_code, refusal.json()["reason"]) == (404, "not_found")

    play(story)


def test_a_conflict_is_shown_until_somebody_has_looked_at_it() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        entry = {"request": "ab" * 16, "code": "cd" * 16, "source": "signed", "coupon": "C20", "value_minor": 2000}
        used = RedemptionRecord(at=NOW, state=RedemptionState.REDEEMED, number=5, offline=True, shift=1, **entry)
        other = {"reason": "used", "other": "<b>elsewhere</b>", "other_at": NOW - 60, "settles": 5}
        against = RedemptionRecord(at=NOW, state=RedemptionState.CONFLICT, **entry, **other)
        await shop.office.store.record(used, against)
        manager = await shop.somebody(Role.MANAGER)
        text = (await manager.get("/desk/conflicts")).text
        assert "Already used" in text
        assert "&lt;b&gt;elsewhere" in text
        assert [one.key for one in await shop.office.troubles()] == ["conflict"]
        assert (await manager.send_form("/desk/conflicts/5/seen")).status_code == 303
        assert await shop.office.troubles() == ()
        assert "Seen by manager" in (await manager.get("/desk/conflicts")).text
        assert (await manager.send_form("/desk/conflicts/5/seen")).status_code == 404

    play(story)


def test_a_desk_behind_a_handover_is_opened_by_a_manager_alone() -> None:
    async def story(shop: Shop, line: FakeLine) -> None:
        handover = shop.engine.desk.handover
        assert handover is not None
        await shop.office.store.change(redemptions.put_unknown)
        await handover.open(alone=True)
        cashier, manager = await shop.somebody(Role.CASHIER), await shop.somebody(Role.MANAGER)
        text = (await cashier.get("/desk")).text
        assert "has taken over from a broken one" in text
        assert "/desk/open" not in text
        assert (await cashier.send_form("/desk/open")).status_code == 403
        assert handover.is_closed
        assert 'action="/desk/open"' in (await manager.get("/desk")).text
        assert (await manager.send_form("/desk/open")).status_code == 303
        assert not handover.is_closed
        (row,) = [one for one in await shop.rows_of("audit") if "desk opened" in one]
        assert "manager" in row
        assert (await manager.send_form("/desk/open")).status_code == 404, "it is open"

    play(story)
