"""What was sold: names, quantities, prices and discounts, from the lines whose amount means nothing else.

Owns: `read_items`. Never: decides what is an item (entries.py says which amounts have no other meaning), nor any
total.

An item is a name, then numbers of which the last is its amount. Among the numbers before it, two whose product it is
are quantity and price, with a third that is missing from it as its discount; `x2`, `2 x 8.00`, `0,532 kg x 9,90` and,
on the line below, `@2 x rm 6.99` say so in words. A line with numbers alone belongs to the name above, or below where
the paper puts its names so. All lines are looked at together, once the paper is at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebox.model import Item
from edgebox.receipt.redact import mask

ITEMS_MAX = 300  # of one document
_NAME_MAX = 60  # characters
_NEAR = 2  # lines between an item and what is said about it
_numbers = re.compile(r"(?<![\d.,])(\d{1,7})(?:[.,](\d{1,3}))?(?![\d%])").findall
_counted = re.compile(r"(?:[x×*]\s?(\d{1,4})(?![\d.,])|(?<![\d.,])(\d{1,4})\s?[x×*@])(?!\w)").search
# A weight, length or volume and the price of one: `0,532 kg x 9,90`, `0.532kg @ 9.90/kg`, `532 g x 9.90`.
_measured = re.compile(
    r"(?<![\d.,])(\d{1,5})(?:[.,](\d{1,3}))?\s?(kg|gr?|lbs?|oz|ltr?|l|m|公斤|千克|克|市斤|斤|升|米)\.?"
    r"\s*(?:[x×*@]|à|a\s)\s*[^\d\s]{0,4}\s?(\d{1,6})(?:[.,](\d{1,3}))?(?:\s*[^\d\s]{0,4}\s?/\s?[^\W\d]{1,3})?",
    re.IGNORECASE,
).search
_columns = re.compile(r"\s{2,}").search
_word = re.compile(r"\S+").finditer
_figure = re.compile(
    r"(?:[x×*@]|[^\W\d_]{1,3}\.?|[$¥€£])?-?[$¥€£]?\d[\d.,]*[^\W\d_]?|[x×*@]|[a-z]{1,2}|[$¥€£-]", re.IGNORECASE
).fullmatch
_has_letter = re.compile(r"[^\W\d_]").search
_keyed = re.compile(r"[^:]{1,12}[:：]\s*\S").match  # `桌号: 4`, `09:28`
_leading = re.compile(r"^\s*(?:\d{1,3}[.、)]\s*|[*#@\-]\s?|\d{6,14}\s+)")
_count_first = re.compile(r"(\d{1,3})\s+(?=\D{2})").match
_times_first = re.compile(r"(\d{1,3})\s*[x×*]\s*(?=[^\W\d_])", re.IGNORECASE).match
_price_first = re.compile(r"(\d{1,3})\s*[x×*]?\s+(\d{1,6})[.,](\d{1,3})\s+(?=[^\W\d_])").match
_starts_with_digit = re.compile(r"\s*[@(]?\d").match
_unit_price = re.compile(r"^\s*(?:@\s*)?(\d{1,4})\s*[x×@]\s*[^\d]{0,4}(\d{0,7})(?:[.,](\d{1,3}))?", re.IGNORECASE).match


class Sold(NamedTuple):
    """A line that may tell of what was sold. `minor` None: it has no amount, so it may be a name; `whole`: its amount
    is printed without decimals; `is_discount`: its label says that the amount is taken off."""

    place: int
    text: str
    minor: int | None = None
    whole: bool = False
    is_discount: bool = False


class SoldItem(NamedTuple):
    """An item, the number of the line with its figures, and that of its name's."""

    item: Item
    place: int
    named_at: int


def read_items(lines: Sequence[Sold], decimals: int) -> list[SoldItem]:
    """The items of the lines, in order; at most ITEMS_MAX."""
    work = _Work(decimals)
    names = {line.place: line.text.strip() for line in lines if line.minor is None and _may_name(line.text)}
    bare = [line.place for line in lines if line.minor is not None and not line.is_discount and work.is_bare(line)]
    below = bool(bare) and all(place + 1 in names for place in bare) and bare[0] - 1 not in names
    for line in lines:
        if line.is_discount:
            work.discount(line)
        elif line.minor is None:
            work.name(line)
        else:
            work.add(line, names.get(line.place + 1, "") if below else "")
    return _without_counts(work.items)


class _Work:
    """One document's lines, one after the other."""

    def __init__(self, decimals: int) -> None:
        self._decimals = decimals
        self._above, self._above_at = "", -1  # a name that waits for its numbers
        self.items: list[SoldItem] = []

    def name(self, line: Sold) -> None:
        """A trusted line without an amount: perhaps the name of what follows, or the count of what went before."""
        if self._says_price(line) or not (_may_name(line.text) or not _has_letter(line.text)):
            return  # of what went before; or a row of headings
        self._above, self._above_at = (line.text.strip(), line.place) if _has_letter(line.text) else ("", -1)

    def add(self, line: Sold, below: str) -> None:
        """A line whose last amount has no other meaning. `below`: the name under it, where this paper has it there."""
        amount = line.minor
        assert amount is not None, "a line with an amount"
        if len(self.items) >= ITEMS_MAX or self._says_price(line):
            return
        if amount < 0 and "%" in line.text and self._near(line):
            self.discount(line)
            return
        name, numbers = self._split(line.text)
        if not numbers or (line.whole and self._decimals and not _columns(line.text.strip())) or _keyed(line.text):
            self.name(line)  # a number somewhere in a sentence, a code or an address
            return
        named_at = line.place
        if _is_figures(name):
            name, named_at = (below, line.place + 1) if below else (self._above, self._above_at)
        self._above, self._above_at = "", -1
        if name:
            self._enter(line, name, named_at, numbers[:-1], amount)

    def discount(self, line: Sold) -> None:
        """What is taken off the item above."""
        if self._near(line) and line.minor:
            sold = self.items[-1]
            item = sold.item._replace(discount_minor=sold.item.discount_minor + abs(line.minor))
            self.items[-1] = sold._replace(item=item)

    def is_bare(self, line: Sold) -> bool:
        """Nothing but figures."""
        name, numbers = self._split(line.text)
        return bool(numbers) and _is_figures(name)

    # -- inside

    def _enter(self, line: Sold, name: str, named_at: int, numbers: list[tuple[int, int]], amount: int) -> None:
        quantity, price, discount = self._parts(line.text, numbers, amount)
        priced = _price_first(name)
        if priced and int(priced[1]) * self._minor(priced[2], priced[3]) == amount:
            quantity, price = int(priced[1]) * 1000, self._minor(priced[2], priced[3])
            name = name[priced.end() :]
        counted = _times_first(name)
        if counted and int(counted[1]) * 1000 == quantity:
            name = name[counted.end() :]
        measured = _measured(name)
        if measured:
            name = name[: measured.start()].strip(" .-*@") or name
        item = Item(mask(name)[:_NAME_MAX], quantity, price, amount, discount)
        self.items.append(SoldItem(item, line.place, named_at))

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

    def _parts(self, line: str, numbers: list[tuple[int, int]], amount: int) -> tuple[int, int | None, int]:
        """Quantity in thousandths, price, discount: by a measure, a product of numbers, or a count in words."""
        weighed = self._weighed(line, amount)
        if weighed:
            return (*weighed, 0)
        found = _product(numbers, amount)
        if found:
            return found
        counted = _counted(line)
        if counted:
            count = int(counted[1] or counted[2])
            return count * 1000, (amount // count if count and amount % count == 0 else None), 0
        for milli, _ in numbers:
            if milli % 1000 == 0 and 0 < milli <= 999_000 and amount * 1000 % milli == 0:
                return milli, amount * 1000 // milli, 0
        return 1000, amount, 0

    def _weighed(self, line: str, amount: int) -> tuple[int, int] | None:
        """`0,532 kg x 9,90`: thousandths of the unit and its price, if their product is the amount.

        Grams may be printed with the price of a kilogram.
        """
        found = _measured(line)
        if not found:
            return None
        milli, price = int(found[1] + (found[2] or "").ljust(3, "0")), self._minor(found[4], found[5])
        for quantity in (milli, milli // 1000):
            if quantity and abs(quantity * price - amount * 1000) <= max(
                1000, price
            ):  # a scale's last digit is rounded
                return quantity, price
        return None

    def _says_price(self, line: Sold) -> bool:
        """`@2 x rm 6.99` or `0.532 kg @ 9.90/kg` below an item: its count and price."""
        if not self._near(line):
            return False
        last = self.items[-1]
        weighed = self._weighed(line.text, last.item.amount_minor) if _starts_with_digit(line.text) else None
        if weighed:
            quantity, price = weighed
        else:
            found = _unit_price(line.text)
            if not found or not (found[2] or found[3]):
                return False
            quantity, price = int(found[1]) * 1000, self._minor(found[2], found[3])
            if quantity * price != last.item.amount_minor * 1000:
                return False
        item = last.item._replace(quantity_milli=quantity, price_minor=price)
        self.items[-1] = last._replace(item=item)
        return True

    def _near(self, line: Sold) -> bool:
        return bool(self.items) and 0 < line.place - self.items[-1].place <= _NEAR


def _product(numbers: Sequence[tuple[int, int]], amount: int) -> tuple[int, int | None, int] | None:
    """Two numbers whose product is the amount, or is but for a third one, its discount."""
    for place, (milli, minor) in enumerate(numbers):
        for other_milli, other_minor in numbers[place + 1 :]:
            if abs(milli * other_minor - amount * 1000) <= 1000:
                first_counts = milli <= other_milli or other_milli % 1000  # nobody buys 22 things at 2.00 each
                return (milli, other_minor, 0) if first_counts else (other_milli, minor, 0)
    for place, (milli, _) in enumerate(numbers):
        for after, (_, price) in enumerate(numbers[place + 1 :], place + 1):
            for _, less in numbers[after + 1 :]:
                if less > 0 and abs(milli * price - (amount + less) * 1000) <= 1000:
                    return milli, price, less
    return None


def _without_counts(sold: list[SoldItem]) -> list[SoldItem]:
    """`2 Burger  44.00`: where every name begins with a count, and more than one does, it is one."""
    found = [_count_first(one.item.name) for one in sold]
    counts = [int(match[1]) if match else 0 for match in found]
    if len(sold) < 2 or not all(counts):
        return sold
    if any(one.item.amount_minor % count for one, count in zip(sold, counts, strict=True)):
        return sold  # `7 DAYS`
    out = []
    for one, count, match in zip(sold, counts, found, strict=True):
        item = one.item._replace(name=one.item.name[match.end() if match else 0 :])
        if item.quantity_milli == 1000:
            item = item._replace(quantity_milli=count * 1000, price_minor=item.amount_minor // count)
        out.append(one._replace(item=item))
    return out


def _may_name(text: str) -> bool:
    """It may be a name by itself: letters in one column, and no key before them."""
    return _has_letter(text) is not None and not (_columns(text.strip()) or _keyed(text))


def _is_figures(name: str) -> bool:
    """What stands before the numbers is none of a name."""
    return all(_figure(word[0]) for word in _word(name)) or bool(
        (found := _measured(name)) and not name[: found.start()].strip()
    )


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
