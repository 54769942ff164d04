"""`edgebox setup --replace` that goes wrong: the wrong stick, a mistyped code, an answer that is none."""

from pathlib import Path

import pytest

from edgebox import commands_setup
from edgebox.appliance import replacing
from edgebox.cli import main
from edgebox.errors import ConfigError
from edgebox.store.backup import backup, read_manifest
from edgebox.store.store import Store

ANSWERS = """
shop = "Corner"
currency = "EUR"
language = "en"
till = "tcp://0.0.0.0:9100"
printer = "tcp://192.168.1.60:9100"
[cloud]
url = "mqtts://broker.example.com"
tenant = "acme"
store = "42"
box = "b1"
"""


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    (tmp_path / "box.toml").write_text(ANSWERS, "utf-8")
    return tmp_path / "box.toml"


@pytest.mark.parametrize("who", ["take_over", "install"])
@pytest.mark.parametrize("ran", [True, False])
def test_a_replacement_that_fails_leaves_the_engine_as_it_was(
    answers: Path, monkeypatch: pytest.MonkeyPatch, who: str, ran: bool
) -> None:
    told: list[str] = []

    def command(words: list[str]) -> bool:
        told.append(words[1])
        return ran

    def fails(*_: object) -> list[str]:
        raise ConfigError("the recovery code does not open this backup", reason="recovery_code")

    for name in ("take_over", "install"):
        monkeypatch.setattr(commands_setup, name, fails if name == who else lambda *_: [])
    monkeypatch.setattr(commands_setup, "_command", command)
    assert main(["setup", "--answers", str(answers), "--replace", "stick.db", "--without-keys"]) == 2
    assert told == (["is-active", "stop", "start"] if ran else ["is-active"])


def test_the_stick_of_another_box_is_not_taken_over(answers: Path, tmp_path: Path) -> None:
    """Its rows would go to the cloud under this name, and its coupons be this shop's."""
    Store.open(tmp_path / "dead").close_now()
    backup(tmp_path / "dead", tmp_path / "stick.db", 1, box="acme/42/b2")
    command = ["setup", "--answers", str(answers), "--root", str(tmp_path / "new"), "--replace"]
    assert main([*command, str(tmp_path / "stick.db"), "--without-keys"]) == 2
    assert not (tmp_path / "new/var/lib/edgebox/edgebox.db").exists()
    with pytest.raises(ConfigError, match="of acme/42/b2, and this box is to be acme/42/b1"):
        replacing.take_over(tmp_path / "stick.db", tmp_path / "new", None, "acme/42/b1")
    backup(tmp_path / "dead", tmp_path / "stick.db", 1, box="acme/42/b1")
    assert main([*command, str(tmp_path / "stick.db"), "--without-keys"]) == 0


def test_a_backup_says_whose_it_is(answers: Path, tmp_path: Path) -> None:
    main(["setup", "--answers", str(answers), "--root", str(tmp_path / "box")])
    config = tmp_path / "box/etc/edgebox/edgebox.toml"
    Store.open(tmp_path / "data").close_now()
    said = main(
        ["backup", str(tmp_path / "stick.db"), "--config", str(config), "--set", f"engine.data={tmp_path / 'data'}"]
    )
    assert said == 0
    assert read_manifest(tmp_path / "stick.db").box == "acme/42/b1"
    backup(tmp_path / "data", tmp_path / "alone.db", 1)
    replacing.take_over(tmp_path / "alone.db", tmp_path / "new", None, "acme/42/b1")  # one without a cloud is anybody's
