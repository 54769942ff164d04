"""The words on receipts, compiled: which label says what, which line says which kind of document.

Owns: `Lexicon`, built from the tables of `config/lexicon/*.toml`, and how words are matched. Never: opens a file
(edgebox/config.py hands the tables in), nor judges amounts.

A label means something only if words of the lexicon explain it whole: longest word first, then `filler` words, and what
is left over must be next to nothing. So `TOTAL (incl. GST 6%)` is a total and `TOTAL CARE TOOTHPASTE` is an item.
Where languages disagree about a word, the meaning that claims less wins (`合计` may be before the discount).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from edgebox.model import DocumentKind, Modifier, TenderKind
from edgebox.receipt.fieldwords import FieldWords
from edgebox.receipt.headings import Headings
from edgebox.receipt.words import normalise, tokens

LEFTOVER_LETTERS = 2  # tax codes (SR, ZR), column letters and stray marks beside a label
WIDE_LETTERS = 3  # what a character of Chinese, Japanese or Korean counts: it says as much as so many letters
FIRST_WIDE = "\u2e80"  # from here on Chinese, Japanese and Korean: no blanks between words, and no decimals
_WEAK_LETTERS = 16  # of the words before a total's: `take away`, `for here`; more is a sentence
_COLUMNS = 3  # words of amounts that make a line the heading of a table
_CACHE_MAX = 8192  # labels and keys remembered; a shop's items are some thousands


class Role(StrEnum):
    """What an amount is. In this order the first meaning of a label wins: those that claim less come first."""

    IGNORE = "ignore"
    TOPUP = "topup"  # money put on a card: the document is no sale
    CHANGE = "change"
    TENDERED = "tendered"
    ROUNDING = "rounding"
    DISCOUNT = "discount"
    TIP = "tip"
    SERVICE = "service"
    TAX = "tax"
    SUBTOTAL = "subtotal"
    ROUNDED = "rounded"  # after cash rounding
    PAID = "paid"  # really received; or tendered, where change follows
    SUM = "sum"  # before or after discounts, tills differ
    DUE = "due"  # to pay; some tills print what is still unpaid
    NET = "net"
    WEAK = "weak"  # a total of something: `to stay total`; counts only where arithmetic bears it out
    TENDER = "tender"  # a way of paying; which one is in `Label.tender`
    ITEM = "item"  # none of these


class Label(NamedTuple):
    """What a label means. `explained`: words of the lexicon cover it."""

    role: Role
    tender: TenderKind | None = None
    explained: bool = False


class KindWords(NamedTuple):
    """The kinds and modifiers that a line's words name, and the letters not explained by them."""

    kinds: tuple[DocumentKind, ...]
    modifiers: tuple[Modifier, ...]
    leftover: int


class Key(StrEnum):
    """What stands before a colon."""

    KIND = "kind"
    REMARK = "remark"
    CUSTOMER = "customer"  # whatever follows was written by or about the customer, to the next key
    PERSON = "person"
    NUMBER = "number"
    TILL = "till"
    REPORT = "report"
    PAID = "paid"


_ITEM = Label(Role.ITEM)
_ROLE_ORDER = {role: place for place, role in enumerate(Role)}


class _Trie:
    """Words by their first token, longest first."""

    def __init__(self) -> None:
        self._words: dict[str, list[tuple[tuple[str, ...], object]]] = {}

    def add(self, word: str, meaning: object) -> None:
        parts = tokens(normalise(word))
        if parts:
            self._words.setdefault(parts[0], []).append((parts, meaning))

    def seal(self) -> None:
        for words in self._words.values():
            words.sort(key=lambda pair: -len(pair[0]))

    def beginnings(self, without: object) -> frozenset[str]:
        """The first tokens of all words but those that mean only `without`."""
        return frozenset(first for first, words in self._words.items() if any(m != without for _, m in words))

    def at(self, parts: Sequence[str], place: int) -> tuple[int, list[object]]:
        """The longest word at `place`: its length in tokens (0: none) and all its meanings."""
        length, meanings = 0, []
        for word, meaning in self._words.get(parts[place], ()):
            if length and len(word) < length:
                break
            if parts[place : place + len(word)] == word:
                length = len(word)
                meanings.append(meaning)
        return length, meanings

    def cover(self, parts: Sequence[str]) -> tuple[list[object], int]:
        """All meanings in the text and the number of letters that no word explains."""
        found: list[object] = []
        leftover = place = 0
        while place < len(parts):
            length, meanings = self.at(parts, place)
            if length:
                found += meanings
            elif not parts[place].isdigit():
                leftover += len(parts[place]) if parts[place] < FIRST_WIDE else WIDE_LETTERS
            place += length or 1
        return found, leftover

    def cover_most(self, parts: Sequence[str]) -> tuple[list[object], int]:
        """As `cover`, but by the words that leave the fewest letters: `美团|团购券`, not `美团团购` and one more."""
        best: list[tuple[int, list[object]]] = [(0, [])] * (len(parts) + 1)
        for place in reversed(range(len(parts))):
            part = parts[place]
            lost = 0 if part.isdigit() else len(part) if part < FIRST_WIDE else WIDE_LETTERS
            left, found = best[place + 1]
            best[place] = (left + lost, found)
            for word, meaning in self._words.get(part, ()):
                behind = place + len(word)
                if behind <= len(parts) and parts[place:behind] == word and best[behind][0] < best[place][0]:
                    best[place] = (best[behind][0], [meaning, *best[behind][1]])
        left, found = best[0]
        return found, left

    def has(self, parts: Sequence[str]) -> bool:
        """A word stands anywhere in the text."""
        if self._words.keys().isdisjoint(parts):  # nearly every line, and in C
            return False
        return any(self.at(parts, place)[0] for place in range(len(parts)))


_PAYS = (Role.TENDERED, Role.PAID, Role.CHANGE, Role.TENDER)
_FILLER, _INCLUDING, _EXCLUDING = "filler", "including", "excluding"
# Amounts whose words stand beside a word of payment: `TOTAL PAID (incl. VAT)`; a table's or a delivery's don't.
_BESIDE_PAYMENT = ("net", "paid", "due", "sum", "subtotal", "tendered", "change", _INCLUDING, _EXCLUDING)


class Lexicon:
    """All words of the languages in use. Immutable once built, but for its bounded memory of labels."""

    def __init__(self, tables: Iterable[Mapping[str, Mapping[str, Sequence[str]]]]) -> None:
        self._amounts, self._kinds, self._loose = _Trie(), _Trie(), _Trie()
        self._keys, self._paid, self._unpaid = _Trie(), _Trie(), _Trie()
        self._told = _Trie()  # what may stand beside a word of payment
        self._to_pay = _Trie()  # `to be paid`
        listed = list(tables)
        for table in listed:
            self._add(table)
        self.fields = FieldWords(listed)
        self.headings = Headings(listed)
        tries = (
            self._amounts,
            self._kinds,
            self._loose,
            self._keys,
            self._paid,
            self._unpaid,
            self._told,
            self._to_pay,
        )
        for trie in tries:
            trie.seal()
        self._paid_words = self._paid.beginnings(None) | self._unpaid.beginnings(None)
        self._amount_words = self._amounts.beginnings(_FILLER)
        self._known_keys: dict[str, Key | None] = {}
        self._labels: dict[str, Label] = {}
        self._lines: dict[tuple[str, ...], KindWords] = {}

    def _add(self, table: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        def words(section: str) -> Iterable[tuple[str, str]]:
            return ((name, word) for name, listed in table.get(section, {}).items() for word in listed)

        for name, word in words("amount"):
            self._amounts.add(word, name if name in (_INCLUDING, _EXCLUDING) else Role(name))
        for name, word in words("tender"):
            self._amounts.add(word, TenderKind(name))
        for name, word in words("kind"):
            self._kinds.add(word, DocumentKind(name))
        for name, word in words("modifier"):
            self._kinds.add(word, Modifier(name))
        for name, word in words("kind_loose"):
            self._loose.add(word, DocumentKind(name))
        for _, word in words("filler"):
            self._amounts.add(word, _FILLER)
            self._kinds.add(word, _FILLER)
            self._keys.add(word, _FILLER)
        for name, word in words("label"):
            self._keys.add(word, Key(name))
        self._add_payment(table)

    def _add_payment(self, table: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """The words that say that it was paid, or not, and those that may stand beside them."""
        paid = table.get("paid", {})
        for trie, listed in (
            (self._paid, paid.get("words", ())),
            (self._to_pay, paid.get("to_pay", ())),
            (self._unpaid, table.get("unpaid", {}).get("words", ())),
        ):
            for word in listed:
                trie.add(word, True)
        for word in paid.get("labels", ()):
            self._keys.add(word, Key.PAID)
        beside = [
            word for name, listed in table.get("amount", {}).items() if name in _BESIDE_PAYMENT for word in listed
        ]
        for section in ("tender", "filler", "paid"):
            beside += [word for listed in table.get(section, {}).values() for word in listed]
        for word in (*beside, *table.get("label", {}).get("number", ())):
            self._told.add(word, True)

    # -- asking

    def may_label(self, parts: tuple[str, ...]) -> bool:
        """Some word of the line may belong to an amount's label; nearly no item's does."""
        return not self._amount_words.isdisjoint(parts)

    def label(self, text: str) -> Label:
        """The meaning of an amount's label (normalised text)."""
        known = self._labels.get(text)
        if known is None:
            known = self._read_label(tokens(text))
            if len(self._labels) >= _CACHE_MAX:
                self._labels.clear()
            self._labels[text] = known
        return known

    def _read_label(self, parts: tuple[str, ...]) -> Label:
        found, leftover = self._amounts.cover(parts)
        if leftover > LEFTOVER_LETTERS:
            found, leftover = self._amounts.cover_most(parts)
        roles = [role for role in found if isinstance(role, Role)]
        ways = [way for way in found if isinstance(way, TenderKind)]
        if LEFTOVER_LETTERS < leftover <= _WEAK_LETTERS and parts[-1] < FIRST_WIDE and not ways:
            return self._read_weak(parts)
        if leftover > LEFTOVER_LETTERS or not (roles or ways):
            return _ITEM
        if set(roles) == {Role.IGNORE, Role.NET} and roles[0] is Role.IGNORE and parts[-1] < FIRST_WIDE:
            return Label(Role.WEAK, None, True)  # `3 items total`: the label of a count and of a total
        if Role.TAX in roles and _EXCLUDING in found:
            roles = [Role.SUBTOTAL]
        elif Role.TAX in roles and _INCLUDING in found and len(roles) > 1:
            roles = [role for role in roles if role is not Role.TAX]
        way = ways[0] if ways else None
        if not roles:
            return Label(Role.TENDER, way, True)
        role = min(roles, key=_ROLE_ORDER.__getitem__)
        if way is not None and role in (Role.NET, Role.DUE, Role.SUM):
            return Label(Role.TENDER, way, True)
        return Label(role, way, True)

    def _read_weak(self, parts: tuple[str, ...]) -> Label:
        """Some words that nothing explains, and a total's word last."""
        words = tuple(part for part in parts if not part.isdigit())
        length, meanings = self._amounts.at(words, len(words) - 1) if words else (0, [])
        return Label(Role.WEAK, None, True) if length and Role.NET in meanings else _ITEM

    def names_payment(self, parts: tuple[str, ...]) -> bool:
        """A way or an act of paying stands in the text (its tokens), whatever else does."""
        if self._amount_words.isdisjoint(parts):
            return False
        found, _ = self._amounts.cover(parts)
        return any(isinstance(word, TenderKind) or word in _PAYS for word in found)

    def heads_taxes(self, parts: tuple[str, ...]) -> bool:
        """A line without amounts that names the columns of a table of taxes: a tax, and two columns more."""
        if self._amount_words.isdisjoint(parts):
            return False
        found, _ = self._amounts.cover(parts)
        return Role.TAX in found and sum(isinstance(word, Role) for word in found) >= _COLUMNS

    def kind_words(self, parts: tuple[str, ...]) -> KindWords:
        """The kinds that a line (its tokens) names."""
        known = self._lines.get(parts)
        if known is None:
            found, leftover = self._kinds.cover(parts)
            kinds = tuple(kind for kind in found if isinstance(kind, DocumentKind))
            known = KindWords(kinds, tuple(word for word in found if isinstance(word, Modifier)), leftover)
            if len(self._lines) >= _CACHE_MAX:
                self._lines.clear()
            self._lines[parts] = known
        return known

    def loose_kinds(self, parts: tuple[str, ...]) -> KindWords:
        """The kinds named inside a heading, by words that hardly stand in anything else."""
        found, leftover = self._loose.cover(parts)
        return KindWords(tuple(kind for kind in found if isinstance(kind, DocumentKind)), (), leftover)

    def key(self, text: str) -> Key | None:
        """What a normalised text before a colon announces."""
        if text not in self._known_keys:
            if len(self._known_keys) >= _CACHE_MAX:
                self._known_keys.clear()
            self._known_keys[text] = self._read_key(text)
        return self._known_keys[text]

    def _read_key(self, text: str) -> Key | None:
        found, leftover = self._keys.cover(tokens(text))
        keys = [key for key in found if isinstance(key, Key)]
        return keys[0] if keys and leftover <= 1 else None

    def may_say_paid(self, parts: tuple[str, ...]) -> bool:
        """Some word of the line may say that it was paid, or not; hardly any line's does."""
        return not self._paid_words.isdisjoint(parts)

    def says_paid(self, parts: tuple[str, ...]) -> bool:
        """The line says that it was paid, and hardly anything that no word explains: a name, or a sentence."""
        return self._paid.has(parts) and not self._to_pay.has(parts) and self._told.cover(parts)[1] <= _BESIDE_LETTERS

    def tells_payment(self, parts: tuple[str, ...]) -> bool:
        """A key (its tokens) that holds a word of payment, names a kind, or begins as an amount's: `VISA 6258 APP`."""
        if self._paid.has(parts) or self.kind_words(parts).kinds:
            return True
        return parts[0] < FIRST_WIDE and any(meaning != _FILLER for meaning in self._amounts.at(parts, 0)[1])

    def first_key(self, parts: tuple[str, ...]) -> Key | None:
        """The key that a line (its tokens) begins with, colon or not; None where an amount's words reach as far."""
        length, keys = self._keys.at(parts, 0) if parts else (0, [])
        key = next((key for key in keys if isinstance(key, Key)), None)
        if key is None:
            return None
        reach, meanings = self._amounts.at(parts, 0)
        return None if reach >= length and any(meaning != _FILLER for meaning in meanings) else key

    def says_unpaid(self, parts: tuple[str, ...]) -> bool:
        """The line says somewhere that it was not paid."""
        return self._unpaid.has(parts)


_BESIDE_LETTERS = 2  # beside a word of payment: a series (`FATURA-RECIBO A 1/19`), a tax code; a name is longer
