"""The page's files: scripts, styles, icons. All are in the package; nothing comes from anywhere else.

Owns: reading them once, and their addresses, which change with their content, so that browsers keep them for ever.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "assets"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}


class Asset(NamedTuple):
    """A file's bytes, and what browsers are told they are."""

    raw: bytes
    kind: str
    address: str


class Assets:
    """All files of a folder that browsers may have."""

    def __init__(self, found: dict[str, Asset]) -> None:
        self._found = found

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Assets:
        """Blocks; 150 KB."""
        found = {}
        for path in sorted(folder.iterdir()):
            kind = _TYPES.get(path.suffix)
            if kind is not None:
                raw = path.read_bytes()
                address = f"/assets/{hashlib.sha256(raw).hexdigest()[:12]}/{path.name}"
                found[path.name] = Asset(raw, kind, address)
        return cls(found)

    def address(self, name: str) -> str:
        """Where browsers find it. KeyError: there is no such file."""
        return self._found[name].address

    def raw(self, name: str) -> bytes:
        """Its bytes. KeyError: there is no such file."""
        return self._found[name].raw

    def at(self, address: str) -> Asset | None:
        """What stands at an address; of an older one nothing."""
        asset = self._found.get(address.rpartition("/")[2])
        return asset if asset is not None and asset.address == address else None

    def names(self) -> list[str]:
        """All there are."""
        return sorted(self._found)
