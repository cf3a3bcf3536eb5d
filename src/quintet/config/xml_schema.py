"""The settings of the two XML files: `schema` for StCommunityConfig.xml and UserInfoConfig.xml."""

from collections.abc import Iterable

from quintet.config.schema import LONGEST_SECONDS, NO_JAVA, OURS, YEAR
from quintet.config.setting import Kind, Setting, group

Table = dict[str, Setting]


def _table(*groups: Iterable[Setting]) -> Table:
    return {setting.name: setting for each in groups for setting in each}


PLAIN_PORT, TLS_PORT = 389, 636
ODD_PLAIN_PORTS = (TLS_PORT, 1389)
"""Values of `Port` that mean a TLS port: Sametime's installer writes 1389 for secure LDAP (row D41)."""

_PORTS = (1, 65535)
_PERSON, _GROUP = "organizationalPerson", "groupOfNames"
_PERSON_FILTER = f"(&(objectclass={_PERSON})(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"
_LOGIN_FILTER = _PERSON_FILTER.replace("*", "")
_GROUP_FILTER = f"(&(objectclass={_GROUP})(cn=%s*))"
_MEMBERSHIP = f"(&(objectclass={_GROUP})(member=%s))"
_SCOPES = ("recursive", "onelevel")
_ALL = "whole directory if blank"
_SECRETS = ("BindEntryPassword", "BindPassword")

# StCommunityConfig.xml

CONNECTION = _table(
    group(
        "3.2",
        Setting("HostName", Kind.HOSTS, "LDAP server; several names of one directory", aliases=("Host",)),
        Setting("Port", Kind.PORT, "plain LDAP port", f"{PLAIN_PORT}", _PORTS),
        Setting("SSLEnabled", Kind.FLAG, "1 = TLS", "0", aliases=("SSL",), security=True),
        Setting("SSLPort", Kind.PORT, "TLS port", f"{TLS_PORT}", _PORTS),
        Setting("SearchOrder", Kind.NUMBER, "position among the servers, unique"),
        Setting("BindEntryDn", Kind.TEXT, "account to bind with; blank = anonymous", aliases=("BindDn",)),
        Setting("BindEntryPwd", Kind.SECRET, "its password, not encoded", aliases=_SECRETS),
        Setting("PersonResolveBase", Kind.DN, f"base DN of users; {_ALL}"),
        Setting("PersonResolveScope", Kind.CHOICE, "scope for users", "recursive", choices=_SCOPES),
        Setting("PersonResolveFilter", Kind.FILTER, "search filter of users", _PERSON_FILTER),
        Setting("UserDnSearchFilter", Kind.FILTER, "login filter: a login name to one DN", _LOGIN_FILTER),
        Setting("PersonObjectClass", Kind.ATTRIBUTE, "object class of users", _PERSON),
        Setting("UserIdAttribute", Kind.ATTRIBUTE, "attribute with the Sametime ID; blank = the DN"),
        Setting("NameAttribute", Kind.ATTRIBUTE, "display name", "cn"),
        Setting("EmailAttribute", Kind.ATTRIBUTE, "mail address", "Mail"),
        Setting("DescAttribute", Kind.ATTRIBUTE, "tells similar names of users apart"),
        Setting("GroupResolveBase", Kind.DN, f"base DN of groups; {_ALL}"),
        Setting("GroupResolveScope", Kind.CHOICE, "scope for groups", "recursive", choices=_SCOPES),
        Setting("GroupResolveFilter", Kind.FILTER, "search filter of groups", _GROUP_FILTER),
        Setting("GroupMembership", Kind.FILTER, "a user's groups; or an attribute: memberOf", _MEMBERSHIP),
        Setting("GroupObjectClass", Kind.ATTRIBUTE, "object class of groups", _GROUP),
        Setting("GroupNameAttribute", Kind.ATTRIBUTE, "name of a group", "cn"),
        Setting("GroupMemberAttribute", Kind.ATTRIBUTE, "members of a group", "Member"),
        Setting("GroupDescAttribute", Kind.ATTRIBUTE, "tells similar names of groups apart"),
        Setting("OrganizationName", Kind.TEXT, "name of the organization", unused="it is deprecated"),
        Setting("HomeServerAttribute", Kind.TEXT, "home server", unused="Sametime 12 does not use it"),
    ),
    group(
        "3.2",
        Setting("AnonymousBindingEnable", Kind.TEXT, "allow an anonymous bind"),
        Setting("BaseMembership", Kind.TEXT, "base of the GroupMembership search"),
        Setting("GroupMemberFormat", Kind.TEXT, "how members are written"),
        Setting("MemberSearchBase", Kind.TEXT, "how members are looked up"),
        Setting("MemberSearchFilter", Kind.TEXT, "how members are looked up"),
        Setting("MemberSearchScope", Kind.TEXT, "how members are looked up"),
        Setting("MixedResolveBase", Kind.TEXT, "one search for users and groups"),
        Setting("MixedResolveFilter", Kind.TEXT, "one search for users and groups"),
        Setting("MixedResolveScope", Kind.TEXT, "one search for users and groups"),
        Setting("DirectoryNames", Kind.TEXT, "list of directories"),
        Setting("NumberOfDirectories", Kind.TEXT, "number of directories"),
        Setting("BrowseChunkSize", Kind.TEXT, "entries of a page when browsing"),
        Setting("UserNameDelimiter", Kind.TEXT, "delimiter of automatic nicknames"),
        unused="Sametime 12 does not list it",
    ),
)
"""On `Connection`, or on an element around it as the default of all inside."""

ANYWHERE = _table(
    group(
        "3.2",
        Setting(
            "DirRefreshInterval",
            Kind.MINUTES,
            "how often names that clients look up by ID, and public groups in their lists, are read again",
            "60",
            (1, YEAR),
        ),
        Setting("ConfigRefreshInterval", Kind.MINUTES, "how often the files are read again", "60", (1, YEAR)),
    )
)
ANONYMOUS_ACCESS = _table(
    group(
        "3.2",
        Setting("AccessEnabled", Kind.TEXT, "whether there are anonymous users"),
        Setting("BrowseEnabled", Kind.TEXT, "whether they may browse"),
        Setting("ResolveEnabled", Kind.TEXT, "whether they may look up names"),
        Setting("ViewGroupsEnabled", Kind.TEXT, "whether they may open groups"),
        Setting("NamePrefix", Kind.TEXT, "how their names begin"),
        Setting("Domain", Kind.TEXT, "their domain"),
        Setting("AnonFileTransfer", Kind.TEXT, "whether they may send files"),
        unused="QUINTET_ANONYMOUS_USERS in [Config] of sametime.ini decides about anonymous users",
    )
)
"""Of `AnonymousAccess`."""

# UserInfoConfig.xml

CARD_SERVER = _table(
    group(
        "4.3",
        Setting("HostName", Kind.HOST, "LDAP server", aliases=("Host",)),
        Setting("Port", Kind.PORT, "plain LDAP port", f"{PLAIN_PORT}", _PORTS),
        Setting("SslEnabled", Kind.FLAG, "true = TLS", "false", aliases=("SSL",), security=True),
        Setting("SslPort", Kind.PORT, "TLS port", f"{TLS_PORT}", _PORTS),
        Setting("UserName", Kind.TEXT, "account to bind with; blank = anonymous"),
        Setting("Password", Kind.SECRET, "its password, not encoded"),
        Setting("UserEncodedAuth", Kind.ENCODED, "base64 of user:password; wins over both"),
        Setting("BaseDN", Kind.DN, f"base DN; {_ALL}; Active Directory needs one"),
        Setting("Scope", Kind.CHOICE, "base, one level, or all below", "2", choices=("0", "1", "2")),
        Setting("SearchFilter", Kind.FILTER, "search filter of users", _LOGIN_FILTER),
        Setting("UserIdAttribute", Kind.ATTRIBUTE, "attribute with the Sametime ID, if it is not the DN"),
        Setting("PersonObjectClass", Kind.ATTRIBUTE, "goes with UserIdAttribute"),
        Setting("BindType", Kind.TEXT, "how to bind; only Simple", "Simple"),
        Setting("Domain", Kind.TEXT, "SASL realm", unused="only simple binds are made"),
    ),
    group(
        OURS,
        Setting(
            "QUINTET_START_TLS",
            Kind.FLAG,
            "true = with SslEnabled, StartTLS on Port in place of TLS on SslPort",
            "false",
            security=True,
        ),
    ),
)
STORAGE = _table(group("4.2", Setting("type", Kind.TEXT, "kind of repository; only LDAP", "LDAP")))
COMMON_FIELD = _table(
    group("4.2", Setting("CommonFieldName", Kind.TEXT, "Id that links the repositories", "MailAddress"))
)
CARD_STORE = _table(
    group(
        "4.2",
        Setting("KeyStorePath", Kind.PATH, "trust store with the CA certificates"),
        Setting("KeyStorePassword", Kind.SECRET, "its password"),
        security=True,
    )
)
SEARCH = _table(
    group(
        "4.2",
        Setting("SearchTimeout", Kind.NUMBER, "time limit of a search", bounds=(0, 1000 * LONGEST_SECONDS)),
    )
)
DETAIL = _table(
    group(
        "4.4",
        Setting("Id", Kind.TEXT, "name of the field, case-sensitive"),
        Setting("FieldName", Kind.LIST, "attributes, joined in this order"),
        Setting("Type", Kind.TEXT, "text/plain, or image/jpeg and the like", "text/plain"),
        Setting("DisplaySeparator", Kind.TEXT, "text between joined values", " "),
    )
)
CARD_SET = _table(
    group(
        "4.5",
        Setting("SetId", Kind.NUMBER, "0 = for anonymous callers, 1 = authenticated", bounds=(0, 1000)),
        Setting("params", Kind.LIST, "Ids of the fields that are shown"),
    )
)
BLACK_BOX = _table(
    group(
        "4.2",
        Setting("type", Kind.TEXT, "kind of repository; only LDAP", "LDAP"),
        Setting("name", Kind.TEXT, "Java class", unused=NO_JAVA),
        Setting("MaxInstances", Kind.NUMBER, "connections to each server", "1", (1, 1000)),
    )
)
READ_UPDATES = _table(
    group("4.2", Setting("value", Kind.FLAG, "true = take updates", unused="the file alone counts"))
)
ONLY_COMMON = _table(group("4.2", Setting("value", Kind.FLAG, "later repositories by common field only")))
CARD_ELEMENTS: dict[str, Table] = {
    "UserInformation": {},
    "ReadStConfigUpdates": READ_UPDATES,
    "SearchOnlyByCommonField": ONLY_COMMON,
    "Resources": {},
    "Storage": STORAGE,
    "CommonField": COMMON_FIELD,
    "StorageDetails": CARD_SERVER,
    "SslProperties": CARD_STORE,
    "SearchProperties": SEARCH,
    "Details": {},
    "Detail": DETAIL,
    "ParamsSets": {},
    "Set": CARD_SET,
    "BlackBoxConfiguration": {},
    "BlackBox": BLACK_BOX,
}
"""The elements of UserInfoConfig.xml with their settings."""

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
"""The fields that Sametime's clients know."""
