"""Changing the three files in place: one value, one line, one element; every other byte stays.

A key of sametime.ini is found as the reader finds it. In the XML files a setting may be an attribute, a child
element (text, or an attribute `value`), or be further out as the default of all connections below (reference
3.1); it is changed where it takes effect, and only when it is nowhere, an attribute is added. The edited XML
is read again and must say exactly what was meant, or nothing is changed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from quintet.config.ini import IniLine, LineKind, parse_ini, read_ini_source, same_section
from quintet.config.parsers import OFF, ON
from quintet.config.source import EditError
from quintet.config.xml_document import Attribute, Element, Holder, Part, XmlDocument, holders, read_xml
from quintet.config.xml_schema import CARD_SERVER, CONNECTION
from quintet.diagnostics import Finding

# sametime.ini

_VALUE = re.compile(r"(?P<before>[^=]*=\s*)(?P<value>.*?)(?P<after>\s*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def get_key(source: bytes, section: str, key: str) -> str | None:
    """The value in effect: the last one, when there are several. None when the key is absent."""
    values = [line.value for line in parse_ini(read_ini_source(source).text) if _is_key(line, section, key)]
    return values[-1] if values else None


def set_key(source: bytes, section: str, key: str, value: str) -> bytes:
    """The file with `key=value` in `section`: replaced where the value in effect is, else added.

    A new key goes below the last key of its section, a new section to the end of the file. Raises
    `EditError` for a name or a value that an ini file cannot hold.
    """
    _check(section, key, value)
    original = read_ini_source(source)
    lines = parse_ini(original.text)
    texts = [line.text + line.end for line in lines]
    found = [at for at, line in enumerate(lines) if _is_key(line, section, key)]
    if found:
        line = lines[found[-1]]
        texts[found[-1]] = _with_value(line.text, value) + line.end
    else:
        _add(texts, lines, section, f"{key}={value}", lines[0].end if lines else "")
    return original.encode("".join(texts))


def remove_key(source: bytes, section: str, key: str) -> bytes:
    """The file without any line that sets `key` in `section`. An unchanged file when there is none."""
    original = read_ini_source(source)
    kept = [line.text + line.end for line in parse_ini(original.text) if not _is_key(line, section, key)]
    return original.encode("".join(kept))


def _is_key(line: IniLine, section: str, key: str) -> bool:
    return (
        line.key is not None
        and line.section is not None
        and line.key.casefold() == key.casefold()
        and same_section(line.section) == same_section(section)
    )


def _with_value(text: str, value: str) -> str:
    found = _VALUE.fullmatch(text)
    return text if found is None else found["before"] + value + found["after"]


def _add(texts: list[str], lines: tuple[IniLine, ...], section: str, text: str, end: str) -> None:
    """Puts a new line into `texts`, which are those of `lines`."""
    end = end or "\n"
    own = [
        at
        for at, line in enumerate(lines)
        if line.kind in (LineKind.SECTION, LineKind.KEY)
        and line.section is not None
        and same_section(line.section) == same_section(section)
    ]
    above = own[-1] if own else len(texts) - 1
    if texts and not texts[above].endswith(("\r", "\n")):
        texts[above] += end
    if own:
        texts.insert(above + 1, text + end)
        return
    if texts and texts[-1].strip():
        texts.append(end)
    texts += [f"[{section}]{end}", text + end]


def _check(section: str, key: str, value: str) -> None:
    for name in (section, key):
        if not _NAME.fullmatch(name):
            raise EditError(f"{name!r} cannot be a name in an ini file", code=Finding.Q61)
    if value != value.strip():
        message = f"the value of {key} begins or ends with a blank, which an ini file loses"
        raise EditError(message, code=Finding.Q61)
    if any(not char.isprintable() for char in value):
        message = f"the value of {key} contains a character that cannot be in a line"
        raise EditError(message, code=Finding.Q61)


# The TLS switches of the XML files

_OPPOSITES = dict(zip((*ON, *OFF), (*OFF, *ON), strict=True))


def switch_connections(data: bytes, *, ssl_enabled: bool) -> bytes:
    """StCommunityConfig.xml with TLS on or off for every `Connection`; with TLS on, each has its `SSLPort`.

    Raises `EditError` when the file is malformed or has no connection.
    """
    document = read_xml(data)
    connections = [
        e
        for e in document.elements
        if e.is_named("Connection") and any(a.is_named("LDAP") for a in document.ancestors(e))
    ]
    if not connections:
        raise EditError("there is no Connection in an LDAP section", code=Finding.Q72)
    switch, port = CONNECTION["SSLEnabled"], CONNECTION["SSLPort"]
    near = ("Port", *CONNECTION["HostName"].names)
    changes: dict[Change, None] = {}
    for connection in connections:
        levels = (connection, *_defaults(document, connection))
        on = "1" if ssl_enabled else "0"
        changes |= dict.fromkeys(_switch(levels, switch.names, near, on))
        if ssl_enabled and not _in_effect(levels, port.names):
            changes[SetAttribute(connection, port.name, port.default, (*switch.names, *near))] = None
    return edit(document, changes)


def switch_cards(
    data: bytes, *, ssl_enabled: bool, store: tuple[str, str] | None = None, start_tls: bool = False
) -> bytes:
    """UserInfoConfig.xml with TLS on or off for every `StorageDetails` of an LDAP storage.

    `store` is path and password of a trust store: each `Storage` without `SslProperties` is given it. With
    `start_tls`, what is switched on and does not say how it is encrypted uses StartTLS. Raises `EditError`
    when the file is malformed or names no server.
    """
    document = read_xml(data)
    storages = _storages(document)
    switch, port, way = CARD_SERVER["SslEnabled"], CARD_SERVER["SslPort"], CARD_SERVER["QUINTET_START_TLS"]
    near = (port.name, "Port", CARD_SERVER["HostName"].name)
    changes: list[Change] = []
    for server in (server for servers in storages.values() for server in servers):
        switched = list(_switch((server,), switch.names, near, "true" if ssl_enabled else "false"))
        changes += switched
        if start_tls and ssl_enabled and switched and not _in_effect((server,), way.names):
            changes.append(SetAttribute(server, way.name, "true", (switch.name, *near)))
        if ssl_enabled and not _in_effect((server,), port.names):
            changes.append(SetAttribute(server, port.name, port.default, (switch.name, *near)))
    if ssl_enabled and store is not None:
        for storage, servers in storages.items():
            changes += _with_store(storage, servers[-1], *store)
    return edit(document, changes)


def storages_without_store(data: bytes) -> int:
    """How many LDAP storages of UserInfoConfig.xml name no store of their own. Raises `EditError`."""
    return sum(not _names_store(_properties(storage)) for storage in _storages(read_xml(data)))


def _storages(document: XmlDocument) -> dict[Element, list[Element]]:
    """The LDAP storages, each with its servers."""
    found: dict[Element, list[Element]] = {}
    for storage in document.elements:
        kind = storage.get("type")
        if storage.is_named("Storage") and (kind is None or kind.value.strip().casefold() in ("", "ldap")):
            servers = list(storage.named("StorageDetails"))
            if servers:
                found[storage] = servers
    if not found:
        raise EditError("there is no Storage of type LDAP with a StorageDetails", code=Finding.Q92)
    return found


def _properties(storage: Element) -> Element | None:
    return next(storage.named("SslProperties"), None)


def _names_store(properties: Element | None) -> bool:
    return properties is not None and any(
        holder.value.strip() for holder in holders(properties, ("KeyStorePath",))
    )


def _with_store(storage: Element, last: Element, path: str, password: str) -> Iterator["Change"]:
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


def _defaults(document: XmlDocument, connection: Element) -> list[Element]:
    """The elements from the connection's parent out to its outermost `LDAP`, where defaults may be."""
    around = list(document.ancestors(connection))
    last = max(at for at, element in enumerate(around) if element.is_named("LDAP"))
    return around[: last + 1]


def _change(holder: Holder, value: str) -> "Change":
    if holder.attribute is None:
        return SetText(holder.element, value)
    return SetAttribute(holder.element, holder.attribute.name, value)


def _switch(
    levels: Sequence[Element], names: tuple[str, ...], near: tuple[str, ...], on: str
) -> Iterator["Change"]:
    """The changes that switch a setting to `on`, which is how to write it where nothing is written yet."""
    found = _in_effect(levels, names)
    wanted = on in ON
    if not found and wanted:
        yield SetAttribute(levels[0], names[0], on, near)
    for holder in found:
        new = _spelled(holder.value, wanted)
        if new != holder.value:
            yield _change(holder, new)


def _in_effect(levels: Sequence[Element], names: tuple[str, ...]) -> list[Holder]:
    """Where the setting takes effect: all places on the nearest of the levels that has it."""
    return next((found for each in levels if (found := holders(each, names))), [])


def _spelled(old: str, on: bool) -> str:
    """The switch in the words that the file uses; unchanged when it says so already."""
    word = old.strip()
    if word and word.casefold() not in _OPPOSITES:
        return "1" if on else "0"
    if (word.casefold() in ON) == on:
        return old
    new = _OPPOSITES.get(word.casefold(), "1")
    if word.isupper():
        return new.upper()
    return new.title() if word.istitle() else new


# Edits of XML

_PLAIN_CONTENT = re.compile(r"(\s*)(?:<!\[CDATA\[.*?\]\]>|[^<]*?)(\s*)", re.DOTALL)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Gives `element` the attribute. An attribute of that very name is changed where it is.

    A new one goes behind the first of `after` that the element has, else behind its last attribute.
    """

    element: Element
    name: str
    value: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetText:
    """Gives `element`, which has no children, this text."""

    element: Element
    text: str


@dataclass(frozen=True, slots=True)
class AddSibling:
    """Puts an empty element with these attributes behind `element`, indented as that is."""

    element: Element
    name: str
    attributes: tuple[tuple[str, str], ...]


Change = SetAttribute | SetText | AddSibling


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    stop: int
    text: str


def edit(document: XmlDocument, changes: Iterable[Change]) -> bytes:
    """The bytes of the file with the changes made. Raises `EditError` when they cannot be made safely."""
    changes = tuple(changes)
    text = document.source.text
    edits = sorted((_edit(document, c) for c in changes), key=lambda e: e.start)
    for one in edits[::-1]:
        text = text[: one.start] + one.text + text[one.stop :]
    data = document.source.encode(text, errors="xmlcharrefreplace")
    if _meaning(read_xml(data).parts) != _meaning(_intended(document, changes)):
        raise EditError("the change would alter more than it should", fix="edit the file by hand")
    return data


def _edit(document: XmlDocument, change: Change) -> _Edit:
    match change:
        case SetAttribute():
            return _attribute(document, change)
        case SetText():
            return _text(document, change)
        case AddSibling():
            return _sibling(document, change)


def _attribute(document: XmlDocument, change: SetAttribute) -> _Edit:
    text = document.source.text
    existing = next((a for a in change.element.attributes if a.name == change.name), None)
    if existing is not None:
        quote = text[existing.value_stop]
        return _Edit(existing.value_start, existing.value_stop, _quoted(change.value, quote))
    neighbour = next((a for name in change.after if (a := change.element.get(name))), None)
    if neighbour is None and change.element.attributes:
        neighbour = change.element.attributes[-1]
    if neighbour is None:
        at = change.element.start + len("<") + len(_name_in_text(document, change.element))
        return _Edit(at, at, f' {change.name}="{_quoted(change.value, chr(34))}"')
    at = neighbour.value_stop + 1
    quote = text[neighbour.value_stop]
    gap = _gap(document, change.element, neighbour)
    return _Edit(at, at, f"{gap}{change.name}={quote}{_quoted(change.value, quote)}{quote}")


def _gap(document: XmlDocument, element: Element, neighbour: Attribute) -> str:
    """The blanks before a new attribute: its neighbour's, where each is on a line of its own."""
    gaps = [_blanks_before(document, a.start) for a in element.attributes]
    if len(gaps) < 2 or not all("\n" in gap or "\r" in gap for gap in gaps[1:]):
        return " "
    return gaps[max(1, element.attributes.index(neighbour))]


def _blanks_before(document: XmlDocument, at: int) -> str:
    before = document.source.text[:at]
    return before[len(before.rstrip()) :]


def _text(document: XmlDocument, change: SetText) -> _Edit:
    element = change.element
    new = escape(_allowed(change.text))
    if element.empty:
        name = _name_in_text(document, element)
        tag = document.source.text[element.start : element.tag_stop]
        return _Edit(element.start, element.stop, f"{tag[:-2].rstrip()}>{new}</{name}>")
    content = _PLAIN_CONTENT.fullmatch(document.content(element))
    if content is None:
        message = f"the value of {element.name} contains other markup"
        line = document.source.line(element.start)
        raise EditError(message, line, fix="write the value as plain text first")
    return _Edit(element.tag_stop, element.content_stop, content[1] + new + content[2])


def _sibling(document: XmlDocument, change: AddSibling) -> _Edit:
    gap = _blanks_before(document, change.element.start)
    attributes = "".join(f' {name}="{_quoted(value, chr(34))}"' for name, value in change.attributes)
    at = change.element.stop
    return _Edit(at, at, f"{gap}<{change.name}{attributes}/>")


def _name_in_text(document: XmlDocument, element: Element) -> str:
    """The element's name with its prefix, as it is in the tag."""
    found = re.compile(r"[^\s/>]+").match(document.source.text, element.start + 1)
    return found[0] if found else element.name


def _quoted(value: str, quote: str) -> str:
    blanks = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
    return escape(_allowed(value), blanks | {quote: "&quot;" if quote == '"' else "&apos;"})


def _allowed(value: str) -> str:
    if _FORBIDDEN.search(value):
        raise EditError("the value contains a character that XML cannot hold", code=Finding.Q61)
    return value


def _intended(document: XmlDocument, changes: tuple[Change, ...]) -> list[Part]:
    """All that the document shall say, made from what it says without looking at the text."""
    parts = list(document.parts)
    starts = [at for at, part in enumerate(parts) if part.kind == "start"]
    for change in sorted(changes, key=lambda each: each.element.index, reverse=True):
        start = starts[change.element.index]
        match change:
            case SetAttribute():
                parts[start] = Part(
                    "start", parts[start].name, {**parts[start].attributes, change.name: change.value}
                )
            case SetText():
                parts[start + 1 : _end_of(parts, start)] = [Part("text", change.text)]
            case AddSibling():
                end = _end_of(parts, start) + 1
                parts[end:end] = [Part("start", change.name, dict(change.attributes)), Part("end")]
    return parts


def _end_of(parts: Sequence[Part], start: int) -> int:
    """Where the element ends that begins at `start`."""
    depth = 0
    for at in range(start, len(parts)):
        depth += (parts[at].kind == "start") - (parts[at].kind == "end")
        if depth == 0:
            return at
    raise AssertionError("every element ends")


def _meaning(parts: Iterable[Part]) -> list[Part]:
    """What the parts say: blanks around text do not count, because they are layout."""
    said: list[Part] = []
    for part in parts:
        if part.kind != "text":
            said.append(part)
        elif said and said[-1].kind == "text":
            said[-1] = Part("text", (said[-1].name + part.name))
        else:
            said.append(part)
    texts = (Part("text", part.name.strip()) if part.kind == "text" else part for part in said)
    return [part for part in texts if part.kind != "text" or part.name]
