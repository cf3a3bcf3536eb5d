"""Names in the two XML files that nobody knows, and settings that stand where they have no effect."""

from collections.abc import Iterable
from typing import final

from quintet.config.schema import (
    CARD_ELEMENTS,
    COMMUNITY_SETTINGS,
    CONNECTION_SETTINGS,
    IGNORED_CARD_ELEMENTS,
)
from quintet.config.xml_document import Element
from quintet.config.xml_tree import holders
from quintet.diagnostics import Diagnostics, Place

SERVERS = ("Connection", "LDAP")
"""The elements of StCommunityConfig.xml without which there is no server."""

_COMMUNITY_NAMES = tuple(setting.name for setting in COMMUNITY_SETTINGS)
_CONNECTION_NAMES = (*(setting.name for setting in CONNECTION_SETTINGS), *_COMMUNITY_NAMES)
_ON_CONNECTION = {name.casefold() for setting in CONNECTION_SETTINGS for name in setting.names}
_ANYWHERE = {name.casefold() for setting in COMMUNITY_SETTINGS for name in setting.names}

_STORAGE = ("Storage", "StorageDetails")
_INSIDE_STORAGE = ("StorageDetails", "SslProperties", "Detail")
_CARD_ATTRIBUTES = {
    name.casefold(): {attribute.casefold() for attribute in attributes}
    for name, attributes in CARD_ELEMENTS.items()
}
_HOMES = {
    attribute.casefold(): home
    for home in ("Set", "CommonField", "SslProperties", "StorageDetails")
    for attribute in CARD_ELEMENTS[home]
}
_IGNORED = {name.casefold() for name in IGNORED_CARD_ELEMENTS}
# Its place is not documented, so it counts wherever it stands (reference 4.2).
_ANYWHERE_IN_CARDS = {"searchtimeout"}


def check_community_names(root: Element, findings: Diagnostics, file: str) -> None:
    """Tells of every unknown name in the LDAP section of StCommunityConfig.xml; elsewhere, of slips alone.

    The file holds more than what concerns the directory, so most names outside that section are none of ours.
    """
    names = _CommunityNames(findings, file)
    if root.is_named("LDAP"):
        names.inside(root)
    else:
        names.outside(root)


def check_card_names(root: Element, findings: Diagnostics, file: str) -> None:
    """Tells of every name in UserInfoConfig.xml that is unknown, or that has no effect where it stands."""
    names = _CardNames(findings, file)
    names.outermost(root)
    names.below(root, in_storage=False)


@final
class _CommunityNames:
    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def inside(self, element: Element) -> None:
        """`LDAP`, a `Connection`, or what stands between them: settings on it count."""
        for each in element.attributes:
            if each.name.casefold() not in _ON_CONNECTION | _ANYWHERE:
                self._findings.unknown(self._place(each.line), each.name, each.name, _CONNECTION_NAMES)
        for child in element.children:
            place = self._place(child.line)
            if child.is_named("LDAP") or _holds(child, "Connection"):
                self.inside(child)
            elif child.name.casefold() not in _ON_CONNECTION | _ANYWHERE and not self._findings.slip(
                place, child.name, SERVERS
            ):
                self._findings.unknown(place, child.name, child.name, _CONNECTION_NAMES)

    def outside(self, element: Element) -> None:
        """What lies around the LDAP section, or beside it."""
        around = _holds(element, "LDAP")
        for each in element.attributes:
            self._check(each.name, each.line, _COMMUNITY_NAMES, around=around)
        for child in element.children:
            if child.is_named("LDAP"):
                self.inside(child)
            elif child.is_named("Connection"):
                self._check_connection(child)
            else:
                if not _holds(child, "LDAP"):
                    self._check(child.name, child.line, (*_COMMUNITY_NAMES, *SERVERS), around=around)
                self.outside(child)

    def _check(self, name: str, line: int, known: Iterable[str], *, around: bool) -> None:
        if name.casefold() not in _ON_CONNECTION | _ANYWHERE:
            self._findings.slip(self._place(line), name, known)
        elif around and name.casefold() in _ON_CONNECTION:
            self._findings.warning(
                self._place(line),
                name,
                "stands outside the LDAP section, where it has no effect; move it to LDAP, for all servers,"
                " or to one Connection",
            )

    def _check_connection(self, element: Element) -> None:
        if holders(element, ("HostName", "Host")):
            self._findings.warning(
                self._place(element.line),
                element.name,
                "stands outside the LDAP section, so this server is not used; move it into <LDAP>…</LDAP>",
            )

    def _place(self, line: int) -> Place:
        return Place(self._file, line)


@final
class _CardNames:
    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def outermost(self, root: Element) -> None:
        """It may have any name and bear what it likes, but no settings of another element."""
        for each in root.attributes:
            if not _takes(root, each.name):
                self._tell_home(each.name, each.line, root)

    def below(self, element: Element, *, in_storage: bool) -> None:
        inside = in_storage or element.is_named("Storage")
        for child in element.children:
            self._check_element(child, element, in_storage=inside)
            self.below(child, in_storage=inside)

    def _check_element(self, element: Element, parent: Element, *, in_storage: bool) -> None:
        place = self._place(element.line)
        name = element.name.casefold()
        if name in _IGNORED:
            self._findings.note(place, element.name, "concerns Domino, and is accepted and ignored")
        elif name in _CARD_ATTRIBUTES:
            self._check_attributes(element)
            if element.is_named(*_INSIDE_STORAGE) and not in_storage:
                what = "stands outside every Storage, where it has no effect; move it into one"
                self._findings.warning(place, element.name, what)
        elif not (
            _takes(parent, name)
            or self._tell_home(element.name, element.line, parent)
            or self._findings.slip(place, element.name, _STORAGE)
        ):
            self._findings.unknown(place, element.name, element.name, CARD_ELEMENTS)

    def _check_attributes(self, element: Element) -> None:
        known = next(names for name, names in CARD_ELEMENTS.items() if element.is_named(name))
        for each in element.attributes:
            if not (_takes(element, each.name) or self._tell_home(each.name, each.line, element)):
                self._findings.unknown(self._place(each.line), each.name, each.name, known)

    def _tell_home(self, name: str, line: int, around: Element) -> bool:
        """Whether the setting is one of another element, which is told."""
        home = _HOMES.get(name.casefold())
        if home is not None:
            what = f"stands in {around.name}, where it has no effect; it belongs into {home}"
            self._findings.warning(self._place(line), name, what)
        return home is not None

    def _place(self, line: int) -> Place:
        return Place(self._file, line)


def _holds(element: Element, name: str) -> bool:
    return next(element.named(name), None) is not None


def _takes(element: Element, name: str) -> bool:
    """Whether a setting of this name has an effect in this element of UserInfoConfig.xml."""
    return name.casefold() in _CARD_ATTRIBUTES.get(element.name.casefold(), set()) | _ANYWHERE_IN_CARDS
