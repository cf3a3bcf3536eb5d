"""Every store that the settings name: who can read it, what lies in it, and for how long it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography import x509

from quintet.admin.doctor.report import Report
from quintet.config.cross_checks import encrypts
from quintet.config.settings import Settings
from quintet.diagnostics import Severity
from quintet.tls import (
    Store,
    StoreError,
    StoreKind,
    StoreLocation,
    TlsSettings,
    check_strength,
    open_store,
    subject_of,
)

SOON = 30
"""Days before its end from which on a certificate is told of."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A store that could be opened. `where` is the setting that names it."""

    where: str
    ref: StoreLocation
    store: Store


def examine(settings: Settings, report: Report, *, for_sametime: bool) -> None:
    """D1, D7, D35, D38 and D40, for stores that open. Those that do not are told by the files' check."""
    for each in _opened(settings):
        if for_sametime:
            _check_encoding(each, report)
        path = each.ref.path
        for entry in each.store.trusted:
            check_dates(
                entry.certificate,
                f"{entry.alias} in {path}",
                f"quintet trust import FILE --store {path} with the one that takes its place; then"
                f" quintet trust remove '{entry.alias}' --store {path}",
                report,
            )
        for key in each.store.keys:
            for certificate in (key.certificate, *key.chain):
                fix = f"have our certificate renewed, and put it into {path} with its key"
                check_dates(certificate, f"{key.alias} in {path}", fix, report)
                _check_level(settings.tls, certificate, each, report)
    _check_stash(settings, report)
    _compare(settings, report)


def check_dates(certificate: x509.Certificate, where: str, fix: str, report: Report) -> None:
    """D40, for a certificate in a store or of a server."""
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    now = datetime.now(UTC)
    days = (ends - now).days
    who = f"{subject_of(certificate)} ({where})"
    if ends < now:
        report.add("D40", f"{who} expired on {ends:%Y-%m-%d}", fix, severity=Severity.ERROR)
    elif days < SOON:
        report.add("D40", f"{who} expires on {ends:%Y-%m-%d}, in {days} days", fix)
    elif begins > now:
        report.add(
            "D40",
            f"{who} is valid only from {begins:%Y-%m-%d %H:%M} UTC on",
            "check the clock of this machine, or wait",
            why="a certificate is refused before its time, too",
            severity=Severity.ERROR,
        )


def _opened(settings: Settings) -> Iterator[_Opened]:
    seen: set[StoreLocation] = set()
    for where, ref in _named(settings):
        if ref is None or ref in seen:
            continue
        seen.add(ref)
        store = opened(ref)
        if store is not None:
            yield _Opened(where, ref, store)


def _named(settings: Settings) -> Iterator[tuple[str, StoreLocation | None]]:
    yield _origin(settings.tls, "trust_store"), settings.tls.trust_store
    yield _origin(settings.tls, "key_store"), settings.tls.key_store
    for storage in settings.cards.storages if settings.cards else ():
        yield "KeyStorePath of SslProperties in UserInfoConfig.xml", storage.tls.trust_store


def _origin(profile: TlsSettings, name: str) -> str:
    origin = profile.origins.get(name)
    return f"{origin.key} ({origin.place})" if origin else name


def opened(ref: StoreLocation) -> Store | None:
    """The store; None when it does not open, which the check of the files tells."""
    try:
        return open_store(ref)
    except StoreError:
        return None


def _check_encoding(each: _Opened, report: Report) -> None:
    encoding, path = each.store.encoding, each.ref.path
    if each.store.kind is not StoreKind.PKCS12 or encoding.legacy:
        return
    used = ", ".join(dict.fromkeys(filter(None, (encoding.certificates, encoding.keys, encoding.digest))))
    report.add(
        "D1",
        f"{path}, named by {each.where}, is protected by {used}",
        f"quintet trust convert --legacy --store {path}, or make it anew with:"
        f" keytool -J-Dkeystore.pkcs12.legacy -importcert -storetype PKCS12 -keystore {path} …",
    )


def _check_level(profile: TlsSettings, certificate: x509.Certificate, each: _Opened, report: Report) -> None:
    why = check_strength(certificate, profile.level) if profile.level else None
    if why is not None:
        report.add(
            "D38",
            f"our certificate {subject_of(certificate)} in {each.ref.path}: {why}",
            f"make a stronger one, or lower STLDAP_TLS_SECURITY_LEVEL from {profile.level:d}",
        )


def _check_stash(settings: Settings, report: Report) -> None:
    """The stash sequence not yet done: named, not there, and the clear password still in the file."""
    for name in ("trust_store", "key_store"):
        ref: StoreLocation | None = getattr(settings.tls, name)
        if ref is None or ref.stash is None or ref.password is None or ref.stash.exists():
            continue
        report.add(
            "D35",
            f"the stash file {ref.stash} is not there yet, and the clear password of {ref.path} still is:"
            f" {_origin(settings.tls, f'{name}_password')}",
            "start the server once: it writes the stash and removes the clear password; or run quintet trust"
            " stash",
            severity=Severity.NOTE,
        )


def _compare(settings: Settings, report: Report) -> None:
    """D7: the cards' store beside the one of the five connections, where both are in use."""
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
            report.add(
                "D7",
                f"{server.place}: {'; '.join(parts)}",
                f'in {server.place.file}: <SslProperties KeyStorePath="{ours.path}" with its'
                " KeyStorePassword",
                severity=Severity.ERROR if missing else Severity.WARNING,
            )


def _same(one: StoreLocation, other: StoreLocation) -> bool:
    return replace(one, stash=None, password=None) == replace(other, stash=None, password=None)


def _names(certificates: set[x509.Certificate]) -> str:
    return ", ".join(sorted(subject_of(c) for c in certificates))
