"""Which certificate to trust so that a chain is believed: the root, or the self-signed one itself."""

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

from quintet.tls.certificates import (
    fingerprint,
    has_issued,
    is_authority,
    is_self_signed,
    load_certificate,
    name_text,
    top_of,
)

_HEX = re.compile(r"[0-9A-F]{64}")


class Found(Enum):
    """Where the certificate to trust comes from."""

    SELF_SIGNED = "the server's own certificate, which it signed itself"
    IN_CHAIN = "the root that the server sent with its chain"
    IN_STORE = "already in the trust store"
    ON_MACHINE = "one of the public roots that this machine knows; the server did not send it"
    NOWHERE = "not to be had from the server"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The certificate that makes a chain believed; None when it is `NOWHERE` to be found.

    `wanted` is its name, be it found or missing, `address` where its issuer says that it can be fetched.
    """

    found: Found
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
        return Anchor(Found.IN_STORE, top, name_text(top.subject))
    if is_self_signed(top):
        found = Found.SELF_SIGNED if top == chain[0] else Found.IN_CHAIN
        return Anchor(found, top, name_text(top.subject))
    for found, known in ((Found.IN_STORE, trusted), (Found.ON_MACHINE, roots)):
        root = next((c for c in known if has_issued(c, top)), None)
        if root is not None:
            return Anchor(found, root, name_text(root.subject))
    return Anchor(Found.NOWHERE, None, name_text(top.issuer), _issuer_address(top))


def machine_roots() -> Iterator[x509.Certificate]:
    """The roots that the operating system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    for data in context.get_ca_certs(binary_form=True):
        with suppress(ValueError):
            yield load_certificate(data)


def useless(certificate: x509.Certificate, now: datetime | None = None) -> str | None:
    """Why trusting this certificate would not help; None when it would."""
    now = now or datetime.now(UTC)
    if not is_authority(certificate) and not is_self_signed(certificate):
        return (
            f"it is a server's own certificate, which {name_text(certificate.issuer)!r} issued, and would "
            "help until the server gets its next one: import the certificate of that issuer"
        )
    if certificate.not_valid_after_utc < now:
        return f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}: get the one that took its place"
    if certificate.not_valid_before_utc > now:
        return f"it is valid only from {certificate.not_valid_before_utc:%Y-%m-%d} on"
    return None


def has_fingerprint(certificate: x509.Certificate, text: str) -> bool:
    """Whether `text` is its SHA-256 fingerprint, in any case, with colons, blanks or neither.

    Raises `ValueError` when `text` is no SHA-256 fingerprint at all.
    """
    digits = re.sub(r"(?i)^sha-?256[:= ](?:fingerprint=)?|[\s:]", "", text.strip()).upper()
    if not _HEX.fullmatch(digits):
        raise ValueError(f"{text!r} is no SHA-256 fingerprint, which has 64 hexadecimal digits")
    return digits == fingerprint(certificate).replace(":", "")


def alias_for(certificate: x509.Certificate, taken: Container[str], wanted: str | None = None) -> str:
    """A name for the certificate in a store: `wanted`, or made of its common name; no other has it."""
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
    return ""


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")[:60] or "certificate"


def _issuer_address(certificate: x509.Certificate) -> str | None:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    for one in access:
        location = one.access_location
        if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return location.value
    return None
