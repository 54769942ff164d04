"""A few MB of the seeded fuzzer, and a few seconds of the coverage-guided one, at fixed seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.streams import Streams

ROOT = Path(__file__).parents[2]
TARGETS = 8


def test_hostile_megabytes_pass_without_crash_loss_or_growth() -> None:
    told: list[str] = []
    run = fuzz(1.2, 2026, told.append)
    assert run.counts["inserted"] > 20, told  # or it would have proven nothing about slips
    assert run.counts["late"] > 5, told


def test_a_seed_gives_the_same_streams() -> None:
    once, again, other = (Streams(seed) for seed in (1, 1, 2))
    assert [once.next() for _ in range(5)] == [again.next() for _ in range(5)] != [other.next() for _ in range(5)]


def test_coverage_guided_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """Every target, a fixed number of runs."""
    pytest.importorskip("atheris", reason="atheris has wheels for x86-64 and Python 3.11 only")
    command = [sys.executable, "-m", "tests.fuzz.atheris_targets", "all", "--runs", "300", "--found", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.count("nothing found") == TARGETS, done.stdout + done.stderr[-3000:]
