"""The lock says what `setup.cfg` asks for, and nothing that only one machine can resolve."""

import configparser
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
# One requirement over several lines: `name==version ; markers \`, then a `--hash` a line, then why it is there.
PINNED = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<rest>.*(?:\n    --hash=\S+.*)*)", re.MULTILINE)


def wanted() -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    return [Requirement(line) for line in lines.splitlines() if line]


def test_the_lock_pins_everything_that_setup_cfg_asks_for() -> None:
    pinned = {canonicalize_name(match["name"]): match["version"] for match in PINNED.finditer(LOCK)}
    names = [(want, canonicalize_name(want.name)) for want in wanted()]
    stale = [str(want) for want, name in names if name not in pinned or pinned[name] not in want.specifier]
    assert stale == [], "run `make lock`"


def test_every_pin_has_its_hashes() -> None:
    assert [match["name"] for match in PINNED.finditer(LOCK) if "--hash=sha256:" not in match["rest"]] == []


def test_the_lock_names_no_host() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in LOCK
    assert "--find-links" not in LOCK
