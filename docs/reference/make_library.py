#!/usr/bin/env python3
"""Makes the pages about `quintet.ldap` from its docstrings: signatures, parameters, results and errors.

Without arguments it writes them; with --check it writes nothing, and exits with 1 when one is out of date.
"""

import ast
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import quintet.ldap
from quintet.ldap import ResultError

FOLDER = Path(__file__).parent / "library"
_MADE = "<!-- Made by script/docs from the code. Changes belong there. -->"
_WIDTH = 88
_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")


@dataclass(frozen=True, slots=True)
class Topic:
    """A page: what it is about, and the names on it. A name with a dot is one method of a class."""

    title: str
    intro: str
    names: tuple[str, ...]


TOPICS = {
    "connect": Topic(
        "Connect",
        "`connect` makes a connection. Many operations can be in flight on it at once: start them as"
        " tasks, or together with `asyncio.gather`. Certificates and host names are checked.",
        ("connect", "Connection.start_tls", "Connection.close", "Address", "Limits", "Connection"),
    ),
    "pool": Topic(
        "Keep several connections",
        "A `Pool` opens connections when they are needed, shares them, checks and replaces them, and goes on"
        " at another host when one fails. It has all operations of a connection but those that change the"
        " connection itself: binds and StartTLS.",
        (
            "Pool",
            "PoolConfig",
            "PoolStatus",
            "ConnectionState",
            "ConnectionOpened",
            "ConnectionFailed",
            "ConnectionGone",
            "GoneReason",
            "OperationEnded",
            "OperationRepeated",
            "UpkeepFailed",
        ),
    ),
    "bind": Topic(
        "Authenticate",
        "A new connection is anonymous. A bind changes that; it must be alone on the connection.",
        (
            "Connection.bind",
            "Connection.bind_anonymous",
            "Connection.bind_external",
            "Connection.bind_scram",
            "LdapOperations.who_am_i",
        ),
    ),
    "search": Topic(
        "Search and read",
        "`search` is for answers that fit in memory, `stream` for any number of entries as they come, and"
        " `paged_search` for more entries than the server sends at once.",
        (
            "LdapOperations.search",
            "LdapOperations.stream",
            "LdapOperations.paged_search",
            "LdapOperations.search_page",
            "LdapOperations.compare",
            "Scope",
            "Deref",
            "SearchResult",
            "SearchPage",
            "Entry",
        ),
    ),
    "change": Topic(
        "Add, change, rename and delete",
        "Values are `str`, which is sent as UTF-8, or `bytes`. They always come in a list: a single `str`"
        " in its place is a `TypeError`.",
        (
            "LdapOperations.add",
            "LdapOperations.modify",
            "Add",
            "Delete",
            "Replace",
            "Increment",
            "LdapOperations.modify_dn",
            "LdapOperations.delete",
        ),
    ),
    "passwords": Topic(
        "Change passwords",
        "A password crosses the connection as it is: change passwords over an encrypted connection.",
        (
            "LdapOperations.modify_password",
            "PasswordPolicy",
            "PasswordPolicyResult",
            "PasswordPolicyReason",
            "PasswordExpired",
            "PasswordExpiring",
        ),
    ),
    "filters": Topic(
        "Filters",
        "Every search takes a filter as text. A name from outside does not belong in text, where its"
        " stars and parentheses would have a meaning: a `Template` takes it as it is.",
        (
            "Template",
            "parse",
            "escape_filter_value",
            "Filter",
            "And",
            "Or",
            "Not",
            "Equality",
            "Substrings",
            "GreaterOrEqual",
            "LessOrEqual",
            "Present",
            "Approximate",
            "Extensible",
        ),
    ),
    "names": Topic(
        "Distinguished names and URLs",
        "Operations take a DN as `str` or as `DN`.",
        ("DN", "escape_dn_value", "LdapUrl", "UrlExtension"),
    ),
    "controls": Topic(
        "Controls",
        "Give controls to an operation as `controls=[...]`. What the server adds to its answer is what"
        " the changing operations and binds return, `SearchResult.controls`, or `ResultError.controls`;"
        " `find` gets one kind of control out of it.",
        (
            "PagedResults",
            "ServerSideSort",
            "SortKey",
            "SortResult",
            "Assertion",
            "PreRead",
            "PreReadResult",
            "PostRead",
            "PostReadResult",
            "ManageDsaIT",
            "SubtreeDelete",
            "ProxiedAuthorization",
            "Control",
        ),
    ),
    "server": Topic(
        "Ask a server what it is",
        "The root DSE says which product a server is and what it supports.",
        ("LdapOperations.root_dse", "RootDSE", "ServerKind", "LdapOperations.extended", "ExtendedResponse"),
    ),
    "ldif": Topic(
        "LDIF",
        "`from quintet.ldap import ldif`. Records are read and written one at a time.",
        ("ldif.read", "ldif.read_entries", "ldif.write", "Change", "LdapOperations.apply"),
    ),
    "errors": Topic(
        "Errors",
        "All errors are an `LdapError`. A wrong type is a `TypeError` and a wrong value a `ValueError`,"
        " raised before anything is sent.",
        (
            "LdapError",
            "LdapSyntaxError",
            "FilterSyntaxError",
            "DNSyntaxError",
            "UrlSyntaxError",
            "LdifError",
            "LocalProtocolError",
            "RemoteProtocolError",
            "ConnectError",
            "TlsError",
            "ConnectionLostError",
            "OperationTimeoutError",
            "ClientLimitError",
            "UnencryptedPasswordError",
            "PoolError",
            "PoolTimeoutError",
            "PoolOverloadedError",
            "PoolClosedError",
            "NoHostReachableError",
            "ResultError",
            "printable",
        ),
    ),
}


# Docstrings.


@dataclass(slots=True)
class Doc:
    """A docstring in Google's form, taken apart."""

    paragraphs: list[str] = field(default_factory=list)
    sections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def read_doc(thing: object) -> Doc:
    """Raises ValueError where there is no docstring: everything public has one."""
    text = inspect.getdoc(thing)
    if not text:
        raise ValueError(f"{thing!r} has no docstring")
    doc = Doc()
    for block in re.split(r"\n{2,}", text):
        head, _, rest = block.partition("\n")
        if head.removesuffix(":") in _SECTIONS and head.endswith(":"):
            doc.sections[head.removesuffix(":")] = list(_items(textwrap.dedent(rest)))
        elif doc.sections:
            raise ValueError(f"{thing!r} has text after its sections: {head}")
        else:
            doc.paragraphs.append(" ".join(line.strip() for line in block.splitlines()))
    return doc


def _items(text: str) -> Iterator[tuple[str, str]]:
    """`name: meaning`, continued in lines that are indented; a text without names has the name `""`."""
    entries = re.split(r"\n(?=\S)", text)
    if not re.match(r"\*{0,2}\w+: ", entries[0]):
        yield "", " ".join(text.split())
        return
    for entry in entries:
        name, _, meaning = entry.partition(": ")
        yield name.lstrip("*"), " ".join(meaning.split())


# Signatures, as the source has them.

_SHORT = {
    "Name": "str | DN",
    "Value": "str | bytes",
    "Intermediate": "Callable[[IntermediateResponse], None]",
}


def node_of(thing: Any) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return node


def parameters_of(function: Any) -> list[str]:
    """Each parameter as it is written, without `self`."""
    node = node_of(function)
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    given = node.args
    positional = [each for each in (*given.posonlyargs, *given.args) if each.arg not in ("self", "cls")]
    defaults: list[ast.expr | None] = [*given.defaults]
    pairs = list(zip(positional, [None] * (len(positional) - len(defaults)) + defaults, strict=True))
    star = [f"*{_parameter(given.vararg)}"] if given.vararg else ["*"] if given.kwonlyargs else []
    keywords = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return [*(_parameter(*pair) for pair in pairs), *star, *(_parameter(*pair) for pair in keywords)]


def _parameter(parameter: ast.arg, default: ast.expr | None = None) -> str:
    annotation = f": {_type(parameter.annotation)}" if parameter.annotation is not None else ""
    return f"{parameter.arg}{annotation}" + (f" = {ast.unparse(default)}" if default is not None else "")


def _type(annotation: ast.expr) -> str:
    """An annotation for readers: without quotes, and with what our short names for types stand for."""
    text = ast.unparse(annotation).replace("'", "")
    return re.sub(r"\b(Name|Value|Intermediate)\b", lambda found: _SHORT[found[1]], text)


def signature(name: str, parameters: list[str], returns: str = "") -> str:
    arrow = f" -> {returns}" if returns else ""
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) > _WIDTH:
        line = f"{name}(\n" + "".join(f"    {each},\n" for each in parameters) + f"){arrow}"
    return f"```text\n{line}\n```"


def returns_of(function: Any) -> str:
    node = node_of(function)
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return _type(node.returns) if node.returns is not None else ""


def fields_of(kind: type) -> list[str]:
    """The fields of a dataclass, as its constructor takes them."""
    node = node_of(kind)
    assert isinstance(node, ast.ClassDef)
    found = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    return [ast.unparse(each) for each in found if "ClassVar" not in ast.unparse(each.annotation)]


# Pages.


def page(topic: Topic) -> str:
    parts = [f"# {topic.title}", _MADE, topic.intro]
    for name in topic.names:
        parts += _entry(name)
    if topic.title == "Errors":
        parts += _result_codes()
    return "\n\n".join(parts) + "\n"


def _entry(name: str) -> Iterator[str]:
    owner, _, method = name.rpartition(".")
    if not owner and inspect.isclass(kind := getattr(quintet.ldap, name)):
        yield from _class(name, kind)
    elif owner in ("", "ldif"):
        yield f"## {method}"
        yield from _function(name, getattr(getattr(quintet.ldap, owner, quintet.ldap), method))
    else:
        yield f"## {method}"
        yield from _function(f"{_instance(owner)}.{method}", getattr(getattr(quintet.ldap, owner), method))


def _function(name: str, function: Any) -> Iterator[str]:
    returns = returns_of(function)
    before = "await " if inspect.iscoroutinefunction(function) else ""
    if "asynccontextmanager" in {ast.unparse(each) for each in node_of(function).decorator_list}:
        before, returns = "async with ", returns.removeprefix("AsyncGenerator[").removesuffix(", None]")
    elif returns.startswith("AsyncGenerator"):
        before, returns = "async for entry in ", ""
    yield signature(before + name, parameters_of(function), returns)
    yield from _told(read_doc(function))


def _told(doc: Doc) -> Iterator[str]:
    yield from doc.paragraphs
    if "Args" in doc.sections:
        yield _table(("parameter", "meaning"), doc.sections["Args"], code=True)
    if "Attributes" in doc.sections:
        yield _table(("attribute", "meaning"), doc.sections["Attributes"], code=True)
    for section in ("Returns", "Yields"):
        if section in doc.sections:
            yield f"**{section}:** {doc.sections[section][0][1]}"
    if "Raises" in doc.sections:
        yield _table(("error", "when"), doc.sections["Raises"], code=True)


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"## {name}"
    doc = read_doc(kind)
    if issubclass(kind, enum.Enum):
        yield from _told(doc)
        yield _table(("member", "value", "meaning"), _members(kind), code=True)
        return
    if "Args" in doc.sections:
        constructor: Any = inspect.getattr_static(kind, "__init__")
        yield signature(name, parameters_of(constructor))
    elif name in _CONSTRUCTED:
        yield signature(name, fields_of(kind))
    yield from _told(doc)
    for member, found in _public_members(name, kind):
        yield f"### {name}.{member}"
        if isinstance(found, property):
            yield f"```text\n{_instance(name)}.{member}: {returns_of(found.fget)}\n```"
            yield from _told(read_doc(found))
        else:
            static = isinstance(vars(kind)[member], staticmethod | classmethod)
            yield from _function(f"{name if static else _instance(name)}.{member}", found)


_CONSTRUCTED = {
    "Address",
    "Limits",
    "PoolConfig",
    "SortKey",
    "Control",
    "LdapUrl",
    "UrlExtension",
    "Change",
    "And",
    "Or",
    "Not",
    "Equality",
    "Substrings",
    "GreaterOrEqual",
    "LessOrEqual",
    "Present",
    "Approximate",
    "Extensible",
}
"""Dataclasses that callers make."""

_HIDDEN = {
    *(name for topic in TOPICS.values() for name in topic.names),
    *(f"Connection.{name.partition('.')[2]}" for topic in TOPICS.values() for name in topic.names),
    "Connection.perform",
    "Pool.find",
    "Pool.find_all",
    "Pool.bind_not_sent",
    "Pool.bind_ended",
    "Pool.loop",
    "Filter.encode_part",
    "ResultError.of",
    "Entry.with_controls",
}
"""What has a heading of its own, and what few callers need."""


def _instance(name: str) -> str:
    """What a variable of the class is called: `ldap` for a connection, `root_dse` for `RootDSE`."""
    return {"Connection": "ldap", "LdapOperations": "ldap", "RootDSE": "root_dse"}.get(name, name.lower())


def _public_members(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    for member, found in vars(kind).items():
        if member.startswith("_") or f"{name}.{member}" in _HIDDEN:
            continue
        if isinstance(found, property | staticmethod | classmethod) or inspect.isfunction(found):
            yield member, found if isinstance(found, property) else getattr(kind, member)


def _members(kind: type[enum.Enum]) -> Iterator[tuple[str, ...]]:
    """Each member with the text below it in the source."""
    node = node_of(kind)
    assert isinstance(node, ast.ClassDef)
    meanings: dict[str, str] = {}
    for each, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            told = following.value if isinstance(following, ast.Expr) else None
            text = str(told.value) if isinstance(told, ast.Constant) else ""
            meanings[each.targets[0].id] = " ".join(text.split())
    for member in kind:
        yield f"{kind.__name__}.{member.name}", str(member.value), meanings.get(member.name, "")


def _result_codes() -> Iterator[str]:
    yield "## Result codes"
    yield "Each has a class, derived from `ResultError` (RFC 4511 appendix A, RFC 3909, RFC 4370, RFC 4528)."
    classes = [kind for kind in ResultError.__subclasses__() if kind.__name__ in quintet.ldap.__all__]
    rows = [
        (str(kind.code), f"`{kind.__name__}`", kind.meaning, kind.hint or "")
        for kind in sorted(classes, key=lambda each: each.code)
    ]
    yield _table(("code", "class", "meaning", "hint"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, code: bool = False) -> str:
    lines = [head, tuple("---" for _ in head)]
    lines += [(f"`{row[0]}`" if code and row[0] else row[0], *row[1:]) for row in rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / f"{name}.md": partial(page, topic) for name, topic in TOPICS.items()
}


def main() -> int:
    check = "--check" in sys.argv[1:]
    made = {path: make() for path, make in PAGES.items()}
    stale = [
        path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
        sys.stderr.write(f"library/{path.name} {'is out of date: run script/docs' if check else 'written'}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
