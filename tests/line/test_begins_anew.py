"""A line that is told to begin anew: between two documents, with what the page has changed, and never without paper."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox import overlay
from edgebox.errors import ConfigError
from edgebox.line.frames import Hello, Restart, encode
from edgebox.line.settings import LineSettings, data_folder, laid_over
from edgebox.overlay import Layers, Overlay
from hw_sim.printer import Printer
from hw_sim.served import TcpPrinter
from hw_sim.till import Till, one_per_receipt
from tests.line.box import Engine, Line, free_port, until

RECEIPT = b"\x1b@SHOP\nTOTAL 5.00\nTHANKS\n\n\n\n\n\n\n\x1dV\x00"


@pytest.fixture
def printer() -> Iterator[TcpPrinter]:
    with TcpPrinter(Printer()) as served:
        yield served


def configured(folder: Path, printer: TcpPrinter, engine: Path) -> Line:
    till = f"tcp://127.0.0.1:{free_port()}"
    to = f"tcp://127.0.0.1:{printer.address[1]}"
    file = folder / "edgebox.toml"
    file.write_text(
        f'[engine]\ndata = "{folder / "data"}"\n[[line]]\nname = "bar.1"\ntill = "{till}"\nprinter = "{to}"\n'
        f'profile = "generic-80"\nengine = "{engine}"\n',
        "utf-8",
    )
    return Line(till, to, "--config", str(file))


def lay(folder: Path, profile: str) -> None:
    (folder / "data").mkdir(exist_ok=True)
    overlay.write(folder / "data", Overlay(layers=Layers(page={"line.bar.1.profile": profile})))


def profiles(engine: Engine) -> list[str]:
    return [frame.profile for frame in list(engine.frames) if isinstance(frame, Hello)]


@pytest.mark.parametrize("told_by", ["engine", "systemctl reload"])
def test_a_line_begins_anew_between_two_documents(printer: TcpPrinter, tmp_path: Path, told_by: str) -> None:
    with Engine(tmp_path / "e") as engine, configured(tmp_path, printer, engine.path) as line:
        until(lambda: engine.connected, "hello")
        assert profiles(engine) == ["generic-80"]
        lay(tmp_path, "generic-58")
        with Till(line.address) as till:
            till.send(RECEIPT[:20])
            until(lambda: bool(engine.documents()), "the first bytes")
            if told_by == "engine":
                engine.send(encode(Restart()))
            else:
                line._process.send_signal(signal.SIGHUP)  # ExecReload of the unit
            till.send(RECEIPT[20:])
            report = printer.wait_until(lambda report: report.cuts == 1)
        assert report.faults == []
        assert "*SLIP*" in report.tickets[0].text  # the receipt that was on its way has all it would have had
        until(lambda: len(profiles(engine)) == 2, "the line is back")
        assert profiles(engine) == ["generic-80", "generic-58"]
        until(line._listens, "the till's port")
        one_per_receipt(line.address, [RECEIPT])
        report = printer.wait_until(lambda report: report.cuts == 2)
        assert report.faults == []


def test_who_is_told_to_begin_anew_and_then_to_end_ends(printer: TcpPrinter, tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine, configured(tmp_path, printer, engine.path) as line:
        until(lambda: engine.connected, "hello")
        with Till(line.address) as till:
            till.send(RECEIPT[:20])
            until(lambda: bool(engine.documents()), "the first bytes")
            line._process.send_signal(signal.SIGHUP)
            time.sleep(0.2)  # it has been heard: two at once are one reading
            line._process.send_signal(signal.SIGTERM)
            assert line._process.wait(10.0) == 0
        assert profiles(engine) == ["generic-80"]


@pytest.mark.parametrize("broken", ["no-such-printer", "half", "nothing"])
def test_whatever_the_overlay_says_the_shop_prints_as_the_file_says(
    printer: TcpPrinter, tmp_path: Path, broken: str
) -> None:
    lay(tmp_path, "no-such-printer")
    path = tmp_path / "data" / overlay.FILE
    if broken != "no-such-printer":
        path.write_bytes(path.read_bytes()[:40] if broken == "half" else b"")
    with Engine(tmp_path / "e") as engine, configured(tmp_path, printer, engine.path) as line:
        until(lambda: engine.connected, "hello")
        assert profiles(engine) == ["generic-80"]
        assert "goes on with" in "".join(line.log)
        one_per_receipt(line.address, [RECEIPT])
        assert printer.wait_until(lambda report: report.cuts == 1).faults == []


def test_what_the_overlay_says_of_other_lines_and_keys_is_not_ours(tmp_path: Path) -> None:
    page = {
        "line.b.profile": "x",
        "line.a.till": "tcp://1.2.3.4:9100",
        "shop.name": "S",
        "line.a.profile": "generic-58",
    }
    overlay.write(tmp_path, Overlay(layers=Layers(page=page)))
    found = laid_over(LineSettings(name="a"), (tmp_path / overlay.FILE).read_bytes(), "overlay")
    assert found == LineSettings(name="a", profile="generic-58")


def test_the_fleet_goes_before_the_page(tmp_path: Path) -> None:
    layers = Layers(page={"line.a.profile": "generic-58"}, cloud={"line.a.profile": "epson-tm-t88"})
    overlay.write(tmp_path, Overlay(layers=layers))
    found = laid_over(LineSettings(name="a"), (tmp_path / overlay.FILE).read_bytes(), "overlay")
    assert found.profile == "epson-tm-t88"


def test_one_turned_bit_is_noticed(tmp_path: Path) -> None:
    overlay.write(tmp_path, Overlay(layers=Layers(page={"line.a.profile": "generic-58"})))
    raw = (tmp_path / overlay.FILE).read_bytes()
    with pytest.raises(ConfigError):
        laid_over(LineSettings(name="a"), raw.replace(b"generic-58", b"generic-5:"), "overlay")


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["sha256", "overlay", "layers", "page", "line.a.profile"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_an_overlay_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(laid_over(LineSettings(name="a"), raw, "overlay"), LineSettings)


def test_the_data_folder_is_that_of_the_engine() -> None:
    assert data_folder("") == "/var/lib/edgebox"
    assert data_folder('[engine]\ndata = "var"\n') == "var"
