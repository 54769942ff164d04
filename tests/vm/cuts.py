"""Power cuts: a guest with a clerk in it, a disk that can be cut, and what a box must still know afterwards.

Owns: the judgement (pure), the guest frozen with its clerk, and the talk with it. Never: what a cut leaves
(disk.py), or what is looked at in the guest (guest/cuts).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from hw_sim import cloud_keys
from tests.vm.disk import Disk
from tests.vm.disk_server import DiskServer
from tests.vm.guest.cuts.words import Accepted, Found, Look, Order, Stop, Stopped, Word, Work
from tests.vm.machine import Machine
from tests.vm.snapshot import DATA_MB, Snapshot, frozen

PROGRAMS = Path(__file__).parent / "guest" / "cuts"
PUT = "/usr/local/lib/edgebox-sim/tests/vm/guest/cuts"  # where the guest has them
FOLDER, KEYS = "/run/cuts", "/run/cuts-keys.toml"
PATIENCE_S = 120.0  # for a word of the guest's; a look takes one second, a look with printing six
SEED_BYTES = 32  # the kernel's pool takes as many [drivers/char/random.c]
MOMENT_S = 0.0005  # emulated, a write is flushed some milliseconds after it came
MKE2FS = "/usr/sbin/mke2fs"


def judge(found: Found, accepted: Sequence[Accepted], order: Look) -> list[str]:
    """What is wrong with a box after a cut; nothing, if it has survived.

    `accepted`: what had been told by then. What was recorded and not told yet may be there or not.
    """
    if found.fault:
        return [f"it can't be looked at: {found.fault}"]
    wrong = [f"missing: {name}" for name in sorted(missing(found, accepted))]
    wrong += [f"twice: {name}" for name, count in Counter(found.names).items() if count > 1]
    wrong += [f"hole: {hole}" for hole in found.holes]
    wrong += [f"false alarm: {news}" for news in found.news]
    wrong += [f"{found.epochs} lives"] * (found.epochs != 1) + ["the next number is not the next"] * (not found.follows)
    return wrong + (_judge_next(found, accepted, order) if order.prints else [])


def missing(found: Found, accepted: Sequence[Accepted]) -> set[str]:
    """Names that had been accepted."""
    return {name for one in accepted for name in one.names} - set(found.names)


def _judge_next(found: Found, accepted: Sequence[Accepted], order: Look) -> list[str]:
    after = found.next
    if after is None:
        return ["the next receipt was not printed"]
    wrong = [f"a used coupon was {answer}" for answer in after.answers if answer != "used"]
    if after.result != "inserted" or not after.paper_in_order:
        wrong.append(f"the next receipt came out {after.result}, in order: {after.paper_in_order}")
    wrong += [f"printed and not recorded: {name}" for name in set(after.names) - set(found.names)]
    first = next(((one.claim, one.url) for one in accepted if order.reprint and one.number == order.reprint), ("", ""))
    if after.again != first:
        wrong.append(f"a reprint has another claim: {after.again}, {first}")
    return wrong


def looks(accepted: Sequence[Accepted], *, prints: int) -> Look:
    """The order for a look. `prints`: number of the receipt that is printed, 0: none."""
    if not prints:
        return Look()
    codes = [one.code for one in accepted if one.code][-3:]
    reprint = next((one.number for one in reversed(accepted) if one.number), 0)
    return Look(prints=prints, codes=codes, reprint=reprint)


# -- the guest


class Talk:
    """With the clerk in a guest, over its virtio-serial port."""

    def __init__(self, machine: Machine) -> None:
        self._link = machine.acks()
        self._rest = b""
        self._decode = msgspec.json.Decoder(Word).decode

    def say(self, order: Order) -> None:
        """The clerk does it when its turn comes."""
        if isinstance(order, Look | Work):
            order = msgspec.structs.replace(order, seed=os.urandom(SEED_BYTES).hex())
        self._link.sendall(msgspec.json.encode(order) + b"\n")

    def hears(self, seconds: float) -> Iterator[Word]:
        """What comes within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            *whole, self._rest = self._rest.split(b"\n")
            yield from map(self._decode, whole)
            self._link.settimeout(left)
            try:
                part = self._link.recv(1 << 16)
            except TimeoutError:
                return
            if not part:
                return
            self._rest += part

    def look(self, order: Look) -> Found:
        """What the clerk finds. AssertionError: it says nothing."""
        self.say(order)
        return next(self._only(Found))

    def stop(self) -> Stopped:
        """The shop is closed by force."""
        self.say(Stop())
        return next(self._only(Stopped))

    def _only(self, kind: type[Found] | type[Stopped]) -> Iterator[Word]:
        for word in self.hears(PATIENCE_S):
            if isinstance(word, kind):
                yield word
        raise AssertionError(f"the guest's clerk did not say {kind.__name__} in {PATIENCE_S:.0f} s")

    def last_words(self) -> list[Accepted]:
        """What was on its way when the power went."""
        return [word for word in self.hears(0.1) if isinstance(word, Accepted)]

    def close(self) -> None:
        """Hangs up."""
        self._link.close()


def with_clerk(image: Path, bare: Snapshot) -> Snapshot:
    """A guest with everything loaded, waiting for orders; of other programs than these, it is made anew."""
    parts = sorted(PROGRAMS.glob("*.py"))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in [*parts, Path(__file__)])).hexdigest()[:8]
    for old in image.glob("snapshot-cuts-*"):
        if old.name != f"snapshot-cuts-{key}":
            shutil.rmtree(old)
    return frozen(image, f"cuts-{key}", _seat_clerk, bare)


def _seat_clerk(guest: Machine) -> None:
    for path in PROGRAMS.glob("*.py"):
        guest.put(f"{PUT}/{path.name}", path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        now, out = int(float(guest.sh("date +%s"))), Path(folder) / "keys.toml"
        cloud_keys.provision(Path(folder) / "cloud", out, store=4711, device=12, now=now)
        guest.put(KEYS, out.read_bytes())
    words = f"/usr/local/sbin/sim-python -m tests.vm.guest.cuts.clerk {FOLDER} {KEYS}"
    guest.sh(f"chmod 600 {KEYS}; systemd-run -q --unit=cuts-clerk {words}")
    try:
        guest.until(f"[ -e {FOLDER}/ready ]", 120)
    except AssertionError as fault:
        raise AssertionError(guest.sh("journalctl -u cuts-clerk -n 50 --no-pager")) from fault


@contextlib.contextmanager
def guest_with(snapshot: Snapshot, disk: Disk) -> Iterator[tuple[Machine, Talk]]:
    """The frozen guest, with that disk."""
    with (
        tempfile.TemporaryDirectory() as name,
        DiskServer(disk, Path(name) / "nbd") as server,
        snapshot.restored(Path(name), server.url, "writeback") as machine,
    ):
        machine.listens(60)
        with contextlib.closing(Talk(machine)) as talk:
            yield machine, talk


def ext4(folder: Path) -> bytes:
    """An empty file system, as big as the guest's data disk."""
    file = folder / "ext4.raw"
    with file.open("wb") as raw:
        raw.truncate(DATA_MB << 20)
    lazy = "lazy_itable_init=0,lazy_journal_init=0"  # no writing of the kernel's own in the background
    subprocess.run([MKE2FS, "-q", "-F", "-t", "ext4", "-E", lazy, str(file)], check=True)
    return file.read_bytes()


def record(snapshot: Snapshot, base: bytes, seconds: float, synchronous: str = "") -> tuple[Disk, list[Accepted]]:
    """A shop works so long on a disk that keeps its log; what it had accepted."""
    disk, accepted = Disk(base, logs=True), list[Accepted]()
    with guest_with(snapshot, disk) as (_, talk):
        talk.say(Work(synchronous=synchronous))
        work(talk, disk, accepted, seconds)
        stopped = talk.stop()
        assert not stopped.fault, stopped.fault
    return disk, accepted


def work(talk: Talk, disk: Disk, accepted: list[Accepted], seconds: float) -> None:
    """Listens for so long once the till has printed its first receipt; what is accepted is marked in the disk's log."""
    has_printed = False
    for word in talk.hears(PATIENCE_S):
        _accept(word, disk, accepted)
        has_printed = accepted[-1].number > 0
        if has_printed:
            break
    assert has_printed, "the shop did not open"
    for word in talk.hears(seconds):
        _accept(word, disk, accepted)


def _accept(word: Word, disk: Disk, accepted: list[Accepted]) -> None:
    assert isinstance(word, Accepted), word
    accepted.append(word)
    disk.mark(len(accepted))


def until_in_mid_write(disk: Disk, seconds: float) -> None:
    """Waits for a moment at which something is not flushed; not longer than that."""
    end = time.monotonic() + seconds
    while not disk.unflushed and time.monotonic() < end:
        time.sleep(MOMENT_S)
