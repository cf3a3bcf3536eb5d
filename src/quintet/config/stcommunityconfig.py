"""Reading StCommunityConfig.xml (config 3): the LDAP servers of the five tasks.

The structure of the file is documented in part only, so the reader is tolerant: any root element, names in
any case, settings as attributes or child elements, on the `Connection` or on `LDAP` as the default of all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import final

from quintet.config.accounts import read_account
from quintet.config.parsers import SettingsReader, Value, attribute, has_wildcard, hosts, is_hook, unquoted
from quintet.config.schema import COMMUNITY
from quintet.config.setting import Setting
from quintet.config.settings import DirectorySettings, ServerSettings
from quintet.config.xml_document import Element, read_root, settings_below, settings_of
from quintet.config.xml_names import SERVERS, check_community_names
from quintet.config.xml_schema import ANYWHERE, CONNECTION, PLAIN_PORT, TLS_PORT
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, Severity, did_you_mean, shown
from quintet.ldap import DN, Scope, Template

_MOST_SERVERS = 100  # as Sametime (config 3.2)
_USUAL = DirectorySettings()
_NOT_TO_BE_USED = {"OrganizationName": Pitfall.D24, "HomeServerAttribute": Finding.Q57}
_SCOPES = {"recursive": Scope.SUBTREE, "onelevel": Scope.ONE_LEVEL}


@dataclass(frozen=True, slots=True)
class CommunitySettings:
    """What the file says. Servers are in search order; intervals are seconds."""

    servers: tuple[ServerSettings, ...]
    refresh_interval: float = _USUAL.refresh_interval
    config_refresh_interval: float = _USUAL.config_refresh_interval


def read_community(data: bytes, findings: Diagnostics, file: str = COMMUNITY) -> CommunitySettings:
    """The settings in `data`. Every problem goes into `findings`; what cannot be read gets its default."""
    root = read_root(data, findings, file)
    if root is None:
        return CommunitySettings(())
    found = list(_connections(root, ()))
    if found:
        check_community_names(root, findings, file)
    else:
        _report_missing(root, findings, file)
    if len(found) > _MOST_SERVERS:
        message = f"there are {len(found)} servers; at most {_MOST_SERVERS} are read"
        findings.add(Finding.Q73, Place(file), "Connection", message)
        found = found[:_MOST_SERVERS]
    servers = [
        _Reader(
            settings_of(levels, CONNECTION, file, findings), Place(file, levels[0].line), findings
        ).server(at)
        for at, levels in enumerate(found, 1)
    ]
    _check_together(servers, findings)

    read = settings_below(root, ANYWHERE, file, findings)
    return CommunitySettings(
        _in_search_order(servers, findings),
        60.0 * _refresh(read, findings),
        60.0 * read.number("ConfigRefreshInterval"),
    )


def _refresh(read: SettingsReader, findings: Diagnostics) -> int:
    """The interval, which has no effect: a note says so where the default was changed."""
    setting, minutes = ANYWHERE["DirRefreshInterval"], read.number("DirRefreshInterval")
    value = read.value(setting.name)
    if value is not None and f"{minutes}" != setting.default:
        message = f"{value.key} is accepted and ignored: {setting.unused}"
        findings.add(Finding.Q57, value.place, value.key, message)
    return minutes


def _connections(element: Element, around: tuple[Element, ...]) -> Iterator[tuple[Element, ...]]:
    """Each `Connection` with the elements around it, the nearest first, out to the outermost `LDAP`."""
    inside = around or element.is_named("LDAP")
    if element.is_named("Connection") and around:
        yield (element, *around)
    for child in element.children:
        yield from _connections(child, (element, *around) if inside else ())


def _report_missing(root: Element, findings: Diagnostics, file: str) -> None:
    near = _misspelling(root, findings)
    outside = next(root.named("Connection"), None)
    if outside is not None:
        message = f"Connection is outside the LDAP section, so there is no LDAP server{near}"
        fix = "move it into <LDAP>…</LDAP>"
        findings.add(Finding.Q72, Place(file, outside.line), "Connection", message, fix)
    else:
        message = f"there is no LDAP server{near}"
        findings.add(Finding.Q72, Place(file, root.line), "Connection", message)


def _misspelling(root: Element, findings: Diagnostics) -> str:
    """A hint at an element that was probably meant to be one of those that are missing."""
    for element in root.walk():
        if not element.is_named(*SERVERS) and (near := findings.nearest(element.name, SERVERS)):
            return f" ({shown(element.name)} is in line {element.line}{did_you_mean(near)})"
    return ""


def read_connection(
    items: Mapping[str, Value], place: Place, nth: int, findings: Diagnostics
) -> ServerSettings:
    """The `nth` server, of which `items` by name (in small letters) say the same as a `Connection`.

    `place` is where the items are. Its `places` tells which settings were given.
    """

    def get(setting: Setting) -> Value | None:
        return next((items[name.casefold()] for name in setting.names if name.casefold() in items), None)

    return _Reader(SettingsReader(CONNECTION, get, findings), place, findings).server(nth)


@final
class _Reader:
    """One `Connection`."""

    def __init__(self, read: SettingsReader, place: Place, findings: Diagnostics) -> None:
        self._findings = findings
        self._place = place
        self._read = read

    def server(self, nth: int) -> ServerSettings:
        findings, read = self._findings, self._read
        self._report_unused()
        ssl_enabled = read.flag("SSLEnabled")
        check_ports(read, ssl_enabled, ("SSLPort", "SSLEnabled"), findings)
        membership, member_of = self._membership()
        login_filter = read.template("UserDnSearchFilter")
        if has_wildcard(login_filter.text) and (value := read.value("UserDnSearchFilter")):
            message = f"{value.key} has a * beside a name, so that a login may find another user"
            findings.add(Pitfall.D30, value.place, value.key, message, "write %s without *")
        return ServerSettings(
            hosts=hosts(read.value("HostName"), self._place, findings),
            port=read.number("Port"),
            ssl_port=read.number("SSLPort"),
            ssl_enabled=ssl_enabled,
            search_order=read.number("SearchOrder", nth),
            account=read_account(
                read.value("BindEntryDn"),
                read.value("BindEntryPwd"),
                names=("BindEntryDn", "BindEntryPwd"),
                findings=findings,
            ),
            person_base=read.dn("PersonResolveBase"),
            person_scope=read.choice("PersonResolveScope", _SCOPES),
            person_filter=read.template("PersonResolveFilter"),
            login_filter=login_filter,
            person_class=read.attribute("PersonObjectClass"),
            group_base=read.dn("GroupResolveBase"),
            group_scope=read.choice("GroupResolveScope", _SCOPES),
            group_filter=read.template("GroupResolveFilter"),
            group_class=read.attributes("GroupObjectClass"),
            group_membership=membership,
            member_of=member_of,
            user_id_attribute=read.attribute("UserIdAttribute") or None,
            name_attribute=read.attribute("NameAttribute"),
            mail_attribute=read.attribute("EmailAttribute"),
            group_name_attribute=read.attribute("GroupNameAttribute"),
            group_member_attribute=read.attributes("GroupMemberAttribute"),
            description_attribute=read.attribute("DescAttribute") or None,
            group_description_attribute=read.attribute("GroupDescAttribute") or None,
            place=self._place,
            places=read.places,
        )

    def _membership(self) -> tuple[Template | None, str | None]:
        """A value without parentheses is an attribute of the user (config 3.5)."""
        value = self._read.value("GroupMembership")
        text = unquoted(value.text) if value is not None else ""
        if value is None or not text or "(" in text or is_hook(text):
            return self._read.template("GroupMembership"), None
        member_of = attribute(Value(text, value.key, value.place), self._findings)
        usual = Template(CONNECTION["GroupMembership"].default)
        return (usual, None) if member_of is None else (None, member_of)

    def _report_unused(self) -> None:
        """Settings without effect: a warning for those not to be used (row C45), else a note (row C89)."""
        for setting in CONNECTION.values():
            value = self._read.value(setting.name) if setting.unused else None
            if value is None:
                continue
            code = _NOT_TO_BE_USED.get(setting.name)
            severity = Severity.NOTE if code is None else Severity.WARNING
            message = f"{value.key} is accepted and ignored: {setting.unused}"
            fix = f"remove {value.key}" if code is not None else None
            self._findings.add(code or Finding.Q57, value.place, value.key, message, fix, severity=severity)


def check_ports(read: SettingsReader, enabled: bool, names: tuple[str, str], findings: Diagnostics) -> None:
    """Warns when the port in use is usually the other one (row D8). `names`: TLS port and switch."""
    tls_port, switch = names
    name, odd, usual = (tls_port, PLAIN_PORT, "plain LDAP") if enabled else ("Port", TLS_PORT, "TLS")
    value = read.value(name)
    if value is not None and value.text.strip() == f"{odd}":
        message = (
            f"{value.key} is {odd}, usually the {usual} port, and {switch} is {'on' if enabled else 'off'}"
        )
        fix = f"correct {value.key} or {switch}"
        findings.add(Pitfall.D8, value.place, value.key, message, fix, severity=Severity.WARNING)


def _check_together(servers: list[ServerSettings], findings: Diagnostics) -> None:
    for first, second in combinations([server for server in servers if server.hosts], 2):
        same = {h.casefold() for h in first.hosts} & {h.casefold() for h in second.hosts}
        if same:
            message = (
                f"HostName {', '.join(sorted(same))} is in line {first.place.line}, too; host names must be"
                " unique"
            )
            fix = "write several names of one directory in one HostName, separated by commas"
            findings.add(Finding.Q5, second.place_of("HostName"), "HostName", message, fix)
        _check_bases(first, second, findings)


def _check_bases(first: ServerSettings, second: ServerSettings, findings: Diagnostics) -> None:
    """Each base of the second that overlaps with one of the first, best with that of its own kind."""
    theirs = {"PersonResolveBase": first.person_base, "GroupResolveBase": first.group_base}
    for setting, base in (("PersonResolveBase", second.person_base), ("GroupResolveBase", second.group_base)):
        overlapping = [name for name, other in theirs.items() if base.is_under(other) or other.is_under(base)]
        if overlapping:
            name = setting if setting in overlapping else overlapping[0]
            message = (
                f"{setting} {_base(base)} of {second.label} overlaps with {_base(theirs[name])}, {name} of"
                f" {first.label} in line {first.place.line}; entries in both are found twice"
            )
            findings.add(Pitfall.D26, second.place_of(setting), setting, message)


def _base(base: DN) -> str:
    return shown(str(base)) if base else "(blank: the whole directory)"


def _in_search_order(servers: list[ServerSettings], findings: Diagnostics) -> tuple[ServerSettings, ...]:
    """By `SearchOrder`; in the order of the file when a number is missing or occurs twice (config 3.3)."""
    if len(servers) < 2:
        return tuple(servers)
    problems: list[tuple[Place, str]] = []
    by_number: dict[int, ServerSettings] = {}
    for server in servers:
        first = by_number.setdefault(server.search_order, server)
        if "SearchOrder" not in server.places:
            problems.append((server.place, "SearchOrder is missing"))
        elif first is not server:
            message = (
                f"SearchOrder {server.search_order} is in line {first.place.line} and in line"
                f" {server.place.line}"
            )
            problems.append((server.place_of("SearchOrder"), message))
    fix = "give each Connection its own SearchOrder"
    for place, what in problems:
        message = f"{what}; the servers are searched in the order of the file"
        findings.add(Pitfall.D25, place, "SearchOrder", message, fix)
    return tuple(servers) if problems else tuple(sorted(servers, key=lambda s: s.search_order))
