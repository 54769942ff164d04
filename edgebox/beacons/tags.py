"""The tags that the shop knows: its people, its members, its things, its own beacons. All others are nobody.

Owns: what is known of each, and that no two are mixed up. Never: a member's number or name: a member is the keyed hash
that receipts and scans carry, and is recorded by its beginning. Never: what presence makes of them (presence.py).

They come from `[beacons] tags` and from the fleet (`tags.set`); of two with one name or one beacon, the fleet's counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from edgebox.beacons.heard import TagKey, TagKind
from edgebox.errors import ConfigError
from edgebox.settings import TagSettings
from sync.contract_content import TagsContent, TagSpec

TAGS_MAX = 2500  # the fleet's 2,000 and the file's 500
MEMBER_SHOWN = 16  # hex digits of a member's hash, as in the table of members


class Role(StrEnum):
    """Whose tag it is."""

    OTHER = ""
    STAFF = "staff"
    MEMBER = "member"
    ASSET = "asset"  # a trolley, a key, a terminal
    BEACON = "beacon"  # the shop's own, on a wall: is it alive?


class Tag(NamedTuple):
    """One. `zone`: only visits there are wanted, "": to each. `offset_db`: of calibration, added to the power that the
    tag says it has. `member`: keyed hash; `cashier`: as receipts name them."""

    name: str
    key: TagKey
    role: Role = Role.OTHER
    zone: str = ""
    offset_db: int = 0
    member: str = ""
    cashier: str = ""

    @property
    def shown(self) -> str:
        """What is recorded and shown: its name, of a member the beginning of the hash."""
        return self.member[:MEMBER_SHOWN] if self.role is Role.MEMBER else self.name


class Tags:
    """A list without doubles. Of two with one name or beacon the first is taken."""

    def __init__(self, *lists: Iterable[Tag]) -> None:
        self._by_key: dict[TagKey, Tag] = {}
        names: set[str] = set()
        for tag in (tag for tags in lists for tag in tags):
            if tag.key not in self._by_key and tag.name not in names and len(names) < TAGS_MAX:
                names.add(tag.name)
                self._by_key[tag.key] = tag

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Tag]:
        return iter(self._by_key.values())

    def of(self, key: TagKey) -> Tag | None:
        """Whose frame this is; None: nobody's that is known."""
        return self._by_key.get(key)

    def spaces(self) -> frozenset[str]:
        """UUIDs and namespaces to listen for."""
        return frozenset(key.space for key in self._by_key)


def of_settings(given: Iterable[TagSettings]) -> list[Tag]:
    """The file's. ConfigError `bad_tag` names each that can't be."""
    tags, faults = [], []
    for one in given:
        try:
            key = TagKey.from_text(one.beacon)
        except ValueError as fault:
            faults.append(f"[beacons] tags: {one.name}: {fault}")
            continue
        tag = Tag(one.name, key, Role(one.role), one.zone, one.offset_db, one.member, _cashier(one))
        tags.append(tag)
    faults += [f"[beacons] tags: {name}: {why}" for name, why in _faults(tags).items()]
    if faults:
        raise ConfigError("\n".join(faults), reason="bad_tag", hint="docs/beacons.md")
    return tags


def of_content(content: bytes) -> list[Tag]:
    """The fleet's, of a bundle that was found good. msgspec.MsgspecError, ValueError."""
    given = msgspec.json.decode(content, type=TagsContent)
    return [_of_spec(name, spec) for name, spec in given.tags.items()]


def rejected(content: bytes) -> Mapping[str, str]:
    """Name → why, for tags of a bundle that can't be. msgspec.MsgspecError: it is none."""
    given = msgspec.json.decode(content, type=TagsContent)
    roles = ", ".join(role.value for role in Role if role.value)
    found = {name: f"no role {spec.role}; there are {roles}" for name, spec in given.tags.items() if not _role(spec)}
    return found or _faults([_of_spec(name, spec) for name, spec in given.tags.items()])


def _of_spec(name: str, spec: TagSpec) -> Tag:
    key = TagKey(TagKind.IBEACON, spec.uuid, spec.major, spec.minor)
    cashier = spec.cashier or (name if spec.role == Role.STAFF.value else "")
    return Tag(name, key, Role(spec.role), spec.zone, spec.offset_db, spec.member, cashier)


def _role(spec: TagSpec) -> bool:
    return spec.role in tuple(Role)


def _cashier(one: TagSettings) -> str:
    return one.cashier or (one.name if one.role == Role.STAFF.value else "")


def _faults(tags: Iterable[Tag]) -> dict[str, str]:
    """By name. Two names for one beacon would make two people of one."""
    found: dict[str, str] = {}
    names: set[str] = set()
    owners: dict[TagKey, str] = {}
    for tag in tags:
        if tag.name in names:
            found[tag.name] = "this name is there twice"
        elif tag.key in owners:
            found[tag.name] = f"its beacon is {owners[tag.key]}'s"
        elif tag.role is Role.MEMBER and not tag.member:
            found[tag.name] = "a member's tag needs `member`, the keyed hash of their number"
        elif tag.member and tag.role is not Role.MEMBER:
            found[tag.name] = "only a member's tag has `member`"
        elif tag.cashier and tag.role is not Role.STAFF:
            found[tag.name] = "only a staff tag has `cashier`"
        names.add(tag.name)
        owners.setdefault(tag.key, tag.name)
    return found
