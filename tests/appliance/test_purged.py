"""A box that is set up, sold and purged keeps nothing of the shop: no data, no printer's address, no forwarding."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from edgebox.appliance import installing
from tests.appliance.test_setup import CAFE, NETWORK

POSTRM = Path(__file__).parents[2] / "packaging/debian/postrm"


def left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file())


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Set up twice with different answers, updated, with a half-written trial."""
    for shop in ("Corner Café", "Corner Bar"):
        answers = msgspec.structs.replace(CAFE, shop=shop, network=NETWORK)
        installing.install(answers, lambda words: True, tmp_path)
        changed = tmp_path / "etc/systemd/network/50-edgebox-till.network"
        changed.write_text("another", "utf-8")
    wants = tmp_path / "etc/systemd/system/edgebox.target.wants"
    wants.mkdir(parents=True)
    for unit in ("edgebox-line@line1.service", "edgebox-line@line1.socket", "edgebox-till-network.service"):
        (wants / unit).symlink_to(f"/lib/systemd/system/{unit}")
    for name in ("opt/edgebox/slots/b/bin/edgebox", "opt/edgebox/last.json", "opt/edgebox/.trial.json.new"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "etc/credstore.encrypted").mkdir()
    (tmp_path / "etc/credstore.encrypted/edgebox.keys.toml").touch()  # docs/keys.md, Bound to the machine
    (tmp_path / "opt/edgebox/current").symlink_to("slots/b")
    (tmp_path / "var/lib/edgebox").mkdir(parents=True)
    (tmp_path / "var/lib/edgebox/edgebox.db").touch()
    return tmp_path


def postrm(box: Path, word: str) -> None:
    """The package's own script, with every path of it below `box`."""
    text = POSTRM.read_text("utf-8")
    for top in ("/etc/", "/var/", "/opt/", "/run/"):
        text = text.replace(f" {top}", f" {box}{top}")
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(["/bin/sh", "-c", text, "postrm", word], check=True, env=environment, capture_output=True)


def test_removed_a_box_keeps_what_the_shop_recorded_and_no_code(box: Path) -> None:
    postrm(box, "remove")
    assert "var/lib/edgebox/edgebox.db" in left(box)
    assert not (box / "opt/edgebox").exists()


def test_purged_nothing_of_the_shop_is_left(box: Path) -> None:
    postrm(box, "remove")
    postrm(box, "purge")
    assert left(box) == []
