"""The settings of the two XML files: `schema` for StCommunityConfig.xml and UserInfoConfig.xml."""

from collections.abc import Iterable

from quintet.config.schema import LONGEST_SECONDS, NO_JAVA, NOT_SERVED, YEAR, Kind, Setting


def _by_name(settings: Iterable[Setting]) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


_PORTS = (1, 65535)

# StCommunityConfig.xml, section 3.2: on `Connection`, or around it as the default of all inside.

PLAIN_PORT, TLS_PORT = 389, 636
ODD_PLAIN_PORTS = (TLS_PORT, 1389)
"""Values of `Port` that mean a TLS port: Sametime's installer writes 1389 for secure LDAP (row D41)."""

_PERSON_CLASS, _GROUP_CLASS = "organizationalPerson", "groupOfNames"
_PERSON_FILTER = f"(&(objectclass={_PERSON_CLASS})(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"
_LOGIN_FILTER = _PERSON_FILTER.replace("*", "")
_SCOPES = ("recursive", "onelevel")
_BASE = "whole directory if blank"
_NOT_LISTED = "Sametime 12 does not list it"


def _switch(name: str, kind: Kind, meaning: str, source: str, default: str, *aliases: str) -> Setting:
    return Setting(name, kind, meaning, source, default, aliases=aliases, security=True)


CONNECTION = _by_name(
    (
        Setting(
            "HostName",
            Kind.HOSTS,
            "the LDAP server; several names are hosts of one directory",
            "3.2",
            aliases=("Host",),
        ),
        Setting("Port", Kind.PORT, "plain LDAP port", "3.2", f"{PLAIN_PORT}", bounds=_PORTS),
        _switch("SSLEnabled", Kind.FLAG, "1 = TLS", "3.2", "0", "SSL"),
        Setting("SSLPort", Kind.PORT, "TLS port", "3.2", f"{TLS_PORT}", bounds=_PORTS),
        Setting("SearchOrder", Kind.NUMBER, "position among the servers, unique", "3.3"),
        Setting(
            "BindEntryDn", Kind.TEXT, "account to bind with; blank = anonymous", "3.2", aliases=("BindDn",)
        ),
        Setting(
            "BindEntryPwd",
            Kind.SECRET,
            "its password, not encoded",
            "3.2",
            aliases=("BindEntryPassword", "BindPassword"),
        ),
        Setting("PersonResolveBase", Kind.DN, f"base DN of users; {_BASE}", "3.2"),
        Setting(
            "PersonResolveScope",
            Kind.CHOICE,
            "all below the base, or one level",
            "3.2",
            "recursive",
            choices=_SCOPES,
        ),
        Setting("PersonResolveFilter", Kind.FILTER, "search filter of users", "3.2", _PERSON_FILTER),
        Setting(
            "UserDnSearchFilter", Kind.FILTER, "login filter: a login name to one DN", "3.2", _LOGIN_FILTER
        ),
        Setting("PersonObjectClass", Kind.ATTRIBUTE, "object class of users", "3.2", _PERSON_CLASS),
        Setting("UserIdAttribute", Kind.ATTRIBUTE, "attribute with the Sametime ID; blank = the DN", "3.7"),
        Setting("NameAttribute", Kind.ATTRIBUTE, "display name", "3.2", "cn"),
        Setting("EmailAttribute", Kind.ATTRIBUTE, "mail address", "3.2", "Mail"),
        Setting("DescAttribute", Kind.ATTRIBUTE, "tells similar names of users apart", "3.2"),
        Setting("GroupResolveBase", Kind.DN, f"base DN of groups; {_BASE}", "3.2"),
        Setting(
            "GroupResolveScope",
            Kind.CHOICE,
            "all below the base, or one level",
            "3.2",
            "recursive",
            choices=_SCOPES,
        ),
        Setting(
            "GroupResolveFilter",
            Kind.FILTER,
            "search filter of groups",
            "3.2",
            f"(&(objectclass={_GROUP_CLASS})(cn=%s*))",
        ),
        Setting(
            "GroupMembership",
            Kind.FILTER,
            "groups of a user: a filter, or an attribute of the user such as memberOf",
            "3.5",
            f"(&(objectclass={_GROUP_CLASS})(member=%s))",
        ),
        Setting("GroupObjectClass", Kind.ATTRIBUTE, "object class of groups", "3.2", _GROUP_CLASS),
        Setting("GroupNameAttribute", Kind.ATTRIBUTE, "name of a group", "3.2", "cn"),
        Setting("GroupMemberAttribute", Kind.ATTRIBUTE, "members of a group", "3.2", "Member"),
        Setting("GroupDescAttribute", Kind.ATTRIBUTE, "tells similar names of groups apart", "3.2"),
        Setting("OrganizationName", Kind.TEXT, "deprecated", "3.2", unused="it is deprecated", quiet=True),
        Setting("HomeServerAttribute", Kind.TEXT, "home server", "3.2", unused="Sametime 12 does not use it"),
        *(
            Setting(name, Kind.TEXT, meaning, "3.2", unused=_NOT_LISTED)
            for name, meaning in (
                ("AnonymousBindingEnable", "allow an anonymous bind"),
                ("BaseMembership", "base of the GroupMembership search"),
                ("GroupMemberFormat", "how members are written"),
                ("MemberSearchBase", "how members are looked up"),
                ("MemberSearchFilter", "how members are looked up"),
                ("MemberSearchScope", "how members are looked up"),
                ("MixedResolveBase", "one search for users and groups"),
                ("MixedResolveFilter", "one search for users and groups"),
                ("MixedResolveScope", "one search for users and groups"),
                ("DirectoryNames", "list of directories"),
                ("NumberOfDirectories", "number of directories"),
                ("BrowseChunkSize", "entries of a page when browsing"),
                ("UserNameDelimiter", "delimiter of automatic nicknames"),
            )
        ),
    )
)

# StCommunityConfig.xml, anywhere.
ANYWHERE = _by_name(
    (
        Setting(
            "DirRefreshInterval",
            Kind.MINUTES,
            "how often cached names are refreshed",
            "3.2",
            "60",
            bounds=(1, YEAR),
            unused="Quintet asks the directory each time, so there is nothing to refresh",
        ),
        Setting(
            "ConfigRefreshInterval",
            Kind.MINUTES,
            "how often the files are read again",
            "3.2",
            "60",
            bounds=(1, YEAR),
        ),
    )
)

# StCommunityConfig.xml: below `AnonymousAccess`.
ANONYMOUS_ACCESS = _by_name(
    Setting(name, Kind.TEXT, "what anonymous users may do", "3.2", unused=NOT_SERVED)
    for name in (
        "AccessEnabled",
        "BrowseEnabled",
        "ResolveEnabled",
        "ViewGroupsEnabled",
        "NamePrefix",
        "Domain",
        "AnonFileTransfer",
    )
)

# UserInfoConfig.xml, sections 4.2 to 4.5.
CARD_SERVER = _by_name(
    (
        Setting("HostName", Kind.HOST, "the LDAP server", "4.3", aliases=("Host",)),
        Setting("Port", Kind.PORT, "plain LDAP port", "4.3", f"{PLAIN_PORT}", bounds=_PORTS),
        _switch("SslEnabled", Kind.FLAG, "true = TLS", "4.3", "false", "SSL"),
        Setting("SslPort", Kind.PORT, "TLS port", "4.3", f"{TLS_PORT}", bounds=_PORTS),
        Setting("UserName", Kind.TEXT, "account to bind with; blank = anonymous", "4.3"),
        Setting("Password", Kind.SECRET, "its password, not encoded", "4.3"),
        Setting("UserEncodedAuth", Kind.ENCODED, "base64 of user:password; wins over both", "4.3"),
        Setting("BaseDN", Kind.DN, f"base DN; {_BASE}; Active Directory needs one", "4.3"),
        Setting(
            "Scope",
            Kind.CHOICE,
            "the base alone, one level, or all below the base",
            "4.3",
            "2",
            choices=("0", "1", "2"),
        ),
        Setting("SearchFilter", Kind.FILTER, "search filter of users", "4.3", _LOGIN_FILTER),
        Setting(
            "UserIdAttribute", Kind.ATTRIBUTE, "attribute with the Sametime ID, if it is not the DN", "4.3"
        ),
        Setting("PersonObjectClass", Kind.ATTRIBUTE, "goes with UserIdAttribute", "4.3"),
        Setting("BindType", Kind.TEXT, "how to bind; only Simple", "4.3", "Simple"),
        Setting("Domain", Kind.TEXT, "SASL realm", "4.3", unused="only simple binds are made"),
    )
)
STORAGE = _by_name((Setting("type", Kind.TEXT, "kind of repository; only LDAP", "4.2", "LDAP"),))
COMMON_FIELD = _by_name(
    (Setting("CommonFieldName", Kind.TEXT, "Id that links the repositories", "4.2", "MailAddress"),)
)
CARD_STORE = _by_name(
    (
        _switch("KeyStorePath", Kind.PATH, "trust store with the CA certificates", "4.2", ""),
        _switch("KeyStorePassword", Kind.SECRET, "its password", "4.2", ""),
    )
)
SEARCH = _by_name(
    (
        Setting(
            "SearchTimeout", Kind.NUMBER, "time limit of a search", "4.2", bounds=(0, LONGEST_SECONDS * 1000)
        ),
    )
)
DETAIL = _by_name(
    (
        Setting("Id", Kind.TEXT, "name of the field, case-sensitive", "4.4"),
        Setting("FieldName", Kind.LIST, "attributes, joined in this order", "4.4"),
        Setting("Type", Kind.TEXT, "text/plain, or image/jpeg and the like", "4.4", "text/plain"),
        Setting("DisplaySeparator", Kind.TEXT, "text between joined values", "4.4", " "),
    )
)
CARD_SET = _by_name(
    (
        Setting(
            "SetId",
            Kind.NUMBER,
            "0 = for anonymous callers, 1 = for authenticated callers",
            "4.5",
            bounds=(0, 1000),
        ),
        Setting("params", Kind.LIST, "Ids of the fields that are shown", "4.5"),
    )
)
BLACK_BOX = _by_name(
    (
        Setting("type", Kind.TEXT, "kind of repository; only LDAP", "4.2", "LDAP"),
        Setting("name", Kind.TEXT, "Java class", "4.2", unused=NO_JAVA, quiet=True),
        Setting("MaxInstances", Kind.NUMBER, "connections to each server", "4.2", "1", bounds=(1, 1000)),
    )
)
READ_UPDATES = _by_name(
    (
        Setting(
            "value",
            Kind.FLAG,
            "true = updates from the server's configuration count, too",
            "4.2",
            unused="the file alone counts",
            quiet=True,
        ),
    )
)
ONLY_COMMON = _by_name(
    (Setting("value", Kind.FLAG, "further repositories are asked by the common field only", "4.2"),)
)
CARD_ELEMENTS: dict[str, dict[str, Setting]] = {
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
