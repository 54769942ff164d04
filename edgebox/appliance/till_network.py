"""A till on the network, without touching the till: the box has the printer's address on the till's side.

Owns: the addresses and the nftables rules, as files of systemd-networkd and nftables, written and removed whole, and
having the system read them. NetworkManager is told to leave the ports alone: two who set one port undo each other.
Never: forwards print data: port 9100 (and 515) is the line's. Everything else that a till asks of a printer goes to the
real one: SNMP (161, Windows' status), ENPC (3289, Epson's own tools), HTTP (80, 443, 8008: web pages, ePOS, WebPRNT).

    till ── 192.168.1.50:9100 ──▶ box ──▶ 192.168.200.50:9100 printer (second interface)
         ── 192.168.1.50:161  ──▶ ═══════════════▶ 192.168.200.50:161
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgebox.appliance.answers import Network
from edgebox.errors import ConfigError

UNIT = "edgebox-till-network.service"
REFUSED = "systemctl refused"
TABLE = "edgebox_till"
RULES = Path("etc/nftables.d/edgebox-till.nft")
ADDRESS = Path("etc/systemd/network/50-edgebox-till.network")
BEHIND = Path("etc/systemd/network/50-edgebox-printer.network")
LEFT_ALONE = Path("etc/NetworkManager/conf.d/60-edgebox-till.conf")
FORWARD = Path("etc/sysctl.d/60-edgebox-till.conf")
UDP = (161, 3289)
TCP = (80, 443, 3289, 8008, 8043)


class Put(Protocol):
    """Writes a file whole; what was done, in words."""

    def __call__(self, path: Path, content: bytes, mode: int, /) -> str: ...


def rules(network: Network, printer: str) -> str:
    """nft's text: what isn't printing goes on to the printer, answers come back, and nothing else is forwarded."""
    own = network.printer_address.partition("/")[0]
    return f"""# Written by `edgebox setup`; answers without [network] take it away.
table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
    chain before {{
        type nat hook prerouting priority dstnat;
        iifname "{network.interface}" ip daddr {own} udp dport {{ {", ".join(map(str, UDP))} }} dnat to {printer}
        iifname "{network.interface}" ip daddr {own} tcp dport {{ {", ".join(map(str, TCP))} }} dnat to {printer}
    }}
    chain behind {{
        type nat hook postrouting priority srcnat;
        ip daddr {printer} masquerade
    }}
    chain through {{
        type filter hook forward priority filter; policy accept;
        iifname "{network.interface}" ct state established,related accept
        iifname "{network.interface}" ip daddr {printer} ct status dnat accept
        iifname "{network.interface}" drop
    }}
}}
"""


def address(network: Network) -> str:
    """systemd-networkd's file for the till's side: this address, and nothing learnt from there. With a gateway the box
    reaches its cloud and the time through it."""
    way = f"Gateway={network.gateway}\nDNS={network.dns or network.gateway}\n" if network.gateway else ""
    return _port(network.interface, network.printer_address, way)


def _port(interface: str, place: str, way: str = "") -> str:
    """One port. Nobody who waits for "online" at boot waits for it: a till may be off."""
    return f"""# Written by `edgebox setup`.
[Match]
Name={interface}

[Link]
RequiredForOnline=no

[Network]
Address={place}
{way}DHCP=no
IPv6AcceptRA=no
LinkLocalAddressing=no
ConfigureWithoutCarrier=yes
"""


def _files(network: Network, printer: str) -> dict[Path, str]:
    ports = [network.interface]
    found = {
        RULES: rules(network, printer),
        ADDRESS: address(network),
        FORWARD: "# Written by `edgebox setup`.\nnet.ipv4.ip_forward = 1\n",
    }
    if network.printer_interface:
        ports.append(network.printer_interface)
        found[BEHIND] = _port(network.printer_interface, network.box_address)
    names = ";".join(f"interface-name:{name}" for name in ports)
    found[LEFT_ALONE] = f"# Written by `edgebox setup`.\n[keyfile]\nunmanaged-devices+={names}\n"
    return found


def there(root: Path) -> list[tuple[str, str]]:
    """Interface and address that setup has written before."""
    found = []
    for path in (ADDRESS, BEHIND):
        try:
            lines = (root / path).read_text("utf-8").splitlines()
        except OSError:
            continue
        told = dict(line.partition("=")[::2] for line in lines)
        found.append((told.get("Name", ""), told.get("Address", "")))
    return found


def install(network: Network | None, printer: str, root: Path, put: Put) -> list[str]:
    """Writes, or removes, all files. `printer`: the real one's number. ConfigError `bad_answers`: it has none."""
    if network is not None and not printer.replace(".", "").isdigit():
        raise ConfigError(
            f"[network] is for a printer with a number, not {printer or 'a cable'}", reason="bad_answers",
            hint="printer = \"tcp://192.168.200.50:9100\"",
        )  # fmt: skip
    texts = _files(network, printer) if network is not None else {}
    gone = [root / path for path in (RULES, ADDRESS, BEHIND, FORWARD, LEFT_ALONE) if path not in texts]
    gone = [path for path in gone if path.exists()]
    for path in gone:
        path.unlink()
    return [
        *(put(root / path, text.encode(), 0o644) for path, text in texts.items()),
        *(f"{path} removed" for path in gone),
    ]


def apply(before: list[tuple[str, str]], network: Network | None, run: Callable[[list[str]], bool]) -> list[str]:
    """Has this machine read the files, and let go of addresses that are no longer in them; what was refused, in words.
    Debian enables nobody who reads them, so systemd-networkd is enabled here; it touches no port that no file of its
    names."""
    if network is None and not before:
        return []
    now = [] if network is None else [(network.interface, network.printer_address)]
    if network is not None and network.printer_interface:
        now.append((network.printer_interface, network.box_address))
    if run(["systemctl", "is-active", "--quiet", "NetworkManager.service"]):
        run(["systemctl", "reload", "NetworkManager.service"])
    for interface, place in before:
        if (interface, place) not in now:
            run(["ip", "address", "delete", place, "dev", interface])
    if network is not None and not run(["systemctl", "is-enabled", "--quiet", "systemd-networkd.service"]):
        run(["systemctl", "enable", "systemd-networkd.service"])
        # Comes along with it, and would hold up whoever wants to be online, for ports that others look after.
        run(["systemctl", "disable", "systemd-networkd-wait-online.service"])
    refused = [
        f"{unit}: {REFUSED}; journalctl -u {unit}"
        for unit in ("systemd-sysctl.service", "systemd-networkd.service")
        if not run(["systemctl", "restart", unit]) and network is not None
    ]
    if network is None:
        run(["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0"])
        run(["systemctl", "restart", "systemd-sysctl.service"])  # somebody else's file may want it
    return refused
