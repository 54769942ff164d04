"""The slots on the disk: which there are, which one is started, and what is written down of a trial.

Owns: `/opt/edgebox`: `slots/a` (the package's), `slots/b` and `slots/c` (of updates, in turn), the link `current`,
`trial.json` while a new version is tried, `last.json` with how the last one ended. Never: decides (trial.py). Standard
library only.

A file or link is replaced by rename(2), and its folder synced after: a power cut finds the old or the new one. A slot
is whole when its `slot.json` is there, which is written and synced behind everything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .trial import PACKAGED, SLOTS, Action, Forget, Keep, Outcome, Phase, Switch, Tell, Trial

HOME = Path("/opt/edgebox")
TRIAL, LAST, CURRENT, WHOLE, LOCK = "trial.json", "last.json", "current", "slot.json", ".lock"
FILE_BYTES = 16 << 10  # ours have some hundred


class Last(NamedTuple):
    """How the last trial ended. `at`: seconds since 1970."""

    outcome: Outcome
    version: str
    job: str = ""
    reason: str = ""
    words: str = ""
    at: int = 0


class Slots:
    """Of one box, in `home`. `at`: seconds since 1970, for what is written down."""

    def __init__(self, home: Path = HOME, at: int = 0) -> None:
        self.home = home
        self._at = at

    # -- what there is

    def folder(self, slot: str) -> Path:
        """Where a slot lies."""
        return self.home / "slots" / slot

    @property
    def current(self) -> str:
        """The slot that is started; "": none, or a link to somewhere else."""
        try:
            target = Path(os.readlink(self.home / CURRENT))
        except OSError:
            return ""
        known = target.parent in (Path("slots"), self.home / "slots")
        return target.name if known and target.name in SLOTS else ""

    def whole(self) -> frozenset[str]:
        """The slots that were written to their end."""
        return frozenset(slot for slot in SLOTS if self.version(slot))

    def version(self, slot: str) -> str:
        """Of what lies in a slot; "": nothing whole."""
        found = self._read(self.folder(slot) / WHOLE)
        version = found.get("version")
        return version if isinstance(version, str) else ""

    @property
    def idle(self) -> str:
        """The slot that may be overwritten: not the package's, and not the one that is started."""
        return next(slot for slot in SLOTS if slot not in (PACKAGED, self.current))

    def trial(self) -> Trial | None:
        """The trial that runs. A file that can't be read is none: what `current` names is started as it is."""
        raw = self._read(self.home / TRIAL)
        try:
            known = {key: value for key, value in raw.items() if key in Trial._fields}  # a newer slot may have more
            names = {key: tuple(map(str, raw.get(key, ()))) for key in ("lines", "ailing")}
            found = Trial(**{**known, "phase": Phase(raw["phase"]), **names})
            sound = found.new in SLOTS and found.old in SLOTS and found.new != found.old
            return found if sound and isinstance(found.boots, int) else None
        except (KeyError, TypeError, ValueError):
            return None

    def last(self) -> Last | None:
        """How the last one ended."""
        raw = self._read(self.home / LAST)
        try:
            known = {key: value for key, value in raw.items() if key in Last._fields}
            return Last(**{**known, "outcome": Outcome(raw["outcome"])})
        except (KeyError, TypeError, ValueError):
            return None

    # -- what is done

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Held while something is installed; false: somebody else does. Ends with the process, whatever ends that. A
        file that root alone may open: else the engine's user could hold it, and keep every mend away. OSError."""
        lock = os.open(self.home / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(lock, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(lock)

    def do(self, actions: list[Action]) -> None:
        """In their order, each on disk before the next. OSError."""
        for action in actions:
            match action:
                case Keep(trial):
                    kept = {**trial._asdict(), "phase": trial.phase.value}
                    self.write(self.home / TRIAL, kept)
                case Switch(slot):
                    self._switch(slot)
                case Tell():
                    told = {**action._asdict(), "outcome": action.outcome.value, "at": self._at}
                    self.write(self.home / LAST, told)
                case Forget():
                    (self.home / TRIAL).unlink(missing_ok=True)
                    sync_folder(self.home)

    def clear(self, slot: str) -> Path:
        """Empties a slot that is not started; its mark goes first, so that half of it is never taken for whole."""
        if slot in (PACKAGED, self.current):
            raise ValueError(f"slot {slot} is in use")
        folder = self.folder(slot)
        (folder / WHOLE).unlink(missing_ok=True)
        if folder.exists():
            sync_folder(folder)
            shutil.rmtree(folder)
        folder.mkdir(mode=0o755, parents=True)
        folder.chmod(0o755)
        return folder

    def seal(self, slot: str, facts: dict[str, Any]) -> None:
        """Everything of the slot is on disk: from now on it is whole. `facts`: at least its `version`."""
        self.write(self.folder(slot) / WHOLE, facts)
        sync_folder(self.home / "slots")

    def write(self, path: Path, facts: dict[str, Any]) -> None:
        """Replaces a file, on disk when this returns; everybody may read it."""
        half = path.with_name(f".{path.name}.new")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)
            json.dump(facts, file)
            file.flush()
            os.fsync(descriptor)
        half.replace(path)
        sync_folder(path.parent)

    def _switch(self, slot: str) -> None:
        half = self.home / f".{CURRENT}.new"
        half.unlink(missing_ok=True)
        half.symlink_to(Path("slots") / slot)
        half.replace(self.home / CURRENT)
        sync_folder(self.home)

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
            found = json.loads(file.read(FILE_BYTES))
            if isinstance(found, dict):
                return found
        return {}


def sync_folder(folder: Path) -> None:
    """The names in it are on disk [fsync(2)]."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
