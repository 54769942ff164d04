"""`make faults`: what becomes of accepted rows when things break, counted.

A fault is tried many times against a real store (and, for the broker's faults, a real broker) and comes out as one Row:
what was accepted, what is stored, what a consumer was given, what it was given twice in spite of its dedupe key, what
is gone, and what was refused. The promise: `lost` and `unreported` are 0 in every row. What a broken disk really
destroyed stands under `given up`: the box says itself which numbers those were, so nobody waits for them.

To add faults: write a module in this folder with

    def rows(scale: Scale) -> Iterator[Row]: ...

and name it in MODULES. `scale.times(200)` is 200 in `make faults` and a handful in the suite (test_faults.py), which
runs every module. `scale.chance` is seeded, `scale.folder()` is an empty folder that goes away afterwards. Count with
ledger.Ledger, which plays the consumer: `accept(*events)` when record() has returned, `refused += 1` when it raised,
`unreported += 1` when neither happened, `take(row)` for what comes, or `consume(store)` for all that waits,
`audit(store)` for what is stored, and `row(name)` at the end.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MODULES = ("kills", "midway", "full_disk", "broken_files", "clocks", "restored", "broker", "owned_broker")


class Row(NamedTuple):
    """One fault and what came of it; counts of rows. `delivered`, None: nobody was asked to consume."""

    fault: str
    accepted: int
    stored: int
    delivered: int | None
    duplicated: int
    lost: int
    given_up: int
    refused: int
    unreported: int
    words: str = ""

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return self.accepted > 0 and not (self.lost or self.unreported or self.duplicated)


class Scale:
    """How often a fault is tried. `share`: of the full number; `seed`: for everything random."""

    def __init__(self, share: float = 1.0, seed: int = 1) -> None:
        self.share = share
        self.chance = random.Random(seed)

    def times(self, full: int) -> int:
        """How often, of `full` in the long run; at least twice."""
        return max(2, round(full * self.share))

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder for one trial."""
        with tempfile.TemporaryDirectory(prefix="edgebox-fault-") as name:
            yield Path(name)
