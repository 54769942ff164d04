"""kill -9 midway through what takes several steps: a repair, a restore, a migration, retention."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from edgebox.settings import StoreSettings
from edgebox.store.backup import backup, restore
from edgebox.store.migrations import STEPS, migrate
from edgebox.store.retention import Retention
from edgebox.store.store import Store
from tests.faults import Row, Scale
from tests.faults.clocks import Jumping
from tests.faults.ledger import AT, Ledger, claim, receipt
from tests.faults.trial import consume
from tests.store.broken import at_home, left_open, settle, spoil

PAIRS = 40
OLD_PAIRS = 2000  # of which retention removes all, in steps that take a while
STEPS_MAX = 60  # system calls of a repair or a restore: some 35
KILLS = 50
MONTHS_MS = 200 * 86_400_000
SETTINGS = StoreSettings(keep_days=30)
CALLS = ("replace", "fsync", "mkdir", "open", "pwrite", "ftruncate", "unlink")  # what Python's part does to the disk


def rows(scale: Scale) -> Iterator[Row]:
    """One row for each kind of work."""
    for work in (_mending, _restoring, _migrating, _retaining):
        with scale.folder() as home:
            yield work(scale, home)


# -- before each step that Python takes


def _mending(scale: Scale, home: Path) -> Row:
    path, accepted = left_open(home / "box", PAIRS)
    settle(path)
    spoil(path, 1)
    return _each_step(scale, home, accepted, "mends", lambda box: Store.open(box).close_now())


def _restoring(scale: Scale, home: Path) -> Row:
    box = home / "box"
    ledger = Ledger()
    asyncio.run(_record(box, ledger, 1))
    backup(box, home / "backup", AT * 1000)
    asyncio.run(_record(box, ledger, PAIRS + 1))
    return _each_step(scale, home, ledger, "restores", lambda box: restore(box, home / "backup", AT * 1000))


def _each_step(scale: Scale, home: Path, accepted: Ledger, what: str, work: Callable[[Path], object]) -> Row:
    """Killed before its first step, its second, and so on until it gets through."""
    found, steps = [], 0
    for after in range(0, STEPS_MAX, max(1, round(1 / scale.share) // 8)):
        trial = home / "trial"
        shutil.copytree(home / "box", trial)
        at_home(trial)
        was_killed = _killed_before(after, partial(work, trial))
        ledger = Ledger()
        ledger.accepted, ledger.numbers = set(accepted.accepted), accepted.numbers
        consume(trial, ledger)
        asyncio.run(_record(trial, ledger, 10 * PAIRS))
        consume(trial, ledger)
        shutil.rmtree(trial)
        found.append(ledger.row(""))
        steps += 1
        if not was_killed:
            break
    return _sum(f"kill -9 while it {what}, at each of {steps} steps", found)


def _killed_before(step: int, work: Callable[[], object]) -> bool:
    """A child does it, killed before its system call `step`, counted from 0; False: it got through."""
    gc.collect()
    child = os.fork()
    if child == 0:
        numbers = count()

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                if next(numbers) >= step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*given, **named)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


# -- at any moment


def _migrating(scale: Scale, home: Path) -> Row:
    path, accepted = left_open(home / "box", PAIRS)
    settle(path)
    new = path.with_name("new.db")
    os.replace(path, new)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:  # as the first version wrote it
        migrate(database, STEPS[:1])
        database.execute(f"ATTACH '{new}' AS new")
        for (table,) in database.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
            names = ", ".join(row[1] for row in database.execute(f"PRAGMA main.table_info({table})"))
            if not table.startswith(("_", "sqlite_")):
                # Not over the one fact that the first version's own step has written: who may read its tables.
                database.execute(f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM new.{table}")
    new.unlink()
    return _any_moment(scale, home, accepted, "migrates", lambda box: Store.open(box).close_now(), within_s=0.12)


def _retaining(scale: Scale, home: Path) -> Row:
    """Old rows that the cloud has are removed, and their space is given back."""
    accepted = Ledger()
    asyncio.run(_years(home / "box", accepted, max(10 * PAIRS, scale.times(OLD_PAIRS))))

    def work(box: Path) -> None:
        async def run() -> None:
            store = Store.open(box, SETTINGS)
            await store.work(lambda db: db.execute("PRAGMA incremental_vacuum").fetchall())
            keeper = Retention(store)
            while await keeper.step():
                await store.work(lambda db: db.execute("PRAGMA incremental_vacuum(16)").fetchall())
            await store.close()

        asyncio.run(run())

    return _any_moment(scale, home, accepted, "prunes and vacuums", work, within_s=0.4)


async def _years(box: Path, ledger: Ledger, pairs: int) -> None:
    clock = Jumping()
    store = Store.open(box, SETTINGS, clock=clock)
    for first in range(1, pairs, PAIRS):
        numbers = range(first, first + PAIRS)
        await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in numbers))
        for number in numbers:
            ledger.accept(receipt(number), claim(number))
    await ledger.consume(store)
    clock.at_ms += MONTHS_MS
    for number in range(OLD_PAIRS + PAIRS, OLD_PAIRS + 2 * PAIRS):
        await store.record(receipt(number), claim(number))
        ledger.accept(receipt(number), claim(number))
    await store.close()


def _any_moment(
    scale: Scale, home: Path, accepted: Ledger, what: str, work: Callable[[Path], object], within_s: float
) -> Row:
    found = []
    times = scale.times(KILLS)
    for _ in range(times):
        trial = home / "trial"
        shutil.copytree(home / "box", trial)
        at_home(trial)
        _killed_after(scale.chance.random() * within_s, partial(work, trial))
        ledger = Ledger()
        ledger.accepted, ledger.numbers = set(accepted.accepted), accepted.numbers
        ledger.resume(accepted)
        consume(trial, ledger)
        asyncio.run(_record(trial, ledger, 10 * OLD_PAIRS))
        consume(trial, ledger)
        shutil.rmtree(trial)
        found.append(ledger.row(""))
    return _sum(f"kill -9 while it {what}, {times} times", found)


def _killed_after(wait_s: float, work: Callable[[], object]) -> None:
    gc.collect()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


# -- both


async def _record(box: Path, ledger: Ledger, first: int) -> None:
    store = Store.open(box)
    numbers = range(first, first + PAIRS)
    found = await asyncio.gather(*(store.record(receipt(number), claim(number)) for number in numbers))
    for number, places in zip(numbers, found, strict=True):
        ledger.accept(receipt(number), claim(number), seqs=[place.seq for place in places])
    await store.close()


def _sum(fault: str, found: list[Row]) -> Row:
    words = "; ".join(dict.fromkeys(row.words for row in found if row.words))
    return Row(fault, *(sum(row[at] or 0 for row in found) for at in range(1, 9)), words=words)  # type: ignore[misc]
