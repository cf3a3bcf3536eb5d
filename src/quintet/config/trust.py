"""TLS for LDAP: the keys of sametime.ini as a profile, and whether the stores that it names can be used."""

from dataclasses import replace
from pathlib import Path

from quintet.config.cross_checks import encrypts
from quintet.config.ini import FILE
from quintet.config.ini_values import IniValues, place_of
from quintet.config.schema import LDAP_PREFIXES
from quintet.config.settings import Settings
from quintet.diagnostics import Diagnostics, Place
from quintet.tls import (
    CrlError,
    NoSuchEntryError,
    Origin,
    Store,
    StoreError,
    StoreLocation,
    TlsSettings,
    chosen_key,
    open_store,
    read_crls,
    read_tls_settings,
    stale,
)


def read_tls(values: IniValues, folder: Path, findings: Diagnostics) -> TlsSettings:
    """The profile that the keys give, `STLDAP_` over `ST_`. Relative paths count from `folder`."""
    crls = values.get("QUINTET_TLS_CRL_FILE")
    crl_file = None if crls is None else (crls.text, Origin(crls.key, str(crls.place)))
    profile, problems = read_tls_settings(values.scoped, base=folder, crl_file=crl_file)
    for problem in problems:
        tell = findings.error if problem.fatal else findings.warning
        message = f"{problem.message}; {problem.fix}" if problem.fix else problem.message
        if problem.origin is None:
            tell(Place(FILE), LDAP_PREFIXES[0] + problem.key, message)
        else:
            tell(place_of(problem.origin), problem.origin.key, message)
    return profile


def check_stores(settings: Settings, findings: Diagnostics) -> None:
    """Whether each store opens and holds what it is for. Only a warning for one that nobody uses."""
    used = encrypts(settings)
    checker = _Checker(findings)
    checker.trust_store(settings.tls, needed=used)
    checker.key_store(settings.tls, needed=used)
    checker.crls(settings.tls, needed=used)
    for storage in settings.cards.storages if settings.cards else ():
        checker.trust_store(storage.tls, needed=any(s.ssl_enabled for s in storage.servers))


class _Checker:
    """Opens every store once."""

    def __init__(self, findings: Diagnostics) -> None:
        self._findings = findings
        self._opened: dict[StoreLocation, Store | StoreError] = {}

    def trust_store(self, profile: TlsSettings, *, needed: bool) -> None:
        store = self._store(profile.trust_store, profile, "trust_store", needed=needed)
        if store is not None and profile.trust_store is not None and not store.trusted:
            self._tell(
                profile.origins.get("trust_store"),
                f"{profile.trust_store.path}: it holds no trusted certificate; add the LDAP server's with"
                " quintet trust import, or get it with quintet trust fetch",
                needed=needed,
            )

    def key_store(self, profile: TlsSettings, *, needed: bool) -> None:
        store = self._store(profile.key_store, profile, "key_store", needed=needed)
        if store is None:
            return
        try:
            chosen_key(store, profile)
        except NoSuchEntryError as error:
            label, aliases = profile.key_label, [key.alias for key in store.keys]
            unknown = label is not None and label.lower() not in (alias.lower() for alias in aliases)
            meant = self._findings.meant(label, aliases) if label and unknown else ""
            origin = profile.origins.get("key_label") or profile.origins.get("key_store")
            self._tell(origin, f"{error}{meant}", needed=needed)

    def crls(self, profile: TlsSettings, *, needed: bool) -> None:
        if profile.crl_file is None:
            return
        origin = profile.origins.get("crl_file")
        try:
            lists = read_crls(profile.crl_file)
        except CrlError as error:
            self._tell(origin, str(error), needed=needed)
            return
        for each in stale(lists):
            message = (
                f"{profile.crl_file}: the CRL of {each.issuer.rfc4514_string()} should have been replaced by"
                f" {each.next_update_utc:%Y-%m-%d %H:%M} UTC; download the current one"
            )
            self._tell(origin, message, needed=needed)

    def _store(
        self, ref: StoreLocation | None, profile: TlsSettings, name: str, *, needed: bool
    ) -> Store | None:
        if ref is None:
            return None
        origin, stash = profile.origins.get(name), profile.origins.get(f"{name}_stash")
        found = self._open(ref)
        if isinstance(found, StoreError):
            self._tell(origin, str(found), needed=needed)
            return None
        for note in found.notes:
            if note.path is not None and note.path == ref.stash:
                self._tell(stash, str(note), needed=False)
            else:
                self._findings.note(_place(origin), _key(origin), f"{ref.path}: {note}")
        if ref.stash is not None and ref.password is not None and self._opens(replace(ref, password=None)):
            self._tell(
                profile.origins.get(f"{name}_password"),
                f"the stash file {ref.stash} opens the store and is used; remove the clear password",
                needed=False,
            )
        return found

    def _opens(self, ref: StoreLocation) -> bool:
        return isinstance(self._open(ref), Store)

    def _open(self, ref: StoreLocation) -> Store | StoreError:
        if ref not in self._opened:
            try:
                self._opened[ref] = open_store(ref)
            except StoreError as error:
                self._opened[ref] = error
        return self._opened[ref]

    def _tell(self, origin: Origin | None, message: str, *, needed: bool) -> None:
        tell = self._findings.error if needed else self._findings.warning
        tell(_place(origin), _key(origin), message)


def _place(origin: Origin | None) -> Place:
    return Place(FILE) if origin is None else place_of(origin)


def _key(origin: Origin | None) -> str | None:
    return origin.key if origin else None
