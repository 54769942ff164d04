"""What a rollout carries: files as a person keeps them → the content of a bundle, checked before it is signed.

Owns: which file makes which content, revisions, and the archive of what was sent, from which an earlier revision can be
brought back. Never: signs or sends. A box checks everything again.

    rules            one rules file; its `rev` is the revision
    config           one edgebox.toml, or a part of it
    slips, profiles  one file each, by its name
    lexicon          one file
    anything         one JSON file that is the content itself
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgebox.errors import ConfigError, SyncError
from edgebox.fleet.settings import state_folder
from edgebox.rules_file import rules_from
from sync import contract_content as shapes
from sync.contract import MESSAGE_BYTES, BundleKind
from sync.fleet_book import Known
from sync.fleet_rollout import write

# Content is a JSON text in a JSON text: its quotes double, and around it stand names and a signature.
CONTENT_BYTES = MESSAGE_BYTES * 3 // 4
_SHAPES: dict[BundleKind, type[msgspec.Struct]] = {
    BundleKind.CONFIG: shapes.ConfigContent,
    BundleKind.SLIPS: shapes.SlipsContent,
    BundleKind.PROFILES: shapes.ProfilesContent,
    BundleKind.LEXICON: shapes.LexiconContent,
    BundleKind.MEMBERS: shapes.MembersContent,
    BundleKind.BEACONS: shapes.BeaconContent,
    BundleKind.TAGS: shapes.TagsContent,
    BundleKind.PICK_UPS: shapes.PickUpsContent,
}
_BY_NAME = {BundleKind.SLIPS: "slips", BundleKind.PROFILES: "profiles"}


def content(kind: BundleKind, paths: Sequence[Path]) -> bytes:
    """The content as JSON. SyncError `bundle` names the file and every fault."""
    tables = {path: _table(path) for path in paths}
    made = _made(kind, tables)
    source = ", ".join(str(path) for path in paths)
    encoded = json.dumps(made, ensure_ascii=False, default=str, separators=(",", ":")).encode()
    try:
        if kind is BundleKind.RULES:
            rules_from(json.loads(encoded), source)
        else:
            msgspec.json.decode(encoded, type=_SHAPES[kind])
    except ConfigError as fault:
        raise SyncError(str(fault), reason="bundle") from fault
    except msgspec.ValidationError as fault:
        raise SyncError(f"{source}: {fault}", reason="bundle") from fault
    if len(encoded) > CONTENT_BYTES:
        words = f"{source}: {len(encoded) >> 10} KB, at most {CONTENT_BYTES >> 10}"
        raise SyncError(words, reason="bundle", hint="a message to a box has 256 KB")
    return encoded


def revision(kind: BundleKind, encoded: bytes, boxes: Iterable[Known], now: float) -> int:
    """The next one: the rules' own `rev`; else the day and a number, above all that is known to have been used."""
    if kind is BundleKind.RULES:
        return int(json.loads(encoded)["rev"])
    seen = [max(one.bundle(kind).revision, one.bundle(kind).desired) for one in boxes]
    today = int(time.strftime("%Y%m%d", time.gmtime(now))) * 100 + 1
    return max([today, *(known + 1 for known in seen), *(known + 1 for known in kept(kind))])


def renumbered(kind: BundleKind, encoded: bytes, number: int) -> bytes:
    """The same content as another revision: rules carry theirs in themselves."""
    if kind is not BundleKind.RULES:
        return encoded
    return json.dumps({**json.loads(encoded), "rev": number}, ensure_ascii=False, separators=(",", ":")).encode()


def keep(kind: BundleKind, number: int, encoded: bytes) -> None:
    """Into the archive. SyncError `revision`: other content was sent with that number."""
    path = _path(kind, number)
    if path.exists() and path.read_bytes() != encoded:
        raise SyncError(f"{kind} {number} was sent with other content", reason="revision", hint="a higher --revision")
    write(path, encoded)


def archived(kind: BundleKind, number: int) -> bytes | None:
    """What was sent under that number from here, if it was."""
    path = _path(kind, number)
    return path.read_bytes() if path.is_file() else None


def kept(kind: BundleKind) -> list[int]:
    """The numbers in the archive."""
    names = [path.stem.rpartition("-")[2] for path in _path(kind, 0).parent.glob(f"{kind}-*.json")]
    return sorted(int(name) for name in names if name.isdigit())


# -- inside


def _path(kind: BundleKind, number: int) -> Path:
    return state_folder() / "bundles" / f"{kind}-{number}.json"


def _table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as fault:
        raise SyncError(f"{path}: {fault.strerror}", reason="bundle") from fault
    except (ValueError, RecursionError) as fault:
        raise SyncError(f"{path}: {fault}", reason="bundle") from fault
    if not isinstance(table, dict):
        raise SyncError(f"{path}: expected a table", reason="bundle")
    return table


def _made(kind: BundleKind, tables: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    if kind in _BY_NAME and all(path.suffix != ".json" for path in tables):
        return {_BY_NAME[kind]: {path.stem: table for path, table in tables.items()}}
    if len(tables) != 1:
        raise SyncError(f"{kind}: expected one file", reason="bundle")
    ((path, table),) = tables.items()
    if path.suffix == ".json" or kind is BundleKind.RULES:
        return table
    if kind is BundleKind.CONFIG:
        return {"values": dict(_flat(path, table))}
    if kind is BundleKind.LEXICON:
        return {"words": {name: words for name, words in table.items() if name != "language"}}
    raise SyncError(f"{path}: {kind} comes as a JSON file", reason="bundle")


def _flat(path: Path, table: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for section, values in table.items():
        if not isinstance(values, dict):
            words = f"{path}: {section}: only tables [section] can be rolled out, each box has its own lines"
            raise SyncError(words, reason="bundle")
        yield from ((f"{section}.{key}", value) for key, value in values.items())
