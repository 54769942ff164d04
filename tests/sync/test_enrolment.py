"""From `edgebox setup --answers` to a box that the broker knows by its own certificate: mosquitto, TLS, a small CA."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509

from edgebox.cli import main
from edgebox.config import load
from edgebox.keys import load_keys
from edgebox.settings import SyncSettings
from hw_sim.cloud.__main__ import give_claim
from hw_sim.cloud.broker import PACKAGE, Access, Broker, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Place, Shop
from sync import own_certificate, renewal
from sync.contract import JobPhase, Reported
from sync.credentials import CERTIFICATE, CLAIM
from tests.sync.box import Box, running
from tests.sync.broker import until

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
PLACE = Place("acme", "store1", "box1")
SEAL = "c" * 43 + "="
WAIT_S = 20.0


class Fleet(NamedTuple):
    """A cloud that has given a claim to whoever sets its boxes up."""

    broker: Broker
    cloud: Cloud
    folder: Path

    def set_up(self, root: str = "root") -> SyncSettings:
        """A box out of the carton. Its data folder stands under a root of its own."""
        answers = self.folder / "box.toml"
        answers.write_text(
            'till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n[cloud]\n'
            f'url = "{self.broker.url}"\ntenant = "acme"\nstore = "store1"\nbox = "box1"\n'
            f'claim = "{self.folder / "claim"}"\n'
            f"fleet_keys = {json.dumps(list(self.cloud.signer.fleet_keys))}\n",
            "utf-8",
        )
        target = self.folder / root
        (target / "var/lib/edgebox").mkdir(parents=True)
        assert main(["setup", "--answers", str(answers), "--root", str(target)]) == 0
        return load(target / "etc/edgebox/edgebox.toml", ()).sync

    def credentials(self, settings: SyncSettings, root: str = "root") -> Path:
        return self.folder / root / settings.credentials.lstrip("/")

    @asynccontextmanager
    async def running(self, settings: SyncSettings, root: str = "root", **more: Any) -> AsyncIterator[Box]:
        """Its uplink."""
        values = {"credentials": str(self.credentials(settings, root)), "renew_days": settings.renew_days, **more}
        async with running(settings.url, self.folder / root, **values) as box:
            box.uplink.report(Reported(box="box1", seal=SEAL))
            yield box


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with (
        Broker(tmp_path / "broker", access=Access.CERTIFICATE, persistence=False) as broker,
        Cloud(tmp_path / "cloud", broker, page_port=None) as cloud,
    ):
        cloud.enroll(PLACE, Shop(1), 1)
        cloud.batch("claim-november", tmp_path / "claim")
        yield Fleet(broker, cloud, tmp_path)


def shown(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())


def test_a_box_out_of_the_carton_gets_a_certificate_of_its_own_and_sends_its_rows(fleet: Fleet) -> None:
    async def story() -> None:
        settings = fleet.set_up()
        folder = fleet.credentials(settings)
        async with fleet.running(settings) as box:
            await box.receipts(3)
            await box.marks(3)
            assert box.uplink.health()["sync"] == "ok"
            assert box.uplink.counters["connections"] == 1
        assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "client.crt", "client.key"]
        assert shown(folder).subject.rfc4514_string() == "CN=box1"
        assert fleet.cloud.enrolment is not None
        assert fleet.cloud.enrolment.seals == {"box1": SEAL}, "its claim keys can come at once"

    asyncio.run(story())


def test_claim_keys_come_to_a_box_that_had_none_without_anybody_comparing_anything(fleet: Fleet) -> None:
    """The whole process, as the service runs it: `edgebox setup`, `edgebox run`, a keymaster's `keys.add`."""
    fleet.set_up()
    root = fleet.folder / "root"
    data = root / "var/lib/edgebox"
    with tempfile.TemporaryDirectory(prefix="eb") as short:  # a socket's path has 100 letters
        own = {
            "engine.socket": f"{short}/engine.sock", "engine.scan_socket": f"{short}/scan.sock",
            "engine.group": "false", "engine.data": str(data), "sync.credentials": str(data / "credentials"),
            "claims.keys": str(data / "keys.toml"), "sync.backoff_max_s": "1",
        }  # fmt: skip
        settings = [word for name, value in own.items() for word in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "edgebox.cli", "run", "--config", str(root / "etc/edgebox/edgebox.toml")]
        with (fleet.folder / "log").open("wb") as log, subprocess.Popen([*command, *settings], stderr=log) as process:
            try:
                assert fleet.cloud.wait(lambda: fleet.cloud.fleet.reported("box1") is not None, WAIT_S)
                reply = fleet.cloud.send_keys("box1", wait_s=WAIT_S)
                assert reply is not None, (fleet.folder / "log").read_text("utf-8")
                assert (reply.state, reply.reason) == (JobPhase.SUCCEEDED, "")
            finally:
                process.terminate()
                assert process.wait(WAIT_S) == 0
    assert load_keys(data / "keys.toml").device == 1
    assert "claim.key" not in {path.name for path in (data / "credentials").iterdir()}


def test_the_stand_in_gives_a_claim_by_hand(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(folder=tmp_path / "by-hand", claim="batch-1")
    give_claim(fleet.cloud, options)
    made = tmp_path / "by-hand" / "claim"
    assert {path.name for path in made.iterdir()} == {"ca.crt", "claim.crt", "claim.key"}
    assert f'claim = "{made}"' in capsys.readouterr().out
    without = Cloud(tmp_path / "without", page_port=None)
    with without, pytest.raises(ValueError, match="--access certificate"):
        give_claim(without, options)


def test_a_claim_may_ask_and_nothing_else(fleet: Fleet, tmp_path: Path) -> None:
    async def story() -> None:
        settings = fleet.set_up()
        folder = fleet.credentials(settings)
        for old, new in zip(CLAIM, ("client.crt", "client.key"), strict=True):
            (folder / old).rename(folder / new)
        async with fleet.running(settings, renew_days=0) as box:
            await box.receipts(1)
            await until(lambda: bool(box.uplink.refused()), "the rows are refused")
            assert not fleet.cloud.ledger.events("box1", "receipts")

    asyncio.run(story())


def test_a_refused_claim_is_said_plainly_and_the_box_goes_on_asking(fleet: Fleet) -> None:
    async def story() -> None:
        assert fleet.cloud.enrolment is not None
        first = fleet.set_up("first")
        async with fleet.running(first, "first") as box:
            await until(lambda: box.uplink.is_connected)
        settings = fleet.set_up("second")
        async with fleet.running(settings, "second") as box:
            await until(lambda: box.uplink.counters["failed claim"] >= 1, "refused")
            assert "taken" in box.uplink.health()["sync"]
            assert "an operator has to let it go first" in box.uplink.health()["sync"]
            fleet.cloud.enrolment.let_go("box1")
            await until(lambda: box.uplink.is_connected, "let in, without a hand on the box")
        kinds = [(alarm.kind, alarm.words) for alarm in fleet.cloud.ledger.alarms()]
        assert ("certificate", "box1: taken") in kinds, "and the fleet hears of who tried"

    asyncio.run(story())


def test_the_next_certificate_comes_before_the_end_without_a_lost_row(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        assert fleet.cloud.enrolment is not None
        settings = fleet.set_up()
        folder = fleet.credentials(settings)
        async with fleet.running(settings) as box:
            await until(lambda: box.uplink.is_connected)
        first = shown(folder)
        ahead = first.not_valid_after_utc.timestamp() - 86_400  # a day before its end
        async with fleet.running(settings, clock=lambda: ahead, heartbeat_s=1) as box:
            await box.receipts(2)
            await until(lambda: shown(folder).serial_number != first.serial_number, "the next one")
            await until(lambda: box.uplink.is_connected and box.uplink.counters["connections"] == 2)
            await box.receipts(2, first=2)
            await box.marks(4)
            assert "sync renewal" not in box.uplink.health()
        assert own_certificate.look(folder).has_next is False
        assert len(fleet.cloud.ledger.events("box1", "receipts")) == 4

    asyncio.run(story())


def test_a_new_certificate_that_the_broker_refuses_shuts_no_box_out(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The cloud signs with an authority that its broker doesn't know: somebody's mistake, on any day."""
    monkeypatch.setattr(renewal, "TRY_EVERY_S", 0.05)

    async def story() -> None:
        from hw_sim.cloud.certificates import Authority

        assert fleet.cloud.enrolment is not None
        settings = fleet.set_up()
        folder = fleet.credentials(settings)
        async with fleet.running(settings) as box:
            await until(lambda: box.uplink.is_connected)
        first = shown(folder)
        ahead = first.not_valid_after_utc.timestamp() - 86_400
        wrong = Authority(tmp_path / "wrong")
        monkeypatch.setattr(fleet.cloud.enrolment._authority, "sign", wrong.sign)
        async with fleet.running(settings, clock=lambda: ahead, heartbeat_s=1) as box:
            await until(lambda: "another one is asked for" in box.uplink.health().get("sync renewal", ""), "given up")
            await box.receipts(1)
            await box.marks(1)
        assert shown(folder).serial_number == first.serial_number
        assert not own_certificate.look(folder).has_next

    asyncio.run(story())


def test_two_boxes_with_one_identity_are_noticed_by_both_and_no_row_of_either_is_lost(fleet: Fleet) -> None:
    """A card that was copied, certificate and all."""

    async def story() -> None:
        settings = fleet.set_up()
        async with fleet.running(settings) as first:
            await until(lambda: first.uplink.is_connected)
            shutil.copytree(fleet.credentials(settings), fleet.credentials(settings, "copy"))
            async with fleet.running(settings, "copy") as second:
                await first.receipts(2)
                await second.receipts(2)
                for box in (first, second):
                    await until(lambda box=box: bool({"sync name", "sync connection"} & set(box.uplink.health())))
                assert "another box with this box's name" in str(second.uplink.health())
            await first.marks(2)
        async with fleet.running(settings, "copy") as second:
            await second.marks(2)
        assert len(fleet.cloud.ledger.events("box1", "receipts")) == 4, "their epochs tell them apart"

    asyncio.run(story())
