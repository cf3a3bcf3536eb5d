"""Why a certificate is refused, in words, and whose fault it is."""

import ssl
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from quintet.tls.certificates import has_issued, is_authority, is_self_signed, name_text, top_of
from quintet.tls.diagnosis.case import Case, Explanation, Reason
from quintet.tls.levels import weakness
from quintet.tls.names import as_address, is_listed, names_of
from quintet.tls.settings import SecurityLevel

_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED = 18
_NO_ISSUER = (2, 7, 19, 20, 21)
_WEAK = (56, 57, 58, 59, 60, 61, 66, 67, 68)
_NAME = (62, 63, 64)


def unverified(case: Case, error: ssl.SSLCertVerificationError) -> Explanation:
    """What OpenSSL found wrong with the chain, by its code."""
    code = getattr(error, "verify_code", 0)
    leaf = case.chain[0] if case.chain else None
    subject = case.subject_of(leaf)
    if code == _EXPIRED:
        return _expired(case)
    if code == _NOT_YET:
        return _not_yet_valid(case)
    if code in _WEAK:
        return weak_in_chain(case, str(getattr(error, "verify_message", error)))
    if code in _NAME and leaf is not None:
        return wrong_name(case, leaf)
    if code == _SELF_SIGNED or (
        code in _NO_ISSUER and leaf is not None and len(case.chain) == 1 and is_self_signed(leaf)
    ):
        return Explanation(
            Reason.SELF_SIGNED,
            subject,
            f"the certificate {subject} of {case.place} is self-signed, and not in the trust store",
            f"If it is the right one, import it: {case.fetch}",
        )
    if code in _NO_ISSUER:
        return _no_issuer(case)
    message = getattr(error, "verify_message", "") or str(error)
    return Explanation(
        Reason.OTHER,
        subject,
        f"the certificate {subject} of {case.place} is refused: {message}",
        f"Replace the certificate on the server, or see what it sends: {case.fetch}",
    )


# The chain.


def _no_issuer(case: Case) -> Explanation:
    if not case.chain:
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            case.place,
            f"the certificate of {case.place} was issued by one that the trust store does not hold",
            f"Import the certificate of its root CA: {case.fetch}, or {case.import_file}",
        )
    top = top_of(case.chain)
    subject, issuer = name_text(top.subject), name_text(top.issuer)
    if is_self_signed(top):
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            subject,
            f"the chain of {case.place} ends at the root {subject}, which is not in the trust store",
            f"If it is the right one, import it: {case.fetch}, or {case.import_file}",
        )
    if any(known.subject == top.issuer for known in case.trusted):
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            subject,
            f"the trust store holds {issuer}, but another key of that name signed {subject}"
            f" of {case.place}; the CA was probably renewed",
            f"Import its new certificate: {case.fetch}, or {case.import_file}",
        )
    is_root = _issuer_is_root(top)
    if is_root is None:
        return _issuer_of_unknown_kind(case, top)
    missing = f"{subject} of {case.place} was issued by {issuer}, "
    if is_root:
        return Explanation(
            Reason.UNKNOWN_ISSUER,
            issuer,
            f"{missing}a root which is not in the trust store",
            f"If it is the right one, import it: {case.fetch}, or {case.import_file}",
        )
    return Explanation(
        Reason.MISSING_INTERMEDIATE,
        issuer,
        f"{missing}an intermediate that the server does not send and the trust store does not hold",
        f"Let the server send its whole chain, or import the certificate of that issuer: {case.import_file}",
    )


def _issuer_of_unknown_kind(case: Case, top: x509.Certificate) -> Explanation:
    """Both possibilities and both cures; what is more probable gives the reason."""
    issuer = name_text(top.issuer)
    return Explanation(
        Reason.MISSING_INTERMEDIATE if _looks_like_intermediate(case, top) else Reason.UNKNOWN_ISSUER,
        issuer,
        f"{name_text(top.subject)} of {case.place} was issued by {issuer}, which is not in the trust store"
        " and not sent by the server; it may be an intermediate or a root",
        "If it is an intermediate, let the server send its whole chain; if it is a root and the right one,"
        f" import it: {case.fetch}, or {case.import_file}",
    )


def _issuer_is_root(certificate: x509.Certificate) -> bool | None:
    """What a certificate says of its issuer's own issuer (RFC 5280 4.2.1.1); None when it says nothing."""
    try:
        told = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    for name in told.authority_cert_issuer or ():
        if isinstance(name, x509.DirectoryName):
            return name.value == certificate.issuer
    return None


def _looks_like_intermediate(case: Case, top: x509.Certificate) -> bool:
    """The server's own certificate came alone, and one of the same house as its issuer is trusted."""
    if is_authority(top):
        return False
    house = _house(top.issuer)
    return any(is_authority(root) and _house(root.subject) & house for root in case.trusted)


def _house(name: x509.Name) -> set[str]:
    """Whose a certificate is: organisations, and the domain that its domain components spell."""
    organisations = {str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    domain = [str(a.value).casefold() for a in name.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    return organisations | ({".".join(domain)} if domain else set())


# Dates.


def _expired(case: Case) -> Explanation:
    now = datetime.now(UTC)
    late = next((each for each in _path(case, now) if each.not_valid_after_utc < now), None)
    subject = case.subject_of(late)
    if late is None:
        return Explanation(
            Reason.EXPIRED,
            subject,
            f"a certificate of {case.place}, or of those that vouch for it, expired",
            f"Check this machine's clock, and the dates: {case.fetch} shows them",
        )
    when = f"expired on {late.not_valid_after_utc:%Y-%m-%d}"
    if _is_anchor(case, late):
        return Explanation(
            Reason.EXPIRED,
            subject,
            f"the certificate {subject} in the trust store, which vouches for {case.place}, {when}",
            f"Import its renewed certificate: {case.fetch}, or {case.import_file}; then remove the old one"
            " with quintet trust remove",
        )
    if late != case.chain[0]:
        return Explanation(
            Reason.EXPIRED,
            subject,
            f"the certificate {subject}, which {case.place} sends above its own, {when}",
            f"Let the server send the renewed one; if the root is new as well: {case.fetch}",
        )
    return Explanation(
        Reason.EXPIRED,
        subject,
        f"the certificate {subject} of {case.place} {when}",
        f"Renew it on the server; when it is renewed, its issuer may be new as well: {case.fetch}",
    )


def _not_yet_valid(case: Case) -> Explanation:
    now = datetime.now(UTC)
    early = next((each for each in _path(case, now) if each.not_valid_before_utc > now), None)
    subject = case.subject_of(early)
    clock = f"our clock says {now:%Y-%m-%d %H:%M} UTC"
    clocks = "Check the clocks of this machine and of the one that issued it"
    if early is None:
        sentence = f"a certificate of {case.place}, or of those that vouch for it, is not yet valid; {clock}"
        return Explanation(Reason.NOT_YET_VALID, subject, sentence, clocks)
    when = f"is not yet valid until {early.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; {clock}"
    if _is_anchor(case, early):
        return Explanation(
            Reason.NOT_YET_VALID,
            subject,
            f"the certificate {subject} in the trust store, which vouches for {case.place}, {when}",
            f"{clocks}; else import the one that is valid until then: {case.fetch}, or {case.import_file}",
        )
    return Explanation(
        Reason.NOT_YET_VALID,
        subject,
        f"the certificate {subject} of {case.place} {when}",
        f"{clocks}; else wait, or replace it on the server",
    )


def _path(case: Case, now: datetime) -> tuple[x509.Certificate, ...]:
    """The certificates that were checked. OpenSSL looks for an issuer in the trust store first.

    Among several of one name it takes one that is valid now.
    """
    known = (*sorted(case.trusted, key=lambda each: not _is_valid(each, now)), *case.chain[1:])
    path = list(case.chain[:1])
    while path and not is_self_signed(path[-1]):
        above = next((each for each in known if each not in path and has_issued(each, path[-1])), None)
        if above is None:
            break
        path.append(above)
    return tuple(path)


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_anchor(case: Case, certificate: x509.Certificate) -> bool:
    """Whether it is refused as one that we trust, rather than as the server's own."""
    return certificate in case.trusted and certificate != case.chain[0]


# Names.


def wrong_name(case: Case, certificate: x509.Certificate) -> Explanation:
    names, subject = names_of(certificate), name_text(certificate.subject)
    address = as_address(case.host) is not None
    in_common = (names.common or "").lower().rstrip(".") == case.host.lower().rstrip(".")
    if in_common and (names.dns or address):
        why = "addresses count only as such" if address else "the CN does not count beside DNS names"
        return Explanation(
            Reason.NAME_ONLY_IN_CN,
            subject,
            f"the certificate {subject} bears {case.host} only in its CN; {why}, and it is for {names}",
            f"Put {case.host} into its subjectAltName, or connect by one of its names",
        )
    every = (*names.hosts, *map(str, names.addresses))
    usable = next((name for name in every if is_listed(names, (name,))), None)
    key = case.setting("TRUSTED_HOSTS")
    if usable is None:
        fix = f"Replace it by one with {case.host} in its subjectAltName"
    elif key is None:
        fix = f"Set {case.profile.keys.host} to one of its names"
    else:
        fix = f"Set {case.profile.keys.host} to one of its names, or accept it as it is with {key}={usable}"
    sentence = f"the certificate {subject} is for {names}, not for {case.host}"
    return Explanation(Reason.WRONG_NAME, subject, sentence, fix)


def unknown_name(case: Case) -> Explanation:
    """The server was asked for a name (SNI, RFC 6066 3), and says that it is not its own."""
    return Explanation(
        Reason.WRONG_NAME,
        case.place,
        f"{case.place} has no certificate for {case.host}, and refuses connections by that name",
        f"Set {case.profile.keys.host} to a name that the server has a certificate for, or let it have one"
        f" for {case.host}",
    )


# Strength.


def too_weak(case: Case, certificate: x509.Certificate | None, why: str) -> Explanation:
    subject, level, key = case.subject_of(certificate), case.profile.level, case.setting("SECURITY_LEVEL")
    lower = f", or set a lower {key}" if level and key else ""
    wanted = (
        "an EC key, signed by ECDSA"
        if level >= SecurityLevel.SUITE_B_128
        else "a key of 2048 bits or more and SHA-256"
    )
    return Explanation(
        Reason.TOO_WEAK,
        subject,
        f"the certificate {subject} of {case.place} is too weak for TLS_SECURITY_LEVEL {level:d}: {why}",
        f"Replace it by one with {wanted}{lower}",
    )


def weak_in_chain(case: Case, otherwise: str) -> Explanation:
    """The first certificate of the chain that the level forbids; `otherwise` is told when none is."""
    for certificate in case.chain:
        anchor = certificate in case.trusted or certificate.subject == certificate.issuer
        why = weakness(certificate, case.profile.level, anchor=anchor)
        if why is not None:
            return too_weak(case, certificate, why)
    return too_weak(case, case.chain[0] if case.chain else None, otherwise)
