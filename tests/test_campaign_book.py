"""The shop's own campaigns: drafted first, then in force; over the file's rules, never over the fleet's."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.campaign_book import DAYS_MAX, FACT, MULTIPLY_MAX_PCT, OWN_MAX, CampaignBook, Change, check_limits, row_of
from edgebox.engine import Engine
from edgebox.errors import ConfigError
from edgebox.loyalty.campaigns import Campaign, Stack
from edgebox.loyalty.windows import Window
from edgebox.reports.rehearse import DAYS, RECEIPTS_MAX, rehearse
from edgebox.rules_file import read_campaigns
from edgebox.store.events import ClaimRecord, ClaimState, ReceiptRecord
from tests.line_of_engine import NOW, running

RULES = """
schema = 1
rev = 7
currency = "CNY"
[[tier]]
id = "base"
spend_per_point = 100
[[campaign]]
id = "tea-time"
multiply_pct = 200
when = { start = "2026-11-01", end = "2026-11-30" }
"""
DOUBLE = {"multiply_pct": 200, "when": {"start": "2026-11-20", "end": "2026-11-30"}}
Story = Callable[[Engine, CampaignBook], Awaitable[None]]


def play(folder: Path, story: Story, rules: str = RULES) -> None:
    path = folder / "rules.toml"
    path.write_text(rules)

    async def told() -> None:
        async with running(folder, f"points.rules={path}") as engine:
            assert engine.store is not None
            book = CampaignBook(engine)
            await book.open(engine.store)
            await story(engine, book)

    asyncio.run(told())


def in_force(engine: Engine) -> dict[str, int]:
    return {one.id: one.multiply_pct for one in engine.decisions.awards.rules.campaigns}


def wanted(row: dict[str, Any], name: str = "", **more: Any) -> Change:
    return Change(id=name, row={"id": name, **row} if name else row, by="wang", **more)


def test_a_draft_gives_no_points_until_somebody_puts_it_in_force(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        draft = await book.draft(wanted(DOUBLE, title="双十一"), 0)
        assert in_force(engine) == {"tea-time": 200}
        assert [(one.id, one.title, one.now) for one in await book.standings()][1] == (draft.id, "双十一", None)
        await book.put_in_force(draft.id, 1)
        assert in_force(engine) == {"tea-time": 200, draft.id: 200}
        assert book.book.drafts == ()

    play(tmp_path, story)


def test_what_is_in_force_is_so_again_behind_a_restart(tmp_path: Path) -> None:
    async def before(engine: Engine, book: CampaignBook) -> None:
        await book.draft(wanted({"multiply_pct": 150}, "tea-time"), 0)
        await book.put_in_force("tea-time", 1)

    async def behind(engine: Engine, book: CampaignBook) -> None:
        assert in_force(engine) == {"tea-time": 150}
        assert book.book.revision == 2

    play(tmp_path, before)
    play(tmp_path, behind)


def test_a_campaign_of_the_file_is_stopped_at_once_and_can_come_back(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        await book.stop_campaign("tea-time", 0, "wang")
        assert in_force(engine) == {}
        await book.draft(wanted(DOUBLE, "tea-time"), 1)
        await book.put_in_force("tea-time", 2)
        assert in_force(engine) == {"tea-time": 200}

    play(tmp_path, story)


def test_an_own_campaign_that_is_stopped_stays_as_a_draft(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        own = await book.draft(wanted(DOUBLE), 0)
        await book.put_in_force(own.id, 1)
        await book.stop_campaign(own.id, 2, "wang")
        assert in_force(engine) == {"tea-time": 200}
        assert [one.id for one in book.book.drafts] == [own.id]
        await book.discard(own.id, 3)
        assert [one.id for one in await book.standings()] == ["tea-time"]

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("row", "name", "reason"),
    [
        ({"multiply_pct": 301, "when": {"end": "2026-11-30"}}, "", "multiply"),
        ({"multiply_pct": 200, "bonus": 5, "when": {"end": "2026-11-30"}}, "", "bonus"),
        ({"multiply_pct": 200}, "", "end"),
        ({"multiply_pct": 200, "when": {"end": "2026-11-17"}}, "", "end"),
        ({"multiply_pct": 200, "when": {"end": "2027-03-30"}}, "", "end"),
        ({"multiply_pct": 200, "when": {"start": "2026-11-30", "end": "2026-11-20"}}, "tea-time", "bad_rules"),
        ({"multiply_pct": 99}, "tea-time", "bad_rules"),
        ({"multiply_pct": 100}, "tea-time", "bad_rules"),
        ({"multiply_pct": 200, "points": 3}, "tea-time", "bad_rules"),
        ({"multiply_pct": 200, "when": {"from": "25:00", "to": "26:00"}}, "tea-time", "bad_rules"),
    ],
)
def test_nothing_beyond_the_limits_becomes_even_a_draft(row: dict[str, Any], name: str, reason: str) -> None:
    filed = Campaign("tea-time", multiply_pct=200) if name else None
    with pytest.raises(ConfigError) as refused:
        check_limits(wanted(row, name or "own-1"), filed, date(2026, 11, 18))
    assert refused.value.reason == reason


def test_two_managers_do_not_undo_each_other(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        with pytest.raises(ConfigError) as refused:
            await book.draft(wanted(DOUBLE | {"multiply_pct": 900}), 0)
        assert (refused.value.reason, book.book.revision) == ("multiply", 0)
        first = await book.draft(wanted(DOUBLE), 0)
        for act in (book.draft(wanted(DOUBLE), 0), book.put_in_force(first.id, 0), book.discard(first.id, 0)):
            with pytest.raises(ConfigError) as refused:
                await act
            assert refused.value.reason == "revision"

    play(tmp_path, story)


def test_the_fleets_rules_win_and_nothing_is_changed_under_them(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        draft = await book.draft(wanted(DOUBLE), 0)
        await book.put_in_force(draft.id, 1)
        theirs = engine.decisions.awards.rules._replace(campaigns=(Campaign("theirs", multiply_pct=120),))
        engine.decisions.use_rules(theirs)
        with pytest.raises(ConfigError) as refused:
            await book.stop_campaign("theirs", 2, "wang")
        assert refused.value.reason == "fleet"
        assert [one.id for one in await book.standings()] == ["theirs"]
        engine.decisions.use_rules(None)
        assert in_force(engine) == {"tea-time": 200, draft.id: 200}, "ours are there again when theirs are gone"

    play(tmp_path, story)


def test_a_change_that_can_not_be_read_any_more_is_left_out_and_said(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        assert engine.store is not None
        bad = b'{"revision":3,"force":[{"id":"tea-time","row":{"id":"tea-time","multiply_pct":"much"}}]}'
        await engine.store.put(FACT, bad)
        await book.open(engine.store)
        assert in_force(engine) == {"tea-time": 200}
        assert engine.health.states()["campaigns"] == "warning"

    play(tmp_path, story)


def test_there_are_no_more_campaigns_than_a_page_shows(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        for revision in range(OWN_MAX):
            await book.draft(wanted(DOUBLE), revision)
        with pytest.raises(ConfigError) as refused:
            await book.draft(wanted(DOUBLE), OWN_MAX)
        assert refused.value.reason == "too_many"

    play(tmp_path, story)


def test_a_rehearsal_says_what_the_last_receipts_would_have_earned(tmp_path: Path) -> None:
    async def story(engine: Engine, book: CampaignBook) -> None:
        assert engine.store is not None
        for number in range(230):
            name, minor = f"{number:032x}", 1000 if number % 2 else 5000
            receipt = ReceiptRecord(
                at=NOW - number, session="ab" * 8, document=number, line="line1", kind="sale", amount_minor=minor,
                currency="CNY", claim=name, points=minor // 100, voided=number == 0,
            )  # fmt: skip
            claim = ClaimRecord(
                at=NOW - number, claim=name, state=ClaimState.GRANTED, url="x", amount_minor=minor, currency="CNY",
                decimals=2, points=minor // 100, line="line1", session="ab" * 8, document=number,
            )  # fmt: skip
            await engine.store.record(receipt, claim)
        row = {"multiply_pct": 300, "min_spend": 2000, "when": {"start": "2026-12-01", "end": "2026-12-11"}}
        then = book.rehearsed(Change(id="own-1", row={"id": "own-1", **row}))
        found = await rehearse(engine.store, engine.decisions.awards.rules, then, NOW - 86_400, NOW + 1)
        # 229 receipts: 114 of 50.00, 115 of 10.00; tea-time doubles all, and the better of two counts.
        assert (found.receipts, found.touched, found.is_whole) == (229, 114, True)
        assert found.points == 2 * (114 * 50 + 115 * 10)
        assert found.points_with == 3 * 114 * 50 + 2 * 115 * 10

    play(tmp_path, story)


windows = st.builds(
    lambda days, start, end: Window(days, start=start, end=end),
    st.frozensets(st.integers(0, 6)),
    st.dates(date(2026, 1, 1), date(2026, 6, 1)),
    st.dates(date(2026, 6, 1), date(2027, 1, 1)),
) | st.builds(
    lambda begin, long: Window(from_minute=begin, to_minute=min(begin + long, 1440)),
    st.integers(0, 1438),
    st.integers(1, 600),
)


@given(
    st.builds(
        Campaign,
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
        windows,
        st.integers(0, 10**6),
        st.integers(101, 1000),
        st.integers(0, 100),
        st.sampled_from(Stack),
        st.sampled_from(("multiplier", "house")),
        st.integers(-100, 100),
        st.booleans(),
    )
)
def test_a_campaign_written_down_and_read_again_is_the_same(campaign: Campaign) -> None:
    assert read_campaigns([row_of(campaign)], "test") == (campaign,)


def test_the_manual_says_the_limits_of_the_code() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "points.md").read_text("utf-8")
    assert f"At most {MULTIPLY_MAX_PCT // 100} times the points" in manual
    assert f"a last day within {DAYS_MAX} days, and there are at most {OWN_MAX} of them" in manual
    assert f"the last {DAYS} days ({RECEIPTS_MAX:,} at most)" in " ".join(manual.split())
