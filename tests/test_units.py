"""The systemd units: every word is known to systemd, each service is shut in, and each does what its notes promise."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sync.credentials import CA, CERTIFICATE, KEY, PASSWORD

SYNC_FILES = (CA, CERTIFICATE, KEY, PASSWORD)
ROOT = Path(__file__).parents[1]
UNITS = ROOT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
DATA_PLANES = ("edgebox-line@.service", "edgebox-scan@.service")
# configfs, nftables, slots: once, and then they are gone.
ROOTS = ("edgebox-gadget.service", "edgebox-till-network.service", "edgebox-slots.service", "edgebox-update.service",
         "edgebox-trial.service")  # fmt: skip
EXPOSURE_MAX = 2.0  # of 10; thingsboard-gateway and mosquitto as Debian ships it: 9.2

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: this machine runs no systemd"
)


def settings(name: str) -> dict[str, list[str]]:
    """Key → values, in their order; systemd's files repeat keys."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with programs that exist on any machine."""
    for path in UNITS.iterdir():
        if path.suffix in (".service", ".socket", ".target", ".path"):
            text = re.sub(
                r"^(Exec\w+=[-+!@]*)(/usr/\S+/edgebox\S*|/opt/\S+)",
                r"\1/bin/true",
                path.read_text("utf-8"),
                flags=re.MULTILINE,
            )
            (tmp_path / path.name.replace("@.", "@line1.")).write_text(text, "utf-8")
    return tmp_path


@needs_systemd
def test_systemd_understands_every_line(installed: Path) -> None:
    names = sorted(str(path) for path in installed.iterdir())
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    said = [line for line in result.stderr.splitlines() if "edgebox" in line]
    assert (result.returncode, said) == (0, [])


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_is_taken_over_reaches_little(name: str, installed: Path) -> None:
    path = installed / name.replace("@.", "@line1.")
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert found is not None, result.stderr
    assert float(found[1]) <= EXPOSURE_MAX


@pytest.mark.parametrize("name", DATA_PLANES)
def test_a_data_plane_is_never_given_up_and_is_the_last_to_be_killed(name: str) -> None:
    told = settings(name)
    assert told["Restart"] == ["always"]
    assert told["RestartSec"] == ["0"]
    assert told["StartLimitIntervalSec"] == ["0"]
    assert int(told["OOMScoreAdjust"][0]) <= -900
    needs = " ".join((*told.get("Requires", []), *told.get("Wants", []), *told.get("BindsTo", [])))
    assert needs.split() == ["local-fs.target"], "neither network nor clock nor engine"


@pytest.mark.parametrize("name", [*DATA_PLANES, "edgebox.service"])
def test_a_hung_service_is_started_anew(name: str) -> None:
    told = settings(name)
    assert told["Type"] == ["notify"]
    assert 0 < int(told["WatchdogSec"][0]) <= 300


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ROOTS])
def test_no_service_runs_as_root_but_those_that_set_something_up_and_end(name: str) -> None:
    told = settings(name)
    assert told["User"] == ["edgebox"]
    assert told["CapabilityBoundingSet"] == [""]


def test_a_box_without_some_secret_starts_and_none_of_them_is_the_services_to_read() -> None:
    told = settings("edgebox.service")
    named = {name: path for name, _, path in (value.partition(":") for value in told["LoadCredential"])}
    assert set(named) == {"keys.toml", *SYNC_FILES}
    assert all(
        path == f"/etc/edgebox/{'' if name == 'keys.toml' else 'credentials/'}{name}" for name, path in named.items()
    )
    # An empty value is no valid line in systemd 252: a blank one stands for "none" [edgebox/given.py].
    assert told["SetCredential"] == [f"{name}:\\n" for name in named]
    assert all("LoadCredential" not in settings(name) for name in DATA_PLANES), "a wire has no secrets"


def test_the_socket_hands_the_port_to_its_own_line() -> None:
    told = settings("edgebox-line@.socket")
    assert told["Service"] == ["edgebox-line@%i.service"]
    assert told["Backlog"] == ["8"], "as drivers/tcp.py has it"


def test_what_is_plugged_into_a_line_may_be_opened() -> None:
    """Each of these was refused on a real kernel (tests/vm/test_usb.py)."""
    line = settings("edgebox-line@.service")
    assert '"char-USB printer gadget" rw' in line["DeviceAllow"], "its name in /proc/devices, not its class"
    assert "AF_NETLINK" in line["RestrictAddressFamilies"][0].split(), "libusb does not begin without"
    gadget = settings("edgebox-gadget.service")
    assert "/var/lib/edgebox" in gadget["ReadWritePaths"][0].split(), "its identity, at the first start"
    assert gadget["CapabilityBoundingSet"] == ["CAP_DAC_OVERRIDE"], "in a folder that is the engine's alone"


@pytest.mark.parametrize("name", DATA_PLANES)
def test_an_adapter_plugged_in_for_the_first_time_is_not_forbidden(name: str) -> None:
    """DeviceAllow= finds a class only if the kernel knows it when the service begins."""
    told = settings(name)
    loaded = [line for line in (UNITS / "modules.conf").read_text("utf-8").splitlines() if not line.startswith("#")]
    classes = {"char-ttyUSB": "usbserial", "char-ttyACM": "cdc_acm", "char-hidraw": "hid", "char-usb": "usblp"}
    for allowed in told["DeviceAllow"]:
        module = classes.get(allowed.removesuffix(" rw"))
        assert module is None or module in loaded
    assert "systemd-modules-load.service" in told["After"][0].split()


@pytest.mark.parametrize("name", SERVICES)
def test_each_group_that_a_service_asks_for_is_there(name: str) -> None:
    """One that nobody made ends the service before it begins (status 216/GROUP)."""
    debians = {"lp", "dialout", "input", "bluetooth"}  # base-passwd, bluez's own Depends
    made = {line.split()[1] for line in (UNITS / "sysusers.conf").read_text("utf-8").splitlines() if line[:2] == "g "}
    for groups in settings(name).get("SupplementaryGroups", []):
        assert set(groups.split()) <= debians | made


def test_the_engine_can_switch_the_lamps_that_its_settings_name() -> None:
    assert "-/sys/devices" in settings("edgebox.service")["ReadWritePaths"], "ProtectKernelTunables shuts /sys"
    rules = (UNITS / "60-edgebox.rules").read_text("utf-8")
    assert re.search(r'^SUBSYSTEM=="leds".*chgrp edgebox.*brightness.*chmod g\+w', rules, re.MULTILINE)


def test_a_network_tills_rules_come_behind_those_that_begin_with_a_flush() -> None:
    assert "nftables.service" in settings("edgebox-till-network.service")["After"][0].split()
