"""The server's side of TLS: a context that presents our own key, and can be renewed while it is in use.

asyncio keeps the context that a listener was opened with. So that one asks, at the beginning of each
handshake, for the context of the newest settings (the callback for SNI, which OpenSSL makes whether or not a
client names a host). Connections that are open go on as they are.
"""

import ssl
from typing import final

from quintet.tls.certificates import without_warnings
from quintet.tls.context import check_key, chosen_key, present, set_suites
from quintet.tls.levels import check_strength
from quintet.tls.settings import TlsSettings, TlsSettingsError, fips_is_active
from quintet.tls.stores import StoreNotFoundError, open_store


def make_server_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of a server, with the key of the key store. Clients are asked for no certificate.

    As `open_store`, a server calls it in a thread. Raises `StoreError` or `TlsSettingsError`.
    """
    if settings.fips and not fips_is_active():
        raise TlsSettingsError(
            f"FIPS 140 compliance is demanded, and {ssl.OPENSSL_VERSION} does not use its FIPS provider here",
            "enable the provider in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0",
        )
    if settings.key_store is None:
        raise StoreNotFoundError("no key store is set", "set TLS_KEY_STORE_FILE, _TYPE and _PASSWORD")
    entry = chosen_key(open_store(settings.key_store), settings)
    check_key(entry, settings)
    weakness = check_strength(entry.certificate, settings.level, anchor=False)
    if weakness is not None:
        raise TlsSettingsError(
            f"our own certificate is too weak for TLS_SECURITY_LEVEL {settings.level:d}: {weakness}",
            "use a stronger key and certificate, or lower the level",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    with without_warnings():  # old versions are the administrator's choice
        context.minimum_version, context.maximum_version = settings.minimum, settings.maximum
    set_suites(context, settings)
    present(context, entry, settings)
    return context


@final
class RenewableContext:
    """The TLS of a listener: `context` is for the listener, `renew` changes what new connections get."""

    def __init__(self, settings: TlsSettings) -> None:
        """Raises as `make_server_context`."""
        self._newest = make_server_context(settings)
        self.context = make_server_context(settings)
        self.context.sni_callback = self._choose

    def renew(self, settings: TlsSettings) -> None:
        """Use these settings, and what the stores hold now. On an error the ones in use stay.

        Raises as `make_server_context`.
        """
        self._newest = make_server_context(settings)
        with without_warnings():  # versions are fixed before a handshake chooses its context
            self.context.minimum_version = settings.minimum
            self.context.maximum_version = settings.maximum

    def _choose(self, connection: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        connection.context = self._newest
