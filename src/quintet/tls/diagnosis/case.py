"""What is reported of a failed handshake, and all that is known when it is explained."""

import shlex
from dataclasses import dataclass
from enum import Enum

from cryptography import x509

from quintet.tls.certificates import subject_of
from quintet.tls.inspect import Presented
from quintet.tls.settings import TlsSettings


class Reason(Enum):
    """Why there is no trusted connection. The value is its code, a `TlsFinding`'s name."""

    UNKNOWN_ISSUER = "T201"
    MISSING_INTERMEDIATE = "T202"
    SELF_SIGNED = "T203"
    EXPIRED = "T204"
    NOT_YET_VALID = "T205"
    WRONG_NAME = "T206"
    NAME_ONLY_IN_CN = "T207"
    ADDRESS_AS_DNS_NAME = "T208"
    HOST_NOT_LISTED = "T209"
    TOO_WEAK = "T210"
    NOT_A_CA = "T211"
    WRONG_PURPOSE = "T212"
    CONSTRAINED = "T213"
    MALFORMED = "T214"
    NO_COMMON_VERSION = "T215"
    NO_COMMON_SUITE = "T216"
    NOT_TLS = "T217"
    CLOSED = "T218"
    SILENT = "T219"
    CLIENT_CERTIFICATE_WANTED = "T220"
    CLIENT_CERTIFICATE_REFUSED = "T221"
    REVOKED = "T222"
    NO_CRL = "T223"
    CRL_OUT_OF_DATE = "T224"
    OTHER = "T299"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is wrong (`message`), and what to do (`fix`).

    `subject` is that of the certificate at fault, or the server.
    """

    reason: Reason
    subject: str
    message: str
    fix: str

    @property
    def code(self) -> str:
        """The name of a `TlsFinding`."""
        return self.reason.value

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}"


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known about one failure.

    `path` is what OpenSSL made of `chain` and the trust store, the server's certificate first; it is empty
    when OpenSSL did not fail, or not at the chain.
    """

    host: str
    port: int
    presented: Presented
    chain: tuple[x509.Certificate, ...]
    path: tuple[x509.Certificate, ...]
    trusted: tuple[x509.Certificate, ...]
    settings: TlsSettings

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def fetch(self) -> str:
        """The command that gets the certificate to trust from the server."""
        return f"quintet trust fetch {self.place}{self._store}"

    @property
    def import_file(self) -> str:
        """The command that imports a certificate from elsewhere."""
        return f"quintet trust import FILE{self._store}"

    @property
    def _store(self) -> str:
        """Names the trust store, where the command would not find it by itself."""
        location = self.settings.trust_store
        if self.settings.names.prefix is not None or location is None:
            return ""
        return f" --store {shlex.quote(str(location.path))}"

    def setting(self, key: str) -> str | None:
        """How a TLS key is written for this connection, if it has any."""
        prefix = self.settings.names.prefix
        return None if prefix is None else prefix + key

    def named(self, certificate: x509.Certificate | None) -> str:
        """The subject of a certificate, and where it comes from."""
        if certificate is None:
            return f"a certificate of {self.place}"
        subject = subject_of(certificate)
        if certificate in self.trusted and certificate not in self.chain[:1]:
            return f"the certificate {subject} in the trust store"
        return f"the certificate {subject} presented by {self.place}"

    def subject_of(self, certificate: x509.Certificate | None) -> str:
        return subject_of(certificate) if certificate is not None else self.place
