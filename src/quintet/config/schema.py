"""Every setting, declared once: name, place, kind of value, bounds, default, meaning, and whether it acts.

The readers, the defaults of `settings`, the writers, the check for misspelt names and the reference page of
settings all come from these tables: here that of sametime.ini, in `xml_schema` those of the XML files.
`source` is a section of docs/design/sametime-configuration.md, or "Quintet".
"""

from collections.abc import Iterable
from dataclasses import replace

from quintet.config.server_limits import limits_table
from quintet.config.setting import Kind, Setting, group
from quintet.tls import TlsSettings

INI, COMMUNITY, CARDS = "sametime.ini", "StCommunityConfig.xml", "UserInfoConfig.xml"
"""The names of the three files."""

OURS = "Quintet"
"""The source of settings that Sametime does not know."""

NOT_SERVED = "it concerns a part of Sametime that Quintet does not have"
NO_JAVA = "Quintet runs no Java"
DOCUMENTED_MEMBERS = 1000
"""Most members of a public group that Sametime documents (config 3.5)."""
YEAR = 525_600
"""The longest interval, in minutes."""
LONGEST_SECONDS = 86_400
"""No time limit is longer than a day."""

# sametime.ini

LDAP_PREFIXES = ("STLDAP_", "ST_")
"""The scopes of TLS keys that LDAP looks at, the narrower one first (2.4)."""
PORT_PREFIXES = ("STMUX_", "ST_")
"""The scopes that the port for Sametime clients looks at, the narrower one first."""
HTTP_PREFIXES = ("QUINTET_HTTP_", "ST_")
"""The scopes that HTTPS looks at, the narrower one first."""
CLUSTER_PREFIXES = ("QUINTET_CLUSTER_", "ST_")
"""The scopes that the connections to Valkey look at, the narrower one first."""
OWN_PREFIXES = (HTTP_PREFIXES[0], CLUSTER_PREFIXES[0])
OTHER_PREFIXES = ("STSRV_",)
SCOPES = tuple(dict.fromkeys((*LDAP_PREFIXES, *PORT_PREFIXES, *OTHER_PREFIXES)))
FOREIGN_PREFIXES = ("STSAML_",)
FOREIGN_SECTIONS = ("stconvomap", "stinfouser", "stpresencesubmgr", "ST_BB_NAMES")
"""Sections with keys that are not about the directory: nothing is said about these."""
COMPONENT_KEYS = ("VP_TRACE_ALL",)
"""Keys that may also be in the section of one component, `[Debug-StUsers]`."""

APPLICATION = "Application-NAME"
"""Stands for the section of one application, `[Application-wiki]`. Its keys may be in each of these."""

_CONFIG, _DIRECTORY, _DEBUG = ("Config",), ("Directory",), ("Debug",)
_USUAL = TlsSettings()
_INBOUND = "TLS_CLIENT_AUTH"
_NO_CACHE = "sessions are resumed by tickets, for which the server keeps nothing"
_STORE = "p12 or jks; by the file's extension if not set"
_STASHED = "stash file of its password"
_TLS = (
    *group(
        "2.3",
        Setting("TLS_TRUST_STORE_TYPE", Kind.TEXT, f"format of the trust store: {_STORE}"),
        Setting("TLS_TRUST_STORE_FILE", Kind.PATH, "trust store with the CA certificates"),
        Setting("TLS_TRUST_STORE_PASSWORD", Kind.SECRET, "its password"),
        Setting("TLS_TRUST_STORE_PASSWORD_STASH_FILE", Kind.PATH, _STASHED),
        Setting("TLS_KEY_STORE_TYPE", Kind.TEXT, f"format of the key store: {_STORE}"),
        Setting(
            "TLS_KEY_STORE_FILE",
            Kind.PATH,
            "Quintet's own key and certificate: what the Sametime port presents, and what an LDAP server gets"
            " that requires one",
        ),
        Setting("TLS_KEY_STORE_PASSWORD", Kind.SECRET, "its password"),
        Setting("TLS_KEY_STORE_PASSWORD_STASH_FILE", Kind.PATH, _STASHED),
        Setting(
            "TLS_FIPS_COMPLIANCE", Kind.FLAG, "1 = FIPS 140-2; an error where it cannot be enforced", "0"
        ),
        Setting("TLS_SECURITY_LEVEL", Kind.NUMBER, "minimum strength, 0 to 4", f"{_USUAL.level:d}"),
        Setting("TLS_MIN_PROTOCOL_VERSION", Kind.TEXT, "oldest TLS version", f"{_USUAL.minimum:#x}"),
        Setting("TLS_MAX_PROTOCOL_VERSION", Kind.TEXT, "newest TLS version", f"{_USUAL.maximum:#x}"),
        Setting("TLS_CIPHER_SUITES", Kind.LIST, "cipher suites in order of preference"),
        Setting("TLS_TRUSTED_HOSTS", Kind.LIST, "names of which the server's certificate must contain one"),
        Setting("TLS_MIRROR_TRUSTED_HOSTS", Kind.FLAG, "1 = names in Quintet's own certificate, too", "0"),
        security=True,
    ),
    *group(
        "2.3",
        Setting("TLS_KEY_LABEL", Kind.TEXT, "alias of the key to use, when the key store holds several"),
    ),
    *group(
        "2.3",
        Setting(
            _INBOUND,
            Kind.NUMBER,
            "Sametime port: ask clients for a certificate: 0 no, 1 want, 2 need",
            "0",
            (0, 2),
            security=True,
        ),
    ),
    *group(
        "2.3",
        Setting("TLS_MAX_SESSION_AGE", Kind.NUMBER, "longest use of one session", "-1"),
        Setting("TLS_SESSION_CACHE_SIZE", Kind.NUMBER, "sessions kept for resumption", "-1"),
        Setting("TLS_SESSION_CACHE_TIME", Kind.NUMBER, "longest reuse of a session, in seconds", "0"),
        unused=_NO_CACHE,
        quiet=True,
    ),
)
TLS_NAMES = tuple(setting.name for setting in _TLS)
"""The TLS keys without their prefix."""
SERVER_TLS_NAMES = (
    *(name for name in TLS_NAMES if name.startswith("TLS_KEY_")),
    "TLS_FIPS_COMPLIANCE",
    "TLS_SECURITY_LEVEL",
    "TLS_MIN_PROTOCOL_VERSION",
    "TLS_MAX_PROTOCOL_VERSION",
    "TLS_CIPHER_SUITES",
)
"""Those that concern the server's side of TLS."""
CLUSTER_TLS_NAMES = tuple(setting.name for setting in _TLS if setting.name != _INBOUND and not setting.unused)
"""Those that concern the connections to Valkey."""
STORE_NAMES = frozenset(name for name in TLS_NAMES if "_STORE_" in name)
"""Those that name a store or open it."""


def without_scope(name: str) -> str:
    """The name of a TLS key without the prefix of its scope; any other name as it is."""
    upper = name.upper()
    for prefix in (*OWN_PREFIXES, f"{upper.partition('_')[0]}_"):
        if upper.startswith(prefix) and (bare := upper.removeprefix(prefix)) in TLS_NAMES:
            return bare
    return name


def _scoped(prefix: str) -> Iterable[Setting]:
    for setting in _TLS:
        key = replace(setting, name=prefix + setting.name, sections=_CONFIG)
        if prefix in OTHER_PREFIXES:
            key = replace(key, unused=NOT_SERVED, quiet=True)
        elif setting.name == _INBOUND and prefix not in PORT_PREFIXES:
            key = replace(key, unused="Quintet is the client of LDAP servers", quiet=True)
        yield key


def _limits() -> Iterable[Setting]:
    """The bounds of the Sametime port."""
    for each in limits_table():
        unit = f" ({each.unit.value})" if each.unit.value else ""
        meaning = each.meaning[:1].lower() + each.meaning[1:] + unit
        bounds = (int(each.least), int(each.most))
        yield Setting(each.setting, Kind.NUMBER, meaning, f"{int(each.default)}", bounds, source=OURS)


def _own_scopes() -> Iterable[Setting]:
    own = {
        f"{HTTP_PREFIXES[0]}TLS_KEY_STORE_FILE": "key and certificate of HTTPS",
        f"{CLUSTER_PREFIXES[0]}TLS_KEY_STORE_FILE": "key and certificate for a Valkey that requires one",
    }
    for prefix, names in zip(OWN_PREFIXES, (SERVER_TLS_NAMES, CLUSTER_TLS_NAMES), strict=True):
        for setting in _TLS:
            if setting.name in names:
                name = prefix + setting.name
                meaning = own.get(name, setting.meaning)
                yield replace(setting, name=name, meaning=meaning, sections=_CONFIG, source=OURS)


INI_KEYS: tuple[Setting, ...] = (
    *(key for prefix in SCOPES for key in _scoped(prefix)),
    *_own_scopes(),
    *group(
        "2.9",
        Setting(
            "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS",
            Kind.FLAG,
            "1 = only the connection that authenticates is encrypted",
            "0",
            security=True,
        ),
        Setting(
            "ST_DB_LDAP_CONNECTIONS_NUMBER",
            Kind.NUMBER,
            "connections for each task; authentication has twice as many",
            "1",
            (1, 100),
        ),
        Setting(
            "ST_DB_LDAP_PENDING_MAX",
            Kind.NUMBER,
            "requests in flight on a connection at which sending stops",
            "60",
            (1, 100_000),
        ),
        Setting(
            "ST_DB_LDAP_PENDING_LOW",
            Kind.NUMBER,
            "requests in flight at which it resumes; below ST_DB_LDAP_PENDING_MAX",
            "30",
            (0, 100_000),
        ),
        Setting("ST_DB_LDAP_MAX_RESULTS", Kind.NUMBER, "most entries from one search", "1000", (1, 10**9)),
        Setting(
            "ST_DB_LDAP_RESPRAY_INTERVAL",
            Kind.MINUTES,
            "age at which a connection is replaced, to spread the load; 0 = never",
            "0",
            (0, YEAR),
        ),
        Setting("DirectoryType", Kind.TEXT, "kind of directory; only LDAP", "LDAP"),
        Setting(
            "USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES",
            Kind.FLAG,
            "search names that look like mail addresses only by mail",
            "1",
            unused="Quintet always applies the configured filter, so that no user can bypass it",
        ),
        sections=_DIRECTORY,
    ),
    *group(
        "2.9",
        Setting("ST_DB_LDAP_PENDING_BIND_MAX", Kind.NUMBER, "as ST_DB_LDAP_PENDING_MAX, for binds"),
        Setting("ST_DB_LDAP_PENDING_BIND_LOW", Kind.NUMBER, "as ST_DB_LDAP_PENDING_LOW, for binds"),
        sections=_DIRECTORY,
        unused="LDAP allows one bind at a time on a connection, and Quintet keeps to that",
    ),
    *group(
        "2.9",
        Setting("ST_DB_LDAP_ALLOW_SEARCH_ON_DN", Kind.TEXT, "a DN is found by a base-scope search"),
        Setting("ST_DB_LDAP_KEEPALIVE_INTERVAL", Kind.TEXT, "keep-alive"),
        Setting("ST_DB_LDAP_TIMEOUT", Kind.TEXT, "time limit"),
        Setting("ST_DB_LDAP_MIN_WILDCARD", Kind.TEXT, "shortest search with a wildcard"),
        sections=_DIRECTORY,
        unused="its exact meaning is not documented",
    ),
    Setting(
        "QUINTET_TLS_CRL_FILE",
        Kind.PATH,
        "certificate revocation lists (PEM or DER) of all CAs of the servers' chains, which are then checked",
        source=OURS,
        sections=_CONFIG,
        security=True,
    ),
    *group(
        OURS,
        Setting(
            "QUINTET_START_TLS",
            Kind.FLAG,
            "1 = where a connection is encrypted, StartTLS on Port in place of TLS on SSLPort",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_ALLOW_CLEAR_SERVICE_BIND",
            Kind.FLAG,
            "1 = an account's own password may be sent over the unencrypted connections of a level that"
            ' encrypts: four under "only passwords", and that of business cards',
            "0",
            security=True,
        ),
        Setting("QUINTET_SASL_USER", Kind.TEXT, "user name for SCRAM, if not the first value of the DN"),
        Setting(
            "QUINTET_ALLOW_EXPIRED_PASSWORDS",
            Kind.FLAG,
            "1 = the right password signs in also when it has expired or must be changed",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_LOGIN_DOMAINS",
            Kind.LIST,
            "domains removed from login names of the form DOMAIN\\name, as Windows users type them",
        ),
        Setting("QUINTET_CONNECT_TIMEOUT", Kind.SECONDS, "time limit of a connect", "6"),
        Setting("QUINTET_OPERATION_TIMEOUT", Kind.SECONDS, "time limit of an operation", "30"),
        Setting(
            "QUINTET_MAX_MEMBERS",
            Kind.NUMBER,
            "most members of a group",
            f"{DOCUMENTED_MEMBERS}",
            (1, 1_000_000),
        ),
        sections=_DIRECTORY,
    ),
    *group(
        OURS,
        Setting(
            "QUINTET_ADDRESS",
            Kind.HOST,
            "address at which Quintet listens; 0.0.0.0 is every one",
            "0.0.0.0",  # noqa: S104  # clients are on other machines
        ),
        Setting("QUINTET_HTTP_PORT", Kind.PORT, "HTTP port; 0 = none", "8080", (0, 65_535)),
        Setting(
            "QUINTET_HTTP_TLS",
            Kind.FLAG,
            "1 = HTTPS on QUINTET_HTTP_PORT, with the key of QUINTET_HTTP_TLS_KEY_STORE_FILE, or of ST_…",
            "0",
            security=True,
        ),
        Setting("QUINTET_METRICS_ADDRESS", Kind.HOST, "address of metrics and health checks", "127.0.0.1"),
        Setting(
            "QUINTET_METRICS_PORT",
            Kind.PORT,
            "port of /metrics, /livez and /readyz; 0 = none",
            "9533",
            (0, 65_535),
        ),
        Setting("QUINTET_PUBLIC_URL", Kind.TEXT, "base of absolute links, as browsers reach Quintet"),
        Setting(
            "QUINTET_TRUSTED_PROXIES",
            Kind.LIST,
            "networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; they may send"
            " a PROXY protocol header (version 2) at the HTTP port, and must at the Sametime port",
            security=True,
        ),
        Setting(
            "QUINTET_ALLOW_UNENCRYPTED_SIGN_IN",
            Kind.FLAG,
            "1 = passwords are accepted over unencrypted HTTP from other machines, too",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_SIGN_IN_LIMIT",
            Kind.NUMBER,
            "failed sign-ins with one name from one network after which more are refused for a time that"
            " grows; ten times as many with one name from all networks; 0 = no limit",
            "10",
            (0, 1000),
            security=True,
        ),
        Setting(
            "QUINTET_SIGN_IN_NETWORK_LIMIT",
            Kind.NUMBER,
            "the same for all names from one network, which is an IPv4 address or an IPv6 /64; 0 = no limit",
            "200",
            (0, 1_000_000),
            security=True,
        ),
        Setting(
            "QUINTET_READY_NEEDS",
            Kind.LIST,
            "parts without which /readyz is red: directory, cards, database, cluster",
        ),
        Setting("QUINTET_PEOPLE_PAGES", Kind.FLAG, "0 = no pages for people in a browser", "1"),
        Setting(
            "QUINTET_ADMIN_GROUP",
            Kind.TEXT,
            "name or DN of the group whose members are administrators",
            security=True,
        ),
        Setting(
            "QUINTET_ALLOW_UNENCRYPTED_GROUPS",
            Kind.FLAG,
            "1 = administrators and applications are granted what groups allow, although the groups come over"
            " unencrypted connections",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_RETURN_ORIGINS",
            Kind.LIST,
            "origins of the applications to which signing in may lead back, https://wiki.example.com",
            security=True,
        ),
        Setting(
            "QUINTET_COOKIE_DOMAIN",
            Kind.HOST,
            "domain that Quintet and the applications have in common; not set, they must have one host name",
            security=True,
        ),
        sections=_CONFIG,
    ),
    Setting(
        "VPMX_PORT",
        Kind.PORT,
        "port for Sametime clients, with TLS and without; 0 = none",
        "1533",
        (0, 65_535),
        sections=_DEBUG,
        source="2.10",
    ),
    *group(
        OURS,
        Setting(
            "QUINTET_LEGACY_CLIENTS",
            Kind.CHOICE,
            "Sametime clients that may sign in without TLS: those on this machine (not proxied), all, none",
            "loopback",
            choices=("loopback", "allow", "refuse"),
            security=True,
        ),
        Setting(
            "QUINTET_SIGN_INS",
            Kind.CHOICE,
            "when a user signs in again: many = both sessions stay, newest = the old one ends, oldest = the"
            " new one is refused",
            "many",
            choices=("many", "newest", "oldest"),
        ),
        Setting(
            "QUINTET_ANONYMOUS_USERS",
            Kind.FLAG,
            "1 = Sametime clients may sign in without a name and a password",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_RECHECK_MINUTES",
            Kind.MINUTES,
            "how often it is asked whether a signed-in user may still sign in; 0 = never",
            "60",
            (0, YEAR),
        ),
        Setting(
            "QUINTET_DATABASE",
            Kind.DATABASE,
            "where contact lists are kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; the"
            " file quintet.db beside the settings if not set",
        ),
        Setting(
            "QUINTET_FIRST_CONTACTS",
            Kind.TEXT,
            "DNs of public groups, separated by ;, that fill a user's first list (clients drop their own)",
        ),
        Setting("QUINTET_NODE", Kind.TEXT, "name of this server; the machine's name if not set"),
        Setting(
            "QUINTET_CLUSTER",
            Kind.CLUSTER,
            "Valkey or Redis through which several servers are one community:"
            " rediss://USER:PASSWORD@HOST:6379/0, redis:// without TLS, or through Sentinel"
            " rediss+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/NAME/0; a server on its own if not set",
        ),
        Setting(
            "QUINTET_CLUSTER_KEY_FILE",
            Kind.PATH,
            "file with the keys of what the servers share, 32 random bytes in base64 a line: the first"
            " encrypts, all decrypt",
            security=True,
        ),
        Setting(
            "QUINTET_COMMUNITY",
            Kind.TEXT,
            "name of the community in Valkey; communities that share a Valkey have different ones",
            "quintet",
        ),
        Setting(
            "QUINTET_ALLOW_UNENCRYPTED_CLUSTER",
            Kind.FLAG,
            "1 = the connections to a Valkey on another machine may be unencrypted",
            "0",
            security=True,
        ),
        Setting(
            "QUINTET_BROWSE_PAGES",
            Kind.FLAG,
            "1 = Sametime clients may page through the directory (experimental)",
            "0",
        ),
        Setting("QUINTET_FILE_TRANSFER", Kind.FLAG, "0 = Sametime clients may not send files", "1"),
        Setting("QUINTET_MAX_FILE_KB", Kind.NUMBER, "largest file in KB; 0 = unlimited", "0", (0, 10**7)),
        *_limits(),
        sections=_CONFIG,
    ),
    *group(
        OURS,
        Setting(
            "QUINTET_REQUIRED_GROUPS",
            Kind.GROUPS,
            "groups whose members may use the application; not set, all users who sign in may",
            security=True,
        ),
        Setting("QUINTET_SENT_GROUPS", Kind.GROUPS, "groups that Remote-Groups may name", security=True),
        Setting("QUINTET_USER_ATTRIBUTE", Kind.ATTRIBUTE, "attribute of Remote-User", "uid", security=True),
        Setting(
            "QUINTET_HEADER_ENCODING",
            Kind.CHOICE,
            "how Remote-User, -Name, -Email and -Groups are written",
            "utf-8",
            choices=("utf-8", "percent"),
        ),
        Setting(
            "QUINTET_BASIC_SIGN_IN",
            Kind.FLAG,
            "1 = programs may sign in with name and password in each request (HTTP Basic)",
            "0",
            security=True,
        ),
        sections=(APPLICATION,),
    ),
    *group(
        "2.10",
        Setting("VP_LDAP_TRACE", Kind.FLAG, "1 = trace LDAP, without secrets", "0", sections=_DEBUG),
        Setting("ST_TLS_DEBUG", Kind.FLAG, "1 = trace TLS", "0", sections=("Debug", "Config")),
        Setting("USERINFO_DEBUG_LEVEL", Kind.NUMBER, "5 = trace business cards", "0", sections=_DEBUG),
        Setting(
            "STUSERINFO_TRAFFIC_TRACE",
            Kind.FLAG,
            "1 = trace business cards",
            "0",
            sections=("Debug", "Config", "stinfouser"),
        ),
        Setting("VPDIR_IGNORE_BROWSE", Kind.FLAG, "1 = no browsing", "0", sections=_DEBUG),
        Setting(
            "ST_RESOLVE_BLACKLIST",
            Kind.LIST,
            "mail domains whose users are not found; *.d.org covers all below",
            sections=_CONFIG,
        ),
        Setting(
            "ST_RESOLVE_WHITELIST", Kind.LIST, "the only domains whose users are found", sections=_CONFIG
        ),
        Setting(
            "VP_TRACE_ALL",
            Kind.FLAG,
            "1 = all traces of a component",
            "0",
            sections=_DEBUG,
            unused="Quintet's traces have keys of their own",
        ),
    ),
    *group(
        "2.10",
        Setting("ST_JAVA_CUSTOM_PATH", Kind.PATH, "Java classes"),
        Setting("ST_JAVA_CLASS_PATH", Kind.PATH, "Java classes"),
        sections=_CONFIG,
        unused=NO_JAVA,
    ),
    *group(
        "2.10",
        Setting("ST_COMMUNITY_ID", Kind.TEXT, "name of the community", sections=_CONFIG),
        Setting("VPMX_DISABLE_CONFIGURATION_UPDATE", Kind.FLAG, "multiplexer", "0", sections=_DEBUG),
        Setting("VP_SECURITY_LEVEL", Kind.NUMBER, "oldest client let in", "25", sections=_CONFIG),
        unused=NOT_SERVED,
        quiet=True,
    ),
    *group(
        "2.10",
        Setting(
            "VPMX_TLS_PORT",
            Kind.PORT,
            "multiplexer: TLS port",
            sections=_DEBUG,
            unused="clients with TLS and without use the same port, VPMX_PORT",
        ),
        Setting(
            "VPMX_CAPACITY",
            Kind.NUMBER,
            "multiplexer: most connections",
            "20000",
            sections=_CONFIG,
            unused="QUINTET_MAX_SESSIONS is the limit",
        ),
        Setting(
            "ST_AUTH_TOKEN",
            Kind.TEXT,
            "kinds of sign-in token",
            sections=("ST_BB_NAMES",),
            unused="tokens are not accepted",
            quiet=True,
        ),
    ),
)
KNOWN_INI = {key.name.casefold(): key for key in INI_KEYS}
"""The keys by their names in small letters."""
