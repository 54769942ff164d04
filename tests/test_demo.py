"""`make run`: the whole box on simulated hardware, as a newcomer sees it first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hw_sim.__main__ import main


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_three_receipts_are_printed_with_slips_that_verify(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    assert main(["--receipts", "3", "--language", language, "--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert len(re.findall(r"slip printed, held \d+\.\d\d ms, QR on the paper verifies", said)) == 3
    assert "a kitchen ticket earns nothing" in said
    assert "no cut through ink, nothing ignored and nothing lost" in said
    assert len(list((folder / "papers").glob("*.png"))) == 4


def test_the_keys_and_the_data_of_the_demo_are_for_its_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert main(["--receipts", "1", "--folder", str(folder)]) == 0
    assert main(["--receipts", "1", "--folder", str(folder)]) == 0, "a second run empties what the first left"
    for private in (folder / "keys.toml", folder / "data" / "edgebox.db"):
        assert private.stat().st_mode & 0o077 == 0


def test_a_folder_with_somebodys_files_is_not_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--receipts", "1", "--folder", str(tmp_path)]) == 1
    assert "thesis.txt" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()
