"""Topics: the template of the settings with this box's names in it.

Owns: where each message goes, and where a command may have its answer sent. Never: a wildcard, or a topic outside the
tenant's own.
"""

from __future__ import annotations

import re

from edgebox.errors import SyncError

_NAMES = re.compile(r"\{(\w+)\}")
TOPIC_BYTES = 256  # AWS IoT's limit
_FORBIDDEN = re.compile(r"[+#\x00-\x1f\x7f]")


class Topics:
    """All topics of one box."""

    def __init__(self, template: str, *, tenant: str, store: str, box: str) -> None:
        """SyncError (`topics`) when a name is missing or nothing tells one box from another."""
        values = {"tenant": tenant, "store": store, "box": box}
        used = _NAMES.findall(template)
        if "box" not in used or set(used) - set(values):
            raise SyncError(
                f"{template!r} must hold {{box}}, and no names but {{tenant}}, {{store}}, {{box}}",
                reason="topics",
                hint="[sync] topics",
            )
        if empty := sorted({name for name in used if not values[name]}):
            raise SyncError(f"no name for {', '.join(empty)}", reason="topics", hint=f"[sync] {empty[0]}")
        self.prefix = _NAMES.sub(lambda found: values[found[1]], template).strip("/") + "/"
        own, tenant, _ = template.lstrip("/").partition("{tenant}")
        level = values["tenant"] + "/"
        whole = _NAMES.sub(lambda found: values[found[1]], own) + level
        is_level = bool(tenant) and "{box}" not in own and self.prefix.startswith(whole)
        self._tenant = whole if is_level else self.prefix
        if _FORBIDDEN.search(self.prefix) or self.prefix.startswith("$"):
            raise SyncError(f"{self.prefix!r} is no topic", reason="topics", hint="[sync] topics")
        self.state = self.prefix + "state"
        self.ask = self.prefix + "ask"
        self.reply = self.prefix + "reply"
        self.reported = self.prefix + "reported"
        self.ack = self.prefix + "ack"
        self.cmd = self.prefix + "cmd"
        self.desired = self.prefix + "desired"
        self.answer = self.prefix + "answer"
        self.csr = self.prefix + "csr"
        self.certificate = self.prefix + "certificate"

    def up(self, stream: str) -> str:
        """Where a stream's rows go."""
        return f"{self.prefix}up/{stream}"

    @property
    def subscribed(self) -> tuple[str, ...]:
        """What the box listens to."""
        return (self.ack, self.cmd, self.desired, self.answer)

    def reply_to(self, response_topic: str | None) -> str:
        """Where a command's answer goes: where it asks for it, if that is a place for replies of the same tenant.

        Such a place has a level named `reply`. Who may send commands to one box can't so make it speak to another, or
        outside the tenant; all else is answered at the box's own `reply`.
        """
        topic = response_topic or ""
        fits = (
            topic.startswith(self._tenant)
            and len(topic.encode("utf-8", "surrogatepass")) <= TOPIC_BYTES
            and "reply" in topic[len(self._tenant) :].split("/")
            and not _FORBIDDEN.search(topic)
        )
        return topic if fits else self.reply
