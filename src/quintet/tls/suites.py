"""The names of cipher suites: every spelling that administrators use, and the one that OpenSSL takes."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

_ANY = ssl.TLSVersion.SSLv3
_1_0 = ssl.TLSVersion.TLSv1
_1_2 = ssl.TLSVersion.TLSv1_2
_1_3 = ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher suite: its IANA name, its code, OpenSSL's name, and the oldest version that can use it.

    `most` is the highest security level that allows it (config 2.6 and 2.7).
    """

    name: str
    code: int
    openssl: str
    oldest: ssl.TLSVersion
    most: int

    @property
    def is_13(self) -> bool:
        """Whether it belongs to TLS 1.3, which shares no suite with older versions."""
        return self.oldest is _1_3


class CipherSuiteError(ValueError):
    """A name that cannot be used as a cipher suite; the message says why, `fix` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Signal(CipherSuiteError):
    """The name of a signalling value that stands in lists of suites and is none. It can be left out."""


# In the order in which we offer them: forward secrecy first, RSA key exchange (old servers) last.
SUITES = (
    Suite("TLS_AES_256_GCM_SHA384", 0x1302, "TLS_AES_256_GCM_SHA384", _1_3, 1),
    Suite("TLS_AES_128_GCM_SHA256", 0x1301, "TLS_AES_128_GCM_SHA256", _1_3, 1),
    Suite("TLS_CHACHA20_POLY1305_SHA256", 0x1303, "TLS_CHACHA20_POLY1305_SHA256", _1_3, 0),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384", _1_2, 4),
    Suite("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xC030, "ECDHE-RSA-AES256-GCM-SHA384", _1_2, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256", _1_2, 3),
    Suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC02F, "ECDHE-RSA-AES128-GCM-SHA256", _1_2, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305", _1_2, 0),
    Suite("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305", _1_2, 0),
    Suite("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 0x009F, "DHE-RSA-AES256-GCM-SHA384", _1_2, 2),
    Suite("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 0x009E, "DHE-RSA-AES128-GCM-SHA256", _1_2, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 0xC024, "ECDHE-ECDSA-AES256-SHA384", _1_2, 2),
    Suite("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 0xC028, "ECDHE-RSA-AES256-SHA384", _1_2, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xC023, "ECDHE-ECDSA-AES128-SHA256", _1_2, 2),
    Suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xC027, "ECDHE-RSA-AES128-SHA256", _1_2, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xC00A, "ECDHE-ECDSA-AES256-SHA", _1_0, 2),
    Suite("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xC014, "ECDHE-RSA-AES256-SHA", _1_0, 2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xC009, "ECDHE-ECDSA-AES128-SHA", _1_0, 2),
    Suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xC013, "ECDHE-RSA-AES128-SHA", _1_0, 2),
    Suite("TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", 0x006B, "DHE-RSA-AES256-SHA256", _1_2, 2),
    Suite("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", 0x0067, "DHE-RSA-AES128-SHA256", _1_2, 2),
    Suite("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 0x0039, "DHE-RSA-AES256-SHA", _ANY, 2),
    Suite("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", 0x0033, "DHE-RSA-AES128-SHA", _ANY, 2),
    Suite("TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009D, "AES256-GCM-SHA384", _1_2, 2),
    Suite("TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009C, "AES128-GCM-SHA256", _1_2, 2),
    Suite("TLS_RSA_WITH_AES_256_CBC_SHA256", 0x003D, "AES256-SHA256", _1_2, 2),
    Suite("TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003C, "AES128-SHA256", _1_2, 2),
    Suite("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035, "AES256-SHA", _ANY, 2),
    Suite("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002F, "AES128-SHA", _ANY, 2),
)

# Insecure suites that were in use once and that OpenSSL no longer offers: IANA name, code, OpenSSL's name.
_REFUSED = (
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000A, "DES-CBC3-SHA"),
    ("TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", 0x0016, "DHE-RSA-DES-CBC3-SHA"),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xC012, "ECDHE-RSA-DES-CBC3-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", 0xC008, "ECDHE-ECDSA-DES-CBC3-SHA"),
    ("TLS_RSA_WITH_RC4_128_MD5", 0x0004, "RC4-MD5"),
    ("TLS_RSA_WITH_RC4_128_SHA", 0x0005, "RC4-SHA"),
    ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xC011, "ECDHE-RSA-RC4-SHA"),
    ("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xC007, "ECDHE-ECDSA-RC4-SHA"),
    ("TLS_RSA_WITH_DES_CBC_SHA", 0x0009, "DES-CBC-SHA"),
    ("TLS_DHE_RSA_WITH_DES_CBC_SHA", 0x0015, "EDH-RSA-DES-CBC-SHA"),
    ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", 0x0003, "EXP-RC4-MD5"),
    ("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5", 0x0006, "EXP-RC2-CBC-MD5"),
    ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", 0x0008, "EXP-DES-CBC-SHA"),
    ("TLS_RSA_WITH_NULL_MD5", 0x0001, "NULL-MD5"),
    ("TLS_RSA_WITH_NULL_SHA", 0x0002, "NULL-SHA"),
    ("TLS_RSA_WITH_NULL_SHA256", 0x003B, "NULL-SHA256"),
)

# Signalling values share the number space of the suites (RFC 5746, RFC 7507).
_SIGNALS = (("TLS_EMPTY_RENEGOTIATION_INFO_SCSV", 0x00FF), ("TLS_FALLBACK_SCSV", 0x5600))


def find_suite(text: str) -> Suite:
    """The suite that `text` names: IANA's or Java's name, OpenSSL's, GSKit's short one, or its code.

    The prefix may be `TLS_`, `SSL_` or missing, `WITH_` may be missing, `-` stands for `_`, case is ignored.
    Raises `CipherSuiteError` for a name that is unknown, with the nearest known one, and for a suite that is
    too weak today; `Signal` for what is in Java's lists without being a suite.
    """
    folded = _fold(text)
    if folded in _BY_SPELLING:
        return _BY_SPELLING[folded]
    if folded in _REFUSED_SPELLINGS:
        message = f"{shown(text)} is insecure, and {ssl.OPENSSL_VERSION} does not offer it"
        raise CipherSuiteError(message, "remove it from the list")
    if folded in _SIGNAL_SPELLINGS:
        message = f"{shown(text)} is a signalling value, not a cipher suite; it is ignored"
        raise Signal(message, "remove it from the list")
    near = get_close_matches(folded, _BY_SPELLING, n=1, cutoff=0.75) if len(folded) <= 100 else []
    fix = f"did you mean {_BY_SPELLING[near[0]].name}?" if near else "remove it from the list"
    raise CipherSuiteError(f"{shown(text)} is not a known cipher suite", fix)


def shown(text: str) -> str:
    """`text` in quotes, fit to be printed: not too long, without control characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text.strip())
    return f'"{clean}"' if len(clean) <= 60 else f'"{clean[:60]}…"'


def suite_by_openssl_name(name: str) -> Suite | None:
    """The suite with exactly that OpenSSL name, as `SSLObject.cipher()` gives it."""
    return _BY_OPENSSL.get(name)


def _spellings(name: str, code: int, openssl: str) -> Iterator[str]:
    bare = name.removeprefix("TLS_")
    short = bare.replace("WITH_", "")
    for stem in (bare, short):
        yield from (stem, f"TLS_{stem}", f"SSL_{stem}")
    yield openssl.upper().replace("-", "_")
    yield f"0X{code:04X}"


def _fold(text: str) -> str:
    folded = text.strip().upper().replace("-", "_")
    if folded.startswith("0X"):
        return "0X" + folded[2:].lstrip("0").rjust(4, "0")
    return folded


_BY_SPELLING = {s: suite for suite in SUITES for s in _spellings(suite.name, suite.code, suite.openssl)}
_REFUSED_SPELLINGS = frozenset(s for row in _REFUSED for s in _spellings(*row))
_SIGNAL_SPELLINGS = frozenset(s for name, code in _SIGNALS for s in _spellings(name, code, name))
_BY_OPENSSL = {suite.openssl: suite for suite in SUITES}
