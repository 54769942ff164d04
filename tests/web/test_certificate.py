"""The page's certificate: made once, renewed in time, the merchant's own where there is one."""

import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from edgebox.errors import ConfigError
from edgebox.web.certificate import CERTIFICATE, DAYS, EARLIEST, KEY, RENEW_DAYS, certificate_for, context

NOW = 1_795_000_000.0
DAY_S = 86_400
NAMES = ["edgebox.local", "192.168.1.20", "fd00::20", "127.0.0.1"]


def parsed(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_box_makes_its_own_once(tmp_path: Path) -> None:
    one = certificate_for(tmp_path, "", NAMES, NOW)
    assert certificate_for(tmp_path, "", ["other"], NOW + 300 * DAY_S) == one
    made = parsed(one.certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["edgebox.local"]
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == set(NAMES[1:])
    lasts = made.not_valid_after_utc - made.not_valid_before_utc
    assert lasts.days <= DAYS
    assert made.not_valid_after_utc.timestamp() == one.ends
    from cryptography.hazmat.primitives import hashes

    assert made.fingerprint(hashes.SHA256()).hex() == one.fingerprint
    assert one.fingerprint.upper().startswith(one.short.replace(":", ""))
    assert stat.S_IMODE(os.stat(one.key).st_mode) == 0o600
    context(one)


def test_it_is_made_anew_before_it_ends(tmp_path: Path) -> None:
    one = certificate_for(tmp_path, "", NAMES, NOW)
    late = one.ends - RENEW_DAYS * DAY_S + 1
    assert one.is_due(late)
    assert not one.is_due(late - 2)
    two = certificate_for(tmp_path, "", NAMES, late)
    assert two.fingerprint != one.fingerprint
    assert not two.is_due(late)


def test_a_box_without_a_clock_makes_one_that_is_good_today(tmp_path: Path) -> None:
    one = certificate_for(tmp_path, "", NAMES, 0.0)
    made = parsed(one.certificate)
    assert made.not_valid_before_utc < EARLIEST < datetime.fromtimestamp(NOW, UTC) < made.not_valid_after_utc


def test_the_merchants_own_goes_before_it_and_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate_for(tmp_path / "merchant", "", ["shop.example.cn"], NOW)
    found = certificate_for(tmp_path / "box", str(tmp_path / "merchant"), NAMES, own.ends + 1)
    assert (found.fingerprint, found.is_own) == (own.fingerprint, False)
    assert not found.is_due(own.ends + 1)
    assert not (tmp_path / "box").exists()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "merchant"))
    assert certificate_for(tmp_path / "box", "", NAMES, NOW).fingerprint == own.fingerprint


def test_one_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is not there"):
        certificate_for(tmp_path, str(tmp_path / "nowhere"), NAMES, NOW)
    one = certificate_for(tmp_path, "", NAMES, NOW)
    (tmp_path / CERTIFICATE).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError):
        certificate_for(tmp_path, str(tmp_path), NAMES, NOW)
    (tmp_path / KEY).write_text("no key")
    with pytest.raises(ConfigError):
        context(one)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----"])
def test_a_broken_one_of_the_boxes_own_is_made_anew(tmp_path: Path, raw: bytes) -> None:
    certificate_for(tmp_path, "", NAMES, NOW)
    (tmp_path / CERTIFICATE).write_bytes(raw)
    assert certificate_for(tmp_path, "", NAMES, NOW).ends > NOW


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    made = context(certificate_for(tmp_path, "", NAMES, NOW))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
