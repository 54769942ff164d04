"""What people see of beacons: the table of a running box, a terminal without one, and calibration."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edgebox import commands_beacons
from edgebox.beacons.calibration import OFFSET_MAX_DB, SAMPLES_MIN, SPREAD_MAX_DB, Calibration, toml_line
from edgebox.beacons.heard import Heard, TagKey
from edgebox.beacons.tags import TAGS_MAX, Role, Tag, of_settings
from edgebox.beacons.watch import LISTENERS_MAX, Row
from edgebox.beacons.window import LINE_MAX, NAME, Frame, Table, Window
from edgebox.cli import main
from edgebox.config import parse
from tests.beacons.shop_floor import UUID, heard, key
from tests.beacons.watched import ALL, Box

WHOM = f"{UUID}:1:1"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


class Shown(Box):
    """A watch with its window."""

    async def __aenter__(self) -> "Shown":
        await self.watch.open(self.store)
        self.folder = self.store.path.parent
        self.window = Window(self.folder / "engine.sock", self.watch)
        await self.window.open(self.store)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.window.stop()
        await self.watch.stop()
        self.host.health.stop()
        await self.store.close()

    async def look(self, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self.folder / NAME)
        writer.write(said)
        return reader, writer


async def line(reader: asyncio.StreamReader) -> Table | Frame:
    return msgspec.json.decode(await asyncio.wait_for(reader.readline(), 5), type=Table | Frame)


async def until(condition: object) -> None:
    for _ in range(500):
        if callable(condition) and condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came")


def test_who_connects_sees_the_tags_at_once_nearest_first(folder: Path) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            shop.stand(5, t1=1.0, t2=3.0)
            reader, writer = await shop.look()
            table = await line(reader)
            assert isinstance(table, Table)
            assert [(row.tag, row.state) for row in table.rows[:2]] == [("anna", "till shop"), ("ab" * 8, "shop")]
            assert [row.ago_s for row in table.rows[2:]] == [-1.0] * 3
            writer.close()

    asyncio.run(play())


def test_who_asks_for_a_tag_hears_each_of_its_frames_listed_or_not(folder: Path) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            spaces: list[frozenset[str]] = []
            shop.watch.on_spaces = spaces.append
            other = f"{UUID[:-1]}0:7:8"
            reader, writer = await shop.look(f"hear {other}\n".encode())
            await line(reader)
            await until(lambda: shop.watch.listeners)
            shop.watch.heard(Heard(TagKey.from_text(other), -66, -59, shop.host.mono_s))
            shop.watch.heard(heard(1.0, shop.host.mono_s))
            assert await line(reader) == Frame(-66, -59)
            writer.close()
            await until(lambda: not shop.watch.listeners)
            assert [other.split(":")[0] in one for one in spaces] == [True, False], "listened for meanwhile"

    asyncio.run(play())


@pytest.mark.parametrize(
    "said", [b"\xff\n", b"hear x\n", b"set x\n", b"x" * (LINE_MAX + 1), b"say " + WHOM.encode() + b"\n"]
)
def test_who_says_anything_else_is_sent_away(said: bytes, folder: Path) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            reader, writer = await shop.look(said)
            await line(reader)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            await until(lambda: not shop.window.sessions)

    asyncio.run(play())


def test_one_looker_too_many_is_sent_away_and_moves_nobody(folder: Path) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            there = [await shop.look() for _ in range(LISTENERS_MAX)]
            for reader, _ in there:
                await line(reader)
            reader, writer = await shop.look()
            assert await asyncio.wait_for(reader.read(), 5) == b""
            assert len(shop.window.sessions) == LISTENERS_MAX
            for _, one in (*there, (reader, writer)):
                one.close()

    asyncio.run(play())


def test_a_shop_with_as_many_tags_as_there_may_be_has_a_table_too(folder: Path) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            tags = [Tag(f"{'n' * 58}{number:05}", key(number), zone="shop") for number in range(TAGS_MAX)]
            shop.watch.use_tags(tags)
            shop.stand(3, t7=1.0)
            config = parse(f'[engine]\nsocket = "{folder}/engine.sock"', "x", ())
            async with contextlib.aclosing(commands_beacons._looked_at(config, None)) as said:
                table = await anext(said)
            assert isinstance(table, Table)
            assert len(table.rows) == TAGS_MAX

    asyncio.run(play())
    rows = [Row(f"t{number}", "", WHOM, "", 0.0, 0, -1.0, 0) for number in range(100)]
    few = commands_beacons.drawn(Table(rows, "no adapter"), 20)
    assert (few.row_count, few.caption) == (20, "no adapter; 80 more")


def test_the_table_in_a_terminal_says_who_is_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            shop.stand(5, t1=1.0)
            arguments = ["beacons", "--seconds", "0.01", "--set", f"engine.socket={folder}/engine.sock"]
            assert await asyncio.to_thread(main, arguments) == 0

    asyncio.run(play())
    shown = capsys.readouterr().out
    assert "anna" in shown
    assert "never" in shown


def test_calibration_over_a_running_box_prints_the_line_for_the_settings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play() -> None:
        async with Shown(folder, ALL) as shop:
            arguments = ["beacons", "--calibrate", WHOM, "--seconds", "0.6", "--set", ALL]
            arguments += ["--set", f"engine.socket={folder}/engine.sock"]
            done = asyncio.create_task(asyncio.to_thread(main, arguments))
            await until(lambda: shop.watch.listeners)
            while not done.done():
                shop.host.mono_s += 0.1
                shop.watch.heard(Heard(key(1), -64, -59, shop.host.mono_s))
                await asyncio.sleep(0.005)
            assert await done == 0

    asyncio.run(play())
    said = capsys.readouterr()
    assert said.out.strip() == (
        f'{{ name = "anna", beacon = "{WHOM}", role = "staff", cashier = "07", offset_db = -5 }},'
    )
    assert "one metre" in said.err
    (tag,) = of_settings(parse(f"[beacons]\ntags = [{said.out.strip()}]\n", "x").beacons.tags)
    assert tag.offset_db == -5


def test_without_a_box_it_listens_by_itself_and_says_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder}/nobody")
    flags = ["--set", f"engine.socket={folder}/engine.sock", "--set", ALL]
    assert main(["beacons", "--seconds", "0.01", *flags]) == 0
    said = capsys.readouterr()
    assert "listening by itself" in said.err
    assert "anna" in said.out
    assert main(["beacons", "--calibrate", WHOM, "--seconds", "0.01", *flags]) == 1
    assert "was not heard" in capsys.readouterr().err


def test_what_is_no_tag_can_not_be_calibrated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["beacons", "--calibrate", "x"])
    assert "is no beacon" in capsys.readouterr().err


def test_calibration_is_not_good_enough_with_few_frames_or_a_signal_that_swings() -> None:
    def of(*rssi: int, power: int = -59) -> str:
        calibration = Calibration(key())
        for one in rssi:
            calibration.heard(Heard(key(), one, power, 0.0))
            calibration.heard(Heard(key(2), -20, power, 0.0))
        return calibration.found().fault

    assert "not heard" in of()
    assert "times only" in of(*[-60] * (SAMPLES_MIN - 1))
    assert "swings" in of(*[-60, -60 - 2 * SPREAD_MAX_DB] * SAMPLES_MIN)
    assert "a power that is none" in of(*[-60] * SAMPLES_MIN, power=-60 + OFFSET_MAX_DB + 1)
    assert of(*[-60] * SAMPLES_MIN) == ""


def test_the_line_of_a_tag_that_is_not_known_wants_a_name() -> None:
    assert toml_line(key(), 3) == f'{{ name = "NAME", beacon = "{key()}", offset_db = 3 }},'
    member = Tag("li", key(), Role.MEMBER, member="ab" * 16)
    assert 'member = "abab' in toml_line(key(), 0, member)


def test_a_table_is_drawn_with_what_the_radio_waits_for() -> None:
    row = Row("anna", "staff", WHOM, "till", 1.2, -61, 3.0, 2900)
    drawn = commands_beacons.drawn(Table([row, row._replace(ago_s=99.0)], "no adapter"))
    assert drawn.caption == "no adapter"
    assert [str(cell) for column in drawn.columns[:5] for cell in column.cells][-2:] == ["-61", ""]
    assert commands_beacons.drawn(Table([])).caption == "no tags are listed: [beacons] tags, or tags.set"
