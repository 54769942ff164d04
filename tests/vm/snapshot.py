"""A guest that has booted once, frozen: its RAM in a file, its disk as a base for overlays. Restored in about a second.

Owns: `IMAGE/snapshot-NAME`. A data disk may be another one at each restore; while the guest was frozen it was empty.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.vm.machine import GuestError, Machine, Parts, overlay

DATA_MB = 64
BANDWIDTH = 10 << 30  # bytes a second: no limit on writing RAM to a file


class Snapshot:
    """`folder` holds root.qcow2 and ram."""

    def __init__(self, image: Path, name: str) -> None:
        self.image = image
        self.folder = image / f"snapshot-{name}"
        self.is_there = (self.folder / "ok").exists()

    def restored(self, folder: Path, data: str | None = None, data_cache: str = "none") -> Machine:
        """A guest that goes on where it was frozen. `folder`: where its overlay and sockets may lie."""
        root = overlay(folder / "root.qcow2", self.folder / "root.qcow2")
        empty = empty_disk(folder / "data.raw")
        return Machine(
            Parts(
                image=self.image, root=root, folder=folder, data=data or str(empty),
                data_cache=data_cache if data else "unsafe", state=self.folder / "ram", root_cache="unsafe",
            )
        )  # fmt: skip


def empty_disk(path: Path) -> Path:
    """A data disk with nothing on it; a hole until it is written to."""
    with path.open("wb") as file:
        file.truncate(DATA_MB << 20)
    return path


def frozen(image: Path, name: str, prepare: Callable[[Machine], None], base: Snapshot | None = None) -> Snapshot:
    """The snapshot of that name; made first if need be: a guest (booted, or `base` restored), prepared, frozen."""
    with (image / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = Snapshot(image, name)
        if not found.is_there:
            shutil.rmtree(found.folder, ignore_errors=True)
            found.folder.mkdir()
            _make(found, prepare, base)
            (found.folder / "ok").touch()
    return Snapshot(image, name)


def _make(snapshot: Snapshot, prepare: Callable[[Machine], None], base: Snapshot | None) -> None:
    folder = snapshot.folder
    empty = empty_disk(folder / "data.raw")
    below = base.folder / "root.qcow2" if base else snapshot.image / "disk.qcow2"
    state = base.folder / "ram" if base else None
    root = overlay(folder / "root.qcow2", below)
    parts = Parts(image=snapshot.image, root=root, folder=folder, data=str(empty), data_cache="unsafe", state=state)
    with Machine(parts) as guest:
        guest.listens(180)
        prepare(guest)
        guest.sh("sync; blockdev --flushbufs /dev/vdb; sleep 0.5")
        guest.monitor("migrate-set-parameters", **{"max-bandwidth": BANDWIDTH})
        guest.monitor("migrate", uri=f"exec:cat > {folder}/ram")
        while (status := guest.monitor("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):  # a full disk: waiting for ever, everybody's lock would be held
                raise GuestError(f"its RAM was not written to {folder}: {guest.log()}")
            time.sleep(0.05)
        guest.monitor("quit")
        guest.process.wait(20)
