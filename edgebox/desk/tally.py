"""A shift's sums, made from the ledger's rows: the same rows whose slips the cashier has in the drawer.

Owns: the sums and what belongs to them. Never: reads a database or a clock.

A redemption that was taken back in the same shift counts nothing, but both its slips have a number and are named. One
that is taken back in a later shift is that shift's minus: a shift that is closed never changes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from edgebox.store.events import RedemptionState
from edgebox.store.redemptions import Entry

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would run [OWASP, CSV Injection]
_COLUMNS = (
    "number", "at", "state", "reason", "coupon", "stock", "value_minor", "points", "cashier", "offline", "source",
    "channel", "shift", "line",
)  # fmt: skip


Sum = tuple[int, int, int]  # how many, minor units, points


class Tally(NamedTuple):
    """`slips`: numbers of all, first and last; the sums are by name. `reversed`, `offline`: numbers of slips."""

    slips: tuple[int, int]
    total: Sum
    by_cashier: tuple[tuple[str, Sum], ...]
    by_coupon: tuple[tuple[str, Sum], ...]
    by_stock: tuple[tuple[str, Sum], ...]
    reversed: tuple[int, ...]
    offline: tuple[int, ...]


def tally(entries: Sequence[Entry]) -> Tally:
    """The sums of a shift's rows, in order of number."""
    numbers = [entry.number for entry in entries]
    return Tally(
        (min(numbers, default=0), max(numbers, default=0)),
        _sum(entries),
        _by(entries, lambda entry: entry.cashier),
        _by(entries, lambda entry: entry.coupon or entry.source),
        _by([entry for entry in entries if entry.stock], lambda entry: entry.stock),
        tuple(entry.number for entry in entries if entry.state == RedemptionState.REVERSED),
        tuple(entry.number for entry in entries if entry.offline and entry.state == RedemptionState.REDEEMED),
    )


def as_csv(entries: Iterable[Entry]) -> str:
    """One line a slip, for a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in entries:
        values = entry._asdict()
        writer.writerow([_safe(values[name]) for name in _COLUMNS])
    return out.getvalue()


def _sign(entry: Entry) -> int:
    return -1 if entry.state == RedemptionState.REVERSED else 1


def _sum(entries: Iterable[Entry]) -> Sum:
    signed = [(_sign(entry), entry) for entry in entries]
    return (
        sum(sign for sign, _ in signed),
        sum(sign * entry.value_minor for sign, entry in signed),
        sum(sign * entry.points for sign, entry in signed),
    )


def _by(entries: Iterable[Entry], key: Callable[[Entry], str]) -> tuple[tuple[str, Sum], ...]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(key(entry), []).append(entry)
    return tuple((name, _sum(found[name])) for name in sorted(found))


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
