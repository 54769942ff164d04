"""The box on the till's USB port: who it is, and the tree in configfs. On a folder here; the kernel's own in a VM."""

import errno
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.appliance.gadget import KEYBOARD, LET_GO_S, Attribute, Functions, Gadget, plan
from edgebox.appliance.identity import Identity, keep, kept
from edgebox.errors import ConfigError
from edgebox.line.tillside import SHOWN_S

TM = Identity(
    vendor=0x04B8,
    product=0x0202,
    manufacturer="EPSON",
    name="TM-T88V",
    serial="J5FG123456",
    device_id="MFG:EPSON;CMD:ESC/POS;MDL:TM-T88V;CLS:PRINTER;",
)
ALL = Functions(printer=True, keyboard=True, serial=True)


@pytest.fixture
def gadget(tmp_path: Path) -> Gadget:
    (tmp_path / "usb_gadget").mkdir()
    (tmp_path / "udc" / "dummy_udc.0").mkdir(parents=True)
    return Gadget(tmp_path / "usb_gadget", tmp_path / "udc", shutil.rmtree, lambda seconds: None)


def tree(tmp_path: Path) -> dict[str, bytes]:
    root = tmp_path / "usb_gadget" / "edgebox"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_till_finds_the_shops_own_printer(gadget: Gadget, tmp_path: Path) -> None:
    assert gadget.up(TM, ALL)
    found = tree(tmp_path)
    assert found["idVendor"] == b"0x04b8"
    assert found["strings/0x409/serialnumber"] == b"J5FG123456"
    assert found["functions/printer.0/pnp_string"] == TM.device_id.encode() + b"  ", "the kernel keeps two letters back"
    assert found["functions/hid.0/report_desc"] == KEYBOARD
    assert found["UDC"] == b"dummy_udc.0"
    config = tmp_path / "usb_gadget/edgebox/configs/c.1"
    assert sorted(path.name for path in config.iterdir() if path.is_symlink()) == ["acm.0", "hid.0", "printer.0"]


def test_made_again_it_is_not_pulled_from_under_the_till(gadget: Gadget, tmp_path: Path) -> None:
    gadget.up(TM, ALL)
    made = (tmp_path / "usb_gadget/edgebox/UDC").stat().st_mtime_ns
    assert not gadget.up(TM, ALL)
    assert (tmp_path / "usb_gadget/edgebox/UDC").stat().st_mtime_ns == made


@pytest.mark.parametrize("change", ["identity", "functions", "half made"])
def test_what_is_there_and_differs_is_made_anew(gadget: Gadget, tmp_path: Path, change: str) -> None:
    gadget.up(TM, ALL)
    identity, functions = TM, ALL
    if change == "identity":
        identity = msgspec.structs.replace(TM, serial="OTHER")
    elif change == "functions":
        functions = Functions(printer=True)
    else:
        (tmp_path / "usb_gadget/edgebox/UDC").write_text("")
    assert gadget.up(identity, functions)
    assert gadget.bound_to == "dummy_udc.0"
    assert tree(tmp_path)["strings/0x409/serialnumber"] == identity.serial.encode()
    assert ("functions/hid.0/report_desc" in tree(tmp_path)) == functions.keyboard


def test_a_line_is_given_time_to_close_its_node_before_the_gadget_is_made_anew(tmp_path: Path, gadget: Gadget) -> None:
    waits = []

    def pause(seconds: float) -> None:
        waits.append((seconds, gadget.bound_to, (tmp_path / "usb_gadget/edgebox/functions/printer.0").exists()))

    own = Gadget(tmp_path / "usb_gadget", tmp_path / "udc", shutil.rmtree, pause)
    own.up(TM, ALL)
    assert waits == [], "there was none"
    own.up(TM, Functions(printer=True))
    assert waits == [(LET_GO_S, "", True)], "unbound, and nothing removed yet"
    assert LET_GO_S >= 2 * SHOWN_S


def test_taken_down_nothing_is_left(gadget: Gadget, tmp_path: Path) -> None:
    gadget.up(TM, ALL)
    gadget.down()
    gadget.down()
    assert list((tmp_path / "usb_gadget").iterdir()) == []
    assert gadget.bound_to == ""


def test_a_machine_that_cannot_be_a_device_is_told_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as fault:
        Gadget(tmp_path / "none", tmp_path / "udc").up(TM, ALL)
    assert (fault.value.reason, "modprobe" in fault.value.hint) == ("no_gadget", True)
    (tmp_path / "usb_gadget").mkdir()
    with pytest.raises(ConfigError) as fault:
        Gadget(tmp_path / "usb_gadget", tmp_path / "udc").up(TM, ALL)
    assert fault.value.reason == "no_controller"


def test_what_the_kernel_refuses_half_way_is_removed_and_said(
    gadget: Gadget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(ConfigError) as fault:
        gadget.up(TM, ALL)
    assert (fault.value.reason, "another gadget" in fault.value.hint) == ("no_gadget", True)
    assert list((tmp_path / "usb_gadget").iterdir()) == []


def test_the_keyboard_has_reports_of_eight_bytes_and_lights() -> None:
    """By the sums of its items: 8 + 8 + 6 * 8 bits in, 5 + 3 bits out [HID 1.11, 6.2.2]."""
    sizes, count, size, at = {0x80: 0, 0x90: 0}, 0, 0, 0
    while at < len(KEYBOARD):
        head = KEYBOARD[at]
        length = (0, 1, 2, 4)[head & 3]
        value = int.from_bytes(KEYBOARD[at + 1 : at + 1 + length], "little")
        kind = head & 0xFC
        if kind == 0x74:
            size = value
        elif kind == 0x94:
            count = value
        elif kind in sizes:
            sizes[kind] += size * count
        at += 1 + length
    assert sizes == {0x80: 64, 0x90: 8}


# --- Identity ----------------------------------------------------------------------------------------------------


def test_an_identity_is_kept_for_ever(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    keep(tmp_path, TM)
    keep(tmp_path, TM)
    assert kept(tmp_path) == TM
    with pytest.raises(ConfigError) as fault:
        keep(tmp_path, msgspec.structs.replace(TM, serial="OTHER"))
    assert fault.value.reason == "identity_kept"
    assert kept(tmp_path) == TM


@given(st.binary(max_size=200))
def test_a_damaged_file_is_an_error_and_never_another_identity(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("data")
    (folder / "gadget.json").write_bytes(raw)
    with pytest.raises(ConfigError) as fault:
        kept(folder)
    assert fault.value.reason == "bad_identity"


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=126)


@given(st.builds(Identity, vendor=st.integers(1, 0xFFFF), product=st.integers(0, 0xFFFF), serial=_TEXT, name=_TEXT))
def test_no_identity_reaches_outside_its_tree(identity: Identity) -> None:
    for one in plan(identity, ALL):
        path = one.path if isinstance(one, Attribute) else one
        assert ".." not in path
        assert not path.startswith("/")
