"""Settings that were changed from afar: laid over the file, tried, and taken back when the box is not well."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebox import config, overlay
from edgebox.errors import ConfigError
from edgebox.overlay import Layers, Overlay, Trial

NEW = Layers(revision=2, cloud={"points.spend_per_point": 1800})
TRIAL = Trial(lines=("line1",), cloud=True, job="c1", of_bundle=True)


def loaded(folder: Path, *flags: str) -> config.Config:
    return config.load(None, [f"engine.data={folder}", *flags])


def test_the_file_lies_lowest_then_page_cloud_box_and_flags(tmp_path: Path) -> None:
    layers = Layers(
        page={"shop.name": "page", "shop.tz": "Asia/Tokyo", "claims.keys": "page"},
        cloud={"shop.tz": "Asia/Seoul", "claims.keys": "cloud", "slip.max_bytes": 9000},
        box={"claims.keys": "box"},
    )
    overlay.write(tmp_path, Overlay(layers=layers))
    found = loaded(tmp_path, "slip.max_bytes=5000")
    assert (found.shop.name, found.shop.tz, found.claims.keys) == ("page", "Asia/Seoul", "box")
    assert (found.slip.max_bytes, found.shop.currency) == (5000, "CNY")
    assert layers.owners() == {
        "shop.name": "page", "shop.tz": "cloud", "claims.keys": "box", "slip.max_bytes": "cloud",
    }  # fmt: skip


def test_the_file_is_the_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    overlay.write(tmp_path, Overlay(layers=NEW))
    overlay.write(tmp_path, Overlay(layers=NEW))
    assert os.listdir(tmp_path) == [overlay.FILE]
    assert stat.S_IMODE((tmp_path / overlay.FILE).stat().st_mode) == 0o600
    assert overlay.read(tmp_path).layers == NEW


def test_a_power_cut_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay.write(tmp_path, Overlay(layers=NEW))

    def cut(*_: Any) -> None:
        raise OSError(5, "power")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", cut)
        with pytest.raises(OSError, match="power"):
            overlay.write(tmp_path, Overlay(layers=Layers(revision=3)))
    assert overlay.read(tmp_path).layers == NEW
    (tmp_path / f".{overlay.FILE}.new").write_bytes(b"half")
    overlay.write(tmp_path, Overlay(layers=Layers(revision=3)))
    assert overlay.read(tmp_path).layers.revision == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_changed_byte_changes_a_setting(tmp_path: Path, data: st.DataObject) -> None:
    overlay.write(tmp_path, Overlay(layers=NEW))
    raw = bytearray((tmp_path / overlay.FILE).read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / overlay.FILE).write_bytes(raw)
    with pytest.raises(ConfigError):
        overlay.read(tmp_path)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[" * 100_000, b"\xff", b"x" * (2 << 20)])
def test_an_overlay_that_cannot_be_read_means_no_slips_and_a_box_that_runs(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / overlay.FILE).write_bytes(raw)
    found = loaded(tmp_path)
    assert found.claims.keys == ""
    assert found.shop == config.Config().shop


def test_an_overlay_of_another_version_means_no_slips_either(tmp_path: Path) -> None:
    overlay.write(tmp_path, Overlay(layers=Layers(cloud={"points.new_in_2030": 1})))
    assert loaded(tmp_path).claims.keys == ""


def test_a_trial_that_kills_the_engine_is_over_at_the_second_start(tmp_path: Path) -> None:
    old = Overlay(layers=Layers(revision=1, cloud={"points.spend_per_point": 500}))
    overlay.write(tmp_path, overlay.begun(old, NEW, TRIAL))
    assert overlay.start(tmp_path).layers.revision == 2
    assert loaded(tmp_path).points.spend_per_point == 1800
    second = overlay.start(tmp_path)
    assert second.layers == old.layers
    assert loaded(tmp_path).points.spend_per_point == 500
    assert second.undone is not None
    assert (second.undone.revision, second.undone.job, second.undone.of_bundle) == (2, "c1", True)
    assert overlay.start(tmp_path) == second
    assert overlay.reported(second).undone is None


def test_a_trial_that_was_confirmed_stays() -> None:
    tried = overlay.started(overlay.begun(Overlay(), NEW, TRIAL))
    assert tried.trial is not None
    assert tried.trial.starts == 1
    good = overlay.confirmed(tried)
    assert (good.layers, good.before, good.trial) == (NEW, Layers(), None)
    assert overlay.started(good) is good


def test_a_trial_that_failed_goes_back_with_its_reason() -> None:
    bad = overlay.undone(overlay.begun(Overlay(), NEW, TRIAL), "line1 is gone")
    assert bad.layers == Layers()
    assert bad.undone is not None
    assert bad.undone.reason == "line1 is gone"


def test_every_fault_of_an_overlay_is_told_by_key() -> None:
    laid = {
        "shop.tz": "Mars",
        "shop.decimals": 9,
        "shop.nothing": 1,
        "line.till": "x",
        "nowhere": 1,
        "slip.max_bytes": 5,
    }
    faults = config.faults_of("", "f", (), laid)
    assert set(faults) == {"shop.tz", "shop.decimals", "shop.nothing", "line.till", "nowhere"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(["shop.tz", "points.minimum", "sync.fleet_keys", "shop", "line", "log.level", "a.b"]),
)
def test_any_value_is_taken_or_told(value: Any, key: str) -> None:
    faults = config.faults_of("", "f", (), {key: value})
    if not faults:
        section, _, name = key.partition(".")
        found = getattr(getattr(config.parse("", "f", (), {key: value}), section), name)
        assert json.loads(msgspec.json.encode(found)) == json.loads(msgspec.json.encode(value))
