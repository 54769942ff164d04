"""Printer profiles: the shipped ones load and agree with python-escpos' data; faults are named, all at once."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgebox.errors import ConfigError
from edgebox.escpos.profile import PrinterProfile
from edgebox.printers import KEYS, capabilities, find_printer, load_printer, load_printers

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "config" / "printers"
PRINTERS = load_printers(FOLDER)
# Where a shipped profile knowingly differs from the capability data that stands behind it.
DIFFERENT = {
    "citizen-ct-s310": {"dots"},  # CT-S651's 640 dots are a wider mode
}


def capability_data() -> dict[str, dict[str, object]]:
    spec = find_spec("escpos")
    assert spec
    assert spec.submodule_search_locations
    text = Path(spec.submodule_search_locations[0], "capabilities.json").read_text("utf-8")
    found: dict[str, dict[str, object]] = json.loads(text)["profiles"]
    return found


def fault(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        load_printer(path)
    assert refused.value.reason == "bad_printer"
    return str(refused.value)


def test_the_printers_of_the_trade_are_there() -> None:
    assert {
        "generic-80", "generic-58", "epson-tm-t88", "epson-tm-t20", "epson-tm-m30", "xprinter-xp-80", "xprinter-xp-58",
        "gprinter-gp-l80", "bixolon-srp-350", "citizen-ct-s310", "star-tsp100-escpos", "star-line", "bematech-mp-4200",
        "daruma-dr800", "sewoo-slk-ts400", "zjiang-pos-5890",
    } <= set(PRINTERS)  # fmt: skip


@pytest.mark.parametrize("name", PRINTERS)
def test_a_shipped_profile_makes_sense(name: str) -> None:
    printer = PRINTERS[name]
    assert printer.name == name
    assert printer.title
    assert printer.dots // printer.columns == 12, "font A is 12 dots wide"
    assert printer.columns < printer.columns_b
    assert printer.line_spacing >= printer.char_height
    assert printer.motion_y in (printer.dpi, 2 * printer.dpi)
    assert printer.insert == (printer.dialect == "epson"), "nothing goes into a dialect that compose doesn't speak"
    assert bytes.fromhex(printer.buzzer) or not printer.buzzer
    assert (FOLDER / f"{name}.toml").read_text("utf-8").startswith("# "), "its sources stand at its head"


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.toml") if "capabilities =" in path.read_text()])
def test_a_shipped_profile_agrees_with_the_capability_data(name: str) -> None:
    printer = PRINTERS[name]
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    behind = text.split('capabilities = "')[1].split('"')[0]
    data = capability_data()[behind]
    media, features, fonts = data["media"], data["features"], data["fonts"]
    assert isinstance(media, dict)
    assert isinstance(features, dict)
    assert isinstance(fonts, dict)
    facts = {
        "dots": media["width"]["pixels"],
        "dpi": media.get("dpi", 203),
        "columns": fonts["0"]["columns"],
        "qr_native": features["qrCode"],
        "cutter": features["paperFullCut"] or features["paperPartCut"],
        "raster": "gs_v_0" if features["bitImageRaster"] else "esc_star",
    }
    assert {key for key, value in facts.items() if getattr(printer, key) != value} == DIFFERENT.get(name, set())
    pages = data["codePages"]
    assert isinstance(pages, dict)
    assert {str(page) for page, _ in printer.code_pages} <= set(pages)
    assert printer.codec(16) in (None, "cp1252")


def test_two_byte_codecs_are_no_code_pages() -> None:
    """The data calls Epson's page of katakana CP932: two bytes a character would print two of them."""
    pages = dict(capabilities("TM-T88V")["code_pages"])
    assert pages[0] == "cp437"
    assert 1 not in pages


def test_every_field_of_a_profile_can_be_set_and_is_explained() -> None:
    assert set(KEYS) - {"capabilities"} == set(PrinterProfile._fields) - {"name"}
    text = (FOLDER / "generic-80.toml").read_text("utf-8")
    assert [key for key in KEYS if key not in text] == []


def test_generic_80_is_what_the_defaults_are() -> None:
    assert PRINTERS["generic-80"]._replace(name="", title="") == PrinterProfile(name="", title="")


def test_a_files_own_keys_win_over_the_capability_data(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('capabilities = "TM-T88V"\ncolumns = 56\nhead_to_cutter_mm = 15\n[code_pages]\n7 = "cp866"\n')
    printer = load_printer(path)
    assert (printer.name, printer.dots, printer.columns, printer.head_to_cutter_mm) == ("mine", 512, 56, 15.0)
    assert printer.code_pages == ((7, "cp866"),)


def test_every_printer_in_the_capability_data_loads(tmp_path: Path) -> None:
    for name in capability_data():
        path = tmp_path / "any.toml"
        path.write_text(f'capabilities = "{name}"\n')
        assert load_printer(path).columns > 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dotz = 576", "dotz: no such key, expected one of title, capabilities, dots"),
        ("dots = 50", "dots: 50, expected a number from 100 to 1200"),
        ('dots = "576"', "dots: '576', expected a number"),
        ("dots = true", "dots: True, expected a number"),
        ("cutter = 1", "cutter: 1, expected true or false"),
        ('raster = "gsv0"', "raster: 'gsv0', expected one of gs_v_0, esc_star, none"),
        ('cjk = "utf8"', "cjk: 'utf8', expected one of none, gb18030"),
        ('buzzer = "1B4"', "buzzer: '1B4', expected bytes in hex"),
        ('capabilities = "TM-T99"', "capabilities: 'TM-T99', expected one of AF-240"),
        ("head_to_cutter_mm = -1.5", "head_to_cutter_mm: -1.5, expected a number from 0 to 40 mm"),
        ("[code_pages]\n300 = 'cp437'", "300: no ESC t number"),
        ("[code_pages]\n3 = 'cp437x'", "3: 'cp437x', expected the Python name of a one-byte code page"),
        ("[code_pages]\n3 = 'gbk'", "3: 'gbk', expected the Python name of a one-byte code page"),
        ("[code_pages]\n3 = 'utf-8'", "3: 'utf-8', expected the Python name of a one-byte code page"),
        ("[code_pages]\n3 = 'hex'", "3: 'hex', expected the Python name of a one-byte code page"),
    ],
)
def test_a_fault_names_file_line_key_and_what_was_expected(tmp_path: Path, line: str, words: str) -> None:
    text = fault(tmp_path, f'title = "x"\n\n{line}\n')
    row = 3 + line.count("\n")
    assert text.startswith(f"{tmp_path / 'mine.toml'}:{row}: {words}")


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("dots = 1\ncolumns = 1\n")
    (tmp_path / "b.toml").write_text("this is no TOML")
    (tmp_path / "c.toml").write_text('title = "fine"\n')
    with pytest.raises(ConfigError) as refused:
        load_printers(tmp_path)
    assert [line.split(":")[0].rsplit("/")[-1] for line in str(refused.value).splitlines()] == [
        "a.toml",
        "a.toml",
        "b.toml",
    ]


@pytest.mark.parametrize("name", ["epson", "../printers/generic-80", "", "GENERIC-80"])
def test_an_unknown_printer_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="there are: bematech-mp-4200, bixolon") as refused:
        find_printer(name, FOLDER)
    assert refused.value.reason == "no_printer"


def test_a_printer_is_found_by_its_files_name() -> None:
    assert find_printer("epson-tm-t20", FOLDER) == PRINTERS["epson-tm-t20"]


def test_python_escpos_is_read_and_never_run() -> None:
    """Importing it costs 218 ms and 17 MB, and sets up logging behind our back."""
    code = (
        "import sys; from pathlib import Path; from edgebox.printers import load_printers; "
        "load_printers(Path('config/printers')); print(sorted({'escpos', 'PIL', 'logging'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
