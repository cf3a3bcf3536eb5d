"""Problems as data: what is wrong, where, how bad it is, and what to do about it.

A `Diagnostic` is made where the problem is found, with a `Code`: a `Pitfall` of Sametime (D1 to D44), a
`Finding` of Quintet (Q4 and on), or a `TlsFinding` about stores, certificates and handshakes (T100 and on).
What holds for all problems of one code stands with the code, once; `quintet explain` and
docs/reference/findings.md show it. `Diagnostics` collects them.
"""

from difflib import SequenceMatcher

from quintet.diagnostics.codes import Code, Severity
from quintet.diagnostics.findings import Finding
from quintet.diagnostics.pitfalls import Pitfall
from quintet.diagnostics.problems import (
    Diagnostic,
    Diagnostics,
    Place,
    SettingsError,
    did_you_mean,
    nearest,
    shown,
)
from quintet.diagnostics.tls_findings import TlsFinding

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "Diagnostics",
    "Finding",
    "Pitfall",
    "Place",
    "SettingsError",
    "Severity",
    "TlsFinding",
    "did_you_mean",
    "near_codes",
    "nearest",
    "shown",
]

CODES: dict[str, Code] = {code.name: code for kind in (Pitfall, Finding, TlsFinding) for code in kind}
"""Every code by its name."""

_LIKE = 0.5


def near_codes(name: str) -> list[str]:
    """The names of codes that may be meant by one that does not exist, the nearest first."""
    wanted = name.strip().upper()[:10]
    likeness = {each: SequenceMatcher(None, each, wanted).ratio() for each in CODES}
    near = [each for each in CODES if likeness[each] >= _LIKE]
    return sorted(near, key=lambda each: (-likeness[each], CODES[each].order))[:6]
