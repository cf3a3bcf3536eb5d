"""Reading StCommunityConfig.xml (reference 3): the LDAP servers of the five tasks.

The structure of the file is documented in part only, so the reader is tolerant: any outermost element, names
in any case, settings as attributes or child elements, on the `Connection` or on `LDAP` as the default of all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from quintet.config.accounts import read_account
from quintet.config.parsers import (
    Value,
    attribute,
    check_ports,
    choice,
    flag,
    has_wildcard,
    hosts,
    is_hook,
    name,
    number,
    port,
    template,
    unquoted,
)
from quintet.config.schema import COMMUNITY_SETTINGS, CONNECTION_SETTINGS, XmlSetting
from quintet.config.settings import Scope, ServerSettings
from quintet.config.xml_document import Element
from quintet.config.xml_names import SERVERS, check_community_names
from quintet.config.xml_tree import one_value, own_values, read_tree
from quintet.diagnostics import Diagnostics, Place, shown
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template

FILE = "StCommunityConfig.xml"

_SETTINGS = {setting.name: setting for setting in CONNECTION_SETTINGS}
_KNOWN = {n.casefold() for s in CONNECTION_SETTINGS for n in s.names}
_KNOWN_ANYWHERE = {n.casefold() for s in COMMUNITY_SETTINGS for n in s.names}
_NAMES = tuple(s.name for s in (*CONNECTION_SETTINGS, *COMMUNITY_SETTINGS))
_MOST_SERVERS = 200
_SCOPES = {"recursive": Scope.SUBTREE, "onelevel": Scope.ONE}


@dataclass(frozen=True, slots=True)
class Community:
    """What the file says. Servers stand in search order; intervals are seconds."""

    servers: tuple[ServerSettings, ...]
    refresh_interval: float = 3600.0
    config_refresh_interval: float = 3600.0


def read_community(data: bytes, findings: Diagnostics, file: str = FILE) -> Community:
    """The settings in `data`. Every problem goes into `findings`; what cannot be read gets its default."""
    root = read_tree(data, findings, file)
    if root is None:
        return Community(())
    found = list(_connections(root, ()))
    if found:
        check_community_names(root, findings, file)
    else:
        _tell_missing(root, findings, file)
    if len(found) > _MOST_SERVERS:
        findings.error(
            Place(file), "Connection", f"there are {len(found)} servers; at most {_MOST_SERVERS} are read"
        )
        found = found[:_MOST_SERVERS]
    servers = [_Reader(levels, findings, file).server(at) for at, levels in enumerate(found, 1)]
    _check_together(servers, findings)
    return Community(
        _in_search_order(servers, [_has_order(levels, file) for levels in found], findings),
        _minutes(root, COMMUNITY_SETTINGS[0], findings, file),
        _minutes(root, COMMUNITY_SETTINGS[1], findings, file),
    )


def _connections(element: Element, around: tuple[Element, ...]) -> Iterator[tuple[Element, ...]]:
    """Each `Connection` with the elements around it, the nearest first, out to the outermost `LDAP`."""
    inside = around or element.is_named("LDAP")
    if element.is_named("Connection") and around:
        yield (element, *around)
    for child in element.children:
        yield from _connections(child, (element, *around) if inside else ())


def _tell_missing(root: Element, findings: Diagnostics, file: str) -> None:
    slip = _slip(root, findings)
    outside = next(root.named("Connection"), None)
    if outside is not None:
        findings.error(
            Place(file, outside.line),
            "Connection",
            f"stands outside the LDAP section; move it into <LDAP>…</LDAP>{slip}",
        )
        return
    sample = '<Connection HostName="ldap.example.com" Port="389" SearchOrder="1"/>'
    findings.error(
        Place(file, root.line),
        "Connection",
        f"there is no LDAP server; add one: <LDAP>{sample}</LDAP>{slip}",
    )


def _slip(root: Element, findings: Diagnostics) -> str:
    """A hint at an element that was probably meant to be one of those that are missing."""
    for element in root.walk():
        if not element.is_named(*SERVERS) and (hint := findings.meant(element.name, SERVERS)):
            return f" ({shown(element.name)} stands in line {element.line}{hint})"
    return ""


def _minutes(root: Element, setting: XmlSetting, findings: Diagnostics, file: str) -> float:
    found = [value for each in root.walk() for value in own_values(each, setting.names, file)]
    value, usual = one_value(found, findings), int(setting.default)
    minutes = number(value, usual, findings, least=1, most=525_600)
    if value and setting.unused and minutes != usual:
        findings.note(value.place, value.key, f"is accepted and ignored: {setting.unused}")
    return 60.0 * minutes


def _has_order(levels: tuple[Element, ...], file: str) -> bool:
    return any(v.text.strip() for v in own_values(levels[0], ("SearchOrder",), file))


class _Reader:
    """One `Connection`: looks its settings up, on itself and then further out."""

    def __init__(self, levels: tuple[Element, ...], findings: Diagnostics, file: str) -> None:
        self._levels = levels
        self._findings = findings
        self._file = file
        self._place = Place(file, levels[0].line)

    def _get(self, setting: str) -> Value | None:
        for level in self._levels:
            found = own_values(level, _SETTINGS[setting].names, self._file)
            if found:
                return one_value(found, self._findings)
        return None

    def server(self, nth: int) -> ServerSettings:
        findings, get = self._findings, self._get
        self._warn_of_old()
        ssl_enabled = flag(get("SSLEnabled"), default=False, findings=findings)
        check_ports(get("Port"), get("SSLPort"), enabled=ssl_enabled, switch="SSLEnabled", findings=findings)
        membership, member_of = self._membership()
        login_filter = self._template("UserDnSearchFilter")
        if has_wildcard(login_filter.text):
            value = get("UserDnSearchFilter")
            findings.warning(
                value.place if value else self._place,
                "UserDnSearchFilter",
                "has a * beside a name, so that a login may find somebody else; write %s without *",
            )
        return ServerSettings(
            hosts=hosts(get("HostName"), self._place, findings),
            port=port(get("Port"), 389, findings),
            ssl_port=port(get("SSLPort"), 636, findings),
            ssl_enabled=ssl_enabled,
            search_order=number(get("SearchOrder"), nth, findings, least=0),
            account=read_account(
                get("BindEntryDn"),
                get("BindEntryPassword"),
                names=("BindEntryDn", "BindEntryPassword"),
                findings=findings,
            ),
            person_base=name(get("PersonResolveBase"), findings),
            person_scope=choice(get("PersonResolveScope"), _SCOPES, Scope.SUBTREE, findings),
            person_filter=self._template("PersonResolveFilter"),
            login_filter=login_filter,
            person_class=self._attribute("PersonObjectClass"),
            group_base=name(get("GroupResolveBase"), findings),
            group_scope=choice(get("GroupResolveScope"), _SCOPES, Scope.SUBTREE, findings),
            group_filter=self._template("GroupResolveFilter"),
            group_class=self._attribute("GroupObjectClass"),
            group_membership=membership,
            member_of=member_of,
            user_id_attribute=self._attribute("UserIdAttribute") or None,
            name_attribute=self._attribute("NameAttribute"),
            mail_attribute=self._attribute("EmailAttribute"),
            group_name_attribute=self._attribute("GroupNameAttribute"),
            group_member_attribute=self._attribute("GroupMemberAttribute"),
            description_attribute=self._attribute("DescAttribute") or None,
            place=self._place,
        )

    def _template(self, setting: str) -> Template:
        return template(self._get(setting), _SETTINGS[setting].default, self._findings)

    def _attribute(self, setting: str) -> str:
        return attribute(self._get(setting), _SETTINGS[setting].default, self._findings)

    def _membership(self) -> tuple[Template | None, str | None]:
        """A value without parentheses is an attribute of the person (reference 3.5)."""
        value = self._get("GroupMembership")
        text = unquoted(value.text) if value is not None else ""
        if value is None or not text or "(" in text or is_hook(text):
            return self._template("GroupMembership"), None
        member_of = attribute(Value(text, value.key, value.place), "", self._findings)
        return (None, member_of) if member_of else (self._template_default(), None)

    def _template_default(self) -> Template:
        return Template(_SETTINGS["GroupMembership"].default)

    def _warn_of_old(self) -> None:
        for setting, what in (
            ("OrganizationName", "may keep people from logging in"),
            ("HomeServerAttribute", "is not used any more"),
        ):
            value = self._get(setting)
            if value is not None and value.text.strip():
                self._findings.warning(value.place, value.key, f"{what}; it is ignored here: remove it")


def _check_together(servers: list[ServerSettings], findings: Diagnostics) -> None:
    for first, second in combinations([server for server in servers if server.hosts], 2):
        same = {h.casefold() for h in first.hosts} & {h.casefold() for h in second.hosts}
        if same:
            findings.warning(
                second.place,
                "HostName",
                f"{', '.join(sorted(same))} stands in line {first.place.line} too; host names must be unique."
                " Several names of one directory go into one HostName, separated by commas",
            )
        _check_bases(first, second, findings)


def _check_bases(first: ServerSettings, second: ServerSettings, findings: Diagnostics) -> None:
    """Each base of the second that overlaps with one of the first, best with that of its own kind."""
    theirs = {"PersonResolveBase": first.person_base, "GroupResolveBase": first.group_base}
    for setting, base in (("PersonResolveBase", second.person_base), ("GroupResolveBase", second.group_base)):
        overlapping = [name for name, other in theirs.items() if base.is_under(other) or other.is_under(base)]
        if overlapping:
            name = setting if setting in overlapping else overlapping[0]
            findings.warning(
                second.place,
                setting,
                f"{_base(base)} of {second.label} overlaps with {_base(theirs[name])}, {name} of"
                f" {first.label} in line {first.place.line}; what lies in both is found twice. Give the"
                " servers bases apart",
            )


def _base(base: DN) -> str:
    return shown(str(base)) if base else "the blank base (the whole directory)"


def _in_search_order(
    servers: list[ServerSettings], given: list[bool], findings: Diagnostics
) -> tuple[ServerSettings, ...]:
    """By `SearchOrder`; in the order of the file when a number is missing or stands twice (reference 3.3)."""
    if len(servers) < 2:
        return tuple(servers)
    in_order = True
    for server, has_order in zip(servers, given, strict=True):
        if not has_order:
            in_order = False
            findings.warning(
                server.place, "SearchOrder", "is missing; the servers are searched in the order of the file"
            )
    by_number: dict[int, ServerSettings] = {}
    for server, has_order in zip(servers, given, strict=True):
        first = by_number.setdefault(server.search_order, server)
        if has_order and first is not server:
            in_order = False
            findings.warning(
                server.place,
                "SearchOrder",
                f"{server.search_order} stands in line {first.place.line} and in line {server.place.line};"
                " the servers are searched in the order of the file. Give each its own number",
            )
    return tuple(sorted(servers, key=lambda s: s.search_order)) if in_order else tuple(servers)
