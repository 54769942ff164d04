"""Rows for the tests of the pure session: what a store would hand out, without one."""

from __future__ import annotations

from typing import NamedTuple

from sync.session.shelf import Ready
from sync.session.window import Grant, Limits, Read, Session

EPOCH = "0001-00c0ffee"


class Row(NamedTuple):
    """As edgebox.store.places.JournalRow."""

    stream: str
    epoch: str
    seq: int
    boot: str = "b"
    mono_ms: int = 1
    at_ms: int = 2
    trusted: bool = True
    body: bytes = b'{"type":"scan"}'
    lost_to: int = 0
    lost: str = ""


def rows_for(read: Read) -> list[Row]:
    """What a store with all rows would hand out."""
    gap = read.gap
    last = min(gap.last, gap.first + read.rows_max - 1)
    return [Row(read.stream, gap.epoch, seq) for seq in range(gap.first, last + 1)]


def session(*streams: str, rows: int = 0, jitter_s: float = 1.0, by_broker: bool = False, **limits: int) -> Session:
    """A session with so many rows in each stream, connected."""
    made = Session(
        "box1", streams or ("receipts",), Limits(**limits), by_broker=by_broker, jitter=lambda attempt: jitter_s
    )
    for lane in made.lanes.values():
        lane.begin(EPOCH, 0, rows)
    made.connected(Grant())
    return made


class Wire:
    """Sends what the session wants: `out` is what a broker has not answered, as token → (stream, first, last)."""

    def __init__(self, made: Session) -> None:
        self.session = made
        self.token = 0
        self.out: dict[int, tuple[str, int, int]] = {}

    def send(self, now: float = 0.0, most: int = 10_000) -> list[tuple[str, int, int]]:
        """All that may go out now."""
        sent = []
        while len(sent) < most and (step := self.session.next(now)) is not None:
            if isinstance(step, Read):
                self.session.cut(step, rows_for(step), now)
                continue
            self.token += 1
            if isinstance(step, Ready):
                self.session.sent(self.token, step.piece)
                self.out[self.token] = (step.piece.stream, step.piece.first, step.piece.last)
            else:
                self.session.sent_other(self.token, step)
                self.out[self.token] = (step.kind.value, 0, 0)
            sent.append(self.out[self.token])
        return sent

    def answer(self, reason: int = 0, now: float = 0.0, *, most: int = 10_000) -> None:
        """The broker answers what is out, oldest first."""
        for token in list(self.out)[:most]:
            del self.out[token]
            self.session.puback(token, reason, now)
