"""The doctor: each illness is provoked, and named with why it matters and what mends it."""

import json
import os
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.serial import Flow
from edgebox.appliance.doctor import box, cables, finding, profiles, relay, wires, world
from edgebox.appliance.doctor.cables import Cable, Counts
from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.appliance.doctor.rounds import examined, rounds
from edgebox.cli import main
from edgebox.commands_doctor import WIDTH, written
from edgebox.config import load
from tests.appliance.doctor.patient import NOW, Illness, Patient
from tests.appliance.test_plugged import ID, epson
from tests.sync.certificates import Authority


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    made = Patient(tmp_path)
    yield made
    made.close()


def test_a_healthy_box_has_nothing(patient: Patient) -> None:
    assert patient.findings() == []


def usb_printer(patient: Patient, profile: str) -> None:
    patient.line_says = None
    interface = epson(patient.tree)
    patient.tree.write(f"{interface}/ieee1284_id", ID)
    patient.tree.write(f"{interface}/usbmisc/lp0/dev", "180:0")
    patient.tree.node("usb/lp0", "edgebox/printer-x")
    patient.line(printer="usblp:///dev/edgebox/printer-x", profile=profile)


def gadget(patient: Patient, **files: str) -> None:
    patient.set(gadget={"printer": True})
    for path, text in files.items():
        patient.write(path.replace("__", "/"), text)


def wear(patient: Patient, life: str) -> None:
    patient.write("sys/block/mmcblk0/device/life_time", life)


def keys_until(patient: Patient, days: int) -> None:
    patient.now = NOW + (38 - days) * 86400


def bluetooth(patient: Patient, *parts: str) -> None:
    patient.set(beacons={"scan": True})
    if "adapter" in parts:
        patient.write("sys/class/bluetooth/hci0/address", "")
    if "blocked" in parts:
        patient.write("sys/class/rfkill/rfkill0/type", "bluetooth")
        patient.write("sys/class/rfkill/rfkill0/soft", "1")
    if "dbus" in parts:
        patient.write("run/dbus/system_bus_socket", "")
    if "daemon" not in parts:
        patient.commands["is-active"] = "inactive\n"


FAILED, WARNING, UNKNOWN = Grade.FAILED, Grade.WARNING, Grade.UNKNOWN
UDC = {"sys__kernel__config__usb_gadget__edgebox__UDC": "udc.0", "sys__class__udc__udc.0__state": "configured"}


def serial(patient: Patient, node: str) -> None:
    patient.line(printer=f"serial://{node}?baud=9600&flow=none")


CTS, DSR, BOTH = termios.TIOCM_CTS, termios.TIOCM_DSR, termios.TIOCM_CTS | termios.TIOCM_DSR
SET = {Flow.RTSCTS: Flow.RTSCTS, Flow.XONXOFF: Flow.XONXOFF}


def cable(
    patient: Patient, flow: Flow, lines: int | None, *, end: str = "printer", counts: Counts | None = None,
    set_to: Flow | None = None, **says: str,
) -> None:  # fmt: skip
    """A serial cable at one end of the line, as the doctor sees it."""
    patient.line(**{end: f"serial:///dev/ttyS0?baud=9600&flow={flow}"})
    patient.cable = Cable(set_to or SET.get(flow, Flow.NONE), lines, counts or Counts(rx=100))
    assert patient.line_says is not None
    patient.line_says.update(says)


def with_relay(patient: Patient, in_wire: str) -> None:
    patient.write("dev/gpiochip0", "")
    patient.line(relay="gpiochip0:17")
    assert patient.line_says is not None
    patient.line_says["in_wire"] = in_wire


def printer_says(patient: Patient, model: str, profile: str, **direct: str) -> None:
    """By its line; or, with no line there, by itself."""
    patient.line(profile=profile)
    patient.line_says = None if direct else {"model": model}
    patient.printer_says = {"model": model, **direct} if direct else None


def no_lines(patient: Patient) -> None:
    import msgspec

    patient.config = msgspec.structs.replace(patient.config, line=())


# name: (what is done to it, how bad it is, what is said, what mends it)
ILLNESSES: dict[str, tuple[Illness, Grade, str, str]] = {
    "no line": (no_lines, FAILED, "no [[line]]", "edgebox setup"),
    "no printer": (lambda p: p.line(printer=""), FAILED, "no URL", "edgebox devices"),
    "a circle": (lambda p: p.line(till=p.printer), FAILED, "in a circle", "[[line]]"),
    "a wrong URL": (lambda p: p.line(printer="usb://1:2"), FAILED, "vendor:product", "edgebox devices"),
    "a printer that is off": (lambda p: p.close(), WARNING, "refuses", "9100"),
    "a name nobody knows": (lambda p: p.line(printer="tcp://nobody.invalid:9100"), FAILED, "nobody.invalid", "number"),
    "no USB printer": (lambda p: p.line(printer="usb://04b8:0202"), FAILED, "not plugged in", "edgebox devices"),
    "no such node": (lambda p: p.line(printer="usblp:///dev/usb/lp0"), FAILED, "is not there", "modprobe usblp"),
    "no such gadget": (lambda p: p.line(till="gadget:///dev/g_printer0"), FAILED, "is not there", "edgebox-gadget"),
    "no such cable": (lambda p: serial(p, "/dev/ttyS9"), FAILED, "is not there", "check cable"),
    "a name that changes": (lambda p: (p.write("dev/ttyUSB0", ""), serial(p, "/dev/ttyUSB0")), WARNING,
                            "order of plugging in", "edgebox devices"),
    "another printer": (lambda p: usb_printer(p, "xprinter-xp-80"), WARNING, "says it is a TM-T88V", "epson-tm-t88"),
    "another model by its own words": (lambda p: printer_says(p, "TM-T88V", "xprinter-xp-80"), WARNING,
                                       "says it is a TM-T88V", "epson-tm-t88"),
    "the same, and no line is there": (lambda p: printer_says(p, "TM-T88V", "generic-80", maker="EPSON"), WARNING,
                                       "says it is a EPSON TM-T88V", "epson-tm-t88"),
    "a printer that won't say": (lambda p: setattr(p, "line_says", {"asked": "silent"}), UNKNOWN, "GS I", "its back"),
    "nobody waits": (lambda p: cable(p, Flow.NONE, DSR), WARNING, "shows DSR", "dsrdtr"),
    "nobody waits, by CTS": (lambda p: cable(p, Flow.NONE, CTS), WARNING, "shows CTS", "rtscts"),
    "the other line": (lambda p: cable(p, Flow.DSRDTR, CTS), FAILED, "uses CTS alone", "rtscts"),
    "the other line, too": (lambda p: cable(p, Flow.RTSCTS, DSR), FAILED, "uses DSR alone", "DIP 1-3"),
    "the other line, by its changes": (lambda p: cable(p, Flow.RTSCTS, 0, counts=Counts(dsr=12, rx=9)), FAILED,
                                       "uses DSR alone", "dsrdtr"),
    "a printer that says wait": (lambda p: cable(p, Flow.DSRDTR, 0), WARNING, "DSR is down", "paper"),
    "an adapter of two wires": (lambda p: cable(p, Flow.RTSCTS, None), WARNING, "has no such lines", "adapter"),
    "a till of three wires": (lambda p: cable(p, Flow.DSRDTR, 0, end="till"), WARNING, "neither CTS nor DSR", "till"),
    "a port that another set": (lambda p: cable(p, Flow.XONXOFF, BOTH, set_to=Flow.NONE), WARNING,
                                "is set to none now", "ModemManager"),
    "lost bytes": (lambda p: cable(p, Flow.DSRDTR, BOTH, counts=Counts(rx=9, overrun=2, full=1)), WARNING,
                   "3 bytes were lost", "baud"),
    "another speed": (lambda p: cable(p, Flow.DSRDTR, BOTH, counts=Counts(rx=50, frame=40)), WARNING,
                      "40 of 50 bytes came broken", "self-test"),
    "a printer set to XON/XOFF": (lambda p: cable(p, Flow.DSRDTR, BOTH, printer_xoffs="7"), FAILED,
                                  "XOFF 7 times", "DIP 1-3"),
    "no such GPIO chip": (lambda p: p.line(relay="gpiochip0:17"), FAILED, "no such chip", "gpioinfo"),
    "a box out of the wire": (lambda p: with_relay(p, in_wire="0"), WARNING, "out of the wire", "journalctl"),
    "no libcomposite": (gadget, FAILED, "libcomposite", "modprobe"),
    "no device port": (lambda p: gadget(p, sys__kernel__config__usb_gadget__x=""), FAILED, "can be a device", "dwc2"),
    "no gadget": (lambda p: gadget(p, **{**UDC, "sys__kernel__config__usb_gadget__edgebox__UDC": ""}), FAILED,
                  "not made", "edgebox-gadget"),
    "a till that is off": (lambda p: gadget(p, **{**UDC, "sys__class__udc__udc.0__state": "not attached"}), WARNING,
                           "not attached", "till"),
    "not installed": (lambda p: p.services.update(LoadState="not-found"), FAILED, "not installed", "make install"),
    "a service that ended": (lambda p: p.services.update(ActiveState="failed"), FAILED, "it is failed", "journalctl"),
    "a service that dies": (lambda p: p.services.update(NRestarts="7"), WARNING, "began anew 7 times", "journalctl"),
    "no systemd": (lambda p: p.services.clear(), UNKNOWN, "no systemd", "make run"),
    "no engine": (lambda p: (p.root / "engine.sock").unlink(), FAILED, "no socket", "restart edgebox"),
    "an engine elsewhere": (lambda p: p.line(engine="/run/other.sock"), FAILED, "looks for the engine", "/engine.sock"),
    "a wrong clock": (lambda p: setattr(p, "now", 1000.0), FAILED, "wrong by years", "set-ntp"),
    "a clock alone": (lambda p: p.commands.update(timedatectl="no\n"), WARNING, "not synchronised", "123"),
    "a clock nobody knows": (lambda p: p.commands.update(timedatectl=None), UNKNOWN, "nobody can say", "timedatectl"),
    "no clock chip": (lambda p: (p.root / "sys/class/rtc/rtc0/name").unlink() or
                      (p.root / "sys/class/rtc/rtc0").rmdir(), WARNING, "there is none", "DS3231"),
    "no data folder": (lambda p: (p.root / "data").rmdir(), FAILED, "is not there", "install -d"),
    "a tired card": (lambda p: wear(p, "0x01 0x08"), WARNING, "80 % used up", "edgebox backup"),
    "a dying card": (lambda p: wear(p, "0x0a 0x0b"), FAILED, "110 % used up", "edgebox backup"),
    "little memory": (lambda p: p.write("proc/meminfo", "MemAvailable: 20000 kB"), WARNING, "19 MB left", "systemctl"),
    "warm": (lambda p: p.write("sys/class/thermal/thermal_zone0/temp", "78000"), WARNING, "78 °C", "air"),
    "hot": (lambda p: p.write("sys/class/thermal/thermal_zone0/temp", "84000"), FAILED, "84 °C", "air"),
    "little voltage": (lambda p: p.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1"), WARNING, "too low", "supply"),
    "no keys": (lambda p: (p.root / "etc/keys.toml").unlink(), FAILED, "No such file", "keys.add"),
    "open keys": (lambda p: (p.root / "etc/keys.toml").chmod(0o644), FAILED, "others may read", "chmod 600"),
    "old keys": (lambda p: keys_until(p, -9), FAILED, "used up", "keys.add"),
    "few keys": (lambda p: keys_until(p, 4), WARNING, "more days", "cloud"),
    "no broker's URL": (lambda p: p.set(sync={"url": "mqtt://example.invalid"}), FAILED, "in clear", "mqtts"),
    "no such cloud": (lambda p: p.set(sync={"url": "mqtts://nobody.invalid"}), FAILED, "nobody.invalid", "resolvectl"),
    "a closed port": (lambda p: p.set(sync={"url": "mqtt://127.0.0.1:1"}), FAILED, "refused", "port 1 open"),
    "no adapter": (bluetooth, FAILED, "no adapter", "USB"),
    "rfkill": (lambda p: bluetooth(p, "adapter", "blocked"), FAILED, "rfkill", "unblock"),
    "no D-Bus": (lambda p: bluetooth(p, "adapter"), FAILED, "no D-Bus", "dbus"),
    "no bluetoothd": (lambda p: bluetooth(p, "adapter", "dbus"), FAILED, "bluetoothd is inactive", "bluez"),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLNESSES)
def test_an_illness_is_named_with_what_mends_it(patient: Patient, name: str) -> None:
    make_ill, grade, said, mend = ILLNESSES[name]
    make_ill(patient)
    found = [one for one in patient.findings() if said in f"{one.what}, {one.why}" and mend in one.mend]
    assert [one.grade for one in found][:1] == [grade], patient.findings()


@pytest.mark.parametrize("flow", list(Flow))
@pytest.mark.parametrize("end", ["till", "printer"])
def test_a_cable_that_works_is_well(patient: Patient, flow: Flow, end: str) -> None:
    cable(patient, flow, 0 if flow is Flow.NONE else BOTH, end=end, counts=Counts(cts=9, dsr=9, rx=5000, frame=3))
    assert patient.findings(cables.cables) == []


def test_a_port_that_the_box_may_not_open_is_no_cable_to_speak_of(patient: Patient, tmp_path: Path) -> None:
    serial(patient, "/dev/ttyS0")
    patient.cable = cables.seen(tmp_path)  # type: ignore[assignment]
    assert patient.cable is None
    assert patient.findings(cables.cables) == []


@pytest.mark.parametrize(
    ("url", "profile", "is_asked"),
    [
        ("tcp://192.168.1.50:9100", "generic-80", True),
        ("usb://04b8:0202", "epson-tm-t88", True),
        ("serial:///dev/ttyS0?baud=9600&flow=none", "star-line", False),
        ("file:/capture", "generic-80", False),
        ("", "generic-80", False),
        ("tcp://192.168.1.50:9100", "no-such-profile", False),
    ],
)
def test_only_a_printer_whose_profile_allows_it_is_asked(url: str, profile: str, is_asked: bool) -> None:
    assert profiles.may_be_asked(url, profile) == is_asked


def test_a_printer_that_somebody_of_ours_has_is_not_asked_beside_its_line(patient: Patient) -> None:
    asked: list[str] = []

    def ask(url: str) -> None:
        asked.append(url)

    machine = Machine(patient.config, patient.root, patient.root, ask=ask)
    list(profiles.profiles(machine))
    assert asked == [patient.printer]
    list(profiles.profiles(machine._replace(held=frozenset({patient.printer}))))
    assert asked == [patient.printer]


def test_a_relay_that_holds_the_box_in_the_wire_is_well(patient: Patient) -> None:
    with_relay(patient, in_wire="1")
    assert patient.findings(relay.relays) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can look at rights as somebody else has them")
def test_a_pin_that_the_services_user_may_not_open_is_named(patient: Patient) -> None:
    with_relay(patient, in_wire="0")
    (patient.root / "dev/gpiochip0").chmod(0o600)
    machine = Machine(patient.config, patient.root, patient.root, user="nobody")
    (found,) = relay.relays(machine)
    assert (found.key, "gpio nobody" in found.mend) == ("relay_forbidden", True)


def test_bluetooth_that_is_well_is_well(patient: Patient) -> None:
    bluetooth(patient, "adapter", "dbus", "daemon")
    assert patient.findings(world.bluetooth) == []


def test_the_printers_own_profile_is_well(patient: Patient) -> None:
    usb_printer(patient, "epson-tm-t88")
    assert patient.findings(wires.wires, profiles.profiles) == []
    assert wires.suggested("TM-T88V") == ["epson-tm-t88"]
    assert wires.suggested("No-Name 5000") == []
    assert wires.suggested("") == []


@pytest.mark.parametrize(("last_day", "grade"), [(-1, FAILED), (10, WARNING), (200, None)])
def test_the_boxs_certificate_runs_out(patient: Patient, tmp_path: Path, last_day: int, grade: Grade | None) -> None:
    import time

    authority, folder = Authority(), tmp_path / "root/credentials"
    folder.mkdir()
    authority.issue(folder, "client", first_day=-30, last_day=last_day)
    (folder / "ca.crt").write_bytes(authority.certificate)
    patient.now = time.time()
    patient.set(sync={"url": "mqtts://127.0.0.1:1", "credentials": "/credentials"})
    found = [one for one in patient.findings(world.cloud) if one.part == "cloud, certificate"]
    assert [one.grade for one in found] == ([grade] if grade else [])


@pytest.mark.parametrize(("has_claim", "said"), [(True, "not given the box its own yet"), (False, "nor a claim")])
def test_a_box_that_waits_for_its_certificate_says_so(patient: Patient, has_claim: bool, said: str) -> None:
    folder = patient.root / "credentials"
    folder.mkdir()
    if has_claim:
        Authority().issue(folder, "claim")
    patient.set(sync={"url": "mqtts://127.0.0.1:1", "credentials": "/credentials", "renew_days": 30})
    found = [one for one in patient.findings(world.cloud) if one.part == "cloud, certificate"]
    assert [(one.grade, said in one.what) for one in found] == [(FAILED, True)]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
def test_root_looks_at_the_secrets_of_the_services_user(patient: Patient) -> None:
    for path in (patient.root / "etc", patient.root / "etc/keys.toml"):
        os.chown(path, 65534, 65534)
    assert patient.findings(world.keys) == []
    os.chown(patient.root / "etc", 0, 0)
    assert [one.key for one in patient.findings(world.keys)] == ["keys_bad"], "in root's own folder it is a stranger's"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can look at rights as somebody else has them")
def test_rights_are_those_of_the_services_user(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.touch(mode=0o600)
    assert wires.may(node, "", os.R_OK | os.W_OK)
    assert wires.may(node, "root", os.R_OK | os.W_OK)
    assert not wires.may(node, "nobody", os.R_OK)
    node.chmod(0o604)
    assert wires.may(node, "nobody", os.R_OK)
    assert not wires.may(node, "nobody", os.W_OK)


# --- The rounds --------------------------------------------------------------------------------------------------


def test_a_check_that_fails_itself_is_a_finding_and_the_others_are_made(patient: Patient) -> None:
    def broken(machine: Machine) -> list[Finding]:
        raise ZeroDivisionError("a bug")

    found = rounds(
        Machine(patient.config, patient.root, patient.root), [broken, lambda machine: [ok("x", "well", "x_ok")]]
    )
    assert [one.grade for one in found] == [UNKNOWN, Grade.OK]
    assert "ZeroDivisionError" in found[0].what


def test_the_gravest_is_told_first(patient: Patient) -> None:
    patient.write("sys/class/thermal/thermal_zone0/temp", "84000")
    patient.commands["timedatectl"] = "no\n"
    grades = [one.grade for one in patient.findings()]
    assert grades == sorted(grades, key=finding.GRAVENESS.index)
    assert grades[0] is FAILED


def test_every_bad_finding_says_why_and_what_to_do(patient: Patient) -> None:
    for make_ill, *_ in reversed(ILLNESSES.values()):  # the first leaves no line to be ill
        make_ill(patient)
    for one in patient.findings():
        if one.grade is not UNKNOWN:
            assert one.why, one
            assert one.mend, one


def test_the_page_is_for_a_person_on_a_ladder(patient: Patient) -> None:
    patient.line(printer="")
    text = written(patient.findings())
    assert text.startswith(
        "FAILED   line line1, printer: no URL\n         this till's receipts are not printed.\n         -> "
    )
    assert all(len(line) <= WIDTH + 40 for line in text.splitlines())
    assert "All is well: 1 things" in written([ok("x", "y", "x_ok")])
    assert written([ok("clock", "synchronised", "clock_ok")], everything=True).startswith(
        "ok       clock: synchronised"
    )


def test_for_programs_it_is_json_and_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "edgebox.toml"
    file.write_text('[claims]\nkeys = "none.toml"\n')
    assert main(["doctor", "--json", "--config", str(file)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {"grade", "part", "what", "why", "mend", "key", "value"} == set(told[0])
    assert any(one["part"] == "claim keys" and one["grade"] == "failed" for one in told)


def test_a_configuration_that_cannot_be_read_is_the_finding(tmp_path: Path) -> None:
    file = tmp_path / "edgebox.toml"
    file.write_text("[shop]\ncolour = 1\n")
    (found,) = examined(file)
    assert (found.grade, found.part) == (FAILED, "configuration")
    assert "colour" in found.what
    assert found.mend == f"edgebox config check --config {file}"
    assert main(found.mend.split()[1:]) == 2, "the command is one"
    (missing,) = examined(tmp_path / "none.toml")
    assert missing.mend == "sudo edgebox setup"


def test_rights_are_not_looked_at_as_a_user_who_is_not_there() -> None:
    found = examined(Path("config/edgebox.toml"), "nobody-of-that-name")
    assert (found[0].grade, found[0].part) == (FAILED, "user")
    assert not [one for one in examined(Path("config/edgebox.toml"), "root") if one.part == "user"]


def test_a_full_disk_is_said(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage("/")
    for free, grade in ((10 << 20, FAILED), (100 << 20, WARNING)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        (found,) = [one for one in patient.findings(box.disk) if one.part == "disk"]
        assert found.grade is grade


def test_the_shipped_configuration_can_be_examined() -> None:
    machine = Machine(load(), Path("config"))
    assert not [one for one in rounds(machine) if "could not be looked at" in one.what]
