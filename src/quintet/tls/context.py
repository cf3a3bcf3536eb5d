"""From settings and their stores to an `ssl.SSLContext`, entirely in memory.

OpenSSL verifies the chain, and only OpenSSL. Names, and what the security level demands of the certificates,
are checked at the end of the handshake, before the connection can be used: not one byte of LDAP goes to a
server that fails a check.

OpenSSL takes the first issuer of the right name and does not go back: with two CA certificates of one name,
or an expired intermediate in the trust store, it misses a path that exists. Then `ChainError.better_context`
is a context that trusts the end of that path alone, out of the same store. The caller connects once more with
it; the first context remembers it for the host. Every attempt is verified by OpenSSL against a subset of what
is trusted.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quintet.tls.certificates import (
    MalformedCertificateError,
    TrustIndex,
    by_subject,
    find_path,
    names_of,
    subject_of,
    without_warnings,
)
from quintet.tls.inspect import presented_by, verified_chain
from quintet.tls.levels import check_strength
from quintet.tls.names import Names, is_for_host, is_listed, is_sound_name
from quintet.tls.revocation import crls_as_pem, read_crls
from quintet.tls.settings import SecurityLevel, TlsSettings, TlsSettingsError, fips_is_active
from quintet.tls.stores import (
    KeyEntry,
    NoSuchEntryError,
    Store,
    StoreError,
    StoreNotFoundError,
    UnusableEntryError,
    add_trusted,
    is_sound,
    open_store,
)
from quintet.tls.suites import SUITES

# A trusted certificate need not be a root: an imported leaf or intermediate is an anchor, too. X509_STRICT is
# left out, because it refuses home-made roots that are in wide use.
_VERIFY = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
_MOST_HOSTS = 100
_FETCH = "run quintet trust fetch HOST:PORT"


class TlsCheckError(ssl.SSLCertVerificationError):
    """OpenSSL accepted the chain, one of our own checks did not."""

    def __init__(self, message: str) -> None:
        super().__init__(1, message)
        self.verify_code = 50  # X509_V_ERR_APPLICATION_VERIFICATION
        self.verify_message = message


class CertificateNameError(TlsCheckError):
    """The certificate bears neither the host's name nor, where names are listed, one of these."""

    def __init__(self, certificate: x509.Certificate, names: Names, wanted: str) -> None:
        super().__init__(f"the certificate {subject_of(certificate)} is for {names}, not for {wanted}")
        self.certificate = certificate
        self.names = names


class CertificateStrengthError(TlsCheckError):
    """A certificate of the chain is weaker than the security level allows; `detail` says how."""

    def __init__(self, certificate: x509.Certificate, detail: str) -> None:
        super().__init__(f"the certificate {subject_of(certificate)} is too weak: {detail}")
        self.certificate = certificate
        self.detail = detail


class MalformedChainError(TlsCheckError):
    """A certificate of the chain is so malformed that it cannot be checked; `detail` says how."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"a certificate of the chain is malformed: {detail}")
        self.detail = detail


class UnlistedSuiteError(TlsCheckError):
    """The server chose a suite of TLS 1.3 that is not listed. Python cannot keep it from being offered."""

    def __init__(self, suite: str, allowed: Sequence[str]) -> None:
        super().__init__(f"the server chose {suite}, but only {', '.join(allowed)} may be used")
        self.suite = suite


class ChainError(ssl.SSLCertVerificationError):
    """OpenSSL did not accept the chain.

    `presented` is what the server sent, `path` what OpenSSL made of it, the server's certificate first in
    both. `better_context` is worth one more attempt to connect; None when nothing better is known.
    """

    def __init__(
        self,
        error: ssl.SSLCertVerificationError,
        presented: tuple[x509.Certificate, ...],
        path: tuple[x509.Certificate, ...],
        better_context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(error.errno, error.strerror)
        self.reason, self.library = error.reason, error.library
        self.verify_code, self.verify_message = error.verify_code, error.verify_message
        self.presented, self.path, self.better_context = presented, path, better_context


class _CheckedObject(ssl.SSLObject):
    """What asyncio speaks TLS through."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise _chain_error(self, error) from error
        _check(self)


class _CheckedSocket(ssl.SSLSocket):
    """The same for plain sockets."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as error:
            raise _chain_error(self, error) from error
        _check(self)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all contexts of one set of settings have in common.

    `listed` are the names of which a certificate must bear one, None where the host name counts. `trust` is
    the whole trust store, by subject, `crls` in PEM.
    """

    settings: TlsSettings
    listed: tuple[str, ...] | None
    trust: TrustIndex
    key: KeyEntry | None
    crls: bytes


class _CheckedContext(ssl.SSLContext):
    """A context whose connections are checked by `plan` before they can be used.

    `anchor` is None for a context that trusts the whole store. Such a context has `better` ones, by host:
    those that were proposed for it last, each of which trusts only its `anchor`, and has the first one as
    `parent`.
    """

    sslobject_class = _CheckedObject
    sslsocket_class = _CheckedSocket
    plan: _Plan
    parent: "_CheckedContext"
    anchor: x509.Certificate | None
    better: dict[str, "_CheckedContext"]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        better = self.better.get(str(server_hostname))
        wrap = super().wrap_bio if better is None else better.wrap_bio
        return wrap(incoming, outgoing, server_side, server_hostname, session)

    def propose(
        self, host: str, presented: Sequence[x509.Certificate], path: Sequence[x509.Certificate]
    ) -> "_CheckedContext | None":
        """A context that takes another path for `host` than the one that failed; None when there is none."""
        root, plan = self.parent, self.plan
        root.better.pop(host, None)
        found = find_path(presented, plan.trust, datetime.now(UTC))
        if (
            found is None
            or found == tuple(path)
            or found[-1] == self.anchor
            or len(root.better) >= _MOST_HOSTS
        ):
            return None
        with suppress(ssl.SSLError, TlsSettingsError, StoreError, OSError):
            better = _context(plan, (found[-1],))
            better.parent, better.anchor = root, found[-1]
            root.better[host] = better
            return better
        return None


def make_context(
    settings: TlsSettings, *, trust: Store | None = None, key: Store | None = None
) -> ssl.SSLContext:
    """The context of a client, for asyncio. Stores that are not given are opened as the settings name them.

    Only the certificates of the trust store are trusted, never the machine's own. The certificate must match
    the host name that the connection is made with or, when `settings.restricts_hosts`, one of the listed
    names. As `open_store`, a server calls it in a thread. Raises `StoreError`, `CrlError` or
    `TlsSettingsError`.
    """
    if settings.fips and not fips_is_active():
        raise TlsSettingsError(
            f"FIPS 140 compliance is demanded, and {ssl.OPENSSL_VERSION} does not use its FIPS provider here",
            "enable the provider in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0",
        )
    if trust is None:
        if settings.trust_store is None:
            fix = f"{_FETCH}, or set STLDAP_TLS_TRUST_STORE_FILE"
            raise StoreNotFoundError("no trust store is set, so no server can be trusted", fix)
        trust = open_store(settings.trust_store)
    check_trust(trust, settings)
    if key is None and settings.key_store is not None:
        key = open_store(settings.key_store)
    entry = None if key is None else chosen_key(key, settings)
    if entry is not None:
        check_key(entry, settings)
    crls = b"" if settings.crl_file is None else crls_as_pem(read_crls(settings.crl_file))
    plan = _Plan(settings, listed_names(settings, entry), by_subject(trust.certificates), entry, crls)
    return _context(plan, trust.certificates)


def _context(plan: _Plan, trusted: Sequence[x509.Certificate]) -> _CheckedContext:
    settings = plan.settings
    context = _CheckedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.plan, context.parent, context.anchor, context.better = plan, context, None, {}
    context.check_hostname = False  # we do it ourselves, because of the listed names
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags = _VERIFY
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    with without_warnings():  # old versions are the administrator's choice
        context.minimum_version, context.maximum_version = settings.minimum, settings.maximum
    set_suites(context, settings)
    add_trusted(context, trusted)
    if plan.crls:
        with _readable_by_openssl(plan.crls) as file:
            context.load_verify_locations(cafile=file)  # the file holds CRLs only, so none becomes trusted
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    if plan.key is not None:
        present_key(context, plan.key, settings)
    return context


def chosen_key(store: Store, settings: TlsSettings) -> KeyEntry:
    """Which key of the key store to present (config 2.3, KEY_LABEL). Raises `NoSuchEntryError`.

    The label counts where there are several keys, even if some cannot be opened: no other identity than the
    one that was asked for is ever presented.
    """
    path = settings.key_store.path if settings.key_store else None
    if not store.keys:
        raise NoSuchEntryError("the key store holds no key", "import one with its certificate", path)
    entry = store.keys[0] if len(store.keys) == 1 else _labelled(store, settings.key_label, path)
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


def listed_names(settings: TlsSettings, key: KeyEntry | None) -> tuple[str, ...] | None:
    """The names of which a certificate must bear one (config 2.8); None where the host name counts."""
    if not settings.restricts_hosts:
        return None
    mirrored: tuple[str, ...] = ()
    if settings.mirror_hosts:
        if key is None:
            raise TlsSettingsError(
                "TLS_MIRROR_TRUSTED_HOSTS needs our own certificate, and no key store is set",
                "set TLS_KEY_STORE_FILE, or set the flag to 0",
            )
        own = names_of(key.certificate)
        mirrored = (*filter(is_sound_name, own.hosts), *map(str, own.addresses))
    return (*settings.trusted_hosts, *mirrored)


# Checks at the end of the handshake. They run inside asyncio's TLS, which expects an `ssl.SSLError` and no
# other.


def _chain_error(
    connection: ssl.SSLObject | ssl.SSLSocket, error: ssl.SSLCertVerificationError
) -> ChainError:
    context, host = connection.context, connection.server_hostname
    assert isinstance(context, _CheckedContext)
    presented: tuple[x509.Certificate, ...] = ()
    path: tuple[x509.Certificate, ...] = ()
    better = None
    with suppress(MalformedCertificateError, AttributeError):
        presented = presented_by(connection).chain
        path = verified_chain(connection)
        better = context.propose(str(host), presented, path)
    return ChainError(error, presented, path, better)


def _check(connection: ssl.SSLObject | ssl.SSLSocket) -> None:
    """What OpenSSL does not check. Raises `TlsCheckError`."""
    context, host = connection.context, connection.server_hostname
    assert isinstance(context, _CheckedContext)
    try:
        chain = verified_chain(connection)
        leaf, names = chain[0], names_of(chain[0])
    except (MalformedCertificateError, IndexError) as error:
        raise MalformedChainError(str(error)) from None
    listed, settings = context.plan.listed, context.plan.settings
    if listed is not None:
        if not is_listed(names, listed):
            raise CertificateNameError(leaf, names, f"one of the listed names ({', '.join(listed)})")
    elif not host or not is_for_host(names, str(host)):
        raise CertificateNameError(leaf, names, str(host))
    for certificate in chain:
        detail = check_strength(certificate, settings.level, anchor=certificate == chain[-1])
        if detail is not None:
            raise CertificateStrengthError(certificate, detail)
    agreed = connection.cipher()
    _check_suite(settings, agreed[0] if agreed else "no suite")


def _check_suite(settings: TlsSettings, used: str) -> None:
    """Python cannot choose among the suites of TLS 1.3, so the server's choice is checked."""
    allowed = (*settings.suites, *settings.suites_13) or tuple(
        suite.openssl for suite in SUITES if suite.most >= settings.level
    )
    if used not in allowed:
        raise UnlistedSuiteError(used, allowed)


# Parts of a context.


def set_suites(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.level >= SecurityLevel.SUITE_B_128:
        context.set_ciphers(_suite_b(settings))
        return
    names = settings.suites or tuple(
        suite.openssl for suite in SUITES if not suite.is_13 and suite.most >= settings.level
    )
    # OpenSSL's own level 2 is ours: 112 bits and no SHA-1. Below, our own check judges what is too weak.
    strength = 2 if settings.level >= SecurityLevel.SP800_131A_STRICT else 0
    try:
        context.set_ciphers(f"{':'.join(names)}:@SECLEVEL={strength}")
    except ssl.SSLError:
        message = f"{ssl.OPENSSL_VERSION} has none of the suites {', '.join(names)}"
        raise TlsSettingsError(message, "change TLS_CIPHER_SUITES") from None


def _suite_b(settings: TlsSettings) -> str:
    """OpenSSL's mode for Suite B, which pairs AES-128 with P-256, AES-256 with P-384 (RFC 6460)."""
    if settings.level is SecurityLevel.SUITE_B_192 or settings.suites == ("ECDHE-ECDSA-AES256-GCM-SHA384",):
        return "SUITEB192"
    return "SUITEB128ONLY" if settings.suites == ("ECDHE-ECDSA-AES128-GCM-SHA256",) else "SUITEB128"


def check_trust(trust: Store, settings: TlsSettings) -> None:
    """Raises when nothing in the store can be trusted."""
    path = settings.trust_store.path if settings.trust_store else None
    if not trust.trusted:
        raise NoSuchEntryError("the trust store holds no trusted certificate", _FETCH, path)
    weak = {
        entry.alias: check_strength(entry.certificate, settings.level, anchor=True) for entry in trust.trusted
    }
    if all(weak.values()):
        told = "; ".join(f"{alias}: {detail}" for alias, detail in list(weak.items())[:5])
        raise TlsSettingsError(
            f"no certificate of the trust store is strong enough for TLS_SECURITY_LEVEL {settings.level:d}"
            f" ({told})",
            "import a stronger one, or lower the level",
        )


def check_key(entry: KeyEntry, settings: TlsSettings) -> None:
    """One signature with a damaged key would give the key away."""
    if entry.key is None or not is_sound(entry.key):
        path = settings.key_store.path if settings.key_store else None
        message = f"the key {entry.alias!r} is damaged: its numbers are inconsistent"
        raise UnusableEntryError(message, "recreate the store from the key's own file", path)


def present_key(context: ssl.SSLContext, entry: KeyEntry, settings: TlsSettings) -> None:
    assert entry.key is not None
    path = settings.key_store.path if settings.key_store else None
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
        raise UnusableEntryError(
            f"the key {entry.alias!r} cannot be used: {reason}",
            "check that it belongs to its certificate and is strong enough for the level",
            path,
        ) from error


@contextmanager
def _readable_by_openssl(data: bytes) -> Iterator[str]:
    """A path where only this process finds `data`: Python's `ssl` reads keys and CRLs from files only."""
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
