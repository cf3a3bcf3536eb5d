"""Opening, changing and saving trust stores and key stores, whatever their format."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from quintet.files import replace_file
from quintet.secret import Secret
from quintet.tls.certificates import load_certificate
from quintet.tls.settings import StoreKind, StoreLocation
from quintet.tls.stores import jks, pkcs12
from quintet.tls.stores.entries import PLAIN, Contents, Encoding, KeyEntry, TrustedEntry
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
    WrongStorePasswordError,
    WrongStoreTypeError,
)
from quintet.tls.stores.stash import exposed, read_stash

MOST_BYTES = 16 * 1024 * 1024
_NAMES = {StoreKind.PKCS12: "a .p12 store (PKCS#12)", StoreKind.JKS: "a .jks store"}
_OTHER_STORES = {b"\xce\xce\xce\xce": "a .jceks store", b"\x00\x00\x00\x01": "a .bks store"}
_IMPORT = "import certificates into a store with quintet trust import FILE"
_STASH_ANEW = "remove it, and it is made anew at the next start"
_CONVERT = "convert it with keytool -importkeystore -deststoretype PKCS12"


@dataclass(frozen=True, slots=True)
class Store:
    """A store as it was opened. It is never changed in place: `with_trusted` and `without` give another.

    `encoding` tells how the file was protected, `others` how many entries it has that we do not
    read. `notes` are sentences about what is odd but no error, such as a stash that others can read.
    """

    kind: StoreKind
    trusted: tuple[TrustedEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    encoding: Encoding = PLAIN
    others: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def entries(self) -> tuple[TrustedEntry | KeyEntry, ...]:
        return (*self.trusted, *self.keys)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All trusted certificates."""
        return tuple(entry.certificate for entry in self.trusted)

    def with_trusted(self, alias: str, certificate: x509.Certificate) -> "Store":
        """The store with one more certificate. Raises `EntryExistsError` when the alias is taken."""
        if not alias.strip():
            raise NoSuchEntryError("an alias must not be empty", "give the certificate a name of its own")
        if self._has(alias):
            raise EntryExistsError(
                f"there is an entry {alias!r} already", "choose another alias, or remove it first"
            )
        entry = TrustedEntry(alias, certificate, created=datetime.now(UTC).replace(microsecond=0))
        return dataclasses.replace(self, trusted=(*self.trusted, entry))

    def without(self, alias: str) -> "Store":
        """The store without that entry, trusted or key. Raises `NoSuchEntryError`."""
        if not self._has(alias):
            known = ", ".join(entry.alias for entry in self.entries) or "it is empty"
            raise NoSuchEntryError(f"there is no entry {alias!r}", f"the entries are: {known}")
        same = alias.lower()
        return dataclasses.replace(
            self,
            trusted=tuple(entry for entry in self.trusted if entry.alias.lower() != same),
            keys=tuple(entry for entry in self.keys if entry.alias.lower() != same),
        )

    def _has(self, alias: str) -> bool:
        """Aliases are compared as Java does, without case."""
        return any(entry.alias.lower() == alias.lower() for entry in self.entries)


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
    """The store in `data`. With `kind`, any other format is an error. Raises `StoreError`."""
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
    contents = (jks.read_jks if found is StoreKind.JKS else pkcs12.read_pkcs12)(data, text)
    return Store(
        found,
        contents.trusted,
        contents.keys,
        contents.encoding,
        contents.others,
        _notes(found, contents),
    )


def open_store(ref: StoreLocation) -> Store:
    """The store that the settings name. Raises `StoreError`, which names the file.

    When there are a stash and a clear password, the stash counts. Where it fails and the clear password opens
    the store, a note says so; both are left as they are (reference 2.5).
    """
    try:
        data = _read(ref.path)
        stashed, failure = _stashed(ref)
        try:
            store = read_store(data, (ref.password or "") if stashed is None else stashed, ref.kind)
        except WrongStorePasswordError:
            if stashed is None or ref.password is None or ref.password == stashed:
                raise
            store = read_store(data, ref.password, ref.kind)
            failure = StashError("its password does not open the store", _STASH_ANEW)
    except StoreError as error:
        if error.path is None:
            error.path = ref.path
        raise
    return dataclasses.replace(store, notes=(*store.notes, *_notes_on_stash(ref, failure)))


def write_store(
    store: Store, password: Secret | str, *, kind: StoreKind | None = None, legacy: bool = False
) -> bytes:
    """The bytes of the store. `legacy` is for a `.p12` that old Java and Sametime shall read.

    Raises `UnsupportedStoreError` when something in the store would be lost.
    """
    if store.others:
        raise UnsupportedStoreError(
            f"it holds {store.others} entries of other kinds, such as secret keys, which would be lost",
            "change it with keytool instead",
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
    legacy: bool = False,
    backup: bool = True,
) -> Path | None:
    """Writes the store in one step, mode 0600 when it is new. Gives the path of the old file, if it was kept.

    Raises `StoreError`; the old file is then whole.
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
            "the file is as it was; check folder and disk",
            path,
        ) from error


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "it is a folder" if path.is_dir() else "it is no regular file"
            raise StoreUnreadableError(what, "name the store file itself", path)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise StoreNotFoundError(
            "there is no such file", "make it with quintet trust fetch HOST:PORT, or correct the path", path
        ) from None
    except PermissionError:
        raise StoreUnreadableError("this user must not read it", "give the user the right to", path) from None
    except (OSError, ValueError) as error:
        raise StoreUnreadableError(
            f"it cannot be read: {error}", "name the store file itself", path
        ) from None
    return data


def _stashed(ref: StoreLocation) -> tuple[Secret | None, StashError | None]:
    """The password in the stash, or why there is none. A stash yet to be made is no failure."""
    if ref.stash is None:
        return None, None
    try:
        return read_stash(ref.stash), None
    except StashError as error:
        if ref.password is None:
            raise
        return None, None if isinstance(error, StashNotFoundError) else error


def _notes_on_stash(ref: StoreLocation, failure: StashError | None) -> Iterator[str]:
    if failure is not None:
        yield f"{ref.stash}: {failure.message}; the password in the settings was used instead; {failure.fix}"
    if ref.stash is not None and exposed(ref.stash):
        yield f"{ref.stash}: others can read this stash, which is not secure; run chmod 600 on it"


def _notes(kind: StoreKind, contents: Contents) -> tuple[str, ...]:
    notes = []
    unmarked = sum(not entry.marked for entry in contents.trusted)
    if unmarked and unmarked == len(contents.trusted) and not contents.keys:
        notes.append(f"Java sees 0 entries in it: its {unmarked} certificates lack Java's mark of trust")
    elif unmarked:
        notes.append(f"Java does not trust {unmarked} of its certificates, which lack Java's mark of trust")
    if kind is StoreKind.PKCS12 and contents.encoding.digest is None:
        notes.append("it has no digest, so nobody would notice a change of it")
    sealed = [entry.alias for entry in contents.keys if entry.key is None]
    if sealed:
        notes.append(f"a password of its own protects the key {', '.join(sealed)}, which cannot be used")
    return tuple(notes)


def _not_a_store(data: bytes) -> NotAStoreError:
    begin = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not data:
        return NotAStoreError("it is empty", _IMPORT)
    if b"-----BEGIN " in data[:65536]:
        holds = "a private key" if b"PRIVATE KEY-----" in data[:65536] else "certificates"
        return NotAStoreError(f"it is PEM text with {holds}, and no store", _IMPORT)
    if data[:1] == b"\x30":
        return NotAStoreError("it is a single certificate (DER), and no store", _IMPORT)
    if re.match(rb"<(?:!doctype|html|\?xml)", begin, re.IGNORECASE):
        return NotAStoreError(
            "it is a web page or XML, and no store", "the download went wrong, get it again"
        )
    for magic, name in _OTHER_STORES.items():
        if data.startswith(magic):
            return NotAStoreError(f"it is {name}, which is not supported", _CONVERT)
    if begin and all(octet in b"\t\r\n" or 32 <= octet < 127 for octet in begin):
        return NotAStoreError("it is a text, and no store", _IMPORT)
    return NotAStoreError(
        "it is neither a .p12 nor a .jks store", "check that it is the right file, and is whole"
    )


def _is_certificate(data: bytes) -> bool:
    """Whether this is one certificate (RFC 5280 4.1)."""
    try:
        load_certificate(data)
    except ValueError:
        return False
    return True
