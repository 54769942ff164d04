"""`edgebox read --explain`, `read --json` with all details, and `edgebox teach`."""

import json
from pathlib import Path

import pytest

from edgebox.cli import main
from edgebox.receipt_profiles import load_profile
from hw_sim.cloud_keys import key_file, keyring, write_private

CUT = b"\x1dV\x00"
RECEIPT = (
    "面馆\n单号:000417\n时间:2026-11-18 18:42:07\n收银员:03\n会员:王小明 13800138000\n会员号:88001234\n"
    "----------------\n牛肉面  2 x 8.00   16.00\n茶           17.90\n----------------\n合计:35.90\n优惠:2.00\n"
    "实收:33.90\n现金:50.00\n找零:16.10\n备注：不要辣 刘先生\n"
)
BILL = "面馆\n编码:A-{n}\n时间:2026-11-18 18:42\n牛肉面  {t}\n----------------\n本桌消费共:{t}\n其中:{t}\n谢谢:惠顾\n"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.bin"
    path.write_bytes(RECEIPT.encode("gb18030") + CUT)
    return path


def bills(tmp_path: Path, *totals: str) -> list[str]:
    out = []
    for number, total in enumerate(totals, 1):
        path = tmp_path / f"bill{number}.bin"
        path.write_bytes(BILL.format(n=number, t=total).encode("gb18030") + CUT)
        out.append(str(path))
    return out


def test_explain_marks_the_total_and_names_zones_and_reasons(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--explain", str(capture)]) == 0
    out = capsys.readouterr().out
    assert "sale, 33.90 CNY: earns (confidence high)" in out
    assert "tendered 50.00 - change 16.10 = 33.90" in out
    (marked,) = [line for line in out.splitlines() if line.startswith("\u25b6")]
    assert "实收:33.90" in marked
    assert "the total" in marked
    for zone in ("header", "items", "totals", "tenders", "customer"):
        assert f"\u2502 {zone}" in out
    assert "number 000417, cashier 03" in out
    assert "2 x 8.00" in out
    assert out.rstrip().splitlines()[-1].endswith("the slip goes here (byte 244)")


def test_explain_says_what_each_line_was_read_for(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["read", "--explain", str(capture)])
    rows = dict(line.split("\u2502")[1:3] for line in capsys.readouterr().out.splitlines() if line.count("\u2502") == 2)
    told = {text.split()[0]: words.split() for text, words in rows.items()}
    assert told["单号:000417"] == ["number"]
    assert told["时间:2026-11-18"] == ["date,", "time"]
    assert told["现金:50.00"] == ["tenders", "cash"]
    assert told["找零:16.10"] == ["change"]


def test_what_is_not_printed_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes("单号:197\n合计:5.00\n".encode("gb18030") + CUT)
    assert main(["read", str(path)]) == 0
    assert "number 197, no date printed;" in capsys.readouterr().out


def test_explain_shows_nothing_personal(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["read", "--explain", str(capture)])
    main(["read", "--json", str(capture)])
    main(["read", str(capture)])
    out = capsys.readouterr().out
    for secret in ("王小明", "13800138000", "88001234", "刘先生", "不要辣"):
        assert secret not in out


def test_lines_of_chinese_are_aligned(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import unicodedata

    main(["read", "--explain", str(capture)])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.count("\u2502") == 2]
    widths = {
        sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in row[: row.rindex("\u2502")])
        for row in rows
    }
    assert len(rows) == 16
    assert len(widths) == 1


def test_json_reports_all_details(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_private(tmp_path / "keys.toml", key_file(keyring(b"m" * 32, 4711, 12, 1_795_000_000)))
    assert main(["read", "--json", "--set", f"claims.keys={tmp_path}/keys.toml", str(capture)]) == 0
    (document,) = json.loads(capsys.readouterr().out)["docs"]
    assert document["cashier"] == "03"
    assert document["items"] == [
        {"name": "牛肉面", "quantity": 2, "price": 8, "amount": 16},
        {"name": "茶", "quantity": 1, "price": 17.9, "amount": 17.9},
    ]
    assert len(document["member"]) == 32
    assert document["sure"]["number"] == "high"
    assert document["layout"]
    assert document["report"] is None
    assert (document["fiscal"], document["profile"], document["pictures"], document["taxes"]) == (None, None, [], [])


def test_teach_writes_a_profile_that_reads_its_captures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = bills(tmp_path, "16.00", "33.90")
    assert main(["read", "--json", *files]) == 0
    assert [json.loads(line)["docs"][0]["total"] for line in capsys.readouterr().out.splitlines()] == [None, None]
    made = tmp_path / "noodles.toml"
    arguments = ["--total", "16.00", "--total", "33.90", "--number", "A-1", "--number", "A-2", "--paid"]
    arguments += ["-o", str(made)]
    assert main(["teach", *files, *arguments]) == 0
    said = capsys.readouterr().err
    assert said.count(": right") == 2
    assert "“本桌消费共”" in said
    assert "“其中”" in said  # always said the same: ambiguous
    profile = load_profile(made)
    assert {name for name, _ in profile.anchors} == {"total", "number"}


def test_read_says_what_the_line_should_take_from_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = bills(tmp_path, "16.00", "33.90")
    made = tmp_path / "noodles.toml"
    assert main(["teach", *files, "--total", "16.00", "--total", "33.90", "--paid", "-o", str(made)]) == 0
    made.write_text('header_preprint = "面馆老店"\n' + made.read_text("utf-8"), "utf-8")
    monkeypatch.setattr("edgebox.commands_read.load_profiles", lambda: (load_profile(made),))
    capsys.readouterr()
    assert main(["read", files[0]]) == 0
    found = capsys.readouterr()
    assert "sale 16.00 CNY, earns" in found.out
    assert 'receipts = "noodles" in [[line]] line1 would set it' in found.err


def test_teach_prints_the_profile_without_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teach", *bills(tmp_path, "16.00"), "--total", "16", "--paid"]) == 0
    found = capsys.readouterr()
    assert "[total]" in found.out
    assert "one paper only" in found.err


def test_teach_says_when_the_profile_does_not_read_its_captures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "noodles.toml"
    assert main(["teach", *bills(tmp_path, "16.00"), "--total", "16.00", "-o", str(made)]) == 1
    said = capsys.readouterr().err
    assert "nothing says that it is paid" in said
    assert "--paid, if" in said
    assert "no profile is written" in said
    assert not made.exists()


def test_teach_learns_how_the_papers_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = bills(tmp_path, "16.00", "33.90")
    for file in files:
        bill = Path(file).read_bytes().removesuffix(CUT)
        Path(file).write_bytes(bill + b"\n\n\n\n" + "面馆老店\n欢迎\n".encode("gb18030") + CUT)
    totals = ["--total", "16.00", "--total", "33.90", "--paid"]
    assert main(["teach", *files, *totals]) == 0
    found = capsys.readouterr()
    assert 'header_preprint = "面馆老店"' in found.out
    assert "receipts =" in found.err
    for file in files:
        bill = Path(file).read_bytes().partition(b"\n\n\n\n")[0]
        Path(file).write_bytes(bill + b"\n\n\n\n\x1b@")
    assert main(["teach", *files, *totals]) == 0
    assert 'end_signature = "0a0a0a1b40"' in capsys.readouterr().out


def test_teach_learns_nothing_from_a_customers_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = bills(tmp_path, "16.00")
    bill = Path(file).read_bytes().removesuffix(CUT)
    Path(file).write_bytes(bill + "备注:\n实付:99.00\n".encode("gb18030") + CUT)
    assert main(["teach", file, "--total", "99.00", "--paid"]) == 2
    assert "99.00 is not on the paper" in capsys.readouterr().err
    assert main(["teach", file, "--total", "16.00", "--paid"]) == 0
    assert "实付" not in capsys.readouterr().out


def test_teach_says_when_no_label_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes("A:1\nB:2\nC:3\n合计:16.00\n合计:99.00\nX 16.00\n".encode("gb18030"))
    assert main(["teach", str(path), "--total", "16.00"]) in (0, 1)
    path.write_bytes("A:1\nB:2\nC:3\n合计:16.00\n合计:99.00\n".encode("gb18030"))
    capsys.readouterr()
    assert main(["teach", str(path), "--total", "16.00"]) == 1
    assert "no label carries that total and nothing else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--total", "9.99"], "9.99 is not on the paper"),
        (["--total", "x"], "--total x: expected an amount like 33.90"),
        (["--total", "16.00", "--total", "16.00"], "1 captures, 2 totals"),
        (["--total", "16.00", "--number", "1", "--number", "2"], "--number"),
        (["--total", "16.00", "-o", "Bad Name.toml"], "expected a name"),
    ],
)
def test_teach_refuses_bad_input_with_one_message(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["teach", *bills(tmp_path, "16.00"), *arguments]) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert found.out == ""


def test_too_many_captures_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = bills(tmp_path, *["16.00"] * 4)
    assert main(["teach", *files, *["--total", "16.00"] * 4]) == 2
    assert "one to 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["read"], ["render", "-o", "{tmp}/x.png"], ["replay", "--printer", "file:{tmp}/x"]]
)
def test_a_file_that_never_ends_is_refused(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp=tmp_path) for word in command]
    assert main([*words, "/dev/zero"]) == 2
    assert "/dev/zero: over 64 MB" in capsys.readouterr().err
