"""The doctor on profiles: who a printer says it is, against what its line takes it for.

Owns: whom to ask in which order: the line that has the printer, the printer itself where nobody has it, what the USB
device told when it was plugged in. Never: asks in the middle of a receipt (the line waits for a quiet moment).
"""

from __future__ import annotations

from collections.abc import Iterator

from edgebox.appliance.doctor.finding import Finding, Grade, Machine, ok
from edgebox.appliance.doctor.wires import printers, suggested
from edgebox.config import FOLDER
from edgebox.errors import ConfigError
from edgebox.printers import load_printers

ASKED = ("tcp:", "serial:", "usb:", "usblp:")


def profiles(machine: Machine) -> Iterator[Finding]:
    """Each line's, against its printer's own words."""
    there = {one.url: one.device_id for one in printers(machine) if one.device_id}
    for line in machine.config.line:
        told = machine.who(line.name)
        if told is None and line.printer not in machine.held and may_be_asked(line.printer, line.profile):
            told = machine.ask(line.printer)
        told = told or {}
        model = told.get("model") or _of_device(there.get(line.printer, ""))
        part = f"line {line.name}, profile"
        if model:
            yield from _fitting(part, line.profile, model, told)
        elif told.get("asked") == "silent":
            yield Finding(
                Grade.UNKNOWN,
                part,
                f"{line.profile}, and the printer does not say who it is (GS I)",
                "",
                "compare the name on its back; many clones never say",
                key="profile_silent",
            )


def may_be_asked(url: str, profile: str) -> bool:
    """It is a printer, and its profile doesn't forbid questions: one clone's reply to an unknown one is a reset."""
    if not url.startswith(ASKED):
        return False
    try:
        found = load_printers(FOLDER / "printers").get(profile)
    except ConfigError:
        return False
    return found is not None and found.status and found.dialect != "star"


def _of_device(device_id: str) -> str:
    told = dict(pair.partition(":")[::2] for pair in device_id.split(";"))
    return told.get("MDL") or told.get("MODEL") or ""


def _fitting(part: str, profile: str, model: str, told: dict[str, str]) -> Iterator[Finding]:
    known = suggested(model)
    name = " ".join(filter(None, (told.get("maker", ""), model)))
    if not known or profile in known:
        yield ok(part, f"{profile}, and the printer says {name}", "profile_ok", name)
        return
    yield Finding(
        Grade.WARNING, part, f"{profile}, but the printer says it is a {name}",
        "slips may be cut through, or letters wrong", f"profile = {known[0]!r} in [[line]]",
        key="profile_other", value=name,
    )  # fmt: skip
