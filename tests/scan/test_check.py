"""`edgebox config check` says what the desk would never see, and the card has the mode keys on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebox.cli import main
from edgebox.scan.settings import ScannerSettings
from edgebox.scanner_check import unseen
from hw_sim.cloud_keys import provision
from hw_sim.phone import codes_on
from tests.line_of_engine import settings

ENDS = ("scanner.scanner=pty:", "scanner.till=none:")
KEY = "coupons-1:" + "A" * 43 + "="


def warned(folder: Path, *more: str) -> list[str]:
    return unseen(settings(folder, *ENDS, f"scanner.engine={folder}/scan.sock", *more))


def test_the_shipped_prefixes_agree(tmp_path: Path) -> None:
    assert warned(tmp_path, f'desk.coupon_keys=["{KEY}"]', 'slip.show=["points","comeback"]') == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("slip.coupon_prefix=NEXT:", 'slip.show=["comeback"]'), "comebacks lacks 'NEXT:'"),
        (("desk.signed_prefix=MINE:", f'desk.coupon_keys=["{KEY}"]'), "coupons lacks 'MINE:'"),
        (('scanner.members=["SC:"]',), "members 'SC:': coupons takes such codes first"),
        (
            ('scanner.coupons=["800000-899999"]', 'scanner.mall=["850000-850001"]'),
            "mall '850000-850001': coupons takes",
        ),
        (('scanner.modes=["KEY+A=coupon", "KEY+A=member"]',), "modes 'KEY+A' stands twice"),
        (("scanner.line=lineX",), "line 'lineX' is no [[line]]"),
        (("desk.line=lineX",), "[desk] line 'lineX'"),
        (("scanner.engine=/run/other.sock",), "engine is not [engine] scan_socket"),
    ],
)
def test_what_the_desk_would_never_see_is_named(more: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (one,) = warned(tmp_path, *more)
    assert words in one


@pytest.mark.parametrize(
    "more",
    [
        ("slip.coupon_prefix=NEXT:",),  # no comeback coupons are printed
        ("desk.signed_prefix=MINE:",),  # nobody's signature counts
        ("slip.coupon_prefix=NEXT:", 'slip.show=["comeback"]', 'scanner.comebacks=["NEXT:"]'),
        ("scanner.engine=", "slip.coupon_prefix=NEXT:", 'slip.show=["comeback"]'),  # a plain wire
    ],
)
def test_what_is_of_no_use_is_not_missed(more: tuple[str, ...], tmp_path: Path) -> None:
    assert warned(tmp_path, *more) == []


def test_claims_that_are_kept_must_be_the_shops_own(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    provision(tmp_path / "cloud", keys, store=4711, device=1, now=1_795_000_000, prefix="HTTPS://M.EXAMPLE.CN/C/")
    own = f"claims.keys={keys}"
    assert warned(tmp_path, own) == []
    assert warned(tmp_path, own, 'scanner.claims=["HTTPS://M.EXAMPLE.CN/C/"]') == []
    (one,) = warned(tmp_path, own, 'scanner.claims=["HTTPS://OTHER.CN/"]')
    assert "claims lacks 'HTTPS://M.EXAMPLE.CN/C/'" in one


def test_config_check_says_it_and_is_still_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "edgebox.toml"
    config.write_text(
        '[slip]\ncoupon_prefix = "NEXT:"\nshow = ["comeback"]\n[desk]\nleds = ["led:///sys/class/leds/green"]\n'
        '[[scanner]]\nscanner = "pty:"\ntill = "none:"\n',
        "utf-8",
    )
    assert main(["config", "check", "--config", str(config)]) == 0
    assert "warning: scanner scanner1: comebacks lacks 'NEXT:'" in capsys.readouterr().out


def test_config_check_names_a_lamp_that_can_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "edgebox.toml"
    config.write_text('[desk]\nleds = ["led:///sys/class/leds/green?for=joy"]\n', "utf-8")
    assert main(["config", "check", "--config", str(config)]) == 2
    assert "for=joy means nothing" in capsys.readouterr().err


@pytest.mark.parametrize("paper", ["58", "80"])
def test_a_camera_reads_every_mode_key_on_the_card(paper: str, tmp_path: Path) -> None:
    from edgebox.commands_slip import PAPERS
    from edgebox.config import FOLDER
    from edgebox.paper.draw import render_png
    from edgebox.printers import find_printer

    out, picture = tmp_path / "modes.bin", tmp_path / "modes.png"
    assert main(["slip", "modes", "-o", str(out), "--paper", paper]) == 0
    render_png(out.read_bytes(), find_printer(PAPERS[paper], FOLDER / "printers"), picture)
    keys = {mode.partition("=")[0] for mode in ScannerSettings().modes}
    assert set(codes_on(picture)) == keys


def test_a_mode_key_too_long_for_the_paper_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "edgebox.toml"
    config.write_text(f'[[scanner]]\nmodes = ["EDGEBOX+{"COUPON" * 5}=coupon"]\n', "utf-8")
    arguments = ["slip", "modes", "--config", str(config), "-o", str(tmp_path / "x")]
    assert main(arguments) == 2
    assert "too long for this paper" in capsys.readouterr().err
    assert main([*arguments, "--scanner", "none"]) == 2
