"""The codes of what Quintet finds besides the known pitfalls of Sametime."""

from quintet.diagnostics.codes import Code


class Finding(Code):
    # Stores, servers and directories.
    Q4 = """warning: Java does not see all certificates of the store
    impact: certificates without Java's trust mark do not exist for Sametime; Quintet trusts them
    fix: write the store again with quintet trust convert"""
    Q5 = """warning: A host is configured twice
    impact: host names of servers must be unique
    fix: remove one Connection, or write HostName="first,second" when they are one directory"""
    Q10 = """error: The server's certificate is not trusted
    impact: its issuer is not in the trust store, so every encrypted connection is refused
    fix: quintet trust fetch HOST:PORT
    see: how-to/import-the-certificate.md"""
    Q11 = """error: The certificate is for another name
    impact: an attacker with a certificate of that issuer could impersonate the server, so the connection is
    refused
    fix: set HostName to a name in the certificate"""
    Q12 = """error: The server requires a client certificate
    impact: it refuses connections that present none, or not the right one
    fix: set STLDAP_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD to a store with Quintet's own key and
    certificate"""
    Q13 = """error: The TLS handshake fails
    impact: no encrypted connection can be made
    fix: openssl s_client -connect HOST:PORT shows the server's side"""
    Q14 = """warning: Nothing is encrypted
    impact: the passwords of users and of the account are readable on the network
    fix: quintet protect all
    see: how-to/encrypt-everything.md"""
    Q15 = """error: StartTLS is refused
    impact: QUINTET_START_TLS asks for it, and this server does not offer it on its plain LDAP port
    fix: remove QUINTET_START_TLS to use TLS on the TLS port, or configure a certificate on the server"""
    Q16 = """error: The server requires encrypted connections
    impact: it refuses binds or searches over unencrypted connections
    fix: quintet protect all
    see: how-to/encrypt-everything.md"""
    Q20 = """error: The base cannot be read
    impact: no user is found below a base that does not exist, or that the connection may not read
    fix: correct the base, or give the account the right to read it"""
    Q21 = """error: No users are found
    impact: no user can log in or be added to a list
    fix: correct base, scope and object class of the users"""
    Q22 = """error: A filter does not find an existing entry
    impact: the filter is applied to an entry that the directory has, and does not match it
    fix: compare the filter with the attributes of an entry"""
    Q23 = """warning: An attribute is never returned
    impact: what is shown or compared stays empty: the attribute has another name, or may not be read
    fix: correct the attribute's name, or give the account the right to read it"""
    Q24 = """warning: A search is slow or refused: an index is missing
    impact: without an index every search reads all entries; under load the directory becomes slow for all
    fix: index the attributes of the filter for equality and for initial substrings"""
    Q25 = """warning: The server limits the number of results
    impact: lists end at the server's own limit, below that of Sametime
    fix: raise the server's size and time limits for the account, or lower ST_DB_LDAP_MAX_RESULTS"""
    Q26 = """warning: The server returns referrals
    impact: referrals are not followed: entries on the other servers are not found
    fix: add a Connection for the other server, or use a port that holds all entries (Active Directory: 3268,
    3269)"""
    Q27 = """warning: The server does not support paged results
    impact: browsing needs answers in pages; without them a large unit cannot be listed
    fix: enable the control 1.2.840.113556.1.4.319 on the server, or turn browsing off"""
    Q28 = """warning: No groups are found
    impact: public groups cannot be added to a list, and policies of groups have no effect
    fix: correct GroupResolveBase, GroupObjectClass and GroupResolveFilter, or leave them if there are no
    groups"""
    Q29 = """warning: Anonymous connections see only a part
    impact: no account is configured, and the directory shows less to anonymous clients
    fix: set BindEntryDn and BindEntryPwd to an account that may read"""
    Q30 = """warning: A group has members outside the bases
    impact: members must be on the group's own server and below its base; others are not shown
    fix: move the members, or use a base that contains them"""
    Q31 = """error: The directory requires a bind before searching
    impact: without an account every search is refused, so no user can log in or be found; Active Directory is
    configured like this from the start
    fix: set BindEntryDn and BindEntryPwd to an account that may read"""
    # The files of the settings.
    Q40 = """error: The settings folder does not exist
    impact: there are no settings to work with
    fix: name the folder with --config DIR or QUINTET_CONFIG, or create it with quintet init"""
    Q41 = """error: A settings file is missing
    impact: without StCommunityConfig.xml there is no LDAP server; without sametime.ini the defaults apply,
    without UserInfoConfig.xml there are no business cards
    fix: copy the file into the settings folder, or create one with quintet init"""
    Q42 = """error: A settings file cannot be read
    impact: nothing of it takes effect
    fix: let the file be a regular file, and give this user the right to read it"""
    Q43 = """error: A settings file is too large
    impact: such files have a few kilobytes; a larger one is not read, because it is probably not the right
    one
    fix: check that it is the right file, and remove what does not belong in it"""
    Q44 = """note: There are more problems than are listed
    impact: the file is wrong throughout
    fix: fix the problems above first"""
    Q45 = """note: The file is not in UTF-8
    impact: it is read as ISO 8859-1, which may not be what was written
    fix: save the file as UTF-8"""
    Q46 = """error: The file is not in the encoding that it declares
    impact: a file whose characters are not known is not read
    fix: save the file as UTF-8, and let it declare UTF-8 or nothing"""
    Q47 = """error: An XML file has a document type
    impact: a document type (<!DOCTYPE) could include other files, so such a file is not read
    fix: remove the <!DOCTYPE …> declaration"""
    Q48 = """warning: A section appears twice
    impact: both are read here; Sametime requires unique section names
    fix: move the keys into one section"""
    Q49 = """warning: A line is neither a section, a comment nor KEY=VALUE
    impact: the line is ignored
    fix: correct the line, or begin it with ; to make it a comment"""
    # The names of settings.
    Q50 = """warning: A setting is given twice
    impact: the last value is used
    fix: remove one of the two"""
    Q51 = """warning: A value contains invisible characters
    impact: they come from copying and are part of the value, so names are not found and passwords are wrong
    fix: type the value again"""
    Q52 = """warning: A variable is written with single underscores
    impact: it is read here; Sametime documents two underscores
    fix: write STI__Section__KEY
    see: reference/settings.md"""
    Q53 = """warning: A variable is not of the form STI__Section__KEY
    impact: it is ignored
    fix: write STI__Section__KEY, or remove the variable
    see: reference/settings.md"""
    Q54 = """warning: The name of a variable is used as a key of the file
    impact: it has no effect in the file
    fix: write the key alone below its section, or set the variable in the environment
    see: reference/settings.md"""
    Q55 = """warning: A setting has no effect where it is written
    impact: the default is used in its place
    fix: move the setting to the section or element where it belongs
    see: reference/settings.md"""
    Q56 = """warning: A key is written in another letter case
    impact: it is read here; Sametime may not know it
    fix: write the key as it is documented
    see: reference/settings.md"""
    Q57 = """note: A setting has no effect in Quintet
    impact: it is accepted and ignored
    fix: nothing has to be done
    see: reference/settings.md"""
    Q58 = """note: A name is not known
    impact: it is ignored
    fix: nothing has to be done if another program uses it
    see: reference/settings.md"""
    Q59 = """warning: The name of a setting is misspelt
    impact: it is ignored, and the default is used
    fix: write the name as it is documented
    see: reference/settings.md"""
    Q60 = """error: The name of a security setting is misspelt
    impact: the setting does not take effect, so connections could be less protected than was intended
    fix: write the name as it is documented, or remove the setting
    see: reference/settings.md"""
    # The values of settings.
    Q61 = """error: A value is not valid
    impact: the settings are not used while they contain an error
    fix: correct the value
    see: reference/settings.md"""
    Q62 = """error: A base is not a valid DN
    impact: the settings are not used while they contain an error
    fix: write a DN such as ou=people,o=example"""
    Q63 = """error: A filter is not a valid LDAP filter
    impact: the settings are not used while they contain an error
    fix: write a filter such as (&(objectclass=person)(cn=%s)); in values, write \\ as \\5c, ( as \\28 and )
    as \\29"""
    Q64 = """error: The name of an attribute or object class is not valid
    impact: the settings are not used while they contain an error
    fix: write one LDAP name, of letters, digits and hyphens"""
    Q65 = """error: A host name is not valid
    impact: no connection can be made to it
    fix: write a host name or an IP address alone; the port has a setting of its own"""
    Q66 = """warning: A filter does not contain %s
    impact: every name finds the same entries
    fix: write %s in the filter where the name belongs"""
    Q67 = """error: A setting names a Java class
    impact: Quintet cannot run Java
    fix: write what the class does as a filter or an attribute name, or remove the setting to use the
    default"""
    Q68 = """error: A base has %S for each organisation
    impact: a base for each organisation is not supported
    fix: write the base of one organisation"""
    Q69 = """note: A value is beyond Sametime's documented limits
    impact: Quintet uses it; Sametime's clients may not handle the result
    fix: use a value within the limit where Sametime's clients connect"""
    Q71 = """error: A server has no host name
    impact: no connection can be made to it
    fix: set HostName to the name or the IP address of the LDAP server"""
    Q72 = """error: No LDAP server is configured
    impact: no user can log in or be found
    fix: add <LDAP><Connection HostName="ldap.example.com" SearchOrder="1"/></LDAP>, or use quintet init"""
    Q73 = """error: There are too many LDAP servers
    impact: those beyond the limit are not used
    fix: remove the servers that are not needed"""
    Q74 = """warning: A password has no account
    impact: the connection binds anonymously
    fix: name the account, or remove the password"""
    Q75 = """error: An account has no password
    impact: a bind without a password proves nothing, so none is made
    fix: set the password, or leave the account blank to bind anonymously"""
    Q76 = """warning: An account is neither a DN nor a mail address
    impact: most directories will reject it
    fix: write the DN of the account; for Active Directory also user@domain or DOMAIN\\user"""
    # Protection and TLS.
    Q80 = """warning: "Only passwords" is set without SSLEnabled
    impact: it is read as "only passwords": logins are encrypted, the rest is not
    fix: set SSLEnabled to 1
    see: how-to/encrypt-only-passwords.md"""
    Q81 = """warning: One server is not encrypted, others are
    impact: names and passwords are sent unencrypted to this server
    fix: set SSLEnabled to 1, or use quintet protect all
    see: how-to/encrypt-everything.md"""
    Q82 = """warning: StartTLS is set, but nothing is encrypted
    impact: QUINTET_START_TLS only says how connections are encrypted
    fix: set SSLEnabled to 1 (SslEnabled to true for business cards), or use quintet protect all
    see: how-to/encrypt-everything.md"""
    Q84 = """error: The TLS versions cannot be used
    impact: no encrypted connection can be made
    fix: set TLS_MIN_PROTOCOL_VERSION=0x303 (TLS 1.2), and TLS_MAX_PROTOCOL_VERSION to the same or 0x304 (TLS
    1.3)"""
    Q85 = """warning: A broken TLS version is allowed
    impact: TLS 1.0 and 1.1 can be broken by an attacker on the network
    fix: set TLS_MIN_PROTOCOL_VERSION=0x303 (TLS 1.2)"""
    Q86 = """error: The cipher suites cannot be used
    impact: no encrypted connection can be made with these suites
    fix: correct TLS_CIPHER_SUITES, or remove it to use the default suites"""
    Q87 = """error: FIPS compliance cannot be enforced
    impact: Quintet does not claim a compliance that its TLS library does not have
    fix: activate the FIPS provider in openssl.cnf, or set TLS_FIPS_COMPLIANCE to 0"""
    Q88 = """error: The key store has no usable key
    impact: a server that requires a client certificate refuses the connection
    fix: set TLS_KEY_LABEL to the alias of one key of the store"""
    Q89 = """note: A store's password was moved to its stash file
    impact: from now on the password is read from the stash file
    fix: nothing has to be done
    see: how-to/stash-the-store-password.md"""
    # The examination itself.
    Q90 = """note: Not examined
    impact: an earlier problem, or a limit of the server, prevents it
    fix: fix that first, then run quintet doctor again"""
    Q91 = """error: A check did not finish
    impact: what it looks at may work or not; the other checks were made anyway
    fix: run quintet doctor again; if the problem remains, look at the server's log"""
    # Business cards.
    Q92 = """error: No LDAP server is configured for business cards
    impact: there are no business cards
    fix: add <Storage type="LDAP"> with a <StorageDetails>, or remove the file to have no business cards"""
    Q93 = """warning: A Storage has no type
    impact: it is read as LDAP
    fix: write <Storage type="LDAP">"""
    Q94 = """warning: Business cards have nothing to show
    impact: the cards of this Storage are empty, or are not searched for
    fix: add the element that is missing"""
    Q95 = """error: A Detail or a Set is incomplete
    impact: the settings are not used while they contain an error
    fix: write <Detail Id="Name" FieldName="cn" Type="text/plain"/> and <Set SetId="1" params="Name"/>"""
    Q96 = """note: The unit of SearchTimeout is not documented
    impact: values from 1000 are read as milliseconds, smaller ones as seconds
    fix: nothing has to be done if that is what was meant"""
    Q97 = """note: A store of the container was found in the settings folder
    impact: the path of the container does not exist here; the file of that name in the settings folder is
    used
    fix: nothing has to be done"""
    # The port for Sametime clients.
    Q110 = """error: The database URL cannot be used
    impact: contact lists would be kept nowhere
    fix: write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, or remove QUINTET_DATABASE for a
    file beside the settings
    see: reference/settings.md"""
    Q111 = """error: The certificate of the Sametime port cannot be used
    impact: Sametime clients cannot connect with TLS
    fix: set STMUX_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD to a store with the server's key and certificate
    see: how-to/sign-in-with-pidgin-and-finch.md"""
    Q112 = """warning: The server's own certificate has expired
    impact: clients that check certificates refuse the connection
    fix: put a new certificate and its key into the store; SIGHUP loads it
    see: how-to/sign-in-with-pidgin-and-finch.md"""
    Q113 = """warning: Sametime clients without TLS are allowed on the network
    impact: their passwords are only hidden by a method that a determined listener breaks, and messages can be
    read and changed
    fix: let clients use TLS, and set QUINTET_LEGACY_CLIENTS to loopback or refuse
    see: explanation/sametime-clients.md"""
    Q114 = """error: No Sametime client can sign in
    impact: clients without TLS are refused, and there is no certificate for TLS
    fix: set STMUX_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD; VPMX_PORT=0 in [Debug] switches the port off
    see: how-to/sign-in-with-pidgin-and-finch.md"""
    Q115 = """error: Two services have the same port
    impact: the second one cannot listen, so Quintet does not start
    fix: set one of them to another port, or to 0 to switch it off"""
    # Levels.
    Q120 = """warning: Users may not read their own entries, as far as the account shows
    impact: under "only passwords" the entry of a user is read back after the bind, so that an attacker who
    changes the unencrypted lookup signs in as no other user; where that is not allowed, no user can sign in
    fix: let users read their own entries (slapd: access ... by self read), or encrypt all connections with
    quintet protect all; then try quintet authenticate
    see: explanation/protection.md"""
    # Sign-in for other applications.
    Q140 = """error: Groups that grant something are read over unencrypted connections
    impact: an attacker on the network can add a person to a group, and so become an administrator or enter
    an application; Quintet does not start. Where only some of the servers are unencrypted, it starts, and
    grants their people nothing
    fix: quintet protect all, or quintet protect passwords; QUINTET_ALLOW_UNENCRYPTED_GROUPS=1 in [Config]
    accepts the risk
    see: how-to/encrypt-everything.md"""
    Q141 = """warning: Applications can't lead to the page for signing in
    impact: without QUINTET_PUBLIC_URL users who are not signed in do not get there
    fix: set QUINTET_PUBLIC_URL in [Config] to the URL under which browsers reach Quintet"""
    Q142 = """warning: The cookie for applications does not reach one of them
    impact: browsers send it to QUINTET_COOKIE_DOMAIN and below, or to the host of QUINTET_PUBLIC_URL alone;
    users who sign in for another host are asked to sign in again and again
    fix: set QUINTET_COOKIE_DOMAIN to the domain that Quintet and its applications have in common"""
    Q143 = """error: HTTPS has no usable key
    impact: QUINTET_HTTP_TLS=1 asks for HTTPS, and it cannot be served without a key and its certificate
    fix: set QUINTET_HTTP_TLS_KEY_STORE_FILE, _TYPE and _PASSWORD to a store with the key of this server
    see: how-to/serve-https.md"""
    Q144 = """warning: The certificate of HTTPS is for another name
    impact: browsers refuse a certificate that does not name the host of QUINTET_PUBLIC_URL
    fix: put a new key and certificate in the key store, and reload
    see: how-to/serve-https.md"""
    # Several servers as one community.
    Q150 = """error: The URL of Valkey or Redis cannot be used
    impact: this server would be on its own, so Quintet does not start
    fix: write rediss://USER:PASSWORD@HOST:6379/0, or rediss+sentinel://USER:PASSWORD@HOST:26379/NAME for
    Sentinel; special characters of the password in percent-encoding; Redis Cluster is not supported
    see: how-to/run-several-nodes.md"""
    Q151 = """error: The key file of the cluster cannot be used
    impact: what the servers share would be unprotected or unreadable, so Quintet does not start
    fix: create one (umask 077; openssl rand -base64 32 >cluster.key), and copy the same file to every server
    see: how-to/run-several-nodes.md"""
    Q152 = """error: The connections to Valkey are not encrypted
    impact: a listener on the network can read its password, and can disturb what the servers share
    fix: write rediss:// and let Valkey use TLS; QUINTET_ALLOW_UNENCRYPTED_CLUSTER=1 in [Config] accepts the
    risk
    see: how-to/run-several-nodes.md"""
    Q153 = """error: A cluster needs PostgreSQL
    impact: each server would have contact lists of its own, so Quintet does not start
    fix: set QUINTET_DATABASE to postgresql://USER:PASSWORD@HOST/DATABASE, the same on every server
    see: how-to/run-several-nodes.md"""
    Q154 = """error: The certificate of Valkey cannot be verified
    impact: no connection to Valkey is made, so this server would be on its own
    fix: set QUINTET_CLUSTER_TLS_TRUST_STORE_FILE, _TYPE and _PASSWORD to a store with the CA certificate
    see: how-to/import-the-certificate.md"""
    Q155 = """error: Valkey or Redis cannot be used
    impact: users of other servers look offline, and web sign-ins are refused, until it can be used
    fix: start it, and correct QUINTET_CLUSTER; it must be Redis 6.2 or Valkey 7.2 or later, and not run in
    cluster mode
    see: how-to/run-several-nodes.md"""
    Q156 = """warning: Valkey may remove what the servers share
    impact: when its memory is full it removes sessions, locks and limits that are in use, and users flicker
    fix: set maxmemory-policy noeviction, and give it the memory that it needs
    see: how-to/run-several-nodes.md"""
    Q157 = """warning: Valkey closes the connections of servers that lag for a moment
    impact: a burst of presence changes makes a server lose its connection, and start over
    fix: set client-output-buffer-limit pubsub 33554432 8388608 60, or more
    see: how-to/run-several-nodes.md"""
    Q158 = """note: A setting of Valkey is unknown
    impact: it may be right; a managed service hides it, or the user may not read it
    fix: look it up at the service, or allow the user config|get
    see: how-to/run-several-nodes.md"""
