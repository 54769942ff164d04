"""kill -9 of a unit's process, and how long until the next receipt's cut is out: `kill_line.py UNIT TIMES`; seconds."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TILL = [sys.executable, "-I", "-S", str(Path(__file__).with_name("till.py")), "--wait", "30", "/run/receipt.bin"]
PASSED = Path("/run/sim/passed")


def main() -> None:
    unit, times = sys.argv[1], int(sys.argv[2])
    for _ in range(times):
        before = len(PASSED.read_text().splitlines())
        pid = int(subprocess.check_output(["systemctl", "show", "-P", "MainPID", unit]))
        till = subprocess.Popen([*TILL])  # python's own start is not the line's: it waits while the line is killed
        os.kill(pid, signal.SIGKILL)
        killed_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        end = time.monotonic() + 30
        while len(passed := PASSED.read_text().splitlines()) <= before and time.monotonic() < end:
            time.sleep(0.02)
        print(f"{float(passed[before]) - killed_at:.3f}")
        till.wait()
        time.sleep(0.5)


main()
