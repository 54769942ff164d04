"""Settings that the page, the cloud or the box itself has changed: `overlay.json` in the data folder.

Owns: the file, the layers in it, and the trial that every change goes through. Never: writes /etc; judges a value
(edgebox/config.py) or the box's health (edgebox/orders/config.py).

Order of precedence: edgebox.toml < page < cloud < box < flags. `box` holds only where the box keeps its own keys and
certificates. The file carries its own check sum: a card that forgets a bit must not change what a point costs.

A trial is written down before it is applied. The first start on trial counts it, the second one finds that the first
did not live to say that all is well, and goes back to what was there before.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from edgebox.errors import ConfigError
from edgebox.private_file import write_private

FILE = "overlay.json"
FILE_BYTES = 1 << 20  # 500 settings have 50 KB
STARTS_MAX = 1  # on trial; the next one goes back


class Layers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`section.key` → value, by who set it. `revision`: of the cloud's bundle."""

    revision: int = 0
    page: dict[str, Any] = {}
    cloud: dict[str, Any] = {}
    box: dict[str, Any] = {}

    def merged(self) -> dict[str, Any]:
        """What is laid over the file."""
        return {**self.page, **self.cloud, **self.box}

    def owners(self) -> dict[str, str]:
        """Who set each key that is in force."""
        return {key: name for name in ("page", "cloud", "box") for key in getattr(self, name)}


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change that has to prove itself. `lines`, `cloud`, `heard`: what was well before. `job`: who waits for it."""

    lines: tuple[str, ...] = ()
    cloud: bool = False
    heard: bool = False
    starts: int = 0
    job: str = ""
    of_bundle: bool = False


class Undone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trial that failed, until it is reported."""

    revision: int
    reason: str
    job: str = ""
    of_bundle: bool = False


class Overlay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file."""

    layers: Layers = Layers()
    before: Layers | None = None
    trial: Trial | None = None
    undone: Undone | None = None


class _File(msgspec.Struct, frozen=True):
    sha256: str
    overlay: msgspec.Raw


def begun(overlay: Overlay, layers: Layers, trial: Trial) -> Overlay:
    """On trial with new layers."""
    return Overlay(layers=layers, before=overlay.layers, trial=trial)


def started(overlay: Overlay) -> Overlay:
    """At a start of the engine: counts a trial, or ends one that was begun before and never came to its end."""
    if overlay.trial is None:
        return overlay
    if overlay.trial.starts >= STARTS_MAX:
        return undone(overlay, "the engine did not live through the trial")
    trial = msgspec.structs.replace(overlay.trial, starts=overlay.trial.starts + 1)
    return msgspec.structs.replace(overlay, trial=trial)


def confirmed(overlay: Overlay) -> Overlay:
    """The trial was good."""
    return msgspec.structs.replace(overlay, trial=None, undone=None)


def undone(overlay: Overlay, reason: str) -> Overlay:
    """The trial was not: what was there before is there again."""
    trial = overlay.trial or Trial()
    told = Undone(revision=overlay.layers.revision, reason=reason[:200], job=trial.job, of_bundle=trial.of_bundle)
    return Overlay(layers=overlay.before or Layers(), undone=told)


def reported(overlay: Overlay) -> Overlay:
    """What failed has been told."""
    return msgspec.structs.replace(overlay, undone=None)


def read(folder: Path) -> Overlay:
    """The overlay; an empty one where there is no file. ConfigError `bad_overlay`; blocks."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        return Overlay()
    except OSError as fault:
        raise _bad(path, fault.strerror or "can't be read") from fault
    try:
        whole = msgspec.json.decode(raw[: FILE_BYTES + 1], type=_File)
        if hashlib.sha256(whole.overlay).hexdigest() != whole.sha256:
            raise _bad(path, "its check sum is wrong")
        return msgspec.json.decode(whole.overlay, type=Overlay)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise _bad(path, "it can't be read") from fault


def write(folder: Path, overlay: Overlay) -> None:
    """On disk when this returns; blocks. OSError."""
    raw = msgspec.json.encode(overlay)
    whole = _File(hashlib.sha256(raw).hexdigest(), msgspec.Raw(raw))
    write_private(folder / FILE, msgspec.json.encode(whole))


def start(folder: Path) -> Overlay:
    """Once at each start of the engine, before its settings are read: as `started`, written down. OSError."""
    overlay = read(folder)
    now = started(overlay)
    if now is not overlay:
        write(folder, now)
    return now


def _bad(path: Path, words: str) -> ConfigError:
    return ConfigError(
        f"{path}: {words}", reason="bad_overlay", hint="set the settings anew; until then there are no slips"
    )
