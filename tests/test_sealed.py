"""Secrets through the broker: only the box opens them, only for their purpose, and its key is provably its own."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox import sealed
from edgebox.errors import ConfigError, OrderError
from edgebox.sealed import SealKey, is_proven, proof, seal
from hw_sim.cloud_keys import keyring
from tests.sync.fleet import b64

NOW = 1_795_000_000
KEY = SealKey(bytes(range(32)))
TEXT = b'{"id_key": "ab"}'
SEALED = seal(TEXT, KEY.public, "keys.add", "b1")


def test_the_box_opens_what_was_sealed_to_it() -> None:
    assert KEY.open(SEALED, "keys.add", "b1") == TEXT
    assert seal(TEXT, KEY.public, "keys.add", "b1") != SEALED


@pytest.mark.parametrize(("purpose", "box"), [("tls.set", "b1"), ("keys.add", "b2"), ("", "")])
def test_it_opens_for_no_other_purpose_or_box(purpose: str, box: str) -> None:
    with pytest.raises(OrderError, match="not sealed"):
        KEY.open(SEALED, purpose, box)


def test_no_other_box_opens_it() -> None:
    with pytest.raises(OrderError):
        SealKey(bytes(32)).open(SEALED, "keys.add", "b1")


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: text.encode()))
def test_any_bytes_are_refused_in_words(raw: bytes) -> None:
    for text in (b64(raw), raw.decode("latin-1"), b64(bytes(32) + raw)):
        with pytest.raises(OrderError):
            KEY.open(text, "keys.add", "b1")


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    first = SealKey.load(tmp_path)
    assert SealKey.load(tmp_path).public == first.public
    path = tmp_path / sealed.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b64(path.read_bytes()) not in repr(first)
    os.chmod(path, 0o640)
    with pytest.raises(ConfigError, match="others may read it"):
        SealKey.load(tmp_path)
    path.unlink()
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="expected 32 bytes"):
        SealKey.load(tmp_path)


def test_a_credential_of_the_system_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_key = tmp_path / "credentials" / sealed.FILE
    given_key.parent.mkdir()
    given_key.write_bytes(bytes(range(32)))
    given_key.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given_key.parent))
    assert SealKey.load(tmp_path / "data").public == KEY.public


def test_the_broker_cannot_put_its_own_key_in_the_boxs_place() -> None:
    keys = keyring(b"m" * 32, 4711, 12, NOW)
    known = {epoch.index: epoch.key for epoch in keys.epochs}
    given_proof = proof(KEY.public, "b1", keys)
    assert is_proven(KEY.public, given_proof, "b1", known)
    assert not is_proven(SealKey(bytes(32)).public, given_proof, "b1", known)
    assert not is_proven(KEY.public, given_proof, "b2", known)
    for bad in ("", "x", "9:", f"{keys.epochs[-1].index}:", "1" * 5000, "²:00", given_proof.replace(":", ":é")):
        assert not is_proven(KEY.public, bad, "b1", known)
    assert proof(KEY.public, "b1", None) == ""
