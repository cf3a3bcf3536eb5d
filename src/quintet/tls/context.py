"""From a profile and its stores to an `ssl.SSLContext`, wholly in memory.

OpenSSL checks the chain. Host name, listed names and what the level asks of the certificates are checked
at the end of the handshake, before anyone gets the connection: no byte of LDAP goes to a wrong server.
"""

import os
import ssl
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet.tls.certificates import name_text
from quintet.tls.chains import verified_chain
from quintet.tls.fips import fips_is_active
from quintet.tls.levels import weakness
from quintet.tls.names import Names, is_for_host, is_listed, names_of
from quintet.tls.settings import SecurityLevel, TlsSettings
from quintet.tls.stores import KeyEntry, NoSuchEntryError, Store, StoreError, StoreNotFoundError, open_store
from quintet.tls.stores.loading import is_sound
from quintet.tls.suites import SUITES

# Trusted certificates need not be roots: an imported leaf or intermediate is an anchor, too. X509_STRICT is
# left out, for it refuses roots that many made at home.
_VERIFY = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
_OP_LEGACY_SERVER_CONNECT = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT, which Python names from 3.12 on


class TlsSettingsError(Exception):
    """The profile asks for what cannot be had here."""


class TlsCheckError(ssl.SSLCertVerificationError):
    """OpenSSL was content with the chain, our own checks are not."""

    def __init__(self, message: str) -> None:
        super().__init__(1, message)
        self.verify_code = 50  # X509_V_ERR_APPLICATION_VERIFICATION
        self.verify_message = message


class CertificateNameError(TlsCheckError):
    """The certificate is sound, but another host's. `names` are those that it bears."""

    def __init__(self, certificate: x509.Certificate, host: str | None, names: Names) -> None:
        super().__init__(f"the certificate {name_text(certificate.subject)} is for {names}, not for {host}")
        self.certificate = certificate
        self.host = host
        self.names = names


class CertificateStrengthError(TlsCheckError):
    """A certificate of the chain is weaker than the level allows; `why` says how."""

    def __init__(self, certificate: x509.Certificate, why: str) -> None:
        super().__init__(f"the certificate {name_text(certificate.subject)} is too weak: {why}")
        self.certificate = certificate
        self.why = why


class UnlistedSuiteError(TlsCheckError):
    """The server chose a suite of TLS 1.3 that is not listed. Python cannot keep it from being offered."""

    def __init__(self, suite: str, allowed: Sequence[str]) -> None:
        super().__init__(f"the server chose {suite}, but only {', '.join(allowed)} may be used")
        self.suite = suite


class _CheckedObject(ssl.SSLObject):
    """What asyncio speaks TLS through."""

    def do_handshake(self) -> None:
        super().do_handshake()
        _check(self)


class _CheckedSocket(ssl.SSLSocket):
    """The same for plain sockets."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _check(self)


class _CheckedContext(ssl.SSLContext):
    """A context whose connections are checked against `profile` before they can be used."""

    sslobject_class = _CheckedObject
    sslsocket_class = _CheckedSocket
    profile: TlsSettings


def make_context(
    profile: TlsSettings, *, trust: Store | None = None, key: Store | None = None
) -> ssl.SSLContext:
    """The context of a client, by `profile`. Stores that are not given are opened as the profile names them.

    Only the certificates of the trust store are trusted, never the machine's own. The host name that the
    connection is made with must match the certificate, or one of `trusted_hosts`. Raises `StoreError` or
    `TlsSettingsError`.
    """
    if profile.fips and not fips_is_active():
        raise TlsSettingsError(
            f"FIPS 140 is asked for, and {ssl.OPENSSL_VERSION} does not run with its FIPS provider here:"
            " switch that on in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0"
        )
    if trust is None:
        if profile.trust_store is None:
            raise StoreNotFoundError(
                "no trust store is set, so no server can be trusted",
                "run quintet trust fetch HOST:PORT, or set STLDAP_TLS_TRUST_STORE_FILE",
            )
        trust = open_store(profile.trust_store)
    if key is None and profile.key_store is not None:
        key = open_store(profile.key_store)
    context = _CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.profile = profile
    context.check_hostname = False  # we do it ourselves, because listed names count as well
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags = _VERIFY
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    _set_versions(context, profile.minimum, profile.maximum)
    _set_suites(context, profile)
    _trust(context, trust, profile)
    if key is not None:
        _present(context, chosen_key(key, profile), profile)
    return context


def inspection_context(profile: TlsSettings) -> ssl.SSLContext:
    """A context that takes any certificate, version and suite, to see what a server has and explain it.

    Never for more than a handshake. Of the profile only FIPS counts.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= _OP_LEGACY_SERVER_CONNECT
    lowest = ssl.TLSVersion.TLSv1_2 if profile.fips else ssl.TLSVersion.TLSv1
    _set_versions(context, lowest, ssl.TLSVersion.TLSv1_3)
    context.set_ciphers("DEFAULT" if profile.fips else "ALL:@SECLEVEL=0")
    return context


def chosen_key(store: Store, profile: TlsSettings) -> KeyEntry:
    """Which key of the key store to present (reference 2.3, KEY_LABEL). Raises `NoSuchEntryError`.

    The label counts where there are several keys, be it that some cannot be opened: no other identity than
    the one that was asked for is ever presented.
    """
    path = profile.key_store.path if profile.key_store else None
    if not store.keys:
        raise NoSuchEntryError("the key store holds no key", "import one with its certificate", path)
    entry = store.keys[0] if len(store.keys) == 1 else _labelled(store, profile.key_label, path)
    if entry.key is None:
        raise NoSuchEntryError(
            f"the key {entry.alias!r} is protected by a password of its own",
            "give it the store's password with keytool -keypasswd",
            path,
        )
    return entry


def _labelled(store: Store, label: str | None, path: Path | None) -> KeyEntry:
    aliases = ", ".join(entry.alias for entry in store.keys)
    if label is None:
        raise NoSuchEntryError(f"it holds several keys: {aliases}", "name one with TLS_KEY_LABEL", path)
    for entry in store.keys:
        if entry.alias.lower() == label.lower():
            return entry
    raise NoSuchEntryError(f"it holds no key {label!r}", f"set TLS_KEY_LABEL to one of {aliases}", path)


def _check(connection: ssl.SSLObject | ssl.SSLSocket) -> None:
    """What OpenSSL does not check. Raises `TlsCheckError`."""
    context, host, chain = connection.context, connection.server_hostname, verified_chain(connection)
    assert isinstance(context, _CheckedContext)
    profile, leaf = context.profile, chain[0]
    names = names_of(leaf)
    if not (host and is_for_host(names, host)) and not is_listed(names, profile.trusted_hosts):
        raise CertificateNameError(leaf, host, names)
    for certificate in chain:
        why = weakness(certificate, profile.level, anchor=certificate == chain[-1])
        if why is not None:
            raise CertificateStrengthError(certificate, why)
    agreed = connection.cipher()
    _check_suite(profile, agreed[0] if agreed else "no suite")


def _check_suite(profile: TlsSettings, used: str) -> None:
    """Python cannot choose among the suites of TLS 1.3, so the server's choice is checked."""
    allowed = (*profile.suites, *profile.suites_13) or tuple(
        suite.openssl for suite in SUITES if suite.most >= profile.level
    )
    if used not in allowed:
        raise UnlistedSuiteError(used, allowed)


def _set_versions(context: ssl.SSLContext, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the administrator's choice
        context.minimum_version = lowest
        context.maximum_version = highest


def _set_suites(context: ssl.SSLContext, profile: TlsSettings) -> None:
    if profile.level >= SecurityLevel.SUITE_B_128:
        context.set_ciphers(_suite_b(profile))
        return
    names = profile.suites or tuple(
        suite.openssl for suite in SUITES if not suite.is_13 and suite.most >= profile.level
    )
    # OpenSSL's own level 2 is ours: 112 bits and no SHA-1. Below, what is too weak we judge ourselves.
    strength = 2 if profile.level >= SecurityLevel.SP800_131A_STRICT else 0
    try:
        context.set_ciphers(f"{':'.join(names)}:@SECLEVEL={strength}")
    except ssl.SSLError:
        raise TlsSettingsError(
            f"{ssl.OPENSSL_VERSION} knows none of the suites {', '.join(names)}: change TLS_CIPHER_SUITES"
        ) from None


def _suite_b(profile: TlsSettings) -> str:
    """OpenSSL's mode for Suite B, which pairs AES-128 with P-256, AES-256 with P-384 (RFC 6460)."""
    if profile.level is SecurityLevel.SUITE_B_192 or profile.suites == ("ECDHE-ECDSA-AES256-GCM-SHA384",):
        return "SUITEB192"
    return "SUITEB128ONLY" if profile.suites == ("ECDHE-ECDSA-AES128-GCM-SHA256",) else "SUITEB128"


def _trust(context: ssl.SSLContext, trust: Store, profile: TlsSettings) -> None:
    path = profile.trust_store.path if profile.trust_store else None
    if not trust.trusted:
        raise NoSuchEntryError(
            "the trust store holds no trusted certificate", "run quintet trust fetch HOST:PORT", path
        )
    reasons = {
        entry.alias: weakness(entry.certificate, profile.level, anchor=True) for entry in trust.trusted
    }
    if all(reasons.values()):
        told = "; ".join(f"{alias}: {why}" for alias, why in list(reasons.items())[:5])
        raise TlsSettingsError(
            f"no certificate of the trust store does for TLS_SECURITY_LEVEL {profile.level:d} ({told}):"
            " import a stronger one, or lower the level"
        )
    der = [certificate.public_bytes(serialization.Encoding.DER) for certificate in trust.certificates]
    # Python takes an error that another connection of this thread left behind for one of its own, once.
    with suppress(ssl.SSLError):
        context.load_verify_locations(cadata=b"".join(der))
        return
    try:
        context.load_verify_locations(cadata=b"".join(der))
    except ssl.SSLError as error:
        raise StoreError(
            f"a certificate in it is not taken by {ssl.OPENSSL_VERSION}: {error.reason}", "remove it", path
        ) from error


def _present(context: ssl.SSLContext, entry: KeyEntry, profile: TlsSettings) -> None:
    assert entry.key is not None
    path = profile.key_store.path if profile.key_store else None
    if not is_sound(entry.key):
        raise StoreError(
            f"the key {entry.alias!r} is damaged: its numbers do not fit together",
            "make the store anew from the key's own file",
            path,
        )
    parts = [
        certificate.public_bytes(serialization.Encoding.PEM)
        for certificate in (entry.certificate, *entry.chain)
    ]
    parts.append(
        entry.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    try:
        with _readable_by_openssl(b"".join(parts)) as file:
            context.load_cert_chain(file)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise StoreError(
            f"the key {entry.alias!r} cannot be used: {reason}",
            "check that it belongs to its certificate and is strong enough for the level",
            path,
        ) from error


@contextmanager
def _readable_by_openssl(data: bytes) -> Iterator[str]:
    """A path under which only this process finds `data`: Python's `ssl` takes keys from files only."""
    try:
        handle = os.memfd_create("key", os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        handle = -1
    if handle >= 0 and Path(f"/proc/self/fd/{handle}").exists():
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{handle}"
        return
    if handle >= 0:
        os.close(handle)
    handle, name = tempfile.mkstemp()  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        yield name
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
