"""Which setting may be changed from afar, by whom, and when it takes effect.

Owns: CHANGES, the table of all settings, and judging a bundle of settings by it. Never: writes or applies any.

Most settings take effect by a restart of the engine, which costs a second and no paper: the lines print on and keep
their documents. So no setting is ever half in force. Where the data, the keys and the socket are, and what is wired to
what, is what the machine was set up with: those are fixed. A line is a process of its own; it reads its printer's
profile out of the overlay when it begins (edgebox/line/settings.py), and somebody tells it when to begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgebox.config import DEFAULT, faults_of, parse, text_of
from edgebox.line.settings import OVERLAID
from edgebox.overlay import Layers
from edgebox.settings import LISTS, SECTIONS, Config
from sync.contract_commands import Role
from sync.contract_content import ConfigContent
from sync.signing import fleet_keys


class Effect(StrEnum):
    """When a change is in force."""

    LIVE = "live"
    RESTART = "restart"  # of the engine
    FIXED = "fixed"  # never from afar


class Change(NamedTuple):
    """A setting's row. `role`: the least that may."""

    effect: Effect
    role: Role = Role.OWNER


_FIXED = frozenset(
    {"engine.socket", "engine.scan_socket", "engine.group", "engine.data", "claims.keys", "sync.credentials"}
)
_LIVE = frozenset({"log.level"})
# Who the box is and whom it obeys: with these it could be taken away.
_KEYMASTERS = frozenset(
    {"sync.url", "sync.tenant", "sync.store", "sync.box", "sync.topics", "sync.user", "sync.fleet_keys", "sync.ack"}
)


def _change(section: str, name: str) -> Change:
    key = f"{section}.{name}"
    if section in LISTS or key in _FIXED:
        return Change(Effect.FIXED)
    role = Role.KEYMASTER if key in _KEYMASTERS else Role.OWNER
    return Change(Effect.LIVE if key in _LIVE else Effect.RESTART, role)


LINE_KEYS = OVERLAID  # of a [[line]]; the rest says what is wired to what

CHANGES: Mapping[str, Change] = {
    f"{section}.{field.name}": _change(section, field.name)
    for section, kind in SECTIONS.items()
    for field in msgspec.structs.fields(kind)
}


class Source(NamedTuple):
    """Where the settings come from: the file (None: the shipped one) and the flags."""

    path: Path | None = None
    overrides: Sequence[str] = ()

    def load(self, layers: Layers) -> Config:
        """With these layers over it. ConfigError."""
        path = self.path or DEFAULT
        return parse(text_of(path), str(path), self.overrides, layers.merged())

    def faults(self, layers: Layers) -> dict[str, str]:
        """Key → what is wrong with these layers over it. ConfigError."""
        path = self.path or DEFAULT
        return faults_of(text_of(path), str(path), self.overrides, layers.merged())


class Judged(NamedTuple):
    """`good`: what may be laid over the file; `rejected`: key → why."""

    good: dict[str, Any]
    rejected: dict[str, str]
    partial: bool


def judge(content: bytes, role: Role, before: Layers, source: Source) -> Judged:
    """A bundle of settings. msgspec's errors: it is none."""
    given = msgspec.json.decode(content, type=ConfigContent)
    rejected = {key: why for key in given.values if (why := _forbidden(key, role))}
    if "sync.fleet_keys" in given.values and "sync.fleet_keys" not in rejected:
        rejected |= _locked_out(given.values["sync.fleet_keys"])
    if given.values.get("sync.url") == "":
        rejected["sync.url"] = "without a cloud nobody could ever change it again"
    good = {key: value for key, value in given.values.items() if key not in rejected}
    good = {**_above(before.cloud, given.values, role), **good}
    faults = source.faults(msgspec.structs.replace(before, cloud=good))
    for key, why in faults.items():
        if key in good:
            rejected[key] = why
            del good[key]
        elif not rejected:
            rejected[key] = why  # what is wrong only together with what the file says
    if good and source.faults(msgspec.structs.replace(before, cloud=good)):
        return Judged({}, rejected | {"values": "what is left contradicts itself"}, False)
    return Judged(good, rejected, given.partial)


def change_of(key: str) -> Change | None:
    """A setting's row; None: there is no such setting. Of a line: `line.NAME.profile`."""
    section, _, rest = key.partition(".")
    name, _, of_line = rest.rpartition(".")
    if section == "line" and name and of_line in LINE_KEYS:
        return Change(Effect.RESTART)
    return CHANGES.get(key)


def rejected_here(values: Mapping[str, Any], before: Layers, source: Source) -> dict[str, str]:
    """Key → why it can't be set on the box's own page. ConfigError.

    Whoever holds the box may say whose it is as long as it is nobody's. After that only the fleet may: an owner's phone
    on the counter must not be enough to take the box away from it.
    """
    found = source.load(before).sync.fleet_keys
    rejected = {}
    for key in values:
        change = change_of(key)
        if change is None or change.effect is Effect.FIXED:
            rejected[key] = "not changed on the page"
        elif key in before.cloud or key in before.box:
            rejected[key] = "head office has set this"
        elif found and change.role is Role.KEYMASTER:
            rejected[key] = "only the fleet changes this"
    good = {key: value for key, value in values.items() if key not in rejected}
    faults = source.faults(msgspec.structs.replace(before, page={**before.page, **good}))
    return rejected | faults


def effect_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Effect:
    """What it takes to get from one merged overlay to the other."""
    changed = {
        key for key in {*before, *after} if before.get(key) != after.get(key) or (key in before) != (key in after)
    }
    return Effect.LIVE if changed <= _LIVE else Effect.RESTART


def _forbidden(key: str, role: Role) -> str:
    change = change_of(key)
    if change is None:
        return "no such setting"
    if change.effect is Effect.FIXED:
        return "fixed: it is not changed from afar"
    if role < change.role:
        return f"wants a key of the {change.role.name.lower()}"
    return ""


def _above(before: Mapping[str, Any], given: Mapping[str, Any], role: Role) -> dict[str, Any]:
    """What somebody above this role has set, and the bundle does not name: leaving it out doesn't take it back."""
    return {key: before[key] for key in before if key not in given and key in CHANGES and role < CHANGES[key].role}


def _locked_out(value: Any) -> dict[str, str]:
    """A box that obeys no keymaster could never be given another key."""
    try:
        keys = fleet_keys(msgspec.convert(value, tuple[str, ...]))
    except (msgspec.MsgspecError, ValueError) as fault:
        return {"sync.fleet_keys": str(fault)}
    if not any(key.role is Role.KEYMASTER for key in keys.values()):
        return {"sync.fleet_keys": "no keymaster among them: nobody could ever change them again"}
    return {}
