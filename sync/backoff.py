"""How long to wait before the next attempt: full jitter, so that a fleet does not come back all at once.

Owns: the waits between connections. Never: sleeps. Chance is handed in, so that a test knows it.

Source: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): a random wait between nothing and the doubled
limit makes the fewest calls in the shortest time.
"""

from __future__ import annotations

import random

BASE_S = 1.0
STEADY_S = 30.0  # a connection that lived so long was one: the next attempt is the first again
TAKEN_OVER_MAX = 3  # within TAKEN_OVER_S: another box uses our name, and both throw each other out
TAKEN_OVER_S = 600.0
SHORT_MAX = 5  # connections within TAKEN_OVER_S that ended before they were steady: worth a word to the fleet


def full_jitter(chance: random.Random, attempt: int, limit_s: float) -> float:
    """Seconds to wait at the nth attempt, n from 0."""
    return chance.uniform(0, min(limit_s, BASE_S * 2 ** min(attempt, 32)))


class Backoff:
    """The waits of one box."""

    def __init__(self, limit_s: float, chance: random.Random) -> None:
        self.limit_s = limit_s
        self._chance = chance
        self._attempt = 0
        self._taken_over: list[float] = []
        self._short: list[float] = []

    def next_s(self) -> float:
        """How long to wait now."""
        wait = full_jitter(self._chance, self._attempt, self.limit_s)
        self._attempt += 1
        return self._chance.uniform(self.limit_s / 2, self.limit_s) if self.has_double else wait

    def lived(self, seconds: float, now: float) -> None:
        """A connection that the broker had let in has ended after so long."""
        self.forget(now)
        if seconds >= STEADY_S:
            self._attempt = 0
        else:
            self._short = [*self._short[-SHORT_MAX:], now]

    def taken_over(self, now: float) -> None:
        """The broker has ended the connection because somebody came with the same client id."""
        self.forget(now)
        self._taken_over = [*self._taken_over[-TAKEN_OVER_MAX:], now]

    def forget(self, now: float) -> None:
        """What is long ago does not count."""
        self._taken_over = [at for at in self._taken_over if now - at < TAKEN_OVER_S]
        self._short = [at for at in self._short if now - at < TAKEN_OVER_S]

    @property
    def is_unsteady(self) -> bool:
        """Connections end as soon as they begin. mosquitto 2.0 doesn't say so when it is for another with our name."""
        return len(self._short) >= SHORT_MAX

    @property
    def has_double(self) -> bool:
        """Two boxes have one name."""
        return len(self._taken_over) >= TAKEN_OVER_MAX
