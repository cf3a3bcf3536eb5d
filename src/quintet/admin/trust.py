"""The trust store: which one it is, what opens it, and how it is changed.

A change is made on a `Store` first. `save` then writes all the files that belong to it, or none.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from quintet.admin.trust_anchor import alias_for, useless
from quintet.config import INI, EditError, is_variable, read, remove_key, set_key, settings_file
from quintet.diagnostics import SettingsError
from quintet.files import FileChange, write_files
from quintet.secret import Secret
from quintet.tls import (
    Origin,
    StashError,
    Store,
    StoreError,
    StoreKind,
    StoreLocation,
    StoreNotFoundError,
    TlsSettings,
    new_store,
    open_store,
    read_stash,
    read_store,
    read_store_file,
    write_stash,
    write_store,
)

DEFAULT_STORE, DEFAULT_STASH = "ldaptruststore.p12", "ldaptruststore.sth"
SECTION, PREFIX = "Config", "STLDAP_TLS_TRUST_STORE_"


class TrustError(Exception):
    """The command cannot be done; nothing was changed. `fix` says what to do instead."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Target:
    """The store that a command works on. `old` is its file's content, None when there is no file yet.

    `stash` is a stash file to write with the store, `ini` are keys of sametime.ini to set to its name.
    """

    path: Path
    kind: StoreKind
    password: Secret
    store: Store
    old: bytes | None
    stash: Path | None = None
    ini: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Additions:
    """A store with certificates added, and those that were left out, each with the reason."""

    store: Store
    added: tuple[tuple[str, x509.Certificate], ...]
    left_out: tuple[tuple[x509.Certificate, str], ...]


@dataclass(frozen=True, slots=True)
class Stashed:
    """A password that was moved into a stash. `variable` in the environment still has it, if not None."""

    path: Path
    backups: tuple[Path, ...]
    variable: str | None


def tls_settings(folder: Path, environ: Mapping[str, str]) -> TlsSettings:
    """The TLS settings, even where other settings are wrong. Raises `SettingsError` without a folder."""
    settings, problems = read(folder, environ)
    if settings is None:
        raise SettingsError(folder, problems)
    return settings.tls


def settings_store(folder: Path, environ: Mapping[str, str]) -> Target:
    """The trust store of the settings. Raises `TrustError` when none is set, or `StoreError`."""
    ref = tls_settings(folder, environ).trust_store
    if ref is None:
        raise TrustError(
            "no trust store is set in sametime.ini",
            "quintet trust fetch HOST:PORT or quintet trust import FILE makes one; --store FILE works on any",
        )
    return _opened(ref)


def settings_store_or_new(folder: Path, environ: Mapping[str, str]) -> Target:
    """The same; where none is set, or its file does not exist, one that is yet to be made."""
    ref = tls_settings(folder, environ).trust_store
    if ref is None:
        path, stash = folder.resolve() / DEFAULT_STORE, folder.resolve() / DEFAULT_STASH
        ini = {"TYPE": "p12", "FILE": str(path), "PASSWORD_STASH_FILE": str(stash)}
        ref = StoreLocation(path, StoreKind.PKCS12, stash=stash)
        if path.exists():
            raise TrustError(
                f"{path} exists, but sametime.ini does not name it",
                f"set {PREFIX}TYPE, {PREFIX}FILE and {PREFIX}PASSWORD in [{SECTION}], or use --store {path}",
            )
    else:
        ini = {}
        with suppress(StoreNotFoundError):
            return _opened(ref)
        if ref.password is None and ref.stash is None:
            ref = StoreLocation(ref.path, ref.kind, stash=ref.path.with_suffix(".sth"))
            ini = {"PASSWORD_STASH_FILE": str(ref.stash)}
    if ref.stash is not None and ref.stash.exists():
        password, stash_to_write = read_stash(ref.stash), None
    else:
        password = ref.password or Secret(secrets.token_urlsafe(24))
        stash_to_write = ref.stash
    return Target(ref.path, ref.kind, password, new_store(ref.kind), None, stash_to_write, ini)


def file_store(path: Path, password: Callable[[], Secret], *, ask: bool = False) -> Target:
    """The store in a file. With `ask`, `password` is only called when the empty one does not open the store.

    Raises `StoreError`.
    """
    kind, data = kind_by_name(path), read_store_file(path)
    if ask:
        with suppress(StoreError):
            return Target(path, kind, Secret(""), read_store(data, "", kind), data)
    secret = password()
    try:
        return Target(path, kind, secret, read_store(data, secret, kind), data)
    except StoreError as error:
        error.path = path
        raise


def new_file_store(path: Path, password: Callable[[], Secret]) -> Target:
    """A store that is yet to be made. Raises `TrustError` when the file exists."""
    if path.exists():
        raise TrustError(f"{path} exists already", "remove it first, or name another file")
    return Target(path, kind_by_name(path), password(), new_store(kind_by_name(path)), None)


def kind_by_name(path: Path) -> StoreKind:
    """The format that the file's ending stands for."""
    match path.suffix.lower():
        case ".p12" | ".pfx":
            return StoreKind.PKCS12
        case ".jks":
            return StoreKind.JKS
        case _:
            raise TrustError(
                f"the name {path} does not end in .p12, .pfx or .jks", "give the store one of these endings"
            )


def add(
    store: Store, certificates: Sequence[x509.Certificate], *, alias: str | None = None, force: bool = False
) -> Additions:
    """The store with those certificates that help; with `force`, with all that it does not hold yet."""
    added: list[tuple[str, x509.Certificate]] = []
    left_out: list[tuple[x509.Certificate, str]] = []
    held = {entry.certificate: entry.alias for entry in store.trusted}
    for certificate in certificates:
        reason = None if force else useless(certificate)
        if certificate in held:
            reason = f"the store holds it already, as {held[certificate]!r}"
        if reason is not None:
            left_out.append((certificate, reason))
            continue
        taken = {e.alias.casefold() for e in store.trusted} | {e.alias.casefold() for e in store.keys}
        name = alias_for(certificate, taken, alias)
        store = store.with_trusted(name, certificate)
        added.append((name, certificate))
    return Additions(store, tuple(added), tuple(left_out))


def without(store: Store, aliases: Iterable[str]) -> Store:
    """The store without these entries. Raises `NoSuchEntryError`."""
    for alias in aliases:
        store = store.without(alias)
    return store


def save(target: Target, store: Store, *, folder: Path, legacy: bool | None = None) -> tuple[Path, ...]:
    """Writes the store, and with a new one its stash and its keys in sametime.ini: all or nothing.

    `legacy` is the encoding that old Java and Sametime read; None keeps that of an existing store, and
    chooses the legacy one for a new store. Returns the backups. Raises `WriteError` or `StoreError`.
    """
    if legacy is None:
        legacy = target.old is None or target.store.encoding.legacy
    data = write_store(store, target.password, kind=target.kind, legacy=legacy)
    changes = [FileChange(target.path, target.old, data)]
    if target.ini:
        changes.append(_named_in_ini(settings_file(folder, INI), target.ini))
    if target.stash is None:
        return write_files(changes)
    return _with_stash(target.stash, target.password, changes)


def convert(target: Target, to: Path, *, legacy: bool = True) -> tuple[Path, ...]:
    """Writes the store in the format of `to`, which may be its own file; the password stays the same.

    Raises `TrustError` when `to` is another file that exists, `WriteError` or `StoreError`.
    """
    same = to.resolve() == target.path.resolve()
    if to.exists() and not same:
        raise TrustError(f"{to} exists already", "remove it first, or name another file")
    data = write_store(target.store, target.password, kind=kind_by_name(to), legacy=legacy)
    return write_files([FileChange(to, target.old if same else None, data)])


def stash(folder: Path, environ: Mapping[str, str]) -> Stashed:
    """Moves the password of the settings' store out of sametime.ini into a stash file.

    Raises `TrustError`, `StoreError` or `WriteError`.
    """
    settings = tls_settings(folder, environ)
    target = settings_store(folder, environ)
    ref = settings.trust_store
    assert ref is not None
    if ref.stash is not None and ref.stash.exists():
        raise TrustError(f"the password is in {ref.stash} already", "remove it from sametime.ini")
    path = ref.stash or ref.path.with_suffix(".sth")
    origin = settings.origins["trust_store_password"]
    path_of_ini = settings_file(folder, INI)
    ini = _read(path_of_ini)
    changes = []
    try:
        data = remove_key(ini or b"", SECTION, origin.key)
        if ref.stash is None:
            prefix = "ST_" if settings.origins["trust_store"].key.upper().startswith("ST_") else "STLDAP_"
            data = set_key(data, SECTION, f"{prefix}TLS_TRUST_STORE_PASSWORD_STASH_FILE", str(path))
    except EditError as error:
        raise TrustError(f"{path_of_ini}: {error}") from error
    if data != (ini or b""):
        changes.append(FileChange(path_of_ini, ini, data))
    return Stashed(path, _with_stash(path, target.password, changes), _variable(origin))


def _with_stash(path: Path, password: Secret, changes: Sequence[FileChange]) -> tuple[Path, ...]:
    """Writes the stash and the other files: all or nothing."""
    write_stash(path, password)
    try:
        return write_files(changes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _variable(origin: Origin) -> str | None:
    """The name of the variable that the value comes from, None when it is from the file."""
    return origin.key if is_variable(origin) else None


def _opened(location: StoreLocation) -> Target:
    """The store, and the password that opens it: the stash's, or the one beside it. Raises `StoreError`."""
    data, store = read_store_file(location.path), open_store(location)
    stashed = None
    with suppress(StashError):
        stashed = read_stash(location.stash) if location.stash is not None else None
    password = location.password or stashed or Secret("")
    if stashed is not None and location.password is not None:
        with suppress(StoreError):
            read_store(data, stashed, location.kind)
            password = stashed
    return Target(location.path, location.kind, password, store, data)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _named_in_ini(path: Path, keys: Mapping[str, str]) -> FileChange:
    old = _read(path)
    data = old or b""
    try:
        for key, value in keys.items():
            data = set_key(data, SECTION, PREFIX + key, value)
    except EditError as error:
        raise TrustError(f"{path}: {error}") from error
    return FileChange(path, old, data)
