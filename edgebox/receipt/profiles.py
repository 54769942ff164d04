"""What a person told the box about one till's layout: where its fields stand, and its own words.

Owns: `Profile`, how it is made of a TOML table (`profile_from`), which one fits a paper (`pick`), and what it finds
there (`Profile.read`). Never: opens a file (edgebox/receipt_profiles.py does), nor runs a pattern that may take long:
patterns have bounded repeats, and see one line of at most LINE_MAX characters.

A profile is picked by the paper's layout at its end, so it is asked then, over the lines that were kept.
"""

from __future__ import annotations

import re
import re._constants as opcodes  # type: ignore[import-not-found]  # Python's own, without public name or types
import re._parser as grammar  # type: ignore[import-not-found]
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edgebox.errors import ConfigError
from edgebox.model import DocumentKind
from edgebox.receipt.dates import find_date, find_time
from edgebox.receipt.layout import ALIKE, likeness, marks_of
from edgebox.receipt.money import AmountFinder, is_currency
from edgebox.receipt.words import normalise, tokens

PATTERN_MAX = 200  # characters of a pattern
WORK_MAX = 10_000  # ways in which the repeats of a pattern may share out a line: some milliseconds at the worst
LINE_MAX = 200  # characters of a line that a pattern sees; the widest printer has 64 columns
WORDS_MAX = 64  # words of a list
_VALUE_MAX = 40
FIELDS = ("total", "number", "till", "cashier", "table", "date")
_TOP = {*FIELDS, "description", "layouts", "kind", "document", "line"}
_TOP |= {"prints_after_payment", "header_preprint", "end_signature"}
_code = re.compile(r"[0-9a-z][0-9a-z\-/_.]{0,39}").search
_hex = re.compile(r"([0-9A-Fa-f]{2}\s*)*").fullmatch
_layout = re.compile(r"([0-9a-f]{4}){3,64}").fullmatch


class Anchor(NamedTuple):
    """Where a field stands: behind a label at a line's beginning, or in the group of a pattern."""

    label: tuple[str, ...] = ()  # tokens
    pattern: re.Pattern[str] | None = None
    next_line: bool = False  # the value stands on the line below


class Lists(NamedTuple):
    """Words as tokens. White: one of them must be there; black: none may be."""

    white: tuple[tuple[str, ...], ...] = ()
    black: tuple[tuple[str, ...], ...] = ()

    def allow(self, parts: Sequence[str]) -> bool:
        """The text has a white word (if there are any) and no black one."""
        return not self.is_black(parts) and (not self.white or any(_has(parts, word) for word in self.white))

    def is_black(self, parts: Sequence[str]) -> bool:
        """The text has a black word."""
        return any(_has(parts, word) for word in self.black)


class Told(NamedTuple):
    """What a profile finds on a paper. `totals`: all distinct amounts; `refusal` "": it may earn; `receipt_at`: lines
    that are a white word, and say so that it is a receipt, and paid."""

    totals: tuple[int, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    kind: DocumentKind | None = None
    refusal: str = ""
    receipt_at: tuple[int, ...] = ()


class Profile(NamedTuple):
    """One layout.

    `document` lists are asked of the whole paper: with a black word it never earns; with a white one as a line of its
    own it is a receipt, and paid; where white ones are listed and none is on it, it earns nothing. `line` lists are
    asked of each line: one with a black word never counts; the amount on one with a white word is the total.
    """

    name: str
    layouts: tuple[frozenset[str], ...] = ()
    anchors: tuple[tuple[str, Anchor], ...] = ()
    kinds: tuple[tuple[DocumentKind, tuple[tuple[str, ...], ...]], ...] = ()
    document: Lists = Lists()
    line: Lists = Lists()
    prints_after_payment: bool | None = None
    header_preprint: str = ""
    end_signature: str = ""

    def is_black(self, line: str) -> bool:
        """The trusted line (normalised) never counts, whatever stands on it."""
        return bool(self.line.black) and self.line.is_black(tokens(line[:LINE_MAX]))

    def read(self, lines: Sequence[str], finder: AmountFinder, date_order: str) -> Told:
        """Asks the paper's trusted lines (normalised)."""
        parts = [tokens(line[:LINE_MAX]) for line in lines]
        totals: list[int] = []
        fields: dict[str, str] = {}
        for name, anchor in self.anchors:
            for place, value in _values(anchor, lines, parts):
                if name == "total":
                    if anchor.pattern is None and not _ends(anchor.label, parts[place]):
                        continue  # `total quantity` is not `total`
                    if self.line.allow(parts[place]):
                        totals += [amount.minor for amount in finder.find(value)[-1:]]
                elif name not in fields:
                    fields.update(_field(name, value, date_order))
        if self.line.white and not any(name == "total" for name, _ in self.anchors):
            white = (line for line, words in zip(lines, parts, strict=True) if self.line.allow(words))
            totals += [amount.minor for line in white for amount in finder.find(line)[-1:]]
        refusal = self._refusal([part for words in parts for part in (*words, "")])
        said = tuple(place for place, words in enumerate(parts) if words in self.document.white)
        return Told(tuple(dict.fromkeys(totals)), tuple(fields.items()), self._kind(parts), refusal, said)

    def _refusal(self, whole: Sequence[str]) -> str:
        """Why no paper of its words earns; "" it may."""
        if self.document.is_black(whole):
            return "a black word of its profile says that it earns nothing"
        if not self.document.allow(whole):
            return "none of its profile's white words is on it"
        return ""

    def _kind(self, parts: Sequence[tuple[str, ...]]) -> DocumentKind | None:
        """The first kind of which a word is a line of its own."""
        own = set(parts)
        return next((kind for kind, words in self.kinds if not own.isdisjoint(words)), None)


def pick(profiles: Sequence[Profile], fingerprint: str) -> Profile | None:
    """The profile whose layout is most like the paper's; None when none is."""
    if not fingerprint or not profiles:
        return None
    marks = marks_of(fingerprint)
    rated = [(max((likeness(form, marks) for form in one.layouts), default=0.0), one.name, one) for one in profiles]
    share, _, best = max(rated, key=lambda row: row[:2])
    return best if share >= ALIKE else None


def profile_from(name: str, table: Mapping[str, Any]) -> Profile:
    """A profile from its TOML table. ConfigError `bad_receipt_profile` lists every fault, one a line."""
    faults = _Faults(name)
    faults.unknown(table, "", _TOP)
    anchors = tuple((field, faults.anchor(table[field], field)) for field in FIELDS if field in table)
    kinds = faults.table(table.get("kind", {}), "kind")
    after = table.get("prints_after_payment")
    if after is not None and not isinstance(after, bool):
        faults.say("prints_after_payment", "expected true or false")
    profile = Profile(
        name,
        tuple(marks_of(text) for text in faults.layouts(table.get("layouts", []))),
        anchors,
        tuple((kind, faults.words(kinds[kind], f"kind.{kind}")) for kind in DocumentKind if kind in kinds),
        faults.lists(table.get("document", {}), "document"),
        faults.lists(table.get("line", {}), "line"),
        after if isinstance(after, bool) else None,
        faults.text(table.get("header_preprint", ""), "header_preprint"),
        faults.text(table.get("end_signature", ""), "end_signature"),
    )
    faults.unknown(kinds, "kind.", set(DocumentKind))
    if not _hex(profile.end_signature):
        faults.say("end_signature", "expected pairs of hex digits")
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_receipt_profile", hint="config/receipts/example.toml")
    return profile


def bounded(source: str) -> re.Pattern[str]:
    """A pattern that can't take long. ValueError says what to write instead."""
    if len(source) > PATTERN_MAX:
        raise ValueError(f"expected at most {PATTERN_MAX} characters")
    try:
        tree = grammar.parse(source, re.IGNORECASE)
        work = _work(tree, inside=False)
        compiled = re.compile(source, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"no pattern: {fault}") from None
    if work > WORK_MAX:
        raise ValueError(
            f"its repeats may take long: write {{0,8}} for *, and fewer of them ({work} > {WORK_MAX} ways)"
        )
    if compiled.groups != 1:
        raise ValueError("expected one group ( ) around the value")
    return compiled


# -- inside

_REPEATS = (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT, opcodes.POSSESSIVE_REPEAT)
_LOOKS = (opcodes.ASSERT, opcodes.ASSERT_NOT)


def _work(tree: Any, *, inside: bool) -> int:
    """The product of all repeats. ValueError for a repeat in a repeat, a back reference and the like."""
    ways = 1
    for operation, argument in tree:
        if operation in _REPEATS:
            low, high, body = argument
            if inside and high > 1:
                raise ValueError("a repeat inside a repeat")
            most = min(int(high), LINE_MAX)
            ways *= (most - int(low) + 1) * _work(body, inside=inside or most > 1)
        elif operation is opcodes.SUBPATTERN:
            ways *= _work(argument[3], inside=inside)
        elif operation is opcodes.BRANCH:
            ways *= len(argument[1]) * max(_work(branch, inside=inside) for branch in argument[1])
        elif operation in _LOOKS:
            ways *= _work(argument[1], inside=inside)
        elif operation in (opcodes.GROUPREF, opcodes.GROUPREF_EXISTS, opcodes.ATOMIC_GROUP):
            raise ValueError("a back reference, a condition or an atomic group")
    return ways


def _values(anchor: Anchor, lines: Sequence[str], parts: Sequence[tuple[str, ...]]) -> list[tuple[int, str]]:
    """Lines (by place) where the anchor stands, and the text of its value."""
    out = []
    for place, line in enumerate(lines):
        if anchor.pattern is not None:
            found = anchor.pattern.search(line[:LINE_MAX])
            if not found or not found[1]:
                continue
            value = found[1]
        elif parts[place][: len(anchor.label)] == anchor.label:
            value = _behind(line, anchor.label)
        else:
            continue
        if anchor.next_line:
            if place + 1 == len(lines):
                continue
            value = lines[place + 1]
        out.append((place, value[:LINE_MAX]))
    return out


def _behind(line: str, label: Sequence[str]) -> str:
    """What follows a label's tokens."""
    place = 0
    for part in label:
        place = line.index(part, place) + len(part)
    return line[place:].lstrip(" :.-=")


def _ends(label: Sequence[str], parts: Sequence[str]) -> bool:
    """No further word follows the label, but for a currency."""
    following = next((part for part in parts[len(label) :] if not is_currency(part)), "0")
    return following.isdigit()


def _field(name: str, value: str, date_order: str) -> dict[str, str]:
    if name == "date":
        date = find_date(value, date_order)
        return {"date": date, **({"time": time} if (time := find_time(value)) else {})} if date else {}
    found = _code(value[:_VALUE_MAX])
    return {name: found[0].strip(".-_/").upper()} if found and any(map(str.isdigit, found[0])) else {}


def _has(parts: Sequence[str], word: tuple[str, ...]) -> bool:
    size = len(word)
    return word[0] in parts and any(tuple(parts[at : at + size]) == word for at in range(len(parts) - size + 1))


class _Faults(list[str]):
    """All that is wrong with a profile; every reader below adds to it and goes on."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def say(self, key: str, words: str) -> None:
        self.append(f"{self._name}: {key}: {words}")

    def unknown(self, table: Mapping[str, Any], prefix: str, known: set[Any]) -> None:
        for key in sorted(set(table) - known):
            self.say(f"{prefix}{key}", f"no such key, expected one of {', '.join(sorted(map(str, known)))}")

    def table(self, value: Any, key: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.say(key, f"expected a table [{key}]")
        return {}

    def text(self, value: Any, key: str) -> str:
        if isinstance(value, str) and len(value) <= PATTERN_MAX:
            return value
        self.say(key, f"expected a text of at most {PATTERN_MAX} characters")
        return ""

    def words(self, value: Any, key: str) -> tuple[tuple[str, ...], ...]:
        if not isinstance(value, list) or len(value) > WORDS_MAX or not all(isinstance(word, str) for word in value):
            self.say(key, f"expected a list of at most {WORDS_MAX} words")
            return ()
        found = tuple(tokens(normalise(word)) for word in value)
        if not all(found):
            self.say(key, "expected words with letters or digits")
        return tuple(word for word in found if word)

    def lists(self, value: Any, key: str) -> Lists:
        table = self.table(value, key)
        self.unknown(table, f"{key}.", {"white", "black"})
        return Lists(*(self.words(table.get(shade, []), f"{key}.{shade}") for shade in ("white", "black")))

    def layouts(self, value: Any) -> list[str]:
        if isinstance(value, list) and all(isinstance(text, str) and _layout(text) for text in value):
            return value
        self.say("layouts", "expected fingerprints as `edgebox read --json` shows them")
        return []

    def anchor(self, value: Any, key: str) -> Anchor:
        table = self.table(value, key)
        self.unknown(table, f"{key}.", {"label", "pattern", "next_line"})
        label, source, below = table.get("label", ""), table.get("pattern", ""), table.get("next_line", False)
        if bool(label) == bool(source) or not isinstance(label, str) or not isinstance(source, str):
            self.say(key, 'expected label = "…" or pattern = "…"')
            return Anchor()
        if not isinstance(below, bool):
            self.say(f"{key}.next_line", "expected true or false")
        words = tokens(normalise(label))
        if label and not words:
            self.say(f"{key}.label", "expected a word with letters")
        try:
            return Anchor(words, bounded(source) if source else None, below is True)
        except ValueError as fault:
            self.say(f"{key}.pattern", str(fault))
            return Anchor()
