"""The rules of the layout can fail: each finds what breaks it in an invented package."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from support.layout import (
    SMALL,
    SourceTree,
    circle,
    fragments,
    private_imports,
    repeated_classes,
    rising_imports,
)

ARROWS = {"wire": set[str](), "people": {"wire"}}
LONG = "\n" * SMALL


def tree(folder: Path, files: Mapping[str, str]) -> SourceTree:
    """The package `house` with these files."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return SourceTree(folder / "house")


WIRE = {
    "wire/__init__.py": "from house.wire.bits import Bit\n__all__ = ['Bit']\n",
    "wire/bits.py": "class Bit: ...\nclass Byte: ...\n",
}


@pytest.mark.parametrize(
    "text",
    [
        "import house.people.names",
        "from house.people import names",
        "from house.people.names import Name",
        "def later():\n    from house.people.names import Name",
        "if TYPE_CHECKING:\n    from house.people.names import Name",
    ],
)
def test_an_import_that_points_up_is_found(tmp_path: Path, text: str) -> None:
    found = tree(tmp_path, {"wire/bits.py": text, "people/names.py": "Name = 1"})
    (problem,) = rising_imports(found, ARROWS, set())
    assert problem.startswith("house.wire.bits:")


def test_an_import_that_points_down_is_allowed_and_what_is_on_top_may_use_all(tmp_path: Path) -> None:
    found = tree(
        tmp_path,
        {
            **WIRE,
            "people/__init__.py": "from house.wire import Bit",
            "cli.py": "import house.people\nimport house.wire",
        },
    )
    assert rising_imports(found, ARROWS, {"cli", "__init__"}) == []


def test_a_relative_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="relatively"):
        circle(tree(tmp_path, {"wire/bits.py": "from . import bytes"}))


def test_a_circle_is_found_with_its_modules(tmp_path: Path) -> None:
    files = {
        "a.py": "import house.b",
        "b.py": "def later():\n    from house.c import x",
        "c.py": "from house import b",
    }
    assert sorted(set(circle(tree(tmp_path, files)))) == ["house.b", "house.c"]
    assert circle(tree(tmp_path, files | {"c.py": ""})) == []


@pytest.mark.parametrize(
    "text",
    [
        "from house.wire.bits import Bit",
        "from house.wire.bits import Byte",
        "from house.wire import bits",
        "from house.wire import Byte",
        "import house.wire.bits",
        "def later():\n    from house.wire.bits import Bit",
    ],
)
def test_an_import_past_the_interface_is_found(tmp_path: Path, text: str) -> None:
    found = tree(tmp_path, {**WIRE, "people/names.py": text})
    (problem,) = private_imports(found, set())
    assert problem.startswith("house.people.names:")


@pytest.mark.parametrize(
    "text", ["from house.wire import Bit", "from house.files import copy", "import house"]
)
def test_an_import_through_the_interface_is_allowed(tmp_path: Path, text: str) -> None:
    found = tree(tmp_path, {**WIRE, "files.py": "copy = 1", "people/names.py": text})
    assert private_imports(found, set()) == []


def test_a_further_interface_has_only_what_the_first_lacks(tmp_path: Path) -> None:
    files = {**WIRE, "people/names.py": "from house.wire.bits import Bit, Byte"}
    (problem,) = private_imports(tree(tmp_path, files), {"house.wire.bits"})
    assert "imports Bit from house.wire.bits" in problem


def test_a_module_may_bear_the_name_of_what_the_interface_exports(tmp_path: Path) -> None:
    files = {
        "wire/__init__.py": "from house.wire.load import load\n__all__ = ['load']\n",
        "wire/load.py": "def load(): ...",
        "people/names.py": "from house.wire import load",
    }
    assert private_imports(tree(tmp_path, files), set()) == []


def test_a_public_class_name_that_occurs_twice_is_found(tmp_path: Path) -> None:
    files = {
        "a.py": "class Entry: ...\nclass _Part: ...",
        "b.py": "class Entry: ...\nclass _Part: ...\nclass Other: ...",
    }
    assert repeated_classes(tree(tmp_path, files)) == {"Entry": ["house.a", "house.b"]}


def test_a_small_module_with_one_importer_is_found(tmp_path: Path) -> None:
    files = {
        "small.py": "x = 1",
        "long.py": f"x = 1{LONG}",
        "shared.py": "x = 1",
        "unused.py": "x = 1",
        "package/__init__.py": "",
        "user.py": "import house.long, house.package, house.shared, house.small\nfrom house.small import x",
        "other.py": "import house.shared",
    }
    assert fragments(tree(tmp_path, files)) == ["house.small belongs into house.user"]
