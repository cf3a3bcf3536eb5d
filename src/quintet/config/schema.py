"""Every setting that is known, in tables: what it is called, where it belongs, what it means.

The readers use these tables to find slips, and the reference documentation is made from them. Section numbers
are those of `reference/sametime-configuration.md`.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a value looks like."""

    FLAG = "0 or 1"
    NUMBER = "whole number"
    SECONDS = "seconds"
    MINUTES = "minutes"
    PORT = "port, 1 to 65535"
    TEXT = "text"
    SECRET = "password"  # noqa: S105 - a kind of value, not a value
    PATH = "path"
    LIST = "comma-separated list"
    HOSTS = "host names, comma-separated"
    DN = "distinguished name"
    FILTER = "LDAP filter"
    ATTRIBUTE = "attribute name"
    SCOPE = "scope"


@dataclass(frozen=True, slots=True)
class IniKey:
    """A key of sametime.ini. The first of `sections` is the documented one.

    `default` is as an administrator would write it, empty for none. `unused` tells why Quintet does not act
    on the key; empty when it does.
    """

    name: str
    sections: tuple[str, ...]
    kind: Kind
    default: str
    meaning: str
    source: str
    unused: str = ""


@dataclass(frozen=True, slots=True)
class XmlSetting:
    """A setting of one of the XML files. `aliases` are other names that occur for it.

    `unused` tells why Quintet does not act on it, as in an `IniKey`.
    """

    name: str
    kind: Kind
    default: str
    meaning: str
    source: str
    aliases: tuple[str, ...] = ()
    unused: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


_UNCONFIRMED = "its meaning is not documented, so it has no effect"
_NOT_LDAP = "it does not concern the directory"
_OURS = "Quintet"

_CONFIG = ("Config",)
_DIRECTORY = ("Directory",)
_DEBUG = ("Debug",)

# The scopes of TLS keys, reference 2.4. LDAP looks at the first two, the narrower one first.
LDAP_PREFIXES = ("STLDAP_", "ST_")
OTHER_PREFIXES = ("STMUX_", "STSRV_")

# name without prefix, kind, default, meaning, source, why it has no effect
_TLS: tuple[tuple[str, Kind, str, str, str, str], ...] = (
    ("TLS_TRUST_STORE_TYPE", Kind.TEXT, "", "p12 or jks: the format of the trust store", "2.3", ""),
    ("TLS_TRUST_STORE_FILE", Kind.PATH, "", "the trust store: certificates that we trust", "2.3", ""),
    ("TLS_TRUST_STORE_PASSWORD", Kind.SECRET, "", "its password, in clear", "2.3", ""),
    ("TLS_TRUST_STORE_PASSWORD_STASH_FILE", Kind.PATH, "", "where its password is stashed", "2.5", ""),
    ("TLS_KEY_STORE_TYPE", Kind.TEXT, "", "p12 or jks: the format of the key store", "2.3", ""),
    ("TLS_KEY_STORE_FILE", Kind.PATH, "", "our own key and certificate, for servers that ask", "2.3", ""),
    ("TLS_KEY_STORE_PASSWORD", Kind.SECRET, "", "its password, in clear", "2.3", ""),
    ("TLS_KEY_STORE_PASSWORD_STASH_FILE", Kind.PATH, "", "where its password is stashed", "2.5", ""),
    ("TLS_KEY_LABEL", Kind.TEXT, "", "which key to use, when the key store holds several", "2.3", ""),
    ("TLS_FIPS_COMPLIANCE", Kind.FLAG, "0", "1 = FIPS 140-2, refused where it cannot be enforced", "2.7", ""),
    ("TLS_SECURITY_LEVEL", Kind.NUMBER, "0", "0 to 4: least strength of suites and certificates", "2.7", ""),
    ("TLS_MIN_PROTOCOL_VERSION", Kind.TEXT, "0x303", "oldest TLS version", "2.3", ""),
    ("TLS_MAX_PROTOCOL_VERSION", Kind.TEXT, "0x304", "newest TLS version (Sametime: 0x303)", "2.3", ""),
    ("TLS_CIPHER_SUITES", Kind.LIST, "", "cipher suites in order of preference", "2.6", ""),
    ("TLS_TRUSTED_HOSTS", Kind.LIST, "", "the only names of servers' certificates to accept", "2.8", ""),
    ("TLS_MIRROR_TRUSTED_HOSTS", Kind.FLAG, "0", "1 = accept the names in our own certificate", "2.8", ""),
    ("TLS_CLIENT_AUTH", Kind.NUMBER, "0", "ask clients for a certificate: 0 no, 1 want, 2 need", "2.3", ""),
    ("TLS_MAX_SESSION_AGE", Kind.NUMBER, "-1", "age of TLS sessions", "2.3", ""),
    ("TLS_SESSION_CACHE_SIZE", Kind.NUMBER, "-1", "sessions kept for resumption, inbound", "2.3", ""),
    ("TLS_SESSION_CACHE_TIME", Kind.SECONDS, "0", "age of sessions, inbound", "2.3", ""),
)

TLS_NAMES = tuple(row[0] for row in _TLS)


def _tls_keys() -> tuple[IniKey, ...]:
    return tuple(
        IniKey(prefix + name, _CONFIG, kind, default, meaning, source, unused)
        for prefix in (*LDAP_PREFIXES, *OTHER_PREFIXES)
        for name, kind, default, meaning, source, unused in _TLS
    )


INI_KEYS: tuple[IniKey, ...] = (
    *_tls_keys(),
    IniKey(
        "QUINTET_TLS_CRL_FILE",
        _CONFIG,
        Kind.PATH,
        "",
        "certificate revocation lists (PEM or DER) of all CAs of the servers' chains, which are then checked",
        _OURS,
    ),
    IniKey(
        "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS",
        _DIRECTORY,
        Kind.FLAG,
        "0",
        "1 = only the connection that authenticates is encrypted",
        "2.9",
    ),
    IniKey(
        "ST_DB_LDAP_CONNECTIONS_NUMBER",
        _DIRECTORY,
        Kind.NUMBER,
        "1",
        "connections for each task; authentication gets twice as many",
        "2.9",
    ),
    IniKey(
        "ST_DB_LDAP_PENDING_MAX",
        _DIRECTORY,
        Kind.NUMBER,
        "60",
        "requests in flight on a connection at which sending stops",
        "2.9",
    ),
    IniKey(
        "ST_DB_LDAP_PENDING_LOW",
        _DIRECTORY,
        Kind.NUMBER,
        "30",
        "requests in flight on a connection at which sending goes on",
        "2.9",
    ),
    IniKey(
        "ST_DB_LDAP_PENDING_BIND_MAX",
        _DIRECTORY,
        Kind.NUMBER,
        "",
        "as ST_DB_LDAP_PENDING_MAX, for binds",
        "2.9",
        "LDAP allows one bind at a time on a connection, and Quintet keeps to that",
    ),
    IniKey(
        "ST_DB_LDAP_PENDING_BIND_LOW",
        _DIRECTORY,
        Kind.NUMBER,
        "",
        "as ST_DB_LDAP_PENDING_LOW, for binds",
        "2.9",
        "LDAP allows one bind at a time on a connection, and Quintet keeps to that",
    ),
    IniKey(
        "ST_DB_LDAP_MAX_RESULTS",
        _DIRECTORY,
        Kind.NUMBER,
        "1000",
        "most entries from one search for people or groups",
        "2.9",
    ),
    IniKey(
        "ST_DB_LDAP_RESPRAY_INTERVAL",
        _DIRECTORY,
        Kind.MINUTES,
        "0",
        "age at which a connection is made anew, to spread load; 0 = never",
        "2.9",
    ),
    IniKey("ST_DB_LDAP_ALLOW_SEARCH_ON_DN", _DIRECTORY, Kind.FLAG, "", "unclear", "2.9", _UNCONFIRMED),
    IniKey("ST_DB_LDAP_KEEPALIVE_INTERVAL", _DIRECTORY, Kind.NUMBER, "", "unclear", "2.9", _UNCONFIRMED),
    IniKey("ST_DB_LDAP_TIMEOUT", _DIRECTORY, Kind.NUMBER, "", "unclear", "2.9", _UNCONFIRMED),
    IniKey("ST_DB_LDAP_MIN_WILDCARD", _DIRECTORY, Kind.NUMBER, "", "unclear", "2.9", _UNCONFIRMED),
    IniKey("DirectoryType", _DIRECTORY, Kind.TEXT, "LDAP", "the kind of directory; only LDAP", "2.9"),
    IniKey(
        "USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES",
        _DIRECTORY,
        Kind.FLAG,
        "0",
        "search names that look like mail addresses in the mail attribute alone",
        "2.9",
        "Quintet always applies the configured filter, so that nobody passes it by",
    ),
    IniKey(
        "QUINTET_START_TLS",
        _DIRECTORY,
        Kind.FLAG,
        "0",
        "1 = where a connection is encrypted, StartTLS on Port instead of TLS on SSLPort",
        _OURS,
    ),
    IniKey(
        "QUINTET_ALLOW_CLEAR_SERVICE_BIND",
        _DIRECTORY,
        Kind.FLAG,
        "0",
        "1 = a bind account's own password may cross the clear connections of a level that encrypts: four"
        " under 'only passwords', and that of business cards",
        _OURS,
    ),
    IniKey(
        "QUINTET_SASL_USER",
        _DIRECTORY,
        Kind.TEXT,
        "",
        "the bind account's user name for SCRAM, when it is not the first value of its DN",
        _OURS,
    ),
    IniKey(
        "QUINTET_ALLOW_EXPIRED_PASSWORDS",
        _DIRECTORY,
        Kind.FLAG,
        "0",
        "1 = the right password signs in also when it has expired or must be changed",
        _OURS,
    ),
    IniKey(
        "QUINTET_LOGIN_DOMAINS",
        _DIRECTORY,
        Kind.LIST,
        "",
        "domains that are taken off login names of the form DOMAIN\\name, as Windows users type them",
        _OURS,
    ),
    IniKey("QUINTET_CONNECT_TIMEOUT", _DIRECTORY, Kind.SECONDS, "6", "time limit of a connect", _OURS),
    IniKey("QUINTET_OPERATION_TIMEOUT", _DIRECTORY, Kind.SECONDS, "30", "time limit of an operation", _OURS),
    IniKey("QUINTET_MAX_MEMBERS", _DIRECTORY, Kind.NUMBER, "1000", "most members told of a group", _OURS),
    IniKey("VP_LDAP_TRACE", _DEBUG, Kind.FLAG, "0", "1 = trace LDAP, without secrets", "2.10"),
    IniKey("ST_TLS_DEBUG", ("Debug", "Config"), Kind.FLAG, "0", "1 = trace TLS negotiation", "2.10"),
    IniKey("USERINFO_DEBUG_LEVEL", _DEBUG, Kind.NUMBER, "0", "5 = trace business cards", "2.10"),
    IniKey(
        "STUSERINFO_TRAFFIC_TRACE",
        ("Debug", "Config", "stinfouser"),
        Kind.FLAG,
        "0",
        "1 = trace business cards",
        "2.10",
    ),
    IniKey("VP_TRACE_ALL", _DEBUG, Kind.FLAG, "0", "all traces of a component", "2.10", _NOT_LDAP),
    IniKey("VPDIR_IGNORE_BROWSE", _DEBUG, Kind.FLAG, "0", "1 = nobody browses the directory", "2.10"),
    IniKey("ST_COMMUNITY_ID", _CONFIG, Kind.TEXT, "", "the community's name", "2.10"),
    IniKey(
        "ST_RESOLVE_BLACKLIST",
        _CONFIG,
        Kind.LIST,
        "",
        "mail domains whose people are not found; *.d.org covers d.org and all below",
        "2.10",
    ),
    IniKey(
        "ST_RESOLVE_WHITELIST",
        _CONFIG,
        Kind.LIST,
        "",
        "the only mail domains whose people are found",
        "2.10",
    ),
    IniKey("ST_JAVA_CUSTOM_PATH", _CONFIG, Kind.PATH, "", "Java classes", "2.10", "Quintet runs no Java"),
    IniKey("ST_JAVA_CLASS_PATH", _CONFIG, Kind.PATH, "", "Java classes", "2.10", "Quintet runs no Java"),
    IniKey("VPMX_PORT", _DEBUG, Kind.PORT, "1533", "mux: clear port", "2.10"),
    IniKey("VPMX_TLS_PORT", _DEBUG, Kind.PORT, "", "mux: TLS port", "2.10"),
    IniKey(
        "VPMX_DISABLE_CONFIGURATION_UPDATE",
        _DEBUG,
        Kind.FLAG,
        "0",
        "mux: ignore pushed configuration",
        "2.10",
    ),
    IniKey("VPMX_CAPACITY", _CONFIG, Kind.NUMBER, "20000", "mux: most connections", "2.10"),
    IniKey("ST_AUTH_TOKEN", ("ST_BB_NAMES",), Kind.TEXT, "", "kinds of token", "2.10"),
)

KNOWN_INI = {key.name.casefold(): key for key in INI_KEYS}

# Keys that may stand in the section of one component too, `[Debug-StUsers]`.
COMPONENT_KEYS = ("VP_TRACE_ALL",)

# Sections with keys that are none of our business: nothing is said about these.
FOREIGN_SECTIONS = ("stconvomap", "stinfouser", "stpresencesubmgr", "ST_BB_NAMES")
FOREIGN_PREFIXES = ("STSAML_",)

DEFAULT_PERSON_FILTER = "(&(objectclass=organizationalPerson)(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"
DEFAULT_LOGIN_FILTER = "(&(objectclass=organizationalPerson)(|(cn=%s)(givenname=%s)(sn=%s)(mail=%s)))"

# StCommunityConfig.xml, reference 3.2: on `Connection`, or further out as the default of all below.
CONNECTION_SETTINGS: tuple[XmlSetting, ...] = (
    XmlSetting(
        "HostName", Kind.HOSTS, "", "the LDAP server; several names of one directory", "3.2", ("Host",)
    ),
    XmlSetting("Port", Kind.PORT, "389", "the clear port", "3.2"),
    XmlSetting("SSLEnabled", Kind.FLAG, "0", "1 = TLS", "3.2", ("SSL",)),
    XmlSetting("SSLPort", Kind.PORT, "636", "the TLS port", "3.2"),
    XmlSetting("SearchOrder", Kind.NUMBER, "", "place among the servers, unique", "3.3"),
    XmlSetting("BindEntryDn", Kind.TEXT, "", "the bind account; blank = anonymous", "3.2", ("BindDn",)),
    XmlSetting(
        "BindEntryPassword",
        Kind.SECRET,
        "",
        "its password, in clear",
        "3.2",
        ("BindEntryPwd", "BindPassword"),
    ),
    XmlSetting("PersonResolveBase", Kind.DN, "", "base for people; blank = all", "3.2"),
    XmlSetting("PersonResolveScope", Kind.SCOPE, "recursive", "recursive or onelevel", "3.2"),
    XmlSetting("PersonResolveFilter", Kind.FILTER, DEFAULT_PERSON_FILTER, "finds people by name", "3.2"),
    XmlSetting("UserDnSearchFilter", Kind.FILTER, DEFAULT_LOGIN_FILTER, "login name to one DN", "3.2"),
    XmlSetting("PersonObjectClass", Kind.ATTRIBUTE, "organizationalPerson", "an entry is a person", "3.2"),
    XmlSetting("UserIdAttribute", Kind.ATTRIBUTE, "", "holds the Sametime ID; blank = the DN", "3.7"),
    XmlSetting("NameAttribute", Kind.ATTRIBUTE, "cn", "display name", "3.2"),
    XmlSetting("EmailAttribute", Kind.ATTRIBUTE, "Mail", "mail address", "3.2"),
    XmlSetting("DescAttribute", Kind.ATTRIBUTE, "", "tells similar names apart", "3.2"),
    XmlSetting("GroupResolveBase", Kind.DN, "", "base for groups; blank = all", "3.2"),
    XmlSetting("GroupResolveScope", Kind.SCOPE, "recursive", "recursive or onelevel", "3.2"),
    XmlSetting(
        "GroupResolveFilter",
        Kind.FILTER,
        "(&(objectclass=groupOfNames)(cn=%s*))",
        "finds groups by name",
        "3.2",
    ),
    XmlSetting(
        "GroupMembership",
        Kind.FILTER,
        "(&(objectclass=groupOfNames)(member=%s))",
        "a person's groups: a filter, or an attribute of the person such as memberOf",
        "3.5",
    ),
    XmlSetting("GroupObjectClass", Kind.ATTRIBUTE, "groupOfNames", "an entry is a group", "3.2"),
    XmlSetting("GroupNameAttribute", Kind.ATTRIBUTE, "cn", "name of a group", "3.2"),
    XmlSetting("GroupMemberAttribute", Kind.ATTRIBUTE, "Member", "a group's members", "3.2"),
    XmlSetting("OrganizationName", Kind.TEXT, "", "deprecated: leave it out", "3.2"),
    XmlSetting("HomeServerAttribute", Kind.ATTRIBUTE, "", "not used since Sametime 12", "3.2"),
)
# StCommunityConfig.xml, anywhere.
COMMUNITY_SETTINGS: tuple[XmlSetting, ...] = (
    XmlSetting(
        "DirRefreshInterval",
        Kind.MINUTES,
        "60",
        "how often kept names are refreshed; Quintet keeps none, so it has no effect",
        "3.2",
        unused="Quintet asks the directory each time, so no answer is old",
    ),
    XmlSetting("ConfigRefreshInterval", Kind.MINUTES, "60", "how often the files are read again", "3.2"),
)
# UserInfoConfig.xml, reference 4.3: on `StorageDetails`.
CARD_SERVER_SETTINGS: tuple[XmlSetting, ...] = (
    XmlSetting("HostName", Kind.TEXT, "", "the LDAP server", "4.3", ("Host",)),
    XmlSetting("Port", Kind.PORT, "389", "the clear port", "4.3"),
    XmlSetting("SslEnabled", Kind.FLAG, "false", "true = TLS", "4.3", ("SSL",)),
    XmlSetting("SslPort", Kind.PORT, "636", "the TLS port", "4.3"),
    XmlSetting("UserName", Kind.TEXT, "", "the bind account; blank = anonymous", "4.3"),
    XmlSetting("Password", Kind.SECRET, "", "its password, in clear", "4.3"),
    XmlSetting("UserEncodedAuth", Kind.SECRET, "", "base64 of user:password; wins over both", "4.3"),
    XmlSetting("BaseDN", Kind.DN, "", "base; Active Directory needs one", "4.3"),
    XmlSetting("Scope", Kind.NUMBER, "2", "0 base, 1 one level, 2 subtree", "4.3"),
    XmlSetting("SearchFilter", Kind.FILTER, DEFAULT_LOGIN_FILTER, "finds the person", "4.3"),
    XmlSetting("UserIdAttribute", Kind.ATTRIBUTE, "", "holds the Sametime ID, if it is not the DN", "4.3"),
    XmlSetting("PersonObjectClass", Kind.ATTRIBUTE, "", "goes with UserIdAttribute", "4.3"),
    XmlSetting("BindType", Kind.TEXT, "Simple", "how to bind; only Simple", "4.3"),
    XmlSetting("Domain", Kind.TEXT, "", "SASL realm; unused", "4.3"),
)
# UserInfoConfig.xml: elements and their attributes, reference 4.2 and 4.4.
CARD_ELEMENTS: dict[str, tuple[str, ...]] = {
    "UserInformation": (),
    "ReadStConfigUpdates": ("value",),
    "SearchOnlyByCommonField": ("value",),
    "Resources": (),
    "Storage": ("type",),
    "CommonField": ("CommonFieldName",),
    "StorageDetails": tuple(name for each in CARD_SERVER_SETTINGS for name in each.names),
    "SslProperties": ("KeyStorePath", "KeyStorePassword"),
    "SearchProperties": ("SearchTimeout",),
    "Details": (),
    "Detail": ("Id", "FieldName", "Type", "DisplaySeparator"),
    "ParamsSets": (),
    "Set": ("SetId", "params"),
    "BlackBoxConfiguration": (),
    "BlackBox": ("type", "name", "MaxInstances"),
}
IGNORED_CARD_ELEMENTS = ("HandleHttpOnly", "UseUnformattedNotesNames", "Document", "DbName", "Snapshot")
DETAIL_IDS = (
    "MailAddress",
    "Name",
    "Title",
    "Location",
    "Telephone",
    "Company",
    "Photo",
    "PhotoURL",
    "ImagePath",
)
