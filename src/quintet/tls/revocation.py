"""Certificate revocation lists (RFC 5280 5) from the file that `QUINTET_TLS_CRL_FILE` names.

OpenSSL checks the whole chain against them, and refuses a certificate when its issuer's CRL is missing or out
of date. Quintet downloads no CRLs and does not use OCSP.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet.tls.certificates import without_warnings
from quintet.tls.settings import TlsSettingsError

MOST_BYTES = 32 * 1024 * 1024
_MOST_LISTS = 200
_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----(.*?)-----END X509 CRL-----", re.DOTALL)


class CrlError(TlsSettingsError):
    """The CRL file at `path` cannot be used."""

    code = "T401"

    def __init__(self, path: Path, message: str, fix: str) -> None:
        super().__init__(f"{path}: {message}", fix)
        self.path = path


def read_crls(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """The CRLs in the file, PEM (one or more) or DER. Raises `CrlError`.

    Anything else in a PEM file is ignored: a certificate in it does not become trusted.
    """
    try:
        if not path.is_file():
            raise CrlError(path, "the file does not exist", "put the CRLs of all CAs of the chain there")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CrlError(path, f"cannot be read: {error}", "check its owner and mode") from None
    if len(data) > MOST_BYTES:
        raise CrlError(path, "it is larger than 32 MiB", "check that it is the right file")
    blocks = [data] if data[:1] == b"\x30" else [_decoded(each) for each in _BLOCK.findall(data)]
    if not 0 < len(blocks) <= _MOST_LISTS:
        fix = "the file must hold the CRLs of all CAs of the chain, in PEM or DER"
        raise CrlError(path, f"it holds {len(blocks)} CRLs in PEM", fix)
    try:
        with without_warnings():
            lists = tuple(x509.load_der_x509_crl(each) for each in blocks)
            for each in lists:
                _ = each.issuer.rfc4514_string(), each.last_update_utc, each.next_update_utc
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise CrlError(path, f"a CRL in it is malformed: {error}", "download it again") from None
    return lists


def crls_as_pem(lists: Sequence[x509.CertificateRevocationList]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in lists)


def stale(
    lists: Sequence[x509.CertificateRevocationList], now: datetime | None = None
) -> tuple[x509.CertificateRevocationList, ...]:
    """Those whose time for the next update has passed: OpenSSL refuses every certificate of their issuers."""
    now = now or datetime.now(UTC)
    return tuple(each for each in lists if each.next_update_utc is not None and each.next_update_utc < now)


def _decoded(block: bytes) -> bytes:
    try:
        return base64.b64decode(re.sub(rb"\s", b"", block), validate=True)
    except binascii.Error:
        return b""
