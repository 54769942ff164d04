"""A box's key file: written by the cloud's tool, read only if nobody else could, and never quoted."""

import json
import os
import stat
from pathlib import Path

import pytest

from edgebox.errors import ConfigError
from edgebox.keys import load_keys
from edgebox.loyalty.claims import claim_id, mint, verify
from edgebox.model import NumberScope
from hw_sim import cloud_keys

NOW = 1_795_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    cloud_keys.provision(tmp_path / "cloud", tmp_path / "box" / "keys.toml", store=4711, device=12, now=NOW)
    return tmp_path / "box" / "keys.toml"


def refusal(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        load_keys(path)
    return refused.value


def test_the_clouds_tool_writes_what_the_box_reads(file: Path, tmp_path: Path) -> None:
    keys = load_keys(file)
    assert keys == cloud_keys.keyring(cloud_keys.master(tmp_path / "cloud", 4711), 4711, 12, NOW)
    assert keys.days_left(NOW) >= 30
    url = mint(keys, claim_id(keys, "2026-11-18", NumberScope.STORE, "", "1"), 100, NOW)
    assert verify(url, keys, NOW).claim.amount_minor == 100


def test_the_master_stays_in_the_cloud_and_is_private(file: Path, tmp_path: Path) -> None:
    master = cloud_keys.master(tmp_path / "cloud", 4711)
    assert master.hex() not in file.read_text("ascii")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "cloud").iterdir()] == [0o600]
    assert stat.S_IMODE((tmp_path / "cloud").stat().st_mode) == 0o700


def test_a_second_box_shares_the_id_key_and_no_other(file: Path, tmp_path: Path) -> None:
    first = load_keys(file)
    second = cloud_keys.provision(tmp_path / "cloud", tmp_path / "2.toml", store=4711, device=13, now=NOW)
    assert first.id_key == second.id_key
    assert {epoch.key for epoch in first.epochs}.isdisjoint(epoch.key for epoch in second.epochs)


def test_renewed_keys_go_on_where_the_old_ones_end(file: Path, tmp_path: Path) -> None:
    later = cloud_keys.provision(tmp_path / "cloud", file, store=4711, device=12, now=NOW + 20 * 86400)
    old = cloud_keys.keyring(cloud_keys.master(tmp_path / "cloud", 4711), 4711, 12, NOW)
    assert set(old.epochs) & set(later.epochs)
    assert load_keys(file) == later


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    refused = refusal(file)
    assert refused.reason == "open_key_file"
    assert "chmod 600" in refused.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(file, 65534, 65534)
    assert refusal(file).reason == "open_key_file"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml").reason == "no_key_file"
    assert refusal(tmp_path).reason == "no_key_file"


def test_json_will_do(file: Path, tmp_path: Path) -> None:
    import tomllib

    table = tomllib.loads(file.read_text("ascii"))
    path = tmp_path / "keys.json"
    cloud_keys.write_private(path, json.dumps(table, default=lambda moment: moment.isoformat()))
    assert load_keys(path) == load_keys(file)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("store = 4711", "store = 16777216", "store: expected"),
        ("store = 4711", "shop = 4711", "shop: no such key"),
        ("device = 12", "device = -1", "device: expected"),
        ("device = 12", "device = true", "device: expected"),
        ("version = 1", "version = 2", "version: expected 1"),
        ("HTTPS://M.EXAMPLE.CN/C/", "https://m.example.cn/c/", "prefix: expected"),
        ("HTTPS://M.EXAMPLE.CN/C/", "HTTPS://M.EXAMPLE.CN/" + "C" * 20 + "/", "prefix: expected"),
        ("HTTPS://M.EXAMPLE.CN/C/", "HTTPS://M.EXAMPLE.CN/C", "prefix: expected"),
        ('id_key = "', 'id_key = "00', "id_key: expected 64 hex digits"),
        ('\nkey = "', '\nkey = "zz', "key: expected 64 hex digits"),
        ("until = ", "until = 2020-01-01T00:00:00Z #", "rising"),
        ("until = ", "until = 2030-01-01T00:00:00 #", "until: expected a time with its zone"),
        ("index = 2967", "index = 9999", "rising"),
        ("[[epoch]]", "[[epoch]]\nextra = 1", "extra: no such key"),
        ("[[epoch]]", "[[epok]]", "at least one"),
        ("version = 1", "version = ", "no TOML"),
    ],
)
def test_a_fault_is_named_and_no_secret_is(file: Path, old: str, new: str, word: str) -> None:
    text = file.read_text("ascii")
    assert old in text
    cloud_keys.write_private(file, text.replace(old, new))
    refused = refusal(file)
    assert refused.reason == "bad_key_file"
    assert word in str(refused)
    assert str(file) in str(refused)
    secrets = [line.split('"')[1] for line in text.splitlines() if "key = " in line]
    assert len(secrets) > 5
    assert not any(secret[:16] in str(refused) for secret in secrets)


def test_several_faults_are_told_at_once(file: Path) -> None:
    text = file.read_text("ascii").replace("version = 1", "version = 9").replace("device = 12", 'device = "x"')
    cloud_keys.write_private(file, text)
    assert str(refusal(file)).count("expected") == 2


def test_the_command_line_makes_keys_and_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--cloud", str(tmp_path / "cloud"), "--store", "1", "-o", str(tmp_path / "keys.toml")]
    assert cloud_keys.main([*common, "--device", "2"]) == 0
    assert load_keys(tmp_path / "keys.toml").device == 2
    assert cloud_keys.main([*common, "--device", "70000"]) == 2
    assert cloud_keys.main([*common, "--device", "2", "--prefix", "http://x/"]) == 2
    assert "can't stand before a token" in capsys.readouterr().err
