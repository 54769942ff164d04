"""What is wrong now, and what to do: the states of the box's parts as keys, worst first.

Owns: the table from a part and its words to keys, and the order. Pure. Never: a sentence for people: the page has those
for each key, in its languages. `Trouble.words` are the box's own, English, for the installer.

A part is named `printer till-1`, `beacons: listening`, `store.room`, `cloud`, …: its kind is the first word. A kind
that nobody listed is told as `other`: a new part must not be silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_PRINTER = {
    "not there": "gone", "no paper": "no_paper", "paper nearly at its end": "paper_low", "cover open": "cover_open",
    "cutter jammed": "cutter", "broken": "broken", "too hot": "hot", "error": "error", "off-line": "offline",
}  # fmt: skip
# Worst first: what stops the shop, what stops points, what loses records, what waits.
ORDER = (
    "line", "printer", "recording", "store", "keys", "rules", "slips", "clock", "sync", "cloud", "codes", "layout",
    "desk", "campaigns", "scanner", "beacons", "web", "engine", "other",
)  # fmt: skip
_CALLED = {"shop": "beacons"}  # `shop beacons`
_OWN = {"desk.conflicts": "conflict", "desk.unsettled": "unsettled"}  # parts with a sentence of their own
_STATES = ("failed", "warning")


class Standing(NamedTuple):
    """A part's newest state, as in HealthRecord. `at`: since when."""

    part: str
    state: str
    words: str
    at: int


class Trouble(NamedTuple):
    """`key`: what is wrong and, as `key` + "_todo", what to do: one of KEYS. `name`: which of its kind, "" the only
    one. `is_serious`: it stops points or records. `words`: the box's own."""

    key: str
    name: str
    is_serious: bool
    words: str
    at: int
    part: str


KEYS = frozenset(
    {f"{kind}_{state}" for kind in ORDER for state in _STATES}
    | {f"printer_{word}" for word in _PRINTER.values()}
    | {"z_differs", "unsent_old", *_OWN.values()}
)


def troubles(standings: Iterable[Standing]) -> tuple[Trouble, ...]:
    """All that is not well, worst first."""
    found = [_trouble(one) for one in standings if one.state in _STATES]
    return tuple(sorted(found, key=_rank))


def with_more(found: Iterable[Trouble], more: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Both, worst first. What a part has said already is not said twice."""
    said = list(found)
    keys = {one.key for one in said}
    return tuple(sorted((*said, *(one for one in more if one.key not in keys)), key=_rank))


def _rank(one: Trouble) -> tuple[bool, int, int]:
    kind = _kind(one.part)
    return not one.is_serious, ORDER.index(kind) if kind in ORDER else len(ORDER), -one.at


def _kind(part: str) -> str:
    first = part.partition(" ")[0].partition(".")[0].rstrip(":")
    return _CALLED.get(first, first)


def _trouble(one: Standing) -> Trouble:
    kind, name = _kind(one.part), one.part.partition(" ")[2]
    key = f"{kind if kind in ORDER else 'other'}_{one.state}"
    key = _OWN.get(one.part, key)
    if kind == "printer":
        key = f"printer_{_PRINTER[one.words]}" if one.words in _PRINTER else key
    return Trouble(key, name, one.state == "failed", one.words, one.at, one.part)


def sync_trouble(oldest_ms: int, now: int, days: int = 1) -> Trouble | None:
    """Rows that have waited for the cloud for more than a day."""
    if not oldest_ms or now - oldest_ms // 1000 < days * 86_400:
        return None
    return Trouble("unsent_old", "", False, "", oldest_ms // 1000, "sync")


def check_trouble(words: str, line: str, at: int) -> Trouble:
    """The till's last report differs from what the box saw."""
    return Trouble("z_differs", line, False, words, at, "z_check")


def conflict_trouble(count: int, at: int) -> Trouble:
    """Coupons that the cloud does not agree with, and that nobody has looked at."""
    return Trouble("conflict", str(count), False, "", at, "desk")
