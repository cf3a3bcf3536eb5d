"""Every finding that there is, by code: what the reference of findings is made from."""

from collections.abc import Mapping
from types import MappingProxyType

from quintet.admin.doctor.finding import Finding, Kind
from quintet.diagnostics import Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

_KINDS = (
    Kind(
        "D1",
        _W,
        "Sametime itself cannot read the store",
        "a keytool newer than Sametime's made it; Quintet reads it, Sametime says that it cannot be opened",
        "quintet trust convert --legacy, or make it anew with keytool -J-Dkeystore.pkcs12.legacy",
    ),
    Kind(
        "D2",
        _E,
        "No common cipher suite",
        "the server and the settings have no cipher suite in common, so no handshake succeeds",
        "set STLDAP_TLS_CIPHER_SUITES in [Config] of sametime.ini to a suite that the server has",
    ),
    Kind(
        "D3",
        _E,
        "No common TLS version",
        "the server does not speak any TLS version that the settings allow",
        "enable TLS 1.2 on the server; lower STLDAP_TLS_MIN_PROTOCOL_VERSION only until it is upgraded",
    ),
    Kind(
        "D4",
        _E,
        "A store cannot be used",
        "without its certificates no LDAP server can be trusted, so encrypted connections fail",
        "make the store with quintet trust fetch HOST:PORT. In a container check that the secret"
        " exists in this"
        " namespace, that ldapConfigSecret names it, and that the volume is mounted",
    ),
    Kind(
        "D5",
        _E,
        "The keys of the trust store are missing or misplaced",
        "a key acts only in its own section and under its exact name; without it no server can be trusted",
        "set the STLDAP_TLS_TRUST_STORE_ keys in [Config] of sametime.ini, as variables STI__Config__KEY",
    ),
    Kind(
        "D6",
        _W,
        "Business cards cross in clear",
        "the five connections are encrypted, business cards have settings of their own and are not",
        "quintet protect all --cards",
    ),
    Kind(
        "D7",
        _W,
        "The cards' trust store differs from that of the other connections",
        "logins work and business cards fail, or the other way round, when one of the two lacks a"
        " certificate",
        "let KeyStorePath and KeyStorePassword of SslProperties name the store of sametime.ini",
    ),
    Kind(
        "D8",
        _E,
        "Clear and encrypted port are mixed up",
        "TLS spoken to a clear port, or LDAP in clear to a TLS port, ends in resets or in silence",
        "correct Port and SSLPort: 389 is usual in clear, 636 for TLS",
    ),
    Kind(
        "D9",
        _E,
        "The account is refused",
        "none of the connections that bind with it can be used",
        "correct the account and its password. An old password that comes back was restored by helm upgrade:"
        " change it in the template of the secret, too",
    ),
    Kind(
        "D10",
        _E,
        "UserEncodedAuth is not what it should be",
        "it must be base64 of user:password and nothing else; quotes, blanks and line feeds become"
        " part of it",
        "printf %s 'USER:PASSWORD' | base64 -w0",
    ),
    Kind(
        "D11",
        _E,
        "The password looks like base64",
        "BindEntryPassword takes clear text; only the Kubernetes secret takes base64",
        "write the password in clear, or take it from the environment",
    ),
    Kind(
        "D12",
        _E,
        "One account has two passwords",
        "the password was changed in one file and not in the other, so half of the connections fail",
        "write the new password in both files; in containers in the secret or the environment as well",
    ),
    Kind(
        "D15",
        _E,
        "An XML file is damaged",
        "nothing of a damaged file is read; bare &, curly quotes and copying are the usual causes",
        "mend the place; & is written &amp; and < is written &lt; in values",
    ),
    Kind(
        "D16",
        _E,
        "The host name does not resolve",
        "no connection can be made to a name that this machine does not know",
        "check HostName and the name server; in a container add a host alias (hostAliases) or extra_hosts, or"
        " write an IP address that the server's certificate also bears",
    ),
    Kind(
        "D17",
        _E,
        "The server's port does not answer",
        "no connection comes about, so nothing that needs this server works",
        "check that the server runs and that no firewall is in the way; in Kubernetes it must let the"
        " range of"
        " pod addresses through",
    ),
    Kind(
        "D18",
        _W,
        "Anonymous connections may not read what cards need",
        "the cards connect anonymously, and fields of every card stay empty",
        'give the cards an account, or let the directory show these attributes (Domino: "Anonymous users can'
        ' query")',
    ),
    Kind(
        "D19",
        _E,
        "Active Directory needs a base",
        "searches from the root of Active Directory fail or find nothing",
        "set the base to the directory's defaultNamingContext",
    ),
    Kind(
        "D20",
        _W,
        "Cards do not know the Sametime ID",
        "the ID of people is not their DN, and the cards are not told which attribute it is: they are empty",
        "set UserIdAttribute and PersonObjectClass in UserInfoConfig.xml as well",
    ),
    Kind(
        "D21",
        _W,
        "The DN is the ID with Active Directory",
        "Active Directory writes DNs now in one spelling and now in another: people appear twice in a"
        " list, are"
        " not seen online, and get only the default policy",
        'set UserIdAttribute="distinguishedName" (or objectGUID, which survives renames)',
    ),
    Kind(
        "D22",
        _W,
        "The directory has groups of another class",
        "no public group is found, because the settings ask for a class that the directory does not use",
        "set GroupObjectClass, GroupMemberAttribute, GroupResolveFilter and GroupMembership to its class",
    ),
    Kind(
        "D23",
        _W,
        "GroupResolveBase is set with Domino",
        "Domino's groups are flat and lie below no base, so none is found",
        'set GroupResolveBase=""',
    ),
    Kind(
        "D24",
        _W,
        "OrganizationName has a value",
        "it is deprecated, and keeps people from logging in to Sametime",
        "remove OrganizationName",
    ),
    Kind(
        "D25",
        _W,
        "The order of the servers is not clear",
        "people are looked for in another order than meant: the wrong person or old data is found",
        "give each Connection its own SearchOrder, and list StorageDetails in that order",
    ),
    Kind(
        "D26",
        _W,
        "Bases of two servers overlap",
        "people and groups are found twice, and TLS to the second server makes trouble",
        "give the servers bases that do not lie in one another",
    ),
    Kind(
        "D27",
        _W,
        "One directory is entered twice",
        "replicas of one directory as separate servers are not supported: everybody is found twice",
        'write one Connection with HostName="first,second", or put a load balancer in front',
    ),
    Kind(
        "D28",
        _W,
        "A public group has more than 1,000 members",
        "Sametime's groups end at 1,000: clients become slow and lists are cut",
        "split the group, or nest smaller ones in it",
    ),
    Kind(
        "D29",
        _W,
        "People without mail, or with the same mail",
        "every person needs a mail address of their own: audio, video, calendar and cards fail for"
        " the others",
        "give each person an address of their own in the directory",
    ),
    Kind(
        "D30",
        _W,
        "A login name can mean several people",
        "UserDnSearchFilter must find exactly one person; when it finds several the login is refused",
        "let UserDnSearchFilter compare only what is unique, such as uid and mail, and without *",
    ),
    Kind(
        "D31",
        _W,
        "Photos that clients do not show",
        "photos must be JPEG or GIF below 45 KB (better 10 KB), and a photo's URL must be http; web"
        " and mobile"
        " clients show URLs only",
        "make the photos smaller, or serve them by URL: map PhotoURL and ImagePath",
    ),
    Kind(
        "D32",
        _W,
        "A field of the cards is never shown",
        "Ids are case-sensitive, and an Id in a Set that has no Detail shows nothing",
        "write the Id in Set and Detail alike",
    ),
    Kind(
        "D33",
        _W,
        "A person that the directory has gets no card",
        "what the cards search for does not find who the five tasks find",
        "compare base, scope and filter of StorageDetails with those of the Connection; then set"
        " USERINFO_DEBUG_LEVEL=5 in [Debug]",
    ),
    Kind(
        "D34",
        _W,
        "Quotes became part of a value",
        "a copied quote counts as a character of the value, so the value is wrong",
        'remove the quotes; under sametimeIni: write KEY: "value" with straight quotes, and no tabs',
    ),
    Kind(
        "D35",
        _W,
        "The stash of a store's password is not in order",
        "a stash that is old, missing or readable for others opens nothing, or protects nothing",
        "remove the stash file, set the clear password once, and start the server: it writes the stash",
    ),
    Kind(
        "D36",
        _W,
        "The account binds on clear connections",
        'four of five connections are clear under "only passwords", those of cards without SslEnabled; a'
        " simple bind there shows the account's own password to whoever listens",
        "quintet protect all --cards, or let the server offer SCRAM, or let anonymous connections read the"
        " bases",
    ),
    Kind(
        "D37",
        _W,
        "File and password of a store come from different scopes",
        "ST_ and STLDAP_ keys are mixed, so the file is probably opened with the password of another one",
        "set FILE, TYPE and PASSWORD of a store with one prefix",
    ),
    Kind(
        "D38",
        _E,
        "A certificate is too weak for the security level",
        "the level forbids SHA-1, RSA keys below 2048 bits and, for Suite B, RSA at all",
        "replace the certificate, or lower STLDAP_TLS_SECURITY_LEVEL",
    ),
    Kind(
        "D39",
        _W,
        "Mail addresses bypass the login filter in Sametime",
        "Sametime looks up names with @ by mail alone, so people whom the filter bars can log in;"
        " Quintet always"
        " applies the filter",
        "set USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES=0 in [Directory] of sametime.ini",
    ),
    Kind(
        "D40",
        _W,
        "A certificate has expired or soon will",
        "no encrypted connection comes about with an expired certificate",
        "renew the certificate, and bring its new issuer into the trust store if it has one",
    ),
    Kind(
        "Q1",
        _E,
        "A setting has an error",
        "the settings are not used while they have an error",
        "correct the place; quintet check shows all remarks",
    ),
    Kind(
        "Q2",
        _W,
        "A setting is doubtful",
        "it is read, but probably not as it was meant",
        "correct the place; quintet check shows all remarks",
    ),
    Kind(
        "Q3",
        _N,
        "A remark on a setting",
        "it changes nothing, and is worth knowing",
        "nothing has to be done",
    ),
    Kind(
        "Q4",
        _W,
        "Java does not see all certificates of the store",
        "certificates without Java's mark of trust do not exist for Sametime; Quintet trusts them",
        "write the store anew with quintet trust convert",
    ),
    Kind(
        "Q5",
        _W,
        "A host is entered twice",
        "host names of servers must be unique",
        'remove one Connection, or write HostName="first,second" when they are one directory',
    ),
    Kind(
        "Q10",
        _E,
        "The server's certificate is not trusted",
        "its issuer is not in the trust store, so every encrypted connection is refused",
        "quintet trust fetch HOST:PORT",
    ),
    Kind(
        "Q11",
        _E,
        "The certificate is for another name",
        "whoever has a certificate of that issuer could pass for the server; the connection is refused",
        "set HostName to a name in the certificate, or name it in STLDAP_TLS_TRUSTED_HOSTS",
    ),
    Kind(
        "Q12",
        _E,
        "The server wants a certificate from us",
        "it refuses connections that show none, or not the right one",
        "set STLDAP_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD to a store with our key",
    ),
    Kind(
        "Q13",
        _E,
        "TLS fails",
        "no encrypted connection comes about",
        "openssl s_client -connect HOST:PORT shows the server's side",
    ),
    Kind(
        "Q14",
        _W,
        "Nothing is encrypted",
        "the passwords of people and of the account are readable for whoever listens",
        "quintet protect all",
    ),
    Kind(
        "Q15",
        _E,
        "StartTLS is refused",
        "QUINTET_START_TLS=1 asks for it, and this server does not offer it on its clear port",
        "remove QUINTET_START_TLS to use TLS on SSLPort, or give the server a certificate",
    ),
    Kind(
        "Q16",
        _E,
        "The server wants encrypted connections",
        "it refuses binds or searches that come in clear",
        "quintet protect all",
    ),
    Kind(
        "Q20",
        _E,
        "The base cannot be read",
        "nobody is found below a base that does not exist, or that the connection may not see",
        "correct the base, or give the account the right to read it",
    ),
    Kind(
        "Q21",
        _E,
        "No people are found",
        "nobody can log in or be added to a list",
        "correct base, scope and object class of the people",
    ),
    Kind(
        "Q22",
        _E,
        "A filter finds nobody",
        "it is applied to a person that the directory has, and does not find that person",
        "compare the filter with the attributes of an entry",
    ),
    Kind(
        "Q23",
        _W,
        "An attribute never comes back",
        "what is shown or compared stays empty: the attribute has another name, or may not be read",
        "correct the attribute's name, or give the account the right to read it",
    ),
    Kind(
        "Q24",
        _W,
        "A search is slow or refused: an index is missing",
        "without an index every search reads all entries; under load the directory becomes slow for"
        " everybody",
        "index the attributes of the filter for equality and for initial substrings",
    ),
    Kind(
        "Q25",
        _W,
        "The server cuts long answers",
        "lists end at the server's own limit, below that of Sametime",
        "raise the server's size and time limits for the account, or lower ST_DB_LDAP_MAX_RESULTS",
    ),
    Kind(
        "Q26",
        _W,
        "The server refers to other servers",
        "referrals are not followed: what lies behind them is not found",
        "add a Connection for the other server, or use a port that has everything (Active Directory:"
        " 3268, 3269)",
    ),
    Kind(
        "Q27",
        _W,
        "The server does not page",
        "browsing needs answers in pages; without them a large unit cannot be listed",
        "enable the control 1.2.840.113556.1.4.319 on the server, or turn browsing off",
    ),
    Kind(
        "Q28",
        _W,
        "No groups are found",
        "public groups cannot be added to a list, and policies of groups do not act",
        "correct GroupResolveBase, GroupObjectClass and GroupResolveFilter, or leave it if there are none",
    ),
    Kind(
        "Q29",
        _W,
        "Anonymous connections see only a part",
        "no account is set, and the directory shows less to strangers",
        "set BindEntryDn and BindEntryPassword to an account that may read",
    ),
    Kind(
        "Q30",
        _W,
        "A group holds members of another place",
        "members must be on the group's own server and below its base; others are not shown",
        "move the members, or make the base wider",
    ),
    Kind(
        "Q90",
        _N,
        "Not examined",
        "an earlier finding, or a limit of the server, is in the way",
        "mend that first, then run quintet doctor again",
    ),
    Kind(
        "Q91",
        _N,
        "A check did not come to an end",
        "the server was too slow, or answered unexpectedly; the other checks were made all the same",
        "run quintet doctor again; if it stays, look at the server's log",
    ),
)

CATALOGUE: Mapping[str, Kind] = MappingProxyType({kind.code: kind for kind in _KINDS})


def finding(
    code: str,
    seen: str,
    fix: str | None = None,
    *,
    why: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding of that code. What is not given is as the catalogue has it."""
    return CATALOGUE[code].finding(seen, fix, why=why, severity=severity)
