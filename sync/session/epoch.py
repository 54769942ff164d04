"""One epoch of one stream: which of its rows the cloud has, which are on their way, which come next.

Owns: the sets of row numbers. Never: knows a time, a message or a reason (lane.py).

What is to be sent is whatever lies behind the cloud's high-water and is not taken. So sending again is nothing but
giving numbers free: after a lost connection, a refusal, a range that the cloud misses.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.session.ranges import Ranges

ASKED_MAX = 64  # ranges that the cloud asked for and that it had acknowledged before


class Epoch:
    """`acked`: the cloud has 1 through this. `end`: the last row there is."""

    def __init__(self, name: str, acked: int, end: int) -> None:
        self.name = name
        self.acked = acked
        self.end = end
        self.delivered = Ranges()  # the broker has them
        self.quarantined = Ranges()
        self.asked = Ranges()  # to be sent once more though the cloud had them
        self._taken = Ranges()  # out, delivered or quarantined
        self._sent = Ranges()  # at any time since the start; what was there before it may have been, too
        self._sent.add(acked + 1, end)
        self._young = (Ranges(), Ranges())  # delivered just now: the cloud can't have missed them yet

    @property
    def believable(self) -> int:
        """An ack may go so far: fresh rows go first, so the last one that was sent says nothing of those before it."""
        return self._sent.through(self.acked)

    @property
    def is_done(self) -> bool:
        """The cloud has all of it."""
        return self.acked >= self.end and not len(self.asked)

    def gap(self, first: int, last: int) -> tuple[int, int] | None:
        """The first rows of `first` through `last` that are to be sent."""
        return self._taken.gap(max(first, self.acked + 1), min(last, self.end))

    def asked_gap(self) -> tuple[int, int] | None:
        """The first rows that were asked for."""
        return next(iter(self.asked), None)

    def take(self, first: int, last: int, *, asked: bool) -> None:
        """Rows go out."""
        if asked:
            self.asked.remove(first, last)
        else:
            self._taken.add(first, last)
            self._sent.add(first, last)

    def give_back(self, first: int, last: int, *, asked: bool) -> None:
        """Rows did not get there."""
        if asked:
            self.ask(first, last)
        else:
            self._taken.remove(first, last)

    def deliver(self, first: int, last: int, *, asked: bool) -> None:
        """The broker has them. Where that can't be kept in mind they go out once more."""
        first = max(first, self.acked + 1)
        if asked or first > last:
            return
        if self.delivered.add(first, last):
            self._young[0].add(first, last)
        else:
            self._taken.remove(first, last)

    def quarantine(self, first: int, last: int) -> None:
        """Not to be tried for now; the other rows go on."""
        self._taken.add(first, last)
        self.quarantined.add(first, last)

    def release(self) -> None:
        """What is in quarantine may be tried again."""
        for first, last in self.quarantined:
            self._taken.remove(first, last)
        self.quarantined = Ranges()

    def ask(self, first: int, last: int) -> bool:
        """The cloud wants rows again that it had acknowledged. False: too many ranges at once."""
        return len(self.asked) < ASKED_MAX and self.asked.add(max(first, 1), min(last, self.end))

    def acknowledge(self, through: int) -> None:
        """The store has marked it."""
        if through <= self.acked:
            return
        self.acked = through
        for numbers in (self.delivered, self._taken, self._sent, self.quarantined, *self._young):
            numbers.remove(0, through)

    def free(self, first: int, last: int, out: Iterable[tuple[int, int]]) -> int:
        """Delivered rows go out again, but none that is `out` or in quarantine; how many rows."""
        before = self.delivered.count
        self.delivered.remove(first, last)
        self._taken.remove(first, last)
        for held in (*out, *self.quarantined):
            self._taken.add(max(first, held[0]), min(last, held[1]))
        return before - self.delivered.count

    def missed(self, first: int, last: int, out: Iterable[tuple[int, int]]) -> int:
        """The cloud says that it has seen later rows but not these; how many go out again."""
        first, last, freed = max(first, self.acked + 1), min(last, self.end), 0
        old = Ranges()
        old.add(first, last)
        for young in self._young:
            for pair in young:
                old.remove(*pair)
        for pair in old:
            freed += self.free(*pair, out)
        return freed

    def had(self, newest: int, missing: Iterable[tuple[int, int]]) -> None:
        """The cloud has seen rows through `newest`: what of them is neither missing nor taken needs no sending.

        As far as it can be kept in mind: whoever owns the broker may name any number of ranges.
        """
        known = Ranges()
        for first, last in self._sent:
            known.add(first, min(last, newest))
        for pair in missing:
            known.remove(*pair)
        for pair in known:
            while gap := self._taken.gap(*pair):
                if not self._taken.add(*gap):
                    return
                if not self.delivered.add(*gap):
                    self._taken.remove(*gap)
                    return

    def age(self) -> None:
        """Called every few seconds: what was delivered before the last call may be missed from now on."""
        self._young = (Ranges(), self._young[0])
