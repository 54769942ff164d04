"""Is this code ours? By signed format, prefix, number range or armed mode; everything else is the till's.

Owns: the rules, what they say of a whole code, and whether a code that is still coming may become one of ours. Never:
signatures (the desk checks them), or what is done with a code (core.py). Pure.

Order: what is private is the till's before anything else; then mode keys, prefixes (the longest first), ranges, the
armed mode. A rule that would keep goods or payment codes from the till is refused where it is written down, not where
a customer waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edgebox.errors import ConfigError
from edgebox.scan.codes import (
    AIM_CHARS,
    NEVER_OURS,
    OURS,
    Kind,
    is_digits,
    kind_of_others,
    meets_private,
    split_aim,
    swallows_goods,
)

# Characters behind the prefix of a signed code: edgebox/loyalty/claims.py TOKEN_CHARS, comeback.py LONG_CHARS.
SIGNED_CHARS = {Kind.CLAIM: 58, Kind.COMEBACK: 47}
_BASE32 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
PREFIX_MIN, PREFIX_MAX = 3, 64  # two letters are the beginning of too much else
RULES_MAX = 64  # of one scanner; each key typed looks at all of them
ARMABLE = (Kind.COUPON, Kind.MEMBER, Kind.PICK_UP, Kind.MALL, Kind.INVOICE_TITLE, Kind.COMEBACK)


class Reading(NamedTuple):
    """What a code is. `arms`: the kind that its mode key arms."""

    kind: Kind
    symbology: str = ""
    arms: Kind | None = None

    @property
    def is_ours(self) -> bool:
        return self.kind in OURS


class Prefix(NamedTuple):
    """Codes that begin so; signed ones have one length and alphabet behind it."""

    kind: Kind
    text: str

    def takes(self, code: str) -> bool:
        if not code.startswith(self.text):
            return False
        signed = SIGNED_CHARS.get(self.kind)
        rest = code[len(self.text) :]
        return bool(rest) if signed is None else len(rest) == signed and _BASE32.issuperset(rest)

    def may_take(self, begun: str) -> bool:
        if len(begun) < len(self.text):
            return self.text.startswith(begun)
        signed = SIGNED_CHARS.get(self.kind)
        rest = begun[len(self.text) :]
        return begun.startswith(self.text) and (signed is None or (len(rest) <= signed and _BASE32.issuperset(rest)))


class Range(NamedTuple):
    """Numbers from `low` to `high`, both of the same length."""

    kind: Kind
    low: str
    high: str

    def takes(self, code: str) -> bool:
        return len(code) == len(self.low) and is_digits(code) and self.low <= code <= self.high

    def may_take(self, begun: str) -> bool:
        size = len(begun)
        if not begun:
            return True
        return size <= len(self.low) and is_digits(begun) and self.low[:size] <= begun <= self.high[:size]


class Rules:
    """All rules of one scanner."""

    def __init__(
        self, rules: Iterable[Prefix | Range] = (), modes: Mapping[str, Kind] | None = None, always: Kind | None = None
    ) -> None:
        """`modes`: the text of a mode key's code → what it arms. `always`: this scanner is armed for good."""
        self.modes = dict(modes or {})
        self.always = always
        # A longer prefix says more; ranges come behind all of them.
        self._rules = sorted(rules, key=lambda rule: -len(rule.text) if isinstance(rule, Prefix) else 0)

    def read(self, code: str, symbology: str = "", armed: Kind | None = None) -> Reading:
        """A whole code, with or without an AIM identifier in front. `armed`: the mode that waits for it."""
        named, text = split_aim(code)
        symbology = symbology or named
        other = kind_of_others(text, symbology)
        if not text or other in NEVER_OURS:
            return Reading(other, symbology)
        if text in self.modes:
            return Reading(Kind.MODE, symbology, self.modes[text])
        for rule in self._rules:
            if rule.takes(text):
                return Reading(rule.kind, symbology)
        return Reading(armed or self.always or other, symbology)

    def may_become(self, begun: str, armed: Kind | None = None) -> bool:
        """With more behind it this may be ours; false: whatever comes, it is the till's."""
        if armed or self.always:
            return True
        text = begun
        if begun.startswith("]"):
            if len(begun) < AIM_CHARS:
                return True
            _, text = split_aim(begun)
        if any(mode.startswith(text) for mode in self.modes):
            return True
        return any(rule.may_take(text) for rule in self._rules)


def rule_of(kind: Kind, text: str) -> Prefix | Range:
    """A rule as the configuration writes it: `VIP:` is a prefix, `800000-899999` a range. ConfigError."""
    low, dash, high = text.partition("-")
    if dash and is_digits(low) and is_digits(high):
        return _range(kind, low, high)
    if is_digits(text):
        raise _bad(text, "digits alone may be goods or payment codes", "write a range, first-last")
    if not PREFIX_MIN <= len(text) <= PREFIX_MAX or not text.isascii() or not text.isprintable():
        raise _bad(text, f"a prefix has {PREFIX_MIN} to {PREFIX_MAX} printable ASCII characters", "take a longer one")
    if text.startswith("]"):
        raise _bad(text, "] begins an AIM identifier", "leave that away: it is looked behind")
    return Prefix(kind, text)


def mode_of(text: str) -> tuple[str, Kind]:
    """`CODE=kind`: the text of a mode key's code, and the kind that it arms. ConfigError."""
    code, _, name = text.rpartition("=")
    if name not in ARMABLE:
        raise _bad(text, f"arms one of {', '.join(ARMABLE)}", "write CODE=kind")
    if is_digits(code) or not PREFIX_MIN <= len(code) <= PREFIX_MAX or not (code.isascii() and code.isprintable()):
        raise _bad(text, f"a mode key has {PREFIX_MIN} to {PREFIX_MAX} ASCII characters, not digits alone", "")
    return code, Kind(name)


def _range(kind: Kind, low: str, high: str) -> Range:
    if len(low) != len(high) or low > high or len(low) < PREFIX_MIN:
        raise _bad(f"{low}-{high}", "a range has two numbers of one length, the smaller first", "")
    if kind in SIGNED_CHARS:
        raise _bad(f"{low}-{high}", f"a {kind} is signed and no number", "write its prefix")
    if meets_private(low, high):
        raise _bad(f"{low}-{high}", "payment codes and invoices have such numbers", "take a prefix, or a mode key")
    if swallows_goods(low, high):
        hint = "take a prefix, a mode key, or numbers for use within a shop: 20… to 29… of 13 digits"
        raise _bad(f"{low}-{high}", "goods have such numbers", hint)
    return Range(kind, low, high)


def _bad(text: str, words: str, hint: str) -> ConfigError:
    return ConfigError(f"{text!r}: {words}", reason="bad_rule", hint=hint)
