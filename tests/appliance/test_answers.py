"""Answers that are each well written and can't be true together; and what is wrong with one is said in words."""

import re
from pathlib import Path

import msgspec
import pytest

from edgebox.appliance.answers import Network, checked, read
from edgebox.errors import ConfigError
from tests.appliance.test_setup import CAFE, NETWORK


def network(**changed: str) -> Network:
    return msgspec.structs.replace(NETWORK, **changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"profile": "epson-tmt88"}, "there are: bematech"),
        ({"till": "tcp://0.0.0.0:9100", "printer": "tcp://127.0.0.1:9100"}, "the box itself"),
        ({"printer": "tcp://0.0.0.0:9101"}, "nobody's address"),
        ({"till": "tcp://0.0.0.0:8443"}, "the same port 8443"),
        ({"page": "8443"}, "as 0.0.0.0:8443"),
        ({"network": NETWORK, "printer": "usb://04b8:0202"}, "a printer with a number"),
        ({"network": NETWORK, "printer": "tcp://printer.local:9100"}, "a printer with a number"),
        ({"network": NETWORK, "printer": "tcp://192.168.1.50:9100"}, "needs another address"),
        ({"network": NETWORK, "printer": "tcp://192.168.1.51:9100"}, "on the till's side"),
        ({"network": network(printer_address="192.168.1.500/24")}, "192.168.1.500"),
        ({"network": network(gateway="10.0.0.1")}, "not in 192.168.1.0/24"),
        ({"network": network(gateway="192.168.1.300")}, "192.168.1.300"),
        ({"network": network(printer_interface="eth0")}, "belong together"),
        ({"network": network(printer_interface="eth1", box_address="192.168.200.1/24")}, "on one port"),
        ({"network": network(printer_interface="eth0", box_address="192.168.201.1/24")}, "not reached from"),
    ],
)
def test_answers_that_cannot_be_true_together_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as fault:
        checked(msgspec.structs.replace(CAFE, **changed), "box.toml")
    assert said in str(fault.value)
    assert str(fault.value).startswith("box.toml: "), "and of no line of a file that nobody has seen"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('currency = "eur"', "currency: expected three capitals, as EUR"),
        ('language = "de"', "language: expected zh or en"),
        ('shop = "a\\u0007"', "shop: expected a name"),
        ("shop = 5", "shop: Expected `str`"),
        ("[cloud]\nurl='mqtts://x'\ntenant='a b'\nstore='1'\nbox='b'", "cloud.tenant: expected a name of letters"),
        ("[network]\ninterface='eth1'\nprinter_address='192.168.1.50'", "and its net: 192.168.1.50/24"),
        ('colour = "red"', "/usr/share/edgebox/answers.toml"),
    ],
)
def test_what_an_answer_should_be_is_said_in_words(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "box.toml"
    file.write_text(f'till = "tcp://0.0.0.0:9100"\nprinter = "tcp://10.0.0.9:9100"\n{line}\n', "utf-8")
    with pytest.raises(ConfigError) as fault:
        read(file)
    assert said in str(fault.value)
    assert "regex" not in str(fault.value)


def test_the_shipped_answers_have_every_key_and_can_be_used() -> None:
    file = Path(__file__).parents[2] / "config/answers.toml"
    answers, words = read(file), file.read_text("utf-8")
    assert answers.cloud is not None
    assert answers.network is not None
    for kind in (answers, answers.cloud, answers.network):
        missing = {key for key in kind.__struct_fields__ if not re.search(rf"^(# |\[)?{key}\b", words, re.MULTILINE)}
        assert missing == set()
