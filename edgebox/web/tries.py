"""Wrong tries: who has failed how often, and how long they must wait.

Owns: the counts and the growing waits. Never: knows what was tried. Pure: the clock comes in.

A name is counted apart from an address, with more patience and a shorter wait: whoever is in the shop's network must
not be able to keep the owner out.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

KEYS_MAX = 1024  # names and addresses remembered; the oldest is forgotten. A shop's network has 254
FORGET_S = 3600.0  # after so long without a failure


class Patience(NamedTuple):
    """So many failures are free; then a wait that doubles with each, up to `longest_s`."""

    free: int
    first_s: float
    longest_s: float


OF_ADDRESS = Patience(5, 15.0, 900.0)
OF_NAME = Patience(15, 15.0, 120.0)


class _Failed(NamedTuple):
    times: int
    at: float


class Tries:
    """Failures by key."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failed: OrderedDict[str, _Failed] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """Seconds until the next try is looked at; 0: now."""
        found = self._failed.get(key)
        if found is None:
            return 0.0
        if now - found.at > FORGET_S:
            del self._failed[key]
            return 0.0
        over = found.times - self._patience.free
        if over < 0:
            return 0.0
        wait = min(self._patience.first_s * 2.0 ** min(over, 32), self._patience.longest_s)
        return max(0.0, found.at + wait - now)

    def failed(self, key: str, now: float) -> None:
        """One more."""
        before = self._failed.pop(key, _Failed(0, now))
        self._failed[key] = _Failed(before.times + 1, now)
        while len(self._failed) > KEYS_MAX:
            self._failed.popitem(last=False)

    def not_looked_at(self, key: str) -> None:
        """The last one was counted, and then nobody had time for it."""
        found = self._failed.get(key)
        if found is not None:
            self._failed[key] = found._replace(times=max(0, found.times - 1))

    def succeeded(self, key: str) -> None:
        """All is forgotten."""
        self._failed.pop(key, None)
