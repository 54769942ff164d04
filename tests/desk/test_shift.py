"""The shift: its tally equals the ledger and the slips, by cashier, coupon and batch; a closed one never changes."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.desk.codes import Scan
from edgebox.desk.tally import Written, as_csv, tally
from edgebox.store.events import AuditRecord, RedemptionState, Stream
from edgebox.store.peek import bodies
from edgebox.store.redemptions import Entry
from tests.desk.shop import CloudOfTest, FakeLine, recorded, shop, slip, yes

REPORT = (
    b"CORNER SHOP\n*** Z REPORT ***\n2026-11-18 23:00:00\nRECEIPTS        1\nGROSS SALES   60.00\n"
    b"CASH          60.00\nTOTAL         60.00\n\n\n"
)

SALE = b"CORNER SHOP\nNO: 000001\n2026-11-18 18:42:07\nTEA 60.00\nTOTAL 60.00\nCASH 60.00\n\n\n"


def entry(number: int, **changes: object) -> Entry:
    plain = Entry(
        number, 1, "redeemed", "", "tea", "s-7", 500, 10, "07", False, "cloud", "", 1, "line1", 0, f"r{number}",
        f"c{number}", 0, number,
    )  # fmt: skip
    return plain._replace(**changes)  # type: ignore[arg-type]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["07", "08", ""]),
            st.sampled_from(["tea", "cake", ""]),
            st.sampled_from(["s-1", "s-2", ""]),
            st.integers(0, 10**6),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_every_way_to_cut_a_shift_has_the_same_sum(rows: list[tuple[str, str, str, int, bool]]) -> None:
    entries = [
        entry(number, cashier=cashier, coupon=coupon, stock=stock, value_minor=value,
              state="reversed" if back else "redeemed")
        for number, (cashier, coupon, stock, value, back) in enumerate(rows, 1)
    ]  # fmt: skip
    found = tally(entries)
    for sums in (found.by_cashier, found.by_coupon):
        assert tuple(map(sum, zip((0, 0, 0), *[one for _, one in sums], strict=True))) == found.total
    with_stock = [one for one in entries if one.stock]
    assert sum(one[1] for _, one in found.by_stock) == tally(with_stock).total[1]
    listed = list(csv.DictReader(io.StringIO(as_csv(entries, WRITTEN))))
    sums = (sum(int(row[name]) for row in listed) for name in ("count", "value", "points"))
    assert tuple(sums) == found.total, "a person who adds up the columns gets the tally"


WRITTEN = Written(str, str, "CNY")


@given(
    st.sampled_from(["=", "+", "-", "@", "\t=", "\r=", " =", "\n-"]),
    st.sampled_from(["reason", "coupon", "stock", "cashier", "line"]),
)
def test_a_spreadsheet_runs_nothing_that_anybody_typed(begins: str, field: str) -> None:
    [row] = csv.DictReader(
        io.StringIO(as_csv([entry(1, **{field: f"{begins}cmd|' /C calc'!A0"})], WRITTEN), newline="")
    )
    name = {"stock": "batch"}.get(field, field)
    assert row[name].startswith("'")
    assert all(not text.lstrip().startswith(("=", "+", "@")) for text in row.values())


def test_excel_is_told_that_it_is_utf_8() -> None:
    raw = as_csv([entry(1, coupon="奶茶")], WRITTEN, bom=True).encode()
    assert raw.startswith(b"\xef\xbb\xbfnumber,")
    assert raw.count(b"\r\n") == 2


def added_up(slips: list[str]) -> tuple[int, int, int]:
    """What a person comes to who adds up the slips: how many, minor units, points."""
    text = "\n".join(slips)
    minor = sum(int(found.replace(".", "")) for found in re.findall(r"value (-?\d+\.\d\d) ", text))
    count = len(re.findall(r"Redeemed \d", text)) - len(re.findall(r"takes back \d", text))
    return count, minor, sum(map(int, re.findall(r"points (-?\d+)", text)))


def test_the_tally_equals_ledger_and_slips(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            engine.desk.use_cloud(CloudOfTest(C1=yes(500), C2=yes(700), C3=yes(900, points=20)))
            drawer = []
            for code, cashier in (("C1", "07"), ("C2", "08"), ("C3", "07")):
                await engine.desk.redeem(Scan(code, cashier))
                drawer.append((await slip(line))[1])
            await engine.desk.reverse(2, "08", "wrong bill")
            drawer.append((await slip(line))[1])
            assert added_up(drawer) == (2, 1400, 20)
            assert await engine.desk.close_shift("boss")
            _, said = await slip(line)
            assert "cashier 07 2 14.00 20p" in said
            assert "cashier 08 0" in said
            assert "coupon tea 2 14.00 20p" in said
            assert "batch s-7 2 14.00 20p" in said
            assert "taken back 4" in said
            assert "total 2 14.00 20p" in said
            engine.desk.use_cloud(CloudOfTest(C4=yes()))
            await engine.desk.redeem(Scan("C4"))
            _, said = await slip(line)
            assert "Redeemed 5" in said
            assert "in this shift 1" in said

    asyncio.run(play())
    ledger = recorded(tmp_path)
    first = [one for one in ledger if one.shift == 1]
    signs = {RedemptionState.REDEEMED: 1, RedemptionState.REVERSED: -1}
    assert sum(signs[one.state] * one.value_minor for one in first) == 1400
    assert [one.offline for one in ledger] == [False] * 5
    assert [(one.number, one.shift) for one in ledger] == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)]

    audit = [msgspec.json.decode(body, type=AuditRecord) for body in bodies(tmp_path / "data", Stream.AUDIT)]
    assert [(one.who, one.what, one.target) for one in audit] == [("boss", "shift closed", "1")]
    assert audit[0].after == "slips 1-4: 2 redeemed, 1400 minor units, 20 points"


def test_behind_the_tills_own_report_come_its_check_and_then_the_tally(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, 'slip.show=["points", "z_check"]') as engine:
            line = await FakeLine.connect(engine)
            engine.desk.use_cloud(CloudOfTest(C1=yes()))
            await engine.desk.redeem(Scan("C1"))
            await slip(line)
            answer = await line.answer(7, REPORT)
            assert not answer.body
            line.outcome(7, 2)  # type: ignore[arg-type]
            assert type(await line.next()).__name__ == "Done"
            _, check = await slip(line)
            assert "Report check" in check, "on paper: the report, its check, the tally"
            _, sums = await slip(line)
            assert "Redemptions of this shift" in sums
            assert "total 1 5.00" in sums
            assert engine.desk.counter is not None
            assert engine.desk.counter.shift.number == 2

    asyncio.run(play())


@pytest.mark.parametrize(("receipts", "verdict"), [(1, "equal"), (2, "the till reports +1 receipts than seen")])
def test_the_check_counts_what_the_box_saw(receipts: int, verdict: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path, 'slip.show=["points", "z_check"]', "desk.tally_with_report=false") as engine:
            line = await FakeLine.connect(engine)
            await line.print_receipt(1, SALE)
            report = REPORT.replace(b"RECEIPTS        1", b"RECEIPTS        %d" % receipts)
            assert not (await line.answer(2, report)).body
            line.outcome(2, 2)  # type: ignore[arg-type]
            assert type(await line.next()).__name__ == "Done"
            _, check = await slip(line)
            assert verdict in check

    asyncio.run(play())


def test_a_report_without_any_redemption_ends_no_shift(tmp_path: Path) -> None:
    async def play() -> None:
        async with shop(tmp_path) as engine:
            line = await FakeLine.connect(engine)
            await line.answer(7, REPORT)
            line.outcome(7, 2)  # type: ignore[arg-type]
            assert type(await line.next()).__name__ == "Done"
            assert engine.desk.counter is not None
            assert not await engine.desk.shifts.close("", 1, is_asked=False)  # type: ignore[union-attr]
            assert engine.desk.counter.shift.number == 1

    asyncio.run(play())
