"""The layout of the design holds: who may import whom by which interface, no circles, one idea a module."""

import ast
from pathlib import Path

import pytest

from support.layout import (
    SourceTree,
    circle,
    fragments,
    private_imports,
    repeated_classes,
    rising_imports,
)

TREE = SourceTree(Path(__file__).parent.parent / "src" / "quintet")
LONGEST = 600

# What each part may use besides itself; each leans only on what stands above it in this table.
ARROWS: dict[str, set[str]] = {
    "secret": set(),
    "files": set(),
    "proxy_protocol": set(),
    "diagnostics": set(),
    "logs": {"secret"},
    "storage": {"files"},
    "ldap": set(),
    "tls": {"secret", "files", "diagnostics"},
    "embedded": {"ldap"},
    "config": {"ldap", "tls", "secret", "files", "diagnostics"},
    "directory": {"config", "ldap", "tls", "secret", "diagnostics"},
    "cards": {"directory", "config", "ldap", "tls", "secret", "diagnostics"},
    "sametime": {
        "storage",
        "cards",
        "directory",
        "config",
        "ldap",
        "tls",
        "secret",
        "files",
        "proxy_protocol",
        "diagnostics",
    },
    "admin": {"cards", "directory", "config", "ldap", "tls", "secret", "files", "diagnostics"},
    "web": {
        "storage",
        "admin",
        "cards",
        "directory",
        "config",
        "ldap",
        "tls",
        "secret",
        "files",
        "proxy_protocol",
        "diagnostics",
    },
    "cluster": {
        "web",
        "sametime",
        "storage",
        "directory",
        "config",
        "ldap",
        "tls",
        "secret",
        "files",
        "diagnostics",
    },
    "runtime": {
        "admin",
        "cluster",
        "web",
        "sametime",
        "storage",
        "cards",
        "directory",
        "config",
        "ldap",
        "tls",
        "secret",
        "files",
        "logs",
        "diagnostics",
    },
}
ON_TOP = {"cli", "__main__", "__init__"}

# The interface of a part is its `__init__`. These are interfaces beside it, and why; what the `__init__`
# exports comes from there all the same.
FURTHER_INTERFACES = {
    "quintet.ldap.messages": "the messages of the protocol as values, for servers and readers of traffic",
    "quintet.ldap.sasl": "both sides of SCRAM, for servers and tests of mechanisms",
    "quintet.ldap.prepared": "searches that are encoded once, for searches made thousands of times a second",
    "quintet.ldap.address": "from a name to a connected socket, for those who speak something else than LDAP",
    "quintet.ldap.dn": "the keys by which attribute types and values are compared",
    "quintet.ldap.ldif": "the format, which quintet.ldap exports as a module",
    "quintet.sametime.serving": "the server; its libraries take half a second to import",
    "quintet.sametime.sharing": "what speaks for other nodes: it shares the values of the community",
    "quintet.sametime.storage": "what users keep, with SQL below it: commands use it without the protocol",
    "quintet.sametime.storage.admin": "the work of `quintet contacts`, which no server needs",
    "quintet.cluster.web_sessions": "sessions of browsers, with the web's libraries below it",
    "quintet.web.serving": "starts the front; its libraries take half a second to import",
}
# Each module or package of admin is the interface of its command.
ADMIN = {name for name in TREE.paths if TREE.part_of(name) == "admin" and name.count(".") == 2}


def test_the_table_of_arrows_has_no_circle() -> None:
    earlier: set[str] = set()
    for part, uses in ARROWS.items():
        assert uses <= earlier, f"{part} uses what stands beside or above it: {uses - earlier}"
        earlier.add(part)


def test_every_part_has_a_place_in_the_design() -> None:
    assert {TREE.part_of(name) for name in TREE.paths} == ARROWS.keys() | ON_TOP


def test_a_module_imports_only_what_stands_below_it() -> None:
    assert rising_imports(TREE, ARROWS, ON_TOP) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(TREE) == []


def test_a_part_is_imported_through_its_interface() -> None:
    assert private_imports(TREE, FURTHER_INTERFACES.keys() | ADMIN) == []


@pytest.mark.parametrize("name", sorted(FURTHER_INTERFACES.keys() | ADMIN))
def test_an_interface_is_documented(name: str) -> None:
    assert ast.get_docstring(TREE.parsed[name])


@pytest.mark.parametrize("name", FURTHER_INTERFACES)
def test_a_further_interface_is_used_from_outside(name: str) -> None:
    importers = {user for user, imports in TREE.imports.items() if name in {each.module for each in imports}}
    assert {TREE.part_of(user) for user in importers} - {TREE.part_of(name)}


def test_no_public_class_name_occurs_twice() -> None:
    assert repeated_classes(TREE) == {}


def test_no_small_module_has_a_single_importer() -> None:
    assert fragments(TREE) == []


@pytest.mark.parametrize("name", TREE.paths)
def test_a_module_holds_one_idea(name: str) -> None:
    assert TREE.lines(name) <= LONGEST
