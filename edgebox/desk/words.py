"""What the desk's slips say: a redemption, a shift's tally, a report's check, as facts for their templates.

Owns: which fact comes from where. Never: a template's words, or the paper (both edgebox/slips, edgebox/decisions.py).
No slip shows a code: it lies about on the counter, and a coupon may have been taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from edgebox.desk.tally import Sum, Tally
from edgebox.model import format_minor
from edgebox.slips.facts import Facts, Money, facts
from edgebox.store.redemptions import Entry

# Rows of one heading of a tally: as many as go into a slip's 200 (slips/facts.py); fewer where the paper is too short.
ROWS_MOST = (30, 12, 3)
SPANS_IN_ROW = 18  # of 15 characters at most: as much as one value may have (slips/facts.py)
Say = Callable[[tuple[str, ...]], Facts]  # languages → what the slip says in them


class Shop(NamedTuple):
    """How the shop writes its name and its money."""

    name: str
    currency: str
    decimals: int

    def money(self, minor: int) -> Money:
        """An amount in the shop's currency."""
        return Money(minor, self.currency, self.decimals)

    def written(self, minor: int) -> str:
        """An amount without its currency."""
        return format_minor(minor, self.decimals)


def redemption(
    entry: Entry, count: int, title: str, local: datetime, shop: Shop, *, copy: bool, undone: int = 0
) -> Say:
    """The slip of a row with a number. `count`: the how manieth of its shift; `undone`: the number it takes back.

    One that takes another back has a minus: the slips in the drawer add up to the tally.
    """
    sign = -1 if undone else 1

    def say(languages: tuple[str, ...]) -> Facts:
        return facts(
            {
                **_when(local, shop),
                "serial": str(entry.number),
                "redeemed": "" if undone else str(entry.number),
                "title": title or _named(entry.coupon, languages),
                "value": shop.money(sign * entry.value_minor) if entry.value_minor else "",
                "points": str(sign * entry.points or ""),
                "staff": entry.cashier,
                "count": str(count),
                "pending": "1" if entry.offline and not undone else "",
                "copy": "1" if copy else "",
                "undone": str(undone or ""),
                "reason": entry.reason,
            }
        )

    return say


def tally(found: Tally, local: datetime, zone_since: str, shop: Shop, *, copy: bool, most: int = ROWS_MOST[0]) -> Say:
    """A shift's sums: each cashier, each coupon, each batch; what was taken back, what is to be confirmed.

    `most`: rows of one heading. A list that is longer says how much of it is missing: facts are cut where they are too
    long.
    """

    def say(languages: tuple[str, ...]) -> Facts:
        words = _WORDS["zh" if "zh" in languages else "en"]
        first, last = found.slips
        rows = [(words[7], f"{first}-{last}" if last else "-")]
        for heading, sums in zip(words[:3], (found.by_cashier, found.by_coupon, found.by_stock), strict=True):
            rows += _kinds(heading, sums, words[8], shop, most)
        rows += _kinds(words[5], found.by_goods, words[8], shop, most)
        rows += [(words[6], _sum(found.pick_ups, shop))] if any(found.pick_ups) else []
        for heading, numbers in zip(words[3:5], (found.reversed, found.offline), strict=True):
            rows += [(heading, part) for part in _numbers(numbers, most)]
        total = _sum(found.total, shop)
        values = {**_when(local, shop), "since": zone_since, "total": total, "copy": "1" if copy else ""}
        return facts(values, {"rows": tuple(rows)})

    return say


def z_check(words: str, equal: bool, rows: Sequence[tuple[str, str]], local: datetime, since: str, shop: Shop) -> Say:
    """Whether the till's own report agrees with the receipts seen."""

    def say(languages: tuple[str, ...]) -> Facts:
        chinese = "zh" in languages
        verdict = ("相符" if chinese else "equal") if equal else words
        return facts({**_when(local, shop), "since": since, "verdict": verdict}, {"rows": tuple(rows)})

    return say


def _named(coupon: str, languages: Sequence[str]) -> str:
    """A coupon without words of its own by its id; the box's own by what it is."""
    known = _OWN.get(coupon)
    return (
        coupon
        if known is None
        else " / ".join(dict.fromkeys(known["zh" if one == "zh" else "en"] for one in languages))
    )


_OWN = {
    "comeback": {"zh": "下次消费券", "en": "Comeback coupon"},
    "amount_off": {"zh": "代金券", "en": "Money off"},
    "percent_off": {"zh": "折扣券", "en": "Discount"},
    "gift": {"zh": "赠品券", "en": "Gift"},
    "exchange": {"zh": "换购券", "en": "Exchange"},
    "fixed_price": {"zh": "特价券", "en": "Special price"},
}
_WORDS = {
    "zh": ("收银员", "券", "批次", "撤销单号", "待确认单号", "积分兑换", "自提", "单号", "其他"),
    "en": ("cashier", "coupon", "batch", "taken back", "to be confirmed", "for points", "pick-ups", "slips", "others"),
}


def _sum(one: tuple[int, int, int], shop: Shop) -> str:
    count, minor, points = one
    parts = [str(count), shop.written(minor) if minor else "", f"{points}p" if points else ""]
    return "  ".join(part for part in parts if part)


def _kinds(heading: str, sums: Sequence[tuple[str, Sum]], others: str, shop: Shop, most: int) -> list[tuple[str, str]]:
    """A row each; those behind the first `most` together, so that the rows always add up."""
    rows = [(f"{heading} {name or '-'}", _sum(one, shop)) for name, one in sums[:most]]
    if rest := [one for _, one in sums[most:]]:
        count, minor, points = (sum(column) for column in zip(*rest, strict=True))
        rows.append((f"{heading}: {len(rest)} {others}", _sum((count, minor, points), shop)))
    return rows


def _numbers(numbers: Sequence[int], most: int) -> list[str]:
    """`1-3 7`, in rows that a slip prints whole; what is behind the first `most` is counted."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    rows: list[str] = []
    for place in range(0, len(spans), SPANS_IN_ROW):
        if len(rows) == most:
            return [*rows, f"+ {sum(last - first + 1 for first, last in spans[place:])}"]
        part = spans[place : place + SPANS_IN_ROW]
        rows.append(" ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in part))
    return rows


def _when(local: datetime, shop: Shop) -> dict[str, str | Money]:
    return {"shop": shop.name, "date": local.strftime("%Y-%m-%d"), "time": local.strftime("%H:%M")}
