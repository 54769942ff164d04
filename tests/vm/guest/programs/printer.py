"""The guest's network printer: hw_sim's, on 127.0.0.1:9101. What it has printed is told in /run/sim/.

`paper.bin` every byte that arrived; `tickets` how many papers were cut; `first-byte` the machine's uptime in seconds
when the first byte came (CLOCK_BOOTTIME); `faults` what a shop would complain about.
"""

import time
from pathlib import Path

from hw_sim.printer import Printer, Settings
from hw_sim.served import TcpPrinter

FOLDER = Path("/run/sim")
PORT = 9101


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    seen = -1
    with TcpPrinter(Printer(None, Settings()), port=PORT) as served:
        while True:
            with served.printer() as (printer, now):
                printer.tick(now)
                count = printer.received_bytes
                if count != seen:
                    received, report = bytes(printer.received), printer.report()
            if count == seen:
                time.sleep(0.005)
                continue
            if seen <= 0 < count:
                told("first-byte", f"{time.clock_gettime(time.CLOCK_BOOTTIME):.3f}")
            seen = count
            (FOLDER / "paper.bin.new").write_bytes(received)
            (FOLDER / "paper.bin.new").rename(FOLDER / "paper.bin")
            told("tickets", str(len(report.tickets)))
            told("faults", "\n".join(map(str, report.faults)))


def told(name: str, text: str) -> None:
    (FOLDER / f".{name}").write_text(text)
    (FOLDER / f".{name}").rename(FOLDER / name)


main()
