"""The box's key file → Keyring.

Owns: the file's layout and that nobody else may read it. Never: writes it (the cloud's side does), logs or shows a key,
and never accepts a file that others can read: keys that lay open are no keys.

The file is TOML (or JSON with the same keys, when it ends in .json), mode 0600 or less, or what systemd gives in the
place of one in /etc/edgebox (given.py):

    version = 1
    store = 4711
    device = 12
    prefix = "HTTPS://M.EXAMPLE.CN/C/"
    id_key = "64 hex digits"
    until = 2026-12-31T00:00:00Z

    [[epoch]]                       # in order of time
    index = 2967
    valid_from = 2026-11-16T00:00:00Z
    key = "64 hex digits"
"""

from __future__ import annotations

import hmac
import json
import os
import stat
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgebox import given
from edgebox.errors import ConfigError
from edgebox.loyalty.claims import PREFIX, PREFIX_MAX
from edgebox.loyalty.keyring import DEVICE_MAX, KEY_BYTES, STORE_MAX, EpochKey, Keyring

FILE_VERSION = 1
MAX_FILE_BYTES = 1 << 20  # 8000 epochs: 150 years of weekly ones

_FIELDS = b"edgebox receipt fields v1"
_TOP = frozenset({"version", "store", "device", "prefix", "id_key", "until", "epoch"})
_EPOCH = frozenset({"index", "valid_from", "key"})


def field_key(keys: Keyring | None) -> bytes:
    """The key of the hashes of member and payment numbers: the store's, so that all its boxes give one; b"" without."""
    return hmac.digest(keys.id_key, _FIELDS, "sha256") if keys is not None else b""


def load_keys(path: Path) -> Keyring:
    """The keys in `path`. ConfigError reasons: `no_key_file`, `open_key_file` (others may read it), `bad_key_file`.

    No message ever quotes a value of a secret key.
    """
    place = given.place_of(path)
    if place is None:
        raise _missing(path, "there is none")
    path = place
    text = _read_private(path)
    try:
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as fault:  # tomllib and json point at a line and column, and quote at most one character
        raise _bad(path, [f"no {'JSON' if path.suffix == '.json' else 'TOML'}: {fault}"]) from None
    if not isinstance(table, dict):
        raise _bad(path, ["expected a table"])
    faults = _Faults()
    keys = _keyring(table, faults)
    if faults or keys is None:
        raise _bad(path, faults)
    return keys


def _read_private(path: Path) -> str:
    """The text of a file that only its owner may read; checked on the open file, so that none can be slipped in."""
    try:
        with path.open("rb") as file:
            _check_private(path, file.fileno())
            return file.read(MAX_FILE_BYTES).decode("utf-8")
    except OSError as fault:
        raise _missing(path, fault.strerror or type(fault).__name__) from fault
    except UnicodeDecodeError:
        raise _bad(path, ["not UTF-8"]) from None


def _check_private(path: Path, file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise _bad(path, ["not a file"])
    if not given.is_private(file, path):
        raise ConfigError(
            f"{path}: mode {stat.S_IMODE(found.st_mode):04o}: others may read the keys",
            reason="open_key_file",
            hint=f"chmod 600 {path}, and ask for new keys if somebody may have read them",
        )
    if not given.is_ours(found, path):
        raise ConfigError(
            f"{path}: belongs to user {found.st_uid}", reason="open_key_file", hint="it must be ours or root's"
        )


class _Faults(list[str]):
    """All that is wrong with a file, in words without secrets; every reader below adds to it and goes on."""

    def number(self, table: Mapping[str, Any], key: str, high: int) -> int:
        value = table.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= high:
            self.append(f"{key}: expected a number from 0 to {high}")
            return 0
        return value

    def secret(self, table: Mapping[str, Any], key: str) -> bytes:
        value = table.get(key)
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            self.append(f"{key}: expected {KEY_BYTES * 2} hex digits")
        return raw

    def time(self, table: Mapping[str, Any], key: str) -> int:
        value = table.get(key)
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            self.append(f"{key}: expected a time with its zone, e.g. 2026-11-16T00:00:00Z")
            return 0
        return int(moment.astimezone(UTC).timestamp())

    def unknown(self, table: Mapping[str, Any], known: frozenset[str]) -> None:
        self.extend(f"{key}: no such key, expected {', '.join(sorted(known))}" for key in sorted(set(table) - known))


def _keyring(table: Mapping[str, Any], faults: _Faults) -> Keyring | None:
    faults.unknown(table, _TOP)
    if table.get("version") != FILE_VERSION:
        faults.append(f"version: expected {FILE_VERSION}")
    prefix = table.get("prefix")
    if not isinstance(prefix, str) or len(prefix) > PREFIX_MAX or not PREFIX.fullmatch(prefix):
        faults.append(f"prefix: expected upper case, at most {PREFIX_MAX} characters, e.g. HTTPS://M.EXAMPLE.CN/C/")
    found = table.get("epoch")
    epochs = tuple(_epoch(row, faults) for row in found) if isinstance(found, list) else ()
    until = faults.time(table, "until")
    if not epochs:
        faults.append("epoch: expected at least one [[epoch]]")
    times = [epoch.valid_from for epoch in epochs] + [until]
    indexes = [epoch.index for epoch in epochs]
    if times != sorted(set(times)) or indexes != sorted(set(indexes)):
        faults.append("epoch: expected rising index and valid_from, and until behind the last")
    store, device = faults.number(table, "store", STORE_MAX), faults.number(table, "device", DEVICE_MAX)
    id_key = faults.secret(table, "id_key")
    return None if faults else Keyring(store, device, str(prefix), id_key, epochs, until)


def _epoch(row: Any, faults: _Faults) -> EpochKey:
    if not isinstance(row, dict):
        faults.append("epoch: expected tables with index, valid_from and key")
        return EpochKey(0, 0, b"")
    faults.unknown(row, _EPOCH)
    return EpochKey(
        faults.number(row, "index", (1 << 32) - 1), faults.time(row, "valid_from"), faults.secret(row, "key")
    )


def _missing(path: Path, why: str) -> ConfigError:
    hint = "the fleet sends them (keys.add), or setup brings them ([cloud] keys): docs/keys.md"
    return ConfigError(f"{path}: {why}", reason="no_key_file", hint=hint)


def _bad(path: Path, faults: list[str]) -> ConfigError:
    return ConfigError(
        "\n".join(f"{path}: {fault}" for fault in faults),
        reason="bad_key_file",
        hint="ask for the file anew; edgebox/keys.py has the layout",
    )
