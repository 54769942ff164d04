"""Receipts found: by number, amount, time, kind, line, or by a word on the paper; newest first, a page at a time.

Owns: `Wanted`, `ReceiptRow`, `Found`, and the questions. Never: a question that may take long: each looks at SCAN rows
at most, and a search at STEPS of them; what it had no time for is told by `next`, and the next page goes on there.

Pages go by key, not by offset: the key is (time, place) of the last row that was looked at, so rows that come meanwhile
move nothing. A number or an exact amount is found by its index, in the order of places.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from typing import NamedTuple

import msgspec

from edgebox.errors import ReportError, StoreError
from edgebox.receipt.words import normalise
from edgebox.store import receipt_papers
from edgebox.store.store import Store
from edgebox.stored_paper import StoredPaper, opened

PAGE_MAX = 200  # receipts of one page
SCAN = 500  # rows that one question looks at: 2 ms with 100,000 receipts
STEPS = 24  # questions of one search
PAPER_SCAN, PAPER_STEPS = 100, 6  # papers; their texts are looked through outside the store's thread
TEXT_MAX = 64  # letters of a word that is searched
TYPED_MAX = 200  # of anything that is asked for
AT_MAX = 1 << 62
COLUMNS = """r.place, r.at, r.session, r.document, r.line, r.kind, r.modifiers, r.qualifies, r.amount_minor, r.currency,
    r.decimals, r.confidence, r.number, r.till, r.printed_date, r.printed_time, r.tenders, r.claim, r.points,
    r.revision, r.voided, r.result, r.cashier, r.z_check, r.z_equal, (SELECT c.amount_minor FROM corrections c
    WHERE c.session = r.session AND c.document = r.document AND c.state = 'applied' ORDER BY c.place DESC LIMIT 1)"""
_cursor = re.compile(r"(-?\d{1,19})\.(\d{1,19})").fullmatch


class Wanted(NamedTuple):
    """`number`: whole, or its end; amounts in minor units, both included; `since`, `until`: seconds, `until` outside;
    `text`: a word on the paper; `only`: "" all, "codes" with a points code, "unread" without an amount, "reports".
    `after`: `Found.next` of the page before."""

    number: str = ""
    least_minor: int | None = None
    most_minor: int | None = None
    since: int = -AT_MAX
    until: int = AT_MAX
    kind: str = ""
    line: str = ""
    text: str = ""
    only: str = ""
    after: str = ""


class ReceiptRow(NamedTuple):
    """As in ReceiptRecord. `corrected_minor`: what a person read, if the total was corrected."""

    place: int
    at: int
    session: str
    document: int
    line: str
    kind: str
    modifiers: tuple[str, ...]
    qualifies: bool
    amount_minor: int | None
    currency: str
    decimals: int
    confidence: str
    number: str
    till: str
    printed_date: str
    printed_time: str
    tenders: tuple[tuple[str, int | None], ...]
    claim: str
    points: int
    revision: int
    voided: bool
    result: str
    cashier: str
    z_check: str
    z_equal: bool
    corrected_minor: int | None = None

    @property
    def shown_minor(self) -> int | None:
        """The amount that counts."""
        return self.amount_minor if self.corrected_minor is None else self.corrected_minor


class Found(NamedTuple):
    """A page. `next`: where to go on, "" at the end; `is_whole`: all rows up to there were looked at and the page is
    full, or it is the end; else there may be more right behind, and asking on will tell."""

    rows: tuple[ReceiptRow, ...]
    next: str = ""
    is_whole: bool = True


class Key(NamedTuple):
    """Where a page ends."""

    at: int
    place: int

    def __str__(self) -> str:
        return f"{self.at}.{self.place}"


def key_of(text: str) -> Key:
    """ReportError `bad_cursor`."""
    if not text:
        return Key(AT_MAX, AT_MAX)
    match = _cursor(text)
    if match is None or int(match[2]) > AT_MAX or abs(int(match[1])) > AT_MAX:
        raise ReportError("not the end of any page", reason="bad_cursor", hint="begin at the first page")
    return Key(int(match[1]), int(match[2]))


def checked(*texts: str) -> None:
    """ReportError `bad_text`: half a letter, which no database takes, or more than anybody types."""
    for text in texts:
        if len(text) > TYPED_MAX or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ReportError("that can't be asked for", reason="bad_text")


async def search(store: Store, wanted: Wanted, limit: int = 50) -> Found:
    """A page of what is wanted. ReportError, StoreError."""
    checked(wanted.number, wanted.kind, wanted.line, wanted.text, wanted.only)
    limit, wanted = min(max(limit, 1), PAGE_MAX), _bounded(wanted)
    after = key_of(wanted.after)
    if wanted.text:
        return await _search_papers(store, wanted, after, limit)
    if wanted.number or (wanted.least_minor is not None and wanted.least_minor == wanted.most_minor):
        found = await store.read(lambda db: _by_index(db, wanted, after, limit))
        if found is not None:
            return Found(tuple(found), str(Key(found[-1].at, found[-1].place)) if len(found) == limit else "")
    return await _search_rows(store, wanted, after, limit)


def _bounded(wanted: Wanted) -> Wanted:
    """With no number that a database can't hold."""
    return wanted._replace(
        number=wanted.number.strip().upper(),
        since=_near(wanted.since),
        until=_near(wanted.until),
        least_minor=None if wanted.least_minor is None else _near(wanted.least_minor),
        most_minor=None if wanted.most_minor is None else _near(wanted.most_minor),
    )


def _near(number: int) -> int:
    return min(max(number, -AT_MAX), AT_MAX)


async def _search_rows(store: Store, wanted: Wanted, after: Key, limit: int) -> Found:
    rows: list[ReceiptRow] = []
    for _ in range(STEPS):
        ask = lambda db, after=after, rows=rows: _step(db, wanted, after, limit - len(rows))  # noqa: E731
        more, end = await store.read(ask)
        rows += more
        if end is None:
            return Found(tuple(rows))
        after = end
        if len(rows) >= limit:
            return Found(tuple(rows), str(after))
    return Found(tuple(rows), str(after), is_whole=False)


async def _search_papers(store: Store, wanted: Wanted, after: Key, limit: int) -> Found:
    word, before, rows = normalise(wanted.text[:TEXT_MAX]).strip(), min(after.place, AT_MAX), []
    for _ in range(PAPER_STEPS):
        found = await store.read(lambda db, before=before: receipt_papers.newest(db, PAPER_SCAN, "", before))  # type: ignore[misc]
        places = await asyncio.to_thread(_with_word, found, word)
        ask = lambda db, places=places: rows_at(db, places, wanted)  # noqa: E731
        for row in await store.read(ask):
            rows.append(row)
            if len(rows) >= limit:
                return Found(tuple(rows), str(Key(0, row.place)))
        if len(found) < PAPER_SCAN:
            return Found(tuple(rows))
        before = found[-1][0]
    return Found(tuple(rows), str(Key(0, before)), is_whole=False)


def _with_word(found: list[tuple[int, bytes]], word: str) -> list[int]:
    """Places of papers that hold the word; one that can't be read holds none."""
    places = []
    for place, body in found:
        try:
            paper = opened(body)
        except StoreError:  # its bits have turned; the receipt itself is found by all else
            continue
        if has_word(paper, word):
            places.append(place)
    return places


def has_word(paper: StoredPaper, word: str) -> bool:
    """Whether a normalised word stands on a line or in the name of what was sold."""
    return any(word in normalise(line.text) for line in paper.lines) or any(
        word in normalise(item.name) for item in paper.items
    )


# -- on the store's thread


def _by_index(db: sqlite3.Connection, wanted: Wanted, after: Key, limit: int) -> list[ReceiptRow] | None:
    """None: no receipt has that number, so it may be the end of one."""
    asked = "SELECT 1 FROM receipts WHERE number = ? AND number <> '' LIMIT 1"
    if wanted.number and not db.execute(asked, (wanted.number,)).fetchone():
        return None
    where, values = _filters(wanted._replace(number=""))
    first = "r.number = ? AND r.number <> ''" if wanted.number else "r.amount_minor = ?"
    value = wanted.number or wanted.least_minor
    asked = f"SELECT {COLUMNS} FROM receipts r WHERE {first} AND r.place < ?{where} ORDER BY r.place DESC LIMIT ?"
    return [_row(row) for row in db.execute(asked, (value, after.place, *values, limit))]


def rows_at(db: sqlite3.Connection, places: list[int], wanted: Wanted | None = None) -> list[ReceiptRow]:
    """Those of these places that are wanted, newest first."""
    where, values = _filters(wanted or Wanted())
    marks = ", ".join("?" * len(places))
    asked = f"SELECT {COLUMNS} FROM receipts r WHERE r.place IN ({marks}){where} ORDER BY r.place DESC"
    return [_row(row) for row in db.execute(asked, (*places, *values))]


def _step(db: sqlite3.Connection, wanted: Wanted, after: Key, limit: int) -> tuple[list[ReceiptRow], Key | None]:
    """Rows among the next SCAN, and where that ended; None: there are no more."""
    index = "receipts_kind" if wanted.kind else "receipts_at"
    inside = "r.at >= ? AND r.at < ? AND (r.at, r.place) < (?, ?)" + (" AND r.kind = ?" if wanted.kind else "")
    bounds = (wanted.since, min(wanted.until, after.at + 1), *after, *((wanted.kind,) if wanted.kind else ()))
    order = "ORDER BY r.at DESC, r.place DESC LIMIT"
    end = db.execute(
        f"SELECT r.at, r.place FROM receipts r INDEXED BY {index} WHERE {inside} {order} 1 OFFSET ?",
        (*bounds, SCAN - 1),
    ).fetchone()
    where, values = _filters(wanted)
    until = end or (-AT_MAX, 0)
    asked = (
        f"SELECT {COLUMNS} FROM receipts r INDEXED BY {index} WHERE {inside} AND (r.at, r.place) >= (?, ?)"
        f"{where} {order} ?"
    )
    rows = [_row(row) for row in db.execute(asked, (*bounds, *until, *values, limit))]
    if len(rows) == limit:
        return rows, Key(rows[-1].at, rows[-1].place)
    return rows, None if end is None else Key(*end)


def _filters(wanted: Wanted) -> tuple[str, list[object]]:
    """More conditions, and their values."""
    where, values = [], list[object]()
    for condition, value in (
        ("r.at >= ?", None if wanted.since == -AT_MAX else wanted.since),
        ("r.at < ?", None if wanted.until == AT_MAX else wanted.until),
        ("r.kind = ?", wanted.kind or None),
        ("r.line = ?", wanted.line or None),
        ("r.amount_minor >= ?", wanted.least_minor),
        ("r.amount_minor <= ?", wanted.most_minor),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    if wanted.number:
        where.append("substr(r.number, -?) = ?")
        values += [len(wanted.number), wanted.number]
    where += [_ONLY[wanted.only]] if wanted.only in _ONLY else []
    return "".join(f" AND {one}" for one in where), values


_ONLY = {
    "codes": "r.claim <> '' AND r.voided = 0",
    "unread": "r.amount_minor IS NULL AND r.kind IN ('sale', 'refund', 'void', 'delivery_platform', 'other')",
    "reports": "r.z_check <> ''",
}


def _row(row: tuple[object, ...]) -> ReceiptRow:
    found = ReceiptRow(*row)  # type: ignore[arg-type]  # as the table's columns are
    return found._replace(
        modifiers=tuple(str(found.modifiers).split()),
        tenders=msgspec.json.decode(str(found.tenders), type=tuple[tuple[str, int | None], ...]),
        qualifies=bool(found.qualifies),
        voided=bool(found.voided),
        z_equal=bool(found.z_equal),
    )
