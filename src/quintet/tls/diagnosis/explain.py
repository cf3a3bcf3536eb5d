"""Why a TLS handshake failed: the reason, the certificate at fault, and what to do."""

import ssl
from collections.abc import Iterator
from dataclasses import replace

from quintet.tls.context import (
    CertificateNameError,
    CertificateStrengthError,
    ChainError,
    MalformedChainError,
    UnlistedSuiteError,
)
from quintet.tls.diagnosis import certificates, handshakes
from quintet.tls.diagnosis.case import Case, Explanation, Reason
from quintet.tls.inspect import Presented
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import Store

_NOTHING = Presented()


def explain(
    error: BaseException,
    *,
    host: str,
    port: int,
    settings: TlsSettings,
    trust: Store | None = None,
    presented: Presented = _NOTHING,
) -> Explanation:
    """What `error`, raised by a handshake or one of its causes, means for an administrator.

    `presented` is what the server showed to `inspect`, as far as that is known; errors of a chain bring it
    along.
    """
    trusted = trust.certificates if trust else ()
    case = Case(host, port, presented, presented.chain, (), trusted, settings)
    for one in _causes(error):
        if isinstance(one, ChainError):
            case = replace(case, chain=one.presented or case.chain, path=one.path)
        found = _judged(case, one)
        if found is not None:
            return found
    message = f"the TLS handshake with {case.place} failed: {error}"
    fix = f"see what the server presents: openssl s_client -connect {case.place}"
    return Explanation(Reason.OTHER, case.place, message, fix)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _judged(case: Case, error: BaseException) -> Explanation | None:
    if isinstance(error, CertificateNameError):
        return certificates.wrong_name(case, error.certificate)
    if isinstance(error, CertificateStrengthError):
        return certificates.too_weak(case, error.certificate, error.detail)
    if isinstance(error, MalformedChainError):
        return certificates.malformed(case, error.detail)
    if isinstance(error, UnlistedSuiteError):
        return handshakes.unlisted_suite(case, error.suite)
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificates.unverified(case, error)
    if isinstance(error, ssl.SSLError):
        return handshakes.failed(case, error)
    if isinstance(error, TimeoutError):
        return handshakes.silent(case)
    if isinstance(error, ConnectionError | EOFError):
        return handshakes.closed(case)
    return None
