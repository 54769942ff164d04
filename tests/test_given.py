"""Secrets that systemd gives: the service reads its own copies, a box without some starts, nothing laxer gets in."""

import os
import struct
from pathlib import Path

import pytest

from edgebox import given
from edgebox.errors import ConfigError, SyncError
from edgebox.keys import load_keys
from edgebox.own_secret import FILE, own_secret
from hw_sim import cloud_keys
from sync import credentials

NOW = 1_795_000_000
NOBODY = (1 << 32) - 1


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the service is given; its files in /etc can't be read by it, so they need not be there."""
    folder = tmp_path / "credentials" / "edgebox.service"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def give(path: Path, raw: bytes) -> Path:
    """As systemd writes a copy where there are no access lists."""
    path.write_bytes(raw)
    path.chmod(0o400)
    return path


def list_of(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def systemds(user: int, group: int = 0, other: int = 0) -> bytes:
    return list_of((1, 4, NOBODY), (2, 4, user), (4, group, NOBODY), (16, 4, NOBODY), (32, other, NOBODY))


def admit(path: Path, entries: bytes) -> None:
    """As systemd writes a copy where there are access lists."""
    try:
        os.setxattr(path, "system.posix_acl_access", entries)
    except OSError:
        pytest.skip("this file system has no access lists")


def keys(path: Path) -> bytes:
    cloud_keys.provision(path / "cloud", path / "made.toml", store=4711, device=12, now=NOW)
    return (path / "made.toml").read_bytes()


def test_claim_keys_that_belong_to_root_in_etc_are_read_from_the_services_copy(copies: Path, tmp_path: Path) -> None:
    give(copies / "keys.toml", keys(tmp_path))
    assert load_keys(given.ETC / "keys.toml").device == 12


def test_keys_that_the_fleet_has_sent_since_go_before_the_copy(copies: Path, tmp_path: Path) -> None:
    give(copies / "keys.toml", b"the old ones")
    (tmp_path / "made.toml").write_bytes(keys(tmp_path))
    assert load_keys(tmp_path / "made.toml").device == 12


@pytest.mark.parametrize("blank", [b"\n", b"", b"\r\n"])
def test_a_box_without_some_secret_starts(copies: Path, tmp_path: Path, blank: bytes) -> None:
    for name in ("keys.toml", "ca.crt", "client.crt", "client.key", "password", FILE):
        give(copies / name, blank)
    with pytest.raises(ConfigError) as fault:
        load_keys(given.ETC / "keys.toml")
    assert fault.value.reason == "no_key_file"
    assert credentials.load(given.ETC / "credentials", tls=False).password is None
    assert len(own_secret(tmp_path)) == 32
    assert (tmp_path / FILE).exists(), "made, as on any first start"


def test_a_secret_of_the_boxs_own_may_be_given(copies: Path, tmp_path: Path) -> None:
    give(copies / FILE, bytes(range(32)))
    assert own_secret(tmp_path) == bytes(range(32))


def test_the_brokers_password_and_certificates_are_read_from_copies(copies: Path) -> None:
    give(copies / "password", b"a secret\n")
    assert credentials.load(given.ETC / "credentials", tls=False).password == "a secret"
    give(copies / "client.crt", b"no certificate")
    with pytest.raises(SyncError) as fault:
        credentials.load(given.ETC / "credentials", tls=True)
    assert fault.value.reason == "credentials"


def test_a_copy_that_systemd_gave_by_an_access_list_is_private(copies: Path, tmp_path: Path) -> None:
    path = give(copies / "keys.toml", keys(tmp_path))
    admit(path, systemds(os.geteuid()))
    assert path.stat().st_mode & 0o777 == 0o440, "what made it look open"
    if os.geteuid() == 0:
        assert load_keys(given.ETC / "keys.toml").device == 12


@pytest.mark.parametrize(
    "entries",
    [
        systemds(os.geteuid() + 1),
        systemds(os.geteuid(), group=4),
        list_of((1, 4, NOBODY), (2, 4, os.geteuid()), (2, 4, 4711), (4, 0, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY)),
        list_of((1, 4, NOBODY), (2, 4, os.geteuid()), (4, 0, NOBODY), (8, 4, 0), (16, 4, NOBODY), (32, 0, NOBODY)),
    ],
    ids=["another user", "the group", "a second user", "a second group"],
)
def test_a_copy_that_anybody_else_may_read_is_refused(copies: Path, tmp_path: Path, entries: bytes) -> None:
    admit(give(copies / "keys.toml", keys(tmp_path)), entries)
    with pytest.raises(ConfigError) as fault:
        load_keys(given.ETC / "keys.toml")
    assert fault.value.reason == "open_key_file"


def test_without_an_access_list_0440_means_what_it_says(copies: Path, tmp_path: Path) -> None:
    give(copies / "keys.toml", keys(tmp_path)).chmod(0o440)
    with pytest.raises(ConfigError) as fault:
        load_keys(given.ETC / "keys.toml")
    assert fault.value.reason == "open_key_file"


def test_outside_the_services_folder_no_access_list_makes_a_file_private(copies: Path, tmp_path: Path) -> None:
    path = give(tmp_path / "keys.toml", keys(tmp_path))
    admit(path, systemds(os.geteuid()))
    with pytest.raises(ConfigError) as fault:
        load_keys(path)
    assert fault.value.reason == "open_key_file"


def test_a_relative_folder_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "run/credentials")
    assert given.folder() is None
