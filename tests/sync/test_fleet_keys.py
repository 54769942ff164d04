"""An operator's key: its file is his alone, and no message shows what is in it."""

import stat
from pathlib import Path

import pytest

from edgebox import cli
from edgebox.errors import SyncError
from edgebox.fleet import settings
from sync.contract_commands import Role
from sync.fleet_keys import keys_in, load_key, new_key
from sync.signing import fleet_keys


def test_a_new_key_is_its_owners_alone_and_boxes_can_read_its_line(tmp_path: Path) -> None:
    made = new_key(tmp_path / "keys", "owner-anna")
    path = tmp_path / "keys" / "owner-anna.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(path).public == made.public
    assert fleet_keys([made.public])["owner-anna"].role is Role.OWNER


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    new_key(tmp_path, "a")
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / "a.key").chmod(mode)
        with pytest.raises(SyncError, match="nobody else's to read"):
            load_key(tmp_path / "a.key")


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    before = new_key(tmp_path, "a").public
    with pytest.raises(SyncError, match="is there already"):
        new_key(tmp_path, "a")
    assert load_key(tmp_path / "a.key").public == before


@pytest.mark.parametrize("name", ["", "../a", "a b", "x" * 33])
def test_a_name_that_no_box_takes_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SyncError, match="no name for a key"):
        new_key(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "a:b", "secretsecret", "a:" + "A" * 44, "a:" + "A" * 43 + "=" + "x" * 999])
def test_a_file_that_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(content, "ascii")
    path.chmod(0o600)
    with pytest.raises(SyncError) as caught:
        load_key(path)
    assert "expected one line NAME:BASE64" in str(caught.value)
    assert "secretsecret" not in str(caught.value)
    assert [type(found) for _, found in keys_in(tmp_path)] == [SyncError]


def test_keys_are_made_and_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "keys", "new", "operator-bo"]) == 0
    assert cli.main(["fleet", "keys"]) == 0
    told = capsys.readouterr().out
    assert "operator-bo  operator\n    operator-bo:" in told
    assert "owner-anna  owner" in told
    for path in settings.keys_folder().glob("*.key"):
        assert path.read_text("ascii").partition(":")[2].strip() not in told


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('url = "mqtts://file:8883"\ntenant = "file"\nuser = "file"\n', "utf-8")
    environment = {"EDGEBOX_FLEET_TENANT": "env", "EDGEBOX_FLEET_USER": "env"}
    found = settings.load({"user": "flag", "key": None}, environment, file)
    assert (found.url, found.tenant, found.user) == ("mqtts://file:8883", "env", "flag")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tenat = 'x'", "no such setting, did you mean tenant?"),
        ("url = 3", "Expected `str`, got `int`"),
        ("url =", "Invalid value"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SyncError, match=words.replace("?", r"\?")):
        settings.load({}, {}, file)


def test_with_several_keys_one_must_be_named(home: Path) -> None:
    assert settings.FleetSettings().signing_key().name == "owner-anna"
    new_key(settings.keys_folder(), "operator-bo")
    with pytest.raises(SyncError, match="which key\\? operator-bo, owner-anna"):
        settings.FleetSettings().signing_key()
    assert settings.FleetSettings(key="operator-bo").signing_key().role is Role.OPERATOR
