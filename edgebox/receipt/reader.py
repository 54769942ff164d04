"""Lines of paper in, a receipt out.

Owns: `ReceiptReader`, one for each document: takes lines as they are printed, so that at the cut hardly anything is
left to do, and says in words why it decided so. Never: bytes, files or clocks; keeps no text of the paper beyond its
own life, and nothing but the `Receipt`'s fields leaves it.

    words (one form) → zones (whom to believe) → kinds · entries (amounts with labels) · fields → totals → Receipt
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edgebox.escpos.lines import Line
from edgebox.escpos.paper import Item as PaperItem
from edgebox.escpos.paper import Mark, Picture
from edgebox.escpos.style import Setting, Style
from edgebox.model import Confidence, Details, DocumentKind, Modifier, NumberScope, Receipt, Tender
from edgebox.receipt.details import DetailCollector
from edgebox.receipt.entries import Entry, EntryCollector
from edgebox.receipt.explained import Explained, explained
from edgebox.receipt.familiar import FamiliarLines
from edgebox.receipt.fiscal import Fiscal
from edgebox.receipt.keeping import KeptPaper, Known, kept_paper
from edgebox.receipt.kinds import HEADER_LINES, KindFinder, is_numbered
from edgebox.receipt.lexicon import Key, Lexicon, Role
from edgebox.receipt.money import AmountFinder, Convention
from edgebox.receipt.others import doubted_lines
from edgebox.receipt.profiles import Profile, Told, pick
from edgebox.receipt.redact import NOBODY, Pseudonyms, Shown
from edgebox.receipt.shift import ShiftReader
from edgebox.receipt.totals import Decision, Paper, Rules, is_negative
from edgebox.receipt.weigh import fiscal_kind, of_shop, with_fiscal, with_profile
from edgebox.receipt.witness import Witness, begins_with_count, decide_by_witness
from edgebox.receipt.words import LINE_MAX, normalise, tokens
from edgebox.receipt.zones import Trust, Zones, is_rule

GARBLED_LINES = 3  # so many lines in a wrong code page, and a kind's word may be among them: abstain
OVERLONG_LINES = 3  # small print may come without line ends; so much of it, and what it hides may be anything
AHEAD_LINES = 400  # of a document that is answered ahead, in 1 ms; a receipt has some dozens
LINES_MAX = 3000  # a document longer than this is no receipt: the reader abstains and stops looking
_bracketed = re.compile(r"\([^()]*\)?").sub
_words_and_number = re.compile(r"([^\d:]{2,28}?) ?(#?[0-9].*)").match  # `order# 000141`, `流水号 0007 1123`
# A dish with its count and no price: `2 x Brezel`, `牛肉面 x2`, `牛肉面      2`.
_is_dish = re.compile(r"(?:[0-9]{1,3}\s?[x×*]\s[^0-9:]+|[^0-9:]+(?:\s[x×*]\s?|\s\s)[0-9]{1,3})$").match
_NONE, _FULL = Trust.NONE, Trust.FULL  # asked for of every line, and an enum's member takes eight times as long
# Kinds that a profile's word for "receipt" corrects: papers that look like one. No word makes a refund a sale.
_MISTAKEN = (DocumentKind.PRE_BILL, DocumentKind.QUOTE, DocumentKind.PICK_UP, DocumentKind.KITCHEN)
_TOTALS = frozenset((Role.NET, Role.SUM, Role.DUE, Role.PAID, Role.TENDERED, Role.TENDER, Role.CHANGE, Role.ROUNDED))
_KEY_LETTERS = 28  # longest text before a colon that may be a key


class Shop(NamedTuple):
    """What the configuration says about the shop and its till."""

    currency: str = "CNY"
    convention: Convention = Convention()
    rules: Rules = Rules()
    date_order: str = "ymd"
    delivery_earns: bool = True
    number_scope: str = "store"  # store | till
    profiles: tuple[Profile, ...] = ()
    keeps_papers: bool = True  # for the managers' page
    items_in_answer: bool = True  # what was sold decides points; else it is read behind the answer


class ReceiptReader:
    """Reads one document."""

    def __init__(
        self, shop: Shop, lexicon: Lexicon, finder: AmountFinder | None = None, pseudonyms: Pseudonyms = NOBODY
    ) -> None:
        self._shop = shop
        self._lexicon = lexicon
        self._zones = Zones(lexicon.headings)
        self._kinds = KindFinder(lexicon)
        self._finder = finder or AmountFinder(shop.convention)
        self._pseudonyms = pseudonyms
        self._entries = EntryCollector(lexicon, self._finder)
        self.details = DetailCollector(shop.date_order, shop.convention.decimals, lexicon, pseudonyms)
        self._says_unpaid = False
        self._paid_at: list[int] = []  # lines that say that it was paid
        self._mentioned_at: list[int] = []  # lines of `EntryCollector.mentioned`
        self._dishes: list[int] = []  # lines with a count and no price
        self._counted: list[int] = []  # those of them that begin with the count
        self._in_remarks: list[Entry] = []  # what may be items that a remark without an end has swallowed
        self._overlong = 0  # lines that no paper is wide enough for
        self._garbled = 0  # lines whose letters can't be what was printed
        self._lines = 0
        self._profile: Profile | None = None  # chosen already, whatever the layout
        self._prepared: Receipt | None = None  # the answer, as long as nothing more is read
        self._judge = self  # who answers: without the lines that a profile says never count, another one
        self.pictures = 0  # told by the owner; a document of pictures alone can't be read

    def feed(self, lines: Iterable[Line]) -> None:
        """Reads further lines."""
        self._prepared = None
        for line in lines:
            if self._lines < LINES_MAX:
                self._overlong += len(line.text) > LINE_MAX
                self._read(normalise(line.text), line)
            self._lines += 1

    def see(self, items: Sequence[PaperItem]) -> None:
        """Takes pictures and symbols: a picture can't be read, a symbol may be a fiscal code."""
        items = [item for item in items if not isinstance(item, Mark)]  # a cut or a drawer says nothing
        if not items:
            return
        self._prepared = None
        self.details.see(items)
        self.pictures += sum(isinstance(item, Picture) for item in items)

    def _read(self, text: str, line: Line) -> None:
        if not text.isascii() and _may_be_garbled(text) and _garbled(text):
            self._garbled += 1
        key, value = self._key(text)
        trust = self._trust(text, key, line)
        self.details.add(line, text, key, value, trust, remark=self._zones.in_remark)
        parts = tokens(text)
        if trust is _NONE:
            self._entries.end_line()
            if self._zones.in_remark and key is not Key.REMARK:
                self._in_remarks += self._entries.perhaps_items(text, parts, self._lines)
            return
        if self._lexicon.may_say_paid(parts):
            if self._lexicon.says_unpaid(parts):
                self._says_unpaid = True
            elif trust is _FULL and self._says_paid(text, parts):
                self._paid_at.append(self._lines)
        if key is not None:
            self._add_key(key, value)
        if self._entries.waits and is_rule(text):
            self._entries.end_line()
        has_amount = self._add_amounts(text, parts, parts_only=trust is not _FULL)
        is_top = trust is _FULL and self._lines < HEADER_LINES
        if not has_amount or (is_top and is_numbered(text)):
            self._kinds.add(
                parts, self._lines, emphasised=_stands_out(line), key_value=bool(value), is_numbered=has_amount
            )
        self._note_dish(text)
        if len(self._entries.mentioned) > len(self._mentioned_at):
            self._mentioned_at += [self._lines] * (len(self._entries.mentioned) - len(self._mentioned_at))

    def _says_paid(self, text: str, parts: tuple[str, ...]) -> bool:
        """The line says so, what it adds in brackets aside: `CASH SALE (MAIN ST)`."""
        return self._lexicon.says_paid(parts) or ("(" in text and self._lexicon.says_paid(tokens(_bracketed("", text))))

    def _note_dish(self, text: str) -> None:
        has_cents = text[-3:-2] in (".", ",") and text[-1:].isdigit()  # then a price stands last, and nothing else
        if not has_cents and _is_dish(text.strip()):  # blanks in front would be tried in all ways
            self._dishes.append(self._lines)
            if begins_with_count(text):
                self._counted.append(self._lines)

    def _add_key(self, key: Key, value: str) -> None:
        """What the value behind a key says about the whole document."""
        if key is Key.KIND:
            self._kinds.add_value(tokens(value))
        elif key is Key.REPORT:
            self._kinds.say(DocumentKind.REPORT, "a field of it")
        elif key is Key.PAID:
            self._entries.add(value, tokens(value), self._lines)

    def _trust(self, text: str, key: Key | None, line: Line) -> Trust:
        """How far a line is believed. No total ends a remark above the items: all below it may be the customer's."""
        found = self._entries
        if self._zones.may_end(text) and any(item.firm for item in found.items) and found.is_total(text):
            self._zones.end_remark()
        return self._zones.trust(text, key, self._lines, line.text)

    def _add_amounts(self, text: str, parts: tuple[str, ...], *, parts_only: bool) -> bool:
        """Reads a line's amounts, and tells what they mean; whether it has any."""
        found = self._entries
        entries, items, bare = len(found.entries), len(found.items), len(found.bare)
        has_amount = found.add(text, parts, self._lines, parts_only=parts_only)
        entry = found.entries[-1] if len(found.entries) > entries else None
        item = found.items[-1] if len(found.items) > items else None
        if item is None and len(found.bare) > bare:
            item = found.bare[-1]  # figures below the name of what was sold
        self.details.meaning(entry, item, has_amount=has_amount)
        return has_amount

    def _key(self, text: str) -> tuple[Key | None, str]:
        """The key that a line begins with, and what follows it."""
        text = text.strip()
        colon = text.find(":", 0, _KEY_LETTERS)
        if colon >= 0:
            return self._lexicon.key(text[:colon].strip()), text[colon + 1 :].strip()
        wide = text.partition("  ")
        if wide[2] and len(wide[0]) <= _KEY_LETTERS:
            return self._lexicon.key(wide[0]), wide[2].strip()
        if len(text) <= _KEY_LETTERS and not any(map(str.isdigit, text)):
            return self._lexicon.key(text), ""
        match = _words_and_number(text)
        if match:
            key = self._lexicon.key(match[1])
            if key in (Key.NUMBER, Key.TILL):
                return key, match[2]
        return None, ""

    # -- the end

    def finish(self) -> Receipt:
        """The document as read so far; may be asked again after more lines."""
        return self.completed(self.answer())

    def completed(self, receipt: Receipt) -> Receipt:
        """An `answer` with what only the record needs: what was sold, taxes, pictures, a report's figures."""
        judge = self._judge
        receipt = receipt._replace(details=judge.details.for_record(receipt.details))
        return judge._with_report(receipt) if receipt.kind is DocumentKind.REPORT else receipt

    @property
    def may_be_over(self) -> bool:
        """Something like a total was read, and so few lines that an answer in vain costs little."""
        return self._lines <= AHEAD_LINES and any(entry.role in _TOTALS for entry in self._entries.entries)

    @property
    def is_prepared(self) -> bool:
        """The answer is known: nothing was read since it was asked for."""
        return self._prepared is not None

    def answer(self) -> Receipt:
        """The document as far as anybody decides by it; a cut waits for this. May be asked ahead, in a pause."""
        if self._prepared is None:
            said = dict(self._kinds.found)
            self._prepared = self._answer()
            self._kinds.found = said  # what codes have said holds for this answer: another code may contradict them
        return self._prepared

    def _answer(self) -> Receipt:
        self._judge, details = self, self.details.for_answer(self._entries.entries)
        profile = self._profile or pick(self._shop.profiles, details.layout)
        if profile is not None and profile.line.black and not self._profile:
            self._judge = self._without_black(profile)
            if self._judge is not self:
                receipt = self._judge.answer()
                layout = receipt.details._replace(layout=details.layout)
                return receipt._replace(lines=self._lines, details=layout)
        return self._answered(profile, details)

    def _without_black(self, profile: Profile) -> ReceiptReader:
        """A reader of the paper without the lines that never count; itself where there are none, or far too many."""
        kept = self.details.lines
        black = {place for place in self.details.trusted_places() if profile.is_black(kept[place].text)}
        if not black or self._lines > LINES_MAX:
            return self
        other = ReceiptReader(self._shop, self._lexicon, self._finder, self._pseudonyms)
        other._profile, other.pictures = profile, self.pictures
        other.details.share(self.details)
        other.feed(line.line for place, line in enumerate(kept) if place not in black)
        return other

    def _answered(self, profile: Profile | None, details: Details) -> Receipt:
        shop, fields = self._shop, self.details.fields
        entries = self._entries.entries
        receipt = Receipt(
            DocumentKind.OTHER,
            tuple(self._kinds.modifiers),
            currency=shop.currency,
            decimals=shop.convention.decimals,
            number=self.details.shown_number(),
            number_scope=NumberScope(shop.number_scope),
            till=fields.till,
            printed_date=fields.date,
            printed_time=fields.time,
            tenders=_tenders(entries, self._entries.mentioned),
            lines=self._lines,
            details=details,
        )
        if unreadable := self._unreadable():
            return receipt._replace(reasons=(unreadable,))
        fiscal, rivals = self.details.fiscal_codes()
        fiscal = of_shop(fiscal, shop.currency)
        told = None
        if profile is not None:
            told = profile.read(self.details.trusted(), self._finder, shop.date_order)
            receipt = self.details.with_profile(receipt, told, profile.name)
        if shop.items_in_answer:
            receipt = receipt._replace(details=receipt.details._replace(items=self.details.sold_items()))
        if fiscal is not None:
            receipt = self.details.with_fiscal(receipt, fiscal)
        elif shop.currency == "EUR":
            receipt = self._with_named(receipt)
        kind, why = self._kind(entries, fiscal, told)
        decision = self._decide(fiscal, profile, told)
        if told is not None:
            decision = with_profile(decision, told, shop.convention.decimals)
        if rivals:
            decision = Decision(None, Confidence.LOW, ("its fiscal codes contradict each other",), decision.paid)
        elif fiscal is not None:
            decision = with_fiscal(decision, fiscal, entries, shop.convention.decimals)
        if decision.reasons == ("no total found",) and self.pictures:
            decision = decision._replace(reasons=("raster: a picture, and no total in letters",))
        return _judged(receipt, kind, why, decision, shop)

    def _with_named(self, receipt: Receipt) -> Receipt:
        """With what the law's words name, where no code says it."""
        named = self.details.fiscal_text.named()
        if named is None:
            return receipt
        if named.kind is not None:
            self._kinds.say(named.kind, "its fiscal text")
        return self.details.with_named(receipt, named)

    def _unreadable(self) -> str:
        """Why the paper can't be read at all; "" it can."""
        if self._lines > LINES_MAX:
            return f"more than {LINES_MAX} lines"
        if not self._lines:
            return "raster: only pictures" if self.pictures else "nothing to read"
        if self._overlong >= OVERLONG_LINES:
            return f"{self._overlong} lines of more than {LINE_MAX} letters"
        return "its letters can't be read: code page?" if self._garbled >= GARBLED_LINES else ""

    def _with_report(self, receipt: Receipt) -> Receipt:
        """What the till's own report says."""
        report = ShiftReader(self._lexicon, self._finder, self._shop.date_order)
        found = report.read(kept.text for kept in self.details.lines)
        return receipt._replace(details=receipt.details._replace(report=found))

    def redacted(self) -> tuple[Shown, ...]:
        """The paper's lines with whatever is personal starred."""
        return self.details.redacted()

    def explained(self, amount_minor: int | None) -> tuple[Explained, ...]:
        """The paper's lines, redacted, with what each was taken for. `amount_minor`: what was decided on."""
        return explained(self.details, self._entries, self.answer(), amount_minor)

    @property
    def keeps_papers(self) -> bool:
        """The shop does."""
        return self._shop.keeps_papers

    def kept_paper(self, receipt: Receipt, familiar: FamiliarLines) -> KeptPaper:
        """What of the paper may be kept."""
        return kept_paper(self.details, self._entries, receipt, Known(self._lexicon, self._finder, familiar))

    def _decide(self, fiscal: Fiscal | None, profile: Profile | None, told: Told | None) -> Decision:
        found, paid_at = self._entries, self._paid_at
        if told is not None and told.receipt_at:
            places = self.details.trusted_places()
            paid_at = sorted({*paid_at, *(places[line] for line in told.receipt_at)})
        rules = self._shop.rules
        if profile is not None and profile.prints_after_payment is not None:
            rules = rules._replace(prints_after_payment=profile.prints_after_payment)
        paper = Paper(
            found.entries,
            found.bare,
            found.mentioned,
            says_paid=bool(paid_at) or (fiscal is not None and fiscal.paid),
            says_unpaid=self._says_unpaid,
            items=found.items,
            alone=found.alone,
            tax_totals=frozenset(found.tax_totals()),
        )
        witness = Witness(
            self._zones.remark,
            found.items,
            self._mentioned_at,
            paid_at,
            self._dishes,
            self._zones.chosen,
            self._in_remarks,
            self._counted,
            doubted_lines(self._lexicon, found, [*self._paid_at, *self._mentioned_at], self.details.lines),
        )
        return decide_by_witness(paper, witness, rules)

    def _kind(
        self, entries: Sequence[Entry], fiscal: Fiscal | None, told: Told | None
    ) -> tuple[DocumentKind | None, str]:
        """The kind by words or by amounts; None: a sale if it was paid."""
        if told is not None and told.kind is not None:
            return told.kind, f"a word of its profile says {told.kind.value.replace('_', ' ')}"
        by_code = fiscal_kind(fiscal) if fiscal is not None else None
        if by_code is not None:
            self._kinds.say(by_code, "its fiscal code")
        kind = self._kinds.kind() or by_code
        roles = {entry.role for entry in entries}
        if told is not None and told.receipt_at and kind in _MISTAKEN:
            kind = None  # a person has said which word makes it a receipt
        if kind is DocumentKind.CARD_SLIP and roles & {Role.NET, Role.CHANGE, Role.SUBTOTAL, Role.TAX}:
            kind = None  # the terminal's part on the same paper as the receipt
        if kind is not None:
            return kind, f"{self._kinds.found[kind]} says {kind.value.replace('_', ' ')}"
        if any(entry.role is Role.TOPUP and entry.minor > 0 for entry in entries):
            return DocumentKind.STORED_VALUE, "money was put on a card"
        if is_negative(entries):
            return DocumentKind.REFUND, "its totals are negative"
        return None, ""


def _judged(receipt: Receipt, kind: DocumentKind | None, why: str, decision: Decision, shop: Shop) -> Receipt:
    amount = decision.minor
    if kind is None:
        if decision.paid or amount is not None:
            kind = DocumentKind.SALE
        elif decision.reasons == ("no total found",):
            kind = DocumentKind.OTHER
        else:
            kind = DocumentKind.PRE_BILL
    earns = kind is DocumentKind.SALE or (kind is DocumentKind.DELIVERY_PLATFORM and shop.delivery_earns)
    reprint = Modifier.REPRINT in receipt.modifiers
    qualifies = earns and not reprint and amount is not None and decision.confidence is not Confidence.LOW
    reasons = [why] if why else []
    if reprint:
        reasons.append("a reprint earns nothing new")
    return receipt._replace(
        kind=kind,
        qualifies=qualifies,
        amount_minor=amount,
        confidence=decision.confidence,
        reasons=(*reasons, *decision.reasons),
    )


def _tenders(entries: Sequence[Entry], mentioned: Sequence[object]) -> tuple[Tender, ...]:
    ways = (e for e in entries if e.tender is not None and e.role in (Role.TENDER, Role.TENDERED, Role.PAID))
    out = list(dict.fromkeys(Tender(way.tender, way.minor) for way in ways))  # type: ignore[arg-type]
    named = {tender.kind for tender in out}
    out += [Tender(kind, None) for kind in mentioned if kind not in named]  # type: ignore[arg-type]
    return tuple(out)


_may_be_garbled = re.compile("[\u2552-\u259f\ufffd]").search  # what the next one looks for: one class is fast
# Corners of single with double frames, and blocks at letters: two-byte text shown in a code page of one byte.
_garbled = re.compile(
    "[\u2552\u2553\u2555\u2556\u2558\u2559\u255b\u255c\u255e\u255f\u2561\u2562\u2564-\u2568\u256a\u256b]"
    "|[\u2580-\u259f\ufffd](?=[^\\W\\d_])|(?<=[^\\W\\d_])[\u2580-\u259f\ufffd]"
).search


def _stands_out(line: Line) -> bool:
    """Larger, bolder, inverse or centred."""
    look = line.look
    if isinstance(look, Setting):
        return _is_loud(look.style)
    return any(_is_loud(span.style) for span in look)


def _is_loud(style: Style) -> bool:
    return style.bold or style.double_width or style.double_height or style.reverse or style.justify == 1
