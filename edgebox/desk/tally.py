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

from edgebox.desk.redemption import Source
from edgebox.store.events import RedemptionState
from edgebox.store.redemptions import Entry

SERVICES = (Source.MALL, Source.PICK_UP)  # what is no coupon has rows of its own
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would run [OWASP, CSV Injection]
BOM = "\ufeff"  # without it, Excel takes UTF-8 for the system's own code page
COLUMNS = (
    "number", "time", "what", "reason", "coupon", "batch", "count", "value", "currency", "points", "cashier", "offline",
    "source", "channel", "shift", "line",
)  # fmt: skip


Sum = tuple[int, int, int]  # how many, minor units, points


class Tally(NamedTuple):
    """`slips`: numbers of all, first and last; the sums are by name. `reversed`, `offline`: numbers of slips.

    `by_goods`: of the points mall; `pick_ups`: orders handed out. Both are in `total` and with their cashiers, and no
    coupons.
    """

    slips: tuple[int, int]
    total: Sum
    by_cashier: tuple[tuple[str, Sum], ...]
    by_coupon: tuple[tuple[str, Sum], ...]
    by_stock: tuple[tuple[str, Sum], ...]
    reversed: tuple[int, ...]
    offline: tuple[int, ...]
    by_goods: tuple[tuple[str, Sum], ...] = ()
    pick_ups: Sum = (0, 0, 0)


def tally(entries: Sequence[Entry]) -> Tally:
    """The sums of a shift's rows, in order of number."""
    numbers = [entry.number for entry in entries]
    coupons = [entry for entry in entries if entry.source not in SERVICES]
    return Tally(
        (min(numbers, default=0), max(numbers, default=0)),
        _sum(entries),
        _by(entries, lambda entry: entry.cashier),
        _by(coupons, lambda entry: entry.coupon or entry.source),
        _by([entry for entry in coupons if entry.stock], lambda entry: entry.stock),
        tuple(entry.number for entry in entries if entry.state == RedemptionState.REVERSED),
        tuple(entry.number for entry in entries if entry.offline and entry.state == RedemptionState.REDEEMED),
        _by([entry for entry in entries if entry.source == Source.MALL], lambda entry: entry.coupon),
        _sum(entry for entry in entries if entry.source == Source.PICK_UP),
    )


class Written(NamedTuple):
    """How the shop writes. `time`: of seconds since 1970; `value`: of minor units, without the currency."""

    time: Callable[[int], str]
    value: Callable[[int], str]
    currency: str


def as_csv(entries: Iterable[Entry], written: Written, *, bom: bool = False) -> str:
    """One line a slip, for a spreadsheet (RFC 4180). What was taken back has a minus: columns add up to the tally."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        sign = _sign(entry)
        texts = (entry.state, entry.reason, entry.coupon or entry.source, entry.stock)
        more = (entry.cashier, "yes" if entry.offline else "no", entry.source, entry.channel)
        writer.writerow(
            [
                entry.number, written.time(entry.at), *map(_safe, texts), sign, written.value(sign * entry.value_minor),
                written.currency, sign * entry.points, *map(_safe, more), entry.shift, _safe(entry.line),
            ]
        )  # fmt: skip
    return (BOM if bom else "") + out.getvalue()


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


def _safe(text: str) -> str:
    """Text that no spreadsheet runs, also not behind spaces that it cuts off; amounts are ours, and not text."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text
