"""kill -9 of a recording process at random points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.faults import Row, Scale
from tests.faults.ledger import Ledger
from tests.faults.trial import consume, numbers_of, record_until_killed

KILLS = 200
DEEPEST = 40  # records before the kill
LONGEST_S = 0.02  # and a moment more, so that it falls anywhere in a commit


def rows(scale: Scale) -> Iterator[Row]:
    """One row: all kills on one database, whose rows are consumed now and then."""
    times = scale.times(KILLS)
    ledger = Ledger()
    with scale.folder() as folder:
        for trial in range(times):
            _kill(scale, folder, ledger, trial)
        consume(folder, ledger)
    yield ledger.row(f"kill -9 of the engine, {times} times")


def _kill(scale: Scale, folder: Path, ledger: Ledger, trial: int) -> None:
    chance = scale.chance
    after, wait_s = chance.randint(0, DEEPEST), chance.random() * LONGEST_S
    record_until_killed(folder, numbers_of(ledger) + trial * 1000, after, wait_s, ledger)
    if chance.random() < 0.2:
        consume(folder, ledger, acknowledge=chance.random() < 0.5)
