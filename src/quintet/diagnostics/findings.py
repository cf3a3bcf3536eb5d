"""The codes of what Quintet finds besides Sametime's known pitfalls."""

from quintet.diagnostics.codes import Code, Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_TRUST = "how-to/import-the-certificate.md"
_ALL = "how-to/encrypt-everything.md"
_PASSWORDS = "how-to/encrypt-only-passwords.md"
_CARDS = "how-to/encrypt-business-cards.md"
_SETTINGS = "reference/settings.md"
_STASH = "how-to/stash-the-store-password.md"


class Finding(Code):
    # Stores, servers and directories.
    Q4 = (
        _W,
        "Java does not see all certificates of the store",
        "certificates without Java's trust mark do not exist for Sametime; Quintet trusts them",
        "write the store again with quintet trust convert",
    )
    Q5 = (
        _W,
        "A host is configured twice",
        "host names of servers must be unique",
        'remove one Connection, or write HostName="first,second" when they are one directory',
    )
    Q10 = (
        _E,
        "The server's certificate is not trusted",
        "its issuer is not in the trust store, so every encrypted connection is refused",
        "quintet trust fetch HOST:PORT",
        _TRUST,
    )
    Q11 = (
        _E,
        "The certificate is for another name",
        "anyone with a certificate of that issuer could impersonate the server, so the connection is refused",
        "set HostName to a name in the certificate",
    )
    Q12 = (
        _E,
        "The server requires a client certificate",
        "it refuses connections that present none, or not the right one",
        (
            "set STLDAP_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD to a store with Quintet's own key and"
            " certificate"
        ),
    )
    Q13 = (
        _E,
        "The TLS handshake fails",
        "no encrypted connection can be made",
        "openssl s_client -connect HOST:PORT shows the server's side",
    )
    Q14 = (
        _W,
        "Nothing is encrypted",
        "the passwords of users and of the account are readable on the network",
        "quintet protect all",
        _ALL,
    )
    Q15 = (
        _E,
        "StartTLS is refused",
        "QUINTET_START_TLS=1 asks for it, and this server does not offer it on its plain LDAP port",
        "remove QUINTET_START_TLS to use TLS on SSLPort, or configure a certificate on the server",
    )
    Q16 = (
        _E,
        "The server requires encrypted connections",
        "it refuses binds or searches over unencrypted connections",
        "quintet protect all",
        _ALL,
    )
    Q20 = (
        _E,
        "The base cannot be read",
        "no user is found below a base that does not exist, or that the connection may not read",
        "correct the base, or give the account the right to read it",
    )
    Q21 = (
        _E,
        "No users are found",
        "no user can log in or be added to a list",
        "correct base, scope and object class of the users",
    )
    Q22 = (
        _E,
        "A filter does not find an existing entry",
        "the filter is applied to an entry that the directory has, and does not match it",
        "compare the filter with the attributes of an entry",
    )
    Q23 = (
        _W,
        "An attribute is never returned",
        "what is shown or compared stays empty: the attribute has another name, or may not be read",
        "correct the attribute's name, or give the account the right to read it",
    )
    Q24 = (
        _W,
        "A search is slow or refused: an index is missing",
        "without an index every search reads all entries; under load the directory becomes slow for all",
        "index the attributes of the filter for equality and for initial substrings",
    )
    Q25 = (
        _W,
        "The server limits the number of results",
        "lists end at the server's own limit, below that of Sametime",
        "raise the server's size and time limits for the account, or lower ST_DB_LDAP_MAX_RESULTS",
    )
    Q26 = (
        _W,
        "The server returns referrals",
        "referrals are not followed: entries on the other servers are not found",
        (
            "add a Connection for the other server, or use a port that holds all entries (Active Directory:"
            " 3268,"
            " 3269)"
        ),
    )
    Q27 = (
        _W,
        "The server does not support paged results",
        "browsing needs answers in pages; without them a large unit cannot be listed",
        "enable the control 1.2.840.113556.1.4.319 on the server, or turn browsing off",
    )
    Q28 = (
        _W,
        "No groups are found",
        "public groups cannot be added to a list, and policies of groups have no effect",
        (
            "correct GroupResolveBase, GroupObjectClass and GroupResolveFilter, or leave them if there are"
            " no groups"
        ),
    )
    Q29 = (
        _W,
        "Anonymous connections see only a part",
        "no account is configured, and the directory shows less to anonymous clients",
        "set BindEntryDn and BindEntryPwd to an account that may read",
    )
    Q30 = (
        _W,
        "A group has members outside the bases",
        "members must be on the group's own server and below its base; others are not shown",
        "move the members, or use a base that contains them",
    )
    Q31 = (
        _E,
        "The directory requires a bind before searching",
        (
            "without an account every search is refused, so no user can log in or be found; Active Directory"
            " is"
            " configured like this from the start"
        ),
        "set BindEntryDn and BindEntryPwd to an account that may read",
    )
    # The files of the settings.
    Q40 = (
        _E,
        "The settings folder does not exist",
        "there are no settings to work with",
        "name the folder with --config DIR or QUINTET_CONFIG, or create it with quintet init",
    )
    Q41 = (
        _E,
        "A settings file is missing",
        (
            "without StCommunityConfig.xml there is no LDAP server; without sametime.ini the defaults apply,"
            " without"
            " UserInfoConfig.xml there are no business cards"
        ),
        "copy the file into the settings folder, or create one with quintet init",
    )
    Q42 = (
        _E,
        "A settings file cannot be read",
        "nothing of it takes effect",
        "let the file be a regular file, and give this user the right to read it",
    )
    Q43 = (
        _E,
        "A settings file is too large",
        "such files have a few kilobytes; a larger one is not read, because it is probably not the right one",
        "check that it is the right file, and remove what does not belong in it",
    )
    Q44 = (
        _N,
        "There are more problems than are listed",
        "the file is wrong throughout",
        "fix the problems above first",
    )
    Q45 = (
        _N,
        "The file is not in UTF-8",
        "it is read as ISO 8859-1, which may not be what was written",
        "save the file as UTF-8",
    )
    Q46 = (
        _E,
        "The file is not in the encoding that it declares",
        "a file whose characters are not known is not read",
        "save the file as UTF-8, and let it declare UTF-8 or nothing",
    )
    Q47 = (
        _E,
        "An XML file has a document type",
        "a document type (<!DOCTYPE) could include other files, so such a file is not read",
        "remove the <!DOCTYPE …> declaration",
    )
    Q48 = (
        _W,
        "A section appears twice",
        "both are read here; Sametime requires unique section names",
        "move the keys into one section",
    )
    Q49 = (
        _W,
        "A line is neither a section, a comment nor KEY=VALUE",
        "the line is ignored",
        "correct the line, or begin it with ; to make it a comment",
    )
    # The names of settings.
    Q50 = (
        _W,
        "A setting is given twice",
        "the last value is used",
        "remove one of the two",
    )
    Q51 = (
        _W,
        "A value contains invisible characters",
        "they come from copying and are part of the value, so names are not found and passwords are wrong",
        "type the value again",
    )
    Q52 = (
        _W,
        "A variable is written with single underscores",
        "it is read here; Sametime documents two underscores",
        "write STI__Section__KEY",
        _SETTINGS,
    )
    Q53 = (
        _W,
        "A variable is not of the form STI__Section__KEY",
        "it is ignored",
        "write STI__Section__KEY, or remove the variable",
        _SETTINGS,
    )
    Q54 = (
        _W,
        "The name of a variable is used as a key of the file",
        "it has no effect in the file",
        "write the key alone below its section, or set the variable in the environment",
        _SETTINGS,
    )
    Q55 = (
        _W,
        "A setting has no effect where it is written",
        "the default is used in its place",
        "move the setting to the section or element where it belongs",
        _SETTINGS,
    )
    Q56 = (
        _W,
        "A key is written in another letter case",
        "it is read here; Sametime may not know it",
        "write the key as it is documented",
        _SETTINGS,
    )
    Q57 = (
        _N,
        "A setting has no effect in Quintet",
        "it is accepted and ignored",
        "nothing has to be done",
        _SETTINGS,
    )
    Q58 = (
        _N,
        "A name is not known",
        "it is ignored",
        "nothing has to be done if another program uses it",
        _SETTINGS,
    )
    Q59 = (
        _W,
        "The name of a setting is misspelt",
        "it is ignored, and the default is used",
        "write the name as it is documented",
        _SETTINGS,
    )
    Q60 = (
        _E,
        "The name of a security setting is misspelt",
        "the setting does not take effect, so connections could be less protected than was intended",
        "write the name as it is documented, or remove the setting",
        _SETTINGS,
    )
    # The values of settings.
    Q61 = (
        _E,
        "A value is not valid",
        "the settings are not used while they contain an error",
        "correct the value",
        _SETTINGS,
    )
    Q62 = (
        _E,
        "A base is not a valid DN",
        "the settings are not used while they contain an error",
        "write a DN such as ou=people,o=example",
    )
    Q63 = (
        _E,
        "A filter is not a valid LDAP filter",
        "the settings are not used while they contain an error",
        (
            "write a filter such as (&(objectclass=person)(cn=%s)); in values, write \\ as \\5c, ( as \\28"
            " and ) as \\29"
        ),
    )
    Q64 = (
        _E,
        "The name of an attribute or object class is not valid",
        "the settings are not used while they contain an error",
        "write one LDAP name, of letters, digits and hyphens",
    )
    Q65 = (
        _E,
        "A host name is not valid",
        "no connection can be made to it",
        "write a host name or an IP address alone; the port has a setting of its own",
    )
    Q66 = (
        _W,
        "A filter does not contain %s",
        "every name finds the same entries",
        "write %s in the filter where the name belongs",
    )
    Q67 = (
        _E,
        "A setting names a Java class",
        "Quintet cannot run Java",
        (
            "write what the class does as a filter or an attribute name, or remove the setting to use the"
            " default"
        ),
    )
    Q68 = (
        _E,
        "A base has %S for each organisation",
        "a base for each organisation is not supported",
        "write the base of one organisation",
    )
    Q69 = (
        _N,
        "A value is beyond Sametime's documented limits",
        "Quintet uses it; Sametime's clients may not handle the result",
        "use a value within the limit where Sametime's clients connect",
    )
    Q71 = (
        _E,
        "A server has no host name",
        "no connection can be made to it",
        'name the server: HostName="ldap.example.com"',
    )
    Q72 = (
        _E,
        "No LDAP server is configured",
        "no user can log in or be found",
        'add <LDAP><Connection HostName="ldap.example.com" SearchOrder="1"/></LDAP>, or use quintet init',
    )
    Q73 = (
        _E,
        "There are too many LDAP servers",
        "those beyond the limit are not used",
        "remove the servers that are not needed",
    )
    Q74 = (
        _W,
        "A password has no account",
        "the connection binds anonymously",
        "name the account, or remove the password",
    )
    Q75 = (
        _E,
        "An account has no password",
        "a bind without a password proves nothing, so none is made",
        "set the password, or leave the account blank to bind anonymously",
    )
    Q76 = (
        _W,
        "An account is neither a DN nor a mail address",
        "most directories will reject it",
        "write the DN of the account; for Active Directory also user@domain or DOMAIN\\user",
    )
    # Protection and TLS.
    Q80 = (
        _W,
        '"Only passwords" is set without SSLEnabled',
        'it is read as "only passwords": logins are encrypted, the rest is not',
        "set SSLEnabled to 1",
        _PASSWORDS,
    )
    Q81 = (
        _W,
        "One server is not encrypted, others are",
        "names and passwords are sent unencrypted to this server",
        "set SSLEnabled to 1, or use quintet protect all",
        _ALL,
    )
    Q82 = (
        _W,
        "StartTLS is set, but nothing is encrypted",
        "QUINTET_START_TLS only says how connections are encrypted",
        "set SSLEnabled to 1, or use quintet protect all",
        _ALL,
    )
    Q84 = (
        _E,
        "The TLS versions cannot be used",
        "no encrypted connection can be made",
        (
            "set TLS_MIN_PROTOCOL_VERSION=0x303 (TLS 1.2), and TLS_MAX_PROTOCOL_VERSION to the same or 0x304"
            " (TLS 1.3)"
        ),
    )
    Q85 = (
        _W,
        "A broken TLS version is allowed",
        "TLS 1.0 and 1.1 can be broken by an attacker on the network",
        "set TLS_MIN_PROTOCOL_VERSION=0x303 (TLS 1.2)",
    )
    Q86 = (
        _E,
        "The cipher suites cannot be used",
        "no encrypted connection can be made with these suites",
        "correct TLS_CIPHER_SUITES, or remove it to use the default suites",
    )
    Q87 = (
        _E,
        "FIPS compliance cannot be enforced",
        "Quintet does not claim a compliance that its TLS library does not have",
        "activate the FIPS provider in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0",
    )
    Q88 = (
        _E,
        "The key store has no usable key",
        "a server that requires a client certificate refuses the connection",
        "set TLS_KEY_LABEL to the alias of one key of the store",
    )
    Q89 = (
        _N,
        "A store's password was moved to its stash file",
        "from now on the password is read from the stash file",
        "nothing has to be done",
        _STASH,
    )
    Q90 = (
        _N,
        "Not examined",
        "an earlier problem, or a limit of the server, prevents it",
        "fix that first, then run quintet doctor again",
    )
    Q91 = (
        _N,
        "A check did not finish",
        "the server was too slow, or answered unexpectedly; the other checks were made anyway",
        "run quintet doctor again; if the problem remains, look at the server's log",
    )
    # Business cards.
    Q92 = (
        _E,
        "No LDAP server is configured for business cards",
        "there are no business cards",
        'add <Storage type="LDAP"> with a <StorageDetails>, or remove the file to have no business cards',
    )
    Q93 = (
        _W,
        "A Storage has no type",
        "it is read as LDAP",
        'write <Storage type="LDAP">',
    )
    Q94 = (
        _W,
        "Business cards have nothing to show",
        "the cards of this Storage are empty, or are not searched for",
        "add the element that is missing",
    )
    Q95 = (
        _E,
        "A Detail or a Set is incomplete",
        "the settings are not used while they contain an error",
        'write <Detail Id="Name" FieldName="cn" Type="text/plain"/> and <Set SetId="1" params="Name"/>',
    )
    Q96 = (
        _N,
        "The unit of SearchTimeout is not documented",
        "values from 1000 are read as milliseconds, smaller ones as seconds",
        "nothing has to be done if that is what was meant",
    )
    Q97 = (
        _N,
        "A store of the container was found in the settings folder",
        "the path of the container does not exist here; the file of that name in the settings folder is used",
        "nothing has to be done",
    )
