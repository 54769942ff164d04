"""What was sold: name, quantity and price of each line that is an item's.

Owns: `ItemCollector`. Never: decides what is an item (entries.py says which amounts have no other meaning), nor any
total: a name may say anything. Names leave redacted.

A line's last amount is what was paid for it. Among the numbers before it, two whose product it is are quantity and price;
`x2`, `2 x 8.00` and `@2 x rm 6.99` on the line below say so in words. A line with numbers alone belongs to the name above.
"""

from __future__ import annotations

import re

from edgebox.model import Item
from edgebox.receipt.redact import mask

ITEMS_MAX = 300  # of one document
_NAME_MAX = 60  # characters
_numbers = re.compile(r"(?<![\w.,])[x×*@]?\s?(?:[^\W\d]{1,3}\s?)?[$¥€£]?(\d{1,7})(?:[.,](\d{1,3}))?(?![\d%])").finditer
_counted = re.compile(r"(?:[x×*]\s?(\d{1,4})(?![\d.,])|(?<![\d.,])(\d{1,4})\s?[x×*@])(?!\w)").search
_name_end = re.compile(r"\s{2,}|\s[x×*]\s?\d|\s+[$¥€£]?-?\d[\d.,]*\s*(?:$|\s)").search
_has_letter = re.compile(r"[^\W\d_]").search
_leading = re.compile(r"^\s*(?:\d{1,3}[.、)]\s*|[*#@\-]\s?|\d{6,14}\s+)")
_unit_price = re.compile(r"^\s*(?:@\s*)?(\d{1,4})\s*[x×@]\s*[^\d]{0,4}(\d{0,7})(?:[.,](\d{1,3}))?", re.IGNORECASE).match


class ItemCollector:
    """Collects the items of one document."""

    __slots__ = ("_above", "_decimals", "items")

    def __init__(self, decimals: int) -> None:
        self._decimals = decimals
        self._above = ""  # a name that waits for its numbers
        self.items: list[Item] = []

    def name(self, line: str) -> None:
        """A trusted line without an amount: perhaps the name of what follows, or the count of what went before."""
        found = _unit_price(line)
        if found and found[2] and self.items:
            self._say_price(int(found[1]), self._minor(found[2], found[3]))
            return
        self._above = line.strip() if _has_letter(line) else ""

    def add(self, line: str, amount_minor: int, *, whole: bool) -> None:
        """A line, as printed, whose last amount has no other meaning. `whole`: printed without decimals."""
        above, self._above = self._above, ""
        if len(self.items) >= ITEMS_MAX:
            return
        name, numbers = self._split(line)
        if not _has_letter(name):
            name = above
        if not name or (whole and self._decimals and "  " not in line.strip()):
            return  # a number somewhere in a sentence or an address
        quantity, price = self._parts(line, numbers[:-1], amount_minor)
        self.items.append(Item(mask(name)[:_NAME_MAX], quantity, price, amount_minor))

    def _split(self, line: str) -> tuple[str, list[tuple[int, int]]]:
        """The name, and the numbers behind it: each as (thousandths, minor units)."""
        text = _leading.sub("", line)
        end = _name_end(text)
        name, rest = (text[: end.start()], text[end.start() :]) if end else (text, "")
        numbers = []
        for match in _numbers(rest):
            part = match[2] or ""
            numbers.append((int(match[1]) * 1000 + int(part.ljust(3, "0")), self._minor(match[1], part)))
        return name.strip(), numbers

    def _minor(self, whole: str, part: str | None) -> int:
        digits = (part or "")[: self._decimals].ljust(self._decimals, "0")
        return int((whole or "0") + digits)

    def _parts(self, line: str, numbers: list[tuple[int, int]], amount: int) -> tuple[int, int | None]:
        """Quantity in thousandths and price: two numbers whose product is the amount, else a count in words."""
        for place, (milli, minor) in enumerate(numbers):
            for other_milli, other_minor in numbers[place + 1 :]:
                if abs(milli * other_minor - amount * 1000) <= 1000:
                    return milli, other_minor
                if abs(other_milli * minor - amount * 1000) <= 1000:
                    return other_milli, minor
        counted = _counted(line)
        if counted:
            count = int(counted[1] or counted[2])
            return count * 1000, (amount // count if count and amount % count == 0 else None)
        for milli, _ in numbers:
            if milli % 1000 == 0 and 0 < milli <= 999_000 and amount * 1000 % milli == 0:
                return milli, amount * 1000 // milli
        return 1000, amount

    def _say_price(self, count: int, price: int) -> None:
        last = self.items[-1]
        if count * price == last.amount_minor:
            self.items[-1] = last._replace(quantity_milli=count * 1000, price_minor=price)
