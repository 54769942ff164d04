"""Everything a document says besides kind and amount, collected line by line.

Owns: `DetailCollector`: it hands each line to the finders of fields, items, fiscal codes and layout, keeps the lines as
long as the document is open, and shows them redacted. Never: amounts or kinds. Nothing that it keeps outlives it; what
leaves is in `Details`, redacted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgebox.escpos.lines import Line
from edgebox.escpos.paper import Item as PaperItem
from edgebox.escpos.paper import Picture, Symbol
from edgebox.model import Confidence, Details, Item, PrintedPicture, Receipt, Tax, Tender
from edgebox.receipt.entries import Entry
from edgebox.receipt.fields import FieldFinder, shown_code
from edgebox.receipt.fiscal import Fiscal, FiscalFinder
from edgebox.receipt.fiscaltext import FiscalText, Named
from edgebox.receipt.items import Sold, SoldItem, read_items
from edgebox.receipt.layout import LayoutMarks
from edgebox.receipt.lexicon import Key, Lexicon, Role
from edgebox.receipt.profiles import Told
from edgebox.receipt.redact import Pseudonyms, Shown, is_personal, mask, star_out
from edgebox.receipt.words import LINE_MAX
from edgebox.receipt.zones import Trust, is_rule

PICTURES_MAX = 64  # kept of one document; a page printed in stripes is one
_TAXES_MAX = 16
_ADDRESS_LINES = 3  # name, street and town
_NONE, _FULL = Trust.NONE, Trust.FULL  # asked for of every line, and an enum's member takes eight times as long
_PEOPLE = (Key.PERSON, Key.CUSTOMER)
_PERSONAL = (Key.PERSON, Key.CUSTOMER, Key.REMARK)
_TOTALS = (Role.NET, Role.ROUNDED, Role.PAID, Role.SUM, Role.DUE, Role.SUBTOTAL)


class Kept(NamedTuple):
    """One line as long as its document is open. `text`: normalised; `key`: what it announces."""

    line: Line
    text: str
    key: Key | None
    trust: Trust


class _Sold(NamedTuple):
    """The number of a line with what was sold; the rest as in items.Sold."""

    place: int
    minor: int | None = None
    whole: bool = False
    is_discount: bool = False


class DetailCollector:
    """Collects the details of one document."""

    __slots__ = (
        "_about_person", "_decimals", "_items_over", "_labelled", "_personal", "_pseudonyms", "_sold", "_sold_read",
        "date_order", "fields", "fiscal", "fiscal_text", "layout", "lines", "pictures",
    )  # fmt: skip

    def __init__(self, date_order: str, decimals: int, lexicon: Lexicon, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self.date_order = date_order
        self.fields = FieldFinder(date_order, lexicon.fields)
        self._decimals = decimals
        self._sold: list[_Sold] = []  # lines that tell of what was sold, in order; read when somebody asks
        self._sold_read: tuple[int, list[SoldItem]] = (0, [])  # of so many of them
        self.fiscal = FiscalFinder()
        self.fiscal_text = FiscalText()
        self.layout = LayoutMarks()
        self.lines: list[Kept] = []
        self.pictures: list[PrintedPicture] = []
        self._labelled: set[int] = set()  # lines whose amount has a meaning
        self._about_person = 0  # so many lines from here may be a name or an address below its key
        self._personal: set[int] = set()  # and those that may
        self._items_over = False  # a total was printed: what follows was not sold

    def add(self, line: Line, text: str, key: Key | None, value: str, trust: Trust, *, remark: bool = False) -> None:
        """A line, as soon as it is known whom it comes from. `remark`: a customer may have written it freely."""
        if self._about_person or (key is not None and key in _PEOPLE):
            self._follow_person(text, key, value)
        self.lines.append(Kept(line, text, key, trust))
        if trust is _NONE:
            if not remark and key in _PEOPLE:
                self.fields.add_person(text, is_staff=key is Key.PERSON)
            return
        self.fields.add(text, key, value)
        if trust is _FULL and not remark:
            self.layout.add(text)
            self.fiscal.add_line(line.text)
            self.fiscal_text.add(line.text)

    def _follow_person(self, text: str, key: Key | None, value: str) -> None:
        """`customer:` with nothing behind it: the name stands below, and perhaps an address."""
        if key in _PEOPLE:
            self._about_person = 0 if value else _ADDRESS_LINES
        elif key is not None or is_rule(text):
            self._about_person = 0
        else:
            self._about_person -= 1
            self._personal.add(len(self.lines))

    def see(self, items: Sequence[PaperItem]) -> None:
        """Symbols and pictures of the document."""
        for item in items:
            if isinstance(item, Symbol):
                self.fiscal.add_symbol(item.text)
            elif isinstance(item, Picture) and len(self.pictures) < PICTURES_MAX:
                self.pictures.append(PrintedPicture(item.width, item.height, item.top, item.start, item.end))

    def meaning(self, entry: Entry | None, item: Entry | None, *, has_amount: bool) -> None:
        """What the last line's last amount turned out to be: one with a meaning, an item's, or none."""
        if entry is not None:
            self._labelled.add(len(self.lines) - 1)
            self.layout.label(entry.text)
            if entry.role is Role.DISCOUNT and not self._items_over:
                self._sold.append(_Sold(len(self.lines) - 1, entry.minor, is_discount=True))
            self._items_over = self._items_over or entry.role in _TOTALS
        elif self._items_over or len(self.lines) - 1 in self._personal:
            return
        elif item is not None:
            self._sold.append(_Sold(len(self.lines) - 1, item.minor, not item.firm))
        elif not has_amount:
            self._sold.append(_Sold(len(self.lines) - 1))

    # -- the end

    def for_answer(self, entries: list[Entry]) -> Details:
        """What the answer to a cut may depend on, and what costs nothing."""
        fields, pseudonyms = self.fields, self._pseudonyms
        return Details(
            cashier=fields.cashier,
            table=fields.table,
            transaction=fields.transaction(pseudonyms),
            member=fields.member(pseudonyms),
            taxes=_taxes(entries),
            sure=fields.sure(),
            layout=self.layout.fingerprint(),
        )

    def for_record(self, details: Details) -> Details:
        """The rest as well, redacted: nobody waits for it."""
        return details._replace(items=details.items or self.sold_items(), pictures=tuple(self.pictures))

    def sold_items(self) -> tuple[Item, ...]:
        """The items alone."""
        return tuple(sold.item for sold in self.sold())

    def sold(self) -> list[SoldItem]:
        """What was sold. Costs more than all else of a line together, so it is read once."""
        if self._sold_read[0] == len(self._sold):
            return self._sold_read[1]
        lines = [
            Sold(place, self.lines[place].line.text[:LINE_MAX], minor, whole, is_discount)
            for place, minor, whole, is_discount in self._sold
        ]
        self._sold_read = len(self._sold), read_items(lines, self._decimals)
        return self._sold_read[1]

    def shown_number(self) -> str:
        """The receipt's number as it may leave."""
        return self.fields.shown_number(self._pseudonyms)

    def with_profile(self, receipt: Receipt, told: Told, name: str) -> Receipt:
        """The fields that a profile found, in place of those found by words; what is personal stays out."""
        fields = {key: value for key, value in told.fields if key == "number" or not is_personal(value)}
        details = receipt.details._replace(
            profile=name,
            cashier=fields.get("cashier", receipt.details.cashier),
            table=fields.get("table", receipt.details.table),
        )
        date = fields.get("date", receipt.printed_date)
        number = fields.get("number", "")
        return receipt._replace(
            number=shown_code(number, date, self._pseudonyms) or receipt.number,
            till=fields.get("till", receipt.till),
            printed_date=date,
            printed_time=fields.get("time", receipt.printed_time),
            details=details,
        )

    def trusted(self) -> list[str]:
        """The lines, normalised, that the till wrote."""
        return [kept.text for kept in self.lines if kept.trust is Trust.FULL]

    def trusted_places(self) -> list[int]:
        """Their numbers."""
        return [place for place, kept in enumerate(self.lines) if kept.trust is Trust.FULL]

    def share(self, other: DetailCollector) -> None:
        """Takes what another reader of the same paper has seen of symbols and pictures."""
        self.fiscal, self.pictures = other.fiscal, other.pictures

    def with_fiscal(self, receipt: Receipt, fiscal: Fiscal) -> Receipt:
        """The code's number and time in place of what was found by words. Germany's number is its signature's: the
        receipt's own is kept where one is printed."""
        number = receipt.number
        if not (number and fiscal.scheme.startswith("DE")):
            number = shown_code(fiscal.number.replace(" ", "").upper(), fiscal.date, self._pseudonyms)
        sure = tuple(row for row in receipt.details.sure if row[0] not in ("number", "date"))
        sure = (("number", Confidence.HIGH), ("date", Confidence.HIGH), *sure)
        tenders = tuple(Tender(kind, cents * 10**receipt.decimals // 100) for kind, cents in fiscal.tenders)
        return receipt._replace(
            number=number,
            printed_date=fiscal.date or receipt.printed_date,
            printed_time=fiscal.time or receipt.printed_time,
            tenders=receipt.tenders or tenders,
            details=receipt.details._replace(fiscal=fiscal.scheme, sure=sure),
        )

    def fiscal_codes(self) -> tuple[Fiscal | None, bool]:
        """The document's fiscal code, printed as a symbol or in words, and whether several contradict each other."""
        code, rivals = self.fiscal.one()
        words = self.fiscal_text.code()
        if words is None or code is None or rivals:
            return (code, rivals) if words is None or rivals else (words, False)
        return (code, False) if (code.currency, code.cents) == (words.currency, words.cents) else (None, True)

    def with_named(self, receipt: Receipt, named: Named) -> Receipt:
        """The transaction that fiscal words name, where the paper has no number or date of its own."""
        fields = dict(receipt.details.sure)
        if not receipt.number or receipt.number == named.short:
            receipt = receipt._replace(number=shown_code(named.number, named.date, self._pseudonyms))
            fields["number"] = Confidence.MEDIUM
        if not receipt.printed_date and named.date:
            receipt = receipt._replace(printed_date=named.date, printed_time=named.time)
            fields["date"] = Confidence.MEDIUM
        return receipt._replace(details=receipt.details._replace(fiscal=named.scheme, sure=tuple(fields.items())))

    def redacted(self) -> tuple[Shown, ...]:
        """The paper's lines with whatever is personal starred; for drawing it again, and for people."""
        number = self.shown_number()
        keep = frozenset({number}) if number and not number.startswith("~") else frozenset[str]()
        return tuple(
            _shown(kept, keep, place in self._labelled or (kept.trust is Trust.FULL and place not in self._personal))
            for place, kept in enumerate(self.lines)
        )


def _shown(kept: Kept, keep: frozenset[str], is_tills: bool) -> Shown:
    """A line of or about a customer is starred whole but for its key; of any other, what looks personal."""
    text = kept.line.text[:LINE_MAX]
    if is_tills and kept.trust is not Trust.NONE and kept.key not in _PERSONAL:
        shown = mask(text, keep)
        return Shown(shown, shown != text)
    head, colon, rest = text.replace("：", ":").partition(":")
    if kept.key in _PERSONAL and colon:
        return Shown(f"{head}{colon}{star_out(rest)}", bool(rest.strip()))
    return Shown(star_out(text), True)


def _taxes(entries: list[Entry]) -> tuple[Tax, ...]:
    out: list[Tax] = []
    for entry in entries:
        if entry.role is Role.TAX and len(out) < _TAXES_MAX:
            before, percent, _ = entry.text.partition("%")
            rate = before.split()[-1].lstrip("@(=") if percent and before.split() else ""
            tax = Tax(rate if rate.replace(".", "").replace(",", "").isdecimal() else "", entry.minor)
            if tax not in out:
                out.append(tax)
    return tuple(out)
