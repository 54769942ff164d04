"""The doctor on bypass relays: is the pin there, and is the box in the wire?

Owns: that. Never: asks for the pin: the line has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.appliance.doctor.wires import may


def relays(machine: Machine) -> Iterator[Finding]:
    """Each line's."""
    for line in machine.config.line:
        if line.relay:
            yield from _relay(
                machine, f"line {line.name}, relay", line.relay, (machine.who(line.name) or {}).get("in_wire")
            )


def _relay(machine: Machine, part: str, pin: str, in_wire: str | None) -> Iterator[Finding]:
    why = "till and printer are joined past the box: all prints, without slips"
    chip = pin.rpartition(":")[0]
    node = machine.at(f"/dev/{chip}")
    chips = [node] if node.exists() else sorted(machine.at("/dev").glob("gpiochip*"))
    if not chips:
        yield Finding(
            Grade.FAILED, part, f"{pin}: this machine has no such chip", why,
            "`gpioinfo` (apt install gpiod) lists chips and pins", key="relay_missing", value=pin,
        )  # fmt: skip
    elif not any(may(one, machine.user, os.R_OK | os.W_OK) for one in chips):
        yield Finding(
            Grade.FAILED, part, f"{machine.user or 'this user'} may not open {chips[0].name}", why,
            f"usermod -aG gpio {machine.user or '$USER'}; or install systemd/60-edgebox.rules",
            key="relay_forbidden", value=chips[0].name,
        )  # fmt: skip
    elif in_wire == "0":
        yield Finding(
            Grade.WARNING, part, "the box is out of the wire", why,
            "are both cables in? journalctl -u edgebox-line@* says why", key="relay_out",
        )  # fmt: skip
    elif in_wire:
        yield ok(part, "the box is in the wire", "relay_ok")
