"""A tag at the till and a receipt, through the real engine; and the fleet's tags through real orders."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.beacons.radio import Radio
from edgebox.beacons.watch import BeaconWatch
from edgebox.engine import Engine
from edgebox.line.frames import Result
from edgebox.loyalty.members import Members, pack
from edgebox.loyalty.windows import When
from edgebox.member_at_till import BY_SCAN, BY_TAG
from edgebox.model import Details, DocumentKind, Receipt
from edgebox.process import watch_beacons
from edgebox.store.events import AuditRecord, ReceiptRecord, Stream
from edgebox.store.peek import bodies
from sync.contract import BundleKind
from tests.beacons.shop_floor import UUID, heard
from tests.box_of_orders import box
from tests.line_of_engine import CUT, KEYS, NOW, RECEIPT, FakeLine, recorded, settings

HASH = "ab" * 16
TAGS = (
    f'beacons.tags=[{{name="anna",beacon="{UUID}:1:1",role="staff",cashier="07"}},'
    f'{{name="li",beacon="{UUID}:1:2",role="member",member="{HASH}"}}]'
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


def stand(watch: BeaconWatch, **metres: float) -> None:
    """Five seconds by the watch's clock, up to now."""
    now = watch._mono_s()
    for step in range(20):
        for name, distance in metres.items():
            watch.heard(heard(distance, now - 5 + step * 0.25, int(name[1:])))


def sold(folder: Path, *overrides: str, **metres: float) -> ReceiptRecord:
    """One sale with these tags around."""
    folder.mkdir(exist_ok=True)

    async def play() -> None:
        engine = Engine(settings(folder, TAGS, *overrides), KEYS, clock=lambda: NOW)
        watch = watch_beacons(engine, Radio(engine))
        await engine.start()
        stand(watch, **metres)
        line = await FakeLine.connect(engine)
        await line.print_receipt(1)
        line.close()
        await engine.stop()

    asyncio.run(play())
    return recorded(folder)[-1]


def test_a_sale_gets_the_cashier_whose_tag_is_at_the_till_and_no_member_unless_wanted(folder: Path) -> None:
    record = sold(folder, t1=1.0, t2=0.8)
    assert (record.cashier, record.member, record.attached) == ("07", "", ("cashier tag",))


def test_a_sale_gets_the_one_member_at_the_till_where_the_shop_wants_it(folder: Path) -> None:
    plain = sold(folder / "before", "beacons.attach_staff=false")
    record = sold(folder, "beacons.attach_members=true", "beacons.attach_staff=false", t2=0.8)
    assert (record.cashier, record.member, record.attached) == ("", HASH, ("member tag",))
    assert record.points == plain.points, "presence earns nothing"


def test_tags_of_the_fleet_are_in_force_at_once_kept_and_written_down(folder: Path) -> None:
    content = {"tags": {"ben": {"uuid": UUID, "major": 1, "minor": 4, "role": "staff", "cashier": "09"}}}

    async def play() -> None:
        async with box(folder, "beacons.scan=false") as shop:
            watch = watch_beacons(shop.engine, Radio(shop.engine))
            await watch.open(shop.store)
            shop.orders._wire()
            reply = await shop.give("tags.set", {"revision": 1, "content": content}, "owner-1")
            assert (reply.state.value, reply.reason) == ("succeeded", "")
            assert [tag.name for tag in watch.tags] == ["ben"]
            bad = {"tags": {**content["tags"], "eve": {**content["tags"]["ben"]}}}
            reply = await shop.give("tags.set", {"revision": 2, "content": bad}, "owner-1")
            assert reply.state.value == "failed"
            assert [tag.name for tag in watch.tags] == ["ben"]
            await watch.stop()
        async with box(folder) as later:
            watch = watch_beacons(later.engine, Radio(later.engine))
            await watch.open(later.store)
            later.orders._wire()
            await later.orders.bundles.open(lambda held: held)
            assert [tag.name for tag in watch.tags] == ["ben"]
            assert later.orders.bundles.report()[BundleKind.TAGS].revision == 1
            await watch.stop()

    asyncio.run(play())
    audits = [AuditRecord(**_fields(body)) for body in bodies(folder / "data", Stream.AUDIT)]
    assert [(one.what, one.target, one.before, one.after) for one in audits if one.what == "tags"] == [
        ("tags", "revision 1", "0", "1"),
    ]  # fmt: skip


def _fields(body: bytes) -> dict[str, object]:
    fields: dict[str, object] = json.loads(body)
    fields.pop("type")
    return fields


def test_a_member_known_by_a_tag_alone_is_a_stranger_to_rules_and_slips(folder: Path) -> None:
    async def play(attached: tuple[str, ...]) -> tuple[str, str]:
        engine = Engine(settings(folder), KEYS, clock=lambda: NOW)
        table = pack([(HASH, 0, 0, 500)])
        engine.decisions.use_members(Members(table, ("gold",), ("champions",), NOW, 86_400))
        sale = Receipt(DocumentKind.SALE, details=Details(member=HASH, attached=attached))
        when = When(NOW, True)
        around = engine.decisions._around(sale, "line1", when, engine.decisions._member(sale, when))
        return engine.decisions._tier(sale, when), around.member + around.tier + around.segment

    assert asyncio.run(play((BY_SCAN,))) == ("gold", HASH + "goldchampions")
    assert asyncio.run(play((BY_TAG,))) == ("", "")


def test_a_sale_that_comes_again_out_of_the_spool_is_not_given_to_who_stands_there_now(folder: Path) -> None:
    async def play() -> None:
        engine = Engine(settings(folder, TAGS, "beacons.attach_members=true"), KEYS, clock=lambda: NOW)
        watch = watch_beacons(engine, Radio(engine))
        await engine.start()
        stand(watch, t1=1.0, t2=0.8)
        engine.decisions.at_till.show("line1", HASH, 60)
        line = await FakeLine.connect(engine)
        line.document(1, RECEIPT + CUT)
        line.end(1, RECEIPT, ask=False, replay=True)
        await line.done(1, Result.PLAIN)
        assert engine.decisions.at_till.shown("line1") == HASH, "the code still waits for its own sale"
        line.close()
        await engine.stop()

    asyncio.run(play())
    record = recorded(folder)[-1]
    assert (record.replayed, record.member, record.cashier, record.attached) == (True, "", "", ())
