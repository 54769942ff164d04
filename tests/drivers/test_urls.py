"""A wrong URL is named with what is wrong and what to write instead; nothing is guessed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Reason, Url, parse_url
from drivers.registry import SCHEMES, printer_end, till_end
from edgebox.errors import DriverError

SERIAL = "serial:///dev/ttyUSB0"

EITHER_END = [
    ("", Reason.NOT_A_URL),
    ("192.168.1.50", Reason.NOT_A_URL),
    ("/dev/ttyUSB0", Reason.NOT_A_URL),
    ("://x:1", Reason.NOT_A_URL),
    ("192.168.1.50:9100", Reason.NOT_A_URL),
    ("http://127.0.0.1:9100", Reason.UNKNOWN_SCHEME),
    ("tcp:", Reason.MISSING_HOST),
    ("tcp://", Reason.MISSING_HOST),
    ("tcp://:9100", Reason.MISSING_HOST),
    ("tcp://127.0.0.1", Reason.MISSING_PORT),
    ("tcp://127.0.0.1:", Reason.MISSING_PORT),
    ("tcp://[::1]", Reason.MISSING_PORT),
    ("tcp://127.0.0.1:http", Reason.BAD_PORT),
    ("tcp://127.0.0.1:65536", Reason.BAD_PORT),
    ("tcp://127.0.0.1:-1", Reason.BAD_PORT),
    ("tcp://127.0.0.1:９１００", Reason.BAD_PORT),
    ("tcp://::1:9100", Reason.BAD_HOST),
    ("tcp://[127.0.0.1]:9100", Reason.BAD_HOST),
    ("tcp://[::1:9100", Reason.BAD_HOST),
    ("tcp://1.2.3:9100", Reason.BAD_HOST),
    ("tcp://1.2.3.256:9100", Reason.BAD_HOST),
    ("tcp://root@printer:9100", Reason.BAD_HOST),
    ("tcp://a printer:9100", Reason.BAD_HOST),
    ("tcp://127.0.0.1:9100/raw", Reason.BAD_PATH),
    ("tcp://127.0.0.1:9100?alow=10.0.0.1", Reason.UNKNOWN_OPTION),
    ("tcp://127.0.0.1:9100?baud=9600", Reason.UNKNOWN_OPTION),
    ("serial:", Reason.MISSING_PATH),
    ("serial:?baud=9600&flow=none", Reason.MISSING_PATH),
    ("serial://dev/ttyUSB0?baud=9600&flow=none", Reason.BAD_PATH),
    (f"{SERIAL}?flow=none", Reason.MISSING_OPTION),
    (f"{SERIAL}?baud=9600", Reason.MISSING_OPTION),
    (f"{SERIAL}?baud=&flow=none", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9601&flow=none", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=fast&flow=none", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9600&flow=dtrdsr", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9600&baud=19200&flow=none", Reason.REPEATED_OPTION),
    (f"{SERIAL}?baud=9600&flow=none&parity=mark", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9600&flow=none&bits=6", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9600&flow=none&stop=3", Reason.BAD_OPTION),
    (f"{SERIAL}?baud=9600&flow=none&speed=3", Reason.UNKNOWN_OPTION),
    ("file:", Reason.MISSING_PATH),
    ("file:///tmp/a%00b", Reason.BAD_PATH),
    ("file://tmp/a", Reason.BAD_PATH),
    ("file:/tmp/a?append=no", Reason.UNKNOWN_OPTION),
    ("pty://tmp/a", Reason.BAD_PATH),
    ("pty:?link=/tmp/a", Reason.UNKNOWN_OPTION),
]
ONE_END = [
    (till_end, "tcp://127.0.0.1:9100?allow=", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=,", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=till", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=10.0.0.1/33", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=10.0.0.1/8", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=10.0.0.1/", Reason.BAD_OPTION),
    (till_end, "tcp://127.0.0.1:9100?allow=10.0.0.1,fe80::/129", Reason.BAD_OPTION),
    (till_end, "tcp://fd:2", Reason.BAD_PORT),
    (printer_end, "tcp://127.0.0.1:0", Reason.BAD_PORT),
    (printer_end, "tcp://127.0.0.1:9100?allow=10.0.0.1", Reason.UNKNOWN_OPTION),
]
CASES = [(end, url, reason) for url, reason in EITHER_END for end in (till_end, printer_end)] + ONE_END


@pytest.mark.parametrize(("end", "url", "reason"), CASES)
def test_a_wrong_url_says_what_is_wrong_and_what_to_write(
    end: Callable[[str], object], url: str, reason: Reason
) -> None:
    with pytest.raises(DriverError) as caught:
        end(url)
    assert caught.value.reason == reason
    assert caught.value.hint
    assert url in str(caught.value)


def test_every_reason_for_a_bad_url_is_tried() -> None:
    of_urls = list(Reason)[: list(Reason).index(Reason.NOT_FOUND)]
    assert {reason for _, _, reason in CASES} == set(of_urls)


def test_an_allow_list_on_a_cable_is_a_mistake() -> None:
    with pytest.raises(DriverError) as caught:
        till_end(f"{SERIAL}?baud=9600&flow=none", allow=["10.0.0.1"])
    assert caught.value.reason == Reason.BAD_OPTION


@pytest.mark.parametrize(
    "url",
    [
        "tcp://127.0.0.1:9100",
        "TCP://printer.local:9100/",
        "tcp://[fe80::1%eth0]:9100",
        f"{SERIAL}?baud=38400&flow=dsrdtr&parity=even&bits=7&stop=2",
        "file:/tmp/a%20b",
        "file:///tmp/a",
        "file:a.bin",
        "pty:",
        "pty:/tmp/till",
    ],
)
def test_a_right_url_opens_nothing_and_is_kept_as_written(url: str) -> None:
    assert printer_end(url).url == url
    assert till_end(url).url == url


def test_every_scheme_that_is_promised_has_a_driver() -> None:
    for scheme in SCHEMES:
        with pytest.raises(DriverError) as caught:
            printer_end(f"{scheme}://?nonsense=1")
        assert caught.value.reason != Reason.UNKNOWN_SCHEME


@pytest.mark.parametrize(
    ("settings", "bytes_per_s"),
    [("baud=38400", 3840), ("baud=9600&parity=odd", 872), ("baud=9600&bits=7&stop=2", 960), ("baud=1200", 120)],
)
def test_a_serial_printer_says_how_fast_its_wire_is(settings: str, bytes_per_s: int) -> None:
    assert printer_end(f"{SERIAL}?{settings}&flow=none").bytes_per_s == bytes_per_s


def test_percent_signs_stand_for_bytes_and_stray_ones_for_themselves() -> None:
    assert parse_url("file:/a%20b%25c").path == "/a b%c"
    assert parse_url("file:/100%/50%x/%E6%94%B6%e6%8d%ae").path == "/100%/50%x/收据"


@given(st.text())
def test_any_text_is_a_url_or_a_driver_error(text: str) -> None:
    reasons = []
    for end in (till_end, printer_end):
        try:
            end(text)
        except DriverError as fault:
            reasons.append(fault.reason)
    assert set(reasons) <= set(Reason)


@given(
    st.sampled_from(SCHEMES),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.dictionaries(st.sampled_from("abc"), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
)
def test_what_is_quoted_comes_out_as_it_was(scheme: str, path: str, options: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode())

    query = "&".join(f"{key}={quoted(value)}" for key, value in options.items())
    url = f"{scheme}:/{quoted(path)}?{query}"
    assert parse_url(url) == Url(url, scheme, "", f"/{path}", tuple(options.items()))
