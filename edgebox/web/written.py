"""Amounts, times and numbers as people of a language write them, in the shop's time zone and currency.

Owns: how they are written. Never: calculates.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edgebox.model import format_minor

_SIGNS = {
    "CNY": "¥",
    "EUR": "€",
    "GBP": "£",
    "USD": "$",
    "JPY": "¥",
    "KRW": "₩",
    "BRL": "R$",
    "IDR": "Rp",
    "HKD": "HK$",
}
_DAYS = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Written(NamedTuple):
    """For one visitor. `language`: zh or en."""

    language: str
    zone: ZoneInfo
    currency: str
    decimals: int

    def money(self, minor: int | None, currency: str = "", decimals: int | None = None) -> str:
        """`¥1,234.50`; another currency than the shop's by its code: `12.00 CHF`; None: –."""
        if minor is None:
            return "–"
        currency = currency or self.currency
        value = format_minor(abs(minor), self.decimals if decimals is None else decimals)
        whole, dot, rest = value.partition(".")
        value = f"{int(whole):,}{dot}{rest}"
        minus = "-" if minor < 0 else ""
        sign = _SIGNS.get(currency)
        return f"{minus}{sign}{value}" if sign else f"{minus}{value} {currency}".rstrip()

    def number(self, value: float) -> str:
        """`12,345`."""
        return f"{value:,}"

    def size(self, count: int) -> str:
        """Bytes: `1.4 GB`, `830 KB`."""
        value, unit = float(count), "B"
        for unit in ("B", "KB", "MB", "GB"):
            if value < 1024 or unit == "GB":
                break
            value /= 1024
        return f"{value:.1f} {unit}" if unit == "GB" or (unit == "MB" and value < 10) else f"{value:.0f} {unit}"

    def lasting(self, seconds: int) -> str:
        """`3 天 4 小时`, `3 d 4 h`; less than a day: hours and minutes."""
        days, hours, minutes = seconds // 86_400, seconds % 86_400 // 3600, seconds % 3600 // 60
        day, hour, minute = ("天", "小时", "分") if self.language == "zh" else ("d", "h", "min")
        return f"{days} {day} {hours} {hour}" if days else f"{hours} {hour} {minutes} {minute}"

    def local(self, at: float) -> datetime:
        """Seconds since 1970 in the shop's time."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

    def clock(self, at: float) -> str:
        """`18:42`."""
        return self.local(at).strftime("%H:%M")

    def moment(self, at: float) -> str:
        """`11月18日 18:42`, `18 Nov 18:42`."""
        return f"{self.day(self.local(at).date(), weekday=False)} {self.clock(at)}"

    def recent(self, at: float, today: date) -> str:
        """The time alone, if it was today."""
        return self.clock(at) if self.local(at).date() == today else self.moment(at)

    def full(self, at: float) -> str:
        """`2026-11-18 18:42:07`: for lists that are searched."""
        return self.local(at).strftime("%Y-%m-%d %H:%M:%S")

    def day(self, day: date, *, weekday: bool = True) -> str:
        """`11月18日 周三`, `Wed 18 Nov`."""
        if self.language == "zh":
            return f"{day.month}月{day.day}日" + (f" 周{_DAYS['zh'][day.weekday()]}" if weekday else "")
        plain = f"{day.day} {_MONTHS[day.month - 1]}"
        return f"{_DAYS['en'][day.weekday()]} {plain}" if weekday else plain
