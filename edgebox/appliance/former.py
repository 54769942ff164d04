"""What a box was set to before, and new answers don't say: it would be gone without anybody having meant it.

Owns: finding it. Never: keeps it, or asks (setup.py).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgebox.config import parse
from edgebox.errors import ConfigError
from edgebox.settings import LISTS, SECTIONS, Config


def lost(path: Path, now: Config) -> list[str]:
    """Settings of the file at `path` that are the shipped ones in `now`, as `section.key`, and lines and scanners that
    are in no table any more. Nothing to lose in a file that can't be read."""
    try:
        before = parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError, ConfigError):
        return []
    found = []
    for section, kind in SECTIONS.items():
        if section in LISTS:
            names = {row.name for row in getattr(now, section)}
            rows = (row for row in getattr(before, section) if row.name not in names and _is_used(row))
            found += [f"{section} {row.name}" for row in rows]
            continue
        shipped, old, new = kind(), getattr(before, section), getattr(now, section)
        for key in kind.__struct_fields__:
            plain = getattr(shipped, key)
            if getattr(old, key) != plain and getattr(new, key) == plain:
                found.append(f"{section}.{key}")
    return found


def _is_used(row: msgspec.Struct) -> bool:
    """The shipped file has a scanner without a scanner, to show its settings."""
    return bool(getattr(row, "scanner", "") or getattr(row, "printer", ""))
