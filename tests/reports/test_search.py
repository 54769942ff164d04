"""Whatever is asked for is found, page by page, once each and newest first."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import ReportError
from edgebox.reports import search
from edgebox.reports.search import ReceiptRow, Wanted
from edgebox.store.store import Store
from tests.reports.shop import fill

COUNT = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shop")
    fill(made, COUNT, papers=COUNT)
    return made


async def pages(store: Store, wanted: Wanted, limit: int) -> list[ReceiptRow]:
    """All pages."""
    out: list[ReceiptRow] = []
    while True:
        found = await search.search(store, wanted, limit)
        assert len(found.rows) <= limit
        out += found.rows
        if not found.next:
            return out
        wanted = wanted._replace(after=found.next)


def ask(folder: Path, wanted: Wanted, limit: int = 37) -> list[ReceiptRow]:
    async def play() -> list[ReceiptRow]:
        store = Store.open(folder)
        try:
            return await pages(store, wanted, limit)
        finally:
            await store.close()

    return asyncio.run(play())


def test_all_pages_together_are_all_receipts_newest_first(folder: Path) -> None:
    rows = ask(folder, Wanted())
    assert [row.document for row in rows] == list(reversed(range(COUNT)))


wanted = st.builds(
    Wanted,
    number=st.sampled_from(["", "000123", "23", "9", "x"]),
    least_minor=st.none() | st.integers(0, 21_000),
    most_minor=st.none() | st.integers(0, 21_000),
    kind=st.sampled_from(["", "sale", "void", "report", "kitchen"]),
    line=st.sampled_from(["", "till-1", "till-2", "nobody"]),
    only=st.sampled_from(["", "codes", "unread", "reports"]),
    since=st.just(-search.AT_MAX),
    until=st.just(search.AT_MAX),
    text=st.just(""),
    after=st.just(""),
)


def fits(row: ReceiptRow, wanted: Wanted) -> bool:
    minor = row.amount_minor
    return (
        row.number.endswith(wanted.number)
        and (wanted.least_minor is None or (minor is not None and minor >= wanted.least_minor))
        and (wanted.most_minor is None or (minor is not None and minor <= wanted.most_minor))
        and wanted.kind in ("", row.kind)
        and wanted.line in ("", row.line)
        and (wanted.only != "codes" or (row.claim != "" and not row.voided))
        and (wanted.only != "reports" or row.z_check != "")
        and (wanted.only != "unread" or (minor is None and row.kind in ("sale", "refund", "void", "other")))
    )


@settings(max_examples=40, deadline=None)
@given(wanted, st.integers(1, 60))
def test_what_is_found_is_what_fits(folder: Path, wanted: Wanted, limit: int) -> None:
    every = ask(folder, Wanted())
    found = ask(folder, wanted, limit)
    expected = [row for row in every if fits(row, wanted)]
    if wanted.number and any(row.number == wanted.number for row in expected):
        expected = [row for row in expected if row.number == wanted.number]  # a whole number is what was meant
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(st.builds(Wanted), st.integers())
def test_whatever_is_asked_there_is_an_answer_or_a_word_for_it(folder: Path, wanted: Wanted, limit: int) -> None:
    async def play() -> None:
        store = Store.open(folder)
        try:
            found = await search.search(store, wanted, limit)
            assert len(found.rows) <= search.PAGE_MAX
        except ReportError as fault:
            assert fault.reason in ("bad_cursor", "bad_text")  # noqa: PT017 - either is right
        finally:
            await store.close()

    asyncio.run(play())


def test_a_rare_one_is_found_beyond_what_one_question_looks_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SCAN", 7)
    monkeypatch.setattr(search, "STEPS", 3)
    assert [row.document for row in ask(folder, Wanted(kind="", line="till-2", number="06"))] == [306, 6]
    assert [row.document for row in ask(folder, Wanted(text="No: 000003"))] == [3]


def test_a_word_on_the_paper_finds_it_whatever_its_capitals(folder: Path) -> None:
    rows = ask(folder, Wanted(text="no: 000077"))
    assert [row.number for row in rows] == ["000077"]
    assert len(ask(folder, Wanted(text="thank you", kind="void"))) == 2


@pytest.mark.parametrize("text", ["x", "1", "1.", ".1", "1.1.1", "1.99999999999999999999", "' OR 1=1", "-"])
def test_what_is_no_pages_end_is_refused(text: str) -> None:
    with pytest.raises(ReportError) as caught:
        search.key_of(text)
    assert caught.value.reason == "bad_cursor"


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 1 << 62))
def test_a_pages_end_is_read_as_it_was_written(at: int, place: int) -> None:
    assert search.key_of(str(search.Key(at, place))) == (at, place)


def test_hostile_words_are_values_and_never_statements(folder: Path) -> None:
    for text in ("'; DROP TABLE receipts; --", '"', "\0", "%", "1 OR 1=1"):
        for wanted in (Wanted(number=text), Wanted(kind=text), Wanted(line=text), Wanted(text=text)):
            assert ask(folder, wanted) == []
    assert len(ask(folder, Wanted(only="1=1); --"))) == COUNT, "no such choice: all"


@pytest.mark.parametrize("text", ["\ud800", "x" * 201])
def test_half_letters_and_endless_words_are_refused(folder: Path, text: str) -> None:
    with pytest.raises(ReportError) as caught:
        ask(folder, Wanted(line=text))
    assert caught.value.reason == "bad_text"
