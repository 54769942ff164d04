"""The shelf of slips: those shipped with the box, the shop's own in files, the fleet's; and which of them are shown.

Owns: which of several slips of one name is used, and what becomes of one with a fault: it is left out and said, and the
one of its name that was there before it is used. Whatever stands in a shop's files, the shop goes on printing. Never:
what may stand in a template (edgebox/slip_files.py), or when a slip is printed (edgebox/slips).

Everything here reads files, so nothing here is called on the way of a receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edgebox.errors import ConfigError
from edgebox.escpos.raster import Raster
from edgebox.slip_files import SHIPPED, load_images, read_slips
from edgebox.slips.template import Template

OWN_SLIPS = Path("/etc/edgebox/slips")
DESK = (  # names of slips printed when asked for
    *("redemption", "refusal", "tally", "pick_up", "mall", "member", "prices", "z_check", "pairing"),
    *("order", "order_paid", "invoice_title"),
)
WIDEST_DOTS = 576  # pictures are made for 80 mm paper; on narrower paper a slip with a wider one is left out


DRAFT = "~"  # behind a slip's name while it is on trial: no file can have such a name


class Own(NamedTuple):
    """What the shop made on the managers' page (edgebox/slip_book.py). `force`: before those of files, and shown;
    `drafts`: in shadow mode beside what is printed."""

    force: tuple[Template, ...] = ()
    drafts: tuple[Template, ...] = ()


class Shelf(NamedTuple):
    """The slips that are shown, the pictures they name, and what is wrong with any that are left out. `fleets` and
    `show`: what it was filled with."""

    shown: tuple[Template, ...]
    images: Mapping[str, Raster]
    faults: tuple[str, ...] = ()
    desk: tuple[Template, ...] = ()  # what the coupon desk prints, shown or not
    fleets: tuple[Template, ...] = ()
    show: tuple[str, ...] | None = None


def filled(show: Iterable[str], more: Iterable[Template] = (), own: Own = Own()) -> Shelf:  # noqa: B008 - immutable
    """The slips named by `show`, and the shop's own. `more`: the fleet's, which go before all. Blocks; raises for no
    slip."""
    more = tuple(more)
    layers, faults = _layers()
    layers.append({template.name: template for template in own.force})
    layers.append({template.name: template for template in more})
    layers.append({draft.name: draft for draft in on_trial(own.drafts)})
    shown: list[Template] = []
    images: dict[str, Raster] = {}
    own_names = (one.name for one in own.force if one.name not in DESK)
    for name in dict.fromkeys((*show, *own_names, *(draft.name for draft in on_trial(own.drafts)))):
        template, pictures, bad = _found(name, layers)
        faults += bad
        images |= pictures
        if template is not None:
            shown.append(template)
    desk = []
    for name in DESK:
        template, pictures, bad = _found(name, layers)
        faults += bad
        images |= pictures
        desk += [template] if template is not None else []
    return Shelf(tuple(shown), images, tuple(dict.fromkeys(faults)), tuple(desk), more)


def on_trial(drafts: Iterable[Template]) -> tuple[Template, ...]:
    """Decided and recorded with each receipt, printed with none; under a name of their own."""
    return tuple(one._replace(name=one.name + DRAFT, shadow=True) for one in drafts)


def names() -> frozenset[str]:
    """The slips that files hold. Blocks."""
    layers, _ = _layers()
    return frozenset(name for layer in layers for name in layer)


def missing_picture(template: Template) -> str:
    """Why one of its pictures can't be had; "": they are all there. Blocks."""
    try:
        load_images([template], OWN_SLIPS, WIDEST_DOTS)
    except ConfigError as fault:
        return str(fault.args[0])
    return ""


def _layers() -> tuple[list[dict[str, Template]], list[str]]:
    read = [read_slips(folder) for folder in (SHIPPED, OWN_SLIPS)]
    return [good for good, _ in read], [fault for _, bad in read for fault in bad]


def _found(name: str, layers: Sequence[Mapping[str, Template]]) -> tuple[Template | None, dict[str, Raster], list[str]]:
    """The slip of a name, the last layer's first; one whose pictures are not there is passed over."""
    faults: list[str] = []
    for layer in reversed(layers):
        template = layer.get(name)
        if template is None:
            continue
        try:
            return template, load_images([template], OWN_SLIPS, WIDEST_DOTS), faults
        except ConfigError as fault:
            faults.append(f"slip {name}: {fault.args[0]}")
    return None, {}, [*faults, f"slip.show: no slip {name}; `edgebox slip list` shows those there are"]
