"""Who may import whom: the table of the architecture, read off every module's syntax tree.

The table below is the documentation; the tests only hold the tree to it. No module of ours is imported here, so one
that breaks a rule, or does not even load, is still named. To change a rule, change the table and say why beside it.
"""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# --- The table ---------------------------------------------------------------------------------------------------

# Runs in a shop. Must never import what is only for trying it out.
PRODUCTION = ("edgebox", "drivers", "sync")
NEVER_IN_PRODUCTION = ("hw_sim", "tests")

# The words that every room may use.
WORDS = ("edgebox.model", "edgebox.errors")


@dataclass(frozen=True, slots=True)
class Room:
    """What one part of the tree may import; longer names win, so a module can be a room within a room."""

    name: str
    ours: tuple[str, ...]  # of this repository, besides itself and WORDS
    libraries: tuple[str, ...] = ()  # from PyPI
    lazily: tuple[str, ...] = ()  # as `ours`, but only inside a function or under TYPE_CHECKING
    pure: bool = True  # decides only: bytes, events and a clock value in; events or commands out


LINE = ("edgebox.line", "edgebox.escpos", "edgebox.breaker", "edgebox.tap", "edgebox.alive")
LINE_ADAPTERS = ("relay", "tillside", "printerside", "poll")
SCAN = ("edgebox.scan", "edgebox.breaker", "edgebox.tap", "edgebox.line.poll", "edgebox.dataplane", "edgebox.alive")
SCAN_ADAPTERS = ("daemon", "relay", "scannerside", "tillside")
FRAMES = ("edgebox.beacons.frames", "edgebox.beacons.heard")

ROOMS = (
    Room("edgebox.model", ours=()),
    Room("edgebox.errors", ours=()),
    Room("edgebox.escpos", ours=()),
    Room("edgebox.breaker", ours=()),
    Room("edgebox.line", ours=("edgebox.escpos", "edgebox.breaker")),
    Room("edgebox.scan", ours=("edgebox.breaker",)),
    Room("edgebox.receipt", ours=("edgebox.escpos",)),
    Room("edgebox.loyalty", ours=("edgebox.receipt",)),
    Room("edgebox.slips", ours=("edgebox.escpos", "edgebox.receipt", "edgebox.loyalty"), libraries=("qrcode",)),
    Room("edgebox.store.events", ours=(), libraries=("msgspec",)),
    Room("sync.contract", ours=(), libraries=("msgspec",)),
    Room("sync.session", ours=("sync.contract",), libraries=("msgspec",)),
    # The adapters of the line do its I/O and hold no policy. A driver is loaded when its URL names it, so that a line
    # over TCP never pays for pyserial.
    Room("edgebox.line.daemon", ours=(*LINE, "edgebox.dataplane"), lazily=("drivers", "edgebox.printers"), pure=False),
    *(Room(f"edgebox.line.{name}", ours=LINE, lazily=("drivers",), pure=False) for name in LINE_ADAPTERS),
    # The scanner's, as the line's. They share the loop's epoll.
    *(Room(f"edgebox.scan.{name}", ours=SCAN, lazily=("drivers",), pure=False) for name in SCAN_ADAPTERS),
    # What beacons say, who is near, and the radio's decisions. bleak and dbus-fast are loaded by drivers alone.
    Room("edgebox.beacons.heard", ours=()),
    Room("edgebox.beacons.frames", ours=("edgebox.beacons.heard",)),
    Room("edgebox.beacons.ears", ours=FRAMES),
    Room("edgebox.beacons.hours", ours=("edgebox.loyalty.windows",)),
    Room("edgebox.beacons.presence", ours=("edgebox.beacons.heard",)),
    Room("drivers.bluez_picture", ours=()),
    Room("drivers.advert_plan", ours=("drivers.bluez_picture", *FRAMES)),
    Room("drivers.scan_watch", ours=("drivers.bluez_picture", "edgebox.beacons.heard")),
    Room("edgebox.dataplane", ours=(), pure=False),
    Room("edgebox.alive", ours=(), pure=False),
    Room("edgebox.tap", ours=(), pure=False),
)

# What a pure module never touches.
IMPURE_MODULES = (
    *("asyncio", "select", "selectors", "socket", "socketserver", "ssl", "http", "urllib.request"),
    *("os", "pathlib", "glob", "shutil", "tempfile", "mmap", "fcntl", "sqlite3", "shelve", "importlib"),
    *("pty", "tty", "termios", "ctypes", "signal", "subprocess", "multiprocessing", "threading", "concurrent", "queue"),
    *("time", "random", "secrets", "uuid"),  # clocks and chance are handed in
    "logging",  # a fault is data here; who handles it logs it, once
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today"})  # of datetime and date: the clock is handed in

# A module has one idea. Tables may be long: they are read by looking up, not from the top.
LONGEST_MODULE_LINES = 450
TABLES = {
    "edgebox.escpos.commands": "the commands of ESC/POS, one a row",
}

# --- Reading the tree --------------------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
PACKAGES = (*PRODUCTION, *NEVER_IN_PRODUCTION)


@dataclass(frozen=True, slots=True)
class Import:
    name: str  # dotted; for `from a import b` it is a.b, whether b is a module or a name in one
    lazy: bool
    line: int


@dataclass(frozen=True)
class Module:
    name: str
    source: str
    is_package: bool = False

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.name)

    @property
    def imports(self) -> list[Import]:
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        return list(imports_in(self.tree, package, lazy=False))


def imports_in(node: ast.AST, package: str, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for name in names_imported(child, package):
            yield Import(name, lazy or is_import_call(child), getattr(child, "lineno", 0))
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        yield from imports_in(child, package, lazy or function or for_types)


def names_imported(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(level=0):
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case ast.ImportFrom():
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            return [".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names]
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if is_import_call(node):
            return [name]
    return []


def is_import_call(node: ast.AST) -> bool:
    """Whether the node is a call of `import_module` or `__import__`."""
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in {"import_module", "__import__"}


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def room_of(module: str) -> Room | None:
    rooms = [room for room in ROOMS if is_within(module, (room.name,))]
    return max(rooms, key=lambda room: len(room.name), default=None)


def is_allowed(found: Import, room: Room) -> bool:
    top = found.name.partition(".")[0]
    if top in PACKAGES:
        always = is_within(found.name, (room.name, *room.ours, *WORDS)) and not (room.pure and is_adapter(found.name))
        return always or (found.lazy and is_within(found.name, room.lazily))
    if top in sys.stdlib_module_names:
        return not (room.pure and is_within(found.name, IMPURE_MODULES))
    return top in room.libraries


def is_adapter(module: str) -> bool:
    room = room_of(module)
    return room is not None and not room.pure


def forbidden_imports(module: Module) -> list[str]:
    offences = []
    room = room_of(module.name)
    for found in module.imports:
        production = is_within(module.name, PRODUCTION) and is_within(found.name, NEVER_IN_PRODUCTION)
        if production or (room and not is_allowed(found, room)):
            offences.append(f"{module.name}:{found.line} imports {found.name}")
    return offences


def impure_calls(module: Module) -> list[str]:
    room = room_of(module.name)
    if room is None or not room.pure:
        return []
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    names = [(call.lineno, getattr(call.func, "id", None), getattr(call.func, "attr", None)) for call in calls]
    return [
        f"{module.name}:{line} calls {name or method}"
        for line, name, method in names
        if name in IMPURE_CALLS or method in IMPURE_METHODS
    ]


@functools.cache
def modules() -> list[Module]:
    found = []
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        package = parts[-1] == "__init__"
        found.append(Module(".".join(parts[:-1] if package else parts), path.read_text("utf-8"), package))
    return found


# --- The promises ------------------------------------------------------------------------------------------------


def test_every_module_imports_only_what_its_room_may() -> None:
    assert [offence for module in modules() for offence in forbidden_imports(module)] == []


def test_pure_modules_open_no_file_and_read_no_clock() -> None:
    assert [offence for module in modules() for offence in impure_calls(module)] == []


def test_importing_edgebox_costs_nothing() -> None:
    assert (ROOT / "edgebox" / "__init__.py").read_bytes() == b""


def test_every_module_says_what_it_is() -> None:
    """An `__init__` without content has nothing to say."""
    silent = [module.name for module in modules() if module.source and not ast.get_docstring(module.tree)]
    assert silent == []


def test_no_module_but_a_table_is_long() -> None:
    lines = {module.name: len(module.source.splitlines()) for module in modules() if module.name not in TABLES}
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE_LINES} == {}


# --- And the checks themselves can fail --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "offence"),
    [
        ("edgebox.engine", "import hw_sim.till", "hw_sim.till"),
        ("drivers.tcp", "from tests import playbook", "tests.playbook"),
        ("sync.client", "def f():\n    from hw_sim import cloud", "hw_sim.cloud"),
        ("sync.client", "import importlib\nimportlib.import_module('hw_sim.cloud')", "hw_sim.cloud"),
        ("edgebox.escpos.parser", "import os.path", "os.path"),
        ("edgebox.escpos.parser", "from os import path", "os.path"),
        ("edgebox.escpos.parser", "import msgspec", "msgspec"),
        ("edgebox.escpos.parser", "from ..line import core", "edgebox.line.core"),
        ("edgebox.escpos.parser", "import edgebox.receipt", "edgebox.receipt"),
        ("edgebox.model", "import socket", "socket"),
        ("edgebox.loyalty.rules", "def f():\n    import time", "time"),
        ("edgebox.receipt.reader", "from edgebox.store import db", "edgebox.store.db"),
        ("edgebox.line.core", "import selectors", "selectors"),
        ("edgebox.line.core", "from edgebox.line import daemon", "edgebox.line.daemon"),
        ("edgebox.line.core", "def f():\n    import drivers.tcp", "drivers.tcp"),
        ("edgebox.line.daemon", "import serial", "serial"),
        ("edgebox.line.daemon", "import drivers.tcp", "drivers.tcp"),
        ("edgebox.scan.core", "import select", "select"),
        ("edgebox.scan.core", "from edgebox.scan.relay import Relay", "edgebox.scan.relay.Relay"),
        ("edgebox.scan.daemon", "import evdev", "evdev"),
        ("edgebox.beacons.ears", "import drivers.beacon_scanner", "drivers.beacon_scanner"),
        ("drivers.scan_watch", "import bleak", "bleak"),
        ("edgebox.scan.relay", "import edgebox.line.core", "edgebox.line.core"),
    ],
)
def test_a_forbidden_import_is_named(module: str, source: str, offence: str) -> None:
    assert [line.split()[-1] for line in forbidden_imports(Module(module, source))] == [offence]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hw_sim.till", "import socket, hw_sim.links, edgebox.engine"),
        ("edgebox.engine", "import asyncio, msgspec, edgebox.store.db, drivers.tcp"),
        ("edgebox.escpos.parser", "from . import commands\nfrom edgebox.model import Line\nimport struct"),
        ("edgebox.line.core", "from edgebox.escpos.state import State\nfrom edgebox.line.frames import Frame"),
        ("edgebox.line.daemon", "import os, selectors\ndef f():\n    import drivers.tcp"),
        ("edgebox.line.daemon", "if TYPE_CHECKING:\n    from drivers.base import End"),
        ("edgebox.slips.slip", "import qrcode, edgebox.escpos.compose"),
        ("edgebox.loyalty.claims", "from urllib.parse import quote\nimport hmac"),
    ],
)
def test_an_allowed_import_is_not(module: str, source: str) -> None:
    assert forbidden_imports(Module(module, source)) == []


@pytest.mark.parametrize("source", ["open('x')", "datetime.now()", "date.today()", "def f():\n    print(1)"])
def test_an_impure_call_is_named(source: str) -> None:
    assert len(impure_calls(Module("edgebox.receipt.reader", source))) == 1
    assert impure_calls(Module("edgebox.engine", source)) == []
