"""A member's code at the counter: who it is, as far as the table says, and whose the next sale is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.desk.answers import Answer, Beep
from edgebox.engine import Engine
from edgebox.keys import field_key
from edgebox.line.frames import Result
from edgebox.loyalty.members import Members, pack
from edgebox.member_at_till import BY_SCAN, AtTill, Bill
from edgebox.model import DocumentKind, Modifier, Receipt
from edgebox.receipt.redact import Pseudonyms
from edgebox.rules_file import parse_rules
from edgebox.scan.codes import Kind
from edgebox.slip_files import slip_from
from edgebox.slips.template import Template
from tests.desk.shop import KEYS, NOW, FakeLine, on_disk, shop, slip, until
from tests.line_of_engine import RECEIPT, REPRINT, RESETTLED, recorded

ANNA, BEN = "VIP:8613800138000", "VIP:8613900139000"
HASHES = Pseudonyms(field_key(KEYS))
TIERS = parse_rules(
    'schema = 1\nrev = 1\ncurrency = "CNY"\n[[tier]]\nid = "base"\nspend_per_point = 100\n'
    '[[tier]]\nid = "Gold"\nspend_per_point = 10\n',
    "rules",
)
AS_OF = NOW - 3600


def hashed(code: str) -> str:
    return HASHES.of("member", code)


def table(as_of: int = AS_OF, max_age_s: int = 86_400) -> Members:
    rows = pack([(hashed(ANNA), 0, 0, 1240), (hashed(BEN), 255, 255, 40)])
    return Members(rows, ("Gold",), ("at-risk",), as_of, max_age_s)


def written(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def receipt(number: int, raw: bytes = RECEIPT) -> bytes:
    return raw.replace(b"000417", b"%06d" % number)


async def with_table(engine: Engine) -> FakeLine:
    engine.decisions.use_members(table())
    engine.decisions.use_rules(TIERS)
    line = await FakeLine.connect(engine)
    await until(lambda: "line1" in engine.lines)
    return line


def test_a_known_member_is_told_with_the_points_and_when_they_were_so_many(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, "shop.tz=UTC") as engine:
            line = await with_table(engine)
            said = engine.desk.services.member(f"{ANNA}\r")
            assert (said.answer, said.beep) == (Answer.MEMBER, Beep.GOOD)
            assert said.detail == f"Gold 1,200+ ({written(AS_OF)})"
            _, words = await slip(line)
            assert "Gold" in words
            assert f"1,200 points or more (as of {written(AS_OF)})" in words
            assert "The next sale is this member's" in words

    asyncio.run(play())


@pytest.mark.parametrize(
    ("members", "answer", "said"),
    [
        (table(), Answer.STRANGER, "Not in the table of members"),
        (None, Answer.STRANGER, "Not in the table of members"),
        (table(NOW - 86_401), Answer.STALE, "The table of members is too old"),
    ],
)
def test_who_is_not_known_gets_the_usual_words_and_the_sale_all_the_same(
    members: Members | None, answer: Answer, said: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with shop(tmp_path, "shop.tz=UTC") as engine:
            line = await with_table(engine)
            engine.decisions.use_members(members)
            assert engine.desk.services.member("VIP:1").answer is answer
            assert said in (await slip(line))[1]
            await line.print_receipt(1, receipt(1))

    asyncio.run(play())
    assert [one.member for one in recorded(tmp_path)] == [hashed("VIP:1")]


def test_the_next_sale_earns_by_the_members_tier_and_the_one_after_it_does_not(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.print_receipt(1, receipt(1))
            await line.print_receipt(2, receipt(2))

    asyncio.run(play())
    first, second = recorded(tmp_path)
    assert (first.points, first.member, first.attached) == (339, hashed(ANNA), (BY_SCAN,))
    assert (second.points, second.member, second.attached) == (33, "", ())
    everything = on_disk(tmp_path)
    assert ANNA.encode() not in everything
    assert b"13800138000" not in everything


def test_slips_for_a_segment_or_tier_are_the_scanned_members(tmp_path: Path) -> None:
    def words_for(name: str, when: dict[str, list[str]]) -> Template:
        block = [{"type": "text", "text": f"hello {name}"}]
        return slip_from({"name": name, "purpose": "link", "when": when, "block": block}, name)

    async def play() -> None:
        async with shop(tmp_path) as engine:
            more = [words_for("risky", {"segments": ["at-risk"]}), words_for("usual", {"unless": ["member"]})]
            engine.decisions.use_slips(more, ["points", "risky", "usual"])
            line = await with_table(engine)
            for code in (ANNA, "VIP:1"):
                engine.desk.services.member(code)
                await slip(line)
                await line.print_receipt(len(code), receipt(len(code)))
            engine.decisions.use_members(table(NOW - 86_401))
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.print_receipt(3, receipt(3))

    asyncio.run(play())
    assert [one.slips for one in recorded(tmp_path)] == [("points", "risky"), ("points", "usual"), ("points", "usual")]


def test_a_members_code_is_in_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.print_receipt(1, receipt(1))
            assert engine.desk.hash_of(Kind.MEMBER, ANNA) == hashed(ANNA), "scans carry the hash of receipts"

    asyncio.run(play())
    assert "13800138000" not in caplog.text


def test_scanning_another_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            for code in (ANNA, BEN):
                engine.desk.services.member(code)
                await slip(line)
            await line.print_receipt(1, receipt(1))
            await line.print_receipt(2, receipt(2))

    asyncio.run(play())
    assert [one.member for one in recorded(tmp_path)] == [hashed(BEN), ""]


def test_after_its_time_the_scan_is_forgotten(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, "desk.member_s=120") as engine:
            line = await with_table(engine)
            now = 1000.0
            engine.decisions.at_till = AtTill(lambda: now)
            engine.desk.services.member(ANNA)
            await slip(line)
            now += 120
            await line.print_receipt(1, receipt(1))

    asyncio.run(play())
    assert [one.member for one in recorded(tmp_path)] == [""]


def test_two_sales_at_once_are_not_both_the_members(tmp_path: Path) -> None:
    """The first one isn't on disk when the second is decided."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member(ANNA)
            await slip(line)
            first = await line.answer(1, receipt(1))
            second = await line.answer(2, receipt(2))
            await line.done(1, ref=first.ref)
            await line.done(2, ref=second.ref)

    asyncio.run(play())
    assert sorted(one.member for one in recorded(tmp_path)) == ["", hashed(ANNA)]


def test_a_card_that_the_till_prints_too_is_used_up_by_that_sale(tmp_path: Path) -> None:
    printed = RECEIPT.replace(b"MILK", b"Member No: 8613800138000\nMILK")

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member("8613800138000")
            await slip(line)
            await line.print_receipt(1, receipt(1, printed))
            await line.print_receipt(2, receipt(2))

    asyncio.run(play())
    first, second = recorded(tmp_path)
    assert (first.member, first.attached) == (hashed("8613800138000"), ()), "paper counts for more"
    assert second.member == ""


def test_the_same_member_buys_twice_and_scans_twice(tmp_path: Path) -> None:
    """The second scan comes before the first sale is on disk."""

    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member(ANNA)
            await slip(line)
            first = await line.answer(1, receipt(1))
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.done(1, ref=first.ref)
            await line.print_receipt(2, receipt(2))
            await line.print_receipt(3, receipt(3))

    asyncio.run(play())
    assert [one.member for one in recorded(tmp_path)] == [hashed(ANNA), hashed(ANNA), ""]


def test_a_copy_a_reprint_and_a_bill_settled_again_use_up_no_scan(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            await line.print_receipt(1, receipt(1))
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.print_receipt(2, receipt(1))  # the last customer's, once more
            await line.print_receipt(3, receipt(1, REPRINT))
            await line.print_receipt(4, receipt(1, RESETTLED))
            await line.print_receipt(5, receipt(2))
            engine.desk.services.member(ANNA)
            await slip(line)
            await line.print_receipt(6, receipt(2, RESETTLED))
            await line.print_receipt(7, receipt(3))

    asyncio.run(play())
    found = [one.member for one in recorded(tmp_path)]
    assert found == ["", "", "", "", *[hashed(ANNA)] * 3], (
        "a bill settled again is the member's still, and uses up no scan"
    )


def test_a_document_that_a_line_sends_again_is_one_sale(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            engine.desk.services.member(ANNA)
            await slip(line)
            answer = await line.answer(1, receipt(1))
            await line.leave(engine)  # before its outcome; and here it is again
            again = await FakeLine.connect(engine)
            again.document(1, receipt(1) + b"\x1dV\x00")
            again.end(1, receipt(1), ask=False, replay=True, ref=answer.ref)
            again.outcome(1, Result.INSERTED, answer.ref)
            await again.next()
            await again.print_receipt(2, receipt(2))

    asyncio.run(play())
    assert [one.member for one in recorded(tmp_path)] == [hashed(ANNA), ""]


def test_after_a_restart_the_code_is_scanned_again(tmp_path: Path) -> None:
    async def first() -> None:
        async with shop(tmp_path) as engine:
            await with_table(engine)
            engine.desk.services.member(ANNA)

    async def second() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            await line.print_receipt(1, receipt(1))

    asyncio.run(first())
    asyncio.run(second())
    assert [one.member for one in recorded(tmp_path)] == [""]


def test_with_several_lines_a_scanner_of_no_line_names_nobodys_sale(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await with_table(engine)
            other = await FakeLine.connect(engine, "line2", b"\x02" * 8)
            await until(lambda: len(engine.lines) == 2)
            engine.desk.services.member(ANNA)
            assert "next sale" not in (await slip(line))[1]
            await other.print_receipt(1, receipt(1))
            engine.desk.services.member(ANNA, "line2")
            assert "next sale" in (await slip(other))[1]
            await line.print_receipt(2, receipt(2))
            await other.print_receipt(3, receipt(3))

    asyncio.run(play())
    assert {one.number: one.member for one in recorded(tmp_path)} == {
        "000001": "", "000002": "", "000003": hashed(ANNA),
    }  # fmt: skip


def test_without_keys_nobody_is_known_and_nothing_is_recorded(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, keys=None) as engine:
            line = await with_table(engine)
            assert engine.desk.services.member(ANNA).answer is Answer.STRANGER
            assert "next sale" not in (await slip(line))[1]
            assert engine.decisions.at_till.shown("line1") == ""

    asyncio.run(play())


# --- whose sale it is, in every order of things ------------------------------------------------------------------

KINDS = st.sampled_from([DocumentKind.SALE, DocumentKind.REFUND, DocumentKind.KITCHEN])
MODIFIERS = st.sampled_from([(), (Modifier.REPRINT,), (Modifier.COPY,), (Modifier.SPLIT,)])
STEP = st.one_of(
    st.tuples(st.just("scan"), st.sampled_from([ANNA, BEN])),
    st.tuples(st.just("wait"), st.integers(0, 130)),
    st.tuples(st.just("paper"), KINDS, MODIFIERS, st.integers(1, 6)),
)


@given(st.lists(STEP, max_size=30))
def test_one_scan_is_one_sale_however_often_documents_come(steps: list[tuple[object, ...]]) -> None:
    now, scans = 0.0, 0
    till = AtTill(lambda: now)
    given_to: set[bytes] = set()
    for step in steps:
        if step[0] == "scan":
            till.show("line1", str(step[1]), 120)
            scans += 1
        elif step[0] == "wait":
            now += int(str(step[1]))
        else:
            _, kind, modifiers, number = step
            name = bytes([int(str(number))])
            paper = Receipt(kind, modifiers)  # type: ignore[arg-type]
            ahead = till.attached("line1", paper)
            found = till.attached("line1", paper, name, Bill())
            assert not found.details.member or ahead.details.member or name in given_to, "the pause promised it"
            if found.details.member:
                given_to.add(name)
                assert kind is DocumentKind.SALE
    assert len(given_to) <= scans
