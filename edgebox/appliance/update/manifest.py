"""An update file: its signed manifest, and what stands behind it.

Owns: the file's head, whether a signature is one of ours, and whether this box may take this release. Never: unpacks
(archive.py) or installs (installing.py). Nothing but the head is looked at before the signature holds.

    edgebox-update 1\\n  LENGTH\\n  SIGNED  ARCHIVE

LENGTH: decimal, of SIGNED: JSON as `sync.contract.Signed`, Ed25519 over "edgebox release v1", NUL, and the manifest's
text. ARCHIVE: a tar in xz, of `Manifest.size` bytes. Release keys sign releases and nothing else: the fleet's keys,
which lie where commands are given, can't bring a box new code; at most they tell it which signed release to take.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

import msgspec
from msgspec import Meta

from edgebox.errors import UpdateError
from sync.contract_commands import Digest, Role
from sync.signing import KEYS_MAX, FleetKey, NotSignedError, Purpose, open_signed

MAGIC: Final = b"edgebox-update 1\n"
HEAD_MAX = 16 << 10  # a manifest has some 600 bytes
ARCHIVE_MAX = 256 << 20  # ours have 12 MB
UNPACKED_MAX = 1 << 30  # ours have 60 MB
FILES_MAX = 50_000  # ours have 3000
KEEPER = 1  # what the keeper outside the slots understands (edgebox/appliance/keeper)
KEY_FOLDERS = (Path("/etc/edgebox/release-keys"), Path("/usr/share/edgebox/release-keys"))
VERSION = r"^\d{1,6}\.\d{1,6}\.\d{1,6}([.-][A-Za-z0-9.]{1,32})?$"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release for one kind of machine. `size`, `sha256`: of the archive; `unpacked`: bytes, `files`: how many, in it.

    `replaces`: the oldest version that it may replace. `downgrade`: it may replace a newer one. `keeper`: what it asks
    of the part of edgebox that only a package brings. `made`: seconds since 1970.
    """

    version: Annotated[str, Meta(pattern=VERSION)]
    arch: Annotated[str, Meta(pattern=r"^[a-z0-9]{2,16}$")]
    python: Annotated[str, Meta(pattern=r"^\d\.\d{1,3}$")]
    size: Annotated[int, Meta(ge=1, le=ARCHIVE_MAX)]
    sha256: Digest
    unpacked: Annotated[int, Meta(ge=1, le=UNPACKED_MAX)]
    files: Annotated[int, Meta(ge=1, le=FILES_MAX)]
    made: Annotated[int, Meta(ge=0, le=1 << 53)]
    replaces: Annotated[str, Meta(pattern=VERSION)] = "0.0.0"
    downgrade: bool = False
    keeper: Annotated[int, Meta(ge=1, le=1000)] = KEEPER


class Here(NamedTuple):
    """This box: the running version, its machine, its Python."""

    version: str
    arch: str
    python: str


class Head(NamedTuple):
    """A manifest whose signature holds. `at`: where the archive begins; `key`: who signed."""

    manifest: Manifest
    at: int
    key: str


def read_head(file: BinaryIO, keys: Mapping[str, FleetKey]) -> Head:
    """Of a file that stands at its beginning. UpdateError `not_an_update`, `no_keys`, `unknown_key`, `bad_signature`,
    `bad_manifest`."""
    if file.read(len(MAGIC)) != MAGIC:
        raise UpdateError("this is no update file", reason="not_an_update", hint="it ends in .update")
    line = file.readline(8)
    if not re.fullmatch(rb"[1-9][0-9]{0,5}\n", line) or int(line) > HEAD_MAX:
        raise UpdateError("its head is damaged", reason="not_an_update", hint="fetch it again")
    raw = file.read(int(line))
    if not keys:
        raise UpdateError("this box knows no release key", reason="no_keys", hint=f"put one into {KEY_FOLDERS[0]}")
    try:
        opened = open_signed(raw, keys, Purpose.RELEASE)
    except NotSignedError as fault:
        known = fault.reason.value == "unknown_key"
        reason = "unknown_key" if known else "bad_signature"
        raise UpdateError(f"not signed by us: {fault}", reason=reason, hint="docs/updates.md") from None
    try:
        manifest = msgspec.json.decode(opened.body, type=Manifest)
        for version in (manifest.version, manifest.replaces):  # a pattern's $ and \d let more through than these
            order_of(version)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as fault:
        raise UpdateError(f"the manifest can't be read: {fault}", reason="bad_manifest") from fault
    return Head(manifest, len(MAGIC) + len(line) + len(raw), opened.key.name)


def may_take(manifest: Manifest, here: Here) -> None:
    """UpdateError `wrong_arch`, `wrong_python`, `needs_package`, `same_version`, `downgrade`, `too_old`."""
    if manifest.arch != here.arch:
        raise UpdateError(f"for {manifest.arch}, this box is {here.arch}", reason="wrong_arch")
    if manifest.python != here.python:
        raise UpdateError(f"for Python {manifest.python}, here is {here.python}", reason="wrong_python")
    if manifest.keeper > KEEPER:
        raise UpdateError("it needs new system files", reason="needs_package", hint="install its .deb")
    ours, theirs = order_of(here.version), order_of(manifest.version)
    if theirs == ours:
        raise UpdateError(f"{here.version} runs already", reason="same_version")
    if theirs < ours and not manifest.downgrade:
        raise UpdateError(f"{manifest.version} is older than {here.version}", reason="downgrade")
    if ours < order_of(manifest.replaces):
        hint = f"first {manifest.replaces}"
        raise UpdateError(f"it replaces {manifest.replaces} and newer, not {here.version}", reason="too_old", hint=hint)


def order_of(version: str) -> tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]:
    """Versions in their order: 1.2.9 < 1.2.10-rc.1 < 1.2.10-rc.2 < 1.2.10. ValueError: no version."""
    found = re.fullmatch(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[.-]([A-Za-z0-9.]{1,32}))?", version, re.ASCII)
    if found is None:
        raise ValueError(f"{version!r} is no version")
    more = found[4] or ""
    words = tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in more.split(".")) if more else ()
    return (int(found[1]), int(found[2]), int(found[3]), 0 if more else 1, words)


def release_keys(folders: tuple[Path, ...] = KEY_FOLDERS) -> dict[str, FleetKey]:
    """`*.pub` of the folders: "NAME:BASE64" each. One that anybody but root may write is not believed. UpdateError
    `bad_key`."""
    found: dict[str, FleetKey] = {}
    for path in [path for folder in folders for path in sorted(folder.glob("*.pub"))][:KEYS_MAX]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in (0, os.geteuid()) or facts.st_mode & 0o022:
                raise UpdateError(f"{path}: others may write it", reason="bad_key", hint=f"chmod 644 {path}")
            text = file.read(512).decode("ascii", "replace").strip()
        name, _, encoded = text.partition(":")
        try:
            public = base64.b64decode(encoded, validate=True)
        except ValueError:
            public = b""
        if not name or len(public) != 32:  # RFC 8032
            raise UpdateError(f"{path}: not a key", reason="bad_key", hint="a line NAME:BASE64")
        found[name] = FleetKey(name, Role.KEYMASTER, public)
    return found
