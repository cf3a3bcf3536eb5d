"""Why a handshake failed, in words: the reason, the certificate at fault, and what to do."""

import ssl
from collections.abc import Iterator, Sequence

from cryptography import x509

from quintet.tls.chains import unverified_chain as peer_chain
from quintet.tls.context import CertificateNameError, CertificateStrengthError, UnlistedSuiteError
from quintet.tls.diagnosis import certificates, handshakes
from quintet.tls.diagnosis.case import Case, Explanation, Reason, Seen
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import Store

__all__ = ["Explanation", "Reason", "Seen", "explain", "peer_chain"]

_NOTHING_SEEN = Seen()


def explain(
    error: BaseException,
    *,
    host: str,
    port: int,
    chain: Sequence[x509.Certificate],
    trust: Store | None,
    profile: TlsSettings,
    seen: Seen = _NOTHING_SEEN,
) -> Explanation:
    """What `error`, raised by a handshake or one of its causes, means for an administrator.

    `chain` is what the server sent (`peer_chain` of an inspecting handshake), empty when that is not known.
    """
    case = Case(host, port, tuple(chain), trust.certificates if trust else (), profile, seen)
    for one in _causes(error):
        found = _judged(case, one)
        if found is not None:
            return found
    sentence = f"the TLS handshake with {case.place} failed: {error}"
    return Explanation(Reason.OTHER, case.place, sentence, case.look)


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
        return certificates.too_weak(case, error.certificate, error.why)
    if isinstance(error, UnlistedSuiteError):
        return handshakes.unlisted_suite(case, error.suite)
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificates.unverified(case, error)
    if isinstance(error, ssl.SSLError):
        return handshakes.failed(case, error)
    if isinstance(error, TimeoutError) or "taking longer" in str(error):
        return handshakes.silent(case)
    if isinstance(error, ConnectionError | EOFError):
        return handshakes.closed(case)
    return None
