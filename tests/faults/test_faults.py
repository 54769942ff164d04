"""A handful of each fault in the suite; `make faults` tries all."""

import importlib
import tempfile
from pathlib import Path

import pytest

from tests.faults import MODULES, Scale, broker
from tests.faults.small_disk import why_not
from tests.store.conftest import tmp_path as tmp_path  # in memory


@pytest.mark.parametrize("module", [name for name in MODULES if name != "full_disk"])
def test_nothing_accepted_is_lost_and_nothing_refused_goes_unsaid(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if "broker" in module and broker.why_not():
        pytest.skip(broker.why_not())
    for row in importlib.import_module(f"tests.faults.{module}").rows(Scale(share=0.02)):
        assert row.holds, row


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_nothing_accepted_is_lost_on_a_full_disk() -> None:
    rows = list(importlib.import_module("tests.faults.full_disk").rows(Scale(share=0.02)))
    assert len(rows) >= 10
    for row in rows:
        assert row.holds, row
