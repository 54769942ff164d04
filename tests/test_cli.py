"""The `edgebox` command: what it prints, and how it ends."""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgebox import commands_config
from edgebox.cli import COMMANDS, main
from edgebox.loyalty import claims
from edgebox.model import NumberScope
from hw_sim.cloud_keys import key_file, keyring, write_private

ROOT = Path(__file__).parents[1]
SALE = b"SHOP\nNO: 4711\n2026-11-18 18:42\nTOTAL 33.90\nCASH 50.00\nCHANGE 16.10\nTHANKS\n"
KITCHEN = b"KITCHEN ORDER\n2 x SOUP\n"
FEED_AND_CUT = b"\n\n\n\x1dV\x00"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "till.bin"
    path.write_bytes(b"\x1b@" + KITCHEN + FEED_AND_CUT + SALE + FEED_AND_CUT)
    return path


def read(path: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, object]:
    assert main(["read", "--json", *flags, str(path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_read_reports_each_document_with_its_place_for_a_slip(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read(capture, capsys)
    assert found["file"] == str(capture)
    kitchen, sale = found["docs"]  # type: ignore[misc]
    assert (kitchen["kind"], kitchen["total"], kitchen["qualifies"]) == ("kitchen", None, False)
    assert (sale["kind"], sale["total"], sale["amount"], sale["currency"]) == ("sale", 33.9, 33.9, "CNY")
    assert (sale["number"], sale["date"], sale["time"], sale["confidence"]) == ("4711", "2026-11-18", "18:42", "high")
    assert sale["reasons"] == ["tendered 50.00 - change 16.10 = 33.90"]
    raw = capture.read_bytes()
    ink_end = raw.index(b"THANKS\n") + len(b"THANKS\n")
    assert sale["ink_end"] == sale["insert_offset"] == ink_end
    assert raw[sale["cut_offset"] : sale["end"]] == b"\x1dV\x00"


def test_read_takes_the_shops_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "iva.bin"
    path.write_bytes(b"TOTAL EUR 33,90\n")
    found = read(path, capsys, "--set", "shop.decimal_mark=,", "--set", "till.prints_after_payment=true")
    assert found["docs"][0]["total"] == 33.9  # type: ignore[index]


def test_modes_of_one_document_hold_in_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "modes.bin"
    body = "TOTAL 26.00\nREÇU 26.00\n".encode("cp1252")
    path.write_bytes(b"\x1bt\x10" + body + FEED_AND_CUT + body + FEED_AND_CUT)
    first, second = read(path, capsys)["docs"]  # type: ignore[misc]
    assert first["total"] == second["total"] == 26


def test_read_for_a_person(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(capture)]) == 0
    out = capsys.readouterr().out
    assert "2 documents" in out
    assert "sale 33.90 CNY, earns (high: tendered 50.00 - change 16.10 = 33.90)" in out


def test_one_missing_file_hides_no_other(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", str(capture.parent / "none.bin"), str(capture)]) == 2
    found = capsys.readouterr()
    assert "none.bin: No such file" in found.err
    assert len(found.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["read", "--set", "shop.decimals=two", "FILE"], "edgebox: --set shop.decimals: expected"),
        (["read", "--set", "sync.url=localhost", "FILE"], "--set sync.url: expected a broker's URL"),
        (["read", "--config", "/none.toml", "FILE"], "none.toml"),
        (["read", "--line", "nine", "FILE"], "no [[line]] called 'nine'"),
        (["replay", "FILE", "--printer", "carrier-pigeon://"], "carrier-pigeon"),
        (["replay", "/none.bin", "--printer", "file:/dev/null"], "none.bin"),
        (["render", "FILE", "-o", "/no/such/folder/x.png"], "/no/such/folder"),
        (["render", "FILE", "-o", "x.png", "--profile", "abacus"], "no printer 'abacus'"),
        (["claim", "verify", "HTTPS://X", "--keys", "/none.toml"], "none.toml"),
        (["config", "check", "--set", "line.profile=abacus"], "abacus"),
        (["export", "--since", "2026-12-01", "--until", "2026-11-01"], "--since is after --until"),
        (["backup", "/dev/null", "--set", "engine.data=/none"], "/dev/null: not a file"),
        (["backup", "/tmp", "--set", "engine.data=/none"], "/tmp: a folder (name a file"),
        (["backup", "FILE", "--set", "engine.data=/none"], "is there already, and is no backup"),
        (["backup", "/none/edgebox.db", "--set", "engine.data=/none"], "the engine's own folder"),
        (["run", "--set", "engine.socket=/proc/no/engine.sock", "--set", "engine.data=/proc/no"], "/proc/no"),
    ],
)
def test_bad_input_ends_in_one_clear_message(
    arguments: list[str], said: str, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(capture) if word == "FILE" else word for word in arguments]) == 2
    found = capsys.readouterr()
    assert said in found.err
    assert found.err.startswith("edgebox: ")
    assert "Traceback" not in found.err


def test_a_day_that_is_none_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--since", "yesterday"])
    assert "'yesterday': expected a day like 2026-11-18" in capsys.readouterr().err


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(options: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands_config, "run", interrupted)
    assert main(["config", "check"]) == 130
    assert capsys.readouterr().err == "\n"


def test_config_check_says_that_it_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.endswith("good, 1 line\n")


def test_claim_verify_says_why_a_claim_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = int(time.time())
    keys = keyring(b"m" * 32, 4711, 12, now)
    write_private(tmp_path / "keys.toml", key_file(keys))
    claim_id = claims.claim_id(keys, "2026-11-18", NumberScope.STORE, "", "4711")
    url = claims.mint(keys, claim_id, 3390, now)
    arguments = ["claim", "verify", url, "--keys", str(tmp_path / "keys.toml")]
    assert main(arguments) == 0
    assert "3390 minor units" in capsys.readouterr().out
    arguments[2] = url[:-20] + ("A" if url[-20] != "A" else "B") + url[-19:]
    assert main(arguments) == 1
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize("slow", [False, True])
def test_replay_sends_every_byte_in_order(
    slow: bool, capture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgebox.commands_replay.SLOW_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as printer:
        heard = bytearray()

        def listen() -> None:
            till, _ = printer.accept()
            with till:
                while data := till.recv(4096):
                    heard.extend(data)

        listener = threading.Thread(target=listen)
        listener.start()
        url = f"tcp://127.0.0.1:{printer.getsockname()[1]}"
        assert main(["replay", str(capture), "--printer", url, *(["--slow"] if slow else [])]) == 0
        listener.join(10)
    assert bytes(heard) == capture.read_bytes()


def test_a_reader_that_has_enough_is_no_fault(capture: Path) -> None:
    command = [sys.executable, "-m", "edgebox.cli", "read", "--json", *[str(capture)] * 2000]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        reading.stdout.readline()
        reading.stdout.close()
        assert reading.stderr.read() == b""
        assert reading.wait(30) == 0


def test_a_command_loads_only_what_it_needs() -> None:
    code = (
        "import sys; from edgebox.cli import main\n"
        "try: main(['claim', 'verify', 'X', '--keys', '/none.toml'])\n"
        "finally: print([name for name in ('asyncio', 'PIL', 'msgspec', 'qrcode') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout == "[]\n"


def test_every_command_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command.name, "--help"])
        assert ended.value.code == 0
    assert "edgebox" in capsys.readouterr().out


def test_the_engine_stops_when_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    where = Path(os.path.relpath(path, ROOT))
    command = [sys.executable, "-m", "edgebox.engine", "--set", f"engine.socket={where}"]
    command += ["--set", f"engine.data={tmp_path}/data", "--set", f"claims.keys={tmp_path}/none.toml"]
    command += ["--set", f"engine.scan_socket={tmp_path}/scan.sock"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as engine:
        assert engine.stderr is not None
        said = [engine.stderr.readline(), engine.stderr.readline()]
        assert "no slips" in said[0]
        assert "listening on" in said[1]
        assert path.exists()
        assert (tmp_path / "scan.sock").exists()
        engine.terminate()
        assert engine.wait(10) == 0
    assert not path.exists()
    assert not (tmp_path / "scan.sock").exists()


def test_config_check_names_what_keeps_a_line_from_starting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("", "utf-8")
    keys.chmod(0o644)
    config = tmp_path / "edgebox.toml"
    config.write_text(
        f'[claims]\nkeys = "{keys}"\n'
        '[[line]]\nname = "a"\ntill = "foo://x"\nprinter = "tcp://"\nprofile = "nope"\n'
        '[[line]]\nname = "b"\ntill = "tcp://127.0.0.1:9100"\nallow = ["banana"]\n'
        '[[line]]\nname = "c"\ntill = "tcp://127.0.0.1:9100"\n',
        "utf-8",
    )
    assert main(["config", "check", "--config", str(config)]) == 2
    said = capsys.readouterr().err
    for fault in ("foo", "host", "nope", "banana", "two lines listen to tcp://127.0.0.1:9100", str(keys)):
        assert fault in said, fault


def test_read_says_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.path.join(os.fsencode(tmp_path), b"bad\xffname.bin")
    with open(name, "wb") as file:
        file.write(b"SHOP\nTOTAL 5.00\n")
    assert main(["read", "--json", os.fsdecode(name)]) == 0
    assert "name.bin" in json.loads(capsys.readouterr().out)["file"]


@pytest.mark.parametrize(
    ("sync", "said"),
    [
        ("url=mqtt://cloud.example", "in clear"),
        ("url=mqtts://[::1", "no broker's URL"),
        ("topics=edgebox/{tenant}", "must hold {box}"),
        ("box=", "no name for box"),
        ("fleet_keys=owner-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,owner-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
         "comes twice"),
        ("credentials=OPEN", "others can read it"),
    ],
)  # fmt: skip
def test_config_check_names_what_keeps_a_box_from_its_cloud(
    sync: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("secret", "utf-8")
    (tmp_path / "password").chmod(0o644)
    good = ("url=mqtts://cloud.example", "tenant=acme", "store=s1", "box=b1", "credentials=/none")
    flags = [word for setting in (*good, sync.replace("OPEN", str(tmp_path))) for word in ("--set", f"sync.{setting}")]
    assert main(["config", "check", *flags]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert "secret" not in found
    assert main(["config", "check", *flags[:-2]]) == 0
