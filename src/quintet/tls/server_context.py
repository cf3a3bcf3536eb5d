"""An `ssl.SSLContext` for a port of ours: what clients are shown, and what their certificates must be."""

import ssl

from quintet.tls.certificates import MalformedCertificateError, names_of, without_warnings
from quintet.tls.context import (
    CertificateNameError,
    CertificateStrengthError,
    MalformedChainError,
    check_key,
    check_trust,
    chosen_key,
    listed_names,
    present_key,
    set_suites,
)
from quintet.tls.inspect import verified_chain
from quintet.tls.levels import check_strength
from quintet.tls.names import is_listed
from quintet.tls.settings import TlsSettings, TlsSettingsError, fips_is_active
from quintet.tls.stores import StoreNotFoundError, add_trusted, open_store


class _CheckedServerObject(ssl.SSLObject):
    """One connection of a client whose certificate, if it has one, is checked as the settings demand."""

    def do_handshake(self) -> None:
        super().do_handshake()
        context = self.context
        assert isinstance(context, _ServerContext)
        if self.getpeercert(binary_form=True):
            _check(self, context)


class _ServerContext(ssl.SSLContext):
    """`listed` are the names of which a client's certificate must bear one; None for any name."""

    sslobject_class = _CheckedServerObject
    settings: TlsSettings
    listed: tuple[str, ...] | None


def make_server_context(settings: TlsSettings, client_certificates: ssl.VerifyMode) -> ssl.SSLContext:
    """The context of a port that presents the key of the key store, in memory.

    With client certificates, `TLS_TRUSTED_HOSTS` lists whose are accepted (config 2.8).

    Raises `StoreError`, `TlsSettingsError`.
    """
    if settings.fips and not fips_is_active():
        raise TlsSettingsError(
            f"FIPS 140 compliance is demanded, and {ssl.OPENSSL_VERSION} does not use its FIPS provider here",
            "enable the provider in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0",
        )
    if settings.key_store is None:
        raise StoreNotFoundError("no key store is set", f"set {settings.names.prefix}KEY_STORE_FILE")
    key = chosen_key(open_store(settings.key_store), settings)
    check_key(key, settings)
    weak = check_strength(key.certificate, settings.level, anchor=False)
    if weak is not None:
        raise TlsSettingsError(
            f"{settings.key_store.path}: the certificate is too weak for security level"
            f" {settings.level:d} ({weak})",
            "use a stronger one, or lower the level",
        )
    context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.settings, context.listed = settings, None
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    with without_warnings():  # old versions are the administrator's choice
        context.minimum_version, context.maximum_version = settings.minimum, settings.maximum
    set_suites(context, settings)
    present_key(context, key, settings)
    context.verify_mode = client_certificates
    if client_certificates is not ssl.CERT_NONE:
        if settings.trust_store is None:
            fix = f"set {settings.names.prefix}TRUST_STORE_FILE, or {settings.names.prefix}CLIENT_AUTH to 0"
            raise StoreNotFoundError("no trust store is set, so no client can be trusted", fix)
        trust = open_store(settings.trust_store)
        check_trust(trust, settings)
        add_trusted(context, trust.certificates)
        context.listed = listed_names(settings, key)
    return context


def _check(connection: ssl.SSLObject, context: _ServerContext) -> None:
    """What OpenSSL does not check. Raises `TlsCheckError`."""
    try:
        chain = verified_chain(connection)
        leaf, names = chain[0], names_of(chain[0])
    except (MalformedCertificateError, IndexError) as error:
        raise MalformedChainError(str(error)) from None
    if context.listed is not None and not is_listed(names, context.listed):
        raise CertificateNameError(leaf, names, f"one of the listed names ({', '.join(context.listed)})")
    for certificate in chain:
        detail = check_strength(certificate, context.settings.level, anchor=certificate == chain[-1])
        if detail is not None:
            raise CertificateStrengthError(certificate, detail)
