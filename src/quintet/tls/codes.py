"""The codes of everything that this package finds wrong, and what they mean."""

from dataclasses import dataclass
from typing import Literal

_IMPACTS = {
    "T1": "without the store no server can be trusted, so encrypted connections fail",
    "T2": "the connection is refused, and nothing is sent over it",
    "T3": "no encrypted connection can be made",
    "T4": "no encrypted connection can be made",
}
_FETCH = "quintet trust fetch HOST:PORT"


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One kind of problem: its code, title, usual fix, impact and severity."""

    code: str
    title: str
    fix: str
    impact: str
    severity: Literal["error", "warning", "note"] = "error"


def _row(
    code: str, title: str, fix: str, impact: str = "", severity: Literal["error", "warning", "note"] = "error"
) -> CodeRow:
    return CodeRow(code, title, fix, impact or _IMPACTS[code[:2]], severity)


CODES = (
    _row("T100", "The store cannot be used", f"recreate it with {_FETCH}"),
    _row("T101", "The store file does not exist", f"make it with {_FETCH}"),
    _row("T102", "The store file cannot be read", "let the user that runs Quintet read it"),
    _row("T103", "The file is not a store", "quintet trust import FILE puts certificates into one"),
    _row("T104", "The store is of another type", "set ..._STORE_TYPE to p12 or jks, as the file is"),
    _row("T105", "The store is damaged", "copy it again in binary mode, or recreate it"),
    _row("T106", "The store's password is wrong or missing", "set the password or the stash file"),
    _row("T107", "The store uses something unsupported", "recreate it with keytool"),
    _row("T108", "The store is too large or too costly to open", "recreate it with what is needed"),
    _row("T109", "The store lacks the entry that is needed", f"{_FETCH}, or set TLS_KEY_LABEL"),
    _row("T110", "The alias exists already", "choose another alias", "nothing was changed"),
    _row("T111", "The store could not be written", "check folder and disk", "the old file is unchanged"),
    _row(
        "T112",
        "An entry of the store cannot be used for TLS",
        "replace the entry",
        "no encrypted connection can be made",
    ),
    _row("T113", "The stash file cannot be used", "remove it, and set the password once"),
    _row("T114", "The stash file does not exist", "set the password beside it once"),
    _row(
        "T121",
        "Java does not see certificates of the store",
        "quintet trust convert",
        "Quintet trusts them; Java programs find them missing",
        "note",
    ),
    _row(
        "T122",
        "The store has no MAC",
        "quintet trust convert",
        "a modification of the file would go unnoticed",
        "note",
    ),
    _row(
        "T123",
        "A key has a password of its own",
        "keytool -keypasswd gives it the store's password",
        "the key cannot be used",
        "warning",
    ),
    _row(
        "T124", "Others can read the stash file", "chmod 600 FILE", "they can learn the password", "warning"
    ),
    _row(
        "T125",
        "The stash file is not used",
        "remove the stash file; the next start writes a new one",
        "the password in the settings is used instead",
        "warning",
    ),
    _row(
        "T126",
        "An entry of the store is ignored",
        "replace the entry, or remove it with quintet trust remove",
        "its certificate or key cannot be read; the others are used",
        "warning",
    ),
    _row(
        "T127", "Bytes follow the end of the store", "copy the file again", "none: they are ignored", "note"
    ),
    _row("T201", "The certificate's issuer is unknown", _FETCH),
    _row("T202", "An intermediate certificate is missing", "let the server send its whole chain"),
    _row("T203", "The certificate is self-signed and not trusted", _FETCH),
    _row("T204", "A certificate has expired", "renew it where it comes from"),
    _row("T205", "A certificate is not yet valid", "check the clocks"),
    _row("T206", "The certificate is for another name", "set HostName to one of its names"),
    _row("T207", "The name stands only in the CN", "put it into the subjectAltName"),
    _row("T208", "The IP address is written as a DNS name", "write it as IP:... in subjectAltName"),
    _row("T209", "No name of the certificate is in TRUSTED_HOSTS", "add it, or remove the key"),
    _row("T210", "A certificate is too weak for the security level", "replace it by a stronger one"),
    _row("T211", "An issuer is not a CA certificate", "have it issued again with CA:TRUE"),
    _row("T212", "The certificate is not for servers", "replace it by one with serverAuth"),
    _row("T213", "A constraint of the chain is violated", "have the certificate issued within it"),
    _row("T214", "A certificate is malformed", "replace it by one that follows RFC 5280"),
    _row("T215", "No common TLS version", "enable TLS 1.2 on the server"),
    _row("T216", "No common cipher suite", "set STLDAP_TLS_CIPHER_SUITES to one the server has"),
    _row("T217", "The port does not speak TLS", "use the server's TLS port, usually 636"),
    _row("T218", "The server closes during the handshake", "check the port and the server's log"),
    _row("T219", "The server does not answer in the handshake", "check port and firewall"),
    _row("T220", "The server demands a client certificate", "set STLDAP_TLS_KEY_STORE_FILE"),
    _row("T221", "The server refuses our client certificate", "make the server trust its issuer"),
    _row("T222", "A certificate was revoked", "replace it; do not use the server until then"),
    _row("T223", "A CRL is missing", "add the CRLs of all CAs of the chain to the CRL file"),
    _row("T224", "A CRL is out of date or invalid", "download the current CRLs, regularly"),
    _row("T299", "The TLS handshake failed", "openssl s_client -connect HOST:PORT shows more"),
    _row("T301", "The type of store is unknown", "set ..._STORE_TYPE to p12 or jks"),
    _row(
        "T302",
        "A store key has no effect",
        "set ..._FILE",
        "there is no store file that it is for",
        "warning",
    ),
    _row(
        "T303",
        "The keys of one store are in two scopes",
        "use one prefix",
        "nearly always a mistake",
        "warning",
    ),
    _row("T304", "The TLS version is unknown", "set it to 0x303 or 0x304"),
    _row("T305", "The oldest TLS version is newer than the newest", "set both to 0x303"),
    _row(
        "T306",
        "An insecure TLS version is allowed",
        "set the minimum to 0x303",
        "it can be broken",
        "warning",
    ),
    _row("T307", "The security level excludes the other settings", "lower it, or change the others"),
    _row("T308", "The cipher suites cannot be used", "correct the list, or remove the key"),
    _row("T309", "The value is not a flag", "set it to 0 or 1", "what was meant is unknown"),
    _row(
        "T310",
        "TRUSTED_HOSTS lists no host name",
        "write names alone",
        "no certificate matches it",
        "warning",
    ),
    _row("T311", "MIRROR_TRUSTED_HOSTS needs a key store", "set TLS_KEY_STORE_FILE, or the flag to 0"),
    _row("T312", "FIPS 140 compliance is not possible here", "enable OpenSSL's FIPS provider"),
    _row("T313", "The TLS settings cannot be met here", "change the settings that the message names"),
    _row("T401", "The CRL file cannot be used", "put the CRLs of all CAs of the chain into it"),
)
