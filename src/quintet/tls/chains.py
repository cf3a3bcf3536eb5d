"""The certificates of a connection. Python has a public way from 3.13 on; this one works from 3.11."""

import _ssl
from typing import Any

from cryptography import x509

from quintet.tls.certificates import load_certificate


def unverified_chain(connection: Any) -> tuple[x509.Certificate, ...]:
    """What the peer of an `SSLObject` or `SSLSocket` sent, its own certificate first."""
    return _loaded(connection._sslobj.get_unverified_chain())  # noqa: SLF001  see above


def verified_chain(connection: Any) -> tuple[x509.Certificate, ...]:
    """What OpenSSL was content with: the peer's own certificate first, the trusted one last."""
    return _loaded(connection._sslobj.get_verified_chain())  # noqa: SLF001  see above


def _loaded(certificates: Any) -> tuple[x509.Certificate, ...]:
    return tuple(load_certificate(each.public_bytes(_ssl.ENCODING_DER)) for each in certificates or ())
