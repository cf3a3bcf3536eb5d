"""A server's context that can be renewed while a listener uses it.

asyncio keeps the context that a listener was opened with. So that one asks, at the beginning of each
handshake, for the context of the newest settings (the callback for SNI, which OpenSSL makes whether or not a
client names a host). Connections that are open go on as they are.
"""

import ssl
from typing import final

from quintet.tls.certificates import without_warnings
from quintet.tls.server_context import make_server_context
from quintet.tls.settings import TlsSettings


@final
class RenewableContext:
    """The TLS of a listener: `context` is for the listener, `renew` changes what new connections get.

    Clients are asked for no certificate. As `open_store`, a server makes and renews it in a thread.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Raises as `make_server_context`."""
        self._newest = make_server_context(settings, ssl.CERT_NONE)
        self.context = make_server_context(settings, ssl.CERT_NONE)
        self.context.sni_callback = self._choose

    def renew(self, settings: TlsSettings) -> None:
        """Use these settings, and what the stores hold now. On an error the ones in use stay.

        Raises as `make_server_context`.
        """
        self._newest = make_server_context(settings, ssl.CERT_NONE)
        with without_warnings():  # versions are fixed before a handshake chooses its context
            self.context.minimum_version = settings.minimum
            self.context.maximum_version = settings.maximum

    def _choose(self, connection: ssl.SSLObject, _name: str, _context: ssl.SSLContext) -> None:
        connection.context = self._newest
