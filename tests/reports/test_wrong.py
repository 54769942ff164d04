"""Whatever is wrong is told, worst first, by keys that the page has words for."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edgebox import notices
from edgebox.reports import wrong
from edgebox.reports.wrong import KEYS, ORDER, Standing, conflict_trouble, sync_trouble, troubles, with_more

ROOT = Path(__file__).parents[2]


def test_what_is_well_is_no_trouble_and_the_worst_comes_first() -> None:
    found = troubles(
        [
            Standing("codes", "warning", "pool a: 3 codes left", 5),
            Standing("engine", "ok", "started", 1),
            Standing("printer till-1", "failed", "no paper", 9),
            Standing("line till-2", "failed", "gone", 8),
        ]
    )
    assert [(one.key, one.name, one.is_serious) for one in found] == [
        ("line_failed", "till-2", True),
        ("printer_no_paper", "till-1", True),
        ("codes_warning", "", False),
    ]


def test_every_word_of_a_printer_has_a_key() -> None:
    words = {*notices._WORDS.values(), "not there"}
    assert words == set(wrong._PRINTER)


@given(st.text(max_size=40), st.sampled_from(["ok", "warning", "failed", "?"]), st.text(max_size=20))
def test_whatever_a_part_is_called_its_trouble_has_a_known_key(part: str, state: str, words: str) -> None:
    for one in troubles([Standing(part, state, words, 0)]):
        assert one.key in KEYS


def test_parts_that_the_box_reports_are_listed() -> None:
    """Literal names in the sources; a new part gets a key and words, or is told as `other`."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "edgebox").rglob("*.py"))
    named = re.findall(r'health\.(?:note|over)\(f?"([a-z]+)', source) + re.findall(r'Standing\("([a-z]+)"', source)
    assert {"line", "printer", "recording", "store", "keys", "layout"} <= set(named)
    assert set(named) - set(ORDER) <= set(wrong._CALLED)


def test_rows_that_wait_for_a_day_are_a_trouble_and_a_short_outage_is_not() -> None:
    assert sync_trouble(0, 10**9) is None
    assert sync_trouble(10**12 - 3_600_000, 10**9) is None
    found = sync_trouble(10**12 - 90_000_000, 10**9)
    assert found is not None
    assert (found.key, found.at) == ("unsent_old", 10**9 - 90_000)


def test_a_conflict_is_no_desk_that_has_stopped_and_is_said_once() -> None:
    standing = Standing("desk.conflicts", "warning", "1 redemptions that the cloud does not agree with", 7)
    found = with_more(troubles([standing]), [conflict_trouble(1, 9)])
    assert [(one.key, one.part) for one in found] == [("conflict", "desk.conflicts")]
    (waiting,) = troubles([Standing("desk.unsettled", "warning", "2 redemptions, the first 4 days ago", 7)])
    assert waiting.key == "unsettled"
    assert {"conflict", "unsettled", "campaigns_warning"} <= KEYS


def test_what_the_radio_says_is_the_beacons_trouble() -> None:
    (deaf,) = troubles([Standing("beacons: listening", "warning", "no D-Bus", 7)])
    assert deaf.key == "beacons_warning"
