"""Whether the stores that the settings of TLS name can be used: for LDAP, the Sametime port and HTTPS."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import final
from urllib.parse import urlsplit

from cryptography import x509

from quintet.config.cross_checks import encrypts
from quintet.config.sametime_port import ClientCertificates
from quintet.config.schema import INI
from quintet.config.settings import Settings
from quintet.diagnostics import (
    Code,
    Diagnostics,
    Finding,
    Pitfall,
    Place,
    Severity,
    TlsFinding,
    did_you_mean,
)
from quintet.tls import (
    CrlError,
    KeyEntry,
    NoSuchEntryError,
    Origin,
    StashError,
    Store,
    StoreError,
    StoreLocation,
    StoreNotFoundError,
    TlsSettings,
    TlsSettingsError,
    chosen_key,
    is_for_host,
    make_server_context,
    names_of,
    open_store,
    read_crls,
    stale,
    subject_of,
)

_STORE_CODES: tuple[tuple[type[StoreError], Code], ...] = (
    (StashError, Pitfall.D35),
    (NoSuchEntryError, Finding.Q88),
    (StoreError, Pitfall.D4),
)
"""The code of what is wrong with a store: that of the first class that fits."""


def code_of(error: StoreError) -> Code:
    """The code of what is wrong with a store."""
    return next(code for kind, code in _STORE_CODES if isinstance(error, kind))


def check_stores(settings: Settings, findings: Diagnostics) -> None:
    """Whether each store opens and holds what it is for. Only a warning for one that is not used."""
    used = encrypts(settings)
    checker = _Checker(findings)
    ours = checker.trust_store(settings.tls, needed=used)
    checker.key_store(settings.tls, needed=used)
    checker.crls(settings.tls, needed=used)
    if settings.web.tls is not None:
        checker.https(settings.web.tls, settings.web.public_url)
    for storage in settings.cards.storages if settings.cards else ():
        needed = any(s.ssl_enabled for s in storage.servers)
        checker.trust_store(storage.tls, needed=needed, unusable=Pitfall.D7 if ours else Pitfall.D4)
    if settings.cluster is not None and settings.cluster.tls.trust_store is not None:
        checker.trust_store(settings.cluster.tls, needed=True, unusable=Finding.Q154)
        checker.key_store(settings.cluster.tls, needed=True, unusable=Finding.Q154)
    port = settings.sametime
    if port.port:
        checker.key_store(port.tls, needed=True, unusable=Finding.Q111)
        if port.client_certificates is not ClientCertificates.NONE:
            checker.trust_store(port.tls, needed=True, unusable=Finding.Q111)


@final
class _Checker:
    """Opens every store once."""

    def __init__(self, findings: Diagnostics) -> None:
        self._findings = findings
        self._opened: dict[StoreLocation, Store | StoreError] = {}

    def trust_store(self, profile: TlsSettings, *, needed: bool, unusable: Code = Pitfall.D4) -> bool:
        """Whether there is one with certificates. `unusable` is the code for one that cannot be used."""
        store = self._store(profile, "trust_store", needed=needed, unusable=unusable)
        if store is not None and profile.trust_store is not None and not store.trusted:
            message = f"{profile.trust_store.path} contains no trusted certificate"
            fix = (
                "import the CA certificate of the LDAP server with quintet trust import, or get it with"
                " quintet"
                " trust fetch"
            )
            self._report(unusable, profile.origins.get("trust_store"), message, fix, needed=needed)
        return store is not None and bool(store.trusted)

    def key_store(
        self, profile: TlsSettings, *, needed: bool, unusable: Code = Pitfall.D4
    ) -> KeyEntry | None:
        """The key that is to be used, if there is one."""
        store = self._store(profile, "key_store", needed=needed, unusable=unusable)
        if store is None:
            return None
        try:
            chosen = chosen_key(store, profile)
        except NoSuchEntryError as error:
            label, aliases = profile.key_label, [key.alias for key in store.keys]
            unknown = label is not None and label.lower() not in (alias.lower() for alias in aliases)
            near = self._findings.nearest(label, aliases) if label and unknown else None
            origin = profile.origins.get("key_label") or profile.origins.get("key_store")
            message = f"{error.path}: {error.message}{did_you_mean(near)}"
            self._report(Finding.Q88, origin, message, error.fix, needed=needed)
            return None
        self._expiry(chosen.certificate, profile, needed=needed)
        return chosen

    def https(self, profile: TlsSettings, public_url: str) -> None:
        """Whether there is a key that HTTPS can present, and a certificate that browsers accept."""
        if profile.key_store is None:
            message = "QUINTET_HTTP_TLS is 1, and no key store is set"
            self._findings.add(Finding.Q143, Place(INI), "QUINTET_HTTP_TLS_KEY_STORE_FILE", message)
            return
        key = self.key_store(profile, needed=True, unusable=Finding.Q143)
        if key is None:
            return
        origin = profile.origins.get("key_store")
        try:
            make_server_context(profile, ssl.CERT_NONE)
        except (StoreError, TlsSettingsError) as error:
            self._report(Finding.Q143, origin, str(error), error.fix, needed=True)
            return
        host = urlsplit(public_url).hostname
        if host and not is_for_host(names := names_of(key.certificate), host):
            message = f"{profile.key_store.path}: the certificate is for {names}, not for {host}"
            self._report(Finding.Q144, origin, message, None, needed=False)

    def _expiry(self, certificate: x509.Certificate, profile: TlsSettings, *, needed: bool) -> None:
        now, end = datetime.now(UTC), certificate.not_valid_after_utc
        if not needed or end > now:
            return
        store = profile.key_store.path if profile.key_store else ""
        message = f"{store}: the certificate {subject_of(certificate)} expired on {end:%Y-%m-%d}"
        self._report(Finding.Q112, profile.origins.get("key_store"), message, None, needed=False)

    def crls(self, profile: TlsSettings, *, needed: bool) -> None:
        if profile.crl_file is None:
            return
        origin = profile.origins.get("crl_file")
        try:
            lists = read_crls(profile.crl_file)
        except CrlError as error:
            self._report(TlsFinding.T401, origin, error.message, error.fix, needed=needed)
            return
        for each in stale(lists):
            message = (
                f"{profile.crl_file}: the CRL of {each.issuer.rfc4514_string()} should have been replaced by"
                f" {each.next_update_utc:%Y-%m-%d %H:%M} UTC"
            )
            self._report(TlsFinding.T224, origin, message, "download the current one", needed=needed)

    def _store(
        self, profile: TlsSettings, name: str, *, needed: bool, unusable: Code = Pitfall.D4
    ) -> Store | None:
        location: StoreLocation | None = getattr(profile, name)
        if location is None:
            return None
        origin, stash = profile.origins.get(name), profile.origins.get(f"{name}_stash")
        found = self._open(location)
        if isinstance(found, StoreError):
            code = code_of(found)
            message = f"{found.path or location.path}: {found.message}"
            fix = found.fix
            if isinstance(found, StoreNotFoundError):
                fix = f"{Pitfall.D4.fix}; or correct the path"
            self._report(unusable if code is Pitfall.D4 else code, origin, message, fix, needed=needed)
            return None
        for note in found.notes:
            if note.path is not None and note.path == location.stash:
                self._report(Pitfall.D35, stash, str(note), None, needed=False)
            else:
                message = f"{location.path}: {note}"
                self._findings.add(Finding.Q4, _place(origin), _key(origin), message, severity=Severity.NOTE)
        if location.stash is not None and location.password is not None and self._opens_by_stash(location):
            message = (
                f"the stash file {location.stash} opens the store and is used; the clear password is still"
                " set"
            )
            password = profile.origins.get(f"{name}_password")
            self._report(Pitfall.D35, password, message, "remove the clear password", needed=False)
        return found

    def _opens_by_stash(self, location: StoreLocation) -> bool:
        return isinstance(self._open(replace(location, password=None)), Store)

    def _open(self, location: StoreLocation) -> Store | StoreError:
        if location not in self._opened:
            try:
                self._opened[location] = open_store(location)
            except StoreError as error:
                self._opened[location] = error
        return self._opened[location]

    def _report(
        self, code: Code, origin: Origin | None, message: str, fix: str | None, *, needed: bool
    ) -> None:
        severity = Severity.ERROR if needed else Severity.WARNING
        self._findings.add(code, _place(origin), _key(origin), message, fix, severity=severity)


def _place(origin: Origin | None) -> Place:
    return Place(INI) if origin is None else origin.place


def _key(origin: Origin | None) -> str | None:
    return origin.key if origin else None
