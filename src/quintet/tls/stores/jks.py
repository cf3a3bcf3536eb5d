"""Java's own key store, `.jks`: version 1 and 2 read, version 2 written.

The file: `FE ED FE ED`, version, number of entries, entries, and a SHA-1 digest over the password, a phrase
and all that comes before. Numbers are big-endian; texts are Java's modified UTF-8 after a two-byte length. A
private key is sealed by Sun's key protector: a key stream of chained SHA-1 digests over password and salt.
Java looks an alias up in lower case and does not change those of the file, so they are written in lower case.
What follows the digest (padding, a line feed) is ignored, as Java does.
"""

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet.tls.stores import der
from quintet.tls.stores.entries import (
    MOST_ENTRIES,
    Aliases,
    Contents,
    Encoding,
    KeyEntry,
    PrivateKey,
    TrustedEntry,
    UnreadableEntry,
    UnreadableError,
    Unseen,
    certificate_of,
    private_key_of,
)
from quintet.tls.stores.errors import (
    DamagedStoreError,
    StoreTooCostlyError,
    UnsupportedStoreError,
    WrongStorePasswordError,
)

MAGIC = b"\xfe\xed\xfe\xed"
_PHRASE = b"Mighty Aphrodite"
_DIGEST = 20
_KEY, _TRUSTED = 1, 2
_X509 = "X.509"
_MOST_CERTIFICATES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_PROTECTOR = der.oid("1.3.6.1.4.1.42.2.17.1.1")
_ENCODING = Encoding(certificates="none", keys="Sun key protector (SHA-1)", digest="SHA-1")


@dataclass(frozen=True, slots=True)
class _Raw:
    """One entry as it is in the file. `sealed` is the key, None of a trusted certificate."""

    alias: str
    created: datetime | None
    sealed: bytes | None
    certificates: tuple[tuple[str, bytes], ...]


def read_jks(data: bytes, password: str) -> Contents:
    """What the store holds. Raises `StoreError` of the kinds that a file can have."""
    reader = _Reader(data, start=len(MAGIC))
    version, entries = reader.number(), reader.number()
    if version not in (1, 2):
        raise UnsupportedStoreError(
            f"it is a .jks store of version {version}", "convert it with keytool -importkeystore"
        )
    if entries > MOST_ENTRIES:
        raise StoreTooCostlyError(
            f"it holds more than {MOST_ENTRIES:,} entries", "make a store of those alone that are needed"
        )
    # Only when all entries are there, a digest that does not match means a wrong password.
    raw = [_raw(reader, version) for _ in range(entries)]
    content = data[: reader.at]
    if not hmac.compare_digest(_digest(content, password), reader.take(_DIGEST)):
        raise WrongStorePasswordError
    trusted: list[TrustedEntry] = []
    keys: list[KeyEntry] = []
    unreadable: list[UnreadableEntry] = []
    aliases = Aliases()
    last = {each.alias: each for each in raw}
    for each in raw:
        alias = aliases.unique(each.alias)
        unseen = None if last[each.alias] is each else Unseen.SAME_ALIAS
        try:
            entry = _entry(each, alias, password)
        except UnreadableError as error:
            unreadable.append(UnreadableEntry(alias, str(error)))
            continue
        if isinstance(entry, KeyEntry):
            keys.append(replace(entry, unseen=unseen))
        else:
            trusted.append(replace(entry, unseen=unseen))
    trailing = len(data) - reader.at
    return Contents(tuple(trusted), tuple(keys), tuple(unreadable), _ENCODING, trailing=trailing)


def write_jks(contents: Contents, password: str) -> bytes:
    """The store, its digest and keys under `password`. Raises `UnsupportedStoreError` for a long alias."""
    entries: tuple[KeyEntry | TrustedEntry, ...] = (*contents.keys, *contents.trusted)
    body = bytearray(MAGIC + struct.pack(">II", 2, len(entries)))
    aliases = Aliases()
    for entry in entries:
        kind = _KEY if isinstance(entry, KeyEntry) else _TRUSTED
        stamp = ((entry.created or datetime.now(UTC)) - _EPOCH) // timedelta(milliseconds=1)
        alias = aliases.unique(entry.alias.lower())
        body += struct.pack(">I", kind) + _text(alias) + struct.pack(">q", stamp)
        if isinstance(entry, KeyEntry):
            sealed = entry.sealed if entry.key is None else _seal(entry.key, password)
            body += _block(sealed or b"")
            body += struct.pack(">I", 1 + len(entry.chain))
            for certificate in (entry.certificate, *entry.chain):
                body += _certificate(certificate)
        else:
            body += _certificate(entry.certificate)
    return bytes(body) + _digest(bytes(body), password)


def _digest(content: bytes, password: str) -> bytes:
    return _sha1(_bytes(password) + _PHRASE + content)


def _bytes(password: str) -> bytes:
    return password.encode("utf-16-be", "surrogatepass")


class _Reader:
    """Takes numbers and blocks off the bytes, never past their end."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self.at = start

    def take(self, size: int) -> bytes:
        missing = self.at + size - len(self._data)
        if missing > 0:
            raise DamagedStoreError(f"{missing} bytes are missing at the end")
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size))

    def stamp(self) -> datetime | None:
        try:
            return _EPOCH + timedelta(milliseconds=int.from_bytes(self.take(8), signed=True))
        except OverflowError:
            return None

    def block(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        """Modified UTF-8: NUL in two bytes, characters beyond the BMP as two surrogates of three bytes."""
        raw = self.take(self.number(2)).replace(b"\xc0\x80", b"\0")
        try:
            return raw.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise DamagedStoreError("an alias is not text") from None


def _raw(reader: _Reader, version: int) -> _Raw:
    kind, alias, created = reader.number(), reader.text(), reader.stamp()
    sealed, count = None, 1
    if kind == _KEY:
        sealed, count = reader.block(), reader.number()
    elif kind != _TRUSTED:
        raise DamagedStoreError(f"the entry {alias!r} has the unknown type {kind}")
    if not 0 < count <= _MOST_CERTIFICATES:
        raise DamagedStoreError(f"the entry {alias!r} has {count} certificates")
    certificates = ((reader.text() if version == 2 else _X509, reader.block()) for _ in range(count))
    return _Raw(alias, created, sealed, tuple(certificates))


def _entry(raw: _Raw, alias: str, password: str) -> TrustedEntry | KeyEntry:
    """The entry. Raises `UnreadableError`."""
    for kind, _ in raw.certificates:
        if kind not in (_X509, "X509"):
            raise UnreadableError(f"its certificate is of the unknown type {kind!r}")
    chain = [certificate_of(data) for _, data in raw.certificates]
    if raw.sealed is None:
        return TrustedEntry(alias, chain[0], created=raw.created)
    key = _unseal(raw.sealed, password)
    return KeyEntry(alias, key, chain[0], tuple(chain[1:]), None if key else raw.sealed, created=raw.created)


def _unseal(sealed: bytes, password: str) -> PrivateKey | None:
    """The key; None when another password, or another algorithm, protects it. Raises `UnreadableError`."""
    try:
        algorithm, data = der.parse(sealed).sequence()
        used = algorithm.sequence()[0].expect(der.OID).content
        protected = data.octet_string()
    except (der.DerError, ValueError, IndexError):
        raise UnreadableError("its key is malformed") from None
    if used != _KEY_PROTECTOR or len(protected) < 2 * _DIGEST:
        return None
    salt, hidden, check = protected[:_DIGEST], protected[_DIGEST:-_DIGEST], protected[-_DIGEST:]
    plain = _stream(hidden, password, salt)
    if not hmac.compare_digest(_sha1(_bytes(password) + plain), check):
        return None
    return private_key_of(plain)


def _seal(key: PrivateKey, password: str) -> bytes:
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt = os.urandom(_DIGEST)
    protected = salt + _stream(plain, password, salt) + _sha1(_bytes(password) + plain)
    algorithm = der.sequence(der.tlv(der.OID, _KEY_PROTECTOR), der.tlv(der.NULL))
    return der.sequence(algorithm, der.octet_string(protected))


def _stream(data: bytes, password: str, salt: bytes) -> bytes:
    """`data` combined with the key stream; doing it twice gives it back."""
    secret, link, stream = _bytes(password), salt, bytearray()
    while len(stream) < len(data):
        link = _sha1(secret + link)
        stream += link
    combined = int.from_bytes(data) ^ int.from_bytes(stream[: len(data)])
    return combined.to_bytes(len(data))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    units = text.encode("utf-16-be", "surrogatepass")
    halves = "".join(chr(unit) for (unit,) in struct.iter_unpack(">H", units))
    raw = halves.encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")
    if len(raw) > 0xFFFF:
        raise UnsupportedStoreError(
            "an alias is too long for a .jks store", "choose one of fewer than 65,536 bytes"
        )
    return struct.pack(">H", len(raw)) + raw


def _block(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _certificate(certificate: x509.Certificate) -> bytes:
    return _text(_X509) + _block(certificate.public_bytes(serialization.Encoding.DER))
