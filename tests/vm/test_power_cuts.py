"""The plug is pulled: what was accepted is there, nothing is claimed or redeemed twice, and the next receipt prints.

Three depths: one recorded disk cut at 200 moments; the whole machine killed in mid-work, ten times, on a disk that
forgets what it was not told to keep; and whole boots of the units as shipped. And two controls, in which things must
get lost: a harness that finds nothing there would find nothing anywhere.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from hw_sim import cloud_keys
from tests.vm import cuts as power
from tests.vm import figures, shop
from tests.vm.disk import CutDisk, Disk, How, Mark, cuts, moments
from tests.vm.guest.cuts.words import Accepted, Found, Work
from tests.vm.machine import Machine
from tests.vm.snapshot import Snapshot

SEED = 20261122
CUTS = 200
PRINTS_EVERY = 20  # of those cuts, line and engine are started for one, and the next receipt printed
RECORD_S = 8.0  # of a shop at work: several rests, in each of which the log goes into the file
GUESTS = 2  # at once: as many as CI has processors
CONTROL_CUTS = 16
KILLS = 10
KILL_WITHIN_S = (0.1, 1.5)  # of the first receipt
SHOWS_EVERY = 3  # kills, used coupons are presented once more before the shop opens again
MID_WRITE_S = 2.0  # every other kill waits so long for a write that isn't flushed
HOWS = (How.NOTHING, How.WRITES, How.SECTORS)
REBOOTS = 3
BOOT_S = 180.0
TRADE = (3, 10)  # receipts, until the power goes; the simulated printer takes its seconds for each
TRADE_RECEIPTS = 20  # that the till has: the line takes some before the printer has them
ANSWER_MS = 2000  # a cut waits so long for its slip: emulated, and beside other tests, 150 ms are not always enough
SAID = "line1: sale"  # of the engine's log, once a receipt is on disk (edgebox/books.describe)
SLIP = cloud_keys.DEFAULT_PREFIX.encode()
HELD = """
import json
from pathlib import Path
from edgebox.store.events import Stream
from edgebox.store.peek import bodies
found = [json.loads(body) for body in bodies(Path("/var/lib/edgebox"), Stream.RECEIPTS)]
print(json.dumps([one["number"] for one in found if one["kind"] == "sale"]))
"""


class Trial(NamedTuple):
    """A cut, and what came of it. `wrong`: as cuts.judge says; `missing`: names."""

    cut: CutDisk
    found: Found
    wrong: list[str]
    missing: int


class Recording(NamedTuple):
    """A shop at work: the disk at its beginning, all that was written, all that was accepted."""

    base: bytes
    disk: Disk
    accepted: list[Accepted]


@pytest.fixture(scope="module")
def clerk(image: Path, bare_snapshot: Snapshot) -> Snapshot:
    return power.with_clerk(image, bare_snapshot)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return power.ext4(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="module")
def recording(clerk: Snapshot, base: bytes) -> Recording:
    disk, accepted = power.record(clerk, base, RECORD_S)
    assert any(one.code for one in accepted), "a coupon was redeemed"
    return Recording(base, disk, accepted)


def tried(
    clerk: Snapshot, its: Recording, at: Sequence[int], *, obeys: bool = True, prints: bool = False
) -> list[Trial]:
    """Each of these moments, in several guests at once."""

    def part(number: int) -> list[Trial]:
        mine = at[number::GUESTS]
        return list(_tried(clerk, its, mine, Random(SEED + number), obeys=obeys, prints=prints)) if mine else []

    with ThreadPoolExecutor(GUESTS) as guests:
        return [trial for trials in guests.map(part, range(GUESTS)) for trial in trials]


def _tried(
    clerk: Snapshot, its: Recording, at: Sequence[int], chance: Random, *, obeys: bool, prints: bool
) -> Iterator[Trial]:
    disk = Disk(its.base)
    with power.guest_with(clerk, disk) as (_, talk):
        for number, cut in enumerate(cuts(its.base, its.disk.log, at, chance, obeys=obeys), 1):
            disk.exchange(cut.image)
            accepted = its.accepted[: cut.accepted]
            order = power.looks(accepted, prints=900_000 + number if prints and number % PRINTS_EVERY == 0 else 0)
            found = talk.look(order)
            yield Trial(cut, found, power.judge(found, accepted, order), len(power.missing(found, accepted)))


def test_nothing_accepted_is_missing_after_any_of_200_power_cuts(clerk: Snapshot, recording: Recording) -> None:
    began = time.monotonic()
    at = moments(recording.disk.log, CUTS, Random(SEED))
    trials = tried(clerk, recording, at, prints=True)
    failed = [f"{trial.cut.at} {trial.cut.how.value}: {trial.wrong[:3]}" for trial in trials if trial.wrong]
    printed = sum(trial.found.next is not None for trial in trials)
    torn = sum(trial.cut.unflushed > 0 for trial in trials)
    figures.note("power cuts replayed: survived of tried", f"{len(trials) - len(failed)} of {len(trials)}")
    figures.note("power cuts replayed: in mid-write / next receipt printed", f"{torn} / {printed}")
    figures.note("power cuts replayed: accepted in the recording", len(recording.accepted))
    figures.note("power cuts replayed: each, two guests at once", (time.monotonic() - began) / CUTS, "s")
    figures.note(
        "power cuts replayed: store opened and read, median", _median([trial.found.open_ms for trial in trials]), "ms"
    )
    assert not failed
    assert len(trials) == CUTS
    assert printed == CUTS // PRINTS_EVERY
    assert torn >= CUTS // 3, "cuts in mid-write"


def test_a_disk_that_ignores_flush_is_seen_to_lose_what_was_accepted(clerk: Snapshot, recording: Recording) -> None:
    """The same recording, on a disk that says yes and does nothing."""
    late = len(recording.disk.log) // 2  # before that, little has been accepted that could be lost
    at = [late + moment for moment in moments(recording.disk.log[late:], CONTROL_CUTS, Random(SEED), in_mid_write=0)]
    trials = tried(clerk, recording, at, obeys=False)
    _seen("a disk that ignores FLUSH", [trial for trial in trials if trial.cut.how is not How.ALL])


def test_synchronous_normal_is_seen_to_lose_what_was_accepted(clerk: Snapshot, base: bytes) -> None:
    """Not a setting that a box has: the guest's clerk changes the store's word for it."""
    disk, accepted = power.record(clerk, base, RECORD_S / 2, synchronous="NORMAL")
    first = next(at for at, one in enumerate(disk.log) if one == Mark(1))
    at = [first + moment for moment in moments(disk.log[first:], CONTROL_CUTS, Random(SEED), in_mid_write=0)]
    _seen("synchronous=NORMAL", tried(clerk, Recording(base, disk, accepted), at))


def _seen(control: str, trials: Sequence[Trial]) -> None:
    """Most of them have lost something, or everything."""
    lost = sum(trial.missing > 0 or bool(trial.found.fault) for trial in trials)
    noticed = sum(bool(trial.found.news or trial.found.fault) for trial in trials)
    figures.note(f"control, {control}: cuts that lost of tried", f"{lost} of {len(trials)}, the box noticed {noticed}")
    assert lost > len(trials) // 2, [trial.wrong[:2] for trial in trials]


def test_ten_kills_of_the_whole_machine_in_mid_work(clerk: Snapshot, base: bytes) -> None:
    """Each time the disk forgets what it was not told to keep, and the shop goes on with what is left: it opens, and
    its till prints."""
    chance, platter, accepted = Random(SEED), base, list[Accepted]()
    failed: list[str] = []
    forgotten: list[int] = []
    began = time.monotonic()
    for kill in range(KILLS + 1):
        disk = Disk(platter)
        with power.guest_with(clerk, disk) as (machine, talk):
            if kill:
                shows_coupons = kill % SHOWS_EVERY == 0 or kill == KILLS
                order = power.looks(accepted, prints=900_000 + kill if shows_coupons else 0)
                found = talk.look(order)
                failed += [f"kill {kill}: {wrong}" for wrong in power.judge(found, accepted, order)]
                accepted.append(Accepted(names=found.next.names if found.next else []))
            if kill == KILLS:
                break
            talk.say(Work(first=1 + 1000 * kill))
            power.work(talk, disk, accepted, chance.uniform(*KILL_WITHIN_S))
            if kill % 2:
                power.until_in_mid_write(disk, MID_WRITE_S)
            platter, unflushed = disk.cut(chance.choice(HOWS), chance)
            machine.cut()
            accepted += talk.last_words()
            forgotten.append(unflushed)
    bad = len({fault.split(":")[0] for fault in failed})
    figures.note("machine killed in mid-work: survived of tried", f"{KILLS - bad} of {KILLS}")
    figures.note("machine killed in mid-work: accepted, unflushed sectors", f"{len(accepted)}, {forgotten}")
    figures.note("machine killed in mid-work: each", (time.monotonic() - began) / KILLS, "s")
    assert not failed
    assert any(forgotten), "some of them in mid-write"


def test_three_reboots_of_the_units_as_shipped(vm: Machine, reboot: Callable[[Machine], Machine]) -> None:
    """The shop's own disk, systemd, and a till that never stops; the plug is pulled, and everything boots."""
    accepted: list[str] = []
    boots_s: list[float] = []
    began, chance = time.monotonic(), Random(SEED)
    _settle(vm)
    for number in range(REBOOTS):
        accepted += _trade_until_cut(vm, 10 + number, chance.randint(*TRADE))
        vm = reboot(vm)
        boots_s.append(vm.listens(BOOT_S))
        vm.until(
            "systemctl is-active edgebox.service edgebox-line@line1.service && [ -S /run/edgebox/engine.sock ]", 90
        )
        before, raw = len(shop.paper(vm)) if shop.tickets(vm) else 0, shop.receipts(1, seed=50 + number)[0]
        shop.print_receipts(vm, 1, seed=50 + number)
        assert SLIP in shop.paper(vm)[before:], "the next receipt prints, with its slip"
        accepted += _numbers([raw])
        vm.until(f"[ $(journalctl -b -u edgebox.service -o cat | grep -c '{SAID}') -ge 1 ]", 30)
        held = json.loads(vm.sh(f"/usr/local/sbin/sim-python -c '{HELD}'"))
        assert [one for one in accepted if one not in held] == [], "nothing is missing"
        assert len(held) == len(set(held)), "nothing is there twice"
        assert "store:" not in vm.sh("journalctl -b -u edgebox.service -o cat"), "no false alarm"
    figures.note("whole boots after a cut: survived of tried", f"{REBOOTS} of {REBOOTS}")
    figures.note("whole boots after a cut: receipts accepted", len(accepted))
    figures.note("whole boots after a cut: power to a guest that answers", max(boots_s), "s")
    figures.note("whole boots after a cut: each", (time.monotonic() - began) / REBOOTS, "s")


def _settle(vm: Machine) -> None:
    """Patience for a slip. Setup has said how the till's dates are meant: 09/11/2026."""
    file = "/etc/edgebox/edgebox.toml"
    vm.sh(f'sed -i \'s/^name = "line1"/&\\nanswer_ms = {ANSWER_MS}/\' {file}')
    assert vm.sh(f"grep -cE '^(answer_ms = {ANSWER_MS}|date_order = .dmy.)' {file}").strip() == "2"
    vm.sh("systemctl restart edgebox-line@line1.service edgebox.service; sync", timeout=90)
    vm.until("systemctl is-active edgebox.service && [ -S /run/edgebox/engine.sock ]", 60)


def _trade_until_cut(vm: Machine, seed: int, count: int) -> list[str]:
    """Numbers of the receipts that the engine had recorded when the power went: it says each in its log, in order."""
    raws = shop.receipts(TRADE_RECEIPTS, seed)
    joined = b"".join(b"%d\n%b" % (len(raw), raw) for raw in raws)
    each = f'for n in $(seq 100 {99 + TRADE_RECEIPTS}); do read -r size; head -c "$size" >/run/till/$n.bin; done'
    vm.sh(f"mkdir /run/till; {each}", joined)
    follow = f"journalctl -fn0 -u edgebox.service -o cat | grep --line-buffered '{SAID}' >/dev/virtio-ports/acks"
    vm.sh(f'systemd-run -q --unit=teller sh -c "{follow}"; sleep 1')
    with vm.acks() as acks, acks.makefile("rb") as said:
        acks.settimeout(BOOT_S)
        vm.sh(f"systemd-run -q --unit=till /usr/local/sbin/sim-python {shop.PUT}/till.py --hammer 60 /run/till/*.bin")
        for _ in range(count):
            assert SAID.encode() in said.readline()
        vm.cut()
        more = len(said.readlines())
    assert count + more <= len(raws), "each receipt is another one"
    return _numbers(raws[: count + more])


def _numbers(raws: Sequence[bytes]) -> list[str]:
    return [found[1].decode() for raw in raws if (found := re.search(rb"Receipt No: (\d+)", raw))]


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]
