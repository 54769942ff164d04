"""From what the radio hears to what is on disk: real store, the test's clock."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox import config as settings
from edgebox.beacons import watch as watch_module
from edgebox.beacons.heard import Battery, Deaf, Heard, TagKey, TagKind
from edgebox.beacons.own import LOW_MV, SILENT_S
from edgebox.beacons.tags import Role, Tag
from edgebox.beacons.watch import QUEUE_MAX, BeaconWatch
from edgebox.errors import ConfigError, StoreError
from edgebox.member_at_till import Tagged
from edgebox.store import visits as visit_table
from edgebox.store.events import HealthRecord, SightingRecord, Stream, VisitRecord
from edgebox.store.peek import bodies
from hw_sim.walkers import POWER_DBM, Kind, Walkers
from tests.beacons.shop_floor import UUID, heard
from tests.beacons.watched import ALL, ANNA, Box, box, visits


def test_who_comes_and_goes_is_on_disk_with_begin_and_end(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(30, t1=1.0, t2=1.0)
            await shop.written()
            shop.stand(60, t1=1.0)
            await shop.written()
            counts = dict(shop.watch._held)
            assert counts == {}, "they are on disk"
            hours = await shop.store.read(lambda db: visit_table.between(db, 0, 2**40))
        assert {(slot.zone, slot.role): (count.visits, count.people) for slot, count in hours.items()} == {
            (zone, role): (1, 1) for zone in ("till", "shop") for role in ("staff", "member")
        }

    asyncio.run(play())
    found = visits(tmp_path)
    assert [(one.tag, one.why) for one in found if one.zone == "till"] == [
        ("anna", ""), ("ab" * 8, ""), ("ab" * 8, "lost"), ("anna", "stopped"),
    ]  # fmt: skip
    member = found[-1] if found[-1].tag != "anna" else next(one for one in found if one.why == "lost")
    assert 28 <= member.until - member.at <= 31, "lost, and gone when it was last heard"


def test_nothing_on_disk_says_a_name_of_a_member_or_who_was_not_listed(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL.replace("li", "li-wei"), "beacons.count_unlisted=true") as shop:
            shop.stand(10, t2=1.0, t9=1.0)
            shop.stand(60)
            await shop.written()
            assert shop.watch.counters["unlisted"] == 40
            await shop.watch.look()
            assert shop.host.counters["beacons: unlisted"] == 40

    asyncio.run(play())
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"li-wei" not in raw
    assert UUID.encode() not in raw
    assert b"unlisted" in raw, "counted, by the hour"
    assert {one.tag for one in visits(tmp_path)} == {"ab" * 8}


def test_visits_of_a_box_that_was_killed_get_their_end_at_the_next_start(tmp_path: Path) -> None:
    async def play() -> None:
        first = Box(tmp_path, ALL)
        await first.watch.open(first.store)
        first.stand(200, t1=1.0)
        await first.written()
        first.stand(150, t1=1.0)
        await first.written()  # 350 s: what goes on is noted once in 300
        await first.watch._note_alive()
        first.stand(20, t1=1.0)
        first.close()
        async with box(tmp_path, ALL) as later:
            await later.written()

    asyncio.run(play())
    ended = [one for one in visits(tmp_path) if one.until and one.zone == "till"]
    assert [(one.tag, one.why, one.role) for one in ended] == [("anna", "restart", "staff")]
    assert 345 <= ended[0].until - ended[0].at <= 351, "as of the last note, not of the next start"


def test_a_radio_that_goes_away_moves_nobody(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(10, t1=1.0)
            shop.watch.deaf(Deaf(shop.host.mono_s, None))
            since = shop.host.mono_s
            shop.stand(300)
            assert shop.till.tags("line1") == Tagged()
            shop.watch.deaf(Deaf(since, shop.host.mono_s))
            shop.stand(10, t1=1.0)
            await shop.written()
            assert [one.zone for one in visits(tmp_path)] == ["till", "shop"]

    asyncio.run(play())


def test_a_loop_that_stood_still_has_heard_nothing_and_lost_nobody(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(10, t1=1.0)
            shop.host.mono_s += 120
            shop.stand(10, t1=1.0)
            assert shop.watch.counters["stalls"] == 1
            assert [one.zone for one in shop.watch._queue] == ["till", "shop"], "two begins, no end"

    asyncio.run(play())


def test_a_loop_that_stood_still_while_the_radio_was_away_does_not_bring_the_radio_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(10, t1=1.0)
            shop.watch.deaf(Deaf(shop.host.mono_s, None))
            since = shop.host.mono_s
            shop.host.mono_s += 20  # a busy processor: the tick comes late
            shop.stand(120)
            assert shop.watch.counters["stalls"] == 1
            shop.watch.deaf(Deaf(since, shop.host.mono_s))
            shop.stand(10, t1=1.0)
            assert [one.until for one in shop.watch._queue] == [0, 0], "two begins, no end"

    asyncio.run(play())


def test_a_card_that_thinks_for_a_minute_stops_no_clock_and_writes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "TICK_S", 0.001)

    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            whole, asked, thinks = shop.store.record, asyncio.Event(), asyncio.Event()

            async def slow(*events: Any) -> Any:
                done = await whole(*events)
                asked.set()
                await thinks.wait()
                return done

            shop.store.record = slow  # type: ignore[method-assign]
            shop.stand(5, t1=1.0)
            await asyncio.wait_for(asked.wait(), 5)
            try:
                for _ in range(60):
                    shop.host.mono_s += 1.0
                    shop.watch.heard(heard(1.0, shop.host.mono_s))
                    await ticked(shop)
            except TimeoutError:
                thinks.set()
                raise
            assert shop.watch.counters["stalls"] == 0, "the disk stood still, and not the loop"
            stopping = asyncio.create_task(shop.watch.stop())
            await asyncio.sleep(0)
            thinks.set()
            await stopping

    asyncio.run(play())
    assert [(one.zone, one.why) for one in visits(tmp_path)] == [
        ("till", ""), ("shop", ""), ("till", "stopped"), ("shop", "stopped"),
    ]  # fmt: skip


async def ticked(shop: Box) -> None:
    """The watch's own task has looked at the clock."""
    async with asyncio.timeout(5):
        while shop.watch._ticked_s < shop.host.mono_s:  # noqa: ASYNC110 - the watch tells nobody
            await asyncio.sleep(0.001)


def test_a_member_is_at_the_till_only_if_it_is_wanted_and_beyond_doubt(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL, "beacons.attach_members=true") as shop:
            shop.stand(5, t2=0.8)
            assert shop.till.tags("line1") == Tagged(member="ab" * 16)
            assert shop.till.tags("line2") == Tagged(), "the box does not stand there"
            shop.stand(6, t2=0.8, t3=1.8)
            assert shop.till.tags("line1") == Tagged(), "another member is in the till's zone"
            shop.stand(60, t2=0.8, t3=9.0)
            assert shop.till.tags("line1").member == "ab" * 16
            shop.stand(8, t2=1.6)
            assert shop.till.tags("line1") == Tagged(), "too far to be the one who pays"
            shop.stand(8, t2=0.8)
            shop.stand(4)
            assert shop.till.tags("line1") == Tagged(), "not heard any more"

    asyncio.run(play())

    async def not_wanted() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(5, t2=0.8)
            assert shop.till.tags("line1") == Tagged()

    asyncio.run(not_wanted())


def test_the_only_staff_tag_at_the_till_is_the_cashiers(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(5, t1=1.0)
            assert shop.till.tags("line1") == Tagged(cashier="07")
            shop.stand(5, t1=1.0, t4=1.0)
            assert shop.till.tags("line1") == Tagged()
            shop.stand(60, t4=1.0)
            assert shop.till.tags("line1") == Tagged(cashier="bob")
            shop.stand(12)
            assert shop.till.tags("line1") == Tagged(), "not heard for 12 s: perhaps behind a steel door"

    asyncio.run(play())


def test_of_several_tills_the_box_stands_at_the_one_that_is_named(tmp_path: Path) -> None:
    async def play(*more: str) -> tuple[Tagged, Tagged]:
        text = settings.text_of(settings.DEFAULT).partition("\n[[line]]")[0]
        path = tmp_path / "edgebox.toml"
        path.write_text(text + '\n[[line]]\nname="a"\n[[line]]\nname="b"\n', "utf-8")
        shop = Box(tmp_path / "data", ALL)
        shop.host.config = settings.load(path, [ALL, *more])
        shop.watch = BeaconWatch(shop.host, shop.till, lambda: shop.host.mono_s)
        await shop.watch.open(shop.store)
        shop.stand(5, t1=1.0)
        found = shop.till.tags("a"), shop.till.tags("b")
        await shop.watch.stop()
        await shop.store.close()
        return found

    assert asyncio.run(play()) == (Tagged(), Tagged())
    assert asyncio.run(play("beacons.line=b")) == (Tagged(), Tagged(cashier="07"))


def test_the_shops_own_beacons_are_missed_when_they_are_silent_or_low(tmp_path: Path) -> None:
    said: list[HealthRecord] = []

    async def look(shop: Box) -> tuple[str, str]:
        await shop.watch.look()
        shop.host.health.stop()
        said.extend(shop.host.noticed)
        return said[-1].state, said[-1].words

    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.stand(5, t5=3.0)
            assert await look(shop) == ("ok", "")
            shop.watch.battery(Battery(TagKey(TagKind.IBEACON, UUID, 1, 5), LOW_MV - 100, shop.host.mono_s))
            assert await look(shop) == ("warning", "battery low: door")
            since = shop.host.mono_s
            shop.watch.deaf(Deaf(since, None))
            shop.stand(SILENT_S + 5)
            assert (await look(shop))[1] == "battery low: door", "a deaf box misses nobody"
            shop.watch.deaf(Deaf(since, shop.host.mono_s))
            shop.stand(SILENT_S + 5)
            assert await look(shop) == ("warning", "not heard for 10 minutes: door; battery low: door")
            (row,) = [row for row in shop.watch.rows() if row.tag == "door"]
            assert (row.millivolts, row.state) == (LOW_MV - 100, "")
            assert row.ago_s > SILENT_S

    asyncio.run(play())


def test_a_beacon_that_was_just_put_on_the_list_is_not_missed_and_one_taken_off_is_no_more(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, "beacons.tags=[]") as shop:
            shop.stand(2 * SILENT_S)
            wall = Tag("wall", TagKey(TagKind.IBEACON, UUID, 1, 6), Role.BEACON)
            shop.watch.use_tags([wall])
            await shop.watch.look()
            assert shop.host.health.states() == {"shop beacons": "ok"}
            shop.stand(SILENT_S + 5)
            shop.watch.use_tags([wall._replace(offset_db=3)])  # calibrated
            await shop.watch.look()
            shop.host.health.stop()
            assert shop.host.noticed[-1].words == "not heard for 10 minutes: wall"
            shop.watch.use_tags([])
            await shop.watch.look()
            assert shop.host.health.states() == {"shop beacons": "ok"}

    asyncio.run(play())


def test_a_cashier_with_two_tags_is_there_with_one_of_them(tmp_path: Path) -> None:
    second = f'{{name="anna2",beacon="{UUID}:1:6",role="staff",cashier="07"}}'

    async def play() -> None:
        async with box(tmp_path, f"beacons.tags=[{ANNA},{second}]") as shop:
            shop.stand(5, t1=1.0, t6=1.0)
            shop.stand(15, t1=1.0)
            assert shop.till.tags("line1") == Tagged(cashier="07")

    asyncio.run(play())


def test_tags_of_the_fleet_come_and_go_while_it_runs(tmp_path: Path) -> None:
    spaces: list[frozenset[str]] = []

    async def play() -> None:
        async with box(tmp_path, ALL) as shop:
            shop.watch.on_spaces = spaces.append
            shop.stand(5, t1=1.0)
            other = TagKey(TagKind.EDDYSTONE, "00112233445566778899", 7)
            shop.watch.use_tags([Tag("anna", other, Role.STAFF, cashier="07")])
            assert [tag.name for tag in shop.watch.tags][:2] == ["anna", "li"]
            shop.watch.use_tags([Tag("anna", other, Role.STAFF, offset_db=5, cashier="07")])
            await shop.written()
            assert [(one.tag, one.why) for one in visits(tmp_path)][-1] == ("anna", "dropped")
            shop.watch.want(TagKey(TagKind.IBEACON, "f" * 36, 1, 1), wanted=True)
            shop.watch.want(TagKey(TagKind.IBEACON, "f" * 36, 1, 1), wanted=False)

    asyncio.run(play())
    both = frozenset({UUID, "00112233445566778899"})
    assert spaces == [both, both, both | {"f" * 36}, both]


def test_settings_that_can_not_be_are_told_and_the_shop_goes_on(tmp_path: Path) -> None:
    async def play(override: str, reason: str) -> None:
        shop = Box(tmp_path, override)
        with pytest.raises(ConfigError) as told:
            await shop.watch.open(shop.store)
        assert told.value.reason == reason
        await shop.watch.stop()
        await shop.store.close()

    asyncio.run(play('beacons.tags=[{name="a",beacon="x"}]', "bad_tag"))
    asyncio.run(play('beacons.zones=["till=4/2"]', "bad_zone"))


def test_a_disk_that_refuses_keeps_visits_waiting_up_to_a_limit(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL, "beacons.visits_day=200000") as shop:
            whole = shop.store.record

            async def refused(*events: Any) -> Any:
                raise StoreError("no", reason="io")

            shop.store.record = refused  # type: ignore[method-assign]
            shop.stand(5, t1=1.0)
            await shop.written()
            assert shop.host.faults == ["visits not recorded: no"]
            for number in range(QUEUE_MAX):
                shop.watch._keep(VisitRecord(at=number + 1, tag="x", until=number + 2))
            assert shop.watch.counters["given_up"] == 2
            shop.store.record = whole  # type: ignore[method-assign]
            await shop.written()
            assert len(shop.watch._queue) == 0

    asyncio.run(play())
    assert len(visits(tmp_path)) == QUEUE_MAX + 2, "the newest, and the two ends of the stop"


def test_signals_of_listed_tags_are_recorded_now_and_then_if_that_is_wanted(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path, ALL, "beacons.sighting_s=10") as shop:
            shop.stand(35, t1=1.0, t9=1.0)
            await shop.store.flush()

    asyncio.run(play())
    found = [body for body in bodies(tmp_path, Stream.VISITS) if b'"sighting"' in body]
    assert len(found) == 4
    assert msgspec.json.decode(found[0], type=SightingRecord).tag == "anna"


def test_a_day_of_noise_costs_a_bounded_number_of_rows(tmp_path: Path) -> None:
    """Scaled: an hour of forty walkers over and over, and half an hour of a tag that flaps as fast as it can."""
    walkers = Walkers(11)
    crowd = [walkers.walker(Kind.CUSTOMER, 30.0 * number)._replace(who=1 + number % 4) for number in range(40)]
    adverts = list(walkers.together(crowd))

    async def play() -> None:
        async with box(tmp_path, ALL, "beacons.visits_day=60") as shop:
            base = shop.host.mono_s
            ticked = base
            for advert in adverts:
                shop.host.mono_s = base + advert.at_s
                key = TagKey(TagKind.IBEACON, UUID, 1, advert.who)
                shop.watch.heard(Heard(key, advert.rssi_dbm, POWER_DBM, shop.host.mono_s))
                while ticked + 1 < shop.host.mono_s:
                    ticked += 1
                    shop.watch.tick()
            await shop.written()
            assert shop.watch.visits.counters["not_recorded"] > 0

    asyncio.run(play())
    assert 20 <= len(visits(tmp_path)) <= 60
