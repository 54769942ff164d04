"""What was sold: name, quantity and price of each line that is an item's.

Owns: `ItemCollector`. Never: decides what is an item (entries.py says which amounts have no other meaning), nor any
total: a name may say anything. Names leave redacted.

A line's last amount is what was paid for it. Among the numbers before it, two whose product it is are quantity and
price; `x2`, `2 x 8.00` and `@2 x rm 6.99` on the line below say so in words. A line with numbers alone belongs to the
name above.
"""

from __future__ import annotations

import re

from edgebox.model import Item
from edgebox.receipt.redact import mask

ITEMS_MAX = 300  # of one document
_NAME_MAX = 60  # characters
_numbers = re.compile(r"(?<![\d.,])(\d{1,7})(?:[.,](\d{1,3}))?(?![\d%])").findall
_counted = re.compile(r"(?:[x×*]\s?(\d{1,4})(?![\d.,])|(?<![\d.,])(\d{1,4})\s?[x×*@])(?!\w)").search
_columns = re.compile(r"\s{2,}").search
_word = re.compile(r"\S+").finditer
_figure = re.compile(
    r"(?:[x×*@]|[^\W\d_]{1,3}\.?|[$¥€£])?-?[$¥€£]?\d[\d.,]*[^\W\d_]?|[x×*@]|[a-z]{1,2}|[$¥€£-]", re.IGNORECASE
).fullmatch
_has_letter = re.compile(r"[^\W\d_]").search
_keyed = re.compile(r"[^:]{1,12}[:：]\s*\S").match  # `桌号: 4`, `09:28`
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
        if self._says_price(line) or _columns(line.strip()) or _keyed(line):
            return  # of what went before; or a row of headings
        self._above = line.strip() if _has_letter(line) else ""

    def add(self, line: str, amount_minor: int, *, whole: bool) -> None:
        """A line, as printed, whose last amount has no other meaning. `whole`: printed without decimals."""
        if len(self.items) >= ITEMS_MAX or self._says_price(line):
            return
        name, numbers = self._split(line)
        if not numbers or (whole and self._decimals and not _columns(line.strip())) or _keyed(line):
            self.name(line)  # a number somewhere in a sentence, a code or an address
            return
        if all(_figure(word[0]) for word in _word(name)):
            name = self._above
        self._above = ""
        if name:
            quantity, price = self._parts(line, numbers[:-1], amount_minor)
            self.items.append(Item(mask(name)[:_NAME_MAX], quantity, price, amount_minor))

    def _split(self, line: str) -> tuple[str, list[tuple[int, int]]]:
        """The name, and the numbers behind it: each as (thousandths, minor units)."""
        text = _leading.sub("", line)
        end = _name_end(text)
        name, rest = text[:end], text[end:]
        numbers = [(int(whole + part.ljust(3, "0")), self._minor(whole, part)) for whole, part in _numbers(rest)]
        return name.strip(), numbers

    def _minor(self, whole: str, part: str | None) -> int:
        digits = (part or "")[: self._decimals].ljust(self._decimals, "0")
        return int((whole or "0") + digits)

    def _parts(self, line: str, numbers: list[tuple[int, int]], amount: int) -> tuple[int, int | None]:
        """Quantity in thousandths and price: two numbers whose product is the amount, else a count in words."""
        for place, (milli, minor) in enumerate(numbers):
            for other_milli, other_minor in numbers[place + 1 :]:
                if abs(milli * other_minor - amount * 1000) <= 1000:
                    first_counts = milli <= other_milli or other_milli % 1000  # nobody buys 22 things at 2.00 each
                    return (milli, other_minor) if first_counts else (other_milli, minor)
        counted = _counted(line)
        if counted:
            count = int(counted[1] or counted[2])
            return count * 1000, (amount // count if count and amount % count == 0 else None)
        for milli, _ in numbers:
            if milli % 1000 == 0 and 0 < milli <= 999_000 and amount * 1000 % milli == 0:
                return milli, amount * 1000 // milli
        return 1000, amount

    def _says_price(self, line: str) -> bool:
        """`@2 x rm 6.99` below an item: its count and price."""
        found = _unit_price(line)
        if not found or not (found[2] or found[3]) or not self.items:
            return False
        count, price, last = int(found[1]), self._minor(found[2], found[3]), self.items[-1]
        if count * price != last.amount_minor:
            return False
        self.items[-1] = last._replace(quantity_milli=count * 1000, price_minor=price)
        return True


def _name_end(text: str) -> int:
    """Where a line's name ends: at its first gap, or before the figures that end it."""
    text = text.rstrip()
    gap = _columns(text.lstrip())
    if gap and _has_letter(text[: gap.start()]):
        return gap.start() + len(text) - len(text.lstrip())
    end = len(text)
    for word in reversed(list(_word(text))):
        if not _figure(word[0]):
            break
        end = word.start()
    return end
