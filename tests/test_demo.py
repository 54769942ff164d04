"""`make run`: the whole box on simulated hardware, as a newcomer sees it first, from the receipt to the points."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hw_sim.__main__ as demo
from hw_sim.__main__ import Show, main, streams
from hw_sim.cloud.broker import PACKAGE, find_mosquitto
from hw_sim.cloud.misbehaviour import Mode
from hw_sim.receipt_words import shop
from hw_sim.scenario import Scenario

needs_broker = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")


@needs_broker
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_three_receipts_become_points_and_a_dead_broker_loses_none(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    assert main(["--receipts", "3", "--language", language, "--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    before, outage = said.split("kill -9")
    assert re.search(r"pings the box, signed by operator-demo: succeeded after \d+ ms", before)
    assert len(re.findall(r"slip printed, cut held \d+\.\d\d ms, QR on the paper verifies", before)) == 3
    assert len(re.findall(r"cloud: has it, \d+ ms after it was recorded", before)) == 4
    assert len(re.findall(r"phone: (\d+) points \(You now have \d+ points\)", before)) == 3
    assert "a kitchen ticket earns nothing" in before
    assert outage.count("slip printed") == outage.count("phone: Kept for you") == 2
    assert len(re.findall(r"phone: (\d+) points", outage)) == 2, "collected by themselves once the broker was back"
    assert "no cut through ink, nothing ignored and nothing lost" in said
    assert "lost 0, duplicates after dedupe 0; the box has its word for all" in said
    (slips,), (collected,) = re.findall(r"slips, (\d+) points", said), re.findall(r"has collected (\d+) points", said)
    assert slips == collected
    assert re.search(r"scan: the coupon: redeemed, recorded as number 1 after \d+ ms", before)
    assert "scan: the same coupon again: refused, used" in before
    assert re.search(r"payment code on the customer's phone: the till has it after \d+ ms", before)
    assert "3 codes scanned: 1 redeemed, 1 refused, 1 for the till." in said
    assert len(list((folder / "papers").glob("*.png"))) == 8


def test_without_mosquitto_it_names_the_package_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hw_sim.scenario.find_mosquitto", lambda: None)
    assert main(["--receipts", "1", "--folder", str(tmp_path / "demo")]) == 0
    said = capsys.readouterr().out
    assert "mosquitto is not installed (sudo apt-get install mosquitto)" in said
    assert "QR on the paper verifies" in said
    assert "scan: the coupon: redeemed" in said, "a comeback coupon needs no cloud"
    assert "cloud:" not in said


@needs_broker
def test_a_receipt_that_does_not_reach_the_cloud_is_said_and_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SYNC_S", 0.3)
    monkeypatch.setattr("hw_sim.loop.ACKS_S", 0.1)
    with Scenario(tmp_path / "demo", shop("en"), "epson-tm-t20") as scenario:
        assert scenario.cloud is not None
        scenario.cloud.misbehave(Mode.REFUSE)
        show = Show(scenario, "en")
        show.receipt(next(streams("en")))
        assert show.sum_up() == 1
    said = capsys.readouterr().out
    assert "cloud: has not got it" in said
    assert "phone: Kept for you" in said
    assert "NOT all of it: 2 rows recorded, lost 2" in said


def running() -> list[str]:
    """The command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return found


@needs_broker
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_without_a_number_it_goes_on_until_it_is_told_to_end_and_leaves_nothing_running(
    tmp_path: Path, ending: signal.Signals
) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "hw_sim", "--folder", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as run:
        assert run.stdout is not None
        said = next(line for line in run.stdout if "phone:" in line)
        run.send_signal(ending)
        said += run.stdout.read()
        assert run.wait(20) == 0
    assert "lost 0, duplicates after dedupe 0; the box has its word for all" in said
    assert [words for words in running() if str(folder) in words] == []


def test_the_keys_and_the_data_of_the_demo_are_for_its_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Show, "outage", lambda _show: None)  # shown elsewhere
    folder = tmp_path / "demo"
    assert main(["--receipts", "1", "--folder", str(folder)]) == 0
    assert main(["--receipts", "1", "--folder", str(folder)]) == 0, "a second run empties what the first left"
    private = [folder / "keys.toml", folder / "data" / "edgebox.db", folder / "cloud" / "cloud.db"]
    private += [*(folder / "cloud").glob("*.key"), *(folder / "cloud").glob("*.master")]
    for path in private:
        assert path.stat().st_mode & 0o077 == 0, path
    assert len(private) > 5


def test_a_folder_with_somebodys_files_is_not_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--receipts", "1", "--folder", str(tmp_path)]) == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()
