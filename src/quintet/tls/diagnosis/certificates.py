"""Why a certificate is refused, and which one is at fault."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from quintet.tls.certificates import (
    authority_fault,
    extension,
    has_issued,
    is_authority,
    is_self_signed,
    issuer_of,
    names_of,
    server_fault,
    subject_of,
    top_of,
)
from quintet.tls.diagnosis.case import Case, Explanation, Reason
from quintet.tls.levels import check_strength
from quintet.tls.names import Names, as_address, is_listed
from quintet.tls.revocation import CrlError, read_crls
from quintet.tls.settings import SecurityLevel

# OpenSSL's codes of verification, X509_V_ERR_… in openssl/x509_vfy.h.
_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED = 18
_NO_ISSUER = (2, 7, 19, 20, 21)
_NOT_A_CA = (24, 32, 37, 79)
_PURPOSE = (26,)
_CONSTRAINTS = (22, 25, 34, 41, 47, 48, 49, 51, 52, 53)
_WEAK = (56, 57, 58, 59, 60, 61, 66, 67, 68)
_NAME = (62, 63, 64)
_MALFORMED = (4, 6, 13, 14, 76, 77, 78)
_REVOKED = 23
_NO_CRL = (3, 33, 35, 44, 54)
_BAD_CRL = (5, 8, 11, 12, 15, 16, 36)


def unverified(case: Case, error: ssl.SSLCertVerificationError) -> Explanation:
    """What OpenSSL found wrong with the chain, by its code."""
    code = getattr(error, "verify_code", 0)
    message = str(getattr(error, "verify_message", "") or error)
    leaf = case.chain[0] if case.chain else None
    if code in _NAME and leaf is not None:
        return wrong_name(case, leaf)
    alone = leaf is not None and len(case.chain) == 1 and is_self_signed(leaf)
    if code == _SELF_SIGNED or (code in _NO_ISSUER and alone):
        return _self_signed(case, leaf)
    for codes, judge in _JUDGES:
        if code in codes:
            return judge(case, message)
    return _other(case, message)


def _other(case: Case, message: str) -> Explanation:
    leaf = case.chain[0] if case.chain else None
    return Explanation(
        Reason.OTHER,
        case.subject_of(leaf),
        f"OpenSSL refuses the chain of {case.named(leaf)}: {message}",
        f"see what the server presents: {case.fetch}",
    )


# The chain.


def _self_signed(case: Case, leaf: x509.Certificate | None) -> Explanation:
    return Explanation(
        Reason.SELF_SIGNED,
        case.subject_of(leaf),
        f"{case.named(leaf)} is self-signed, and not in the trust store",
        f"if it is the right one, import it: {case.fetch}",
    )


def _no_issuer(case: Case, _: str) -> Explanation:
    if not case.chain:
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            case.place,
            f"the issuer of the certificate presented by {case.place} is not in the trust store",
            f"import the certificate of its root CA: {case.fetch}, or {case.import_file}",
        )
    top = top_of(case.chain)
    subject, issuer = subject_of(top), issuer_of(top)
    if is_self_signed(top):
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            subject,
            f"the chain presented by {case.place} ends at the root {subject}, which is not in the trust"
            " store",
            f"if it is the right one, import it: {case.fetch}, or {case.import_file}",
        )
    if any(known.subject == top.issuer for known in case.trusted):
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            subject,
            f"the trust store holds {issuer}, but {case.named(top)} was signed with another key of that name;"
            " the CA was probably renewed",
            f"import its new certificate: {case.fetch}, or {case.import_file}",
        )
    return _missing_issuer(case, top)


def _missing_issuer(case: Case, top: x509.Certificate) -> Explanation:
    """Root or intermediate: where nothing tells, both fixes are given; the likelier gives the reason."""
    issuer, is_root = issuer_of(top), _issuer_is_root(top)
    message = f"{case.named(top)} was issued by {issuer}, which is not in the trust store"
    if is_root:
        fix = f"if it is the right root, import it: {case.fetch}, or {case.import_file}"
        return Explanation(Reason.UNKNOWN_ISSUER, issuer, message, fix)
    message += " and not sent by the server"
    send = "let the server send its whole chain"
    if is_root is False:
        fix = f"{send}, or import the certificate of that intermediate: {case.import_file}"
        return Explanation(Reason.MISSING_INTERMEDIATE, issuer, message, fix)
    return Explanation(
        Reason.MISSING_INTERMEDIATE if _looks_like_intermediate(case, top) else Reason.UNKNOWN_ISSUER,
        issuer,
        f"{message}; it may be an intermediate or a root",
        f"if it is an intermediate, {send}; if it is a root and the right one, import it: {case.fetch}, or"
        f" {case.import_file}",
    )


def _issuer_is_root(certificate: x509.Certificate) -> bool | None:
    """What a certificate says of its issuer's own issuer (RFC 5280 4.2.1.1); None when it says nothing."""
    told = extension(certificate, x509.AuthorityKeyIdentifier)
    for name in told.authority_cert_issuer or () if told is not None else ():
        if isinstance(name, x509.DirectoryName):
            return name.value == certificate.issuer
    return None


def _looks_like_intermediate(case: Case, top: x509.Certificate) -> bool:
    """The server's own certificate came alone, and a CA of the organisation of its issuer is trusted."""
    if is_authority(top):
        return False
    organisation = _organisation(top.issuer)
    return any(is_authority(root) and _organisation(root.subject) & organisation for root in case.trusted)


def _organisation(name: x509.Name) -> set[str]:
    """Whose a certificate is: organisations, and the domain that its domain components spell."""
    organisations = {str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    domain = [str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    return organisations | ({".".join(domain)} if domain else set())


def _not_a_ca(case: Case, _: str) -> Explanation:
    for certificate in case.path[1:]:
        fault = authority_fault(certificate)
        if fault is not None:
            below = subject_of(case.path[case.path.index(certificate) - 1])
            return Explanation(
                Reason.NOT_A_CA,
                subject_of(certificate),
                f"{case.named(certificate)} issued {below}, and is not a CA certificate: {fault}",
                "replace it by a CA certificate of the same key (basicConstraints CA:TRUE, keyUsage"
                " keyCertSign);"
                f" or trust {below} itself: {case.import_file} --force",
            )
    return _other(case, "a certificate that issued another is not a CA certificate")


def _wrong_purpose(case: Case, message: str) -> Explanation:
    chain = case.path or case.chain
    certificate = next((each for each in chain if server_fault(each)), chain[0] if chain else None)
    detail = server_fault(certificate) if certificate is not None else None
    return Explanation(
        Reason.WRONG_PURPOSE,
        case.subject_of(certificate),
        f"{case.named(certificate)} is not for TLS servers: {detail or message}",
        "replace it by one with serverAuth in its extended key usage, or without that extension",
    )


def _constrained(case: Case, message: str) -> Explanation:
    """Path length, name constraints, critical extensions: what CAs demand and OpenSSL enforces."""
    limiting = next((each for each in case.path[1:] if _limits(each)), None)
    leaf = case.chain[0] if case.chain else None
    critical = next((each for each in case.path if _unknown_critical(each)), None)
    if critical is not None and limiting is None:
        oids = ", ".join(_unknown_critical(critical))
        detail = f"{case.named(critical)} has a critical extension that OpenSSL does not support ({oids})"
        fix = "replace it by one without that extension, or where it is not critical"
        return Explanation(Reason.CONSTRAINED, subject_of(critical), detail, fix)
    by = f", constrained by {subject_of(limiting)}" if limiting is not None else ""
    return Explanation(
        Reason.CONSTRAINED,
        case.subject_of(limiting or leaf),
        f"OpenSSL refuses the chain of {case.named(leaf)}{by}: {message}",
        "have the server's certificate issued within these constraints, or by another CA",
    )


def _limits(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    names = extension(certificate, x509.NameConstraints)
    return names is not None or (constraints is not None and constraints.path_length is not None)


def _unknown_critical(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = list(certificate.extensions)
    except Exception:  # noqa: BLE001  cryptography raises many kinds, and any of them means malformed
        return ("malformed",)
    return tuple(
        each.oid.dotted_string
        for each in found
        if each.critical and isinstance(each.value, x509.UnrecognizedExtension)
    )


def malformed(case: Case, message: str) -> Explanation:
    leaf = case.chain[0] if case.chain else None
    return Explanation(
        Reason.MALFORMED,
        case.subject_of(leaf),
        f"a certificate presented by {case.place} is malformed: {message}",
        "replace it on the server by one that follows RFC 5280",
    )


# Dates.


def _expired(case: Case, _: str) -> Explanation:
    now = datetime.now(UTC)
    late = next((each for each in _path(case) if each.not_valid_after_utc < now), None)
    subject = case.subject_of(late)
    if late is None:
        return Explanation(
            Reason.EXPIRED,
            subject,
            f"a certificate of the chain of {case.place} has expired",
            f"check this machine's clock, and the dates: {case.fetch} shows them",
        )
    message = f"{case.named(late)} expired on {late.not_valid_after_utc:%Y-%m-%d}"
    if _is_anchor(case, late):
        fix = (
            f"import its renewed certificate: {case.fetch}, or {case.import_file}; then remove the old one"
            " with quintet trust remove"
        )
    elif late in case.chain[:1]:
        fix = f"renew it on the server; if its issuer is then new as well: {case.fetch}"
    else:
        fix = f"let the server send the renewed one; if the root is new as well: {case.fetch}"
    return Explanation(Reason.EXPIRED, subject, message, fix)


def _not_yet_valid(case: Case, _: str) -> Explanation:
    now = datetime.now(UTC)
    early = next((each for each in _path(case) if each.not_valid_before_utc > now), None)
    subject = case.subject_of(early)
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC"
    fix = "check the clocks of this machine and of the one that issued it"
    if early is None:
        message = f"a certificate of the chain of {case.place} is not yet valid; {clock}"
        return Explanation(Reason.NOT_YET_VALID, subject, message, fix)
    message = (
        f"{case.named(early)} is not valid until {early.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; {clock}"
    )
    if _is_anchor(case, early):
        fix += f"; or import the one that is valid until then: {case.fetch}, or {case.import_file}"
    else:
        fix += "; or wait, or replace it on the server"
    return Explanation(Reason.NOT_YET_VALID, subject, message, fix)


def _path(case: Case) -> Sequence[x509.Certificate]:
    """The certificates that were checked; when OpenSSL did not tell, those that signatures connect."""
    if case.path:
        return case.path
    path = list(case.chain[:1])
    while path and not is_self_signed(path[-1]):
        known = (*case.trusted, *case.chain[1:])
        above = next((each for each in known if each not in path and has_issued(each, path[-1])), None)
        if above is None:
            break
        path.append(above)
    return path


def _is_anchor(case: Case, certificate: x509.Certificate) -> bool:
    """Whether it is refused as one that is trusted, rather than as the server's own."""
    return certificate in case.trusted and certificate not in case.chain[:1]


# Names.


def wrong_name(case: Case, certificate: x509.Certificate) -> Explanation:
    names, subject, settings = names_of(certificate), subject_of(certificate), case.settings
    if settings.restricts_hosts:
        return _not_listed(case, certificate, names)
    address = as_address(case.host)
    if address is not None and any(as_address(name) == address for name in names.dns):
        return Explanation(
            Reason.ADDRESS_AS_DNS_NAME,
            subject,
            f"{case.named(certificate)} bears {case.host} as a DNS name; an IP address counts only as an IP"
            " address (iPAddress)",
            f"write it as IP:{case.host} in its subjectAltName, not as DNS:{case.host}, or connect by a name",
        )
    if (names.common or "").lower().rstrip(".") == case.host.lower().rstrip(".") and (names.dns or address):
        why = "an IP address does not count there" if address else "the CN does not count beside DNS names"
        return Explanation(
            Reason.NAME_ONLY_IN_CN,
            subject,
            f"{case.named(certificate)} bears {case.host} only in its CN; {why}, and it is for {names}",
            f"put {case.host} into its subjectAltName, or connect by one of its names",
        )
    fix = f"replace it by one with {case.host} in its subjectAltName"
    usable, key = _usable(names), case.setting("TRUSTED_HOSTS")
    if usable is not None:
        fix = f"set {settings.names.host} to one of its names"
        fix += f", or accept the certificate as it is with {key}={usable}" if key else ""
    message = f"{case.named(certificate)} is for {names}, not for {case.host}"
    return Explanation(Reason.WRONG_NAME, subject, message, fix)


def _not_listed(case: Case, certificate: x509.Certificate, names: Names) -> Explanation:
    """D44: only the listed names count, whatever the host is called (config 2.8)."""
    key, usable = case.setting("TRUSTED_HOSTS"), _usable(names)
    listed = ", ".join(case.settings.trusted_hosts) or "only the names of our own certificate"
    fix = f"add {usable} to {key}, or remove that key to check the host name instead"
    if usable is None:
        fix = f"replace it by one with {case.host} in its subjectAltName, and add that to {key}"
    return Explanation(
        Reason.HOST_NOT_LISTED,
        subject_of(certificate),
        f"{case.named(certificate)} is for {names}, and {key} lists {listed}",
        fix,
    )


def _usable(names: Names) -> str | None:
    """A name of a certificate that would be accepted if it were listed."""
    every = (*names.hosts, *map(str, names.addresses))
    return next((name for name in every if is_listed(names, (name,))), None)


def unknown_name(case: Case) -> Explanation:
    """The server was asked for a name (SNI, RFC 6066 3), and says that it is not its own."""
    return Explanation(
        Reason.WRONG_NAME,
        case.place,
        f"{case.place} has no certificate for {case.host}, and refuses connections by that name",
        f"set {case.settings.names.host} to a name that the server has a certificate for, or give it one for"
        f" {case.host}",
    )


# Strength.


def too_weak(case: Case, certificate: x509.Certificate | None, detail: str) -> Explanation:
    level, key = case.settings.level, case.setting("SECURITY_LEVEL")
    wanted = "a key of 2048 bits or more, signed with SHA-256"
    if level >= SecurityLevel.SUITE_B_128:
        wanted = "an EC key, signed with ECDSA"
    return Explanation(
        Reason.TOO_WEAK,
        case.subject_of(certificate),
        f"{case.named(certificate)} is too weak for TLS_SECURITY_LEVEL {level:d}: {detail}",
        f"replace it by one with {wanted}" + (f", or set a lower {key}" if level and key else ""),
    )


def weak_in_chain(case: Case, otherwise: str) -> Explanation:
    """The first certificate of the chain that the level forbids; `otherwise` is the answer when none is."""
    for certificate in case.chain:
        anchor = certificate in case.trusted or certificate.subject == certificate.issuer
        detail = check_strength(certificate, case.settings.level, anchor=anchor)
        if detail is not None:
            return too_weak(case, certificate, detail)
    return too_weak(case, case.chain[0] if case.chain else None, otherwise)


# Revocation.


def _revoked(case: Case, _: str) -> Explanation:
    leaf = case.chain[0] if case.chain else None
    certificate, when = leaf, ""
    for each, crl in _with_crls(case):
        entry = crl.get_revoked_certificate_by_serial_number(each.serial_number)
        if entry is not None:
            certificate, when = each, f" on {entry.revocation_date_utc:%Y-%m-%d}"
            break
    return Explanation(
        Reason.REVOKED,
        case.subject_of(certificate),
        f"{case.named(certificate)} was revoked{when} by its issuer",
        "replace it by a new one, and do not use the server until then",
    )


def _no_crl(case: Case, _: str) -> Explanation:
    found = {certificate for certificate, _ in _with_crls(case)}
    lacking = next((each for each in _path(case) if each not in found), None)
    issuer = issuer_of(lacking) if lacking is not None else "an issuer of the chain"
    file = case.settings.crl_file
    return Explanation(
        Reason.NO_CRL,
        case.subject_of(lacking),
        f"revocation of {case.named(lacking)} cannot be checked: no usable CRL of {issuer} in {file}",
        "add it to the file, which needs a CRL of every CA of the chain; trust the root, not an intermediate",
    )


def _bad_crl(case: Case, message: str) -> Explanation:
    now, file = datetime.now(UTC), case.settings.crl_file
    for certificate, crl in _with_crls(case):
        issuer = issuer_of(certificate)
        if crl.next_update_utc is not None and crl.next_update_utc < now:
            when = f"should have been replaced by {crl.next_update_utc:%Y-%m-%d %H:%M} UTC"
        elif crl.last_update_utc > now:
            when = f"is not valid until {crl.last_update_utc:%Y-%m-%d %H:%M} UTC"
        else:
            continue
        told = (
            f"revocation of {case.named(certificate)} cannot be checked: the CRL of {issuer} in {file} {when}"
        )
        fix = "download the current CRL into the file, regularly and in time"
        return Explanation(Reason.CRL_OUT_OF_DATE, issuer, told, fix)
    return Explanation(
        Reason.CRL_OUT_OF_DATE,
        case.place,
        f"a CRL in {file} cannot be used for the chain of {case.place}: {message}",
        "download the CRLs again, from the CAs themselves",
    )


def _with_crls(case: Case) -> Iterator[tuple[x509.Certificate, x509.CertificateRevocationList]]:
    """Each certificate of the path with each CRL that bears the name of its issuer."""
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    with suppress(CrlError):
        lists = read_crls(case.settings.crl_file) if case.settings.crl_file is not None else ()
    for certificate in _path(case):
        for crl in lists:
            if crl.issuer == certificate.issuer:
                yield certificate, crl


_JUDGES: tuple[tuple[tuple[int, ...], Callable[[Case, str], Explanation]], ...] = (
    ((_EXPIRED,), _expired),
    ((_NOT_YET,), _not_yet_valid),
    (_NO_ISSUER, _no_issuer),
    (_NOT_A_CA, _not_a_ca),
    (_PURPOSE, _wrong_purpose),
    (_CONSTRAINTS, _constrained),
    (_MALFORMED, malformed),
    (_WEAK, weak_in_chain),
    ((_REVOKED,), _revoked),
    (_NO_CRL, _no_crl),
    (_BAD_CRL, _bad_crl),
)
