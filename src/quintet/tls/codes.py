"""The codes of everything that this package finds wrong, and what they mean."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One kind of problem: its code, severity, title, impact and usual fix."""

    code: str
    severity: Literal["error", "warning", "note"]
    title: str
    impact: str
    fix: str


_TLS = "no encrypted connection can be made"
_STORE = "without the store no server can be trusted, so encrypted connections fail"
_ONE = "the connection is refused, and nothing is sent over it"
_FETCH = "quintet trust fetch HOST:PORT"

CODES = (
    CodeRow("T100", "error", "The store cannot be used", _STORE, f"recreate it with {_FETCH}"),
    CodeRow("T101", "error", "The store file does not exist", _STORE, f"make it with {_FETCH}"),
    CodeRow(
        "T102", "error", "The store file cannot be read", _STORE, "let the user that runs Quintet read it"
    ),
    CodeRow(
        "T103",
        "error",
        "The file is not a store",
        _STORE,
        "quintet trust import FILE puts certificates into one",
    ),
    CodeRow(
        "T104",
        "error",
        "The store is of another type",
        _STORE,
        "set ..._STORE_TYPE to p12 or jks, as the file is",
    ),
    CodeRow("T105", "error", "The store is damaged", _STORE, "copy it again in binary mode, or recreate it"),
    CodeRow(
        "T106",
        "error",
        "The store's password is wrong or missing",
        _STORE,
        "set the password or the stash file",
    ),
    CodeRow("T107", "error", "The store uses something unsupported", _STORE, "recreate it with keytool"),
    CodeRow(
        "T108",
        "error",
        "The store is too large or too costly to open",
        _STORE,
        "recreate it with what is needed",
    ),
    CodeRow(
        "T109", "error", "The store lacks the entry that is needed", _STORE, f"{_FETCH}, or set TLS_KEY_LABEL"
    ),
    CodeRow("T110", "error", "The alias exists already", "nothing was changed", "choose another alias"),
    CodeRow(
        "T111",
        "error",
        "The store could not be written",
        "the old file is unchanged",
        "check folder and disk",
    ),
    CodeRow("T112", "error", "An entry of the store cannot be used for TLS", _TLS, "replace the entry"),
    CodeRow("T113", "error", "The stash file cannot be used", _STORE, "remove it, and set the password once"),
    CodeRow("T114", "error", "The stash file does not exist", _STORE, "set the password beside it once"),
    CodeRow(
        "T121",
        "note",
        "Java does not see certificates of the store",
        "Quintet trusts them; Java programs find them missing",
        "quintet trust convert",
    ),
    CodeRow(
        "T122",
        "note",
        "The store has no MAC",
        "a modification of the file would go unnoticed",
        "quintet trust convert",
    ),
    CodeRow(
        "T123",
        "warning",
        "A key has a password of its own",
        "the key cannot be used",
        "keytool -keypasswd gives it the store's password",
    ),
    CodeRow(
        "T124", "warning", "Others can read the stash file", "they can learn the password", "chmod 600 FILE"
    ),
    CodeRow(
        "T125",
        "warning",
        "The stash file is not used",
        "the password in the settings is used instead",
        "remove the stash file; the next start writes a new one",
    ),
    CodeRow(
        "T126",
        "warning",
        "An entry of the store is ignored",
        "its certificate or key cannot be read; the others are used",
        "replace the entry, or remove it with quintet trust remove",
    ),
    CodeRow(
        "T127", "note", "Bytes follow the end of the store", "none: they are ignored", "copy the file again"
    ),
    CodeRow("T201", "error", "The certificate's issuer is unknown", _ONE, _FETCH),
    CodeRow(
        "T202", "error", "An intermediate certificate is missing", _ONE, "let the server send its whole chain"
    ),
    CodeRow("T203", "error", "The certificate is self-signed and not trusted", _ONE, _FETCH),
    CodeRow("T204", "error", "A certificate has expired", _ONE, "renew it where it comes from"),
    CodeRow("T205", "error", "A certificate is not yet valid", _ONE, "check the clocks"),
    CodeRow("T206", "error", "The certificate is for another name", _ONE, "set HostName to one of its names"),
    CodeRow("T207", "error", "The name stands only in the CN", _ONE, "put it into the subjectAltName"),
    CodeRow(
        "T208",
        "error",
        "The IP address is written as a DNS name",
        _ONE,
        "write it as IP:... in subjectAltName",
    ),
    CodeRow(
        "T209", "error", "No name of the certificate is in TRUSTED_HOSTS", _ONE, "add it, or remove the key"
    ),
    CodeRow(
        "T210",
        "error",
        "A certificate is too weak for the security level",
        _ONE,
        "replace it by a stronger one",
    ),
    CodeRow("T211", "error", "An issuer is not a CA certificate", _ONE, "have it issued again with CA:TRUE"),
    CodeRow("T212", "error", "The certificate is not for servers", _ONE, "replace it by one with serverAuth"),
    CodeRow(
        "T213",
        "error",
        "A constraint of the chain is violated",
        _ONE,
        "have the certificate issued within it",
    ),
    CodeRow("T214", "error", "A certificate is malformed", _ONE, "replace it by one that follows RFC 5280"),
    CodeRow("T215", "error", "No common TLS version", _ONE, "enable TLS 1.2 on the server"),
    CodeRow(
        "T216", "error", "No common cipher suite", _ONE, "set STLDAP_TLS_CIPHER_SUITES to one the server has"
    ),
    CodeRow("T217", "error", "The port does not speak TLS", _ONE, "use the server's TLS port, usually 636"),
    CodeRow(
        "T218", "error", "The server closes during the handshake", _ONE, "check the port and the server's log"
    ),
    CodeRow("T219", "error", "The server does not answer in the handshake", _ONE, "check port and firewall"),
    CodeRow(
        "T220", "error", "The server demands a client certificate", _ONE, "set STLDAP_TLS_KEY_STORE_FILE"
    ),
    CodeRow(
        "T221", "error", "The server refuses our client certificate", _ONE, "make the server trust its issuer"
    ),
    CodeRow(
        "T222", "error", "A certificate was revoked", _ONE, "replace it; do not use the server until then"
    ),
    CodeRow(
        "T223", "error", "A CRL is missing", _ONE, "add the CRLs of all CAs of the chain to the CRL file"
    ),
    CodeRow("T224", "error", "A CRL is out of date or invalid", _ONE, "download the current CRLs, regularly"),
    CodeRow(
        "T299", "error", "The TLS handshake failed", _ONE, "openssl s_client -connect HOST:PORT shows more"
    ),
    CodeRow("T301", "error", "The type of store is unknown", _TLS, "set ..._STORE_TYPE to p12 or jks"),
    CodeRow(
        "T302",
        "warning",
        "A store key has no effect",
        "there is no store file that it is for",
        "set ..._FILE",
    ),
    CodeRow(
        "T303",
        "warning",
        "The keys of one store are in two scopes",
        "nearly always a mistake",
        "use one prefix",
    ),
    CodeRow("T304", "error", "The TLS version is unknown", _TLS, "set it to 0x303 or 0x304"),
    CodeRow("T305", "error", "The oldest TLS version is newer than the newest", _TLS, "set both to 0x303"),
    CodeRow(
        "T306",
        "warning",
        "An insecure TLS version is allowed",
        "it can be broken",
        "set the minimum to 0x303",
    ),
    CodeRow(
        "T307",
        "error",
        "The security level excludes the other settings",
        _TLS,
        "lower it, or change the others",
    ),
    CodeRow("T308", "error", "The cipher suites cannot be used", _TLS, "correct the list, or remove the key"),
    CodeRow("T309", "error", "The value is not a flag", "what was meant is unknown", "set it to 0 or 1"),
    CodeRow(
        "T310",
        "warning",
        "TRUSTED_HOSTS lists no host name",
        "no certificate matches it",
        "write names alone",
    ),
    CodeRow(
        "T311",
        "error",
        "MIRROR_TRUSTED_HOSTS needs a key store",
        _TLS,
        "set TLS_KEY_STORE_FILE, or the flag to 0",
    ),
    CodeRow(
        "T312", "error", "FIPS 140 compliance is not possible here", _TLS, "enable OpenSSL's FIPS provider"
    ),
    CodeRow(
        "T313",
        "error",
        "The TLS settings cannot be met here",
        _TLS,
        "change the settings that the message names",
    ),
    CodeRow(
        "T401", "error", "The CRL file cannot be used", _TLS, "put the CRLs of all CAs of the chain into it"
    ),
)
