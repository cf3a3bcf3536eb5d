"""Opening, changing and saving trust stores and key stores, whatever their format."""

import dataclasses
import re
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from quintet.files import replace_file
from quintet.secret import Secret
from quintet.tls.certificates import MalformedCertificateError, load_certificate
from quintet.tls.settings import StoreKind, StoreLocation
from quintet.tls.stores import jks, pkcs12
from quintet.tls.stores.entries import (
    PLAIN,
    Contents,
    Encoding,
    KeyEntry,
    TrustedEntry,
    UnreadableEntry,
    Unseen,
    add_trusted,
)
from quintet.tls.stores.errors import (
    EntryExistsError,
    NoSuchEntryError,
    NotAStoreError,
    StashError,
    StashNotFoundError,
    StoreError,
    StoreNotFoundError,
    StoreTooCostlyError,
    StoreUnreadableError,
    StoreWriteError,
    UnsupportedStoreError,
    UnusableEntryError,
    WrongStorePasswordError,
    WrongStoreTypeError,
)
from quintet.tls.stores.stash import exposed, read_stash

MOST_BYTES = 4 * 1024 * 1024
_NAMES = {StoreKind.PKCS12: "a .p12 store (PKCS#12)", StoreKind.JKS: "a .jks store"}
_OTHER_STORES = {b"\xce\xce\xce\xce": "a .jceks store", b"\x00\x00\x00\x01": "a .bks store"}
_IMPORT = "import certificates into a store with quintet trust import FILE"
_CONVERT = "convert it with keytool -importkeystore -deststoretype PKCS12"


@dataclass(frozen=True, slots=True)
class StoreNote:
    """What is odd about a store but no error. `path` is the file that it is about, None for the store itself.

    `code` is a `TlsFinding`'s name.
    """

    code: str
    message: str
    fix: str = ""
    path: Path | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        return f"{where}{self.message}; {self.fix}" if self.fix else f"{where}{self.message}"


@dataclass(frozen=True, slots=True)
class Store:
    """A store as it was opened. It is never changed in place: `with_trusted` and `without` give another.

    `encoding` tells how the file was protected; `unreadable` are entries that cannot be used, and `others`
    counts entries of other kinds, such as secret keys.
    """

    kind: StoreKind
    trusted: tuple[TrustedEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    unreadable: tuple[UnreadableEntry, ...] = ()
    encoding: Encoding = PLAIN
    others: int = 0
    notes: tuple[StoreNote, ...] = field(default=(), compare=False)

    @property
    def entries(self) -> tuple[TrustedEntry | KeyEntry, ...]:
        """The entries that can be used."""
        return (*self.trusted, *self.keys)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All trusted certificates."""
        return tuple(entry.certificate for entry in self.trusted)

    def with_trusted(self, alias: str, certificate: x509.Certificate) -> "Store":
        """The store with one more certificate.

        Raises `EntryExistsError` when the alias is taken, `UnusableEntryError` when OpenSSL refuses it.
        """
        if not alias.strip():
            raise NoSuchEntryError("an alias must not be empty", "give the certificate an alias")
        if self._has(alias):
            raise EntryExistsError(
                f"the entry {alias!r} exists already", "choose another alias, or remove the entry first"
            )
        if not _openssl_takes([certificate]):
            message = (
                f"{ssl.OPENSSL_VERSION} refuses the certificate {alias!r}, whose extensions are malformed"
            )
            raise UnusableEntryError(message, "get one that follows RFC 5280")
        entry = TrustedEntry(alias, certificate, created=datetime.now(UTC).replace(microsecond=0))
        return dataclasses.replace(self, trusted=(*self.trusted, entry))

    def without(self, alias: str) -> "Store":
        """The store without the entry of that alias, of whatever kind. Raises `NoSuchEntryError`."""
        if not self._has(alias):
            known = ", ".join(each.alias for each in (*self.entries, *self.unreadable)) or "none"
            raise NoSuchEntryError(f"there is no entry {alias!r}", f"the entries are: {known}")
        same = alias.lower()
        return dataclasses.replace(
            self,
            trusted=tuple(each for each in self.trusted if each.alias.lower() != same),
            keys=tuple(each for each in self.keys if each.alias.lower() != same),
            unreadable=tuple(each for each in self.unreadable if each.alias.lower() != same),
        )

    def _has(self, alias: str) -> bool:
        """Aliases are compared as Java does, without case."""
        return any(each.alias.lower() == alias.lower() for each in (*self.entries, *self.unreadable))


def new_store(kind: StoreKind = StoreKind.PKCS12) -> Store:
    """An empty store."""
    return Store(kind)


def kind_of(data: bytes) -> StoreKind:
    """The format of a store by its content. Raises `NotAStoreError`, which says what it is instead."""
    if data.startswith(jks.MAGIC):
        return StoreKind.JKS
    if data[:1] == b"\x30" and (pkcs12.is_pkcs12(data) or not _is_certificate(data)):
        return StoreKind.PKCS12
    raise _not_a_store(data)


def read_store(data: bytes, password: Secret | str, kind: StoreKind | None = None) -> Store:
    """The store in `data`. With `kind`, any other format is an error. Raises `StoreError`.

    It may take a second or two of CPU time (`pbe.MOST_ROUNDS`): a server calls it in a thread.
    """
    if len(data) > MOST_BYTES:
        raise StoreTooCostlyError(
            f"it is larger than {MOST_BYTES // 1024 // 1024} MiB", "check that it is the right file"
        )
    found = kind_of(data)
    if kind is not None and found is not kind:
        raise WrongStoreTypeError(
            f"it is {_NAMES[found]}, but its name or its type key says {_NAMES[kind]}",
            f"set ..._STORE_TYPE={found.value} beside its ..._STORE_FILE, and name it .{found.value}",
        )
    text = password.reveal() if isinstance(password, Secret) else password
    contents = _usable((jks.read_jks if found is StoreKind.JKS else pkcs12.read_pkcs12)(data, text))
    return Store(
        found,
        contents.trusted,
        contents.keys,
        contents.unreadable,
        contents.encoding,
        contents.others,
        tuple(_notes(found, contents)),
    )


def open_store(location: StoreLocation) -> Store:
    """The store that the settings name. Raises `StoreError`, which names the file.

    When there are a stash and a password, the stash counts. Where it fails and the password opens the store,
    a note says so; both are left as they are (config 2.5). Without either, the empty password is tried:
    some programs write stores that have none. As `read_store`, a server calls it in a thread.
    """
    try:
        data = read_store_file(location.path)
        stashed, failure = _stashed(location)
        try:
            given = location.password if stashed is None else stashed
            store = read_store(data, given or "", location.kind)
        except WrongStorePasswordError:
            if given is None:
                raise WrongStorePasswordError(
                    "no password is set for the store, and it has one",
                    "set its password or its stash file beside its file",
                ) from None
            if stashed is None or location.password is None or location.password == stashed:
                raise
            store = read_store(data, location.password, location.kind)
            failure = StashError("its password does not open the store", "", location.stash)
    except StoreError as error:
        if error.path is None:
            error.path = location.path
        raise
    return dataclasses.replace(store, notes=(*store.notes, *_notes_on_stash(location, failure)))


def write_store(
    store: Store, password: Secret | str, *, kind: StoreKind | None = None, legacy: bool = True
) -> bytes:
    """The bytes of the store. A `.p12` is written so that old Java and Sametime read it, unless not `legacy`.

    Raises `UnsupportedStoreError` when something in the store would be lost.
    """
    lost = [repr(each.alias) for each in store.unreadable]
    lost += [f"{store.others} entries of other kinds, such as secret keys"] if store.others else []
    if lost:
        raise UnsupportedStoreError(
            f"it holds entries that cannot be read here and would be lost: {', '.join(lost)}",
            "remove them with quintet trust remove, or change the store with keytool",
        )
    text = password.reveal() if isinstance(password, Secret) else password
    contents = Contents(store.trusted, store.keys)
    if (kind or store.kind) is StoreKind.JKS:
        return jks.write_jks(contents, text)
    return pkcs12.write_pkcs12(contents, text, legacy=legacy)


def save_store(
    path: Path,
    store: Store,
    password: Secret | str,
    *,
    kind: StoreKind | None = None,
    legacy: bool = True,
    backup: bool = True,
) -> Path | None:
    """Writes the store in one step, mode 0600 when it is new. Returns the path of the old file, if kept.

    Raises `StoreError`; the old file is then unchanged.
    """
    try:
        data = write_store(store, password, kind=kind, legacy=legacy)
        return replace_file(path, data, backup=backup)
    except StoreError as error:
        error.path = error.path or path
        raise
    except OSError as error:
        raise StoreWriteError(
            f"the store could not be written: {error.strerror or error}",
            "the file is unchanged; check folder and disk",
            path,
        ) from error


def read_store_file(path: Path) -> bytes:
    """The bytes of the file, but not many more than a store may have. Raises `StoreError`."""
    try:
        if path.exists() and not path.is_file():
            message = "it is a folder" if path.is_dir() else "it is not a regular file"
            raise StoreUnreadableError(message, "name the store file itself", path)
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        fix = "make it with quintet trust fetch HOST:PORT, or correct the path"
        raise StoreNotFoundError("the file does not exist", fix, path) from None
    except PermissionError:
        raise StoreUnreadableError(
            "permission denied", "let the user that runs Quintet read it", path
        ) from None
    except (OSError, ValueError) as error:
        raise StoreUnreadableError(f"cannot be read: {error}", "name the store file itself", path) from None


def _openssl_takes(certificates: Iterable[x509.Certificate]) -> bool:
    try:
        add_trusted(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificates)
    except UnusableEntryError:
        return False
    return True


def _usable(contents: Contents) -> Contents:
    """The contents with those trusted entries that OpenSSL refuses among the unreadable ones."""
    if not contents.trusted or _openssl_takes([each.certificate for each in contents.trusted]):
        return contents
    refused = [each for each in contents.trusted if not _openssl_takes([each.certificate])]
    unreadable = (UnreadableEntry(each.alias, "OpenSSL refuses its certificate") for each in refused)
    return dataclasses.replace(
        contents,
        trusted=tuple(each for each in contents.trusted if each not in refused),
        unreadable=(*contents.unreadable, *unreadable),
    )


def _stashed(location: StoreLocation) -> tuple[Secret | None, StashError | None]:
    """The password in the stash, or why there is none. A stash yet to be made is no failure."""
    if location.stash is None:
        return None, None
    try:
        return read_stash(location.stash), None
    except StashError as error:
        if location.password is None:
            raise
        return None, None if isinstance(error, StashNotFoundError) else error


def _notes_on_stash(location: StoreLocation, failure: StashError | None) -> Iterator[StoreNote]:
    if failure is not None:
        yield StoreNote(
            "T125",
            f"{failure.message}; the password in the settings was used instead",
            "remove the stash file; the next start writes a new one",
            location.stash,
        )
    if location.stash is not None and exposed(location.stash):
        yield StoreNote("T124", "other users can read this stash file", "run chmod 600 on it", location.stash)


def _notes(kind: StoreKind, contents: Contents) -> Iterator[StoreNote]:
    unmarked = sum(each.unseen is Unseen.NO_MARK for each in contents.trusted)
    convert = "quintet trust convert rewrites the store with the mark"
    if unmarked and unmarked == len(contents.trusted) and not contents.keys:
        message = f"Java sees 0 entries in it: none of its {unmarked} certificates has Java's mark of trust"
        yield StoreNote("T121", message, convert)
    elif unmarked:
        message = f"Java does not see {unmarked} of its certificates, which lack Java's mark of trust"
        yield StoreNote("T121", message, convert)
    if kind is StoreKind.PKCS12 and contents.encoding.digest is None:
        yield StoreNote("T122", "it has no MAC, so a modification of it would go unnoticed")
    for entry in contents.keys:
        if entry.key is None:
            fix = "give it the store's password with keytool -keypasswd"
            yield StoreNote("T123", f"the key {entry.alias!r} has a password of its own: not usable", fix)
    for each in contents.unreadable:
        message = f"the entry {each.alias!r} is ignored: {each.reason}"
        yield StoreNote("T126", message, "replace the entry, or remove it with quintet trust remove")
    if contents.trailing:
        yield StoreNote("T127", f"{contents.trailing} bytes after the end of the store are ignored")


def _not_a_store(data: bytes) -> NotAStoreError:
    begin = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not data:
        return NotAStoreError("the file is empty", _IMPORT)
    if b"-----BEGIN " in data[:65536]:
        holds = "a private key" if b"PRIVATE KEY-----" in data[:65536] else "certificates"
        return NotAStoreError(f"it is PEM text with {holds}, not a store", _IMPORT)
    if data[:1] == b"\x30":
        return NotAStoreError("it is a single certificate (DER), not a store", _IMPORT)
    if re.match(rb"<(?:!doctype|html|\?xml)", begin, re.IGNORECASE):
        return NotAStoreError("it is a web page or XML, not a store", "download it again")
    for magic, name in _OTHER_STORES.items():
        if data.startswith(magic):
            return NotAStoreError(f"it is {name}, which is not supported", _CONVERT)
    if begin and all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in begin):
        return NotAStoreError("it is text, not a store", _IMPORT)
    return NotAStoreError(
        "it is neither a .p12 nor a .jks store", "check that it is the right file, and complete"
    )


def _is_certificate(data: bytes) -> bool:
    """Whether this is one certificate (RFC 5280 4.1)."""
    try:
        load_certificate(data)
    except MalformedCertificateError:
        return False
    return True
