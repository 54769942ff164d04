"""Real streams on the simulated printer: it cuts where the truth says, at any chunking, and loses nothing."""

import json
from pathlib import Path

import pytest

from edgebox.escpos.profile import PrinterProfile
from hw_sim.ink import Report
from hw_sim.printer import Printer

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus beside the repository (../shared/corpus)")
EVERY = 8  # of the Chinese streams: 40-80 of each layout would say the same


def printed(raw: bytes, profile: PrinterProfile, size: int = 0) -> Report:
    printer = Printer(profile)
    for at in range(0, len(raw), size or max(len(raw), 1)):
        printer.feed(raw[at : at + (size or len(raw))])
    return printer.report()


def rows(folder: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (CORPUS / folder / "truth.jsonl").read_text("utf-8").splitlines()]


def test_composed_streams_are_cut_as_often_as_the_truth_says() -> None:
    for row in rows("streams"):
        report = printed((CORPUS / "streams" / str(row["file"])).read_bytes(), PrinterProfile())
        assert (row["file"], report.cuts) == (row["file"], len(row["cuts"]))  # type: ignore[arg-type]
        assert (report.ignored_cuts, report.lost_bytes, report.violations) == (0, 0, ())


def test_chinese_streams_are_cut_where_the_truth_says_and_their_text_is_read() -> None:
    for row in rows("zh")[::EVERY]:
        report = printed((CORPUS / "zh" / str(row["file"])).read_bytes(), PrinterProfile(cjk="gb18030"))
        assert (row["file"], report.cuts) == (row["file"], int(row["cut"] is not None))
        if row["cut"] is not None:
            assert report.tickets[0].end_byte > row["cut"]  # type: ignore[operator]


def test_real_dumps_print_the_same_at_any_chunking() -> None:
    files = sorted((CORPUS / "dumps").glob("*.bin"))
    assert len(files) > 30
    for file in files:
        raw = file.read_bytes()[:200_000]
        whole = printed(raw, PrinterProfile())
        assert whole.received_bytes == len(raw)
        for size in (1, 7, 512):
            again = printed(raw, PrinterProfile(), size)
            assert [t.marks for t in (*again.tickets, again.open)] == [t.marks for t in (*whole.tickets, whole.open)]
            assert again.faults == whole.faults
