"""The codes of stores, certificates, handshakes, TLS settings and CRL files."""

from quintet.diagnostics.codes import Code


class TlsFinding(Code):
    # Stores and stash files: T1.., handshakes: T2.., settings: T3.., CRL files: T4..
    T100 = """error: The store cannot be used
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: recreate it with quintet trust fetch HOST:PORT"""
    T101 = """error: The store file does not exist
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: make it with quintet trust fetch HOST:PORT"""
    T102 = """error: The store file cannot be read
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: let the user that runs Quintet read it"""
    T103 = """error: The file is not a store
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: quintet trust import FILE puts certificates into one"""
    T104 = """error: The store is of another type
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: set ..._STORE_TYPE to p12 or jks, as the file is"""
    T105 = """error: The store is damaged
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: copy it again in binary mode, or recreate it"""
    T106 = """error: The store's password is wrong or missing
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: set the password or the stash file"""
    T107 = """error: The store uses something unsupported
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: recreate it with keytool"""
    T108 = """error: The store is too large or too costly to open
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: recreate it with what is needed"""
    T109 = """error: The store lacks the entry that is needed
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: quintet trust fetch HOST:PORT, or set TLS_KEY_LABEL"""
    T110 = """error: The alias exists already
    impact: nothing was changed
    fix: choose another alias"""
    T111 = """error: The store could not be written
    impact: the old file is unchanged
    fix: check folder and disk"""
    T112 = """error: An entry of the store cannot be used for TLS
    impact: no encrypted connection can be made
    fix: replace the entry"""
    T113 = """error: The stash file cannot be used
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: remove it, and set the password once"""
    T114 = """error: The stash file does not exist
    impact: without the store no server can be trusted, so encrypted connections fail
    fix: set the password beside it once"""
    T121 = """note: Java does not see certificates of the store
    impact: Quintet trusts them; Java programs find them missing
    fix: quintet trust convert"""
    T122 = """note: The store has no MAC
    impact: a modification of the file would go unnoticed
    fix: quintet trust convert"""
    T123 = """warning: A key has a password of its own
    impact: the key cannot be used
    fix: keytool -keypasswd gives it the store's password"""
    T124 = """warning: Others can read the stash file
    impact: they can learn the password
    fix: chmod 600 FILE"""
    T125 = """warning: The stash file is not used
    impact: the password in the settings is used instead
    fix: remove the stash file; the next start writes a new one"""
    T126 = """warning: An entry of the store is ignored
    impact: its certificate or key cannot be read; the others are used
    fix: replace the entry, or remove it with quintet trust remove"""
    T127 = """note: Bytes follow the end of the store
    impact: none: they are ignored
    fix: copy the file again"""
    T201 = """error: The certificate's issuer is unknown
    impact: the connection is refused, and nothing is sent over it
    fix: quintet trust fetch HOST:PORT"""
    T202 = """error: An intermediate certificate is missing
    impact: the connection is refused, and nothing is sent over it
    fix: let the server send its whole chain"""
    T203 = """error: The certificate is self-signed and not trusted
    impact: the connection is refused, and nothing is sent over it
    fix: quintet trust fetch HOST:PORT"""
    T204 = """error: A certificate has expired
    impact: the connection is refused, and nothing is sent over it
    fix: renew it where it comes from"""
    T205 = """error: A certificate is not yet valid
    impact: the connection is refused, and nothing is sent over it
    fix: check the clocks"""
    T206 = """error: The certificate is for another name
    impact: the connection is refused, and nothing is sent over it
    fix: set HostName to one of its names"""
    T207 = """error: The name stands only in the CN
    impact: the connection is refused, and nothing is sent over it
    fix: put it into the subjectAltName"""
    T208 = """error: The IP address is written as a DNS name
    impact: the connection is refused, and nothing is sent over it
    fix: write it as IP:... in subjectAltName"""
    T209 = """error: No name of the certificate is in TRUSTED_HOSTS
    impact: the connection is refused, and nothing is sent over it
    fix: add it, or remove the key"""
    T210 = """error: A certificate is too weak for the security level
    impact: the connection is refused, and nothing is sent over it
    fix: replace it by a stronger one"""
    T211 = """error: An issuer is not a CA certificate
    impact: the connection is refused, and nothing is sent over it
    fix: have it issued again with CA:TRUE"""
    T212 = """error: The certificate is not for servers
    impact: the connection is refused, and nothing is sent over it
    fix: replace it by one with serverAuth"""
    T213 = """error: A constraint of the chain is violated
    impact: the connection is refused, and nothing is sent over it
    fix: have the certificate issued within it"""
    T214 = """error: A certificate is malformed
    impact: the connection is refused, and nothing is sent over it
    fix: replace it by one that follows RFC 5280"""
    T215 = """error: No common TLS version
    impact: the connection is refused, and nothing is sent over it
    fix: enable TLS 1.2 on the server"""
    T216 = """error: No common cipher suite
    impact: the connection is refused, and nothing is sent over it
    fix: set STLDAP_TLS_CIPHER_SUITES to one the server has"""
    T217 = """error: The port does not speak TLS
    impact: the connection is refused, and nothing is sent over it
    fix: use the server's TLS port, usually 636"""
    T218 = """error: The server closes during the handshake
    impact: the connection is refused, and nothing is sent over it
    fix: check the port and the server's log"""
    T219 = """error: The server does not answer in the handshake
    impact: the connection is refused, and nothing is sent over it
    fix: check port and firewall"""
    T220 = """error: The server demands a client certificate
    impact: the connection is refused, and nothing is sent over it
    fix: set STLDAP_TLS_KEY_STORE_FILE"""
    T221 = """error: The server refuses our client certificate
    impact: the connection is refused, and nothing is sent over it
    fix: make the server trust its issuer"""
    T222 = """error: A certificate was revoked
    impact: the connection is refused, and nothing is sent over it
    fix: replace it; do not use the server until then"""
    T223 = """error: A CRL is missing
    impact: the connection is refused, and nothing is sent over it
    fix: add the CRLs of all CAs of the chain to the CRL file"""
    T224 = """error: A CRL is out of date or invalid
    impact: the connection is refused, and nothing is sent over it
    fix: download the current CRLs, regularly"""
    T299 = """error: The TLS handshake failed
    impact: the connection is refused, and nothing is sent over it
    fix: openssl s_client -connect HOST:PORT shows more"""
    T301 = """error: The type of store is unknown
    impact: no encrypted connection can be made
    fix: set ..._STORE_TYPE to p12 or jks"""
    T302 = """warning: A store key has no effect
    impact: there is no store file that it is for
    fix: set ..._FILE"""
    T303 = """warning: The keys of one store are in two scopes
    impact: nearly always a mistake
    fix: use one prefix"""
    T304 = """error: The TLS version is unknown
    impact: no encrypted connection can be made
    fix: set it to 0x303 or 0x304"""
    T305 = """error: The oldest TLS version is newer than the newest
    impact: no encrypted connection can be made
    fix: set both to 0x303"""
    T306 = """warning: An insecure TLS version is allowed
    impact: it can be broken
    fix: set the minimum to 0x303"""
    T307 = """error: The security level excludes the other settings
    impact: no encrypted connection can be made
    fix: lower it, or change the others"""
    T308 = """error: The cipher suites cannot be used
    impact: no encrypted connection can be made
    fix: correct the list, or remove the key"""
    T309 = """error: The value is not a flag
    impact: what was meant is unknown
    fix: set it to 0 or 1"""
    T310 = """warning: TRUSTED_HOSTS lists no host name
    impact: no certificate matches it
    fix: write names alone"""
    T311 = """error: MIRROR_TRUSTED_HOSTS needs a key store
    impact: no encrypted connection can be made
    fix: set TLS_KEY_STORE_FILE, or the flag to 0"""
    T312 = """error: FIPS 140 compliance is not possible here
    impact: no encrypted connection can be made
    fix: enable OpenSSL's FIPS provider"""
    T313 = """error: The TLS settings cannot be met here
    impact: no encrypted connection can be made
    fix: change the settings that the message names"""
    T401 = """error: The CRL file cannot be used
    impact: no encrypted connection can be made
    fix: put the CRLs of all CAs of the chain into it"""
