"""A till on the network, without touching the till: the box has the printer's address on the till's side.

Owns: the address and the nftables rules, as files of systemd-networkd and nftables, written and removed whole. Never:
forwards print data: port 9100 (and 515) is the line's. Everything else that a till asks of a printer goes to the real
one: SNMP (161, Windows' status), ENPC (3289, Epson's own tools), HTTP (80, 443, 8008: web pages, ePOS and WebPRNT).

    till ── 192.168.1.50:9100 ──▶ box ──▶ 192.168.200.50:9100 printer (second interface)
         ── 192.168.1.50:161  ──▶ ═══════════════▶ 192.168.200.50:161
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edgebox.appliance.answers import Network
from edgebox.errors import ConfigError

TABLE = "edgebox_till"
RULES = Path("etc/nftables.d/edgebox-till.nft")
ADDRESS = Path("etc/systemd/network/50-edgebox-till.network")
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
    """systemd-networkd's file for the till's side: this address, and nothing learnt from there."""
    return f"""# Written by `edgebox setup`.
[Match]
Name={network.interface}

[Network]
Address={network.printer_address}
DHCP=no
IPv6AcceptRA=no
LinkLocalAddressing=no
"""


def install(network: Network | None, printer: str, root: Path, put: Put) -> list[str]:
    """Writes, or removes, all three files. `printer`: the real one's number. ConfigError `bad_answers`: it has none."""
    paths = [root / path for path in (RULES, ADDRESS, FORWARD)]
    if network is None:
        gone = [path for path in paths if path.exists()]
        for path in gone:
            path.unlink()
        return [f"{path} removed" for path in gone]
    if not printer.replace(".", "").isdigit():
        raise ConfigError(
            f"[network] is for a printer with a number, not {printer or 'a cable'}", reason="bad_answers",
            hint="printer = \"tcp://192.168.200.50:9100\"",
        )  # fmt: skip
    texts = (rules(network, printer), address(network), "# Written by `edgebox setup`.\nnet.ipv4.ip_forward = 1\n")
    return [put(path, text.encode(), 0o644) for path, text in zip(paths, texts, strict=True)]
