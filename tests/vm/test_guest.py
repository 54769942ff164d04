"""The guest itself: what it is, and that a shop works in it as the installer leaves it."""

from __future__ import annotations

from tests.vm import figures, shop
from tests.vm.machine import MEMORY_MB, Machine


def test_it_is_a_box_systemd_and_the_package_and_512_mb(vm: Machine) -> None:
    assert vm.sh("cat /proc/1/comm").strip() == "systemd"
    assert int(vm.sh("free -m | awk '/^Mem/{print $2}'")) <= MEMORY_MB
    assert vm.sh("dpkg-query -W -f '${db:Status-Status}' edgebox") == "installed"
    assert vm.sh("systemctl is-active edgebox.target edgebox.service edgebox-line@line1").split() == ["active"] * 3


def test_a_receipt_comes_out_with_a_slip_before_its_cut(vm: Machine) -> None:
    before = len(shop.paper(vm))
    raw = shop.receipts(1, seed=7)[0]
    shop.print_receipts(vm, 1, seed=7)
    out = shop.paper(vm)[before:]
    assert len(out) > len(raw)
    assert shop.CLAIM in out
    assert vm.run("cat /run/sim/faults")[1] == b""


def test_nothing_has_failed_and_all_processes_fit(vm: Machine) -> None:
    assert vm.sh("systemctl --failed --no-legend").strip() == ""
    script = (
        "for unit in edgebox.service edgebox-line@line1.service; do "
        "pid=$(systemctl show -P MainPID $unit); awk '/^Pss:/{print $2}' /proc/$pid/smaps_rollup; done"
    )
    engine, line = (int(size) / 1024 for size in vm.sh(script).split())
    figures.note("memory of engine and line", f"{engine + line:.0f} MB ({engine:.0f} and {line:.0f})")
    assert engine + line <= 80
