"""A line that can't start says why, in one line, and what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--till", "tcp://127.0.0.1:0"], "--printer is missing"),
        (["--till", "carrier-pigeon:", "--printer", "tcp://127.0.0.1:9"], "carrier-pigeon"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--set", "answer_ms=soon"], "answer_ms"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--set", "window_bytes=0"], "window_bytes"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--profile", "none-such"], "none-such"),
        (["--config", "/nowhere.toml"], "/nowhere.toml"),
        (["--frobnicate"], "--frobnicate"),
        (["--till"], "needs a value"),
        (["--till", "serial:///dev/nowhere?baud=9600&flow=none", "--printer", "tcp://127.0.0.1:9"], "/dev/nowhere"),
    ],
)
def test_bad_arguments_are_said_plainly(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "edgebox.line.daemon", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_help_shows_every_flag() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "edgebox.line.daemon", "--help"], capture_output=True, text=True, timeout=10, check=True
    )
    assert all(f"--{flag}" in run.stdout for flag in ("till", "printer", "engine", "name", "config", "profile", "set"))
