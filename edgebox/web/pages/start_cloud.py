"""First start, head office: its broker and who the box is there, or none."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgebox.web import first_start
from edgebox.web.first_start import Step, keyed, shown
from edgebox.web.roles import INSTALLERS
from edgebox.web.routes import action, page
from edgebox.web.visit import Visit

Text = Annotated[str, Meta(max_length=256)]


class CloudForm(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: none, or head office's broker and who the box is there. An empty key is none."""

    kind: Literal["none", "office"] = "none"
    url: Text = ""
    tenant: Text = ""
    store: Text = ""
    box: Text = ""
    user: Text = ""
    fleet_key: Text = ""

    def values(self) -> dict[str, Any]:
        """As settings."""
        if self.kind == "none":
            return keyed("sync", {"url": ""})
        keys = {"fleet_keys": [self.fleet_key.strip()]} if self.fleet_key.strip() else {}
        told = {name: getattr(self, name).strip() for name in ("url", "tenant", "store", "box", "user")}
        return keyed("sync", told | keys)


@page("/start/cloud", INSTALLERS)
async def cloud(visit: Visit) -> Response:
    """With head office, or alone."""
    progress = await first_start.read(visit.office.store)
    sync = (await first_start.would_be(visit, progress)).sync
    form = CloudForm(
        kind="office" if sync.url else "none", url=sync.url, tenant=sync.tenant, store=sync.store, box=sync.box,
        user=sync.user,
    )  # fmt: skip
    return await _cloud(visit, form)


@action("/start/cloud", INSTALLERS, takes=CloudForm)
async def take_cloud(visit: Visit, form: CloudForm) -> Response:
    """Answered. A box that a fleet owns is not asked."""
    if visit.office.config.sync.fleet_keys:
        return visit.done(f"/start/{Step.DONE.value}")
    if form.kind == "office" and not (form.url.strip() and form.tenant.strip() and form.store.strip()):
        return await _cloud(visit, form, "office")
    if await first_start.answered(visit, Step.CLOUD, form.values()):
        return await _cloud(visit, form, "office")
    return visit.done(f"/start/{Step.CLOUD.next.value}")


async def _cloud(visit: Visit, form: CloudForm, fault: str = "") -> Response:
    sync = visit.office.config.sync
    return await shown(
        visit, Step.CLOUD, status=422 if fault else 200, fault=fault, form=form, credentials=sync.credentials,
        is_owned=bool(sync.fleet_keys), has_keys=visit.office.host.awards.keys is not None,
        told=msgspec.to_builtins(form),
    )  # fmt: skip
