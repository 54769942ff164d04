"""A box in a dead one's place: its desk opens when it knows what was redeemed, or when a person answers for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgebox import commands_setup
from edgebox.appliance import recovery, replacing
from edgebox.appliance.identity import Identity, keep, kept
from edgebox.cli import main
from edgebox.desk import handover
from edgebox.desk.answers import Answer
from edgebox.desk.codes import Scan
from edgebox.engine import Engine
from edgebox.errors import ConfigError, SyncError
from edgebox.own_secret import own_secret
from edgebox.store import redemptions
from edgebox.store.backup import backup, restore
from edgebox.store.events import AuditRecord, Stream
from edgebox.store.peek import peek
from edgebox.store.places import span, unpack
from edgebox.store.store import Store
from hw_sim.cloud.ledger import Ledger
from hw_sim.cloud.registry import Box, Place, Registry
from hw_sim.cloud.registry import Shop as CloudShop
from hw_sim.cloud.taken_over import USES, uses
from sync.contract import Answer as Reply
from sync.contract import Ask, Batch, Row
from tests.desk.shop import FakeLine, coupon_on_paper, shop

CARD = Identity(vendor=0x04B8, product=0x0202, serial="J1")
AT_MS = 1_795_000_000_000


class Head:
    """The cloud's ledger and its answer, without a broker. `fails`: how many questions it doesn't answer."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "cloud.db")
        self.box: Box = Registry(folder).enroll(Place("acme", "store1", "box1"), CloudShop(1), 1)
        self.is_connected = True
        self.fails = 0
        self.asked = 0

    def hears(self, data: Path) -> None:
        """All that a box has in its journal of redemptions."""
        low, high = span(Stream.REDEMPTIONS, 0)[0], span(Stream.REDEMPTIONS, 9)[1]
        with closing(peek(data)) as live, self.ledger.commit():
            names = dict(live.execute("SELECT epoch, name FROM epochs").fetchall())
            for place, body in live.execute("SELECT place, body FROM journal WHERE place BETWEEN ? AND ?", (low, high)):
                _, ordinal, seq = unpack(place)
                row = Row(seq=seq, event=msgspec.Raw(body))
                self.ledger.take(Batch(box="box1", epoch=names[ordinal], stream="redemptions", rows=(row,)), 0)

    async def ask(self, what: str, args: Any, name: str, timeout_s: float) -> Reply:
        assert what == USES
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise SyncError("the cloud does not answer", reason="no_answer")
        return uses(self.ledger, self.box, Ask(id=name, what=what, args=args))


class Story:
    """A shop whose box dies behind its backup: three coupons on paper, one used before, one behind the backup."""

    def __init__(self, folder: Path) -> None:
        self.dead, self.new = folder / "dead", folder / "new"
        self.file = folder / "stick" / "box.db"
        self.head = Head(folder / "head")
        for path in (self.dead, self.new, self.file.parent):
            path.mkdir(parents=True)

    async def lives_and_dies(self) -> list[str]:
        """The codes: used before the backup, used behind it, never used."""
        async with shop(self.dead) as engine:
            line = await FakeLine.connect(engine)
            codes = [(await coupon_on_paper(engine, line, number))[0] for number in (1, 2, 3)]
            assert (await engine.desk.redeem(Scan(codes[0]))).answer is Answer.REDEEMED
            await asyncio.to_thread(backup, self.dead / "data", self.file, AT_MS)
            second = await engine.desk.redeem(Scan(codes[1]))
            assert (second.answer, second.number) == (Answer.REDEEMED, 2)
        self.head.hears(self.dead / "data")
        return codes

    def takes_over(self) -> None:
        """As `edgebox setup --replace`: keys by hand here, from the recovery code in tests of their own."""
        (self.new / "data").mkdir()
        restore(self.new / "data", self.file, AT_MS)
        (self.new / "data" / "own.key").write_bytes(own_secret(self.dead / "data"))
        (self.new / "data" / "own.key").chmod(0o600)


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.setattr(handover, "AGAIN_S", 0.0)
    return Story(tmp_path)


async def looked(engine: Engine, done: Callable[[], bool]) -> None:
    for _ in range(50):
        await engine.desk.look()
        await asyncio.sleep(0.005)
        if done():
            return
    raise AssertionError(f"it never came to be: {engine.desk.handover and engine.desk.handover.why}")


async def answers(engine: Engine, codes: list[str]) -> list[Answer]:
    return [(await engine.desk.redeem(Scan(code))).answer for code in codes]


def audit(folder: Path) -> list[tuple[str, str, str]]:
    with closing(peek(folder / "data")) as database:
        bodies = database.execute(
            "SELECT body FROM journal WHERE instr(CAST(body AS TEXT), 'desk opened') ORDER BY place"
        )
        found = [msgspec.json.decode(body, type=AuditRecord) for (body,) in bodies]
    return [(one.who, one.after, one.reason) for one in found]


def test_no_coupon_is_taken_twice_behind_a_replacement_and_the_shop_prints_on(story: Story) -> None:
    async def play() -> None:
        codes = await story.lives_and_dies()
        story.takes_over()
        async with shop(story.new) as engine:
            line = await FakeLine.connect(engine)
            assert await answers(engine, codes) == [Answer.OFFLINE] * 3, "closed: nobody knows yet"
            await coupon_on_paper(engine, line, 4)  # a receipt with its slips
            assert engine.desk.handover is not None
            engine.desk.use_cloud(story.head)
            await looked(engine, lambda: not engine.desk.handover.is_closed)  # type: ignore[union-attr]
            assert await answers(engine, codes) == [Answer.USED, Answer.USED, Answer.REDEEMED]
            number = await engine.store.read(redemptions.last_number)  # type: ignore[union-attr]
            assert number == 3, "the dead box gave 2 out: no number comes twice"

    asyncio.run(play())
    assert audit(story.new) == [("cloud", "1 uses since the backup", "")]


def test_without_a_cloud_the_desk_waits_for_a_person_and_that_is_written_down(story: Story) -> None:
    async def play() -> None:
        codes = await story.lives_and_dies()
        story.takes_over()
        for _ in range(2):  # a restart opens nothing
            async with shop(story.new) as engine:
                await engine.desk.look()
                assert await answers(engine, codes[2:]) == [Answer.OFFLINE]
        async with shop(story.new) as engine:
            assert engine.desk.handover is not None
            assert await engine.desk.handover.open_by_hand("manager")
            assert not await engine.desk.handover.open_by_hand("manager"), "once"
            assert await answers(engine, codes[2:]) == [Answer.REDEEMED]
        async with shop(story.new) as engine:
            assert engine.desk.handover is not None
            assert not engine.desk.handover.is_closed

    asyncio.run(play())
    ((who, _, reason),) = audit(story.new)
    assert (who, "taken twice" in reason) == ("manager", True)


def test_a_cloud_that_fails_in_the_middle_opens_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        codes = await story.lives_and_dies()
        story.takes_over()
        async with shop(story.new) as engine:
            story.head.fails = 2
            engine.desk.use_cloud(story.head)
            assert engine.desk.handover is not None
            await looked(engine, lambda: story.head.asked == 2)
            assert "the cloud does not say: no_answer" in engine.desk.handover.why
            assert await answers(engine, codes[2:]) == [Answer.OFFLINE]
            await looked(engine, lambda: not engine.desk.handover.is_closed)  # type: ignore[union-attr]

    asyncio.run(play())


def test_a_backup_that_comes_back_to_its_own_box_closes_nothing(story: Story) -> None:
    """The old database opens: what was redeemed since is read from it."""

    async def play() -> None:
        codes = await story.lives_and_dies()
        restore(story.dead / "data", story.file, AT_MS)
        async with shop(story.dead) as engine:
            assert await answers(engine, codes) == [Answer.USED, Answer.USED, Answer.REDEEMED]

    asyncio.run(play())


def test_a_shop_that_never_had_a_coupon_is_not_asked_about_any(story: Story) -> None:
    async def play() -> None:
        Store.open(story.dead / "data").close_now()
        backup(story.dead / "data", story.file, AT_MS)
        restore(story.new / "data", story.file, AT_MS)
        async with shop(story.new, "desk.coupon_keys=[]") as engine:
            assert engine.desk.handover is not None
            assert not engine.desk.handover.is_closed

    asyncio.run(play())
    assert audit(story.new)[0][0] == "edgebox"


def test_a_backup_from_before_the_first_coupon_opens_no_desk_that_has_a_cloud_to_ask(story: Story) -> None:
    """Made when the box was installed. The keys of the shop's coupons come from the cloud, an hour behind the start."""
    cloud = ("sync.url=mqtt://127.0.0.1:1", "sync.tenant=acme", "sync.store=store1", "sync.box=box1")

    async def play() -> None:
        Store.open(story.dead / "data").close_now()
        backup(story.dead / "data", story.file, AT_MS)
        restore(story.new / "data", story.file, AT_MS)
        async with shop(story.new, "desk.coupon_keys=[]", *cloud) as engine:
            assert engine.desk.handover is not None
            assert engine.desk.handover.is_closed
            engine.desk.use_cloud(story.head)
            await looked(engine, lambda: not engine.desk.handover.is_closed)  # type: ignore[union-attr]

    asyncio.run(play())
    assert audit(story.new)[0][0] == "cloud"


def test_a_restored_card_is_the_same_printer_to_its_till(tmp_path: Path) -> None:
    config = put_together(tmp_path)
    backup(tmp_path / "dead", tmp_path / "box.db", AT_MS)
    for path in (tmp_path / "dead").iterdir():  # another card
        path.unlink()
    assert main(["restore", str(tmp_path / "box.db"), "--config", str(config)]) == 0
    assert kept(tmp_path / "dead") == CARD


def test_many_uses_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hw_sim.cloud import taken_over

    monkeypatch.setattr(taken_over, "PAGE", 1)

    async def play() -> None:
        story = Story(tmp_path)
        codes = await story.lives_and_dies()
        with closing(sqlite3.connect(story.dead / "data" / "edgebox.db")) as database:
            assert database.execute("SELECT count(*) FROM redemptions WHERE state = 'redeemed'").fetchone() == (2,)
        Store.open(story.new / "data").close_now()  # a box that knows nothing at all
        with closing(sqlite3.connect(story.new / "data" / "edgebox.db")) as database, database:
            redemptions.put_unknown(database)
        async with shop(story.new) as engine:
            engine.desk.use_cloud(story.head)
            await looked(engine, lambda: not engine.desk.handover.is_closed)  # type: ignore[union-attr]
            assert story.head.asked == 2
        assert codes

    asyncio.run(play())


_Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["uses", "next", "code"]), inner),
)


@settings(deadline=None, max_examples=40)  # a loop or a cipher each; a loaded machine's are slow
@given(result=st.dictionaries(st.sampled_from(["uses", "next", "more"]), _Json, max_size=3))
@example(result={})
@example(result={"uses": []})
@example(result={"uses": [], "next": 0})
def test_no_answer_that_cannot_be_read_opens_a_desk(result: dict[str, Any]) -> None:
    class Odd:
        is_connected = True

        async def ask(self, what: str, args: Any, name: str, timeout_s: float) -> Reply:
            return Reply(id=name, ok=True, result=result)

    class Nowhere:
        """A store that keeps what it is told."""

        told = 0
        is_open = False

        async def read(self, what: Any) -> Any:
            return redemptions.Unknown() if what is redemptions.unknown else {}

        async def change(self, what: Any) -> None:
            self.is_open = self.is_open or what is redemptions.put_known

        async def record(self, *events: Any) -> None:
            self.told += 1

    async def nothing() -> None:
        """There is no counter."""

    async def play() -> None:
        store = Nowhere()
        desk = handover.Handover(store, lambda: 1, lambda: 1.0, lambda *_: None, nothing)  # type: ignore[arg-type]
        await desk.open(alone=True)
        await desk.look(Odd())
        assert desk.is_closed != store.is_open
        if not desk.is_closed:
            told = result["uses"]
            assert result["next"] == 0, "the cloud itself says that these were the last"
            assert isinstance(told, list)
            assert all(set(one) >= {"code", "at", "number"} for one in told)

    asyncio.run(play())


# --- edgebox setup --replace -----------------------------------------------------------------------------------


def put_together(folder: Path) -> Path:
    """A box's backup with its keys and its USB identity in it."""
    data = folder / "dead"
    Store.open(data).close_now()
    own_secret(data)
    keep(data, CARD)
    config = folder / "edgebox.toml"
    keys = folder / "keys.toml"
    keys.write_text("the claim keys")
    config.write_text(f'[engine]\ndata = "{data}"\n[claims]\nkeys = "{keys}"\n')
    return config


def code_of(said: str) -> str:
    return next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("recovery code: "))


def test_one_file_and_a_code_on_paper_make_the_new_box_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, stick = put_together(tmp_path), tmp_path / "box.db"
    assert main(["backup", str(stick), "--config", str(config), "--with-keys"]) == 0
    code = code_of(capsys.readouterr().out)
    assert own_secret(tmp_path / "dead").hex() not in stick.read_bytes().hex(), "a stick lies about"
    said = replacing.take_over(stick, tmp_path / "new", lambda: code.lower().replace("-", " "))
    data = tmp_path / "new/var/lib/edgebox"
    assert kept(data) == CARD
    assert own_secret(data) == own_secret(tmp_path / "dead")
    assert (tmp_path / "new/etc/edgebox/keys.toml").read_text() == "the claim keys"
    assert (tmp_path / "new/etc/edgebox/keys.toml").stat().st_mode & 0o777 == 0o600
    assert any("desk is closed" in words for words in said)


def test_the_keys_that_a_box_had_before_are_kept_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The wrong stick, in a shop that is open: its own coupons are on people's fridges."""
    config, stick, data = put_together(tmp_path), tmp_path / "box.db", tmp_path / "new/var/lib/edgebox"
    assert main(["backup", str(stick), "--config", str(config), "--with-keys"]) == 0
    code = code_of(capsys.readouterr().out)
    data.mkdir(parents=True, mode=0o700)
    before = own_secret(data)
    for _ in range(2):  # begun anew, it keeps the first
        replacing.take_over(stick, tmp_path / "new", lambda: code)
    assert (data / "own.key.before").read_bytes() == before
    assert (data / "own.key.before").stat().st_mode & 0o777 == 0o600


def test_a_wrong_code_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, stick = put_together(tmp_path), tmp_path / "box.db"
    assert main(["backup", str(stick), "--config", str(config), "--with-keys"]) == 0
    with pytest.raises(ConfigError) as fault:
        replacing.take_over(stick, tmp_path / "new", recovery.new_code)
    assert fault.value.reason == "recovery_code"
    data = tmp_path / "new/var/lib/edgebox"
    assert list(data.iterdir()) == []
    said = replacing.take_over(stick, tmp_path / "new", None)
    assert any("not known to this one" in words for words in said)
    assert kept(data) == CARD, "the identity is no secret"


def test_the_dead_boxs_identity_goes_before_one_that_the_new_box_made(tmp_path: Path) -> None:
    put_together(tmp_path)
    backup(tmp_path / "dead", tmp_path / "box.db", AT_MS)
    data = tmp_path / "new/var/lib/edgebox"
    own = Identity(vendor=0x1D6B, product=0x0104, serial="EB00")
    keep(data, own)
    replacing.take_over(tmp_path / "box.db", tmp_path / "new", None)
    assert kept(data) == CARD
    assert (data / "gadget.json.before").exists()


def test_the_installer_may_answer_for_the_desk_by_name(tmp_path: Path) -> None:
    put_together(tmp_path)
    backup(tmp_path / "dead", tmp_path / "box.db", AT_MS)
    answers_file = tmp_path / "answers.toml"
    answers_file.write_text('till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n')
    root = tmp_path / "root"
    arguments = ["setup", "--answers", str(answers_file), "--root", str(root), "--replace", str(tmp_path / "box.db")]
    assert main([*arguments, "--open-desk", "Ms Li"]) == 0

    async def play() -> None:
        (tmp_path / "shop").mkdir()
        (root / "var/lib/edgebox").rename(tmp_path / "shop/data")
        async with shop(tmp_path / "shop") as engine:
            assert engine.desk.handover is not None
            assert not engine.desk.handover.is_closed

    asyncio.run(play())
    ((who, _, reason),) = audit(tmp_path / "shop")
    assert (who, "by hand" in reason) == ("Ms Li", True)


@settings(deadline=None, max_examples=40)  # a loop or a cipher each; a loaded machine's are slow
@given(code=st.text(max_size=40), raw=st.binary(max_size=60))
def test_nothing_but_the_code_opens_secrets(code: str, raw: bytes) -> None:
    for closed in (raw, recovery.closed({"own.key": b"k" * 32}, recovery.new_code())):
        with pytest.raises(ConfigError):
            recovery.opened(closed, code)


def test_the_commands_know_each_other() -> None:
    """The hint of a lost code names an option that there is."""
    import argparse

    parser = argparse.ArgumentParser(prog="edgebox setup")
    commands_setup.add_arguments(parser)
    assert parser.parse_args(["--without-keys"]).without_keys
