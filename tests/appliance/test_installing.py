"""What setup does to a machine: nothing by halves, a card like a box, and nothing of former answers left behind."""

import os
from pathlib import Path

import msgspec
import pytest

from edgebox.appliance import installing, till_network
from edgebox.errors import ConfigError
from hw_sim.cloud_keys import key_file, keyring
from tests.appliance.test_setup import CAFE, CLOUD, NETWORK, claim_in

NOW = 1_795_000_000
USB = msgspec.structs.replace(CAFE, till="gadget:///dev/g_printer0")


class Recorded:
    """A systemctl that takes everything, but what is in `refused`."""

    def __init__(self, *refused: str) -> None:
        self.ran: list[str] = []
        self._refused = refused

    def __call__(self, words: list[str]) -> bool:
        self.ran.append(" ".join(words))
        return not any(word in self.ran[-1] for word in self._refused)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("wrong", ["no claim", "no keys", "keys that are none", "no credentials"])
def test_a_file_that_is_missing_or_none_leaves_the_box_as_it_ran(tmp_path: Path, wrong: str) -> None:
    root = tmp_path / "root"
    installing.install(CAFE, Recorded(), root)
    before = files_of(root)
    (tmp_path / "junk.toml").write_text("junk")
    cloud = {
        "no claim": msgspec.structs.replace(CLOUD, claim=str(tmp_path / "stick")),
        "no keys": msgspec.structs.replace(CLOUD, keys=str(tmp_path / "stick.toml")),
        "keys that are none": msgspec.structs.replace(CLOUD, keys=str(tmp_path / "junk.toml")),
        "no credentials": msgspec.structs.replace(CLOUD, credentials=str(tmp_path)),
    }[wrong]
    with pytest.raises(ConfigError) as fault:
        installing.install(msgspec.structs.replace(CAFE, shop="New", cloud=cloud), Recorded(), root)
    assert fault.value.reason == "bad_answers"
    assert files_of(root) == before


def test_claim_keys_from_a_stick_that_everybody_may_read_are_taken_and_shut_in(tmp_path: Path) -> None:
    stick = tmp_path / "b1.toml"
    stick.write_text(key_file(keyring(bytes(32), store=1, device=2, now=NOW)))
    stick.chmod(0o755)
    cloud = msgspec.structs.replace(CLOUD, keys=str(stick))
    installing.install(msgspec.structs.replace(CAFE, cloud=cloud), Recorded(), tmp_path / "root")
    put = tmp_path / "root/etc/edgebox/keys.toml"
    assert put.read_bytes() == stick.read_bytes()
    assert put.stat().st_mode & 0o777 == 0o600


def test_what_was_there_before_is_named(tmp_path: Path) -> None:
    installing.install(CAFE, Recorded(), tmp_path)
    said = installing.install(msgspec.structs.replace(CAFE, shop="New"), Recorded(), tmp_path)
    assert any(words.endswith("edgebox.toml written; what was there is in edgebox.toml.before") for words in said)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_who_may_not_write_there_is_told_of_sudo(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError) as fault:
        installing.install(CAFE, Recorded(), tmp_path / "root")
    assert "sudo" in str(fault.value)


# --- A card in another computer ----------------------------------------------------------------------------------


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """With the package on it: its units, and the group as the card numbers it."""
    for folder in ("lib/systemd/system", "etc", "var/lib/edgebox"):
        (tmp_path / "card" / folder).mkdir(parents=True)
    (tmp_path / "card/lib/systemd/system/edgebox.target").touch()
    (tmp_path / "card/etc/group").write_text("root:x:0:\nedgebox:x:4711:\n")
    return tmp_path / "card"


def test_a_card_prints_at_its_first_start(card: Path) -> None:
    run = Recorded()
    said = installing.install(CAFE, run, card)
    assert f"systemctl --root={card} enable edgebox-line@line1.service" in run.ran
    assert f"systemctl --root={card} enable edgebox-line@line1.socket" in run.ran
    assert said[-1] == "services begin with the card"
    assert not any(words.startswith("systemctl") and f"--root={card}" not in words for words in run.ran), "not our own"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_cards_services_may_read_its_configuration_by_the_cards_own_numbers(card: Path) -> None:
    installing.install(CAFE, Recorded(), card)
    for name in ("etc/edgebox", "etc/edgebox/edgebox.toml"):
        facts = (card / name).stat()
        assert (facts.st_uid, facts.st_gid) == (0, 4711)


def test_a_card_without_the_package_is_said(tmp_path: Path) -> None:
    assert "install the package there" in installing.install(CAFE, Recorded(), tmp_path)[-1]


# --- Other answers -----------------------------------------------------------------------------------------------


def test_a_port_that_nobody_serves_any_more_is_let_go() -> None:
    run = Recorded()
    installing._services(USB, run)
    assert "systemctl disable --now edgebox-line@line1.socket" in run.ran
    assert "systemctl disable --now edgebox-till-network.service" in run.ran


def test_a_service_that_cannot_be_enabled_is_started_all_the_same() -> None:
    run = Recorded("enable edgebox.target")
    assert installing._services(CAFE, run)[0].startswith("edgebox.target: systemctl refused")
    assert any(words.startswith("systemctl restart") for words in run.ran)


def test_the_tills_network_is_in_force_at_once_and_nobody_else_sets_its_ports(tmp_path: Path) -> None:
    network = msgspec.structs.replace(
        NETWORK, gateway="192.168.1.1", printer_interface="eth0", box_address="192.168.200.1/24"
    )
    installing.install(msgspec.structs.replace(CAFE, network=network), Recorded(), tmp_path)
    assert "Gateway=192.168.1.1\nDNS=192.168.1.1" in (tmp_path / till_network.ADDRESS).read_text()
    assert "Address=192.168.200.1/24" in (tmp_path / till_network.BEHIND).read_text()
    told = (tmp_path / till_network.LEFT_ALONE).read_text()
    assert "unmanaged-devices+=interface-name:eth1;interface-name:eth0" in told
    assert till_network.there(tmp_path) == [("eth1", "192.168.1.50/24"), ("eth0", "192.168.200.1/24")]
    run = Recorded("is-enabled")
    till_network.apply([], network, run)
    assert "systemctl enable systemd-networkd.service" in run.ran
    assert run.ran[-2:] == ["systemctl restart systemd-sysctl.service", "systemctl restart systemd-networkd.service"]
    masked = Recorded("enable", "systemd-networkd")
    assert till_network.apply([], network, masked)[0].startswith("systemd-networkd.service: systemctl refused")


def test_an_address_that_is_given_up_is_taken_off_the_port(tmp_path: Path) -> None:
    installing.install(msgspec.structs.replace(CAFE, network=NETWORK), Recorded(), tmp_path)
    before, run = till_network.there(tmp_path), Recorded()
    installing.install(CAFE, Recorded(), tmp_path)
    assert till_network.there(tmp_path) == []
    till_network.apply(before, None, run)
    assert "ip address delete 192.168.1.50/24 dev eth1" in run.ran
    assert "sysctl --quiet --write net.ipv4.ip_forward=0" in run.ran
    quiet = Recorded()
    till_network.apply([], None, quiet)
    assert quiet.ran == [], "a shop without a network till"


def test_the_claim_is_installed_beside_a_configuration_that_asks_with_it(tmp_path: Path) -> None:
    cloud = msgspec.structs.replace(CLOUD, claim=str(claim_in(tmp_path)))
    installing.install(msgspec.structs.replace(CAFE, cloud=cloud), Recorded(), tmp_path / "root")
    assert "renew_days = 30" in (tmp_path / "root/etc/edgebox/edgebox.toml").read_text()
