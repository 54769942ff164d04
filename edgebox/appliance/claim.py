"""A batch's claim certificate onto a new box: with it the box asks for a certificate of its own (sync/enrolment.py).

Owns: that it gets into the folder that the service writes, and nowhere else: it is removed there once it has served.
Never: takes away a certificate that the box has and that is still good, or the key that it has asked for one with: the
cloud gives a name to one key, and would say `taken` to the next.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from edgebox.errors import ConfigError
from edgebox.private_file import as_owner, write_private

FILES = ("ca.crt", "claim.crt", "claim.key")
OWN = ("client.crt", "client.key", "next.crt", "next.key")  # sync/own_certificate.py says which is which


def install(source: Path, target: Path) -> list[str]:
    """What was done, in words. ConfigError `bad_answers`: the claim is not whole, can't be read, or is over."""
    now, own = datetime.now(UTC), target / OWN[0]
    if own.exists() and _is_good(own, now):  # and the stick with the claim may be gone
        return ["the box has a certificate of its own already: the claim is not needed"]
    found = {name: _read(source / name) for name in FILES}
    ends = _ends(found["claim.crt"], source / "claim.crt")
    if ends <= now:
        hint = "is the clock right? else ask the operator for a new claim"
        raise ConfigError(f"{source}: the claim ended on {ends:%Y-%m-%d}", reason="bad_answers", hint=hint)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with as_owner(target.parent):  # the services' user [systemd/tmpfiles.conf]
            for name in OWN if own.exists() else ():  # run out: it would be shown to the broker for ever
                (target / name).unlink(missing_ok=True)
            for name, raw in found.items():  # the key last: without it the claim counts as not there
                write_private(target / name, raw)
    except OSError as fault:
        raise ConfigError(f"{target}: {fault.strerror}", reason="bad_answers") from fault
    return [f"{target}: claim of the batch, good until {ends:%Y-%m-%d}; the box asks for its own certificate with it"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        hint = f"a claim is {', '.join(FILES)}"
        raise ConfigError(f"{path}: {fault.strerror}", reason="bad_answers", hint=hint) from fault


def _is_good(own: Path, now: datetime) -> bool:
    """One that the card has damaged is none: it would keep the box from its cloud for ever."""
    try:
        return _ends(own.read_bytes(), own) > now
    except (ConfigError, OSError):
        return False


def _ends(pem: bytes, path: Path) -> datetime:
    from cryptography import x509  # 5 MB, and only a box with a cloud wants it

    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError as fault:
        raise ConfigError(f"{path}: no certificate in PEM form", reason="bad_answers") from fault
