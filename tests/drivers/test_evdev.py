"""A wedge's keys: layouts, Shift, Caps Lock, keypad, dead keys, control characters; and the real library."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Reason
from drivers.evdev_keys import Wedge
from drivers.keymaps import NAMES, Layout
from drivers.registry import scanner_end
from edgebox.errors import DriverError
from hw_sim.evsim import Device, environment
from hw_sim.scanner import WedgeScanner
from tests.drivers.program import Program

SHIFT, CTRL, ALT, ALTGR, META, CAPS, NUM = 42, 29, 56, 100, 125, 58, 69
A, Q, M, BRACKET, SEMICOLON, DIGIT_1, DIGIT_2, DIGIT_7, F1, SPACE = 30, 16, 50, 27, 39, 2, 3, 8, 59, 57
KP = {"0": 82, "1": 79, "2": 80, "3": 81, "6": 77, "8": 72, "9": 73, "+": 78, "Enter": 96}
needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") or shutil.which("cc")), reason="no C compiler: apt install gcc"
)


class Keys:
    """Typed by hand: `+` holds, `-` lets go, a number is struck."""

    def __init__(self, layout: str = "us") -> None:
        self.wedge = Wedge(Layout(layout))
        self.text = ""

    def down(self, *codes: int) -> Keys:
        for code in codes:
            self.text += self.wedge.press(code)
        return self

    def up(self, *codes: int) -> Keys:
        for code in codes:
            self.text += self.wedge.release(code)
        return self

    def strike(self, *codes: int) -> Keys:
        for code in codes:
            self.down(code).up(code)
        return self


def test_shift_and_caps_lock() -> None:
    keys = Keys().strike(A).down(SHIFT).strike(A, DIGIT_1).up(SHIFT).strike(CAPS, A, DIGIT_1)
    assert keys.down(SHIFT).strike(A).up(SHIFT).strike(CAPS, A).text == "aA!A1aa"


def test_french_digits_need_shift() -> None:
    keys = Keys("fr").strike(DIGIT_1, Q, M).down(SHIFT).strike(DIGIT_1, Q).up(SHIFT)
    assert keys.text == "&a,1A"


def test_german_signs_need_altgr_which_some_scanners_send_as_ctrl_and_alt() -> None:
    keys = Keys("de").down(ALTGR).strike(Q, DIGIT_7).up(ALTGR).down(CTRL, ALT).strike(Q).up(ALT, CTRL)
    assert keys.text == "@{@"


def test_dead_keys() -> None:
    caret, acute = 41, 13
    assert Keys("de").strike(caret, A, caret, SPACE, caret, DIGIT_1, acute, acute).text == "â^^1´´"


def test_the_keypad_types_its_digits_whatever_num_lock_says() -> None:
    assert Keys().strike(KP["1"], NUM, KP["2"], KP["+"], NUM, KP["0"], KP["Enter"]).text == "12+0\r"


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_and_a_letter_is_a_control_character_in_every_layout(name: str) -> None:
    layout = Layout(name)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        keys = Keys(name).down(CTRL).strike(layout.strokes(letter)[0].code).up(CTRL)
        assert keys.text == chr(ord(letter) & 0x1F)


def test_group_separators_of_a_gs1_code_come_through() -> None:
    assert Keys().down(CTRL).strike(BRACKET).up(CTRL).text == "\x1d"
    assert Keys("de").down(CTRL, ALTGR).strike(10).up(CTRL, ALTGR).text == "\x1d"  # AltGr+9 is ]
    assert Keys().down(ALT).strike(KP["0"], KP["2"], KP["9"]).up(ALT).text == "\x1d"
    assert Keys().down(ALT).strike(KP["2"], KP["9"]).up(ALT).text == "\x1d"


def test_alt_numbers_are_windows_characters_with_a_zero_and_doss_without() -> None:
    assert Keys().down(ALT).strike(KP["0"], KP["1"], KP["2"], KP["8"]).up(ALT).text == "€"
    assert Keys().down(ALT).strike(KP["1"], KP["2"], KP["8"]).up(ALT).text == "Ç"
    assert Keys().down(ALT).strike(KP["6"], KP["6"]).up(ALT).text == "B"
    assert Keys().down(ALT).strike(KP["0"], KP["1"], KP["2"], KP["9"]).up(ALT).text == ""  # no such character


def test_keys_that_are_no_characters_give_nothing_and_are_counted() -> None:
    keys = Keys().strike(F1, 105, 111).down(META).strike(A).up(META).down(ALT).strike(A).up(ALT)
    assert keys.text == ""
    assert keys.wedge.ignored == 5


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=60), st.sampled_from(NAMES))
def test_any_keys_give_text(events: list[tuple[bool, int]], name: str) -> None:
    wedge = Wedge(Layout(name))
    for is_down, code in events:
        text = wedge.press(code) if is_down else wedge.release(code)
        assert len(text) <= 2
        text.encode("utf-8")


# -- URLs


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("evdev:", Reason.MISSING_PATH),
        ("evdev://dev/input/event0", Reason.BAD_PATH),
        ("evdev:///dev/input/event0?layout=xx", Reason.BAD_OPTION),
        ("evdev:///dev/input/event0?country=de", Reason.UNKNOWN_OPTION),
        ("usb:///dev/x", Reason.UNKNOWN_SCHEME),
        ("hidkbd:///dev/hidg0?layout=us", Reason.UNKNOWN_SCHEME),
    ],
)
def test_a_wrong_url_is_named(url: str, reason: Reason) -> None:
    with pytest.raises(DriverError) as caught:
        scanner_end(url)
    assert caught.value.reason == reason
    assert caught.value.hint


@pytest.mark.parametrize(("path", "reason"), [("/dev/nothing", Reason.NOT_FOUND), ("/dev/null", Reason.WRONG_DEVICE)])
def test_what_is_no_keyboard_is_refused(path: str, reason: Reason) -> None:
    end = scanner_end(f"evdev://{path}")
    end.open()
    with pytest.raises(DriverError) as caught:
        end.accept()
    assert caught.value.reason == reason


# -- the real library, on simulated devices


@needs_compiler
def test_the_library_reads_grabs_and_lets_go(tmp_path: Path) -> None:
    with Device(tmp_path, "event0") as device, Program(environment(tmp_path)) as program:
        program.ask("import pytest; from drivers.registry import scanner_end")
        program.ask(f"end = scanner_end('evdev://{device.path}?layout=de')")
        somebody = tmp_path / "event0.grab"
        somebody.touch()
        program.ask("caught = pytest.raises(DriverError, end.accept)")
        assert program.ask("str(caught.value.reason)") == "busy"
        somebody.unlink()
        program.ask("port = end.accept()")
        assert device.is_grabbed
        assert program.ask("end.accept()") is None  # it is out
        device.wait_open()
        scanner = WedgeScanner(device, "de")
        assert program.ask("port.read(100)") is None
        scanner.scan("Zürich-{7}@")
        assert program.ask("b''.join(iter(lambda: port.read(9), None))") == "Zürich-{7}@\r".encode()
        scanner.lose_keys()
        assert program.ask("port.read(9)") == ("KeysLostError", 75)  # EOVERFLOW
        device.unplug()
        assert program.ask("port.read(9)") == ("OSError", 19)  # ENODEV
        program.ask("port.close()")
        assert not device.is_grabbed
