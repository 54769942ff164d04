"""What differs from box to box: secrets sealed to each, and the keys that each obeys."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebox.fleet import settings
from edgebox.fleet.tailored import changed
from edgebox.sealed import SealKey
from sync.contract import JobPhase
from sync.contract_commands import (
    ConfigResult,
    CouponsAddArgs,
    CouponsResult,
    PingResult,
    SealedArgs,
    SetArgs,
    SetResult,
)
from sync.fleet_keys import new_key
from sync.fleet_send import Outcome
from sync.jobs import Doing
from sync.steps import Ended
from tests.bench.light_boxes import LightBox
from tests.sync.broker import needs_mosquitto
from tests.sync.shop import run, shop

pytestmark = needs_mosquitto
KEYMASTER = "keymaster-eve"
LINE = "owner-new:" + "A" * 43 + "="


class Set:
    """A box's settings, as its config desk would answer for them."""

    def __init__(self, box: LightBox, keys: list[str], **cloud: Any) -> None:
        self.values: dict[str, Any] = {"shop.name": "from the file", **cloud, "sync.fleet_keys": keys}
        self.cloud = set(cloud)
        self.got: list[dict[str, Any]] = []
        self.revision = 7
        box.jobs.handlers |= {"config.get": self.get, "config.set": self.set}  # type: ignore[operator]

    async def get(self, doing: Doing) -> Ended:
        owners = dict.fromkeys(self.cloud, "cloud") | {"shop.name": "page"}
        return Ended(
            JobPhase.SUCCEEDED, result=ConfigResult(values=self.values, revision=self.revision, set_here=owners)
        )

    async def set(self, doing: Doing) -> Ended:
        args = doing.order.args
        assert isinstance(args, SetArgs)
        assert args.revision > self.revision
        self.got.append(msgspec.json.decode(args.content)["values"])
        result = SetResult(kind="config", revision=args.revision, in_force=True, state="in_force")
        return Ended(JobPhase.SUCCEEDED, result=result)


def test_a_key_is_added_and_nothing_else_is_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_key(settings.keys_folder(), KEYMASTER)

    async def story() -> None:
        async with shop(home, 2, keys=(KEYMASTER,)) as here:
            first = Set(here.boxes[0], ["owner-a:x"], **{"points.minimum": 500})
            second = Set(here.boxes[1], ["owner-a:x", LINE])
            flags = ("--key", KEYMASTER, "--to", "s000/b0000,s000/b0001", "--yes")
            assert await here.fleet("keys", "add", LINE, *flags) == 1
            assert first.got == [{"points.minimum": 500, "sync.fleet_keys": ["owner-a:x", LINE]}]
            assert second.got == []
            assert "s000/b0001: obeys it already" in capsys.readouterr().out
            assert await here.fleet("keys", "revoke", "owner-a", *flags) == 0
            assert second.got == [{"sync.fleet_keys": [LINE]}]

    run(story)


def test_only_a_keymaster_changes_whom_boxes_obey(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            settings_of = Set(here.boxes[0], [])
            assert await here.fleet("keys", "add", LINE, "--to", "s000/b0000", "--yes") == 2
            assert "a keymaster says, and owner-anna has owner" in capsys.readouterr().err
            new_key(settings.keys_folder(), KEYMASTER)
            assert await here.fleet("keys", "add", "nonsense", "--key", KEYMASTER, "--to", "s000/b0000", "--yes") == 2
            assert "expected NAME:BASE64" in capsys.readouterr().err
            assert settings_of.got == []

    run(story)


@pytest.mark.parametrize(
    ("action", "name", "why"),
    [
        ("add", "a:1", "obeys it already"),
        ("add", "a:2", "obeys another key of that name"),
        ("revoke", "b", "obeys no key of that name"),
    ],
)
def test_a_change_that_is_none_says_why(action: str, name: str, why: str) -> None:
    outcome = Outcome(JobPhase.SUCCEEDED, result={"values": {"sync.fleet_keys": ["a:1"]}, "set_here": {}})
    assert changed(outcome, action, name) == ({}, why)
    assert "could not be asked: no answer" in changed(Outcome(), action, name)[1]


def test_a_secret_goes_out_sealed_to_each_box_and_in_no_other_form(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_key(settings.keys_folder(), KEYMASTER)
    secret = home / "tls.json"
    secret.write_text(json.dumps({"password": "hunter2hunter2"}), "utf-8")
    opened: list[dict[str, Any]] = []
    raw: list[bytes] = []

    async def story() -> None:
        async with shop(home, 2, keys=(KEYMASTER,)) as here:
            box = here.boxes[0]
            seal = SealKey(bytes(range(32)))
            command = box.jobs.command

            async def told(message: bytes, response_topic: str | None = None, correlation: bytes | None = None) -> None:
                raw.append(message)
                await command(message, response_topic, correlation)  # type: ignore[arg-type]

            async def ping(doing: Doing) -> Ended:
                return Ended(JobPhase.SUCCEEDED, result=PingResult(seal=seal.public))

            async def tls(doing: Doing) -> Ended:
                args = doing.order.args
                assert isinstance(args, SealedArgs)
                opened.append(json.loads(seal.open(args.sealed, "tls.set", box.name)))
                return Ended(JobPhase.SUCCEEDED)

            box.jobs.command = told  # type: ignore[method-assign]
            box.jobs.handlers |= {"ping": ping, "tls.set": tls}  # type: ignore[operator]
            flags = ("--key", KEYMASTER, "--to", "s000/b0000,s000/b0001", "--yes")
            assert await here.fleet("send", "tls.set", f"@{secret}", *flags) == 0
            told_people = capsys.readouterr().out
            assert f"s000/b0000  {seal.public}" in told_people
            assert "1 boxes did not tell their sealing key" in told_people

    run(story)
    assert opened == [{"password": "hunter2hunter2"}]
    assert len(raw) == 2
    assert not any(b"hunter2" in message for message in raw)


def test_codes_for_slips_go_out_sealed_to_one_box_and_never_to_two(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gift = home / "codes.json"
    codes = [{"pool": "coupon", "code": "SECRET1", "url": "HTTPS://M.EXAMPLE.CN/K/SECRET1"}]
    coupon = {"id": "C20", "kind": "amount_off", "value": 500}
    gift.write_text(json.dumps({"codes": codes, "coupons": [coupon]}), "utf-8")
    got: list[Any] = []

    async def story() -> None:
        async with shop(home, 2) as here:
            box, seal = here.boxes[0], SealKey(bytes(range(32)))

            async def ping(doing: Doing) -> Ended:
                return Ended(JobPhase.SUCCEEDED, result=PingResult(seal=seal.public))

            async def add(doing: Doing) -> Ended:
                args = doing.order.args
                assert isinstance(args, CouponsAddArgs)
                got.append((args.coupons[0].id, json.loads(seal.open(args.codes, "coupons.add", box.name))))
                assert b"SECRET1" not in bytes(doing.order.command.args)
                return Ended(JobPhase.SUCCEEDED, result=CouponsResult(count=1, new=1))

            box.jobs.handlers |= {"ping": ping, "coupons.add": add}  # type: ignore[operator]
            assert await here.fleet("send", "coupons.add", f"@{gift}", "--to", "s000/b0000,s000/b0001", "--yes") == 2
            assert "codes are for one box" in capsys.readouterr().err
            assert await here.fleet("send", "coupons.add", f"@{gift}", "--to", "s000/b0000", "--yes") == 0

    run(story)
    assert got == [("C20", codes)]
