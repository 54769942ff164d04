"""A GPIO chip made of a file: the other side of the shim in `gpiosim.c`.

Owns: the chip's state, and what a shop does to it. Never: imported by production code. Real programs run on `path`
unchanged, if they are started with `environment()`.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from pathlib import Path

from hw_sim.ttysim import built

_SOURCE = Path(__file__).with_suffix(".c")
_CACHE = _SOURCE.parent.parent / "var" / "gpiosim"  # git ignores var/
_WORDS = ("edges", "level", "holder", "pin", "gone", "pins")
_LABEL_BYTES = 32


class GpioChip:
    """One chip in `folder`, which holds nothing else."""

    def __init__(self, folder: Path, name: str = "gpiochip0", label: str = "pinctrl-sim", pins: int = 28) -> None:
        self._folder = folder
        self.path = str(folder / name)
        Path(self.path).write_bytes(bytes(8 + 4 * len(_WORDS)) + label.encode().ljust(_LABEL_BYTES, b"\0"))
        with open(self.path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._times = memoryview(self._memory)[:8].cast("Q")
        self._words = memoryview(self._memory)[8 : 8 + 4 * len(_WORDS)].cast("I")
        self._words[_WORDS.index("pins")] = pins

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (ours) and the chip: its shim goes before those that are there already."""
        told = dict(os.environ if base is None else base)
        shims = (str(built(_SOURCE, _CACHE)), *filter(None, [told.get("LD_PRELOAD", "")]))
        return {**told, "LD_PRELOAD": ":".join(shims), "GPIOSIM_DIR": str(self._folder)}

    def _word(self, name: str) -> int:
        return self._words[_WORDS.index(name)]

    @property
    def edges(self) -> int:
        """How often the pin was turned."""
        return self._word("edges")

    @property
    def edge_at(self) -> float:
        """When it was turned last, by the monotonic clock; 0.0: never."""
        return self._times[0] / 1e9

    @property
    def level(self) -> int:
        """The pin's."""
        return self._word("level")

    @property
    def pin(self) -> int:
        """Which pin was asked for."""
        return self._word("pin")

    @property
    def is_held(self) -> bool:
        """A program has the pin."""
        return bool(self._word("holder"))

    def hold(self, process: int) -> None:
        """Another program has the pin."""
        self._words[_WORDS.index("holder")] = process

    def unplug(self) -> None:
        """The chip is an adapter's, and that was pulled."""
        self._words[_WORDS.index("gone")] = 1

    def plug(self) -> None:
        """Back in."""
        self._words[_WORDS.index("gone")] = 0

    def close(self) -> None:
        """Gone for good."""
        self._times.release()
        self._words.release()
        self._memory.close()
