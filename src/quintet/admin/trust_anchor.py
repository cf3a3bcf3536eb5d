"""Which certificate to trust so that a chain is trusted: its root, or a self-signed certificate itself."""

import re
import ssl
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from quintet.tls import (
    extension,
    fingerprint,
    has_issued,
    is_authority,
    is_self_signed,
    issuer_of,
    load_certificate,
    names_of,
    subject_of,
    top_of,
)

_HEX = re.compile(r"[0-9A-F]{64}")


class AnchorSource(Enum):
    """Where the certificate to trust comes from."""

    SELF_SIGNED = "the server's own certificate, which is self-signed"
    IN_CHAIN = "the root that the server sent with its chain"
    IN_STORE = "already in the trust store"
    ON_MACHINE = "a public root of this machine's list; the server did not send it"
    NOWHERE = "not available from the server"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The certificate to trust for a chain; None when it was found `NOWHERE`.

    `wanted` is its name, found or not, `address` where it can be downloaded according to the chain.
    """

    found: AnchorSource
    certificate: x509.Certificate | None
    wanted: str
    address: str | None = None


def choose_anchor(
    chain: Sequence[x509.Certificate],
    trusted: Iterable[x509.Certificate],
    roots: Iterable[x509.Certificate] = (),
) -> Anchor:
    """What to trust for `chain`, the server's certificate first. `roots` are the machine's own."""
    top = top_of(chain)
    trusted = list(trusted)
    if top in trusted:
        return Anchor(AnchorSource.IN_STORE, top, subject_of(top))
    if is_self_signed(top):
        found = AnchorSource.SELF_SIGNED if top == chain[0] else AnchorSource.IN_CHAIN
        return Anchor(found, top, subject_of(top))
    for found, known in ((AnchorSource.IN_STORE, trusted), (AnchorSource.ON_MACHINE, roots)):
        root = next((c for c in known if has_issued(c, top)), None)
        if root is not None:
            return Anchor(found, root, subject_of(root))
    return Anchor(AnchorSource.NOWHERE, None, issuer_of(top), _issuer_address(top))


def machine_roots() -> Iterator[x509.Certificate]:
    """The roots that the operating system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    for data in context.get_ca_certs(binary_form=True):
        with suppress(ValueError):
            yield load_certificate(data)


def useless(certificate: x509.Certificate, now: datetime | None = None) -> str | None:
    """Why trusting this certificate would not help, or not for long; None when it would."""
    now = now or datetime.now(UTC)
    if not is_authority(certificate) and not is_self_signed(certificate):
        return (
            f"it is a server's own certificate, issued by {issuer_of(certificate)!r}, which helps only until"
            " the server gets its next one: import the certificate of that issuer"
        )
    if certificate.not_valid_after_utc < now:
        return f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}: get the renewed one"
    if certificate.not_valid_before_utc > now:
        return f"it is not valid until {certificate.not_valid_before_utc:%Y-%m-%d}"
    return None


def has_fingerprint(certificate: x509.Certificate, text: str) -> bool:
    """Whether `text` is its SHA-256 fingerprint, in any case, with colons, blanks or neither.

    Raises `ValueError` when `text` is not a SHA-256 fingerprint.
    """
    digits = re.sub(r"(?i)^sha-?256[:= ](?:fingerprint=)?|[\s:]", "", text.strip()).upper()
    if not _HEX.fullmatch(digits):
        raise ValueError(f"{text!r} is not a SHA-256 fingerprint, which has 64 hexadecimal digits")
    return digits == fingerprint(certificate).replace(":", "")


def alias_for(certificate: x509.Certificate, taken: Container[str], wanted: str | None = None) -> str:
    """An alias for the certificate that is not taken yet: `wanted`, or made of its common name."""
    base = wanted or _slug(_common_name(certificate))
    alias, number = base, 2
    while alias.casefold() in taken:
        alias, number = f"{base}-{number}", number + 1
    return alias


def _common_name(certificate: x509.Certificate) -> str:
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME):
        found = certificate.subject.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return next(iter(names_of(certificate).dns), "")


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")[:60] or "certificate"


def _issuer_address(certificate: x509.Certificate) -> str | None:
    for one in extension(certificate, x509.AuthorityInformationAccess) or ():
        location = one.access_location
        if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return location.value
    return None
