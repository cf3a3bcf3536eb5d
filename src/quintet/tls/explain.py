"""Why a handshake failed, in words: the reason, the certificate at fault, and what to do."""

import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from cryptography import x509
from cryptography.x509.oid import NameOID

from quintet.tls.certificates import has_issued, is_authority, is_self_signed, name_text
from quintet.tls.chains import unverified_chain as peer_chain
from quintet.tls.context import TooWeak, UnlistedSuite, WrongName
from quintet.tls.levels import weakness
from quintet.tls.names import as_address, names_of
from quintet.tls.profile import SecurityLevel, TlsProfile, version_name
from quintet.tls.stores import Store
from quintet.tls.suites import suite_by_openssl_name

__all__ = ["Explanation", "Reason", "Seen", "explain", "peer_chain"]


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
    cure: str

    def __str__(self) -> str:
        return f"{self.sentence}. {self.cure}."


@dataclass(frozen=True, slots=True)
class Seen:
    """What else is known of the server: what an unchecked handshake agreed on, its first bytes."""

    version: str | None = None
    suite: str | None = None
    first_bytes: bytes = b""


_NOTHING_SEEN = Seen()
_VERIFY_EXPIRED, _VERIFY_NOT_YET = 10, 9
_VERIFY_SELF_SIGNED = 18
_VERIFY_NO_ISSUER = (2, 7, 19, 20, 21)
_VERIFY_WEAK = (56, 57, 58, 59, 60, 61, 66, 67, 68)
_VERIFY_NAME = (62, 63, 64)

_VERSION = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE")
_SUITE = ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "INSUFFICIENT_SECURITY", "NO_CIPHERS_AVAILABLE")
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER",
)
_WANTED = ("CERTIFICATE_REQUIRED",)
_REFUSED = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERT",
    "ACCESS_DENIED",
)
_CLOSED = ("UNEXPECTED_EOF", "EOF occurred")
_WEAK = ("TOO_SMALL", "TOO_WEAK", "WRONG_SIGNATURE_TYPE", "LEGACY_SIGALG", "NO_SUITABLE_SIGNATURE")


def explain(
    error: BaseException,
    *,
    host: str,
    port: int,
    chain: Sequence[x509.Certificate],
    trust: Store | None,
    profile: TlsProfile,
    seen: Seen = _NOTHING_SEEN,
) -> Explanation:
    """What `error`, raised by a handshake or one of its causes, means for an administrator.

    `chain` is what the server sent (`peer_chain` of an inspecting handshake), empty when that is not known.
    """
    case = _Case(host, port, tuple(chain), trust.certificates if trust else (), profile, seen)
    for one in _causes(error):
        found = case.judge(one)
        if found is not None:
            return found
    return case.tell(
        Reason.OTHER, case.place, f"the TLS handshake with {case.place} failed: {error}", case.look
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


@dataclass(frozen=True, slots=True)
class _Case:
    """All that is known about one failure."""

    host: str
    port: int
    chain: tuple[x509.Certificate, ...]
    trusted: tuple[x509.Certificate, ...]
    profile: TlsProfile
    seen: Seen

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def fetch(self) -> str:
        return f"quintet trust fetch {self.place}"

    @property
    def look(self) -> str:
        return f"Look at what the server has with openssl s_client -connect {self.place}"

    def tell(self, reason: Reason, subject: str, sentence: str, cure: str) -> Explanation:
        return Explanation(reason, subject, sentence, cure)

    def judge(self, error: BaseException) -> Explanation | None:
        if isinstance(error, WrongName):
            return self._wrong_name(error.certificate)
        if isinstance(error, TooWeak):
            return self._too_weak(error.certificate, error.why)
        if isinstance(error, UnlistedSuite):
            return self._unlisted(error)
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._unverified(error)
        if isinstance(error, ssl.SSLError):
            return self._failed(error)
        if isinstance(error, TimeoutError) or "taking longer" in str(error):
            return self.tell(
                Reason.SILENT,
                self.place,
                f"{self.place} accepts connections and says nothing during the TLS handshake",
                "Check that it is the server's TLS port, usually 636, and that no firewall is in the way",
            )
        if isinstance(error, ConnectionError | EOFError):
            return self._closed()
        return None

    # Certificates.

    def _unverified(self, error: ssl.SSLCertVerificationError) -> Explanation:
        code = getattr(error, "verify_code", 0)
        now = datetime.now(UTC)
        if code == _VERIFY_EXPIRED:
            return self._expired(now)
        if code == _VERIFY_NOT_YET:
            return self._not_yet_valid(now)
        if code in _VERIFY_WEAK:
            return self._weak_in_chain(str(getattr(error, "verify_message", error)))
        if code in _VERIFY_NAME and self.chain:
            return self._wrong_name(self.chain[0])
        if code == _VERIFY_SELF_SIGNED or (
            code in _VERIFY_NO_ISSUER and len(self.chain) == 1 and is_self_signed(self.chain[0])
        ):
            subject = self._subject_of(self.chain[0] if self.chain else None)
            return self.tell(
                Reason.SELF_SIGNED,
                subject,
                f"the certificate {subject} of {self.place} is self-signed, and not in the trust store",
                f"If it is the right one, import it: {self.fetch}",
            )
        if code in _VERIFY_NO_ISSUER:
            return self._no_issuer()
        subject = self._subject_of(self.chain[0] if self.chain else None)
        message = getattr(error, "verify_message", "") or str(error)
        return self.tell(
            Reason.OTHER,
            subject,
            f"the certificate {subject} of {self.place} is refused: {message}",
            f"Replace the certificate on the server, or see what it sends: {self.fetch}",
        )

    def _no_issuer(self) -> Explanation:
        if not self.chain:
            return self.tell(
                Reason.UNKNOWN_ISSUER,
                self.place,
                f"the certificate of {self.place} was issued by one that the trust store does not hold",
                f"Import the certificate of its root CA: {self.fetch}, or quintet trust import FILE",
            )
        top = self._top()
        subject, issuer = name_text(top.subject), name_text(top.issuer)
        if is_self_signed(top):
            return self.tell(
                Reason.UNKNOWN_ISSUER,
                subject,
                f"the chain of {self.place} ends at the root {subject}, which is not in the trust store",
                f"If it is the right one, import it: {self.fetch}, or quintet trust import FILE",
            )
        if any(known.subject == top.issuer for known in self.trusted):
            return self.tell(
                Reason.UNKNOWN_ISSUER,
                subject,
                f"the trust store holds {issuer}, but another key of that name signed {subject}"
                f" of {self.place}; the CA was probably renewed",
                f"Import its new certificate: {self.fetch}, or quintet trust import FILE",
            )
        if self._lacks_intermediate(top):
            return self.tell(
                Reason.MISSING_INTERMEDIATE,
                issuer,
                f"{subject} of {self.place} was issued by {issuer}, an intermediate that the server does not"
                " send and the trust store does not hold",
                "Let the server send its whole chain, or import the certificate of that issuer here:"
                " quintet trust import FILE",
            )
        return self.tell(
            Reason.UNKNOWN_ISSUER,
            issuer,
            f"{subject} of {self.place} was issued by {issuer}, which is not in the trust store",
            f"Import the certificate of {issuer}: {self.fetch}, or quintet trust import FILE",
        )

    def _top(self) -> x509.Certificate:
        """The last certificate of the chain that hangs together with the server's own."""
        top, rest = self.chain[0], list(self.chain[1:])
        while not is_self_signed(top):
            above = next((other for other in rest if has_issued(other, top)), None)
            if above is None:
                break
            rest.remove(above)
            top = above
        return top

    def _lacks_intermediate(self, top: x509.Certificate) -> bool:
        """Whether the missing issuer of `top` probably stands between it and a trusted root.

        A certificate does not tell whether its issuer is a root. So it is taken for an intermediate when the
        server's own certificate came alone, and an authority of the same house as its issuer is trusted.
        """
        if is_authority(top):
            return False
        house = _house(top.issuer)
        return bool(house) and any(
            is_authority(root) and _house(root.subject) & house for root in self.trusted
        )

    def _expired(self, now: datetime) -> Explanation:
        late = next((c for c in (*self.chain, *self.trusted) if c.not_valid_after_utc < now), None)
        subject = self._subject_of(late)
        when = f" on {late.not_valid_after_utc:%Y-%m-%d}" if late else ""
        whose = "in the trust store, which vouches for" if late and late not in self.chain else "of"
        return self.tell(
            Reason.EXPIRED,
            subject,
            f"the certificate {subject} {whose} {self.place} expired{when}",
            f"Renew it on the server; when it is renewed, its issuer may be new as well: {self.fetch}",
        )

    def _not_yet_valid(self, now: datetime) -> Explanation:
        early = next((c for c in (*self.chain, *self.trusted) if c.not_valid_before_utc > now), None)
        subject = self._subject_of(early)
        when = f" until {early.not_valid_before_utc:%Y-%m-%d %H:%M} UTC" if early else ""
        return self.tell(
            Reason.NOT_YET_VALID,
            subject,
            f"the certificate {subject} of {self.place} is not yet valid{when};"
            f" our clock says {now:%Y-%m-%d %H:%M} UTC",
            "Check the clocks of this machine and of the one that issued it; else wait, or replace it",
        )

    def _wrong_name(self, certificate: x509.Certificate) -> Explanation:
        names, subject = names_of(certificate), name_text(certificate.subject)
        address = as_address(self.host) is not None
        in_common = (names.common or "").lower().rstrip(".") == self.host.lower().rstrip(".")
        if in_common and (names.dns or address):
            why = "addresses count only as such" if address else "the CN does not count beside DNS names"
            return self.tell(
                Reason.NAME_ONLY_IN_CN,
                subject,
                f"the certificate {subject} bears {self.host} only in its CN; {why}, and it is for {names}",
                f"Put {self.host} into its subjectAltName, or connect by one of its names",
            )
        listed = next(iter(names.hosts), None)
        accept = f", or accept it as it is with STLDAP_TLS_TRUSTED_HOSTS={listed}" if listed else ""
        return self.tell(
            Reason.WRONG_NAME,
            subject,
            f"the certificate {subject} is for {names}, not for {self.host}",
            f"Set the server's host name to one of its names{accept}",
        )

    def _too_weak(self, certificate: x509.Certificate | None, why: str) -> Explanation:
        subject = self._subject_of(certificate)
        lower = ", or set a lower STLDAP_TLS_SECURITY_LEVEL" if self.profile.level else ""
        suite_b = self.profile.level >= SecurityLevel.SUITE_B_128
        wanted = "an EC key, signed by ECDSA" if suite_b else "a key of 2048 bits or more and SHA-256"
        return self.tell(
            Reason.TOO_WEAK,
            subject,
            f"the certificate {subject} of {self.place} is too weak for TLS_SECURITY_LEVEL"
            f" {self.profile.level:d}: {why}",
            f"Replace it by one with {wanted}{lower}",
        )

    def _weak_in_chain(self, otherwise: str) -> Explanation:
        for certificate in self.chain:
            anchor = certificate in self.trusted or certificate.subject == certificate.issuer
            why = weakness(certificate, self.profile.level, anchor=anchor)
            if why is not None:
                return self._too_weak(certificate, why)
        return self._too_weak(self.chain[0] if self.chain else None, otherwise)

    def _subject_of(self, certificate: x509.Certificate | None) -> str:
        return name_text(certificate.subject) if certificate is not None else self.place

    # The handshake itself.

    def _failed(self, error: ssl.SSLError) -> Explanation | None:
        text = f"{error.reason or ''} {error}"
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or _any(_CLOSED, text):
            return self._closed()
        if _any(_WANTED, text):
            return self._client_certificate(Reason.CLIENT_CERTIFICATE_WANTED)
        if _any(_REFUSED, text):
            return self._client_certificate(Reason.CLIENT_CERTIFICATE_REFUSED)
        if _any(_VERSION, text):
            return self._no_version()
        if _any(_SUITE, text):
            return self._no_suite()
        if _any(_NO_TLS, text):
            return self._not_tls()
        if _any(_WEAK, text):
            return self._weak_in_chain((error.reason or str(error)).lower().replace("_", " "))
        if "WRONG_CURVE" in text and self.profile.level:
            return self.tell(
                Reason.NO_COMMON_SUITE,
                self.place,
                f"{self.place} pairs a suite with a curve that level {self.profile.level:d} does not:"
                " AES-128 goes with P-256, AES-256 with P-384",
                "Set STLDAP_TLS_CIPHER_SUITES=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 when the server's"
                " certificate is on P-384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 when it is on P-256",
            )
        if "UNSAFE_LEGACY_RENEGOTIATION" in text:
            return self.tell(
                Reason.OTHER,
                self.place,
                f"{self.place} does not know secure renegotiation (RFC 5746), so it cannot be trusted",
                "Update the server's TLS library",
            )
        return None

    def _no_version(self) -> Explanation:
        offered = f"{version_name(self.profile.minimum)} to {version_name(self.profile.maximum)}"
        if self.profile.minimum is self.profile.maximum:
            offered = version_name(self.profile.minimum)
        speaks = f", it speaks {_version(self.seen.version)}" if self.seen.version else ""
        return self.tell(
            Reason.NO_COMMON_VERSION,
            self.place,
            f"{self.place} does not speak {offered}, which we offer{speaks}",
            "Enable TLS 1.2 on the server, or change STLDAP_TLS_MIN_PROTOCOL_VERSION or"
            " STLDAP_TLS_MAX_PROTOCOL_VERSION here",
        )

    def _offered_versions(self) -> tuple[str, ...]:
        """As `SSLObject.version` calls them: "TLSv1.2"."""
        lowest, highest = self.profile.minimum, self.profile.maximum
        return tuple(v.name.replace("_", ".") for v in ssl.TLSVersion if lowest <= v <= highest and v > 0)

    def _no_suite(self) -> Explanation:
        client = "" if self.profile.key_store else ", or it demands a client certificate"
        suite = suite_by_openssl_name(self.seen.suite) if self.seen.suite else None
        name = suite.name if suite else self.seen.suite
        chosen = f"; left free, it chooses {name}" if name else ""
        line = name or "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
        return self.tell(
            Reason.NO_COMMON_SUITE,
            self.place,
            f"{self.place} takes none of the cipher suites that we offer{client}{chosen}",
            f"Enable one of them on the server, or set STLDAP_TLS_CIPHER_SUITES={line}"
            if self.profile.suites or self.profile.level
            else f"Enable a common suite on the server, such as {line}",
        )

    def _unlisted(self, error: UnlistedSuite) -> Explanation:
        return self.tell(
            Reason.NO_COMMON_SUITE,
            self.place,
            f"{self.place} chose {error.suite}, which the settings do not allow",
            f"Add {error.suite} to STLDAP_TLS_CIPHER_SUITES, or set STLDAP_TLS_MAX_PROTOCOL_VERSION=0x303",
        )

    def _not_tls(self) -> Explanation:
        what = _protocol(self.seen.first_bytes)
        cure = "Use the server's TLS port, usually 636, or QUINTET_START_TLS=1 if it offers StartTLS"
        if what is None and self.port in (389, 3268):
            what = "clear LDAP, as usual on this port"
        return self.tell(
            Reason.NOT_TLS,
            self.place,
            f"{self.place} does not speak TLS" + (f": it speaks {what}" if what else ""),
            cure,
        )

    def _client_certificate(self, reason: Reason) -> Explanation:
        if self.profile.key_store is None:
            return self.tell(
                Reason.CLIENT_CERTIFICATE_WANTED,
                self.place,
                f"{self.place} demands a client certificate, and we have none",
                "Set STLDAP_TLS_KEY_STORE_FILE and its password to a store with our key and certificate",
            )
        return self.tell(
            reason,
            self.place,
            f"{self.place} refuses our client certificate from {self.profile.key_store.path}",
            "Let the server trust its issuer, check its dates, or choose another with STLDAP_TLS_KEY_LABEL",
        )

    def _closed(self) -> Explanation:
        if _protocol(self.seen.first_bytes) is not None:
            return self._not_tls()
        # Some servers (Schannel) close without a word about versions and suites.
        if self.seen.version and self.seen.version not in self._offered_versions():
            return self._no_version()
        if self.seen.suite and self.profile.suites and self.seen.suite not in self.profile.suites:
            return self._no_suite()
        return self.tell(
            Reason.CLOSED,
            self.place,
            f"{self.place} closed the connection during the TLS handshake",
            "Check that the port is the server's TLS port, usually 636, and that it has a certificate;"
            " its log may tell more",
        )


def _house(name: x509.Name) -> set[str]:
    """Whose a certificate is: organisations, and the domain that its domain components spell."""
    organisations = {str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    domain = [str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    return organisations | ({".".join(domain)} if domain else set())


def _protocol(data: bytes) -> str | None:
    """What a server speaks that begins with these bytes, when it is not TLS."""
    if data.startswith((b"HTTP/", b"<!DOCTYPE", b"<html")):
        return "HTTP"
    if data.startswith(b"SSH-"):
        return "SSH"
    if re.match(rb"[245]\d\d[ -]", data):
        return "a mail or file protocol (SMTP, FTP)"
    if data[:1] == b"\x30":
        return "clear LDAP"
    return None


def _version(text: str) -> str:
    return text.replace("TLSv", "TLS ")


def _any(parts: Sequence[str], text: str) -> bool:
    return any(part in text for part in parts)
