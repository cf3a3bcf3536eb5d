"""What is told of a failed handshake, and all that is known when it is told."""

import shlex
from dataclasses import dataclass
from enum import Enum

from cryptography import x509

from quintet.tls.certificates import name_text
from quintet.tls.settings import TlsSettings


class Reason(Enum):
    """Why there is no trusted connection."""

    UNKNOWN_ISSUER = "unknown issuer"
    MISSING_INTERMEDIATE = "missing intermediate"
    SELF_SIGNED = "self-signed and not in the trust store"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    WRONG_NAME = "wrong name"
    NAME_ONLY_IN_CN = "name only in the CN"
    TOO_WEAK = "too weak for the security level"
    NO_COMMON_VERSION = "no common version"
    NO_COMMON_SUITE = "no common cipher suite"
    NOT_TLS = "not TLS"
    CLOSED = "closed during the handshake"
    SILENT = "silent"
    CLIENT_CERTIFICATE_WANTED = "client certificate demanded"
    CLIENT_CERTIFICATE_REFUSED = "client certificate refused"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is wrong in a `sentence`, and its `cure`; `subject` is the certificate at fault, or the server."""

    reason: Reason
    subject: str
    sentence: str
    fix: str

    def __str__(self) -> str:
        return f"{self.sentence}. {self.fix}."


@dataclass(frozen=True, slots=True)
class Seen:
    """What else is known of the server: what an unchecked handshake agreed on, its first bytes."""

    version: str | None = None
    suite: str | None = None
    first_bytes: bytes = b""


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known about one failure."""

    host: str
    port: int
    chain: tuple[x509.Certificate, ...]
    trusted: tuple[x509.Certificate, ...]
    profile: TlsSettings
    seen: Seen

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def fetch(self) -> str:
        """The command that gets the certificate to trust from the server."""
        return f"quintet trust fetch {self.place}{self._store}"

    @property
    def import_file(self) -> str:
        """The command that imports a certificate from elsewhere."""
        return f"quintet trust import FILE{self._store}"

    @property
    def look(self) -> str:
        return f"Look at what the server has with openssl s_client -connect {self.place}"

    @property
    def _store(self) -> str:
        """Names the trust store, where the command would not find it by itself."""
        ref = self.profile.trust_store
        if self.profile.keys.prefix is not None or ref is None:
            return ""
        return f" --store {shlex.quote(str(ref.path))}"

    def setting(self, key: str) -> str | None:
        """How a TLS key is written for this connection, if it has any."""
        prefix = self.profile.keys.prefix
        return None if prefix is None else prefix + key

    def subject_of(self, certificate: x509.Certificate | None) -> str:
        return name_text(certificate.subject) if certificate is not None else self.place
