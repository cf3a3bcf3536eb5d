"""Names in the two XML files that are not known, and settings where they have no effect."""

from collections.abc import Iterable
from typing import final

from quintet.config.setting import names_of, security_names
from quintet.config.xml_document import Element, holders
from quintet.config.xml_schema import (
    ANONYMOUS_ACCESS,
    ANYWHERE,
    CARD_ELEMENTS,
    CONNECTION,
    IGNORED_CARD_ELEMENTS,
    SEARCH,
)
from quintet.diagnostics import Diagnostics, Finding, Place

SERVERS = ("Connection", "LDAP")
"""The elements of StCommunityConfig.xml without which there is no server."""

_ON_CONNECTION, _ANYWHERE = names_of(CONNECTION.values()), names_of(ANYWHERE.values())
_CONNECTION_NAMES = (*CONNECTION, *ANYWHERE)
_CONNECTION_SECURITY = security_names(CONNECTION.values())

_STORAGE = ("Storage", "StorageDetails")
_INSIDE_STORAGE = ("StorageDetails", "SslProperties", "Detail")
_TAKEN = {name.casefold(): names_of(settings.values()) for name, settings in CARD_ELEMENTS.items()}
_HOMES = {
    name: home
    for home in ("Set", "CommonField", "SslProperties", "StorageDetails")
    for name in names_of(CARD_ELEMENTS[home].values())
}
_CARD_SECURITY = {"SslProperties"}.union(*(security_names(each.values()) for each in CARD_ELEMENTS.values()))
_IGNORED = {name.casefold() for name in IGNORED_CARD_ELEMENTS}
# Its place is not documented, so it counts wherever it is (config 4.2).
_ANYWHERE_IN_CARDS = names_of(SEARCH.values())


def check_community_names(root: Element, findings: Diagnostics, file: str) -> None:
    """Reports every unknown name in the LDAP section of StCommunityConfig.xml; elsewhere, misspellings alone.

    The file holds more than what concerns the directory, so most names outside that section belong to other
    parts of Sametime.
    """
    names = _CommunityNames(findings, file)
    if root.is_named("LDAP"):
        names.inside(root)
    else:
        names.outside(root)


def check_card_names(root: Element, findings: Diagnostics, file: str) -> None:
    """Reports every name in UserInfoConfig.xml that is unknown, or that has no effect where it is."""
    names = _CardNames(findings, file)
    names.root(root)
    names.below(root, in_storage=False)


@final
class _CommunityNames:
    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def inside(self, element: Element) -> None:
        """`LDAP`, a `Connection`, or what is between them: settings on it count."""
        for each in element.attributes:
            if each.name.casefold() not in _ON_CONNECTION | _ANYWHERE:
                self._unknown(each.name, each.line)
        for child in element.children:
            if child.is_named("LDAP") or _holds(child, "Connection"):
                self.inside(child)
            elif child.name.casefold() not in _ON_CONNECTION | _ANYWHERE and not (
                self._findings.warn_misspelling(self._place(child.line), child.name, SERVERS)
            ):
                self._unknown(child.name, child.line)

    def _unknown(self, name: str, line: int) -> None:
        self._findings.unknown_name(self._place(line), name, _CONNECTION_NAMES, _CONNECTION_SECURITY)

    def outside(self, element: Element) -> None:
        """What is around the LDAP section, or beside it."""
        around = _holds(element, "LDAP")
        for each in element.attributes:
            self._check(each.name, each.line, ANYWHERE, around=around)
        for child in element.children:
            if child.is_named("LDAP"):
                self.inside(child)
            elif child.is_named("Connection"):
                self._check_connection(child)
            elif child.is_named("AnonymousAccess"):
                self._anonymous_access(child)
            else:
                if not _holds(child, "LDAP"):
                    self._check(child.name, child.line, (*ANYWHERE, *SERVERS), around=around)
                self.outside(child)

    def _check(self, name: str, line: int, known: Iterable[str], *, around: bool) -> None:
        if name.casefold() not in _ON_CONNECTION | _ANYWHERE:
            self._findings.warn_misspelling(self._place(line), name, known)
        elif around and name.casefold() in _ON_CONNECTION:
            message = f"{name} is outside the LDAP section, where it has no effect"
            fix = "move it to LDAP, for all servers, or to one Connection"
            self._findings.add(Finding.Q55, self._place(line), name, message, fix)

    def _check_connection(self, element: Element) -> None:
        if holders(element, CONNECTION["HostName"].names):
            message = "Connection is outside the LDAP section, so this server is not used"
            fix = "move it into <LDAP>…</LDAP>"
            self._findings.add(Finding.Q55, self._place(element.line), element.name, message, fix)

    def _anonymous_access(self, element: Element) -> None:
        for setting in ANONYMOUS_ACCESS.values():
            for found in holders(element, setting.names)[:1]:
                message = f"{found.name} is accepted and ignored: {setting.unused}"
                self._findings.add(Finding.Q57, self._place(found.line), found.name, message)

    def _place(self, line: int) -> Place:
        return Place(self._file, line)


@final
class _CardNames:
    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def root(self, root: Element) -> None:
        """It may have any name and any attributes, but no settings of another element."""
        for each in root.attributes:
            if not _takes(root, each.name):
                self._report_home(each.name, each.line, root)

    def below(self, element: Element, *, in_storage: bool) -> None:
        inside = in_storage or element.is_named("Storage")
        for child in element.children:
            self._check_element(child, element, in_storage=inside)
            self.below(child, in_storage=inside)

    def _check_element(self, element: Element, parent: Element, *, in_storage: bool) -> None:
        place = self._place(element.line)
        name = element.name.casefold()
        if name in _IGNORED:
            message = f"{element.name} is accepted and ignored: it concerns Domino"
            self._findings.add(Finding.Q57, place, element.name, message)
        elif name in _TAKEN:
            self._check_attributes(element)
            if element.is_named(*_INSIDE_STORAGE) and not in_storage:
                message = f"{element.name} is outside every Storage, where it has no effect"
                self._findings.add(Finding.Q55, place, element.name, message, "move it into a Storage")
        elif not (
            _takes(parent, name)
            or self._report_home(element.name, element.line, parent)
            or self._findings.warn_misspelling(place, element.name, _STORAGE)
        ):
            self._findings.unknown_name(place, element.name, CARD_ELEMENTS, _CARD_SECURITY)

    def _check_attributes(self, element: Element) -> None:
        known = next(settings for name, settings in CARD_ELEMENTS.items() if element.is_named(name))
        for each in element.attributes:
            if not (_takes(element, each.name) or self._report_home(each.name, each.line, element)):
                self._findings.unknown_name(self._place(each.line), each.name, known, _CARD_SECURITY)

    def _report_home(self, name: str, line: int, around: Element) -> bool:
        """Whether the setting is one of another element, which is reported."""
        home = _HOMES.get(name.casefold())
        if home is not None:
            message = f"{name} is in {around.name}, where it has no effect; it belongs in {home}"
            self._findings.add(Finding.Q55, self._place(line), name, message, f"move it to {home}")
        return home is not None

    def _place(self, line: int) -> Place:
        return Place(self._file, line)


def _holds(element: Element, name: str) -> bool:
    return next(element.named(name), None) is not None


def _takes(element: Element, name: str) -> bool:
    """Whether a setting of this name has an effect in this element of UserInfoConfig.xml."""
    return name.casefold() in _TAKEN.get(element.name.casefold(), frozenset()) | _ANYWHERE_IN_CARDS
