"""Lines → entries: an amount, what its label says it is, and where it stood.

Owns: `Entry` and `EntryCollector`. Never: which entry is the total (totals.py).

A label is the text between one amount and the one before, so `合计:￥20,优惠:￥2` gives two entries. Several amounts
behind one label are one entry whose value is the last (`总计: 2 17.1元`: a count goes first). A label alone on its line
waits for a line with nothing but an amount; if none follows, it stays in `alone`, as a till may have printed the amount
above it, or nothing. Inside a table of taxes behind the total nothing is firm: the table's `Total` may be the base's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebox.model import TenderKind
from edgebox.receipt.lexicon import FIRST_WIDE, Label, Lexicon, Role
from edgebox.receipt.money import CURRENCY, Amount, AmountFinder, is_currency
from edgebox.receipt.taxes import TaxTable

_columns = re.compile(r"\s{2,}|\|").split
_word = re.compile(rf"(?:{CURRENCY})\.?(?![^\W\d_])")
_has_letter = re.compile(r"[^\W\d_]").search
_PARTS = (Role.DISCOUNT, Role.ROUNDING, Role.SERVICE, Role.TAX)
ENTRIES_MAX = 2000  # of one document; a receipt has some dozens
_FEW_LETTERS = 4  # a line with no more, and several amounts, is a row of a table rather than an item
_TABLE_LINES = 12  # a table of taxes has no more lines below its heading, or below its last row
_TOTALS = (Role.NET, Role.SUM, Role.DUE, Role.SUBTOTAL, Role.WEAK)
_PAYS = (Role.TENDER, Role.TENDERED, Role.PAID)
_ENDS_TABLE = (Role.CHANGE, Role.TENDERED, Role.TENDER, Role.PAID, Role.ROUNDED)


class Entry(NamedTuple):
    """One amount with its meaning. `firm`: its shape is surely money, and it is the only one behind its label."""

    role: Role
    tender: TenderKind | None
    minor: int
    place: int
    firm: bool
    text: str


class Alone(NamedTuple):
    """A label without an amount on its line or the next."""

    label: Label
    place: int


class EntryCollector:
    """Collects entries of trusted lines."""

    def __init__(self, lexicon: Lexicon, finder: AmountFinder) -> None:
        self._lexicon = lexicon
        self._finder = finder
        self._waiting: Label | None = None
        self._waiting_text = ""
        self._table_until = -1  # the last line that may belong to a table of taxes
        self._columns: list[Label] = []  # the last row of headings
        self._columns_at = -1  # its line
        self._column_at = -1  # the line of an amount below two labels
        self.entries: list[Entry] = []
        self.items: list[Entry] = []  # amounts whose label means nothing else
        self.bare: list[Entry] = []  # amounts alone on their line, without a label anywhere
        self.mentioned: list[TenderKind] = []  # ways of paying named without an amount
        self.alone: list[Alone] = []
        self.taxes = TaxTable(finder.convention.decimals)

    def add(self, text: str, parts: tuple[str, ...], place: int, *, parts_only: bool = False) -> bool:
        """Reads a line (and its tokens); whether it holds an amount. `parts_only`: of discounts and fees, no other."""
        if parts_only:
            return self._add_parts(text, parts, place)
        if not self._waiting and not self._lexicon.may_label(parts):
            letters = _letters(parts)
            if letters:
                return self._item(text, place, letters)
        amounts = self._finder.find(text)
        if not amounts and is_currency(text.strip()):
            return False  # a column of currencies beside the amounts: the label still waits
        if not amounts:
            self._label_alone(text, parts, place)
            return False
        if len(self.entries) >= ENTRIES_MAX:
            return True
        waiting, self._waiting = self._waiting, None
        if self._columns and self._columns_at == place - 1 and self._add_columns(text, amounts, place):
            return True
        if len(amounts) > 1 and self._row(text, amounts, place):
            return True
        entries, items = len(self.entries), len(self.items)
        begin = 0
        group: list[Amount] = []
        label = ""
        for amount in amounts:
            between = text[begin : amount.start]
            if (not group and between.strip(" .:-=*|")) or (_has_letter(between) and not is_currency(between.strip())):
                self._close(label, group, place, text, None)
                label, group = between, []
            group.append(amount)
            begin = amount.end
        self._close(label, group, place, text, waiting)
        if len(self.entries) == entries and len(self.items) > items + 1:
            del self.items[items:-1]  # `62.00  1份  62.00` is one item, as below
        return True

    def is_total(self, text: str) -> bool:
        """The line is a total's label and one amount with its decimals; nothing is collected."""
        amounts = self._finder.find(text)
        if len(amounts) != 1 or amounts[0].whole or text[amounts[0].end :].strip():
            return False
        label = self._lexicon.label(text[: amounts[0].start].strip())
        return label.explained and label.role in (Role.SUBTOTAL, Role.NET, Role.SUM)

    def perhaps_items(self, text: str, parts: tuple[str, ...], place: int) -> list[Entry]:
        """The item that this untrusted line would be; it is not collected."""
        amount = self._finder.last(text)
        if amount is None or (
            self._lexicon.may_label(parts) and self._lexicon.label(text[: amount.start].strip()).explained
        ):
            return []
        return [Entry(Role.ITEM, None, amount.minor, place, False, text.strip())]

    def _add_parts(self, text: str, parts: tuple[str, ...], place: int) -> bool:
        entries, items, bare = len(self.entries), len(self.items), len(self.bare)
        mentioned, alone = len(self.mentioned), len(self.alone)
        rows = self.taxes.count()
        self._waiting = None
        found = self.add(text, parts, place)
        self.entries[entries:] = [entry for entry in self.entries[entries:] if entry.role in _PARTS]
        del self.bare[bare:], self.mentioned[mentioned:], self.alone[alone:]
        self.items[items:] = [item for item in self.items[items:] if item.firm]  # no house's or flat's number
        self.taxes.forget(rows)
        self._waiting = None
        return found

    def _item(self, text: str, place: int, letters: int) -> bool:
        """A line without any word of a label: an item, or a sentence. Only its last amount is looked at."""
        if letters <= _FEW_LETTERS or "%" in text:
            amounts = self._finder.find(text)
            if len(amounts) > 1 and self._row(text, amounts, place):
                return True
            amount = amounts[-1] if amounts else None
        else:
            amount = self._finder.last(text)
        if amount is None:
            return False
        if len(self.items) < ENTRIES_MAX:
            self.items.append(Entry(Role.ITEM, None, amount.minor, place, not amount.whole, text.strip()))
        return True

    def _row(self, text: str, amounts: list[Amount], place: int) -> bool:
        """A row of a table of taxes; one that adds the others up is a total as well, though not a firm one."""
        if sum([not amount.whole for amount in amounts]) < 2:
            return False
        label = self._lexicon.label(text[: amounts[0].start].strip())
        is_sum = label.explained and label.role in _TOTALS
        row = self.taxes.add(text, amounts, is_sum=is_sum)
        if row is None:
            return False
        says_total = is_sum and label.role not in (Role.SUBTOTAL, Role.WEAK)  # `GST S @6%` reads like one
        role, minor = (label.role, row.gross) if says_total else (Role.TAX, row.tax)
        self.entries.append(Entry(role, None, minor, place, False, text.strip()))
        self._begin_table(place)
        return True

    def _begin_table(self, place: int) -> None:
        """What follows is a table of taxes, if the total is printed already; else it may be the items' heading."""
        if any(entry.role in _TOTALS and entry.firm for entry in self.entries):
            self._table_until = place + _TABLE_LINES

    def tax_totals(self) -> set[int]:
        """What the table of taxes adds up to, and the printed amounts that a printed tax is the share of."""
        listed = (*self.entries, *self.items, *self.bare)
        printed = {entry.minor for entry in listed if entry.minor > 0 and (entry.firm or entry.role is Role.WEAK)}
        shared = {minor for minor in printed if self.taxes.is_taxed(minor)}
        return self.taxes.totals() | (shared if len(shared) == 1 else set())  # of several it is the share of any

    @property
    def waits(self) -> bool:
        """A label alone on its line waits for its amount."""
        return self._waiting is not None

    def end_line(self) -> None:
        """An untrusted line, or a rule: a waiting label has lost its amount."""
        self._waiting = None

    def _label_alone(self, text: str, parts: tuple[str, ...], place: int) -> None:
        label = self._lexicon.label(text)
        if self._lexicon.heads_taxes(parts):
            self._begin_table(place)
        if not label.explained:
            self._waiting = None
            return
        self._waiting, self._waiting_text = label, text
        self._columns, self._columns_at = self._headed(text) if self.items else [], place
        if len(self.alone) < ENTRIES_MAX:
            self.alone.append(Alone(label, place))
        way = label.tender if label.role in _PAYS else None  # `GST ID` is a tax's, whatever `iD` is in Japan
        if way is not None and way not in self.mentioned:
            self.mentioned.append(way)

    def _close(self, label: str, group: list[Amount], place: int, line: str, waiting: Label | None) -> None:
        if not group:
            return
        value = group[-1]
        has_letters = _has_letter(label) is not None
        in_column = False
        if has_letters or waiting is None:
            meaning = self._lexicon.label(label.strip()) if has_letters else None
        else:
            meaning, line = waiting, f"{self._waiting_text.strip()} {line.strip()}"
            in_column = self._label_above()
        several = len(group) > 1 and sum(not amount.whole for amount in group) > 1
        shaped = not value.whole or value.marked or (not line.isascii() and max(line) >= FIRST_WIDE)
        entry = Entry(Role.ITEM, None, value.minor, place, shaped and not several, line.strip())
        if meaning is None:
            self.bare.append(entry)
            if 0 <= self._column_at == place - 1 and self.entries:
                self.entries[-1] = self.entries[-1]._replace(firm=False)
        elif meaning.explained:
            self._enter(entry, meaning)
            if meaning.role is Role.TAX and entry.firm:
                self.taxes.include(line, entry.minor)
            self._column_at = place if in_column else -1
        elif len(self.items) < ENTRIES_MAX:
            is_row = several and sum(map(str.isalpha, line)) <= _FEW_LETTERS
            self.items.append(entry._replace(firm=shaped and not is_row))

    def _headed(self, text: str) -> list[Label]:
        """The labels of a row of headings such as `SUBTOTAL  TAX  TOTAL`; none unless each is one, and one a total."""
        headings = [self._lexicon.label(part) for part in _columns(text.strip())]
        roles = {heading.role for heading in headings}
        if len(headings) < 2 or Role.IGNORE in roles or not all(heading.explained for heading in headings):
            return []
        return headings if roles & {Role.NET, Role.PAID} else []

    def _add_columns(self, text: str, amounts: list[Amount], place: int) -> bool:
        """The amounts below such headings, as many and nothing else: none is firm, an equation must bear them out."""
        headings, self._columns = self._columns, []
        if len(headings) != len(amounts) or _has_letter(_word.sub("", text)):
            return False
        for heading, amount in zip(headings, amounts, strict=True):
            self.entries.append(Entry(heading.role, heading.tender, amount.minor, place, False, text.strip()))
        return True

    def _label_above(self) -> bool:
        """The waiting label gets its amount; whether another one waits right above it.

        If a further amount follows, labels and amounts stand in two columns, and which is whose isn't known.
        """
        if not self.alone:
            return False
        last = self.alone.pop()
        return bool(self.alone) and self.alone[-1].place == last.place - 1

    def _enter(self, entry: Entry, meaning: Label) -> None:
        role = meaning.role
        if role in _ENDS_TABLE:
            self._table_until = -1
        before = self.entries[-1] if self.entries else None
        if role in _TOTALS and before is not None and before.role is Role.TIP and before.place == entry.place:
            role = Role.IGNORE  # `18% Tip 4.38 Total 28.74` on one line: a proposal
        firm = entry.firm and role is not Role.WEAK and not (role in _TOTALS and entry.place <= self._table_until)
        self.entries.append(entry._replace(role=role, tender=meaning.tender, firm=firm))


def _letters(parts: tuple[str, ...]) -> int:
    """How many letters the words have, currencies aside; more than a few are not counted."""
    letters = 0
    for part in parts:
        if not (part.isdigit() or is_currency(part)):
            letters += len(part)
            if letters > _FEW_LETTERS:
                break
    return letters
