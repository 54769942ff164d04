"""What several tests of sync begin with."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.fleet_keys import new_key


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An operator's own folders, a key in them, and a terminal of 80 columns."""
    for name in list(os.environ):
        if name.startswith("EDGEBOX_FLEET_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    new_key(tmp_path / "config" / "edgebox" / "keys", "owner-anna")
    return tmp_path
