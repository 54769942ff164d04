"""Files that break: pages, logs, whole databases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from edgebox.store.database import FILE, PAGE_BYTES
from tests.faults import Row, Scale
from tests.faults.ledger import Ledger
from tests.faults.trial import consume, record_until_killed
from tests.store.broken import at_home, settle, spoil

RECORDS = 150
Harm = Callable[[Path, Random], None]


def rows(scale: Scale) -> Iterator[Row]:
    """Each harm is done many times to copies of one database that was left open."""
    with scale.folder() as home:
        accepted = Ledger()
        record_until_killed(home / "box", 1, RECORDS, 0.0, accepted)
        for fault, harm, full in HARMS:
            times = scale.times(full)
            yield _harmed(f"{fault}, {times} times", home, accepted, harm, times, scale.chance)


def _harmed(fault: str, home: Path, accepted: Ledger, harm: Harm, times: int, chance: Random) -> Row:
    found = []
    for _ in range(times):
        ledger = Ledger()
        ledger.accepted, ledger.numbers = set(accepted.accepted), accepted.numbers
        shutil.copytree(home / "box", home / "trial")
        at_home(home / "trial")
        harm(home / "trial" / FILE, chance)
        consume(home / "trial", ledger)
        shutil.rmtree(home / "trial")
        found.append(ledger.row(fault))
    words = "; ".join(row.words for row in found if row.words)
    return Row(fault, *(sum(row[at] or 0 for row in found) for at in range(1, 9)), words=words)  # type: ignore[misc]


def _page(path: Path, chance: Random) -> None:
    settle(path)
    spoil(path, chance.randint(1, path.stat().st_size // PAGE_BYTES), chance.randbytes(PAGE_BYTES))


def _pages(path: Path, chance: Random) -> None:
    settle(path)
    pages = path.stat().st_size // PAGE_BYTES
    for page in chance.sample(range(1, pages + 1), pages // 10):
        spoil(path, page, bytes(PAGE_BYTES))


def _bits(path: Path, chance: Random) -> None:
    settle(path)
    with path.open("r+b") as file:
        for _ in range(10):
            at = chance.randrange(PAGE_BYTES, path.stat().st_size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))


def _short_file(path: Path, chance: Random) -> None:
    settle(path)
    os.truncate(path, chance.randrange(path.stat().st_size))


def _short_log(path: Path, chance: Random) -> None:
    log = path.with_name(f"{path.name}-wal")
    os.truncate(log, chance.randrange(log.stat().st_size))


def _broken_log(path: Path, chance: Random) -> None:
    log = path.with_name(f"{path.name}-wal")
    with log.open("r+b") as file:
        file.seek(chance.randrange(log.stat().st_size - 64))
        file.write(chance.randbytes(64))


def _no_log(path: Path, _chance: Random) -> None:
    path.with_name(f"{path.name}-wal").unlink()
    path.with_name(f"{path.name}-shm").unlink()


def _empty(path: Path, _chance: Random) -> None:
    path.write_bytes(b"")


def _garbage(path: Path, chance: Random) -> None:
    settle(path)
    path.write_bytes(chance.randbytes(path.stat().st_size))


def _gone(path: Path, _chance: Random) -> None:
    for name in (path, *path.parent.glob(f"{FILE}-*")):
        name.unlink()


HARMS: tuple[tuple[str, Harm, int], ...] = (
    ("one page of garbage", _page, 100),
    ("a tenth of the pages zero", _pages, 50),
    ("ten bits turned", _bits, 100),
    ("file cut short", _short_file, 50),
    ("log cut short", _short_log, 100),
    ("64 bytes of the log broken", _broken_log, 100),
    ("log missing", _no_log, 2),
    ("file of length zero", _empty, 2),
    ("file of garbage, no log", _garbage, 2),
    ("database gone", _gone, 2),
)
