"""TLS in sametime.ini: the keys of one use, scope over scope, as a profile."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from quintet.config.ini_values import IniValues
from quintet.config.schema import (
    CLUSTER_PREFIXES,
    CLUSTER_TLS_NAMES,
    HTTP_PREFIXES,
    INI,
    LDAP_PREFIXES,
    SERVER_TLS_NAMES,
    TLS_NAMES,
)
from quintet.diagnostics import CODES, Code, Diagnostics, Finding, Pitfall, Place, Severity
from quintet.tls import Origin, SettingNames, StoreLocation, TlsProblem, TlsSettings, read_tls_settings

_CONTAINER = PurePosixPath("/local")
"""Where Sametime's containers keep their stores (config 2.3)."""

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

_KNOWN_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {
    HTTP_PREFIXES: SERVER_TLS_NAMES,
    CLUSTER_PREFIXES: CLUSTER_TLS_NAMES,
}
"""The keys of scopes that don't have all."""


def read_tls(
    values: IniValues,
    folder: Path,
    findings: Diagnostics,
    prefixes: tuple[str, ...] = LDAP_PREFIXES,
    *,
    trust_store: bool = True,
) -> TlsSettings:
    """The profile that the keys of these scopes give. Relative paths count from `folder`.

    Revocation lists are those of the LDAP servers' certificates. HTTPS has no trust store: clients show
    nothing. Without `trust_store` its keys are those of another use, and are not looked at.
    """

    def value(name: str) -> tuple[str, Origin] | None:
        if name not in _KNOWN_NAMES.get(prefixes, TLS_NAMES):
            return None
        if not trust_store and name.startswith("TLS_TRUST_STORE_"):
            return None
        return values.scoped(name, prefixes)

    crls = values.get("QUINTET_TLS_CRL_FILE") if prefixes is LDAP_PREFIXES else None
    crl_file = None if crls is None else (crls.text, Origin(crls.key, crls.place))
    profile, problems = read_tls_settings(value, base=folder, crl_file=crl_file)
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
            place, key = (origin.place, origin.key) if origin else (Place(INI), None)
            findings.add(Finding.Q97, place, key, message)
    return replace(store, path=path, stash=stash)


def _local(path: Path, folder: Path) -> Path:
    here = folder / path.name
    return here if path.is_relative_to(_CONTAINER) and not _exists(path) and _exists(here) else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
