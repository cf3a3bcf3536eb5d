"""The codes of stores, certificates and handshakes (T100 to T401)."""

from quintet.diagnostics.codes import Code, Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_NO_TLS = "no encrypted connection can be made"
_NO_STORE = "without the store no server can be trusted, so encrypted connections fail"
_REFUSED = "the connection is refused, and nothing is sent over it"


class TlsFinding(Code):
    """What can be wrong with a store (T1..), a handshake (T2..), TLS settings (T3..) or a CRL file (T4..)."""

    T100 = (_E, "The store cannot be used", _NO_STORE, "recreate it with quintet trust fetch HOST:PORT")
    T101 = (_E, "The store file does not exist", _NO_STORE, "make it with quintet trust fetch HOST:PORT")
    T102 = (_E, "The store file cannot be read", _NO_STORE, "let the user that runs Quintet read it")
    T103 = (_E, "The file is not a store", _NO_STORE, "quintet trust import FILE puts certificates into one")
    T104 = (_E, "The store is of another type", _NO_STORE, "set ..._STORE_TYPE to p12 or jks, as the file is")
    T105 = (_E, "The store is damaged", _NO_STORE, "copy it again in binary mode, or recreate it")
    T106 = (_E, "The store's password is wrong or missing", _NO_STORE, "set the password or the stash file")
    T107 = (_E, "The store uses something unsupported", _NO_STORE, "recreate it with keytool")
    T108 = (_E, "The store is too large or too costly to open", _NO_STORE, "recreate it with what is needed")
    T109 = (
        _E,
        "The store lacks the entry that is needed",
        _NO_STORE,
        "quintet trust fetch HOST:PORT, or set TLS_KEY_LABEL",
    )
    T110 = (_E, "The alias exists already", "nothing was changed", "choose another alias")
    T111 = (_E, "The store could not be written", "the old file is unchanged", "check folder and disk")
    T112 = (_E, "An entry of the store cannot be used for TLS", _NO_TLS, "replace the entry")
    T113 = (_E, "The stash file cannot be used", _NO_STORE, "remove it, and set the password once")
    T114 = (_E, "The stash file does not exist", _NO_STORE, "set the password beside it once")
    T121 = (
        _N,
        "Java does not see certificates of the store",
        "Quintet trusts them; Java programs find them missing",
        "quintet trust convert",
    )
    T122 = (
        _N,
        "The store has no MAC",
        "a modification of the file would go unnoticed",
        "quintet trust convert",
    )
    T123 = (
        _W,
        "A key has a password of its own",
        "the key cannot be used",
        "keytool -keypasswd gives it the store's password",
    )
    T124 = (_W, "Others can read the stash file", "they can learn the password", "chmod 600 FILE")
    T125 = (
        _W,
        "The stash file is not used",
        "the password in the settings is used instead",
        "remove the stash file; the next start writes a new one",
    )
    T126 = (
        _W,
        "An entry of the store is ignored",
        "its certificate or key cannot be read; the others are used",
        "replace the entry, or remove it with quintet trust remove",
    )
    T127 = (_N, "Bytes follow the end of the store", "none: they are ignored", "copy the file again")
    T201 = (_E, "The certificate's issuer is unknown", _REFUSED, "quintet trust fetch HOST:PORT")
    T202 = (_E, "An intermediate certificate is missing", _REFUSED, "let the server send its whole chain")
    T203 = (_E, "The certificate is self-signed and not trusted", _REFUSED, "quintet trust fetch HOST:PORT")
    T204 = (_E, "A certificate has expired", _REFUSED, "renew it where it comes from")
    T205 = (_E, "A certificate is not yet valid", _REFUSED, "check the clocks")
    T206 = (_E, "The certificate is for another name", _REFUSED, "set HostName to one of its names")
    T207 = (_E, "The name stands only in the CN", _REFUSED, "put it into the subjectAltName")
    T208 = (_E, "The IP address is written as a DNS name", _REFUSED, "write it as IP:... in subjectAltName")
    T209 = (_E, "No name of the certificate is in TRUSTED_HOSTS", _REFUSED, "add it, or remove the key")
    T210 = (_E, "A certificate is too weak for the security level", _REFUSED, "replace it by a stronger one")
    T211 = (_E, "An issuer is not a CA certificate", _REFUSED, "have it issued again with CA:TRUE")
    T212 = (_E, "The certificate is not for servers", _REFUSED, "replace it by one with serverAuth")
    T213 = (_E, "A constraint of the chain is violated", _REFUSED, "have the certificate issued within it")
    T214 = (_E, "A certificate is malformed", _REFUSED, "replace it by one that follows RFC 5280")
    T215 = (_E, "No common TLS version", _REFUSED, "enable TLS 1.2 on the server")
    T216 = (_E, "No common cipher suite", _REFUSED, "set STLDAP_TLS_CIPHER_SUITES to one the server has")
    T217 = (_E, "The port does not speak TLS", _REFUSED, "use the server's TLS port, usually 636")
    T218 = (_E, "The server closes during the handshake", _REFUSED, "check the port and the server's log")
    T219 = (_E, "The server does not answer in the handshake", _REFUSED, "check port and firewall")
    T220 = (_E, "The server demands a client certificate", _REFUSED, "set STLDAP_TLS_KEY_STORE_FILE")
    T221 = (_E, "The server refuses our client certificate", _REFUSED, "make the server trust its issuer")
    T222 = (_E, "A certificate was revoked", _REFUSED, "replace it; do not use the server until then")
    T223 = (_E, "A CRL is missing", _REFUSED, "add the CRLs of all CAs of the chain to the CRL file")
    T224 = (_E, "A CRL is out of date or invalid", _REFUSED, "download the current CRLs, regularly")
    T299 = (_E, "The TLS handshake failed", _REFUSED, "openssl s_client -connect HOST:PORT shows more")
    T301 = (_E, "The type of store is unknown", _NO_TLS, "set ..._STORE_TYPE to p12 or jks")
    T302 = (_W, "A store key has no effect", "there is no store file that it is for", "set ..._FILE")
    T303 = (_W, "The keys of one store are in two scopes", "nearly always a mistake", "use one prefix")
    T304 = (_E, "The TLS version is unknown", _NO_TLS, "set it to 0x303 or 0x304")
    T305 = (_E, "The oldest TLS version is newer than the newest", _NO_TLS, "set both to 0x303")
    T306 = (_W, "An insecure TLS version is allowed", "it can be broken", "set the minimum to 0x303")
    T307 = (_E, "The security level excludes the other settings", _NO_TLS, "lower it, or change the others")
    T308 = (_E, "The cipher suites cannot be used", _NO_TLS, "correct the list, or remove the key")
    T309 = (_E, "The value is not a flag", "what was meant is unknown", "set it to 0 or 1")
    T310 = (_W, "TRUSTED_HOSTS lists no host name", "no certificate matches it", "write names alone")
    T311 = (_E, "MIRROR_TRUSTED_HOSTS needs a key store", _NO_TLS, "set TLS_KEY_STORE_FILE, or the flag to 0")
    T312 = (_E, "FIPS 140 compliance is not possible here", _NO_TLS, "enable OpenSSL's FIPS provider")
    T313 = (_E, "The TLS settings cannot be met here", _NO_TLS, "change the settings that the message names")
    T401 = (_E, "The CRL file cannot be used", _NO_TLS, "put the CRLs of all CAs of the chain into it")
