"""What is said of a box after a power cut: every loss is seen. And the guest's programs, without a guest."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import msgspec
import pytest

from edgebox.store import database
from hw_sim.cloud_keys import provision
from tests.vm.cuts import judge, looks, missing
from tests.vm.guest.cuts.box import CUT, Paper, Places
from tests.vm.guest.cuts.clerk import Clerk, Port, Shelf
from tests.vm.guest.cuts.looking import in_order, look
from tests.vm.guest.cuts.trade import sale, trade
from tests.vm.guest.cuts.words import Accepted, Found, Look, Next, Stop, Stopped, Word, Work

ACCEPTED = [
    Accepted(names=["receipt a 1", "claim 1 0"], number=1, claim="1", url="U"),
    Accepted(names=["coupon 5", "slip 1"], code="CB:X"),
]
WHOLE = Found(names=["receipt a 1", "claim 1 0", "coupon 5", "slip 1"], epochs=1, follows=True)
PRINTED = Next(result="inserted", paper_in_order=True, answers=["used"], again=("1", "U"), names=["receipt b 1"])


def test_a_box_that_has_all_of_it_once_has_survived() -> None:
    assert judge(WHOLE, ACCEPTED, Look()) == []
    more = msgspec.structs.replace(WHOLE, names=[*WHOLE.names, "receipt a 2"])
    assert judge(more, ACCEPTED, Look()) == [], "recorded, and the power went before anybody was told"
    after = msgspec.structs.replace(WHOLE, names=[*WHOLE.names, "receipt b 1"], next=PRINTED)
    assert judge(after, ACCEPTED, looks(ACCEPTED, prints=9)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": WHOLE.names[1:]}, "missing: receipt a 1"),
        ({"names": WHOLE.names[:-1]}, "missing: slip 1"),
        ({"names": [*WHOLE.names, "coupon 5"]}, "twice: coupon 5"),
        ({"names": [*WHOLE.names, "claim 1 0"]}, "twice: claim 1 0"),
        ({"holes": ["receipts 0001: 3 behind 1"]}, "hole: receipts 0001: 3 behind 1"),
        ({"news": ["the database was lost"]}, "false alarm: the database was lost"),
        ({"epochs": 2}, "2 lives"),
        ({"follows": False}, "the next number is not the next"),
        ({"fault": "OSError: mount"}, "it can't be looked at: OSError: mount"),
    ],
)
def test_every_loss_is_seen(change: dict[str, object], said: str) -> None:
    assert said in judge(msgspec.structs.replace(WHOLE, **change), ACCEPTED, Look())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": ["redeemed"]}, "a used coupon was redeemed"),
        ({"result": "late"}, "the next receipt came out late, in order: True"),
        ({"paper_in_order": False}, "the next receipt came out inserted, in order: False"),
        ({"again": ("2", "V")}, "a reprint has another claim: ('2', 'V'), ('1', 'U')"),
        ({"names": ["receipt c 1"]}, "printed and not recorded: receipt c 1"),
    ],
)
def test_every_wrong_paper_is_seen(change: dict[str, object], said: str) -> None:
    after = msgspec.structs.replace(PRINTED, **change)
    found = msgspec.structs.replace(WHOLE, names=[*WHOLE.names, "receipt b 1"], next=after)
    order = looks(ACCEPTED, prints=9)
    assert (order.codes, order.reprint) == (["CB:X"], 1)
    assert judge(found, ACCEPTED, order) == [said]
    assert judge(msgspec.structs.replace(found, next=None), ACCEPTED, order) == ["the next receipt was not printed"]


def test_a_slip_behind_the_cut_is_not_in_order() -> None:
    receipt = sale("a", 1)[0]
    url = receipt.url.encode()  # type: ignore[union-attr]
    for raw, good in ((b"TOTAL  1" + url + CUT, True), (b"TOTAL  1" + CUT + url, False), (b"TOTAL  1" + CUT, False)):
        assert in_order(Paper(raw, receipt)) is good  # type: ignore[arg-type]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    provision(tmp_path / "cloud", tmp_path / "keys.toml", store=4711, device=12, now=int(time.time()))
    return Places(tmp_path / "data", tmp_path / "run", tmp_path / "keys.toml")


def test_a_shop_at_work_is_found_again_with_all_that_it_told(places: Places) -> None:
    accepted: list[Accepted] = []

    async def until_two_are_redeemed() -> None:
        def tell(word: Accepted) -> None:
            accepted.append(word)
            if sum(bool(one.code) for one in accepted) == 2:
                shop.cancel()

        shop = asyncio.get_running_loop().create_task(trade(places, tell, 1))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(shop), 20)
        assert shop.cancelled()

    asyncio.run(until_two_are_redeemed())
    order = looks(accepted, prints=99)
    found = asyncio.run(look(places, order))
    assert judge(found, accepted, order) == []
    assert found.next is not None
    assert found.next.answers == ["used", "used"]
    unknown = [*accepted, Accepted(names=["receipt x 1"])]
    assert missing(found, unknown) == {"receipt x 1"}


def test_the_clerk_opens_a_shop_closes_it_by_force_and_looks(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the guest, with a socket for the port and a folder for the disk. Killed with -9, nothing is lost."""
    monkeypatch.setattr(database, "PRAGMAS", database.PRAGMAS)
    host, guest = socket.socketpair()
    with host, guest:
        host.settimeout(20)
        clerk = Clerk(Port(guest.fileno()), Shelf(places.data, None), places)
        words = iter(msgspec.json.decode(line, type=Word) for line in host.makefile("rb"))
        for order in (Work(), Stop(), Look()):
            host.sendall(msgspec.json.encode(order) + b"\n")
        clerk.obey(clerk._port.hear())
        accepted = []
        while not any(one.number for one in accepted):
            accepted.append(next(words))
            assert isinstance(accepted[-1], Accepted)
        for _ in range(2):
            clerk.obey(clerk._port.hear())
        found = None
        while not isinstance(found, Found):
            found = next(words)
            if isinstance(found, Accepted):
                accepted.append(found)
            else:
                assert found == Stopped() or isinstance(found, Found)
    assert judge(found, accepted, Look()) == []
