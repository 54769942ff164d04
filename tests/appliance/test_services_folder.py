"""Root writes into the folder of the services: what they have put there in its way leads no further than their rights.

A till is on a network, the engine reads what comes from there: one day somebody may be the engine's user. These tests
play that user, with links laid where root is going to write. As root; anybody else has nothing to give away.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgebox.appliance import claim, identity, replacing
from edgebox.appliance.identity import Identity
from edgebox.errors import ConfigError, StoreError
from edgebox.private_file import as_owner
from edgebox.store.backup import along, backup
from edgebox.store.sidecar import FILE as SIDECAR
from edgebox.store.sidecar import Sidecar, belong
from edgebox.store.store import Store
from hw_sim.cloud.certificates import Authority

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="as root: nobody else can give files away")
SERVICE = 65534  # any user but root


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A world that everybody may enter; pytest's own is closed to all but root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The services' folder."""
    data = tmp_path / "root/var/lib/edgebox"
    data.mkdir(parents=True, mode=0o700)
    os.chown(data, SERVICE, SERVICE)
    return data


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """A file of root's that no service may read, write or own."""
    path = tmp_path / "shadow"
    path.write_text("root:secret", "ascii")
    path.chmod(0o600)
    return path


def untouched(shadow: Path) -> None:
    facts = shadow.stat()
    assert (facts.st_uid, facts.st_mode & 0o777, shadow.read_text("ascii")) == (0, 0o600, "root:secret")


def made_claim(folder: Path) -> Path:
    Authority(folder.parent / "tls").furnish_claim("batch-1", folder, ends=datetime.now(UTC) + timedelta(days=7))
    return folder


def test_a_claim_is_written_as_the_services_user(data: Path, tmp_path: Path) -> None:
    claim.install(made_claim(tmp_path / "claim"), data / "credentials")
    found = {path.name: path.stat() for path in (data / "credentials").iterdir()}
    assert found.keys() == set(claim.FILES)
    assert {(facts.st_uid, facts.st_mode & 0o077) for facts in found.values()} == {(SERVICE, 0)}
    assert os.geteuid() == 0, "and root is root again"


def test_a_link_among_the_credentials_gives_no_file_of_roots_away(data: Path, tmp_path: Path, shadow: Path) -> None:
    (data / "credentials").mkdir()
    os.chown(data / "credentials", SERVICE, SERVICE)
    (data / "credentials/x").symlink_to(shadow)
    claim.install(made_claim(tmp_path / "claim"), data / "credentials")
    untouched(shadow)


def test_credentials_that_lead_elsewhere_are_not_followed_with_roots_rights(data: Path, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (data / "credentials").symlink_to(etc)
    with pytest.raises(ConfigError):
        claim.install(made_claim(tmp_path / "claim"), data / "credentials")
    assert list(etc.iterdir()) == []
    assert etc.stat().st_uid == 0


def test_an_identity_is_not_written_through_a_link(data: Path, shadow: Path) -> None:
    (data / f"{identity.FILE}.new").symlink_to(shadow)
    (data / f".{identity.FILE}.new").symlink_to(shadow)
    identity.keep(data, Identity(vendor=1, product=2, serial="S"))
    untouched(shadow)
    assert (data / identity.FILE).stat().st_mode & 0o777 == 0o644, "the service reads it"


@pytest.mark.parametrize("planted", ["a link", "a pipe"])
def test_nothing_holds_up_the_part_of_root_that_the_lines_wait_for(data: Path, planted: str) -> None:
    if planted == "a pipe":
        os.mkfifo(data / identity.FILE)
    else:
        (data / identity.FILE).symlink_to("/dev/zero")
    with pytest.raises(ConfigError) as fault:
        identity.kept(data)
    assert fault.value.reason == "bad_identity"


def backed_up(tmp_path: Path, data: Path) -> Path:
    Store.open(data).close_now()
    for path in data.iterdir():
        os.chown(path, SERVICE, SERVICE)
    backup(data, tmp_path / "box.db", 1)
    return tmp_path / "box.db"


def test_taking_over_gives_away_only_what_it_has_written(data: Path, tmp_path: Path, shadow: Path) -> None:
    file = backed_up(tmp_path, data)
    (data / "x").symlink_to(shadow)
    replacing.take_over(file, tmp_path / "root", None)
    untouched(shadow)
    with closing(sqlite3.connect(data / "edgebox.db")) as database:
        assert database.execute("SELECT count(*) FROM epochs").fetchone()[0] > 0
    assert {path.lstat().st_uid for path in data.iterdir() if not path.is_symlink()} == {SERVICE}


def test_a_restore_does_not_lock_a_file_that_the_services_point_it_to(data: Path, shadow: Path) -> None:
    (data / SIDECAR).symlink_to(shadow)
    with pytest.raises(StoreError):
        Sidecar(data).close()
    untouched(shadow)
    belong(data / SIDECAR)
    untouched(shadow)


def test_a_backup_takes_no_file_along_that_a_link_leads_to(data: Path, tmp_path: Path, shadow: Path) -> None:
    Store.open(data).close_now()
    (data / identity.FILE).symlink_to(shadow)
    backup(data, tmp_path / "stick.db", 1)
    assert along(tmp_path / "stick.db") == {}
    assert b"secret" not in (tmp_path / "stick.db").read_bytes()


def test_root_is_root_again_whatever_happens(data: Path) -> None:
    def who() -> tuple[int, int, list[int]]:
        return os.geteuid(), os.getegid(), os.getgroups()

    before = who()
    with suppress(ZeroDivisionError), as_owner(data):
        assert who() == (SERVICE, SERVICE, [SERVICE])
        raise ZeroDivisionError
    assert who() == before
