"""Reading certificates from the files that administrators are given: PEM, DER or PKCS#7, one or many."""

import base64
import binascii
import re

from cryptography import x509

from quintet.tls import MalformedCertificateError, load_certificate, load_pkcs7

MOST_BYTES = 16 * 1024 * 1024
_BLOCK = re.compile(rb"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=kind)-----", re.DOTALL)
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
_STORES = ((b"\xfe\xed\xfe\xed", "a .jks store"), (b"\xce\xce\xce\xce", "a .jceks store"))


class NoCertificatesError(ValueError):
    """There is no readable certificate in these bytes; the message says what they are."""


def read_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates in `data`, in their order, each once. Raises `NoCertificatesError`."""
    if len(data) > MOST_BYTES:
        raise NoCertificatesError("it is larger than 16 MiB, too large for a file of certificates")
    return tuple(dict.fromkeys(_read(data)))


def _read(data: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN " in data:
        return _pem(data)
    if data[:1] == b"\x30":
        return _der(data)
    try:
        return _der(base64.b64decode(re.sub(rb"\s", b"", data), validate=True))
    except (binascii.Error, NoCertificatesError):
        raise NoCertificatesError(_what(data) or "it is neither PEM, DER nor PKCS#7") from None


def _pem(data: bytes) -> list[x509.Certificate]:
    found: list[x509.Certificate] = []
    others = []
    for number, block in enumerate(_BLOCK.finditer(data), 1):
        kind = block["kind"]
        try:
            if kind in _CERTIFICATES:
                found.append(_certificate(_decoded(block["body"])))
            elif kind in (b"PKCS7", b"CMS"):
                found += load_pkcs7(_decoded(block["body"]))
            else:
                others.append(kind.decode())
        except ValueError as error:
            raise NoCertificatesError(
                f"its PEM block {number} ({kind.decode()}) is damaged: {error}"
            ) from None
    if not found:
        holds = f"holds {' and '.join(sorted(set(others)))}" if others else "is truncated"
        raise NoCertificatesError(f"it is PEM, but {holds}, and has no certificate")
    return found


def _decoded(body: bytes) -> bytes:
    return base64.b64decode(re.sub(rb"\s", b"", body), validate=True)


def _certificate(der: bytes) -> x509.Certificate:
    """A certificate; what OpenSSL's "trusted" form appends is left out."""
    return load_certificate(der[: _length(der)])


def _length(der: bytes) -> int:
    """How many bytes the outermost sequence takes (X.690 8.1.3)."""
    if len(der) < 2 or der[1] < 0x80:
        return 2 + (der[1] if len(der) > 1 else 0)
    size = der[1] & 0x7F
    return 2 + size + int.from_bytes(der[2 : 2 + size])


def _der(data: bytes) -> list[x509.Certificate]:
    try:
        return [_certificate(data)]
    except MalformedCertificateError as error:
        malformed = error
    try:
        found = load_pkcs7(data)
    except MalformedCertificateError:
        told = f"it is neither PKCS#7 nor a certificate that can be read: {malformed}"
        raise NoCertificatesError(_what(data) or told) from None
    if not found:
        raise NoCertificatesError("it is PKCS#7 without a certificate")
    return found


def _what(data: bytes) -> str | None:
    """What it is, when it is not certificates; None when it looks like DER."""
    for start, name in _STORES:
        if data.startswith(start):
            return f"it is {name}, not a file of certificates"
    if not data.strip():
        return "it is empty"
    if data.startswith(b"\x30") and b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" in data[:60]:
        return "it is a .p12 store, not a file of certificates"
    if re.match(rb"\s*<(?:!doctype|html|\?xml)", data, re.IGNORECASE):
        return "it is a web page or XML, not a file of certificates"
    return None if data.startswith(b"\x30") else "it is neither PEM, DER nor PKCS#7"
