"""The pitfalls of Sametime that its documentation and its users report: rows D1 to D44 of docs/design.

D13 and D14 have no code, because nothing shows them from inside.
"""

from quintet.diagnostics.codes import Code, Severity

_E, _W = Severity.ERROR, Severity.WARNING
_TRUST = "how-to/import-the-certificate.md"
_SCOPES = "how-to/tls-scopes.md"
_STASH = "how-to/stash-the-store-password.md"
_CARDS = "how-to/encrypt-business-cards.md"
_SEVERAL = "how-to/several-servers.md"
_PASSWORDS = "how-to/encrypt-only-passwords.md"


class Pitfall(Code):
    D1 = (
        _W,
        "Sametime itself cannot read the store",
        (
            "a keytool newer than Sametime's own wrote it; Quintet reads it, Sametime reports that it cannot"
            " open it"
        ),
        "quintet trust convert --legacy, or create it again with keytool -J-Dkeystore.pkcs12.legacy",
        _TRUST,
    )
    D2 = (
        _E,
        "No common cipher suite",
        "the server and the settings have no cipher suite in common, so no TLS handshake succeeds",
        "set STLDAP_TLS_CIPHER_SUITES in [Config] of sametime.ini to a suite that the server supports",
    )
    D3 = (
        _E,
        "No common TLS version",
        "the server supports none of the TLS versions that the settings allow",
        "enable TLS 1.2 on the server; lower STLDAP_TLS_MIN_PROTOCOL_VERSION only until it is upgraded",
    )
    D4 = (
        _E,
        "A certificate store cannot be used",
        "without its certificates no LDAP server can be trusted, so encrypted connections fail",
        (
            "create the store with quintet trust fetch HOST:PORT. In a container, check that the secret"
            " exists in this"
            " namespace, that ldapConfigSecret names it and is not commented out, and that the volume is"
            " mounted"
        ),
        _TRUST,
    )
    D5 = (
        _E,
        "The keys of the trust store are missing or misplaced",
        (
            "a key acts only in its own section and under its exact name; without a trust store no server"
            " can be"
            " trusted"
        ),
        (
            "set STLDAP_TLS_TRUST_STORE_TYPE, _FILE and _PASSWORD in [Config] of sametime.ini, or as"
            " variables"
            " STI__Config__KEY; quintet trust fetch HOST:PORT does it"
        ),
        _TRUST,
        _SCOPES,
    )
    D6 = (
        _W,
        "Business cards are not encrypted",
        "the other connections are encrypted; business cards have settings of their own, and theirs are not",
        "quintet protect all --cards",
        _CARDS,
    )
    D7 = (
        _W,
        "The trust store of the business cards differs from that of the other connections",
        "logins work and business cards fail, or the reverse, when one of the two stores lacks a certificate",
        "let KeyStorePath and KeyStorePassword of SslProperties name the store of sametime.ini",
        _CARDS,
    )
    D8 = (
        _E,
        "The plain LDAP port and the TLS port are mixed up",
        "TLS sent to a plain LDAP port, or unencrypted LDAP to a TLS port, ends in resets or time-outs",
        "correct Port and SSLPort: usually 389 for plain LDAP, 636 for TLS",
    )
    D9 = (
        _E,
        "The account is rejected",
        "no connection that binds with it can be used",
        (
            "correct the account and its password. An old password that returns was restored by helm"
            " upgrade: change"
            " it in the template of the secret, too"
        ),
    )
    D10 = (
        _E,
        "UserEncodedAuth is malformed",
        (
            "it must be base64 of user:password and nothing else; quotes, spaces and line feeds become part"
            " of"
            " it"
        ),
        "encode it again: printf %s 'USER:PASSWORD' | base64 -w0",
    )
    D11 = (
        _E,
        "The password looks like base64",
        "BindEntryPwd takes the password itself; only the Kubernetes secret takes base64",
        "write the password itself, or provide it in the environment",
    )
    D12 = (
        _E,
        "One account has two passwords",
        "the password was changed in one file and not in the other, so some of the connections fail",
        "write the new password in both files; in containers, in the secret or the environment as well",
    )
    D15 = (
        _E,
        "An XML file is malformed",
        "nothing of a malformed file is read; a bare &, typographic quotes and copying are the usual causes",
        "correct the XML at the place named; in values, write & as &amp; and < as &lt;",
    )
    D16 = (
        _E,
        "The host name does not resolve",
        "no connection can be made to a name that this machine cannot resolve",
        (
            "check HostName and the name server; in a container add a host alias (hostAliases) or"
            " extra_hosts, or"
            " use an IP address that the server's certificate also contains"
        ),
    )
    D17 = (
        _E,
        "The server's port does not answer",
        "no connection can be made, so nothing that needs this server works",
        (
            "check that the server is running and that no firewall blocks the connection; in Kubernetes the"
            " firewall"
            " must allow the range of pod addresses"
        ),
    )
    D18 = (
        _W,
        "Anonymous connections cannot read what the business cards need",
        "the business cards connect anonymously, and fields of every card stay empty",
        (
            "configure an account for the business cards, or let the directory show these attributes (Domino:"
            ' "Anonymous users can query")'
        ),
    )
    D19 = (
        _E,
        "Active Directory needs a base DN",
        "searches from the root of Active Directory fail or find nothing",
        "set the base to the directory's defaultNamingContext",
    )
    D20 = (
        _W,
        "The business cards do not know the Sametime ID",
        (
            "the ID of users is not their DN, and the business cards are not told which attribute it is:"
            " they are"
            " empty"
        ),
        "set UserIdAttribute and PersonObjectClass in UserInfoConfig.xml as well",
    )
    D21 = (
        _W,
        "The DN is the ID with Active Directory",
        (
            "Active Directory returns DNs in differing spellings: users appear twice in a list, are not seen"
            " online,"
            " and get only the default policy"
        ),
        'set UserIdAttribute="distinguishedName" (or objectGUID, which survives renames)',
    )
    D22 = (
        _W,
        "The directory has groups of another class",
        "no public group is found, because the settings ask for a class that the directory does not use",
        "set GroupObjectClass, GroupMemberAttribute, GroupResolveFilter and GroupMembership to its class",
    )
    D23 = (
        _W,
        "GroupResolveBase is set with Domino",
        "Domino's groups are flat and below no base, so none is found",
        'set GroupResolveBase=""',
    )
    D24 = (
        _W,
        "OrganizationName has a value",
        "it is deprecated, and may keep users from logging in to Sametime",
        "remove OrganizationName",
    )
    D25 = (
        _W,
        "The order of the servers is not clear",
        "users are looked up in another order than intended: the wrong person or old data is found",
        "give each Connection its own SearchOrder, and list StorageDetails in that order",
        _SEVERAL,
    )
    D26 = (
        _W,
        "The bases of two servers overlap",
        "users and groups are found twice, and TLS to the second server may fail",
        "give the servers bases of which none is below another",
        _SEVERAL,
    )
    D27 = (
        _W,
        "One directory is configured twice",
        "replicas of one directory as separate servers are not supported: every user is found twice",
        'write one Connection with HostName="first,second", or put a load balancer in front',
        _SEVERAL,
    )
    D28 = (
        _W,
        "A public group has more than 1,000 members",
        "Sametime supports 1,000 members: clients become slow and lists are cut",
        "split the group, or nest smaller ones in it",
    )
    D29 = (
        _W,
        "Users without a mail address, or with the same one",
        (
            "every user needs a unique mail address: audio, video, calendar and business cards fail for the"
            " others"
        ),
        "give each user a mail address of their own in the directory",
    )
    D30 = (
        _W,
        "A login name can match several users",
        "UserDnSearchFilter must find exactly one user; when it finds several, the login is refused",
        "let UserDnSearchFilter compare only unique attributes, such as uid and mail, and without *",
    )
    D31 = (
        _W,
        "Photos that clients do not show",
        (
            "photos must be JPEG or GIF below 45 KB (better 10 KB), and a photo's URL must be http; web and"
            " mobile"
            " clients show URLs only"
        ),
        (
            "make the photos smaller, or serve them by URL: map PhotoURL and ImagePath. Clients keep a photo"
            " for 7"
            ' days; "Refresh Person Info" in the client fetches it again'
        ),
    )
    D32 = (
        _W,
        "A field of the business cards is never shown",
        "Ids are case-sensitive, and an Id in a Set that has no Detail shows nothing",
        "write the Id in the same way in Set and Detail",
    )
    D33 = (
        _W,
        "A user of the directory gets no business card",
        "the search of the business cards does not find a user that the five tasks find",
        (
            "compare base, scope and filter of StorageDetails with those of the Connection; then set"
            ' USERINFO_DEBUG_LEVEL=5 in [Debug]. Clients keep a card for 7 days; "Refresh Person Info" in'
            " the client"
            " fetches it again"
        ),
    )
    D34 = (
        _W,
        "Quotes are part of a value",
        "a quote that was copied along is a character of the value, so the value is wrong",
        'remove the quotes; under sametimeIni: write KEY: "value" with straight quotes, and no tabs',
    )
    D35 = (
        _W,
        "The stash file of a store's password has a problem",
        "a stash file that is old, missing or readable by others opens nothing, or protects nothing",
        (
            "remove the stash file, set the store's password once, and start the server: it writes the stash"
            " file"
        ),
        _STASH,
    )
    D36 = (
        _W,
        "The account binds on unencrypted connections",
        (
            'under "only passwords" four of five connections are unencrypted, as are those of business cards'
            " without"
            " SslEnabled; a simple bind there makes the account's own password readable on the network"
        ),
        (
            "quintet protect all --cards, or let the server offer SCRAM, or let anonymous connections read"
            " the bases"
        ),
        _PASSWORDS,
        _CARDS,
    )
    D37 = (
        _W,
        "File and password of a store come from different scopes",
        "ST_ and STLDAP_ keys are mixed, so the file is probably opened with the password of another one",
        "set FILE, TYPE and PASSWORD of a store with one prefix",
        _SCOPES,
    )
    D38 = (
        _E,
        "A certificate is too weak for the security level",
        "the level forbids SHA-1, RSA keys below 2048 bits and, for Suite B, RSA at all",
        "replace the certificate, or lower STLDAP_TLS_SECURITY_LEVEL",
    )
    D39 = (
        _W,
        "Mail addresses bypass the login filter in Sametime",
        (
            "Sametime looks up names with @ by mail alone, so users whom the filter excludes can log in;"
            " Quintet always"
            " applies the filter"
        ),
        "set USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES=0 in [Directory] of sametime.ini",
    )
    D40 = (
        _W,
        "A certificate has expired or soon will",
        "no encrypted connection is possible with an expired certificate",
        "renew the certificate, and import its new issuer into the trust store if it has one",
        _TRUST,
    )
    D41 = (
        _W,
        'Port is the TLS port under "only passwords"',
        (
            "the four unencrypted connections go to Port; sent to a TLS port they fail at once, and only"
            " authentication works"
        ),
        "set Port to the plain LDAP port, usually 389, and SSLPort to the TLS port, usually 636",
        _PASSWORDS,
    )
    D42 = (
        _W,
        "A settings file's name is in another letter case",
        (
            "file names are case-sensitive here; Sametime and other programs may not find the file, and run"
            " with"
            " defaults"
        ),
        "rename the file to the name that is expected",
    )
    D43 = (
        _W,
        "A DN with two spaces in a row is not found again",
        "the user is never found by ID, because the directory or a step on the way normalises the DN",
        "remove the second space from the name in the directory, or set UserIdAttribute to another attribute",
    )
    D44 = (
        _E,
        "TLS_TRUSTED_HOSTS does not list the server",
        (
            "when TRUSTED_HOSTS is set, only certificates with a listed name are accepted, whatever HostName"
            " says"
        ),
        "add the name in the server's certificate to STLDAP_TLS_TRUSTED_HOSTS, or remove the key",
        _SCOPES,
    )
