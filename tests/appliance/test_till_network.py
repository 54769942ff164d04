"""The till's side of a network printer, on three real machines of the kernel's: till, box and printer in namespaces.

The till talks to the printer's old address. Printing is the box's; SNMP and the printer's web page are the printer's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgebox.appliance.answers import Network
from edgebox.appliance.till_network import rules

OLD, PRINTER = "192.168.1.50", "192.168.200.50"
NAMES = tuple(f"eb{os.getpid()}{name}" for name in ("till", "box", "prn"))  # test workers play side by side
PROBE = f"eb{os.getpid()}probe"
SERVER = """
import socket, sys, threading
kind, port, word = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", port))
if kind == "tcp": s.listen()
print("ready", flush=True)
while True:
    if kind == "udp":
        data, who = s.recvfrom(100); s.sendto(word, who)
    else:
        c, who = s.accept(); c.sendall(word + b" " + who[0].encode()); c.close()
"""
CLIENT = """
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.settimeout(1.0)
try:
    s.connect((host, port))
    if kind == "udp": s.send(b"?")
    print(s.recv(100).decode())
except OSError as fault:
    print("no:", type(fault).__name__)
"""


def run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout


def why_not() -> str:
    """Why this machine can't play three."""
    if os.geteuid():
        return "needs root, for network namespaces"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"no {tool}: apt-get install iproute2 nftables"
    try:
        run("ip", "netns", "add", PROBE)
        run("ip", "netns", "exec", PROBE, "nft", "list", "ruleset")
    except (OSError, subprocess.SubprocessError):
        return "this kernel lets nobody make network namespaces"
    finally:
        subprocess.run(["ip", "netns", "del", PROBE], capture_output=True, check=False)
    return ""


WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """till (192.168.1.10) ── eth1 box eth0 ── printer (192.168.200.50)."""
    servers: list[subprocess.Popen[str]] = []
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        run("ip", "netns", "add", name)
    till, box, printer = NAMES
    try:
        run("ip", "link", "add", "eth0", "netns", till, "type", "veth", "peer", "name", "eth1", "netns", box)
        run("ip", "link", "add", "eth0", "netns", printer, "type", "veth", "peer", "name", "eth0", "netns", box)
        for name, device, address in (
            (till, "eth0", "192.168.1.10/24"), (box, "eth1", f"{OLD}/24"), (box, "eth0", "192.168.200.1/24"),
            (printer, "eth0", f"{PRINTER}/24"),
        ):  # fmt: skip
            run("ip", "-n", name, "address", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", till, "route", "add", "default", "via", OLD)
        run("ip", "netns", "exec", box, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        file = tmp_path_factory.mktemp("nft") / "rules.nft"
        file.write_text(rules(Network(interface="eth1", printer_address=f"{OLD}/24"), PRINTER))
        for _ in range(2):  # loaded again, it is the same
            run("ip", "netns", "exec", box, "nft", "-f", str(file))
        for name, kind, port, word in (
            (box, "tcp", "9100", "box"), (printer, "tcp", "9100", "printer"), (printer, "tcp", "80", "page"),
            (printer, "udp", "161", "snmp"), (printer, "tcp", "22", "secret"),
        ):  # fmt: skip
            command = ["ip", "netns", "exec", name, sys.executable, "-c", SERVER, kind, port, word]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield
    finally:
        for server in servers:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
        for name in NAMES:
            with suppress(subprocess.SubprocessError):
                run("ip", "netns", "del", name)


def asked(kind: str, host: str, port: int) -> str:
    """What the till hears."""
    return run("ip", "netns", "exec", NAMES[0], sys.executable, "-c", CLIENT, kind, host, str(port)).strip()


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("kind", "host", "port", "heard"),
    [
        ("tcp", OLD, 9100, "box 192.168.1.10"),  # printing: the box's, and it sees who prints
        ("udp", OLD, 161, "snmp"),
        ("tcp", OLD, 80, "page 192.168.200.1"),
        ("tcp", PRINTER, 9100, "no: "),  # past the box: not possible
        ("tcp", PRINTER, 22, "no: "),
    ],
)
def test_the_till_reaches_what_it_reached_before_and_nothing_more(kind: str, host: str, port: int, heard: str) -> None:
    said = asked(kind, host, port)
    assert said.startswith(heard) if heard.startswith("no") else said == heard


def test_the_rules_file_is_what_nft_reads(tmp_path: Path) -> None:
    file = tmp_path / "rules.nft"
    file.write_text(rules(Network(interface="eth1", printer_address=f"{OLD}/24"), PRINTER))
    assert run("nft", "-c", "-f", str(file)) == ""
    file.write_text(file.read_text().replace("dnat to", "dnat two"))
    with pytest.raises(subprocess.CalledProcessError):
        run("nft", "-c", "-f", str(file))
