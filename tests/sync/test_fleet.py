"""An operator and a dozen boxes on a real broker: seen, told, asked, counted."""

import asyncio
import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from edgebox import cli
from sync.contract import Ack
from tests.bench.light_boxes import TENANT
from tests.sync.broker import needs_mosquitto, until
from tests.sync.shop import BOXES, run, shop

pytestmark = needs_mosquitto


def test_all_boxes_are_seen_and_what_troubles_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home) as here:
            here.boxes[3].health["printer line1"] = "no paper"
            here.boxes[3].uplink.beat()
            cloud = here.cloud(here.boxes[5])
            for _ in range(4):
                await here.boxes[5].print_receipt()
            here.boxes[5].uplink.beat()
            await asyncio.sleep(0.3)
            assert await here.fleet("ls", "--wait", "0") == 0
            told = capsys.readouterr().out
            assert "12 boxes: 12 online, 0 offline; 1 with trouble; 4 rows wait" in told
            assert "printer line1: no paper" in told
            assert max(len(line) for line in told.splitlines()) <= 80
            assert (
                await here.fleet("ls", "--wait", "0", "--json", "--where", "waiting.receipts > 3 or not healthy") == 0
            )
            rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [(row["box"], row["backlog"], row["troubles"]) for row in rows] == [
                ("b0003", 0, {"printer line1": "no paper"}),
                ("b0005", 4, {}),
            ]
            assert await here.fleet("show", "b0005", "--wait", "0") == 0
            told = capsys.readouterr().out
            assert "waits: receipts" in told
            assert "4 rows" in told
            cloud.close()

    run(story)


def test_a_box_that_fell_silent_stays_in_the_list_as_offline(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 3) as here:
            assert await here.fleet("ls", "--wait", "0") == 0
            await here.boxes[1].stop()
            capsys.readouterr()
            assert await here.fleet("ls", "--wait", "0", "--json") == 0
            rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [row["online"] for row in rows] == [True, False, True]
            await here.boxes[1].start()

    run(story)


def test_a_command_reaches_the_boxes_meant_and_each_answer_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        async with shop(home) as here:
            assert await here.fleet("send", "ping", "text=hello", "--to", "b0001,s000/b0002", "--json") == 0
            rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            assert [(row["box"], row["state"], row["result"]["text"]) for row in rows] == [
                ("s000/b0001", "succeeded", "hello"),
                ("s000/b0002", "succeeded", "hello"),
            ]
            assert [box.jobs.counters["succeeded"] for box in here.boxes] == [0, 1, 1, *[0] * 9]
            assert await here.fleet("send", "restart", "--where", "online", "--yes", "--wait", "0") == 1
            told = capsys.readouterr().out
            assert told.count("printing: a till is printing") == BOXES
            assert "12 failed" in told
            assert max(len(line) for line in told.splitlines()) <= 80

    run(story)


def test_many_boxes_are_told_nothing_without_a_yes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home) as here:
            assert await here.fleet("send", "ping", "--where", "online", "--wait", "0") == 2
            assert "Send ping to 12 boxes? (--yes says so)" in capsys.readouterr().err
            assert not any(box.jobs.counters["succeeded"] for box in here.boxes)

    run(story)


def test_a_box_that_the_broker_does_not_know_is_said_to_be_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            assert await here.fleet("send", "ping", "--to", "s000/b0000,s000/nobody", "--answers", "5") == 1
            told = capsys.readouterr().out
            assert "not delivered  the broker knows no such box" in told
            assert "1 succeeded" in told
            assert "1 not delivered" in told

    run(story)


def test_what_no_box_would_do_is_refused_before_it_is_signed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            wrong = {
                ("pong",): "no command pong",
                ("keys.revoke", "epochs=[1]"): "keys.revoke wants the role keymaster, and owner-anna has owner",
                ("ping", "text=3"): "Expected `str`, got `int`",
                ("ping", "txt=hello"): "unknown field `txt`",
            }
            for arguments, words in wrong.items():
                assert await here.fleet("send", *arguments, "--to", "s000/b0000") == 2
                assert words in capsys.readouterr().err
            assert here.boxes[0].jobs.counters.total() == 0

    run(story)


def test_arguments_may_stand_behind_the_options(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            assert await here.fleet("send", "ping", "--to", "s000/b0000", "text=hello", "--json") == 0
            assert json.loads(capsys.readouterr().out)["result"]["text"] == "hello"
            with pytest.raises(SystemExit, match="2"):
                await here.fleet("send", "ping", "--to", "s000/b0000", "--txt", "text=hello")
            assert "unrecognized arguments: --txt" in capsys.readouterr().err

    run(story)


def test_a_key_that_the_box_does_not_obey_is_named_as_the_likely_reason(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            assert await here.fleet("keys", "new", "operator-ben") == 0
            assert "boxes obey it with that line in [sync] fleet_keys" in capsys.readouterr().out
            assert (
                await here.fleet("send", "ping", "--to", "s000/b0000", "--key", "operator-ben", "--answers", "2") == 1
            )
            told = " ".join(capsys.readouterr().out.split())
            assert "no answer it refused a message just now: unknown_key: this box obeys no key of that name" in told

    run(story)


def test_receipts_are_told_as_they_come(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 1) as here:
            tail = asyncio.create_task(here.fleet("tail", "s000/b0000", "--count", "2", "--for", "10s"))
            await asyncio.sleep(0.5)
            await here.boxes[0].print_receipt()
            await here.boxes[0].print_receipt(unsure=True)
            assert await tail == 0
            first, second = capsys.readouterr().out.splitlines()
            assert "sale  0001  33.90 CNY  inserted  33 points" in first
            assert "sale  0002  33.90 CNY  inserted  not sure of the total" in second

    run(story)


def test_verify_names_what_the_cloud_misses_and_what_mends_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with shop(home, 2) as here:
            box = here.boxes[0]
            epoch = box.store.epoch
            cloud = here.cloud(box)
            for _ in range(5):
                await box.print_receipt()
            await until(lambda: any(b'"seq":5' in payload for _, payload, _ in cloud.others), "the receipts came")
            prefix = f"edgebox/v1/{TENANT}/s000/{box.name}"
            cloud.publish(f"{prefix}/ack", msgspec.json.encode(Ack(stream="receipts", epoch=epoch, through=4)))
            await until(lambda: box.uplink.session.lanes["receipts"].newest.acked == 4)  # type: ignore[union-attr]
            ledger = home / "ledger.jsonl"

            def export(line: dict[str, object]) -> None:  # after every word of the boxes that will be heard
                ledger.write_text(json.dumps(line) + "\n", "utf-8")
                os.utime(ledger, (time.time() + 60, time.time() + 60))

            line = {"box": box.name, "epoch": epoch, "stream": "receipts", "through": 2, "missing": []}
            box.uplink.beat()
            await asyncio.sleep(0.3)
            export(line)
            assert await here.fleet("verify", "--wait", "0", "--ledger", str(ledger)) == 1
            told = " ".join(capsys.readouterr().out.split())
            assert "the box believes that the cloud has it through 4, it has 2" in told
            assert f"fleet send resend stream=receipts epoch={epoch} first=3 last=4 --to s000/b0000" in told
            line = {"box": box.name, "epoch": epoch, "stream": "receipts", "through": 4, "missing": [[2, 3]]}
            export(line)
            assert await here.fleet("verify", "--wait", "0", "--ledger", str(ledger)) == 1
            assert "the cloud misses 2 to 3" in capsys.readouterr().out
            export({**line, "missing": []})
            assert await here.fleet("verify", "--wait", "0", "--ledger", str(ledger)) == 0
            cloud.close()

    run(story)


def test_without_a_broker_the_operator_is_told_so_at_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "ls", "--url", "mqtt://127.0.0.1:9", "--tenant", "acme"]) == 2
    assert "127.0.0.1:9: Connection refused" in capsys.readouterr().err
    assert cli.main(["fleet", "ls"]) == 2
    assert "no broker (--url, EDGEBOX_FLEET_URL, or url in" in capsys.readouterr().err
