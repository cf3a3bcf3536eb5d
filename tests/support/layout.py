"""What the layout of a package's source says against the design: each function lists what breaks one rule."""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SMALL = 40
"""A module with fewer lines and one importer belongs into that importer."""


@dataclass(frozen=True)
class Import:
    """An import of a module of the package; `name` is what is taken out of it, None for the module itself."""

    module: str
    name: str | None
    line: int


@dataclass(frozen=True)
class SourceTree:
    """The modules below `root`, the folder of the package."""

    root: Path

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """The modules, by their full names; a package has the name of its folder."""
        return {self._name_of(path): path for path in sorted(self.root.rglob("*.py"))}

    @cached_property
    def parsed(self) -> Mapping[str, ast.Module]:
        return {
            name: ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            for name, path in self.paths.items()
        }

    @cached_property
    def imports(self) -> Mapping[str, Collection[Import]]:
        """What each module imports of the package, wherever in the file it does."""
        return {name: tuple(self._imports_of(name)) for name in self.paths}

    @cached_property
    def exports(self) -> Mapping[str, frozenset[str]]:
        """`__all__` of each module that has one."""
        found = {}
        for name, module in self.parsed.items():
            for node in module.body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                    found[name] = frozenset(ast.literal_eval(node.value))
        return found

    def lines(self, module: str) -> int:
        return len(self.paths[module].read_text(encoding="utf-8").splitlines())

    def is_package(self, module: str) -> bool:
        return self.paths[module].name == "__init__.py"

    def part_of(self, module: str) -> str:
        """The part of the design that a module belongs to: `quintet.ldap.ber` is of `ldap`."""
        return [*module.split("."), "__init__"][1]

    def _name_of(self, path: Path) -> str:
        parts = path.relative_to(self.root.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _imports_of(self, importer: str) -> Iterator[Import]:
        for node in ast.walk(self.parsed[importer]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if self._is_ours(alias.name):
                        yield Import(alias.name, None, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"{importer}:{node.lineno} imports relatively")
                if node.module and self._is_ours(node.module):
                    for alias in node.names:
                        yield self._target(node.module, alias.name, node.lineno)

    def _target(self, module: str, name: str, line: int) -> Import:
        """`name` out of `module`: what the module exports, else the module below it."""
        below = f"{module}.{name}"
        if below in self.paths and name not in self.exports.get(module, ()):
            return Import(below, None, line)
        return Import(module, name, line)

    def _is_ours(self, module: str) -> bool:
        return module.split(".", maxsplit=1)[0] == self.root.name


def rising_imports(
    tree: SourceTree, arrows: Mapping[str, Collection[str]], top: Collection[str]
) -> list[str]:
    """Imports of a part that the importer's part must not use; `top` are the parts that may use all."""
    return [
        f"{module}:{each.line} imports {each.module}"
        for module, imports in tree.imports.items()
        if (part := tree.part_of(module)) not in top
        for each in imports
        if tree.part_of(each.module) not in {part, *arrows[part]}
    ]


def circle(tree: SourceTree) -> list[str]:
    """Modules that import each other in a circle; empty when there are none."""
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return []
        done_below = (
            visit(each.module, (*trail, module)) for each in tree.imports[module] if each.module != module
        )
        found = next((each for each in done_below if each), [])
        done.add(module)
        return found

    return next((found for module in tree.imports if (found := visit(module, ()))), [])


def private_imports(tree: SourceTree, interfaces: Collection[str]) -> list[str]:
    """Imports from outside a part that go past its interface.

    That is the part's own module, or `__init__`; what that does not export may come from one of the further
    `interfaces`.
    """
    return [
        f"{module}:{each.line} imports {each.name or 'the module'} from {each.module}"
        for module, imports in tree.imports.items()
        for each in imports
        if (part := tree.part_of(each.module)) not in {tree.part_of(module), "__init__"}
        and not _is_public(tree, each, f"{tree.root.name}.{part}", interfaces)
    ]


def _is_public(tree: SourceTree, each: Import, interface: str, interfaces: Collection[str]) -> bool:
    if each.module == interface:
        return not tree.is_package(interface) or each.name in tree.exports.get(interface, ())
    return each.module in interfaces and each.name not in tree.exports.get(interface, ())


def repeated_classes(tree: SourceTree) -> dict[str, list[str]]:
    """The public classes whose name another module has too, with the modules."""
    places: dict[str, list[str]] = {}
    for module, parsed in tree.parsed.items():
        for node in parsed.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def fragments(tree: SourceTree) -> list[str]:
    """Small modules that one other module alone imports. Packages do not count: they are interfaces."""
    importers: dict[str, set[str]] = {}
    for module, imports in tree.imports.items():
        for each in imports:
            importers.setdefault(each.module, set()).add(module)
    return [
        f"{module} belongs into {next(iter(importers[module]))}"
        for module in tree.paths
        if not tree.is_package(module) and len(importers.get(module, ())) == 1 and tree.lines(module) < SMALL
    ]
