"""Why a handshake failed before any certificate was judged."""

import ssl

from quintet.tls.certificates import key_text
from quintet.tls.diagnosis.case import Case, Explanation, Reason
from quintet.tls.diagnosis.certificates import unknown_name, weak_in_chain
from quintet.tls.settings import SecurityLevel, TlsSettings, version_name
from quintet.tls.suites import SUITES, Suite, suite_by_openssl_name

# Parts of OpenSSL's names of reasons: `ssl.SSLError.reason`.
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
_TOO_WEAK = ("TOO_SMALL", "TOO_WEAK", "WRONG_SIGNATURE_TYPE", "LEGACY_SIGALG", "NO_SUITABLE_SIGNATURE")
_V1_2 = ssl.TLSVersion.TLSv1_2


def failed(case: Case, error: ssl.SSLError) -> Explanation | None:
    """What OpenSSL's reason, or the server's alert, means; None for one that is not known here."""
    reason = error.reason or ""

    def is_one_of(parts: tuple[str, ...]) -> bool:
        return any(part in reason for part in parts)

    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or is_one_of(("UNEXPECTED_EOF",)):
        return closed(case)
    if is_one_of(("UNRECOGNIZED_NAME",)):
        return unknown_name(case)
    if is_one_of(_WANTED):
        return _client_certificate(case, Reason.CLIENT_CERTIFICATE_WANTED)
    if is_one_of(_REFUSED):
        return _client_certificate(case, Reason.CLIENT_CERTIFICATE_REFUSED)
    if is_one_of(_VERSION):
        return _no_version(case)
    if is_one_of(_SUITE):
        return _no_suite(case)
    if is_one_of(_NO_TLS):
        return _not_tls(case)
    if is_one_of(_TOO_WEAK):
        return weak_in_chain(case, reason.lower().replace("_", " "))
    if is_one_of(("WRONG_CURVE",)) and case.settings.level:
        return _wrong_curve(case)
    if is_one_of(("UNSAFE_LEGACY_RENEGOTIATION",)):
        return Explanation(
            Reason.OTHER,
            case.place,
            f"{case.place} does not support secure renegotiation (RFC 5746)",
            "update the server's TLS library",
        )
    return None


def silent(case: Case) -> Explanation:
    return Explanation(
        Reason.SILENT,
        case.place,
        f"{case.place} accepts connections, but does not answer in the TLS handshake",
        "check that it is the server's TLS port, usually 636, and that no firewall is in the way",
    )


def closed(case: Case) -> Explanation:
    # Some servers (Schannel) close without an alert about versions and suites.
    version, suite = case.presented.tls_version, case.presented.cipher
    if version and version not in _offered_versions(case.settings):
        return _no_version(case)
    if suite and case.settings.suites and suite not in case.settings.suites:
        return _no_suite(case)
    return Explanation(
        Reason.CLOSED,
        case.place,
        f"{case.place} closed the connection during the TLS handshake",
        "check that it is the server's TLS port, usually 636, that the server has a certificate, and its log",
    )


# Versions and suites.


def _no_version(case: Case) -> Explanation:
    lowest, highest, spoken = case.settings.minimum, case.settings.maximum, case.presented.tls_version
    offered = f"{version_name(lowest)} to {version_name(highest)}"
    if lowest is highest:
        offered = version_name(lowest)
    oldest, newest = case.setting("MIN_PROTOCOL_VERSION"), case.setting("MAX_PROTOCOL_VERSION")
    return Explanation(
        Reason.NO_COMMON_VERSION,
        case.place,
        f"{case.place} does not speak {offered}, which the settings allow"
        + (f"; it speaks {spoken.replace('TLSv', 'TLS ')}" if spoken else ""),
        f"enable {version_name(min(max(lowest, _V1_2), highest))} on the server"
        + (f", or change {oldest} or {newest} here" if oldest else ""),
    )


def _offered_versions(settings: TlsSettings) -> tuple[str, ...]:
    """As `SSLObject.version` calls them: "TLSv1.2"."""
    lowest, highest = settings.minimum, settings.maximum
    return tuple(v.name.replace("_", ".") for v in ssl.TLSVersion if lowest <= v <= highest and v > 0)


def _no_suite(case: Case) -> Explanation:
    used = case.presented.cipher
    free = suite_by_openssl_name(used) if used else None
    client = "" if case.settings.key_store else ", or demands a client certificate"
    chosen = f"; without restrictions it chooses {free.name if free else used}" if used else ""
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} accepts none of the cipher suites that are offered{client}{chosen}",
        _suite_fix(case, free),
    )


def _suite_fix(case: Case, free: Suite | None) -> str:
    """Only suites that our versions and our level allow, and that fit the server's key, are named."""
    settings, key, level = case.settings, case.setting("CIPHER_SUITES"), case.setting("SECURITY_LEVEL")
    lower = f", or set a lower {level}" if settings.level and level else ""
    fitting = [suite for suite in SUITES if _fits(suite, case)]
    if not fitting:
        return f"give the server a certificate with an EC key, which level {settings.level:d} demands{lower}"
    best = min(fitting, key=lambda suite: (suite != free, suite.is_13, _is_elliptic(suite)))
    listed = (*settings.suites, *settings.suites_13)
    if key is None or not listed or best.openssl in listed:
        return f"enable a common suite on the server, such as {best.name}{lower}"
    return f"enable one of them on the server, or set {key}={best.name}"


def _fits(suite: Suite, case: Case) -> bool:
    """Whether the suite can be used within the settings, by a server with that certificate."""
    settings = case.settings
    newest = ssl.TLSVersion.TLSv1_3 if suite.is_13 else _V1_2
    if suite.most < settings.level or suite.oldest > settings.maximum or newest < settings.minimum:
        return False
    if suite.is_13 or not case.chain:
        return True
    return _is_elliptic(suite) is key_text(case.chain[0]).startswith(("EC ", "Ed"))


def _is_elliptic(suite: Suite) -> bool:
    return "_ECDSA_" in suite.name


def unlisted_suite(case: Case, suite: str) -> Explanation:
    """The server chose a suite of TLS 1.3 that the settings do not allow."""
    key, newest = case.setting("CIPHER_SUITES"), case.setting("MAX_PROTOCOL_VERSION")
    known, settings = suite_by_openssl_name(suite), case.settings
    ways = []
    if key and known and known.most >= settings.level and (settings.suites or settings.suites_13):
        ways.append(f"add {suite} to {key}")
    if newest and settings.minimum <= _V1_2:
        ways.append(f"set {newest}=0x303")
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} chose {suite}, which the settings do not allow",
        ", or ".join(("configure another suite on the server", *ways)),
    )


def _wrong_curve(case: Case) -> Explanation:
    level, key = case.settings.level, case.setting("CIPHER_SUITES")
    only_p384 = level is SecurityLevel.SUITE_B_192 or key is None
    return Explanation(
        Reason.NO_COMMON_SUITE,
        case.place,
        f"{case.place} pairs a suite with a curve that level {level:d} forbids for it: AES-128 goes with"
        " P-256, AES-256 with P-384",
        "use P-384 for the server's certificate and key exchange"
        if only_p384
        else f"set {key}=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 when the server's certificate is on P-384,"
        " TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 when it is on P-256",
    )


# Other protocols, and our own certificate.


def _not_tls(case: Case) -> Explanation:
    value = "=1" if case.settings.names.prefix else '="true"'
    plain = "; it is the usual port for unencrypted LDAP" if case.port in (389, 3268) else ""
    return Explanation(
        Reason.NOT_TLS,
        case.place,
        f"{case.place} does not speak TLS{plain}",
        f"use the server's TLS port, usually 636, or QUINTET_START_TLS{value} if it offers StartTLS",
    )


def _client_certificate(case: Case, reason: Reason) -> Explanation:
    ours, store, label = case.settings.key_store, case.setting("KEY_STORE_FILE"), case.setting("KEY_LABEL")
    if ours is None:
        return Explanation(
            Reason.CLIENT_CERTIFICATE_WANTED,
            case.place,
            f"{case.place} demands a client certificate, and none is set",
            f"set {store} and its password to a store with our key and certificate"
            if store
            else "do not demand one of this connection, for which no key can be set",
        )
    return Explanation(
        reason,
        case.place,
        f"{case.place} refuses our client certificate from {ours.path}",
        "make the server trust its issuer, check its dates"
        + (f", or choose another with {label}" if label else ""),
    )
