"""What composing slips costs: from an award and the shop's templates to the bytes that go in before the cut.

Owns: the slips and the clock around the engine's own handout. No reading, no minting, no line: those are in `reading`
and `hold`. A printer with its own QR command is what most shops have; the others get dots, which cost more.

Another process composes one slip and tells what it had to load: a picture library on the way of a receipt would cost
30 ms once and 6 MB for ever.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edgebox.awards import Award
from edgebox.config import FOLDER, load
from edgebox.escpos.compose import Press
from edgebox.handout import Handout
from edgebox.loyalty import claims
from edgebox.model import Confidence, DocumentKind, Receipt, Tender, TenderKind
from edgebox.printers import find_printer
from edgebox.slip_facts import Circumstances
from edgebox.slip_files import load_slips
from edgebox.slips import qr
from edgebox.slips.strip import Means
from edgebox.slips.template import Template
from hw_sim.cloud_keys import keyring
from tests.bench.box import Broken
from tests.bench.figures import Section, met
from tests.bench.spread import percentile

P50_MS = 1.0
NATIVE, DOTS = "xprinter-xp-80", "generic-58"  # its own QR codes and Chinese letters; neither
NOW = 1_795_000_000
WARM_UP = 20
THREE = ("points", "invoice", "contact")
_LOADED = """
import sys
sys.path.insert(0, {root!r})
from tests.bench.slips import NATIVE, THREE, Play
Play(THREE, ("zh", "en"), NATIVE).hand(1)
print(" ".join(sorted({{"PIL", "qrcode"}} & set(sys.modules))))
"""


class Play(NamedTuple):
    """Slips, languages and a printer."""

    slips: tuple[str, ...]
    languages: tuple[str, ...]
    printer: str

    def hand(self, rounds: int) -> list[float]:
        """Milliseconds of each round; every receipt has another claim. Broken: a slip was not composed."""
        templates: list[Template] = [linked(slip) for name, slip in load_slips().items() if name in self.slips]
        slip = load(None).slip
        handout = Handout(templates, Means(self.languages, slip.max_mm * 2, slip.max_bytes, 0))
        press = Press(find_printer(self.printer, FOLDER / "printers"), matrix=qr.claim_matrix)
        keys = keyring(bytes(32), 4711, 12, NOW)
        around = Circumstances("Corner Shop", "line1", datetime.fromtimestamp(NOW, UTC))
        receipt = Receipt(
            DocumentKind.SALE, qualifies=True, amount_minor=3390, currency="CNY", confidence=Confidence.HIGH,
            number="000417", tenders=(Tender(TenderKind.CASH, 3390),),
        )  # fmt: skip
        took = []
        for number in range(rounds):
            the_id = number.to_bytes(claims.ID_BYTES, "big")
            award = Award(claims.mint(keys, the_id, 3390, NOW), the_id, points=33, amount_minor=3390)
            begun = time.perf_counter()
            handed = handout.hand(receipt, award, 72, around, press)
            took.append((time.perf_counter() - begun) * 1000)
            if set(handed.names) != set(self.slips):
                raise Broken(f"{handed.strip.refused} of {self.slips}")
        return took


def linked(slip: Template) -> Template:
    """With a link, where a shop has to put its own."""
    return slip._replace(link="HTTPS://SHOP.EXAMPLE.CN/{number}") if slip.link else slip


def run(folder: Path, *, quick: bool) -> list[Section]:
    """Section `slips`."""
    del folder
    qr.warm()
    rounds = 100 if quick else 1000
    plays = (
        ("points, native code, zh", Play(("points",), ("zh",), NATIVE), P50_MS),
        ("points, native code, zh and en", Play(("points",), ("zh", "en"), NATIVE), P50_MS),
        ("three slips, native codes, zh and en", Play(THREE, ("zh", "en"), NATIVE), P50_MS),
        ("points, code as dots, en, 58 mm", Play(("points",), ("en",), DOTS), 0.0),
    )
    rows = [_row(name, play.hand(rounds + WARM_UP)[WARM_UP:], target) for name, play, target in plays]
    loaded = _loaded()
    notes = [
        f"{rounds} receipts a row, each with its own claim; conditions, fields, wordings, budgets and bytes",
        f"a process that has composed three slips natively has loaded: {loaded or 'neither PIL nor qrcode'}",
    ]
    if "PIL" in loaded:
        raise Broken("Pillow is loaded on the way of a receipt")
    return [Section("slips", "Composing slips", ("slips", "p50 ms", "p99 ms", "target p50"), rows, notes)]


def _row(name: str, took: list[float], target: float) -> tuple[str, ...]:
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    return name, f"{p50:.2f}", f"{p99:.2f}", f"{target:.0f} ms: {met(p50, target)}" if target else "none"


def _loaded() -> str:
    code = _LOADED.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Broken(done.stderr[-400:])
    return done.stdout.strip()
