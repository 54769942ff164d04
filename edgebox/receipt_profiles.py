"""Receipt profiles from `config/receipts/*.toml` and `/etc/edgebox/receipts/*.toml`.

Owns: finding and reading the files. Never: what is in them (edgebox/receipt/profiles.py says). A file in /etc replaces
the shipped one of the same name. The shipped example shows every key and is never used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from edgebox.config import FOLDER
from edgebox.errors import ConfigError
from edgebox.receipt.profiles import Profile, profile_from
from edgebox.settings import LineSettings

FOLDERS = (FOLDER / "receipts", Path("/etc/edgebox/receipts"))
EXAMPLE = "example"
FILE_MAX = 1 << 16  # bytes; a profile has some dozen lines
_name = re.compile(r"[a-z0-9][a-z0-9\-]{0,47}").fullmatch


def load_profile(path: Path) -> Profile:
    """One file. ConfigError `bad_receipt_profile` names the file and every fault."""
    try:
        raw = path.read_bytes()
        if len(raw) > FILE_MAX:
            raise ConfigError(f"{path}: over {FILE_MAX >> 10} KB", reason="bad_receipt_profile")
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_receipt_profile") from fault
    except ValueError as fault:  # tomllib's and the decoder's
        raise ConfigError(f"{path}: {fault}", reason="bad_receipt_profile") from fault
    if not _name(path.stem):
        raise ConfigError(f"{path}: expected a name of a-z, 0-9 and -", reason="bad_receipt_profile")
    try:
        return profile_from(path.stem, table)
    except ConfigError as fault:
        raise ConfigError(f"{path}: {fault.args[0]}", reason="bad_receipt_profile", hint=fault.hint) from fault


def line_needs(line: LineSettings, profiles: Sequence[Profile]) -> tuple[str, str]:
    """`header_preprint` and `end_signature` of a [[line]]: its own, or its receipt profile's where it has none.

    ConfigError `no_receipt_profile`: it names one that isn't there; the line itself then goes on without.
    """
    if not line.receipts:
        return line.header_preprint, line.end_signature
    found = next((profile for profile in profiles if profile.name == line.receipts), None)
    if found is None:
        places = " or ".join(map(str, FOLDERS))
        raise ConfigError(
            f"no receipt profile {line.receipts!r}", reason="no_receipt_profile", hint=f"it belongs into {places}"
        )
    return line.header_preprint or found.header_preprint, line.end_signature or found.end_signature


def load_profiles(folders: Sequence[Path] = FOLDERS) -> tuple[Profile, ...]:
    """All of them, by name. ConfigError as `load_profile`."""
    paths: dict[str, Path] = {}
    for folder in folders:
        paths.update({path.stem: path for path in sorted(folder.glob("*.toml"))})
    return tuple(load_profile(path) for name, path in sorted(paths.items()) if name != EXAMPLE)
