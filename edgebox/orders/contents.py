"""Is a bundle's content such that the box could use it? Every key that can't be had, with why.

Owns: which part of the box judges which kind. Never: uses anything (edgebox/orders/uses.py), or keeps it.
The shapes are in sync/contract_content.py; what a profile, a rule, a word or a slip may be, the parts themselves know.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from edgebox.beacons import sending, tags
from edgebox.errors import ClaimError, ConfigError
from edgebox.loyalty.members import Members
from edgebox.loyalty.rules import Rules
from edgebox.receipt.lexicon import Lexicon
from edgebox.receipt.profiles import Profile, profile_from
from edgebox.rules_file import rules_from
from edgebox.rules_schema import TZ
from edgebox.slip_files import slip_from
from edgebox.slips.template import Template
from sync.contract import BundleKind
from sync.contract_content import (
    LexiconContent,
    MembersContent,
    PickUpsContent,
    ProfilesContent,
    SlipsContent,
)

WHOLE = "content"  # the key under which a fault of the whole is told
Rejected = dict[str, str]
_T = TypeVar("_T", bound=msgspec.Struct)


def rejected(kind: BundleKind, content: bytes) -> Rejected:
    """Key → why, for all that can't be had; empty: the bundle is good."""
    try:
        return CHECKS[kind](content)
    except RecursionError:
        return {WHOLE: "nested too deep"}
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        return {WHOLE: str(fault)}


def profiles(content: bytes) -> tuple[Profile, ...]:
    """The profiles of a bundle that was found good."""
    tables = msgspec.json.decode(content, type=ProfilesContent).profiles
    return tuple(profile_from(name, table) for name, table in tables.items())


def words(content: bytes) -> Mapping[str, Any]:
    """The words of a bundle that was found good."""
    return msgspec.json.decode(content, type=LexiconContent).words


def members(content: bytes) -> Members:
    """The table of a bundle. ClaimError `members`; binascii.Error."""
    given = msgspec.json.decode(content, type=MembersContent)
    rows = base64.b64decode(given.table, validate=True)
    return Members(rows, given.tiers, given.segments, given.as_of, given.max_age_s)


def pick_ups(content: bytes) -> PickUpsContent:
    """The list of orders of a bundle."""
    return msgspec.json.decode(content, type=PickUpsContent)


def rules(content: bytes, tz: str = TZ) -> Rules:
    """The rules of a bundle. `tz`: the shop's time zone, for rules that name none. ConfigError `bad_rules`."""
    return rules_from(msgspec.json.decode(content, type=dict[str, Any]), "rules", tz)


def slips(content: bytes) -> tuple[tuple[Template, ...], tuple[str, ...] | None]:
    """The templates of a bundle, and the names that it shows; None: as the settings say. ConfigError `bad_slip`."""
    given = msgspec.json.decode(content, type=SlipsContent)
    return tuple(slip_from(table, name) for name, table in given.slips.items()), given.show


def _rules(content: bytes) -> Rejected:
    try:
        rules(content)
    except ConfigError as fault:
        return _by_key(fault, "rules")
    return {}


def _slips(content: bytes) -> Rejected:
    found: Rejected = {}
    for name, table in msgspec.json.decode(content, type=SlipsContent).slips.items():
        try:
            template = slip_from(table, name)
        except ConfigError as fault:
            found |= {f"{name}.{key}": why for key, why in _by_key(fault, name).items()}
        else:
            if template.name != name:
                found[f"{name}.name"] = f"it calls itself {template.name}"
    return found


def _profiles(content: bytes) -> Rejected:
    found: Rejected = {}
    for name, table in msgspec.json.decode(content, type=ProfilesContent).profiles.items():
        try:
            profile_from(name, table)
        except ConfigError as fault:
            found[name] = str(fault.args[0])
    return found


def _lexicon(content: bytes) -> Rejected:
    found: Rejected = {}
    for section, lists in msgspec.json.decode(content, type=LexiconContent).words.items():
        try:
            lists_of_words = msgspec.convert(lists, dict[str, tuple[str, ...]])
            Lexicon([{section: lists_of_words}])
        except (msgspec.MsgspecError, ValueError, AttributeError, TypeError) as fault:
            found[section] = str(fault)
    return found


def _members(content: bytes) -> Rejected:
    try:
        members(content)
    except (ClaimError, binascii.Error) as fault:
        return {"table": str(fault)}
    return {}


def _pick_ups(content: bytes) -> Rejected:
    """No two orders may be told apart by nothing: one code is one order, and so is a number on one day."""
    found: Rejected = {}
    seen = set[tuple[str, ...]]()
    for place, order in enumerate(pick_ups(content).orders, 1):
        names = {name for name in (("code", order.code), ("number", order.number, order.day)) if name[1]}
        if names & seen:
            found[f"orders[{place}]"] = "an order before it has the same code, or the same number on that day"
        seen |= names
    return found


def _of_shape(shape: type[_T]) -> Callable[[bytes], Rejected]:
    def check(content: bytes) -> Rejected:
        msgspec.json.decode(content, type=shape)
        return {}

    return check


def _by_key(fault: ConfigError, source: str) -> Rejected:
    """A fault's lines, `source: key: words` each."""
    found: Rejected = {}
    for line in str(fault.args[0]).splitlines():
        key, colon, why = line.removeprefix(f"{source}: ").partition(": ")
        found[key if colon else WHOLE] = why if colon else key
    return found


CHECKS: Mapping[BundleKind, Callable[[bytes], Rejected]] = {
    BundleKind.RULES: _rules,
    BundleKind.SLIPS: _slips,
    BundleKind.PROFILES: _profiles,
    BundleKind.LEXICON: _lexicon,
    BundleKind.MEMBERS: _members,
    BundleKind.BEACONS: lambda content: dict(sending.rejected(content)),
    BundleKind.TAGS: lambda content: dict(tags.rejected(content)),
    BundleKind.PICK_UPS: _pick_ups,
}
"""Of CONFIG judges edgebox/orders/config.py: who may change which setting is part of the question."""
