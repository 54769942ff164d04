"""Every database that was ever written can be opened; a newer one is left alone."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edgebox.errors import StoreError
from edgebox.store.database import FILE
from edgebox.store.events import ClaimRecord, ReceiptRecord, Stream
from edgebox.store.migrations import NEWEST, STEPS, Step, migrate
from edgebox.store.peek import bodies
from edgebox.store.sidecar import Left, Sidecar
from tests.store.filled import claim, receipt
from tests.store.test_store import ONE_OF_EACH, opened

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = range(1, NEWEST)  # those before the newest


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        yield db


def schema(db: sqlite3.Connection) -> dict[str, str]:
    """Statement by name, whatever the spacing."""
    found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in found}


def test_there_is_a_fixture_of_every_version_before_the_newest() -> None:
    assert {path.name for path in FIXTURES.glob("v*.sql")} == {f"v{version}.sql" for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_version_is_brought_up_to_date(version: int, connection: sqlite3.Connection) -> None:
    connection.executescript((FIXTURES / f"v{version}.sql").read_text("utf-8"))
    assert migrate(connection) == NEWEST - version
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new)
        assert schema(connection) == schema(new)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_version_is_read_and_goes_on(version: int, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.executescript((FIXTURES / f"v{version}.sql").read_text("utf-8"))
    with closing(Sidecar(tmp_path)) as sidecar:
        sidecar.write(Left.CLEAN, 1)

    async def play() -> None:
        async with opened(tmp_path) as store:
            assert list(store.past_receipts(9)) == [receipt(1), receipt(2)]
            assert list(store.past_claims(9)) == [claim(1), claim(2)]
            assert await store.get("revision") == b"7"
            assert await store.job("j1") == ONE_OF_EACH[-1]
            assert (await store.acknowledged())[Stream.RECEIPTS] == (store.epoch, 1)
            assert [place.seq for place in await store.record(receipt(3), claim(3))] == [3, 3]
            assert (await store.record(receipt(1), claim(1)))[0].seq == 1, "known"
            visits = await store.rows(Stream.VISITS, None, limit_rows=9, limit_bytes=9999)
            assert [(row.seq, row.lost_to, row.lost) for row in visits] == [(1, 0, ""), (2, 4, "thinned")]

    asyncio.run(play())
    for body in bodies(tmp_path, Stream.RECEIPTS):
        msgspec.json.decode(body, type=ReceiptRecord)
    for body in bodies(tmp_path, Stream.CLAIMS):
        msgspec.json.decode(body, type=ClaimRecord)


def test_a_newer_database_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection)
    connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    with pytest.raises(StoreError) as fault:
        migrate(connection)
    assert fault.value.reason == "version"
    assert fault.value.hint


def test_a_newer_database_that_only_has_more_is_recorded_in_and_waits_for_the_newer_one(tmp_path: Path) -> None:
    more = (*STEPS, Step("more", ("CREATE TABLE more (a INTEGER) STRICT",), NEWEST))

    async def record(number: int) -> None:
        async with opened(tmp_path) as store:
            assert [place.seq for place in await store.record(receipt(number), claim(number))] == [number, number]

    asyncio.run(record(1))
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        assert migrate(db, more) == 1
        db.execute("INSERT INTO more VALUES (7)")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    asyncio.run(record(2))
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        assert migrate(db, more) == 0, "its version is kept"
        assert db.execute("SELECT a FROM more").fetchall() == [(7,)]


def test_a_newer_database_that_changed_what_was_there_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection, (*STEPS, Step("more", (), NEWEST), Step("changed", (), NEWEST + 2)))
    with pytest.raises(StoreError) as fault:
        migrate(connection)
    assert fault.value.reason == "version"


# What a step may do that an older edgebox is to live with. An index that forbids rows would forbid its rows.
_ADDS = re.compile(r"CREATE TABLE (\w+) |CREATE INDEX (\w+) ON ")


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_a_step_that_older_versions_can_live_with_only_adds(number: int) -> None:
    step = STEPS[number - 1]
    assert step.readable_from <= number
    if step.readable_from < number:
        assert [sql for sql in step.statements if not _ADDS.match(" ".join(sql.split()))] == []


def test_a_step_that_fails_leaves_the_version_before_it(connection: sqlite3.Connection) -> None:
    bad = Step("bad", ("CREATE TABLE half (a INTEGER) STRICT", "CREATE TABLE half (a INTEGER) STRICT"), 4)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (*STEPS, bad))
    assert connection.execute("PRAGMA user_version").fetchone() == (NEWEST,)
    assert "half" not in schema(connection)
    good = Step("good", ("CREATE TABLE whole (a INTEGER) STRICT",), 4)
    assert migrate(connection, (*STEPS, good)) == 1


def test_each_step_is_noted_by_its_number_and_name(connection: sqlite3.Connection) -> None:
    migrate(connection)
    noted = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    assert noted == [(f"{number:03d} {step.name}",) for number, step in enumerate(STEPS, 1)]


def test_every_table_is_strict(connection: sqlite3.Connection) -> None:
    migrate(connection)
    tables = connection.execute("PRAGMA table_list").fetchall()
    loose = {name for _, name, kind, _, _, strict in tables if kind == "table" and not strict}
    assert loose <= {"sqlite_schema", "sqlite_temp_schema", "_sqlite_migrations", "sqlite_sequence"}


def test_a_start_with_nothing_to_do_does_not_load_sqlite_utils(tmp_path: Path) -> None:
    code = "import sys\nfrom pathlib import Path\nfrom edgebox.store.store import Store\n"
    code += "Store.open(Path(sys.argv[1])).close_now()\nprint('sqlite_utils' in sys.modules)"
    said = [
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]
