"""TLS of LDAP and of the Sametime port: the keys of sametime.ini as profiles, and whether stores work."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import final

from cryptography import x509

from quintet.config.cross_checks import encrypts
from quintet.config.ini_values import IniValues
from quintet.config.sametime_port import ClientCertificates
from quintet.config.schema import INI, LDAP_PREFIXES
from quintet.config.settings import Settings
from quintet.diagnostics import (
    CODES,
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
    NoSuchEntryError,
    Origin,
    SettingNames,
    StashError,
    Store,
    StoreError,
    StoreLocation,
    StoreNotFoundError,
    TlsProblem,
    TlsSettings,
    chosen_key,
    open_store,
    read_crls,
    read_tls_settings,
    stale,
    subject_of,
)

_CONTAINER = PurePosixPath("/local")
"""Where Sametime's containers keep their stores (config 2.3)."""

_STORE_CODES: tuple[tuple[type[StoreError], Code], ...] = (
    (StashError, Pitfall.D35),
    (NoSuchEntryError, Finding.Q88),
    (StoreError, Pitfall.D4),
)
"""The code of what is wrong with a store: that of the first class that fits."""

_KEY_CODES: dict[str, Code] = {
    "TLS_TRUST_STORE_TYPE": Finding.Q61,
    "TLS_KEY_STORE_TYPE": Finding.Q61,
    "TLS_MIN_PROTOCOL_VERSION": Finding.Q84,
    "TLS_MAX_PROTOCOL_VERSION": Finding.Q84,
    "TLS_SECURITY_LEVEL": Finding.Q61,
    "TLS_CIPHER_SUITES": Finding.Q86,
    "TLS_FIPS_COMPLIANCE": Finding.Q87,
    "TLS_TRUSTED_HOSTS": Finding.Q65,
}
"""The code of what makes a profile unusable, by the key at fault."""


def code_of(error: StoreError) -> Code:
    """The code of what is wrong with a store."""
    return next(code for kind, code in _STORE_CODES if isinstance(error, kind))


def read_tls(
    values: IniValues, folder: Path, findings: Diagnostics, prefixes: tuple[str, ...] = LDAP_PREFIXES
) -> TlsSettings:
    """The profile that the keys of these scopes give. Relative paths count from `folder`.

    Revocation lists are those of the LDAP servers' certificates.
    """
    crls = values.get("QUINTET_TLS_CRL_FILE") if prefixes is LDAP_PREFIXES else None
    crl_file = None if crls is None else (crls.text, Origin(crls.key, crls.place))
    profile, problems = read_tls_settings(
        partial(values.scoped, prefixes=prefixes), base=folder, crl_file=crl_file
    )
    for problem in problems:
        origin = problem.origin or Origin(prefixes[0] + problem.key, Place(INI))
        severity = Severity.ERROR if problem.fatal else Severity.WARNING
        message = f"{origin.key}: {problem.message}"
        findings.add(_code_of_key(problem, profile), origin.place, origin.key, message, severity=severity)

    def located(name: str, store: StoreLocation | None) -> StoreLocation | None:
        return store and locate(store, folder, profile.origins.get(name), findings)

    return replace(
        profile,
        trust_store=located("trust_store", profile.trust_store),
        key_store=located("key_store", profile.key_store),
        names=SettingNames(prefix=f"{prefixes[0]}TLS_"),
    )


def _code_of_key(problem: TlsProblem, profile: TlsSettings) -> Code:
    if problem.fatal or problem.key in ("TLS_CIPHER_SUITES", "TLS_TRUSTED_HOSTS"):
        return _KEY_CODES.get(problem.key) or CODES[problem.code]
    if problem.key == "TLS_MIN_PROTOCOL_VERSION":
        return Finding.Q85
    store = profile.trust_store if problem.key.startswith("TLS_TRUST_STORE_") else profile.key_store
    locked = store is None or (store.password is None and store.stash is None)
    return Pitfall.D5 if locked else Pitfall.D37


def locate(store: StoreLocation, folder: Path, origin: Origin | None, findings: Diagnostics) -> StoreLocation:
    """The store; the file of its name in `folder` where its path is a container's and does not exist."""
    path, stash = _local(store.path, folder), store.stash and _local(store.stash, folder)
    for old, new in ((store.path, path), (store.stash, stash)):
        if old != new:
            message = f"{old} does not exist here; {new} is used"
            findings.add(Finding.Q97, _place(origin), _key(origin), message)
    return replace(store, path=path, stash=stash)


def _local(path: Path, folder: Path) -> Path:
    here = folder / path.name
    return here if path.is_relative_to(_CONTAINER) and not _exists(path) and _exists(here) else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def check_stores(settings: Settings, findings: Diagnostics) -> None:
    """Whether each store opens and holds what it is for. Only a warning for one that is not used."""
    used = encrypts(settings)
    checker = _Checker(findings)
    ours = checker.trust_store(settings.tls, needed=used)
    checker.key_store(settings.tls, needed=used)
    checker.crls(settings.tls, needed=used)
    for storage in settings.cards.storages if settings.cards else ():
        needed = any(s.ssl_enabled for s in storage.servers)
        checker.trust_store(storage.tls, needed=needed, unusable=Pitfall.D7 if ours else Pitfall.D4)
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

    def key_store(self, profile: TlsSettings, *, needed: bool, unusable: Code = Pitfall.D4) -> None:
        store = self._store(profile, "key_store", needed=needed, unusable=unusable)
        if store is None:
            return
        try:
            chosen = chosen_key(store, profile)
        except NoSuchEntryError as error:
            label, aliases = profile.key_label, [key.alias for key in store.keys]
            unknown = label is not None and label.lower() not in (alias.lower() for alias in aliases)
            near = self._findings.nearest(label, aliases) if label and unknown else None
            origin = profile.origins.get("key_label") or profile.origins.get("key_store")
            message = f"{error.path}: {error.message}{did_you_mean(near)}"
            self._report(Finding.Q88, origin, message, error.fix, needed=needed)
            return
        self._expiry(chosen.certificate, profile, needed=needed)

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
