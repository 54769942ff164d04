"""`edgebox setup`: from answers to files that a box starts with; nobody types twice, nothing is half there."""

import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.appliance import claim, installing, replacing, till_network
from edgebox.appliance.answers import OWN, Answers, Cloud, Network, checked, configuration, read, text
from edgebox.appliance.identity import Identity, keep, kept
from edgebox.cli import main
from edgebox.errors import ConfigError
from edgebox.store.backup import backup
from edgebox.store.store import Store
from hw_sim.cloud.certificates import Authority
from hw_sim.cloud_keys import key_file, keyring
from sync import own_certificate

CAFE = Answers(
    shop="Corner Café", currency="EUR", language="en", till="tcp://0.0.0.0:9100?allow=10.0.0.7",
    printer="tcp://192.168.200.50:9100", profile="epson-tm-t88", page="0.0.0.0:8443",
)  # fmt: skip
CLOUD = Cloud(url="mqtts://broker.example.com", tenant="acme", store="42", box="b1")
NETWORK = Network(interface="eth1", printer_address="192.168.1.50/24")


# --- The configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["CNY", "EUR", "JPY", "KWD", "BRL"])
def test_the_box_reads_what_is_written(currency: str) -> None:
    answers = msgspec.structs.replace(CAFE, currency=currency, cloud=CLOUD)
    config = configuration(answers)
    assert config.shop.name == "Corner Café"
    assert config.shop.currency == currency
    assert config.shop.decimals == {"JPY": 0, "KWD": 3}.get(currency, 2)
    assert config.shop.decimal_mark == ("," if currency in ("EUR", "BRL") else ".")
    assert config.shop.date_order == ("ymd" if currency in ("CNY", "JPY") else "dmy")
    assert config.sync.url == "mqtts://broker.example.com"
    assert (config.line[0].till, config.line[0].profile) == (CAFE.till, "epson-tm-t88")
    assert config.web.listen == "0.0.0.0:8443"


def test_a_till_on_usb_makes_the_box_a_printer() -> None:
    answers = msgspec.structs.replace(CAFE, till="gadget:///dev/g_printer0")
    assert configuration(answers).gadget.printer


@given(st.text(max_size=80))
def test_no_shops_name_breaks_the_file(name: str) -> None:
    try:
        answers = msgspec.convert({**msgspec.to_builtins(CAFE), "shop": name}, Answers)
    except msgspec.ValidationError:
        assert re.search(r"[\x00-\x1f\x7f]", name)
        return
    try:
        assert configuration(answers).shop.name == name
    except ConfigError:
        assert not name.isprintable()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('till = "tcp://0.0.0.0"', "port is missing"),
        ('printer = "usb://1:2"', "vendor:product"),
        ('colour = "red"', "unknown field"),
        ('currency = "euro"', "currency"),
        ("[network]\ninterface = 'eth0; rm -rf /'\nprinter_address = '1.2.3.4/24'", "interface"),
        ("[cloud]\nurl = 'mqtts://x'\ntenant = 'a/b'\nstore = '1'\nbox = 'b'", "tenant"),
        ("till = ", "Invalid"),
    ],
)
def test_a_file_of_answers_with_a_fault_is_refused_before_anything_is_written(
    tmp_path: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['till = "tcp://0.0.0.0:9100"', 'printer = "tcp://10.0.0.9:9100"']
    kept_lines = [one for one in lines if one.split(" ")[0] != line.split(" ")[0]]
    file = tmp_path / "answers.toml"
    file.write_text("\n".join([*kept_lines, line]) + "\n", "utf-8")
    assert main(["setup", "--answers", str(file), "--root", str(tmp_path / "root")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


# --- Onto the machine --------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_copied_with_rights_of_their_own(tmp_path: Path) -> None:
    source = tmp_path / "claim"
    source.mkdir()
    for name in ("ca.crt", "client.crt", "client.key", "notes.txt"):
        (source / name).write_text(name)
    (tmp_path / "keys.toml").write_text(key_file(keyring(bytes(32), store=1, device=2, now=1_795_000_000)))
    cloud = msgspec.structs.replace(CLOUD, credentials=str(source), keys=str(tmp_path / "keys.toml"))
    installing.install(msgspec.structs.replace(CAFE, cloud=cloud), lambda words: True, tmp_path / "root")
    etc = tmp_path / "root/etc/edgebox"
    assert mode(etc / "keys.toml") == mode(etc / "credentials/client.key") == 0o600
    assert mode(etc / "edgebox.toml") == 0o640
    assert mode(etc / "credentials") == 0o700
    assert not (etc / "credentials/notes.txt").exists()
    assert "client.key" not in (etc / "edgebox.toml").read_text()


def claim_in(folder: Path, days: int = 7) -> Path:
    Authority(folder / "tls").furnish_claim("batch-1", folder / "claim", ends=datetime.now(UTC) + timedelta(days=days))
    return folder / "claim"


def test_a_claim_goes_where_the_service_can_remove_it_and_the_box_renews_by_itself(tmp_path: Path) -> None:
    answers = msgspec.structs.replace(CAFE, cloud=msgspec.structs.replace(CLOUD, claim=str(claim_in(tmp_path))))
    (tmp_path / "root/var/lib/edgebox").mkdir(parents=True)
    installing.install(answers, lambda words: True, tmp_path / "root")
    sync = configuration(answers).sync
    assert sync.renew_days == 30
    folder = tmp_path / "root" / sync.credentials.lstrip("/")
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "claim.crt", "claim.key"}
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert not (tmp_path / "root/etc/edgebox/credentials").exists()


def test_a_box_with_a_certificate_of_its_own_keeps_it_when_it_is_set_up_again(tmp_path: Path) -> None:
    source, folder = claim_in(tmp_path), tmp_path / "root" / OWN.lstrip("/")
    Authority(tmp_path / "tls").furnish("b1", folder)
    before = (folder / "client.key").read_bytes()
    for place in (source, tmp_path / "a stick that is gone"):
        assert "not needed" in claim.install(place, folder)[0]
    assert (folder / "client.key").read_bytes() == before
    Authority(tmp_path / "tls").furnish("b1", folder, ends=datetime.now(UTC) - timedelta(days=1))
    claim.install(source, folder)
    assert not (folder / "client.crt").exists(), "it has run out: the broker lets nobody in with it"
    assert (folder / "claim.key").exists()


def test_a_certificate_that_the_card_has_damaged_makes_way_for_a_claim(tmp_path: Path) -> None:
    source, folder = claim_in(tmp_path), tmp_path / "root" / OWN.lstrip("/")
    Authority(tmp_path / "tls").furnish("b1", folder)
    (folder / "client.crt").write_bytes(b"\0" * 900)
    claim.install(source, folder)
    assert {path.name for path in folder.iterdir()} == set(claim.FILES)


def test_set_up_twice_before_the_certificate_is_there_asks_with_the_same_key(tmp_path: Path) -> None:
    source, folder = claim_in(tmp_path), tmp_path / "root" / OWN.lstrip("/")
    claim.install(source, folder)
    before = own_certificate.request(folder, "b1", "")
    claim.install(source, folder)
    assert own_certificate.request(folder, "b1", "").id == before.id, "for another key the cloud has no certificate"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "claim.key").unlink(), "a claim is ca.crt"),
        (lambda folder: (folder / "claim.crt").write_text("x"), "no certificate in PEM form"),
        (lambda folder: claim_in(folder.parent, days=-1), "the claim ended on"),
    ],
    ids=["not whole", "damaged", "over"],
)
def test_a_claim_that_is_good_for_nothing_is_refused_at_once(
    tmp_path: Path, break_it: Callable[[Path], object], said: str
) -> None:
    source = claim_in(tmp_path)
    break_it(source)
    with pytest.raises(ConfigError) as fault:
        claim.install(source, tmp_path / "root/credentials")
    assert said in str(fault.value)
    assert not (tmp_path / "root/credentials").exists()


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (msgspec.structs.replace(CLOUD, claim="/a", credentials="/b"), "one of them"),
        (msgspec.structs.replace(CLOUD, claim="/a", url="mqtt://broker.example.com"), "mqtts://"),
    ],
)
def test_a_claim_beside_credentials_or_without_tls_is_refused(cloud: Cloud, said: str) -> None:
    with pytest.raises(ConfigError) as fault:
        checked(msgspec.structs.replace(CAFE, cloud=cloud), "answers")
    assert said in str(fault.value)


def test_set_up_again_keeps_what_was_there_before(tmp_path: Path) -> None:
    installing.install(CAFE, lambda words: True, tmp_path)
    installing.install(msgspec.structs.replace(CAFE, shop="New"), lambda words: True, tmp_path)
    etc = tmp_path / "etc/edgebox"
    assert 'name = "New"' in (etc / "edgebox.toml").read_text("utf-8")
    assert "Corner" in (etc / "edgebox.toml.before").read_text("utf-8")


def test_systemd_holds_the_tills_port(tmp_path: Path) -> None:
    installing.install(msgspec.structs.replace(CAFE, till="tcp://192.168.1.50:9101"), lambda words: True, tmp_path)
    drop_in = tmp_path / "etc/systemd/system/edgebox-line@line1.socket.d/port.conf"
    assert drop_in.read_text().splitlines()[-2:] == ["ListenStream=", "ListenStream=192.168.1.50:9101"]
    installing.install(msgspec.structs.replace(CAFE, till="gadget:///dev/g_printer0"), lambda words: True, tmp_path)
    assert not drop_in.exists()


def test_a_service_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(words: list[str]) -> bool:
        ran.append(words)
        return words[-1] != "edgebox.service"

    said = installing._services(CAFE, run)
    assert said == ["edgebox.service: systemctl refused; journalctl -u edgebox.service"]
    restart = next(words for words in ran if words[1] == "restart")
    assert restart.index("edgebox-line@line1.socket") < restart.index("edgebox-line@line1.service")


def test_only_a_box_on_the_tills_usb_port_waits_for_that_port_at_boot() -> None:
    ran: list[list[str]] = []
    installing._services(CAFE, lambda words: ran.append(words) or True)
    assert ["systemctl", "disable", "--now", "edgebox-gadget.service"] in ran
    ran.clear()
    usb = msgspec.structs.replace(CAFE, till="gadget:///dev/g_printer0")
    installing._services(usb, lambda words: ran.append(words) or True)
    assert ["systemctl", "enable", "edgebox-gadget.service"] in ran


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "answers.toml"
    file.write_text('till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n')
    assert main(["setup", "--answers", str(file), "--dry-run", "--root", str(tmp_path / "root")]) == 0
    assert capsys.readouterr().out == text(read(file))
    assert not (tmp_path / "root").exists()


def test_nobody_at_the_terminal_is_told_of_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert main(["setup", "--dry-run"]) == 2
    assert "--answers FILE" in capsys.readouterr().err


def test_a_new_box_takes_over_the_dead_ones_records_and_identity(tmp_path: Path) -> None:
    dead, saved = tmp_path / "dead", tmp_path / "saved"
    Store.open(dead).close_now()
    saved.mkdir()
    backup(dead, saved / "box.db", 1_700_000_000_000)
    card = Identity(vendor=0x04B8, product=0x0202, serial="J1")
    keep(saved, card)
    said = replacing.take_over(saved / "box.db", tmp_path / "new", None)
    data = tmp_path / "new/var/lib/edgebox"
    assert kept(data) == card
    assert any("identity" in words for words in said)
    with pytest.raises(ConfigError):
        replacing.take_over(saved / "none.db", tmp_path / "new", None)
    opened = Store.open(data)
    assert not opened.epoch.startswith("0001-"), "a new life: what the dead one's coupons did since is not known"
    opened.close_now()


# --- The till's network ------------------------------------------------------------------------------------------


def test_the_network_files_come_and_go_together(tmp_path: Path) -> None:
    installing.install(msgspec.structs.replace(CAFE, network=NETWORK), lambda words: True, tmp_path)
    rules = (tmp_path / till_network.RULES).read_text()
    assert "ip daddr 192.168.1.50 udp dport { 161, 3289 } dnat to 192.168.200.50" in rules
    assert "Address=192.168.1.50/24" in (tmp_path / till_network.ADDRESS).read_text()
    assert "9100" not in rules, "printing is the line's"
    installing.install(CAFE, lambda words: True, tmp_path)
    for path in (till_network.RULES, till_network.ADDRESS, till_network.FORWARD):
        assert not (tmp_path / path).exists()


def test_a_printer_on_a_cable_has_no_network_to_pass_on_to(tmp_path: Path) -> None:
    answers = msgspec.structs.replace(CAFE, network=NETWORK, printer="usb://04b8:0202")
    with pytest.raises(ConfigError) as fault:
        installing.install(answers, lambda words: True, tmp_path)
    assert fault.value.reason == "bad_answers"


@pytest.mark.parametrize(
    ("written", "zone"),
    [("Europe/London\n", "Europe/London"), ("Etc/UTC", ""), ("UTC", ""), ("No/Where", ""), (None, "")],
)
def test_the_shops_time_is_the_machines(tmp_path: Path, written: str | None, zone: str) -> None:
    (tmp_path / "etc").mkdir()
    if written is not None:
        (tmp_path / "etc/timezone").write_text(written)
    assert installing.zone_of(tmp_path) == zone


def test_dates_and_time_zone_may_be_told() -> None:
    told = configuration(msgspec.structs.replace(CAFE, dates="mdy", tz="America/New_York"))
    assert (told.shop.date_order, told.shop.tz) == ("mdy", "America/New_York")
