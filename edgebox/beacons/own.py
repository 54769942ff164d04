"""The shop's own beacons on its walls: are they alive, and how are their batteries?

Owns: when each was last heard, what it says of its battery, and the words for health. Never: who is near, or that a
beacon is dead while the box itself is deaf.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebox.beacons.heard import Battery, Deaf, Heard, TagKey
from edgebox.beacons.tags import Role, Tag

SILENT_S = 600.0  # unheard for so long: dead, taken away, or behind a new shelf. One frame in ten minutes always comes
LOW_MV = 2400  # a lithium coin cell (3 V) is at its end there [CR2032 and CR2477 data sheets: discharge curves]
NAMED_MAX = 5  # beacons named in one sentence
KEPT_MAX = 2500  # tags; as many as may be listed


class OwnBeacons:
    """All listed tags' last words; `since_s`: nobody can have been heard before."""

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._last: dict[TagKey, float] = {}
        self._listed: dict[TagKey, float] = {}
        self._volts: dict[TagKey, int] = {}
        self._deaf_until = since_s

    def listed(self, key: TagKey, now: float) -> None:
        """It is listened for, from now on if it is new; before, nobody could know."""
        if len(self._listed) < KEPT_MAX:
            self._listed.setdefault(key, now)

    def heard(self, heard: Heard) -> None:
        """It is there."""
        if heard.key in self._last or len(self._last) < KEPT_MAX:
            self._last[heard.key] = heard.mono_s

    def battery(self, battery: Battery) -> None:
        """0 mV: it has none to measure."""
        if battery.key in self._volts or len(self._volts) < KEPT_MAX:
            self._volts[battery.key] = battery.millivolts

    def deaf(self, deaf: Deaf) -> None:
        """Silence counts anew from its end."""
        if deaf.until is not None:
            self._deaf_until = max(self._deaf_until, deaf.until)

    def forget(self, key: TagKey) -> None:
        """It is no longer listed."""
        self._last.pop(key, None)
        self._listed.pop(key, None)
        self._volts.pop(key, None)

    def last_s(self, key: TagKey) -> float | None:
        """When it was last heard; None: never."""
        return self._last.get(key)

    def millivolts(self, key: TagKey) -> int:
        """0: not known."""
        return self._volts.get(key, 0)

    def judged(self, tags: Iterable[Tag], now: float, *, is_deaf: bool) -> tuple[str, str] | None:
        """State and words for health; None: there are none, or nothing can be said now."""
        own = [tag for tag in tags if tag.role is Role.BEACON]
        if not own or is_deaf:
            return None
        silent = [tag.name for tag in own if now - self._word_of(tag.key) > SILENT_S]
        low = [tag.name for tag in own if 0 < self.millivolts(tag.key) < LOW_MV]
        said = [f"not heard for {SILENT_S / 60:.0f} minutes: {_named(silent)}"] if silent else []
        said += [f"battery low: {_named(low)}"] if low else []
        return ("warning", "; ".join(said)) if said else ("ok", "")

    def _word_of(self, key: TagKey) -> float:
        """Its last word, or since when it has been listened for."""
        return max(self._last.get(key, self._listed.get(key, self._since_s)), self._deaf_until)


def _named(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(sorted(names)[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
