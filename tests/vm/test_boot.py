"""From power on to the first byte on paper, without help: a till that prints as soon as it can."""

from __future__ import annotations

from collections.abc import Callable

from tests.vm import figures, shop
from tests.vm.machine import Machine

BOOT_S = 60  # under emulation; a box: 10 (design 14), measured on one it is not
TILL_UNIT = f"""\
[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/usr/bin/python3 -I -S {shop.PUT}/till.py --wait 100 /root/receipt.bin
[Install]
WantedBy=sysinit.target
"""


def test_a_till_that_is_switched_on_with_the_box_prints(vm: Machine, reboot: Callable[[Machine], Machine]) -> None:
    shop.quick_printer(vm)
    vm.put("/root/receipt.bin", shop.receipts(1)[0])
    vm.put("/etc/systemd/system/sim-till.service", TILL_UNIT.encode())
    vm.sh("systemctl enable -q sim-till.service sim-printer.service; sync")
    guest = reboot(vm)
    guest.listens(180)
    first = float(guest.until("cat /run/sim/first-byte", 120))
    figures.note("boot (kernel's start) to the first passed byte", first, "s")
    assert first < BOOT_S
    guest.until("systemctl is-active edgebox.service", 120)
    engine_ms = int(guest.sh("systemctl show -P ActiveEnterTimestampMonotonic edgebox.service")) / 1e6
    figures.note("boot to a ready engine (slips, cloud, page)", round(engine_ms, 1), "s")
    assert first < engine_ms  # the wire waits for nothing
    assert guest.sh("systemctl --failed --no-legend").strip() == ""
