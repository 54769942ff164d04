"""What `edgebox update` does behind its checks: unpacks (`unpack FILE`), and begins the trial of slot b (`switch S`).

Run by the package's own interpreter; S: how long a line of the slot took in its check, seconds. Two steps, so that
tests of a trial need not unpack 80 MB each, nor be of a version that would fail its check.
"""

import sys
from pathlib import Path

import msgspec

from edgebox.appliance.keeper.slots import Slots
from edgebox.appliance.update import box, inbox, installing
from edgebox.appliance.update.manifest import Manifest, release_keys

KEPT = Path("/root/manifest.json")
slots = Slots(at=1)
match sys.argv[1:]:
    case ["unpack", file]:
        taken = inbox.take(Path(file), slots.home / installing.INCOMING, release_keys(), box.here())
        installing.unpacked(slots, taken)
        KEPT.write_bytes(msgspec.json.encode(taken.head.manifest))
        taken.path.unlink()
    case ["switch", seconds]:
        manifest = msgspec.json.decode(KEPT.read_bytes(), type=Manifest)
        installing.switch(slots, "b", manifest, installing.Checked(float(seconds)), box.machine(), "job-1")
