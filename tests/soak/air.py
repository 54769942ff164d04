"""The air of the shop, in a process of its own: a bluetoothd that isn't, and people with tags who walk in and out.

Owns: who walks when. Never: judges. One member of the staff behind the till, customers with and without a listed tag,
passers-by, strangers' beacons; advertisements come as hw_sim/walkers.py has them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import random
import sys
import time
from collections.abc import Iterator

from edgebox.beacons.frames import APPLE, ibeacon
from edgebox.beacons.heard import TagKey, TagKind
from hw_sim.bluez import Bluetoothd
from hw_sim.walkers import Advert, Kind, Walkers
from tests.soak.seen import Air, to_line

UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
STRANGERS = "99999999-2222-3333-4444-555555555555"
LISTED = 20  # tags of the shop's own; walkers carry them in turn
POWER_DBM = -59
COMES_S = 6.0  # somebody every so often, on average
KINDS = (Kind.CUSTOMER, Kind.CUSTOMER, Kind.PASSER, Kind.QUEUE)
STRANGER_SHARE = 0.4  # carry a beacon that is none of ours
SAY_S = 5.0


def tags() -> str:
    """[beacons] tags: the shop's own, the first one's a cashier."""
    rows = []
    for number in range(1, LISTED + 1):
        role = 'role = "staff", cashier = "07"' if number == 1 else f'role = "member", member = "{number:032x}"'
        rows.append(f'  {{ name = "tag{number}", beacon = "{UUID}:1:{number}", {role} }}')
    return "[\n" + ",\n".join(rows) + ",\n]"


def adverts(seed: int) -> Iterator[Advert]:
    """Everybody's, in order, without end. `who`: the tag's number; strangers' are above LISTED."""
    walkers, chance = Walkers(seed), random.Random(seed)
    everybody: list[tuple[float, int, Advert, Iterator[Advert], int]] = []

    def enter(kind: Kind, at_s: float, who: int, order: int) -> None:
        frames = walkers.adverts(walkers.walker(kind, at_s))
        for first in frames:
            heapq.heappush(everybody, (first.at_s, order, first, frames, who))
            return

    enter(Kind.STAFF, 0.0, 1, 0)
    next_s, order, shift_s = 0.5, 1, 3600.0
    while True:
        while next_s <= (everybody[0][0] if everybody else next_s):
            stranger = chance.random() < STRANGER_SHARE
            who = LISTED + 1 + order % 50 if stranger else 2 + order % (LISTED - 1)
            enter(chance.choice(KINDS), next_s, who, order)
            next_s, order = next_s + chance.expovariate(1 / COMES_S), order + 1
        if next_s > shift_s:
            enter(Kind.STAFF, shift_s, 1, order)
            shift_s, order = shift_s + 3600.0, order + 1
        _, at, advert, frames, who = heapq.heappop(everybody)
        yield advert._replace(who=who)
        for following in frames:
            heapq.heappush(everybody, (following.at_s, at, following, frames, who))
            break


async def send(address: str, seed: int) -> None:
    """Until it is killed, or stdin ends."""
    daemon = Bluetoothd(address)
    await daemon.start()
    path = daemon.plug()
    began, sent, known, said_s = time.monotonic(), 0, set[int](), 0.0
    for advert in adverts(seed):
        await asyncio.sleep(max(0.0, began + advert.at_s - time.monotonic()))
        space, minor = (UUID, advert.who) if advert.who <= LISTED else (STRANGERS, advert.who)
        key = TagKey(TagKind.IBEACON, space, 1, minor)
        address_of = f"AA:BB:CC:00:{advert.who >> 8:02X}:{advert.who & 255:02X}"
        sent += daemon.report(path, address_of, advert.rssi_dbm, {APPLE: ibeacon(key, POWER_DBM)})
        known.add(advert.who)
        if advert.at_s - said_s > SAY_S:
            said_s = advert.at_s
            sys.stdout.buffer.write(to_line(Air(at_s=time.monotonic(), adverts=sent, walkers=len(known))))
            sys.stdout.buffer.flush()


def main() -> None:
    """The stand-in on a bus."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.air")
    parser.add_argument("address", help="of the message bus")
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(send(given.address, given.seed))


if __name__ == "__main__":
    main()
