"""Update files for the guest: the package's own slot with another version, and what ails it.

Owns: how they are made (once for each image), and how the guest gets one. Never: another code than the package's.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgebox.appliance.update import archive
from edgebox.appliance.update.manifest import Manifest
from edgebox.appliance.update.release import make
from sync.fleet_keys import load_key, new_key
from sync.signing import public_text
from tests.vm import shop
from tests.vm.machine import Machine

ROOT = Path(__file__).parents[2]
_AS_INSTALLER = f"/opt/edgebox/slots/a/bin/python3 -I {shop.PUT}/begin_trial.py"
KEY = "release-of-the-tests"
VERSION = "9.0.0"
LINE_S = 2.0  # what a line takes to start in the guest, about
# What a version's own check does not find: it comes only where it is started as a service.
UNDER_SYSTEMD = 'import os, sys, time\n\nif "NOTIFY_SOCKET" in os.environ:\n    {ails}\n'
FALLS, HANGS = UNDER_SYSTEMD.format(ails="sys.exit(3)"), UNDER_SYSTEMD.format(ails="time.sleep(1000)")


def made(image: Path) -> Path:
    """The update file: the package's slot under another number. Made at the first call."""
    folder = image / "updates"
    target = folder / f"{VERSION}.update"
    if target.exists():
        return target
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        tree = _tree(Path(place), VERSION)
        archive.PRESET = 0  # quick to make; a box doesn't care
        about = Manifest(
            version=VERSION, arch="amd64", python="3.11", size=1, sha256="0" * 64, unpacked=1, files=1, made=0
        )
        half = target.with_suffix(".half")
        make(tree, half, _key(folder), about)
        half.rename(target)
    return target


def _tree(place: Path, version: str) -> Path:
    (deb,) = ROOT.glob("build/edgebox_*_amd64.deb")
    subprocess.run(["dpkg-deb", "-x", str(deb), str(place)], check=True)
    tree = place / "opt/edgebox/slots/a"
    (info,) = tree.glob("lib/python3.11/site-packages/edgebox-*.dist-info")
    words = (info / "METADATA").read_text("ascii").splitlines()[:2]
    (info / "METADATA").write_text("\n".join([*words, f"Version: {version}", ""]), "ascii")
    return tree


def _key(folder: Path) -> Path:
    path = folder / f"{KEY}.key"
    if not path.exists():
        new_key(folder, KEY)
    return path


def trust(guest: Machine, image: Path) -> None:
    """The guest knows the tests' release key."""
    folder = image / "updates"
    folder.mkdir(exist_ok=True)
    private: Ed25519PrivateKey = load_key(_key(folder)).private
    guest.sh("mkdir -p -m 755 /etc/edgebox/release-keys")
    guest.put(f"/etc/edgebox/release-keys/{KEY}.pub", f"{public_text(private, KEY)}\n".encode())
    guest.sh(f"chmod 644 /etc/edgebox/release-keys/{KEY}.pub")


def unpacked(guest: Machine, image: Path) -> None:
    """Slot b holds the new version, whole; nothing has begun. The keeper's minute is 10 s long: one test waits for all
    of it."""
    trust(guest, image)
    shop.put_programs(guest)
    guest.put("/root/next.update", made(image).read_bytes())
    guest.sh(
        "sed -i 's/^STEADY_S = 60.0/STEADY_S = 10.0/; T; w /dev/stdout' /usr/lib/edgebox/keeper/gate.py | grep -q ."
    )
    guest.sh(f"{_AS_INSTALLER} unpack /root/next.update; rm /root/next.update", timeout=300)


def begin(guest: Machine, ails: str = "") -> None:
    """The trial of slot b begins. `ails`: what stands before everything else of its line."""
    line = "/opt/edgebox/slots/b/bin/edgebox-line"
    guest.put(line, ails.encode() + guest.get(line))
    guest.sh(f"sync; {_AS_INSTALLER} switch {LINE_S}", timeout=120)


def fetched(guest: Machine, file: Path, job: str) -> None:
    """As the engine leaves it for root, and edgebox-update.path sees it."""
    inbox = "/var/lib/edgebox/update"
    guest.sh(f"install -d -m 700 -o edgebox -g edgebox {inbox}")
    guest.put(f"{inbox}/next.update", file.read_bytes())
    guest.put(f"{inbox}/.request", json.dumps({"job": job, "at": 1}).encode())
    guest.sh(f"chown edgebox: {inbox}/*; mv {inbox}/.request {inbox}/request.json")


def keep_printing(guest: Machine, period_s: float = 0.5) -> None:
    """A till that never rests for long, and a printer that says when each receipt was out."""
    shop.quick_printer(guest)
    guest.put("/run/steady.bin", shop.receipts(1)[0])
    guest.put(f"{shop.PUT}/steady_till.py", (shop.PROGRAMS / "steady_till.py").read_bytes())
    till = f"/usr/bin/python3 -I -S {shop.PUT}/steady_till.py {period_s} /run/steady.bin"
    guest.sh(f"systemd-run -q --unit=steady-till {till}")
    guest.until("[ $(wc -l </run/sim/passed) -gt 3 ] && echo yes", 60)


def longest_pause_s(guest: Machine, period_s: float = 0.5) -> float:
    """Between two receipts, beyond the till's own rest."""
    times = [float(line) for line in guest.sh("cat /run/sim/passed").split()]
    return max(later - sooner for sooner, later in itertools.pairwise(times)) - period_s


def journal(guest: Machine) -> str:
    """What the keeper, the line and the installer said, with times; and when each receipt was out."""
    units = "-u edgebox-update -u edgebox-trial -u edgebox-slots -u 'edgebox-check@*' -u edgebox-line@line1"
    said = guest.sh(f"journalctl -b --no-pager -o short-monotonic {units} | tail -60; edgebox update")
    return said + guest.sh("tail -40 /run/sim/passed 2>/dev/null | tr '\\n' ' '")


def line_s(guest: Machine) -> float:
    """How long a line of the new version took to pass its first byte, when it checked itself."""
    said = guest.sh("journalctl -b --no-pager -o cat -u edgebox-update")
    return float(re.findall(r"its line is ready within ([0-9.]+) s", said)[-1])


def last(guest: Machine, seconds: float) -> dict[str, str]:
    """How the trial ended. AssertionError with the journal if it doesn't."""
    try:
        text = guest.until("[ ! -e /opt/edgebox/trial.json ] && cat /opt/edgebox/last.json", seconds, every_s=1.0)
    except AssertionError as fault:
        raise AssertionError(journal(guest)) from fault
    told: dict[str, str] = json.loads(text)
    return told


def current(guest: Machine) -> str:
    """The slot that is started."""
    return guest.sh("readlink /opt/edgebox/current").strip().removeprefix("slots/")
