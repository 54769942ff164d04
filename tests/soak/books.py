"""The box's books against the paper and the cloud's.

Owns: what waits during a soak, and at its end what is where. Never: judges (verdict.py). Reads the box's database from
outside, as hw_sim/loop.py does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from edgebox.store.database import FILE
from edgebox.store.events import Event, ReceiptRecord, RedemptionRecord, RedemptionState, Stream
from edgebox.store.peek import bodies, peek
from edgebox.store.places import EPOCH_MAX, span
from hw_sim.cloud.cloud import Cloud
from hw_sim.loop import _waiting as waiting
from hw_sim.scenario import BOX
from tests.soak.plan import LINES
from tests.soak.seen import Books as StreamBooks
from tests.soak.seen import Depth, Ending, Paper, Recorded, Seen

__all__ = ["Books", "waiting"]
_decode = msgspec.json.Decoder(Event).decode
FAULTS_MAX = 20
BAD_WORDS = ("Traceback", "never retrieved", "never awaited")


class Books:
    """`printed` is told of every paper."""

    def __init__(self, data: Path, cloud: Cloud, logs: Path) -> None:
        self._data = data
        self._cloud = cloud
        self._logs = logs
        self._read = 0
        self._recorded: set[tuple[str, str]] = set()
        self._printed: set[tuple[str, str]] = set()

    def printed(self, paper: Paper) -> None:
        """A sale's paper came out."""
        if paper.sure and paper.wants_slip:
            self._printed.add((paper.line, paper.number))

    def unrecorded(self) -> int:
        """Sales on paper that are not in the store: they wait in a line's spool, or are lost."""
        fresh = bodies(self._data, Stream.RECEIPTS, skip=self._read)
        self._read += len(fresh)
        for body in fresh:
            record = _decode(body)
            if isinstance(record, ReceiptRecord):
                self._recorded.add((record.line, record.number))
        return len(self._printed - self._recorded)

    def depth(self, at_s: float) -> Depth:
        """Now."""
        sizes = [path.stat().st_size if path.exists() else 0 for path in self._files()]
        return Depth(
            at_s=at_s, database=sizes[0], log=sizes[1], unsent=waiting(self._data), unrecorded=self.unrecorded(),
            load=os.getloadavg()[0],
        )  # fmt: skip

    def _files(self) -> tuple[Path, Path]:
        path = self._data / FILE
        return path, path.with_name(path.name + "-wal")

    # -- at the end

    def closed(self, drained_s: float, heard: Sequence[str], for_till: Sequence[str], ours: set[str]) -> Iterator[Seen]:
        """All books. `heard`: what the till got from the scanner; `ours`: codes that may be among it, engine away."""
        for stream in Stream:
            yield self._stream(stream)
        yield from self._receipts()
        records = [_decode(body) for body in bodies(self._data, Stream.REDEMPTIONS)]
        redeemed = [
            one.number
            for one in records
            if isinstance(one, RedemptionRecord)
            and one.state is RedemptionState.REDEEMED
            and one.line in LINES  # those of the history have others
        ]
        others = [code for code in heard if code not in ours]
        wrong = "" if others == list(for_till) else _difference(others, for_till)
        yield Ending(
            at_s=0.0, drained_s=drained_s, redeemed=tuple(redeemed), till_codes=len(others), till_codes_wrong=wrong,
            repeats=self._cloud.consumer.duplicates,
            alarms=tuple(f"{one.kind}: {one.words}" for one in self._cloud.ledger.alarms())[:FAULTS_MAX],
            engine_faults=tuple(self._bad_words())[:FAULTS_MAX], visits=len(bodies(self._data, Stream.VISITS)),
        )  # fmt: skip

    def _stream(self, stream: Stream) -> StreamBooks:
        here = Counter(body for body in bodies(self._data, stream) if body)
        there = Counter(self._cloud.ledger.events(BOX.box, stream))
        given_up = self._cloud.ledger.ask(
            "SELECT coalesce(sum(last - first + 1), 0) FROM lost WHERE box = ? AND stream = ?", BOX.box, stream.value
        )[0][0]
        return StreamBooks(
            at_s=0.0, stream=stream.value, recorded=here.total(), missing=(here - there).total(),
            foreign=(there - here).total(), given_up=given_up,
        )  # fmt: skip

    def _receipts(self) -> Iterator[Recorded]:
        with closing(peek(self._data)) as connection:
            rows = connection.execute(
                "SELECT mono_ms, body FROM journal WHERE place BETWEEN ? AND ? ORDER BY place",
                (span(Stream.RECEIPTS, 0)[0], span(Stream.RECEIPTS, EPOCH_MAX)[1]),
            ).fetchall()
        for mono_ms, body in rows:
            one = _decode(body)
            if isinstance(one, ReceiptRecord) and one.line in LINES:
                yield Recorded(
                    at_s=mono_ms / 1000, line=one.line, number=one.number, kind=one.kind, claim=one.claim,
                    amount_minor=one.amount_minor, result=one.result, hold_us=one.hold_us,
                )  # fmt: skip

    def _bad_words(self) -> Iterator[str]:
        for path in sorted(self._logs.glob("*.log")):
            for line in path.read_text("utf-8", "replace").splitlines():
                if any(words in line for words in BAD_WORDS):
                    yield f"{path.name}: {line[:200]}"


def _difference(got: Sequence[str], wanted: Sequence[str]) -> str:
    at = next((at for at, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted)))
    return f"{len(got)} of {len(wanted)}; at {at} {list(got[at : at + 2])} for {list(wanted[at : at + 2])}"
