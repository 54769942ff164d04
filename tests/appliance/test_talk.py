"""`edgebox setup` in talk: five questions, and whatever a person types, he is told what is wrong with it."""

import re
from pathlib import Path

import pytest

from edgebox.appliance import setup
from edgebox.appliance.answers import configuration, text
from edgebox.appliance.former import lost
from edgebox.appliance.plugged import Plugged, Use
from edgebox.cli import main
from edgebox.config import FOLDER
from edgebox.errors import ConfigError
from tests.appliance.test_setup import CAFE

ID = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;"
FOUND = [
    Plugged(Use.PRINTER, "usblp:///dev/edgebox/printer-x", "EPSON TM-T88V (04b8:0202)", lasting=True, device_id=ID),
    Plugged(Use.CABLE, "serial:///dev/ttyS0", "serial port of the board", lasting=True),
    Plugged(Use.TILL, "gadget:///dev/g_printer0", "the till's USB cable", lasting=True),
]
CABLES = [Plugged(Use.CABLE, f"serial:///dev/ttyS{number}", "serial port", lasting=True) for number in (0, 1)]


class Person:
    """Types these lines, one at each question."""

    def __init__(self, *lines: str, found: list[Plugged] | None = None) -> None:
        self.lines = list(lines)
        self.asked: list[str] = []
        self.told: list[str] = []
        self.talk = setup.Talk(self._type, self.told.append, FOUND if found is None else found)

    def _type(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.lines.pop(0)


def test_five_questions_and_a_number_of_the_list_are_enough() -> None:
    person = Person("Corner Café", "eur", "en", "1", "", "1", "y", "")
    answers = person.talk.answers()
    assert (answers.shop, answers.currency, answers.language) == ("Corner Café", "EUR", "en")
    assert (answers.printer, answers.till) == (FOUND[0].url, FOUND[2].url)
    assert answers.profile == "epson-tm-t88", "the printer said what it is"
    assert answers.cloud is None
    assert person.lines == []
    assert len([line for line in (*person.asked, *person.told) if re.match(r"[1-5]\.", line)]) == 5


def test_with_nothing_plugged_in_enter_is_a_network_shop() -> None:
    answers = Person("", "", "", "tcp://10.0.0.9:9100", "", "", "", "n", "", found=[]).talk.answers()
    assert (answers.printer, answers.till, answers.page) == ("tcp://10.0.0.9:9100", "tcp://0.0.0.0:9100", "")


def test_a_till_on_the_network_is_the_only_one_that_may_print() -> None:
    person = Person("", "", "", "tcp://10.0.0.9:9100", "", "", "kasse", "10.0.0.7", "n", "", found=[])
    assert person.talk.answers().till == "tcp://0.0.0.0:9100?allow=10.0.0.7"
    assert any("'kasse' is no address" in line for line in person.told)


def test_two_serial_cables_are_chosen_by_number_and_asked_for_what_they_cannot_say() -> None:
    person = Person("", "", "", "2", "9601", "9600", "rtscts", "", "1", "", "", "n", "", found=CABLES)
    answers = person.talk.answers()
    assert answers.printer == "serial:///dev/ttyS1?baud=9600&flow=rtscts"
    assert answers.till == "serial:///dev/ttyS0?baud=38400&flow=dsrdtr"
    assert any(line.startswith("   one of 1200") for line in person.told)
    assert sum("/dev/ttyS1" in line for line in person.told) == 1, "the printer's cable is not offered to the till"


def test_a_cloud_is_asked_for_what_it_must_know(tmp_path: Path) -> None:
    (tmp_path / "claim.crt").touch()
    cloud = ["http://x", "mqtts://broker.example.com", "a/b", "acme", "s1", "b1", "/nowhere", str(tmp_path), ""]
    person = Person("", "", "", "1", "", "1", "y", *cloud)
    made = person.talk.answers().cloud
    assert made is not None
    assert (made.url, made.tenant, made.store, made.box) == ("mqtts://broker.example.com", "acme", "s1", "b1")
    assert (made.claim, made.credentials) == (str(tmp_path), "")
    assert any("holds none of claim.crt" in line for line in person.told)


def test_an_answer_that_cannot_be_used_is_asked_for_again_with_the_reason() -> None:
    person = Person("x", "euros", "EUR", "fr", "en", "usb://1:2", "1", "?", "", FOUND[0].url, "", "maybe", "n", "")
    answers = person.talk.answers()
    assert answers.printer == FOUND[0].url
    assert answers.page == ""
    for said in ("three letters", "vendor:product", "there are bematech", "that is the printer", "one of y, n"):
        assert any(said in line for line in person.told), said


def test_somebody_who_types_for_nobody_is_let_go() -> None:
    with pytest.raises(ConfigError) as fault:
        Person("x", *["?"] * 20).talk.answers()
    assert fault.value.reason == "no_answers"


# --- Set up again ------------------------------------------------------------------------------------------------

HAND_MADE = """
[sync]
url = "mqtts://broker.example.com"
tenant = "acme"
[[line]]
name = "bar"
printer = "tcp://10.0.0.8:9100"
[[scanner]]
name = "till-scanner"
scanner = "hidraw:///dev/hidraw0"
"""


def test_what_somebody_configured_is_not_lost_unasked(tmp_path: Path) -> None:
    file = tmp_path / "edgebox.toml"
    file.write_text(text(CAFE) + HAND_MADE, "utf-8")
    gone = lost(file, configuration(CAFE))
    assert gone == ["sync.url", "sync.tenant", "line bar", "scanner till-scanner"]
    person = Person("")
    assert not person.talk.may_go(gone), "enter is no"
    assert "scanner till-scanner" in person.told[0]
    assert Person("y").talk.may_go(gone)


def test_a_fresh_box_has_nothing_to_lose(tmp_path: Path) -> None:
    assert lost(FOLDER / "edgebox.toml", configuration(CAFE)) == []
    assert lost(tmp_path / "none.toml", configuration(CAFE)) == []
    assert Person().talk.may_go([])


def test_nobody_is_asked_five_things_who_may_not_write_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["setup"]) == 2
    assert "sudo edgebox setup" in capsys.readouterr().err


def test_a_service_that_does_not_start_is_told_to_whoever_sets_up_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.toml"
    file.write_text('till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n')
    (tmp_path / "root/lib/systemd/system").mkdir(parents=True)
    (tmp_path / "root/lib/systemd/system/edgebox.target").touch()
    monkeypatch.setattr("edgebox.commands_setup._command", lambda words: "enable" not in words)
    assert main(["setup", "--answers", str(file), "--root", str(tmp_path / "root")]) == 1
    assert "edgebox.service: systemctl refused" in capsys.readouterr().out


def test_a_file_of_answers_says_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "root/etc/edgebox/edgebox.toml"
    place.parent.mkdir(parents=True)
    place.write_text(text(CAFE) + HAND_MADE, "utf-8")
    file = tmp_path / "answers.toml"
    file.write_text('till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n')
    assert main(["setup", "--answers", str(file), "--root", str(tmp_path / "root")]) == 0
    assert "no longer set: " in capsys.readouterr().out
    assert place.with_name("edgebox.toml.before").read_text("utf-8").endswith(HAND_MADE)
