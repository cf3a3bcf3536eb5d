"""Explaining failed TLS handshakes: `explain` turns an exception into an `Explanation` with a `Reason`."""

from quintet.tls.diagnosis.case import Explanation, Reason
from quintet.tls.diagnosis.explain import explain

__all__ = ["Explanation", "Reason", "explain"]
