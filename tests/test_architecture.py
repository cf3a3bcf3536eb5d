"""The arrows of the design hold: who may import whom, no circles, no module with two ideas."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "quintet"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST = 600

# What each part may use besides itself; each leans only on what stands above it in this table.
ARROWS: dict[str, set[str]] = {
    "secret": set(),
    "files": set(),
    "diagnostics": set(),
    "logs": {"secret"},
    "ldap": set(),
    "tls": {"secret", "files", "diagnostics"},
    "embedded": {"ldap"},
    "config": {"ldap", "tls", "secret", "files", "diagnostics"},
    "directory": {"config", "ldap", "tls", "secret", "diagnostics"},
    "cards": {"directory", "config", "ldap", "tls", "secret", "diagnostics"},
    "sametime": {"cards", "directory", "config", "ldap", "tls", "secret", "files", "diagnostics"},
    "web": {"cards", "directory", "config", "ldap", "tls", "secret", "files", "diagnostics"},
    "admin": {"cards", "directory", "config", "ldap", "tls", "secret", "files", "diagnostics"},
    "runtime": {
        "admin",
        "web",
        "sametime",
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


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of the house that a module belongs to: `quintet.ldap.ber` is of `ldap`."""
    return [*module.split("."), "__init__"][1]


def imports(path: Path) -> Iterator[str]:
    """Every module of Quintet that the file imports, wherever in the file it does."""
    known = {name_of(each) for each in MODULES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "quintet")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if node.module and node.module.split(".")[0] == "quintet":
                deeper = [f"{node.module}.{alias.name}" for alias in node.names]
                inside = [name for name in deeper if name in known]
                yield from inside
                if len(inside) < len(deeper):
                    yield node.module


def by_name(path: Path) -> str:
    return name_of(path)


def test_the_table_of_arrows_has_no_circle() -> None:
    earlier: set[str] = set()
    for part, uses in ARROWS.items():
        assert uses <= earlier, f"{part} uses what stands beside or above it: {uses - earlier}"
        earlier.add(part)


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    part = part_of(name_of(path))
    if part in ON_TOP:
        return
    assert part in ARROWS, f"{part} has no place in the design"
    used = {part_of(module) for module in imports(path)} - {part}
    assert used <= ARROWS[part], f"{name_of(path)} must not import {sorted(used - ARROWS[part])}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name_of(path): set(imports(path)) - {name_of(path)} for path in MODULES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for used in graph.get(module, ()):
                visit(used, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_no_public_class_name_occurs_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name_of(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_a_module_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
