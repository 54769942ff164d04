"""One stream's way to the cloud: fresh rows first, then the backlog; refusals held, split or set aside.

Owns: what of a stream goes next, and what an answer of the broker or the cloud means for it. Never: counts the window
(window.py), reads a clock or a store: `now` (seconds, monotonic) and facts are handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from sync.contract import Ack
from sync.session.epoch import Epoch
from sync.session.verdicts import Verdict, verdict

FRESH_ROWS = 1000  # more than a counter's busiest hour: a stream so far behind is a backlog
ACK_PATIENCE_MAX_S = 3600.0
AGAIN_ROWS = 1000  # resent at first when no ack comes; doubled each time the cloud takes all of it
MISSING_RANGES = 64  # of one ack that are believed
MISSING_EVERY_S = 1.0  # whoever owns the broker may burn the shop's data plan only so fast
ROW_REFUSALS = 3  # of a row by itself, before it is set aside: a broker in trouble refuses at random
SET_ASIDE_IN_A_ROW = 8  # then it is not the rows: the stream is held
QUARANTINE_S = 3600.0  # the broker's limit may have been put right by then
QUARANTINE_RANGES = 256  # then the stream is held


class Patience(NamedTuple):
    """How long to wait for the cloud, in seconds.

    `ack_s`: for an ack before the oldest rows go out again; a cloud that is there takes seconds, and a batch sent twice
    costs nothing. `young_s`: rows delivered shorter ago may still be in the broker's queue, so the cloud can't
    have missed them.
    """

    ack_s: float = 60.0
    young_s: float = 5.0


class Piece(NamedTuple):
    """Rows of one message. `asked`: the cloud had acknowledged them and wants them again."""

    stream: str
    epoch: str
    first: int
    last: int
    rows: int = 1
    size: int = 0
    fresh: bool = False
    asked: bool = False


class Gap(NamedTuple):
    """Rows to be read and sent."""

    epoch: str
    first: int
    last: int
    rows_max: int
    asked: bool = False


class Lane:
    """A stream. `jitter`: how long to wait at the nth attempt, in seconds, n from 0."""

    def __init__(
        self,
        stream: str,
        *,
        by_broker: bool,
        rows_max: int,
        jitter: Callable[[int], float],
        patience: Patience | None = None,
    ) -> None:
        self.stream = stream
        self.counters: Counter[str] = Counter()
        self.held_until = 0.0
        self.version = 0  # goes up whenever the rows that are to be sent may have become others
        self.out: dict[int, Piece] = {}
        self._epochs: dict[str, Epoch] = {}  # oldest first; names sort by age
        self._by_broker = by_broker
        self._rows_max = rows_max
        self._limit = rows_max
        self._suspect: tuple[str, int] | None = None  # epoch and last row of what was refused
        self._alone = (("", 0), 0)  # the row that was last refused by itself, and how often
        self._jitter = jitter
        self._holds = 0
        self._set_aside_in_a_row = 0
        self._released_at = 0.0
        self._fresh_from = 0
        self._quiet_since = 0.0
        self._patience = patience or Patience()
        self._patience_s = self._patience.ack_s
        self._again_rows = AGAIN_ROWS
        self._resent_to = 0
        self._aged_at = 0.0
        self._missed_at = -MISSING_EVERY_S

    # -- the journal

    def begin(self, epoch: str, acked: int, end: int) -> None:
        """An epoch with `end` rows, `acked` of which the cloud has."""
        self._epochs[epoch] = Epoch(epoch, acked, end)
        self._epochs = dict(sorted(self._epochs.items()))
        self._fresh_from = self.newest.end if self.newest else 0
        self.version += 1

    def has(self, epoch: str) -> bool:
        """There is something in that epoch that the cloud has not."""
        return epoch in self._epochs

    def grown(self, epoch: str, end: int) -> None:
        """Rows through `end` are on the disk."""
        self._epochs[epoch].end = max(self._epochs[epoch].end, end)

    @property
    def newest(self) -> Epoch | None:
        """The epoch that rows are recorded in."""
        return next(reversed(self._epochs.values()), None)

    @property
    def quarantined(self) -> int:
        """Rows set aside."""
        return sum(epoch.quarantined.count for epoch in self._epochs.values())

    def ask(self, epoch: str, first: int, last: int) -> bool:
        """The cloud wants rows again that it has acknowledged. False: no such rows, or too many ranges at once."""
        known = self._epochs.get(epoch)
        return known is not None and 1 <= first <= last and first <= known.end and known.ask(first, last)

    # -- what goes next

    def fresh(self, now: float) -> Gap | None:
        """Rows recorded since we are connected."""
        newest = self.newest
        if newest is None or self.is_held(now):
            return None
        gap = newest.gap(self._fresh_from + 1, newest.end)
        if gap is None:
            return None
        if gap[1] - gap[0] >= FRESH_ROWS:
            self._fresh_from = newest.end
            return None
        return Gap(newest.name, *gap, self._rows_limit())

    def backlog(self, now: float) -> Gap | None:
        """The oldest rows that wait."""
        if self.is_held(now):
            return None
        for epoch in self._epochs.values():
            if asked := epoch.asked_gap():
                return Gap(epoch.name, *asked, self._rows_limit(), asked=True)
            if gap := epoch.gap(1, self._fresh_from if epoch is self.newest else epoch.end):
                return Gap(epoch.name, *gap, self._rows_limit())
        return None

    def is_held(self, now: float) -> bool:
        """After a refusal one message at a time finds out whether it is over."""
        return now < self.held_until or len(self.out) >= self.messages_max

    @property
    def messages_max(self) -> int:
        """How many messages of it may be out: one while a refusal is being looked into."""
        return 1 if self._holds else 1 << 16

    def _rows_limit(self) -> int:
        """Rows in a message: fewer until all of what was refused is delivered or set aside."""
        if self._suspect is not None:
            name, last = self._suspect
            epoch = self._epochs.get(name)
            waits = any(piece.epoch == name and piece.first <= last for piece in self.out.values())
            if epoch is None or not (waits or epoch.gap(1, last)):
                self._suspect, self._limit = None, self._rows_max
        return self._limit

    # -- the broker's answers

    def sent(self, token: int, piece: Piece) -> None:
        """A message is on its way."""
        self.out[token] = piece
        self._epochs[piece.epoch].take(piece.first, piece.last, asked=piece.asked)

    def puback(self, token: int, reason: int, now: float) -> Verdict:
        """The broker has answered."""
        piece = self.out.pop(token)
        epoch = self._epochs[piece.epoch]
        found = verdict(reason)
        if found is Verdict.UNHEARD:
            self.counters["unheard"] += 1
            found = Verdict.DELIVERED if self._by_broker else Verdict.HOLD
        elif found is not Verdict.DELIVERED:
            self.counters["refused"] += 1
        if found is Verdict.DELIVERED:
            self._delivered(epoch, piece, now)
        else:
            self.version += 1
            epoch.give_back(piece.first, piece.last, asked=piece.asked)
            if found is Verdict.SPLIT:
                self.suspect(piece, now)
            else:
                self._hold(now)
        return found

    def _delivered(self, epoch: Epoch, piece: Piece, now: float) -> None:
        if epoch.acked + 1 not in epoch.delivered:
            self._quiet_since = now
        epoch.deliver(piece.first, piece.last, asked=piece.asked)
        self.counters["messages"] += 1
        self.counters["rows"] += piece.last - piece.first + 1
        self._holds = self._set_aside_in_a_row = 0

    def suspect(self, piece: Piece, now: float, *, certain: bool = False) -> None:
        """Something in the message may be at fault: smaller parts, and at last the row is set aside, at once if that is
        `certain`."""
        epoch = self._epochs[piece.epoch]
        if piece.asked:  # the cloud had them once; it may ask again
            epoch.asked.remove(piece.first, piece.last)
            return
        if piece.rows > 1:
            self._limit = max(1, min(self._limit, piece.rows) // 2)
            self._suspect = max(self._suspect or (piece.epoch, 0), (piece.epoch, piece.last))
            return
        alone = (piece.epoch, piece.first)
        self._alone = (alone, self._alone[1] + 1 if self._alone[0] == alone else 1)
        if not certain and self._alone[1] < ROW_REFUSALS:
            self._hold(now)
            return
        self._set_aside_in_a_row += 1
        if self._set_aside_in_a_row > SET_ASIDE_IN_A_ROW or len(epoch.quarantined) >= QUARANTINE_RANGES:
            self._hold(now)
            return
        if self.quarantined == 0:
            self._released_at = now
        epoch.quarantine(piece.first, piece.last)
        self.counters["quarantined"] += 1

    def _hold(self, now: float) -> None:
        self.held_until = now + self._jitter(self._holds)
        self._holds += 1

    def disconnected(self) -> None:
        """What was out is to be sent again."""
        for piece in self.out.values():
            self._epochs[piece.epoch].give_back(piece.first, piece.last, asked=piece.asked)
        self.out.clear()

    def connected(self) -> None:
        """What is recorded from now on is fresh."""
        self._fresh_from = self.newest.end if self.newest else 0
        self._holds, self.held_until = 0, 0.0

    # -- the cloud's answers

    def through_broker(self) -> list[tuple[str, int]]:
        """For `ack = "broker"`: epochs, and through which row the broker has all of each, where that is more than is
        marked."""
        found = [(epoch.name, epoch.delivered.through(epoch.acked)) for epoch in self._epochs.values()]
        return [(name, through) for name, through in found if through > self._epochs[name].acked]

    def ack(self, ack: Ack, now: float) -> int:
        """Through which row the store is to be marked; 0: nothing to mark. What can't be true is counted."""
        epoch = self._epochs.get(ack.epoch)
        if epoch is None or ack.through < epoch.acked:
            self.counters["ack_stale"] += 1
            return 0
        if ack.through > epoch.believable:
            self.counters["ack_beyond"] += 1
            return 0
        missing = ack.missing[:MISSING_RANGES]
        self.version += bool(missing) or ack.newest > 0
        if missing and now - self._missed_at >= MISSING_EVERY_S:
            self._missed_at = now
            out = self._out_of(epoch)
            self.counters["missing"] += sum(epoch.missed(first, last, out) for first, last in missing)
        if ack.newest > ack.through and len(missing) == len(ack.missing):
            epoch.had(ack.newest, ((1, ack.through), *missing))
        return ack.through if ack.through > epoch.acked else 0

    def acknowledged(self, epoch_name: str, through: int, now: float) -> None:
        """The store has marked it."""
        epoch = self._epochs.get(epoch_name)
        if epoch is None or through <= epoch.acked:
            return
        epoch.acknowledge(through)
        self._quiet_since, self._patience_s = now, self._patience.ack_s
        if through == self._resent_to and epoch.acked + 1 in epoch.delivered:
            self._again_rows *= 2  # it took all we sent again, and has not what came behind that
            self._resend(epoch)
        elif through > self._resent_to:
            self._again_rows, self._resent_to = AGAIN_ROWS, 0
        self._forget_done()

    def _forget_done(self) -> None:
        """Epochs that the cloud has all of, and of which nothing is out."""
        out = {piece.epoch for piece in self.out.values()}
        for epoch in list(self._epochs.values()):
            if epoch.is_done and epoch is not self.newest and epoch.name not in out:
                del self._epochs[epoch.name]
                self.version += 1

    def tick(self, now: float) -> None:
        """Time passes: patience with the cloud ends, what was set aside is tried again."""
        self._forget_done()
        if now - self._aged_at >= self._patience.young_s:
            self._aged_at = now
            for epoch in self._epochs.values():
                epoch.age()
        if self.quarantined and now - self._released_at >= QUARANTINE_S:
            self._released_at = now
            self.version += 1
            for epoch in self._epochs.values():
                epoch.release()
        oldest = next(iter(self._epochs.values()), None)
        if self._by_broker or oldest is None or oldest.acked + 1 not in oldest.delivered:
            return
        if now - self._quiet_since >= self._patience_s:
            self._quiet_since = now
            self._patience_s = min(2 * self._patience_s, ACK_PATIENCE_MAX_S)
            self._resend(oldest)

    def _resend(self, epoch: Epoch) -> None:
        last = min(epoch.acked + self._again_rows, epoch.delivered.through(epoch.acked))
        self.version += 1
        self.counters["resent"] += epoch.free(epoch.acked + 1, last, self._out_of(epoch))
        self._resent_to = last

    def _out_of(self, epoch: Epoch) -> list[tuple[int, int]]:
        return [(p.first, p.last) for p in self.out.values() if p.epoch == epoch.name and not p.asked]
