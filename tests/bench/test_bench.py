"""The bench measures what it says: numbers are put together rightly, and a program that cheats is found."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edgebox.escpos.parser import Parser
from tests.bench import passthrough
from tests.bench.box import Broken, Ends, Program
from tests.bench.figures import Section, as_text, write
from tests.bench.receipts import CUT, LINES, long_receipt
from tests.bench.spread import interval, percentile


def test_the_interval_holds_the_median_and_narrows_with_more_rounds() -> None:
    chance = random.Random(3)
    few, many = ([chance.gauss(1.2, 0.1) for _ in range(count)] for count in (15, 600))
    assert interval(few).low <= interval(few).median <= interval(few).high
    assert interval(many).high - interval(many).low < interval(few).high - interval(few).low
    assert interval(many).low < 1.2 < interval(many).high


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1.0, 3.0, 5.0, 5.0]


def test_figures_replace_their_own_block_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- figures: a -->\nold\n<!-- end: a -->\nbelow <!-- figures: b --><!-- end: b -->\n")
    section = Section("a", "Title", ("what", "n"), [["one", "1"]], ["a note"])
    write(page, section, ["a machine"])
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below <!-- figures: b --><!-- end: b -->\n")
    assert "| one | 1 |" in text
    assert "old" not in text
    with pytest.raises(ValueError, match="no block"):
        write(page, section._replace(name="c"), [])
    assert "one   1" in as_text(section)


@pytest.mark.parametrize("kind", ["tcp", "pty"])
def test_a_message_comes_through_and_takes_time(kind: str, tmp_path: Path) -> None:
    candidate = passthrough.Candidate(passthrough.RELAY, kind, tmp_path, None)
    try:
        cell = candidate.measure(passthrough.payload(64), 5)
    finally:
        candidate.close()
    assert 0 < cell.p50 <= cell.p99 < 1e6


def test_a_program_that_alters_bytes_gives_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(Path(passthrough.__file__).with_name("relay.py").read_text().replace(
        "            while data:", "            data = data.replace(b'.', b',')\n            while data:"
    ))  # fmt: skip
    monkeypatch.setattr(passthrough, "_command", lambda name, ends, engine: [
        sys.executable, str(relay), f"tcp:{ends.till_place}", f"tcp:{ends.printer_place}",
    ])  # fmt: skip
    with pytest.raises(Broken, match="other bytes"):
        passthrough.Candidate(passthrough.RELAY, "tcp", tmp_path, None)


def test_a_program_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    program = Program("loser", [sys.executable, "-c", "raise SystemExit('no luck')"], tmp_path)
    with closing(Ends("tcp", tmp_path, "x")) as ends, pytest.raises(Broken, match="no luck"):
        ends.join(program)


@pytest.mark.parametrize("size", passthrough.SIZES)
def test_a_message_ends_on_ink_and_holds_no_cut(size: int) -> None:
    data = passthrough.payload(size)
    assert len(data) == size
    assert data.endswith(b".")
    parser = Parser()
    parser.feed(data)
    assert parser.at_boundary
    assert b"\x1dV" not in data


def test_a_long_receipt_has_its_lines_and_a_number_of_its_own() -> None:
    one, two = long_receipt(1), long_receipt(2)
    assert one != two
    assert one == long_receipt(1)
    assert one.removesuffix(CUT).rstrip(b"\n").count(b"\n") + 1 in range(LINES - 3, LINES + 1)
