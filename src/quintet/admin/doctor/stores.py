"""Every store that the settings name: whether Sametime can read it, what is in it, and its dates."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509

from quintet.admin.doctor.checks import Checks
from quintet.config import Settings, encrypts
from quintet.diagnostics import Pitfall, Place, Severity
from quintet.tls import (
    EXPIRES_SOON,
    Origin,
    Store,
    StoreError,
    StoreKind,
    StoreLocation,
    TlsSettings,
    check_strength,
    open_store,
    subject_of,
)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A store that could be opened, and the setting that names it."""

    origin: Origin | None
    location: StoreLocation
    store: Store

    @property
    def place(self) -> Place | None:
        return _place(self.origin)


def _place(origin: Origin | None) -> Place | None:
    return None if origin is None else origin.place


def examine(settings: Settings, checks: Checks, *, for_sametime: bool) -> None:
    """D1, D7, D35, D38 and D40, for stores that open. The others are found with the settings."""
    for each in _opened(settings):
        if for_sametime:
            _check_encoding(each, checks)
        path = each.location.path
        for entry in each.store.trusted:
            fix = (
                f"import the certificate that replaces it: quintet trust import FILE --store {path}; then"
                " quintet"
                f" trust remove '{entry.alias}' --store {path}"
            )
            check_dates(entry.certificate, f"{entry.alias} in {path}", fix, checks, each.place)
        for key in each.store.keys:
            for certificate in (key.certificate, *key.chain):
                fix = f"have the certificate renewed, and put it into {path} with its key"
                check_dates(certificate, f"{key.alias} in {path}", fix, checks, each.place)
                _check_level(settings.tls, certificate, each, checks)
    _check_stash(settings, checks)
    _compare(settings, checks)


def check_dates(
    certificate: x509.Certificate, where: str, fix: str, checks: Checks, place: Place | None
) -> None:
    """D40, for a certificate in a store or of a server."""
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    now = datetime.now(UTC)
    days = (ends - now).days
    subject = f"{subject_of(certificate)} ({where})"
    if ends < now:
        message = f"{subject} expired on {ends:%Y-%m-%d}"
        checks.add(Pitfall.D40, place, message, fix, severity=Severity.ERROR)
    elif days < EXPIRES_SOON:
        checks.add(Pitfall.D40, place, f"{subject} expires on {ends:%Y-%m-%d}, in {days} days", fix)
    elif begins > now:
        checks.add(
            Pitfall.D40,
            place,
            f"{subject} is valid only from {begins:%Y-%m-%d %H:%M} UTC on",
            "check the clock of this machine, or wait",
            severity=Severity.ERROR,
            impact="a certificate is refused before its time, too",
        )


def _opened(settings: Settings) -> Iterator[_Opened]:
    profiles = [settings.tls]
    profiles += [storage.tls for storage in settings.cards.storages] if settings.cards else []
    seen: set[StoreLocation] = set()
    for profile in profiles:
        for name, location in (("trust_store", profile.trust_store), ("key_store", profile.key_store)):
            if location is not None and location not in seen:
                seen.add(location)
                store = opened(location)
                if store is not None:
                    yield _Opened(profile.origins.get(name), location, store)


def opened(location: StoreLocation) -> Store | None:
    """The store; None when it does not open, which the check of the settings reports."""
    try:
        return open_store(location)
    except StoreError:
        return None


def _check_encoding(each: _Opened, checks: Checks) -> None:
    encoding, path = each.store.encoding, each.location.path
    if each.store.kind is not StoreKind.PKCS12 or encoding.legacy:
        return
    used = ", ".join(dict.fromkeys(filter(None, (encoding.certificates, encoding.keys, encoding.digest))))
    fix = (
        f"quintet trust convert --legacy --store {path}, or create it again with: keytool"
        f" -J-Dkeystore.pkcs12.legacy -importcert -storetype PKCS12 -keystore {path} …"
    )
    checks.add(Pitfall.D1, each.place, f"{path} is protected by {used}", fix)


def _check_level(profile: TlsSettings, certificate: x509.Certificate, each: _Opened, checks: Checks) -> None:
    weakness = check_strength(certificate, profile.level) if profile.level else None
    if weakness is not None:
        message = f"our certificate {subject_of(certificate)} in {each.location.path}: {weakness}"
        fix = f"use a stronger one, or lower STLDAP_TLS_SECURITY_LEVEL from {profile.level:d}"
        checks.add(Pitfall.D38, each.place, message, fix)


def _check_stash(settings: Settings, checks: Checks) -> None:
    """The stash sequence is not yet done: named, not there, and the clear password still in the file."""
    for name in ("trust_store", "key_store"):
        location: StoreLocation | None = getattr(settings.tls, name)
        if location is None or location.stash is None or location.password is None:
            continue
        if not location.stash.exists():
            origin = settings.tls.origins.get(f"{name}_password")
            message = (
                f"the stash file {location.stash} does not exist yet, and the clear password of"
                f" {location.path} is"
                " still set"
            )
            fix = (
                "start the server once: it writes the stash file and removes the clear password; or run"
                " quintet trust stash"
            )
            checks.add(Pitfall.D35, _place(origin), message, fix, severity=Severity.NOTE)


def _compare(settings: Settings, checks: Checks) -> None:
    """D7: the store of the business cards beside the one of the five connections, where both are in use."""
    ours = settings.tls.trust_store
    if ours is None or settings.cards is None or not encrypts(settings):
        return
    for storage in settings.cards.storages:
        theirs = storage.tls.trust_store
        server = next((s for s in storage.servers if s.ssl_enabled), None)
        if theirs is None or server is None or _same(ours, theirs):
            continue
        left, right = opened(ours), opened(theirs)
        if left is None or right is None:
            continue
        missing = set(left.certificates) - set(right.certificates)
        beyond = set(right.certificates) - set(left.certificates)
        if missing or beyond:
            parts = [f"{theirs.path} lacks {_names(missing)}"] if missing else []
            parts += [f"{ours.path} lacks {_names(beyond)}"] if beyond else []
            fix = f'write <SslProperties KeyStorePath="{ours.path}" with its KeyStorePassword'
            severity = Severity.ERROR if missing else Severity.WARNING
            checks.add(Pitfall.D7, server.place, "; ".join(parts), fix, severity=severity)


def _same(one: StoreLocation, other: StoreLocation) -> bool:
    return replace(one, stash=None, password=None) == replace(other, stash=None, password=None)


def _names(certificates: set[x509.Certificate]) -> str:
    return ", ".join(sorted(subject_of(c) for c in certificates))
