"""HID POS: fields where the descriptor says, codes of several reports, and nonsense that gives nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Reason, WholeCode
from drivers.hidraw_pos import CODE_MAX, Assembler, fields_of
from drivers.registry import scanner_end
from edgebox.errors import DriverError
from hw_sim.scanner import POS_DESCRIPTOR, pos_reports

# No report id, no byte count, no symbology: usage page 8C, 8 bytes of Decoded Data, a whole byte of "continued".
BARE = bytes.fromhex("058C0902A101 1500 26FF00 7508 9508 09FE 8102 9501 09FF 8102 C0".replace(" ", ""))
# Fields in another order, a usage with its page in it, pushed and popped globals, a vendor's report in front.
ODD = bytes.fromhex(
    "0606FF 0901 A101 8501 7508 9505 0902 8102 C0 058C 0902 A101 8507 7501 9501 09FF 8102 9507 8103"
    " A4 7508 9503 09FB 09FC 09FD 8102 950A 0BFE008C00 8102 B4 C0".replace(" ", "")
)


def codes(descriptor: bytes, *reports: bytes) -> list[WholeCode]:
    assembler = Assembler(descriptor)
    return [code for report in reports for code in assembler.report(report)]


@given(st.binary(min_size=1, max_size=300), st.sampled_from([b"]Q1", b"]C1", b"]E0"]))
def test_a_code_of_any_bytes_comes_whole(code: bytes, symbology: bytes) -> None:
    assert codes(POS_DESCRIPTOR, *pos_reports(code, symbology)) == [WholeCode(code, symbology.decode())]


def test_codes_follow_each_other() -> None:
    reports = pos_reports(b"a" * 100) + pos_reports(b"b", b"]E0") + pos_reports(b"c" * 56, b"\0\0\0")
    found = codes(POS_DESCRIPTOR, *reports)
    assert found == [WholeCode(b"a" * 100, "]Q1"), WholeCode(b"b", "]E0"), WholeCode(b"c" * 56, "")]


def test_a_descriptor_without_count_and_id_is_enough() -> None:
    assert codes(BARE, b"12345678\x01", b"90\0\0\0\0\0\0\x00") == [WholeCode(b"1234567890", "")]


def test_the_descriptor_says_where_the_fields_are() -> None:
    assert sorted(fields_of(ODD)) == [7]
    assert codes(ODD, b"\x01hello", b"\x07\x01]C0ABCDEFGHIJ", b"\x07\x00]C0KL\0\0\0\0\0\0\0\0") == [
        WholeCode(b"ABCDEFGHIJKL", "]C0")
    ]


def test_other_reports_and_empty_ones_are_no_codes() -> None:
    assert codes(POS_DESCRIPTOR, b"", b"\x05", b"\x02", b"\x02\x00]Q1" + bytes(57), b"\x09" + bytes(61)) == []


def test_a_code_without_end_is_given_up_and_the_next_is_whole() -> None:
    endless = b"\x02\x38]Q1" + b"x" * 56 + b"\x01"
    assembler = Assembler(POS_DESCRIPTOR)
    for _ in range(CODE_MAX // 56 * 3):
        assert assembler.report(endless) == []
        assert len(assembler._data) <= CODE_MAX
    assert assembler.report(endless[:-1] + b"\x00") == []
    assert assembler.given_up == 1
    assert assembler.report(pos_reports(b"next")[0]) == [WholeCode(b"next", "]Q1")]


def test_a_keyboards_descriptor_is_no_scanner() -> None:
    keyboard = bytes.fromhex(
        "05010906A101050719E029E71500250175019508810295017508810195067508150025650507190029658100C0"
    )
    assert not Assembler(keyboard).reads_codes


@given(st.binary(max_size=200), st.lists(st.binary(max_size=80), max_size=5))
def test_nonsense_gives_codes_or_nothing(descriptor: bytes, reports: list[bytes]) -> None:
    for code in codes(descriptor, *reports):
        assert code.data


@given(st.data())
def test_a_damaged_descriptor_gives_codes_or_nothing(data: st.DataObject) -> None:
    damaged = bytearray(POS_DESCRIPTOR)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    for code in codes(bytes(damaged), *pos_reports(b"6901234567892")):
        assert code.data


def test_a_report_of_gigabytes_is_not_believed() -> None:
    assert fields_of(bytes.fromhex("058C 0902 A101 7508 97FFFFFF7F 09FE 8102 C0".replace(" ", ""))) == {}


def test_a_code_is_not_shown() -> None:
    assert "134" not in repr(WholeCode(b"134567890123456789", "]Q1"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("hidraw:", Reason.MISSING_PATH),
        ("hidraw://dev/hidraw0", Reason.BAD_PATH),
        ("hidraw:///dev/hidraw0?layout=us", Reason.UNKNOWN_OPTION),
    ],
)
def test_a_wrong_url_is_named(url: str, reason: Reason) -> None:
    with pytest.raises(DriverError) as caught:
        scanner_end(url)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("path", "reason"), [("/dev/nothing", Reason.NOT_FOUND), ("/dev/null", Reason.WRONG_DEVICE)])
def test_what_is_no_scanner_is_refused(path: str, reason: Reason) -> None:
    with pytest.raises(DriverError) as caught:
        scanner_end(f"hidraw://{path}").accept()
    assert caught.value.reason == reason
