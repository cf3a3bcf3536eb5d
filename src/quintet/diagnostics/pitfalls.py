"""The pitfalls of Sametime that its documentation and its users report: rows D1 to D44 of docs/design.

D13 and D14 have no code, because nothing shows them from inside.
"""

from quintet.diagnostics.codes import Code


class Pitfall(Code):
    D1 = """warning: Sametime itself cannot read the store
    impact: a keytool newer than Sametime's own wrote it; Quintet reads it, Sametime reports that it cannot
    open it
    fix: quintet trust convert --legacy, or create it again with keytool -J-Dkeystore.pkcs12.legacy
    see: how-to/import-the-certificate.md"""
    D2 = """error: No common cipher suite
    impact: the server and the settings have no cipher suite in common, so no TLS handshake succeeds
    fix: set STLDAP_TLS_CIPHER_SUITES in [Config] of sametime.ini to a suite that the server supports"""
    D3 = """error: No common TLS version
    impact: the server supports none of the TLS versions that the settings allow
    fix: enable TLS 1.2 on the server; lower STLDAP_TLS_MIN_PROTOCOL_VERSION only until it is upgraded"""
    D4 = """error: A certificate store cannot be used
    impact: without its certificates no LDAP server can be trusted, so encrypted connections fail
    fix: create the store with quintet trust fetch HOST:PORT. In a container, check that the secret exists in
    this namespace, that ldapConfigSecret names it and is not commented out, and that the volume is mounted
    see: how-to/import-the-certificate.md"""
    D5 = """error: The keys of the trust store are missing or misplaced
    impact: a key acts only in its own section and under its exact name; without a trust store no server can
    be trusted
    fix: set STLDAP_TLS_TRUST_STORE_TYPE, _FILE and _PASSWORD in [Config] of sametime.ini, or as variables
    STI__Config__KEY; quintet trust fetch HOST:PORT does it
    see: how-to/import-the-certificate.md, how-to/tls-scopes.md"""
    D6 = """warning: Business cards are not encrypted
    impact: the other connections are encrypted; business cards have settings of their own, and theirs are not
    fix: quintet protect all --cards
    see: how-to/encrypt-business-cards.md"""
    D7 = """warning: The trust store of the business cards differs from that of the other connections
    impact: logins work and business cards fail, or the reverse, when one of the two stores lacks a
    certificate
    fix: let KeyStorePath and KeyStorePassword of SslProperties name the store of sametime.ini
    see: how-to/encrypt-business-cards.md"""
    D8 = """error: The plain LDAP port and the TLS port are mixed up
    impact: TLS sent to a plain LDAP port, or unencrypted LDAP to a TLS port, ends in resets or time-outs
    fix: correct Port and SSLPort: usually 389 for plain LDAP, 636 for TLS"""
    D9 = """error: The account is rejected
    impact: no connection that binds with it can be used
    fix: correct the account and its password. An old password that returns was restored by helm upgrade:
    change it in the template of the secret, too"""
    D10 = """error: UserEncodedAuth is malformed
    impact: it must be base64 of user:password and nothing else; quotes, spaces and line feeds become part of
    it
    fix: encode it again: printf %s 'USER:PASSWORD' | base64 -w0"""
    D11 = """error: The password looks like base64
    impact: BindEntryPwd takes the password itself; only the Kubernetes secret takes base64
    fix: write the password itself, or provide it in the environment"""
    D12 = """error: One account has two passwords
    impact: the password was changed in one file and not in the other, so some of the connections fail
    fix: write the new password in both files; in containers, in the secret or the environment as well"""
    D15 = """error: An XML file is malformed
    impact: nothing of a malformed file is read; a bare &, typographic quotes and copying are the usual causes
    fix: correct the XML at the place named; in values, write & as &amp; and < as &lt;"""
    D16 = """error: The host name does not resolve
    impact: no connection can be made to a name that this machine cannot resolve
    fix: check HostName and the name server; in a container add a host alias (hostAliases) or extra_hosts, or
    use an IP address that the server's certificate also contains"""
    D17 = """error: The server's port does not answer
    impact: no connection can be made, so nothing that needs this server works
    fix: check that the server is running and that no firewall blocks the connection; in Kubernetes the
    firewall must allow the range of pod addresses"""
    D18 = """warning: Anonymous connections cannot read what the business cards need
    impact: the business cards connect anonymously, and fields of every card stay empty
    fix: configure an account for the business cards, or let the directory show these attributes (Domino:
    "Anonymous users can query")"""
    D19 = """error: Active Directory needs a base DN
    impact: searches from the root of Active Directory fail or find nothing
    fix: set the base to the directory's defaultNamingContext"""
    D20 = """warning: The business cards do not know the Sametime ID
    impact: the ID of users is not their DN, and the business cards are not told which attribute it is: they
    are empty
    fix: set UserIdAttribute and PersonObjectClass in UserInfoConfig.xml as well"""
    D21 = """warning: The DN is the ID with Active Directory
    impact: Active Directory returns DNs in differing spellings: users appear twice in a list, are not seen
    online, and get only the default policy
    fix: set UserIdAttribute="distinguishedName" (or objectGUID, which survives renames)"""
    D22 = """warning: The directory has groups of another class
    impact: no public group is found, because the settings ask for a class that the directory does not use
    fix: set GroupObjectClass, GroupMemberAttribute, GroupResolveFilter and GroupMembership to its class"""
    D23 = """warning: GroupResolveBase is set with Domino
    impact: Domino's groups are flat and below no base, so none is found
    fix: leave GroupResolveBase blank"""
    D24 = """warning: OrganizationName has a value
    impact: it is deprecated, and may keep users from logging in to Sametime
    fix: remove OrganizationName"""
    D25 = """warning: The order of the servers is not clear
    impact: users are looked up in another order than intended: the wrong person or old data is found
    fix: give each Connection its own SearchOrder, and list StorageDetails in that order
    see: how-to/several-servers.md"""
    D26 = """warning: The bases of two servers overlap
    impact: users and groups are found twice, and TLS to the second server may fail
    fix: give the servers bases of which none is below another
    see: how-to/several-servers.md"""
    D27 = """warning: One directory is configured twice
    impact: replicas of one directory as separate servers are not supported: every user is found twice
    fix: write one Connection with HostName="first,second", or put a load balancer in front
    see: how-to/several-servers.md"""
    D28 = """warning: A public group has more than 1,000 members
    impact: Sametime supports 1,000 members: clients become slow and lists are cut
    fix: split the group, or nest smaller ones in it"""
    D29 = """warning: Users without a mail address, or with the same one
    impact: every user needs a unique mail address: audio, video, calendar and business cards fail for the
    others
    fix: give each user a mail address of their own in the directory"""
    D30 = """warning: A login name can match several users
    impact: UserDnSearchFilter must find exactly one user; when it finds several, the login is refused
    fix: let UserDnSearchFilter compare only unique attributes, such as uid and mail, and without *"""
    D31 = """warning: Photos that clients do not show
    impact: photos must be JPEG or GIF below 45 KB (better 10 KB), and a photo's URL must be http; web and
    mobile clients show URLs only
    fix: make the photos smaller, or serve them by URL: map PhotoURL and ImagePath. Clients keep a photo for 7
    days; "Refresh Person Info" in the client fetches it again"""
    D32 = """warning: A field of the business cards is never shown
    impact: Ids are case-sensitive, and an Id in a Set that has no Detail shows nothing
    fix: write the Id in the same way in Set and Detail"""
    D33 = """warning: A user of the directory gets no business card
    impact: the search of the business cards does not find a user that the five tasks find
    fix: compare base, scope and filter of StorageDetails with those of the Connection; then set
    USERINFO_DEBUG_LEVEL=5 in [Debug]. Clients keep a card for 7 days; "Refresh Person Info" in the client
    fetches it again"""
    D34 = """warning: Quotes are part of a value
    impact: a quote that was copied along is a character of the value, so the value is wrong
    fix: remove the quotes; under sametimeIni: write KEY: "value" with straight quotes, and no tabs"""
    D35 = """warning: The stash file of a store's password has a problem
    impact: a stash file that is old, missing or readable by others opens nothing, or protects nothing
    fix: remove the stash file, set the store's password once, and start the server: it writes the stash file
    see: how-to/stash-the-store-password.md"""
    D36 = """warning: The account binds on unencrypted connections
    impact: under "only passwords" four of five connections are unencrypted, as are those of business cards
    without SslEnabled; a simple bind there makes the account's own password readable on the network
    fix: quintet protect all --cards, or let the server offer SCRAM, or let anonymous connections read the
    bases
    see: how-to/encrypt-only-passwords.md, how-to/encrypt-business-cards.md"""
    D37 = """warning: File and password of a store come from different scopes
    impact: ST_ and STLDAP_ keys are mixed, so the file is probably opened with the password of another one
    fix: set FILE, TYPE and PASSWORD of a store with one prefix
    see: how-to/tls-scopes.md"""
    D38 = """error: A certificate is too weak for the security level
    impact: the level forbids SHA-1, RSA keys below 2048 bits and, for Suite B, RSA at all
    fix: replace the certificate, or lower STLDAP_TLS_SECURITY_LEVEL"""
    D39 = """warning: Mail addresses bypass the login filter in Sametime
    impact: Sametime looks up names with @ only by mail, so users that the filter excludes can log in;
    Quintet always applies the filter
    fix: set USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES=0 in [Directory] of sametime.ini"""
    D40 = """warning: A certificate has expired or soon will
    impact: no encrypted connection is possible with an expired certificate
    fix: renew the certificate, and import its new issuer into the trust store if it has one
    see: how-to/import-the-certificate.md"""
    D41 = """warning: Port is the TLS port under "only passwords"
    impact: the four unencrypted connections go to Port; sent to a TLS port they fail at once, and only
    authentication works
    fix: set Port to the plain LDAP port, usually 389, and SSLPort to the TLS port, usually 636
    see: how-to/encrypt-only-passwords.md"""
    D42 = """warning: A settings file's name is in another letter case
    impact: file names are case-sensitive here; Sametime and other programs may not find the file, and run
    with defaults
    fix: rename the file to the name that is expected"""
    D43 = """warning: A DN with two spaces in a row is not found again
    impact: the user is never found by ID, because the directory or a step on the way normalises the DN
    fix: remove the second space from the name in the directory, or set UserIdAttribute to another
    attribute"""
    D44 = """error: TLS_TRUSTED_HOSTS does not list the server
    impact: when TRUSTED_HOSTS is set, only certificates with a listed name are accepted, whatever HostName
    says
    fix: add the name in the server's certificate to STLDAP_TLS_TRUSTED_HOSTS, or remove the key
    see: how-to/tls-scopes.md"""
