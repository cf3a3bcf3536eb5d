"""Changing the TLS switches of the two XML files in place, in every form that they may be written in.

A setting may be an attribute, a child element (text, or an attribute `value`), or stand further out as the
default of all connections below (reference 3.1). It is changed where it takes effect. Only when it stands
nowhere is an attribute added.
"""

from collections.abc import Iterator, Sequence

from quintet.config.edit_xml import AddSibling, Change, SetAttribute, SetText, edit
from quintet.config.source import EditError
from quintet.config.xml_document import Element, Markup, read_markup
from quintet.config.xml_tree import Holder, holders

_OPPOSITES = {"1": "0", "0": "1", "true": "false", "false": "true", "yes": "no", "no": "yes"}
_ON = frozenset({"1", "true", "yes"})


def switch_connections(data: bytes, *, ssl_enabled: bool) -> bytes:
    """StCommunityConfig.xml with TLS on or off for every `Connection`; with TLS on, each names its `SSLPort`.

    Raises `EditError` when the file is damaged or has no connection.
    """
    markup = read_markup(data)
    connections = [
        e
        for e in markup.elements
        if e.is_named("Connection") and any(a.is_named("LDAP") for a in markup.ancestors(e))
    ]
    if not connections:
        raise EditError("there is no Connection in an LDAP section")
    changes: dict[Change, None] = {}
    for connection in connections:
        defaults = _defaults(markup, connection)
        near = ("Port", "HostName", "Host")
        on = "1" if ssl_enabled else "0"
        changes |= dict.fromkeys(_switch(connection, defaults, ("SSLEnabled", "SSL"), near, on))
        if ssl_enabled and not _in_effect(connection, defaults, ("SSLPort",)):
            changes[SetAttribute(connection, "SSLPort", "636", ("SSLEnabled", "SSL", *near))] = None
    return edit(markup, changes)


def switch_cards(data: bytes, *, ssl_enabled: bool, store: tuple[str, str] | None = None) -> bytes:
    """UserInfoConfig.xml with TLS on or off for every `StorageDetails` of an LDAP storage.

    `store` is path and password of a trust store: each `Storage` without `SslProperties` is given it.
    Raises `EditError` when the file is damaged or names no server.
    """
    markup = read_markup(data)
    storages = _storages(markup)
    changes: list[Change] = []
    for server in (server for servers in storages.values() for server in servers):
        near = ("SslPort", "Port", "HostName")
        on = "true" if ssl_enabled else "false"
        changes += _switch(server, (), ("SslEnabled", "SSL"), near, on)
        if ssl_enabled and not _in_effect(server, (), ("SslPort",)):
            changes.append(SetAttribute(server, "SslPort", "636", ("SslEnabled", *near)))
    if ssl_enabled and store is not None:
        for storage, servers in storages.items():
            changes += _with_store(storage, servers[-1], *store)
    return edit(markup, changes)


def storages_without_store(data: bytes) -> int:
    """How many LDAP storages of UserInfoConfig.xml name no store of their own. Raises `EditError`."""
    markup = read_markup(data)
    return sum(not _names_store(_properties(storage)) for storage in _storages(markup))


def _storages(markup: Markup) -> dict[Element, list[Element]]:
    """The LDAP storages, each with its servers."""
    found: dict[Element, list[Element]] = {}
    for storage in markup.elements:
        kind = storage.get("type")
        if storage.is_named("Storage") and (kind is None or kind.value.strip().casefold() in ("", "ldap")):
            servers = list(storage.named("StorageDetails"))
            if servers:
                found[storage] = servers
    if not found:
        raise EditError("there is no Storage of type LDAP with a StorageDetails")
    return found


def _properties(storage: Element) -> Element | None:
    return next(storage.named("SslProperties"), None)


def _names_store(properties: Element | None) -> bool:
    return properties is not None and any(
        holder.value.strip() for holder in holders(properties, ("KeyStorePath",))
    )


def _with_store(storage: Element, last: Element, path: str, password: str) -> Iterator[Change]:
    values = {"KeyStorePath": path, "KeyStorePassword": password}
    properties = _properties(storage)
    if properties is None:
        yield AddSibling(last, "SslProperties", tuple(values.items()))
    elif not _names_store(properties):
        for name, value in values.items():
            found = holders(properties, (name,))
            yield from (_change(holder, value) for holder in found)
            if not found:
                yield SetAttribute(properties, name, value)


def _defaults(markup: Markup, connection: Element) -> list[Element]:
    """The elements from the connection's parent out to its outermost `LDAP`, where defaults may stand."""
    around = list(markup.ancestors(connection))
    last = max(at for at, element in enumerate(around) if element.is_named("LDAP"))
    return around[: last + 1]


def _change(holder: Holder, value: str) -> Change:
    if holder.attribute is None:
        return SetText(holder.element, value)
    return SetAttribute(holder.element, holder.attribute.name, value)


def _switch(
    element: Element,
    defaults: Sequence[Element],
    names: tuple[str, ...],
    near: tuple[str, ...],
    on: str,
) -> Iterator[Change]:
    """The changes that switch a setting to `on`, which is how to spell it where nothing is written yet."""
    found = _in_effect(element, defaults, names)
    wanted = on in _ON
    if not found and wanted:
        yield SetAttribute(element, names[0], on, near)
    for holder in found:
        new = _spelled(holder.value, wanted)
        if new != holder.value:
            yield _change(holder, new)


def _in_effect(element: Element, defaults: Sequence[Element], names: tuple[str, ...]) -> list[Holder]:
    """Where the setting takes effect: all places on the element itself, else all on the nearest default."""
    return next((found for each in (element, *defaults) if (found := holders(each, names))), [])


def _spelled(old: str, on: bool) -> str:
    """The switch in the words that the file uses; unchanged when it says so already."""
    word = old.strip()
    if word.casefold() in _ON:
        said = True
    elif not word or word.casefold() in _OPPOSITES:
        said = False
    else:
        return "1" if on else "0"
    if said == on:
        return old
    new = _OPPOSITES.get(word.casefold(), "1")
    if word.isupper():
        return new.upper()
    return new.title() if word.istitle() else new
