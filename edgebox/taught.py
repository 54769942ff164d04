"""Receipt profiles that were taught on the managers' page: `receipts/*.toml` in the data folder.

Owns: reading and writing them. Never: lets a broken one stop anything: it is left out, and told. /etc is never written.

A file there replaces one of the same name in /etc and among the shipped ones; the fleet's replace it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import ConfigError, ReportError
from edgebox.parts import Fault
from edgebox.private_file import write_private
from edgebox.receipt.profiles import Profile
from edgebox.receipt_profiles import EXAMPLE, load_profile, load_profiles

FOLDER = "receipts"
PROFILES_MAX = 64  # of one shop; each receipt's layout is held against all of them
_name = re.compile(r"[a-z0-9][a-z0-9\-]{0,47}").fullmatch


class Taught(NamedTuple):
    """`faults`: files that can't be used, in words."""

    profiles: tuple[Profile, ...] = ()
    faults: tuple[str, ...] = ()


def load_taught(data: Path) -> Taught:
    """All of them; blocks."""
    profiles, faults = [], []
    for path in sorted((data / FOLDER).glob("*.toml"))[:PROFILES_MAX]:
        try:
            profiles.append(load_profile(path))
        except ConfigError as fault:
            faults.append(str(fault))
    return Taught(tuple(profiles), tuple(faults))


def in_force(data: Path, more: Sequence[Profile], fault: Fault) -> tuple[Profile, ...]:
    """Those of files, those that were taught, and `more`: of two with one name the later; blocks. ConfigError."""
    taught = load_taught(data)
    for words in taught.faults:
        fault("profiles", words, None)
    named = {profile.name: profile for profile in (*load_profiles(), *taught.profiles, *more)}
    return tuple(named.values())


def save_taught(data: Path, name: str, toml: str) -> Profile:
    """On disk when this returns; blocks. ReportError `no_profile`: a bad name, or too many; ConfigError; OSError."""
    folder = data / FOLDER
    if not _name(name) or name == EXAMPLE:
        raise ReportError(f"{name!r}: expected a name of a-z, 0-9 and -", reason="no_profile")
    path = folder / f"{name}.toml"
    if not path.exists() and len(list(folder.glob("*.toml"))) >= PROFILES_MAX:
        raise ReportError(f"more than {PROFILES_MAX} profiles", reason="no_profile", hint="remove one first")
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(path, toml.encode("utf-8"))
    return load_profile(path)


def remove_taught(data: Path, name: str) -> bool:
    """Whether it was there; blocks. OSError."""
    path = data / FOLDER / f"{name}.toml"
    if not _name(name) or not path.is_file():
        return False
    path.unlink()
    return True
