"""Why a handshake came to nothing before any certificate was judged, in words."""

import re
import ssl
from collections.abc import Sequence

from quintet.tls.diagnosis.case import Case, Explanation, Reason
from quintet.tls.diagnosis.certificates import unknown_name, weak_in_chain
from quintet.tls.levels import key_text
from quintet.tls.settings import SecurityLevel, TlsSettings, version_name
from quintet.tls.suites import SUITES, Suite, suite_by_openssl_name

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
_V1_2 = ssl.TLSVersion.TLSv1_2


def failed(case: Case, error: ssl.SSLError) -> Explanation | None:
    """What OpenSSL's reason, or the server's alert, means; None for one that is not known here."""
    text = f"{error.reason or ''} {error}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or _any(_CLOSED, text):
        return closed(case)
    if "UNRECOGNIZED_NAME" in text:
        return unknown_name(case)
    if _any(_WANTED, text):
        return _client_certificate(case, Reason.CLIENT_CERTIFICATE_WANTED)
    if _any(_REFUSED, text):
        return _client_certificate(case, Reason.CLIENT_CERTIFICATE_REFUSED)
    if _any(_VERSION, text):
        return _no_version(case)
    if _any(_SUITE, text):
        return _no_suite(case)
    if _any(_NO_TLS, text):
        return _not_tls(case)
    if _any(_WEAK, text):
        return weak_in_chain(case, (error.reason or str(error)).lower().replace("_", " "))
    if "WRONG_CURVE" in text and case.profile.level:
        return _wrong_curve(case)
    if "UNSAFE_LEGACY_RENEGOTIATION" in text:
        return Explanation(
            Reason.OTHER,
            case.place,
            f"{case.place} does not know secure renegotiation (RFC 5746), so it cannot be trusted",
            "Update the server's TLS library",
        )
    return None


def silent(case: Case) -> Explanation:
    return Explanation(
        Reason.SILENT,
        case.place,
        f"{case.place} accepts connections and says nothing during the TLS handshake",
        "Check that it is the server's TLS port, usually 636, and that no firewall is in the way",
    )


def closed(case: Case) -> Explanation:
    if _protocol(case.seen.first_bytes) is not None:
        return _not_tls(case)
    # Some servers (Schannel) close without a word about versions and suites.
    if case.seen.version and case.seen.version not in _offered_versions(case.profile):
        return _no_version(case)
    if case.seen.suite and case.profile.suites and case.seen.suite not in case.profile.suites:
        return _no_suite(case)
    return Explanation(
        Reason.CLOSED,
        case.place,
        f"{case.place} closed the connection during the TLS handshake",
        "Check that the port is the server's TLS port, usually 636, and that it has a certificate;"
        " its log may tell more",
    )


# Versions and suites.


def _no_version(case: Case) -> Explanation:
    lowest, highest = case.profile.minimum, case.profile.maximum
    offered = f"{version_name(lowest)} to {version_name(highest)}"
    if lowest is highest:
        offered = version_name(lowest)
    speaks = f", it speaks {case.seen.version.replace('TLSv', 'TLS ')}" if case.seen.version else ""
    oldest, newest = case.setting("MIN_PROTOCOL_VERSION"), case.setting("MAX_PROTOCOL_VERSION")
    return Explanation(
        Reason.NO_COMMON_VERSION,
        case.place,
        f"{case.place} does not speak {offered}, which we offer{speaks}",
        f"Enable {version_name(min(max(lowest, _V1_2), highest))} on the server"
        + (f", or change {oldest} or {newest} here" if oldest else ""),
    )


def _offered_versions(profile: TlsSettings) -> tuple[str, ...]:
    """As `SSLObject.version` calls them: "TLSv1.2"."""
    lowest, highest = profile.minimum, profile.maximum
    return tuple(v.name.replace("_", ".") for v in ssl.TLSVersion if lowest <= v <= highest and v > 0)


def _no_suite(case: Case) -> Explanation:
    profile = case.profile
    client = "" if profile.key_store else ", or it demands a client certificate"
    free = suite_by_openssl_name(case.seen.suite) if case.seen.suite else None
    name = free.name if free else case.seen.suite
    chosen = f"; left free, it chooses {name}" if name else ""
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} takes none of the cipher suites that we offer{client}{chosen}",
        _suite_cure(case, free),
    )


def _suite_cure(case: Case, free: Suite | None) -> str:
    """Only suites that our versions and our level allow, and that go with the server's key, are named."""
    profile, key, level = case.profile, case.setting("CIPHER_SUITES"), case.setting("SECURITY_LEVEL")
    lower = f", or set a lower {level}" if profile.level and level else ""
    fitting = [suite for suite in SUITES if _fits(suite, case)]
    if not fitting:
        return f"Let the server have a certificate with an EC key, as level {profile.level:d} wants{lower}"
    best = min(fitting, key=lambda suite: (suite != free, suite.is_13, _is_elliptic(suite)))
    listed = (*profile.suites, *profile.suites_13)
    if key is None or not listed or best.openssl in listed:
        return f"Enable a common suite on the server, such as {best.name}{lower}"
    return f"Enable one of them on the server, or set {key}={best.name}"


def _fits(suite: Suite, case: Case) -> bool:
    """Whether the suite can be used within the profile, by a server with that certificate."""
    profile = case.profile
    newest = ssl.TLSVersion.TLSv1_3 if suite.is_13 else _V1_2
    if suite.most < profile.level or suite.oldest > profile.maximum or newest < profile.minimum:
        return False
    if suite.is_13 or not case.chain:
        return True
    return _is_elliptic(suite) is key_text(case.chain[0]).startswith(("EC ", "Ed"))


def _is_elliptic(suite: Suite) -> bool:
    return "_ECDSA_" in suite.name


def unlisted_suite(case: Case, suite: str) -> Explanation:
    """The server chose a suite of TLS 1.3 that may not be used."""
    key, newest = case.setting("CIPHER_SUITES"), case.setting("MAX_PROTOCOL_VERSION")
    known, profile = suite_by_openssl_name(suite), case.profile
    ways = []
    if key and known and known.most >= profile.level and (profile.suites or profile.suites_13):
        ways.append(f"add {suite} to {key}")
    if newest and profile.minimum <= _V1_2:
        ways.append(f"set {newest}=0x303")
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} chose {suite}, which the settings do not allow",
        ", or ".join(("Let the server choose another", *ways)),
    )


def _wrong_curve(case: Case) -> Explanation:
    level, key = case.profile.level, case.setting("CIPHER_SUITES")
    only_p384 = level is SecurityLevel.SUITE_B_192 or key is None
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} pairs a suite with a curve that level {level:d} does not:"
        " AES-128 goes with P-256, AES-256 with P-384",
        "Let the server use P-384 for its certificate and for the exchange of keys"
        if only_p384
        else f"Set {key}=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 when the server's certificate is on P-384,"
        " TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 when it is on P-256",
    )


# Other protocols, and our own certificate.


def _not_tls(case: Case) -> Explanation:
    what = _protocol(case.seen.first_bytes)
    if what is None and case.port in (389, 3268):
        what = "clear LDAP, as usual on this port"
    start_tls = ", or QUINTET_START_TLS=1 if it offers StartTLS" if case.profile.keys.prefix else ""
    return Explanation(
        Reason.NOT_TLS,
        case.place,
        f"{case.place} does not speak TLS" + (f": it speaks {what}" if what else ""),
        f"Use the server's TLS port, usually 636{start_tls}",
    )


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


def _client_certificate(case: Case, reason: Reason) -> Explanation:
    ours, store, label = case.profile.key_store, case.setting("KEY_STORE_FILE"), case.setting("KEY_LABEL")
    if ours is None:
        return Explanation(
            Reason.CLIENT_CERTIFICATE_WANTED,
            case.place,
            f"{case.place} demands a client certificate, and we have none",
            f"Set {store} and its password to a store with our key and certificate"
            if store
            else "Let the server demand none of this connection, for which no key can be set",
        )
    return Explanation(
        reason,
        case.place,
        f"{case.place} refuses our client certificate from {ours.path}",
        "Let the server trust its issuer, check its dates, or choose another"
        + (f" with {label}" if label else ""),
    )


def _any(parts: Sequence[str], text: str) -> bool:
    return any(part in text for part in parts)
